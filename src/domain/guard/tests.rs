//! A guard as a whole: from a request to a name, and from an answer to what it means.

use super::{outcome::Answer, *};

fn guard(user: UserIn, methods: &[&str]) -> Guard {
    Guard {
        endpoint: Endpoint {
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            pattern: "/login".to_owned(),
        },
        user,
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

fn form() -> Guard {
    guard(UserIn::Form(vec!["username".to_owned(), "email".to_owned()]), &["POST"])
}

#[test]
fn names_come_from_the_body_and_nothing_else_is_a_sign_in() {
    let named = |body: &str| form().name(&post(None), body.as_bytes());
    assert_eq!(named("username=alex&password=x"), Ok(Some("alex".to_owned())));
    assert_eq!(named("email=alex%40acme.com"), Ok(Some("alex@acme.com".to_owned())));
    for body in ["", "consent=yes", "username=", "username=++"] {
        assert_eq!(named(body), Ok(None), "{body}");
    }
    // the page itself
    assert_eq!(form().name(&Head { method: "GET", path: "/login", ..Head::default() }, b""), Ok(None));
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
                    form().name(&head, body.as_bytes()),
                    Err(Doubt::InQuery),
                    "{method} {query} {body}"
                );
            }
        }
    }
    assert_eq!(form().name(&post(Some("next=/x&lang=de")), b"username=alex"), Ok(Some("alex".to_owned())));
    let json = guard(UserIn::Json(vec!["/login/email".to_owned()]), &[]);
    let head = Head { content_type: Some("application/json"), ..post(Some("email=x")) };
    assert_eq!(json.name(&head, b"{}"), Err(Doubt::InQuery));
}

#[test]
fn attack_control_characters_in_the_name() {
    for body in ["username=alex%00", "username=al%0Aex", "username=%C2%85alex", "username=alex%7F"] {
        assert_eq!(form().name(&post(None), body.as_bytes()), Err(Doubt::Control), "{body}");
    }
    let long = format!("username={}", "x".repeat(MAX_NAME + 1));
    assert_eq!(form().name(&post(None), long.as_bytes()), Err(Doubt::TooLong));
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
        assert_eq!(form().name(&head, b"username=alex"), Err(doubt));
    }
}

#[test]
fn only_password_grants_are_sign_ins() {
    let grant = guard(UserIn::PasswordGrant, &[]);
    let alex = Ok(Some("alex".to_owned()));
    for (body, said) in [
        ("grant_type=password&username=alex&password=x", alex.clone()),
        ("grant_type=Password+&username=alex&password=x", alex),
        ("grant_type=refresh_token&refresh_token=x", Ok(None)),
        ("grant_type=client_credentials&username=alex", Ok(None)),
        ("username=alex&password=x", Ok(None)),
        ("grant_type=client_credentials&grant_type=password&username=alex", Err(Doubt::Twice)),
        ("grant_type=refresh_token&Grant_Type=password&username=alex", Err(Doubt::Alike)),
        ("grant_type=password&username=decoy&username=alex", Err(Doubt::Twice)),
    ] {
        assert_eq!(grant.name(&post(None), body.as_bytes()), said, "{body}");
    }
    let query = grant.name(&post(Some("grant_type=password")), b"username=alex&password=x");
    assert_eq!(query, Err(Doubt::InQuery));
}

#[test]
fn basic_needs_no_body() {
    let basic = guard(UserIn::Basic, &[]);
    assert!(!basic.reads_body("POST") && form().reads_body("POST") && !form().reads_body("GET"));
    let head = Head { authorization: Some(b"Basic YWxleDpwYTpzcw=="), ..post(Some("username=x")) };
    assert_eq!(basic.name(&head, b""), Ok(Some("alex".to_owned())));
    assert_eq!(basic.name(&post(None), b""), Ok(None));
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
    let to = |status, location| Answer { status, location: Some(location), body: b"", is_whole: true };
    let plain =
        |status, body: &'static str| Answer { status, location: None, body: body.as_bytes(), is_whole: true };
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
            guard.outcome("/login", &answer),
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
        assert_eq!(basic.outcome("/login", &answer), outcome, "{written:?} {status}");
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
        assert_eq!(guard.outcome("/login", &answer), outcome, "{:?}", guard.failed);
    }
}

/// Attack: a counter that anybody can reset is none. What is answered at another spelling of the address may be a page that
/// everybody gets.
#[test]
fn attack_a_counter_reset_by_another_page() {
    let guard = Guard { succeeded: signs(&[200], &[], &[]), ..form() };
    let answer = Answer { status: 200, ..Answer::default() };
    assert_eq!(guard.outcome("/login", &answer), Outcome::Succeeded);
    for path in ["/Login", "/login/"] {
        assert_eq!(guard.outcome(path, &answer), Outcome::Passed, "{path}");
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
