//! Headers that identify the user to the portal.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::header_value;
use crate::{
    config::model::{AccessSettings, HeaderProfile, IdentityEncoding},
    domain::{
        identity::{CrossTenantAccess, User},
        tenant::TenantId,
    },
};

/// `%` is encoded, too, so that the encoding can be undone.
const NOT_ASCII: &AsciiSet = &CONTROLS.add(b'%');

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
/// Then the operator's own, from their templates. A name that no header can carry (control characters) gives no identity at
/// all; a group with a comma or a control character is omitted, because it would read as two.
pub fn identity_headers(access: &AccessSettings, user: &User, requested: &TenantId) -> IdentityHeaders {
    let name = match access.identity_headers {
        HeaderProfile::Wso2 => with_tenant(user),
        HeaderProfile::OAuth2Proxy | HeaderProfile::Authelia | HeaderProfile::None => {
            unambiguous_name(user, requested, &access.cross_tenant)
        }
    };
    // without a name that a header can carry the user has no identity for the portal
    if user.name.is_empty() || header_value(name.clone()).is_none() {
        return Arc::default();
    }
    let encode = |text: String| encoded(text, access.identity_encoding);
    let of_profile = profile_headers(access.identity_headers, user, &name);
    let of_templates = access.own_identity_headers.iter().filter_map(|header| {
        let groups_are_whole = User { roles: whole_groups(&user.roles), ..user.clone() };
        Some((header.name.clone(), header.template.render(&groups_are_whole, &name)?))
    });
    let all = of_profile.into_iter().chain(of_templates);
    all.filter_map(|(name, value)| Some((name, encode(value)?))).collect()
}

fn encoded(text: String, encoding: IdentityEncoding) -> Option<HeaderValue> {
    match encoding {
        IdentityEncoding::Utf8 => header_value(text),
        IdentityEncoding::Percent => header_value(text)
            .and_then(|value| header_value(percent_encode(value.as_bytes(), NOT_ASCII).to_string())),
    }
}

fn profile_headers(profile: HeaderProfile, user: &User, name: &str) -> Vec<(HeaderName, String)> {
    if profile == HeaderProfile::None {
        return Vec::new();
    }
    let display_name = match profile {
        HeaderProfile::OAuth2Proxy => Some(name.to_owned()),
        _ => user.display_name.clone(),
    };
    let groups = Some(whole_groups(&user.roles).join(",")).filter(|groups| !groups.is_empty());
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
    let mut headers = vec![(for_name, name.to_owned())];
    headers.extend(display_name.map(|value| (for_display_name, value)));
    headers.extend(user.email.clone().map(|value| (for_email, value)));
    headers.extend(groups.map(|value| (for_groups, value)));
    headers
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

fn whole_groups(roles: &[String]) -> Vec<String> {
    let is_whole = |role: &&String| {
        !role.is_empty() && role.trim() == **role && !role.contains(|c: char| c == ',' || c.is_control())
    };
    roles.iter().filter(is_whole).cloned().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{model::PortalProfile, sections::access::OwnIdentityHeader};
    use crate::domain::{
        account::{PRIMARY, names},
        time::Timestamp,
        user_template::UserTemplate,
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

    fn access(profile: HeaderProfile, cross_tenant: CrossTenantAccess) -> AccessSettings {
        let defaults = AccessSettings::default_for(PortalProfile::Generic);
        AccessSettings { identity_headers: profile, cross_tenant, ..defaults }
    }

    fn written(profile: HeaderProfile, user: &User, requested: &str) -> Vec<String> {
        let access = access(profile, CrossTenantAccess::AnyTenant);
        identity_headers(&access, user, &TenantId::parse(requested).unwrap())
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
    fn writes_headers_of_own_templates() {
        let own = |name: &'static str, template| OwnIdentityHeader {
            name: HeaderName::from_static(name),
            template: UserTemplate::parse(template).unwrap(),
        };
        let headers = [
            own("x-webauth-user", "{name}"),
            own("x-webauth-groups", "{roles}"),
            own("x-user", "{display_name} <{email}>"),
            own("x-scopes", "{scopes}"),
        ];
        let zoe = User {
            display_name: Some("Zoë 100%".into()),
            roles: vec!["a,b".into(), "dev".into()],
            ..alice()
        };
        for (encoding, display_name) in [
            (IdentityEncoding::Utf8, "x-user: Zoë 100% <alice@acme.com>"),
            (IdentityEncoding::Percent, "x-user: Zo%C3%AB 100%25 <alice@acme.com>"),
        ] {
            let access = AccessSettings {
                own_identity_headers: headers.to_vec().into(),
                identity_encoding: encoding,
                ..access(HeaderProfile::None, CrossTenantAccess::AnyTenant)
            };
            let written = identity_headers(&access, &zoe, &TenantId::parse("other.com").unwrap());
            let lines: Vec<_> = written
                .iter()
                .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
                .collect();
            assert_eq!(lines, ["x-webauth-user: alice@acme.com", "x-webauth-groups: dev", display_name]);
        }
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
            for (name, _) in identity_headers(
                &access(profile, CrossTenantAccess::OwnTenantOnly),
                &alice(),
                &alice().tenant,
            )
            .iter()
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
            let access = access(HeaderProfile::Authelia, cross_tenant);
            let headers = identity_headers(&access, &user, &alice().tenant);
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
    fn user_parts() -> impl Strategy<Value = (String, String, String)> {
        let tenant = prop_oneof![Just("a.b"), Just("b"), Just("c")].prop_map(str::to_owned);
        let store = prop_oneof![Just(PRIMARY), Just("S"), Just("T")].prop_map(str::to_owned);
        let name = "[xy](@(a\\.b|b|c|B|)|\u{ff20}b|/?){0,3}".prop_map(|name| name.replace('/', "."));
        (tenant, store, name)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn attack_two_users_share_one_name(one in user_parts(), other in user_parts()) {
            prop_assume!(one != other);
            let user = |(tenant, store, name): &(String, String, String)| User {
                name: names::key(store, name),
                tenant: TenantId::parse(tenant).unwrap(),
                ..alice()
            };
            for profile in PROFILES {
                let name_header = |parts| written(profile, &user(parts), "a.b").into_iter().next();
                prop_assert_ne!(name_header(&one), name_header(&other), "{:?}", profile);
            }
        }
    }
}
