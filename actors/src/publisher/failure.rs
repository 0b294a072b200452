//! What a failed call to the network means for the job and for the account.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mynah_domain::{
    Hold, Job, JobEvent,
    breaker::Heard,
    job::HoldKind,
    ports::{Draft, PublishError},
};

use super::{Halt, Publisher};

/// How often a message that X calls a repetition is looked for before it is held as one.
const LOOKS: u32 = 3;

/// A token is believed to be dead after this many refusals in a row: X refuses a good one now and then.
const REFUSALS: u32 = 3;

/// A limit that is used up for longer than this is a hold that people see, and not just another try.
const SHORT: Duration = Duration::from_mins(1);

impl Publisher {
    /// Takes note of how a call to the network went.
    pub(super) fn heard(&self, operation: &'static str, started: Instant, error: Option<&PublishError>) {
        let network = self.destination.network();
        let silent = matches!(error, Some(PublishError::Unavailable(_) | PublishError::OutcomeUnknown(_)));
        self.parts.upstreams.hear(network, if silent { Heard::Silence } else { Heard::Answer });
        if !silent && !matches!(error, Some(PublishError::Unauthorized(_))) {
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
                let not_before = Some(self.in_a(self.parts.settle));
                return Ok(Halt::Event(JobEvent::OutcomeLost { reason, not_before }));
            }
            PublishError::Duplicate(_) => {
                let begun = self.parts.ledger.publications(job.id).await?;
                let begun = begun.iter().find(|begun| begun.part == part);
                if let Some(begun) = begun
                    && let Some(remote_id) = self.look_up(job, draft, begun).await?
                {
                    // It was this very message, sent by a try whose answer was lost: the next turn goes on behind it.
                    self.write(job, JobEvent::PartSent { part, remote_id }).await?;
                    return Ok(Halt::Event(JobEvent::NotSent { not_before: None, reason }));
                }
                if job.attempt < LOOKS {
                    // It may be this message all the same, and the timeline late to show it.
                    let not_before = Some(self.in_a(self.parts.settle + self.backoff(job)));
                    return Ok(Halt::Event(JobEvent::OutcomeLost { reason, not_before }));
                }
            }
            _ => {}
        }
        self.write(job, JobEvent::PartAbsent { part }).await?;
        let later = self.in_a(self.backoff(job));
        Ok(match error {
            PublishError::Unauthorized(_) => self.refused(
                |not_before| JobEvent::NotSent { not_before, reason: reason.clone() },
                &reason,
                job,
            ),
            PublishError::RateLimited { until: Some(until), .. } if until > self.in_a(SHORT) => {
                Halt::Event(held(HoldKind::Quota, reason, Some(until)))
            }
            PublishError::RateLimited { until, .. } => {
                let not_before = Some(until.map_or(later, |until| until.max(later)));
                Halt::Event(JobEvent::NotSent { not_before, reason })
            }
            PublishError::ReplyRefused(_) => Halt::ReplyRefused(reason),
            PublishError::Duplicate(_) | PublishError::Refused(_) => {
                Halt::Event(held(HoldKind::Refused, reason, None))
            }
            PublishError::Unavailable(_) | PublishError::OutcomeUnknown(_) => {
                Halt::Event(JobEvent::NotSent { not_before: Some(later), reason })
            }
        })
    }

    /// The token was refused: tried again for a while, then believed. `event` is made with the moment of the next try.
    pub(super) fn refused(
        &self,
        event: impl Fn(Option<Timestamp>) -> JobEvent,
        reason: &str,
        job: &Job,
    ) -> Halt {
        self.refusals.set(self.refusals.get() + 1);
        if self.refusals.get() < REFUSALS {
            return Halt::Event(event(Some(self.in_a(self.backoff(job)))));
        }
        Halt::Blocked(event(None), reason.to_owned())
    }

    pub(super) fn backoff(&self, job: &Job) -> Duration {
        self.parts.backoff.wait(job.attempt.max(1), fastrand::f64())
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
        PublishError::Unauthorized(_) => "unauthorized",
        PublishError::RateLimited { .. } => "rate_limited",
        PublishError::Unavailable(_) => "unavailable",
        PublishError::ReplyRefused(_) => "reply_refused",
        PublishError::Refused(_) => "refused",
    }
}
