//! Reads keys and tokens from the environment, from files that it names (as containers mount them), or from the store of
//! logins, and makes sure that no message, log line or `Debug` shows one. Each is registered for redaction when it is read, also on reload.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};

use super::{InForce, Needed, Origin, Problem, SettingsError};
use crate::{
    credentials::{Logins, SECRET_KEY, SHORTEST_KEY, Store},
    redaction,
};

pub(super) const ADMIN_TOKEN: &str = "MYNAH_ADMIN_TOKEN";
pub(super) const LEDGER_PASSWORD: &str = "MYNAH_LEDGER_PASSWORD";
pub(super) const CACHE_PASSWORD: &str = "MYNAH_CACHE_PASSWORD";
pub(super) const MAIL_PASSWORD: &str = "MYNAH_ALERTS_MAIL_PASSWORD";
pub(super) const WEBHOOK_KEY: &str = "MYNAH_ALERTS_WEBHOOK_KEY";
pub(super) const NTFY_TOKEN: &str = "MYNAH_ALERTS_NTFY_TOKEN";

/// The secret under a name. The error is a problem that is already recorded.
pub type Found = Result<Option<SecretString>, Reported>;

/// There was a problem, and it is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Reported;

/// Finds secrets and records problems with them.
pub struct Vault<'a> {
    env: &'a HashMap<String, String>,
    needed: Needed,
    /// Whether to open the store of logins.
    has_store: bool,
    /// The secrets in the store, by name.
    in_store: BTreeMap<String, SecretString>,
    pub(super) logins: Logins,
    pub(super) problems: Vec<Problem>,
    pub(super) in_force: Vec<InForce>,
    /// The secrets that were found, by name.
    pub(super) secrets: BTreeMap<String, SecretString>,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
}

impl<'a> Vault<'a> {
    /// A vault over an environment.
    pub fn new(env: &'a HashMap<String, String>, needed: Needed) -> Self {
        Self {
            env,
            needed,
            has_store: false,
            in_store: BTreeMap::new(),
            logins: Logins::default(),
            problems: vec![],
            in_force: vec![],
            secrets: BTreeMap::new(),
            files: vec![],
        }
    }

    /// The same, with the store of logins behind the environment.
    pub(super) fn with_store(self) -> Self {
        Self { has_store: true, ..self }
    }

    /// Opens the store of logins in the data folder, for commands that need its secrets.
    pub(super) fn open_store(&mut self, data_dir: &Path) {
        if !self.has_store {
            return;
        }
        // The key is checked in any case, so that a mistake is reported before the first login.
        let Ok(key) = self.store_key() else { return };
        let store = Store::new(data_dir, key);
        if self.needed <= Needed::Nothing || !store.exists() {
            return;
        }
        match store.read() {
            Ok(logins) => {
                self.files.push(store.path().to_owned());
                self.in_store = logins.secrets();
                self.logins = logins;
            }
            Err(error) => {
                let error = error.to_string();
                let (what, fix) =
                    error.split_once("; ").unwrap_or((&error, "log in again with `mynah login`"));
                let (what, fix) = (what.to_owned(), fix.to_owned());
                self.problems.push(Problem { origin: Origin::Store, key: String::new(), what, fix });
            }
        }
    }

    /// The key of the store of logins.
    pub(super) fn store_key(&mut self) -> Found {
        let key = self.find(SECRET_KEY)?;
        match &key {
            Some(short) if short.expose_secret().len() < SHORTEST_KEY => self.unusable(
                SECRET_KEY,
                format!("the key has fewer than {SHORTEST_KEY} characters, so it could be guessed"),
                "set it to a longer one, such as the output of `openssl rand -hex 32`",
            ),
            _ => Ok(key),
        }
    }

    /// Which secrets the command requires.
    pub fn needed(&self) -> Needed {
        self.needed
    }

    /// A secret that is required by commands that need `least` or more; `missing` is what is wrong without it and the
    /// fix.
    pub fn need(
        &mut self,
        least: Needed,
        name: &str,
        found: Found,
        missing: impl FnOnce() -> (String, String),
    ) -> Option<SecretString> {
        if let Ok(None) = found {
            if self.needed < least {
                return Some(SecretString::default());
            }
            let (what, fix) = missing();
            self.report(name, what, fix);
        }
        found.ok().flatten()
    }

    /// The secret in a variable, or in the file that `NAME_FILE` names, or in the store of logins. An empty variable counts
    /// as unset, because that is how compose files pass on a missing one.
    ///
    /// # Errors
    /// If there was a problem, which is recorded.
    pub fn find(&mut self, name: &str) -> Found {
        let file_name = format!("{name}_FILE");
        let set = |name: &str| self.env.get(name).filter(|value| !value.is_empty());
        let (origin, secret) = match (set(name), set(&file_name)) {
            (None, None) => return Ok(self.stored(name)),
            (Some(_), Some(_)) => {
                let what = format!("{name} and {file_name} are both set, but only one of them can apply");
                return self.unusable(name, what, "unset one of them");
            }
            (Some(secret), None) => (name, secret.clone()),
            (None, Some(path)) => match fs::read_to_string(path) {
                Ok(secret) => {
                    self.files.push(path.into());
                    (file_name.as_str(), secret.trim_end_matches(['\r', '\n']).to_owned())
                }
                Err(error) => {
                    let what = format!("cannot read the file {path:?}: {error}");
                    return self.unusable(
                        &file_name,
                        what,
                        "name a readable text file that contains the secret",
                    );
                }
            },
        };
        if secret.is_empty() {
            return self.unusable(
                origin,
                "the file is empty".into(),
                "write the secret into it, on one line",
            );
        }
        // It goes into a header, where these would cause a more confusing error.
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let what = "it contains a space, a line break or another character that no key has".into();
            return self.unusable(
                origin,
                what,
                "copy the secret again: nothing else, on one line, without quotes",
            );
        }
        let origin = Origin::Environment(origin.to_owned());
        Ok(Some(self.found(name, origin, secret.into())))
    }

    /// Whether a secret that was found comes from the store of logins.
    pub fn is_in_store(&self, name: &str) -> bool {
        self.in_force.iter().any(|found| found.key == name && matches!(found.origin, Origin::Store))
    }

    fn stored(&mut self, name: &str) -> Option<SecretString> {
        let secret = self.in_store.get(name)?.clone();
        Some(self.found(name, Origin::Store, secret))
    }

    fn found(&mut self, name: &str, origin: Origin, secret: SecretString) -> SecretString {
        self.in_force.push(InForce { key: name.to_owned(), value: "(secret)".into(), origin });
        redaction::register(&secret);
        self.secrets.insert(name.to_owned(), secret.clone());
        secret
    }

    fn unusable(&mut self, name: &str, what: String, fix: &str) -> Found {
        self.report(name, what, fix.to_owned());
        Err(Reported)
    }

    /// The problems, for a command that needs a single secret.
    pub fn into_error(self) -> SettingsError {
        SettingsError::new(self.problems)
    }

    /// Records a problem with a variable.
    pub fn report(&mut self, name: &str, what: String, fix: String) {
        let origin = Origin::Environment(name.to_owned());
        self.problems.push(Problem { origin, key: name.to_owned(), what, fix });
    }
}
