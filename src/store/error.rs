//! What can go wrong with the store, by what somebody can do about it.

use std::{io, path::PathBuf};

use super::dialect;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It may answer again by itself: whoever asked must be refused for now, never let in.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    #[error("cannot keep accounts in {}: {error}", path.display())]
    Place { path: PathBuf, error: io::Error },
    #[error("the store cannot be brought up to date: {0}")]
    Schema(String),
    /// It answers, with something that this version never wrote.
    #[error("the store holds {what} that cannot be read: {detail}")]
    Unreadable { what: &'static str, detail: String },
    #[error("the store refused: {0}")]
    Refused(String),
}

impl StoreError {
    pub(super) fn unreadable(what: &'static str, detail: &impl ToString) -> Self {
        Self::Unreadable { what, detail: detail.to_string() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        match &error {
            Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::PoolTimedOut
            | Error::PoolClosed
            | Error::WorkerCrashed
            | Error::BeginFailed => Self::Unavailable(error.to_string()),
            Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                let said = in_words(database.message(), &code);
                if dialect::passes_by_itself(&code) { Self::Unavailable(said) } else { Self::Refused(said) }
            }
            Error::ColumnDecode { .. } | Error::Decode(_) => Self::unreadable("a value", &error),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// What the database says, without the line of its own source code that the driver adds.
fn in_words(message: &str, code: &str) -> String {
    if code.is_empty() { message.to_owned() } else { format!("{message} (code {code})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_down_is_told_from_a_mistake() {
        let down = [
            sqlx::Error::PoolTimedOut,
            sqlx::Error::PoolClosed,
            sqlx::Error::WorkerCrashed,
            sqlx::Error::Io(io::ErrorKind::ConnectionRefused.into()),
        ];
        for error in down {
            assert!(matches!(StoreError::from(error), StoreError::Unavailable(_)));
        }
        assert!(matches!(StoreError::from(sqlx::Error::RowNotFound), StoreError::Refused(_)));
    }
}
