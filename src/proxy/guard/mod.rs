//! Login guard: lockout for the portal's own login. Each attempt is counted before it is forwarded, and the portal's
//! response determines its outcome.
//!
//! The rules in `domain::guard` find the user name in the request and evaluate the response. The lockout settings are those
//! of Doorward's own sign-in.

mod attempt_names;
mod basic_credentials;
mod outcome;
mod pending;
mod read;
mod refuse;
mod request_headers;
mod reserve;
mod response_times;
mod session_limit;
mod session_names;
mod shared_attempt;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};

use self::{
    attempt_names::{AttemptNames, RememberedNames},
    basic_credentials::BasicCredentials,
    pending::PendingAttempt,
    read::{DecidingGuard, FoundAttempt},
    response_times::ResponseTimes,
    session_names::SessionNames,
};
use super::{
    admission::{check_buffers, limit_reached},
    body::ResponseBody,
    context::RequestContext,
    counted_bytes::counted,
    evaluate::RoutedRequest,
    exchange::Exchange,
    forward::{forward, prepare},
    forward_failure::ForwardFailure,
    refusal::Refusal,
    request_body::{ArrivingBody, ClientBody},
};
use crate::{
    account::PortalLoginRefusal,
    config::TenantPolicy,
    domain::{
        fairness::Resource,
        guard::{
            AmbiguousLogin, AttemptOutcome, LoginGuard,
            rule::{GuardedAttempt, NameCount},
        },
        identity::Identity,
        path::readings::Readings,
        tenant::TenantId,
    },
    telemetry::metrics::{GuardedLoginResult, RequestOutcome},
};

/// In-memory state of guarded logins. It contains no passwords, and user names only between the two pages of a login that
/// requests name and password separately.
#[derive(Default)]
pub struct LoginGuards {
    response_times: ResponseTimes,
    /// Created by the first guarded request, so that a portal without guards uses no memory and no random key.
    basic_credentials: OnceLock<BasicCredentials<PendingAttempt>>,
    session_names: OnceLock<SessionNames>,
}

impl LoginGuards {
    fn session_names(&self) -> &SessionNames {
        self.session_names.get_or_init(SessionNames::default)
    }
}

/// The guards whose endpoint matches the path itself, or a form to which a lenient server may normalise it (see
/// [`Readings`]); all guards if the path has too many such forms. No guard is superseded by a later one.
pub fn guards_covering<'a>(policy: &'a TenantPolicy, path: &str) -> Vec<&'a Arc<LoginGuard>> {
    if policy.guards.is_empty() {
        return Vec::new();
    }
    let readings = Readings::of(path);
    let covers = |guard: &&Arc<LoginGuard>| guard.endpoint.covers_any(&readings);
    let mut guards: Vec<_> = policy.guards.iter().filter(covers).collect();
    if guards.len() > 1 {
        LoginGuard::sort_by_precision(&mut guards, path);
    }
    guards
}

pub(super) type GuardedResponse = Result<(RequestOutcome, Response<ResponseBody>), Refusal>;

/// A guarded request that is being forwarded.
struct GuardedForward<'a> {
    exchange: &'a Exchange<'a>,
    context: &'a RequestContext,
    routed: &'a RoutedRequest,
}

/// An attempt that a guard has detected.
struct ForwardedAttempt<'a> {
    guard: &'a LoginGuard,
    /// User names without a tenant suffix are counted for this tenant.
    counting_tenant: &'a TenantId,
    names: AttemptNames,
    /// The request contains a one-time code, which the portal may verify instead of a password.
    has_code: bool,
    deciding_guards: Vec<DecidingGuard<'a>>,
}

