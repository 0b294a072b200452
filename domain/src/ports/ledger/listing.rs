//! What people look at: jobs by state, target or reason, what was published last, and how many jobs there are.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::LedgerError;
use crate::{AccountId, JobId, JobState, Post, PostId, TargetId, Translation};

/// What people look at, and what never decides about work. It may lag behind by a moment.
#[async_trait(?Send)]
pub trait Listing: Send + Sync {
    /// Up to `limit` jobs that match `filter`, by their numbers, from behind `after` on. Jobs of a backfill that is not
    /// whole yet are among them.
    async fn jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError>;

    /// The jobs that were published last on these accounts, the latest first.
    async fn last_published(&self, accounts: &[AccountId], limit: usize)
    -> Result<Vec<JobLine>, LedgerError>;

    /// Up to `limit` jobs that are published, the newest first, from before `before` on: to fill a cache that was lost.
    async fn published(&self, before: Option<JobId>, limit: usize) -> Result<Vec<PublishedJob>, LedgerError>;

    /// How many jobs are in which state, by target.
    async fn counts(&self) -> Result<BTreeMap<(TargetId, JobState), u64>, LedgerError>;
}

/// Which jobs a person wants to see. What is left empty lets everything through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// These jobs.
    pub ids: Vec<JobId>,
    /// In one of these states.
    pub states: Vec<JobState>,
    /// For this target.
    pub target: Option<TargetId>,
    /// Of this post, from whichever source.
    pub post: Option<PostId>,
    /// Held or skipped for this sort of reason, by its name.
    pub kind: Option<String>,
    /// With these words in the post, in its translation or in the reason, whatever the case of ASCII letters.
    pub words: Option<String>,
    /// The newest first; what is asked for after one then comes before it.
    pub newest_first: bool,
}

/// A job as a person sees it: its state, since when and why, and its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLine {
    /// Its number in the ledger.
    pub id: JobId,
    /// The post to republish.
    pub post: PostId,
    /// Where.
    pub target: TargetId,
    /// Its state.
    pub state: JobState,
    /// The token of its last lease, which a change of it must name.
    pub token: i64,
    /// How often it was leased since its last progress.
    pub attempt: u32,
    /// The sort of hold or skip.
    pub kind: Option<String>,
    /// What last stood in its way.
    pub reason: Option<String>,
    /// Not to be touched before this moment.
    pub not_before: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The text of the post.
    pub text: String,
    /// Its translation, once there is one.
    pub translation: Option<Translation>,
    /// How many of its parts were begun and are of unknown outcome: these may be on the account.
    pub unanswered: u32,
    /// The post as it came, where it could not be read.
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
    /// Since when the job is published.
    pub at: Timestamp,
}
