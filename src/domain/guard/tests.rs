//! A guard as a whole: from a request to a name, and from an answer to what it means.

use super::{
    outcome::Answer,
    rule::{Attempt, Named},
    *,
};

mod guessing;
mod queries;

fn guard(user: UserIn, methods: &[&str]) -> Guard {
    Guard {
        endpoint: Endpoint {
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            pattern: "/login".to_owned(),
            below_tenants: false,
        },
        user,
        require_name: true,
        name_from: None,
        failed: Signs::default(),
        succeeded: Signs::default(),
        searched: 1024,
        locked_redirect: None,
        of_tenant: false,
    }
}

fn post(query: Option<&'static str>) -> Head<'static> {
    Head {
        method: "POST",
        path: "/login",
        query,
        content_type: Some("application/x-www-form-urlencoded"),
        ..Head::default()
    }
}

pub(super) fn form() -> Guard {
    guard(UserIn::Form(vec!["username".to_owned(), "email".to_owned()]), &["POST"])
}

#[test]
fn names_come_from_the_body_and_nothing_else_is_a_sign_in() {
    let read = |body: &str| form().read(&post(None), body.as_bytes());
    assert_eq!(read("username=alex&password=x"), Ok(named("alex")));
    assert_eq!(read("email=alex%40acme.com"), Ok(named("alex@acme.com")));
    assert_eq!(read(""), Ok(Reading::NoSignIn));
    for body in
        ["consent=yes", "username=", "username=++", "password=x&constructor[prototype][username]x=alex"]
    {
        assert_eq!(read(body), Ok(Reading::Nameless), "{body}");
    }
    // the page itself
    let page = Head { method: "GET", path: "/login", ..Head::default() };
    assert_eq!(form().read(&page, b""), Ok(Reading::NoSignIn));
}

fn named(name: &str) -> Reading {
    Reading::Named(name.to_owned())
}

/// Attack: a request that is no sign-in is answered with 200, and its body has the victim's name, whose failures that forgives.
#[test]
fn attack_a_body_with_a_name_where_the_method_has_no_body() {
    let json = guard(UserIn::Json(vec!["username".to_owned()]), &[]);
    let grant = guard(UserIn::PasswordGrant, &["POST"]);
    for method in ["OPTIONS", "GET", "HEAD", "TRACE"] {
        let head = Head { method, ..post(None) };
        for (guard, body) in [
            (&form(), "username=victim"),
            (&json, r#"{"username":"victim"}"#),
            (&grant, "grant_type=password&username=victim"),
            (&form(), "x"),
        ] {
            assert!(guard.reads_body(method), "{method}");
            assert_eq!(guard.read(&head, body.as_bytes()), Err(Doubt::Method), "{method} {body}");
        }
        assert_eq!(form().read(&head, b""), Ok(Reading::NoSignIn), "{method}");
    }
}

/// Attack: the framework is asked for another method than the one that was read, and answers `OPTIONS` with 200.
#[test]
fn attack_a_method_in_the_place_of_the_one_that_was_read() {
    for (query, body) in [
        (None, "username=victim&password=x&_method=OPTIONS"),
        (None, "username=victim&%5FMETHOD=get"),
        (Some("_method=OPTIONS"), "username=victim&password=x"),
    ] {
        assert_eq!(form().read(&post(query), body.as_bytes()), Err(Doubt::Method), "{query:?} {body}");
    }
    assert_eq!(form().read(&post(None), b"username=alex&_method=post"), Ok(named("alex")));
    assert_eq!(form().read(&post(None), b"_method=delete"), Ok(Reading::Nameless), "to sign out");
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
            let head = Head { method, ..post(Some(query)) };
            for body in ["username=decoy&password=x", ""] {
                assert_eq!(
                    form().read(&head, body.as_bytes()),
                    Err(Doubt::InQuery),
                    "{method} {query} {body}"
                );
            }
        }
    }
    assert_eq!(form().read(&post(Some("next=/x&lang=de")), b"username=alex"), Ok(named("alex")));
    let json = guard(UserIn::Json(vec!["/login/email".to_owned()]), &[]);
    let head = Head { content_type: Some("application/json"), ..post(Some("email=x")) };
    assert_eq!(json.read(&head, b"{}"), Err(Doubt::InQuery));
}

