//! A person logs in to an account once, in a browser, and Mynah obtains a token that it can use for years. Each network has
//! its own way, [`LogIn`]; what it obtains goes to the store ([`credentials`](crate::credentials)).
//!
//! - [`oauth`] is OAuth 2.0: the address to open, and the code that comes back as a token.
//! - [`callback`] receives the code on this machine; [`answer`] reads it, also when a person pastes it.

pub mod answer;
pub mod callback;
pub mod oauth;

use std::{collections::HashMap, io, sync::Arc};

use async_trait::async_trait;
use mynah_domain::ports::Ledger;
use secrecy::SecretString;
use url::Url;

use crate::{
    credentials::StoredLogin,
    settings::{Needed, Settings, SettingsError, Vault},
};

/// Why there is no login. Nothing was stored then.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The account cannot be read.
    #[error("{what}; {fix}")]
    Name {
        /// What is wrong with it.
        what: String,
        /// How to write it.
        fix: String,
    },
    /// Something that the login needs is not set.
    #[error("{what}; {fix}")]
    Missing {
        /// What is missing.
        what: String,
        /// Where it comes from.
        fix: String,
    },
    /// The person denied it in the browser.
    #[error("the login was denied on {server}; run the command again and allow it")]
    Denied {
        /// Where.
        server: String,
    },
    /// The person gave nothing.
    #[error("no {what} was given, so nothing was stored; run the command again")]
    Cancelled {
        /// What was asked for.
        what: &'static str,
    },
    /// The person did not return from the browser.
    #[error(
        "nobody allowed the login within {minutes} minutes; run the command again, or use --paste if the browser is on another machine"
    )]
    TimedOut {
        /// How long the command waited.
        minutes: u64,
    },
    /// The answer belongs to another login.
    #[error(
        "this is the answer to another login; open the address that this command printed, and paste what that one leads to"
    )]
    WrongState,
    /// What came back has no code.
    #[error(
        "{0} has no code; paste the code, or the whole address that the browser shows after you allowed the login"
    )]
    NoCode(&'static str),
    /// The login is another account's.
    #[error(
        "you are logged in to {server} as @{got}, not as @{wanted}, so nothing was stored; log in there as @{wanted} and run the command again"
    )]
    OtherAccount {
        /// Where.
        server: String,
        /// The account that was named.
        wanted: String,
        /// The account that allowed the login.
        got: String,
    },
    /// No browser could reach the command.
    #[error(
        "cannot listen on 127.0.0.1:{port} for the browser: {error}; name another port with --port, or use --paste"
    )]
    Port {
        /// The port.
        port: u16,
        /// The system's error.
        error: io::Error,
    },
    /// The server did not answer.
    #[error("{0}; check the address and the network, and run the command again")]
    Unavailable(String),
    /// The server refused something.
    #[error("{server} refuses it: {why}; run the command again")]
    Refused {
        /// The server.
        server: String,
        /// In its words.
        why: String,
    },
    /// The network does not accept what the person entered, or did not answer.
    #[error("{0}; nothing was stored")]
    NotAccepted(String),
    /// The answer is not what the network's servers answer.
    #[error("{server} does not answer like a server of this network: {why}; check the address")]
    Unreadable {
        /// The server.
        server: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// The ledger, which has the newest tokens of a login, cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Ledger(String),
    /// The standard input failed.
    #[error(
        "cannot read what you enter: {0}; run the command on a terminal, or give it on the standard input"
    )]
    Input(io::Error),
    /// The secrets in the environment have a problem.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// How the code comes back from the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The browser is on this machine and calls this port; any free one if it is not named.
    Callback(Option<u16>),
    /// The person pastes it.
    Paste,
}

/// The person who logs in.
pub trait Person {
    /// Shows something.
    fn show(&self, text: &str);

    /// Asks for a line; `None` at the end of the input.
    ///
    /// # Errors
    /// If the input cannot be read.
    fn ask(&self, question: &str) -> io::Result<Option<String>>;

    /// The same for a secret, which the terminal does not show.
    ///
    /// # Errors
    /// If the input cannot be read.
    fn ask_secret(&self, question: &str) -> io::Result<Option<SecretString>>;
}

/// What a login works with.
pub struct Desk<'a> {
    /// The settings, for the addresses of networks.
    pub settings: &'a Settings,
    /// The environment, for an app's own keys.
    pub env: &'a HashMap<String, String>,
    /// Who logs in.
    pub person: &'a dyn Person,
    /// How the code comes back.
    pub way: Way,
    /// A ledger: of this command alone for a login, because an account is not looked up in what a service knows.
    pub ledger: Arc<dyn Ledger>,
    /// Whether it is the ledger of the settings, for a logout: a running service may have it.
    pub is_own_ledger: bool,
}

impl Desk<'_> {
    /// An address in the settings.
    pub fn address(&self, key: &str) -> Option<Url> {
        self.settings.value_of(key).and_then(|address| Url::parse(address).ok())
    }

    /// A secret in the environment, or in the file that it names.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn secret(&self, name: &str) -> Result<Option<SecretString>, LoginError> {
        let mut vault = Vault::new(self.env, Needed::All);
        vault.find(name).map_err(|_| LoginError::Settings(vault.into_error()))
    }
}

/// How people log in to accounts of a network.
#[async_trait(?Send)]
pub trait LogIn: Sync {
    /// An account as settings name it, if it can be read.
    fn account(&self, account: &str) -> String;

    /// The variables that could hold what a login to this account stores. One that is set wins over the store.
    fn variables(&self, account: &str) -> Vec<String>;

    /// Logs in, and checks that the login is the named account's.
    ///
    /// # Errors
    /// See [`LoginError`].
    async fn log_in(&self, account: &str, desk: &Desk<'_>) -> Result<StoredLogin, LoginError>;

    /// Checks that everything that [`revoke`](Self::revoke) needs for this login is set on this machine.
    ///
    /// # Errors
    /// Names what is missing.
    fn prepare_revocation(&self, _login: &StoredLogin, _desk: &Desk<'_>) -> Result<(), LoginError> {
        Ok(())
    }

    /// Makes the network forget a login, where it can. Returns whether it did.
    ///
    /// # Errors
    /// See [`LoginError`].
    async fn revoke(&self, login: &StoredLogin, desk: &Desk<'_>) -> Result<bool, LoginError>;

    /// How a person makes the network forget a login.
    fn revoke_by_hand(&self, login: &StoredLogin) -> String {
        format!("revoke Mynah's access in the settings of @{}, on the network's website", login.account)
    }
}
