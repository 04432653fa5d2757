//! Evaluates the state of a tenant's file: which policy is in force. Pure; reads nothing.

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
    tenant_folder::{FileStamp, TenantFileContent, file_of},
};
use crate::{
    config::{
        governance::TenantOverrides,
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

/// Functions that parse and resolve a tenant's file. Production: `tenant_file`; tests replace them.
#[derive(Debug, Clone, Copy)]
pub struct TenantFileReader {
    pub parse: fn(&str, &Path) -> Result<TenantConf, Vec<Mistake>>,
    pub resolve: fn(&Settings, &TenantId, &TenantConf, &TenantOverrides, u64) -> TenantPolicy,
    pub closed_policy: fn(&Settings, &TenantId, Mistake, &TenantOverrides, u64) -> Arc<TenantPolicy>,
}

impl TenantFileReader {
    pub const TENANT_FILE: Self = Self {
        parse: tenant_file::parse,
        resolve: tenant_file::resolve_with,
        closed_policy: tenant_file::closed_policy,
    };
}

/// A cached tenant. Replaced as a whole, never changed.
#[derive(Debug)]
pub struct CachedTenant {
    pub state: TenantState,
    pub stamp: FileStamp,
    /// Which settings it was resolved with, and after which flush it was read.
    pub versions: Versions,
    /// The overrides it was resolved with.
    pub overrides: TenantOverrides,
    /// From this time on the next look-up triggers a refresh in the background …
    pub refresh_at: Instant,
    /// … and from this time on it is not returned before it has been refreshed.
    pub stale_at: Instant,
    pub is_refreshing: AtomicBool,
}

#[derive(Debug, Clone)]
pub struct TenantState {
    /// In force.
    pub policy: Arc<TenantPolicy>,
    /// The last valid content of the file.
    pub last_good: Option<LastGood>,
}

impl TenantState {
    /// Whether the policy matches the current file, not the last good one or a closed one.
    pub fn is_current_file(&self) -> bool {
        self.last_good.as_ref().is_some_and(|good| Arc::ptr_eq(&good.policy, &self.policy))
    }
}

#[derive(Debug, Clone)]
pub struct LastGood {
    fingerprint: ContentFingerprint,
    pub conf: Arc<TenantConf>,
    policy: Arc<TenantPolicy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ContentFingerprint {
    NoFile,
    Text(u64),
}

#[derive(Debug)]
pub enum CheckOutcome {
    /// No such tenant.
    Unknown,
    Known(TenantState, PolicyChange),
}

#[derive(Debug, PartialEq, Eq)]
pub enum PolicyChange {
    Unchanged,
    /// The file has new valid content.
    Accepted,
    /// The file is valid again, with the last good content.
    Recovered,
    /// These mistakes are new.
    Broken(Vec<Mistake>),
    StillBroken,
}

/// The inputs of an evaluation besides the file.
pub struct TenantEvaluation<'a> {
    pub reader: TenantFileReader,
    pub settings: &'a Settings,
    pub tenant: &'a TenantId,
    pub before: Option<&'a TenantState>,
    /// The administrator overrides.
    pub overrides: &'a TenantOverrides,
    /// `before` was resolved with these very settings.
    pub is_same_context: bool,
    pub hasher: &'a RandomState,
}

impl TenantEvaluation<'_> {
    pub fn evaluate(&self, reading: &TenantFileContent) -> CheckOutcome {
        let good = self.before.and_then(|before| before.last_good.as_ref());
        let default = *self.tenant == self.settings.tenancy.default_tenant;
        let (content, text) = match reading {
            TenantFileContent::Text(text) => {
                (ContentFingerprint::Text(self.hasher.hash_one(text)), text.as_str())
            }
            TenantFileContent::NoFile => (ContentFingerprint::NoFile, ""),
            // an unmounted volume must not remove any policy
            TenantFileContent::NoRoot if self.before.is_some() && !(default && is_inherited(good)) => {
                let message = "the folder of all tenants is missing".to_owned();
                return self.retain_last_good(vec![Mistake::whole(
                    &self.settings.tenancy.folder,
                    message,
                    "restore it, or restart without it",
                )]);
            }
            // nor may the default tenant inherit anonymous mode by it; all others become unknown
            TenantFileContent::EmptyRoot if default && self.before.is_some() && !is_inherited(good) => {
                let message = "the folder of all tenants is empty or cannot be listed".to_owned();
                return self.retain_last_good(vec![Mistake::whole(
                    &self.settings.tenancy.folder,
                    message,
                    "restore it, or restart without it",
                )]);
            }
            TenantFileContent::NoFolder | TenantFileContent::EmptyRoot | TenantFileContent::NoRoot
                if default =>
            {
                (ContentFingerprint::NoFile, "")
            }
            TenantFileContent::NoFolder | TenantFileContent::EmptyRoot | TenantFileContent::NoRoot => {
                return CheckOutcome::Unknown;
            }
            TenantFileContent::Unreadable(problem) => return self.retain_last_good(vec![problem.clone()]),
        };
        if let Some(good) = good
            && good.fingerprint == content
        {
            return self.unchanged(good);
        }
        let conf = match content {
            ContentFingerprint::NoFile => Ok(TenantConf::default()),
            ContentFingerprint::Text(_) => {
                (self.reader.parse)(text, &file_of(&self.settings.tenancy.folder, self.tenant))
            }
        };
        match conf {
            Ok(conf) => {
                let good = self.resolve_good(content, Arc::new(conf));
                CheckOutcome::Known(
                    TenantState { policy: Arc::clone(&good.policy), last_good: Some(good) },
                    PolicyChange::Accepted,
                )
            }
            Err(mistakes) => self.retain_last_good(mistakes),
        }
    }

    /// The same files under new settings.
    pub fn resolve_again(&self, before: &TenantState) -> TenantState {
        let good =
            before.last_good.as_ref().map(|good| self.resolve_good(good.fingerprint, Arc::clone(&good.conf)));
        match (&before.policy.problem, good) {
            (_, Some(good)) if before.is_current_file() => {
                TenantState { policy: Arc::clone(&good.policy), last_good: Some(good) }
            }
            (Some(problem), good) => self.with_problem(problem.clone(), good),
            // a policy that differs from the file always has a problem
            (None, _) => before.clone(),
        }
    }

    /// Whether the state may be transient, in the middle of a write or rename, and has to be checked once more.
    pub fn is_possibly_transient(&self, reading: &TenantFileContent, verdict: &CheckOutcome) -> bool {
        let had_text = self
            .before
            .and_then(|before| before.last_good.as_ref())
            .is_some_and(|good| matches!(good.fingerprint, ContentFingerprint::Text(_)));
        match (verdict, reading) {
            (CheckOutcome::Known(_, PolicyChange::Broken(_)), _) => true,
            (CheckOutcome::Known(_, PolicyChange::Accepted), TenantFileContent::Text(text)) => {
                had_text && text.trim().is_empty()
            }
            (CheckOutcome::Known(_, PolicyChange::Accepted) | CheckOutcome::Unknown, _) => had_text,
            _ => false,
        }
    }

    fn unchanged(&self, good: &LastGood) -> CheckOutcome {
        let recovered = self.before.is_some_and(|before| !before.is_current_file());
        let change = if recovered { PolicyChange::Recovered } else { PolicyChange::Unchanged };
        let good = if self.is_same_context {
            good.clone()
        } else {
            self.resolve_good(good.fingerprint, Arc::clone(&good.conf))
        };
        CheckOutcome::Known(TenantState { policy: Arc::clone(&good.policy), last_good: Some(good) }, change)
    }

    fn retain_last_good(&self, mistakes: Vec<Mistake>) -> CheckOutcome {
        let first = mistakes.first().cloned().unwrap_or_else(|| {
            let file = file_of(&self.settings.tenancy.folder, self.tenant);
            Mistake::whole(&file, "cannot be understood", "run `doorward check`")
        });
        if let Some(before) = self.before
            && !before.is_current_file()
            && before.policy.problem.as_ref() == Some(&first)
        {
            let state = if self.is_same_context { before.clone() } else { self.resolve_again(before) };
            return CheckOutcome::Known(state, PolicyChange::StillBroken);
        }
        let good = self.before.and_then(|before| before.last_good.as_ref()).map(|good| {
            if self.is_same_context {
                good.clone()
            } else {
                self.resolve_good(good.fingerprint, Arc::clone(&good.conf))
            }
        });
        let mistakes = if mistakes.is_empty() { vec![first.clone()] } else { mistakes };
        CheckOutcome::Known(self.with_problem(first, good), PolicyChange::Broken(mistakes))
    }

    /// The last good policy with a problem attached. Its decisions are unchanged, so it keeps its generation.
    fn with_problem(&self, problem: Mistake, good: Option<LastGood>) -> TenantState {
        let policy = match &good {
            Some(good) => {
                let mut policy = (self.reader.resolve)(
                    self.settings,
                    self.tenant,
                    &good.conf,
                    self.overrides,
                    good.policy.generation,
                );
                policy.problem = Some(problem);
                Arc::new(policy)
            }
            None => (self.reader.closed_policy)(
                self.settings,
                self.tenant,
                problem,
                self.overrides,
                next_generation(),
            ),
        };
        TenantState { policy, last_good: good }
    }

    fn resolve_good(&self, content: ContentFingerprint, conf: Arc<TenantConf>) -> LastGood {
        let resolve = self.reader.resolve;
        let policy = Arc::new(resolve(self.settings, self.tenant, &conf, self.overrides, next_generation()));
        LastGood { fingerprint: content, conf, policy }
    }
}

fn is_inherited(good: Option<&LastGood>) -> bool {
    good.is_some_and(|good| good.fingerprint == ContentFingerprint::NoFile)
}

/// The closed policy of a tenant whose file could not be checked.
pub fn closed_policy(
    reader: TenantFileReader,
    settings: &Settings,
    tenant: &TenantId,
    set: &TenantOverrides,
    message: &str,
) -> Arc<TenantPolicy> {
    let file = file_of(&settings.tenancy.folder, tenant);
    (reader.closed_policy)(
        settings,
        tenant,
        Mistake::whole(&file, message.to_owned(), ""),
        set,
        next_generation(),
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{
        super::tests::{CLOSED, OPEN, READER, id, settings},
        *,
    };
    use crate::config::model::FileWatchMode;

    fn text(text: &str) -> TenantFileContent {
        TenantFileContent::Text(text.to_owned())
    }

    fn unreadable() -> TenantFileContent {
        TenantFileContent::Unreadable(Mistake::whole(Path::new("f"), "cannot be read", "check it"))
    }

    struct World {
        settings: Settings,
        set: TenantOverrides,
        hasher: RandomState,
    }

    impl World {
        fn new() -> Self {
            let settings = settings(PathBuf::from("tenants"), FileWatchMode::Off);
            Self { settings, set: TenantOverrides::none(), hasher: RandomState::new() }
        }

        fn case<'a>(&'a self, tenant: &'a TenantId, before: Option<&'a TenantState>) -> TenantEvaluation<'a> {
            let settings = &self.settings;
            let (set, hasher) = (&self.set, &self.hasher);
            TenantEvaluation {
                reader: READER,
                settings,
                tenant,
                before,
                overrides: set,
                is_same_context: true,
                hasher,
            }
        }

        /// The state after these contents in sequence.
        fn after(&self, tenant: &TenantId, readings: &[TenantFileContent]) -> Option<TenantState> {
            readings.iter().fold(None, |before, reading| {
                match self.case(tenant, before.as_ref()).evaluate(reading) {
                    CheckOutcome::Known(state, _) => Some(state),
                    CheckOutcome::Unknown => None,
                }
            })
        }
    }

    #[test]
    fn policy_in_force_after_each_reading() {
        let world = World::new();
        let (acme, default) = (id("acme.com"), TenantId::super_tenant());
        let (open, closed) = (Some(true), Some(false));
        let table: Vec<(&TenantId, Vec<TenantFileContent>, Option<bool>)> = vec![
            (&acme, vec![text(OPEN)], open),
            (&acme, vec![text(CLOSED)], closed),
            (&acme, vec![TenantFileContent::NoFile], open),
            (&acme, vec![TenantFileContent::NoFolder], None),
            (&acme, vec![TenantFileContent::NoRoot], None),
            (&default, vec![TenantFileContent::NoFolder], open),
            (&default, vec![TenantFileContent::NoRoot], open),
            // nothing good is known
            (&acme, vec![text("{")], closed),
            (&acme, vec![unreadable()], closed),
            (&default, vec![unreadable()], closed),
            (&acme, vec![unreadable(), text("{"), unreadable()], closed),
            // the last good one stays
            (&acme, vec![text(OPEN), unreadable()], open),
            (&acme, vec![text(CLOSED), text("{"), unreadable(), TenantFileContent::NoRoot], closed),
            (&default, vec![text(CLOSED), TenantFileContent::NoRoot], closed),
            // an unmounted volume leaves an empty folder
            (&default, vec![text(CLOSED), TenantFileContent::EmptyRoot], closed),
            (&default, vec![text("{"), TenantFileContent::EmptyRoot], closed),
            (&default, vec![TenantFileContent::NoFile, TenantFileContent::EmptyRoot], open),
            (&default, vec![TenantFileContent::EmptyRoot], open),
            (&acme, vec![text(CLOSED), TenantFileContent::EmptyRoot], None),
            // and goes when it is really gone
            (&acme, vec![text(CLOSED), TenantFileContent::NoFile], open),
            (&acme, vec![text(CLOSED), unreadable(), TenantFileContent::NoFolder], None),
            (&default, vec![text(CLOSED), TenantFileContent::NoFolder], open),
            (&acme, vec![text(CLOSED), unreadable(), text(OPEN)], open),
        ];
        for (tenant, readings, expected) in table {
            let state = world.after(tenant, &readings);
            assert_eq!(state.map(|state| state.policy.anonymous), expected, "{tenant} {readings:?}");
        }
    }

    #[test]
    fn possibly_transient_state_is_checked_again() {
        let world = World::new();
        let acme = id("acme.com");
        for (before, now, doubtful) in [
            (vec![], text(OPEN), false),
            (vec![], TenantFileContent::NoFile, false),
            (vec![], TenantFileContent::NoFolder, false),
            (vec![], text("{"), true),
            (vec![text(CLOSED)], text(OPEN), false),
            (vec![text(CLOSED)], text(CLOSED), false),
            // an editor's backup, a kubelet's swap
            (vec![text(CLOSED)], TenantFileContent::NoFile, true),
            (vec![text(CLOSED)], TenantFileContent::NoFolder, true),
            (vec![text(CLOSED)], TenantFileContent::NoRoot, true),
            // truncated, and half written
            (vec![text(CLOSED)], text(""), true),
            (vec![text(CLOSED)], text("{"), true),
            (vec![text(CLOSED)], unreadable(), true),
            // known to be so
            (vec![text(CLOSED), text("{")], text("{"), false),
            (vec![TenantFileContent::NoFile], TenantFileContent::NoFile, false),
            (vec![TenantFileContent::NoFile], TenantFileContent::NoFolder, false),
        ] {
            let state = world.after(&acme, &before);
            let case = world.case(&acme, state.as_ref());
            assert_eq!(
                case.is_possibly_transient(&now, &case.evaluate(&now)),
                doubtful,
                "{before:?} then {now:?}"
            );
        }
    }

    #[test]
    fn reports_a_mistake_as_new_once() {
        let world = World::new();
        let acme = id("acme.com");
        let change = |before: &[TenantFileContent], now: &TenantFileContent| {
            let state = world.after(&acme, before);
            match world.case(&acme, state.as_ref()).evaluate(now) {
                CheckOutcome::Known(_, change) => change,
                CheckOutcome::Unknown => panic!("unknown"),
            }
        };
        assert!(
            matches!(change(&[text(OPEN)], &text("{")), PolicyChange::Broken(mistakes) if mistakes.len() == 1)
        );
        assert_eq!(change(&[text(OPEN), text("{")], &text("{")), PolicyChange::StillBroken);
        assert!(matches!(change(&[text(OPEN), text("{")], &unreadable()), PolicyChange::Broken(_)));
        assert_eq!(change(&[text(OPEN), text("{")], &text(OPEN)), PolicyChange::Recovered);
        assert_eq!(change(&[text(OPEN), text("{")], &text(CLOSED)), PolicyChange::Accepted);
        assert_eq!(change(&[text(OPEN)], &text(OPEN)), PolicyChange::Unchanged);
    }
}
