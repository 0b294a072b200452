//! The file itself. It is replaced as a whole: written under another name, flushed to the disk and renamed, so a crash
//! leaves either the old file or the new one.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Logins, SECRET_KEY, StoredLogin};
use crate::sealing::{self, Label};

/// The version of the file's format.
const VERSION: u32 = 1;

/// What the file is sealed with, and as what.
const SEALED: Label = Label("mynah credentials 1");
const FILE: &str = "credentials";

/// Why the store could not be read or changed. The file is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system does not let Mynah read it.
    #[error("cannot read {path}: {error}; make it readable for the user that runs Mynah")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// It is not what was written.
    #[error(
        "{path} is damaged, perhaps cut off: {why}; restore it from a copy, or move it away and log in again with `mynah login`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer version of Mynah wrote it.
    #[error(
        "{path} has version {version}, which this version of Mynah does not know; use the Mynah that wrote it"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// It is encrypted, and there is no key.
    #[error(
        "{path} is encrypted; set {SECRET_KEY}, or {SECRET_KEY}_FILE, to the key that it was written with"
    )]
    KeyMissing {
        /// The file.
        path: PathBuf,
    },
    /// It is encrypted with another key, or was changed.
    #[error(
        "{path} cannot be decrypted: {SECRET_KEY} is not the key that it was written with, or the file was changed; set the right key, or move the file away and log in again with `mynah login`"
    )]
    WrongKey {
        /// The file.
        path: PathBuf,
    },
    /// It could not be replaced.
    #[error(
        "cannot write {path}: {error}; free space there, or make its folder writable for the user that runs Mynah"
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

/// The file's content. Exactly one of the two is there.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    logins: Option<Vec<StoredLogin>>,
    /// The same list, encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// The store of one data folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    path: PathBuf,
    key: Option<SecretString>,
}

