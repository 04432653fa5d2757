//! One of every page, filled in with sample data.

use std::time::Duration;

use crate::{
    account::hashing::BusyCause,
    domain::{
        page::StatusPage,
        password::PasswordRule,
        tenant::{RequestedTenant, TenantId, TenantSource},
        time::Timestamp,
    },
    web::view::{
        AccountView, ChangeReason, Device, FormError, FormView, Notice, PasswordView, Requirement, RuleLine,
        SessionRow, SignInView, SignOutView,
    },
};

/// Every page without a form, by the name it has in the gallery.
pub fn pages() -> Vec<(&'static str, StatusPage)> {
    let tenant = |name| TenantId::parse(name).unwrap_or_else(|_| TenantId::super_tenant());
    let login = "/devportal/services/configs?tenant=closed.example".to_owned();
    vec![
        ("bad-request", StatusPage::BadRequest { status: 400, detail: "the path contains a backslash" }),
        (
            "tenant-conflict",
            StatusPage::TenantConflict {
                first: RequestedTenant { tenant: tenant("closed.example"), source: TenantSource::Path },
                second: RequestedTenant { tenant: tenant("inherits.example"), source: TenantSource::Query },
            },
        ),
        ("unknown-tenant", StatusPage::UnknownTenant { tenant: "unknown.example".to_owned() }),
        ("sign-in-needed", StatusPage::SignInNeeded { sign_in_url: Some(login.clone()) }),
        ("sign-in-unset", StatusPage::SignInNeeded { sign_in_url: None }),
        ("sign-in-loop", StatusPage::SignInLoop { sign_in_url: login.clone() }),
        (
            "forbidden",
            StatusPage::Forbidden {
                missing: vec!["apim:subscribe".to_owned(), "apim:app_manage".to_owned()],
            },
        ),
        ("token-refused", StatusPage::TokenRefused { reason: "the token has expired".to_owned() }),
        ("foreign-origin", StatusPage::CrossOriginUpgrade),
        ("portal-down", StatusPage::PortalUnreachable),
        ("portal-slow", StatusPage::PortalTimeout),
        ("unavailable", StatusPage::Unavailable),
        ("overloaded", StatusPage::Overloaded),
        ("too-many-requests", StatusPage::TooManyRequests),
        ("sign-in-refused", StatusPage::SignInRefused),
        ("not-found", StatusPage::NotFound),
        ("signed-out", StatusPage::SignedOut { sign_in_url: login }),
        ("foreign-form", StatusPage::CrossSiteForm),
        ("stale-form", StatusPage::ExpiredForm),
        ("bad-form", StatusPage::BadForm),
    ]
}

/// Every page with a form, in each of its states that look different.
pub fn forms() -> Vec<(&'static str, Box<dyn FormView>)> {
    let refused = PasswordView { error: Some(FormError::PolicyViolated), rules: JUDGED, ..PASSWORD };
    vec![
        ("sign-in", Box::new(SIGN_IN)),
        (
            "sign-in-wrong",
            Box::new(SignInView { error: Some(FormError::WrongCredentials), login: "alex", ..SIGN_IN }),
        ),
        (
            "sign-in-locked",
            Box::new(SignInView {
                error: Some(FormError::Locked { remaining: Some(Duration::from_mins(15)) }),
                login: "alex",
                ..SIGN_IN
            }),
        ),
        (
            "sign-in-busy",
            Box::new(SignInView {
                error: Some(FormError::Busy { retry_after: Duration::from_secs(2), cause: BusyCause::Queue }),
                login: "alex",
                ..SIGN_IN
            }),
        ),
        ("sign-in-expired", Box::new(SignInView { error: Some(FormError::FormExpired), ..SIGN_IN })),
        ("sign-out", Box::new(SignOutView { action: "/.doorward/sign-out", csrf: "token", user: "alex" })),
        ("account", Box::new(account(4, None))),
        ("account-done", Box::new(account(1, Some(Notice::OthersEnded)))),
        ("password", Box::new(PASSWORD)),
        (
            "password-due",
            Box::new(PasswordView { signed_in: false, reason: Some(ChangeReason::Expired), ..PASSWORD }),
        ),
        ("password-refused", Box::new(refused)),
        ("password-differs", Box::new(PasswordView { error: Some(FormError::PasswordsDiffer), ..PASSWORD })),
    ]
}

const SIGN_IN: SignInView<'static> = SignInView {
    action: "/.doorward/sign-in?tenant=closed.example",
    csrf: "token",
    to: Some("/devportal/apis?tenant=closed.example"),
    login: "",
    error: None,
    allows_anonymous: true,
    has_other_tenants: true,
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
    error: None,
    back: "/.doorward/account",
};

const ASKED: &[RuleLine] = &[
    line(PasswordRule::MinLength(12), None),
    line(PasswordRule::NoContextWord, None),
    line(PasswordRule::NotCommon, None),
    line(PasswordRule::MinScore(3), None),
    line(PasswordRule::NotUsedBefore(5), None),
];

const JUDGED: &[RuleLine] = &[
    line(PasswordRule::MinLength(12), Some(true)),
    line(PasswordRule::NoContextWord, Some(false)),
    line(PasswordRule::NotCommon, Some(true)),
    line(PasswordRule::MinScore(3), Some(false)),
    line(PasswordRule::NotUsedBefore(5), None),
];

const fn line(rule: PasswordRule, met: Option<bool>) -> RuleLine {
    RuleLine { requirement: Requirement::Rule(rule), is_met: met }
}

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

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
            last_seen_at: NOW - Duration::from_mins(*minutes),
            current_session: place == 0,
        });
    AccountView {
        csrf: "token",
        user: "alex",
        name: Some("Alex Doe".to_owned()),
        email: Some("alex@closed.example"),
        password_changed_at: NOW - Duration::from_hours(100 * 24),
        sessions: sessions.collect(),
        end_action: "/.doorward/account/sessions",
        password_href: "/.doorward/account/password",
        sign_out_href: "/.doorward/sign-out",
        notice,
        now: NOW,
    }
}
