//! Publishers that wait for the next job of their target. One that is translated while its publisher waits is begun in the
//! transaction that records the translation: a post that comes alone, which is when somebody looks, waits for the disk once
//! less.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use jiff::Timestamp;
use mynah_domain::{Job, JobEvent, JobId, TargetId, Translation};

use super::{JobReport, PullPublications, begun, line::Window};
use crate::supervision::shell::WorkerRef;

/// The publishers that wait, the newest of each target.
#[derive(Default)]
pub(super) struct PendingPublishers(RefCell<HashMap<TargetId, PendingPull>>);

struct PendingPull {
    worker: WorkerRef,
    room: usize,
    /// What was begun for it.
    begun: Vec<Job>,
}

/// A publisher that waits, until this is dropped. One that ended may be here for a while beside the next of its account, and
/// has no part in what is begun for that.
pub(super) struct PendingGuard<'a> {
    pending: &'a PendingPublishers,
    pull: &'a PullPublications,
}

/// What is to be begun with the translations of a report.
#[derive(Default)]
pub(super) struct BegunAtOnce(BTreeMap<TargetId, Batch>);

/// Jobs in order, and the publisher that is to say them.
pub(super) struct Batch {
    pub(super) worker: WorkerRef,
    pub(super) jobs: Vec<JobId>,
}

impl PendingPublishers {
    /// A publisher waits from now on.
    pub(super) fn enter<'a>(&'a self, pull: &'a PullPublications) -> PendingGuard<'a> {
        let PullPublications { worker, target, room } = pull;
        let wait = PendingPull { worker: worker.clone(), room: *room, begun: Vec::new() };
        self.0.borrow_mut().insert(target.clone(), wait);
        PendingGuard { pending: self, pull }
    }

    /// Whether a publisher of that target waits.
    pub(super) fn has(&self, target: &TargetId) -> bool {
        self.0.borrow().contains_key(target)
    }

    /// What of the jobs in these reports could be begun with them, as nothing keeps it from being said next.
    pub(super) fn at_once(
        &self,
        reports: &[JobReport],
        window: &Window,
        is_paused: impl Fn(&TargetId) -> bool,
    ) -> BegunAtOnce {
        let mut at_once = BegunAtOnce::default();
        for (target, wait) in &*self.0.borrow() {
            let translated: HashMap<JobId, &Translation> = reports
                .iter()
                .filter(|report| report.target == *target)
                .filter_map(|report| Some((report.job, translation(report)?)))
                .collect();
            let jobs = window.next_to_publish(target, &translated, wait.room);
            if !jobs.is_empty() && wait.worker.is_valid() && !is_paused(target) {
                at_once.0.insert(target.clone(), Batch { worker: wait.worker.clone(), jobs });
            }
        }
        at_once
    }

    /// Hands what was begun to the publisher that it was begun for; answers it where that one does not wait any more.
    pub(super) fn hand(&self, target: &TargetId, worker: &WorkerRef, begun: Vec<Job>) -> Vec<Job> {
        match self.0.borrow_mut().get_mut(target) {
            Some(wait) if wait.worker.holder == worker.holder && worker.is_valid() => {
                // Added to what is there: a report that came twice and was refused the second time has nothing in it.
                wait.begun.extend(begun);
                Vec::new()
            }
            _ => begun,
        }
    }
}

impl PendingGuard<'_> {
    /// Takes what was begun for it, and waits no more.
    pub(super) fn leave(self) -> Vec<Job> {
        self.take().unwrap_or_default()
    }

    fn take(&self) -> Option<Vec<Job>> {
        let mut pending = self.pending.0.borrow_mut();
        let is_its_own = pending.get(&self.pull.target)?.worker.holder == self.pull.worker.holder;
        if is_its_own { pending.remove(&self.pull.target).map(|wait| wait.begun) } else { None }
    }
}

impl Drop for PendingGuard<'_> {
    fn drop(&mut self) {
        self.take();
    }
}

impl BegunAtOnce {
    /// Whether a reported job is to be begun.
    pub(super) fn begins(&self, report: &JobReport) -> bool {
        self.0.get(&report.target).is_some_and(|row| row.jobs.contains(&report.job))
    }

    /// The events by which a reported job is begun, where it is to be.
    pub(super) fn events_of(&self, report: &JobReport, now: Timestamp) -> Vec<JobEvent> {
        match translation(report).and_then(|translation| translation.parts.first()) {
            Some(text) if self.begins(report) => {
                vec![JobEvent::LeasedForPublication, begun(&report.target, text, now)]
            }
            _ => Vec::new(),
        }
    }

    /// The rows, by target.
    pub(super) fn rows(self) -> impl Iterator<Item = (TargetId, Batch)> {
        self.0.into_iter()
    }
}

/// The translation that a report ends with.
fn translation(report: &JobReport) -> Option<&Translation> {
    match report.events.last() {
        Some(JobEvent::Translated(translation)) => Some(translation),
        _ => None,
    }
}
