//! The request line: method, form of the target, path and query. The portal gets path and query as they were sent.

use std::borrow::Cow;

use http::{Method, Uri, request::Parts, uri::PathAndQuery};

use super::{Ambiguity, HeadLimits};
use crate::domain::{
    own_path,
    path::{self, PathShape},
};

pub(super) fn validate(parts: &mut Parts, limits: HeadLimits) -> Result<PathShape, Ambiguity> {
    validate_method(&parts.method)?;
    // absolute form is for configured proxies; host::validate compares its host with `Host`
    if parts.uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(Ambiguity::Target);
    }
    // authority form has none, asterisk form is refused as a path
    let target = parts.uri.path_and_query().ok_or(Ambiguity::Target)?;
    // a page of Doorward has the encoded address of a page of the portal in its query
    if target.as_str().len() > limits.max_target_bytes && !target.path().starts_with(own_path::PREFIX) {
        return Err(Ambiguity::TargetTooLong);
    }
    let shape = PathShape::of(target.path()).map_err(Ambiguity::Path)?;
    // `http://host?query` has no path at all, which equals '/'
    if !target.as_str().starts_with('/') {
        let written = format!("/{}", target.as_str());
        set_path_and_query(parts, written)?;
    }
    Ok(shape)
}

/// Brings the path of a request that Doorward answers itself into its normal form; a path with more than one reading is refused.
pub(in crate::proxy) fn normalize_own_path(parts: &mut Parts) -> Result<(), Ambiguity> {
    let Cow::Owned(path) = path::normal_form(parts.uri.path()).map_err(Ambiguity::Path)? else {
        return Ok(());
    };
    let written = match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    set_path_and_query(parts, written)
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
