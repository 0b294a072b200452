//! The durable record of posts, jobs, publications and cursors. Everything that may not be lost is here and nowhere
//! else; actors hold claims on it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    Job, JobEvent, JobId, JobState, Post, PostId, Skip, TargetId, Translation, caps::Spent, job::Publication,
};

/// The durable record. Every method that changes something is one transaction: done and durable, or not at all.
#[async_trait(?Send)]
pub trait Ledger: Send + Sync {
    /// Where polling stands for a source; `None` for one never polled.
    async fn progress(&self, source: &str) -> Result<Option<Progress>, LedgerError>;

    /// Writes a page's posts and jobs and the moved progress. Posts that are on record already are left as they are.
    ///
    /// **Edited posts.** All versions of a post share one publication, whichever of them came first and whichever names
    /// the others: the *recorded version*. It is the first of them to be recorded; of those in one page, the first in
    /// the page. Any other version gets jobs that are skipped with [`Skip::Edited`], also where the recorded version is
    /// below the floor. [`Ledger::publication_of`], [`Ledger::state_of`] and [`Ledger::post`] answer for the recorded
    /// version when they are asked about another one.
    ///
    /// **Unreadable posts.** The jobs of a post that could not be read are held for a person ([`HoldKind::Unreadable`])
    /// and never handed out. When the same post comes in a readable form, that form replaces the raw one, and the jobs
    /// that waited for it go on. When a readable version of it comes, that one becomes the recorded version, and the jobs
    /// of the unreadable one are skipped. When it is unreadable again, the jobs that a person retried are held again.
    ///
    /// [`HoldKind::Unreadable`]: crate::job::HoldKind::Unreadable
    async fn record(&self, page: RecordPage) -> Result<Recorded, LedgerError>;

    /// Up to `limit` posts of a source that could not be read and whose job a person retries, oldest first. Their jobs
    /// wait until [`Ledger::record`] brings the post again.
    async fn to_reread(&self, source: &str, limit: usize) -> Result<Vec<PostId>, LedgerError>;

    /// Up to `limit` jobs of a target that are not settled, in the source's order, from `after` on; only those whose
    /// whole stretch of the timeline is on record, so that order can be kept. A job that is held until a moment
    /// stays in its line; one that waits for a person does not, nor does one whose post could not be read.
    async fn open_jobs(
        &self,
        target: &TargetId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Job>, LedgerError>;

    /// Applies changes, in order, all in one transaction, and answers each alone. An event that speaks against what is on
    /// record about a job's parts is illegal, too; to say a known outcome again is not.
    async fn advance(&self, changes: Vec<Change>) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError>;

    /// Puts the jobs that a process before this one had in hand back where they can be taken up, their attempts counted:
    /// what was being translated is queued again; what was being published is of unknown outcome where a part was begun
    /// that is not known to be sent, and ready otherwise. What a cap or a quota held goes on, too: it may have
    /// been raised. All of these get a new token, so that who had one before changes nothing any more. What waited for
    /// another try is tried at once, as for the first time: what was in its way may have been mended. Answers how many were
    /// in hand.
    async fn recover(&self) -> Result<u64, LedgerError>;

    /// How many publications a target began in the UTC day and month of `now`, or later: where the clock was put back, they
    /// may well have been today's, and a cap is better kept too early than too late.
    async fn spent(&self, target: &TargetId, now: Timestamp) -> Result<Spent, LedgerError>;

    /// The last publication that a post, or the recorded version of it, became on a target: what the next part of a
    /// thread replies to.
    async fn publication_of(&self, post: &PostId, target: &TargetId) -> Result<Option<PostId>, LedgerError>;

    /// Where the job of a post, or of its recorded version, stands for a target; `None` where there is no such job.
    async fn state_of(&self, post: &PostId, target: &TargetId) -> Result<Option<JobState>, LedgerError>;

    /// A post on record, from whichever source: its recorded version.
    async fn post(&self, id: &PostId) -> Result<Option<Post>, LedgerError>;

    /// The parts of a job that were begun, in order.
    async fn publications(&self, job: JobId) -> Result<Vec<Publication>, LedgerError>;

    /// Which of these messages on a target's account are on record as publications: what is not may be one whose
    /// answer never came.
    async fn recorded(&self, target: &TargetId, messages: &[PostId]) -> Result<Vec<PostId>, LedgerError>;

    /// Up to `limit` jobs that `filter` lets through, by their numbers, from behind `after` on: for a person who looks,
    /// and never for work, whose order is [`Ledger::open_jobs`]'s. Jobs of a walk that is not whole yet are among them.
    async fn jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError>;

    /// The jobs that these targets published last, the latest first.
    async fn last_said(&self, targets: &[TargetId], limit: usize) -> Result<Vec<JobLine>, LedgerError>;

    /// Up to `limit` jobs that are published, the newest first, from before `before` on: for a cache that was lost, read
    /// like what people look at, and never for work.
    async fn published(&self, before: Option<JobId>, limit: usize) -> Result<Vec<PublishedJob>, LedgerError>;

    /// How many jobs stand where, by target.
    async fn counts(&self) -> Result<BTreeMap<(TargetId, JobState), u64>, LedgerError>;

    /// A small fact kept for an adapter: an account's id that costs money to look up.
    async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError>;

    /// Keeps such a fact.
    async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError>;
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
    /// Of this post.
    pub post: Option<PostId>,
    /// Held or skipped for this sort of reason, by its name.
    pub kind: Option<String>,
    /// With these words in the post, in what is said of it or in the reason, whatever the case of ASCII letters.
    pub words: Option<String>,
    /// The newest first; what is asked for after one then comes before it.
    pub newest_first: bool,
}

/// A job as a person sees it: where it stands, since when and why, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLine {
    /// Its number in the ledger.
    pub id: JobId,
    /// The post to say again.
    pub post: PostId,
    /// Where.
    pub target: TargetId,
    /// Where it stands.
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
    /// What the post says.
    pub text: String,
    /// Its translation, once there is one.
    pub translation: Option<Translation>,
    /// How many of its parts were begun and are of unknown outcome: these may be on the account.
    pub unanswered: u32,
    /// The post as it came, where it could not be read.
    pub raw: Option<String>,
}

