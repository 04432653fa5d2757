//! Determines the outcome of a login from the portal's response: its status, its redirect, or a text in it.

use super::{
    LoginGuard, LoginNameSource,
    rule::{self, AttemptOutcome, GuardedAttempt, ResponseEvidence},
};

/// Signs that a response is matched against; one is sufficient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseSigns {
    pub status: Vec<u16>,
    /// Against `Location`, with and without its origin.
    pub redirect: Vec<Glob>,
    /// In the first bytes of the body.
    pub body: Vec<String>,
}

impl ResponseSigns {
    pub fn is_empty(&self) -> bool {
        self.status.is_empty() && self.redirect.is_empty() && self.body.is_empty()
    }

    /// Texts that are contained in `sent` are ignored.
    fn match_response(&self, answer: &PortalResponse<'_>, sent: &[u8]) -> bool {
        let redirect_matches = |glob: &Glob| {
            answer.location.is_some_and(|to| glob.matches(to) || glob.matches(without_origin(to)))
        };
        let contains =
            |body: &[u8], text: &str| body.windows(text.len().max(1)).any(|window| window == text.as_bytes());
        let body_matches = |text: &String| contains(answer.body, text) && !contains(sent, text);
        self.status.contains(&answer.status)
            || self.redirect.iter().any(redirect_matches)
            || self.body.iter().any(body_matches)
    }
}

/// A pattern in which `*` matches any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(pub String);

impl Glob {
    pub fn matches(&self, text: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return rest.ends_with(piece);
            }
            let Some(at) = rest.find(piece) else { return false };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        true
    }
}

/// `/login?error` of `https://portal/login?error`.
fn without_origin(location: &str) -> &str {
    let Some((_, rest)) = location.split_once("://") else { return location };
    rest.find(['/', '?', '#']).and_then(|at| rest.get(at..)).unwrap_or("/")
}

/// The portal's response, as far as it was read.
#[derive(Debug, Clone, Copy, Default)]
pub struct PortalResponse<'a> {
    pub status: u16,
    pub location: Option<&'a str>,
    pub body: &'a [u8],
    /// The body was read completely.
    pub is_whole: bool,
    /// The decoded client input: a text that it contains may be reflected by the response, and is no evidence.
    pub sent: &'a [u8],
}

impl LoginGuard {
    /// Whether the body of the response has to be searched.
    pub fn searches_body(&self) -> bool {
        !self.failure_signs.body.is_empty() || !self.success_signs.body.is_empty()
    }

    /// For a response without any sign. HTTP Basic has its own status for wrong credentials (RFC 7617 §2),
    /// so a 404 is not a wrong password; a server error may have occurred after the verification.
    fn may_be_failure(&self, method: &str, status: u16) -> bool {
        match (&self.name_source, status) {
            (LoginNameSource::Basic, 403) => self.failure_signs.status.is_empty(),
            (LoginNameSource::Basic, 400..=499) => matches!(status, 401 | 407 | 429),
            // a page or a picture that is not there
            (_, 404 | 405 | 410) if rule::is_bodiless(method) => false,
            // the portal does not know the method
            (_, 405 | 501) if !rule::may_carry_login(&self.name_source, method) => false,
            (_, status) => status >= 400,
        }
    }

    /// The evidence in the response. A failure text may be in the part of the body that was not read.
    fn evidence(&self, method: &str, answer: &PortalResponse<'_>) -> ResponseEvidence {
        let unread = !self.failure_signs.body.is_empty() && !answer.is_whole;
        if unread || self.failure_signs.match_response(answer, b"") {
            ResponseEvidence::Failure
        } else if !self.success_signs.is_empty() && self.success_signs.match_response(answer, answer.sent) {
            ResponseEvidence::Success
        } else {
            ResponseEvidence::Inconclusive { may_be_failure: self.may_be_failure(method, answer.status) }
        }
    }

    /// The outcome of an attempt with this response.
    pub fn outcome(&self, attempt: GuardedAttempt<'_>, answer: &PortalResponse<'_>) -> AttemptOutcome {
        rule::outcome(
            &self.name_source,
            !self.success_signs.is_empty(),
            attempt,
            self.evidence(attempt.method, answer),
        )
    }
}
