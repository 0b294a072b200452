//! Keys and tokens. They come from the environment, or from files that it names (as containers mount them), and are
//! held so that no message, log line or `Debug` shows one. Each is registered for redaction as it is read, also on reload.

use std::{collections::HashMap, fs, path::PathBuf};

use secrecy::SecretString;

use super::{
    InForce, Needed, Place, Problem,
    model::{XReadAuth, XUserAuth},
};
use crate::redaction;

pub(super) const BEARER_TOKEN: &str = "X_BEARER_TOKEN";
pub(super) const CONSUMER_KEY: &str = "X_CONSUMER_KEY";
pub(super) const CONSUMER_SECRET: &str = "X_CONSUMER_SECRET";
pub(super) const ADMIN_TOKEN: &str = "MYNAH_ADMIN_TOKEN";

/// The ends of the names of an account's secrets, for [`target_secret`].
pub(super) const ACCESS_TOKEN: &str = "ACCESS_TOKEN";
pub(super) const ACCESS_TOKEN_SECRET: &str = "ACCESS_TOKEN_SECRET";
pub(super) const OAUTH2_TOKEN: &str = "OAUTH2_TOKEN";

const CONSOLE: &str = "from your app's “Keys and tokens” in X's developer console";

/// The variable with one of an account's secrets: `X_EXAMPLE_ES_ACCESS_TOKEN`.
pub(super) fn target_secret(account: &str, ending: &str) -> String {
    format!("X_{}_{ending}", account.to_uppercase())
}

/// What the environment has under a name. The error is a problem that is recorded already.
pub type Found = Result<Option<SecretString>, Reported>;

/// There is a problem, and it is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Reported;

/// Finds secrets and records what is wrong with them.
pub struct Vault<'a> {
    env: &'a HashMap<String, String>,
    needed: Needed,
    pub(super) problems: Vec<Problem>,
    pub(super) in_force: Vec<InForce>,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
}

/// What a target has to prove itself with, before the app's own keys are added.
pub(super) enum TargetKeys {
    /// OAuth 1.0a, which needs the app's keys too; `None` where a part of it is a problem.
    OAuth1(Option<(SecretString, SecretString)>),
    /// OAuth 2.0.
    OAuth2(SecretString),
    /// There is something, and it is a problem.
    Unusable,
}

/// The app's own keys.
#[derive(Clone)]
pub(super) struct Consumer {
    key: SecretString,
    secret: SecretString,
}

impl<'a> Vault<'a> {
    pub(super) fn new(env: &'a HashMap<String, String>, needed: Needed) -> Self {
        Self { env, needed, problems: vec![], in_force: vec![], files: vec![] }
    }

    pub(super) fn target(&mut self, account: &str) -> TargetKeys {
        let [token_name, secret_name, oauth2_name] =
            [ACCESS_TOKEN, ACCESS_TOKEN_SECRET, OAUTH2_TOKEN].map(|ending| target_secret(account, ending));
        let (token, secret, oauth2) =
            (self.find(&token_name), self.find(&secret_name), self.find(&oauth2_name));
        let (Ok(token), Ok(secret), Ok(oauth2)) = (token, secret, oauth2) else {
            return TargetKeys::Unusable;
        };
        match (token, secret, oauth2) {
            (Some(token), Some(secret), None) => TargetKeys::OAuth1(Some((token, secret))),
            (None, None, Some(token)) => TargetKeys::OAuth2(token),
            (None, None, None) if self.needed < Needed::All => TargetKeys::OAuth2(SecretString::default()),
            (None, None, None) => {
                let what = format!("@{account} has no keys, so nothing could be published there");
                let mend = format!(
                    "set {token_name} and {secret_name}, {CONSOLE} while it acts for @{account}; or {oauth2_name} \
                     (each may name a file instead: {token_name}_FILE)"
                );
                self.report(&token_name, what, mend);
                TargetKeys::OAuth1(None)
            }
            (Some(_), None, None) => self.half(&secret_name, &token_name),
            (None, Some(_), None) => self.half(&token_name, &secret_name),
            (_, _, Some(_)) => {
                self.report(
                    &oauth2_name,
                    format!("@{account} has keys of two kinds, OAuth 2.0 and OAuth 1.0a"),
                    format!("unset {oauth2_name}, or unset {token_name} and {secret_name}"),
                );
                TargetKeys::Unusable
            }
        }
    }

