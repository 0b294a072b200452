//! The durable record of all posts, jobs and publications: adapters of the [`Ledger`] port, one folder each.
//!
//! What every ledger must decide in the same way is here: [`decision`] about changes of jobs, [`recording`] about pages,
//! [`recovery`] after a crash, [`restored`] after a restore, [`spending`] about money. [`settled`] and [`shared`] save
//! work.

pub mod copy;
mod decision;
pub mod postgres;
mod recording;
mod recovery;
mod restored;
mod settled;
mod shared;
mod spending;
pub mod sqlite;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use log::warn;
use mynah_actors::retrying::{Patience, Retrying};
use mynah_domain::{
    backoff::Backoff,
    ports::{
        Clock, Ledger, SystemClock,
        leases::{HeldLeases, InstanceId, Leases},
    },
};
pub use postgres::PostgresLedger;
pub use sqlite::{Backup, BackupError, Restore, SqliteLedger, back_up, is_in_use, restore};

/// The waits before a call is retried because the ledger was busy.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(50), max: Duration::from_secs(1) };

/// The same for a ledger whose server may be gone for a while.
const OUTAGE: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(3) };

/// When a post was written: as its source's clock had it, but never after it was recorded. A source whose clock is ahead
/// must not keep its posts waiting.
fn written_at(created_at: Option<&str>, recorded_at: Timestamp) -> Timestamp {
    let created_at = created_at.and_then(|time| time.parse::<Timestamp>().ok());
    created_at.map_or(recorded_at, |created_at| created_at.min(recorded_at))
}

/// Where a ledger is.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a file, for one process.
    File(PathBuf),
    /// On a server, for as many as there are. This one has a folder of its own.
    Server {
        /// The server and the database.
        address: Box<postgres::Address>,
        /// The folder of this process, which no other may use.
        data_dir: PathBuf,
    },
}

impl Place {
    /// The place for a folder and perhaps a server.
    pub fn of(data_dir: &Path, server: Option<&postgres::Address>) -> Self {
        match server {
            None => Self::File(data_dir.join("ledger.sqlite")),
            Some(address) => {
                Self::Server { address: Box::new(address.clone()), data_dir: data_dir.to_owned() }
            }
        }
    }

    /// Whether there may be a ledger. A server is not asked.
    pub fn may_exist(&self) -> bool {
        match self {
            Self::File(file) => file.exists(),
            Self::Server { .. } => true,
        }
    }

    /// Whether a service on this machine uses the folder.
    ///
    /// # Errors
    /// If the lock cannot be checked.
    pub fn is_in_use(&self) -> Result<bool, OpenError> {
        match self {
            Self::File(file) => Ok(file.exists() && is_in_use(file)?),
            Self::Server { data_dir, .. } => Ok(postgres::is_in_use(data_dir)?),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Server { address, .. } => address.fmt(f),
        }
    }
}

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] sqlite::OpenError),
    /// The server or its database cannot be used.
    #[error(transparent)]
    Server(#[from] postgres::OpenError),
}

impl OpenError {
    /// Whether another process on this machine uses it.
    pub fn is_in_use(&self) -> bool {
        matches!(
            self,
            Self::File(sqlite::OpenError::InUse { .. })
                | Self::Server(postgres::OpenError::FolderInUse { .. })
        )
    }
}

/// Opens the ledger in `file`, or creates it. Calls that may succeed later are retried.
///
/// # Errors
/// Each [`OpenError`] names the file and the fix.
pub fn open(file: &Path, clock: Arc<dyn Clock>) -> Result<Arc<dyn Ledger>, OpenError> {
    open_watched(file, clock, |_| {})
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

/// Opens a ledger for a command, which holds no lease: it can neither record pages nor begin publications of a shared
/// ledger.
///
/// # Errors
/// Each [`OpenError`] names the ledger and the fix.
pub async fn open_for_command(place: &Place, clock: Arc<dyn Clock>) -> Result<Arc<dyn Ledger>, OpenError> {
    match place {
        Place::File(file) => open(file, clock),
        Place::Server { address, .. } => {
            let member = postgres::Member {
                instance: InstanceId::from(format!("command {}", std::process::id()).as_str()),
                held: HeldLeases::default(),
            };
            let ledger = PostgresLedger::open(address, member, clock, |_| {}).await?;
            Ok(Arc::new(Retrying::new(ledger, BACKOFF)))
        }
    }
}

/// Checks that no other process on this machine uses a ledger.
///
/// # Errors
/// Each [`OpenError`] names the ledger and the fix.
pub fn usable(place: &Place) -> Result<(), OpenError> {
    match place {
        Place::File(file) => open(file, Arc::new(SystemClock)).map(drop),
        Place::Server { data_dir, .. } => Ok(postgres::lock(data_dir).map(drop)?),
    }
}

/// Marks a ledger on a server as restored from a backup, or as one that lost its last commits: what may have been published
/// since waits for a person. Returns how many jobs are held.
///
/// # Errors
/// A sentence that names the ledger and the fix.
pub async fn mark_restored(address: &postgres::Address, clock: Arc<dyn Clock>) -> Result<u64, String> {
    let member = postgres::Member { instance: InstanceId::from("restore"), held: HeldLeases::default() };
    let ledger = PostgresLedger::open(address, member, clock.clone(), |_| {}).await;
    let ledger = ledger.map_err(|error| error.to_string())?;
    let alive = ledger.survey().await?.instances;
    if !alive.is_empty() {
        let alive: Vec<String> = alive.iter().map(|one| format!("{} on {}", one.id, one.host)).collect();
        return Err(format!("{address} is in use by {}; stop them first", alive.join(", ")));
    }
    Ok(ledger.mark_restored(clock.now()).await?)
}

/// An open ledger, for a service.
pub struct Opened {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Grants leases, if other instances may use the ledger; and those that this process holds.
    pub leases: Option<(Arc<dyn Leases>, HeldLeases)>,
}

/// Opens the ledger for a service. On a server, work waits for as long as the server is gone.
///
/// # Errors
/// Each [`OpenError`] names the ledger and the fix.
pub async fn open_service(
    place: &Place,
    instance: &InstanceId,
    clock: Arc<dyn Clock>,
    committed: impl Fn(Duration) + Send + 'static,
) -> Result<Opened, OpenError> {
    match place {
        Place::File(file) => Ok(Opened { ledger: open_watched(file, clock, committed)?, leases: None }),
        Place::Server { address, data_dir } => {
            let lock = postgres::lock(data_dir)?;
            let held = HeldLeases::default();
            let member = postgres::Member { instance: instance.clone(), held: held.clone() };
            let ledger = PostgresLedger::open(address, member, clock, committed).await?.keeping(lock);
            if let Place::File(left) = Place::of(data_dir, None)
                && left.exists()
            {
                warn!(file:% = left.display(), ledger:% = address; "ledger file is not used");
            }
            let leases: Arc<dyn Leases> = Arc::new(ledger.clone());
            let ledger = Retrying::new(ledger, OUTAGE).with_patience(Patience::UntilItAnswers);
            Ok(Opened { ledger: Arc::new(ledger), leases: Some((leases, held)) })
        }
    }
}
