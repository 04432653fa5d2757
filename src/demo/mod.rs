//! A small but real developer portal of WSO2's shape, for `doorward demo` and for tests: four tenants, their APIs,
//! sign-in with real tokens. It knows nothing of Doorward; for one tenant it trusts the `Remote-User` of the proxy in front of it.

mod data;
mod lab;
mod loopback;
mod pages;
mod portal_request;
mod rest;
mod sign_in;
mod token;
mod websocket;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::Router;

use crate::domain::time::Timestamp;

pub use data::{MEMBERS, PASSWORD, USERS};
pub use loopback::LoopbackServer;
pub use token::{AUDIENCE, ISSUER};

/// The portal, running on a thread of its own until it is dropped.
pub struct SamplePortal {
    pub addr: SocketAddr,
    keys: Arc<token::SigningKeys>,
    _server: LoopbackServer,
}

impl SamplePortal {
    /// Port 0 picks a free one.
    pub fn start(listen: SocketAddr) -> io::Result<Self> {
        let keys = Arc::new(token::SigningKeys::generate().map_err(io::Error::other)?);
        let server = LoopbackServer::serve(listen, router(Arc::clone(&keys)))?;
        Ok(Self { addr: server.addr, keys, _server: server })
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// An access token as sign-in issues it.
    pub fn mint(&self, user: &str, tenant: &str, now: Timestamp, lifetime: Duration) -> io::Result<String> {
        self.keys.mint(user, tenant, now, lifetime).map_err(io::Error::other)
    }

    /// The public keys, as `/oauth2/jwks` serves them.
    pub fn key_set(&self) -> String {
        self.keys.public_set()
    }
}

/// Shared state of the portal.
struct PortalState {
    keys: Arc<token::SigningKeys>,
    data: Mutex<PortalData>,
}

#[derive(Default)]
struct PortalData {
    applications: Vec<data::SampleApplication>,
    /// Authorization codes that have not been redeemed.
    codes: Vec<sign_in::AuthorizationCode>,
}

impl PortalState {
    fn data(&self) -> MutexGuard<'_, PortalData> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn router(keys: Arc<token::SigningKeys>) -> Router {
    let portal = Arc::new(PortalState { keys, data: Mutex::default() });
    pages::router()
        .merge(sign_in::router())
        .merge(rest::router())
        .with_state(portal)
        .nest("/devportal/home/lab", lab::router())
        .nest("/api/am/devportal/{version}/lab", lab::router())
        .fallback(pages::not_found)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{HeaderMap, Request, StatusCode, header};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::clock::Clock;

    const API: &str = "/api/am/devportal/v3";

    /// The portal without a socket.
    struct Sample {
        keys: Arc<token::SigningKeys>,
        router: Router,
    }

    impl Sample {
        fn new() -> Self {
            let keys = Arc::new(token::SigningKeys::generate().unwrap());
            Self { router: router(Arc::clone(&keys)), keys }
        }

        fn token(&self, user: &str, tenant: &str) -> String {
            self.keys.mint(user, tenant, Clock::system().now(), Duration::from_mins(5)).unwrap()
        }

        async fn send(&self, request: http::request::Builder, body: &str) -> (StatusCode, HeaderMap, String) {
            let request: Request<Body> = request.body(body.to_owned().into()).unwrap();
            let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
        }

        async fn get(&self, path: &str) -> (StatusCode, HeaderMap, String) {
            self.send(Request::get(path), "").await
        }
    }

    #[tokio::test]
    async fn each_tenant_sees_its_own_apis() {
        let sample = Sample::new();
        for (tenant, own, foreign) in
            [("carbon.super", "Tides", "Payroll"), ("closed.example", "Payroll", "Tides")]
        {
            let (_, _, page) = sample.get(&format!("/devportal/apis?tenant={tenant}")).await;
            assert!(page.contains(own) && !page.contains(foreign), "{tenant}: {page}");
            let request = Request::get(format!("{API}/apis")).header("x-wso2-tenant", tenant);
            let (_, _, list) = sample.send(request, "").await;
            assert!(list.contains(own) && !list.contains(foreign), "{tenant}: {list}");
        }
        let (status, ..) = sample.get("/devportal/apis?tenant=unknown.example").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_rest_api_answers() {
        let sample = Sample::new();
        let id = data::APIS[0].id;
        for path in [
            "/settings",
            "/tenants?state=active",
            "/tags",
            "/api-categories",
            "/throttling-policies/application",
            "/swagger.yaml",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("/apis/{id}"), format!("/apis/{id}/swagger"), "/echo".to_owned()])
        {
            let (status, _, body) = sample.get(&format!("{API}{path}")).await;
            assert_eq!(status, StatusCode::OK, "{path}: {body}");
        }
        let (_, _, settings) = sample.get(&format!("{API}/settings")).await;
        assert!(settings.contains("\"IsAnonymousModeEnabled\":true"));
        let (status, _, body) = sample.get(&format!("{API}/apis/none")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("\"code\":404"), "{body}");
    }

