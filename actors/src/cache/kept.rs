//! What the cache keeps: translations by key, the least recently used of them gone first, each for its time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use moka::{Expiry, policy::EvictionPolicy, sync};
use mynah_domain::text::MaskedText;

use super::Key;

/// A translation and its end.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The translation.
    pub text: Arc<MaskedText>,
    /// From when on it is not said any more.
    pub expires: Timestamp,
}

/// The translations. Clones share them, on any thread.
#[derive(Clone)]
pub struct Kept(sync::Cache<Key, Entry>);

struct UntilItExpires;

impl Expiry<Key, Entry> for UntilItExpires {
    fn expire_after_create(&self, _: &Key, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(Duration::try_from(entry.expires.duration_since(Timestamp::now())).unwrap_or_default())
    }
}

impl Kept {
    /// Room for so many.
    pub fn new(max_entries: u64) -> Self {
        let entries = sync::Cache::builder()
            .max_capacity(max_entries)
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(UntilItExpires)
            .build();
        Self(entries)
    }

    /// The translation of a key.
    pub fn get(&self, key: &Key) -> Option<Arc<MaskedText>> {
        self.0.get(key).map(|entry| entry.text)
    }

    /// Keeps one, in the place of another.
    pub fn insert(&self, key: Key, entry: Entry) {
        self.0.insert(key, entry);
    }

    /// Whether there is one for a key, which does not make it any younger.
    pub fn has(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// Puts in order which were used last. Left to itself this is done by every sixty-fourth hit, which then takes ten times
    /// as long as the others.
    pub fn tidy(&self) {
        self.0.run_pending_tasks();
    }

    /// Every one, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Arc<Key>, Entry)> + '_ {
        self.0.iter()
    }
}
