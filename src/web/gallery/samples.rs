//! One of every page, filled in with made-up visitors.

use crate::{
    account::hashing::BusyCause,
    domain::{
        page::Page,
        password::Rule,
        tenant::{NamedTenant, Place, TenantId},
    },
    web::view::{
        AccountView, Asked, Device, Notice, PasswordView, Reason, RuleLine, SessionRow, SignInView,
        SignOutView, Trouble, View,
    },
};

/// Every page without a form, by the name it has in the gallery.
pub fn pages() -> Vec<(&'static str, Page)> {
    let tenant = |name| TenantId::parse(name).unwrap_or_else(|_| TenantId::super_tenant());
    let login = "/devportal/services/configs?tenant=closed.example".to_owned();
    vec![
        ("bad-request", Page::BadRequest { detail: "the path contains a backslash" }),
        (
            "tenant-conflict",
            Page::TenantConflict {
                first: NamedTenant { tenant: tenant("closed.example"), place: Place::Path },
                second: NamedTenant { tenant: tenant("inherits.example"), place: Place::Query },
            },
        ),
        ("unknown-tenant", Page::UnknownTenant { tenant: "nobody.example".to_owned() }),
        ("sign-in-needed", Page::SignInNeeded { sign_in_url: Some(login.clone()) }),
        ("sign-in-unset", Page::SignInNeeded { sign_in_url: None }),
        ("sign-in-loop", Page::SignInLoop { sign_in_url: login.clone() }),
        (
            "forbidden",
            Page::Forbidden { missing: vec!["apim:subscribe".to_owned(), "apim:app_manage".to_owned()] },
        ),
        ("token-refused", Page::TokenRefused { reason: "the token has expired".to_owned() }),
        ("foreign-origin", Page::ForeignOrigin),
        ("portal-down", Page::PortalDown),
        ("portal-slow", Page::PortalSlow),
        ("unavailable", Page::Unavailable),
        ("overloaded", Page::Overloaded),
        ("too-many-requests", Page::TooManyRequests),
        ("sign-in-refused", Page::SignInRefused),
        ("not-found", Page::NotFound),
        ("signed-out", Page::SignedOut { sign_in_url: login }),
        ("foreign-form", Page::ForeignForm),
        ("stale-form", Page::StaleForm),
        ("bad-form", Page::BadForm),
    ]
}

/// Every page with a form, in each of its states that look different.
pub fn forms() -> Vec<(&'static str, Box<dyn View>)> {
    let refused = PasswordView { trouble: Some(Trouble::Refused), rules: JUDGED, ..PASSWORD };
    vec![
        ("sign-in", Box::new(SIGN_IN)),
        ("sign-in-wrong", Box::new(SignInView { trouble: Some(Trouble::Wrong), login: "alex", ..SIGN_IN })),
        (
            "sign-in-locked",
            Box::new(SignInView {
                trouble: Some(Trouble::Locked { minutes: Some(15) }),
                login: "alex",
                ..SIGN_IN
            }),
        ),
        (
            "sign-in-busy",
            Box::new(SignInView {
                trouble: Some(Trouble::Busy { seconds: 2, cause: BusyCause::Queue }),
                login: "alex",
                ..SIGN_IN
            }),
        ),
        ("sign-in-expired", Box::new(SignInView { trouble: Some(Trouble::FormExpired), ..SIGN_IN })),
        ("sign-out", Box::new(SignOutView { action: "/.doorward/sign-out", csrf: "token", user: "alex" })),
        ("account", Box::new(account(4, None))),
        ("account-done", Box::new(account(1, Some(Notice::OthersEnded)))),
        ("password", Box::new(PASSWORD)),
        (
            "password-due",
            Box::new(PasswordView { signed_in: false, reason: Some(Reason::Expired), ..PASSWORD }),
        ),
        ("password-refused", Box::new(refused)),
        ("password-differs", Box::new(PasswordView { trouble: Some(Trouble::Differs), ..PASSWORD })),
    ]
}

const SIGN_IN: SignInView<'static> = SignInView {
    action: "/.doorward/sign-in?tenant=closed.example",
    csrf: "token",
    to: Some("/devportal/apis?tenant=closed.example"),
    login: "",
    trouble: None,
    look_around: true,
    choose_tenant: true,
};

const PASSWORD: PasswordView<'static> = PasswordView {
    action: "/.doorward/account/password",
    csrf: "token",
    to: None,
    login: "alex",
    signed_in: true,
    reason: None,
    rules: ASKED,
    passwordrules: "minlength: 12;",
    trouble: None,
    back: "/.doorward/account",
};

const ASKED: &[RuleLine] = &[
    line(Rule::MinLength(12), None),
    line(Rule::NoContextWord, None),
    line(Rule::NotCommon, None),
    line(Rule::MinScore(3), None),
    line(Rule::NotUsedBefore(5), None),
];

const JUDGED: &[RuleLine] = &[
    line(Rule::MinLength(12), Some(true)),
    line(Rule::NoContextWord, Some(false)),
    line(Rule::NotCommon, Some(true)),
    line(Rule::MinScore(3), Some(false)),
    line(Rule::NotUsedBefore(5), None),
];

const fn line(rule: Rule, met: Option<bool>) -> RuleLine {
    RuleLine { asked: Asked::Rule(rule), met }
}

const NOW: u64 = 1_800_000_000_000;

/// Browser, address, and minutes since it was last used.
const BROWSERS: [(&str, &str, u64); 4] = [
    ("Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0", "192.0.2.7", 0),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Safari/604.1",
        "2001:db8:1f0a::42",
        42,
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36 Edg/140.0",
        "198.51.100.23",
        60 * 7,
    ),
    ("", "203.0.113.200", 60 * 24 * 12),
];

fn account(browsers: usize, notice: Option<Notice>) -> AccountView<'static> {
    let sessions =
        BROWSERS.iter().take(browsers).enumerate().map(|(place, (browser, address, minutes))| SessionRow {
            id: place.to_string(),
            device: Device::parse(browser),
            address: (*address).to_owned(),
            last_seen_at: NOW - minutes * 60_000,
            here: place == 0,
        });
    AccountView {
        csrf: "token",
        user: "alex",
        name: Some("Alex Doe".to_owned()),
        email: Some("alex@closed.example"),
        password_changed_at: NOW - 100 * 24 * 3_600_000,
        sessions: sessions.collect(),
        end_action: "/.doorward/account/sessions",
        password_href: "/.doorward/account/password",
        sign_out_href: "/.doorward/sign-out",
        notice,
        now: NOW,
    }
}
