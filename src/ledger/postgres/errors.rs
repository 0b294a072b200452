//! What went wrong with a call, and whether the same call may succeed later.

use deadpool_postgres::{PoolError, TimeoutType};
use mynah_domain::ports::LedgerError;
use tokio_postgres::error::SqlState;

use super::engine;

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Error {
    /// The server refused it, or the connection was lost.
    Postgres(tokio_postgres::Error),
    /// There is no connection.
    NoConnection(String),
    /// A row cannot be read.
    Unreadable(String),
    /// Another process changed the same rows at the same time. Nothing was changed.
    Conflict,
    /// The server did not answer in time.
    Slow,
}

pub(super) type Result<T> = std::result::Result<T, Error>;

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Postgres(error),
            PoolError::Timeout(TimeoutType::Wait) => Self::NoConnection("all connections are busy".into()),
            PoolError::Timeout(_) => Self::Slow,
            other => Self::NoConnection(sentence(&other)),
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Error {
    /// Whether the connection may be used after it. An error of the server that ends a statement leaves it usable, after
    /// a rollback; everything else says nothing about its state.
    pub(super) fn leaves_connection(&self) -> bool {
        match self {
            Self::Postgres(error) => error.as_db_error().is_some() && !is_retryable(error),
            Self::Conflict | Self::Unreadable(_) => true,
            Self::NoConnection(_) | Self::Slow => false,
        }
    }

    /// Whether one command among several may be the cause, so that the others may succeed without it.
    pub(super) fn is_of_a_command(&self) -> bool {
        match self {
            Self::Postgres(error) => !is_retryable(error),
            Self::Unreadable(_) => true,
            Self::Conflict | Self::NoConnection(_) | Self::Slow => false,
        }
    }

    /// The error for callers; `ledger` is the ledger's name for people.
    pub(super) fn explained(self, ledger: &str) -> LedgerError {
        match self {
            Self::Postgres(error) => {
                let (retryable, what) = (is_retryable(&error), sentence(&error));
                if retryable {
                    LedgerError::Retryable(format!("{ledger} does not answer: {what}"))
                } else {
                    LedgerError::Fatal(format!("{ledger} refused a command: {what}{}", fix(&error)))
                }
            }
            Self::NoConnection(why) => LedgerError::Retryable(format!("{ledger} does not answer: {why}")),
            Self::Slow => LedgerError::Retryable(format!("{ledger} does not answer in time")),
            Self::Conflict => {
                LedgerError::Retryable(format!("other processes changed the same rows of {ledger}"))
            }
            Self::Unreadable(why) => LedgerError::Fatal(format!(
                "{ledger} has a row that cannot be read: {why}; restore it from a backup"
            )),
        }
    }
}

/// An error with its causes, of which tokio-postgres shows only the first.
pub(super) fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// Whether the same call may succeed later, without anybody changing the settings.
pub(super) fn is_retryable(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else {
        // The connection was lost or could not be made, except if the server's certificate or answer is wrong.
        return error.is_closed() || is_of_the_network(error);
    };
    let retryable = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::OUT_OF_MEMORY,
        // Somebody frees space on the server, and it goes on.
        SqlState::DISK_FULL,
        // A former primary: the next connection finds the new one.
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    retryable.contains(code)
        || engine::is_retryable(code)
        // The connection, and whoever operates the server: a shutdown, a canceled query.
        || matches!(code.code().get(..2), Some("08" | "57"))
}

fn is_of_the_network(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            // What rustls refuses arrives as invalid data.
            return error.kind() != std::io::ErrorKind::InvalidData;
        }
        cause = error.source();
    }
    // Timeouts and refusals of all of a server's addresses have no cause.
    let text = error.to_string();
    text.contains("timed out") || text.contains("error connecting") || text.contains("communicating")
}

/// What to do about an error that a retry does not fix.
fn fix(error: &tokio_postgres::Error) -> &'static str {
    match error.code() {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            "; grant this user its rights on the schema mynah (docs/postgresql.md)"
        }
        Some(code) if *code == SqlState::UNDEFINED_TABLE || *code == SqlState::UNDEFINED_COLUMN => {
            "; another version of mynah may have changed the tables: restart mynah"
        }
        Some(code) if *code == SqlState::INVALID_SQL_STATEMENT_NAME => {
            "; a connection pooler gives each transaction another connection: use session pooling (docs/postgresql.md)"
        }
        _ => "",
    }
}
