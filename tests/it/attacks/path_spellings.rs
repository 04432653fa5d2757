//! Spellings of a closed path that a lenient portal, such as Express, serves like the plain one.

use serde_json::{Value, json};

use crate::support::{Portal, TestProxy, proxy::TestProxyBuilder};

const RULES: [(&str, &str); 6] = [
    ("/account", "signed-in"),
    ("/admin/**", "signed-in"),
    ("/public/**", "open"),
    ("/public/members/**", "anonymous"),
    ("/public/admin/**", "signed-in"),
    ("GET /api/users", "signed-in"),
];

fn status(proxy: &TestProxy, target: &str) -> u16 {
    proxy.get(target).api_client().send().status
}

fn refused(status: u16) -> bool {
    matches!(status, 400 | 401)
}

#[test]
fn attack_closed_page_in_another_case_or_with_a_final_slash() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&RULES).start();
    for target in [
        "/account",
        "/Account",
        "/account/",
        "/ACCOUNT/",
        "/ADMIN/USERS",
        "/Admin",
        "/admin/",
        "/%41dmin/users",
        "/adm%49n",
        "/public/Admin/x",
        "/public/ADMIN",
        "/api/Users/",
        "/API/users?x=1",
    ] {
        assert_eq!(status(&proxy, target), 401, "{target}");
    }
    assert!(portal.received_nothing());
    for target in ["/", "/accounts", "/account/x", "/public/x", "/Public/x", "/administration"] {
        assert_eq!(status(&proxy, target), 200, "{target}");
    }
}

/// PHP, CGI and ASP.NET serve `/admin.php/x` as `/admin.php` (`PATH_INFO`).
#[test]
fn attack_closed_script_with_a_path_behind_its_name() {
    let portal = Portal::answering("secret").start();
    let rules = [
        ("/**", "open"),
        ("/admin.php", "signed-in"),
        ("/App/Users.aspx", "signed-in"),
        ("/index.php", "signed-in"),
        ("/index.php/public/**", "open"),
    ];
    let proxy = TestProxy::in_front_of(&portal).generic(&rules).start();
    for target in [
        "/admin.php/x",
        "/admin.php/x/y.css?z=1",
        "/Admin.PHP/x/",
        "/admin%2ephp/x",
        "/%61dmin.php/x",
        "/app/users.aspx/x",
        "/index.php/x",
        "/index.php/Public/x",
    ] {
        assert_eq!(status(&proxy, target), 401, "{target}");
    }
    let encoded = status(&proxy, "/admin.php%2fx");
    assert!(refused(encoded) && portal.received_nothing(), "{encoded}");
    for target in ["/", "/admin.phpx/x", "/admin/x", "/index.php/public/x"] {
        assert_eq!(status(&proxy, target), 200, "{target}");
    }
    let question = json!({"url": "/Admin.php/x"}).to_string();
    let ask = proxy.admin_request("POST", "/explain").header("content-type", "application/json");
    let explained = ask.body(question).send().json()["steps"].to_string();
    assert!(explained.contains("a portal may read the path as /admin.php\""), "{explained}");
}

#[test]
fn attack_closed_page_in_a_spelling_that_other_rules_open() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&RULES).anonymous(false).sign_in("none").start();
    for target in ["/public/Members", "/public/MEMBERS/x/", "/PUBLIC/x", "/Public", "/public/members/"] {
        assert_eq!(status(&proxy, target), 401, "{target}");
    }
    assert!(portal.received_nothing());
    assert_eq!(status(&proxy, "/public/x/"), 200);
}

