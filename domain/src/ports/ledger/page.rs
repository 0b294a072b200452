//! What a page of a source's timeline adds to the ledger, and what was new in it.

use std::sync::Arc;

use super::{Checkpoint, ReservationKey};
use crate::{Post, PostId, Skip, TargetId, budget::Charge};

/// What a page adds to the ledger.
#[derive(Debug, Clone)]
pub struct RecordPage {
    /// The source, `plain:town`.
    pub source: String,
    /// The posts, each with its targets.
    pub posts: Vec<RecordPost>,
    /// The source's checkpoint after it.
    pub checkpoint: Checkpoint,
    /// What reading it cost, which replaces what was reserved for it ([`Spending::settle`](super::Spending::settle)).
    pub settles: Option<(ReservationKey, Vec<Charge>)>,
}

/// A post and its jobs.
#[derive(Debug, Clone)]
pub struct RecordPost {
    /// The post.
    pub post: Arc<Post>,
    /// One for each target, with a reason if the post is not published there.
    pub jobs: Vec<(TargetId, Option<Skip>)>,
    /// The raw form, if the post could not be read: all of its jobs are held.
    pub unreadable: Option<Raw>,
}

/// The raw form of a post that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The post in its raw form.
    pub json: String,
    /// Why its jobs are held and what to do, for a person.
    pub reason: String,
}

/// What was new in a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Posts that were not recorded before.
    pub posts: u64,
    /// New jobs to do.
    pub jobs: u64,
    /// Jobs skipped from the start.
    pub skipped: u64,
    /// Jobs held because their post could not be read.
    pub held: u64,
    /// Recorded posts that could not be read until now.
    pub reread: u64,
    /// New posts whose jobs are all skipped, because another version of each is the recorded one.
    pub edited: Vec<PostId>,
    /// New posts whose jobs are held, because the ledger was restored from a backup and they may be published already.
    pub held_back: Vec<PostId>,
}

/// Why the jobs of a post are skipped when another version of it is the recorded one.
pub fn edited_reason(recorded: &PostId) -> String {
    format!("this is a version of post {recorded}, whose job decides what is published")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_for_skipping_a_version_names_the_recorded_one() {
        assert!(edited_reason(&PostId("12".into())).contains("post 12"));
    }
}