impl Store {
    /// The store in a data folder. With a key, it is encrypted when it is next written.
    pub fn new(folder: &Path, key: Option<SecretString>) -> Self {
        Self { folder: folder.to_owned(), path: folder.join(FILE), key }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is there.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// All logins; none if there is no file.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn read(&self) -> Result<Logins, StoreError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Logins::default()),
            Err(error) => return Err(StoreError::Unreadable { path: self.path.clone(), error }),
        };
        self.parse(&bytes)
    }

    fn parse(&self, bytes: &[u8]) -> Result<Logins, StoreError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = self.json(bytes)?;
        if version != VERSION {
            return Err(StoreError::Newer { path: self.path.clone(), version });
        }
        match self.json::<Content>(bytes)? {
            Content { logins: Some(logins), sealed: None, .. } => Ok(Logins(logins)),
            Content { logins: None, sealed: Some(sealed), .. } => {
                let path = || self.path.clone();
                let key = self.key.as_ref().ok_or_else(|| StoreError::KeyMissing { path: path() })?;
                let text = sealing::open(SEALED, &sealed, key, FILE);
                let text = text.ok_or_else(|| StoreError::WrongKey { path: path() })?;
                self.json(text.as_bytes()).map(Logins)
            }
            _ => Err(self.damaged("it has no list of logins".into())),
        }
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, bytes: &[u8]) -> Result<T, StoreError> {
        // serde's own words may quote a secret; the place is enough.
        serde_json::from_slice(bytes).map_err(|error| {
            self.damaged(format!("line {}, column {} cannot be read", error.line(), error.column()))
        })
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), why }
    }

    /// Changes the logins. Other commands that change them wait meanwhile.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn change(&self, change: impl FnOnce(&mut Logins)) -> Result<(), StoreError> {
        let unwritable = |error| StoreError::Unwritable { path: self.path.clone(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(unwritable)?;
        let lock = self.create("credentials.lock").map_err(unwritable)?;
        // Released when the file is closed.
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| unwritable(error.into()))?;
        let mut logins = self.read()?;
        change(&mut logins);
        self.replace(&logins).map_err(unwritable)
    }

    fn replace(&self, logins: &Logins) -> io::Result<()> {
        let content = match &self.key {
            None => Content { version: VERSION, logins: Some(logins.0.clone()), sealed: None },
            Some(key) => {
                let list = serde_json::to_string(&logins.0)?;
                let sealed = sealing::seal(SEALED, &list, key, FILE);
                let sealed = sealed.ok_or_else(|| io::Error::other("the system has no randomness"))?;
                Content { version: VERSION, logins: None, sealed: Some(sealed) }
            }
        };
        let mut text = serde_json::to_vec_pretty(&content)?;
        text.push(b'\n');
        let name = "credentials.new";
        // One that a crash left behind may have other permissions.
        match fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = self.create(name)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(self.folder.join(name), &self.path)?;
        // The new name is durable when the folder is.
        File::open(&self.folder)?.sync_all()
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).open(self.folder.join(name))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};

    use jiff::Timestamp;
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::credentials::Stored;

    const KEY: &str = "a-key-for-the-test-0123456789-abcdef";

    fn login(account: &str, secret: &str) -> StoredLogin {
        StoredLogin {
            network: "mastodon".into(),
            account: account.into(),
            at: Timestamp::UNIX_EPOCH,
            secrets: BTreeMap::from([(format!("TOKEN_OF_{account}"), Stored(secret.into()))]),
            scopes: vec!["read".into()],
            expires: None,
            app: None,
        }
    }

    fn store(folder: &Path, key: Option<&str>) -> Store {
        Store::new(&folder.join("data"), key.map(SecretString::from))
    }

    fn secret(store: &Store, account: &str) -> Option<String> {
        let secrets = store.read().unwrap().secrets();
        secrets.get(&format!("TOKEN_OF_{account}")).map(|secret| secret.expose_secret().to_owned())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_login_is_there_after_a_restart_and_replaces_the_last_one_of_its_account() {
        let folder = tempfile::tempdir().unwrap();
        for key in [None, Some(KEY)] {
            let change = |login| store(folder.path(), key).change(|logins| logins.put(login)).unwrap();
            change(login("a", "hush-1"));
            change(login("b", "hush-2"));
            change(login("A", "hush-3"));
            let store = store(folder.path(), key);
            assert_eq!(secret(&store, "A").unwrap(), "hush-3");
            assert_eq!(secret(&store, "a"), None);
            store.change(|logins| logins.remove("mastodon", "b")).unwrap();
            assert_eq!((secret(&store, "b"), store.read().unwrap().iter().count()), (None, 1));
        }
    }

    #[test]
    fn no_other_user_can_read_the_file_and_with_a_key_nobody_can() {
        let folder = tempfile::tempdir().unwrap();
        let plain = store(folder.path(), None);
        plain.change(|logins| logins.put(login("a", "hush-token"))).unwrap();
        assert_eq!((mode(plain.path()), mode(&folder.path().join("data"))), (0o600, 0o700));
        assert!(fs::read_to_string(plain.path()).unwrap().contains("hush-token"));
        // A key encrypts what is there at the next change.
        let sealed = store(folder.path(), Some(KEY));
        sealed.change(|logins| logins.put(login("b", "hush-other"))).unwrap();
        let text = fs::read_to_string(sealed.path()).unwrap();
        assert!(!text.contains("hush") && !text.contains("TOKEN_OF"), "{text}");
        assert_eq!(secret(&sealed, "a").unwrap(), "hush-token");
        assert!(!format!("{sealed:?} {:?}", sealed.read()).contains("hush"));
    }

    #[test]
    fn a_store_that_cannot_be_read_is_reported_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = store(folder.path(), Some(KEY));
        sealed.change(|logins| logins.put(login("a", "hush-token"))).unwrap();
        let whole = fs::read(sealed.path()).unwrap();
        let wrong = [
            (whole.clone(), None, "set MYNAH_SECRET_KEY"),
            (whole.clone(), Some("another-key-0123456789-0123456789"), "is not the key"),
            (whole[..whole.len() / 2].to_vec(), Some(KEY), "damaged"),
            (Vec::new(), Some(KEY), "damaged"),
            (b"<!DOCTYPE html>".to_vec(), Some(KEY), "damaged"),
            (br#"{"version":1}"#.to_vec(), Some(KEY), "damaged"),
            (br#"{"version":2,"logins":[]}"#.to_vec(), Some(KEY), "version 2"),
            (br#"{"version":1,"logins":[{"secrets":{"A":"hush-a"}}]}"#.to_vec(), None, "damaged"),
        ];
        for (bytes, key, why) in wrong {
            fs::write(sealed.path(), &bytes).unwrap();
            let store = store(folder.path(), key);
            let error = store.read().unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("hush"), "{error}");
            assert!(error.contains("credentials"), "{error}");
            store.change(|logins| logins.put(login("b", "hush-other"))).unwrap_err();
            assert_eq!(fs::read(sealed.path()).unwrap(), bytes);
        }
        fs::remove_file(sealed.path()).unwrap();
        fs::create_dir(sealed.path()).unwrap();
        assert!(matches!(sealed.read(), Err(StoreError::Unreadable { .. })));
    }

    #[test]
    fn every_length_that_a_file_may_be_cut_to_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        for key in [None, Some(KEY)] {
            let store = store(folder.path(), key);
            store.change(|logins| logins.put(login("a", "hush-token"))).unwrap();
            let whole = fs::read(store.path()).unwrap();
            // The last two bytes are the brace and the end of its line.
            for length in 0..whole.len() - 1 {
                assert!(store.parse(&whole[..length]).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn what_a_crash_left_behind_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), None);
        store.change(|logins| logins.put(login("a", "hush-1"))).unwrap();
        let left = folder.path().join("data/credentials.new");
        fs::write(&left, "half of").unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o644)).unwrap();
        store.change(|logins| logins.put(login("b", "hush-2"))).unwrap();
        assert_eq!(
            (secret(&store, "a").unwrap(), secret(&store, "b").unwrap()),
            ("hush-1".into(), "hush-2".into())
        );
        assert_eq!(mode(store.path()), 0o600);
    }
}
