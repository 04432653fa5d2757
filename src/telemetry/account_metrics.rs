//! Metrics of sign-ins, lockouts and password hashing.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::family::Family,
    registry::Registry,
};

use super::metrics::Count;

/// Outcome of a sign-in attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label values")]
pub enum SignInOutcome {
    signed_in,
    bad_credentials,
    locked,
    disabled,
    password_expired,
    busy,
    unavailable,
}

const OUTCOMES: [SignInOutcome; 7] = [
    SignInOutcome::signed_in,
    SignInOutcome::bad_credentials,
    SignInOutcome::locked,
    SignInOutcome::disabled,
    SignInOutcome::password_expired,
    SignInOutcome::busy,
    SignInOutcome::unavailable,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignInLabels {
    outcome: SignInOutcome,
}

/// The subject of a lock. `unknown_name`: a user name that no account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label values")]
pub enum LockoutScope {
    account,
    unknown_name,
    address,
    account_and_address,
    device,
    portal_session,
}

const LOCKOUTS: [LockoutScope; 6] = [
    LockoutScope::account,
    LockoutScope::unknown_name,
    LockoutScope::address,
    LockoutScope::account_and_address,
    LockoutScope::device,
    LockoutScope::portal_session,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LockoutLabels {
    scope: LockoutScope,
}

#[derive(Debug, Clone, Default)]
pub struct AccountMetrics {
    /// Passwords compared with the stored hash of an account.
    pub password_verifications: Count,
    /// Verifications spent on a name without password, so that response times are equal.
    pub dummy_password_verifications: Count,
    /// Passwords rejected because the queue was full.
    pub password_queue_full: Count,
    /// Breached-password look-ups that got no response.
    pub breached_unavailable: Count,
    sign_ins: Family<SignInLabels, Count>,
    lockouts: Family<LockoutLabels, Count>,
}

impl AccountMetrics {
    pub fn register(&self, registry: &mut Registry) {
        // initialised to 0, so that no series is missing
        for outcome in OUTCOMES {
            drop(self.sign_ins.get_or_create(&SignInLabels { outcome }));
        }
        for scope in LOCKOUTS {
            drop(self.lockouts.get_or_create(&LockoutLabels { scope }));
        }
        registry.register(
            "password_verifications",
            "Passwords compared with the stored hash of an account",
            self.password_verifications.clone(),
        );
        registry.register(
            "dummy_password_verifications",
            "Times the cost of a verification was spent on a name without password",
            self.dummy_password_verifications.clone(),
        );
        registry.register(
            "password_queue_full",
            "Passwords rejected because the queue was full",
            self.password_queue_full.clone(),
        );
        registry.register(
            "breached_unavailable",
            "Breached-password look-ups that got no response",
            self.breached_unavailable.clone(),
        );
        registry.register("sign_ins", "Sign-in attempts by outcome", self.sign_ins.clone());
        registry.register("lockouts", "Lockouts set because of wrong passwords", self.lockouts.clone());
    }

    pub fn count_sign_in(&self, outcome: SignInOutcome) {
        self.sign_ins.get_or_create(&SignInLabels { outcome }).inc();
    }

    pub fn count_lockout(&self, scope: LockoutScope) {
        self.lockouts.get_or_create(&LockoutLabels { scope }).inc();
    }
}