/// Step 7 of the pipeline for a request that may be a login at the portal.
pub async fn forward_guarded(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    routed: &RoutedRequest,
    guards: &[&Arc<LoginGuard>],
    request: Request<ArrivingBody>,
) -> GuardedResponse {
    let policy = &*routed.policy;
    let (mut parts, body) = request.into_parts();
    let guarded_forward = GuardedForward { exchange, context, routed };
    if !body.is_end_stream() {
        check_buffers(exchange.state(), context)?;
    }
    let read::PortalLogin { found: attempt, body, bytes } =
        match read::read_login(guards, exchange.connection, &context.client_state, &mut parts, body).await {
            Ok(sign_in) => sign_in,
            Err((guard, problem)) => return guarded_forward.refuse(guard, problem),
        };
    let Some(FoundAttempt { guard, name, deciding_guards }) = attempt else {
        drop(bytes);
        return guarded_forward.forward(parts, body).await.map(forwarded).map_err(Refusal::from);
    };
    let counting_tenant =
        attempt_names::counting_tenant(guard, &policy.tenant, &exchange.settings.tenancy.default_tenant);
    let remembered = guarded_forward.remembered_names(counting_tenant);
    let names = match AttemptNames::find(guard, remembered, &parts, &bytes, name) {
        Ok(names) => names,
        Err(problem) => return guarded_forward.refuse(guard, problem),
    };
    if names.names.is_empty() && guard.needs_name(parts.method.as_str(), !bytes.is_empty()) {
        return guarded_forward.refuse(guard, AmbiguousLogin::MissingName.into());
    }
    let attempt =
        ForwardedAttempt { guard, counting_tenant, names, has_code: guard.has_code(&bytes), deciding_guards };
    if guard.only_collects_name() {
        drop(bytes);
        let answer = guarded_forward.forward(parts, body).await?;
        return match attempt.names.follow_session(guard, remembered, answer.headers()) {
            Ok(()) => Ok(forwarded(answer)),
            Err(problem) => guarded_forward.refuse(guard, problem),
        };
    }
    Box::pin(guarded_forward.attempt(&attempt, bytes, parts, body)).await
}

fn forwarded(answer: Response<ResponseBody>) -> (RequestOutcome, Response<ResponseBody>) {
    (RequestOutcome::forwarded, answer)
}

