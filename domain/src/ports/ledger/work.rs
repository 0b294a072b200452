//! What the pipeline needs from the ledger.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Advanced, Change, ChangeError, Checkpoint, LedgerError, RecordPage, Recorded};
use crate::{
    AccountId, Job, JobId, JobState, Post, PostId, TargetId,
    caps::Spent,
    publication::{Publication, Reply},
};

/// What the pipeline needs from the ledger. Every method that changes something is one transaction: done and durable,
/// or not at all. Each may be called again if its answer was lost, see [`LedgerError::Retryable`].
///
/// **Sources.** A target follows one source. Each source has its own positions, which are never compared with
/// another's.
#[async_trait(?Send)]
pub trait Work: Send + Sync {
    /// The checkpoint of a source; `None` if it was never polled.
    async fn checkpoint(&self, source: &str) -> Result<Option<Checkpoint>, LedgerError>;

    /// Records a page's posts and jobs and the new checkpoint. Posts that are recorded already stay unchanged, so a
    /// page that comes again adds nothing.
    ///
    /// **Edited posts.** All versions of a post share one publication, whichever of them came first and whichever names
    /// the others: that of the *recorded version*. It is the first version to be recorded; of several in one page, the
    /// first in the page. The jobs of any other version are skipped with [`Skip::Edited`], even if the recorded version
    /// is below the watermark. When [`Work::publication_of`], [`Work::state_of`] and [`Work::post`] are asked about
    /// another version, they answer for the recorded one.
    ///
    /// **Unreadable posts.** The jobs of a post that could not be read are held for a person ([`HoldKind::Unreadable`])
    /// and never handed out. If the same post comes in a readable form, that form replaces the raw one, and the jobs
    /// that waited for it continue. If another version of it comes that is readable, that version becomes the recorded
    /// one, and the jobs of the unreadable version are skipped. If the post is unreadable again, the jobs that a person
    /// retried are held again.
    ///
    /// **Restored ledgers.** A ledger that was restored from a backup does not know what was published after the backup.
    /// So the jobs of posts from before the restore are held for a person ([`HoldKind::Restored`]) when they are
    /// recorded after it.
    ///
    /// [`Skip::Edited`]: crate::Skip::Edited
    /// [`HoldKind::Restored`]: crate::job::HoldKind::Restored
    /// [`HoldKind::Unreadable`]: crate::job::HoldKind::Unreadable
    async fn record(&self, page: RecordPage) -> Result<Recorded, LedgerError>;

    /// Up to `limit` posts of a source that could not be read and whose job a person retries, oldest first. Their jobs
    /// wait until [`Work::record`] brings the post again.
    async fn to_reread(&self, source: &str, limit: usize) -> Result<Vec<PostId>, LedgerError>;

    /// Up to `limit` jobs of a target's line that are not settled, in order and starting behind `after`. Only jobs
    /// whose whole stretch of the timeline is recorded are returned, to keep the order. A backfill of one source never
    /// delays the jobs of another. A job that is held until a time stays in its line; a job that waits for a person
    /// does not, nor does one whose post could not be read. A job in review stays in its line until it is
    /// [set aside](crate::JobEvent::SetAside).
    async fn open_jobs(
        &self,
        target: &TargetId,
        after: Option<LinePosition>,
        limit: usize,
    ) -> Result<Vec<Job>, LedgerError>;

    /// Applies changes in order, all in one transaction, and answers each separately; see [`Change`] for leases and
    /// repeats. An event that contradicts the record of a job's parts is illegal, too; reporting a known outcome again
    /// is not.
    async fn advance(
        &self,
        changes: Arc<[Change]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError>;

    /// Puts back the jobs of these targets that an earlier process left in progress, and counts their attempts. Jobs in
    /// translation are queued again. Jobs in publication become unknown if a part was begun and is not known to be
    /// sent, otherwise ready. Jobs held because of a cap, a quota or a budget are released, too: the limit may have been raised.
    /// All of these get a new token, so that no earlier worker can change them. Jobs that wait for a retry are retried
    /// at once, as for the first time: the cause may have been fixed. Returns how many jobs were in progress. Jobs of
    /// other targets stay unchanged, for the process that works on those.
    async fn recover(&self, targets: &[TargetId]) -> Result<u64, LedgerError>;

    /// How many publications were begun on an account in the UTC day and month of `now`, or later. If the clock was set
    /// back, later ones may have been today's, and it is better to apply a cap too early than too late.
    async fn spent(&self, account: &AccountId, now: Timestamp) -> Result<Spent, LedgerError>;

    /// The message that continues a thread after a post, or its recorded version, on a target: the post's last
    /// publication there, with the first of the thread. `None` if it has none.
    async fn publication_of(&self, post: &PostId, target: &TargetId) -> Result<Option<Reply>, LedgerError>;

    /// The state of the job of a post, or of its recorded version, for a target; `None` if there is no such job.
    async fn state_of(&self, post: &PostId, target: &TargetId) -> Result<Option<JobState>, LedgerError>;

    /// A recorded post of a source, in its recorded version; without its text if it was forgotten.
    async fn post(&self, source: &str, id: &PostId) -> Result<Option<Post>, LedgerError>;

    /// The parts of a job that were begun, in order.
    async fn publications(&self, job: JobId) -> Result<Vec<Publication>, LedgerError>;

    /// Which of these messages on an account are recorded as publications. Any other may be one whose answer was lost.
    async fn recorded(&self, account: &AccountId, messages: &[PostId]) -> Result<Vec<PostId>, LedgerError>;
}

/// A job's position in its line: the source's order, then the ledger's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinePosition {
    /// Its post's position in the source's order.
    pub position: u64,
    /// The job: several posts may have the same position.
    pub job: JobId,
}

impl LinePosition {
    /// The position of a job.
    pub fn of(job: &Job) -> Self {
        Self { position: job.post.position, job: job.id }
    }
}
