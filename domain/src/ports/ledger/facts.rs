//! Small facts that survive a restart: an account's id that costs money to look up, what a person paused.

use async_trait::async_trait;

use super::LedgerError;

/// Stores facts of adapters by name.
#[async_trait(?Send)]
pub trait Facts: Send + Sync {
    /// The fact with this name, if it was ever stored.
    async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError>;

    /// Stores a fact, replacing one with the same name.
    async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError>;

    /// Stores a fact only if its value is still `expected`; `None` if it was never stored. Returns whether `value` is
    /// stored now: a repeat of a call whose answer was lost returns true.
    async fn replace(&self, key: &str, expected: Option<&str>, value: &str) -> Result<bool, LedgerError>;
}
