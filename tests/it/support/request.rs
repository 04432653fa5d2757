//! A builder of one request to the proxy.

use std::{fmt::Write as _, net::SocketAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::ClientConfig;
use serde_json::Value;

use super::{
    answer::Answer,
    h2::{self, H2Request},
    jar::Jar,
    message::Head,
    wire::Wire,
};

/// The value of `Authorization`.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

pub struct RequestBuilder<'a> {
    endpoint: Endpoint,
    method: String,
    target: String,
    host: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    http2: bool,
    tls: bool,
    prefix: Vec<u8>,
    jar: Option<&'a mut Jar>,
}

/// The addresses of the proxy.
#[derive(Clone)]
pub struct Endpoint {
    pub http: SocketAddr,
    pub https: Option<SocketAddr>,
    pub tls_clients: Option<TlsClients>,
}

/// The TLS caller for HTTP/1.1 and the one for HTTP/2: they differ in ALPN.
#[derive(Clone)]
pub struct TlsClients {
    pub http1: Arc<ClientConfig>,
    pub http2: Arc<ClientConfig>,
}

impl<'a> RequestBuilder<'a> {
    pub fn new(endpoint: Endpoint, method: &str, target: &str) -> Self {
        let host = endpoint.http.to_string();
        Self {
            endpoint,
            method: method.to_owned(),
            target: target.to_owned(),
            host,
            headers: Vec::new(),
            body: Vec::new(),
            http2: false,
            tls: false,
            prefix: Vec::new(),
            jar: None,
        }
    }

    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn cookie(self, name: &str, value: &str) -> Self {
        self.header("cookie", &format!("{name}={value}"))
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn basic(self, user: &str, password: &str) -> Self {
        self.header("authorization", &basic(user, password))
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub fn tenant(self, tenant: &str) -> Self {
        self.header("x-wso2-tenant", tenant)
    }

    /// A navigation of a browser: a link or a typed address.
    pub fn browser(self) -> Self {
        self.header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
            .header("sec-fetch-dest", "document")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-site", "none")
            .header("sec-fetch-user", "?1")
    }

    /// A script inside a page.
    pub fn xhr(self) -> Self {
        self.header("accept", "application/json")
            .header("sec-fetch-dest", "empty")
            .header("sec-fetch-mode", "cors")
            .header("sec-fetch-site", "same-origin")
            .header("x-requested-with", "XMLHttpRequest")
    }

    /// A program.
    pub fn api_client(self) -> Self {
        self.header("accept", "application/json").header("user-agent", "curl/8")
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Sends these bytes first, before TLS.
    pub fn with_prefix(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Sends the jar's cookies and keeps those that come back.
    pub fn with_jar(mut self, jar: &'a mut Jar) -> Self {
        self.jar = Some(jar);
        self
    }

    #[track_caller]
    pub fn send(mut self) -> Answer {
        let path = self.target.split('?').next().unwrap_or_default();
        if let Some(cookies) = self.jar.as_ref().and_then(|jar| jar.header(path)) {
            self.headers.push(("cookie".to_owned(), cookies));
        }
        let jar = self.jar.take();
        let answer = if self.http2 { self.over_http2() } else { self.over_http1() };
        if let Some(jar) = jar {
            jar.store(&answer);
        }
        answer
    }

    /// Sends the request and leaves the answer on the wire: for streams.
    #[track_caller]
    pub fn open(self) -> Wire {
        let mut wire = self.connect();
        wire.write(self.message());
        wire
    }

    /// Asks for an upgrade to a WebSocket; a `101` leaves the wire to the test.
    #[track_caller]
    pub fn upgrade(self) -> (Head, Wire) {
        let mut wire = self
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .open();
        (wire.head(), wire)
    }

    #[track_caller]
    fn over_http1(self) -> Answer {
        let mut wire = self.connect();
        wire.write(self.message());
        wire.answer(&self.method).expect("an answer")
    }

    fn over_http2(self) -> Answer {
        let (addr, tls) = if self.tls {
            (self.https(), Some(self.tls_clients().http2))
        } else {
            (self.endpoint.http, None)
        };
        let request = H2Request {
            method: self.method,
            scheme: if self.tls { "https" } else { "http" },
            authority: self.host,
            target: self.target,
            headers: self.headers,
            body: self.body,
        };
        h2::send(addr, &self.prefix, tls, request)
    }

    fn connect(&self) -> Wire {
        if self.tls {
            Wire::connect_tls(self.https(), self.tls_clients().http1, &self.prefix)
        } else {
            let mut wire = Wire::connect(self.endpoint.http);
            wire.write(&self.prefix);
            wire
        }
    }

    fn https(&self) -> SocketAddr {
        self.endpoint.https.expect("a proxy started with .tls()")
    }

    fn tls_clients(&self) -> TlsClients {
        self.endpoint.tls_clients.clone().expect("a proxy started with .tls()")
    }

    fn message(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", self.method, self.target, self.host);
        for (name, value) in &self.headers {
            writeln!(head, "{name}: {value}\r").unwrap();
        }
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            writeln!(head, "content-length: {}\r", self.body.len()).unwrap();
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}
