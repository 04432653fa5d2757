//! Routes under `/.doorward/`: assets, the list of tenants, sign-in and sign-out, the account page. Served by Doorward, never
//! forwarded.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, State},
    routing::get,
};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{
    account,
    assets::{self, Asset},
    page_request::PageRequest,
    pages::HtmlPages,
    security_headers::security_headers,
    sign_in, sign_out,
    tenant_list::{TenantPage, TenantQuery},
};
use crate::{
    account::{LoginService, PasswordService},
    clock::Clock,
    domain::{
        browser::prefers_html,
        own_path,
        page::{PageRenderer, RenderContext, StatusPage},
        tenant::TenantId,
    },
    http::{
        problem::{self, ProblemDetails},
        retry_after,
    },
    session::SessionService,
};

/// Asks for the tenants, sorted; `None` while the list is not public.
pub type TenantNames = Arc<dyn Fn() -> BoxFuture<'static, Option<Arc<[TenantId]>>> + Send + Sync>;

/// The services of accounts that pages use.
pub struct PageServices {
    pub login: LoginService,
    pub passwords: PasswordService,
    pub sessions: SessionService,
}

/// Shared state of the pages.
#[derive(Clone)]
pub struct WebState {
    pub clock: Clock,
    pub pages: Arc<HtmlPages>,
    pub tenants: TenantNames,
    /// The portal's start page, used if there is no return address: `/devportal/apis`.
    pub start_page: Arc<str>,
    /// Services of accounts, where they are on.
    pub accounts: Option<Arc<PageServices>>,
}

/// A service for every path below `/.doorward/`. The request id is read from `X-Request-Id`, which the pipeline sets.
pub fn router(state: WebState) -> Router {
    Router::new()
        .route(&format!("{}{{name}}", own_path::ASSETS), get(asset))
        .route(&format!("{}brand/{{name}}", own_path::ASSETS), get(brand))
        .route(own_path::TENANTS, get(tenants))
        .route(own_path::SIGN_IN, get(sign_in::show).post(sign_in::submit))
        .route(own_path::SIGN_OUT, get(sign_out::show_confirmation).post(sign_out::submit))
        .route(own_path::SIGNED_OUT, get(sign_out::show_signed_out))
        .route(own_path::ACCOUNT, get(account::show))
        .route(own_path::SESSIONS, get(redirect_to_account).post(account::end_sessions))
        .route(own_path::PASSWORD, get(account::password::show).post(account::password::submit))
        .route(own_path::CHANGE_PASSWORD, get(redirect_to_password))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state)
}

/// The target of a reload or bookmark of an address that only accepts forms.
async fn redirect_to_account(request: PageRequest) -> Response<Body> {
    request.redirect(&request.href(own_path::ACCOUNT, &[]))
}

async fn redirect_to_password(request: PageRequest) -> Response<Body> {
    let mut response = request.redirect(&request.href(own_path::PASSWORD, &[]));
    *response.status_mut() = StatusCode::FOUND;
    response
}

async fn asset(
    State(state): State<WebState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    assets::find_asset(&name).map_or_else(|| not_found_response(&state, &headers), serve)
}

async fn brand(
    State(state): State<WebState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    assets::find_brand_style(&name).map_or_else(|| not_found_response(&state, &headers), serve)
}

async fn tenants(
    State(state): State<WebState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let names = (state.tenants)().await;
    let context = render_context(&headers);
    match names {
        None => html_response(StatusCode::NOT_FOUND, state.pages.render_no_tenants(false, context)),
        Some(names) if names.is_empty() => {
            html_response(StatusCode::OK, state.pages.render_no_tenants(true, context))
        }
        Some(names) => {
            let query_values = TenantQuery::parse(query.as_deref().unwrap_or_default());
            let Some(listing) = search_tenants(names, query_values, Arc::clone(&state.start_page)).await
            else {
                let html = state.pages.render(&StatusPage::Overloaded, context);
                let mut busy = html_response(StatusCode::SERVICE_UNAVAILABLE, html);
                let wait = retry_after::header_value(retry_after::UNAVAILABLE);
                busy.headers_mut().insert(header::RETRY_AFTER, wait);
                return busy;
            };
            html_response(StatusCode::OK, state.pages.render_tenants(&listing, context))
        }
    }
}

/// More names than this are searched on a blocking thread: 100,000 take 5 ms, which would block a worker.
const MAX_INLINE_SEARCH: usize = 2000;
/// Searches of many names, one at a time, so that a flood of them costs the machine one thread.
static SEARCH_SLOT: Semaphore = Semaphore::const_new(1);
/// How long a search waits for the slot.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(2);

