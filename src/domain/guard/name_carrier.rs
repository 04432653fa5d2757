//! The value by which a portal remembers a user name between its name page and its password page.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{AmbiguousLogin, GuardedHead, form, json};
use crate::domain::path::readings::Readings;

/// A cookie, a field of the body or a parameter of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameCarrier {
    Cookie(String),
    Field(String),
    Query(String),
}

/// Longer ones are not remembered.
const MAX_VALUE: usize = 4096;
/// A session identifier has at least this many characters (64 bits in Base64), because clients could guess a shorter one. A
/// shorter text before a dot is taken for a version (`v4.public.…`), which many sessions share.
const MIN_ID: usize = 11;

impl NameCarrier {
    /// `cookie:sid`, `field:flow`, `query:execution`.
    pub fn parse(written: &str) -> Option<Self> {
        let (kind, name) = written.split_once(':')?;
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !b"=;,\"\\".contains(&b));
        match (is_name, kind) {
            (true, "cookie") => Some(Self::Cookie(name.to_owned())),
            (true, "field") => Some(Self::Field(name.to_owned())),
            (true, "query") => Some(Self::Query(name.to_owned())),
            _ => None,
        }
    }

    pub fn to_text(&self) -> String {
        match self {
            Self::Cookie(name) => format!("cookie:{name}"),
            Self::Field(name) => format!("field:{name}"),
            Self::Query(name) => format!("query:{name}"),
        }
    }

    /// The value in a request; two values are ambiguous.
    pub fn value_in_request(
        &self,
        head: &GuardedHead<'_>,
        cookies: &str,
        body: &[u8],
    ) -> Result<Option<String>, AmbiguousLogin> {
        let is_json = head.content_type.is_some_and(|written| written.to_ascii_lowercase().contains("json"));
        let found = match self {
            Self::Cookie(name) => {
                let found = in_cookies(name, cookies)?;
                if names_other_session(head.path, found.as_deref()) {
                    return Err(AmbiguousLogin::LookalikeField);
                }
                found
            }
            Self::Query(name) => form::value(&[name], head.query.unwrap_or_default().as_bytes())?,
            Self::Field(_) if body.is_empty() => None,
            Self::Field(name) if is_json => json::member(std::slice::from_ref(name), body)?,
            Self::Field(name) => form::value(&[name], body)?,
        };
        Ok(found.and_then(|value| normalized(&value)))
    }

    /// The value that a response sets: in `Set-Cookie`, or in the query of `Location`.
    pub fn value_in_response<'a>(
        &self,
        location: Option<&str>,
        set_cookies: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let found = match self {
            // the last, as in browsers; an empty one deletes the cookie, perhaps of another path
            Self::Cookie(name) => set_cookies
                .filter_map(|line| {
                    let (found, value) = line.split(';').next()?.split_once('=')?;
                    (found.trim() == name && !value.trim().is_empty()).then(|| value.trim().to_owned())
                })
                .last(),
            Self::Query(name) => {
                let (_, query) = location?.split_once('?')?;
                let query = query.split('#').next().unwrap_or_default();
                form::value(&[name], query.as_bytes()).ok().flatten()
            }
            Self::Field(_) => None,
        };
        found.and_then(|value| normalized(&value))
    }
}

/// The canonical form of a value that portals accept in several encodings: `"S1"` is `S1` to Tomcat, `s%3AS1` is `s:S1` to Express.
fn normalized(value: &str) -> Option<String> {
    let value = percent_encoding::percent_decode_str(value.trim().trim_matches('"')).decode_utf8_lossy();
    let value = id(&value);
    (!value.is_empty() && value.len() <= MAX_VALUE).then(|| value.to_owned())
}

/// The value without what some portals do not compare: the name of a node after `.` (Tomcat, Jetty, WildFly), `!` (WebLogic) or `:`
/// (WebSphere), and a signature after the last dot (Express). The first part of a token (JWT, Flask, Django) is the same or alike in
/// many sessions, so a token is only cut before its signature.
fn id(value: &str) -> &str {
    let mut separators = value.match_indices(['.', '!', ':']).map(|(at, _)| at);
    let first = value.split(['.', '!', ':']).next().unwrap_or_default();
    // Django and Flask write a dot before compressed data
    let is_token = value.starts_with('.') || is_json_object(first);
    let end = if is_token {
        value.rfind('.').filter(|at| *at >= MIN_ID)
    } else {
        separators.find(|at| *at >= MIN_ID)
    };
    end.and_then(|end| value.get(..end)).unwrap_or(value)
}

