//! The data folder holds unpublished posts, and secret files hold keys: other users of the machine must not read
//! either. Mynah creates files for its own user only, closes a data folder that an older version left open, and reports
//! what it cannot close. Exposed files are not an error: a container's volume may belong to another user.

use std::{
    fmt, fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{fs::Mode, process};

/// The permission bits of the group and of all other users.
const OTHERS: u32 = 0o077;

/// A folder with this bit is shared deliberately, like `/tmp`.
const STICKY: u32 = 0o1000;

/// Names of Mynah's files in a data folder, up to the first dot or hyphen; covers backups of the ledger, too.
const OURS: [&str; 6] = ["admin", "cache", "credentials", "ledger", "metrics", "pulse"];

/// Makes this process create files and folders for its own user only, whatever its initial umask.
pub fn make_files_private() {
    process::umask(Mode::RWXG | Mode::RWXO);
}

/// A file or folder that other users can read or change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// The file or folder.
    pub path: PathBuf,
    /// Its mode, as `chmod` takes it.
    pub mode: u32,
    /// Why it stays open; `None` if Mynah closed it.
    pub why_open: Option<String>,
}

impl Exposed {
    fn closed_mode(&self) -> u32 {
        self.mode & !OTHERS
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, mode, closed) = (self.path.display(), self.mode, self.closed_mode());
        match &self.why_open {
            None => write!(
                f,
                "{path}: it was open to other users (mode {mode:04o}); Mynah changed it to {closed:04o}"
            ),
            Some(why) => {
                write!(
                    f,
                    "{path}: it is open to other users (mode {mode:04o}): {why}; run `chmod {closed:o} {path}`"
                )
            }
        }
    }
}

/// Reports a secret file that other users can read or change. Errors are ignored: reading the file reports them.
pub fn exposed_secrets(file: &Path) -> Option<Exposed> {
    let mode = fs::metadata(file).ok()?.permissions().mode() & 0o7777;
    let why_open = Some("it holds keys".to_owned());
    (mode & OTHERS != 0).then(|| Exposed { path: file.to_owned(), mode, why_open })
}

/// Closes a data folder and the files in it to other users, and returns those that were open.
pub fn close(data_dir: &Path) -> Vec<Exposed> {
    // A missing folder will be created closed.
    let Ok(entries) = fs::read_dir(data_dir) else { return Vec::new() };
    let (ours, others): (Vec<_>, Vec<_>) =
        entries.flatten().map(|entry| entry.path()).partition(|path| is_ours(path));
    let shared = (!others.is_empty()).then_some("it also holds other files, so Mynah does not change it");
    let folder = fs::metadata(data_dir).map(|found| close_one(data_dir, &found, shared));
    let files = ours.iter().filter_map(|path| {
        // A symlink may lead to a file that is not ours.
        let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
        close_one(path, &found, None)
    });
    folder.ok().flatten().into_iter().chain(files).collect()
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    OURS.contains(&name.split(['.', '-']).next().unwrap_or_default())
}

fn close_one(path: &Path, found: &fs::Metadata, shared: Option<&str>) -> Option<Exposed> {
    let mode = found.mode() & 0o7777;
    let mut exposed = Exposed { path: path.to_owned(), mode, why_open: None };
    if mode & OTHERS == 0 {
        return None;
    }
    exposed.why_open = if found.uid() != process::geteuid().as_raw() {
        Some(format!("it belongs to user {}", found.uid()))
    } else if mode & STICKY != 0 {
        Some("it is shared, like /tmp".to_owned())
    } else if let Some(shared) = shared {
        Some(shared.to_owned())
    } else {
        let closed = fs::Permissions::from_mode(exposed.closed_mode());
        fs::set_permissions(path, closed).err().map(|error: io::Error| error.to_string())
    };
    Some(exposed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A data folder of an older version, with everything in it open.
    fn open_folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "ledger.sqlite",
            "ledger.sqlite-wal",
            "ledger.lock",
            "cache.jsonl",
            "metrics.jsonl",
            "pulse",
            "admin",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
            set_mode(&folder.path().join(name), 0o644);
        }
        set_mode(folder.path(), 0o755);
        folder
    }

    #[test]
    fn a_folder_that_an_older_version_left_open_is_closed_with_all_files_in_it() {
        let folder = open_folder();
        assert_eq!(close(folder.path()).iter().filter(|exposed| exposed.why_open.is_none()).count(), 8);
        assert_eq!(mode(folder.path()), 0o700);
        for entry in fs::read_dir(folder.path()).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
        assert_eq!(close(folder.path()), []);
    }

    #[test]
    fn a_folder_behind_a_symlink_is_closed_and_a_linked_file_is_left_alone() {
        let folder = open_folder();
        let elsewhere = tempfile::tempdir().unwrap();
        let (link, shared) = (elsewhere.path().join("data"), elsewhere.path().join("shared"));
        symlink(folder.path(), &link).unwrap();
        fs::write(&shared, "").unwrap();
        set_mode(&shared, 0o644);
        symlink(&shared, folder.path().join("cache.new")).unwrap();
        close(&link);
        assert_eq!((mode(folder.path()), mode(&shared)), (0o700, 0o644));
    }

    #[test]
    fn a_folder_with_foreign_files_is_reported_and_only_our_files_are_closed() {
        let folder = open_folder();
        let theirs = folder.path().join("notes.txt");
        fs::write(&theirs, "").unwrap();
        set_mode(&theirs, 0o644);
        let exposed = close(folder.path());
        assert!(
            exposed[0].to_string().ends_with(&format!("run `chmod 700 {}`", folder.path().display())),
            "{}",
            exposed[0]
        );
        assert_eq!((mode(folder.path()), mode(&theirs)), (0o755, 0o644));
        assert_eq!(mode(&folder.path().join("ledger.sqlite")), 0o600);
    }

    #[test]
    fn a_shared_folder_stays_shared() {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o1777);
        assert!(close(folder.path())[0].why_open.is_some());
        assert_eq!(mode(folder.path()), 0o1777);
    }

    #[test]
    fn closed_and_missing_files_are_not_reported() {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o700);
        assert_eq!(close(folder.path()), []);
        assert_eq!(close(&folder.path().join("none")), []);
        assert_eq!(exposed_secrets(&folder.path().join("none")), None);
    }

    #[test]
    fn a_secret_file_is_reported_if_anyone_else_can_read_or_change_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.env");
        fs::write(&file, "").unwrap();
        for (open, is_exposed) in [
            (0o640, true),
            (0o604, true),
            (0o644, true),
            (0o620, true),
            (0o602, true),
            (0o600, false),
            (0o400, false),
        ] {
            set_mode(&file, open);
            assert_eq!(exposed_secrets(&file).is_some(), is_exposed, "{open:o}");
        }
    }
}
