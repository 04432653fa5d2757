//! The rules of a guarded sign-in as one table: what the request is, what the answer shows, and whether the attempt is counted,
//! forgiven or neither. An attempt is counted before the portal gets it; this says what the answer changes.

use super::UserIn;

/// What became of a sign-in. The strictest is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Forgiven: the answer has what only the right password gets. Failures of the same client are taken off with the attempt.
    Succeeded,
    /// Neither: the attempt is taken back and no more is forgiven, or every request that the portal answers without verifying a
    /// password would reset the counter.
    Passed,
    /// Counted: the attempt stays a failure.
    Failed,
}

/// What an answer shows, by the operator's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Failure,
    Success,
    /// Nothing that is described. `may_be_failure`: its status alone could be that of a wrong password.
    Nothing {
        may_be_failure: bool,
    },
}

/// An attempt, as far as the rules look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    pub method: &'a str,
    /// The path is written exactly as the guard has it: another spelling may be another page.
    pub is_exact_path: bool,
    pub named: Named,
    /// Doorward has authenticated the client already, so the portal may answer without looking at the password.
    pub is_authenticated: bool,
}

/// Where the names come from that the attempt is counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// One name, in this request or before in the same portal session.
    Once,
    /// The portal session has seen several names: the portal may mean any of them.
    Severally,
    /// None: counted on the client alone.
    Never,
}

/// `describes_success`: the operator has said what only the right password gets, so everything else is a failure.
pub fn outcome(user: &UserIn, describes_success: bool, attempt: Attempt<'_>, shown: Shown) -> Outcome {
    let proves = attempt.is_exact_path
        && !attempt.is_authenticated
        && attempt.named != Named::Severally
        && may_sign_in(user, attempt.method);
    match shown {
        Shown::Failure | Shown::Nothing { may_be_failure: true } => Outcome::Failed,
        Shown::Nothing { .. } if describes_success && attempt.named != Named::Never => Outcome::Failed,
        Shown::Success if proves => Outcome::Succeeded,
        Shown::Success | Shown::Nothing { .. } => Outcome::Passed,
    }
}

/// Whether a success after a request with this method is one of a sign-in. `OPTIONS` is answered without credentials.
pub fn may_sign_in(user: &UserIn, method: &str) -> bool {
    match user {
        UserIn::Basic => matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE"),
        _ => matches!(method, "POST" | "PUT" | "PATCH"),
    }
}

/// Whether requests with this method have no body that means anything (RFC 9110 §9.3), so one that names a user is refused.
pub fn is_bodiless(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

#[cfg(test)]
mod tests {
    use super::{Named::*, Outcome::*, Shown::*, *};

    const FORM: UserIn = UserIn::Form(Vec::new());
    const LIKE_FAILURE: Shown = Nothing { may_be_failure: true };
    const OTHER: Shown = Nothing { may_be_failure: false };

    /// method, name, how else it differs from a plain sign-in; what the answer shows; success described, failure alone described
    #[test]
    fn request_and_answer_say_whether_an_attempt_is_counted_forgiven_or_neither() {
        let plain = |method, named| Attempt { method, is_exact_path: true, named, is_authenticated: false };
        let elsewhere = Attempt { is_exact_path: false, ..plain("POST", Once) };
        let signed_in = Attempt { is_authenticated: true, ..plain("POST", Once) };
        for (user, attempt, shown, described, undescribed) in [
            // a failure is counted, whatever else is true
            (&FORM, plain("POST", Once), Failure, Failed, Failed),
            (&FORM, elsewhere, Failure, Failed, Failed),
            (&FORM, signed_in, Failure, Failed, Failed),
            (&FORM, plain("POST", Severally), Failure, Failed, Failed),
            (&FORM, plain("POST", Never), Failure, Failed, Failed),
            (&FORM, plain("FOO", Once), Failure, Failed, Failed),
            // a success is forgiven where only the right password could produce it
            (&FORM, plain("POST", Once), Success, Succeeded, Succeeded),
            (&FORM, plain("PUT", Once), Success, Succeeded, Succeeded),
            (&FORM, plain("POST", Never), Success, Succeeded, Succeeded),
            (&FORM, elsewhere, Success, Passed, Passed),
            (&FORM, signed_in, Success, Passed, Passed),
            (&FORM, plain("POST", Severally), Success, Passed, Passed),
            (&FORM, plain("OPTIONS", Once), Success, Passed, Passed),
            (&FORM, plain("DELETE", Once), Success, Passed, Passed),
            (&FORM, plain("PROPFIND", Once), Success, Passed, Passed),
            (&UserIn::Basic, plain("GET", Once), Success, Succeeded, Succeeded),
            (&UserIn::Basic, plain("OPTIONS", Once), Success, Passed, Passed),
            (&UserIn::Basic, plain("PROPFIND", Once), Success, Passed, Passed),
            // what could be a failure is one
            (&FORM, plain("POST", Once), LIKE_FAILURE, Failed, Failed),
            (&FORM, plain("POST", Never), LIKE_FAILURE, Failed, Failed),
            // and so is everything that is not the described success, if the request names a user
            (&FORM, plain("POST", Once), OTHER, Failed, Passed),
            (&FORM, plain("POST", Severally), OTHER, Failed, Passed),
            (&FORM, elsewhere, OTHER, Failed, Passed),
            (&FORM, plain("POST", Never), OTHER, Passed, Passed),
        ] {
            let of = |describes| outcome(user, describes, attempt, shown);
            assert_eq!((of(true), of(false)), (described, undescribed), "{user:?} {attempt:?} {shown:?}");
        }
    }
}
