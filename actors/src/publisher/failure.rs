//! What a failed call to the network means for the job and for the account.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mynah_domain::{
    Hold, Job, JobEvent,
    breaker::CallOutcome,
    job::HoldKind,
    ports::{Denied, Draft, PublishError},
};

use super::{Halt, Publisher};

/// How often a message that X calls a repetition is looked for before it is held as one.
const LOOKS: u32 = 3;

/// A token is believed to be dead after this many refusals in a row: X refuses a good one now and then.
const REFUSALS: u32 = 3;

/// A limit that is used up for longer than this is a hold that people see, and not just another try.
const SHORT: Duration = Duration::from_mins(1);

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
    /// Takes note of how a call to the network went.
    pub(super) fn heard(&self, operation: &'static str, started: Instant, error: Option<&PublishError>) {
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

    /// What a failed call means for the job. Where nothing was published, the intent is taken back first.
    pub(super) async fn after_error(
        &self,
        job: &Job,
        part: u32,
        draft: &Draft,
        error: PublishError,
    ) -> Result<Halt, Halt> {
        let reason = error.to_string();
        match error {
            PublishError::OutcomeUnknown(_) => {
                return Ok(Halt::Event(outcome_lost(reason, Some(self.after_settling(job)))));
            }
            PublishError::Duplicate(_) => {
                let suspense = self.suspense(job, part, |suspense| suspense.repetitions += 1);
                let begun = self.parts.ledger.publications(job.id).await?;
                let begun = begun.iter().find(|begun| begun.part == part);
                if let Some(begun) = begun
                    && let Some(remote_id) = self.look_up(job, draft, begun).await?
                {
                    // It was this very message, sent by a try whose answer was lost: the next turn goes on behind it.
                    self.write(job, JobEvent::PartSent { part, remote_id }).await?;
                    return Ok(Halt::Event(not_sent(reason, None)));
                }
                if suspense.repetitions < LOOKS {
                    // It may be this message all the same, and the timeline late to show it.
                    return Ok(Halt::Event(outcome_lost(reason, Some(self.after_settling(job)))));
                }
            }
            _ => {}
        }
        self.write(job, JobEvent::PartAbsent { part }).await?;
        Ok(match error {
            PublishError::Denied(denied) => self.denied(job, &denied, not_sent),
            PublishError::ReplyRefused(_) => Halt::ReplyRefused(reason),
            PublishError::Duplicate(_) | PublishError::Refused(_) => {
                Halt::Event(held(HoldKind::Refused, reason, None))
            }
            PublishError::Unavailable(_) | PublishError::OutcomeUnknown(_) => {
                Halt::Event(not_sent(reason, Some(self.in_a(self.pause(job, None)))))
            }
        })
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
                Halt::Event(put_back(reason, Some(self.in_a(self.pause(job, None)))))
            }
            Denied::RateLimited { until, .. } => {
                self.limited.set(self.limited.get().saturating_add(1));
                let wait = self.pause(job, *until);
                let until = Some(self.in_a(wait));
                Halt::Event(if wait > SHORT {
                    held(HoldKind::Quota, reason, until)
                } else {
                    put_back(reason, until)
                })
            }
        }
    }

    /// How long the job waits before its next try: longer with each try and with each limit the account met since it last
    /// published, whichever are more. A job that was held for a limit counts its tries from the start again.
    pub(super) fn pause(&self, job: &Job, until: Option<Timestamp>) -> Duration {
        let asked = until.map(|until| {
            Duration::try_from(until.duration_since(self.parts.clock.now())).unwrap_or_default()
        });
        self.parts.backoff.pause(job.attempt.max(self.limited.get()).max(1), fastrand::f64(), asked)
    }

    /// When to look for a message whose outcome is unknown: once it must show, and later with each try.
    pub(super) fn after_settling(&self, job: &Job) -> Timestamp {
        self.in_a(self.parts.settle + self.pause(job, None))
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
