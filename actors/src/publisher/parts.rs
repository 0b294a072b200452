//! What a publisher is built from.

use std::{sync::Arc, time::Duration};

use leaky_bucket::RateLimiter;
use mynah_domain::{
    AccountId, Job, Target,
    backoff::Backoff,
    caps::Caps,
    ports::{Clock, Ledger},
};

use crate::{pauses::Pauses, router::Router, stats::Meter, supervision::ActorRef, upstreams::Upstreams};

/// How often and how much one account may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The time between two publications, once the burst is spent; zero is no limit.
    pub min_interval: Duration,
    /// How many may go at once after a pause.
    pub burst: usize,
    /// The caps of the day and the month.
    pub caps: Caps,
}

impl Limits {
    /// A bucket that lets through as much as these limits do; none where there is no limit.
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

/// What lets publications through; none where there is no limit. Clones share it.
pub type Bucket = Option<Arc<RateLimiter>>;

/// What happens to a part of a thread where there is nothing that it may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threads {
    /// It waits for a person: a thread stays a chain.
    #[default]
    Chain,
    /// It is published on its own.
    Standalone,
}

/// What a publisher is built from, but for its destination, which cannot leave its thread.
#[derive(Clone)]
pub struct PublisherParts {
    /// The account that it owns.
    pub account: AccountId,
    /// The targets whose jobs are published there.
    pub targets: Arc<[Target]>,
    /// Within which limits.
    pub limits: Limits,
    /// What `limits` let through at once; the same for every incarnation, or each death would give the account a token.
    pub bucket: Bucket,
    /// What happens to a part of a thread where there is nothing that it may answer.
    pub threads: Threads,
    /// How long a message takes at most to show on the account.
    pub settle: Duration,
    /// Which services are down.
    pub upstreams: Upstreams,
    /// What a person paused.
    pub pauses: Pauses,
    /// Where work comes from.
    pub router: ActorRef<Router>,
    /// The record.
    pub ledger: Arc<dyn Ledger>,
    /// How long to wait before another try.
    pub backoff: Backoff,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where latencies and counts go.
    pub meter: Meter,
}

impl PublisherParts {
    /// The target of a job.
    pub(super) fn target(&self, job: &Job) -> Option<&Target> {
        self.targets.iter().find(|target| target.id == job.target)
    }
}
