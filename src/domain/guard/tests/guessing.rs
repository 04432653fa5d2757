//! Searches for a sequence of requests that has more passwords of one account verified than the limit allows: several clients send any
//! requests to a portal that accepts what any framework accepts, while the owner signs in from another address.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::domain::{
    lockout::{
        self, ClientNetwork, CountedAttempt as Guess, Counter, CounterKey, LockoutSettings, LoginSubject,
        NameHash, ReservedCounters,
    },
    tenant::TenantId,
    time::Timestamp,
};

const VICTIM: &str = "victim";
const LIMIT: usize = 5;
/// Failures that successes of the same client may have forgiven within an hour.
const FORGIVEN: usize = 2 * LIMIT;
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[derive(Debug, Clone)]
struct Sent {
    client: u8,
    method: &'static str,
    path: &'static str,
    query: Option<&'static str>,
    /// `{}` is the name.
    body: &'static str,
    name: &'static str,
    referer: Option<&'static str>,
    /// The client has a session of its own, and the portal redirects to `/home` without checking the password.
    has_session: bool,
    /// The client closes the connection before it has the answer.
    hangs_up: bool,
}

const PLAIN: Sent = Sent {
    client: 0,
    method: "POST",
    path: "/login",
    query: None,
    body: "username={}&password=wrong",
    name: VICTIM,
    referer: None,
    has_session: false,
    hangs_up: false,
};

#[derive(Debug, Clone)]
enum Step {
    Hostile(Sent),
    OwnerSignsIn,
    OwnerMistypes,
}

/// Plain attempts, and attempts that differ from a plain one in one property.
fn hostile() -> impl Strategy<Value = Sent> {
    let odd = prop_oneof![
        8 => Just(PLAIN),
        2 => prop::sample::select(vec!["OPTIONS", "GET", "HEAD", "PUT", "PATCH", "DELETE", "PROPFIND"])
            .prop_map(|method| Sent { method, ..PLAIN }),
        2 => prop::sample::select(vec!["/Login", "/login/", "/login.json", "/LOGIN/", "/logout", "/t/x/login"])
            .prop_map(|path| Sent { path, ..PLAIN }),
        2 => prop::sample::select(vec![
            "\u{feff}username={}&password=wrong",
            "[username]={}&password=wrong",
            "%5Busername%5D[]={}&password=wrong",
            "username[]={}&password=wrong",
            "UserName={}&password=wrong",
            "model.Username={}&password=wrong",
            "username=decoy&[username]={}&password=wrong",
            "username=decoy&UserName={}&password=wrong",
            "_method=OPTIONS&username={}&password=wrong",
            "_method=GET&username={}",
            "password=wrong",
            "username=&password=wrong",
            "",
        ])
        .prop_map(|body| Sent { body, ..PLAIN }),
        1 => prop::sample::select(vec!["username=victim", "_method=OPTIONS", "next=/home"])
            .prop_map(|query| Sent { query: Some(query), ..PLAIN }),
        1 => Just(Sent { referer: Some("https://portal/home"), ..PLAIN }),
        1 => Just(Sent { name: "decoy", ..PLAIN }),
        1 => Just(Sent { hangs_up: true, ..PLAIN }),
    ];
    (odd, 0_u8..4).prop_map(|(sent, client)| Sent { client, ..sent })
}

fn steps(with_sessions: bool) -> impl Strategy<Value = Vec<Step>> {
    let session = (hostile(), prop::bool::weighted(if with_sessions { 0.3 } else { 0.0 }))
        .prop_map(|(sent, has_session)| Step::Hostile(Sent { has_session, ..sent }));
    prop::collection::vec(
        prop_oneof![12 => session, 1 => Just(Step::OwnerSignsIn), 1 => Just(Step::OwnerMistypes)],
        0..80,
    )
}

/// The portal: what it reads in a request, and what it answers.
#[derive(Default)]
struct LenientPortal {
    /// Wrong passwords of the victim that the portal has verified for clients other than the owner.
    verified: usize,
}

impl LenientPortal {
    fn answer(&mut self, sent: &Sent, body: &str) -> (u16, String) {
        let login = sent.path.to_ascii_lowercase();
        let login = login.trim_end_matches('/').trim_end_matches(".json");
        if login != "/login" {
            return (200, String::new());
        }
        let method = if body.contains("_method=") || sent.query == Some("_method=OPTIONS") {
            "OPTIONS"
        } else {
            sent.method
        };
        let names = Self::names(body, sent.query);
        if matches!(method, "OPTIONS" | "GET" | "HEAD") && names.is_empty() {
            return (200, String::new());
        }
        if sent.has_session {
            return (302, "/home".to_owned());
        }
        if method == "OPTIONS" {
            return (200, String::new());
        }
        if body.contains("password=right") {
            return (302, "/home".to_owned());
        }
        self.verified += usize::from(names.last().is_some_and(|name| name == VICTIM));
        (302, sent.referer.unwrap_or("/login?error").to_owned())
    }

    /// The names that `qs`, ASP.NET, and frameworks that merge query and body find.
    fn names(body: &str, query: Option<&str>) -> Vec<String> {
        let all = format!("{}&{body}", query.unwrap_or_default());
        let name = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            let name = name.replace("%5B", "[").replace("%5D", "]").replace('\u{feff}', "");
            let name: String = name.chars().filter(|c| !"[]".contains(*c)).collect();
            let name = name.rsplit('.').next()?.to_ascii_lowercase();
            (name == "username" && !value.is_empty()).then(|| value.to_owned())
        };
        all.split('&').filter_map(name).collect()
    }
}

