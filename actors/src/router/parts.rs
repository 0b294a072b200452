//! What a router is built from.

use std::{sync::Arc, time::Duration};

use mynah_domain::{
    AccountId, TargetId,
    ports::{Clock, Ledger},
    schedule::Schedule,
};

use crate::{
    blocks::Blocks, costs::Costs, events::Feed, leases::Holdings, pauses::Pauses, stats::Meter,
    upstreams::Upstreams,
};

/// A target, and the account that it is published on. Several targets may share one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The target.
    pub target: TargetId,
    /// Its account.
    pub account: AccountId,
    /// The source that it follows, by its name in the ledger.
    pub source: String,
    /// The names of the engines that translate for it.
    pub engines: Vec<Arc<str>>,
    /// When it publishes.
    pub schedule: Schedule,
}

impl Route {
    /// Whether none of its engines answers.
    pub(super) fn lacks_engines(&self, upstreams: &Upstreams) -> bool {
        self.engines.iter().all(|engine| upstreams.is_down(engine))
    }
}

#[cfg(test)]
impl Route {
    /// The route of a target of the tests' source that shares its account with no other.
    pub(crate) fn alone(target: TargetId) -> Self {
        let engines = vec!["test".into()];
        Self {
            account: AccountId::from(&target),
            target,
            source: "net:town".into(),
            engines,
            schedule: Schedule::default(),
        }
    }
}

/// Settings for the router.
#[derive(Debug, Clone)]
pub struct RouterSettings {
    /// The most jobs of a target that are held in memory.
    pub queue: usize,
    /// The targets, in the order in which a post is translated for them.
    pub routes: Vec<Route>,
    /// How long a job that keeps failing may block the jobs behind it.
    pub order_patience: Duration,
    /// After this many attempts without success, a job no longer prevents a run from ending.
    pub patience: u32,
}

/// What a router is built from.
#[derive(Clone)]
pub struct RouterParts {
    /// Its settings.
    pub settings: RouterSettings,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Which services are down.
    pub upstreams: Upstreams,
    /// What a person has paused: no job of a paused target is handed out for publication.
    pub pauses: Pauses,
    /// The accounts that this instance works for: only their lines are loaded.
    pub holdings: Holdings,
    /// Which accounts are blocked; the router adds to it.
    pub blocks: Blocks,
    /// What messages cost, and the budgets.
    pub costs: Costs,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where to report counts.
    pub meter: Meter,
    /// Where to send events.
    pub feed: Feed,
}
