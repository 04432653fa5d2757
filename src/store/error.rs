//! What can go wrong with the store, by what somebody can do about it.

use std::{io, path::PathBuf};

use super::{dialect, postgres_server};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It may answer again by itself: whoever asked must be refused for now, never let in.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// All connections are in use, or the server gives no more of them.
    #[error("the store has no connection left: {0}")]
    Exhausted(String),
    /// Its disk is full, fails, or it is read-only. The connection that met this is replaced.
    #[error("the store takes no changes: {0}")]
    Unwritable(String),
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
    /// Whether it says something about the store rather than about one call.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unwritable(_) | Self::Exhausted(_))
    }

    /// Without what kind of error it is.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unavailable(reason) | Self::Unwritable(reason) | Self::Exhausted(reason) => reason.clone(),
            error => error.to_string(),
        }
    }

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
            | Error::PoolClosed
            | Error::WorkerCrashed
            | Error::BeginFailed => Self::Unavailable(error.to_string()),
            Error::PoolTimedOut => Self::Exhausted("none was free within 5 seconds".to_owned()),
            Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                let said = in_words(database.message(), &code);
                if dialect::is_unwritable(&code) {
                    Self::Unwritable(said)
                } else if dialect::passes_by_itself(&code) {
                    Self::Unavailable(said)
                } else {
                    Self::Refused(said)
                }
            }
            Error::ColumnDecode { .. } | Error::Decode(_) => Self::unreadable("a value", &error),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// An error of a call to the store, of which the store's own may be a part.
pub trait Failure: From<StoreError> {
    fn of_store(&self) -> Option<&StoreError>;
}

impl Failure for StoreError {
    fn of_store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// What the database says, without the line of its own source code that the driver adds; and what to do, where that is known.
fn in_words(message: &str, code: &str) -> String {
    match postgres_server::remedy(code, message) {
        Some(remedy) => format!("{message} (code {code}): {remedy}"),
        None if code.is_empty() => message.to_owned(),
        None => format!("{message} (code {code})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_down_is_told_from_a_mistake() {
        let down = [
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
