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

    /// Stores a fact if its present value is `old`, `None` meaning that there is none. Returns whether it is `new` now,
    /// which is also the case if it was before.
    async fn replace(&self, key: &str, old: Option<&str>, new: &str) -> Result<bool, LedgerError>;
}
