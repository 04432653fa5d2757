//! An identity provider: key set, discovery, introspection, key rotation; it counts requests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

#[cfg(test)]
use super::wire::Wire;
use super::{
    double::{Double, Received},
    jwt::{Token, now},
    keys::SigningKey,
    reply::Reply,
};

pub struct Idp {
    double: Double,
    state: Arc<Mutex<State>>,
    pub audience: String,
}

struct State {
    issuer: String,
    /// Published, the one that signs first.
    keys: Vec<SigningKey>,
    /// Opaque tokens and their introspection answers.
    opaque: HashMap<String, Value>,
    is_down: bool,
}

impl Idp {
    /// Signs with RSA.
    pub fn start() -> Self {
        Self::signing_with(SigningKey::rsa("first", 0))
    }

    pub fn signing_with(key: SigningKey) -> Self {
        let state = State { issuer: String::new(), keys: vec![key], opaque: HashMap::new(), is_down: false };
        let state = Arc::new(Mutex::new(state));
        let answering = Arc::clone(&state);
        let double = Double::start(move |request| answering.lock().unwrap().answer(request));
        state.lock().unwrap().issuer = format!("http://{}", double.addr);
        Self { double, state, audience: "portal".to_owned() }
    }

    pub fn addr(&self) -> std::net::SocketAddr {
        self.double.addr
    }

    pub fn issuer(&self) -> String {
        self.state.lock().unwrap().issuer.clone()
    }

    pub fn keys_url(&self) -> String {
        format!("{}/jwks", self.issuer())
    }

    pub fn introspection_url(&self) -> String {
        format!("{}/introspect", self.issuer())
    }

    /// A good token; break it as the test needs.
    pub fn token(&self) -> Token {
        let state = self.state.lock().unwrap();
        Token::new(&state.issuer, &self.audience, &state.keys[0])
    }

    /// A valid opaque token: only introspection can resolve it.
    pub fn opaque(&self, subject: &str) -> String {
        let claims = json!({
            "active": true, "sub": subject, "aud": self.audience, "iss": self.issuer(), "exp": now() + 3600,
            "scope": "apim:subscribe", "token_type": "Bearer",
        });
        let mut state = self.state.lock().unwrap();
        let token = format!("opaque-{subject}-{}", state.opaque.len());
        state.opaque.insert(token.clone(), claims);
        token
    }

    pub fn revoke(&self, opaque: &str) {
        self.state.lock().unwrap().opaque.remove(opaque);
    }

    /// Signs with a new key from now on; the old one is still published.
    pub fn rotate(&self, key: SigningKey) {
        self.state.lock().unwrap().keys.insert(0, key);
    }

    /// Answers 503 to everything, or no longer.
    pub fn set_down(&self, down: bool) {
        self.state.lock().unwrap().is_down = down;
    }

    /// How many requests came for this path.
    pub fn request_count(&self, path: &str) -> usize {
        self.double.received().iter().filter(|r| r.path() == path).count()
    }

    /// The published key set, for tests with a key file.
    pub fn key_set(&self) -> Value {
        self.state.lock().unwrap().key_set()
    }
}

impl State {
    fn answer(&self, request: &Received) -> Reply {
        match request.path() {
            _ if self.is_down => Reply::text("try later").status(503),
            "/jwks" => Reply::json(&self.key_set()),
            "/.well-known/openid-configuration" => Reply::json(&json!({
                "issuer": self.issuer,
                "jwks_uri": format!("{}/jwks", self.issuer),
                "introspection_endpoint": format!("{}/introspect", self.issuer),
            })),
            "/introspect" => {
                let form = url::form_urlencoded::parse(&request.body);
                let token = form.into_owned().find_map(|(name, value)| (name == "token").then_some(value));
                let known = token.and_then(|token| self.opaque.get(&token));
                Reply::json(known.unwrap_or(&json!({"active": false})))
            }
            _ => Reply::text("no such page").status(404),
        }
    }

    fn key_set(&self) -> Value {
        json!({"keys": self.keys.iter().map(|key| &key.jwk).collect::<Vec<_>>()})
    }
}

#[test]
fn idp_publishes_its_keys_and_counts_requests() {
    let idp = Idp::start();
    let ask =
        || Wire::connect(idp.addr()).write("GET /jwks HTTP/1.1\r\nhost: x\r\n\r\n").answer("GET").unwrap();
    assert_eq!(ask().json()["keys"].as_array().unwrap().len(), 1);
    idp.rotate(SigningKey::ec("second"));
    let keys = ask().json();
    assert_eq!([&keys["keys"][0]["kid"], &keys["keys"][1]["kid"]], ["second", "first"]);
    idp.set_down(true);
    assert_eq!((ask().status, idp.request_count("/jwks")), (503, 3));
}

#[test]
fn idp_introspects_opaque_tokens_until_revoked() {
    let idp = Idp::start();
    let token = idp.opaque("ann");
    let ask = || {
        let form = format!("token={token}");
        let head = format!("POST /introspect HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", form.len());
        Wire::connect(idp.addr()).write(head + &form).answer("POST").unwrap().json()
    };
    assert_eq!(ask()["sub"], "ann");
    idp.revoke(&token);
    assert_eq!(ask(), json!({"active": false}));
}
