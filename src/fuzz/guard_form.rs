//! Sign-in requests to the portal's own login, as the login guard reads them.

use std::{borrow::Cow, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use serde_json::Value;

use super::header_line;
use crate::domain::guard::{
    AmbiguousLogin, GuardedHead, LoginClassification, LoginEndpoint, LoginGuard, LoginNameSource, MAX_BODY,
    ResponseSigns,
};

const FORM: &str = "application/x-www-form-urlencoded";
const MAX_NAME_BYTES: usize = 512;

/// The input is a request: its line, its headers, an empty line, its body.
///
/// - The name that the guard reads is the one that every parser of forms, JSON or Basic credentials finds, lenient or strict.
/// - Where the guard reads no name, no such parser finds one.
/// - A name in the query, and one in a body of another type (multipart above all), is refused.
/// - A name is bounded and printable, and one that is written again is read as the same name.
pub fn guard_form(data: &[u8]) {
    let Some((line, headers, body)) = request(data) else { return };
    if body.len() > MAX_BODY {
        return;
    }
    let mut words = line.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let head = GuardedHead {
        method,
        path,
        query,
        content_type: text("content-type"),
        content_encoding: text("content-encoding"),
        authorization: headers.get("authorization").map(http::HeaderValue::as_bytes),
    };
    for guard in &*GUARDS {
        let read = guard.classify(&head, body);
        let in_query = names(query.unwrap_or_default().as_bytes(), fields(guard));
        assert!(in_query.is_empty() || read.is_err(), "a name in the query: {read:?}");
        let Ok(reading) = read else { continue };
        if let LoginClassification::Named(name) = &reading {
            assert!(name.len() <= MAX_NAME_BYTES && !name.trim().is_empty(), "{name:?}");
            assert!(!name.contains(char::is_control), "{name:?}");
            is_read_as_written(guard, name);
        }
        match &guard.name_source {
            LoginNameSource::Basic => is_in_credentials(&reading, &head),
            // a body that the guard does not read
            _ if body.is_empty() || !guard.endpoint.accepts_method(method) => {
                assert!(!matches!(reading, LoginClassification::Named(_)), "{reading:?} of no body");
            }
            LoginNameSource::Json(_) => is_in_json(&reading, &head, body),
            LoginNameSource::Form(_) | LoginNameSource::PasswordGrant => {
                is_in_form(&reading, guard, &head, body);
            }
        }
    }
}

/// The fields in which a guard expects a name.
fn fields(guard: &LoginGuard) -> &'static [&'static str] {
    match guard.name_source {
        LoginNameSource::Form(_) | LoginNameSource::Json(_) => &["username", "email"],
        LoginNameSource::PasswordGrant => &["username"],
        LoginNameSource::Basic => &[],
    }
}

static GUARDS: LazyLock<Vec<LoginGuard>> = LazyLock::new(|| {
    let fields = || vec!["username".to_owned(), "email".to_owned()];
    [
        LoginNameSource::Form(fields()),
        LoginNameSource::Json(vec!["username".to_owned(), "/login/email".to_owned()]),
        LoginNameSource::PasswordGrant,
        LoginNameSource::Basic,
    ]
    .map(guard)
    .into()
});

