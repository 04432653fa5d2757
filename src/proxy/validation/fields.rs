//! Header names: which only a proxy may write, which are hop-by-hop, which may occur only once.

use http::{HeaderMap, HeaderName, header};

use super::{Ambiguity, target_headers::replaces_target};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Forwarded unchanged.
    Plain,
    /// May occur only once: a reader of the first and a reader of the last would see two requests.
    Single,
    /// Of this connection, not of the message (RFC 9110 §7.6.1).
    Connection,
    /// Identifies the user or the client: written by proxies, trusted by back ends.
    ProxyOnly,
}

/// Prefixes of names that only a proxy writes: Doorward's, and those of other proxies that a portal may
/// trust. Those that replace the target of a request are in `target_headers`.
const PROXY_ONLY_X_PREFIXES: [&str; 26] = [
    "x-auth-request-",
    "x-remote-",
    "x-real-ip",
    "x-originating-",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-scheme",
    "x-url-scheme",
    "x-jwt-assertion",
    "x-wso2-",
    "x-webauth-",
    "x-authentik-",
    "x-pomerium-",
    "x-vouch-",
    "x-authenticated-",
    "x-proxyuser-",
    "x-consumer-",
    "x-credential-",
    "x-amzn-oidc-",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-ssl-",
    "x-client-cert",
    "x-amzn-mtls-",
    "x-arr-clientcert",
];

/// Those of them in which proxies report the client's address.
const CLIENT_ADDRESS_HEADERS: [&str; 8] = [
    "forwarded",
    "x-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];

const OTHER_HOP_BY_HOP: [HeaderName; 8] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Which hop-by-hop headers are present, so that a request without them pays for no removal.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ConnectionFields {
    pub connection: bool,
    pub others: bool,
    /// A header in which a proxy reports the client's address.
    pub names_client: bool,
}

/// The kind of a name in lower case, with digits and `-`.
pub fn kind(name: &str) -> Kind {
    use Kind::{Connection, Plain, ProxyOnly, Single};
    match name.as_bytes().first() {
        Some(b'x') if name == "x-wso2-tenant" => Single,
        Some(b'x')
            if PROXY_ONLY_X_PREFIXES.iter().any(|start| name.starts_with(start)) || replaces_target(name) =>
        {
            ProxyOnly
        }
        Some(b'a') if name == "authorization" => Single,
        Some(b'c') => match name {
            "connection" => Connection,
            "content-length" | "content-type" | "content-range" | "content-location" => Single,
            "client-ip" | "cf-connecting-ip" | "client-cert" | "client-cert-chain" => ProxyOnly,
            _ if name.starts_with("cf-access-") => ProxyOnly,
            _ => Plain,
        },
        Some(b'e') if name == "expect" => Single,
        Some(b'f') => match name {
            "forwarded" | "front-end-https" | "fastly-client-ip" => ProxyOnly,
            _ => Plain,
        },
        Some(b'h') if name == "http2-settings" => Connection,
        Some(b'i') if name.starts_with("iv-") => ProxyOnly,
        Some(b'k') if name == "keep-alive" => Connection,
        Some(b'o') if name == "origin" => Single,
        Some(b'o') if name.starts_with("oidc-") || name.starts_with("oam-") => ProxyOnly,
        Some(b'p') => match name {
            "proxy-connection" | "proxy-authenticate" | "proxy-authorization" => Connection,
            // httpoxy: becomes HTTP_PROXY in CGI programs
            "proxy" => ProxyOnly,
            _ if name.starts_with("proxy-") || replaces_target(name) => ProxyOnly,
            _ => Plain,
        },
        Some(b'r') if name == "range" || name == "referer" => Single,
        Some(b'r') if name.starts_with("remote-") || replaces_target(name) => ProxyOnly,
        Some(b's') if name.starts_with("sec-fetch-") || name == "sec-websocket-key" => Single,
        Some(b's') if name.starts_with("ssl-client-") || replaces_target(name) => ProxyOnly,
        // SiteMinder's are many: SM_USER, SM_USERDN, SM_AUTHTYPE …
        Some(b's') if name.starts_with("sm-") => ProxyOnly,
        Some(b't') => match name {
            "te" | "transfer-encoding" => Connection,
            "true-client-ip" => ProxyOnly,
            _ if name.starts_with("tailscale-") => ProxyOnly,
            _ => Plain,
        },
        Some(b'u') if name == "upgrade" => Connection,
        Some(b'w') if name == "wso2-identity-user" => ProxyOnly,
        _ => Plain,
    }
}

/// Trailers must not contain fields that are forbidden as headers: back ends that merge them would trust an identity or a tenant
/// (RFC 9110 §6.5.1 forbids what frames, routes or authenticates).
pub fn clean_trailers(trailers: &mut HeaderMap) {
    let forbidden: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| {
            folded_kind(name.as_str()).0 != Kind::Plain
                || [header::HOST, header::COOKIE, header::AUTHORIZATION, header::CONTENT_LENGTH]
                    .contains(name)
        })
        .cloned()
        .collect();
    for name in forbidden {
        trailers.remove(name);
    }
}

