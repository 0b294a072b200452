//! Opens the file, and refuses any file that is not an intact ledger: without its record, Mynah would publish posts
//! twice.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Instant,
};

use log::{info, warn};
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{
    super::copy,
    facts, retention,
    schema::{APPLICATION_ID, MIGRATIONS},
};
use crate::permissions;

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the file cannot be written.
    #[error(
        "cannot use the data directory: {path}: {error}; make it writable for this user, or set data_dir to another folder"
    )]
    Unwritable {
        /// The folder or file.
        path: PathBuf,
        /// The system's error.
        error: String,
    },
    /// Another process has it open.
    #[error("{path} is in use by another mynah; stop that one first, or give this one its own data_dir")]
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
        /// The newest format that this version reads.
        known: usize,
    },
    /// It is another kind of file.
    #[error(
        "{path} is not a ledger of mynah and was not changed; set data_dir to another folder, or move the file away"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another ledger was being copied into it.
    #[error("{path} is a copy that was not completed; go on with `mynah ledger copy`, or remove it")]
    Incomplete {
        /// The ledger.
        path: PathBuf,
    },
    /// There was a ledger, and it is gone.
    #[error(
        "{path} is missing or empty, though there was a ledger: without it, posts would be published twice; restore it from a backup, or remove {lock} too to start over"
    )]
    Gone {
        /// The ledger.
        path: PathBuf,
        /// The lock file, which shows that there was one.
        lock: PathBuf,
    },
    /// It is damaged.
    #[error(
        "{path} is damaged ({detail}) and was not changed; restore it from a backup, or save what can be read with `sqlite3 {path} .recover`"
    )]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
}

/// Written into the lock file once there is a ledger next to it. Without it, a deleted ledger would look like a new
/// installation, and everything would be published again.
const MARK: &str = "There is a ledger next to this file. If it is missing, mynah starts over only after this file \
is removed, too.\n";

/// An open file, with the lock that excludes other processes while it exists.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) lock: File,
}

/// A ledger that no other process uses, for a tool that reads and writes whole tables.
pub(in crate::ledger) struct Exclusive(Opened);

impl Exclusive {
    /// Opens a ledger, or creates it; also one that is an incomplete copy.
    pub(in crate::ledger) fn open(path: &Path) -> Result<Self, OpenError> {
        open_file(path).map(Self)
    }

    pub(in crate::ledger) fn connection(&self) -> &Connection {
        &self.0.connection
    }
}

pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let opened = open_file(path)?;
    let failed = |error: rusqlite::Error| explain(path, &error);
    match facts::fact(&opened.connection, copy::MARK).map_err(failed)? {
        Some(_) => Err(OpenError::Incomplete { path: path.to_owned() }),
        None => Ok(opened),
    }
}

fn open_file(path: &Path) -> Result<Opened, OpenError> {
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
    // Created here rather than by SQLite, so that no other user can read it.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|error| unwritable(path, &error))?;

    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| match explain(path, &error) {
        OpenError::Foreign { path } if was_there => damaged(&path, "its header is not a ledger's"),
        error => error,
    };
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(retention::BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Plans must hold for all values: otherwise SQLite plans a statement again whenever a value might fit a partial
    // index.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;

    let found = match content(&connection, path).map_err(failed)?? {
        Content::Ledger { format } => format,
        Content::Nothing if was_there => {
            return Err(OpenError::Gone { path: path.to_owned(), lock: lock_of(path) });
        }
        Content::Nothing => 0,
    };
    check(&connection, path, "quick_check").map_err(failed)??;
    set_up(&mut connection, found).map_err(failed)?;
    compact_if_due(&connection);
    if !was_there {
        write_mark(&mut lock).map_err(|error| unwritable(&lock_of(path), &error))?;
    }
    Ok(Opened { connection, path: path.to_owned(), lock })
}

/// What a file has.
pub(super) enum Content {
    /// No tables yet.
    Nothing,
    /// A ledger in a format that this version reads.
    Ledger { format: usize },
}

/// Finds out what a file has; refuses other programs' files and newer ledgers.
pub(super) fn content(connection: &Connection, path: &Path) -> rusqlite::Result<Result<Content, OpenError>> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0) {
        return Ok(Err(OpenError::Foreign { path: path.to_owned() }));
    }
    if tables == 0 {
        return Ok(Ok(Content::Nothing));
    }
    let format = usize::try_from(version).unwrap_or(usize::MAX);
    if format > MIGRATIONS.len() {
        let (path, known) = (path.to_owned(), MIGRATIONS.len());
        return Ok(Err(OpenError::Newer { path, found: format, known }));
    }
    Ok(Ok(Content::Ledger { format }))
}