#[test]
fn attack_control_characters_in_the_name() {
    for body in ["username=alex%00", "username=al%0Aex", "username=%C2%85alex", "username=alex%7F"] {
        assert_eq!(form().read(&post(None), body.as_bytes()), Err(Doubt::Control), "{body}");
    }
    let long = format!("username={}", "x".repeat(MAX_NAME + 1));
    assert_eq!(form().read(&post(None), long.as_bytes()), Err(Doubt::TooLong));
}

#[test]
fn attack_multipart_and_compressed_forms() {
    for (content_type, coding, doubt) in [
        (Some("multipart/form-data; boundary=x"), None, Doubt::MediaType),
        (None, None, Doubt::MediaType),
        (Some("application/x-www-form-urlencoded"), Some("gzip"), Doubt::Coding),
        (Some("application/x-www-form-urlencoded;charset=utf-7"), None, Doubt::Charset),
    ] {
        let head = Head { content_type, content_encoding: coding, ..post(None) };
        assert_eq!(form().read(&head, b"username=alex"), Err(doubt));
    }
}

#[test]
fn only_password_grants_are_sign_ins() {
    let grant = guard(UserIn::PasswordGrant, &[]);
    let alex = Ok(named("alex"));
    for (body, said) in [
        ("grant_type=password&username=alex&password=x", alex.clone()),
        ("grant_type=Password+&username=alex&password=x", alex),
        ("grant_type=refresh_token&refresh_token=x", Ok(Reading::NoSignIn)),
        ("grant_type=client_credentials&username=alex", Ok(Reading::NoSignIn)),
        ("username=alex&password=x", Ok(Reading::Nameless)),
        ("grant_type=&username=alex&password=x", Ok(Reading::Nameless)),
        ("grant_type=password&user=alex&password=x", Ok(Reading::Nameless)),
        ("grant_type=client_credentials&grant_type=password&username=alex", Err(Doubt::Twice)),
        ("grant_type=refresh_token&Grant_Type=password&username=alex", Err(Doubt::Alike)),
        ("grant_type=password&username=decoy&username=alex", Err(Doubt::Twice)),
    ] {
        assert_eq!(grant.read(&post(None), body.as_bytes()), said, "{body}");
    }
    let query = grant.read(&post(Some("grant_type=password")), b"username=alex&password=x");
    assert_eq!(query, Err(Doubt::InQuery));
}

#[test]
fn basic_needs_no_body() {
    let basic = guard(UserIn::Basic, &[]);
    assert!(!basic.reads_body("POST") && form().reads_body("POST") && !form().reads_body("DELETE"));
    let head = Head { authorization: Some(b"Basic YWxleDpwYTpzcw=="), ..post(Some("username=x")) };
    assert_eq!(basic.read(&head, b""), Ok(named("alex")));
    assert_eq!(basic.read(&post(None), b""), Ok(Reading::NoSignIn));
}

fn signs(status: &[u16], redirect: &[&str], body: &[&str]) -> Signs {
    Signs {
        status: status.to_vec(),
        redirect: redirect.iter().map(|glob| Glob((*glob).to_owned())).collect(),
        body: body.iter().map(|text| (*text).to_owned()).collect(),
    }
}

