//! New passwords: checked against the policy, the breach list and the history of the account, then hashed.

use std::{sync::Arc, time::Duration};

use super::{
    breach_list::BreachListClient,
    hashing::{HasherBusy, Password, PasswordHasher},
};
use crate::{
    config::TenantPolicy,
    domain::{
        account::{Account, StoredPassword, UserProfile},
        password::{PasswordContext, Violation},
    },
    store::{Store, StoreError},
    telemetry::account_metrics::AccountMetrics,
};

/// Timeout of the breach lookup, during which the user waits.
const BREACH_LIST_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a new password is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NewPasswordError {
    #[error("the new password violates the policy: {first}")]
    Policy {
        first: Violation,
        /// All violations that can be found without a lookup.
        all: Vec<Violation>,
    },
    #[error("too many password checks at once")]
    Busy(HasherBusy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<HasherBusy> for NewPasswordError {
    fn from(busy: HasherBusy) -> Self {
        Self::Busy(busy)
    }
}

/// The user of the new password: the source of its context words.
pub(super) struct PasswordOwner {
    username: String,
    email: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
}

impl PasswordOwner {
    fn of(account: &Account) -> Self {
        Self {
            username: account.username.clone(),
            email: account.email.clone(),
            given_name: account.given_name.clone(),
            family_name: account.family_name.clone(),
        }
    }

    /// For an account that does not exist yet.
    pub fn new(username: &str, profile: &UserProfile) -> Self {
        Self {
            username: username.to_owned(),
            email: profile.email.clone(),
            given_name: profile.given_name.clone(),
            family_name: profile.family_name.clone(),
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct NewPasswords {
    pub store: Store,
    pub hasher: PasswordHasher,
    pub metrics: Arc<AccountMetrics>,
    pub http: reqwest::Client,
}

impl NewPasswords {
    /// For an account that exists: its history counts too.
    pub(super) async fn hash_for(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        new: &Password,
    ) -> Result<StoredPassword, NewPasswordError> {
        let rules = &policy.rules.password_policy;
        self.check(policy, PasswordOwner::of(account), new).await?;
        if rules.history_length() > 0 {
            let old = self.store.accounts().password_history(&account.id, rules.history_length()).await?;
            let old = old.iter().map(|old| old.expose().to_owned()).collect();
            let matched = self.hasher.matches_any(new, old).await?;
            if let Some(first) = rules.history_violation(matched) {
                return Err(NewPasswordError::Policy { first, all: Vec::new() });
            }
        }
        Ok(StoredPassword::new(self.hasher.hash(new).await?))
    }

    /// For an account that does not exist yet.
    pub(super) async fn hash_first(
        &self,
        policy: &TenantPolicy,
        owner: PasswordOwner,
        new: &Password,
    ) -> Result<StoredPassword, NewPasswordError> {
        self.check(policy, owner, new).await?;
        Ok(StoredPassword::new(self.hasher.hash(new).await?))
    }

    /// Checks the policy and the breach list, which need the user's names but no account.
    async fn check(
        &self,
        policy: &TenantPolicy,
        owner: PasswordOwner,
        new: &Password,
    ) -> Result<(), NewPasswordError> {
        let rules = &policy.rules.password_policy;
        let (rules_of_task, tenant, password) = (Arc::clone(rules), policy.tenant.clone(), new.clone());
        // the check takes about as long as a hash, so it runs in the hash queue
        let violations = self.hasher.run(move || {
            let about = PasswordContext {
                username: &owner.username,
                email: owner.email.as_deref(),
                given_name: owner.given_name.as_deref(),
                family_name: owner.family_name.as_deref(),
                tenant: &tenant,
            };
            rules_of_task.violations(password.expose(), &about)
        });
        let all = violations.await?;
        if let Some(first) = all.first().cloned() {
            return Err(NewPasswordError::Policy { first, all });
        }
        if let (Some(breached), Some(url)) = (rules.breached, &policy.rules.password_rules.breached_url) {
            let occurrences = self.breach_occurrences(url, new).await;
            if let Some(first) = breached.violation(occurrences) {
                return Err(NewPasswordError::Policy { first, all: Vec::new() });
            }
        }
        Ok(())
    }

    /// `None`: the lookup failed.
    async fn breach_occurrences(&self, url: &str, new: &Password) -> Option<u64> {
        let unavailable = self.metrics.breached_unavailable.clone();
        match BreachListClient::new(self.http.clone(), url, BREACH_LIST_TIMEOUT, unavailable) {
            Ok(list) => list.occurrences(new).await,
            Err(problem) => {
                tracing::error!(%problem, "invalid password_policy.breached_url");
                None
            }
        }
    }
}