/// What was said, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedJob {
    /// Its number in the ledger.
    pub id: JobId,
    /// The post.
    pub post: Post,
    /// Where it was said again.
    pub target: TargetId,
    /// What was said.
    pub translation: Translation,
    /// Since when the job is published.
    pub at: Timestamp,
}

/// How far a source's timeline is on record.
///
/// A poll walks *back* from the newest post, and may be cut off on the way: what it has seen is then a stretch between
/// `floor` and the posts not yet seen. Jobs of that stretch wait until it is whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Everything up to this post is on record; `None` where a source is followed from its first post.
    pub floor: Option<Mark>,
    /// A walk back that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk: Option<Walk>,
    /// The newest post from before the source was followed. It and what is older is left alone, edited or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Mark>,
}

impl Progress {
    /// Where polling stands after a page that showed posts at these places, in whatever order, and which was the last of
    /// the walk if `whole`.
    #[must_use]
    pub fn after_page(self, shown: &[Mark], whole: bool) -> Self {
        let place = |mark: &&Mark| mark.position;
        let seen = self.walk.as_ref().into_iter().flat_map(|walk| [&walk.newest, &walk.oldest]);
        let seen: Vec<&Mark> = seen.chain(shown).collect();
        let walk = match (seen.iter().copied().max_by_key(place), seen.iter().copied().min_by_key(place)) {
            (Some(newest), Some(oldest)) => Some(Walk { newest: newest.clone(), oldest: oldest.clone() }),
            _ => None,
        };
        match walk {
            // A source that shows posts from below the floor does not lower it.
            Some(Walk { newest, .. }) if whole => {
                let floor = self.floor.into_iter().chain([newest]).max_by_key(|mark| mark.position);
                Self { floor, walk: None, ..self }
            }
            walk => Self { walk, ..self },
        }
    }
}

/// A place on a timeline.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// The post there.
    pub id: PostId,
    /// Its place in the source's order.
    pub position: u64,
}

impl Mark {
    /// The place of a post.
    pub fn of(post: &Post) -> Self {
        Self { id: post.id.clone(), position: post.position }
    }
}

/// A walk back from the newest post to the floor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Walk {
    /// Where it began: becomes the floor when the walk reaches the old one.
    pub newest: Mark,
    /// How far back it is.
    pub oldest: Mark,
}

/// What a page brings to the ledger.
#[derive(Debug, Clone)]
pub struct RecordPage {
    /// the source, `plain:town`.
    pub source: String,
    /// The posts, each with the targets it goes to or is not to go to.
    pub posts: Vec<RecordPost>,
    /// Where polling stands after it.
    pub progress: Progress,
}

