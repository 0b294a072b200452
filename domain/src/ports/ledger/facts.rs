//! Small facts that outlive the process: an account's id that costs money to look up, what a person paused.

use async_trait::async_trait;

use super::LedgerError;

/// What adapters remember, by a name of their own.
#[async_trait(?Send)]
pub trait Facts: Send + Sync {
    /// The fact of that name, if it was ever remembered.
    async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError>;

    /// Stores a fact, in place of the one of that name.
    async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError>;
}
