//! Headers we write: who the user is and where the request came from, for the portal; and what of the portal's
//! answer is not for the browser.

use std::{fmt::Write as _, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{forwarded::Client, hygiene::cookies};
use crate::{
    config::model::HeaderProfile,
    domain::{identity::User, tenant::TenantId},
};

pub type IdentityHeaders = Arc<[(HeaderName, HeaderValue)]>;

/// The identity in the portal's words. Made once for each verified token and tenant; `requested` is the tenant whose
/// portal it is.
///
/// A visitor from another tenant is `name@tenant`, so that two people of the same name stay two people.
/// * `wso2`: the name as WSO2 writes it, always with its tenant (`alice@acme.com`, `admin@carbon.super`). WSO2's own
///   devportal reads none of these: it checks the bearer token itself, which is forwarded, and takes the tenant from
///   `X-WSO2-Tenant`, which the pipeline sets. `X-JWT-Assertion` is signed by WSO2's gateway, so we take a
///   client's out and write none.
/// * `oauth2-proxy`: what it sends to its upstream (`--pass-user-headers`).
/// * `authelia`: its `Remote-*`.
///
/// Values are UTF-8. A name that no header can carry (control characters) makes no identity at all; a group
/// with a comma or a control character is left out, because it would read as two.
pub fn identity_headers(profile: HeaderProfile, user: &User, requested: &TenantId) -> IdentityHeaders {
    let local = user.tenant == *requested;
    let name = match profile {
        HeaderProfile::None => return Arc::default(),
        HeaderProfile::OAuth2Proxy | HeaderProfile::Authelia if local => user.name.clone(),
        _ => format!("{}@{}", user.name, user.tenant),
    };
    let Some(name) = value(name).filter(|_| !user.name.is_empty()) else { return Arc::default() };
    let email = user.email.clone().and_then(value);
    let shown = user.display_name.clone().and_then(value);
    let groups = groups(&user.roles);
    let [for_name, for_shown, for_email, for_groups] = match profile {
        HeaderProfile::OAuth2Proxy => [
            HeaderName::from_static("x-forwarded-user"),
            HeaderName::from_static("x-forwarded-preferred-username"),
            HeaderName::from_static("x-forwarded-email"),
            HeaderName::from_static("x-forwarded-groups"),
        ],
        HeaderProfile::Authelia => [
            HeaderName::from_static("remote-user"),
            HeaderName::from_static("remote-name"),
            HeaderName::from_static("remote-email"),
            HeaderName::from_static("remote-groups"),
        ],
        HeaderProfile::Wso2 | HeaderProfile::None => [
            HeaderName::from_static("x-wso2-username"),
            HeaderName::from_static("x-wso2-display-name"),
            HeaderName::from_static("x-wso2-email"),
            HeaderName::from_static("x-wso2-roles"),
        ],
    };
    let mut headers = vec![(for_name, name)];
    headers.extend(shown.map(|v| (for_shown, v)));
    headers.extend(email.map(|v| (for_email, v)));
    headers.extend(groups.map(|v| (for_groups, v)));
    headers.into()
}

fn value(text: String) -> Option<HeaderValue> {
    let trimmed = text.trim() == text && !text.is_empty();
    trimmed.then(|| HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()).flatten()
}

fn groups(roles: &[String]) -> Option<HeaderValue> {
    let whole = |role: &&String| {
        !role.is_empty() && role.trim() == **role && !role.contains(|c: char| c == ',' || c.is_control())
    };
    value(roles.iter().filter(whole).map(String::as_str).collect::<Vec<_>>().join(","))
}

/// Where a request came from, ready to be sent. The same for all requests of a connection to one host.
#[derive(Debug, PartialEq, Eq)]
pub struct Origin {
    client: Client,
    host: HeaderValue,
    headers: [(HeaderName, HeaderValue); 4],
    text: Vec<u8>,
}

impl Origin {
    /// `host` is the request's `Host`, after hygiene; what a believed proxy was asked for goes before it.
    /// `None` when that is no host, which hygiene does not let through.
    pub fn new(client: &Client, host: &HeaderValue) -> Option<Self> {
        let asked = match client.host.as_deref() {
            Some(believed) => HeaderValue::from_str(believed).ok()?,
            None => host.clone(),
        };
        let proto = if client.https { "https" } else { "http" };
        let address = client.address.to_string();
        let mut forwarded = String::with_capacity(96);
        match client.address {
            std::net::IpAddr::V4(_) => write!(forwarded, "for={address}"),
            std::net::IpAddr::V6(_) => write!(forwarded, "for=\"[{address}]\""),
        }
        .ok()?;
        write!(forwarded, ";host=\"{}\";proto={proto}", asked.to_str().ok()?).ok()?;
        let headers = [
            (HeaderName::from_static("x-forwarded-for"), value(address)?),
            (HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static(proto)),
            (HeaderName::from_static("x-forwarded-host"), asked),
            (header::FORWARDED, value(forwarded)?),
        ];
        let line = |(name, value): &(HeaderName, HeaderValue)| {
            [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat()
        };
        let text = headers.iter().flat_map(line).collect();
        Some(Self { client: client.clone(), host: host.clone(), headers, text })
    }

    pub fn is_of(&self, client: &Client, host: &HeaderValue) -> bool {
        self.client == *client && self.host == *host
    }

    /// One client, the one we judged; a chain of proxies before us is of no use to the portal.
    pub fn insert(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }

    /// The same as lines of an HTTP/1.1 head.
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

const COUNT: usize = 7;
const OF_CONNECTION: [HeaderName; COUNT] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::UPGRADE,
    // would lead browsers around us
    header::ALT_SVC,
];

/// Takes out of the portal's answer what belongs to our connection with it, and cookies in our name. `switching` is
/// an accepted upgrade (101), which keeps its `Upgrade`. Trailers stay announced.
pub fn clean_response(headers: &mut HeaderMap, switching: bool) {
    // one look at the names there are is cheaper than a look-up for each that could be there
    let mut of_connection = [false; COUNT];
    let (mut chunked, mut sets_cookies) = (false, false);
    for name in headers.keys() {
        // none of them has another length than these, and most other names have
        if matches!(name.as_str().len(), 2 | 7 | 10 | 16 | 17 | 18) {
            for (seen, of_connection) in of_connection.iter_mut().zip(&OF_CONNECTION) {
                *seen |= name == of_connection;
            }
            chunked |= *name == header::TRANSFER_ENCODING;
            sets_cookies |= *name == header::SET_COOKIE;
        }
    }
    if of_connection.contains(&true) {
        clean_connection(headers, of_connection, switching);
    }
    // the length of a body that was sent in chunks is what the chunks say
    if chunked {
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    if sets_cookies {
        strip_own_set_cookie(headers);
    }
}

/// Trailers of the portal's answer may neither frame it nor set anything (RFC 9110 §6.5.1).
pub fn clean_response_trailers(trailers: &mut HeaderMap) {
    for name in OF_CONNECTION.iter().chain(&[
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::CONTENT_TYPE,
        header::SET_COOKIE,
        header::TRAILER,
    ]) {
        trailers.remove(name);
    }
}

fn clean_connection(headers: &mut HeaderMap, seen: [bool; COUNT], switching: bool) {
    let usual = |line: &HeaderValue| {
        line.as_bytes().eq_ignore_ascii_case(b"keep-alive") || line.as_bytes().eq_ignore_ascii_case(b"close")
    };
    if !headers.get_all(header::CONNECTION).iter().all(usual) {
        let nominated: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .filter_map(|token| HeaderName::from_bytes(token.trim().as_bytes()).ok())
            // what frames the body is the HTTP library's business, and cookies are no hop's
            .filter(|name| {
                *name != header::CONTENT_LENGTH && *name != header::SET_COOKIE && *name != header::UPGRADE
            })
            .collect();
        for name in nominated {
            headers.remove(name);
        }
    }
    let upgrade = if switching { headers.remove(header::UPGRADE) } else { None };
    for (name, _) in OF_CONNECTION.iter().zip(seen).filter(|(_, seen)| *seen) {
        headers.remove(name);
    }
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

/// A portal (or who found a way to write headers into it) must not plant a cookie of ours.
fn strip_own_set_cookie(headers: &mut HeaderMap) {
    let is_own = |line: &HeaderValue| cookies::is_own(line.as_bytes().trim_ascii_start());
    if !headers.get_all(header::SET_COOKIE).iter().any(is_own) {
        return;
    }
    let kept: Vec<_> =
        headers.get_all(header::SET_COOKIE).iter().filter(|line| !is_own(line)).cloned().collect();
    headers.remove(header::SET_COOKIE);
    for line in kept {
        headers.append(header::SET_COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::hygiene::fields::{Kind, kind};

    fn alice() -> User {
        User {
            name: "alice".into(),
            tenant: TenantId::parse("acme.com").unwrap(),
            email: Some("alice@acme.com".into()),
            display_name: Some("Alice Lidell".into()),
            roles: vec!["Internal/subscriber".into(), "admin".into()],
            scopes: vec![],
            expires_at: 0,
        }
    }

    fn written(profile: HeaderProfile, user: &User, requested: &str) -> Vec<String> {
        identity_headers(profile, user, &TenantId::parse(requested).unwrap())
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect()
    }

    #[test]
    fn profiles() {
        assert_eq!(
            written(HeaderProfile::Wso2, &alice(), "acme.com"),
            [
                "x-wso2-username: alice@acme.com",
                "x-wso2-display-name: Alice Lidell",
                "x-wso2-email: alice@acme.com",
                "x-wso2-roles: Internal/subscriber,admin"
            ]
        );
        assert_eq!(
            written(HeaderProfile::OAuth2Proxy, &alice(), "acme.com"),
            [
                "x-forwarded-user: alice",
                "x-forwarded-preferred-username: Alice Lidell",
                "x-forwarded-email: alice@acme.com",
                "x-forwarded-groups: Internal/subscriber,admin"
            ]
        );
        assert_eq!(
            written(HeaderProfile::Authelia, &alice(), "acme.com"),
            [
                "remote-user: alice",
                "remote-name: Alice Lidell",
                "remote-email: alice@acme.com",
                "remote-groups: Internal/subscriber,admin"
            ]
        );
        assert_eq!(written(HeaderProfile::None, &alice(), "acme.com"), [""; 0]);
    }

    #[test]
    fn a_visitor_is_not_mistaken_for_a_local_of_the_same_name() {
        for profile in [HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia, HeaderProfile::Wso2] {
            let headers = written(profile, &alice(), "other.com");
            assert!(headers[0].ends_with(": alice@acme.com"), "{headers:?}");
        }
    }

    #[test]
    fn header_injection_through_claims_is_impossible() {
        for name in ["", "a\r\nX-WSO2-Roles: admin", "a\0", "a\u{7f}", "a\n"] {
            let user = User { name: name.into(), ..alice() };
            for profile in [HeaderProfile::Wso2, HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia] {
                assert!(written(profile, &user, "acme.com").is_empty(), "{name:?}");
            }
        }
        let user = User {
            email: Some("a\r\nb".into()),
            display_name: Some("Zoë".into()),
            roles: ["x,admin", "a\nb", "", " b", "user"].map(String::from).to_vec(),
            ..alice()
        };
        assert_eq!(
            written(HeaderProfile::Authelia, &user, "acme.com"),
            ["remote-user: alice", "remote-name: Zoë", "remote-groups: user"]
        );
        let nobody = User { roles: vec!["a,b".into()], email: None, display_name: None, ..alice() };
        assert_eq!(written(HeaderProfile::Authelia, &nobody, "acme.com"), ["remote-user: alice"]);
    }

    fn origin(address: &str, https: bool, believed: Option<&str>) -> Vec<String> {
        let client = Client { address: address.parse().unwrap(), https, host: believed.map(Into::into) };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6"));
        Origin::new(&client, &HeaderValue::from_static("portal.example:8443")).unwrap().insert(&mut headers);
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"]
            .map(|name| {
                assert_eq!(headers.get_all(name).iter().count(), 1);
                headers[name].to_str().unwrap().to_owned()
            })
            .to_vec()
    }

    #[test]
    fn the_portal_learns_where_a_request_came_from() {
        assert_eq!(
            origin("203.0.113.7", false, None),
            [
                "203.0.113.7",
                "http",
                "portal.example:8443",
                "for=203.0.113.7;host=\"portal.example:8443\";proto=http"
            ]
        );
        assert_eq!(
            origin("2001:db8::1", true, Some("a.example")),
            ["2001:db8::1", "https", "a.example", "for=\"[2001:db8::1]\";host=\"a.example\";proto=https"]
        );
    }

    /// CVE-2025-64484: whatever we write a client cannot write.
    #[test]
    fn t4_every_header_we_write_is_taken_from_clients() {
        for profile in [HeaderProfile::Wso2, HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia] {
            for (name, _) in identity_headers(profile, &alice(), &alice().tenant).iter() {
                assert_eq!(kind(name.as_str()), Kind::ByProxy, "{name}");
            }
        }
        let client = Client { address: [127, 0, 0, 1].into(), https: true, host: None };
        for (name, _) in &Origin::new(&client, &HeaderValue::from_static("a")).unwrap().headers {
            assert_eq!(kind(name.as_str()), Kind::ByProxy, "{name}");
        }
    }

    fn answer(lines: &[(&'static str, &'static str)], switching: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        clean_response(&mut headers, switching);
        let mut left: Vec<_> = headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        left.sort();
        left
    }

    #[test]
    fn the_portals_connection_is_not_the_browsers() {
        let lines = [
            ("connection", "close, X-Hop, Content-Length"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("proxy-authenticate", "Basic"),
            ("upgrade", "h2c"),
            ("alt-svc", "h3=\":9443\""),
            ("content-length", "5"),
            ("trailer", "digest"),
            ("content-type", "text/html"),
        ];
        assert_eq!(
            answer(&lines, false),
            ["content-length: 5", "content-type: text/html", "trailer: digest"]
        );
        assert_eq!(answer(&[("transfer-encoding", "chunked"), ("content-length", "5")], false), [""; 0]);
        let switch = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")];
        assert_eq!(
            answer(&switch, true),
            ["connection: upgrade", "sec-websocket-accept: x", "upgrade: websocket"]
        );
    }

    #[test]
    fn cookie_tossing_the_portal_cannot_set_our_cookies() {
        let lines = [
            ("set-cookie", "a=1; Path=/"),
            ("set-cookie", "__Host-doorward=planted; Path=/; Secure"),
            ("set-cookie", " doorward_x=1"),
            ("set-cookie", "b=2"),
        ];
        assert_eq!(answer(&lines, false), ["set-cookie: a=1; Path=/", "set-cookie: b=2"]);
    }
}
