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
    publish::Beside,
};
use crate::{failpoint, router::Intent};

/// How far before the intent a lookup begins if the account had no message before it: more than this machine's clock
/// can have been ahead when the intent was written.
const SLACK: Duration = Duration::from_hours(24);

/// What this publisher knows about a message whose outcome is unknown. It keeps its own counts: the recorded attempts
/// may be crashes, between which the message had no time to become visible.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Suspense {
    message: Option<(JobId, u32)>,
    /// When it was first looked up.
    first_lookup: Option<tokio::time::Instant>,
    /// How often the network called it a duplicate.
    pub(super) repetitions: u32,
}

impl Publisher {
    /// What is known about a message whose outcome is unknown, after applying `change`.
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

    /// Finds out what happened to a part that was begun before. Returns its id, or `None` if it is certainly not on the
    /// account; then the intent is withdrawn.
    pub(super) async fn find_out(&self, job: &Job, begun: &Publication) -> Result<Option<PostId>, Halt> {
        let found = self.look_up(job, begun).await?;
        if found.is_some() {
            info!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0; "existing publication found");
        } else {
            self.write(job, JobEvent::PartAbsent { part: begun.part }).await?;
        }
        Ok(found)
    }

    /// Checks whether a message that was begun is on the account: the same text, published after the intent, and not
    /// recorded as another publication.
    pub(super) async fn look_up(&self, job: &Job, begun: &Publication) -> Result<Option<PostId>, Halt> {
        self.permit(outcome_lost)?;
        let since = match &begun.after {
            Some(message) => Since::Message(message.clone()),
            None => Since::Moment(begun.intent_at.saturating_sub(SLACK).unwrap_or(Timestamp::MIN)),
        };
        let reserved = self.reserve_lookup(job).await?;
        failpoint::reach("destination.lookup.before");
        let started = Instant::now();
        let shown = self.destination.recent(&since).await;
        failpoint::reach("destination.lookup.after");
        self.record_call("lookup", started, shown.as_ref().err());
        self.settle_lookup(reserved, shown.as_ref().map_or(0, |shown| shown.billed)).await;
        let shown = match shown {
            Ok(shown) => shown,
            Err(PublishError::Denied(denied)) => return Err(self.denied(job, &denied, outcome_lost)),
            Err(error) => return Err(self.not_known(job, error.to_string())),
        };
        // Versions of Mynah that chose no key also compared by text.
        let intent = Intent::recorded(begun).unwrap_or_else(|| {
            Intent::new(begun.part, &begun.account, &begun.text, begun.reply.clone(), begun.intent_at)
        });
        let draft = self.draft(job, &intent, Beside::default());
        let same: Vec<PostId> = shown
            .messages
            .into_iter()
            .filter(|message| self.destination.is_same(&draft, message))
            .map(|message| message.id)
            .collect();
        let on_record = self.parts.ledger.recorded(&self.parts.account, &same).await?;
        // Take the oldest: any later one would be the duplicate.
        let found = same.into_iter().rev().find(|id| !on_record.contains(id));
        if found.is_some() {
            return Ok(found);
        }
        if let Some(gap) = shown.gap {
            return Err(self.not_known(
                job,
                format!("the account may have messages that the list does not show: {gap}"),
            ));
        }
        if self.is_fresh(job, begun) {
            let reason = "it was sent a moment ago and may not be visible yet".to_owned();
            return Err(Halt::Event(outcome_lost(reason, Some(self.after_settling(job)))));
        }
        Ok(None)
    }

    /// The lookup was not conclusive: nothing is sent until one is.
    fn not_known(&self, job: &Job, reason: String) -> Halt {
        warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "lookup failed");
        Halt::Event(outcome_lost(reason, Some(self.after_settling(job))))
    }

    /// Whether a message begun at that time may be on the account without being visible yet. If the system clock was
    /// set back, `settle` after this publisher's first lookup is enough.
    ///
    /// Another instance may have begun it, whose clock may be minutes apart; but not after this publisher was built.
    fn is_fresh(&self, job: &Job, begun: &Publication) -> bool {
        let now = tokio::time::Instant::now();
        let suspense = self.suspense(job, begun.part, |suspense| {
            suspense.first_lookup.get_or_insert(now);
        });
        let shows_by = begun.intent_at.saturating_add(self.parts.settle).unwrap_or(Timestamp::MAX);
        let looked_for = suspense.first_lookup.map_or(Duration::ZERO, |first| now.duration_since(first));
        let is_settling = shows_by > self.parts.clock.now() && looked_for < self.parts.settle;
        if !self.parts.holdings.are_shared() {
            return is_settling;
        }
        let is_anothers = begun.intent_at > self.parts.clock.now();
        (is_settling && !is_anothers) || now.duration_since(self.built) < self.parts.settle
    }
}
