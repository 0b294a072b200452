//! Opening the file, and refusing every file that is not a sound ledger of ours: publishing without a record is how posts
//! are published twice.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use log::{info, warn};
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::schema::{APPLICATION_ID, MIGRATIONS};
use crate::permissions;

/// A ledger that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the file cannot be written.
    #[error(
        "the data directory cannot be used: {path}: {error}; let this user write there, or set data_dir to a folder that it may"
    )]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// The error of the system.
        error: String,
    },
    /// Another process has it.
    #[error("{path} is in use by another mynah; stop that one first, or give this one a data_dir of its own")]
    InUse {
        /// The ledger.
        path: PathBuf,
    },
    /// A newer Mynah wrote it.
    #[error(
        "{path} was written by a newer version of mynah (format {found}; this version reads up to {known}); run the newer version, or restore a backup from before the upgrade"
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its format.
        found: usize,
        /// The newest format that is understood.
        known: usize,
    },
    /// It is some other file.
    #[error(
        "{path} is no ledger of mynah and is left as it is; set data_dir to another folder, or move the file away"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// There was one, and nothing of it is left.
    #[error(
        "{path} is gone or empty, though there was a ledger: what is on the accounts is not known any more, and everything would be published twice; restore it from a backup, or remove {lock} too to start over"
    )]
    Gone {
        /// The ledger.
        path: PathBuf,
        /// The file that knows of it.
        lock: PathBuf,
    },
    /// It is damaged.
    #[error(
        "{path} is damaged ({detail}) and is left as it is; restore it from a backup, or save what can be read with `sqlite3 {path} .recover`"
    )]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
}

/// Written into the lock's file once there is a ledger beside it. A ledger that is gone would else look like one that
/// never was, and everything would be published again.
const MARK: &str = "There is a ledger next to this file. If it is missing, mynah starts over only after this file \
is removed, too.\n";

/// An open file, with the lock that keeps others out for as long as it lives.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) lock: File,
}

pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let unwritable = |path: &Path, error: &dyn std::fmt::Display| OpenError::Unwritable {
        path: path.to_owned(),
        error: error.to_string(),
    };
    if let Some(folder) = path.parent() {
        make_private(folder).map_err(|error| unwritable(folder, &error))?;
    }
    let mut lock = lock(path)?;
    let mut mark = String::new();
    lock.read_to_string(&mut mark).map_err(|error| unwritable(path, &error))?;
    let was_there = !mark.is_empty();
    // Made here and not by SQLite, so that nobody else may read it.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|error| unwritable(path, &error))?;

    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| match explain(path, &error) {
        OpenError::Foreign { path } if was_there => damaged(&path, "its head is no ledger's"),
        error => error,
    };
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Every plan holds for all values: otherwise a statement is planned again whenever a value might suit a partial index.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;

    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) =
        (number("application_id").map_err(failed)?, number("user_version").map_err(failed)?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0) {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    if was_there && tables == 0 {
        return Err(OpenError::Gone { path: path.to_owned(), lock: lock_of(path) });
    }
    let found = usize::try_from(version).unwrap_or(usize::MAX);
    if found > MIGRATIONS.len() {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: MIGRATIONS.len() });
    }
    let sound: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if sound != "ok" {
        return Err(damaged(path, &sound));
    }
    set_up(&mut connection, found).map_err(failed)?;
    if !was_there {
        lock.write_all(MARK.as_bytes())
            .and_then(|()| lock.sync_all())
            .map_err(|error| unwritable(&lock_of(path), &error))?;
    }
    Ok(Opened { connection, path: path.to_owned(), lock })
}

/// Makes the folder for this user alone, or closes the one that is there.
fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for exposed in permissions::close(folder) {
        let (path, mode) = (exposed.path.display(), format!("{:04o}", exposed.mode));
        let mode = mode.as_str();
        match &exposed.why_open {
            None => info!(mode = mode, path:%; "file permissions restricted"),
            Some(_) => warn!(mode = mode, reason:% = exposed, path:%; "file accessible to other users"),
        }
    }
    Ok(())
}

/// Readers do not wait for the writer (WAL), and what is committed survives a loss of power (FULL).
fn set_up(connection: &mut Connection, found: usize) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What SQLite keeps for itself for the length of a statement is stored in memory, and in no file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Half a megabyte of pages: a line is worked on at its end, and what else is read the system keeps. The two that SQLite
    // would take are a tenth of all that a small machine gives.
    connection.pragma_update(None, "cache_size", -500)?;
    // Each checkpoint waits for the disk twice; a log of some ten megabytes is read as fast as one of four.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    let migration = connection.transaction()?;
    for step in &MIGRATIONS[found..] {
        migration.execute_batch(step)?;
    }
    migration.pragma_update(None, "application_id", APPLICATION_ID)?;
    migration.pragma_update(None, "user_version", i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX))?;
    migration.commit()
}