    fn half(&mut self, missing: &str, there: &str) -> TargetKeys {
        self.report(
            missing,
            format!("this is missing, while {there} is set: OAuth 1.0a needs both"),
            format!("set {missing}, {CONSOLE}"),
        );
        TargetKeys::OAuth1(None)
    }

    pub(super) fn consumer(&mut self) -> Option<Consumer> {
        let mut part = |name: &str| {
            let found = self.find(name);
            self.need(Needed::All, name, found, || {
                (
                    "this is missing: accounts with an ACCESS_TOKEN need the app's own keys too".into(),
                    format!("set {name}, or {name}_FILE to a file with it, {CONSOLE}"),
                )
            })
        };
        let (key, secret) = (part(CONSUMER_KEY), part(CONSUMER_SECRET));
        Some(Consumer { key: key?, secret: secret? })
    }

    /// Who reads: the app, if it has a token for that, else the first target's account. `None` is a problem that was
    /// told already: the token is no good, or that account has no keys.
    pub(super) fn reader(&mut self, first_target: Option<XUserAuth>) -> Option<XReadAuth> {
        match self.find(BEARER_TOKEN) {
            Ok(Some(token)) => Some(XReadAuth::Bearer(token)),
            Ok(None) => first_target.map(XReadAuth::User),
            Err(Reported) => None,
        }
    }

    /// The token of the admin API, where there is one; the outer `None` is a problem that was told.
    #[expect(clippy::option_option, reason = "there is one, there is none, or it is a problem")]
    pub(super) fn admin(&mut self) -> Option<Option<SecretString>> {
        self.find(ADMIN_TOKEN).ok()
    }

    /// A secret that whoever needs `least` or more cannot do without; `missing` says what is wrong without it, and what to do.
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
            let (what, mend) = missing();
            self.report(name, what, mend);
        }
        found.ok().flatten()
    }

    /// What a variable holds, or the file that it names under `NAME_FILE`. A variable that is set to nothing counts as unset:
    /// that is how compose files pass on what is not there.
    ///
    /// # Errors
    /// Where there was a problem, which is recorded.
    pub fn find(&mut self, name: &str) -> Found {
        let file_name = format!("{name}_FILE");
        let set = |name: &str| self.env.get(name).filter(|value| !value.is_empty());
        let (place, secret) = match (set(name), set(&file_name)) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let what = format!("{name} and {file_name} are both set, and only one can hold");
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
                        "name a text file with the secret that may be read",
                    );
                }
            },
        };
        if secret.is_empty() {
            return self.unusable(place, "the file is empty".into(), "write the secret into it, in one line");
        }
        // It goes into a header, where these would be an error of a stranger kind.
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let what = "there is a blank, a line break or another character in it that no key has".into();
            return self.unusable(place, what, "copy the secret anew, alone, in one line and without quotes");
        }
        let place = Place::Environment(place.to_owned());
        self.in_force.push(InForce { key: name.to_owned(), value: "(secret)".into(), place });
        let secret = SecretString::from(secret);
        redaction::register(&secret);
        Ok(Some(secret))
    }

    fn unusable(&mut self, name: &str, what: String, mend: &str) -> Found {
        self.report(name, what, mend.to_owned());
        Err(Reported)
    }

    /// Records a problem with a variable.
    pub fn report(&mut self, name: &str, what: String, mend: String) {
        let place = Place::Environment(name.to_owned());
        self.problems.push(Problem { place, key: name.to_owned(), what, mend });
    }
}

impl TargetKeys {
    /// Whether the app's own keys are needed as well.
    pub(super) fn needs_consumer(&self) -> bool {
        matches!(self, Self::OAuth1(_))
    }

    pub(super) fn with(self, consumer: Option<&Consumer>) -> Option<XUserAuth> {
        match self {
            Self::OAuth1(tokens) => {
                let ((token, token_secret), Consumer { key, secret }) = (tokens?, consumer?.clone());
                Some(XUserAuth::OAuth1 { consumer_key: key, consumer_secret: secret, token, token_secret })
            }
            Self::OAuth2(token) => Some(XUserAuth::OAuth2 { token }),
            Self::Unusable => None,
        }
    }
}
