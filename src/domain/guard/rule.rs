//! Decides whether a guarded attempt is counted, forgiven or neither, from the request and the evidence in the
//! response. An attempt is counted before it is forwarded to the portal; the outcome changes that count.

use super::LoginNameSource;

/// The outcome of a guarded login. The strictest is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttemptOutcome {
    /// Forgiven: the response proves a correct password. The attempt and the failures of the same client are uncounted.
    Succeeded,
    /// Neither: only the attempt is uncounted, and no failure is forgiven. Otherwise every request that the
    /// portal answers without verifying a password would reset the counter.
    Neutral,
    /// Counted: the attempt stays a failure.
    Failed,
}

/// The evidence in a response, by the configured signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseEvidence {
    Failure,
    Success,
    /// No configured sign. `may_be_failure`: the status could be that of a wrong password.
    Inconclusive {
        may_be_failure: bool,
    },
}

/// The properties of an attempt that determine its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedAttempt<'a> {
    pub method: &'a str,
    /// The path equals the configured one exactly: another spelling may be another page.
    pub is_exact_path: bool,
    pub names: NameCount,
    /// Doorward has already authenticated the client, so the portal may respond without verifying the password.
    pub is_authenticated: bool,
}

/// How many user names the attempt is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameCount {
    /// One name, in this request or earlier in the same portal session.
    One,
    /// Several names in the portal session: the portal may use any of them.
    Several,
    /// No name: counted for the client only.
    Unnamed,
}

/// `describes_success`: success signs are configured, so every other response is a failure.
pub fn outcome(
    user: &LoginNameSource,
    describes_success: bool,
    attempt: GuardedAttempt<'_>,
    evidence: ResponseEvidence,
) -> AttemptOutcome {
    let may_prove_success = attempt.is_exact_path
        && !attempt.is_authenticated
        && attempt.names != NameCount::Several
        && may_carry_login(user, attempt.method);
    match evidence {
        ResponseEvidence::Failure | ResponseEvidence::Inconclusive { may_be_failure: true } => {
            AttemptOutcome::Failed
        }
        ResponseEvidence::Inconclusive { .. } if describes_success && attempt.names != NameCount::Unnamed => {
            AttemptOutcome::Failed
        }
        ResponseEvidence::Success if may_prove_success => AttemptOutcome::Succeeded,
        ResponseEvidence::Success | ResponseEvidence::Inconclusive { .. } => AttemptOutcome::Neutral,
    }
}

/// Whether a request with this method can be a login. `OPTIONS` is answered without credentials.
pub fn may_carry_login(user: &LoginNameSource, method: &str) -> bool {
    match user {
        LoginNameSource::Basic => matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE"),
        _ => matches!(method, "POST" | "PUT" | "PATCH"),
    }
}

/// Whether a body has no defined meaning for this method (RFC 9110 §9.3); a request with a user name in it is rejected.
pub fn is_bodiless(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

#[cfg(test)]
mod tests {
    use super::{AttemptOutcome::*, NameCount::*, ResponseEvidence::*, *};

    const FORM: LoginNameSource = LoginNameSource::Form(Vec::new());
    const LIKE_FAILURE: ResponseEvidence = Inconclusive { may_be_failure: true };
    const OTHER: ResponseEvidence = Inconclusive { may_be_failure: false };

    /// method, names, other differences from a plain login; evidence; with success signs, with failure signs only
    #[test]
    fn outcome_follows_request_and_response_evidence() {
        let plain = |method, named| GuardedAttempt {
            method,
            is_exact_path: true,
            names: named,
            is_authenticated: false,
        };
        let elsewhere = GuardedAttempt { is_exact_path: false, ..plain("POST", One) };
        let signed_in = GuardedAttempt { is_authenticated: true, ..plain("POST", One) };
        for (user, attempt, shown, described, undescribed) in [
            // a failure is counted in every case
            (&FORM, plain("POST", One), Failure, Failed, Failed),
            (&FORM, elsewhere, Failure, Failed, Failed),
            (&FORM, signed_in, Failure, Failed, Failed),
            (&FORM, plain("POST", Several), Failure, Failed, Failed),
            (&FORM, plain("POST", Unnamed), Failure, Failed, Failed),
            (&FORM, plain("FOO", One), Failure, Failed, Failed),
            // a success is forgiven where only the right password could produce it
            (&FORM, plain("POST", One), Success, Succeeded, Succeeded),
            (&FORM, plain("PUT", One), Success, Succeeded, Succeeded),
            (&FORM, plain("POST", Unnamed), Success, Succeeded, Succeeded),
            (&FORM, elsewhere, Success, Neutral, Neutral),
            (&FORM, signed_in, Success, Neutral, Neutral),
            (&FORM, plain("POST", Several), Success, Neutral, Neutral),
            (&FORM, plain("OPTIONS", One), Success, Neutral, Neutral),
            (&FORM, plain("DELETE", One), Success, Neutral, Neutral),
            (&FORM, plain("PROPFIND", One), Success, Neutral, Neutral),
            (&LoginNameSource::Basic, plain("GET", One), Success, Succeeded, Succeeded),
            (&LoginNameSource::Basic, plain("OPTIONS", One), Success, Neutral, Neutral),
            (&LoginNameSource::Basic, plain("PROPFIND", One), Success, Neutral, Neutral),
            // a possible failure is counted
            (&FORM, plain("POST", One), LIKE_FAILURE, Failed, Failed),
            (&FORM, plain("POST", Unnamed), LIKE_FAILURE, Failed, Failed),
            // every other response is a failure if success signs are configured and the request has a name
            (&FORM, plain("POST", One), OTHER, Failed, Neutral),
            (&FORM, plain("POST", Several), OTHER, Failed, Neutral),
            (&FORM, elsewhere, OTHER, Failed, Neutral),
            (&FORM, plain("POST", Unnamed), OTHER, Neutral, Neutral),
        ] {
            let of = |describes| outcome(user, describes, attempt, shown);
            assert_eq!((of(true), of(false)), (described, undescribed), "{user:?} {attempt:?} {shown:?}");
        }
    }
}
