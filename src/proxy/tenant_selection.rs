//! Tenant selection: reads the tenant from every place of a request that can name one, and checks that they agree.
//!
//! The upstream trusts a header alone, so an anonymous client could pick the laxest tenant's policy.
//! Here every place is read, two different names are refused, and the forwarded request names the tenant it was evaluated for.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, request::Parts};
use percent_encoding::percent_decode_str;

use super::validation::{Ambiguity, set_path_and_query};
use crate::domain::tenant::{RequestedTenant, TenantId, TenantSource};

pub const X_WSO2_TENANT: HeaderName = HeaderName::from_static("x-wso2-tenant");

/// Query parameters that name a tenant, in the spelling the portal reads. Doorward ignores the case.
const PARAMETERS: [&str; 2] = ["tenant", "X-WSO2-Tenant-Q"];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantSelectionError {
    #[error("the request names the tenants {first} and {second}")]
    Conflict { first: RequestedTenant, second: RequestedTenant },
    #[error("the request names a tenant that cannot exist")]
    Invalid,
}

/// `by_host` is the tenant the host map has for the request's host. Costs no allocation if no tenant is named;
/// an empty value names none.
pub fn select_tenant(
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    by_host: Option<RequestedTenant>,
) -> Result<Option<TenantId>, TenantSelectionError> {
    let mut named = by_host;
    if let Some(written) = tenant_in_path(path) {
        merge_tenant(&mut named, written, TenantSource::Path)?;
    }
    for (_, value) in query.into_iter().flat_map(tenants_in_query) {
        merge_tenant(&mut named, &form_decode(value)?, TenantSource::Query)?;
    }
    for value in headers.get_all(X_WSO2_TENANT) {
        merge_tenant(
            &mut named,
            value.to_str().map_err(|_| TenantSelectionError::Invalid)?,
            TenantSource::Header,
        )?;
    }
    for value in query.into_iter().flat_map(tenants_in_lenient_query) {
        check_repeated(named.as_ref(), &form_decode(value)?)?;
    }
    Ok(named.map(|named| named.tenant))
}

/// A name that only lenient parsers read cannot select a tenant, it can only repeat the selected one.
fn check_repeated(named: Option<&RequestedTenant>, written: &str) -> Result<(), TenantSelectionError> {
    let written = written.trim();
    if written.is_empty() || named.is_some_and(|named| named.tenant.as_str() == written) {
        return Ok(());
    }
    let tenant = TenantId::parse(written).map_err(|_| TenantSelectionError::Invalid)?;
    let second = RequestedTenant { tenant, source: TenantSource::Query };
    Err(named.map_or(TenantSelectionError::Invalid, |first| TenantSelectionError::Conflict {
        first: first.clone(),
        second,
    }))
}

/// Makes the request name exactly this tenant, which `select_tenant` has found (or which is the default): other spellings of the
/// name in path and query are replaced by the normal form. Doorward writes the header itself (`UpstreamHeaders`).
pub fn normalize_tenant(parts: &mut Parts, tenant: &TenantId) -> Result<(), Ambiguity> {
    let normal = tenant.as_str();
    let path = parts.uri.path();
    let query = parts.uri.query();
    let path_is_normal = tenant_in_path(path).is_none_or(|written| written == normal);
    let is_normal = |pair: &str, name: &str| {
        pair.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).is_some_and(|value| value == normal)
    };
    let query_is_normal = query.is_none_or(|q| {
        q.split('&').all(|pair| tenant_parameter(pair).is_none_or(|(name, _)| is_normal(pair, name)))
    });
    if path_is_normal && query_is_normal {
        return Ok(());
    }
    let mut rewritten = match tenant_in_path(path) {
        Some(written) => {
            let rest = path.get("/t/".len() + written.len()..).unwrap_or_default();
            format!("/t/{normal}{rest}")
        }
        None => path.to_owned(),
    };
    for (at, pair) in query.into_iter().flat_map(|q| q.split('&')).enumerate() {
        rewritten.push(if at == 0 { '?' } else { '&' });
        match tenant_parameter(pair) {
            Some((name, _)) => {
                rewritten.push_str(name);
                rewritten.push('=');
                rewritten.push_str(normal);
            }
            None => rewritten.push_str(pair),
        }
    }
    set_path_and_query(parts, rewritten)
}

/// `/t/{tenant}` and `/t/{tenant}/…`
pub fn tenant_in_path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/t/")?;
    rest.split('/').next().filter(|segment| !segment.is_empty())
}

fn tenants_in_query(query: &str) -> impl Iterator<Item = (&'static str, &str)> {
    query.split('&').filter_map(tenant_parameter)
}

/// The parameter's name as the portal spells it, and its value as it was sent.
fn tenant_parameter(pair: &str) -> Option<(&'static str, &str)> {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let is = |name: &str| {
        if key.contains('%') {
            percent_decode_str(key)
                .map(|b| b.to_ascii_lowercase())
                .eq(name.bytes().map(|b| b.to_ascii_lowercase()))
        } else {
            key.eq_ignore_ascii_case(name)
        }
    };
    PARAMETERS.into_iter().find(|name| is(name)).map(|name| (name, value))
}

