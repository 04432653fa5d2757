//! Health of the account store: written by the store, read by the readiness probe, metrics and logs.

use std::sync::Arc;

use tokio::sync::watch;

/// Each is the reason, `None` if healthy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreState {
    /// It does not answer: calls fail at once until it does.
    pub down: Option<Arc<str>>,
    /// It takes no changes: its disk is full, it is read-only or locked.
    pub unwritable: Option<Arc<str>>,
    /// Its file was removed or replaced: changes written to it would be lost.
    pub lost: Option<Arc<str>>,
}

pub type StoreStates = watch::Receiver<StoreState>;

impl StoreState {
    pub fn is_healthy(&self) -> bool {
        *self == Self::default()
    }

    /// The text for probes and logs.
    pub fn problem(&self) -> Option<String> {
        let lost = self.lost.as_ref().map(|reason| format!("store: lost: {reason}"));
        let down = || self.down.as_ref().map(|reason| format!("store: does not answer: {reason}"));
        let unwritable = || self.unwritable.as_ref().map(|reason| format!("store: cannot write: {reason}"));
        lost.or_else(down).or_else(unwritable)
    }
}

/// For a deployment without accounts.
pub fn no_store() -> StoreStates {
    watch::channel(StoreState::default()).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_the_worst_problem() {
        let reason = |text: &str| Some(Arc::from(text));
        let mut state = StoreState::default();
        assert_eq!((state.is_healthy(), state.problem()), (true, None));
        state.unwritable = reason("disk is full");
        assert_eq!(state.problem().as_deref(), Some("store: cannot write: disk is full"));
        state.down = reason("connection refused");
        assert_eq!(state.problem().as_deref(), Some("store: does not answer: connection refused"));
        state.lost = reason("removed");
        assert_eq!(state.problem().as_deref(), Some("store: lost: removed"));
        assert!(!state.is_healthy());
    }
}
