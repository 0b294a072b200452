//! Decides what a failed call to the network means for the job and for the account.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mynah_domain::{
    Hold, Job, JobEvent, Skip, Translation,
    breaker::CallOutcome,
    job::HoldKind,
    ports::{Denied, LedgerError, PublishError},
};

use super::Publisher;
use crate::router::Intent;

/// How often a message that the network calls a duplicate is looked up before it is held as one.
const LOOKUPS: u32 = 3;

/// Credentials are presumed revoked after this many refusals in a row: networks sometimes refuse valid ones.
const REFUSALS: u32 = 3;

/// If a limit lasts longer than this, the job is held, which people see, instead of just retried.
const SHORT: Duration = Duration::from_mins(1);

/// Why a job is not published now.
pub(super) enum Halt {
    /// The event that changes the job.
    Event(JobEvent),
    /// The same, and nothing more can be published on the account until a person fixes it.
    Blocked(Box<JobEvent>, String),
    /// The network refused this message as a reply, and did not publish it.
    ReplyRefused(String),
    /// The ledger cannot be used.
    Ledger(LedgerError),
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// What is known about a message before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// Its intent is not recorded yet.
    First,
    /// Its intent was recorded with the job's lease; it was not sent.
    Begun,
    /// It was sent before, and the answer was lost. The network recognizes its key.
    Again,
}

/// Makes the event that puts a job back, with the reason and the earliest time of the next attempt.
pub(super) type PutBack = fn(String, Option<Timestamp>) -> JobEvent;

/// Nothing was sent.
pub(super) fn not_sent(reason: String, not_before: Option<Timestamp>) -> JobEvent {
    JobEvent::NotSent { not_before, reason }
}

/// Something may be on the account.
pub(super) fn outcome_lost(reason: String, not_before: Option<Timestamp>) -> JobEvent {
    JobEvent::OutcomeLost { reason, not_before }
}

impl Publisher {
    /// Records the result of a call to the network.
    pub(super) fn record_call(
        &self,
        operation: &'static str,
        started: Instant,
        error: Option<&PublishError>,
    ) {
        let network = self.destination.network();
        let silent = matches!(error, Some(PublishError::Unavailable(_) | PublishError::OutcomeUnknown(_)));
        self.parts
            .upstreams
            .record(network, if silent { CallOutcome::Silent } else { CallOutcome::Answered });
        if !silent && !matches!(error, Some(PublishError::Denied(Denied::Unauthorized(_)))) {
            self.refusals.set(0);
        }
        self.parts.meter.called(network, operation, started.elapsed(), error.map(kind_of));
    }

    /// Whether the network may be called. If not, the job is put back with `put_back`.
    pub(super) fn permit(&self, put_back: PutBack) -> Result<(), Halt> {
        let network = self.destination.network();
        self.parts.upstreams.permit(network).map_err(|until| {
            let reason = format!("{network} is not answering, so calls to it are suspended for a while");
            Halt::Event(put_back(reason, Some(self.at(until))))
        })
    }

    /// Whether the network may let the account publish. If it refused to for a longer time, the jobs of all targets wait
    /// until then without asking it again.
    pub(super) fn check_parked(&self) -> Result<(), Halt> {
        let parked = self.parked.borrow();
        match &*parked {
            Some((until, reason)) if *until > self.parts.clock.now() => {
                Err(Halt::Event(held(HoldKind::Quota, reason.clone(), Some(*until))))
            }
            _ => Ok(()),
        }
    }

    /// Decides what a failed call means for the job. If nothing was published, the intent is withdrawn first.
    pub(super) async fn after_error(
        &self,
        job: &Job,
        intent: &Intent,
        sending: Sending,
        error: PublishError,
    ) -> Result<Halt, Halt> {
        let reason = error.to_string();
        match &error {
            PublishError::OutcomeUnknown(_) => {
                return Ok(Halt::Event(outcome_lost(reason, Some(self.after_settling(job)))));
            }
            // This call published nothing, but the one before it may have.
            PublishError::Unavailable(_) if sending == Sending::Again => {
                return Ok(Halt::Event(outcome_lost(reason, Some(self.in_a(self.pause_for(job, None))))));
            }
            PublishError::Denied(denied) if sending == Sending::Again => {
                return Ok(self.denied_to_publish(job, denied, outcome_lost));
            }
            PublishError::Duplicate(_) if !self.is_safe_to_repeat(job) => {
                if let Some(halt) = self.after_repetition(job, intent.part, &reason).await? {
                    return Ok(halt);
                }
            }
            // The network may refuse a message before it looks at the key: its parent was deleted meanwhile, or it
            // forgot the key.
            PublishError::Duplicate(_) | PublishError::ReplyRefused(_) | PublishError::Refused(_)
                if sending == Sending::Again =>
            {
                if let Some(halt) = self.found(job, intent.part, &reason).await? {
                    return Ok(halt);
                }
            }
            _ => {}
        }
        self.write(job, intent.absent()).await?;
        Ok(match error {
            PublishError::Denied(denied) => self.denied_to_publish(job, &denied, not_sent),
            PublishError::ReplyRefused(_) => Halt::ReplyRefused(reason),
            // The same link or emoji again is no fault that a person could fix.
            PublishError::Duplicate(_) if intent.part == 0 && is_copy(job) => {
                Halt::Event(JobEvent::Skipped(Skip::Repeated))
            }
            PublishError::Duplicate(_) | PublishError::Refused(_) => {
                Halt::Event(held(HoldKind::Refused, reason, None))
            }
            PublishError::Unavailable(_) | PublishError::OutcomeUnknown(_) => {
                Halt::Event(not_sent(reason, Some(self.in_a(self.pause_for(job, None)))))
            }
        })
    }

