//! Copies a ledger while it is in use, and puts a copy back.
//!
//! A copy is one consistent state, whatever is written meanwhile, and one file that needs no other. Both ways, the file
//! gets its name only when it is complete and checked, and no existing file is replaced.
//!
//! A restored ledger does not know what was published since: see [`restored`](super::restored).

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use mynah_actors::failpoint;
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup as Copying, StepResult},
};
use rustix::fs::OFlags;

use super::{
    open::{self, Content, OpenError},
    restored, retention,
    rows::{count, to_timestamp},
};

/// How many pages to copy at once: a megabyte.
const STEP: i32 = 256;

/// Why a ledger was not copied or restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of that name.
    #[error("{0} exists, and is not overwritten; choose another name, or move it away first")]
    Exists(PathBuf),
    /// There is nothing to copy.
    #[error("there is no ledger at {0}; check data_dir")]
    NoLedger(PathBuf),
    /// There is nothing to restore.
    #[error("{0} is not a backup of a ledger")]
    NoBackup(PathBuf),
    /// The file is only a part of a ledger.
    #[error(
        "{backup} was copied from a ledger in use, and {log} beside it has a part of it; make a backup with `mynah backup`"
    )]
    Incomplete {
        /// The file.
        backup: PathBuf,
        /// The log beside it.
        log: PathBuf,
    },
    /// Another backup goes to the same file.
    #[error("another process is writing {0}; wait for it")]
    Busy(PathBuf),
    /// A service or a command uses the ledger to restore.
    #[error("{0} is in use by another mynah; stop that one first")]
    InUse(PathBuf),
    /// The ledger or its copy cannot be used.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// A file cannot be written.
    #[error("cannot write {path}: {error}; choose a folder that this user may write to, with enough room")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: String,
    },
}

/// A copy of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its size.
    pub bytes: u64,
    /// How many jobs it has.
    pub jobs: u64,
    /// When one of them last changed.
    pub last_change: Option<Timestamp>,
}

/// A restored ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// What was restored.
    pub backup: Backup,
    /// How many jobs are held, because they may have been published since.
    pub held: u64,
}

/// Copies the ledger in `ledger` to the new file `to`. Other processes may use the ledger meanwhile.
///
/// # Errors
/// Each [`BackupError`] says what to do.
pub fn back_up(ledger: &Path, to: &Path) -> Result<Backup, BackupError> {
    if !ledger.exists() {
        return Err(BackupError::NoLedger(ledger.to_owned()));
    }
    let unread = |error: rusqlite::Error| BackupError::from(open::explain(ledger, &error));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(ledger, flags).map_err(unread)?;
    from.busy_timeout(retention::BUSY).map_err(unread)?;
    if let Content::Nothing = open::content(&from, ledger).map_err(unread)?? {
        return Err(BackupError::NoLedger(ledger.to_owned()));
    }
    let partial = Partial::create(to)?;
    let copied = copy(&from, &partial.path).and_then(|()| {
        let copy = Connection::open(&partial.path)?;
        let checked = open::check(&copy, &partial.path, "quick_check")?;
        Ok(checked.map(|()| described(&copy, &partial.path)))
    });
    let backup = copied.map_err(|error| partial.unwritable(&error))??;
    let backup = backup.map_err(|error| partial.unwritable(&error))?;
    partial.complete(to)?;
    Ok(backup)
}

/// Copies the content of an open ledger into a file.
fn copy(from: &Connection, to: &Path) -> rusqlite::Result<()> {
    // One state of the ledger: without a transaction, the copy would begin again with each change by another process.
    from.execute_batch("BEGIN")?;
    from.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mut copy = Connection::open(to)?;
    copy.busy_timeout(retention::BUSY)?;
    let copying = Copying::new(from, &mut copy)?;
    loop {
        failpoint::reach("backup.step");
        // A locked file is tried again when its holder has ended its transaction.
        if copying.step(STEP)? == StepResult::Done {
            break;
        }
    }
    drop(copying);
    // One file that needs no log beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")
}

fn described(db: &Connection, path: &Path) -> rusqlite::Result<Backup> {
    let bytes = fs::metadata(path).map_or(0, |file| file.len());
    db.query_row("SELECT count(*), max(updated_at) FROM jobs", [], |row| {
        let last_change = row.get::<_, Option<i64>>(1)?.map(to_timestamp);
        Ok(Backup { bytes, jobs: count(row, 0)?, last_change })
    })
}

