//! Everything that the causes are found in, read at one moment. It is plain data, so that each cause can be tested without
//! a service.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use jiff::Timestamp;
use mynah_domain::{AccountId, Money, TargetId, ports::ledger::HeldJobs};
use serde::{Deserialize, Serialize};

use crate::control::{
    overview::Counts,
    wire::{BudgetState, EngineStatus, PollerStatus},
};

/// What is known at one moment.
#[derive(Debug, Clone)]
pub struct Situation {
    /// The moment.
    pub now: Timestamp,
    /// Since when this process has watched.
    pub watching_since: Timestamp,
    /// The machine, if several instances share the ledger.
    pub host: Option<String>,
    /// The accounts that are published on.
    pub accounts: Vec<Account>,
    /// The engines, in order.
    pub engines: Vec<EngineStatus>,
    /// The sources.
    pub sources: Vec<PollerStatus>,
    /// The stored logins in use that have an end.
    pub logins: Vec<LoginEnd>,
    /// What the ledger knows; `None` if it does not answer.
    pub facts: Option<LedgerFacts>,
    /// How much room the disk has; `None` if that cannot be read.
    pub disk: Option<Disk>,
    /// How much must be free, in bytes; `None` if that does not matter.
    pub disk_free: Option<u64>,
    /// Why the service cannot work, if it cannot.
    pub trouble: Option<String>,
    /// Why the process before this one stopped, if a part of it could not go on.
    pub escalation: Option<Escalation>,
    /// Whether the last reload of the settings failed.
    pub reload_failed: bool,
}

/// An account that is published on.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Why nothing can be published on it, if so.
    pub blocked: Option<String>,
    /// Whether this instance works for it.
    pub is_ours: bool,
}

/// When a stored login ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginEnd {
    /// The network.
    pub network: String,
    /// The account on it.
    pub account: String,
    /// The end.
    pub ends: Timestamp,
}

/// What the ledger knows of jobs, budgets, sources and publications.
#[derive(Debug, Clone, Default)]
pub struct LedgerFacts {
    /// How many jobs there are.
    pub counts: Counts,
    /// The jobs that have been held for too long.
    pub held: BTreeMap<TargetId, HeldJobs>,
    /// The sources that are silent for longer than is usual for them.
    pub silent: Vec<Silence>,
    /// The budgets.
    pub budgets: Vec<BudgetUse>,
    /// How many jobs of each target cost more than a whole budget.
    pub unaffordable: BTreeMap<TargetId, u64>,
    /// When something was last published on the accounts that were asked about.
    pub published: BTreeMap<AccountId, Timestamp>,
    /// When something was last published on any account, if that was asked.
    pub last_published: Option<Timestamp>,
}

/// A budget, and what it has refused.
#[derive(Debug, Clone)]
pub struct BudgetUse {
    /// What is spent and left of it.
    pub state: BudgetState,
    /// The cheapest thing that it has refused in this period.
    pub refused: Option<Money>,
}

impl BudgetUse {
    /// Whether nothing is left, or less than what waits for it needs.
    pub(super) fn is_used_up(&self) -> bool {
        let is_short = self.refused.is_some_and(|refused| refused > self.state.left);
        (is_short || self.state.left.is_zero()) && !self.is_too_small()
    }

    /// Whether no period will ever pay for what waits for it.
    pub(super) fn is_too_small(&self) -> bool {
        self.refused.is_some_and(|refused| refused > self.state.most)
    }
}

/// A source without new posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its id.
    pub source: String,
    /// What people call it.
    pub name: String,
    /// When it last posted.
    pub last: Timestamp,
    /// The longest that it usually takes until the next post.
    pub usual: Duration,
}

/// The disk with the data folder.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The data folder.
    pub folder: PathBuf,
    /// How many bytes are free.
    pub free: u64,
}

/// Why a process stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Situation {
    /// What people call this process, among those that share the ledger.
    pub(super) fn process(&self) -> String {
        self.host.clone().unwrap_or_else(|| "service".into())
    }

    /// The account with this id.
    pub(super) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id.as_str() == id)
    }

    /// When something was last published on an account, as far as was asked.
    pub(super) fn published_on(&self, account: &AccountId) -> Option<Timestamp> {
        self.facts.as_ref()?.published.get(account).copied()
    }

    /// When something was last published on any account, as far as was asked.
    pub(super) fn last_published(&self) -> Option<Timestamp> {
        self.facts.as_ref()?.last_published
    }
}
