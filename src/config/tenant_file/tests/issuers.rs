//! Issuers of tenant files: their tenant and their addresses.

use super::*;

const ISSUER: &str = "{\"issuer\": \"https://idp\", \"audiences\": [\"a\"], \"jwks_file\": \"keys.json\"";

#[test]
fn attack_tenant_issuer_mints_identities_of_another_tenant() {
    for key in [
        "\"tenant\": \"carbon.super\"",
        "\"tenant_claim\": \"t\"",
        "\"user_has_tenant\": true",
        "\"tenant\": \"acme.com\"",
    ] {
        let text = ours(&format!("{{\"issuers\": [{ISSUER}, {key}}}]}}"));
        assert!(mistakes(&text).contains("a tenant's issuer speaks for that tenant only"), "{key}");
    }
    // and without those keys its users are that tenant's, also below another default tenant
    let settings = settings("[tenancy]\ndefault_tenant = \"other.com\"");
    let conf = parse(&ours(&format!("{{\"issuers\": [{ISSUER}}}]}}")), file()).unwrap();
    let policy = resolve(&settings, &acme(), &conf, 1);
    assert_eq!(policy.issuers[0].user_tenant, UserTenant::Fixed(acme()));
    assert_eq!(policy.issuers[0].keys, KeySource::File("/t/acme.com/keys.json".into()));
}

#[test]
fn tenant_issuers_follow_the_shared_ones() {
    let settings = settings("[[issuer]]\nissuer = \"https://all\"\naudiences = [\"a\"]\njwks_file = \"j\"");
    let conf = parse(&ours(&format!("{{\"issuers\": [{ISSUER}}}]}}")), file()).unwrap();
    let policy = resolve(&settings, &acme(), &conf, 1);
    let names: Vec<_> = policy.issuers.iter().map(|issuer| issuer.issuer.as_str()).collect();
    assert_eq!(names, ["https://all", "https://idp"]);
    assert!(Arc::ptr_eq(&policy.issuers[0], &settings.defaults.issuers[0]));
    assert_eq!(policy.issuers[1], resolve(&settings, &acme(), &conf, 2).issuers[1]);
    assert_eq!([policy.issuers[0].is_tenant_defined, policy.issuers[1].is_tenant_defined], [false, true]);
}

/// One issuer of a tenant, with `below` in `deployment.toml`.
fn with_issuer(below: &str, keys: &str) -> TenantPolicy {
    let settings = settings(&format!(
        "[accounts]\nenabled = true\n[admin]\nlisten = \"127.0.0.1:9901\"\n[management]\nlisten = \"127.0.0.1:9902\"\n{below}"
    ));
    let text = ours(&format!("{{\"issuers\": [{{\"audiences\": [\"a\"], {keys}}}]}}"));
    resolve(&settings, &acme(), &parse(&text, file()).unwrap(), 1)
}

fn asked_at(url: &str) -> [String; 3] {
    [
        format!("\"issuer\": \"x\", \"jwks_url\": \"{url}\""),
        format!("\"issuer\": \"{url}\", \"discovery\": true"),
        format!(
            "\"issuer\": \"https://x\", \"introspection\": {{\"url\": \"{url}\", \"client_id\": \"c\", \"client_secret\": \"s\"}}"
        ),
    ]
}

#[test]
fn attack_ssrf_to_own_ports_by_a_tenants_issuer() {
    let below = "[tenancy]\nissuers_on_loopback = true";
    for port in [9901, 9902] {
        for host in
            ["http://127.0.0.1", "http://localhost", "http://[::1]", "http://0x7f.1", "https://localhost."]
        {
            for keys in asked_at(&format!("{host}:{port}/drain")) {
                let policy = with_issuer(below, &keys);
                let message = policy.problem.as_ref().map_or("", |problem| problem.message.as_str());
                assert!(message.contains("own private port"), "{keys}: {message}");
                assert!(!policy.anonymous && policy.issuers.is_empty(), "{keys}");
            }
        }
    }
    for keys in asked_at("http://127.0.0.1:9903/jwks") {
        let elsewhere = with_issuer(below, &keys);
        assert!(elsewhere.problem.is_none() && elsewhere.issuers.len() == 1, "{keys}");
    }
}

#[test]
fn attack_ssrf_to_local_services_by_a_tenants_issuer() {
    for url in
        ["http://127.0.0.1:9200/_all", "https://localhost:9443/jwks", "http://[::1]/", "https://0.0.0.0/"]
    {
        for keys in asked_at(url) {
            let policy = with_issuer("", &keys);
            let message = policy.problem.as_ref().map_or("", |problem| problem.message.as_str());
            assert!(message.contains("tenancy.issuers_on_loopback"), "{keys}: {message}");
            assert!(!policy.anonymous && policy.issuers.is_empty(), "{keys}");
        }
    }
    for url in
        ["https://169.254.169.254/", "https://[::ffff:169.254.169.254]/latest", "https://[fe80::1]/jwks"]
    {
        for below in ["", "[tenancy]\nissuers_on_loopback = true"] {
            for keys in asked_at(url) {
                let policy = with_issuer(below, &keys);
                assert!(policy.problem.is_some() && policy.issuers.is_empty(), "{keys}");
            }
        }
    }
    for keys in asked_at("https://id.example/jwks") {
        assert!(with_issuer("", &keys).problem.is_none(), "{keys}");
    }
}

#[test]
fn a_tenants_discovery_is_confined() {
    let policy = with_issuer("", "\"issuer\": \"https://id.example\", \"discovery\": true");
    let ours = ["127.0.0.1:9901", "127.0.0.1:9902"].map(|at| at.parse().unwrap());
    assert_eq!(policy.issuers[0].keys, KeySource::ConfinedDiscovery(Arc::new(ours)));
    assert_eq!(policy.issuers[0].egress, EgressPolicy::Confined { loopback: false });
    let policy = with_issuer(
        "[tenancy]\nissuers_on_loopback = true",
        "\"issuer\": \"https://id.example\", \"discovery\": true",
    );
    assert_eq!(policy.issuers[0].egress, EgressPolicy::Confined { loopback: true });
}
