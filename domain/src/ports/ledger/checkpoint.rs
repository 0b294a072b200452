//! How far a source's timeline is recorded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Post, PostId, catch_up::Gap};

/// How far a source's timeline is recorded.
///
/// A poll reads *back* from the newest post, and may be interrupted on the way. Then a gap remains between the
/// watermark and the posts that it has seen. The jobs of these posts wait until the gap is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Everything up to this post is recorded; `None` if a source is followed from its first post.
    pub watermark: Option<Mark>,
    /// The backfill in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Backfill>,
    /// The newest post from before the source was followed. It and older posts are not republished, edited or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Mark>,
    /// When the source was first polled, if it showed no post then. One empty answer does not prove that there were
    /// none, so posts from before this time are not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When the source was last read to the watermark, to within minutes; `None` if that does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// What is left to republish of the backfill in progress, if it closes a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

impl Checkpoint {
    /// The checkpoint after a page that contained posts at these positions, in whatever order, and was the last of the
    /// backfill if `whole`.
    #[must_use]
    pub fn after_page(self, shown: &[Mark], whole: bool) -> Self {
        let position = |mark: &&Mark| mark.position;
        let seen =
            self.backfill.as_ref().into_iter().flat_map(|backfill| [&backfill.newest, &backfill.oldest]);
        let seen: Vec<&Mark> = seen.chain(shown).collect();
        let ends = (seen.iter().copied().max_by_key(position), seen.iter().copied().min_by_key(position));
        let backfill = match ends {
            (Some(newest), Some(oldest)) => Some(Backfill { newest: newest.clone(), oldest: oldest.clone() }),
            _ => None,
        };
        match backfill {
            // If a source returns posts from below the watermark, they do not lower it.
            Some(Backfill { newest, .. }) if whole => {
                let watermark = self.watermark.into_iter().chain([newest]).max_by_key(|mark| mark.position);
                Self { watermark, backfill: None, gap: None, ..self }
            }
            None if whole => Self { gap: None, ..self },
            backfill => Self { backfill, ..self },
        }
    }
}

/// A point on a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The post at this point.
    pub id: PostId,
    /// Its position in the source's order.
    pub position: u64,
}

impl Mark {
    /// The mark of a post.
    pub fn of(post: &Post) -> Self {
        Self { id: post.id.clone(), position: post.position }
    }
}

/// The way back from the newest post to the watermark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// Where it began: becomes the watermark when the backfill reaches the old one.
    pub newest: Mark,
    /// How far back it has read.
    pub oldest: Mark,
}

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
    fn the_watermark_moves_only_when_the_backfill_is_complete() {
        let start = Checkpoint { watermark: Some(mark(10)), ..Checkpoint::default() };
        let first = start.after_page(&marks([19, 18, 17]), false);
        assert_eq!(first.watermark, Some(mark(10)));
        assert_eq!(first.backfill, Some(Backfill { newest: mark(19), oldest: mark(17) }));
        let second = first.after_page(&marks([]), false);
        let third = second.after_page(&marks([14, 12]), false);
        assert_eq!(third.backfill, Some(Backfill { newest: mark(19), oldest: mark(12) }));
        assert_eq!(
            third.after_page(&marks([]), true),
            Checkpoint { watermark: Some(mark(19)), ..Checkpoint::default() }
        );
    }

    #[test]
    fn a_poll_that_finds_nothing_changes_nothing() {
        let start = Checkpoint { watermark: Some(mark(10)), ..Checkpoint::default() };
        assert_eq!(start.clone().after_page(&[], true), start);
    }

    #[test]
    fn a_backfill_spans_every_position_that_was_seen_in_whatever_order() {
        let start = Checkpoint { watermark: Some(mark(10)), ..Checkpoint::default() };
        for (pages, newest, oldest) in [
            (vec![vec![12, 19, 15]], 19, 12),
            (vec![vec![13, 12], vec![19, 18]], 19, 12),
            (vec![vec![19], vec![19], vec![19]], 19, 19),
            (vec![vec![], vec![15], vec![]], 15, 15),
            (vec![vec![11, 12], vec![12, 11]], 12, 11),
        ] {
            let after =
                pages.iter().cloned().fold(start.clone(), |at, page| at.after_page(&marks(page), false));
            let expected = Backfill { newest: mark(newest), oldest: mark(oldest) };
            assert_eq!(after.backfill, Some(expected), "{pages:?}");
            assert_eq!(after.after_page(&[], true).watermark, Some(mark(newest)), "{pages:?}");
        }
    }

    #[test]
    fn a_post_from_below_the_watermark_does_not_lower_it() {
        let start = Checkpoint { watermark: Some(mark(10)), ..Checkpoint::default() };
        assert_eq!(start.clone().after_page(&marks([7, 3]), true), start);
    }
}
