//! Looks up a message whose outcome is unknown among the account's own messages.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use log::warn;
use mynah_domain::{
    Job, PostId,
    job::Publication,
    ports::{Draft, PublishError, Since},
};

use super::{Halt, Publisher, failure::outcome_lost};
use crate::failpoint;

/// How far before the intent a lookup begins where the account had no message yet to begin from: more than this machine's
/// clock may have been ahead when the intent was written.
const SLACK: Duration = Duration::from_hours(24);

impl Publisher {
    /// Looks whether a message that was begun is on the account: the same text, since the intent, and not on record as
    /// another publication.
    pub(super) async fn look_up(
        &self,
        job: &Job,
        draft: &Draft,
        begun: &Publication,
    ) -> Result<Option<PostId>, Halt> {
        self.permit(outcome_lost)?;
        let since = match &begun.after {
            Some(message) => Since::Message(message.clone()),
            None => Since::Moment(begun.intent_at.saturating_sub(SLACK).unwrap_or(Timestamp::MIN)),
        };
        failpoint::reach("destination.lookup.before");
        let started = Instant::now();
        let shown = self.destination.recent(&since).await;
        failpoint::reach("destination.lookup.after");
        self.heard("lookup", started, shown.as_ref().err());
        let shown = match shown {
            Ok(shown) => shown,
            Err(PublishError::Denied(denied)) => return Err(self.denied(job, &denied, outcome_lost)),
            Err(error) => return Err(self.not_known(job, error.to_string())),
        };
        let same: Vec<PostId> = shown
            .messages
            .into_iter()
            .filter(|message| self.destination.is_same(draft, message))
            .map(|message| message.id)
            .collect();
        let on_record = self.parts.ledger.recorded(&self.parts.account(), &same).await?;
        // The oldest: what came after it would be the double.
        let found = same.into_iter().rev().find(|id| !on_record.contains(id));
        if found.is_some() {
            return Ok(found);
        }
        if let Some(gap) = shown.gap {
            return Err(self.not_known(job, format!("the account may show more than was read: {gap}")));
        }
        if self.is_fresh(job, begun) {
            let reason = "it was sent a moment ago and may not show yet".to_owned();
            return Err(Halt::Event(outcome_lost(reason, Some(self.after_settling(job)))));
        }
        Ok(None)
    }

    /// A lookup brought no answer to go by: nothing is sent until one does.
    fn not_known(&self, job: &Job, reason: String) -> Halt {
        warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "lookup failed and will be tried again");
        Halt::Event(outcome_lost(reason, Some(self.after_settling(job))))
    }

    /// Whether a message that was begun then may be on the account and not show yet. Where the clock on the wall was set
    /// back, `settle` after this publisher's first look is enough.
    fn is_fresh(&self, job: &Job, begun: &Publication) -> bool {
        let now = tokio::time::Instant::now();
        let suspense = self.suspense(job, begun.part, |suspense| {
            suspense.first_look.get_or_insert(now);
        });
        let shows_by = begun.intent_at.saturating_add(self.parts.settle).unwrap_or(Timestamp::MAX);
        let looked_for = suspense.first_look.map_or(Duration::ZERO, |first| now.duration_since(first));
        shows_by > self.parts.clock.now() && looked_for < self.parts.settle
    }
}
