//! What a look at a tenant's file means for the policy in force. Decides; reads nothing.

use std::{
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{
    cache::Versions,
    disk::{Reading, Stamp, file_of},
};
use crate::{
    config::{
        governance::Set,
        mistake::Mistake,
        model::{Settings, TenantPolicy},
        tenant_file::{self, TenantConf},
    },
    domain::tenant::TenantId,
};

static GENERATION: AtomicU64 = AtomicU64::new(1);

fn next_generation() -> u64 {
    GENERATION.fetch_add(1, Ordering::Relaxed)
}

/// How a tenant's file is understood. Production: `tenant_file`.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    pub parse: fn(&str, &Path) -> Result<TenantConf, Vec<Mistake>>,
    pub resolve: fn(&Settings, &TenantId, &TenantConf, &Set, u64) -> TenantPolicy,
    pub closed: fn(&Settings, &TenantId, Mistake, &Set, u64) -> Arc<TenantPolicy>,
}

impl Reader {
    pub const TENANT_FILE: Self =
        Self { parse: tenant_file::parse, resolve: tenant_file::resolve_with, closed: tenant_file::closed };
}

/// A cached tenant. Replaced as a whole, never changed.
#[derive(Debug)]
pub struct Entry {
    pub state: State,
    pub stamp: Stamp,
    /// Which settings it was resolved with, and after which flush it was read.
    pub versions: Versions,
    /// What administrators had set when it was resolved.
    pub set: Set,
    /// From here on the next look-up has it read again in the background …
    pub refresh_at: Instant,
    /// … and from here on nobody is answered from it before it has been read again.
    pub stale_at: Instant,
    pub refreshing: AtomicBool,
}

#[derive(Debug, Clone)]
pub struct State {
    /// In force.
    pub policy: Arc<TenantPolicy>,
    /// What the file said when it could last be understood.
    pub good: Option<Good>,
}

impl State {
    /// Whether the policy is what the file says now, not one from before or a closed one.
    pub fn is_of_file(&self) -> bool {
        self.good.as_ref().is_some_and(|good| Arc::ptr_eq(&good.policy, &self.policy))
    }
}

#[derive(Debug, Clone)]
pub struct Good {
    content: Content,
    pub conf: Arc<TenantConf>,
    policy: Arc<TenantPolicy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Absent,
    Text(u64),
}

#[derive(Debug)]
pub enum Verdict {
    /// No such tenant.
    Unknown,
    Known(State, Change),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    Nothing,
    /// The file says something else than before (or for the first time anything).
    Accepted,
    /// The mistake is gone, and the file says what it said before.
    Recovered,
    /// These mistakes are new.
    Broken(Vec<Mistake>),
    StillBroken,
}

/// Everything a verdict depends on beside the file.
pub struct Case<'a> {
    pub reader: Reader,
    pub settings: &'a Settings,
    pub tenant: &'a TenantId,
    pub before: Option<&'a State>,
    /// What administrators have set.
    pub set: &'a Set,
    /// `before` was resolved with these very settings.
    pub same_settings: bool,
    pub hasher: &'a RandomState,
}

