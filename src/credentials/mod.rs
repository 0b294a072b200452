//! Tokens that `mynah login` obtains must survive restarts, and no other user of the machine may read them. They are in one
//! file in the data folder, `credentials`, which only logging in and out changes: a copy of it on another instance stays
//! valid. With `MYNAH_SECRET_KEY`, the file is encrypted.
//!
//! Each secret is stored under the name of the environment variable that could hold it instead. Variables and the files
//! that they name win over this store.
//!
//! - [`Store`] reads the file and replaces it; a file that cannot be read is never overwritten.
//! - [`StoredLogin`] is what one login obtained.

mod store;

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use store::{Store, StoreError};

/// The variable with the key that encrypts the file.
pub const SECRET_KEY: &str = "MYNAH_SECRET_KEY";

/// The shortest key: a word that people can remember could be guessed from a copy of the file.
pub const SHORTEST_KEY: usize = 32;

/// A secret that this module writes into the file. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Stored(pub SecretString);

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stored")
    }
}

impl From<SecretString> for Stored {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.expose_secret().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|secret| Self(secret.into()))
    }
}

/// The app that a login was given to, where its network needs it to take the login back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    /// The address of the server that knows the app.
    pub server: String,
    /// Its id there.
    pub id: String,
    /// Its secret there.
    pub secret: Stored,
}

/// What one login obtained.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredLogin {
    /// The network's name in the settings.
    pub network: String,
    /// The account, as settings name it.
    pub account: String,
    /// When it was obtained.
    pub at: Timestamp,
    /// Each secret, under the name of the variable that could hold it instead.
    pub secrets: BTreeMap<String, Stored>,
    /// What it allows, as the network names it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// When it ends; `None` if it lasts until somebody revokes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The app that it was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
}

/// All logins in the store; one for each account.
#[derive(Debug, Clone, Default)]
pub struct Logins(Vec<StoredLogin>);

impl Logins {
    /// All of them, in the order of their accounts.
    pub fn iter(&self) -> impl Iterator<Item = &StoredLogin> {
        self.0.iter()
    }

    /// The login of an account, whose name matches by the rules of its network.
    pub fn of(&self, network: &str, is_account: impl Fn(&str) -> bool) -> Option<&StoredLogin> {
        self.0.iter().find(|login| login.network == network && is_account(&login.account))
    }

    /// Adds a login, in place of an earlier one of the same account.
    pub fn put(&mut self, login: StoredLogin) {
        self.remove(&login.network, &login.account);
        self.0.push(login);
        self.0.sort_by(|one, other| (&one.network, &one.account).cmp(&(&other.network, &other.account)));
    }

    /// Removes the login of an account.
    pub fn remove(&mut self, network: &str, account: &str) {
        self.0.retain(|login| login.network != network || !login.account.eq_ignore_ascii_case(account));
    }

    /// All secrets by their variables.
    pub fn secrets(&self) -> BTreeMap<String, SecretString> {
        let secrets = self.0.iter().flat_map(|login| &login.secrets);
        secrets.map(|(name, secret)| (name.clone(), secret.0.clone())).collect()
    }
}
