//! Evaluates the state of a tenant's file: which policy is in force. Pure; reads nothing.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use super::{
    tenant_folder::{TenantFileContent, file_of},
    tenant_state::{ContentFingerprint, LastGood, ParseTenantFile, TenantState, next_generation},
};
use crate::{
    config::{
        TenantPolicy,
        governance::TenantOverrides,
        mistake::Mistake,
        model::{MissingFilePolicy, Settings},
        tenant_file::{self, TenantConf},
    },
    domain::tenant::TenantId,
};

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
    pub parse: ParseTenantFile,
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
        let good = self.last_good();
        let default = *self.tenant == self.settings.tenancy.default_tenant;
        let (content, text) = match reading {
            TenantFileContent::Text(text) => {
                (ContentFingerprint::Text(self.hasher.hash_one(text)), text.as_str())
            }
            TenantFileContent::NoFile => (ContentFingerprint::NoFile, ""),
            // an unmounted volume must not remove any policy
            TenantFileContent::NoRoot if self.before.is_some() && !(default && is_inherited(good)) => {
                return self
                    .retain_last_good(vec![self.folder_mistake("the folder of all tenants is missing")]);
            }
            // nor may the default tenant inherit anonymous mode by it; all others become unknown
            TenantFileContent::EmptyRoot if default && self.before.is_some() && !is_inherited(good) => {
                let message = "the folder of all tenants is empty or cannot be listed";
                return self.retain_last_good(vec![self.folder_mistake(message)]);
            }
            TenantFileContent::NoFolder | TenantFileContent::EmptyRoot | TenantFileContent::NoRoot
                if default =>
            {
                (ContentFingerprint::NoFolder, "")
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
            ContentFingerprint::NoFile | ContentFingerprint::NoFolder => Ok(TenantConf::default()),
            ContentFingerprint::Text(_) => {
                (self.parse)(text, &file_of(&self.settings.tenancy.folder, self.tenant))
            }
        };
        match conf {
            Ok(conf) => {
                let good = self.resolve_good(content, Arc::new(conf));
                CheckOutcome::Known(TenantState::Current(good), PolicyChange::Accepted)
            }
            Err(mistakes) => self.retain_last_good(mistakes),
        }
    }

    /// The same files under new settings.
    pub fn resolve_again(&self, before: &TenantState) -> TenantState {
        let again = |good: &LastGood| self.resolve_good(good.fingerprint, Arc::clone(&good.conf));
        match before {
            TenantState::Current(good) => TenantState::Current(again(good)),
            TenantState::LastGood { good, problem, .. } => {
                self.with_problem(problem.as_ref().clone(), Some(again(good)))
            }
            TenantState::Closed { problem, .. } => self.with_problem(problem.as_ref().clone(), None),
        }
    }

    /// Whether the state may be transient, in the middle of a write or rename, and has to be checked once more.
    pub fn is_possibly_transient(&self, reading: &TenantFileContent, verdict: &CheckOutcome) -> bool {
        let had_text =
            self.last_good().is_some_and(|good| matches!(good.fingerprint, ContentFingerprint::Text(_)));
        match (verdict, reading) {
            (CheckOutcome::Known(_, PolicyChange::Broken(_)), _) => true,
            (CheckOutcome::Known(_, PolicyChange::Accepted), TenantFileContent::Text(text)) => {
                had_text && text.trim().is_empty()
            }
            (CheckOutcome::Known(_, PolicyChange::Accepted) | CheckOutcome::Unknown, _) => had_text,
            _ => false,
        }
    }

    fn last_good(&self) -> Option<&LastGood> {
        self.before.and_then(TenantState::last_good)
    }

    fn folder_mistake(&self, message: &str) -> Mistake {
        Mistake::whole(&self.settings.tenancy.folder, message, "restore it, or restart without it")
    }

    fn unchanged(&self, good: &LastGood) -> CheckOutcome {
        let recovered = self.before.is_some_and(|before| !before.is_current());
        let change = if recovered { PolicyChange::Recovered } else { PolicyChange::Unchanged };
        CheckOutcome::Known(TenantState::Current(self.under_current_context(good)), change)
    }

    fn under_current_context(&self, good: &LastGood) -> LastGood {
        if self.is_same_context {
            good.clone()
        } else {
            self.resolve_good(good.fingerprint, Arc::clone(&good.conf))
        }
    }

    fn retain_last_good(&self, mistakes: Vec<Mistake>) -> CheckOutcome {
        let first = mistakes.first().cloned().unwrap_or_else(|| {
            let file = file_of(&self.settings.tenancy.folder, self.tenant);
            Mistake::whole(&file, "cannot be understood", "run `doorward check`")
        });
        if let Some(before) = self.before
            && before.problem() == Some(&first)
        {
            let state = if self.is_same_context { before.clone() } else { self.resolve_again(before) };
            return CheckOutcome::Known(state, PolicyChange::StillBroken);
        }
        let good = self.last_good().map(|good| self.under_current_context(good));
        let mistakes = if mistakes.is_empty() { vec![first.clone()] } else { mistakes };
        CheckOutcome::Known(self.with_problem(first, good), PolicyChange::Broken(mistakes))
    }

    /// The last good policy with a problem attached. Its decisions are unchanged, so it keeps its generation.
    fn with_problem(&self, problem: Mistake, good: Option<LastGood>) -> TenantState {
        let Some(good) = good else {
            let policy = tenant_file::closed_policy(
                self.settings,
                self.tenant,
                problem.clone(),
                self.overrides,
                next_generation(),
            );
            return TenantState::Closed { problem: Box::new(problem), policy };
        };
        let policy = TenantPolicy { problem: Some(problem.clone()), ..(*good.policy).clone() };
        TenantState::LastGood { good, problem: Box::new(problem), policy: Arc::new(policy) }
    }

    fn resolve_good(&self, fingerprint: ContentFingerprint, mut conf: Arc<TenantConf>) -> LastGood {
        if fingerprint == ContentFingerprint::NoFile {
            let is_closed = self.settings.tenancy.on_missing == MissingFilePolicy::Closed;
            let mut without_file = TenantConf::default();
            without_file.anonymous = is_closed.then_some(false);
            conf = Arc::new(without_file);
        }
        let policy =
            tenant_file::resolve_with(self.settings, self.tenant, &conf, self.overrides, next_generation());
        LastGood { fingerprint, conf, policy: Arc::new(policy) }
    }
}

fn is_inherited(good: Option<&LastGood>) -> bool {
    good.is_some_and(|good| !matches!(good.fingerprint, ContentFingerprint::Text(_)))
}

#[cfg(test)]
mod tests;
