//! What others ask of the router: the poller to record a page, workers for jobs and to report on them, the supervisor to
//! reclaim what a dead worker had in hand.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use actix::Message;
use mynah_domain::{
    AccountId, Job, JobEvent, JobState, TargetId,
    ports::{
        LedgerError,
        ledger::{LinePosition, RecordPage, Recorded},
    },
};

use super::intent::Assigned;
use crate::supervision::shell::WorkerRef;

/// Writes a page and takes up its jobs.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Recorded, LedgerError>")]
pub struct Record {
    /// The page.
    pub page: RecordPage,
    /// When it came from the source.
    pub arrived: Instant,
}

/// A translator is free; answered as soon as there is work for it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Job>, LedgerError>")]
pub struct PullTranslations {
    /// The translator.
    pub worker: WorkerRef,
    /// The most jobs that it can take.
    pub max: usize,
}

/// A publisher is free; answered as soon as the next job in order is ready, with those that may be published right behind
/// it. Several jobs are all begun, and one that is not begun comes alone. None where the publisher has ended.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Assigned>, LedgerError>")]
pub struct PullPublications {
    /// The publisher.
    pub worker: WorkerRef,
    /// Its account. The lines of the account's targets take turns; within a line, order holds.
    pub account: AccountId,
    /// How many jobs of one message each it publishes at once: their intents are written with their leases. Where there is
    /// no room for any, the next job is handed out with nothing begun.
    pub room: usize,
}

/// What became of a leased job.
#[derive(Debug, Clone)]
pub struct JobReport {
    /// The job's target.
    pub target: TargetId,
    /// The job, and its place in its line.
    pub at: LinePosition,
    /// The token of the lease.
    pub token: i64,
    /// How the worker came to have it in hand, as far as the ledger does not know that.
    pub lease: Vec<JobEvent>,
    /// What happened, in order.
    pub events: Vec<JobEvent>,
}

impl JobReport {
    /// A report about a leased job.
    pub fn new(job: &Job, events: Vec<JobEvent>) -> Self {
        // A publisher's lease is on record before it has it, a translator's is not.
        let lease = if job.state == JobState::Publishing { Vec::new() } else { lease_of(job) };
        Self { lease, ..Self::without_lease(job, events) }
    }

    /// A report about a job that no worker has in hand.
    pub(super) fn without_lease(job: &Job, events: Vec<JobEvent>) -> Self {
        Self {
            target: job.target.clone(),
            at: LinePosition::of(job),
            token: job.token,
            lease: Vec::new(),
            events,
        }
    }

    /// Whether a translator had it in hand.
    pub(super) fn is_of_translation(&self) -> bool {
        !self.lease.is_empty()
    }
}

/// The events by which a job is leased to a worker.
pub(super) fn lease_of(job: &Job) -> Vec<JobEvent> {
    let translated = job.translation.is_some();
    let lease = if translated { JobEvent::LeasedForPublication } else { JobEvent::LeasedForTranslation };
    let released = (job.state == JobState::Held).then_some(JobEvent::Released { translated });
    released.into_iter().chain([lease]).collect()
}

/// The event by which a publisher's lease is taken back of a job that it was to look up.
pub(super) fn never_looked_up() -> JobEvent {
    JobEvent::OutcomeLost { reason: "its publisher ended before it looked".into(), not_before: None }
}

/// Reports what became of leased jobs.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct ReportJobs(
    /// One for each.
    pub Vec<JobReport>,
);

/// A worker ended.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct Reclaim {
    /// Which incarnation of it, as its leases name it.
    pub holder: String,
    /// How.
    pub reason: String,
    /// Whether what it had in hand may be to blame: it panicked, or hung.
    pub suspect: bool,
}

/// Nothing can be published on an account until a person fixes that: its token was revoked.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Block {
    /// Which.
    pub account: AccountId,
    /// What to fix.
    pub reason: String,
}

/// Answered when nothing more can be done without a person, a quota or time.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Drained")]
pub struct Drain;

/// What is left when nothing more can be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drained {
    /// Targets that wait for a person, and what to do.
    pub blocked: BTreeMap<TargetId, String>,
    /// Jobs that wait for another try, and the last reason, by target.
    pub waiting: BTreeMap<TargetId, (usize, String)>,
}

/// Asks what is in memory.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Depths")]
pub struct Depth;

/// How many jobs in memory there are in each phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, actix::MessageResponse)]
pub struct Depths(
    /// By target: waiting, translating, ready, publishing.
    pub HashMap<TargetId, [usize; 4]>,
);
