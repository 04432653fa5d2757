//! Notes of a check.

use std::time::Duration;

use super::*;

const ACCOUNTS: &str = "[portal]\nprofile = \"generic\"\n[accounts]\nenabled = true\n";
const LOCK: &str = "[account_lock]\nenabled = true\n";
const FORM: &str = "[[guard]]\nmatch = \"/login\"\nuser_in = \"form\"\nsucceeded_status = [200]\n";
const BASIC: &str = "[[guard]]\nmatch = \"/api/**\"\nuser_in = \"basic\"\n";

impl Deployment {
    fn notes(&self) -> Vec<String> {
        self.notes_at(Timestamp::EPOCH)
    }

    fn notes_at(&self, now: Timestamp) -> Vec<String> {
        let report = self.check_at(now);
        assert!(report.is_clean(), "{:#?}", report.mistakes);
        let prefix = format!("{}/", self.0.path().display());
        report.notes.iter().map(|note| note.to_string().replace(&prefix, "")).collect()
    }
}

#[test]
fn notes_guards_without_lockout() {
    for (text, noted) in [
        (format!("{ACCOUNTS}{LOCK}{FORM}"), false),
        (format!("{ACCOUNTS}{FORM}"), false),
        (format!("{ACCOUNTS}[account_lock]\nenabled = false\n{FORM}"), true),
        (ACCOUNTS.to_owned(), false),
    ] {
        let messages = Deployment::of(&text).notes();
        assert_eq!(messages.len(), usize::from(noted), "{text}: {messages:?}");
        assert!(
            messages.iter().all(|messages| messages.contains(": guard: account_lock.enabled is false")),
            "{messages:?}"
        );
    }
    // a name may be a tenant's, whose own file locks
    let messages = Deployment::of(&format!("{ACCOUNTS}[account_lock]\nenabled = false\n{FORM}"))
        .with("tenants/a.com/tenant-conf.json", "{\"Doorward\": {\"account_lock\": {\"enabled\": true}}}");
    assert_eq!(messages.notes(), Vec::<String>::new());
}

#[test]
fn notes_basic_guard_on_a_path_that_is_not_open() {
    let route = |pattern: &str, access: &str| {
        format!("[[access.route]]\nmatch = \"{pattern}\"\naccess = \"{access}\"\n")
    };
    for (routes, noted) in [
        (String::new(), true),
        (route("/api/**", "anonymous"), true),
        (route("/api/**", "signed-in"), true),
        (route("/api/**", "open"), false),
        (route("POST /api/**", "open"), true),
        (route("/**", "open"), false),
    ] {
        let generic = format!("{ACCOUNTS}{LOCK}{BASIC}{routes}");
        let messages = Deployment::of(&generic).notes();
        assert_eq!(messages.len(), usize::from(noted), "{routes}: {messages:?}");
        assert!(
            messages.iter().all(|messages| messages.starts_with("d.toml:9:11: guard[0].user_in: ")),
            "{messages:?}"
        );
    }
    let messages = Deployment::of(&format!("{ACCOUNTS}{LOCK}{FORM}")).notes();
    assert_eq!(messages, Vec::<String>::new(), "a form needs no open route to be counted");
}

#[test]
fn notes_open_sign_in_path_without_guard() {
    let open = |pattern: &str| format!("[[access.route]]\nmatch = \"{pattern}\"\naccess = \"open\"\n");
    for (routes, noted) in [
        (open("/login"), false),
        (open("/LOGIN/"), false),
        (open("/signin"), true),
        (open("POST /api/v1/token"), true),
        (open("/oauth/token/**"), true),
        (open("/docs/**"), false),
        (open("/signin").replace("open", "signed-in"), false),
    ] {
        let messages = Deployment::of(&format!("{ACCOUNTS}{LOCK}{FORM}{routes}")).notes();
        assert_eq!(messages.len(), usize::from(noted), "{routes}: {messages:?}");
        assert!(
            messages
                .iter()
                .all(|messages| messages.contains("access.route[0].match: this path may be a sign-in")),
            "{messages:?}"
        );
    }
    let messages = Deployment::of(&format!("{ACCOUNTS}{LOCK}{}", open("/signin"))).notes();
    assert_eq!(messages, Vec::<String>::new(), "no note for a portal without guards");
    // WSO2 has two, each also below its tenants
    let wso2 = format!("[accounts]\nenabled = true\n{LOCK}");
    let common = FORM.replace("/login", "/commonauth");
    let grant = "[[guard]]\nmatch = \"/oauth2/token\"\nuser_in = \"password-grant\"\n";
    let messages = Deployment::of(&format!("{wso2}{common}")).notes();
    assert!(
        messages.len() == 1 && messages[0].contains("/oauth2/token, and one of them has no guard"),
        "{messages:?}"
    );
    assert_eq!(Deployment::of(&format!("{wso2}{common}{grant}")).notes(), Vec::<String>::new());
}

