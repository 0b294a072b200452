//! Publishers that wait for the next job of their account. A job that is translated while its publisher waits is begun in
//! the transaction that records the translation: a post that comes alone, which is when somebody looks, waits for the disk
//! once less.

use std::{cell::RefCell, collections::HashMap};

use jiff::Timestamp;
use mynah_domain::{AccountId, JobEvent, JobId, TargetId, Translation};

use super::{
    intent::{Assigned, Intent},
    messages::{JobReport, PullPublications},
    window::Window,
};
use crate::supervision::shell::WorkerRef;

/// The publishers that wait, the newest of each account.
#[derive(Default)]
pub(super) struct PendingPublishers(RefCell<HashMap<AccountId, PendingPull>>);

struct PendingPull {
    worker: WorkerRef,
    room: usize,
    /// What was begun for it.
    begun: Vec<Assigned>,
}

/// A publisher that waits, until this is dropped. A publisher that ended may be here for a while beside its successor, and
/// receives nothing that is begun for that.
pub(super) struct PendingGuard<'a> {
    pending: &'a PendingPublishers,
    pull: &'a PullPublications,
}

/// What is to be begun with the translations of a report: at most one batch for each account.
#[derive(Default)]
pub(super) struct BegunAtOnce(Vec<Batch>);

/// Jobs of one line in order, with the intents to publish them, and the publisher that is to do it.
pub(super) struct Batch {
    pub(super) target: TargetId,
    pub(super) account: AccountId,
    pub(super) worker: WorkerRef,
    pub(super) intents: Vec<(JobId, Intent)>,
}

impl PendingPublishers {
    /// A publisher waits from now on.
    pub(super) fn enter<'a>(&'a self, pull: &'a PullPublications) -> PendingGuard<'a> {
        let PullPublications { worker, account, room } = pull;
        let wait = PendingPull { worker: worker.clone(), room: *room, begun: Vec::new() };
        self.0.borrow_mut().insert(account.clone(), wait);
        PendingGuard { pending: self, pull }
    }

    /// Whether a publisher of that account waits.
    pub(super) fn has(&self, account: &AccountId) -> bool {
        self.0.borrow().contains_key(account)
    }

    /// Which of the jobs in these reports can be begun with them, as nothing keeps them from being published next.
    pub(super) fn at_once(
        &self,
        reports: &[JobReport],
        window: &Window,
        now: Timestamp,
        is_paused: impl Fn(&TargetId) -> bool,
    ) -> BegunAtOnce {
        let pending = self.0.borrow();
        if pending.is_empty() {
            return BegunAtOnce::default();
        }
        let translated: HashMap<JobId, &Translation> =
            reports.iter().filter_map(|report| Some((report.at.job, translation(report)?))).collect();
        let batch = |(account, wait): (&AccountId, &PendingPull)| {
            let (target, jobs) = window.next_to_publish(account, &translated, wait.room, &is_paused)?;
            let intent = |job| Some((job, Intent::of_only_part(translated.get(&job)?, account, now)?));
            let intents = jobs.into_iter().filter_map(intent).collect();
            wait.worker.is_valid().then(|| Batch {
                target,
                account: account.clone(),
                worker: wait.worker.clone(),
                intents,
            })
        };
        BegunAtOnce(pending.iter().filter_map(batch).collect())
    }

    /// Hands what was begun to the publisher that it was begun for; gives it back where that does not wait any more.
    pub(super) fn hand(
        &self,
        account: &AccountId,
        worker: &WorkerRef,
        begun: Vec<Assigned>,
    ) -> Vec<Assigned> {
        match self.0.borrow_mut().get_mut(account) {
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
    pub(super) fn leave(self) -> Vec<Assigned> {
        self.take().unwrap_or_default()
    }

    fn take(&self) -> Option<Vec<Assigned>> {
        let PullPublications { worker, account, .. } = self.pull;
        let mut pending = self.pending.0.borrow_mut();
        let is_its_own = pending.get(account)?.worker.holder == worker.holder;
        if is_its_own { pending.remove(account).map(|wait| wait.begun) } else { None }
    }
}

impl Drop for PendingGuard<'_> {
    fn drop(&mut self) {
        self.take();
    }
}

impl BegunAtOnce {
    fn intent(&self, report: &JobReport) -> Option<&Intent> {
        let batch = self.0.iter().find(|batch| batch.target == report.target)?;
        batch.intents.iter().find(|(job, _)| *job == report.at.job).map(|(_, intent)| intent)
    }

    /// Whether a reported job is to be begun.
    pub(super) fn begins(&self, report: &JobReport) -> bool {
        self.intent(report).is_some()
    }

    /// The events by which a reported job is begun, where it is to be.
    pub(super) fn events_of(&self, report: &JobReport) -> impl Iterator<Item = JobEvent> {
        let intent = self.intent(report).map(Intent::event);
        intent.into_iter().flat_map(|begun| [JobEvent::LeasedForPublication, begun])
    }

    /// What is begun.
    pub(super) fn batches(self) -> Vec<Batch> {
        self.0
    }
}

/// The translation that a report ends with.
fn translation(report: &JobReport) -> Option<&Translation> {
    match report.events.last() {
        Some(JobEvent::Translated(translation)) => Some(translation),
        _ => None,
    }
}