/// Values that some frameworks read as one of the parameters: they split pairs at `;` too, trim names, and take
/// `tenant[]` for a list called `tenant`.
fn tenants_in_lenient_query(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').flat_map(|whole| {
        whole.split(';').filter_map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let is_strict = pair.len() == whole.len() && tenant_parameter(pair).is_some();
            (!is_strict && is_lenient_name(key)).then_some(value)
        })
    })
}

fn is_lenient_name(key: &str) -> bool {
    let bytes = percent_decode_str(key).map(|byte| if byte == b'+' { b' ' } else { byte });
    let blank = |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control();
    let name =
        || bytes.clone().skip_while(blank).take_while(|byte| *byte != b'[').map(|b| b.to_ascii_lowercase());
    PARAMETERS.iter().any(|parameter| {
        let mut rest = name();
        parameter.bytes().all(|byte| rest.next() == Some(byte.to_ascii_lowercase()))
            && rest.all(|byte| blank(&byte))
    })
}

/// `application/x-www-form-urlencoded`
fn form_decode(value: &str) -> Result<Cow<'_, str>, TenantSelectionError> {
    if !value.contains(['%', '+']) {
        return Ok(Cow::Borrowed(value));
    }
    let spaced = value.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8().map_err(|_| TenantSelectionError::Invalid)?;
    Ok(Cow::Owned(text.into_owned()))
}

