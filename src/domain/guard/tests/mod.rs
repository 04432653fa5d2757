//! A guard end to end: from a request to a user name, and from a response to an outcome.

use super::{
    outcome::PortalResponse,
    rule::{GuardedAttempt, NameCount},
    *,
};

mod guessing;
mod queries;

fn guard(user: LoginNameSource, methods: &[&str]) -> LoginGuard {
    LoginGuard {
        endpoint: LoginEndpoint {
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            pattern: "/login".to_owned(),
            below_tenants: false,
        },
        name_source: user,
        require_name: true,
        name_carrier: None,
        failure_signs: ResponseSigns::default(),
        success_signs: ResponseSigns::default(),
        max_searched_bytes: 1024,
        locked_redirect: None,
        is_tenant_defined: false,
    }
}

fn post(query: Option<&'static str>) -> GuardedHead<'static> {
    GuardedHead {
        method: "POST",
        path: "/login",
        query,
        content_type: Some("application/x-www-form-urlencoded"),
        ..GuardedHead::default()
    }
}

pub(super) fn form() -> LoginGuard {
    guard(LoginNameSource::Form(vec!["username".to_owned(), "email".to_owned()]), &["POST"])
}

#[test]
fn reads_the_name_from_the_body_only() {
    let read = |body: &str| form().classify(&post(None), body.as_bytes());
    assert_eq!(read("username=alex&password=x"), Ok(named("alex")));
    assert_eq!(read("email=alex%40acme.com"), Ok(named("alex@acme.com")));
    assert_eq!(read(""), Ok(LoginClassification::NotLogin));
    for body in
        ["consent=yes", "username=", "username=++", "password=x&constructor[prototype][username]x=alex"]
    {
        assert_eq!(read(body), Ok(LoginClassification::Nameless), "{body}");
    }
    // the login page itself
    let page = GuardedHead { method: "GET", path: "/login", ..GuardedHead::default() };
    assert_eq!(form().classify(&page, b""), Ok(LoginClassification::NotLogin));
}

fn named(name: &str) -> LoginClassification {
    LoginClassification::Named(name.to_owned())
}

/// Attack: a request that is not a login, with the victim's name in its body, gets a 200 that forgives failures.
#[test]
fn attack_a_body_with_a_name_where_the_method_has_no_body() {
    let json = guard(LoginNameSource::Json(vec!["username".to_owned()]), &[]);
    let grant = guard(LoginNameSource::PasswordGrant, &["POST"]);
    for method in ["OPTIONS", "GET", "HEAD", "TRACE"] {
        let head = GuardedHead { method, ..post(None) };
        for (guard, body) in [
            (&form(), "username=victim"),
            (&json, r#"{"username":"victim"}"#),
            (&grant, "grant_type=password&username=victim"),
            (&form(), "x"),
        ] {
            assert!(guard.reads_body(method), "{method}");
            assert_eq!(
                guard.classify(&head, body.as_bytes()),
                Err(AmbiguousLogin::Method),
                "{method} {body}"
            );
        }
        assert_eq!(form().classify(&head, b""), Ok(LoginClassification::NotLogin), "{method}");
    }
}

/// Attack: a method override makes the framework answer `OPTIONS` with 200.
#[test]
fn attack_a_method_in_the_place_of_the_one_that_was_read() {
    for (query, body) in [
        (None, "username=victim&password=x&_method=OPTIONS"),
        (None, "username=victim&%5FMETHOD=get"),
        (Some("_method=OPTIONS"), "username=victim&password=x"),
    ] {
        assert_eq!(
            form().classify(&post(query), body.as_bytes()),
            Err(AmbiguousLogin::Method),
            "{query:?} {body}"
        );
    }
    assert_eq!(form().classify(&post(None), b"username=alex&_method=post"), Ok(named("alex")));
    assert_eq!(
        form().classify(&post(None), b"_method=delete"),
        Ok(LoginClassification::Nameless),
        "to sign out"
    );
}

#[test]
fn attack_an_alternative_field_in_the_query() {
    for query in [
        "username=victim",
        "USERNAME=victim",
        "a=1&email=x",
        "x;username=victim",
        "user%6eame=",
        "username[]",
    ] {
        for method in ["POST", "GET", "PUT"] {
            let head = GuardedHead { method, ..post(Some(query)) };
            for body in ["username=decoy&password=x", ""] {
                assert_eq!(
                    form().classify(&head, body.as_bytes()),
                    Err(AmbiguousLogin::NameInQuery),
                    "{method} {query} {body}"
                );
            }
        }
    }
    assert_eq!(form().classify(&post(Some("next=/x&lang=de")), b"username=alex"), Ok(named("alex")));
    let json = guard(LoginNameSource::Json(vec!["/login/email".to_owned()]), &[]);
    let head = GuardedHead { content_type: Some("application/json"), ..post(Some("email=x")) };
    assert_eq!(json.classify(&head, b"{}"), Err(AmbiguousLogin::NameInQuery));
}

#[test]
fn attack_control_characters_in_the_name() {
    for body in ["username=alex%00", "username=al%0Aex", "username=%C2%85alex", "username=alex%7F"] {
        assert_eq!(
            form().classify(&post(None), body.as_bytes()),
            Err(AmbiguousLogin::ControlCharacter),
            "{body}"
        );
    }
    let long = format!("username={}", "x".repeat(MAX_NAME_BYTES + 1));
    assert_eq!(form().classify(&post(None), long.as_bytes()), Err(AmbiguousLogin::TooLong));
}

#[test]
fn attack_multipart_and_compressed_forms() {
    for (content_type, coding, doubt) in [
        (Some("multipart/form-data; boundary=x"), None, AmbiguousLogin::MediaType),
        (None, None, AmbiguousLogin::MediaType),
        (Some("application/x-www-form-urlencoded"), Some("gzip"), AmbiguousLogin::ContentCoding),
        (Some("application/x-www-form-urlencoded;charset=utf-7"), None, AmbiguousLogin::Charset),
    ] {
        let head = GuardedHead { content_type, content_encoding: coding, ..post(None) };
        assert_eq!(form().classify(&head, b"username=alex"), Err(doubt));
    }
}

#[test]
fn only_password_grants_are_sign_ins() {
    let grant = guard(LoginNameSource::PasswordGrant, &[]);
    let alex = Ok(named("alex"));
    for (body, said) in [
        ("grant_type=password&username=alex&password=x", alex.clone()),
        ("grant_type=Password+&username=alex&password=x", alex),
        ("grant_type=refresh_token&refresh_token=x", Ok(LoginClassification::NotLogin)),
        ("grant_type=client_credentials&username=alex", Ok(LoginClassification::NotLogin)),
        ("username=alex&password=x", Ok(LoginClassification::Nameless)),
        ("grant_type=&username=alex&password=x", Ok(LoginClassification::Nameless)),
        ("grant_type=password&user=alex&password=x", Ok(LoginClassification::Nameless)),
        (
            "grant_type=client_credentials&grant_type=password&username=alex",
            Err(AmbiguousLogin::DuplicateName),
        ),
        ("grant_type=refresh_token&Grant_Type=password&username=alex", Err(AmbiguousLogin::LookalikeField)),
        ("grant_type=password&username=decoy&username=alex", Err(AmbiguousLogin::DuplicateName)),
    ] {
        assert_eq!(grant.classify(&post(None), body.as_bytes()), said, "{body}");
    }
    let query = grant.classify(&post(Some("grant_type=password")), b"username=alex&password=x");
    assert_eq!(query, Err(AmbiguousLogin::NameInQuery));
}

#[test]
fn basic_needs_no_body() {
    let basic = guard(LoginNameSource::Basic, &[]);
    assert!(!basic.reads_body("POST") && form().reads_body("POST") && !form().reads_body("DELETE"));
    let head = GuardedHead { authorization: Some(b"Basic YWxleDpwYTpzcw=="), ..post(Some("username=x")) };
    assert_eq!(basic.classify(&head, b""), Ok(named("alex")));
    assert_eq!(basic.classify(&post(None), b""), Ok(LoginClassification::NotLogin));
}

fn signs(status: &[u16], redirect: &[&str], body: &[&str]) -> ResponseSigns {
    ResponseSigns {
        status: status.to_vec(),
        redirect: redirect.iter().map(|glob| Glob((*glob).to_owned())).collect(),
        body: body.iter().map(|text| (*text).to_owned()).collect(),
    }
}

#[test]
fn outcome_of_each_response() {
    use AttemptOutcome::{Failed, Neutral, Succeeded};
    let none = ResponseSigns::default;
    let to = |status, location| PortalResponse {
        status,
        location: Some(location),
        is_whole: true,
        ..PortalResponse::default()
    };
    let plain = |status, body: &'static str| PortalResponse {
        status,
        body: body.as_bytes(),
        is_whole: true,
        ..PortalResponse::default()
    };
    for (failed, succeeded, answer, outcome) in [
        (signs(&[401], &[], &[]), none(), plain(401, ""), Failed),
        (signs(&[401], &[], &[]), none(), plain(200, ""), Neutral),
        (signs(&[401], &[], &[]), none(), to(302, "/home"), Neutral),
        // a response without a sign is an attempt that may have been verified
        (signs(&[401], &[], &[]), none(), plain(500, ""), Failed),
        (signs(&[401], &[], &[]), none(), plain(429, ""), Failed),
        (signs(&[], &["/login?error*"], &[]), none(), to(302, "/login?error=1"), Failed),
        (signs(&[], &["/login?error*"], &[]), none(), to(302, "https://portal.example/login?error"), Failed),
        (signs(&[], &["/login?error*"], &[]), none(), to(302, "/home?from=/login?error"), Neutral),
        (
            signs(&[], &["*authFailure=true*"], &[]),
            none(),
            to(302, "/x/login.do?a&authFailure=true&b"),
            Failed,
        ),
        (signs(&[], &[], &["Wrong password"]), none(), plain(200, "<p>Wrong password</p>"), Failed),
        (signs(&[], &[], &["Wrong password"]), none(), plain(200, "<p>Welcome</p>"), Neutral),
        (none(), signs(&[], &["/home"], &[]), to(302, "/home"), Succeeded),
        (none(), signs(&[], &["/home"], &[]), to(302, "/home/x"), Failed),
        (none(), signs(&[200], &[], &[]), plain(200, ""), Succeeded),
        (none(), signs(&[200], &[], &[]), plain(400, ""), Failed),
        (none(), signs(&[], &[], &["\"ok\":true"]), plain(200, "{\"ok\":true}"), Succeeded),
        // failure wins
        (signs(&[], &[], &["Wrong"]), signs(&[200], &[], &[]), plain(200, "Wrong"), Failed),
    ] {
        let guard = LoginGuard { failure_signs: failed, success_signs: succeeded, ..form() };
        assert_eq!(
            guard.outcome(sign_in(), &answer),
            outcome,
            "{:?} {:?} {answer:?}",
            guard.failure_signs,
            guard.success_signs
        );
    }
}

/// A 404 of a page element is not counted as a failure.
#[test]
fn basic_failure_is_401_407_or_429() {
    use AttemptOutcome::{Failed, Neutral};
    for (written, status, outcome) in [
        (&[401, 403][..], 401, Failed),
        (&[401, 403], 403, Failed),
        (&[401], 403, Neutral),
        (&[], 403, Failed),
        (&[], 401, Failed),
        (&[401, 403], 404, Neutral),
        (&[401, 403], 405, Neutral),
        (&[401, 403], 304, Neutral),
        (&[401, 403], 429, Failed),
        (&[401, 403], 500, Failed),
        (&[404], 404, Failed),
    ] {
        let basic =
            LoginGuard { failure_signs: signs(written, &[], &[]), ..guard(LoginNameSource::Basic, &[]) };
        let answer = PortalResponse { status, ..PortalResponse::default() };
        assert_eq!(basic.outcome(sign_in(), &answer), outcome, "{written:?} {status}");
    }
}

/// Attack: compressed, truncated or padded, until the failure text is outside of the searched bytes.
#[test]
fn attack_truncated_response_is_not_a_success() {
    let answer = PortalResponse { status: 200, body: b"Welcome", ..PortalResponse::default() };
    for (failed, outcome) in [
        (signs(&[], &[], &["Wrong"]), AttemptOutcome::Failed),
        (ResponseSigns::default(), AttemptOutcome::Succeeded),
    ] {
        let guard =
            LoginGuard { failure_signs: failed, success_signs: signs(&[], &[], &["Welcome"]), ..form() };
        assert_eq!(guard.outcome(sign_in(), &answer), outcome, "{:?}", guard.failure_signs);
    }
}

/// A sign-in like any other.
fn sign_in() -> GuardedAttempt<'static> {
    GuardedAttempt { method: "POST", is_exact_path: true, names: NameCount::One, is_authenticated: false }
}

/// Attack: the response to a wrong password reflects client input that looks like a success.
#[test]
fn attack_reflected_input_is_not_a_success() {
    let guard = LoginGuard { success_signs: signs(&[], &[], &["Welcome"]), ..form() };
    for (sent, outcome) in
        [("username=alex", AttemptOutcome::Succeeded), ("username=alex&x=Welcome", AttemptOutcome::Failed)]
    {
        let answer = PortalResponse {
            status: 200,
            body: b"<p>Welcome</p>",
            sent: sent.as_bytes(),
            ..PortalResponse::default()
        };
        assert_eq!(guard.outcome(sign_in(), &answer), outcome, "{sent}");
    }
}

#[test]
fn star_matches_any_text() {
    for (glob, text, matches) in [
        ("/a", "/a", true),
        ("/a", "/ab", false),
        ("/a*", "/a", true),
        ("*b", "ab", true),
        ("*b", "abc", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("*", "", true),
        ("a*a", "a", false),
        ("", "", true),
    ] {
        assert_eq!(Glob(glob.to_owned()).matches(text), matches, "{glob} {text}");
    }
}
