//! Opens a ledger, and refuses a database that is not one, or that this version cannot use.

use std::time::Duration;

use log::warn;
use mynah_domain::backoff::Backoff;

use super::{
    super::copy::MARK,
    address::Address,
    connect::Connections,
    engine,
    errors::{Error, is_retryable, sentence},
    facts, migrate,
};

/// The waits between attempts to open a ledger whose server is not ready.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), max: Duration::from_secs(3) };

/// How often to try, for about half a minute: a server that starts with the machine needs a few seconds.
const TRIES: u32 = 14;

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The server does not answer.
    #[error("cannot reach {ledger}: {error}; start the server, or correct ledger.url")]
    Unreachable {
        /// The ledger.
        ledger: String,
        /// The last error.
        error: String,
    },
    /// The server refuses the user, the password, the database or the certificate.
    #[error("cannot use {ledger}: {error}; {fix}")]
    Refused {
        /// The ledger.
        ledger: String,
        /// The server's sentence.
        error: String,
        /// What to do.
        fix: &'static str,
    },
    /// The server is too old, or stores another encoding.
    #[error("cannot use {ledger}: {what}")]
    Unsuitable {
        /// The ledger.
        ledger: String,
        /// What is unsuitable, and what to do.
        what: String,
    },
    /// A pooler gives each transaction another connection.
    #[error(
        "{ledger} is behind a connection pooler that gives each transaction another connection; use session pooling (pool_mode = session), or connect to the server itself"
    )]
    TransactionPooler {
        /// The ledger.
        ledger: String,
    },
    /// A newer Mynah wrote it.
    #[error(
        "{ledger} was written by a newer version of mynah (format {found}; this version reads up to {known}); run the newer version, or restore a backup from before the upgrade"
    )]
    Newer {
        /// The ledger.
        ledger: String,
        /// Its format.
        found: usize,
        /// The newest format that this version reads.
        known: usize,
    },
    /// It is of an older format, and in use.
    #[error(
        "{ledger} is in use by an older version of mynah, which cannot read what this version would write; stop these instances first: {instances}"
    )]
    OlderInUse {
        /// The ledger.
        ledger: String,
        /// Who uses it.
        instances: String,
    },
    /// The schema has other tables.
    #[error(
        "{ledger} has a schema mynah that is not a ledger and was not changed; use another database, or rename that schema"
    )]
    Foreign {
        /// The ledger.
        ledger: String,
    },
    /// Another ledger was being copied into it.
    #[error(
        "{ledger} is a copy that was not completed; go on with `mynah ledger copy`, or use an empty database"
    )]
    Incomplete {
        /// The ledger.
        ledger: String,
    },
    /// Another service uses the folder.
    #[error("{folder} is in use by another mynah; give each instance its own data_dir")]
    FolderInUse {
        /// The folder.
        folder: String,
    },
    /// This process cannot use it.
    #[error("{0}")]
    Local(String),
}

/// Whether a copy may be opened that was not completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incomplete {
    /// By whoever completes it.
    IsFine,
    /// By nobody else.
    IsRefused,
}

/// Connects, checks the server and brings the tables to this version's format. Waits for a server that starts.
pub(super) async fn open(
    connections: &Connections,
    address: &Address,
    incomplete: Incomplete,
) -> Result<(), OpenError> {
    let ledger = address.to_string();
    let mut attempt = 1;
    loop {
        let error = match try_open(connections, &ledger, incomplete).await {
            Ok(outcome) => return outcome,
            Err(error) => error,
        };
        let (may_pass, what) = match &error {
            Error::Postgres(error) => (is_retryable(error), sentence(error)),
            Error::NoConnection(why) => (true, why.clone()),
            Error::Slow => (true, "it does not answer in time".to_owned()),
            Error::Conflict => (true, "other processes changed it".to_owned()),
            Error::Unreadable(why) => (false, why.clone()),
        };
        if !may_pass {
            return Err(refused(ledger, what, &error));
        }
        if attempt == TRIES {
            return Err(OpenError::Unreachable { ledger, error: what });
        }
        let wait = BACKOFF.growing_wait(attempt, fastrand::f64());
        warn!(attempt = attempt, reason:% = what, wait:? = wait; "ledger call failed; retry scheduled");
        tokio::time::sleep(wait).await;
        attempt += 1;
    }
}

fn refused(ledger: String, error: String, cause: &Error) -> OpenError {
    let code = match cause {
        Error::Postgres(error) => error.code().map(tokio_postgres::error::SqlState::code),
        _ => None,
    };
    let fix = match code {
        Some("28P01" | "28000") => {
            "correct the user in ledger.url and MYNAH_LEDGER_PASSWORD, or allow the user in pg_hba.conf"
        }
        Some("3D000") => "create the database, or correct ledger.url",
        Some("42501") => {
            "let this user create the schema mynah, or create it for this user (docs/postgresql.md)"
        }
        Some("08P01") => "correct ledger.url; a connection pooler must use session pooling",
        Some(_) => "see the server's log",
        None if error.contains("password") => "set MYNAH_LEDGER_PASSWORD, or MYNAH_LEDGER_PASSWORD_FILE",
        None => "check sslmode and sslrootcert in ledger.url",
    };
    OpenError::Refused { ledger, error, fix }
}

async fn try_open(
    connections: &Connections,
    ledger: &str,
    incomplete: Incomplete,
) -> super::errors::Result<Result<(), OpenError>> {
    let mut first = connections.get().await?;
    let (version, encoding) = engine::server(&**first).await?;
    if encoding != "UTF8" {
        let what = format!("the database stores {encoding}; create it with ENCODING 'UTF8'");
        return Ok(Err(OpenError::Unsuitable { ledger: ledger.to_owned(), what }));
    }
    if version < engine::OLDEST {
        let (found, oldest) = (version / 10_000, engine::OLDEST / 10_000);
        let what = format!("the server is PostgreSQL {found}; upgrade it to {oldest} or later");
        return Ok(Err(OpenError::Unsuitable { ledger: ledger.to_owned(), what }));
    }
    // A new one for each try: the second connection may be the first one of an earlier try.
    let mark = fastrand::u64(..);
    engine::mark_session(&first, mark).await?;
    let second = connections.get().await?;
    if engine::has_mark(&second, mark).await? {
        return Ok(Err(OpenError::TransactionPooler { ledger: ledger.to_owned() }));
    }
    drop(second);
    if let Err(error) = migrate::migrate(&mut first, ledger).await? {
        return Ok(Err(error));
    }
    if incomplete == Incomplete::IsRefused && facts::fact(&first, MARK).await?.is_some() {
        return Ok(Err(OpenError::Incomplete { ledger: ledger.to_owned() }));
    }
    Ok(Ok(()))
}