#[test]
fn attack_closed_page_by_fullwidth_dots_and_other_readings() {
    let portal = Portal::answering("secret").start();
    let rules = [("/public/**", "open"), ("/portal/**", "signed-in"), ("/Admin", "signed-in")];
    let proxy = TestProxy::in_front_of(&portal).generic(&rules).start();
    for target in [
        "/public/%ef%bc%8e%ef%bc%8e/portal/secret",
        "/public/%EF%BC%8E%ef%bc%8e/PORTAL/secret/",
        "/public/%e2%80%a5/portal",
        "/public/x%ef%bc%8f..%ef%bc%8f..%ef%bc%8fportal",
        "/public/%e2%80%a4%e2%80%a4%e2%88%95portal/x",
        "/%ef%bd%90ortal/secret",
        "/portal%20/secret",
        "/admin%20",
        "/ADMIN%3Fx",
        "/admin%23",
        "/p%c4%b1ortal/../portal",
        "/public/%252e%252e/portal",
        "/public/..;/portal",
        "/public\\..\\portal",
        "//portal/secret",
        "/public/%c0%ae%c0%ae/portal",
    ] {
        assert!(refused(status(&proxy, target)), "{target}");
    }
    assert!(portal.received_nothing());
    for target in ["/public/caf%C3%A9", "/public/a%20b", "/public/%E3%81%AF", "/wiki/What%3F"] {
        assert_eq!(status(&proxy, target), 200, "{target}");
    }
}

/// Rules of a tenant's file close all spellings too, and no other spelling opens a path that `deployment.toml` closes.
#[test]
fn attack_spelling_of_a_path_closed_by_tenant_or_deployment() {
    let portal = Portal::answering("secret").start();
    let own = json!([
        {"match": "/board", "access": "signed-in"},
        {"match": "/Admin/**", "access": "open"},
        {"match": "/Docs/**", "access": "signed-in"},
    ]);
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/admin/**", "signed-in"), ("/docs/**", "open")])
        .tenant_text("acme.com", &json!({"Doorward": {"routes": own}}).to_string())
        .start();
    let asked = |target: &str| proxy.get(target).tenant("acme.com").api_client().send().status;
    for target in ["/board/", "/Board", "/Admin/x", "/ADMIN", "/admin/x/", "/docs/x", "/DOCS"] {
        assert_eq!(asked(target), 401, "{target}");
    }
    assert_eq!((asked("/boards"), status(&proxy, "/board/"), status(&proxy, "/docs/x")), (200, 200, 200));
}

#[test]
fn attack_closed_wso2_page_in_another_spelling() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).start();
    for target in [
        "/DEVPORTAL/services/configs",
        "/devportal/Services/configs",
        "/devportal/site/Public/x.js",
        "/api/am/devportal/v3/Settings",
        "/api/am/devportal/v3/settings/",
        "/OAUTH2/token",
        "/Favicon.ico",
        "/robots.txt/",
        "/Publisher/apis",
        "/CARBON/",
    ] {
        assert_eq!(status(&proxy, target), 401, "{target}");
    }
    assert!(portal.received_nothing());
}

#[test]
fn explain_names_the_spelling_that_decided() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&RULES).start();
    let route = |path: &str| {
        let question = json!({"url": path, "headers": ["Accept: application/json"]}).to_string();
        let ask = proxy.admin_request("POST", "/explain").header("content-type", "application/json");
        let explanation: Value = ask.body(question).send().json();
        explanation["steps"].as_array().unwrap().iter().find(|step| step[0] == "route").unwrap()[1]
            .to_string()
    };
    for (path, output) in [
        ("/Account/", "may read the path as /account"),
        ("/public/ADMIN", "may read the path as /public/admin"),
        ("/public/%ef%bc%8e%ef%bc%8e/admin/x", "may read the path as /admin/x"),
    ] {
        assert!(route(path).contains(output), "{path}: {}", route(path));
    }
    for path in ["/account", "/public/x", "/Public/x", "/public/%20x"] {
        assert!(!route(path).contains("may read"), "{path}: {}", route(path));
    }
}

#[test]
fn the_log_names_the_rule_that_closed_the_spelling() {
    fn proxy(portal: &Portal, log: &std::path::Path) -> TestProxyBuilder {
        TestProxy::in_front_of(portal).generic(&RULES).setting("log.access", log.display().to_string())
    }
    let (portal, folder) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let log = folder.path().join("access.log");
    let proxy = proxy(&portal, &log).start();
    assert_eq!(status(&proxy, "/ADMIN/x"), 401);
    crate::support::eventually(|| {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.contains("\"/admin/**\"") && text.contains("route_needs_user") && text.contains("/ADMIN/x")
    });
}