    /// Handles a part that the network calls a duplicate: it may be this very message, sent by an attempt whose answer
    /// was lost. `None` if it was looked up often enough and is another message.
    async fn after_repetition(&self, job: &Job, part: u32, reason: &str) -> Result<Option<Halt>, Halt> {
        let suspense = self.suspense(job, part, |suspense| suspense.repetitions += 1);
        if let Some(found) = self.found(job, part, reason).await? {
            return Ok(Some(found));
        }
        // It may still be this message: the timeline may show it late.
        let lost = || Halt::Event(outcome_lost(reason.to_owned(), Some(self.after_settling(job))));
        Ok((suspense.repetitions < LOOKUPS).then(lost))
    }

    /// Looks up a part that the network refused, and records it if it is on the account from an earlier attempt.
    async fn found(&self, job: &Job, part: u32, reason: &str) -> Result<Option<Halt>, Halt> {
        let begun = self.parts.ledger.publications(job.id).await?;
        let begun = begun.iter().find(|begun| begun.part == part);
        if let Some(begun) = begun
            && let Some(remote_id) = self.look_up(job, begun).await?
        {
            // The next step continues after this part.
            self.write(job, JobEvent::PartSent { part, remote_id }).await?;
            return Ok(Some(Halt::Event(not_sent(reason.to_owned(), None))));
        }
        Ok(None)
    }

    /// Decides what happens if the account may not publish now. A longer wait is one for all of its targets; a limit on
    /// other calls, such as lookups, is not.
    fn denied_to_publish(&self, job: &Job, denied: &Denied, put_back: PutBack) -> Halt {
        let halt = self.denied(job, denied, put_back);
        if let Halt::Event(JobEvent::Held(Hold { kind: HoldKind::Quota, reason, until: Some(until) })) = &halt
        {
            self.parked.replace(Some((*until, reason.clone())));
        }
        halt
    }

    /// Decides what happens to the job and the account if the account may not act now.
    pub(super) fn denied(&self, job: &Job, denied: &Denied, put_back: PutBack) -> Halt {
        let reason = denied.to_string();
        match denied {
            Denied::Blocked(_) => Halt::Blocked(Box::new(put_back(reason.clone(), None)), reason),
            Denied::Unauthorized(_) => {
                self.refusals.set(self.refusals.get() + 1);
                if self.refusals.get() >= REFUSALS {
                    return Halt::Blocked(Box::new(put_back(reason.clone(), None)), reason);
                }
                Halt::Event(put_back(reason, Some(self.in_a(self.pause_for(job, None)))))
            }
            Denied::RateLimited { until, .. } => {
                self.limited.set(self.limited.get().saturating_add(1));
                let wait = self.pause_for(job, *until);
                let until = self.in_a(wait);
                Halt::Event(if wait > SHORT {
                    held(HoldKind::Quota, reason, Some(until))
                } else {
                    put_back(reason, Some(until))
                })
            }
        }
    }

    /// How long the job waits before its next attempt. The wait grows with each attempt, or with each limit that the
    /// account hit since it last published, whichever count is higher. A job that was held because of a limit counts
    /// its attempts from zero again.
    pub(super) fn pause_for(&self, job: &Job, until: Option<Timestamp>) -> Duration {
        let asked = until.map(|until| {
            Duration::try_from(until.duration_since(self.parts.clock.now())).unwrap_or_default()
        });
        self.parts.backoff.pause(job.attempt.max(self.limited.get()).max(1), fastrand::f64(), asked)
    }

    /// When to find out about a message whose outcome is unknown. If it must be looked up, not before it must be
    /// visible; later after each attempt.
    pub(super) fn after_settling(&self, job: &Job) -> Timestamp {
        let settle = if self.is_safe_to_repeat(job) { Duration::ZERO } else { self.parts.settle };
        self.in_a(settle + self.pause_for(job, None))
    }

    pub(super) fn in_a(&self, wait: Duration) -> Timestamp {
        self.parts.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Converts a future instant to a timestamp.
    pub(super) fn at(&self, moment: Instant) -> Timestamp {
        self.in_a(moment.saturating_duration_since(Instant::now()))
    }
}

/// Whether the job's post has no words and is published as it is.
fn is_copy(job: &Job) -> bool {
    job.translation.as_ref().is_some_and(Translation::is_copy)
}

pub(super) fn held(kind: HoldKind, reason: String, until: Option<Timestamp>) -> JobEvent {
    JobEvent::Held(Hold { kind, reason, until })
}

fn kind_of(error: &PublishError) -> &'static str {
    match error {
        PublishError::OutcomeUnknown(_) => "outcome_unknown",
        PublishError::Duplicate(_) => "duplicate",
        PublishError::Denied(denied) => kind_of_denial(denied),
        PublishError::Unavailable(_) => "unavailable",
        PublishError::ReplyRefused(_) => "reply_refused",
        PublishError::Refused(_) => "refused",
    }
}

pub(super) fn kind_of_denial(denied: &Denied) -> &'static str {
    match denied {
        Denied::Unauthorized(_) => "unauthorized",
        Denied::Blocked(_) => "blocked",
        Denied::RateLimited { .. } => "rate_limited",
    }
}
