//! What happens at our own doors, counted.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::family::Family,
    registry::Registry,
};

use super::metrics::Count;

/// What became of an attempt to sign in.
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
pub enum LockoutOf {
    account,
    unknown_name,
    address,
    account_and_address,
    device,
    portal_session,
}

const LOCKOUTS: [LockoutOf; 6] = [
    LockoutOf::account,
    LockoutOf::unknown_name,
    LockoutOf::address,
    LockoutOf::account_and_address,
    LockoutOf::device,
    LockoutOf::portal_session,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LockoutLabels {
    of: LockoutOf,
}

#[derive(Debug, Clone, Default)]
pub struct AccountMetrics {
    /// Passwords compared with the stored one of an account.
    pub password_verifications: Count,
    /// Times the same was spent for nobody, so that nobody can tell.
    pub passwords_spent: Count,
    /// Passwords that were turned away because too many waited.
    pub password_queue_full: Count,
    /// Questions about breached passwords that got no answer.
    pub breached_unavailable: Count,
    sign_ins: Family<SignInLabels, Count>,
    lockouts: Family<LockoutLabels, Count>,
}

impl AccountMetrics {
    pub fn register(&self, registry: &mut Registry) {
        // what has not happened yet is 0, and not missing
        for outcome in OUTCOMES {
            drop(self.sign_ins.get_or_create(&SignInLabels { outcome }));
        }
        for of in LOCKOUTS {
            drop(self.lockouts.get_or_create(&LockoutLabels { of }));
        }
        registry.register(
            "password_verifications",
            "Passwords compared with the stored one of an account",
            self.password_verifications.clone(),
        );
        registry.register(
            "passwords_spent",
            "Times the cost of a verification was spent on a name without password",
            self.passwords_spent.clone(),
        );
        registry.register(
            "password_queue_full",
            "Passwords turned away because too many waited",
            self.password_queue_full.clone(),
        );
        registry.register(
            "breached_unavailable",
            "Questions about breached passwords that got no answer",
            self.breached_unavailable.clone(),
        );
        registry.register("sign_ins", "Attempts to sign in by what became of them", self.sign_ins.clone());
        registry.register("lockouts", "Locks that wrong passwords have set", self.lockouts.clone());
    }

    pub fn count_sign_in(&self, outcome: SignInOutcome) {
        self.sign_ins.get_or_create(&SignInLabels { outcome }).inc();
    }

    pub fn count_lockout(&self, of: LockoutOf) {
        self.lockouts.get_or_create(&LockoutLabels { of }).inc();
    }
}
