//! The accounts that lines are published on: the turns of lines that share one, and which accounts are blocked.

use std::collections::BTreeMap;

use mynah_domain::{AccountId, TargetId};

use crate::{blocks::Blocks, router::parts::Route};

#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// The targets that share each account, next one first.
    turns: BTreeMap<AccountId, Vec<TargetId>>,
    /// Which of them are blocked until a person fixes them.
    blocks: Blocks,
}

impl Accounts {
    pub(super) fn new(routes: &[Route], blocks: Blocks) -> Self {
        let mut accounts = Self { blocks, ..Self::default() };
        for Route { target, account, .. } in routes {
            accounts.turns.entry(account.clone()).or_default().push(target.clone());
        }
        accounts
    }

    /// The targets of an account, next one first; none if it is blocked.
    pub(super) fn turns(&self, account: &AccountId) -> &[TargetId] {
        self.turns.get(account).filter(|_| !self.is_blocked(account)).map_or(&[], |turns| turns)
    }

    /// Moves a target behind all others that share its account.
    pub(super) fn had_its_turn(&mut self, account: &AccountId, target: &TargetId) {
        if let Some(turns) = self.turns.get_mut(account)
            && let Some(at) = turns.iter().position(|other| other == target)
        {
            let target = turns.remove(at);
            turns.push(target);
        }
    }

    pub(super) fn is_blocked(&self, account: &AccountId) -> bool {
        self.blocks.is_blocked(account)
    }

    pub(super) fn why_blocked(&self, account: &AccountId) -> Option<String> {
        self.blocks.why_blocked(account)
    }

    pub(super) fn block(&self, account: &AccountId, reason: String) {
        if self.turns.contains_key(account) {
            self.blocks.block(account, reason);
        }
    }

    /// Returns whether it was blocked.
    pub(super) fn unblock(&self, account: &AccountId) -> bool {
        self.blocks.unblock(account)
    }
}