/// Puts a copy in place of a ledger that is gone. Everything that may have been published after the copy was made will
/// wait for a person.
///
/// # Errors
/// Each [`BackupError`] says what to do.
pub fn restore(backup: &Path, ledger: &Path, now: Timestamp) -> Result<Restore, BackupError> {
    let folder = ledger.parent().unwrap_or(Path::new("."));
    open::make_private(folder)
        .map_err(|error| BackupError::Unwritable { path: folder.to_owned(), error: error.to_string() })?;
    let mut lock = open::lock(ledger).map_err(|error| match error {
        OpenError::InUse { path } => BackupError::InUse(path),
        error => error.into(),
    })?;
    for file in [ledger.to_owned(), beside(ledger, "-wal"), beside(ledger, "-shm")] {
        // An empty ledger has nothing to lose.
        if fs::metadata(&file).is_ok_and(|found| file != ledger || found.len() > 0) {
            return Err(BackupError::Exists(file));
        }
    }
    let log = beside(backup, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::Incomplete { backup: backup.to_owned(), log });
    }
    let mut from = File::open(backup).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BackupError::NoBackup(backup.to_owned()),
        _ => OpenError::Unwritable { path: backup.to_owned(), error: error.to_string() }.into(),
    })?;
    let partial = Partial::create(ledger)?;
    // A copy, because checking and converting it must not change the backup.
    io::copy(&mut from, &mut &partial.file).map_err(|error| partial.unwritable(&error))?;
    failpoint::reach("restore.copied");
    let unread = |error: rusqlite::Error| BackupError::from(open::explain(backup, &error));
    let mut copy = Connection::open(&partial.path).map_err(unread)?;
    let format = match open::content(&copy, backup).map_err(unread)?? {
        Content::Ledger { format } => format,
        Content::Nothing => return Err(BackupError::NoBackup(backup.to_owned())),
    };
    open::check(&copy, backup, "integrity_check").map_err(unread)??;
    open::set_up(&mut copy, format).map_err(unread)?;
    let held = {
        let transaction = copy.transaction().map_err(unread)?;
        let held = restored::mark(&transaction, now).map_err(unread)?;
        transaction.commit().map_err(unread)?;
        held
    };
    copy.pragma_update(None, "journal_mode", "DELETE").map_err(unread)?;
    let backup = described(&copy, &partial.path).map_err(unread)?;
    drop(copy);
    failpoint::reach("restore.checked");
    if fs::metadata(ledger).is_ok_and(|file| file.len() == 0) {
        fs::remove_file(ledger).map_err(|error| partial.unwritable(&error))?;
    }
    open::write_mark(&mut lock).map_err(|error| partial.unwritable(&error))?;
    partial.complete(ledger)?;
    Ok(Restore { backup, held })
}

/// A file with this ending behind its whole name.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A file that is being written, private, beside its final name. Removed unless it is completed.
struct Partial {
    path: PathBuf,
    /// Keeps other processes from writing it.
    file: File,
    is_complete: bool,
}

impl Partial {
    fn create(to: &Path) -> Result<Self, BackupError> {
        if fs::symlink_metadata(to).is_ok_and(|file| file.len() > 0 || !file.is_file()) {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let path = beside(to, ".partial");
        let unwritable =
            |error: io::Error| BackupError::Unwritable { path: path.clone(), error: error.to_string() };
        // One that a killed process left behind is overwritten.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        // In a folder of others, the name may lead elsewhere.
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(&path).map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(path)),
            Err(TryLockError::Error(error)) => return Err(unwritable(error)),
        }
        file.set_permissions(Permissions::from_mode(0o600)).map_err(unwritable)?;
        file.set_len(0).map_err(unwritable)?;
        for ending in LEFT_BEHIND {
            // Mostly, there is none.
            let _ = fs::remove_file(beside(&path, ending));
        }
        Ok(Self { path, file, is_complete: false })
    }

    fn unwritable(&self, error: &dyn std::fmt::Display) -> BackupError {
        BackupError::Unwritable { path: self.path.clone(), error: error.to_string() }
    }

    /// Gives the file its name, for good: it is on the disk, and so is its name.
    fn complete(mut self, to: &Path) -> Result<(), BackupError> {
        let failed =
            |error: io::Error| BackupError::Unwritable { path: to.to_owned(), error: error.to_string() };
        self.file.sync_all().map_err(failed)?;
        // Unlike a rename, a link never replaces a file.
        match fs::hard_link(&self.path, to) {
            Ok(()) => fs::remove_file(&self.path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists(to.to_owned()));
            }
            // Some file systems have no links.
            Err(_) if !to.exists() => fs::rename(&self.path, to).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        }
        self.is_complete = true;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// The endings of files that SQLite may leave beside a file whose process was killed.
