//! Looks up a message whose outcome is unknown among the account's own messages.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use log::{info, warn};
use mynah_domain::{
    Job, JobEvent, JobId, PostId,
    job::Publication,
    ports::{PublishError, Since},
};

use super::{
    Publisher,
    failure::{Halt, outcome_lost},
};
use crate::{failpoint, router::Intent};

/// How far before the intent a lookup begins where the account had no message yet to begin from: more than this machine's
/// clock may have been ahead when the intent was written.
const SLACK: Duration = Duration::from_hours(24);

/// What this publisher knows of a message whose outcome is not known. It counts for itself: the attempts on record may be
/// crashes, between which no time passed in which the message could show.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Suspense {
    message: Option<(JobId, u32)>,
    /// When it was first looked up.
    first_lookup: Option<tokio::time::Instant>,
    /// How often the network called it a repetition.
    pub(super) repetitions: u32,
}

impl Publisher {
    /// What is known of a message whose outcome is not; changed by `change` first.
    pub(super) fn suspense(&self, job: &Job, part: u32, change: impl FnOnce(&mut Suspense)) -> Suspense {
        let message = Some((job.id, part));
        let mut suspense = self.suspense.get();
        if suspense.message != message {
            suspense = Suspense { message, ..Suspense::default() };
        }
        change(&mut suspense);
        self.suspense.set(suspense);
        suspense
    }

    /// Finds out what became of a part that was begun before: its id, or `None` where it is certainly not on the account.
    /// The intent is then taken back.
    pub(super) async fn find_out(&self, job: &Job, begun: &Publication) -> Result<Option<PostId>, Halt> {
        let found = self.look_up(job, begun).await?;
        if found.is_some() {
            info!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0; "existing publication found");
        } else {
            self.write(job, JobEvent::PartAbsent { part: begun.part }).await?;
        }
        Ok(found)
    }

    /// Looks whether a message that was begun is on the account: the same text, since the intent, and not on record as
    /// another publication.
    pub(super) async fn look_up(&self, job: &Job, begun: &Publication) -> Result<Option<PostId>, Halt> {
        self.permit(outcome_lost)?;
        let since = match &begun.after {
            Some(message) => Since::Message(message.clone()),
            None => Since::Moment(begun.intent_at.saturating_sub(SLACK).unwrap_or(Timestamp::MIN)),
        };
        failpoint::reach("destination.lookup.before");
        let started = Instant::now();
        let shown = self.destination.recent(&since).await;
        failpoint::reach("destination.lookup.after");
        self.record_call("lookup", started, shown.as_ref().err());
        let shown = match shown {
            Ok(shown) => shown,
            Err(PublishError::Denied(denied)) => return Err(self.denied(job, &denied, outcome_lost)),
            Err(error) => return Err(self.not_known(job, error.to_string())),
        };
        // A version that chose no key compared by the text, too.
        let intent = Intent::recorded(begun).unwrap_or_else(|| {
            Intent::new(begun.part, &begun.account, &begun.text, begun.reply.clone(), begun.intent_at)
        });
        let draft = intent.draft(Vec::new());
        let same: Vec<PostId> = shown
            .messages
            .into_iter()
            .filter(|message| self.destination.is_same(&draft, message))
            .map(|message| message.id)
            .collect();
        let on_record = self.parts.ledger.recorded(&self.parts.account, &same).await?;
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
        warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "lookup failed");
        Halt::Event(outcome_lost(reason, Some(self.after_settling(job))))
    }

    /// Whether a message that was begun then may be on the account and not show yet. Where the clock on the wall was set
    /// back, `settle` after this publisher's first look is enough.
    fn is_fresh(&self, job: &Job, begun: &Publication) -> bool {
        let now = tokio::time::Instant::now();
        let suspense = self.suspense(job, begun.part, |suspense| {
            suspense.first_lookup.get_or_insert(now);
        });
        let shows_by = begun.intent_at.saturating_add(self.parts.settle).unwrap_or(Timestamp::MAX);
        let looked_for = suspense.first_lookup.map_or(Duration::ZERO, |first| now.duration_since(first));
        shows_by > self.parts.clock.now() && looked_for < self.parts.settle
    }
}
