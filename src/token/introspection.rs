//! Opaque tokens: the issuer is asked (RFC 7662), its answer remembered, also when it is no.

mod shares;

use std::{
    net::IpAddr,
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

use self::shares::Shares;
use super::{
    cache::Key,
    fetch::{self, HttpClients},
    object,
};
use crate::config::model::{Introspection, Issuer, Reach};

/// Answers kept. Most tokens never come here twice: what is verified is in the cache of verified tokens.
const MAX_ANSWERS: u64 = 10_000;
/// Questions one issuer gets at the same time: a flood of invented tokens is not passed on in full.
const MAX_QUESTIONS: usize = 64;
/// Of these, one client's: others must get through beside it.
const MAX_OF_ONE_CLIENT: usize = 16;
const MAX_ENDPOINTS: u64 = 10_000;

/// The issuer cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

/// What an issuer said of a token.
#[derive(Debug)]
pub struct Answer {
    /// The claims of an active token; `None`: it is not active, and that is all one is told.
    pub claims: Option<Map<String, Value>>,
    pub until: u64,
    since: u64,
}

/// A tenant's policy, the token and the issuer with all its settings: no answer serves anybody else's question.
type Question = (Key, Arc<Issuer>);

pub struct Introspector {
    http: HttpClients,
    answers: moka::future::Cache<Question, Arc<Answer>>,
    endpoints: moka::future::Cache<(String, Option<PathBuf>, Reach), Arc<Endpoint>>,
}

struct Endpoint {
    http: Client,
    questions: Semaphore,
    shares: Shares,
    /// The last question got no answer.
    failing: AtomicBool,
}

impl Introspector {
    pub fn new(http: HttpClients) -> Self {
        Self {
            http,
            answers: moka::future::Cache::builder()
                .max_capacity(MAX_ANSWERS)
                .eviction_policy(EvictionPolicy::lru())
                .expire_after(OwnLifetime)
                .build(),
            endpoints: moka::future::Cache::builder()
                .max_capacity(MAX_ENDPOINTS)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
        }
    }

    /// What the issuer says of the token: from memory, or by asking on behalf of `client`. Callers with the same question
    /// share one answer.
    pub async fn ask(
        &self,
        issuer: &Arc<Issuer>,
        settings: &Introspection,
        token: &str,
        key: Key,
        client: IpAddr,
        now: u64,
    ) -> Result<Arc<Answer>, NoAnswer> {
        let question = (key, Arc::clone(issuer));
        if let Some(known) = self.answers.get(&question).await {
            if (known.since..known.until).contains(&now) {
                return Ok(known);
            }
            self.answers.invalidate(&question).await;
        }
        self.answers
            .try_get_with(question, async {
                self.question(issuer, settings, token, client, now).await.map(Arc::new)
            })
            .await
            .map_err(|_| NoAnswer)
    }

    /// Forgets every answer.
    pub fn clear(&self) {
        self.answers.invalidate_all();
    }

    /// Reads authorities in files again; where one cannot be read, the one before stays.
    pub async fn renew_clients(&self) {
        for (at, _) in &self.endpoints {
            let Some(file) = at.1.clone() else { continue };
            let reach = at.2;
            match tokio::task::spawn_blocking(move || fetch::private_client(file, reach)).await {
                Ok(Ok(http)) => self.endpoints.insert(at.as_ref().clone(), Endpoint::new(http)).await,
                Ok(Err(error)) => {
                    tracing::error!(url = at.0, %error, "the authority cannot be used; the one before stays");
                }
                // fails only at the end of the runtime
                Err(_) => return,
            }
        }
    }

    async fn question(
        &self,
        issuer: &Issuer,
        settings: &Introspection,
        token: &str,
        client: IpAddr,
        now: u64,
    ) -> Result<Answer, NoAnswer> {
        let endpoint = self.endpoint(settings, issuer.reach).await?;
        let asked = async {
            let _turn = endpoint.shares.turn(client).await;
            let Ok(_permit) = endpoint.questions.acquire().await else { return Err(Problem::Closed) };
            let answer = endpoint
                .http
                .post(&settings.url)
                .header(header::AUTHORIZATION, basic(settings).ok_or(Problem::Credentials)?)
                .header(header::ACCEPT, "application/json")
                .form(&[("token", token), ("token_type_hint", "access_token")])
                .timeout(settings.timeout)
                .send()
                .await
                .map_err(fetch::FetchError::from)?;
            Ok(fetch::body(answer).await?)
        };
        // the time spent waiting for a turn counts
        let read = match tokio::time::timeout(settings.timeout, asked).await {
            Ok(answer) => answer.and_then(|body| read(&body)),
            Err(_) => Err(Problem::Late),
        };
        endpoint.note(&issuer.issuer, read.as_ref().err());
        let claims = read.map_err(|_| NoAnswer)?;
        let lifetime = if claims.is_some() { settings.cache_ttl } else { settings.negative_ttl };
        Ok(Answer { claims, until: now.saturating_add(lifetime.as_secs()), since: now })
    }

    async fn endpoint(&self, settings: &Introspection, reach: Reach) -> Result<Arc<Endpoint>, NoAnswer> {
        let at = (settings.url.clone(), settings.ca_file.clone(), reach);
        let made = self.endpoints.try_get_with(at, async {
            let http = match settings.ca_file.clone() {
                None => self.http.reaching(reach).clone(),
                Some(file) => tokio::task::spawn_blocking(move || fetch::private_client(file, reach))
                    .await
                    .map_err(|error| error.to_string())?
                    .map_err(|error| error.to_string())?,
            };
            Ok::<_, String>(Endpoint::new(http))
        });
        made.await.map_err(|error| {
            tracing::error!(url = settings.url, %error, "the introspection client cannot be made");
            NoAnswer
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
    #[error("no answer in time")]
    Late,
    #[error("the answer is no introspection response")]
    Unreadable,
    #[error("the client's credentials cannot be sent")]
    Credentials,
    #[error("shutting down")]
    Closed,
}

impl Endpoint {
    fn new(http: Client) -> Arc<Self> {
        Arc::new(Self {
            http,
            questions: Semaphore::new(MAX_QUESTIONS),
            shares: Shares::new(MAX_OF_ONE_CLIENT),
            failing: AtomicBool::new(false),
        })
    }

    /// Says once that it stopped answering and once that it answers again. No token is ever written anywhere.
    fn note(&self, issuer: &str, problem: Option<&Problem>) {
        match problem {
            Some(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(issuer, %error, "introspection fails");
            }
            Some(error) => tracing::debug!(issuer, %error, "introspection still fails"),
            None if self.failing.swap(false, Ordering::Relaxed) => {
                tracing::info!(issuer, "introspection answers again");
            }
            None => {}
        }
    }
}

/// The claims of an active token, `None` for another; anything that is not clearly one of both is no answer.
fn read(body: &[u8]) -> Result<Option<Map<String, Value>>, Problem> {
    let claims = object::parse(body).ok_or(Problem::Unreadable)?;
    match claims.get("active") {
        Some(Value::Bool(true)) => Ok(Some(claims)),
        Some(Value::Bool(false)) => Ok(None),
        _ => Err(Problem::Unreadable),
    }
}

/// RFC 6749 §2.3.1: both parts form-encoded first, so that neither a colon nor a letter beyond ASCII gets lost.
fn basic(settings: &Introspection) -> Option<HeaderValue> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(&settings.client_id), encode(settings.client_secret.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Frees the memory of what is over; whether an answer still counts is decided by the caller's clock.
struct OwnLifetime;

impl Expiry<Question, Arc<Answer>> for OwnLifetime {
    fn expire_after_create(&self, _: &Question, answer: &Arc<Answer>, _: Instant) -> Option<Duration> {
        Some(Duration::from_secs(answer.until.saturating_sub(answer.since)))
    }

    fn expire_after_update(
        &self,
        question: &Question,
        answer: &Arc<Answer>,
        updated_at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(question, answer, updated_at)
    }
}
