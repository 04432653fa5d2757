//! Headers that identify the user to the portal.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::header_value;
use crate::{
    config::model::HeaderProfile,
    domain::{
        identity::{CrossTenantAccess, User},
        tenant::TenantId,
    },
};

pub type IdentityHeaders = Arc<[(HeaderName, HeaderValue)]>;

/// The identity headers of a profile. Built once for each verified token and tenant; `requested` is the tenant of the
/// portal, `cross_tenant` lists the tenants whose users are allowed. Two users never share a name (`unambiguous_name`).
///
/// * `wso2`: the name as WSO2 writes it, always with its tenant (`alice@acme.com`, `admin@carbon.super`). WSO2's own
///   devportal reads none of these: it checks the bearer token itself, which is forwarded, and takes the tenant from
///   `X-WSO2-Tenant`, which the pipeline sets. `X-JWT-Assertion` is signed by WSO2's gateway, so a
///   client's is removed and none is written.
/// * `oauth2-proxy`: what it sends to its upstream (`--pass-user-headers`). Portals use either of its two names to identify
///   a user, so both are the immutable one, and never the display name.
/// * `authelia`: its `Remote-*`.
///
/// Values are UTF-8. A name that no header can carry (control characters) gives no identity at all; a group
/// with a comma or a control character is omitted, because it would read as two.
pub fn identity_headers(
    profile: HeaderProfile,
    user: &User,
    requested: &TenantId,
    cross_tenant: &CrossTenantAccess,
) -> IdentityHeaders {
    let name = match profile {
        HeaderProfile::None => return Arc::default(),
        HeaderProfile::Wso2 => with_tenant(user),
        HeaderProfile::OAuth2Proxy | HeaderProfile::Authelia => {
            unambiguous_name(user, requested, cross_tenant)
        }
    };
    let Some(name) = header_value(name).filter(|_| !user.name.is_empty()) else { return Arc::default() };
    let email = user.email.clone().and_then(header_value);
    let display_name = match profile {
        HeaderProfile::OAuth2Proxy => Some(name.clone()),
        _ => user.display_name.clone().and_then(header_value),
    };
    let groups = groups(&user.roles);
    let [for_name, for_display_name, for_email, for_groups] = match profile {
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
    headers.extend(display_name.map(|v| (for_display_name, v)));
    headers.extend(email.map(|v| (for_email, v)));
    headers.extend(groups.map(|v| (for_groups, v)));
    headers.into()
}

fn with_tenant(user: &User) -> String {
    format!("{}@{}", user.name, user.tenant)
}

/// A user of another tenant is `name@tenant`. A user of the portal's own tenant has no suffix, except that where other tenants are
/// allowed no name may be ambiguous: one with an `@` gets its own tenant as a suffix, too, unless that is all it has (`alice@acme.com`
/// is WSO2's name of its alice). So a value without `@` is a local name, `a@tenant` with one `@` stands for `a` or for
/// itself and never for both, and the part in front of the last of several is the complete name.
fn unambiguous_name(user: &User, requested: &TenantId, cross_tenant: &CrossTenantAccess) -> String {
    // characters that a portal may normalize to `@`
    let has_at = |name: &str| name.contains(['@', '\u{ff20}', '\u{fe6b}']);
    let is_own = |name: &str| {
        name.rsplit_once('@').is_some_and(|(front, of)| of == requested.as_str() && !has_at(front))
    };
    let is_local = user.tenant == *requested;
    if is_local
        && (*cross_tenant == CrossTenantAccess::OwnTenantOnly || !has_at(&user.name) || is_own(&user.name))
    {
        user.name.clone()
    } else {
        with_tenant(user)
    }
}

fn groups(roles: &[String]) -> Option<HeaderValue> {
    let whole = |role: &&String| {
        !role.is_empty() && role.trim() == **role && !role.contains(|c: char| c == ',' || c.is_control())
    };
    header_value(roles.iter().filter(whole).map(String::as_str).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        account::{PRIMARY, names},
        time::Timestamp,
    };
    use crate::proxy::validation::fields::{Kind, kind};

    fn alice() -> User {
        User {
            name: "alice".into(),
            tenant: TenantId::parse("acme.com").unwrap(),
            email: Some("alice@acme.com".into()),
            display_name: Some("Alice Lidell".into()),
            roles: vec!["Internal/subscriber".into(), "admin".into()],
            scopes: vec![],
            expires_at: Timestamp::EPOCH,
        }
    }

    fn written(profile: HeaderProfile, user: &User, requested: &str) -> Vec<String> {
        identity_headers(profile, user, &TenantId::parse(requested).unwrap(), &CrossTenantAccess::AnyTenant)
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect()
    }

    #[test]
    fn writes_headers_of_each_profile() {
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
                "x-forwarded-preferred-username: alice",
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
    fn qualifies_users_of_other_tenants_with_their_tenant() {
        for profile in [HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia, HeaderProfile::Wso2] {
            let headers = written(profile, &alice(), "other.com");
            assert!(headers[0].ends_with(": alice@acme.com"), "{headers:?}");
        }
    }

    #[test]
    fn attack_header_injection_through_claims() {
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
        let user_without_email =
            User { roles: vec!["a,b".into()], email: None, display_name: None, ..alice() };
        assert_eq!(written(HeaderProfile::Authelia, &user_without_email, "acme.com"), ["remote-user: alice"]);
    }

    /// CVE-2025-64484: a client cannot send a header that Doorward writes.
    #[test]
    fn attack_client_sends_identity_headers() {
        for profile in [HeaderProfile::Wso2, HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia] {
            for (name, _) in
                identity_headers(profile, &alice(), &alice().tenant, &CrossTenantAccess::OwnTenantOnly).iter()
            {
                assert_eq!(kind(name.as_str()), Kind::ProxyOnly, "{name}");
            }
        }
    }

    const PROFILES: [HeaderProfile; 3] =
        [HeaderProfile::Wso2, HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia];

    #[test]
    fn attack_local_name_like_a_cross_tenant_user() {
        let named = |name: &str, cross_tenant| {
            let user = User { name: name.into(), ..alice() };
            let headers = identity_headers(HeaderProfile::Authelia, &user, &alice().tenant, &cross_tenant);
            headers[0].1.to_str().unwrap_or("?").to_owned()
        };
        for (name, expected) in [
            ("alice", "alice"),
            ("LDAP/alice", "LDAP/alice"),
            ("alice@acme.com", "alice@acme.com"),
            ("alice@other.com", "alice@other.com@acme.com"),
            ("alice@OTHER.com", "alice@OTHER.com@acme.com"),
            ("alice@", "alice@@acme.com"),
            ("x@acme.com@other.com", "x@acme.com@other.com@acme.com"),
            // otherwise it would equal the value two lines above
            ("alice@other.com@acme.com", "alice@other.com@acme.com@acme.com"),
        ] {
            let some = CrossTenantAccess::Listed(vec![TenantId::parse("other.com").unwrap()]);
            assert_eq!([named(name, CrossTenantAccess::AnyTenant), named(name, some)], [expected, expected]);
            assert_eq!(named(name, CrossTenantAccess::OwnTenantOnly), name, "no other tenant is allowed");
        }
    }

    /// A display name never identifies a user.
    #[test]
    fn attack_display_name_as_user_name() {
        let user = User { display_name: Some("admin".into()), ..alice() };
        for profile in [HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia] {
            let headers = written(profile, &user, "acme.com");
            assert!(
                !headers.iter().any(|line| line.contains("user") && line.contains(": admin")),
                "{headers:?}"
            );
        }
    }

    /// A user by the key that the store and tokens use.
    fn person() -> impl Strategy<Value = (String, String, String)> {
        let tenant = prop_oneof![Just("a.b"), Just("b"), Just("c")].prop_map(str::to_owned);
        let store = prop_oneof![Just(PRIMARY), Just("S"), Just("T")].prop_map(str::to_owned);
        let name = "[xy](@(a\\.b|b|c|B|)|\u{ff20}b|/?){0,3}".prop_map(|name| name.replace('/', "."));
        (tenant, store, name)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn attack_two_users_share_one_name(one in person(), other in person()) {
            prop_assume!(one != other);
            let user = |(tenant, store, name): &(String, String, String)| User {
                name: names::key(store, name),
                tenant: TenantId::parse(tenant).unwrap(),
                ..alice()
            };
            for profile in PROFILES {
                let name_header = |person| written(profile, &user(person), "a.b").into_iter().next();
                prop_assert_ne!(name_header(&one), name_header(&other), "{:?}", profile);
            }
        }
    }
}
