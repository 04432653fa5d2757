//! Keys, tokens, policies and an issuer to test with.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::{
    config::{
        TenantPolicy, load,
        model::{EgressPolicy, Introspection, Issuer, KeySource, UserTenant},
        secret::Secret,
        tenant_file::{self, TenantConf},
    },
    domain::{tenant::TenantId, time::Timestamp},
    token::{Verifier, http_clients},
};

pub const NOW_SECONDS: u64 = 1_800_000_000;
pub const NOW: Timestamp = Timestamp::from_seconds(NOW_SECONDS);

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub const ISSUER: &str = "https://id.example";
pub const AUDIENCE: &str = "portal";

/// A signing key under a name.
#[derive(Clone)]
pub struct Signer {
    pub algorithm: Algorithm,
    pub key_id: &'static str,
    key: EncodingKey,
    /// Ed25519: the public half, which jsonwebtoken does not export.
    point: Option<Vec<u8>>,
}

impl Signer {
    pub fn new(algorithm: Algorithm, key_id: &'static str) -> Self {
        let random = SystemRandom::new();
        let mut point = None;
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_der(
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap().as_ref(),
            ),
            Algorithm::ES384 => EncodingKey::from_ec_der(
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap().as_ref(),
            ),
            Algorithm::EdDSA => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
                point = Some(pair.public_key().as_ref().to_vec());
                EncodingKey::from_ed_der(pkcs8.as_ref())
            }
            _ => {
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
                let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
                let text = STANDARD.encode(der.as_ref());
                let lines: Vec<&str> =
                    text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
                let pem =
                    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
                EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
            }
        };
        Self { algorithm, key_id, key, point }
    }

    /// One ES256 key for all tests that need any key.
    pub fn usual() -> Self {
        static USUAL: OnceLock<Signer> = OnceLock::new();
        USUAL.get_or_init(|| Self::new(Algorithm::ES256, "usual")).clone()
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.point {
            Some(point) => json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(point)}),
            None => serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap(),
        };
        jwk["kid"] = json!(self.key_id);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Signs this header and these claims, whatever they say.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// A usual token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": format!("{:?}", self.algorithm), "kid": self.key_id, "typ": "at+jwt"});
        self.sign(&header, claims)
    }
}

pub fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    format!(
        "{}.{}.{signature}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

/// Claims that every test's issuer would sign.
pub fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW_SECONDS + 600, "sub": "ann"})
}

/// These claims, changed: `null` takes one away.
pub fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub fn jwks(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string()
}

/// The issuer `ISSUER` with its keys from this source.
pub fn issuer(keys: KeySource) -> Issuer {
    Issuer {
        is_tenant_defined: false,
        egress: EgressPolicy::Unrestricted,
        issuer: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        keys,
        algorithms: vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::EdDSA,
        ],
        leeway: Duration::ZERO,
        required_scopes: Vec::new(),
        user_tenant: UserTenant::Fixed(TenantId::parse("acme.com").unwrap()),
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
        introspection: None,
        cache_ttl: Duration::from_mins(5),
    }
}

/// The policy of a tenant without a file, but with these issuers.
pub fn policy(issuers: Vec<Issuer>) -> TenantPolicy {
    static GENERATION: AtomicU64 = AtomicU64::new(1);
    let text = "[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n";
    let settings = load::parse(text, Path::new("deployment.toml"), &BTreeMap::new()).unwrap();
    let acme = TenantId::parse("acme.com").unwrap();
    let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
    let policy = tenant_file::resolve(&settings, &acme, &TenantConf::default(), generation);
    TenantPolicy { issuers: issuers.into_iter().map(Arc::new).collect(), ..policy }
}

pub fn verifier() -> Arc<Verifier> {
    Verifier::new(http_clients(&[]).unwrap(), 1000)
}

/// An issuer on loopback with scripted responses that counts its requests.
pub struct TestIssuer {
    pub address: String,
    state: Arc<IssuerState>,
}