fn merge_tenant(
    named: &mut Option<RequestedTenant>,
    written: &str,
    place: TenantSource,
) -> Result<(), TenantSelectionError> {
    let written = written.trim_matches([' ', '\t']);
    let same = |named: &RequestedTenant| named.tenant.as_str().eq_ignore_ascii_case(written);
    if written.is_empty() || named.as_ref().is_some_and(same) {
        return Ok(());
    }
    let tenant = TenantId::parse(written).map_err(|_| TenantSelectionError::Invalid)?;
    let second = RequestedTenant { tenant, source: place };
    if let Some(first) = named.take() {
        return Err(TenantSelectionError::Conflict { first, second });
    }
    *named = Some(second);
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn parts(target: &str, header: Option<&str>) -> Parts {
        let mut request = Request::builder().uri(target);
        if let Some(header) = header {
            request = request.header(X_WSO2_TENANT, header.as_bytes());
        }
        request.body(()).unwrap().into_parts().0
    }

    fn select(
        target: &str,
        header: Option<&str>,
        host: Option<&str>,
    ) -> Result<Option<TenantId>, TenantSelectionError> {
        let parts = parts(target, header);
        let by_host = host.map(|name| RequestedTenant { tenant: tenant(name), source: TenantSource::Host });
        select_tenant(parts.uri.path(), parts.uri.query(), &parts.headers, by_host)
    }

    /// wso2/api-manager#2344: the parameter's name and the tenant's case are tolerated.
    #[test]
    fn reads_tenant_from_every_place_of_a_request() {
        for (target, header, host, names) in [
            ("/devportal/apis", None, None, None),
            ("/devportal/apis?tenants=a.com&x=tenant", None, None, None),
            ("/t", None, None, None),
            ("/t/", None, None, None),
            ("/tt/acme.com/x", None, None, None),
            ("/a/t/acme.com", None, None, None),
            ("/?tenant=", None, None, None),
            ("/?tenant", Some(""), None, None),
            ("/t/acme.com/x", None, None, Some("acme.com")),
            ("/t/acme.com", None, None, Some("acme.com")),
            ("/t/ACME.com/", None, None, Some("acme.com")),
            ("/?tenant=acme.com", None, None, Some("acme.com")),
            ("/?x&TENANT=Acme.COM&y", None, None, Some("acme.com")),
            ("/?tenant=+acme%2ecom%20", None, None, Some("acme.com")),
            ("/?%74enant=acme.com", None, None, Some("acme.com")),
            ("/?X-WSO2-Tenant-Q=acme.com", None, None, Some("acme.com")),
            ("/?x-wso2-tenant-q=acme.com", None, None, Some("acme.com")),
            ("/", Some(" ACME.com "), None, Some("acme.com")),
            ("/", None, Some("acme.com"), Some("acme.com")),
            (
                "/t/acme.com/?tenant=ACME.com&tenant=acme.com",
                Some("acme.COM"),
                Some("acme.com"),
                Some("acme.com"),
            ),
            ("/?tenant=&tenant=acme.com", None, None, Some("acme.com")),
        ] {
            assert_eq!(select(target, header, host), Ok(names.map(tenant)), "{target} {header:?} {host:?}");
        }
    }

    /// The upstream weakness: with a second name a client could pick the laxer tenant's policy.
    #[test]
    fn attack_tenant_shopping_with_two_names() {
        use TenantSource::{Header, Host, Path, Query};
        for (target, header, host, places) in [
            ("/t/acme.com/", Some("open.com"), None, [Path, Header]),
            ("/t/acme.com/?tenant=open.com", None, None, [Path, Query]),
            ("/?tenant=acme.com&tenant=open.com", None, None, [Query, Query]),
            ("/?tenant=acme.com&TENANT=open.com", None, None, [Query, Query]),
            ("/?tenant=acme.com&%54enant=open.com", None, None, [Query, Query]),
            ("/?tenant=acme.com&X-WSO2-Tenant-Q=open.com", None, None, [Query, Query]),
            ("/?tenant=acme.com", Some("open.com"), None, [Query, Header]),
            ("/", Some("open.com"), Some("acme.com"), [Host, Header]),
            ("/?tenant=open.com", None, Some("acme.com"), [Host, Query]),
            ("/t/open.com", None, Some("acme.com"), [Host, Path]),
        ] {
            let [first, second] = places;
            let conflict = TenantSelectionError::Conflict {
                first: RequestedTenant { tenant: tenant("acme.com"), source: first },
                second: RequestedTenant { tenant: tenant("open.com"), source: second },
            };
            assert_eq!(select(target, header, host), Err(conflict), "{target} {header:?} {host:?}");
        }
    }

    /// PHP and Rails read `tenant[]`, Python's older `parse_qs` and Perl split at `;`, PHP trims names.
    #[test]
    fn attack_tenant_shopping_in_lenient_query_syntax() {
        for target in [
            "/?a=1;tenant=closed.com",
            "/?;TENANT=closed.com",
            "/?tenant[]=closed.com",
            "/?tenant%5B%5D=closed.com",
            "/?tenant[0][x]=closed.com",
            "/?%20tenant=closed.com",
            "/?+tenant+=closed.com",
            "/?%09Tenant%00=closed.com",
            "/?x;X-WSO2-Tenant-Q[]=closed.com",
            "/?tenant[]=../etc",
        ] {
            assert!(select(target, None, None).is_err(), "{target}");
            assert!(select(target, Some("open.com"), None).is_err(), "{target}");
            let both = format!("{target}&tenant=open.com");
            assert!(select(&both, None, None).is_err(), "{both}");
        }
        assert!(select("/?tenant=open.com;tenant=closed.com", None, None).is_err());
        // the selected tenant may be repeated, in its normal spelling
        assert_eq!(select("/?a;tenant=acme.com", Some("acme.com"), None), Ok(Some(tenant("acme.com"))));
        assert!(select("/?a;tenant=ACME.com", Some("acme.com"), None).is_err());
        for target in ["/?a;b=1", "/?tenants[]=x", "/?q=a;tenantx=y", "/?tenant[]=", "/?x[tenant]=closed.com"]
        {
            assert_eq!(select(target, None, None), Ok(None), "{target}");
        }
    }

    #[test]
    fn rejects_invalid_tenant_names() {
        for (target, header) in [
            ("/t/..%20/x", None),
            ("/t/a%20b/x", None),
            ("/t/.hidden/x", None),
            ("/?tenant=../../etc", None),
            ("/?tenant=..%2f..%2fetc", None),
            ("/?tenant=a%00", None),
            ("/?tenant=%ff", None),
            ("/?tenant=a+b", None),
            ("/?tenant=a,b", None),
            ("/", Some("a/b")),
            ("/", Some("a, b")),
            ("/", Some("é")),
        ] {
            assert_eq!(
                select(target, header, None),
                Err(TenantSelectionError::Invalid),
                "{target} {header:?}"
            );
        }
    }

    #[test]
    fn forwarded_request_names_only_selected_tenant() {
        for (target, forwarded) in [
            ("/", "/"),
            ("/devportal/apis?q=x&&y=", "/devportal/apis?q=x&&y="),
            ("/a?tenant=acme.com&b", "/a?tenant=acme.com&b"),
            ("/a?tenant=ACME.com&b", "/a?tenant=acme.com&b"),
            ("/a?x=%20&%54ENANT=acme%2Ecom", "/a?x=%20&tenant=acme.com"),
            ("/a?tenant", "/a?tenant=acme.com"),
            ("/a?tenant=&x-wso2-tenant-q=Acme.com", "/a?tenant=acme.com&X-WSO2-Tenant-Q=acme.com"),
            ("/t/ACME.COM", "/t/acme.com"),
            ("/t/ACME.COM/x/t/Y?z", "/t/acme.com/x/t/Y?z"),
            ("http://h.example/t/ACME.COM/", "http://h.example/t/acme.com/"),
        ] {
            let mut request = parts(target, Some("ACME.com"));
            normalize_tenant(&mut request, &tenant("acme.com")).unwrap();
            assert_eq!(request.uri.to_string(), forwarded);
            // and a second reader finds the same tenant
            let again = select_tenant(request.uri.path(), request.uri.query(), &request.headers, None);
            assert_eq!(again, Ok(Some(tenant("acme.com"))));
        }
    }
}
