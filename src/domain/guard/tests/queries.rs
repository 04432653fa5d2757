//! Tests: passwords and one-time codes in the query.

use super::*;

/// Attack: the name was given on the page before, or is not required, and the portal reads the password from the query.
#[test]
fn attack_a_password_in_the_query_beside_an_empty_body() {
    let carrier = || Some(Carrier::Cookie("sid".to_owned()));
    let second_page = Guard { name_from: carrier(), failed: signs(&[401], &[], &[]), ..form() };
    let first_page = Guard { name_from: carrier(), ..form() };
    let without_name = Guard { require_name: false, ..form() };
    for (guard, method, reading) in [
        (&second_page, "POST", Reading::Nameless),
        (&without_name, "POST", Reading::Nameless),
        (&first_page, "POST", Reading::NoSignIn),
        (&first_page, "GET", Reading::NoSignIn),
        (&form(), "POST", Reading::NoSignIn),
    ] {
        let head = Head { method, ..post(Some("password=guess")) };
        assert_eq!(guard.read(&head, b""), Ok(reading), "{method} {guard:?}");
    }
}

/// Attack: the password is in the query of a method that is not counted, and that the portal handles like `POST`.
#[test]
fn attack_a_password_in_the_query_of_an_uncounted_method() {
    let endpoint = Endpoint { methods: vec!["POST".to_owned()], ..form().endpoint };
    let by_session = Guard {
        name_from: Some(Carrier::Cookie("sid".to_owned())),
        failed: signs(&[401], &[], &[]),
        endpoint,
        ..form()
    };
    let without_name = Guard { require_name: false, ..form() };
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
                    let head = Head { method, ..post(Some(query)) };
                    let reading = guard.read(&head, body.as_bytes());
                    assert_eq!(reading, Err(Doubt::PasswordInQuery), "{method} {query} {body}");
                }
            }
        }
        // the page itself, and the authorization response of an identity provider
        for query in
            ["execution=e1s2", "code=x&state=y&session_state=z", "error=password", "passwordReset=true"]
        {
            let head = Head { method: "GET", ..post(Some(query)) };
            assert_eq!(guard.read(&head, b""), Ok(Reading::Nameless), "{query}");
        }
    }
    // a guard that requires a name finds none in this query
    let head = Head { method: "GET", ..post(Some("password=guess")) };
    assert_eq!(form().read(&head, b""), Ok(Reading::NoSignIn));
}

/// Attack: a query field with an unknown name has a one-time code, and the portal handles `GET` like `POST`.
#[test]
fn attack_a_one_time_code_in_the_query_of_a_get() {
    let nameless = Guard {
        require_name: false,
        failed: signs(&[], &["*authFailure=true*"], &[]),
        locked_redirect: Some("/login?error=locked#top".to_owned()),
        ..form()
    };
    let named = Guard { require_name: true, ..nameless.clone() };
    let name_step = Guard {
        require_name: false,
        name_from: Some(Carrier::Cookie("sid".to_owned())),
        failed: Signs::default(),
        ..form()
    };
    for (guard, method, query, reading) in [
        (&nameless, "GET", Some("sessionDataKey=x&answer=123456"), Reading::Nameless),
        (&nameless, "HEAD", Some("sessionDataKey=x&answer=123456"), Reading::Nameless),
        (&nameless, "GET", Some("123456"), Reading::Nameless),
        (&nameless, "GET", Some("code=123456&state=x"), Reading::Nameless),
        (&nameless, "GET", Some("error=locked&x=123456"), Reading::Nameless),
        (&nameless, "GET", Some("error=locked"), Reading::NoSignIn),
        (&nameless, "GET", Some(""), Reading::NoSignIn),
        (&nameless, "GET", None, Reading::NoSignIn),
        (&nameless, "DELETE", None, Reading::NoSignIn),
        (&named, "GET", Some("answer=123456"), Reading::NoSignIn),
        (&name_step, "GET", Some("answer=123456"), Reading::NoSignIn),
    ] {
        let head = Head { method, ..post(query) };
        assert_eq!(guard.read(&head, b""), Ok(reading), "{method} {query:?}");
    }
    // an answer that shows no failure releases the reservation
    let attempt = Attempt { method: "GET", named: Named::Never, ..sign_in() };
    for (status, location, outcome) in [
        (302, "/x/totp.do?authFailure=true", Outcome::Failed),
        (302, "/oauth2/authorize?sessionDataKey=x", Outcome::Passed),
        (200, "", Outcome::Passed),
        (404, "", Outcome::Passed),
        (401, "", Outcome::Failed),
        (500, "", Outcome::Failed),
    ] {
        let location = Some(location).filter(|location| !location.is_empty());
        let answer = Answer { status, location, is_whole: true, ..Answer::default() };
        assert_eq!(nameless.outcome(attempt, &answer), outcome, "{status} {location:?}");
    }
}

