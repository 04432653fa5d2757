//! The request line: method, form of the target, path and query.

use std::borrow::Cow;

use http::{Method, Uri, request::Parts, uri::PathAndQuery};

use super::{Ambiguity, MAX_TARGET_BYTES};
use crate::domain::path;

pub(super) fn validate(parts: &mut Parts) -> Result<(), Ambiguity> {
    validate_method(&parts.method)?;
    // absolute form is for configured proxies; host::validate compares its host with `Host`
    if parts.uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(Ambiguity::Target);
    }
    // authority form has none, asterisk form is refused as a path
    let target = parts.uri.path_and_query().ok_or(Ambiguity::Target)?;
    if target.as_str().len() > MAX_TARGET_BYTES {
        return Err(Ambiguity::TargetTooLong);
    }
    if let Some(query) = target.query()
        && !query.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
    {
        return Err(Ambiguity::QueryCharacter);
    }
    let path = path::normal_form(target.path()).map_err(Ambiguity::Path)?;
    // `http://host?query` has no path at all, which equals '/'
    let rewrite = matches!(path, Cow::Owned(_)) || !target.as_str().starts_with('/');
    if rewrite {
        let rewritten = match target.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.into_owned(),
        };
        set_path_and_query(parts, rewritten)?;
    }
    Ok(())
}

/// Replaces path and query, and leaves the rest of the URI unchanged.
pub(in crate::proxy) fn set_path_and_query(parts: &mut Parts, written: String) -> Result<(), Ambiguity> {
    let target =
        PathAndQuery::from_maybe_shared(bytes::Bytes::from(written)).map_err(|_| Ambiguity::Target)?;
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.path_and_query = Some(target);
    parts.uri = Uri::from_parts(uri).map_err(|_| Ambiguity::Target)?;
    Ok(())
}

/// TRACE echoes the request's headers, CONNECT opens a tunnel, PRI is HTTP/2's preface.
fn validate_method(method: &Method) -> Result<(), Ambiguity> {
    match *method {
        Method::GET
        | Method::POST
        | Method::HEAD
        | Method::PUT
        | Method::DELETE
        | Method::OPTIONS
        | Method::PATCH => Ok(()),
        Method::CONNECT | Method::TRACE => Err(Ambiguity::Method),
        ref other if ["PRI", "TRACK"].contains(&other.as_str()) => Err(Ambiguity::Method),
        // routes name methods in upper case; a server that folds case must not find another method there
        ref other if !other.as_str().bytes().all(|b| b.is_ascii_uppercase() || b == b'-') => {
            Err(Ambiguity::MethodCase)
        }
        _ => Ok(()),
    }
}