/// Whether another process has the ledger in that file.
///
/// # Errors
/// Where that cannot be found out.
pub fn is_in_use(path: &Path) -> Result<bool, OpenError> {
    match lock(path) {
        Ok(_) => Ok(false),
        Err(OpenError::InUse { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// One process at a time. The lock goes with the process, however it ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let file = lock_of(path);
    let unwritable =
        |error: io::Error| OpenError::Unwritable { path: file.clone(), error: error.to_string() };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let lock = options.open(&file).map_err(unwritable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(fs::TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

fn lock_of(ledger: &Path) -> PathBuf {
    ledger.with_extension("lock")
}

/// SQLite reports some findings in several lines.
fn damaged(path: &Path, detail: &str) -> OpenError {
    let detail: Vec<&str> = detail.lines().collect();
    OpenError::Damaged { path: path.to_owned(), detail: detail.join(" ") }
}

pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::InUse { path },
        Some(
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::DiskFull,
        ) => OpenError::Unwritable { path, error: error.to_string() },
        _ => damaged(&path, &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(path: &Path) -> String {
        match open(path) {
            Ok(_) => "opened".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_new_ledger_is_for_nobody_elses_eyes_and_opens_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/ledger.sqlite");
        assert_eq!(opened(&path), "opened");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(opened(&path), "opened");
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let first = open(&path).unwrap();
        assert!(opened(&path).contains("in use by another mynah"));
        assert!(is_in_use(&path).unwrap());
        drop(first);
        assert!(!is_in_use(&path).unwrap());
        assert_eq!(opened(&path), "opened");
    }

    #[test]
    fn a_ledger_from_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        open(&path).unwrap().connection.pragma_update(None, "user_version", 99).unwrap();
        let refused = opened(&path);
        let newer =
            format!("newer version of mynah (format 99; this version reads up to {})", MIGRATIONS.len());
        assert!(refused.contains(&newer), "{refused}");
        assert!(refused.ends_with("run the newer version, or restore a backup from before the upgrade"));
    }

    #[test]
    fn a_ledger_of_every_older_version_is_brought_up_to_date() {
        for version in 1..MIGRATIONS.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.sqlite");
            let older = Connection::open(&path).unwrap();
            for step in &MIGRATIONS[..version] {
                older.execute_batch(step).unwrap();
            }
            older.execute("INSERT INTO facts VALUES ('kept', 'yes')", []).unwrap();
            older.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
            older.pragma_update(None, "user_version", i32::try_from(version).unwrap()).unwrap();
            drop(older);
            let ledger = open(&path).unwrap().connection;
            let kept: String = ledger.query_row("SELECT value FROM facts", [], |row| row.get(0)).unwrap();
            assert_eq!(kept, "yes");
            ledger.prepare("SELECT after FROM publications").unwrap();
        }
    }

    #[test]
    fn another_programs_file_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        let before = fs::read(&path).unwrap();
        assert!(opened(&path).contains("no ledger of mynah"));
        assert_eq!(fs::read(&path).unwrap(), before);
        fs::write(&path, "this is no database at all, only some text".repeat(100)).unwrap();
        assert!(opened(&path).contains("no ledger of mynah"));
    }

    #[test]
    fn a_damaged_ledger_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        drop(open(&path).unwrap());
        let mut bytes = fs::read(&path).unwrap();
        for page in bytes.chunks_mut(4096).skip(1) {
            page[..64].fill(0xAA);
        }
        fs::write(&path, bytes).unwrap();
        assert!(opened(&path).contains("is damaged"), "{}", opened(&path));
    }

    #[test]
    fn a_ledger_that_is_gone_is_not_begun_anew_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        drop(open(&path).unwrap());
        for emptied in [fs::remove_file, |path: &PathBuf| fs::write(path, "")] {
            emptied(&path).unwrap();
            assert!(opened(&path).contains("is gone or empty"), "{}", opened(&path));
        }
        fs::write(&path, "not the head of a ledger".repeat(1000)).unwrap();
        assert!(opened(&path).contains("is damaged"), "{}", opened(&path));
        fs::remove_file(&path).unwrap();
        fs::remove_file(lock_of(&path)).unwrap();
        assert_eq!(opened(&path), "opened");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let below = opened(&file.join("ledger.sqlite"));
        assert!(below.contains("cannot be used") && below.contains("set data_dir"), "{below}");
        fs::create_dir(folder.path().join("ledger.sqlite")).unwrap();
        assert!(opened(&folder.path().join("ledger.sqlite")).contains("cannot be used"));
    }
}