/// A name as back ends fold it that turn names into variables: they treat every character but letters and digits alike.
pub(super) fn folded_kind(name: &str) -> (Kind, bool) {
    if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return (kind(name), false);
    }
    // every known name is shorter than the buffer
    let mut buffer = [0_u8; 64];
    let mut length = 0;
    for (to, from) in buffer.iter_mut().zip(name.bytes()) {
        *to = if from.is_ascii_alphanumeric() { from.to_ascii_lowercase() } else { b'-' };
        length += 1;
    }
    let folded = buffer.get(..length).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default();
    (kind(folded), true)
}

pub(super) fn validate(headers: &mut HeaderMap) -> Result<ConnectionFields, Ambiguity> {
    let mut seen = ConnectionFields::default();
    let mut drop: Vec<HeaderName> = Vec::new();
    let repeats = headers.len() != headers.keys_len();
    for name in headers.keys() {
        match folded_kind(name.as_str()) {
            (Kind::Plain, _) => {}
            // another spelling of a security header
            (_, true) => drop.push(name.clone()),
            (Kind::ProxyOnly, false) => {
                seen.names_client |= CLIENT_ADDRESS_HEADERS.contains(&name.as_str());
                drop.push(name.clone());
            }
            (Kind::Connection, false) if *name == header::CONNECTION => seen.connection = true,
            (Kind::Connection, false) => seen.others = true,
            (Kind::Single, false) if repeats && headers.get_all(name).iter().nth(1).is_some() => {
                return Err(if *name == header::CONTENT_LENGTH {
                    Ambiguity::BodyLength
                } else {
                    Ambiguity::RepeatedHeader
                });
            }
            (Kind::Single, false) => {}
        }
    }
    for name in drop {
        headers.remove(name);
    }
    validate_body_length(headers, seen)?;
    Ok(seen)
}

/// Request smuggling is possible if two programs see the body end in different places.
fn validate_body_length(headers: &HeaderMap, seen: ConnectionFields) -> Result<(), Ambiguity> {
    let length = headers.get(header::CONTENT_LENGTH);
    if length.is_some_and(|length| content_length(length.as_bytes()).is_none()) {
        return Err(Ambiguity::BodyLength);
    }
    if seen.others {
        let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
        match (codings.next(), codings.next()) {
            (None, _) => {}
            (Some(_), _) if length.is_some() => return Err(Ambiguity::BodyLength),
            (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {}
            // another coding would be lost on the hop, and the body with it
            (Some(_), _) => return Err(Ambiguity::TransferCoding),
        }
    }
    Ok(())
}

/// The value of `Content-Length`: digits only, and a number that fits into a signed 64-bit integer, because a recipient that
/// stores it in one would read another length (RFC 9110 §8.6).
pub fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok().filter(|length| i64::try_from(*length).is_ok())
}

pub(super) fn remove_connection(headers: &mut HeaderMap, seen: ConnectionFields) {
    if seen.connection {
        headers.remove(header::CONNECTION);
    }
    if seen.others {
        for name in &OTHER_HOP_BY_HOP {
            headers.remove(name);
        }
    }
}
