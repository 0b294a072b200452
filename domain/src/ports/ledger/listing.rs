//! What people look at: jobs by state, target or reason, the latest publications, and how many jobs there are.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::LedgerError;
use crate::{
    AccountId, JobId, JobState, Post, PostId, TargetId, Translation,
    job::{BeforeSkip, RejectedTranslation},
    review::{Draft, ReviewDecision},
};

/// Queries for people, which never decide about work. The results may lag behind by a moment.
#[async_trait(?Send)]
pub trait Listing: Send + Sync {
    /// Up to `limit` jobs that match `filter`, ordered by number and starting behind `after`. Includes jobs of a
    /// backfill that is not complete yet.
    async fn jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError>;

    /// The latest publications on these accounts, latest first.
    async fn last_published(&self, accounts: &[AccountId], limit: usize)
    -> Result<Vec<JobLine>, LedgerError>;

    /// Up to `limit` published jobs, newest first and older than `before`, to refill a cache that was lost.
    async fn published(&self, before: Option<JobId>, limit: usize) -> Result<Vec<PublishedJob>, LedgerError>;

    /// How many jobs are in each state, by target.
    async fn counts(&self) -> Result<BTreeMap<(TargetId, JobState), u64>, LedgerError>;

    /// The jobs that have been held, or in review, since `moment` or longer, by target.
    async fn held_since(&self, moment: Timestamp) -> Result<BTreeMap<TargetId, HeldJobs>, LedgerError>;

    /// What people decided about the drafts of a job, in order.
    async fn draft_decisions(&self, job: JobId) -> Result<Vec<DraftDecision>, LedgerError>;

    /// When the last `limit` recorded posts of a source were published there, in the source's order, last first. Posts
    /// without their texts count, too.
    async fn post_times(&self, source: &str, limit: usize) -> Result<Vec<Timestamp>, LedgerError>;
}

/// A decision on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftDecision {
    /// When it was made.
    pub at: Timestamp,
    /// The token of the job that the person looked at.
    pub token: i64,
    /// The decision; without its note if the texts of the post were removed.
    pub decision: ReviewDecision,
}

/// The jobs of a target that are held or in review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldJobs {
    /// How many there are.
    pub jobs: u64,
    /// When the one that has waited longest was held.
    pub oldest: Timestamp,
}

/// Which jobs a person wants to see. Empty fields match everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// These jobs.
    pub ids: Vec<JobId>,
    /// In one of these states.
    pub states: Vec<JobState>,
    /// For one of these targets.
    pub targets: Vec<TargetId>,
    /// Of this post, from whichever source.
    pub post: Option<PostId>,
    /// Held or skipped for this kind of reason, by its name.
    pub kind: Option<String>,
    /// With these words in the post, in its translation or in the reason, whatever the case of ASCII letters.
    pub words: Option<String>,
    /// Newest first; `after` then means older jobs.
    pub newest_first: bool,
}

/// A job as a person sees it: its state, since when and why, and its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLine {
    /// Its number in the ledger.
    pub id: JobId,
    /// The post to republish.
    pub post: PostId,
    /// The target.
    pub target: TargetId,
    /// Its state.
    pub state: JobState,
    /// The token of its last lease, which a change of it must name.
    pub token: i64,
    /// How often it was leased since its last progress.
    pub attempt: u32,
    /// The kind of hold or skip.
    pub kind: Option<String>,
    /// The last reason why it was not published.
    pub reason: Option<String>,
    /// Not before this time may any worker take it.
    pub not_before: Option<Timestamp>,
    /// When its post was written by the source's clock, but never after it was recorded.
    pub written_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The text of the post; empty if it was removed.
    pub text: String,
    /// Whether the texts of the post and of its jobs were removed.
    pub is_forgotten: bool,
    /// Its translation, once there is one.
    pub translation: Option<Translation>,
    /// The last translation that is not published as it is, for a job without a translation.
    pub rejected: Option<RejectedTranslation>,
    /// The translation that waits for a person, or waited when the job was skipped.
    pub draft: Option<Box<Draft>>,
    /// Its parts that are known to be on an account, in order: the account, and the message's id there.
    pub messages: Vec<(AccountId, PostId)>,
    /// What it was before a person skipped it, unless it was in its line.
    pub before_skip: Option<BeforeSkip>,
    /// How many of its parts were begun and have an unknown outcome: these may be on the account.
    pub unanswered: u32,
    /// The post in its raw form, if it could not be read.
    pub raw: Option<String>,
}

/// A translation that was published, and its post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedJob {
    /// Its number in the ledger.
    pub id: JobId,
    /// The post.
    pub post: Post,
    /// Where it was published.
    pub target: TargetId,
    /// What was published.
    pub translation: Translation,
    /// When the job was published.
    pub at: Timestamp,
}
