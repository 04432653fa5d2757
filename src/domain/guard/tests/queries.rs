//! Tests: passwords and one-time codes in the query.

use super::*;

/// Attack: the name was given on the page before, or is not required, and the portal reads the password from the query.
#[test]
fn attack_a_password_in_the_query_beside_an_empty_body() {
    let carrier = || Some(NameCarrier::Cookie("sid".to_owned()));
    let second_page =
        LoginGuard { name_carrier: carrier(), failure_signs: signs(&[401], &[], &[]), ..form() };
    let first_page = LoginGuard { name_carrier: carrier(), ..form() };
    let without_name = LoginGuard { require_name: false, ..form() };
    for (guard, method, reading) in [
        (&second_page, "POST", LoginClassification::Nameless),
        (&without_name, "POST", LoginClassification::Nameless),
        (&first_page, "POST", LoginClassification::NotLogin),
        (&first_page, "GET", LoginClassification::NotLogin),
        (&form(), "POST", LoginClassification::NotLogin),
    ] {
        let head = GuardedHead { method, ..post(Some("password=guess")) };
        assert_eq!(guard.classify(&head, b""), Ok(reading), "{method} {guard:?}");
    }
}

/// Attack: the password is in the query of a method that is not counted, and that the portal handles like `POST`.
#[test]
fn attack_a_password_in_the_query_of_an_uncounted_method() {
    let endpoint = LoginEndpoint { methods: vec!["POST".to_owned()], ..form().endpoint };
    let by_session = LoginGuard {
        name_carrier: Some(NameCarrier::Cookie("sid".to_owned())),
        failure_signs: signs(&[401], &[], &[]),
        endpoint,
        ..form()
    };
    let without_name = LoginGuard { require_name: false, ..form() };
    for guard in [&by_session, &without_name] {
        for method in ["GET", "HEAD", "OPTIONS", "DELETE", "PROPFIND", "TRACE"] {
            for query in [
                "password=guess",
                "a=1&PassWord[]=guess",
                "%70assword=guess",
                "user[password]=guess",
                "j_password=guess",
                "x;pwd=guess",
                "otp=123456",
                "OTPcode=123456",
                "sessionDataKey=x&token=123456",
                "sessionDataKey=x&code=123456",
            ] {
                for body in ["", "a=1"] {
                    let head = GuardedHead { method, ..post(Some(query)) };
                    let reading = guard.classify(&head, body.as_bytes());
                    assert_eq!(reading, Err(AmbiguousLogin::PasswordInQuery), "{method} {query} {body}");
                }
            }
        }
        // the page itself, and the authorization response of an identity provider
        for query in
            ["execution=e1s2", "code=x&state=y&session_state=z", "error=password", "passwordReset=true"]
        {
            let head = GuardedHead { method: "GET", ..post(Some(query)) };
            assert_eq!(guard.classify(&head, b""), Ok(LoginClassification::Nameless), "{query}");
        }
    }
    // a guard that requires a name finds none in this query
    let head = GuardedHead { method: "GET", ..post(Some("password=guess")) };
    assert_eq!(form().classify(&head, b""), Ok(LoginClassification::NotLogin));
}

/// Attack: a query field with an unknown name has a one-time code, and the portal handles `GET` like `POST`.
#[test]
fn attack_a_one_time_code_in_the_query_of_a_get() {
    let nameless = LoginGuard {
        require_name: false,
        failure_signs: signs(&[], &["*authFailure=true*"], &[]),
        locked_redirect: Some("/login?error=locked#top".to_owned()),
        ..form()
    };
    let named = LoginGuard { require_name: true, ..nameless.clone() };
    let name_step = LoginGuard {
        require_name: false,
        name_carrier: Some(NameCarrier::Cookie("sid".to_owned())),
        failure_signs: ResponseSigns::default(),
        ..form()
    };
    for (guard, method, query, reading) in [
        (&nameless, "GET", Some("sessionDataKey=x&answer=123456"), LoginClassification::Nameless),
        (&nameless, "HEAD", Some("sessionDataKey=x&answer=123456"), LoginClassification::Nameless),
        (&nameless, "GET", Some("123456"), LoginClassification::Nameless),
        (&nameless, "GET", Some("code=123456&state=x"), LoginClassification::Nameless),
        (&nameless, "GET", Some("error=locked&x=123456"), LoginClassification::Nameless),
        (&nameless, "GET", Some("error=locked"), LoginClassification::NotLogin),
        (&nameless, "GET", Some(""), LoginClassification::NotLogin),
        (&nameless, "GET", None, LoginClassification::NotLogin),
        (&nameless, "DELETE", None, LoginClassification::NotLogin),
        (&named, "GET", Some("answer=123456"), LoginClassification::NotLogin),
        (&name_step, "GET", Some("answer=123456"), LoginClassification::NotLogin),
    ] {
        let head = GuardedHead { method, ..post(query) };
        assert_eq!(guard.classify(&head, b""), Ok(reading), "{method} {query:?}");
    }
    // an answer that shows no failure releases the reservation
    let attempt = GuardedAttempt { method: "GET", names: NameCount::Unnamed, ..sign_in() };
    for (status, location, outcome) in [
        (302, "/x/totp.do?authFailure=true", AttemptOutcome::Failed),
        (302, "/oauth2/authorize?sessionDataKey=x", AttemptOutcome::Neutral),
        (200, "", AttemptOutcome::Neutral),
        (404, "", AttemptOutcome::Neutral),
        (401, "", AttemptOutcome::Failed),
        (500, "", AttemptOutcome::Failed),
    ] {
        let location = Some(location).filter(|location| !location.is_empty());
        let answer = PortalResponse { status, location, is_whole: true, ..PortalResponse::default() };
        assert_eq!(nameless.outcome(attempt, &answer), outcome, "{status} {location:?}");
    }
}

