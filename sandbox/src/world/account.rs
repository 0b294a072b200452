//! An account of the sandbox's X: who it is, how X treats it, and what it said.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::StoredPost;
use crate::{
    credentials::{Credentials, credentials},
    hash,
};

/// How X treats an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// As any other.
    #[default]
    Active,
    /// Looked up, X says that it has been suspended; its timeline is closed and it may not post.
    Suspended,
    /// It can be looked up, but its timeline is only for its followers, of whom the sandbox has none.
    Protected,
    /// X has never heard of it.
    Unknown,
}

/// What an account is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    Followed,
    Target {
        language: String,
    },
    /// Somebody quoted, reposted or named.
    Other,
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) handle: String,
    /// What proves that somebody calls for it.
    pub(crate) credentials: Credentials,
    pub(crate) role: Role,
    pub(crate) state: UserState,
    pub(crate) revoked: bool,
    /// By id, oldest first: pages are found by binary search.
    pub(crate) posts: Vec<Arc<StoredPost>>,
    /// The latest publication with each text.
    pub(super) said: HashSet<Said>,
    /// The latest post of each named thread.
    pub(super) threads: HashMap<String, u64>,
    /// How many posts it ever made, edits not counted.
    pub(super) made: u64,
}

/// A post that is known by its text alone, which so need not be kept twice.
#[derive(Debug)]
pub(super) struct Said(pub(super) Arc<StoredPost>);

impl Borrow<str> for Said {
    fn borrow(&self) -> &str {
        &self.0.text
    }
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Said {}

impl Hash for Said {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As `str` does, by which it is found.
        self.0.text.as_str().hash(state);
    }
}

impl Account {
    pub(super) fn new(handle: &str, role: Role) -> Self {
        Self {
            id: made_up_id(handle),
            handle: handle.to_owned(),
            credentials: credentials(handle),
            role,
            state: UserState::Active,
            revoked: false,
            posts: Vec::new(),
            said: HashSet::new(),
            threads: HashMap::new(),
            made: 0,
        }
    }

    /// Whether anybody may act as this account. Strangers have given the app no token.
    pub(super) fn has_token(&self) -> bool {
        self.role != Role::Other && !self.revoked && self.state != UserState::Unknown
    }
}

/// The id that a handle has in every run; nineteen digits, as X's younger accounts have.
pub(super) fn made_up_id(handle: &str) -> u64 {
    1_000_000_000_000_000_000
        + hash::stable(&[handle.to_ascii_lowercase().as_bytes()]) % 900_000_000_000_000_000
}