impl Case<'_> {
    pub fn judge(&self, reading: &Reading) -> Verdict {
        let good = self.before.and_then(|before| before.good.as_ref());
        let default = *self.tenant == self.settings.tenancy.default_tenant;
        let (content, text) = match reading {
            Reading::Text(text) => (Content::Text(self.hasher.hash_one(text)), text.as_str()),
            Reading::Absent => (Content::Absent, ""),
            // the whole folder cannot have been meant: an unmounted volume takes nobody's policy away
            Reading::NoRoot if self.before.is_some() && !(default && inherits(good)) => {
                let message = "the folder of all tenants is missing".to_owned();
                return self.broken(vec![Mistake::whole(
                    &self.settings.tenancy.folder,
                    message,
                    "restore it, or restart without it",
                )]);
            }
            // nor the default one's: it alone would open by it, all others become unknown
            Reading::EmptyRoot if default && self.before.is_some() && !inherits(good) => {
                let message = "the folder of all tenants is empty or cannot be listed".to_owned();
                return self.broken(vec![Mistake::whole(
                    &self.settings.tenancy.folder,
                    message,
                    "restore it, or restart without it",
                )]);
            }
            Reading::Gone | Reading::EmptyRoot | Reading::NoRoot if default => (Content::Absent, ""),
            Reading::Gone | Reading::EmptyRoot | Reading::NoRoot => return Verdict::Unknown,
            Reading::Unreadable(problem) => return self.broken(vec![problem.clone()]),
        };
        if let Some(good) = good
            && good.content == content
        {
            return self.unchanged(good);
        }
        let conf = match content {
            Content::Absent => Ok(TenantConf::default()),
            Content::Text(_) => {
                (self.reader.parse)(text, &file_of(&self.settings.tenancy.folder, self.tenant))
            }
        };
        match conf {
            Ok(conf) => {
                let good = self.resolved(content, Arc::new(conf));
                Verdict::Known(State { policy: Arc::clone(&good.policy), good: Some(good) }, Change::Accepted)
            }
            Err(mistakes) => self.broken(mistakes),
        }
    }

    /// The same files under new settings.
    pub fn again(&self, before: &State) -> State {
        let good = before.good.as_ref().map(|good| self.resolved(good.content, Arc::clone(&good.conf)));
        match (&before.policy.problem, good) {
            (_, Some(good)) if before.is_of_file() => {
                State { policy: Arc::clone(&good.policy), good: Some(good) }
            }
            (Some(problem), good) => self.with_problem(problem.clone(), good),
            // a policy that is not of the file says why
            (None, _) => before.clone(),
        }
    }

    /// Whether the reading may be one of a moment, while somebody writes or renames: to be looked at once more.
    pub fn is_doubtful(&self, reading: &Reading, verdict: &Verdict) -> bool {
        let had_text = self
            .before
            .and_then(|before| before.good.as_ref())
            .is_some_and(|good| matches!(good.content, Content::Text(_)));
        match (verdict, reading) {
            (Verdict::Known(_, Change::Broken(_)), _) => true,
            (Verdict::Known(_, Change::Accepted), Reading::Text(text)) => had_text && text.trim().is_empty(),
            (Verdict::Known(_, Change::Accepted) | Verdict::Unknown, _) => had_text,
            _ => false,
        }
    }

    fn unchanged(&self, good: &Good) -> Verdict {
        let recovered = self.before.is_some_and(|before| !before.is_of_file());
        let change = if recovered { Change::Recovered } else { Change::Nothing };
        let good = if self.same_settings {
            good.clone()
        } else {
            self.resolved(good.content, Arc::clone(&good.conf))
        };
        Verdict::Known(State { policy: Arc::clone(&good.policy), good: Some(good) }, change)
    }

    fn broken(&self, mistakes: Vec<Mistake>) -> Verdict {
        let first = mistakes.first().cloned().unwrap_or_else(|| {
            let file = file_of(&self.settings.tenancy.folder, self.tenant);
            Mistake::whole(&file, "cannot be understood", "run `doorward check`")
        });
        if let Some(before) = self.before
            && !before.is_of_file()
            && before.policy.problem.as_ref() == Some(&first)
        {
            let state = if self.same_settings { before.clone() } else { self.again(before) };
            return Verdict::Known(state, Change::StillBroken);
        }
        let good = self.before.and_then(|before| before.good.as_ref()).map(|good| {
            if self.same_settings {
                good.clone()
            } else {
                self.resolved(good.content, Arc::clone(&good.conf))
            }
        });
        let mistakes = if mistakes.is_empty() { vec![first.clone()] } else { mistakes };
        Verdict::Known(self.with_problem(first, good), Change::Broken(mistakes))
    }

    /// The last good policy with a note on it: what it decides is the same, so its generation is too.
    fn with_problem(&self, problem: Mistake, good: Option<Good>) -> State {
        let policy = match &good {
            Some(good) => {
                let mut policy = (self.reader.resolve)(
                    self.settings,
                    self.tenant,
                    &good.conf,
                    self.set,
                    good.policy.generation,
                );
                policy.problem = Some(problem);
                Arc::new(policy)
            }
            None => (self.reader.closed)(self.settings, self.tenant, problem, self.set, next_generation()),
        };
        State { policy, good }
    }

    fn resolved(&self, content: Content, conf: Arc<TenantConf>) -> Good {
        let resolve = self.reader.resolve;
        let policy = Arc::new(resolve(self.settings, self.tenant, &conf, self.set, next_generation()));
        Good { content, conf, policy }
    }
}

fn inherits(good: Option<&Good>) -> bool {
    good.is_some_and(|good| good.content == Content::Absent)
}