const LEFT_BEHIND: [&str; 3] = ["-journal", "-wal", "-shm"];

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_complete {
            // If this fails, the next attempt overwrites it.
            let _ = fs::remove_file(&self.path);
            for ending in LEFT_BEHIND {
                let _ = fs::remove_file(beside(&self.path, ending));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn ledger(folder: &Path) -> PathBuf {
        let path = folder.join("data/ledger.sqlite");
        let opened = open::open(&path).unwrap();
        opened.connection.execute("INSERT INTO facts VALUES ('kept', 'yes')", []).unwrap();
        path
    }

    fn noon() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_backup_is_one_private_file_and_replaces_none() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        // In use, with changes that are only in the log.
        let opened = open::open(&ledger).unwrap();
        opened.connection.execute("INSERT INTO facts VALUES ('newer', 'yes')", []).unwrap();
        let (to, backups) = (folder.path().join("backups/one.sqlite"), folder.path().join("backups"));
        fs::create_dir(&backups).unwrap();
        fs::write(beside(&to, ".partial"), "from a process that was killed").unwrap();
        back_up(&ledger, &to).unwrap();
        assert_eq!(names(&backups), ["one.sqlite"]);
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
        let copy = Connection::open_with_flags(&to, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let facts: i64 = copy.query_row("SELECT count(*) FROM facts", [], |row| row.get(0)).unwrap();
        assert_eq!(facts, 2);
        let before = fs::read(&to).unwrap();
        assert!(matches!(back_up(&ledger, &to), Err(BackupError::Exists(_))));
        assert_eq!((fs::read(&to).unwrap(), names(&backups)), (before, vec!["one.sqlite".to_owned()]));
        let nowhere = back_up(&folder.path().join("none.sqlite"), &folder.path().join("b"));
        assert!(matches!(nowhere, Err(BackupError::NoLedger(_))));
        assert!(!folder.path().join("b").exists());
    }

    #[test]
    fn two_backups_into_one_file_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("one.sqlite");
        let first = Partial::create(&to).unwrap();
        assert!(matches!(back_up(&ledger(folder.path()), &to), Err(BackupError::Busy(_))));
        first.complete(&to).unwrap();
    }

    #[test]
    fn a_ledger_is_restored_only_where_there_is_none_and_none_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = ledger(folder.path());
        let backup = folder.path().join("backup.sqlite");
        back_up(&path, &backup).unwrap();
        let before = fs::read(&backup).unwrap();
        assert!(matches!(restore(&backup, &path, noon()), Err(BackupError::Exists(file)) if file == path));
        let opened = open::open(&path).unwrap();
        assert!(matches!(restore(&backup, &path, noon()), Err(BackupError::InUse(_))));
        drop(opened);
        fs::remove_file(&path).unwrap();
        fs::write(beside(&path, "-wal"), "of the ledger that is gone").unwrap();
        assert!(matches!(restore(&backup, &path, noon()), Err(BackupError::Exists(_))));
        fs::remove_file(beside(&path, "-wal")).unwrap();
        restore(&backup, &path, noon()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(path.parent().unwrap()), ["ledger.lock", "ledger.sqlite"]);
        assert_eq!(fs::read(&backup).unwrap(), before, "the backup stays as it is");
        let restored = open::open(&path).unwrap().connection;
        let kept: String =
            restored.query_row("SELECT value FROM facts WHERE key = 'kept'", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "yes");
        drop(restored);
        fs::write(&path, "").unwrap();
        restore(&backup, &path, noon()).unwrap();
        assert!(open::open(&path).is_ok());
        // Into a folder that never had a ledger.
        let elsewhere = folder.path().join("new/ledger.sqlite");
        restore(&backup, &elsewhere, noon()).unwrap();
        fs::remove_file(&elsewhere).unwrap();
        assert!(matches!(open::open(&elsewhere), Err(OpenError::Gone { .. })), "there was a ledger");
    }

    #[test]
    fn only_an_intact_ledger_is_restored() {
        let folder = tempfile::tempdir().unwrap();
        let path = ledger(folder.path());
        let (backup, to) = (folder.path().join("backup.sqlite"), folder.path().join("new/ledger.sqlite"));
        let refused = |why: &str| {
            let error = restore(&backup, &to, noon()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            assert_eq!(names(&folder.path().join("new")), ["ledger.lock"]);
        };
        refused("is not a backup");
        fs::write(&backup, "").unwrap();
        refused("is not a backup");
        fs::write(&backup, "some text that is no database".repeat(100)).unwrap();
        refused("is not a ledger of mynah");
        fs::remove_file(&backup).unwrap();
        Connection::open(&backup).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        refused("is not a ledger of mynah");
        fs::remove_file(&backup).unwrap();
        back_up(&path, &backup).unwrap();
        Connection::open(&backup).unwrap().pragma_update(None, "user_version", 99).unwrap();
        refused("written by a newer version");
        fs::remove_file(&backup).unwrap();
        back_up(&path, &backup).unwrap();
        let mut bytes = fs::read(&backup).unwrap();
        for page in bytes.chunks_mut(4096).skip(3) {
            page[..64].fill(0xAA);
        }
        fs::write(&backup, bytes).unwrap();
        refused("is damaged");
        fs::write(beside(&backup, "-wal"), "changes").unwrap();
        refused("make a backup with `mynah backup`");
    }
}
