//! Audit events about accounts: what administrators change, and attempts at the portal's own sign-in.

use crate::{
    domain::{
        account::{Account, AccountId},
        audit::Actor,
        client::ClientAddress,
        lockout::NameHash,
        tenant::TenantId,
    },
    telemetry::{audit::AUDIT_TARGET, metrics::GuardedLoginResult},
};

/// Records a change of an account by an administrator.
pub(super) fn account_changed(action: &'static str, account: &Account, actor: Option<&Actor>) {
    let Account { id, tenant, username, .. } = account;
    tracing::info!(
        target: AUDIT_TARGET,
        action,
        %tenant,
        account = %id,
        user = username,
        actor = actor.map(tracing::field::display),
        "account changed by an administrator"
    );
}

/// Records that an administrator has removed the locks of a name without an account. As in `lockout.set`, `user` is the
/// hash of the name.
pub(super) fn name_unlocked(tenant: &TenantId, name: NameHash, actor: &Actor) {
    tracing::info!(
        target: AUDIT_TARGET,
        action = "account.unlocked",
        scope = "name",
        %tenant,
        user = %name,
        %actor,
        "unknown name unlocked by an administrator"
    );
}

/// The account that an attempt at the portal's sign-in was for. A name without an account is never written.
#[derive(Debug, Clone)]
pub struct GuardedName {
    pub(super) tenant: TenantId,
    pub(super) account: Option<AccountId>,
}

impl GuardedName {
    pub fn record(&self, outcome: GuardedLoginResult, address: ClientAddress) {
        self.write(outcome, address, None);
    }

    /// A refusal because of a lock, and how many before it were left out.
    pub(super) fn record_refusal(&self, address: ClientAddress, suppressed: u64) {
        self.write(GuardedLoginResult::refused, address, Some(suppressed).filter(|events| *events > 0));
    }

    fn write(&self, outcome: GuardedLoginResult, address: ClientAddress, suppressed: Option<u64>) {
        let action = match outcome {
            GuardedLoginResult::succeeded => "login.succeeded",
            GuardedLoginResult::neutral => "login.undecided",
            GuardedLoginResult::failed | GuardedLoginResult::refused | GuardedLoginResult::ambiguous => {
                "login.rejected"
            }
        };
        tracing::info!(
            target: AUDIT_TARGET,
            action,
            channel = "guard",
            tenant = %self.tenant,
            account = self.account.as_ref().map(tracing::field::display),
            %address,
            ?outcome,
            suppressed,
            "attempt at the portal's own sign-in"
        );
    }
}
