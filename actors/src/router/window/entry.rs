//! A job in memory, and its phase.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mynah_domain::{Job, JobState, PostKind, Translation};

/// A job in memory.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) job: Job,
    pub(super) phase: Phase,
    /// How often a worker died while it held this job.
    pub(super) panics: u32,
    /// A publisher held it before, so its publications may have changed in the ledger.
    pub(super) touched: bool,
    /// Why it was last put back.
    pub(super) reason: String,
    /// When it came into memory.
    pub(super) loaded: Instant,
}

/// The phase of a job in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// It may be translated.
    Queued,
    /// It is leased to this translator.
    Translating(Arc<str>),
    /// It waits for a person's approval.
    Review,
    /// It may be published in its turn.
    Ready,
    /// It is leased to this publisher.
    Publishing(Arc<str>),
    /// Nothing may happen before this time.
    Delayed(Delay),
}

/// How long a job is delayed: until a time of day, but never longer than the delay had when it began, so that setting
/// the clock back does not extend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delay {
    until: Timestamp,
    at_latest: Instant,
}

/// The current time, by the system clock and by a monotonic one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::router) struct Now {
    pub(in crate::router) wall: Timestamp,
    pub(in crate::router) steady: Instant,
}

const YEAR: Duration = Duration::from_hours(24 * 365);

impl Now {
    /// A delay that begins now.
    pub(super) fn delay(self, until: Timestamp) -> Delay {
        let length = Duration::try_from(until.duration_since(self.wall)).unwrap_or_default();
        // If the delay is longer than the machine can count, use a year.
        let at_latest = self.steady.checked_add(length).unwrap_or(self.steady + YEAR);
        Delay { until, at_latest }
    }

    /// What is left of a delay.
    pub(super) fn left(self, delay: Delay) -> Duration {
        let by_wall = Duration::try_from(delay.until.duration_since(self.wall)).unwrap_or_default();
        by_wall.min(delay.at_latest.saturating_duration_since(self.steady))
    }
}

impl Entry {
    pub(super) fn new(job: Job, now: Now) -> Self {
        let phase = match job.not_before {
            Some(moment) => Phase::Delayed(now.delay(moment)),
            None => Self::undelayed(&job),
        };
        Self { job, phase, panics: 0, touched: false, reason: String::new(), loaded: now.steady }
    }

    /// The phase of a job that is not delayed.
    pub(super) fn undelayed(job: &Job) -> Phase {
        let translated = job.translation.is_some();
        match job.state {
            JobState::Ready | JobState::Unknown | JobState::Publishing => Phase::Ready,
            JobState::Review => Phase::Review,
            JobState::Held if translated => Phase::Ready,
            _ => Phase::Queued,
        }
    }

    /// The worker that holds it.
    pub(super) fn holder(&self) -> Option<&Arc<str>> {
        match &self.phase {
            Phase::Translating(holder) | Phase::Publishing(holder) => Some(holder),
            Phase::Queued | Phase::Review | Phase::Ready | Phase::Delayed(_) => None,
        }
    }

    /// Whether something of it may be on the account already.
    pub(super) fn is_begun(&self) -> bool {
        self.job.state == JobState::Unknown || !self.job.publications.is_empty()
    }

    /// Whether it may be published together with others: it has one part, no publisher has held it yet, and no worker
    /// died while holding it.
    pub(super) fn is_plain(&self) -> bool {
        let translation = self.job.translation.as_ref();
        self.job.state == JobState::Ready
            && translation.is_some_and(|translation| self.is_plain_with(translation))
    }

    /// The same, with this translation.
    pub(super) fn is_plain_with(&self, translation: &Translation) -> bool {
        !self.touched && self.panics == 0 && is_one_message(&self.job, translation)
    }
}

/// Whether a job with this translation is a single message, of which nothing was begun yet.
fn is_one_message(job: &Job, translation: &Translation) -> bool {
    translation.parts.len() == 1
        && job.publications.is_empty()
        && job.post.media.is_empty()
        && job.post.kind.continues().is_none()
        // What it quotes may be in the same batch, and then has no id yet.
        && !matches!(job.post.kind, PostKind::Quote { .. })
        && translation.card.is_none()
}