/// `None`: too many are searching.
async fn search_tenants(names: Arc<[TenantId]>, query: TenantQuery, start: Arc<str>) -> Option<TenantPage> {
    if !query.is_search() || names.len() <= MAX_INLINE_SEARCH {
        return Some(TenantPage::new(&names, query, &start));
    }
    let slot = timeout(SEARCH_TIMEOUT, SEARCH_SLOT.acquire()).await.ok()?.ok()?;
    // the slot is released when the search ends, even if the client has disconnected
    let search = spawn_blocking(move || {
        let listing = TenantPage::new(&names, query, &start);
        drop(slot);
        listing
    });
    search.await.ok()
}

async fn not_found(State(state): State<WebState>, request: Request<Body>) -> Response<Body> {
    not_found_response(&state, request.headers())
}

async fn method_not_allowed(headers: HeaderMap) -> Response<Body> {
    let mut response =
        problem_response(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD work here.", &headers);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

pub(super) fn not_found_response(state: &WebState, headers: &HeaderMap) -> Response<Body> {
    if wants_html(headers) {
        html_response(
            StatusCode::NOT_FOUND,
            state.pages.render(&StatusPage::NotFound, render_context(headers)),
        )
    } else {
        problem_response(StatusCode::NOT_FOUND, "There is nothing at this address.", headers)
    }
}

fn serve(asset: Asset) -> Response<Body> {
    let mut response = Response::new(Body::from(match asset.content {
        std::borrow::Cow::Borrowed(content) => content.as_bytes().into(),
        std::borrow::Cow::Owned(content) => bytes::Bytes::from(content),
    }));
    set_security_headers(&mut response, asset.content_type);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(asset.cache_control));
    response
}

pub(super) fn html_response(status: StatusCode, html: String) -> Response<Body> {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    set_security_headers(&mut response, "text/html; charset=utf-8");
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Language"));
    response
}

/// RFC 9457.
fn problem_response(status: StatusCode, detail: &str, headers: &HeaderMap) -> Response<Body> {
    let problem = ProblemDetails::new(status, detail, request_id(headers));
    let mut response = Response::new(Body::from(problem.to_json()));
    *response.status_mut() = status;
    set_security_headers(&mut response, problem::CONTENT_TYPE);
    response
}

fn set_security_headers(response: &mut Response<Body>, content_type: &'static str) {
    let headers = response.headers_mut();
    headers.extend(security_headers().iter().cloned());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(prefers_html)
}

pub(super) fn render_context(headers: &HeaderMap) -> RenderContext<'_> {
    let languages = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    RenderContext {
        request_id: request_id(headers),
        tenant: None,
        name: None,
        logo: None,
        accent: None,
        languages: languages.unwrap_or_default(),
    }
}

