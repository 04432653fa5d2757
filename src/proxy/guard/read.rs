//! Finds the user name of a sign-in. The body is read for that, up to a bound, and forwarded unchanged.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    request::Parts,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{
    domain::{
        fairness::Resource,
        guard::{AmbiguousLogin, GuardedHead, LoginClassification, LoginGuard, MAX_BODY},
    },
    proxy::{
        ClientConnection,
        counted_bytes::counted,
        request_body::{ArrivingBody, ClientBody, RequestBody},
        upload_watch::UploadLimits,
    },
    sync::client_limits::ClientState,
};

/// Longer than any user needs to submit a form; a client cannot hold the connection longer.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A body is in memory twice: while it is read, in frames and as a whole; while it is sent, as a whole and behind the head.
const COPIES: usize = 2;

/// A request that may be a sign-in, as far as guards need it.
pub(super) struct PortalLogin<'a> {
    /// `None`: no sign-in.
    pub found: Option<FoundAttempt<'a>>,
    pub body: ClientBody,
    /// The body, if a guard has read it.
    pub bytes: Bytes,
}

/// An attempt that at least one guard has found.
pub(super) struct FoundAttempt<'a> {
    /// The guard that says whose attempt it is.
    pub guard: &'a Arc<LoginGuard>,
    pub name: Option<String>,
    pub deciding_guards: Vec<DecidingGuard<'a>>,
}

/// A guard that decides about an attempt by the portal's response.
#[derive(Clone, Copy)]
pub(super) struct DecidingGuard<'a> {
    pub guard: &'a LoginGuard,
    /// It says whose attempt it is, or has found the same name.
    pub is_named: bool,
}

/// Why the user name of a sign-in cannot be determined.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnreadableLogin {
    pub status: StatusCode,
    pub detail: &'static str,
    /// The user name is missing.
    pub is_nameless: bool,
}

impl UnreadableLogin {
    pub const INVISIBLE_CHARACTER: Self =
        Self::new(StatusCode::BAD_REQUEST, "the user name has a character that cannot be seen");

    const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail, is_nameless: false }
    }
}

impl From<AmbiguousLogin> for UnreadableLogin {
    fn from(doubt: AmbiguousLogin) -> Self {
        let status = StatusCode::from_u16(doubt.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self { is_nameless: doubt == AmbiguousLogin::MissingName, ..Self::new(status, doubt.detail()) }
    }
}

/// `guards`: none is superseded by a later one.
pub(super) async fn read_login<'a>(
    guards: &[&'a Arc<LoginGuard>],
    connection: &Arc<ClientConnection>,
    client: &Arc<ClientState>,
    parts: &mut Parts,
    body: ArrivingBody,
) -> Result<PortalLogin<'a>, (&'a Arc<LoginGuard>, UnreadableLogin)> {
    let reader = guards.iter().find(|guard| guard.reads_body(parts.method.as_str()));
    let (bytes, body) = match reader {
        Some(guard) => {
            let read = read_body(connection, client, parts, body);
            let bytes = read.await.map_err(|problem| (*guard, problem))?;
            // the body is already here: the portal need not request it
            parts.headers.remove(EXPECT);
            (bytes.clone(), ClientBody::buffered(bytes))
        }
        None => (Bytes::new(), ClientBody::Arriving(body)),
    };
    let head = request_head(parts);
    let mut attempts: Vec<(&Arc<LoginGuard>, Option<String>)> = Vec::new();
    for guard in guards {
        if attempts.iter().any(|(other, _)| other.supersedes(guard, head.path)) {
            continue;
        }
        match guard.classify(&head, &bytes).map_err(|doubt| (*guard, doubt.into()))? {
            LoginClassification::NotLogin => {}
            LoginClassification::Nameless => attempts.push((guard, None)),
            LoginClassification::Named(name) => {
                let known = attempts.iter().find_map(|(other, known)| Some((other, known.as_ref()?)));
                // one response cannot decide about two names, nor about two passwords of one: in the header, and in the body
                if known.is_some_and(|(other, known)| *known != name || !other.reads_same_part_as(guard)) {
                    return Err((*guard, AmbiguousLogin::DuplicateName.into()));
                }
                attempts.push((guard, Some(name)));
            }
        }
    }
    let found = decided(&attempts)?;
    Ok(PortalLogin { found, body, bytes })
}

/// Which of the guards says whose attempt it is: one that verifies a password before one that takes a name only, and one of
/// `deployment.toml` before one of a tenant.
fn decided<'g>(
    attempts: &[(&'g Arc<LoginGuard>, Option<String>)],
) -> Result<Option<FoundAttempt<'g>>, (&'g Arc<LoginGuard>, UnreadableLogin)> {
    let order = |(guard, name): &&(&Arc<LoginGuard>, Option<String>)| {
        (guard.only_collects_name(), name.is_none(), guard.is_tenant_defined)
    };
    let Some((guard, name)) = attempts.iter().min_by_key(order) else { return Ok(None) };
    // the header has a name, and the body may have a password of another
    if let Some((nameless, _)) = attempts.iter().find(|(other, _)| !other.reads_same_part_as(guard)) {
        return Err((nameless, AmbiguousLogin::DuplicateName.into()));
    }
    let deciding = attempts.iter().filter(|(other, _)| !other.only_collects_name()).map(|(other, found)| {
        DecidingGuard { guard: other, is_named: Arc::ptr_eq(other, guard) || found.is_some() }
    });
    Ok(Some(FoundAttempt { guard, name: name.clone(), deciding_guards: deciding.collect() }))
}

pub(super) fn request_head(parts: &Parts) -> GuardedHead<'_> {
    GuardedHead {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        content_type: header_text(&parts.headers, &CONTENT_TYPE),
        content_encoding: header_text(&parts.headers, &CONTENT_ENCODING),
        authorization: parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
    }
}

/// `Some("")` for a header that is not text or occurs twice.
fn header_text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    Some(if lines.next().is_some() { "" } else { first.to_str().unwrap_or_default() })
}

/// Reads the whole body. Its bytes count for the client until they have been written to the portal.
async fn read_body(
    connection: &Arc<ClientConnection>,
    client: &Arc<ClientState>,
    parts: &Parts,
    body: ArrivingBody,
) -> Result<Bytes, UnreadableLogin> {
    const TOO_LARGE: UnreadableLogin =
        UnreadableLogin::new(StatusCode::PAYLOAD_TOO_LARGE, "a sign-in has at most 64 KiB");
    let announced =
        parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(TOO_LARGE);
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let most = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(MAX_BODY);
    let reservation = client.reserve(Resource::BufferedBytes, COPIES * most);
    let body = RequestBody::new(
        ClientBody::Arriving(body),
        parts.version,
        connection,
        UploadLimits::idle_only(BODY_TIMEOUT),
    );
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(counted(collected.to_bytes(), reservation)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(TOO_LARGE),
        Ok(Err(_)) => Err(UnreadableLogin::new(StatusCode::BAD_REQUEST, "the sign-in broke off")),
        Err(_) => Err(UnreadableLogin::new(StatusCode::REQUEST_TIMEOUT, "the sign-in came too slowly")),
    }
}
