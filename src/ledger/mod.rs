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
        leases::{HeldLeases, InstanceId, Leases},
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

/// Opens the ledger for a service: that in a database if there is an address, otherwise that in a file. `instance` is
/// this process.
///
/// # Errors
/// A sentence that names the ledger and the fix.
pub async fn open_service(
    address: Option<&postgres::Address>,
    file: &Path,
    instance: &InstanceId,
    clock: Arc<dyn Clock>,
    committed: impl Fn(Duration) + Send + 'static,
) -> Result<Opened, String> {
    let Some(address) = address else {
        let ledger = open_watched(file, clock, committed).map_err(|error| error.to_string())?;
        return Ok(Opened { ledger, leases: None });
    };
    let held = HeldLeases::default();
    let member = postgres::Member { instance: instance.clone(), held: held.clone() };
    let ledger = PostgresLedger::open(address, member, clock, committed);
    let ledger = ledger.await.map_err(|error| error.to_string())?;
    let leases: Arc<dyn Leases> = Arc::new(ledger.clone());
    Ok(Opened { ledger: Arc::new(Retrying::patient(ledger, BACKOFF)), leases: Some((leases, held)) })
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
