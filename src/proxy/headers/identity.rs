//! Who the user is, for the portal.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::value;
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

fn groups(roles: &[String]) -> Option<HeaderValue> {
    let whole = |role: &&String| {
        !role.is_empty() && role.trim() == **role && !role.contains(|c: char| c == ',' || c.is_control())
    };
    value(roles.iter().filter(whole).map(String::as_str).collect::<Vec<_>>().join(","))
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

    /// CVE-2025-64484: whatever we write a client cannot write.
    #[test]
    fn t4_every_identity_header_is_taken_from_clients() {
        for profile in [HeaderProfile::Wso2, HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia] {
            for (name, _) in identity_headers(profile, &alice(), &alice().tenant).iter() {
                assert_eq!(kind(name.as_str()), Kind::ByProxy, "{name}");
            }
        }
    }
}
