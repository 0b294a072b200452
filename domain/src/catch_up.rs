//! Decides which posts are still republished that a source shows after it was not read for a while: Mynah was stopped, or
//! paused, or the source did not answer. Followers must not be flooded with a week of posts at once.
//!
//! A source is read from its newest post back, one page at a time, so the decision is made as the posts come: the newest
//! that may be republished are counted, and what is older is skipped. The count is part of the source's checkpoint, so a
//! crash in the middle decides nothing twice. A thread counts as one: if one of its posts is republished, so are the posts
//! before it, back to its start.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Post, PostId};

/// Which of the posts that a gap brings are republished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// All of them.
    #[default]
    All,
    /// This many of the newest.
    Latest(u32),
}

/// When a source has a gap, and what becomes of the posts in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatchUpPolicy {
    /// Which posts are republished.
    pub which: CatchUp,
    /// A source that was not read for longer than this has a gap.
    pub after: Duration,
}

impl Default for CatchUpPolicy {
    /// Republishes everything.
    fn default() -> Self {
        Self { which: CatchUp::All, after: Duration::from_hours(6) }
    }
}

impl CatchUpPolicy {
    /// Whether nothing is ever skipped.
    pub fn is_all(&self) -> bool {
        self.which == CatchUp::All
    }

    /// The gap that a source has at `now` which was last read at `read_at`; `None` if it has none, or if nothing of it is
    /// skipped.
    pub fn gap(&self, read_at: Timestamp, now: Timestamp) -> Option<Gap> {
        let CatchUp::Latest(left) = self.which else { return None };
        let away = Duration::try_from(now.duration_since(read_at)).unwrap_or_default();
        (away > self.after).then(|| Gap { left, threads: BTreeSet::new() })
    }
}

/// What is left to republish of the posts that a gap brings, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// How many more posts, a thread being one.
    left: u32,
    /// The posts that precede those that are republished in their threads, and have not come yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    threads: BTreeSet<PostId>,
}

impl Gap {
    /// Whether a post that would be republished still is; newer posts must have been asked about before.
    pub fn admits(&mut self, post: &Post) -> bool {
        let is_expected =
            self.threads.remove(&post.id) | post.versions.iter().any(|id| self.threads.remove(id));
        if !is_expected {
            let Some(left) = self.left.checked_sub(1) else { return false };
            self.left = left;
        }
        self.threads.extend(post.kind.continues().cloned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PostKind, fixtures};

    fn gap(latest: u32) -> Gap {
        let policy = CatchUpPolicy { which: CatchUp::Latest(latest), ..CatchUpPolicy::default() };
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        policy.gap(now - Duration::from_hours(7), now).unwrap()
    }

    fn post(id: u64, parent: Option<u64>) -> Post {
        let kind = parent
            .map_or(PostKind::Original, |parent| PostKind::Thread { parent: PostId(parent.to_string()) });
        Post { kind, ..fixtures::post(id, "Hello") }
    }

    /// The posts that are republished, of these with their parents, newest first.
    fn admitted(mut gap: Gap, posts: &[(u64, Option<u64>)]) -> Vec<u64> {
        let admitted = posts.iter().filter(|(id, parent)| gap.admits(&post(*id, *parent)));
        admitted.map(|(id, _)| *id).collect()
    }

    #[test]
    fn a_source_has_a_gap_only_if_it_was_not_read_for_long_and_something_is_skipped() {
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        let has_gap = |which, hours: i64| {
            let policy = CatchUpPolicy { which, ..CatchUpPolicy::default() };
            policy.gap(now - jiff::SignedDuration::from_hours(hours), now).is_some()
        };
        assert!(!has_gap(CatchUp::All, 1000));
        assert!(!has_gap(CatchUp::Latest(3), 6));
        assert!(has_gap(CatchUp::Latest(3), 7));
        assert!(has_gap(CatchUp::Latest(0), 7));
        assert!(!has_gap(CatchUp::Latest(0), -7), "the clock was set back");
    }

    #[test]
    fn the_newest_posts_are_republished_and_older_ones_are_not() {
        let posts = [(9, None), (8, None), (7, None), (6, None)];
        assert_eq!(admitted(gap(2), &posts), [9, 8]);
        assert!(admitted(gap(0), &posts).is_empty());
        assert_eq!(admitted(gap(9), &posts), [9, 8, 7, 6]);
    }

    #[test]
    fn a_thread_is_republished_from_its_start_or_not_at_all() {
        let posts = [(9, Some(7)), (8, None), (7, Some(5)), (6, None), (5, None), (4, Some(3)), (3, None)];
        assert_eq!(admitted(gap(1), &posts), [9, 7, 5]);
        assert_eq!(admitted(gap(2), &posts), [9, 8, 7, 5]);
        assert_eq!(admitted(gap(4), &posts), [9, 8, 7, 6, 5, 4, 3]);
    }

    #[test]
    fn a_crash_between_two_posts_changes_no_decision() {
        let posts = [(9, Some(7)), (8, None), (7, Some(5)), (6, None), (5, None), (4, None)];
        for latest in 0..4 {
            let mut gap = gap(latest);
            let whole = admitted(gap.clone(), &posts);
            let mut stored = Vec::new();
            for (id, parent) in posts {
                gap = serde_json::from_str(&serde_json::to_string(&gap).unwrap()).unwrap();
                stored.extend(gap.admits(&post(id, parent)).then_some(id));
            }
            assert_eq!(stored, whole);
        }
    }
}
