//! Introspection of opaque tokens at their issuer (RFC 7662); the result is cached, also a negative one.

mod client_limits;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, header};
use moka::{Expiry, policy::EvictionPolicy};
use reqwest::Client;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use url::form_urlencoded;

use self::client_limits::IntrospectionLimits;
use super::{
    cache::{CachePeriod, TokenKey},
    fetch::{self, HttpClients},
    strict_json,
    verify::PresentedToken,
};
use crate::config::model::{EgressPolicy, Introspection, Issuer};

/// Cached results. Most tokens never come here twice: verified ones are in the cache of verified tokens.
const MAX_CACHED_RESULTS: u64 = 10_000;
/// Concurrent requests to one issuer: a flood of invented tokens is not passed on in full.
const MAX_CONCURRENT_REQUESTS: usize = 64;
/// Concurrent requests of one client: others must get through beside it.
const MAX_CONCURRENT_PER_CLIENT: usize = 16;
const MAX_ENDPOINTS: u64 = 10_000;

/// The issuer cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntrospectionUnavailable;

/// The issuer's result for a token.
#[derive(Debug)]
pub struct IntrospectionResult {
    /// The claims of an active token; `None`: the token is not active, with no further reason.
    pub claims: Option<Map<String, Value>>,
    pub validity: CachePeriod,
}

/// A tenant's policy, the token and the issuer with all its settings: a cached result is never used for another tenant or issuer.
type IntrospectionKey = (TokenKey, Arc<Issuer>);

pub struct Introspector {
    http: HttpClients,
    results: moka::future::Cache<IntrospectionKey, Arc<IntrospectionResult>>,
    endpoints: moka::future::Cache<(String, Option<PathBuf>, EgressPolicy), Arc<IntrospectionEndpoint>>,
}

struct IntrospectionEndpoint {
    http: Client,
    permits: Semaphore,
    client_limits: IntrospectionLimits,
    /// The last request failed.
    failing: AtomicBool,
}

impl Introspector {
    pub fn new(http: HttpClients) -> Self {
        Self {
            http,
            results: moka::future::Cache::builder()
                .max_capacity(MAX_CACHED_RESULTS)
                .eviction_policy(EvictionPolicy::lru())
                .expire_after(IntrospectionExpiry)
                .build(),
            endpoints: moka::future::Cache::builder()
                .max_capacity(MAX_ENDPOINTS)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
        }
    }

    /// The result of the issuer for the token: cached, or by a request on behalf of the client. Concurrent callers with the
    /// same key share one request.
    pub(super) async fn introspect(
        &self,
        issuer: &Arc<Issuer>,
        settings: &Introspection,
        presented: PresentedToken<'_>,
    ) -> Result<Arc<IntrospectionResult>, IntrospectionUnavailable> {
        let cache_key = (presented.key, Arc::clone(issuer));
        if let Some(known) = self.results.get(&cache_key).await {
            if known.validity.contains(presented.now) {
                return Ok(known);
            }
            self.results.invalidate(&cache_key).await;
        }
        self.results
            .try_get_with(cache_key, async {
                self.request_introspection(issuer, settings, presented).await.map(Arc::new)
            })
            .await
            .map_err(|_| IntrospectionUnavailable)
    }

    /// Drops all cached results.
    pub fn clear(&self) {
        self.results.invalidate_all();
    }

    /// Reads CA files again; if one cannot be read, the previous one stays in use.
    pub async fn renew_clients(&self) {
        for (at, _) in &self.endpoints {
            let Some(file) = at.1.clone() else { continue };
            let reach = at.2;
            match tokio::task::spawn_blocking(move || fetch::private_client(file, reach)).await {
                Ok(Ok(http)) => {
                    self.endpoints.insert(at.as_ref().clone(), IntrospectionEndpoint::new(http)).await;
                }
                Ok(Err(error)) => {
                    tracing::error!(url = at.0, %error, "CA file cannot be used: the previous one stays in use");
                }
                // fails only at the end of the runtime
                Err(_) => return,
            }
        }
    }

