//! Who the user is, for the portal.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::value;
use crate::{
    config::model::HeaderProfile,
    domain::{
        identity::{CrossTenant, User},
        tenant::TenantId,
    },
};

pub type IdentityHeaders = Arc<[(HeaderName, HeaderValue)]>;

/// The identity in the portal's words. Made once for each verified token and tenant; `requested` is the tenant whose
/// portal it is, `welcomed` whose users may visit it. Two people are never called the same (`told_apart`).
///
/// * `wso2`: the name as WSO2 writes it, always with its tenant (`alice@acme.com`, `admin@carbon.super`). WSO2's own
///   devportal reads none of these: it checks the bearer token itself, which is forwarded, and takes the tenant from
///   `X-WSO2-Tenant`, which the pipeline sets. `X-JWT-Assertion` is signed by WSO2's gateway, so we take a
///   client's out and write none.
/// * `oauth2-proxy`: what it sends to its upstream (`--pass-user-headers`). Portals take either of its two names for who
///   somebody is, so both are the one that cannot be chosen, and never what people like to be called.
/// * `authelia`: its `Remote-*`.
///
/// Values are UTF-8. A name that no header can carry (control characters) makes no identity at all; a group
/// with a comma or a control character is left out, because it would read as two.
pub fn identity_headers(
    profile: HeaderProfile,
    user: &User,
    requested: &TenantId,
    welcomed: &CrossTenant,
) -> IdentityHeaders {
    let name = match profile {
        HeaderProfile::None => return Arc::default(),
        HeaderProfile::Wso2 => with_tenant(user),
        HeaderProfile::OAuth2Proxy | HeaderProfile::Authelia => told_apart(user, requested, welcomed),
    };
    let Some(name) = value(name).filter(|_| !user.name.is_empty()) else { return Arc::default() };
    let email = user.email.clone().and_then(value);
    let shown = match profile {
        HeaderProfile::OAuth2Proxy => Some(name.clone()),
        _ => user.display_name.clone().and_then(value),
    };
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

fn with_tenant(user: &User) -> String {
    format!("{}@{}", user.name, user.tenant)
}

/// A visitor is `name@tenant`. A user of the portal's own tenant is called as it is, except that where others may visit no
/// such name may read like theirs: what has an `@` gets its own tenant behind it, too, unless that is all it has (`alice@acme.com`
/// is what WSO2 calls its alice). So a value without `@` is a local name, `a@tenant` with one `@` stands for `a` or for
/// itself and never for both, and what is in front of the last of several is the whole name.
fn told_apart(user: &User, requested: &TenantId, welcomed: &CrossTenant) -> String {
    // what a portal that normalizes names would take for an @ is one
    let has_at = |name: &str| name.contains(['@', '\u{ff20}', '\u{fe6b}']);
    let is_own = |name: &str| {
        name.rsplit_once('@').is_some_and(|(front, of)| of == requested.as_str() && !has_at(front))
    };
    let is_local = user.tenant == *requested;
    if is_local && (*welcomed == CrossTenant::Nobody || !has_at(&user.name) || is_own(&user.name)) {
        user.name.clone()
    } else {
        with_tenant(user)
    }
}

fn groups(roles: &[String]) -> Option<HeaderValue> {
    let whole = |role: &&String| {
        !role.is_empty() && role.trim() == **role && !role.contains(|c: char| c == ',' || c.is_control())
    };
    value(roles.iter().filter(whole).map(String::as_str).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::account::{PRIMARY, names};
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
        identity_headers(profile, user, &TenantId::parse(requested).unwrap(), &CrossTenant::Everybody)
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
            for (name, _) in identity_headers(profile, &alice(), &alice().tenant, &CrossTenant::Nobody).iter()
            {
                assert_eq!(kind(name.as_str()), Kind::ByProxy, "{name}");
            }
        }
    }

    const PROFILES: [HeaderProfile; 3] =
        [HeaderProfile::Wso2, HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia];

    #[test]
    fn attack_a_local_name_that_reads_like_a_visitors() {
        let named = |name: &str, welcomed| {
            let user = User { name: name.into(), ..alice() };
            let headers = identity_headers(HeaderProfile::Authelia, &user, &alice().tenant, &welcomed);
            headers[0].1.to_str().unwrap_or("?").to_owned()
        };
        for (name, told) in [
            ("alice", "alice"),
            ("LDAP/alice", "LDAP/alice"),
            ("alice@acme.com", "alice@acme.com"),
            ("alice@other.com", "alice@other.com@acme.com"),
            ("alice@OTHER.com", "alice@OTHER.com@acme.com"),
            ("alice@", "alice@@acme.com"),
            ("x@acme.com@other.com", "x@acme.com@other.com@acme.com"),
            // or it would be the one two lines above
            ("alice@other.com@acme.com", "alice@other.com@acme.com@acme.com"),
        ] {
            let some = CrossTenant::Of(vec![TenantId::parse("other.com").unwrap()]);
            assert_eq!([named(name, CrossTenant::Everybody), named(name, some)], [told, told]);
            assert_eq!(named(name, CrossTenant::Nobody), name, "nobody else comes here");
        }
    }

    /// What somebody likes to be called is nobody's name.
    #[test]
    fn attack_a_display_name_is_no_user_name() {
        let user = User { display_name: Some("admin".into()), ..alice() };
        for profile in [HeaderProfile::OAuth2Proxy, HeaderProfile::Authelia] {
            let told = written(profile, &user, "acme.com");
            assert!(!told.iter().any(|line| line.contains("user") && line.contains(": admin")), "{told:?}");
        }
    }

    /// Somebody as the store and tokens tell people apart.
    fn person() -> impl Strategy<Value = (String, String, String)> {
        let tenant = prop_oneof![Just("a.b"), Just("b"), Just("c")].prop_map(str::to_owned);
        let store = prop_oneof![Just(PRIMARY), Just("S"), Just("T")].prop_map(str::to_owned);
        let name = "[xy](@(a\\.b|b|c|B|)|\u{ff20}b|/?){0,3}".prop_map(|name| name.replace('/', "."));
        (tenant, store, name)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn attack_no_two_people_are_called_the_same(one in person(), other in person()) {
            prop_assume!(one != other);
            let user = |(tenant, store, name): &(String, String, String)| User {
                name: names::key(store, name),
                tenant: TenantId::parse(tenant).unwrap(),
                ..alice()
            };
            for profile in PROFILES {
                let told = |person| written(profile, &user(person), "a.b").into_iter().next();
                prop_assert_ne!(told(&one), told(&other), "{:?}", profile);
            }
        }
    }
}
