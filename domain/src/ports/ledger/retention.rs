//! Removing texts that are no longer needed. A ledger would otherwise keep every text ever published, although only the
//! ids, keys and states are needed so that nothing is published twice.

use async_trait::async_trait;
use jiff::Timestamp;

use super::LedgerError;
use crate::{JobId, JobState, PostId, TargetId};

/// Removes texts for good. A post is *forgotten* as a whole: its text, entities and media, the raw form if it could not
/// be read, its translations, the texts of its publications, and the reasons that may quote them. What stays: ids,
/// positions, keys, states, times, and what replies to what.
///
/// Only a post whose jobs are all published or skipped is forgotten, so no work is lost. After that, its jobs never
/// change again ([`Change`](super::Change)s that would release them are illegal), and [`Work`](super::Work) answers for
/// it as before, with [`Post::without_text`](crate::Post::without_text). If the source shows the post again, or another
/// version of it, nothing is published and no text is stored.
#[async_trait(?Send)]
pub trait Retention: Send + Sync {
    /// Forgets a post and all of its versions, from whichever source. Forgetting it again is not an error.
    async fn forget(&self, post: &PostId) -> Result<Result<Removed, NotForgotten>, LedgerError>;

    /// Forgets up to `limit` posts, oldest record first, that were recorded and whose jobs were published or skipped
    /// before `moment`. Returns how many it forgot.
    async fn forget_before(&self, moment: Timestamp, limit: usize) -> Result<u64, LedgerError>;

    /// Leaves no trace of removed texts in storage, and gives the space that they took back to the system. Other callers
    /// wait meanwhile, for a time that grows with the size of the ledger.
    async fn compact(&self) -> Result<(), LedgerError>;
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// The post's versions on record.
    pub posts: u64,
    /// Their jobs.
    pub jobs: u64,
}

/// Why a post was not forgotten. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotForgotten {
    /// There is no such post.
    #[error("it is not on record")]
    NoSuchPost,
    /// Some of its jobs are neither published nor skipped.
    #[error("{}; skip what should not be published, or wait until it is", list(.0))]
    Unsettled(Vec<(JobId, TargetId, JobState)>),
}

fn list(jobs: &[(JobId, TargetId, JobState)]) -> String {
    let jobs = jobs.iter().map(|(job, target, state)| format!("job {job} for {target} is {state}"));
    jobs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_that_is_not_forgotten_names_the_jobs_that_are_not_finished() {
        let jobs = vec![
            (JobId(1), TargetId::from("plain:town_es"), JobState::Queued),
            (JobId(2), TargetId::from("plain:town_fr"), JobState::Held),
        ];
        let message = NotForgotten::Unsettled(jobs).to_string();
        let named = "job 1 for plain:town_es is queued, job 2 for plain:town_fr is held; ";
        assert!(message.starts_with(named), "{message}");
    }
}
