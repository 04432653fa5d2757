//! Secrets of the whole deployment: made by the replica that needs one first, the same for all from then on.

use sqlx::Row as _;

use super::{Store, StoreError};
use crate::domain::session::SessionHash;

impl Store {
    /// The secret of this name. `fresh`, which must be random, becomes it where there is none yet.
    pub async fn secret(&self, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.within(async {
            let mut transaction = self.begin().await?;
            sqlx::query("INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
                .bind(name)
                // 32 bytes have one form in this store
                .bind(SessionHash::new(fresh).to_hex())
                .execute(&mut *transaction)
                .await?;
            let row = sqlx::query("SELECT value FROM secrets WHERE name = $1")
                .bind(name)
                .fetch_one(&mut *transaction)
                .await?;
            transaction.commit().await?;
            let value: String = row.try_get("value")?;
            let bytes =
                SessionHash::from_hex(&value).ok_or_else(|| StoreError::unreadable("a secret", &name))?;
            Ok(*bytes.as_bytes())
        })
        .await
    }
}
