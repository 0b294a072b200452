//! The accounts that lines are published on: the turns of lines that share one, and which accounts are blocked.

use std::collections::BTreeMap;

use mynah_domain::{AccountId, TargetId};

use crate::router::parts::Route;

#[derive(Debug, Default)]
pub(super) struct Accounts(BTreeMap<AccountId, Account>);

#[derive(Debug, Default)]
struct Account {
    /// The targets that share it, next one first.
    turns: Vec<TargetId>,
    /// Why nothing can be published on it until a person fixes it.
    blocked: Option<String>,
}

impl Accounts {
    pub(super) fn new(routes: &[Route]) -> Self {
        let mut accounts = Self::default();
        for Route { target, account } in routes {
            accounts.0.entry(account.clone()).or_default().turns.push(target.clone());
        }
        accounts
    }

    /// The targets of an account, next one first; none if it is blocked.
    pub(super) fn turns(&self, account: &AccountId) -> &[TargetId] {
        self.0.get(account).filter(|account| account.blocked.is_none()).map_or(&[], |account| &account.turns)
    }

    /// Moves a target behind all others that share its account.
    pub(super) fn had_its_turn(&mut self, account: &AccountId, target: &TargetId) {
        if let Some(account) = self.0.get_mut(account)
            && let Some(at) = account.turns.iter().position(|other| other == target)
        {
            let target = account.turns.remove(at);
            account.turns.push(target);
        }
    }

    pub(super) fn is_blocked(&self, account: &AccountId) -> bool {
        self.why_blocked(account).is_some()
    }

    pub(super) fn why_blocked(&self, account: &AccountId) -> Option<&str> {
        self.0.get(account)?.blocked.as_deref()
    }

    pub(super) fn block(&mut self, account: &AccountId, reason: String) {
        if let Some(account) = self.0.get_mut(account) {
            account.blocked = Some(reason);
        }
    }

    /// Returns whether it was blocked.
    pub(super) fn unblock(&mut self, account: &AccountId) -> bool {
        self.0.get_mut(account).is_some_and(|account| account.blocked.take().is_some())
    }
}
