//! Where an account's files are. Names come from the settings and from messages, and messages from strangers. So a name
//! may lead nowhere but into the base folder, whatever symlinks are in it, and only regular files are opened: reading a
//! pipe or a device could wait forever.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use config::ValueKind;
use mynah_domain::ports::{Denied, PublishError, SourceError};
use rustix::fs::OFlags;

use crate::settings::kinds::{Read, quoted, refuse, text_of};

/// The ending of an account that is a JSONL file.
const JSONL: &str = ".jsonl";

/// The ending of the folder with the media of a JSONL file. No account may have it.
const MEDIA: &str = ".media";

/// The longest name of an account in bytes: file systems allow 255, and names of temporary files are longer.
const LONGEST_NAME: usize = 100;

/// Reads the name of an account.
pub(super) fn account(value: &ValueKind) -> Read<String> {
    const FIX: &str = "name a JSONL file, such as \"town.jsonl\", or a folder, such as \"town\", with small letters, digits, -, _ and .";
    let name = text_of(value)?;
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(is_plain) {
        return refuse(format!("{} is not a name of a file or folder in file.folder", quoted(value)), FIX);
    }
    if name.len() > LONGEST_NAME {
        return refuse(format!("this name has more than {LONGEST_NAME} characters"), FIX);
    }
    if name.ends_with(MEDIA) {
        return refuse(format!("{} is a folder for the media of a JSONL file", quoted(value)), FIX);
    }
    Ok(name.to_owned())
}

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    /// The base folder is missing: perhaps its disk is not mounted.
    #[error("there is no folder {}; create it, or set file.folder", .0.display())]
    NoBase(PathBuf),
    #[error("there is no {}; create it, or correct the account's name", .0.display())]
    Missing(PathBuf),
    #[error("{} leads out of file.folder; Mynah does not follow it", .0.display())]
    Outside(PathBuf),
    #[error("{} is not a {expected}; move it away, or correct the account's name", .path.display())]
    WrongKind { path: PathBuf, expected: &'static str },
    #[error("{}: {error}; {}", .path.display(), fix_of(.error))]
    Io { path: PathBuf, error: io::Error },
}

/// What a person does about a file system's error.
fn fix_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room for it"
        }
        io::ErrorKind::PermissionDenied => "let Mynah's user read and write it",
        io::ErrorKind::ReadOnlyFilesystem => "make the file system writable",
        io::ErrorKind::WouldBlock => "let only one process write it",
        _ => "check the disk and the folder",
    }
}

impl From<PlaceError> for SourceError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::NoBase(_) | PlaceError::Io { .. } => Self::Unavailable(error.to_string()),
            PlaceError::Missing(_) | PlaceError::Outside(_) | PlaceError::WrongKind { .. } => {
                Self::Account(error.to_string())
            }
        }
    }
}

/// Nothing was written: an adapter says so where it is not sure.
impl From<PlaceError> for PublishError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Outside(_) | PlaceError::WrongKind { .. } => {
                Denied::Blocked(error.to_string()).into()
            }
            PlaceError::NoBase(_) | PlaceError::Missing(_) | PlaceError::Io { .. } => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

/// An account: a name in the base folder.
#[derive(Debug, Clone)]
pub(super) struct Place {
    base: PathBuf,
    name: String,
}

impl Place {
    /// An account with a name that [`account`] accepted.
    pub(super) fn new(base: &Path, name: &str) -> Self {
        Self { base: base.to_owned(), name: name.to_owned() }
    }

    /// The account's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the account is a JSONL file; otherwise, it is a folder.
    pub(super) fn is_jsonl(&self) -> bool {
        self.name.ends_with(JSONL)
    }

    /// The file or folder, as people know it.
    pub(super) fn path(&self) -> PathBuf {
        self.base.join(&self.name)
    }

    /// The base folder, with all symlinks resolved.
    pub(super) fn root(&self) -> Result<PathBuf, PlaceError> {
        fs::canonicalize(&self.base).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PlaceError::NoBase(self.base.clone()),
            _ => PlaceError::Io { path: self.base.clone(), error },
        })
    }

    /// The account's file or folder, with all symlinks resolved.
    pub(super) fn find(&self) -> Result<PathBuf, PlaceError> {
        self.find_in_root(Path::new(&self.name))
    }

    /// A file in the account's folder.
    pub(super) fn find_in_folder(&self, file: &str) -> Result<PathBuf, PlaceError> {
        self.find_in_root(&Path::new(&self.name).join(file))
    }

    fn find_in_root(&self, relative: &Path) -> Result<PathBuf, PlaceError> {
        let root = self.root()?;
        let named = root.join(relative);
        match fs::canonicalize(&named) {
            Ok(real) if real.starts_with(&root) => Ok(real),
            Ok(_) => Err(PlaceError::Outside(named)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PlaceError::Missing(named)),
            Err(error) => Err(PlaceError::Io { path: named, error }),
        }
    }

    /// The folder that names of media are relative to: a JSONL file's is the base folder.
    fn media_root(&self) -> &str {
        if self.is_jsonl() { "" } else { &self.name }
    }

    /// What a message names a medium by that is written for this account: in front of the name of its file.
    pub(super) fn media_prefix(&self) -> String {
        match self.name.strip_suffix(JSONL) {
            Some(name) => format!("{name}{MEDIA}/"),
            None => String::new(),
        }
    }

    /// The folder for media of this account's messages. Creates it.
    pub(super) fn media_folder(&self) -> Result<PathBuf, PlaceError> {
        let relative = Path::new(self.media_root()).join(self.media_prefix());
        self.create_folder(&relative)
    }

    /// The account's folder. Creates it.
    pub(super) fn folder(&self) -> Result<PathBuf, PlaceError> {
        self.create_folder(Path::new(&self.name))
    }

    fn create_folder(&self, relative: &Path) -> Result<PathBuf, PlaceError> {
        let named = self.root()?.join(relative);
        match fs::create_dir(&named) {
            Ok(()) => sync(&self.root()?)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(PlaceError::Io { path: named, error }),
        }
        let found = self.find_in_root(relative)?;
        if found.is_dir() {
            Ok(found)
        } else {
            Err(PlaceError::WrongKind { path: found, expected: "folder" })
        }
    }

    /// A medium that a message of this account names.
    pub(super) fn medium(&self, file: &str) -> Result<PathBuf, PlaceError> {
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        if file.len() > LONGEST_NAME * 2 || !file.split('/').all(is_plain) {
            return Err(PlaceError::Outside(self.path()));
        }
        self.find_in_root(&Path::new(self.media_root()).join(file))
    }
}

