//! Operator input, and the mistakes reported for it.

use proptest::prelude::*;

use super::*;
use crate::{
    config::model::{
        AccessLogTarget, FileWatchMode, HeaderProfile, KeySource, PortalProfile, UpstreamTarget,
    },
    domain::{identity::CrossTenantAccess, tenant::TenantId},
};

const PORTAL: &str = "[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n";

fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn settings(text: &str, variables: &[(&str, &str)]) -> Settings {
    let parsed =
        parse(&format!("{text}\n{PORTAL}"), Path::new("/etc/doorward/deployment.toml"), &env(variables));
    parsed.unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)))
}

fn shown(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Without the portal line; `d.toml` as file.
fn mistakes(text: &str) -> String {
    parse(text, Path::new("d.toml"), &BTreeMap::new())
        .map_or_else(|mistakes| shown(&mistakes), |_| String::new())
}

/// One mistake of a file that is right otherwise.
fn mistake(text: &str) -> String {
    let all = mistakes(&format!("{PORTAL}{text}"));
    all.replace("d.toml:", "")
}

#[test]
fn minimal_configuration_has_wso2_defaults() {
    let settings = settings("", &[]);
    assert!(settings.defaults.anonymous);
    assert_eq!(settings.portal.profile, PortalProfile::Wso2Apim);
    assert_eq!(settings.defaults.sign_in.url, "/devportal/services/configs?tenant={tenant}");
    assert_eq!(settings.defaults.access.identity_headers, HeaderProfile::Wso2);
    assert_eq!(settings.tenancy.default_tenant, TenantId::super_tenant());
    assert_eq!(settings.tenancy.ttl.as_secs(), 900);
    assert_eq!(settings.tenancy.folder, Path::new("/etc/doorward/tenants"));
    assert_eq!(settings.admin.listen, Some(([127, 0, 0, 1], 9901).into()));
    assert!(settings.server.workers >= 1);
}

#[test]
fn environment_wins_over_file() {
    let settings = settings(
        "[server]\nworkers = 1\n[apim.devportal]\nenable_anonymous_mode = true\n[tenancy]\nttl = \"1m\"",
        &[
            ("DOORWARD_SERVER__WORKERS", "2"),
            ("DOORWARD_APIM__DEVPORTAL__ENABLE_ANONYMOUS_MODE", "false"),
            ("DOORWARD_TENANCY__TTL", "15m"),
            ("DOORWARD_SERVER__LISTEN", "127.0.0.1:1,127.0.0.1:2"),
            ("DOORWARD_ADMIN__LISTEN", "off"),
            ("DOORWARD_PORTAL__UPSTREAM__0__URL", "https://portal:9443"),
            ("DOORWARD_ACCESS__CROSS_TENANT", "[\"acme.com\"]"),
            ("DOORWARD_BRANDING__NAME", "42"),
            ("DOORWARD_TENANCY__HOSTS", "{ \"dev.acme.com\" = \"acme.com\" }"),
        ],
    );
    assert_eq!(settings.server.workers, 2);
    assert!(!settings.defaults.anonymous);
    assert_eq!(settings.tenancy.ttl.as_secs(), 900);
    assert_eq!(settings.server.listen.len(), 2);
    assert_eq!(settings.admin.listen, None);
    assert!(
        matches!(&settings.portal.upstreams[0].target, UpstreamTarget::Tls { host, port: 9443, .. } if host == "portal")
    );
    assert_eq!(
        settings.defaults.access.cross_tenant,
        CrossTenantAccess::Listed(vec![TenantId::parse("acme.com").unwrap()])
    );
    assert_eq!(settings.defaults.branding.name.as_deref(), Some("42"));
    assert_eq!(settings.tenancy.hosts["dev.acme.com"].as_str(), "acme.com");
}

#[test]
fn a_bad_variable_is_named_not_the_file() {
    let env = env(&[
        ("DOORWARD_SERVER__LISTEN", "127.0.0.1:1,elsewhere"),
        ("DOORWARD_SERVER__WORKRES", "2"),
        ("DOORWARD_SEVER", "x"),
        ("DOORWARD_TENANCY__TTL", "soon"),
    ]);
    let mistakes = parse(PORTAL, Path::new("d.toml"), &env).unwrap_err();
    insta::assert_snapshot!(shown(&mistakes), @r#"
    env:DOORWARD_SERVER__LISTEN: server.listen[1]: "elsewhere" is not an IP address with a port (write an IP address and port such as "0.0.0.0:8080" or "[::]:8080")
    env:DOORWARD_SERVER__WORKRES: server.workres: there is no key `workres` here (did you mean `workers`?)
    env:DOORWARD_SEVER: sever: there is no key `sever` here (did you mean `server`?)
    env:DOORWARD_TENANCY__TTL: tenancy.ttl: "soon" is not a duration (write a duration longer than zero, such as "15m", "10s" or "500ms")
    "#);
}

#[test]
fn all_mistakes_at_once_in_the_order_of_the_file() {
    insta::assert_snapshot!(mistakes(r#"
[server]
lisen = ["0.0.0.0:80"]
workers = "two"
trusted_proxies = ["10.0.0.0/8", "10.0.0.0/40"]
public_url = "https://a.example/path"

[[portal.upstream]]
url = "http://a:1"
ca_file = "ca.pem"

[[portal.upstream]]
path = "/api"

[tenancy]
ttl = "0s"
host_pattern = "portal.example.com"

[[issuer]]
issuer = "https://idp.example.com"
algorithms = ["RS256", "HS256"]
jwks_url = "http://idp.example.com/jwks"
leeway = "10m"

[access]
cors_allowed_origins = ["*"]

[[access.route]]
match = "/x/**/y"
access = "public"
"#), @r#"
    d.toml:3:1: server.lisen: there is no key `lisen` here (did you mean `listen`?)
    d.toml:4:11: server.workers: string "two" cannot be used here (write a whole number, not negative)
    d.toml:5:34: server.trusted_proxies[1]: "10.0.0.0/40" is not an IP address or network (write an IP address or network such as "10.0.0.0/8")
    d.toml:6:14: server.public_url: "https://a.example/path" has a path; an origin ends after the host or port (write an origin such as "https://portal.example.com")
    d.toml:10:11: portal.upstream[0].ca_file: this has no effect: the URL is not https:// (remove it, or use https://)
    d.toml:12:1: portal.upstream[1].url: this key is required (write where the portal listens)
    d.toml:16:7: tenancy.ttl: zero makes no sense here (write a duration longer than zero, such as "15m", "10s" or "500ms")
    d.toml:17:16: tenancy.host_pattern: "portal.example.com" is not a host name with one {tenant} in it (write a host name with {tenant} in it, such as "{tenant}.portal.example.com")
    d.toml:21:24: issuer[0].algorithms[1]: "HS256" signs with a shared secret: who can verify such a token can issue one (write one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA)
    d.toml:22:12: issuer[0].jwks_url: "http://idp.example.com/jwks" would travel in clear text (write an https:// URL (http:// only to this machine))
    d.toml:23:10: issuer[0].leeway: expired tokens would live on for too long (write at most "5m")
    d.toml:26:25: access.cors_allowed_origins[0]: `*` would let every web site in (write an origin such as "https://portal.example.com")
    d.toml:29:9: access.route[0].match: "/x/**/y": '**' stands for any rest and has to be the end (write methods (or none for all) and a path pattern, such as "GET,HEAD /docs/**" or "/assets/**")
    d.toml:30:10: access.route[0].access: `public` is not one of the words known here (known here: open, anonymous, signed-in)
    "#);
}

#[test]
fn each_rule_between_keys_has_its_mistake() {
    let guards = "[[guard]]\nmatch = \"/x\"\nuser_in = \"basic\"\n".repeat(17);
    let many_guards = format!("[accounts]\nenabled = true\n{guards}");
    for (text, expected) in [
        (many_guards.as_str(), "guard: more than 16 guards"),
        ("[limits.client]\nrequests = 0", "limits.client.requests: no client could be served"),
        ("[[portal.upstream]]\nurl = \"http://b:1\"", "portal.upstream[1].path: there are two upstreams"),
        ("[server]\nworkers = 5000", "server.workers: no machine has that many cores"),
        ("[server]\nlisten = []", "server.listen: nothing would listen"),
        ("[server.tls]\ncert_file = \"c\"", "server.tls.key_file: this key is required"),
        (
            "[server.tls]\nlisten = [\"0.0.0.0:8080\"]\ncert_file = \"c\"\nkey_file = \"k\"",
            "server.tls.listen[0]: 0.0.0.0:8080 is also in server.listen",
        ),
        ("[tenancy]\nwatch = \"off\"\npoll_interval = \"1s\"", "poll_interval: this has no effect"),
        ("[tenancy]\npoll_interval = \"1ms\"", "poll_interval: this interval is too short"),
        ("[tenancy]\ncapacity = 0", "tenancy.capacity: 0 is out of range"),
        ("[tenancy.hosts]\n\"a:80\" = \"acme.com\"", "tenancy.hosts.\"a:80\": \"a:80\" is not a host name"),
        ("[tenancy.hosts]\n\"a\" = \"../x\"", "tenancy.hosts.a: \"../x\""),
        ("[tenancy.hosts]\na = \"x\"\nA = \"y\"", "twice, in another case"),
        ("[limits]\nmax_header_bytes = 100", "limits.max_header_bytes: 100 is out of range"),
        ("[limits]\nmax_token_bytes = 40000", "does not fit into max_header_bytes"),
        ("[log]\nlevel = \"loud\"", "log.level: \"loud\""),
        ("[branding]\naccent = \"#ffff00\"", "contrast of only"),
        ("[access]\ntoken_cookie = \"a b\"", "not the name of a cookie"),
        ("[access]\ncross_tenant = \"yes\"", "write false, true, or a list of tenant domains"),
        ("[[access.route]]\nmatch = \"/x\"", "access.route[0].access: this key is required"),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"form\"",
            "guard[0]: nothing tells a wrong password from the right",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nuser_in = \"basic\"",
            "guard[0].match: this key is required",
        ),
        ("[[guard]]\nmatch = \"/x\"\nuser_in = \"basic\"", "guard: without a store nothing can be counted"),
        ("[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"", "guard[0].user_in: this key is required"),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"json\"\nuser_fields = []\nfailed_status = [401]",
            "guard[0].user_fields: no user name",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"basic\"\nuser_fields = [\"x\"]",
            "guard[0].user_fields: this has no effect",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"password-grant\"\nlocked_redirect = \"/x\"",
            "guard[0].locked_redirect: this has no effect",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"basic\"\nfailed_status = [42]",
            "guard[0].failed_status: there is no such status",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"basic\"\nbody_bytes = 0",
            "guard[0].body_bytes: 0 is out of range",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"form\"\nname_from = \"sid\"",
            "guard[0].name_from: \"sid\" names no cookie, field or parameter",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"basic\"\nname_from = \"cookie:sid\"",
            "guard[0].name_from: this has no effect",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"basic\"\nrequire_name = false",
            "guard[0].require_name: this has no effect",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"form\"\nname_from = \"cookie:sid\"\nsucceeded_status = [200]",
            "guard[0]: attempts without a user name count only where the answer shows a failure",
        ),
        (
            "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"json\"\nrequire_name = false\nsucceeded_status = [200]",
            "guard[0]: attempts without a user name count only where the answer shows a failure",
        ),
        ("[sign_in]\nurl = \"//evil.example\"", "sign_in.url"),
        ("[sign_in]\nurl = \"/a;b\"", "sign_in.url: \"/a;b\": paths with ';'"),
        (
            "[[access.route]]\nmatch = \"/a*\"\naccess = \"open\"",
            "access.route[0].match: \"/a*\": '*' stands for",
        ),
        (
            "[[issuer]]\nissuer = \"x\"\naudiences = [\"a\"]",
            "issuer[0]: this issuer's tokens cannot be verified",
        ),
        ("[[issuer]]\nissuer = \"x\"\njwks_file = \"j\"", "issuer[0].audiences: without an audience"),
        ("[[issuer]]\naudiences = [\"a\"]\njwks_file = \"j\"", "issuer[0].issuer: this key is required"),
        (
            "[[issuer]]\nissuer = \"x\"\naudiences = [\"a\"]\njwks_file = \"j\"\ndiscovery = true",
            "issuer[0]: the keys come from two places",
        ),
        (
            "[[issuer]]\nissuer = \"wso2.org/products/am\"\naudiences = [\"a\"]\ndiscovery = true",
            "issuer[0].issuer: discovery needs a URL here",
        ),
        (
            "[[issuer]]\nissuer = \"x\"\naudiences = [\"a\"]\njwks_file = \"j\"\ntenant = \"a\"\ntenant_claim = \"t\"",
            "issuer[0].tenant: this has no effect",
        ),
        (
            "[[issuer]]\nissuer = \"x\"\naudiences = [\"a\"]\njwks_file = \"j\"\nuser_has_tenant = true\ntenant_claim = \"t\"",
            "issuer[0].user_has_tenant: this has no effect",
        ),
        (
            "[[issuer]]\nissuer = \"x\"\n[issuer.introspection]\nurl = \"https://i\"\nclient_id = \"c\"",
            "issuer[0].introspection.client_secret: this key is required",
        ),
        (
            "[[issuer]]\nissuer = \"x\"\naudiences = [\"a\"]\njwks_file = \"j\"\n\
             [[issuer]]\nissuer = \"x\"\naudiences = [\"a\"]\njwks_file = \"j\"",
            "issuer[1].issuer: this issuer is here twice",
        ),
    ] {
        let all = mistake(text);
        assert!(all.contains(expected) && all.lines().count() == 1, "{text}\n→ {all}");
    }
}

#[test]
fn generic_portal_is_closed_without_further_keys() {
    let generic = |rest: &str| settings(&format!("{rest}\n[portal]\nprofile = \"generic\""), &[]).defaults;
    let closed = generic("");
    assert!(!closed.anonymous && !closed.sign_in.is_configured());
    assert!(closed.rules.account_lock.enabled && closed.rules.password_rules.enabled);
    assert!(generic("[apim.devportal]\nenable_anonymous_mode = true").anonymous);
    assert!(!generic("[account_lock]\nenabled = false").rules.account_lock.enabled);
    let wso2 = settings("", &[]).defaults;
    assert!(wso2.anonymous && !wso2.rules.account_lock.enabled && !wso2.rules.password_rules.enabled);
}

#[test]
fn upstreams_stand_longest_path_first() {
    let settings = settings(
        "[[portal.upstream]]\npath = \"/api\"\nurl = \"unix:/run/a.sock\"\n\
         [[portal.upstream]]\npath = \"/api/v1/\"\nurl = \"http://[::1]:1\"",
        &[],
    );
    let paths: Vec<_> = settings.portal.upstreams.iter().map(|upstream| upstream.path.as_str()).collect();
    assert_eq!(paths, ["/api/v1", "/api", "/"]);
    assert_eq!(settings.portal.upstreams[0].target, UpstreamTarget::Tcp { host: "::1".into(), port: 1 });
}

#[test]
fn files_are_relative_to_the_configuration() {
    let settings = settings(
        "[log]\naccess = \"logs/access.json\"\n[tenancy]\nfolder = \"/srv/tenants\"\nwatch = \"poll\"\n\
         [[issuer]]\nissuer = \"x\"\naudiences = [\"a\"]\njwks_file = \"keys/jwks.json\"",
        &[],
    );
    assert_eq!(settings.log.access, AccessLogTarget::File("/etc/doorward/logs/access.json".into()));
    assert_eq!(settings.tenancy.folder, Path::new("/srv/tenants"));
    assert_eq!(
        settings.tenancy.watch,
        FileWatchMode::Poll { poll_interval: std::time::Duration::from_secs(1) }
    );
    assert_eq!(settings.defaults.issuers[0].keys, KeySource::File("/etc/doorward/keys/jwks.json".into()));
}

#[test]
fn secrets_come_from_files_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "geheim\n").unwrap();
    let text = |keys: &str| {
        format!(
            "{PORTAL}[[issuer]]\nissuer = \"x\"\n[issuer.introspection]\nurl = \"https://i\"\nclient_id = \"c\"\n{keys}"
        )
    };
    let load = |keys: &str| {
        let file = folder.path().join("d.toml");
        fs::write(&file, text(keys)).unwrap();
        super::load(&file, &BTreeMap::new())
    };
    let settings = load("client_secret_file = \"secret\"").unwrap();
    let introspection = settings.defaults.issuers[0].introspection.as_ref().unwrap();
    assert_eq!(introspection.client_secret.expose(), "geheim");
    assert!(!format!("{settings:?}").contains("geheim"));

    for (keys, expected) in [
        ("client_secret_file = \"missing\"", "client_secret_file: "),
        ("client_secret_file = \"secret\"\nclient_secret = \"geheim\"", "the secret is given twice"),
        ("client_secret = \"\"", "this secret is empty"),
    ] {
        let told_all = shown(&load(keys).unwrap_err());
        assert!(told_all.contains(expected), "{told_all}");
        assert!(!told_all.contains("geheim"), "{told_all}");
    }
}

#[test]
fn an_unreadable_file_is_a_mistake() {
    let mistakes = load(Path::new("/nowhere/deployment.toml"), &BTreeMap::new()).unwrap_err();
    assert!(shown(&mistakes).starts_with("/nowhere/deployment.toml: cannot be read: "));
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text, Path::new("d.toml"), &BTreeMap::new());
    }

    /// Known tables and keys with values of any kind.
    #[test]
    fn no_value_makes_it_panic(
        lines in prop::collection::vec((
            prop::sample::select(vec![
                "server.listen", "server.tls", "server.workers", "portal.upstream", "tenancy.hosts", "tenancy.ttl",
                "sign_in.url", "issuer", "access.route", "access.cross_tenant", "branding.accent", "limits.max_headers",
                "log.level", "log", "server",
            ]),
            prop::sample::select(vec![
                "1", "-1", "1.5", "true", "\"\"", "\"x\"", "[]", "[1]", "[\"x\"]", "{}", "{ a = 1 }", "[{}]",
                "[{ url = \"x\" }, 5, { url = 5 }]", "9223372036854775807", "nan", "2020-01-01",
                "[{ issuer = \"x\", introspection = {} }]", "[{ match = \"/**/x\", access = \"open\" }]",
            ]),
        ), 0..6),
        name in "DOORWARD_[A-Z_0-9]{0,24}",
        value in ".{0,16}",
    ) {
        let lines: Vec<_> = lines.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let text = lines.join("\n");
        let env = [(name, value)].into_iter().collect();
        if let Err(mistakes) = parse(&text, Path::new("d.toml"), &env) {
            prop_assert!(!mistakes.is_empty());
        }
    }
}
