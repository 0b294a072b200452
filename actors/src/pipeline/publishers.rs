//! The publishers of all configured accounts. Each can be started and stopped by itself, without the others noticing.

use std::collections::BTreeSet;

use mynah_domain::AccountId;

use super::{PublisherSpec, names};

/// The publishers of all configured accounts, and which of them run.
#[derive(Clone, Default)]
pub struct Publishers {
    specs: Vec<PublisherSpec>,
    stopped: BTreeSet<AccountId>,
}

/// All of them run.
impl FromIterator<PublisherSpec> for Publishers {
    fn from_iter<T: IntoIterator<Item = PublisherSpec>>(specs: T) -> Self {
        Self { specs: specs.into_iter().collect(), stopped: BTreeSet::new() }
    }
}

impl Publishers {
    /// The same, but none runs until it is started.
    #[must_use]
    pub fn stopped(self) -> Self {
        Self { stopped: self.accounts().cloned().collect(), ..self }
    }

    /// All accounts, whether their publishers run or not.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.specs.iter().map(|spec| &spec.parts.account)
    }

    /// Marks an account's publisher as running. Returns its actor's name and what it is built from; `None` if it runs
    /// already, or there is no such account.
    pub(super) fn start(&mut self, account: &AccountId) -> Option<(String, &PublisherSpec)> {
        if !self.stopped.remove(account) {
            return None;
        }
        self.named().find(|(_, spec)| spec.parts.account == *account)
    }

    /// Marks an account's publisher as stopped. Returns its actor's name; `None` if there is no such account.
    pub(super) fn stop(&mut self, account: &AccountId) -> Option<String> {
        let name = self.named().find(|(_, spec)| spec.parts.account == *account)?.0;
        self.stopped.insert(account.clone());
        Some(name)
    }

    /// Accounts that these have in common with `before` run if they ran before.
    pub(super) fn continue_from(&mut self, before: &Self) {
        let known: BTreeSet<AccountId> = self.accounts().cloned().collect();
        for account in before.accounts().filter(|account| known.contains(account)) {
            if before.stopped.contains(account) {
                self.stopped.insert(account.clone());
            } else {
                self.stopped.remove(account);
            }
        }
    }

    /// The names of all their actors, whether they run or not.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.named().map(|(name, _)| name)
    }

    /// Those that run, each with its actor's name.
    pub(super) fn running(&self) -> impl Iterator<Item = (String, &PublisherSpec)> {
        self.named().filter(|(_, spec)| !self.stopped.contains(&spec.parts.account))
    }

    /// Whether a publisher runs does not change the names of the others.
    fn named(&self) -> impl Iterator<Item = (String, &PublisherSpec)> {
        let accounts: Vec<&str> = self.accounts().map(AccountId::as_str).collect();
        names::publishers(&accounts).into_iter().zip(&self.specs)
    }
}
