//! Opaque tokens: the issuer is asked (RFC 7662), its answer remembered, also when it is no.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, header};
use moka::{Expiry, policy::EvictionPolicy};
use reqwest::Client;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use url::form_urlencoded;

use super::{cache::Key, fetch, object};
use crate::config::model::{Introspection, Issuer};

/// Answers kept. Most tokens never come here twice: what is verified is in the cache of verified tokens.
const MAX_ANSWERS: u64 = 10_000;
/// Questions one issuer gets at the same time: a flood of invented tokens is not passed on in full.
const MAX_QUESTIONS: usize = 64;
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
    http: Client,
    answers: moka::future::Cache<Question, Arc<Answer>>,
    endpoints: moka::future::Cache<(String, Option<PathBuf>), Arc<Endpoint>>,
}

struct Endpoint {
    http: Client,
    questions: Semaphore,
}

impl Introspector {
    pub fn new(http: Client) -> Self {
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

    /// What the issuer says of the token: from memory, or by asking. Callers with the same question share one answer.
    pub async fn ask(
        &self,
        issuer: &Arc<Issuer>,
        settings: &Introspection,
        token: &str,
        key: Key,
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
            .try_get_with(question, async { self.question(issuer, settings, token, now).await.map(Arc::new) })
            .await
            .map_err(|_| NoAnswer)
    }

    /// Forgets every answer.
    pub fn clear(&self) {
        self.answers.invalidate_all();
    }

    async fn question(
        &self,
        issuer: &Issuer,
        settings: &Introspection,
        token: &str,
        now: u64,
    ) -> Result<Answer, NoAnswer> {
        let endpoint = self.endpoint(settings).await?;
        let asked = async {
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
        let body = match tokio::time::timeout(settings.timeout, asked).await {
            Ok(Ok(body)) => body,
            Ok(Err(problem)) => return Err(refused(issuer, &problem)),
            Err(_) => return Err(refused(issuer, &Problem::Late)),
        };
        let claims = object::parse(&body).ok_or_else(|| refused(issuer, &Problem::Unreadable))?;
        match claims.get("active") {
            Some(Value::Bool(true)) => {
                let until = now.saturating_add(settings.cache_ttl.as_secs());
                Ok(Answer { claims: Some(claims), until, since: now })
            }
            Some(Value::Bool(false)) => {
                let until = now.saturating_add(settings.negative_ttl.as_secs());
                Ok(Answer { claims: None, until, since: now })
            }
            _ => Err(refused(issuer, &Problem::Unreadable)),
        }
    }

    async fn endpoint(&self, settings: &Introspection) -> Result<Arc<Endpoint>, NoAnswer> {
        let at = (settings.url.clone(), settings.ca_file.clone());
        let made = self.endpoints.try_get_with(at, async {
            let http = match settings.ca_file.clone() {
                None => self.http.clone(),
                Some(file) => tokio::task::spawn_blocking(move || fetch::private_client(file))
                    .await
                    .map_err(|error| error.to_string())?
                    .map_err(|error| error.to_string())?,
            };
            Ok::<_, String>(Arc::new(Endpoint { http, questions: Semaphore::new(MAX_QUESTIONS) }))
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

/// The token itself is never written anywhere.
fn refused(issuer: &Issuer, problem: &Problem) -> NoAnswer {
    tracing::warn!(issuer = issuer.issuer, error = %problem, "introspection failed");
    NoAnswer
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
