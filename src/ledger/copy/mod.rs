//! Copies a ledger to another place, of whichever kind. Nothing may use either of them meanwhile.
//!
//! Tables are copied one after the other, in the order of their keys and in pieces, so a copy that was interrupted goes on
//! behind the last row that arrived. Until both are compared at the end, the target is marked, and no service opens it.

mod file;
mod server;
mod tables;

use std::{fmt::Write as _, path::PathBuf};

use async_trait::async_trait;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use self::tables::{Cell, Row, TABLES, Table};
use super::{OpenError, Place};

/// The fact that marks the target of a copy that is not complete, with the source's name.
pub(super) const MARK: &str = "ledger:copied_from";

/// How many rows to copy in one transaction.
const PIECE: usize = 2000;

/// Why a ledger was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the two cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The source is no file.
    #[error("there is no ledger at {0}; name its file, such as sqlite:data/ledger.sqlite")]
    NoLedger(PathBuf),
    /// Instances use one of them.
    #[error("{ledger} is in use by {instances}; stop them first")]
    InUse {
        /// The ledger.
        ledger: String,
        /// Who uses it.
        instances: String,
    },
    /// The target has a ledger of its own.
    #[error("{0} has a ledger already, and is not overwritten; use an empty one")]
    NotEmpty(String),
    /// Another source was being copied into the target.
    #[error("{to} is a copy of {found} that was not completed; go on with that one, or use an empty one")]
    OtherSource {
        /// The target.
        to: String,
        /// The source of the copy.
        found: String,
    },
    /// One of them failed.
    #[error("{ledger}: {error}; repeat the command, and it goes on where it stopped")]
    Failed {
        /// The ledger.
        ledger: String,
        /// What went wrong.
        error: String,
    },
    /// The copy is not like the source.
    #[error(
        "the table {table} differs: {from} has {rows} rows and {to} has {copied}, or their content differs; something changed them meanwhile: use an empty target and copy again"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// The source.
        from: String,
        /// The target.
        to: String,
        /// The source's rows.
        rows: u64,
        /// The target's rows.
        copied: u64,
    },
}

/// How far a copy is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The table.
    pub table: &'static str,
    /// How many of its rows are done.
    pub done: u64,
    /// How many it has.
    pub rows: u64,
    /// Whether they are being compared, and not copied.
    pub compares: bool,
}

/// A table that is the same in both.
#[derive(Debug, Clone, Serialize)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// A hash of all rows in the order of their keys.
    pub sha256: String,
}

/// A place to copy from or to.
#[async_trait(?Send)]
trait End {
    /// Its name for people.
    fn name(&self) -> String;

    /// The instances that use it; a file is locked instead.
    async fn users(&self) -> Result<Vec<String>, String>;

    /// The source that is being copied into it.
    async fn mark(&self) -> Result<Option<String>, String>;

    /// Marks it as the target of a copy, or as complete.
    async fn set_mark(&self, from: Option<&str>) -> Result<(), String>;

    async fn count(&self, table: &Table) -> Result<u64, String>;

    /// The key of the last row.
    async fn last(&self, table: &Table) -> Result<Option<Row>, String>;

    /// Up to [`PIECE`] rows behind a key, in the order of their keys.
    async fn read(&self, table: &Table, after: Option<&[Cell]>) -> Result<Vec<Row>, String>;

    /// Adds rows, all or none.
    async fn write(&self, table: &Table, rows: &[Row]) -> Result<(), String>;

    /// What is due once all rows are there.
    async fn complete(&self) -> Result<(), String>;
}

async fn open(place: &Place, is_target: bool) -> Result<Box<dyn End>, CopyError> {
    Ok(match place {
        Place::File(file) if !is_target && !file.exists() => return Err(CopyError::NoLedger(file.clone())),
        Place::File(file) => Box::new(file::FileEnd::open(file).map_err(OpenError::from)?),
        Place::Server { address, .. } => {
            Box::new(server::ServerEnd::open(address).await.map_err(OpenError::from)?)
        }
    })
}

/// Copies a ledger, or goes on with a copy.
///
/// # Errors
/// Each [`CopyError`] says what to do.
pub async fn copy(
    from: &Place,
    to: &Place,
    mut progress: impl FnMut(Progress),
) -> Result<Vec<Copied>, CopyError> {
    let (source, target) = (open(from, false).await?, open(to, true).await?);
    let of_source = |error| CopyError::Failed { ledger: source.name(), error };
    let of_target = |error| CopyError::Failed { ledger: target.name(), error };
    refuse_users(&*source).await?;
    refuse_users(&*target).await?;
    if let Some(found) = source.mark().await.map_err(of_source)? {
        return Err(CopyError::OtherSource { to: source.name(), found });
    }
    match target.mark().await.map_err(of_target)? {
        Some(found) if found == source.name() => {}
        Some(found) => return Err(CopyError::OtherSource { to: target.name(), found }),
        None => {
            for table in &TABLES {
                if target.count(table).await.map_err(of_target)? > 0 {
                    return Err(CopyError::NotEmpty(target.name()));
                }
            }
            target.set_mark(Some(&source.name())).await.map_err(of_target)?;
        }
    }
    for table in &TABLES {
        let rows = source.count(table).await.map_err(of_source)?;
        let mut done = target.count(table).await.map_err(of_target)?;
        let mut last = target.last(table).await.map_err(of_target)?;
        loop {
            progress(Progress { table: table.name, done, rows, compares: false });
            let piece = source.read(table, last.as_deref()).await.map_err(of_source)?;
            let Some(end) = piece.last() else { break };
            last = Some(table.key_of(end));
            mynah_actors::failpoint::reach("copy.piece");
            target.write(table, &piece).await.map_err(of_target)?;
            done += piece.len() as u64;
        }
    }
    target.complete().await.map_err(of_target)?;
    let mut all = Vec::new();
    for table in &TABLES {
        let one = hash(&*source, table, &mut progress).await.map_err(of_source)?;
        let other = hash(&*target, table, &mut progress).await.map_err(of_target)?;
        if (one.rows, &one.sha256) != (other.rows, &other.sha256) {
            let (from, to) = (source.name(), target.name());
            return Err(CopyError::Differs {
                table: table.name,
                from,
                to,
                rows: one.rows,
                copied: other.rows,
            });
        }
        all.push(one);
    }
    // Who started in between may have changed something that was compared already.
    refuse_users(&*source).await?;
    refuse_users(&*target).await?;
    target.set_mark(None).await.map_err(of_target)?;
    Ok(all)
}

async fn refuse_users(end: &dyn End) -> Result<(), CopyError> {
    let users = end.users().await.map_err(|error| CopyError::Failed { ledger: end.name(), error })?;
    if users.is_empty() {
        return Ok(());
    }
    Err(CopyError::InUse { ledger: end.name(), instances: users.join(", ") })
}

async fn hash(end: &dyn End, table: &Table, progress: &mut impl FnMut(Progress)) -> Result<Copied, String> {
    let rows = end.count(table).await?;
    let (mut hash, mut done, mut last) = (Sha256::new(), 0, None);
    loop {
        progress(Progress { table: table.name, done, rows, compares: true });
        let piece = end.read(table, last.as_deref()).await?;
        let Some(end) = piece.last() else { break };
        last = Some(table.key_of(end));
        done += piece.len() as u64;
        piece.iter().flatten().for_each(|cell| cell.hash(&mut hash));
    }
    let mut sha256 = String::new();
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(sha256, "{byte:02x}");
    }
    Ok(Copied { table: table.name, rows: done, sha256 })
}