/// Opens a regular file that was found, and nothing else.
pub(super) fn open(path: &Path) -> Result<File, PlaceError> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens a regular file with these options, and nothing else.
pub(super) fn open_with(options: &mut OpenOptions, path: &Path) -> Result<File, PlaceError> {
    // Without waiting: a pipe would wait for its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = options.custom_flags(flags.bits().cast_signed()).open(path);
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => PlaceError::Missing(path.to_owned()),
        io::ErrorKind::IsADirectory => wrong_kind(path),
        _ => PlaceError::Io { path: path.to_owned(), error },
    };
    let file = opened.map_err(failed)?;
    if file.metadata().map_err(failed)?.is_file() { Ok(file) } else { Err(wrong_kind(path)) }
}

fn wrong_kind(path: &Path) -> PlaceError {
    PlaceError::WrongKind { path: path.to_owned(), expected: "regular file" }
}

/// Makes the names in a folder durable.
pub(super) fn sync(folder: &Path) -> Result<(), PlaceError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| PlaceError::Io { path: folder.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn an_account_is_named_with_small_letters_and_leads_nowhere_else() {
        let of = |text: &str| account(&ValueKind::from(text));
        for name in ["town", "town.jsonl", "town_2-es.v1"] {
            assert_eq!(of(name).unwrap(), name);
        }
        let long = "a".repeat(101);
        for wrong in
            ["", ".", "..", ".town", "a/b", "../town", "/etc", "Town", "to wn", "a\0b", "town.media", &long]
        {
            assert!(of(wrong).unwrap_err().fix.contains("town.jsonl"), "{wrong}");
        }
    }

    #[test]
    fn a_symlink_out_of_the_base_folder_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("files");
        fs::create_dir(&base).unwrap();
        fs::write(folder.path().join("secret.jsonl"), "{}").unwrap();
        fs::write(base.join("real.jsonl"), "{}").unwrap();
        symlink(folder.path().join("secret.jsonl"), base.join("out.jsonl")).unwrap();
        symlink(folder.path(), base.join("up")).unwrap();
        symlink("real.jsonl", base.join("in.jsonl")).unwrap();
        symlink(folder.path().join("new.jsonl"), base.join("dangling.jsonl")).unwrap();
        let find = |name: &str| Place::new(&base, name).find();
        assert!(find("in.jsonl").unwrap().ends_with("real.jsonl"));
        assert!(matches!(find("out.jsonl"), Err(PlaceError::Outside(_))));
        assert!(matches!(find("up"), Err(PlaceError::Outside(_))));
        assert!(matches!(find("dangling.jsonl"), Err(PlaceError::Missing(_))));
        assert!(matches!(find("nothing"), Err(PlaceError::Missing(_))));
        assert!(matches!(Place::new(&base.join("none"), "town").find(), Err(PlaceError::NoBase(_))));
    }

    #[test]
    fn a_medium_has_a_plain_name_in_the_accounts_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("town/more")).unwrap();
        for file in ["town/dog.png", "town/more/cat.png"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let (town, lines) = (Place::new(folder.path(), "town"), Place::new(folder.path(), "other.jsonl"));
        assert!(town.medium("dog.png").is_ok() && town.medium("more/cat.png").is_ok());
        assert!(lines.medium("town/dog.png").is_ok());
        let long = "a".repeat(1000);
        for wrong in
            ["", "/etc/hostname", "../town/dog.png", "a//b", ".hidden", "file:///etc/hostname", "ä", &long]
        {
            assert!(matches!(town.medium(wrong), Err(PlaceError::Outside(_))), "{wrong}");
        }
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(open(folder.path()), Err(PlaceError::WrongKind { .. })));
        assert!(matches!(open(Path::new("/dev/null")), Err(PlaceError::WrongKind { .. })));
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        assert!(matches!(open(&pipe), Err(PlaceError::WrongKind { .. })));
    }
}
