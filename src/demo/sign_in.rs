//! Sign-in as WSO2's portal does it: start, form, check, callback with a code, and the token split over two cookies.

use std::{sync::Arc, time::Duration};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use minijinja::context;
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use super::{PortalState, data, pages};
use crate::{clock::Clock, domain::return_address::ReturnAddress};

/// How long an access token is good for.
const LIFETIME: Duration = Duration::from_hours(1);

/// An authorization code that has not been redeemed.
pub struct AuthorizationCode {
    secret: String,
    user: String,
    tenant: String,
}

pub fn router() -> Router<Arc<PortalState>> {
    Router::new()
        .route("/devportal/services/configs", get(start))
        .route("/authenticationendpoint/login.do", get(form))
        .route("/commonauth", post(verify_credentials))
        .route("/devportal/services/auth/callback/login", get(callback))
        .route("/devportal/services/logout", get(log_out).post(log_out))
        .route("/oauth2/token", post(token))
        .route("/oauth2/jwks", get(key_set))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SignInQuery {
    tenant: String,
    #[serde(rename = "returnTo")]
    return_to: String,
    username: String,
    password: String,
    code: String,
}

impl SignInQuery {
    fn tenant(&self) -> &str {
        if data::has_own_sign_in(&self.tenant) { &self.tenant } else { "carbon.super" }
    }

    /// Only to a page of ours; otherwise to the tenant's list of APIs.
    fn return_target(&self) -> String {
        ReturnAddress::parse(&self.return_to).map_or_else(
            || format!("/devportal/apis?{}", query(&[("tenant", self.tenant())])),
            |address| address.as_str().to_owned(),
        )
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn start(Query(login): Query<SignInQuery>) -> Response {
    let query = query(&[("tenant", login.tenant()), ("returnTo", &login.return_to)]);
    redirect(&format!("/authenticationendpoint/login.do?{query}"))
}

async fn form(Query(login): Query<SignInQuery>) -> Html<String> {
    show_form(&login, false)
}

fn show_form(login: &SignInQuery, failed: bool) -> Html<String> {
    pages::render(
        "login.html",
        context! {
            tenant => login.tenant(),
            return_to => &login.return_to,
            username => &login.username,
            failed => failed,
            users => data::USERS.join(", "),
            password => data::PASSWORD,
        },
    )
}

async fn verify_credentials(
    State(portal): State<Arc<PortalState>>,
    Form(login): Form<SignInQuery>,
) -> Response {
    // `alice` is Alice of the tenant one is in, `alice@closed.example` the one of that tenant
    let written = login.username.trim();
    let (user, tenant) = written.split_once('@').unwrap_or((written, login.tenant()));
    if !data::USERS.contains(&user) || !data::has_own_sign_in(tenant) || login.password != data::PASSWORD {
        return (StatusCode::UNAUTHORIZED, show_form(&login, true)).into_response();
    }
    let code = format!("{:032x}", fastrand::u128(..));
    let mut data = portal.data();
    // bounds the number of codes that are never redeemed
    if data.codes.len() >= 100 {
        data.codes.remove(0);
    }
    data.codes.push(AuthorizationCode {
        secret: code.clone(),
        user: user.to_owned(),
        tenant: tenant.to_owned(),
    });
    drop(data);
    let query = query(&[("code", &code), ("tenant", login.tenant()), ("returnTo", &login.return_to)]);
    redirect(&format!("/devportal/services/auth/callback/login?{query}"))
}

async fn callback(
    State(portal): State<Arc<PortalState>>,
    headers: HeaderMap,
    Query(login): Query<SignInQuery>,
) -> Response {
    let redeemed = {
        let mut data = portal.data();
        let index = data.codes.iter().position(|known| known.secret == login.code);
        index.map(|index| data.codes.swap_remove(index))
    };
    let Some(AuthorizationCode { user, tenant, .. }) = redeemed else {
        // an old link, opened again: start over
        return start(Query(login)).await;
    };
    let Ok(token) = portal.keys.mint(&user, &tenant, Clock::system().now(), LIFETIME) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let (first, second) = token.split_at(token.len() / 2);
    let age = LIFETIME.as_secs();
    let secure = if is_https(&headers) { "; Secure" } else { "" };
    let mut response = redirect(&login.return_target());
    for cookie in [
        format!("WSO2_AM_TOKEN_1_Default={first}; Path=/devportal/; Max-Age={age}; SameSite=Lax{secure}"),
        format!(
            "AM_ACC_TOKEN_DEFAULT_P2={second}; Path=/devportal/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"
        ),
        format!(
            "AM_ACC_TOKEN_DEFAULT_P2={second}; Path=/api/am/devportal/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"
        ),
        format!("IS_LOGIN_DEFAULT=true; Path=/devportal/; Max-Age={age}; SameSite=Lax{secure}"),
    ] {
        set_cookie(&mut response, &cookie);
    }
    response
}

async fn log_out(Query(login): Query<SignInQuery>) -> Response {
    let mut response = redirect(&login.return_target());
    for (name, path) in [
        ("WSO2_AM_TOKEN_1_Default", "/devportal/"),
        ("AM_ACC_TOKEN_DEFAULT_P2", "/devportal/"),
        ("AM_ACC_TOKEN_DEFAULT_P2", "/api/am/devportal/"),
        ("IS_LOGIN_DEFAULT", "/devportal/"),
    ] {
        set_cookie(&mut response, &format!("{name}=; Path={path}; Max-Age=0"));
    }
    response
}

#[derive(Deserialize)]
struct TokenRequest {
    #[serde(rename = "grant_type")]
    kind: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

/// `password` for the demo users (`alice@closed.example`), `client_credentials` for a robot of the super tenant.
async fn token(State(portal): State<Arc<PortalState>>, Form(grant): Form<TokenRequest>) -> Response {
    let (user, tenant) = match grant.kind.as_str() {
        "password" => grant.username.split_once('@').unwrap_or((&grant.username, "carbon.super")),
        "client_credentials" => ("robot", "carbon.super"),
        _ => return oauth_error("unsupported_grant_type"),
    };
    let is_known =
        data::USERS.contains(&user) && data::has_own_sign_in(tenant) && grant.password == data::PASSWORD;
    if user != "robot" && !is_known {
        return oauth_error("invalid_grant");
    }
    match portal.keys.mint(user, tenant, Clock::system().now(), LIFETIME) {
        Ok(token) => Json(json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": LIFETIME.as_secs(),
            "scope": "openid apim:subscribe",
        }))
        .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn oauth_error(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

async fn key_set(State(portal): State<Arc<PortalState>>) -> Response {
    ([(header::CONTENT_TYPE, "application/jwk-set+json")], portal.keys.public_set()).into_response()
}

fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https")
}

pub fn redirect(location: &str) -> Response {
    match HeaderValue::try_from(location) {
        Ok(location) => {
            let headers =
                [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::FOUND, headers).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
