//! A separate connection for listings. SQLite allows reading committed data while another connection writes, so
//! listings do not delay the work.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mynah_domain::ports::LedgerError;
use rusqlite::{Connection, OpenFlags};

use super::failed;

/// The connection. Clones share it.
#[derive(Clone)]
pub(super) struct Reader {
    path: Arc<PathBuf>,
    connection: Arc<Mutex<Connection>>,
}

impl Reader {
    /// Opens a ledger that is open for writing.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        // SQLite opens its other files with the first query.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(Self { path: Arc::new(path.to_owned()), connection: Arc::new(Mutex::new(connection)) })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let connection = self.connection.clone();
        // A query that panicked changed nothing.
        let ask = move || question(&connection.lock().unwrap_or_else(PoisonError::into_inner));
        let answer = actix_rt::task::spawn_blocking(ask).await;
        let explain = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", self.path.display());
        match answer {
            Ok(answer) => answer.map_err(|error| failed(&error, explain(&error))),
            Err(panic) => Err(LedgerError::Fatal(explain(&panic))),
        }
    }
}