#[test]
fn what_an_answer_means() {
    use Outcome::{Failed, Passed, Succeeded};
    let none = Signs::default;
    let to =
        |status, location| Answer { status, location: Some(location), is_whole: true, ..Answer::default() };
    let plain = |status, body: &'static str| Answer {
        status,
        body: body.as_bytes(),
        is_whole: true,
        ..Answer::default()
    };
    for (failed, succeeded, answer, outcome) in [
        (signs(&[401], &[], &[]), none(), plain(401, ""), Failed),
        (signs(&[401], &[], &[]), none(), plain(200, ""), Passed),
        (signs(&[401], &[], &[]), none(), to(302, "/home"), Passed),
        // what nobody described is a guess that may have been checked
        (signs(&[401], &[], &[]), none(), plain(500, ""), Failed),
        (signs(&[401], &[], &[]), none(), plain(429, ""), Failed),
        (signs(&[], &["/login?error*"], &[]), none(), to(302, "/login?error=1"), Failed),
        (signs(&[], &["/login?error*"], &[]), none(), to(302, "https://portal.example/login?error"), Failed),
        (signs(&[], &["/login?error*"], &[]), none(), to(302, "/home?from=/login?error"), Passed),
        (
            signs(&[], &["*authFailure=true*"], &[]),
            none(),
            to(302, "/x/login.do?a&authFailure=true&b"),
            Failed,
        ),
        (signs(&[], &[], &["Wrong password"]), none(), plain(200, "<p>Wrong password</p>"), Failed),
        (signs(&[], &[], &["Wrong password"]), none(), plain(200, "<p>Welcome</p>"), Passed),
        (none(), signs(&[], &["/home"], &[]), to(302, "/home"), Succeeded),
        (none(), signs(&[], &["/home"], &[]), to(302, "/home/x"), Failed),
        (none(), signs(&[200], &[], &[]), plain(200, ""), Succeeded),
        (none(), signs(&[200], &[], &[]), plain(400, ""), Failed),
        (none(), signs(&[], &[], &["\"ok\":true"]), plain(200, "{\"ok\":true}"), Succeeded),
        // failure wins
        (signs(&[], &[], &["Wrong"]), signs(&[200], &[], &[]), plain(200, "Wrong"), Failed),
    ] {
        let guard = Guard { failed, succeeded, ..form() };
        assert_eq!(
            guard.outcome(sign_in(), &answer),
            outcome,
            "{:?} {:?} {answer:?}",
            guard.failed,
            guard.succeeded
        );
    }
}

/// A page has parts that are not there, and nobody is locked out by them.
#[test]
fn a_status_of_http_basic_speaks_of_the_credentials_or_it_does_not() {
    use Outcome::{Failed, Passed};
    for (written, status, outcome) in [
        (&[401, 403][..], 401, Failed),
        (&[401, 403], 403, Failed),
        (&[401], 403, Passed),
        (&[], 403, Failed),
        (&[], 401, Failed),
        (&[401, 403], 404, Passed),
        (&[401, 403], 405, Passed),
        (&[401, 403], 304, Passed),
        (&[401, 403], 429, Failed),
        (&[401, 403], 500, Failed),
        (&[404], 404, Failed),
    ] {
        let basic = Guard { failed: signs(written, &[], &[]), ..guard(UserIn::Basic, &[]) };
        let answer = Answer { status, ..Answer::default() };
        assert_eq!(basic.outcome(sign_in(), &answer), outcome, "{written:?} {status}");
    }
}

/// Attack: compressed, cut off or padded until the text for a wrong password stands where nobody looks.
#[test]
fn attack_an_answer_that_was_not_read_whole_is_no_right_password() {
    let answer = Answer { status: 200, body: b"Welcome", ..Answer::default() };
    for (failed, outcome) in
        [(signs(&[], &[], &["Wrong"]), Outcome::Failed), (Signs::default(), Outcome::Succeeded)]
    {
        let guard = Guard { failed, succeeded: signs(&[], &[], &["Welcome"]), ..form() };
        assert_eq!(guard.outcome(sign_in(), &answer), outcome, "{:?}", guard.failed);
    }
}

/// A sign-in like any other.
fn sign_in() -> Attempt<'static> {
    Attempt { method: "POST", is_exact_path: true, named: Named::Once, is_authenticated: false }
}

/// Attack: what the client sends comes back in the answer to a wrong password, and looks like the right one's.
#[test]
fn attack_an_answer_that_repeats_what_the_client_sent_proves_nothing() {
    let guard = Guard { succeeded: signs(&[], &[], &["Welcome"]), ..form() };
    for (sent, outcome) in
        [("username=alex", Outcome::Succeeded), ("username=alex&x=Welcome", Outcome::Failed)]
    {
        let answer =
            Answer { status: 200, body: b"<p>Welcome</p>", sent: sent.as_bytes(), ..Answer::default() };
        assert_eq!(guard.outcome(sign_in(), &answer), outcome, "{sent}");
    }
}

#[test]
fn a_star_is_anything() {
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
