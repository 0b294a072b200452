//! A login on a network, with its credentials, pace and caps, on which messages are published.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::TargetId;

/// An account's name in logs and in the ledger: network and handle, `plain:town_es`. Several targets may share an
/// account; a target that shares its account with no other has the same name.
///
/// The handle is stored in lower case, because networks compare handles without case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// Creates the name of the account with this handle on `network`.
    pub fn new(network: &str, handle: &str) -> Self {
        Self(format!("{network}:{}", handle.to_ascii_lowercase()).into())
    }

    /// The name as text, `plain:town_es`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The network, `plain`.
    pub fn network(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(network, _)| network)
    }

    /// The handle, `town_es`.
    pub fn handle(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, handle)| handle)
    }
}

impl From<&str> for AccountId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// The account of a target that shares it with no other.
impl From<&TargetId> for AccountId {
    fn from(target: &TargetId) -> Self {
        Self(target.as_str().into())
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_by_its_network_and_its_handle_in_lower_case() {
        let account = AccountId::new("net", "Town_ES");
        assert_eq!(account.as_str(), "net:town_es");
        assert_eq!((account.network(), account.handle()), ("net", "town_es"));
        assert_eq!(account, AccountId::from(&TargetId::new("net", "town_es")));
    }
}