fn request_id(headers: &HeaderMap) -> &str {
    headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok())
        .filter(|id| id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    fn site(names: Option<&[&str]>) -> Router {
        let names: Option<Arc<[TenantId]>> =
            names.map(|names| names.iter().map(|name| TenantId::parse(name).unwrap()).collect());
        router(WebState {
            clock: Clock::system(),
            pages: Arc::new(HtmlPages::new(None)),
            tenants: Arc::new(move || Box::pin(std::future::ready(names.clone()))),
            start_page: "/devportal/apis".into(),
            accounts: None,
        })
    }

    async fn send(router: Router, method: &str, path: &str, accept: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("accept", accept).header("x-request-id", "id-7");
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    const HTML: &str = "text/html,*/*;q=0.8";

    #[tokio::test(start_paused = true)]
    async fn attack_a_flood_of_searches_over_many_names_takes_one_thread() {
        let many: Vec<String> = (0..=MAX_INLINE_SEARCH).map(|n| format!("t{n}.example")).collect();
        let many = site(Some(&many.iter().map(String::as_str).collect::<Vec<_>>()));
        let ask = |site: Router, path: &'static str| send(site, "GET", path, HTML);
        let (status, _, found) = ask(many.clone(), "/.doorward/tenants?q=T77.").await;
        assert!(status == 200 && found.contains("t77.example"), "{found}");
        let others = SEARCH_SLOT.acquire().await.unwrap();
        let (status, headers, _) = ask(many.clone(), "/.doorward/tenants?q=t77.").await;
        assert_eq!((status.as_u16(), headers["retry-after"].as_bytes()), (503, &b"5"[..]));
        // requests without a search, or over few names, do not wait
        assert_eq!(ask(many.clone(), "/.doorward/tenants?page=2").await.0, 200);
        assert_eq!(ask(site(Some(&["a.example"])), "/.doorward/tenants?q=a").await.0, 200);
        drop(others);
        assert_eq!(ask(many, "/.doorward/tenants?q=t77.").await.0, 200);
    }

    #[tokio::test]
    async fn every_answer_carries_the_security_headers() {
        for path in ["/.doorward/tenants", "/.doorward/nothing", &assets::style_href(), "/.doorward/assets/x"]
        {
            for method in ["GET", "POST"] {
                let (_, headers, _) = send(site(Some(&["a.example"])), method, path, HTML).await;
                for (name, _) in security_headers() {
                    assert_eq!(headers.get_all(name).iter().count(), 1, "{method} {path}: {name}");
                }
            }
        }
    }

    #[tokio::test]
    async fn the_style_sheet_is_kept_by_browsers() {
        let (status, headers, body) = send(site(None), "GET", &assets::style_href(), "text/css").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, assets::STYLE));
        assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }

    #[tokio::test]
    async fn tenants_are_listed_searched_and_linked() {
        let router = || site(Some(&["acme.example", "beta.example"]));
        let (status, _, body) = send(router(), "GET", "/.doorward/tenants", HTML).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("2 tenants") && body.contains("apis?tenant=acme.example"), "{body}");
        let (_, _, body) = send(router(), "GET", "/.doorward/tenants?q=BETA", HTML).await;
        assert!(body.contains("One tenant has “BETA”") && !body.contains("acme.example"), "{body}");
        let (_, _, body) = send(router(), "GET", "/.doorward/tenants?q=unknown", HTML).await;
        assert!(body.contains("No tenant has “unknown”") && body.contains("Show all tenants"), "{body}");
    }

    #[tokio::test]
    async fn long_lists_have_pages() {
        let names: Vec<String> = (0..120).map(|n| format!("t{n:03}.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (_, _, body) = send(site(Some(&names)), "GET", "/.doorward/tenants?q=t&page=2", HTML).await;
        assert!(body.contains("Page 2 of 3"), "{body}");
        assert_eq!(body.matches("aria-current=\"page\"").count(), 1);
        assert!(
            body.contains("rel=\"prev\"") && body.contains("rel=\"next\"") && body.contains("q=t&amp;page=3")
        );
    }

    #[tokio::test]
    async fn empty_and_private_tenant_lists_have_own_pages() {
        let (status, _, body) = send(site(Some(&[])), "GET", "/.doorward/tenants", HTML).await;
        assert!(status == StatusCode::OK && body.contains("There is no tenant yet"), "{body}");
        let (status, _, body) = send(site(None), "GET", "/.doorward/tenants", HTML).await;
        assert!(status == StatusCode::NOT_FOUND && body.contains("not public"), "{body}");
    }

    #[tokio::test]
    async fn tenant_choice_keeps_the_requested_address() {
        let path = "/.doorward/tenants?to=%2Fdevportal%2Fapis%2F7%3Ftab%3Ddocs%26tenant%3Dold.example";
        let (_, _, body) = send(site(Some(&["a.example"])), "GET", path, HTML).await;
        assert!(
            body.contains("href=\"&#x2f;devportal&#x2f;apis&#x2f;7?tab=docs&amp;tenant=a.example\""),
            "{body}"
        );
        // the search form carries it on
        assert!(body.contains(
            "name=\"to\" value=\"&#x2f;devportal&#x2f;apis&#x2f;7?tab=docs&amp;tenant=old.example\""
        ));
    }

    /// Attack: open redirect, here through links that the visitor is meant to follow.
    #[tokio::test]
    async fn attack_open_redirect_by_tenant_list_address() {
        for hostile in [
            "https://evil.example/",
            "//evil.example",
            "/%5Cevil.example",
            "javascript:alert(1)",
            "/%09/evil.example",
        ] {
            let path = format!("/.doorward/tenants?to={hostile}");
            let (_, _, body) = send(site(Some(&["a.example"])), "GET", &path, HTML).await;
            assert!(!body.contains("evil") && !body.contains("alert"), "{hostile}: {body}");
            assert!(body.contains("apis?tenant=a.example"));
        }
    }

    /// Attack: markup in the search field.
    #[tokio::test]
    async fn attack_reflected_xss_by_search() {
        let path = "/.doorward/tenants?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
        let (_, _, body) = send(site(Some(&["a.example"])), "GET", path, HTML).await;
        assert!(!body.contains("<script"), "{body}");
    }

    #[tokio::test]
    async fn not_found_is_negotiated_by_accept_header() {
        let (status, headers, body) = send(site(None), "GET", "/.doorward/nothing", HTML).await;
        assert_eq!(
            (status, &headers[header::CONTENT_TYPE]),
            (StatusCode::NOT_FOUND, &"text/html; charset=utf-8".parse().unwrap())
        );
        assert!(body.contains("id-7"));
        let (status, headers, body) = send(site(None), "GET", "/.doorward/nothing", "application/json").await;
        assert_eq!(
            (status, &headers[header::CONTENT_TYPE]),
            (StatusCode::NOT_FOUND, &"application/problem+json".parse().unwrap())
        );
        assert!(body.contains("\"request_id\":\"id-7\""), "{body}");
        let (status, headers, _) = send(site(None), "POST", "/.doorward/tenants", HTML).await;
        assert_eq!(
            (status, &headers[header::ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD".parse().unwrap())
        );
    }
}
