//! Hop-by-hop headers: evaluated, then removed, before Doorward writes any header of its own.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    Ambiguity, ConnectionOptions,
    fields::{self, ConnectionFields, Kind},
};

pub(super) fn remove_hop_by_hop(
    headers: &mut HeaderMap,
    seen: ConnectionFields,
) -> Result<ConnectionOptions, Ambiguity> {
    let mut wants_upgrade = false;
    let mut nominated: Vec<HeaderName> = Vec::new();
    if seen.connection {
        for token in tokens(headers, &header::CONNECTION) {
            match token? {
                t if t.eq_ignore_ascii_case("keep-alive") || t.eq_ignore_ascii_case("close") => {}
                t if t.eq_ignore_ascii_case("upgrade") => wants_upgrade = true,
                t => nominated.push(parse_nomination(t)?),
            }
        }
    }
    let mut cleaned =
        ConnectionOptions { has_forwarding_headers: seen.names_client, ..ConnectionOptions::default() };
    if seen.others {
        for token in tokens(headers, &header::TE) {
            cleaned.accepts_trailers |= token?.split(';').any(|t| t.trim().eq_ignore_ascii_case("trailers"));
        }
        if wants_upgrade {
            cleaned.upgrade = upgrade_header(headers)?;
        }
    }
    for name in nominated {
        headers.remove(name);
    }
    fields::remove_connection(headers, seen);
    Ok(cleaned)
}

/// The tokens of a list header over all its lines.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Result<&'h str, Ambiguity>> {
    headers.get_all(name).iter().flat_map(|value| {
        let text = value.to_str().map_err(|_| Ambiguity::ConnectionSyntax);
        let (text, problem) = match text {
            Ok(text) => (text, None),
            Err(problem) => ("", Some(Err(problem))),
        };
        let tokens = text.split(',').map(|t| t.trim_matches([' ', '\t'])).filter(|t| !t.is_empty()).map(Ok);
        problem.into_iter().chain(tokens)
    })
}

/// A nominated header is removed. That must not affect a security header.
fn parse_nomination(token: &str) -> Result<HeaderName, Ambiguity> {
    let name = HeaderName::from_bytes(token.as_bytes()).map_err(|_| Ambiguity::ConnectionSyntax)?;
    let written = name.as_str();
    let decides = matches!(fields::folded_kind(written).0, Kind::Single | Kind::ProxyOnly)
        || matches!(written, "host" | "cookie")
        || ["content-", "sec-", "access-control-"].iter().any(|start| written.starts_with(start));
    if decides { Err(Ambiguity::ConnectionNomination) } else { Ok(name) }
}

/// The one line that names protocols.
fn upgrade_header(headers: &HeaderMap) -> Result<Option<HeaderValue>, Ambiguity> {
    let mut values = headers.get_all(header::UPGRADE).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Ambiguity::ConnectionSyntax);
    }
    tokens(headers, &header::UPGRADE).try_for_each(|token| token.map(drop))?;
    Ok(first.cloned())
}