/// In Base64, as the header of a JWT. The first letters are not enough: an identifier of a session can begin with them, too.
fn is_json_object(part: &str) -> bool {
    let decoded = URL_SAFE_NO_PAD.decode(part.trim_end_matches('='));
    decoded.is_ok_and(|json| serde_json::from_slice::<serde_json::Map<_, _>>(&json).is_ok())
}

/// Whether a servlet container may take the session from the path (`/login;jsessionid=A`) and not from the cookie.
fn names_other_session(path: &str, cookie: Option<&str>) -> bool {
    let is_other = |parameter: &str| {
        let value = parameter.split_once('=').map(|(_, value)| value);
        value.is_none() || value != cookie
    };
    Readings::of(path)
        .any(|reading| reading.split('/').flat_map(|segment| segment.split(';').skip(1)).any(is_other))
}

fn in_cookies(name: &str, cookies: &str) -> Result<Option<String>, AmbiguousLogin> {
    let mut found = None;
    for cookie in cookies.split(';') {
        // some portals also separate cookies at `,` (RFC 2965)
        if cookie.split(',').skip(1).any(|part| value_of(name, part).is_some()) {
            return Err(AmbiguousLogin::LookalikeField);
        }
        let Some(value) = value_of(name, cookie) else { continue };
        // portals disagree about where a value with other characters ends (RFC 6265 section 4.1.1)
        if !value.trim_matches('"').bytes().all(is_cookie_octet) {
            return Err(AmbiguousLogin::Encoding);
        }
        if found.replace(value.to_owned()).is_some() {
            return Err(AmbiguousLogin::DuplicateName);
        }
    }
    Ok(found)
}

