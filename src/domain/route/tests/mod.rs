//! Spellings of a path: a rule that closes covers all of them, a rule that opens covers only the path as it is written.

mod properties;

use super::{AccessLevel, Route, RouteKind, RouteRule, RouteTable};
use crate::domain::{path::readings::Readings, upgrade::UpgradeRule};

use AccessLevel::{Anonymous, Open, SignedIn};

fn rule(written: &str, access: AccessLevel) -> RouteRule {
    let (methods, pattern) = super::parse_rule(written).unwrap();
    RouteRule { methods, pattern, ..RouteRule::new(&[], "/", access, RouteKind::Page) }
}

fn table(rules: &[(&str, AccessLevel)], fallback: AccessLevel) -> RouteTable {
    let rules: Vec<_> = rules.iter().map(|(written, access)| rule(written, *access)).collect();
    RouteTable::compile(&rules, Route::fallback(fallback, RouteKind::Page)).unwrap()
}

#[test]
fn attack_closed_path_in_another_case_or_with_a_final_slash() {
    let table = table(
        &[
            ("/account", SignedIn),
            ("/admin/**", SignedIn),
            ("/Reports/", SignedIn),
            ("/teams/*/secret", SignedIn),
            ("POST /form", SignedIn),
            ("/public/**", Open),
            ("/public/admin/**", SignedIn),
            ("/public/visitors/**", Anonymous),
        ],
        Anonymous,
    );
    for (request, access) in [
        ("GET /account", SignedIn),
        ("GET /Account", SignedIn),
        ("GET /ACCOUNT/", SignedIn),
        ("GET /account/", SignedIn),
        ("GET /account/x", Anonymous),
        ("GET /ADMIN/USERS", SignedIn),
        ("GET /Admin", SignedIn),
        ("GET /admin/users/", SignedIn),
        ("GET /reports", SignedIn),
        ("GET /Reports", SignedIn),
        ("GET /REPORTS/", SignedIn),
        ("GET /teams/x/Secret/", SignedIn),
        ("GET /TEAMS/X/secret", SignedIn),
        ("POST /FORM/", SignedIn),
        ("GET /FORM/", Anonymous),
        ("GET /public/x", Open),
        ("GET /public/", Open),
        ("GET /Public/x", Anonymous),
        ("GET /public/Admin", SignedIn),
        ("GET /public/ADMIN/x/", SignedIn),
        ("GET /PUBLIC/ADMIN", SignedIn),
        ("GET /public/Visitors/x", Anonymous),
        ("GET /public/administration", Open),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        assert_eq!(table.classify(method, path).access, access, "{request}");
    }
}

#[test]
fn attack_closed_script_by_a_path_below_it() {
    let table = table(
        &[
            ("/**", Open),
            ("/admin.php", SignedIn),
            ("/App/Users.aspx/", SignedIn),
            ("/cgi-bin/*/report.pl", SignedIn),
            ("POST /save.jsp", SignedIn),
            ("/visitors.php", Anonymous),
            ("/index.php", SignedIn),
            ("/index.php/public/**", Open),
            ("/index.php/help", Open),
            ("/moved.php", SignedIn),
            ("/moved.php/**", Open),
            ("/*/style.css", Open),
            ("/account", SignedIn),
            ("/files.d/*", SignedIn),
        ],
        Open,
    );
    for (request, access) in [
        ("GET /admin.php", SignedIn),
        ("GET /admin.php/", SignedIn),
        ("GET /admin.php/x", SignedIn),
        ("GET /admin.php/x/y/", SignedIn),
        ("GET /Admin.PHP/x", SignedIn),
        ("GET /admin.php/style.css", SignedIn),
        ("GET /admin%2ephp/x", SignedIn),
        ("GET /admin.php%2fx", SignedIn),
        ("GET /admin.php%20/x", SignedIn),
        ("HEAD /app/users.aspx/x", SignedIn),
        ("GET /App/Users.aspx/x", SignedIn),
        ("GET /cgi-bin/a/report.pl/x", SignedIn),
        ("POST /save.jsp/x", SignedIn),
        ("GET /save.jsp/x", Open),
        ("GET /visitors.php/x", Anonymous),
        // a rule below the script is more specific
        ("GET /index.php/x", SignedIn),
        ("GET /index.php/public", Open),
        ("GET /index.php/public/x", Open),
        ("GET /index.php/Public/x", SignedIn),
        ("GET /index.php/help", Open),
        ("GET /index.php/help/x", SignedIn),
        ("GET /moved.php", SignedIn),
        ("GET /moved.php/x", Open),
        ("GET /Moved.php/x", SignedIn),
        // the last segment does not name a script
        ("GET /admin.phpx/x", Open),
        ("GET /account/x", Open),
        ("GET /files.d/x", SignedIn),
        ("GET /files.d/x/y", Open),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        assert_eq!(table.classify(method, path).access, access, "{request}");
    }
}

