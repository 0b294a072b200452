//! Looks up a message whose outcome is unknown among the account's own messages.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use log::warn;
use mynah_domain::{
    Job, JobEvent, PostId,
    job::Publication,
    ports::{Draft, PublishError, Since},
};

use super::{Halt, Publisher};
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
        let network = self.destination.network();
        if let Err(until) = self.parts.upstreams.permit(network) {
            let reason = format!("{network} has not answered lately and is left in peace for a while");
            return Err(Halt::Event(JobEvent::OutcomeLost { reason, not_before: Some(self.at(until)) }));
        }
        let since = match &begun.after {
            Some(message) => Since::Message(message.clone()),
            None => Since::Moment(begun.intent_at.saturating_sub(SLACK).unwrap_or(Timestamp::MIN)),
        };
        failpoint::reach("x.lookup.before");
        let started = Instant::now();
        let shown = self.destination.recent(&since).await;
        failpoint::reach("x.lookup.after");
        self.heard("lookup", started, shown.as_ref().err());
        let shown = match shown {
            Ok(shown) => shown,
            Err(PublishError::Unauthorized(reason)) => {
                let event = |not_before| JobEvent::OutcomeLost { reason: reason.clone(), not_before };
                return Err(self.refused(event, &reason, job));
            }
            Err(error) => {
                warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason:% = error; "lookup failed and will be tried again");
                let wait = self.parts.settle + self.backoff(job);
                let until = match &error {
                    PublishError::RateLimited { until, .. } => *until,
                    _ => None,
                };
                let not_before = Some(self.in_a(wait).max(until.unwrap_or(Timestamp::MIN)));
                return Err(Halt::Event(JobEvent::OutcomeLost { reason: error.to_string(), not_before }));
            }
        };
        let same: Vec<PostId> = shown
            .into_iter()
            .filter(|message| self.destination.is_same(draft, message))
            .map(|message| message.id)
            .collect();
        let on_record = self.parts.ledger.recorded(&self.parts.target.id, &same).await?;
        // The oldest: what came after it would be the double.
        let found = same.into_iter().rev().find(|id| !on_record.contains(id));
        if found.is_none() && job.attempt <= 1 && self.is_fresh(begun) {
            let reason = "it was sent a moment ago and may not show yet".to_owned();
            let not_before = Some(self.in_a(self.parts.settle));
            return Err(Halt::Event(JobEvent::OutcomeLost { reason, not_before }));
        }
        Ok(found)
    }

    /// Whether a message that was begun then may be on the account and not show yet. After a first look, time has passed
    /// whatever the clock says, which may have been set.
    fn is_fresh(&self, begun: &Publication) -> bool {
        begun.intent_at.saturating_add(self.parts.settle).unwrap_or(Timestamp::MAX) > self.parts.clock.now()
    }
}