fn value_of<'a>(name: &str, cookie: &'a str) -> Option<&'a str> {
    let (sent, value) = cookie.split_once('=')?;
    sent.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_portal_session_in_the_configured_place() {
        let head = GuardedHead {
            query: Some("tab=1&flow=Q"),
            content_type: Some("application/x-www-form-urlencoded"),
            ..GuardedHead::default()
        };
        for (carrier, found) in [
            ("cookie:sid", Some("C")),
            ("cookie:other", None),
            ("field:flow", Some("B")),
            ("query:flow", Some("Q")),
            ("query:none", None),
        ] {
            let carrier = NameCarrier::parse(carrier).unwrap();
            assert_eq!(NameCarrier::parse(&carrier.to_text()), Some(carrier.clone()));
            let value = carrier.value_in_request(&head, "a=1; sid=C", b"flow=B&password=x").unwrap();
            assert_eq!(value.as_deref(), found, "{carrier:?}");
        }
        for written in ["sid", "cookie:", "cookie:a b", "header:x", "cookie:a;b"] {
            assert_eq!(NameCarrier::parse(written), None, "{written}");
        }
    }

    #[test]
    fn attack_two_portal_sessions_in_one_request() {
        let cookie = NameCarrier::Cookie("sid".to_owned());
        for cookies in ["sid=1; sid=2", "sid=1; SID=2"] {
            assert_eq!(
                cookie.value_in_request(&GuardedHead::default(), cookies, b""),
                Err(AmbiguousLogin::DuplicateName),
                "{cookies}"
            );
        }
        let query = NameCarrier::Query("flow".to_owned());
        let head = GuardedHead { query: Some("flow=1&flow[]=2"), ..GuardedHead::default() };
        assert_eq!(query.value_in_request(&head, "", b""), Err(AmbiguousLogin::LookalikeField));
    }

    /// Attack: the portal session of the victim's name in a spelling that only the portal treats as equal.
    #[test]
    fn attack_another_spelling_of_the_portal_session() {
        let cookie = NameCarrier::Cookie("sid".to_owned());
        for cookies in ["sid=s:1", "sid=s%3A1", "sid=\"s:1\"", "sid= s%3a1 "] {
            let value = cookie.value_in_request(&GuardedHead::default(), cookies, b"").unwrap();
            assert_eq!(value.as_deref(), Some("s:1"), "{cookies}");
        }
    }

    /// Attack: the client changes the node name of its Jetty session, so that the guard knows no user name for the value.
    #[test]
    fn attack_another_node_name_in_the_portal_session() {
        let cookie = NameCarrier::Cookie("sid".to_owned());
        let id = "node01abcdefghij0";
        for value in [
            id.to_owned(),
            format!("{id}.node0"),
            format!("{id}.x1"),
            format!("{id}."),
            format!("{id}%2enode0"),
            format!("{id}.node0.x"),
            format!("{id}!1203475!-98765!1700000000"),
            format!("{id}%21node"),
            format!("{id}:clone1"),
            format!("{id}:clone1.x"),
            format!("{id}.x:y!z"),
            format!("\"{id}.node0\""),
            format!("{id}.{}", "x".repeat(200)),
        ] {
            let read =
                cookie.value_in_request(&GuardedHead::default(), &format!("sid={value}"), b"").unwrap();
            assert_eq!(read.as_deref(), Some(id), "{value}");
            let line = format!("sid={value}; Path=/");
            let given = cookie.value_in_response(None, std::iter::once(line.as_str()));
            assert_eq!(given.as_deref(), Some(id), "{value}");
        }
        for (value, read) in [
            ("s%3Aabcdefghijklmnop.c2lnbmF0dXJl", "s:abcdefghijklmnop"),
            ("0000abcdefghijklmnopqrstuvw:-1", "0000abcdefghijklmnopqrstuvw"),
            // begins as a JWT does, and is none
            ("eyJabcdefghij!x", "eyJabcdefghij"),
            // tokens: their first part is the same in many sessions
            ("eyJhbGciOiJIUzI1NiJ9.payload.signature", "eyJhbGciOiJIUzI1NiJ9.payload"),
            ("eyJhbGciOiJkaXIifQ.key.iv.text.tag", "eyJhbGciOiJkaXIifQ.key.iv.text"),
            ("eyJuYW1lIjoiYSJ9:1abcde:signature", "eyJuYW1lIjoiYSJ9:1abcde:signature"),
            (".eJyrVkrLz1eyUkpKLFKqBQA.aBcDeF.signature", ".eJyrVkrLz1eyUkpKLFKqBQA.aBcDeF"),
            ("v4.public.payload", "v4.public.payload"),
            // these differ after the dot
            ("v4.public", "v4.public"),
            ("urn:uuid:1234", "urn:uuid:1234"),
            ("1.abcdefghijklmnop", "1.abcdefghijklmnop"),
        ] {
            let found =
                cookie.value_in_request(&GuardedHead::default(), &format!("sid={value}"), b"").unwrap();
            assert_eq!(found.as_deref(), Some(read), "{value}");
        }
    }

    /// Attack: the portal session is where only the portal finds it, or has a value that only the portal truncates.
    #[test]
    fn attack_cookies_that_portals_separate_otherwise() {
        let cookie = NameCarrier::Cookie("sid".to_owned());
        for (cookies, doubt) in [
            ("a=1, sid=X", AmbiguousLogin::LookalikeField),
            ("a=1,SID=X; b=2", AmbiguousLogin::LookalikeField),
            ("a=\"1, sid=X\"", AmbiguousLogin::LookalikeField),
            ("sid=X, b=2", AmbiguousLogin::Encoding),
            ("sid=X b", AmbiguousLogin::Encoding),
            ("sid=\"X\"b", AmbiguousLogin::Encoding),
            ("sid=X\u{fffd}", AmbiguousLogin::Encoding),
        ] {
            assert_eq!(
                cookie.value_in_request(&GuardedHead::default(), cookies, b""),
                Err(doubt),
                "{cookies}"
            );
        }
        for cookies in ["sid=X; a=\u{fffd}", "a=1,2; sid=X", "a={\"b\":1,\"c\":2}; sid=X"] {
            let value = cookie.value_in_request(&GuardedHead::default(), cookies, b"").unwrap();
            assert_eq!(value.as_deref(), Some("X"), "{cookies}");
        }
    }

    #[test]
    fn an_answer_may_begin_the_portal_session() {
        let cookie = NameCarrier::Cookie("sid".to_owned());
        let lines = ["other=1", "sid=N; Path=/; HttpOnly"];
        assert_eq!(cookie.value_in_response(None, lines.into_iter()).as_deref(), Some("N"));
        let lines = ["sid=old; Path=/", "sid=N; Path=/", "sid=; Path=/login; Max-Age=0"];
        assert_eq!(
            cookie.value_in_response(None, lines.into_iter()).as_deref(),
            Some("N"),
            "browsers keep the last"
        );
        let query = NameCarrier::Query("flow".to_owned());
        let location = Some("/login/password?flow=N&x=1#y");
        assert_eq!(query.value_in_response(location, std::iter::empty()).as_deref(), Some("N"));
    }
}
