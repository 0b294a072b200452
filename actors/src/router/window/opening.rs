//! What a target's schedule lets through: posts whose delay has passed, outside of its quiet hours. A line that waits for
//! that is not stuck: nothing of it is tried, so no attempt counts, and its jobs keep their places and states.
//!
//! What was begun is finished, also in quiet hours: the other parts of a job of which something may be on the account, and
//! the rest of a thread that was written before the quiet hours began, right behind the part that was published last.

use std::time::Duration;

use jiff::Timestamp;
use mynah_domain::{
    AccountId, PostId, TargetId,
    ports::ledger::LinePosition,
    publication::Publication,
    quiet_hours::Stretch,
    schedule::{Schedule, Wait},
};

use super::{
    Line, Window,
    entry::{Entry, Now, Phase},
};

/// What a line lets through now.
pub(super) struct Opening<'a> {
    schedule: &'a Schedule,
    /// The post that was published last.
    last: Option<&'a PostId>,
    /// The quiet time that it is in.
    quiet: Option<Stretch>,
    now: Now,
}

impl<'a> Opening<'a> {
    pub(super) fn new(schedule: &'a Schedule, last: Option<&'a PostId>, now: Now) -> Self {
        Self { schedule, last, quiet: schedule.quiet_at(now.wall), now }
    }

    /// How long a job must wait for the schedule, and for what; `None` if it may be published.
    pub(super) fn wait(&self, entry: &Entry) -> Option<(Duration, Wait)> {
        if self.schedule.is_always_open() || entry.is_begun() {
            return None;
        }
        match self.quiet {
            Some(Stretch { since, until }) if !self.completes_thread(entry, since) => {
                Some((self.until(until), Wait::QuietHours))
            }
            _ => Some((self.delay_left(entry), Wait::Delay)).filter(|(left, _)| !left.is_zero()),
        }
    }

    /// Whether a job continues the thread that is being published, and did so before the quiet hours began.
    fn completes_thread(&self, entry: &Entry, quiet_since: Timestamp) -> bool {
        let parent = entry.job.post.kind.continues();
        parent.is_some() && parent == self.last && entry.job.written_at < quiet_since
    }

    /// What is left of a job's delay. It never lasts longer than from when the job came into memory, so that setting the
    /// clock back does not extend it.
    fn delay_left(&self, entry: &Entry) -> Duration {
        let waited = self.now.steady.saturating_duration_since(entry.loaded);
        let by_wall = self.until(self.schedule.delayed_until(entry.job.written_at));
        by_wall.min(self.schedule.delay.saturating_sub(waited))
    }

    fn until(&self, moment: Timestamp) -> Duration {
        Duration::try_from(moment.duration_since(self.now.wall)).unwrap_or_default()
    }

    /// Why jobs wait, for a person.
    pub(super) fn reason(&self, left: Duration, wait: Wait) -> String {
        let until = self.now.wall.saturating_add(left).unwrap_or(Timestamp::MAX);
        match (wait, &self.schedule.quiet) {
            (Wait::QuietHours, Some(quiet)) => format!("quiet until {}", quiet.shown(until, self.now.wall)),
            _ => format!("delayed until {until:.0}"),
        }
    }
}

impl Line {
    pub(super) fn opening(&self, now: Now) -> Opening<'_> {
        Opening::new(&self.schedule, self.last.as_ref(), now)
    }

    /// How long its head, which is ready, must wait for the schedule.
    fn head_waits(&self, now: Now) -> Option<Duration> {
        if self.schedule.is_always_open() {
            return None;
        }
        let head = self.jobs.values().next().filter(|head| head.phase == Phase::Ready)?;
        self.opening(now).wait(head).map(|(left, _)| left)
    }
}

impl Window {
    /// Whether the next job of a target is ready and waits for the schedule.
    pub(in crate::router) fn waits_for_schedule(&self, target: &TargetId, now: Now) -> bool {
        self.lines.get(target).is_some_and(|line| line.head_waits(now).is_some())
    }

    /// The accounts with a line whose head has just ended its wait for the schedule, and how long until the next one does.
    pub(in crate::router) fn opened(&mut self, now: Now) -> (Vec<AccountId>, Option<Duration>) {
        let mut opened = Vec::new();
        let mut next: Option<Duration> = None;
        for line in self.lines.values_mut() {
            let left = line.head_waits(now);
            if line.is_waiting && left.is_none() {
                opened.push(line.account.clone());
            }
            line.is_waiting = left.is_some();
            next = next.into_iter().chain(left).min();
        }
        (opened, next)
    }

    /// Whether parts of a job that was put back may be on the account, and it matters whether they are.
    pub(in crate::router) fn may_be_begun(&self, target: &TargetId, at: LinePosition) -> bool {
        let Some(line) = self.lines.get(target).filter(|line| !line.schedule.is_always_open()) else {
            return false;
        };
        let parts = line.jobs.get(&at).and_then(|entry| entry.job.translation.as_ref());
        parts.is_some_and(|translation| translation.parts.len() > 1)
    }

    /// Notes the parts of a job that are on record.
    pub(in crate::router) fn note_parts(
        &mut self,
        target: &TargetId,
        at: LinePosition,
        parts: Vec<Publication>,
    ) {
        if let Some(entry) = self.entry(target, at) {
            entry.job.publications = parts;
        }
    }
}
