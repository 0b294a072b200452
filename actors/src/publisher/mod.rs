//! Publishes the ready jobs of one account, in the source's order and within the account's limits. For each message, it
//! takes a token from the bucket, records the intent in the ledger, makes the call, and records the outcome in the
//! ledger.
//!
//! If a call's answer is lost, the publisher looks the message up among the account's own messages before it sends
//! anything again. On a network without idempotency keys, only this prevents a double post after a lost answer.
//!
//! - [`publish`]: the one way to publish a job, part by part.
//! - [`thread`]: which message each part of a thread replies to, and which one a post quotes.
//! - [`media`]: copies a post's media to the network.
//! - [`lookup`]: finds out what happened to a message whose answer was lost.
//! - [`payment`]: pays for lookups and alt texts, within the budgets.
//! - [`failure`]: what a failed call means for the job and for the account.
//! - [`verify`]: checks which account the credentials belong to.

mod failure;
mod lookup;
mod media;
mod parts;
mod payment;
mod publish;
#[cfg(test)]
mod tests;
mod thread;
mod verify;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Instant,
};

use async_trait::async_trait;
use failure::{Halt, held};
use jiff::Timestamp;
use lookup::Suspense;
use media::FailedCopies;
use mynah_domain::{
    Job, JobEvent, PostId, TargetId,
    caps::Caps,
    job::HoldKind,
    ports::{Destination, LedgerError, MediaFetcher},
};
use publish::Outcome;

use crate::{
    failpoint,
    pauses::Paused,
    router::{Assigned, Block, JobReport, PublishedMessage, PullPublications, ReportJobs},
    supervision::{Step, Worker, WorkerContext, shell::Stop},
};

pub use parts::{Bucket, Limits, PublisherParts, Threads};

/// The most jobs published in a row. After a crash in the middle, each of them must be looked up.
const MAX_BATCH: usize = 64;

/// The media fetchers, by the name of their source.
pub type MediaFetchers = HashMap<String, Rc<dyn MediaFetcher>>;

/// The worker that publishes on one account.
pub struct Publisher {
    context: WorkerContext,
    parts: PublisherParts,
    /// The pauses of its targets.
    pauses: Vec<Paused>,
    destination: Rc<dyn Destination>,
    fetchers: MediaFetchers,
    /// When it was built.
    built: tokio::time::Instant,
    /// Whether the credentials are known to belong to the account.
    verified: Cell<bool>,
    /// How often in a row the credentials were refused.
    refusals: Cell<u32>,
    /// How often a limit prevented a publication since the last one that succeeded.
    limited: Cell<u32>,
    /// Until when the network lets the account publish nothing, and why.
    parked: RefCell<Option<(Timestamp, String)>>,
    /// The message whose outcome is being determined.
    suspense: Cell<Suspense>,
    /// The media that could not be copied, of the job at the head of each target's line.
    failed_copies: RefCell<HashMap<TargetId, FailedCopies>>,
    /// The reports of a batch so far. They are written in one transaction, as the intents were: the disk takes longer
    /// for each than the network takes for a message.
    unreported: RefCell<Vec<JobReport>>,
}

impl Publisher {
    /// Creates a publisher for this destination; `media` fetches the media of posts.
    pub fn new(
        context: WorkerContext,
        parts: PublisherParts,
        destination: Rc<dyn Destination>,
        fetchers: MediaFetchers,
    ) -> Self {
        let pauses = parts.targets.iter().map(|target| Paused::Target(target.id.clone())).collect();
        Self {
            context,
            parts,
            pauses,
            destination,
            fetchers,
            built: tokio::time::Instant::now(),
            verified: Cell::new(false),
            refusals: Cell::new(0),
            limited: Cell::new(0),
            parked: RefCell::default(),
            suspense: Cell::default(),
            failed_copies: RefCell::default(),
            unreported: RefCell::default(),
        }
    }
}

#[async_trait(?Send)]
impl Worker for Publisher {
    async fn step(&mut self, stop: &Stop) -> Step {
        self.publish_next(stop).await.unwrap_or_else(|error| Step::Fatal(error.to_string()))
    }
}

