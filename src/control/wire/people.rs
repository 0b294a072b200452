//! Users, sessions, and what people decided.

use std::fmt;

use jiff::Timestamp;
use mynah_domain::{
    people::{self, DecisionRecord, Role},
    ports::ledger::ListedDecision,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `GET /api/users`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// All users, by name.
    pub users: Vec<User>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub since: Timestamp,
}

impl From<people::User> for User {
    fn from(user: people::User) -> Self {
        Self { name: user.name.as_str().to_owned(), role: user.role, since: user.since }
    }
}

/// The body of `POST /api/users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// A token in a request or an answer. Never in a log: `{:?}` hides it.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// The token.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<SecretString> for Token {
    fn from(token: SecretString) -> Self {
        Self(token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|token| Self(token.into()))
    }
}

/// The answer to `POST /api/users` and `POST /api/users/{name}/renew`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewToken {
    /// The user's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The token, which is not shown again.
    pub token: Token,
}

/// The answer to `POST /api/users/{name}/remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedUser {
    /// The user's name.
    pub removed: String,
}

/// The body of `POST /api/session`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    /// The user's name, or `admin`.
    pub name: String,
    /// Their token.
    pub token: Token,
}

/// `GET /api/session`, and the answer to `POST /api/session`: whom the service takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user's name, or `admin`; `null` if the service asks nobody for a token.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Whether they have logged in and can log out.
    pub logged_in: bool,
}

/// The query of `GET /api/decisions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionsQuery {
    /// The most decisions to return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `next` of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
}

/// `GET /api/decisions`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// A page of decisions, newest first.
    pub decisions: Vec<Decision>,
    /// Where the next page begins; `null` on the last page.
    pub next: Option<i64>,
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Its number.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who; `null` if the service asks nobody for a token.
    pub who: Option<String>,
    /// What was done.
    pub action: String,
    /// The job that it was about.
    pub job: Option<i64>,
    /// What it was about: a target, an actor, a user; may be empty.
    pub subject: String,
    /// What else is worth knowing; may be empty.
    pub detail: String,
}

impl From<ListedDecision> for Decision {
    fn from(ListedDecision { number, record }: ListedDecision) -> Self {
        let DecisionRecord { at, who, action, job, subject, detail } = record;
        Self { number, at, who, action, job: job.map(|job| job.0), subject, detail }
    }
}
