//! Measures the cost of the foreign hashes in the store, so that a refusal takes equally long for every name.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::hashing::{CostliestMethods, HasherBusy, PasswordHasher};
use crate::store::{Store, StoreError};

/// Accounts read per query.
const BATCH: u32 = 1000;

#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Busy(#[from] HasherBusy),
}

/// Cheap to clone: all clones share the first measurement.
#[derive(Clone)]
pub struct HashCalibration {
    store: Store,
    hasher: PasswordHasher,
    first: Arc<OnceCell<()>>,
}

impl HashCalibration {
    pub fn new(store: Store, hasher: PasswordHasher) -> Self {
        Self { store, hasher, first: Arc::default() }
    }

    /// Searches the store for hashes of other systems and measures the costliest. Runs at the start, and again as accounts
    /// are imported and their hashes renewed.
    pub async fn run(&self) -> Result<(), CalibrationError> {
        let (mut methods, mut after, form) = (CostliestMethods::default(), None, self.hasher.hash_format());
        loop {
            let accounts = self.store.accounts();
            let found = accounts.passwords_in_other_formats(&form, after.as_ref(), BATCH).await?;
            for (_, stored) in &found {
                methods.add(stored.expose());
            }
            match found.last() {
                Some((last, _)) if found.len() >= BATCH as usize => after = Some(last.clone()),
                _ => break,
            }
        }
        Ok(self.hasher.calibrate(methods).await?)
    }

    /// Waits for the first measurement: without it the response time would disclose foreign hashes.
    pub async fn ensure(&self) -> Result<(), CalibrationError> {
        self.first.get_or_try_init(|| self.run()).await.copied()
    }
}
