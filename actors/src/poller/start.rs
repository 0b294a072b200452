//! The first poll of an account whose posts are republished from now on.

use std::time::Duration;

use log::info;
use mynah_domain::ports::{PageRequest, SourceError, ledger::Checkpoint};

use super::{
    Polled, Poller, Trouble,
    payment::{PageCost, PaidPage},
    trail::{MOST_BARREN, Next, Trail},
};
use crate::supervision::shell::Stop;

/// How far this machine's clock may be ahead of the source's without losing posts of an account that had none at the
/// start.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(5);

impl Poller {
    /// Takes the newest post as the watermark, so that no earlier post is republished. That post may be several pages
    /// back: a page may contain only posts that the source leaves out.
    pub(super) async fn start_now(&self, stop: &Stop) -> Result<Polled, Trouble> {
        let mut trail = Trail::new(PageRequest { limit: 1, ..PageRequest::default() }, MOST_BARREN);
        let (watermark, cost) = loop {
            let next = match self.paid_page(trail.request(), stop).await {
                Ok(PaidPage { page, cost }) => {
                    let newest = page.marks().into_iter().max_by_key(|mark| mark.position);
                    if newest.is_some() {
                        break (newest, cost);
                    }
                    self.settle_page(cost).await;
                    trail.after_page(page.continuation, false, None)
                }
                Err(Trouble::Source(SourceError::Refused(_))) if trail.request().continuation.is_some() => {
                    trail.after_refusal(None)
                }
                Err(trouble) => return Err(trouble),
            };
            match next {
                Next::End => break (None, PageCost::nothing()),
                Next::CutShort => {
                    let reason =
                        "the source offers more pages without any posts, so its newest post is unknown";
                    return Err(SourceError::Unavailable(reason.into()).into());
                }
                Next::Ask { wait } => self.wait_before(wait, stop).await?,
            }
        };
        let newest = watermark.as_ref().map_or("none yet", |mark| mark.id.0.as_str());
        info!(source = self.parts.source.as_str(), newest = newest; "starting point set");
        let since = match watermark {
            Some(_) => None,
            None => Some(self.parts.clock.now() - CLOCK_TOLERANCE),
        };
        let mut checkpoint =
            Checkpoint { watermark: watermark.clone(), start: watermark, since, ..Checkpoint::default() };
        self.note_read(&mut checkpoint);
        self.record(Vec::new(), checkpoint, cost).await?;
        Ok(Polled::Done { posts: 0, started_now: true })
    }
}