    async fn request_introspection(
        &self,
        issuer: &Issuer,
        settings: &Introspection,
        presented: PresentedToken<'_>,
    ) -> Result<IntrospectionResult, IntrospectionUnavailable> {
        let PresentedToken { token, client, now, .. } = presented;
        let endpoint = match self.endpoint(settings, issuer.egress).await {
            Ok(endpoint) => endpoint,
            Err(error) => {
                tracing::error!(url = settings.url, %error, "introspection client cannot be created");
                return Err(IntrospectionUnavailable);
            }
        };
        let exchange = async {
            let _turn = endpoint.client_limits.permit(client).await;
            let Ok(_permit) = endpoint.permits.acquire().await else {
                return Err(IntrospectionError::Closed);
            };
            let answer = endpoint
                .http
                .post(&settings.url)
                .header(
                    header::AUTHORIZATION,
                    basic_credentials(settings).ok_or(IntrospectionError::Credentials)?,
                )
                .header(header::ACCEPT, "application/json")
                .form(&[("token", token), ("token_type_hint", "access_token")])
                .timeout(settings.timeout)
                .send()
                .await
                .map_err(fetch::FetchError::from)?;
            Ok(fetch::body(answer).await?)
        };
        // the time spent waiting for a permit counts
        let read = match tokio::time::timeout(settings.timeout, exchange).await {
            Ok(answer) => answer.and_then(|body| parse_response(&body)),
            Err(_) => Err(IntrospectionError::Timeout),
        };
        endpoint.record_result(&issuer.issuer, read.as_ref().err());
        let claims = read.map_err(|_| IntrospectionUnavailable)?;
        let lifetime = if claims.is_some() { settings.cache_ttl } else { settings.negative_ttl };
        let validity = CachePeriod { cached_at: now, expires_at: now + lifetime };
        Ok(IntrospectionResult { claims, validity })
    }

    async fn endpoint(
        &self,
        settings: &Introspection,
        reach: EgressPolicy,
    ) -> Result<Arc<IntrospectionEndpoint>, Arc<IntrospectionError>> {
        let at = (settings.url.clone(), settings.ca_file.clone(), reach);
        let made = async {
            let http = match settings.ca_file.clone() {
                None => self.http.reaching(reach).clone(),
                Some(file) => tokio::task::spawn_blocking(move || fetch::private_client(file, reach))
                    .await
                    .map_err(|_| IntrospectionError::Closed)??,
            };
            Ok::<_, IntrospectionError>(IntrospectionEndpoint::new(http))
        };
        self.endpoints.try_get_with(at, made).await
    }
}

#[derive(Debug, thiserror::Error)]
enum IntrospectionError {
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
    #[error(transparent)]
    Client(#[from] fetch::ClientError),
    #[error("no answer in time")]
    Timeout,
    #[error("the answer is no introspection response")]
    Unreadable,
    #[error("the client's credentials cannot be sent")]
    Credentials,
    #[error("shutting down")]
    Closed,
}

impl IntrospectionEndpoint {
    fn new(http: Client) -> Arc<Self> {
        Arc::new(Self {
            http,
            permits: Semaphore::new(MAX_CONCURRENT_REQUESTS),
            client_limits: IntrospectionLimits::new(MAX_CONCURRENT_PER_CLIENT),
            failing: AtomicBool::new(false),
        })
    }

    /// Logs once that the endpoint failed and once that it responds again. Tokens are never logged.
    fn record_result(&self, issuer: &str, problem: Option<&IntrospectionError>) {
        match problem {
            Some(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(issuer, %error, "introspection fails");
            }
            Some(error) => tracing::debug!(issuer, %error, "introspection still fails"),
            None if self.failing.swap(false, Ordering::Relaxed) => {
                tracing::info!(issuer, "introspection has recovered");
            }
            None => {}
        }
    }
}

/// The claims of an active token, `None` for an inactive one; any other content is an error.
fn parse_response(body: &[u8]) -> Result<Option<Map<String, Value>>, IntrospectionError> {
    let claims = strict_json::parse_object(body).ok_or(IntrospectionError::Unreadable)?;
    match claims.get("active") {
        Some(Value::Bool(true)) => Ok(Some(claims)),
        Some(Value::Bool(false)) => Ok(None),
        _ => Err(IntrospectionError::Unreadable),
    }
}

/// RFC 6749 §2.3.1: both parts form-encoded first, so that neither a colon nor a letter beyond ASCII gets lost.
fn basic_credentials(settings: &Introspection) -> Option<HeaderValue> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(&settings.client_id), encode(settings.client_secret.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Evicts expired entries; whether a result still applies is decided by the caller's clock.
struct IntrospectionExpiry;

impl Expiry<IntrospectionKey, Arc<IntrospectionResult>> for IntrospectionExpiry {
    fn expire_after_create(
        &self,
        _: &IntrospectionKey,
        answer: &Arc<IntrospectionResult>,
        _: Instant,
    ) -> Option<Duration> {
        Some(answer.validity.length())
    }

    fn expire_after_update(
        &self,
        question: &IntrospectionKey,
        answer: &Arc<IntrospectionResult>,
        updated_at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(question, answer, updated_at)
    }
}