fn guard(user: LoginNameSource) -> LoginGuard {
    let endpoint = LoginEndpoint {
        methods: vec!["POST".to_owned()],
        pattern: "/login".to_owned(),
        below_tenants: false,
    };
    LoginGuard {
        endpoint,
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

fn request(data: &[u8]) -> Option<(&str, HeaderMap, &[u8])> {
    let mut headers = HeaderMap::new();
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?.trim_ascii();
    let mut rest = lines.next()?;
    loop {
        let mut lines = rest.splitn(2, |byte| *byte == b'\n');
        let line = lines.next()?.trim_ascii();
        rest = lines.next().unwrap_or_default();
        if line.is_empty() {
            return Some((first, headers, rest));
        }
        headers.extend(header_line(line));
    }
}

/// The values that a lenient parser finds for a user name: fields end at `;` too, and names are compared without case, blanks,
/// brackets, and what follows a NUL.
fn names(form: &[u8], fields: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for pair in form.split(|byte| matches!(byte, b'&' | b';')) {
        for (name, value) in url::form_urlencoded::parse(pair) {
            let name = name.split('\0').next().unwrap_or_default().trim().to_lowercase();
            if fields.contains(&name.trim_end_matches("[]")) {
                found.push(value.into_owned());
            }
        }
    }
    found
}

fn is_in_form(reading: &LoginClassification, guard: &LoginGuard, head: &GuardedHead<'_>, body: &[u8]) {
    assert_eq!(media(head), FORM, "{reading:?} of another type");
    let found = names(body, fields(guard));
    let mut grants = url::form_urlencoded::parse(body).filter(|(name, _)| name == "grant_type");
    let grant = grants.next().map(|(_, grant)| grant.trim().to_ascii_lowercase());
    match reading {
        LoginClassification::Named(name) => assert_eq!(found, [name.as_str()]),
        // refused for the lack of a grant
        LoginClassification::Nameless
            if guard.name_source == LoginNameSource::PasswordGrant
                && grant.as_deref() != Some("password") => {}
        LoginClassification::Nameless => {
            assert!(found.iter().all(|name| name.trim().is_empty()), "{found:?}");
        }
        LoginClassification::NotLogin => {
            assert_eq!(guard.name_source, LoginNameSource::PasswordGrant);
            assert!(grant.is_some_and(|grant| grant != "password"), "a grant that has a password");
        }
    }
}

fn is_in_json(reading: &LoginClassification, head: &GuardedHead<'_>, body: &[u8]) {
    assert!(media(head).ends_with("json"), "{reading:?} of another type");
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut found = member(&document, "username");
    found.extend(member(&document, "login").into_iter().flat_map(|login| member(login, "email")));
    let texts: Vec<_> = found
        .into_iter()
        .filter(|value| !value.is_null())
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    match reading {
        LoginClassification::Named(name) => assert_eq!(texts, [name.as_str()]),
        LoginClassification::Nameless => {
            assert!(texts.iter().all(|name| name.trim().is_empty()), "{texts:?}");
        }
        LoginClassification::NotLogin => unreachable!("a body that is no attempt"),
    }
}

/// The members of an object under a name in any case.
fn member<'v>(object: &'v Value, wanted: &str) -> Vec<&'v Value> {
    let members = object.as_object().into_iter().flatten();
    members.filter(|(name, _)| name.trim().to_lowercase() == wanted).map(|(_, value)| value).collect()
}

fn is_in_credentials(reading: &LoginClassification, head: &GuardedHead<'_>) {
    let written = String::from_utf8_lossy(head.authorization.unwrap_or_default());
    let decoded = written.split_once(' ').and_then(|(_, encoded)| STANDARD.decode(encoded).ok());
    let decoded = decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let name = decoded.as_deref().and_then(|text| text.split_once(':')).map(|(name, _)| name);
    match reading {
        LoginClassification::Named(read) => assert_eq!(Some(read.as_str()), name),
        LoginClassification::NotLogin => {
            let is_basic = written.to_ascii_lowercase().starts_with("basic ") && head.method == "POST";
            assert!(!is_basic || name.is_some_and(|name| name.trim().is_empty()), "{written}");
        }
        LoginClassification::Nameless => unreachable!("credentials without a name are none"),
    }
}

fn media(head: &GuardedHead<'_>) -> String {
    let written = head.content_type.unwrap_or_default();
    written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_read_as_written(guard: &LoginGuard, name: &str) {
    let form = |grant: &[(&str, &str)]| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(grant).append_pair("username", name).append_pair("password", "x").finish()
    };
    let head = |content_type| GuardedHead {
        method: "POST",
        path: "/login",
        content_type: Some(content_type),
        ..GuardedHead::default()
    };
    let credentials = format!("Basic {}", STANDARD.encode(format!("{name}:x")));
    let (head, body): (_, Cow<'_, str>) = match guard.name_source {
        LoginNameSource::Form(_) => (head(FORM), form(&[]).into()),
        LoginNameSource::PasswordGrant => (head(FORM), form(&[("grant_type", "password")]).into()),
        LoginNameSource::Json(_) => {
            (head("application/json"), serde_json::json!({"username": name}).to_string().into())
        }
        LoginNameSource::Basic => {
            (GuardedHead { authorization: Some(credentials.as_bytes()), ..head(FORM) }, Cow::Borrowed(""))
        }
    };
    let again = guard.classify(&head, body.as_bytes());
    assert_eq!(again, Ok(LoginClassification::Named(name.to_owned())), "written and read again");
    if guard.name_source != LoginNameSource::Basic {
        let multipart = GuardedHead { content_type: Some("multipart/form-data; boundary=x"), ..head };
        assert_eq!(guard.classify(&multipart, body.as_bytes()), Err(AmbiguousLogin::MediaType));
    }
}
