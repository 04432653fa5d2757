//! Whose sign-in is it? The body is read for that, up to a bound, and sent on as it came.

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
        guard::{Doubt, Guard, Head, MAX_BODY, Reading},
    },
    proxy::{
        ClientConnection,
        counted_bytes::counted,
        request_body::{ArrivingBody, ClientBody, RequestBody},
        upload_watch::UploadLimits,
    },
    sync::client_limits::ClientState,
};

/// Nobody types this slowly, and who wants to hold a connection gets no longer to do it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body is in memory twice: while it is read, in frames and as a whole; while it is sent, as a whole and behind the head.
const COPIES: usize = 2;

/// A request that may be a sign-in, as far as guards are concerned.
pub(super) struct SignIn<'a> {
    /// `None`: no sign-in.
    pub found: Option<FoundAttempt<'a>>,
    pub body: ClientBody,
    /// Of the body, where a guard has read it.
    pub bytes: Bytes,
}

/// An attempt that at least one guard has found.
pub(super) struct FoundAttempt<'a> {
    /// The guard that says whose attempt it is.
    pub guard: &'a Arc<Guard>,
    pub name: Option<String>,
    pub judges: Vec<Judge<'a>>,
}

/// A guard that judges the answer.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub guard: &'a Guard,
    /// It says whose attempt it is, or has found the same name.
    pub is_named: bool,
}

/// Why it cannot be said whose sign-in it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Problem {
    pub status: StatusCode,
    pub detail: &'static str,
    /// There is no name to read.
    pub is_nameless: bool,
}

impl Problem {
    pub const UNSEEN_NAME: Self =
        Self::new(StatusCode::BAD_REQUEST, "the user name has a character that cannot be seen");

    const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail, is_nameless: false }
    }
}

impl From<Doubt> for Problem {
    fn from(doubt: Doubt) -> Self {
        let status = StatusCode::from_u16(doubt.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self { is_nameless: doubt == Doubt::NoName, ..Self::new(status, doubt.detail()) }
    }
}

/// `guards`: none is superseded by a later one.
pub(super) async fn sign_in<'a>(
    guards: &[&'a Arc<Guard>],
    (connection, client): (&Arc<ClientConnection>, &Arc<ClientState>),
    parts: &mut Parts,
    body: ArrivingBody,
) -> Result<SignIn<'a>, (&'a Arc<Guard>, Problem)> {
    let reader = guards.iter().find(|guard| guard.reads_body(parts.method.as_str()));
    let (bytes, body) = match reader {
        Some(guard) => {
            let read = whole((connection, client), parts, body);
            let bytes = read.await.map_err(|problem| (*guard, problem))?;
            // the portal need not ask for it any more
            parts.headers.remove(EXPECT);
            (bytes.clone(), ClientBody::buffered(bytes))
        }
        None => (Bytes::new(), ClientBody::Arriving(body)),
    };
    let head = head(parts);
    let mut attempts: Vec<(&Arc<Guard>, Option<String>)> = Vec::new();
    for guard in guards {
        if attempts.iter().any(|(other, _)| other.supersedes(guard, head.path)) {
            continue;
        }
        match guard.read(&head, &bytes).map_err(|doubt| (*guard, doubt.into()))? {
            Reading::NoSignIn => {}
            Reading::Nameless => attempts.push((guard, None)),
            Reading::Named(name) => {
                let known = attempts.iter().find_map(|(other, known)| Some((other, known.as_ref()?)));
                // one answer cannot decide about two names, nor about two passwords of one: in the header, and in the body
                if known.is_some_and(|(other, known)| *known != name || !other.is_beside(guard)) {
                    return Err((*guard, Doubt::Twice.into()));
                }
                attempts.push((guard, Some(name)));
            }
        }
    }
    let found = decided(&attempts)?;
    Ok(SignIn { found, body, bytes })
}

/// Which of the guards says whose attempt it is: one that verifies a password before one that takes a name only, and one of
/// `deployment.toml` before one of a tenant.
fn decided<'g>(
    attempts: &[(&'g Arc<Guard>, Option<String>)],
) -> Result<Option<FoundAttempt<'g>>, (&'g Arc<Guard>, Problem)> {
    let order = |(guard, name): &&(&Arc<Guard>, Option<String>)| {
        (guard.only_names(), name.is_none(), guard.of_tenant)
    };
    let Some((guard, name)) = attempts.iter().min_by_key(order) else { return Ok(None) };
    // the header has a name, and the body may have a password of another
    if let Some((nameless, _)) = attempts.iter().find(|(other, _)| !other.is_beside(guard)) {
        return Err((nameless, Doubt::Twice.into()));
    }
    let judges = attempts.iter().filter(|(judge, _)| !judge.only_names());
    let judges = judges
        .map(|(judge, found)| Judge { guard: judge, is_named: Arc::ptr_eq(judge, guard) || found.is_some() });
    Ok(Some(FoundAttempt { guard, name: name.clone(), judges: judges.collect() }))
}

pub(super) fn head(parts: &Parts) -> Head<'_> {
    Head {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        content_type: text(&parts.headers, &CONTENT_TYPE),
        content_encoding: text(&parts.headers, &CONTENT_ENCODING),
        authorization: parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
    }
}

/// `Some("")` for what is there and no text, or there twice.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    Some(if lines.next().is_some() { "" } else { first.to_str().unwrap_or_default() })
}

/// Reads the whole body. Its bytes count for the client until they have been written to the portal.
async fn whole(
    (connection, client): (&Arc<ClientConnection>, &Arc<ClientState>),
    parts: &Parts,
    body: ArrivingBody,
) -> Result<Bytes, Problem> {
    const TOO_LARGE: Problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "a sign-in has at most 64 KiB");
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
        UploadLimits::silence(PATIENCE),
    );
    match tokio::time::timeout(PATIENCE, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(counted(collected.to_bytes(), reservation)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(TOO_LARGE),
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "the sign-in broke off")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the sign-in came too slowly")),
    }
}