/// Attack: PHP, Rack and Jakarta Servlet read the query with any method, also with one that does not exist.
#[test]
fn attack_a_one_time_code_in_the_query_of_any_method() {
    let any = LoginGuard { require_name: false, failure_signs: signs(&[], &["/mfa?error*"], &[]), ..form() };
    let any = LoginGuard { endpoint: LoginEndpoint { methods: Vec::new(), ..any.endpoint }, ..any };
    let only_post = LoginGuard { endpoint: form().endpoint, ..any.clone() };
    for guard in [&any, &only_post] {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "PROPFIND", "FOO", "post"] {
            let head = GuardedHead { method, ..post(Some("mfa_code=123456")) };
            assert_eq!(guard.classify(&head, b""), Ok(LoginClassification::Nameless), "{method}");
            let page = GuardedHead { method, ..post(None) };
            assert_eq!(guard.classify(&page, b""), Ok(LoginClassification::NotLogin), "{method}");
        }
    }
    for method in ["DELETE", "PUT"] {
        let head = GuardedHead { method, ..post(Some("mfa_code=123456")) };
        assert_eq!(
            only_post.classify(&head, b"a=1"),
            Ok(LoginClassification::Nameless),
            "{method}: a body that is not read"
        );
    }
    // an answer that shows no failure takes the attempt back
    for (method, status, location, outcome) in [
        ("DELETE", 302, "/mfa?error", AttemptOutcome::Failed),
        ("FOO", 302, "/mfa?error", AttemptOutcome::Failed),
        ("DELETE", 204, "", AttemptOutcome::Neutral),
        ("PROPFIND", 405, "", AttemptOutcome::Neutral),
        ("FOO", 501, "", AttemptOutcome::Neutral),
        ("FOO", 400, "", AttemptOutcome::Failed),
        ("DELETE", 404, "", AttemptOutcome::Failed),
    ] {
        let attempt = GuardedAttempt { method, names: NameCount::Unnamed, ..sign_in() };
        let location = Some(location).filter(|location| !location.is_empty());
        let answer = PortalResponse { status, location, is_whole: true, ..PortalResponse::default() };
        assert_eq!(any.outcome(attempt, &answer), outcome, "{method} {status}");
    }
}

/// Attack: the name was given on the page before, and the query of a `GET` has the password in a field without a known name, or a
/// `code` beside a `state`.
#[test]
fn attack_password_in_the_query_after_the_name_was_given() {
    let second_page = LoginGuard {
        name_carrier: Some(NameCarrier::Cookie("sid".to_owned())),
        failure_signs: signs(&[401], &[], &[]),
        ..form()
    };
    let first_page = LoginGuard { failure_signs: ResponseSigns::default(), ..second_page.clone() };
    for method in ["GET", "HEAD", "OPTIONS", "DELETE", "FOO"] {
        for query in ["code=123456&state=x", "mfa_code=123456", "answer=guess", "guess"] {
            let head = GuardedHead { method, ..post(Some(query)) };
            assert_eq!(
                second_page.classify(&head, b""),
                Ok(LoginClassification::Nameless),
                "{method} {query}"
            );
            assert_eq!(
                first_page.classify(&head, b""),
                Ok(LoginClassification::NotLogin),
                "{method} {query}"
            );
        }
        let page = GuardedHead { method, ..post(None) };
        assert_eq!(second_page.classify(&page, b""), Ok(LoginClassification::NotLogin), "{method}");
        assert!(
            !second_page.needs_name(method, false),
            "{method}: the page is served before a name is known"
        );
    }
    let any =
        LoginGuard { endpoint: LoginEndpoint { methods: Vec::new(), ..form().endpoint }, ..second_page };
    assert!(any.needs_name("POST", false) && any.needs_name("POST", true) && any.needs_name("DELETE", true));
    assert!(!LoginGuard { require_name: false, ..any }.needs_name("POST", true));
}
