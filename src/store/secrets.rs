//! Secrets of the deployment: created by the first replica that needs one, and shared by all.

use sqlx::Row as _;

use super::{Store, StoreError};

impl Store {
    /// Returns the secret of this name, and creates it from `fresh`, which must be random, if it does not exist.
    pub async fn secret(&self, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.with_deadline(async {
            let mut transaction = self.begin().await?;
            sqlx::query("INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
                .bind(name)
                .bind(hex::encode(fresh))
                .execute(&mut *transaction)
                .await?;
            let row = sqlx::query("SELECT value FROM secrets WHERE name = $1")
                .bind(name)
                .fetch_one(&mut *transaction)
                .await?;
            transaction.commit().await?;
            let value: String = row.try_get("value")?;
            let mut secret = [0; 32];
            hex::decode_to_slice(&value, &mut secret)
                .map_err(|_| StoreError::unreadable("a secret", &name))?;
            Ok(secret)
        })
        .await
    }
}