#[test]
fn notes_outcomes_that_allow_further_guesses() {
    let form =
        |signs: &str| format!("{ACCOUNTS}{LOCK}[[guard]]\nmatch = \"/login\"\nuser_in = \"form\"\n{signs}\n");
    for (signs, noted) in [
        ("succeeded_redirect = [\"/home*\"]", None),
        ("succeeded_redirect = [\"*/home*\"]", Some("guard[0].succeeded_redirect: `*` at the start")),
        ("succeeded_redirect = [\"*/home*\"]\nfailed_redirect = [\"/login*\"]", None),
        ("failed_redirect = [\"/login*\"]", Some("guard[0]: only a wrong password is described")),
        ("name_from = \"cookie:sid\"", None),
    ] {
        let messages = Deployment::of(&form(signs)).notes();
        assert_eq!(messages.len(), usize::from(noted.is_some()), "{signs}: {messages:?}");
        assert!(noted.is_none_or(|noted| messages[0].contains(noted)), "{messages:?}");
    }
}

#[test]
fn guards_that_cover_the_same_path() {
    let guard = |pattern: &str, user_in: &str| {
        format!("[[guard]]\nmatch = \"{pattern}\"\nuser_in = \"{user_in}\"\nsucceeded_status = [204]\n")
    };
    for (one, other, noted) in [
        ("/login.php", "/login.php/api", Some("guard[1].match: another guard covers this path, too")),
        ("/login", "/logout", None),
        ("/login", "/login/api", None),
    ] {
        let told = Deployment::of(&format!("{ACCOUNTS}{LOCK}{}{}", guard(one, "form"), guard(other, "form")))
            .notes();
        assert_eq!(told.len(), usize::from(noted.is_some()), "{one} {other}: {told:?}");
        assert!(noted.is_none_or(|noted| told[0].contains(noted)), "{told:?}");
    }
}

#[test]
fn notes_guards_in_a_tenant_file() {
    let guards = "\"guards\": [{\"match\": \"/x\", \"user_in\": \"basic\"}]";
    let messages = Deployment::of(&format!("{ACCOUNTS}[account_lock]\nenabled = false\n"))
        .with("tenants/a.com/tenant-conf.json", &format!("{{\"Doorward\": {{{guards}}}}}"))
        .notes();
    assert_eq!(messages.len(), 1, "one key is reported once: {messages:?}");
    assert!(
        messages[0].starts_with("tenants/a.com/tenant-conf.json:1:25: Doorward.guards: account_lock"),
        "{messages:?}"
    );
    let messages = Deployment::of(&format!("{ACCOUNTS}{LOCK}"))
        .with("tenants/a.com/tenant-conf.json", &format!("{{\"Doorward\": {{{guards}}}}}"))
        .notes();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("Doorward.guards[0].user_in: "), "{messages:?}");
    let messages = Deployment::of(ACCOUNTS)
        .with(
            "tenants/a.com/tenant-conf.json",
            &format!(
                "{{\"Doorward\": {{{}, \"account_lock\": {{\"enabled\": true}}}}}}",
                guards.replace("basic", "password-grant")
            ),
        )
        .notes();
    assert_eq!(messages, Vec::<String>::new());
}

#[test]
fn notes_management_api_without_admin_roles() {
    let on = format!("{ACCOUNTS}[management]\npublic = true\nadmin_roles = []\n");
    let issuer =
        "[[issuer]]\nissuer = \"https://i\"\naudiences = [\"a\"]\ndiscovery = true\ntenant_claim = \"t\"\n";
    let messages = Deployment::of(&format!("{on}{issuer}")).notes();
    assert!(
        messages.len() == 1 && messages[0].starts_with("d.toml:7:15: management.admin_roles: "),
        "{messages:?}"
    );
    // no administrator can be authenticated
    let messages = Deployment::of(&on).messages();
    assert!(
        messages.len() == 1 && messages[0].starts_with("d.toml:7:15: management.admin_roles: "),
        "{messages:?}"
    );
    // those of a tenant's own issuer
    let own = "{\"Doorward\": {\"issuers\": [{\"issuer\": \"https://i\", \"audiences\": [\"a\"], \"discovery\": true}]}}";
    assert_eq!(Deployment::of(&on).with("tenants/a.com/tenant-conf.json", own).notes().len(), 1);
    // off
    let off = Deployment::of(&format!("{ACCOUNTS}[management]\nadmin_roles = []\n")).notes();
    assert_eq!(off, Vec::<String>::new());
}