/// Checks a file by one of SQLite's checks.
pub(super) fn check(
    connection: &Connection,
    path: &Path,
    check: &str,
) -> rusqlite::Result<Result<(), OpenError>> {
    let sound: String = connection.query_row(&format!("PRAGMA {check}(1)"), [], |row| row.get(0))?;
    Ok(if sound == "ok" { Ok(()) } else { Err(damaged(path, &sound)) })
}

/// Rewrites the file if removed texts may have traces in it. Without room on the disk, the next start tries again.
fn compact_if_due(connection: &Connection) {
    let compact = || -> rusqlite::Result<()> {
        if !retention::is_due(connection)? {
            return Ok(());
        }
        let began = Instant::now();
        retention::rewrite(connection)?;
        if retention::empty_log(connection)? {
            retention::done(connection)?;
        }
        info!(ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX); "ledger compacted");
        Ok(())
    };
    if let Err(error) = compact() {
        warn!(reason:% = error; "ledger compaction failed");
    }
}

/// Creates the folder for this user only, or restricts the permissions of the existing one.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
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

/// Sets up the connection. Readers do not wait for the writer (WAL), and commits survive a power loss (FULL).
pub(super) fn set_up(connection: &mut Connection, found: usize) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Temporary data of a statement stays in memory, not in a file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Half a megabyte of pages: work happens at the end of a line, and the system caches the rest. SQLite's default of
    // two megabytes is a tenth of what a small machine provides.
    connection.pragma_update(None, "cache_size", -500)?;
    // Each checkpoint waits for the disk twice, and a log of some ten megabytes is as fast to read as one of four.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    let migration = connection.transaction()?;
    for step in &MIGRATIONS[found..] {
        migration.execute_batch(step)?;
    }
    migration.pragma_update(None, "application_id", APPLICATION_ID)?;
    migration.pragma_update(None, "user_version", i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX))?;
    migration.commit()
}

/// Whether another process has the ledger open.
///
/// # Errors
/// If the lock cannot be checked.
pub fn is_in_use(path: &Path) -> Result<bool, OpenError> {
    match lock(path) {
        Ok(_) => Ok(false),
        Err(OpenError::InUse { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Allows one process at a time. The lock ends with the process, however it ends.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
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

/// Writes into the lock file that there is a ledger.
pub(super) fn write_mark(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(MARK.as_bytes())?;
    lock.sync_all()
}

fn lock_of(ledger: &Path) -> PathBuf {
    ledger.with_extension("lock")
}

/// A damaged file. SQLite reports some findings on several lines.
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
    fn a_new_ledger_is_private_and_opens_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/ledger.sqlite");
        assert_eq!(opened(&path), "opened");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(opened(&path), "opened");
    }

    #[test]
    fn a_second_process_is_refused() {
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
    fn a_ledger_of_every_older_version_is_migrated() {
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
    fn another_programs_file_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        let before = fs::read(&path).unwrap();
        assert!(opened(&path).contains("not a ledger of mynah"));
        assert_eq!(fs::read(&path).unwrap(), before);
        fs::write(&path, "this is no database at all, only some text".repeat(100)).unwrap();
        assert!(opened(&path).contains("not a ledger of mynah"));
    }

    #[test]
    fn a_damaged_ledger_is_reported() {
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
    fn a_missing_ledger_is_not_silently_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        drop(open(&path).unwrap());
        for emptied in [fs::remove_file, |path: &PathBuf| fs::write(path, "")] {
            emptied(&path).unwrap();
            assert!(opened(&path).contains("is missing or empty"), "{}", opened(&path));
        }
        fs::write(&path, "not the head of a ledger".repeat(1000)).unwrap();
        assert!(opened(&path).contains("is damaged"), "{}", opened(&path));
        fs::remove_file(&path).unwrap();
        fs::remove_file(lock_of(&path)).unwrap();
        assert_eq!(opened(&path), "opened");
    }

    #[test]
    fn an_unwritable_folder_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let below = opened(&file.join("ledger.sqlite"));
        assert!(below.contains("cannot use") && below.contains("set data_dir"), "{below}");
        fs::create_dir(folder.path().join("ledger.sqlite")).unwrap();
        assert!(opened(&folder.path().join("ledger.sqlite")).contains("cannot use"));
    }
}
