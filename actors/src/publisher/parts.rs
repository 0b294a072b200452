//! What a publisher is built from.

use std::{sync::Arc, time::Duration};

use leaky_bucket::RateLimiter;
use mynah_domain::{
    AccountId, Job, Target,
    backoff::Backoff,
    caps::Caps,
    ports::{Clock, Ledger},
    tariff::CallPrices,
};

use crate::{
    costs::Costs, leases::Holdings, pauses::Pauses, router::Router, spending::Purse, stats::Meter,
    supervision::ActorRef, upstreams::Upstreams,
};

/// How often and how much one account may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The time between two publications once the burst is used up; zero means no limit.
    pub min_interval: Duration,
    /// How many publications may go out at once after a pause.
    pub burst: usize,
    /// The daily and monthly caps.
    pub caps: Caps,
}

impl Limits {
    /// Creates a bucket for these limits; `None` if there is no limit.
    pub fn bucket(&self) -> Bucket {
        if self.min_interval.is_zero() {
            return None;
        }
        let burst = self.burst.max(1);
        let bucket =
            RateLimiter::builder().max(burst).initial(burst).refill(1).interval(self.min_interval).build();
        Some(Arc::new(bucket))
    }
}

/// The rate limiter of publications; `None` if there is no limit. Clones share it.
pub type Bucket = Option<Arc<RateLimiter>>;

/// What to do with a part of a thread if the message that it replies to is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threads {
    /// Hold it for a person: a thread stays a chain.
    #[default]
    Chain,
    /// Publish it on its own.
    Standalone,
}

/// What a publisher is built from, except its destination, which cannot leave its thread.
#[derive(Clone)]
pub struct PublisherParts {
    /// The account that it owns.
    pub account: AccountId,
    /// The targets that are published on this account.
    pub targets: Arc<[Target]>,
    /// The account's limits.
    pub limits: Limits,
    /// The bucket of `limits`. All incarnations share it; otherwise each restart would give the account a token.
    pub bucket: Bucket,
    /// What to do with a part of a thread if the message that it replies to is missing.
    pub threads: Threads,
    /// How long a message takes at most to become visible on the account.
    pub settle: Duration,
    /// Which services are down.
    pub upstreams: Upstreams,
    /// What a person has paused.
    pub pauses: Pauses,
    /// The accounts that this instance works for.
    pub holdings: Holdings,
    /// The router, which hands out jobs.
    pub router: ActorRef<Router>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Pays for lookups and alt texts; `None` if nothing is recorded.
    pub purse: Option<Purse>,
    /// What the network charges for them.
    pub prices: CallPrices,
    /// What messages cost, and the budgets.
    pub costs: Costs,
    /// How long to wait before a retry.
    pub backoff: Backoff,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where to report latencies and counts.
    pub meter: Meter,
}

impl PublisherParts {
    /// The target of a job.
    pub(super) fn target(&self, job: &Job) -> Option<&Target> {
        self.targets.iter().find(|target| target.id == job.target)
    }
}