#[test]
fn notes_rules_that_differ_in_spelling_only() {
    let route = |pattern: &str, access: &str| {
        format!("[[access.route]]\nmatch = \"{pattern}\"\naccess = \"{access}\"\n")
    };
    for (first, second, noted) in [
        (("/docs/**", "open"), ("/Docs/**", "signed-in"), true),
        (("/account", "signed-in"), ("/account/", "open"), true),
        (("GET /a", "open"), ("POST /A", "anonymous"), true),
        (("/docs/**", "open"), ("/Docs/**", "open"), false),
        (("GET /docs", "open"), ("/docs", "signed-in"), false),
        (("/docs", "open"), ("/docs/**", "signed-in"), false),
        (("/", "open"), ("/**", "signed-in"), false),
    ] {
        let text = route(first.0, first.1) + &route(second.0, second.1);
        let messages = Deployment::of(&text).notes();
        assert_eq!(messages.len(), usize::from(noted), "{text}: {messages:?}");
        assert!(
            messages.iter().all(|messages| messages.contains(": access.route[1].match: another rule")),
            "{messages:?}"
        );
    }
    let routes = "{\"Doorward\": {\"routes\": [{\"match\": \"/x\", \"access\": \"signed-in\"}, {\"match\": \"/X\", \"access\": \"anonymous\"}]}}";
    let messages =
        Deployment::of("[apim.devportal]\nenable_anonymous_mode = true\n[portal]\nprofile = \"generic\"\n")
            .with("tenants/a.com/tenant-conf.json", routes);
    let messages = messages.notes();
    assert!(
        messages.len() == 1 && messages[0].contains("Doorward.routes[1].match: another rule"),
        "{messages:?}"
    );
}

#[test]
fn notes_a_client_ca_file_beside_a_public_management_api() {
    let management = |public: bool, authorities: &str| {
        format!(
            "{ACCOUNTS}[management]\npublic = {public}\nlisten = \"127.0.0.1:9443\"\ncert_file = \"c\"\nkey_file = \"k\"\n{authorities}"
        )
    };
    for (public, authorities, noted) in [
        (true, "client_ca_file = \"ca\"\n", true),
        (false, "client_ca_file = \"ca\"\n", false),
        (true, "", false),
        (true, "client_ca_file = \"ca\"\nallow = [\"10.0.0.0/24\"]\n", false),
    ] {
        let text = management(public, authorities);
        // the missing files are mistakes, not notes
        let notes: Vec<_> = Deployment::of(&text).check().notes.iter().map(ToString::to_string).collect();
        assert_eq!(notes.len(), usize::from(noted), "{text}: {notes:?}");
        assert!(notes.iter().all(|note| note.contains("management.client_ca_file: ")), "{notes:?}");
    }
}

#[test]
fn notes_a_client_limit_above_the_limit_of_all_clients() {
    for (limits, noted) in [
        ("", None),
        ("max_connections = 100\n[limits.client]\nconnections = 100", None),
        ("max_connections = 100\n[limits.client]\nconnections = 101", Some("connections")),
        ("max_requests = 50\n[limits.client]\nrequests = 60", Some("requests")),
        ("max_request_bodies = 50\n[limits.client]\nrequest_bodies = 60", Some("request_bodies")),
        ("max_upgrades = 50\n[limits.client]\nupgrades = 60", Some("upgrades")),
        ("max_upgrades = 0", None),
        ("[limits.client]\nupstream_connections = 100000", Some("upstream_connections")),
        ("[limits.client]\nhash_slots = 1000000", Some("hash_slots")),
        ("max_guarded_sign_ins = 8\n[limits.client]\nguarded_sign_ins = 9", Some("guarded_sign_ins")),
        ("[limits.client]\nbuffered_bytes = 1", Some("buffered_bytes")),
        ("[limits.client]\nbuffered_bytes = 327680", Some("buffered_bytes")),
        ("[limits.client]\nbuffered_bytes = 327681", None),
    ] {
        let notes = Deployment::of(&format!("{ACCOUNTS}[limits]\n{limits}\n")).notes();
        assert_eq!(notes.len(), usize::from(noted.is_some()), "{limits}: {notes:?}");
        let key = noted.map(|name| format!(": limits.client.{name}: "));
        assert!(key.is_none_or(|key| notes.iter().all(|note| note.contains(&key))), "{notes:?}");
    }
}