    #[tokio::test]
    async fn applications_belong_to_their_owner() {
        let sample = Sample::new();
        let (status, ..) = sample.get(&format!("{API}/applications")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let ask = |method: &str, user: &str| {
            Request::builder()
                .method(method)
                .uri(format!("{API}/applications"))
                .header("authorization", format!("Bearer {}", sample.token(user, "carbon.super")))
                .header("content-type", "application/json")
        };
        let (status, ..) = sample.send(ask("POST", "alice"), "{\"name\":\"Boat\"}").await;
        assert_eq!(status, StatusCode::CREATED);
        let (status, ..) = sample.send(ask("POST", "alice"), "{\"name\":\"Boat\"}").await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(sample.send(ask("GET", "alice"), "").await.2.contains("Boat"));
        assert!(!sample.send(ask("GET", "bob"), "").await.2.contains("Boat"));
    }

    #[tokio::test]
    async fn sign_in_splits_the_token_over_two_cookies() {
        let sample = Sample::new();
        let form = |password: &str| format!("tenant=closed.example&username=alice&password={password}");
        let post =
            || Request::post("/commonauth").header("content-type", "application/x-www-form-urlencoded");
        let (status, _, page) = sample.send(post(), &form("wrong")).await;
        assert!(status == StatusCode::UNAUTHORIZED && page.contains("role=\"alert\""));

        let (status, headers, _) = sample.send(post(), &form(PASSWORD)).await;
        assert_eq!(status, StatusCode::FOUND);
        let callback = headers[header::LOCATION].to_str().unwrap().to_owned();
        let (status, headers, _) = sample.get(&callback).await;
        assert_eq!(status, StatusCode::FOUND);
        let cookies: Vec<String> = headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|value| value.to_str().unwrap().split(';').next().unwrap().to_owned())
            .collect();
        let request = Request::get("/devportal/applications?tenant=closed.example")
            .header("cookie", cookies.join("; "));
        let (status, _, page) = sample.send(request, "").await;
        assert!(status == StatusCode::OK && page.contains("Sign out Alice"), "{page}");

        let (_, headers, _) = sample.get(&callback).await;
        assert!(headers.get(header::SET_COOKIE).is_none(), "a code counts once");
    }

    /// The portal trusts identity headers in one tenant; in all others it ignores them.
    #[tokio::test]
    async fn identity_header_is_trusted_in_one_tenant_only() {
        let sample = Sample::new();
        for tenant in data::TENANTS {
            let request = Request::get(format!("/devportal/applications?tenant={tenant}"))
                .header("remote-user", "carol")
                .header("remote-name", "Carol Marsh");
            let (status, _, page) = sample.send(request, "").await;
            let expected = if tenant == MEMBERS { StatusCode::OK } else { StatusCode::FOUND };
            assert_eq!(status, expected, "{tenant}");
            let links = ["Sign out Carol Marsh", "/.doorward/account?", "/.doorward/sign-out?"];
            assert_eq!(links.map(|link| page.contains(link)), [tenant == MEMBERS; 3], "{tenant}: {page}");
        }
        // nor does its own sign-in work there
        let form = format!("tenant={MEMBERS}&username=alice@{MEMBERS}&password={PASSWORD}");
        let post = Request::post("/commonauth").header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(sample.send(post, &form).await.0, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn sign_in_leads_back_to_where_it_began() {
        let sample = Sample::new();
        let back = "%2Fdevportal%2Fapis%2F7%3Ftenant%3Dclosed.example%26tab%3Ddocs";
        let form = format!("tenant=closed.example&username=alice&password={PASSWORD}&returnTo={back}");
        let post = Request::post("/commonauth").header("content-type", "application/x-www-form-urlencoded");
        let (_, headers, _) = sample.send(post, &form).await;
        let (_, headers, _) = sample.get(headers[header::LOCATION].to_str().unwrap()).await;
        assert_eq!(headers[header::LOCATION], "/devportal/apis/7?tenant=closed.example&tab=docs");
    }

    /// Attack: open redirect through the address to come back to.
    #[tokio::test]
    async fn attack_open_redirect_after_sign_out() {
        for hostile in ["https://evil.example", "//evil.example", "/%5Cevil.example"] {
            let (_, headers, _) =
                Sample::new().get(&format!("/devportal/services/logout?returnTo={hostile}")).await;
            assert_eq!(headers[header::LOCATION], "/devportal/apis?tenant=carbon.super", "{hostile}");
        }
    }

    #[tokio::test]
    async fn streams_count_what_passes() {
        let sample = Sample::new();
        let (_, headers, body) = sample.get("/devportal/home/lab/download/200000").await;
        assert_eq!((body.len(), &headers[header::CONTENT_LENGTH]), (200_000, &"200000".parse().unwrap()));
        let (_, _, message) = sample.send(Request::post(format!("{API}/lab/upload")), "abc").await;
        assert!(message.contains("\"bytes\":3") && message.contains("ba7816bf"), "{message}");
    }

    #[test]
    fn it_runs_on_a_thread_of_its_own_and_stops_when_dropped() {
        use std::io::{Read, Write};
        let portal = SamplePortal::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut stream = std::net::TcpStream::connect(portal.addr).unwrap();
        stream.write_all(b"GET /oauth2/jwks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with(&portal.key_set()), "{answer}");
        let addr = portal.addr;
        drop(portal);
        assert!(std::net::TcpStream::connect(addr).is_err());
    }
}