#[test]
fn paths_below_script_follow_fallback_if_no_rule_closes_it() {
    for (fallback, below_anonymous) in [(Open, Anonymous), (Anonymous, Anonymous), (SignedIn, SignedIn)] {
        let table = table(&[("/open.php", Open), ("/visitors.php", Anonymous)], fallback);
        assert_eq!(table.classify("GET", "/open.php").access, Open);
        assert_eq!(table.classify("GET", "/open.php/x").access, fallback);
        assert_eq!(table.classify("GET", "/visitors.php/x").access, below_anonymous);
        assert_eq!(table.classify("GET", "/other.php/x").access, fallback);
    }
}

#[test]
fn a_rule_that_opens_counts_only_as_it_is_written() {
    let table = table(
        &[
            ("/**", SignedIn),
            ("/login", Open),
            ("/Docs/**", Open),
            ("/docs/**", SignedIn),
            ("/x/", Anonymous),
        ],
        Open,
    );
    for (path, access) in [
        ("/login", Open),
        ("/Login", SignedIn),
        ("/login/", SignedIn),
        ("/Docs/a", Open),
        ("/docs/a", SignedIn),
        ("/DOCS/a", SignedIn),
        ("/x/", Anonymous),
        ("/x", SignedIn),
        ("/X/", SignedIn),
    ] {
        assert_eq!(table.classify("GET", path).access, access, "{path}");
    }
}

#[test]
fn attack_closed_path_by_another_reading() {
    let table = table(&[("/public/**", Open), ("/secret/**", SignedIn), ("/visitors", Anonymous)], Open);
    for (path, access) in [
        ("/public/x%20y", Open),
        ("/public/caf%C3%A9", Open),
        ("/public/%ef%bc%8e%ef%bc%8e/secret/x", SignedIn),
        ("/public/%ef%bc%8e%ef%bc%8e/Secret", SignedIn),
        ("/public/%ef%bc%8e%ef%bc%8e/visitors/", Anonymous),
        ("/%ef%bd%93ecret/x", SignedIn),
        ("/secret%20/x", SignedIn),
        ("/visitors%3fx", Anonymous),
        ("/public/%252e%252e/secret", SignedIn),
        ("/public/%c0%ae%c0%ae/secret", SignedIn),
    ] {
        assert_eq!(table.classify("GET", path).access, access, "{path}");
    }
    let long = format!("/public/{}/%{}41", "a".repeat(1100), "25".repeat(20));
    assert_eq!(table.classify("GET", &long).access, SignedIn, "more readings than are checked");
}

#[test]
fn attack_closed_path_in_a_raw_spelling() {
    let table = table(&[("/**", Open), ("/secret/**", SignedIn), ("/teams/*/secret", SignedIn)], Anonymous);
    for (path, access) in [
        ("/public/../secret", SignedIn),
        ("/public/%2e%2e/secret", SignedIn),
        ("/public/..%2fsecret", SignedIn),
        ("/public/..;/secret", SignedIn),
        ("/secret;x=1/y", SignedIn),
        ("//secret", SignedIn),
        ("//public/secret", SignedIn),
        ("/public\\..\\secret", SignedIn),
        ("/t%65ams/a%2fb/secret", SignedIn),
        ("/teams/a%2fb/secret", SignedIn),
        ("/secret%2fx", SignedIn),
        ("/public/../../secret", SignedIn),
        ("/public/a%2fb;c//d", Open),
        ("/index.php/secret/x", SignedIn),
        ("/(S(x))/secret/users.aspx", SignedIn),
        ("/secret:$i30:$INDEX_ALLOCATION/x", SignedIn),
        ("/index.php/public", Open),
        ("/public/%zz", Open),
        ("/secrets;x", Open),
    ] {
        assert_eq!(table.classify("GET", path).access, access, "{path}");
    }
}

