//! What becomes of the posts that a source shows after it was not read for a while. The settings may want only the newest
//! of them, and the others are then recorded as skipped. Each decision is part of the page's record, with the count of what
//! is left: a crash in the middle of a backfill decides nothing twice.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mynah_domain::{
    Post, Skip,
    ports::ledger::{Checkpoint, RecordPost},
};

use super::{Poller, Trouble, reread::Arrival};

/// How exactly the ledger knows when a source was last read. Most polls bring nothing, and should write nothing.
const NOTED_EVERY: Duration = Duration::from_mins(10);

impl Poller {
    /// Finds out whether the source was not read for a while, unless that was decided when the backfill began.
    pub(super) async fn look_for_gap(&self, checkpoint: &mut Checkpoint) -> Result<(), Trouble> {
        let policy = self.parts.eligibility.catch_up;
        if policy.is_all() {
            (checkpoint.read_at, checkpoint.gap) = (None, None);
        } else if checkpoint.backfill.is_none() {
            let read_at = match checkpoint.read_at {
                Some(read_at) => Some(read_at),
                None => self.newest_recorded(checkpoint).await?,
            };
            checkpoint.gap = read_at.and_then(|read_at| policy.gap(read_at, self.parts.clock.now()));
        }
        Ok(())
    }

    /// When the newest recorded post was written; `None` if none is on record.
    async fn newest_recorded(&self, checkpoint: &Checkpoint) -> Result<Option<Timestamp>, Trouble> {
        let Some(newest) = &checkpoint.watermark else { return Ok(None) };
        let post = self.parts.ledger.post(&self.parts.source, &newest.id).await?;
        Ok(post.map(|post| post.created_at))
    }

    /// Notes that the source was just read to the watermark.
    pub(super) fn note_read(&self, checkpoint: &mut Checkpoint) {
        if self.parts.eligibility.catch_up.is_all() {
            return;
        }
        let now = self.parts.clock.now();
        let is_recent = |read_at: Timestamp| now.duration_since(read_at).unsigned_abs() < NOTED_EVERY;
        if !checkpoint.read_at.is_some_and(is_recent) {
            checkpoint.read_at = Some(now);
        }
    }

    /// Decides what is republished of a page, newest first, and counts it against what the gap admits. Returns also how many
    /// posts are skipped because newer ones are enough.
    pub(super) fn decided(
        &self,
        arrivals: Vec<Arrival>,
        checkpoint: &mut Checkpoint,
    ) -> (Vec<RecordPost>, u64) {
        let mut gap = checkpoint.gap.take();
        let mut passed_over = 0;
        let mut decided = Vec::with_capacity(arrivals.len());
        for Arrival { post, unreadable } in arrivals {
            let mut jobs: Vec<_> = self
                .parts
                .order
                .iter()
                .filter_map(|id| {
                    let skip = match &unreadable {
                        None => self.skip_reason(&post, self.parts.targets.get(id)?, checkpoint),
                        Some(_) => None,
                    };
                    Some((id.clone(), skip))
                })
                .collect();
            let is_published = unreadable.is_none() && jobs.iter().any(|(_, skip)| skip.is_none());
            if is_published
                && is_first_seen(&post, checkpoint)
                && let Some(gap) = &mut gap
                && !gap.admits(&post)
            {
                passed_over += 1;
                for (_, skip) in &mut jobs {
                    skip.get_or_insert(Skip::CatchUp);
                }
            }
            decided.push(RecordPost { jobs, post: Arc::new(post), unreadable });
        }
        checkpoint.gap = gap;
        (decided, passed_over)
    }
}

/// Whether a post comes for the first time in this backfill: others are on record, and were counted.
fn is_first_seen(post: &Post, checkpoint: &Checkpoint) -> bool {
    let is_known = checkpoint.watermark.as_ref().is_some_and(|mark| post.position <= mark.position);
    let is_repeated =
        checkpoint.backfill.as_ref().is_some_and(|backfill| post.position >= backfill.oldest.position);
    !is_known && !is_repeated
}
