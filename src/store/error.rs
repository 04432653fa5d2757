//! Errors of the store, grouped by how the caller or the operator can react.

use std::{io, path::PathBuf};

use super::{dialect, postgres_server};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store may recover by itself: the caller must reject the request, never allow it.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// All connections are in use, or the server accepts no more.
    #[error("the store has no connection left: {0}")]
    Exhausted(String),
    /// The disk is full or fails, or the database is read-only. The connection is replaced.
    #[error("the store accepts no changes: {0}")]
    Unwritable(String),
    #[error("cannot store accounts in {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("the store cannot be brought up to date: {0}")]
    Schema(String),
    /// The store contains a value that this version never wrote.
    #[error("the store holds {what} that cannot be read: {detail}")]
    Unreadable { what: &'static str, detail: String },
    #[error("the store refused: {0}")]
    Refused(String),
}

impl StoreError {
    /// Whether the error is a fault of the store, not of one call.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unwritable(_) | Self::Exhausted(_))
    }

    /// The reason without the kind of the error.
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
                let message = describe(database.message(), &code);
                if dialect::is_unwritable(&code) {
                    Self::Unwritable(message)
                } else if dialect::is_transient(&code) {
                    Self::Unavailable(message)
                } else {
                    Self::Refused(message)
                }
            }
            Error::ColumnDecode { .. } | Error::Decode(_) => Self::unreadable("a value", &error),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// An error type that may contain a store error.
pub trait HasStoreError: From<StoreError> {
    fn store_error(&self) -> Option<&StoreError>;
}

impl HasStoreError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// The message of the database, without the source line that the driver adds, and with a remedy if one is known.
fn describe(message: &str, code: &str) -> String {
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
    fn distinguishes_unavailable_store_from_refused_statement() {
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
