//! Translations that several instances share, so that a text that one of them paid for is free for the others. What is
//! in there is never the truth: an entry may be missing, outdated or garbage at any time, and nobody may wait for it.

use std::{fmt, time::Duration};

use async_trait::async_trait;

/// The key of a translation: a digest of all that it depends on, which contains no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SharedKey(pub [u8; 16]);

impl fmt::Display for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// An entry to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedEntry {
    /// Its key.
    pub key: SharedKey,
    /// The translation, in a form that whoever reads it checks.
    pub value: Vec<u8>,
    /// How long it is stored.
    pub ttl: Duration,
}

/// What became of a [`SharedCache::claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The value, if there is one by now.
    pub value: Option<Vec<u8>>,
    /// Whether the claim is granted, also if there is a value. If not, somebody else has it.
    pub is_granted: bool,
}

/// Stores translations for several instances. Each method answers for all of its keys in one round trip, in the order of
/// the keys. Callers limit how long they wait, and may stop waiting at any time.
#[async_trait]
pub trait SharedCache: Send + Sync {
    /// The values of these keys. A value that cannot be read is none.
    async fn get(&self, keys: &[SharedKey]) -> Result<Vec<Option<Vec<u8>>>, SharedCacheError>;

    /// Claims keys for the caller, who will provide their values, and reads them once more. A claim ends by itself after
    /// `ttl`. It is a hint to avoid double work: two callers may have the same claim after an outage.
    async fn claim(
        &self,
        keys: &[SharedKey],
        token: &str,
        ttl: Duration,
    ) -> Result<Vec<Claimed>, SharedCacheError>;

    /// Stores entries, in place of earlier ones.
    async fn put(&self, entries: &[SharedEntry]) -> Result<(), SharedCacheError>;

    /// Gives up claims that have this token. Claims with another token stay as they are.
    async fn release(&self, keys: &[SharedKey], token: &str) -> Result<(), SharedCacheError>;

    /// Removes values.
    async fn remove(&self, keys: &[SharedKey]) -> Result<(), SharedCacheError>;

    /// Finds out whether the server answers.
    async fn ping(&self) -> Result<(), SharedCacheError>;
}

/// Why a shared cache did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharedCacheError {
    /// No answer came: it cannot be reached, or the connection broke.
    #[error("{0}")]
    Unavailable(String),
    /// It answered that it will not: it is full, starting, or a replica that cannot be written.
    #[error("{0}")]
    Refused(String),
}
