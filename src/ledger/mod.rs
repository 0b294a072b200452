//! The durable record of all posts, jobs and publications: adapters of the [`Ledger`] port, one folder each.
//!
//! What every ledger must decide in the same way is here: [`decision`] about changes of jobs, [`recording`] about pages,
//! [`recovery`] after a crash, [`restored`] after a restore. [`settled`] and [`shared`] save work.

mod decision;
pub mod postgres;
mod recording;
mod recovery;
mod restored;
mod settled;
mod shared;
pub mod sqlite;

use std::{path::Path, sync::Arc, time::Duration};

use mynah_actors::retrying::Retrying;
use mynah_domain::{
    backoff::Backoff,
    ports::{
        Clock, Ledger,
        leases::{HeldLeases, Leases},
    },
};
pub use postgres::PostgresLedger;
pub use sqlite::{Backup, BackupError, OpenError, Restore, SqliteLedger, back_up, is_in_use, restore};

/// The waits before a call is retried because the ledger was busy.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(50), max: Duration::from_secs(1) };

/// Opens the ledger in `file`, or creates it. Calls that may succeed later are retried.
///
/// # Errors
/// Each [`OpenError`] names the file and the fix.
pub fn open(file: &Path, clock: Arc<dyn Clock>) -> Result<Arc<dyn Ledger>, OpenError> {
    open_watched(file, clock, |_| {})
}

/// An open ledger, for a service.
pub struct Opened {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Grants leases, if other instances may use the ledger; and those that this process holds.
    pub leases: Option<(Arc<dyn Leases>, HeldLeases)>,
}

/// Opens the ledger for a service.
///
/// # Errors
/// Each [`OpenError`] names the file and the fix.
pub fn open_service(
    file: &Path,
    clock: Arc<dyn Clock>,
    committed: impl Fn(Duration) + Send + 'static,
) -> Result<Opened, OpenError> {
    Ok(Opened { ledger: open_watched(file, clock, committed)?, leases: None })
}

/// The same; `committed` receives the duration of each transaction that changed something.
///
/// # Errors
/// Each [`OpenError`] names the file and the fix.
pub fn open_watched(
    file: &Path,
    clock: Arc<dyn Clock>,
    committed: impl Fn(Duration) + Send + 'static,
) -> Result<Arc<dyn Ledger>, OpenError> {
    let ledger = SqliteLedger::open_watched(file, clock, committed)?;
    Ok(Arc::new(Retrying::new(ledger, BACKOFF)))
}