impl Publisher {
    async fn publish_next(&self, stop: &Stop) -> Result<Step, LedgerError> {
        if stop.or(self.parts.pauses.until_any_resumed(&self.pauses)).await.is_none() {
            return Ok(Step::Idle);
        }
        // Take the token before the job, so that no job is leased just to wait for a token.
        if stop.or(self.token()).await.is_none() {
            return Ok(Step::Idle);
        }
        let room = self.room().await?;
        let account = self.parts.account.clone();
        let pull = PullPublications { worker: self.context.worker_ref(), account, room };
        let Some(pulled) = stop.or(self.parts.router.ask_until_answered(pull)).await else {
            return Ok(Step::Idle);
        };
        let assigned = pulled?;
        if assigned.is_empty() {
            return Ok(Step::Idle);
        }
        let work = self.context.at_work();
        failpoint::reach("publisher.step");
        self.publish_all(&assigned, stop).await?;
        drop(work);
        self.report().await?;
        Ok(Step::Worked)
    }

    /// Publishes jobs in order. If one is not published, the jobs behind it are returned unchanged.
    async fn publish_all(&self, assigned: &[Assigned], stop: &Stop) -> Result<(), LedgerError> {
        let mut continues = true;
        for assigned in assigned {
            let outcome = if continues {
                match self.publish(assigned, stop).await {
                    Ok(outcome) => {
                        let paused = Paused::Target(assigned.job.target.clone());
                        continues = !stop.is_asked()
                            && !self.parts.pauses.is_paused(&paused)
                            && !self.is_quiet(&assigned.job);
                        self.context.heartbeat().progress();
                        outcome
                    }
                    Err(halt) => {
                        continues = false;
                        self.events_of(halt).await?.into()
                    }
                }
            } else {
                assigned.untouched().into()
            };
            let Outcome { events, sent_under, first } = outcome;
            let message = first.map(|id| self.message(&assigned.job, id));
            let report = JobReport { sent_under, message, ..JobReport::new(&assigned.job, events) };
            self.unreported.borrow_mut().push(report);
        }
        Ok(())
    }

    /// Whether the quiet hours of a job's target have begun: the jobs behind it wait.
    fn is_quiet(&self, job: &Job) -> bool {
        let now = self.parts.clock.now();
        self.parts.target(job).is_some_and(|target| target.schedule.quiet_at(now).is_some())
    }

    /// A message of a job on the account, with its link.
    fn message(&self, job: &Job, id: PostId) -> PublishedMessage {
        let url =
            self.parts.target(job).and_then(|target| target.network.link(self.parts.account.handle(), &id));
        PublishedMessage { id, url }
    }

    /// Reports the outcomes so far.
    async fn report(&self) -> Result<(), LedgerError> {
        let reports = self.unreported.take();
        if reports.is_empty() {
            return Ok(());
        }
        self.parts.router.ask_until_answered(ReportJobs(reports)).await
    }

    /// The events of a job that is not published now.
    async fn events_of(&self, halt: Halt) -> Result<Vec<JobEvent>, LedgerError> {
        match halt {
            Halt::Ledger(error) => Err(error),
            Halt::Event(event) => Ok(vec![event]),
            Halt::ReplyRefused(reason) => Ok(vec![held(HoldKind::Refused, reason, None)]),
            Halt::Blocked(event, reason) => {
                // Block before the report, because the report makes the job ready again.
                let block = Block { account: self.parts.account.clone(), reason };
                self.parts.router.ask_until_answered(block).await;
                Ok(vec![*event])
            }
        }
    }

    /// How many jobs may be begun with their leases. If there is no room, the next job comes without an intent and is
    /// then held or delayed by the limit.
    async fn room(&self) -> Result<usize, LedgerError> {
        let most = match self.parts.bucket {
            // Nothing may be begun before the credentials are verified.
            _ if !self.verified.get() => 0,
            // With a rate limit, a job is leased only when its own token is available.
            Some(_) => 1,
            None => MAX_BATCH,
        };
        let caps = self.parts.limits.caps;
        if caps == Caps::default() {
            return Ok(most);
        }
        let now = self.parts.clock.now();
        let spent = self.parts.ledger.spent(&self.parts.account, now).await?;
        Ok((1..=most as u64).take_while(|count| caps.allow(spent, *count, now).is_ok()).count())
    }

    /// Waits until the account may publish again.
    async fn token(&self) {
        if let Some(bucket) = &self.parts.bucket {
            let started = Instant::now();
            bucket.acquire_one().await;
            self.parts.meter.called("publisher", "credit", started.elapsed(), None);
        }
    }
}
