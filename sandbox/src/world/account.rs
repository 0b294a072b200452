//! An account of the sandbox's X: its identity, how X treats it, and its posts.

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
    /// Normally.
    #[default]
    Active,
    /// As suspended: a lookup reports that, its timeline is closed, and it may not post.
    Suspended,
    /// As protected: it can be looked up, but only followers see its timeline, and the sandbox has no followers.
    Protected,
    /// As if it did not exist.
    Unknown,
}

/// The role of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    Followed,
    Target {
        language: String,
    },
    /// An account that is quoted, reposted or mentioned.
    Other,
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) handle: String,
    /// The credentials that authenticate its calls.
    pub(crate) credentials: Credentials,
    pub(crate) role: Role,
    pub(crate) state: UserState,
    pub(crate) revoked: bool,
    /// Whether it has X Premium.
    pub(crate) premium: bool,
    /// Sorted by id, oldest first, so that pages can be found by binary search.
    pub(crate) posts: Vec<Arc<StoredPost>>,
    /// The latest publication with each text.
    pub(super) by_text: HashSet<ByText>,
    /// The latest post of each named thread.
    pub(super) threads: HashMap<String, u64>,
    /// How many posts it has ever made, not counting edits.
    pub(super) made: u64,
}

/// A post that a set finds by its text, without storing the text twice.
#[derive(Debug)]
pub(super) struct ByText(pub(super) Arc<StoredPost>);

impl Borrow<str> for ByText {
    fn borrow(&self) -> &str {
        &self.0.text
    }
}

impl PartialEq for ByText {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for ByText {}

impl Hash for ByText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Must match the hash of `str`, the lookup key.
        self.0.text.as_str().hash(state);
    }
}

impl Account {
    /// The posts with a higher id than this one, oldest first.
    pub(crate) fn posts_after(&self, id: u64) -> &[Arc<StoredPost>] {
        &self.posts[self.posts.partition_point(|post| post.id.0 <= id)..]
    }

    pub(super) fn new(handle: &str, role: Role) -> Self {
        Self {
            id: fake_id(handle),
            handle: handle.to_owned(),
            credentials: credentials(handle),
            role,
            state: UserState::Active,
            revoked: false,
            premium: false,
            posts: Vec::new(),
            by_text: HashSet::new(),
            threads: HashMap::new(),
            made: 0,
        }
    }

    /// Whether the app has a valid token for this account. Other accounts never gave it one.
    pub(super) fn has_token(&self) -> bool {
        self.role != Role::Other && !self.revoked && self.state != UserState::Unknown
    }
}

/// The id of a handle, the same in every run. It has nineteen digits, like the ids of X's newer accounts.
pub(super) fn fake_id(handle: &str) -> u64 {
    1_000_000_000_000_000_000
        + hash::stable(&[handle.to_ascii_lowercase().as_bytes()]) % 900_000_000_000_000_000
}