/// A post and its jobs.
#[derive(Debug, Clone)]
pub struct RecordPost {
    /// The post.
    pub post: Arc<Post>,
    /// One for each target; a reason where the post is not said there.
    pub jobs: Vec<(TargetId, Option<Skip>)>,
    /// What came instead of the post, where it could not be read: all of its jobs are held.
    pub unreadable: Option<Raw>,
}

/// The raw form of a post that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The post as it came.
    pub json: String,
    /// Why its jobs are held and what to do, for a person.
    pub reason: String,
}

/// What was new in a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Posts that were not on record.
    pub posts: u64,
    /// Jobs to be done.
    pub jobs: u64,
    /// Jobs skipped from the start.
    pub skipped: u64,
    /// Jobs held because their post could not be read.
    pub held: u64,
    /// Posts on record that could not be read until now.
    pub reread: u64,
    /// New posts whose jobs are all skipped, because another version of each is the recorded one.
    pub edited: Vec<PostId>,
}

/// Why the jobs of a post are skipped when another version of it is the recorded one.
pub fn edited_reason(recorded: &PostId) -> String {
    format!("it is a version of post {recorded}, whose job decides what is published")
}

/// A change to one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which job.
    pub job: JobId,
    /// The token it is leased under; for a lease, the one it had before.
    pub token: i64,
    /// What happened, in order. All of them or none.
    pub events: Vec<JobEvent>,
}

/// A change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advanced {
    /// Where the job stands now.
    pub state: JobState,
    /// Its token now.
    pub token: i64,
    /// How often it was leased since its last progress.
    pub attempt: u32,
}

/// A change was not made, and changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Somebody else has the job by now.
    #[error("job {job} was leased again since (its token is {current}, not {offered})")]
    Stale {
        /// The job.
        job: JobId,
        /// The token it has.
        current: i64,
        /// The token that was named.
        offered: i64,
    },
    /// The table of states has no such step.
    #[error("job {job} is {state} and cannot go on by {event}")]
    Illegal {
        /// The job.
        job: JobId,
        /// Where it stands.
        state: JobState,
        /// What was to happen.
        event: String,
    },
    /// There is no such job.
    #[error("there is no job {0}")]
    NoSuchJob(JobId),
}

/// The ledger cannot be used; publishing without a record is out of the question, so the service stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LedgerError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(ids: impl IntoIterator<Item = u64>) -> Vec<Mark> {
        ids.into_iter().map(mark).collect()
    }

    fn mark(id: u64) -> Mark {
        Mark { id: PostId(id.to_string()), position: id }
    }

    #[test]
    fn the_floor_moves_only_when_the_walk_is_whole() {
        let start = Progress { floor: Some(mark(10)), ..Progress::default() };
        let first = start.after_page(&marks([19, 18, 17]), false);
        assert_eq!(first.floor, Some(mark(10)));
        assert_eq!(first.walk, Some(Walk { newest: mark(19), oldest: mark(17) }));
        let second = first.after_page(&marks([]), false);
        let third = second.after_page(&marks([14, 12]), false);
        assert_eq!(third.walk, Some(Walk { newest: mark(19), oldest: mark(12) }));
        assert_eq!(
            third.after_page(&marks([]), true),
            Progress { floor: Some(mark(19)), ..Progress::default() }
        );
    }

    #[test]
    fn a_poll_that_finds_nothing_changes_nothing() {
        let start = Progress { floor: Some(mark(10)), ..Progress::default() };
        assert_eq!(start.clone().after_page(&[], true), start);
    }

    #[test]
    fn a_walk_spans_every_place_that_was_shown_in_whatever_order() {
        let start = Progress { floor: Some(mark(10)), ..Progress::default() };
        for (pages, newest, oldest) in [
            (vec![vec![12, 19, 15]], 19, 12),
            (vec![vec![13, 12], vec![19, 18]], 19, 12),
            (vec![vec![19], vec![19], vec![19]], 19, 19),
            (vec![vec![], vec![15], vec![]], 15, 15),
            (vec![vec![11, 12], vec![12, 11]], 12, 11),
        ] {
            let walked =
                pages.iter().cloned().fold(start.clone(), |at, page| at.after_page(&marks(page), false));
            assert_eq!(walked.walk, Some(Walk { newest: mark(newest), oldest: mark(oldest) }), "{pages:?}");
            assert_eq!(walked.after_page(&[], true).floor, Some(mark(newest)), "{pages:?}");
        }
    }

    #[test]
    fn a_post_from_below_the_floor_does_not_lower_it() {
        let start = Progress { floor: Some(mark(10)), ..Progress::default() };
        assert_eq!(start.clone().after_page(&marks([7, 3]), true), start);
    }
}