impl GuardedForward<'_> {
    async fn forward(
        &self,
        parts: Parts,
        body: ClientBody,
    ) -> Result<Response<ResponseBody>, ForwardFailure> {
        let &Self { exchange, context, routed } = self;
        match prepare(exchange, context, routed, parts, body) {
            Ok(prepared) => forward(exchange, context, routed, prepared).await,
            Err(refusal) => Err(ForwardFailure { refusal, may_have_arrived: false }),
        }
    }

    /// The request values that the guards search for in the response. Drops the request body, so that it occupies no memory
    /// until the portal responds.
    fn sent(&self, deciding_guards: &[DecidingGuard<'_>], query: Option<&str>, body: Bytes) -> Bytes {
        let sent = deciding_guards.iter().map(|deciding| deciding.guard.decoded_input(query, &body));
        let sent = sent.max_by_key(Vec::len).unwrap_or_default();
        drop(body);
        let reservation = self.context.client_state.reserve(Resource::BufferedBytes, sent.len());
        counted(Bytes::from(sent), reservation)
    }

    fn remembered_names<'n>(&'n self, counting_tenant: &'n TenantId) -> RememberedNames<'n> {
        let address = self.context.address;
        let account_lock = &self.exchange.settings.defaults.rules.account_lock;
        RememberedNames {
            sessions: self.exchange.state().login_guards.session_names(),
            counting_tenant,
            client: account_lock.limits_portal_sessions(address).then_some(address.ip),
        }
    }

    fn refuse(&self, guard: &LoginGuard, problem: read::UnreadableLogin) -> GuardedResponse {
        self.exchange.state().metrics.count_guarded(GuardedLoginResult::ambiguous);
        refuse::unreadable(guard, problem)
    }

    /// Reserves the attempt, forwards the request, and records the outcome according to the response. `bytes` is the request
    /// body.
    async fn attempt(
        &self,
        guarded: &ForwardedAttempt<'_>,
        bytes: Bytes,
        mut parts: Parts,
        body: ClientBody,
    ) -> GuardedResponse {
        let &ForwardedAttempt { guard, counting_tenant, ref names, ref deciding_guards, .. } = guarded;
        let (state, policy) = (self.exchange.state(), &*self.routed.policy);
        let basic_credentials = state.login_guards.basic_credentials.get_or_init(BasicCredentials::default);
        for deciding in deciding_guards {
            request_headers::normalize(deciding.guard, &mut parts, self.context.client.https);
        }
        let credentials = reserve::credential_digest(
            basic_credentials,
            guard,
            &policy.tenant,
            counting_tenant,
            &parts.headers,
        );
        let reserved = match self.reserve(guarded, basic_credentials, credentials.as_ref(), &parts).await {
            Ok(reserved) => reserved,
            Err(PortalLoginRefusal::Refused) => {
                state.metrics.count_guarded(GuardedLoginResult::refused);
                return refuse::locked(state, policy, guard).await;
            }
            Err(PortalLoginRefusal::InvalidName) => {
                return self.refuse(guard, read::UnreadableLogin::INVISIBLE_CHARACTER);
            }
            Err(PortalLoginRefusal::Busy { retry_after }) => {
                state.metrics.count_guarded(GuardedLoginResult::refused);
                return refuse::busy(guard, retry_after);
            }
            Err(PortalLoginRefusal::Limited(exceeded)) => {
                return Err(limit_reached(Resource::GuardedSignIn, exceeded));
            }
            Err(PortalLoginRefusal::Uncounted(error)) => {
                let request_id = self.context.request_id();
                tracing::error!(%error, request_id, "portal login rejected: it cannot be counted");
                return Err(Refusal::StoreUnavailable);
            }
        };
        let started = Instant::now();
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let sent = self.sent(deciding_guards, parts.uri.query(), bytes);
        let answer = match self.forward(parts, body).await {
            Ok(answer) => answer,
            // the portal may have verified the password before the connection failed: the attempt stays counted
            Err(ForwardFailure { refusal, may_have_arrived: true }) => return Err(refusal),
            Err(ForwardFailure { refusal, may_have_arrived: false }) => {
                reserved.cancel().await;
                return Err(refusal);
            }
        };
        let attempts: Vec<_> = deciding_guards
            .iter()
            .map(|deciding| {
                let attempt = GuardedAttempt {
                    method: method.as_str(),
                    is_exact_path: deciding.guard.endpoint.matches_exactly(&path),
                    names: if deciding.is_named { names.name_count() } else { NameCount::Unnamed },
                    is_authenticated: self.context.identity != Identity::Anonymous,
                };
                (deciding.guard, [attempt, names.in_session(attempt)])
            })
            .collect();
        let ([outcome, in_session], answer) = outcome::evaluate_response(&attempts, &sent, answer).await?;
        let remembered = self.remembered_names(counting_tenant);
        let followed = names.follow_session(guard, remembered, answer.headers());
        let result = match outcome {
            AttemptOutcome::Succeeded => GuardedLoginResult::succeeded,
            AttemptOutcome::Neutral => GuardedLoginResult::neutral,
            AttemptOutcome::Failed => GuardedLoginResult::failed,
        };
        reserved.record(result);
        let of = guard.is_tenant_defined.then_some(&policy.tenant);
        outcome::record_session_outcome(reserved.of_session, in_session, of).await;
        let is_correct = outcome::record_outcome(reserved.of_names, outcome, of).await;
        if outcome == AttemptOutcome::Failed {
            state.login_guards.response_times.record(&policy.tenant, guard, started.elapsed());
        }
        if let (Some(digest), Some(is_correct)) = (&credentials, is_correct) {
            basic_credentials.record_verification(digest, is_correct);
        }
        state.metrics.count_guarded(result);
        match followed {
            Err(problem) if outcome != AttemptOutcome::Succeeded => self.refuse(guard, problem),
            _ => Ok(forwarded(answer)),
        }
    }
}
