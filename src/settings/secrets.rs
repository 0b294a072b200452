//! Reads keys and tokens from the environment, or from files that it names (as containers mount them), and makes sure
//! that no message, log line or `Debug` shows one. Each is registered for redaction when it is read, also on reload.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
};

use secrecy::SecretString;

use super::{InForce, Needed, Origin, Problem};
use crate::redaction;

pub(super) const ADMIN_TOKEN: &str = "MYNAH_ADMIN_TOKEN";
pub(super) const LEDGER_PASSWORD: &str = "MYNAH_LEDGER_PASSWORD";
pub(super) const CACHE_PASSWORD: &str = "MYNAH_CACHE_PASSWORD";

/// The secret under a name. The error is a problem that is already recorded.
pub type Found = Result<Option<SecretString>, Reported>;

/// There was a problem, and it is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Reported;

/// Finds secrets and records problems with them.
pub struct Vault<'a> {
    env: &'a HashMap<String, String>,
    needed: Needed,
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
        Self { env, needed, problems: vec![], in_force: vec![], secrets: BTreeMap::new(), files: vec![] }
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

    /// The secret in a variable, or in the file that `NAME_FILE` names. An empty variable counts as unset, because that
    /// is how compose files pass on a missing one.
    ///
    /// # Errors
    /// If there was a problem, which is recorded.
    pub fn find(&mut self, name: &str) -> Found {
        let file_name = format!("{name}_FILE");
        let set = |name: &str| self.env.get(name).filter(|value| !value.is_empty());
        let (origin, secret) = match (set(name), set(&file_name)) {
            (None, None) => return Ok(None),
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
        self.in_force.push(InForce { key: name.to_owned(), value: "(secret)".into(), origin });
        let secret = SecretString::from(secret);
        redaction::register(&secret);
        self.secrets.insert(name.to_owned(), secret.clone());
        Ok(Some(secret))
    }

    fn unusable(&mut self, name: &str, what: String, fix: &str) -> Found {
        self.report(name, what, fix.to_owned());
        Err(Reported)
    }

    /// Records a problem with a variable.
    pub fn report(&mut self, name: &str, what: String, fix: String) {
        let origin = Origin::Environment(name.to_owned());
        self.problems.push(Problem { origin, key: name.to_owned(), what, fix });
    }
}
