//! What a page of a source's timeline brings to the ledger, and what of it was new.

use std::sync::Arc;

use super::Checkpoint;
use crate::{Post, PostId, Skip, TargetId};

/// What a page brings to the ledger.
#[derive(Debug, Clone)]
pub struct RecordPage {
    /// The source, `plain:town`.
    pub source: String,
    /// The posts, each with the targets it goes to or is not to go to.
    pub posts: Vec<RecordPost>,
    /// How far the source is on record after it.
    pub checkpoint: Checkpoint,
}

/// A post and its jobs.
#[derive(Debug, Clone)]
pub struct RecordPost {
    /// The post.
    pub post: Arc<Post>,
    /// One for each target; a reason where the post is not published there.
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