/// Attack: PHP, Rack and Jakarta Servlet read the query with any method, also with one that does not exist.
#[test]
fn attack_a_one_time_code_in_the_query_of_any_method() {
    let any = Guard { require_name: false, failed: signs(&[], &["/mfa?error*"], &[]), ..form() };
    let any = Guard { endpoint: Endpoint { methods: Vec::new(), ..any.endpoint }, ..any };
    let only_post = Guard { endpoint: form().endpoint, ..any.clone() };
    for guard in [&any, &only_post] {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "PROPFIND", "FOO", "post"] {
            let head = Head { method, ..post(Some("mfa_code=123456")) };
            assert_eq!(guard.read(&head, b""), Ok(Reading::Nameless), "{method}");
            let page = Head { method, ..post(None) };
            assert_eq!(guard.read(&page, b""), Ok(Reading::NoSignIn), "{method}");
        }
    }
    for method in ["DELETE", "PUT"] {
        let head = Head { method, ..post(Some("mfa_code=123456")) };
        assert_eq!(only_post.read(&head, b"a=1"), Ok(Reading::Nameless), "{method}: a body that is not read");
    }
    // an answer that shows no failure takes the attempt back
    for (method, status, location, outcome) in [
        ("DELETE", 302, "/mfa?error", Outcome::Failed),
        ("FOO", 302, "/mfa?error", Outcome::Failed),
        ("DELETE", 204, "", Outcome::Passed),
        ("PROPFIND", 405, "", Outcome::Passed),
        ("FOO", 501, "", Outcome::Passed),
        ("FOO", 400, "", Outcome::Failed),
        ("DELETE", 404, "", Outcome::Failed),
    ] {
        let attempt = Attempt { method, named: Named::Never, ..sign_in() };
        let location = Some(location).filter(|location| !location.is_empty());
        let answer = Answer { status, location, is_whole: true, ..Answer::default() };
        assert_eq!(any.outcome(attempt, &answer), outcome, "{method} {status}");
    }
}

/// Attack: the name was given on the page before, and the query of a `GET` has the password in a field without a known name, or a
/// `code` beside a `state`.
#[test]
fn attack_a_password_in_the_query_where_the_name_was_given_before() {
    let second_page = Guard {
        name_from: Some(Carrier::Cookie("sid".to_owned())),
        failed: signs(&[401], &[], &[]),
        ..form()
    };
    let first_page = Guard { failed: Signs::default(), ..second_page.clone() };
    for method in ["GET", "HEAD", "OPTIONS", "DELETE", "FOO"] {
        for query in ["code=123456&state=x", "mfa_code=123456", "answer=guess", "guess"] {
            let head = Head { method, ..post(Some(query)) };
            assert_eq!(second_page.read(&head, b""), Ok(Reading::Nameless), "{method} {query}");
            assert_eq!(first_page.read(&head, b""), Ok(Reading::NoSignIn), "{method} {query}");
        }
        let page = Head { method, ..post(None) };
        assert_eq!(second_page.read(&page, b""), Ok(Reading::NoSignIn), "{method}");
        assert!(
            !second_page.needs_name(method, false),
            "{method}: the page is served before a name is known"
        );
    }
    let any = Guard { endpoint: Endpoint { methods: Vec::new(), ..form().endpoint }, ..second_page };
    assert!(any.needs_name("POST", false) && any.needs_name("POST", true) && any.needs_name("DELETE", true));
    assert!(!Guard { require_name: false, ..any }.needs_name("POST", true));
}