/// A path whose readings are not known is closed only if the rules differ.
#[test]
fn readings_do_not_matter_in_a_table_of_one_level() {
    let many = format!("/a/%{}41", "25".repeat(100));
    for (rules, fallback, access) in [
        (&[][..], Anonymous, Anonymous),
        (&[("/**", Open)], Anonymous, Open),
        (&[("/**", Open), ("/a/**", Open)], SignedIn, Open),
        (&[("/a/**", Open)], Anonymous, SignedIn),
        (&[("GET /**", Open)], Anonymous, SignedIn),
        (&[("/favicon.ico", Open)], Anonymous, Anonymous),
    ] {
        let table = table(rules, fallback);
        assert_eq!(table.classify("GET", &many).access, access, "{rules:?}");
        assert_eq!(table.classify("GET", "/a/../..").access, access, "{rules:?}");
    }
    let floor = std::sync::Arc::new(table(&[("/admin/**", SignedIn)], Anonymous));
    let own = table(&[("/**", Open)], Open).with_baseline(floor);
    assert_eq!(own.classify("GET", &many).access, SignedIn, "the baseline has another level");
}

#[test]
fn attack_upgrade_by_another_reading_of_the_path() {
    let with = |written: &str, upgrade: UpgradeRule| RouteRule { upgrade, ..rule(written, Open) };
    let sockets = || UpgradeRule::of(["websocket"]);
    let rules = [
        with("/ws/**", sockets()),
        with("/quiet/**", UpgradeRule::Never),
        with("/chat/**", UpgradeRule::of(["chat"])),
    ];
    let table = RouteTable::compile(&rules, Route::fallback(Open, RouteKind::Page)).unwrap();
    for (path, upgrade) in [
        ("/ws/a", sockets()),
        ("/ws/a%20b;c", sockets()),
        ("/ws/a/../b", sockets()),
        ("/ws/../quiet", UpgradeRule::Never),
        ("/ws/..;/quiet/x", UpgradeRule::Never),
        ("/ws/..%2fchat", UpgradeRule::Never),
        ("/quiet/../ws", UpgradeRule::Never),
        ("/ws/../..", UpgradeRule::Never),
    ] {
        let readings = Readings::of(path);
        let route = table.strictest("GET", &readings);
        assert_eq!(table.upgrade_rule(route, "GET", &readings), &upgrade, "{path}");
    }
}

#[test]
fn baseline_applies_to_every_spelling() {
    let floor = std::sync::Arc::new(table(&[("/admin/**", SignedIn)], Anonymous));
    let own = table(&[("/Admin/**", Open), ("/**", Open)], Anonymous).with_baseline(floor);
    for path in ["/admin", "/Admin/x", "/ADMIN/", "/%ef%bd%81dmin"] {
        assert_eq!(own.classify("GET", path).access, SignedIn, "{path}");
    }
    assert_eq!(own.classify("GET", "/elsewhere").access, Open);
}

#[test]
fn the_spelling_that_decided_is_known() {
    let table = table(
        &[
            ("/public/**", Open),
            ("/secret/**", SignedIn),
            ("/a/Admin.php", SignedIn),
            ("/b/admin.php/", SignedIn),
        ],
        Open,
    );
    for (path, spelling) in [
        ("/a/Admin.php", None),
        ("/a/admin.php/", Some("/a/admin.php")),
        ("/a/Admin.php/x/Y/", Some("/a/admin.php")),
        ("/b/admin.php/x", Some("/b/admin.php")),
        ("/public/%ef%bc%8e%ef%bc%8e/a/admin.php/x", Some("/a/admin.php")),
        ("/secret/x", None),
        ("/Secret/X/", Some("/secret/x")),
        ("/public/%ef%bc%8e%ef%bc%8e/secret", Some("/secret")),
        ("/public/x", None),
        ("/public/%20x", None),
    ] {
        assert_eq!(table.deciding_spelling("GET", &Readings::of(path)).as_deref(), spelling, "{path}");
    }
}
