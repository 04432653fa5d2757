//! Did it work? Read from the portal's answer: its status, where it leads, or a text in it.

use super::{
    Guard, UserIn,
    rule::{self, Attempt, Outcome, Shown},
};

/// What an answer may have; any of it is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    pub status: Vec<u16>,
    /// Against `Location`, with and without its origin.
    pub redirect: Vec<Glob>,
    /// In the first bytes of the body.
    pub body: Vec<String>,
}

impl Signs {
    pub fn is_empty(&self) -> bool {
        self.status.is_empty() && self.redirect.is_empty() && self.body.is_empty()
    }

    /// `sent`: texts that it holds do not count.
    fn are_in(&self, answer: &Answer<'_>, sent: &[u8]) -> bool {
        let leads = |glob: &Glob| {
            answer.location.is_some_and(|to| glob.matches(to) || glob.matches(without_origin(to)))
        };
        let holds =
            |body: &[u8], text: &str| body.windows(text.len().max(1)).any(|window| window == text.as_bytes());
        let says = |text: &String| holds(answer.body, text) && !holds(sent, text);
        self.status.contains(&answer.status) || self.redirect.iter().any(leads) || self.body.iter().any(says)
    }
}

/// A text in which `*` stands for anything.
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

/// The portal's answer, as far as it was read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answer<'a> {
    pub status: u16,
    pub location: Option<&'a str>,
    pub body: &'a [u8],
    /// Nothing of the body is left that was not read.
    pub is_whole: bool,
    /// What the client sent, decoded: a text that it holds is repeated by the answer and proves nothing.
    pub sent: &'a [u8],
}

impl Guard {
    /// Whether an answer's body has to be looked into.
    pub fn searches_body(&self) -> bool {
        !self.failed.body.is_empty() || !self.succeeded.body.is_empty()
    }

    /// Of an answer in which nothing was found. HTTP Basic has its own status for wrong credentials (RFC 7617 §2), so what is
    /// not there (404) is no wrong password; a portal that is in trouble may have stumbled after it looked.
    fn may_be_wrong(&self, method: &str, status: u16) -> bool {
        match (&self.user, status) {
            (UserIn::Basic, 403) => self.failed.status.is_empty(),
            (UserIn::Basic, 400..=499) => matches!(status, 401 | 407 | 429),
            // a page or a picture that is not there
            (_, 404 | 405 | 410) if rule::is_bodiless(method) => false,
            // the portal does not know the method
            (_, 405 | 501) if !rule::may_sign_in(&self.user, method) => false,
            (_, status) => status >= 400,
        }
    }

    /// What the answer shows. A text that says the password was wrong may stand where the answer was not read.
    fn shown(&self, method: &str, answer: &Answer<'_>) -> Shown {
        let unread = !self.failed.body.is_empty() && !answer.is_whole;
        if unread || self.failed.are_in(answer, b"") {
            Shown::Failure
        } else if !self.succeeded.is_empty() && self.succeeded.are_in(answer, answer.sent) {
            Shown::Success
        } else {
            Shown::Nothing { may_be_failure: self.may_be_wrong(method, answer.status) }
        }
    }

    /// What becomes of an attempt that was answered so.
    pub fn outcome(&self, attempt: Attempt<'_>, answer: &Answer<'_>) -> Outcome {
        rule::outcome(&self.user, !self.succeeded.is_empty(), attempt, self.shown(attempt.method, answer))
    }
}
