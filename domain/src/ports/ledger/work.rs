//! What the pipeline needs of the ledger.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Advanced, Change, ChangeError, Checkpoint, LedgerError, RecordPage, Recorded};
use crate::{
    AccountId, Job, JobId, JobState, Post, PostId, TargetId,
    caps::Spent,
    publication::{Publication, Reply},
};

/// What the pipeline needs of the ledger. Every method that changes something is one transaction: done and durable, or not
/// at all. Each may be called again where its answer was lost, see [`LedgerError::Retryable`].
///
/// **Sources.** A target follows one source. Positions are a source's own and are never compared with another's.
#[async_trait(?Send)]
pub trait Work: Send + Sync {
    /// How far a source is on record; `None` for one never polled.
    async fn checkpoint(&self, source: &str) -> Result<Option<Checkpoint>, LedgerError>;

    /// Writes a page's posts and jobs and the moved checkpoint. Posts that are on record already are left as they are, so
    /// a page that comes again brings nothing new.
    ///
    /// **Edited posts.** All versions of a post share one publication, whichever of them came first and whichever names
    /// the others: the *recorded version*. It is the first of them to be recorded; of those in one page, the first in
    /// the page. Any other version gets jobs that are skipped with [`Skip::Edited`], also where the recorded version is
    /// below the watermark. [`Work::publication_of`], [`Work::state_of`] and [`Work::post`] answer for the recorded
    /// version when they are asked about another one.
    ///
    /// **Unreadable posts.** The jobs of a post that could not be read are held for a person ([`HoldKind::Unreadable`])
    /// and never handed out. When the same post comes in a readable form, that form replaces the raw one, and the jobs
    /// that waited for it continue. When a readable version of it comes, that one becomes the recorded version, and the
    /// jobs of the unreadable one are skipped. When it is unreadable again, the jobs that a person retried are held again.
    ///
    /// [`Skip::Edited`]: crate::Skip::Edited
    /// [`HoldKind::Unreadable`]: crate::job::HoldKind::Unreadable
    async fn record(&self, page: RecordPage) -> Result<Recorded, LedgerError>;

    /// Up to `limit` posts of a source that could not be read and whose job a person retries, oldest first. Their jobs
    /// wait until [`Work::record`] brings the post again.
    async fn to_reread(&self, source: &str, limit: usize) -> Result<Vec<PostId>, LedgerError>;

    /// Up to `limit` jobs of a target's line that are not settled, in order, from behind `after` on; only those whose
    /// whole stretch of the timeline is on record, so that order can be kept. A backfill of one source never holds back
    /// the jobs of another. A job that is held until a moment stays in its line; one that waits for a person does not, nor
    /// does one whose post could not be read.
    async fn open_jobs(
        &self,
        target: &TargetId,
        after: Option<LinePosition>,
        limit: usize,
    ) -> Result<Vec<Job>, LedgerError>;

    /// Applies changes, in order, all in one transaction, and answers each alone; see [`Change`] for leases and repeats. An
    /// event that contradicts what is on record about a job's parts is illegal, too; to report a known outcome again is
    /// not.
    async fn advance(
        &self,
        changes: Arc<[Change]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError>;

    /// Puts back the jobs of these targets that a process before this one had in hand, their attempts counted: what was
    /// being translated is queued again; what was being published is of unknown outcome where a part was begun that is not
    /// known to be sent, and ready otherwise. What a cap or a quota held is released, too: the limit may have been raised.
    /// All of these get a new token, so that whoever had one before changes nothing any more. What waited for another try
    /// is tried at once, as for the first time: what was in its way may have been fixed. Answers how many were in hand.
    /// Jobs of other targets are left as they are, for whoever works on those.
    async fn recover(&self, targets: &[TargetId]) -> Result<u64, LedgerError>;

    /// How many publications were begun on an account in the UTC day and month of `now`, or later: where the clock was put
    /// back, they may well have been today's, and a cap is better kept too early than too late.
    async fn spent(&self, account: &AccountId, now: Timestamp) -> Result<Spent, LedgerError>;

    /// What continues a thread behind a post, or the recorded version of it, on a target: its last publication there, and
    /// the first of the thread. `None` where it has none.
    async fn publication_of(&self, post: &PostId, target: &TargetId) -> Result<Option<Reply>, LedgerError>;

    /// The state of the job of a post, or of its recorded version, for a target; `None` where there is no such job.
    async fn state_of(&self, post: &PostId, target: &TargetId) -> Result<Option<JobState>, LedgerError>;

    /// A post of a source that is on record: its recorded version.
    async fn post(&self, source: &str, id: &PostId) -> Result<Option<Post>, LedgerError>;

    /// The parts of a job that were begun, in order.
    async fn publications(&self, job: JobId) -> Result<Vec<Publication>, LedgerError>;

    /// Which of these messages on an account are on record as publications: any other may be one whose answer never came.
    async fn recorded(&self, account: &AccountId, messages: &[PostId]) -> Result<Vec<PostId>, LedgerError>;
}

/// A job's place in its line: the source's order, then the ledger's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinePosition {
    /// Its post's place in the source's order.
    pub position: u64,
    /// The job: several posts may stand at one place.
    pub job: JobId,
}

impl LinePosition {
    /// The place of a job.
    pub fn of(job: &Job) -> Self {
        Self { position: job.post.position, job: job.id }
    }
}
