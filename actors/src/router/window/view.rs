//! What there is to do, for the supervisor, for people, and for a run that ends when nothing is left.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use mynah_domain::{JobId, JobState, TargetId, ports::ledger::LinePosition};

use super::{
    Line, Window,
    entry::{Entry, Now, Phase},
};
use crate::{router::messages::Drained, supervision::actor_of};

impl Window {
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.lines.values().flat_map(|line| line.jobs.values())
    }

    /// Whether a translator holds this job.
    pub(in crate::router) fn is_translating(&self, job: JobId) -> bool {
        self.entries().any(|entry| entry.job.id == job && matches!(entry.phase, Phase::Translating(_)))
    }

    /// Whether a worker holds the job at this position.
    pub(in crate::router) fn is_leased(&self, target: &TargetId, at: LinePosition) -> bool {
        let entry = self.lines.get(target).and_then(|line| line.jobs.get(&at));
        entry.is_some_and(|entry| entry.holder().is_some())
    }

    /// The token of the job at this position, as far as it is in memory.
    pub(in crate::router) fn token_of(&self, target: &TargetId, at: LinePosition) -> Option<i64> {
        self.lines.get(target)?.jobs.get(&at).map(|entry| entry.job.token)
    }

    /// Whether any job waits for a translator.
    pub(in crate::router) fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// How many jobs wait for a translator or are leased to one, and to which.
    pub(in crate::router) fn to_translate(&self) -> (usize, Vec<String>) {
        let translating = self.entries().filter(|entry| matches!(entry.phase, Phase::Translating(_)));
        let (in_progress, holders) = count_with_holders(translating);
        (self.queue.len() + in_progress, holders)
    }

    /// How many jobs of a target are leased to its publisher, and to which incarnation. Counts the head of its line,
    /// too, if it is ready and a publisher waits for it.
    pub(in crate::router) fn to_publish(
        &self,
        target: &TargetId,
        is_waited_for: bool,
    ) -> (usize, Vec<String>) {
        let line = self.lines.get(target).filter(|line| !self.accounts.is_blocked(&line.account));
        let Some(line) = line else {
            return (0, Vec::new());
        };
        let publishing = line.jobs.values().filter(|entry| matches!(entry.phase, Phase::Publishing(_)));
        let (in_progress, holders) = count_with_holders(publishing);
        let is_ready = line.jobs.values().next().is_some_and(|head| head.phase == Phase::Ready);
        (in_progress + usize::from(is_waited_for && is_ready), holders)
    }

    /// How many jobs each worker holds, by its name without the incarnation.
    pub(in crate::router) fn in_progress(&self) -> BTreeMap<String, usize> {
        let mut by_worker = BTreeMap::new();
        for holder in self.entries().filter_map(Entry::holder) {
            *by_worker.entry(actor_of(holder).to_owned()).or_default() += 1;
        }
        by_worker
    }

    /// What is left if nothing more can be done now; `None` while something can.
    pub(in crate::router) fn drained(
        &self,
        patience: u32,
        now: Now,
        is_paused: impl Fn(&TargetId) -> bool,
    ) -> Option<Drained> {
        let mut drained = Drained::default();
        if !self.queue.is_empty() {
            return None;
        }
        for (target, line) in self.lines.iter().filter(|(_, line)| line.is_taken_up) {
            if let Some(reason) = self.accounts.why_blocked(&line.account) {
                drained.blocked.insert(target.clone(), reason);
                continue;
            }
            // Translated jobs wait for the person who paused the target.
            if line.jobs.values().next().is_some_and(|head| head.phase == Phase::Ready) && is_paused(target) {
                let reason = format!("paused; `mynah resume {target}` resumes it");
                drained.blocked.insert(target.clone(), reason);
                continue;
            }
            match line.remaining(patience, now) {
                Remaining::Runnable => return None,
                Remaining::InReview(jobs) => {
                    drained.in_review.insert(target.clone(), jobs);
                }
                Remaining::Stuck(jobs, reason) => {
                    drained.waiting.insert(target.clone(), (jobs, reason));
                }
                Remaining::Scheduled(jobs, reason) => {
                    drained.scheduled.insert(target.clone(), (jobs, reason));
                }
                Remaining::Nothing => {}
            }
        }
        Some(drained)
    }

    /// By target: waiting, translating, ready, publishing.
    pub(in crate::router) fn depths(&self) -> HashMap<TargetId, [usize; 4]> {
        let count = |line: &Line| {
            let mut depths = [0; 4];
            for entry in line.jobs.values() {
                let column = match entry.phase {
                    // It waits for no actor; the ledger counts it.
                    Phase::Review => continue,
                    Phase::Queued | Phase::Delayed(_) => 0,
                    Phase::Translating(_) => 1,
                    Phase::Ready => 2,
                    Phase::Publishing(_) => 3,
                };
                depths[column] += 1;
            }
            depths
        };
        self.lines.iter().map(|(target, line)| (target.clone(), count(line))).collect()
    }
}

/// What remains of a line.
enum Remaining {
    /// Something that can be done now.
    Runnable,
    /// This many stuck jobs, and why the first of them is stuck.
    Stuck(usize, String),
    /// This many jobs behind one that waits for a person's approval.
    InReview(usize),
    /// This many jobs that wait for the target's schedule, and until when the first of them does.
    Scheduled(usize, String),
    /// Nothing.
    Nothing,
}

impl Line {
    /// What remains. A job with `patience` attempts without success counts as stuck.
    fn remaining(&self, patience: u32, now: Now) -> Remaining {
        let opening = self.opening(now);
        // Without a reason if the first is in review.
        let mut stuck: Option<(usize, Option<String>)> = None;
        let mut is_scheduled = false;
        for entry in self.jobs.values() {
            match (&entry.phase, &mut stuck) {
                // Jobs behind a stuck one wait to keep the order.
                (Phase::Review, Some(_)) => {}
                (Phase::Ready | Phase::Delayed(_), Some((waiting, _))) => *waiting += 1,
                (Phase::Review, None) => stuck = Some((0, None)),
                (Phase::Delayed(_), None)
                    if entry.job.state == JobState::Held || entry.job.attempt >= patience =>
                {
                    stuck = Some((1, Some(entry.reason.clone())));
                }
                (Phase::Ready, None) if let Some((left, wait)) = opening.wait(entry) => {
                    stuck = Some((1, Some(opening.reason(left, wait))));
                    is_scheduled = true;
                }
                _ => return Remaining::Runnable,
            }
        }
        match stuck {
            Some((jobs, Some(reason))) if is_scheduled => Remaining::Scheduled(jobs, reason),
            Some((jobs, Some(reason))) => Remaining::Stuck(jobs, reason),
            Some((jobs, None)) => Remaining::InReview(jobs),
            None if self.more || self.loading => Remaining::Runnable,
            None => Remaining::Nothing,
        }
    }
}

/// Counts these jobs, and lists each of their holders once.
fn count_with_holders<'a>(entries: impl Iterator<Item = &'a Entry>) -> (usize, Vec<String>) {
    let holders: Vec<&Arc<str>> = entries.filter_map(Entry::holder).collect();
    let count = holders.len();
    let mut holders: Vec<String> = holders.into_iter().map(ToString::to_string).collect();
    holders.sort_unstable();
    holders.dedup();
    (count, holders)
}
