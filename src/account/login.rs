//! Login: one attempt with a name and a password, counted, logged, and answered.

use std::{net::IpAddr, sync::Arc};

use super::{
    LoginError,
    authenticator::{AttemptGuard, Authenticated, Authenticator},
    hashing::Password,
};
use crate::{
    config::TenantPolicy,
    domain::{account::Account, client::ClientAddress, time::Timestamp},
    session::{CookieSecret, NewSession},
    telemetry::{
        account_metrics::{AccountMetrics, SignInOutcome},
        audit::AUDIT_TARGET,
    },
};

/// The channel of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginChannel {
    Form,
    /// The management API, by HTTP Basic.
    Api,
    ChangePassword,
}

impl LoginChannel {
    /// The value in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Api => "api",
            Self::ChangePassword => "change-password",
        }
    }
}

pub struct LoginRequest<'a> {
    /// As entered: a user name, an e-mail address, `user@tenant`, `STORE/user`.
    pub login: &'a str,
    pub password: &'a Password,
    pub address: ClientAddress,
    /// The value of the device cookie.
    pub device: Option<&'a str>,
    pub channel: LoginChannel,
}

/// The end of an attempt with a correct password.
#[derive(Debug)]
pub enum LoginOutcome {
    Success(LoginSuccess),
    /// The password must be changed before a session begins.
    MustChangePassword(Account),
}

#[derive(Debug)]
pub struct LoginSuccess {
    pub account: Account,
    /// The policy of the account's own tenant, which may differ from the tenant of the request.
    pub policy: Arc<TenantPolicy>,
    /// The new value of the device cookie.
    pub device: String,
}

impl LoginSuccess {
    /// The session to begin; the previous session of the browser ends.
    pub fn new_session<'a>(
        &'a self,
        user_agent: &'a str,
        address: IpAddr,
        previous: Option<&'a CookieSecret>,
    ) -> NewSession<'a> {
        NewSession {
            account: &self.account,
            settings: &self.policy.session,
            reject_disabled_accounts: self.policy.rules.reject_disabled_accounts,
            user_agent,
            address,
            previous,
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct LoginService {
    authenticator: Authenticator,
    metrics: Arc<AccountMetrics>,
}

impl LoginService {
    pub fn new(authenticator: Authenticator, metrics: Arc<AccountMetrics>) -> Self {
        Self { authenticator, metrics }
    }

    pub async fn attempt(
        &self,
        policy: &Arc<TenantPolicy>,
        attempt: LoginRequest<'_>,
        now: Timestamp,
    ) -> Result<LoginOutcome, LoginError> {
        let mut guard = AttemptGuard::default();
        let result = self.complete_login(policy, &attempt, &mut guard, now).await;
        let (outcome, code) = match &result {
            Ok(LoginOutcome::Success(_)) => (SignInOutcome::signed_in, None),
            Ok(LoginOutcome::MustChangePassword(_)) => (SignInOutcome::password_expired, None),
            Err(rejected) => {
                rejected.log_fault();
                (rejected.metric_label(), rejected.code())
            }
        };
        self.metrics.count_sign_in(outcome);
        let (channel, tenant) = (attempt.channel.as_str(), policy.tenant.as_str());
        match &result {
            Ok(LoginOutcome::Success(signed_in)) => {
                let Account { id, username, .. } = &signed_in.account;
                tracing::info!(
                    target: AUDIT_TARGET,
                    action = "login.succeeded",
                    channel,
                    tenant,
                    user = username,
                    account = %id,
                    address = %attempt.address,
                    "signed in"
                );
            }
            Ok(LoginOutcome::MustChangePassword(_)) | Err(_) => tracing::info!(
                target: AUDIT_TARGET,
                action = "login.rejected",
                channel,
                tenant,
                account = guard.account.as_ref().map(tracing::field::display),
                address = %attempt.address,
                code = code.map(tracing::field::display),
                outcome = ?outcome,
                "sign-in rejected"
            ),
        }
        self.authenticator.delay_refusal(guard, attempt.password).await;
        result
    }

    async fn complete_login(
        &self,
        policy: &Arc<TenantPolicy>,
        attempt: &LoginRequest<'_>,
        guard: &mut AttemptGuard,
        now: Timestamp,
    ) -> Result<LoginOutcome, LoginError> {
        let Authenticated { account, policy, device } =
            self.authenticator.authenticate(policy, attempt, guard, now).await?;
        let expired =
            policy.rules.password_policy.is_expired(&account.roles, account.password_changed_at, now);
        if account.must_change_password || expired {
            return Ok(LoginOutcome::MustChangePassword(account));
        }
        self.authenticator.store.accounts().record_login(&account.id, now).await?;
        let device = self.authenticator.device_cookie(&account, device, now)?;
        Ok(LoginOutcome::Success(LoginSuccess { account, policy, device }))
    }
}