#[derive(Default)]
struct IssuerState {
    answers: Mutex<HashMap<String, (u16, String)>>,
    /// Responses of `/introspect` by token; others are not active.
    tokens: Mutex<HashMap<String, Value>>,
    requests: Mutex<Vec<(String, Option<String>)>>,
    pause: OnceLock<Semaphore>,
}

impl TestIssuer {
    pub async fn start() -> Self {
        Self::listen("http", |stream| async move { Some(stream) }).await
    }

    /// Over TLS, with a certificate that is trusted only by the returned file.
    pub async fn start_tls() -> (Self, tempfile::NamedTempFile) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), made.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let double = Self::listen("https", move |stream| {
            let acceptor = acceptor.clone();
            async move { acceptor.accept(stream).await.ok() }
        });
        (double.await, file)
    }

    async fn listen<S, F>(scheme: &str, open: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Option<S>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = Arc::new(IssuerState::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| respond(Arc::clone(&state), request));
                let opened = open(stream);
                tokio::spawn(async move {
                    if let Some(stream) = opened.await {
                        // errors of the connection are expected
                        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    }
                });
            }
        });
        Self { address, state }
    }

    /// An issuer that publishes these keys at `/jwks`.
    pub async fn with_keys(signers: &[&Signer]) -> Self {
        let double = Self::start().await;
        double.set_response("/jwks", 200, jwks(signers));
        double
    }

    pub fn set_response(&self, path: &str, status: u16, body: impl Into<String>) {
        self.state.answers.lock().unwrap().insert(path.to_owned(), (status, body.into()));
    }

    pub fn set_token(&self, token: &str, answer: Value) {
        self.state.tokens.lock().unwrap().insert(token.to_owned(), answer);
    }

    pub fn count(&self, path: &str) -> usize {
        self.state.requests.lock().unwrap().iter().filter(|(seen, _)| seen == path).count()
    }

    pub fn last_authorization(&self) -> Option<String> {
        self.state.requests.lock().unwrap().last().and_then(|(_, authorization)| authorization.clone())
    }

    /// From now on requests are counted but not answered until `resume`.
    pub fn pause(&self) {
        self.state.pause.get_or_init(|| Semaphore::new(0));
    }

    pub fn resume(&self) {
        self.state.pause.get().unwrap().add_permits(1000);
    }

    pub async fn wait_for(&self, path: &str, count: usize) {
        let seen = async {
            while self.count(path) < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect("the request never came");
    }

    pub fn issuer(&self) -> Issuer {
        issuer(KeySource::Url(format!("{}/jwks", self.address)))
    }

    pub fn introspection(&self) -> Introspection {
        Introspection {
            url: format!("{}/introspect", self.address),
            client_id: "doorward".to_owned(),
            client_secret: Secret::new("s:e c"),
            ca_file: None,
            cache_ttl: Duration::from_mins(1),
            negative_ttl: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
        }
    }

    pub fn opaque_issuer(&self) -> Issuer {
        Issuer { introspection: Some(self.introspection()), ..issuer(KeySource::None) }
    }
}

async fn respond(
    state: Arc<IssuerState>,
    request: Request<Incoming>,
) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let authorization =
        request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    state.requests.lock().unwrap().push((path.clone(), authorization));
    if let Some(pause) = state.pause.get() {
        pause.acquire().await.unwrap().forget();
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let scripted = state.answers.lock().unwrap().get(&path).cloned();
    let (status, text) = scripted.unwrap_or_else(|| {
        let token = url::form_urlencoded::parse(&body).find(|(name, _)| name == "token");
        let known = token.and_then(|(_, token)| state.tokens.lock().unwrap().get(token.as_ref()).cloned());
        (200, known.unwrap_or_else(|| json!({"active": false})).to_string())
    });
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status.try_into().unwrap();
    if (300..400).contains(&status) {
        response.headers_mut().insert("location", HeaderValue::from_static("/elsewhere"));
    }
    Ok(response)
}