/// The policy of a tenant whose look-up itself failed.
pub fn closed(
    reader: Reader,
    settings: &Settings,
    tenant: &TenantId,
    set: &Set,
    message: &str,
) -> Arc<TenantPolicy> {
    let file = file_of(&settings.tenancy.folder, tenant);
    (reader.closed)(settings, tenant, Mistake::whole(&file, message.to_owned(), ""), set, next_generation())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{
        super::tests::{CLOSED, OPEN, READER, id, settings},
        *,
    };
    use crate::config::model::Watch;

    fn text(text: &str) -> Reading {
        Reading::Text(text.to_owned())
    }

    fn unreadable() -> Reading {
        Reading::Unreadable(Mistake::whole(Path::new("f"), "cannot be read", "check it"))
    }

    struct World {
        settings: Settings,
        set: Set,
        hasher: RandomState,
    }

    impl World {
        fn new() -> Self {
            let settings = settings(PathBuf::from("tenants"), Watch::Off);
            Self { settings, set: Set::nothing(), hasher: RandomState::new() }
        }

        fn case<'a>(&'a self, tenant: &'a TenantId, before: Option<&'a State>) -> Case<'a> {
            let settings = &self.settings;
            let (set, hasher) = (&self.set, &self.hasher);
            Case { reader: READER, settings, tenant, before, set, same_settings: true, hasher }
        }

        /// What is known after these readings, one after the other.
        fn after(&self, tenant: &TenantId, readings: &[Reading]) -> Option<State> {
            readings.iter().fold(None, |before, reading| {
                match self.case(tenant, before.as_ref()).judge(reading) {
                    Verdict::Known(state, _) => Some(state),
                    Verdict::Unknown => None,
                }
            })
        }
    }

    #[test]
    fn what_is_in_force_after_each_reading() {
        let world = World::new();
        let (acme, default) = (id("acme.com"), TenantId::super_tenant());
        let (open, closed) = (Some(true), Some(false));
        let table: Vec<(&TenantId, Vec<Reading>, Option<bool>)> = vec![
            (&acme, vec![text(OPEN)], open),
            (&acme, vec![text(CLOSED)], closed),
            (&acme, vec![Reading::Absent], open),
            (&acme, vec![Reading::Gone], None),
            (&acme, vec![Reading::NoRoot], None),
            (&default, vec![Reading::Gone], open),
            (&default, vec![Reading::NoRoot], open),
            // nothing good is known
            (&acme, vec![text("{")], closed),
            (&acme, vec![unreadable()], closed),
            (&default, vec![unreadable()], closed),
            (&acme, vec![unreadable(), text("{"), unreadable()], closed),
            // the last good one stays
            (&acme, vec![text(OPEN), unreadable()], open),
            (&acme, vec![text(CLOSED), text("{"), unreadable(), Reading::NoRoot], closed),
            (&default, vec![text(CLOSED), Reading::NoRoot], closed),
            // an unmounted volume leaves an empty folder
            (&default, vec![text(CLOSED), Reading::EmptyRoot], closed),
            (&default, vec![text("{"), Reading::EmptyRoot], closed),
            (&default, vec![Reading::Absent, Reading::EmptyRoot], open),
            (&default, vec![Reading::EmptyRoot], open),
            (&acme, vec![text(CLOSED), Reading::EmptyRoot], None),
            // and goes when it is really gone
            (&acme, vec![text(CLOSED), Reading::Absent], open),
            (&acme, vec![text(CLOSED), unreadable(), Reading::Gone], None),
            (&default, vec![text(CLOSED), Reading::Gone], open),
            (&acme, vec![text(CLOSED), unreadable(), text(OPEN)], open),
        ];
        for (tenant, readings, expected) in table {
            let state = world.after(tenant, &readings);
            assert_eq!(state.map(|state| state.policy.anonymous), expected, "{tenant} {readings:?}");
        }
    }

    #[test]
    fn what_may_be_a_moment_of_an_edit_is_looked_at_again() {
        let world = World::new();
        let acme = id("acme.com");
        for (before, now, doubtful) in [
            (vec![], text(OPEN), false),
            (vec![], Reading::Absent, false),
            (vec![], Reading::Gone, false),
            (vec![], text("{"), true),
            (vec![text(CLOSED)], text(OPEN), false),
            (vec![text(CLOSED)], text(CLOSED), false),
            // an editor's backup, a kubelet's swap
            (vec![text(CLOSED)], Reading::Absent, true),
            (vec![text(CLOSED)], Reading::Gone, true),
            (vec![text(CLOSED)], Reading::NoRoot, true),
            // truncated, and half written
            (vec![text(CLOSED)], text(""), true),
            (vec![text(CLOSED)], text("{"), true),
            (vec![text(CLOSED)], unreadable(), true),
            // known to be so
            (vec![text(CLOSED), text("{")], text("{"), false),
            (vec![Reading::Absent], Reading::Absent, false),
            (vec![Reading::Absent], Reading::Gone, false),
        ] {
            let state = world.after(&acme, &before);
            let case = world.case(&acme, state.as_ref());
            assert_eq!(case.is_doubtful(&now, &case.judge(&now)), doubtful, "{before:?} then {now:?}");
        }
    }

    #[test]
    fn a_mistake_is_new_once() {
        let world = World::new();
        let acme = id("acme.com");
        let change = |before: &[Reading], now: &Reading| {
            let state = world.after(&acme, before);
            match world.case(&acme, state.as_ref()).judge(now) {
                Verdict::Known(_, change) => change,
                Verdict::Unknown => panic!("unknown"),
            }
        };
        assert!(matches!(change(&[text(OPEN)], &text("{")), Change::Broken(mistakes) if mistakes.len() == 1));
        assert_eq!(change(&[text(OPEN), text("{")], &text("{")), Change::StillBroken);
        assert!(matches!(change(&[text(OPEN), text("{")], &unreadable()), Change::Broken(_)));
        assert_eq!(change(&[text(OPEN), text("{")], &text(OPEN)), Change::Recovered);
        assert_eq!(change(&[text(OPEN), text("{")], &text(CLOSED)), Change::Accepted);
        assert_eq!(change(&[text(OPEN)], &text(OPEN)), Change::Nothing);
    }
}
