//! What a failed call to the network means for the job and for the account.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mynah_domain::{
    Hold, Job, JobEvent,
    breaker::CallOutcome,
    job::HoldKind,
    ports::{Denied, LedgerError, PublishError},
};

use super::Publisher;
use crate::router::Intent;

/// How often a message that the network calls a repetition is looked up before it is held as one.
const LOOKUPS: u32 = 3;

/// Credentials are believed to be revoked after this many refusals in a row: networks refuse good ones now and then.
const REFUSALS: u32 = 3;

/// A limit that is used up for longer than this is a hold that people see, and not just another try.
const SHORT: Duration = Duration::from_mins(1);

/// Why a job is not published now.
pub(super) enum Halt {
    /// What becomes of the job.
    Event(JobEvent),
    /// The same, and nothing more can be published until a person fixes this.
    Blocked(JobEvent, String),
    /// It may not answer the message that it was to answer, and was not published.
    ReplyRefused(String),
    /// The ledger cannot be used.
    Ledger(LedgerError),
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// What is known of a message that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// Its intent is not on record yet.
    First,
    /// Its intent was recorded with the job's lease; it was not sent.
    Begun,
    /// It was sent before, and the answer was lost. The network recognizes its key.
    Again,
}

/// Puts a job back with the reason, not to be tried again before that moment.
pub(super) type PutBack = fn(String, Option<Timestamp>) -> JobEvent;

/// Nothing of it was sent.
pub(super) fn not_sent(reason: String, not_before: Option<Timestamp>) -> JobEvent {
    JobEvent::NotSent { not_before, reason }
}

/// Something of it may be on the account.
pub(super) fn outcome_lost(reason: String, not_before: Option<Timestamp>) -> JobEvent {
    JobEvent::OutcomeLost { reason, not_before }
}

impl Publisher {
    /// Records how a call to the network went.
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

    /// Whether the network may be called; the job goes back with `put_back` where it may not.
    pub(super) fn permit(&self, put_back: PutBack) -> Result<(), Halt> {
        let network = self.destination.network();
        self.parts.upstreams.permit(network).map_err(|until| {
            let reason = format!("{network} has not answered lately and is not called for a while");
            Halt::Event(put_back(reason, Some(self.at(until))))
        })
    }

    /// What a failed call means for the job. Where nothing was published, the intent is taken back first.
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
            // Nothing was published by this call, but perhaps by the one before it.
            PublishError::Unavailable(_) if sending == Sending::Again => {
                return Ok(Halt::Event(outcome_lost(reason, Some(self.in_a(self.pause_for(job, None))))));
            }
            PublishError::Denied(denied) if sending == Sending::Again => {
                return Ok(self.denied(job, denied, outcome_lost));
            }
            PublishError::Duplicate(_) if !self.is_safe_to_repeat(job) => {
                if let Some(halt) = self.after_repetition(job, intent.part, &reason).await? {
                    return Ok(halt);
                }
            }
            _ => {}
        }
        self.write(job, intent.absent()).await?;
        Ok(match error {
            PublishError::Denied(denied) => self.denied(job, &denied, not_sent),
            PublishError::ReplyRefused(_) => Halt::ReplyRefused(reason),
            PublishError::Duplicate(_) | PublishError::Refused(_) => {
                Halt::Event(held(HoldKind::Refused, reason, None))
            }
            PublishError::Unavailable(_) | PublishError::OutcomeUnknown(_) => {
                Halt::Event(not_sent(reason, Some(self.in_a(self.pause_for(job, None)))))
            }
        })
    }

    /// What becomes of a part that the network calls a repetition: it may be this very message, sent by a try whose answer
    /// was lost. `None` where it was looked up often enough, and is another message.
    async fn after_repetition(&self, job: &Job, part: u32, reason: &str) -> Result<Option<Halt>, Halt> {
        let suspense = self.suspense(job, part, |suspense| suspense.repetitions += 1);
        let begun = self.parts.ledger.publications(job.id).await?;
        let begun = begun.iter().find(|begun| begun.part == part);
        if let Some(begun) = begun
            && let Some(remote_id) = self.look_up(job, begun).await?
        {
            // The next turn continues behind it.
            self.write(job, JobEvent::PartSent { part, remote_id }).await?;
            return Ok(Some(Halt::Event(not_sent(reason.to_owned(), None))));
        }
        // It may be this message all the same, and the timeline late to show it.
        let lost = || Halt::Event(outcome_lost(reason.to_owned(), Some(self.after_settling(job))));
        Ok((suspense.repetitions < LOOKUPS).then(lost))
    }

    /// What becomes of the job and the account where the account may not act now.
    pub(super) fn denied(&self, job: &Job, denied: &Denied, put_back: PutBack) -> Halt {
        let reason = denied.to_string();
        match denied {
            Denied::Blocked(_) => Halt::Blocked(put_back(reason.clone(), None), reason),
            Denied::Unauthorized(_) => {
                self.refusals.set(self.refusals.get() + 1);
                if self.refusals.get() >= REFUSALS {
                    return Halt::Blocked(put_back(reason.clone(), None), reason);
                }
                Halt::Event(put_back(reason, Some(self.in_a(self.pause_for(job, None)))))
            }
            Denied::RateLimited { until, .. } => {
                self.limited.set(self.limited.get().saturating_add(1));
                let wait = self.pause_for(job, *until);
                let until = Some(self.in_a(wait));
                Halt::Event(if wait > SHORT {
                    held(HoldKind::Quota, reason, until)
                } else {
                    put_back(reason, until)
                })
            }
        }
    }

    /// How long the job waits before its next try: longer with each try and with each limit that the account met since it
    /// last published, whichever are more. A job that was held for a limit counts its tries from the start again.
    pub(super) fn pause_for(&self, job: &Job, until: Option<Timestamp>) -> Duration {
        let asked = until.map(|until| {
            Duration::try_from(until.duration_since(self.parts.clock.now())).unwrap_or_default()
        });
        self.parts.backoff.pause(job.attempt.max(self.limited.get()).max(1), fastrand::f64(), asked)
    }

    /// When to find out about a message whose outcome is unknown: where it is looked up, once it must show; and later with
    /// each try.
    pub(super) fn after_settling(&self, job: &Job) -> Timestamp {
        let settle = if self.is_safe_to_repeat(job) { Duration::ZERO } else { self.parts.settle };
        self.in_a(settle + self.pause_for(job, None))
    }

    pub(super) fn in_a(&self, wait: Duration) -> Timestamp {
        self.parts.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// The time of day of a moment to come.
    pub(super) fn at(&self, moment: Instant) -> Timestamp {
        self.in_a(moment.saturating_duration_since(Instant::now()))
    }
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
