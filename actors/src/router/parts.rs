//! What a router is built from.

use std::{sync::Arc, time::Duration};

use mynah_domain::{
    AccountId, TargetId,
    ports::{Clock, Ledger},
};

use crate::{events::Feed, pauses::Pauses, stats::Meter, upstreams::Upstreams};

/// A target, and the account that its jobs are published on. Several targets may share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The target.
    pub target: TargetId,
    /// Its account.
    pub account: AccountId,
}

impl Route {
    /// The route of a target that has an account to itself.
    pub fn alone(target: TargetId) -> Self {
        Self { account: AccountId::from(&target), target }
    }
}

/// Settings for the router.
#[derive(Debug, Clone)]
pub struct RouterSettings {
    /// The most jobs of a target that are held in memory.
    pub queue: usize,
    /// The targets, in the order in which a post is translated for them.
    pub routes: Vec<Route>,
    /// How long a job that fails again and again may block the jobs behind it.
    pub order_patience: Duration,
    /// The engines that translate, by name.
    pub engines: Vec<Arc<str>>,
    /// A job tried this often without success does not keep a run from ending.
    pub patience: u32,
}

/// What a router is built from.
#[derive(Clone)]
pub struct RouterParts {
    /// Its settings.
    pub settings: RouterSettings,
    /// The record.
    pub ledger: Arc<dyn Ledger>,
    /// Which services are down.
    pub upstreams: Upstreams,
    /// What a person paused: nothing is handed out of a paused target's line.
    pub pauses: Pauses,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where counts go.
    pub meter: Meter,
    /// Where events go.
    pub feed: Feed,
}
