//! Every page Doorward can show, side by side: for operators who restyle them, and for the browser tests.

pub mod samples;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Query, State},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::{HtmlPages, assets, router as site, security_headers, security_headers::form_headers};
use crate::{
    clock::Clock,
    domain::{
        own_path,
        page::{PageRenderer, RenderContext},
        tenant::TenantId,
    },
};

/// Made-up tenants, so that the list has pages.
const TENANTS: usize = 1234;

/// The pages under `/pages/{name}`, our assets and the list of tenants under `/.doorward/`.
pub fn router(pages: Arc<HtmlPages>) -> Router {
    let names: Arc<[TenantId]> =
        (1..=TENANTS).filter_map(|n| TenantId::parse(&format!("team-{n:04}.example")).ok()).collect();
    let local = site::WebState {
        clock: Clock::system(),
        pages: Arc::clone(&pages),
        tenants: Arc::new(move || Box::pin(std::future::ready(Some(Arc::clone(&names))))),
        start_page: "/devportal/apis".into(),
        accounts: None,
    };
    let own = Router::new().route("/", get(index)).route("/pages/{name}", get(show)).with_state(pages);
    own.merge(site::router(local))
}

async fn index() -> Response {
    let mut list = String::new();
    let pages = samples::pages().into_iter().map(|(name, _)| name);
    for name in pages.chain(samples::forms().into_iter().map(|(name, _)| name)) {
        list.push_str("<li><a href=\"/pages/");
        list.push_str(name);
        list.push_str("\">");
        list.push_str(name);
        list.push_str("</a></li>");
    }
    let style = assets::style_href();
    let list_of_tenants = own_path::TENANTS;
    with_security_headers(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Doorward's pages</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"{style}\"><body><main class=\"card\"><h1>Doorward's pages</h1>\
         <p class=\"soft\">As visitors see them. Add <code>?brand</code> for a tenant's colours and \
         <code>?languages=ar</code> for another language.</p>\
         <ul class=\"list\"><li><a href=\"{list_of_tenants}\">tenants</a></li>{list}</ul></main>"
    ))
}

#[derive(Deserialize)]
struct GalleryQuery {
    brand: Option<String>,
    languages: Option<String>,
}

async fn show(
    State(pages): State<Arc<HtmlPages>>,
    Path(name): Path<String>,
    Query(query): Query<GalleryQuery>,
    headers: HeaderMap,
) -> Response {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let tenant = TenantId::parse("closed.example").ok();
    let is_branded = query.brand.is_some();
    let accent = query.brand.filter(|accent| !accent.is_empty()).map(|hex| format!("#{hex}"));
    let context = RenderContext {
        request_id: "01jd3k8w5t7q9r2x4z6b0c8e1f",
        tenant: tenant.as_ref().filter(|_| is_branded),
        name: is_branded.then_some("Closed Example Industries"),
        logo: None,
        accent: is_branded.then(|| accent.as_deref().unwrap_or("#b3261e")),
        languages: query.languages.as_deref().or(accepted).unwrap_or_default(),
    };
    if let Some((_, page)) = samples::pages().into_iter().find(|(known, _)| *known == name) {
        let mut response = with_security_headers(pages.render(&page, context));
        *response.status_mut() = StatusCode::from_u16(page.status()).unwrap_or_default();
        return response;
    }
    let Some((_, form)) = samples::forms().into_iter().find(|(known, _)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = with_security_headers(
        pages.render_form(&*form, RenderContext { tenant: tenant.as_ref(), ..context }),
    );
    for (name, value) in form_headers() {
        response.headers_mut().insert(name, value);
    }
    response
}

fn with_security_headers(html: String) -> Response {
    let mut response = Html(html).into_response();
    response.headers_mut().extend(security_headers().iter().cloned());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        page::StatusPage,
        tenant::{RequestedTenant, TenantSource},
    };

    /// A page that is added and not shown here would escape the browser tests.
    #[test]
    fn every_page_is_in_the_gallery() {
        let shown = |page: &StatusPage| {
            samples::pages()
                .iter()
                .any(|(_, sample)| std::mem::discriminant(sample) == std::mem::discriminant(page))
        };
        let tenant = RequestedTenant { tenant: TenantId::super_tenant(), source: TenantSource::Host };
        for page in [
            StatusPage::BadRequest { status: 400, detail: "" },
            StatusPage::TenantConflict { first: tenant.clone(), second: tenant },
            StatusPage::UnknownTenant { tenant: String::new() },
            StatusPage::SignInNeeded { sign_in_url: None },
            StatusPage::SignInLoop { sign_in_url: String::new() },
            StatusPage::TokenRefused { reason: String::new() },
            StatusPage::Forbidden { missing: vec![] },
            StatusPage::CrossOriginUpgrade,
            StatusPage::PortalUnreachable,
            StatusPage::PortalTimeout,
            StatusPage::Unavailable,
            StatusPage::Overloaded,
            StatusPage::TooManyRequests,
            StatusPage::NotFound,
            StatusPage::SignedOut { sign_in_url: String::new() },
            StatusPage::CrossSiteForm,
            StatusPage::ExpiredForm,
            StatusPage::BadForm,
        ] {
            assert!(shown(&page), "{page:?}");
        }
    }

    /// Every template a page begins with is seen.
    #[test]
    fn every_form_is_in_the_gallery() {
        for template in ["sign-in.html", "sign-out.html", "account.html", "password.html"] {
            assert!(samples::forms().iter().any(|(_, form)| form.template() == template), "{template}");
        }
    }
}