/// Doorward in front of the portal: the guard, and the counters.
struct Doorward {
    guard: LoginGuard,
    counters: BTreeMap<CounterKey, Counter>,
    settings: LockoutSettings,
    now: Timestamp,
    portal: LenientPortal,
}

impl Doorward {
    fn new(succeeded: ResponseSigns) -> Self {
        Self {
            guard: LoginGuard {
                success_signs: succeeded,
                ..guard(LoginNameSource::Form(vec!["username".to_owned()]), &[])
            },
            counters: BTreeMap::new(),
            settings: LockoutSettings { enabled: true, ..LockoutSettings::default() },
            now: NOW,
            portal: LenientPortal::default(),
        }
    }

    fn on<T>(
        &mut self,
        keys: &[CounterKey],
        f: impl FnOnce(&LockoutSettings, &mut [(CounterKey, Counter)]) -> T,
    ) -> T {
        let row = |key: &CounterKey| (key.clone(), self.counters.get(key).copied().unwrap_or_default());
        let mut rows: Vec<_> = keys.iter().map(row).collect();
        let answer = f(&self.settings, &mut rows);
        self.counters.extend(rows);
        answer
    }

    fn reserve(&mut self, name: &str, client: u8) -> Option<ReservedCounters> {
        let hash = |text: String| {
            let mut bytes = [0; 32];
            bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
            NameHash::of(&bytes)
        };
        let net = ClientNetwork::of([192, 0, 2, client].into());
        let guess = Guess {
            tenant: TenantId::super_tenant(),
            subject: LoginSubject::PortalName(hash(name.to_owned())),
            confusable: Some(hash(name.to_owned())),
            spelling: Some(hash(format!("{name}{net}"))),
            address: None,
            device: None,
        };
        let (now, keys) = (self.now, lockout::counter_keys(&self.settings, &guess));
        self.on(&keys, |settings, rows| lockout::reserve(settings, rows, false, now)).ok()
    }

    fn send(&mut self, sent: &Sent) {
        self.now += Duration::from_secs(1);
        let body = sent.body.replace("{}", sent.name);
        if !self.guard.endpoint.matches(sent.path) {
            self.portal.answer(sent, &body);
            return;
        }
        let head = GuardedHead { method: sent.method, path: sent.path, ..post(sent.query) };
        let name = match self.guard.classify(&head, body.as_bytes()) {
            Err(_) | Ok(LoginClassification::Nameless) => return,
            Ok(LoginClassification::NotLogin) => {
                self.portal.answer(sent, &body);
                return;
            }
            Ok(LoginClassification::Named(name)) => name,
        };
        let Some(reserved) = self.reserve(&name, sent.client) else { return };
        // as `proxy::guard::steer` does
        let steered = Sent { referer: sent.referer.map(|_| "https://portal/login"), ..sent.clone() };
        let (status, location) = self.portal.answer(&steered, &body);
        if sent.hangs_up {
            return;
        }
        let attempt = GuardedAttempt {
            method: sent.method,
            is_exact_path: self.guard.endpoint.matches_exactly(sent.path),
            names: NameCount::One,
            is_authenticated: false,
        };
        let location = Some(location.as_str()).filter(|location| !location.is_empty());
        let answer = PortalResponse { status, location, is_whole: true, ..PortalResponse::default() };
        let keys: Vec<CounterKey> = reserved.keys().cloned().collect();
        match self.guard.outcome(attempt, &answer) {
            AttemptOutcome::Failed => {}
            AttemptOutcome::Neutral => self.on(&keys, |_, rows| lockout::release(&reserved, rows)),
            AttemptOutcome::Succeeded => {
                self.on(&keys, |settings, rows| lockout::record_success(settings, &reserved, rows, 0));
            }
        }
    }

    fn verified(mut self, steps: &[Step]) -> usize {
        for step in steps {
            let owner = Sent { client: 200, ..PLAIN };
            match step {
                Step::Hostile(sent) => self.send(sent),
                Step::OwnerSignsIn => self.send(&Sent { body: "username={}&password=right", ..owner }),
                Step::OwnerMistypes => {
                    let before = self.portal.verified;
                    self.send(&owner);
                    self.portal.verified = before;
                }
            }
        }
        self.portal.verified
    }
}

fn described() -> [ResponseSigns; 2] {
    [signs(&[], &["/home*"], &[]), signs(&[200], &["/home*"], &[])]
}

proptest! {
    #[test]
    fn attack_request_sequences_verify_no_more_than_the_limit(steps in steps(false)) {
        for succeeded in described() {
            let verified = Doorward::new(succeeded).verified(&steps);
            prop_assert!(verified <= LIMIT, "{} verified", verified);
        }
    }

    /// An answer that the attacker can always get, and that no rule can distinguish from a success, allows a bounded number of guesses.
    #[test]
    fn attack_own_sessions_gain_a_bounded_number_of_guesses(steps in steps(true)) {
        for succeeded in described() {
            let verified = Doorward::new(succeeded).verified(&steps);
            prop_assert!(verified <= LIMIT + FORGIVEN, "{} verified", verified);
        }
    }
}