#[test]
fn notes_a_network_with_host_bits() {
    for (written, noted) in [
        ("10.0.0.1/8", true),
        ("2001:db8::1/32", true),
        ("10.0.0.0/8", false),
        ("10.0.0.1", false),
        ("10.0.0.1/32", false),
        ("2001:db8::/32", false),
        ("0.0.0.0/0", false),
    ] {
        for (table, key) in [
            ("server", "trusted_proxies"),
            ("server", "proxy_protocol"),
            ("limits.client", "exempt"),
            ("management", "allow"),
            ("account_lock", "allow"),
        ] {
            let text = format!("{ACCOUNTS}[{table}]\n{key} = [\"192.0.2.0/24\", \"{written}\"]\n");
            let notes = Deployment::of(&text).notes();
            assert_eq!(notes.len(), usize::from(noted), "{text}: {notes:?}");
            let key = format!(": {table}.{key}[1]: the address has host bits: ");
            assert!(notes.iter().all(|note| note.contains(&key)), "{notes:?}");
        }
    }
}

#[test]
fn notes_certificates_that_expire_soon() {
    const TLS: &str = "[server.tls]\ncert_file = \"c.pem\"\nkey_file = \"k.pem\"";
    // 2030-01-01
    const EXPIRY: Timestamp = Timestamp::from_seconds(1_893_456_000);
    const DAY: Duration = Duration::from_hours(24);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let deployment = Deployment::of(TLS)
        .with("c.pem", &params.self_signed(&key).unwrap().pem())
        .with("k.pem", &key.serialize_pem());
    for (now, problem) in [
        (EXPIRY - DAY * 22, None),
        (EXPIRY - DAY * 20, Some("c.pem: expires in 20 days")),
        (EXPIRY - Duration::from_secs(1), Some("c.pem: expires in 0 days")),
        (EXPIRY, Some("c.pem: expired 0 days ago: clients refuse it")),
        (EXPIRY + DAY * 400, Some("c.pem: expired 400 days ago: clients refuse it")),
    ] {
        let notes = deployment.notes_at(now);
        let expected = problem.map(|problem| {
            format!("d.toml:2:13: server.tls.cert_file: {problem} (renew it, and renew it automatically)")
        });
        assert_eq!(notes, Vec::from_iter(expected), "{now:?}");
    }
}

#[test]
fn notes_a_closed_portal_without_sign_in() {
    const GENERIC: &str = "[portal]\nprofile = \"generic\"\n";
    const ISSUER: &str = "[[issuer]]\nissuer = \"https://i\"\naudiences = [\"a\"]\ndiscovery = true\n";
    for (text, noted) in [
        (GENERIC.to_owned(), Some("no user can be authenticated")),
        (format!("{GENERIC}[apim.devportal]\nenable_anonymous_mode = true\n"), None),
        (format!("{GENERIC}[accounts]\nenabled = true\n"), None),
        (
            format!("{GENERIC}{ISSUER}"),
            Some("sign_in.url: anonymous mode is off and browsers have no sign-in address"),
        ),
        (format!("{GENERIC}{ISSUER}[sign_in]\nurl = \"none\"\n"), None),
        (format!("{GENERIC}{ISSUER}[sign_in]\nurl = \"/login\"\n"), None),
        (
            "[apim.devportal]\nenable_anonymous_mode = false\n".to_owned(),
            Some("no user can be authenticated"),
        ),
    ] {
        let notes = Deployment::of(&text).notes();
        let expected = usize::from(noted.is_some());
        assert!(
            notes.len() == expected && noted.is_none_or(|noted| notes[0].contains(noted)),
            "{text}: {notes:?}"
        );
    }
}

#[test]
fn notes_files_and_tenants_with_similar_names() {
    let deployment =
        Deployment::of("[tenancy]\nhosts = { \"a.test\" = \"acme.con\", \"b.test\" = \"carbon.super\" }\n")
            .with("tenants/acme.com/tenant-conf.jsn", "{}")
            .with("tenants/beta.com/tenant_conf.json", "{}")
            .with("tenants/good.com/tenant-conf.json", "{}")
            .with("tenants/good.com/Tenant-Conf.json.bak", "{}")
            .with("tenants/tenant-conf.json", "{}")
            .with("tenants/README.md", "");
    let mut notes = deployment.notes();
    notes.sort();
    insta::assert_snapshot!(notes.join("\n"), @r#"
    d.toml:2:22: tenancy.hosts."a.test": the tenant acme.con has no folder, so this host answers 404; did you mean acme.com? (make its folder, or correct the name)
    tenants/acme.com/tenant-conf.jsn: this file is not read (rename it to tenant-conf.json)
    tenants/beta.com/tenant_conf.json: this file is not read (rename it to tenant-conf.json)
    tenants/tenant-conf.json: this file is not read: a tenant's file is in the tenant's folder (move it to tenants/TENANT/tenant-conf.json)
    "#);
}
