//! The accounts on which nothing can be published until a person acts, and why: the network refuses their credentials,
//! or locked or suspended them. The router decides by it and people look at it. It outlives the router, so that a router
//! that was restarted does not take a blocked account for a running one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mynah_domain::AccountId;

/// Which accounts are blocked. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Blocks(Arc<Mutex<BTreeMap<AccountId, String>>>);

impl Blocks {
    /// Why nothing can be published on an account, if so.
    pub fn why_blocked(&self, account: &AccountId) -> Option<String> {
        self.lock().get(account).cloned()
    }

    /// Whether nothing can be published on an account.
    pub fn is_blocked(&self, account: &AccountId) -> bool {
        self.lock().contains_key(account)
    }

    /// All blocked accounts.
    pub fn all(&self) -> BTreeMap<AccountId, String> {
        self.lock().clone()
    }

    /// Forgets accounts that are no longer configured.
    pub fn retain(&self, is_configured: impl Fn(&AccountId) -> bool) {
        self.lock().retain(|account, _| is_configured(account));
    }

    /// Blocks an account. Only the router does that, which then hands out nothing for it.
    pub(crate) fn block(&self, account: &AccountId, reason: String) {
        self.lock().insert(account.clone(), reason);
    }

    /// Ends a block; returns whether there was one.
    pub(crate) fn unblock(&self, account: &AccountId) -> bool {
        self.lock().remove(account).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountId, String>> {
        // No operation under the lock leaves the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
