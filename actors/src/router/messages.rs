//! The router's messages: the poller asks it to record a page, workers ask for jobs and report on them, the supervisor
//! asks it to reclaim the jobs of a dead worker.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use actix::Message;
use mynah_domain::{
    AccountId, Job, JobEvent, JobState, PostId, PublicationKey, TargetId,
    ports::{
        LedgerError,
        ledger::{LinePosition, RecordPage, Recorded},
    },
};

use super::intent::Assigned;
use crate::supervision::shell::WorkerRef;

/// Records a page and loads its jobs.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Recorded, LedgerError>")]
pub struct Record {
    /// The page.
    pub page: RecordPage,
    /// When it came from the source.
    pub arrived: Instant,
}

/// A translator asks for jobs; answered as soon as there are any.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Job>, LedgerError>")]
pub struct PullTranslations {
    /// The translator.
    pub worker: WorkerRef,
    /// The most jobs that it can take.
    pub max: usize,
}

/// A publisher asks for jobs; answered as soon as the next job in order is ready, with the jobs that may be published
/// right behind it. Several jobs come with their intents; a job without an intent comes alone. Answers with no jobs if
/// the publisher has exited.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Assigned>, LedgerError>")]
pub struct PullPublications {
    /// The publisher.
    pub worker: WorkerRef,
    /// Its account. The lines of the account's targets take turns; within a line, the order is kept.
    pub account: AccountId,
    /// How many jobs with one part each the publisher accepts at once; their intents are recorded with their leases. If
    /// this is 0, the next job comes without an intent.
    pub room: usize,
}

/// A message on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedMessage {
    /// Its id on the network.
    pub id: PostId,
    /// Where people find it, if the network has a page for it.
    pub url: Option<String>,
}

/// The outcome of a leased job.
#[derive(Debug, Clone)]
pub struct JobReport {
    /// The job's target.
    pub target: TargetId,
    /// The job, and its position in its line.
    pub at: LinePosition,
    /// The token of the lease.
    pub token: i64,
    /// The events that led to the lease, if the ledger does not have them yet.
    pub lease: Vec<JobEvent>,
    /// What happened, in order.
    pub events: Vec<JobEvent>,
    /// The key under which the last part that it reports as sent was sent. It proves which message the report is about,
    /// even if the lease was revoked in the meantime.
    pub sent_under: Option<PublicationKey>,
    /// The first message of a job that is published, for the log.
    pub message: Option<PublishedMessage>,
}

impl JobReport {
    /// Creates a report about a leased job.
    pub fn new(job: &Job, events: Vec<JobEvent>) -> Self {
        // A publisher's lease is recorded before the publisher receives it; a translator's is not.
        let lease = if job.state == JobState::Publishing { Vec::new() } else { lease_of(job) };
        Self { lease, ..Self::without_lease(job, events) }
    }

    /// Creates a report about a job that no worker holds.
    pub(super) fn without_lease(job: &Job, events: Vec<JobEvent>) -> Self {
        Self {
            target: job.target.clone(),
            at: LinePosition::of(job),
            token: job.token,
            lease: Vec::new(),
            events,
            sent_under: None,
            message: None,
        }
    }

    /// The part that it reports as sent under a known key.
    pub(super) fn sent_part(&self) -> Option<(u32, PublicationKey)> {
        let key = self.sent_under?;
        let sent =
            |event: &JobEvent| if let JobEvent::PartSent { part, .. } = event { Some(*part) } else { None };
        Some((self.events.iter().rev().find_map(sent)?, key))
    }

    /// The same report under a new lease of the job, which has this token now and is in nobody's hands.
    pub(super) fn leased_again(self, token: i64) -> Self {
        // Without its key, it is not repeated once more.
        Self { token, lease: vec![JobEvent::LeasedForPublication], sent_under: None, ..self }
    }

    /// Whether the job was leased to a translator.
    pub(super) fn is_of_translation(&self) -> bool {
        self.lease.contains(&JobEvent::LeasedForTranslation)
    }
}

/// The events that lease a job to a worker.
pub(super) fn lease_of(job: &Job) -> Vec<JobEvent> {
    let translated = job.translation.is_some();
    let lease = if translated { JobEvent::LeasedForPublication } else { JobEvent::LeasedForTranslation };
    let released = (job.state == JobState::Held).then_some(JobEvent::Released { translated });
    released.into_iter().chain([lease]).collect()
}

/// The event that revokes a publisher's lease on a job that it was to look up.
pub(super) fn never_looked_up() -> JobEvent {
    JobEvent::OutcomeLost {
        reason: "its publisher exited before it looked the message up".into(),
        not_before: None,
    }
}

/// Reports the outcomes of leased jobs.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct ReportJobs(
    /// One report for each job.
    pub Vec<JobReport>,
);

/// A worker exited. Answered once its jobs are reclaimed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Reclaim {
    /// The incarnation, as its leases name it.
    pub holder: String,
    /// Why it exited.
    pub reason: String,
    /// Whether its job may be to blame: the worker panicked or hung.
    pub suspect: bool,
}

/// Nothing can be published on an account until a person fixes it, for example because its token was revoked.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Block {
    /// The account.
    pub account: AccountId,
    /// What to fix.
    pub reason: String,
}

/// Answered when the run can do nothing more without a person, a quota or time.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Drained")]
pub struct Drain;

/// What is left when the run can do nothing more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drained {
    /// The targets that are blocked until a person acts, and what to do.
    pub blocked: BTreeMap<TargetId, String>,
    /// The jobs that wait for a retry, with the last reason, by target.
    pub waiting: BTreeMap<TargetId, (usize, String)>,
    /// The jobs that wait behind one that waits for a person's approval, by target.
    pub in_review: BTreeMap<TargetId, usize>,
    /// The jobs that wait for their target's delay or quiet hours, and until when, by target.
    pub scheduled: BTreeMap<TargetId, (usize, String)>,
}

/// Asks how many jobs are in memory.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Depths")]
pub struct Depth;

/// How many jobs in memory there are in each phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, actix::MessageResponse)]
pub struct Depths(
    /// By target: waiting, translating, ready, publishing.
    pub HashMap<TargetId, [usize; 4]>,
);
