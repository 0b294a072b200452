//! Publishers that wait for the next job of their account. If a job is translated while its publisher waits, it is
//! begun in the transaction that records the translation. This saves one wait for the disk for a post that comes alone,
//! which is when somebody is watching.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
};

use mynah_domain::{AccountId, JobEvent, JobId, TargetId, Translation};

use super::{
    intent::{Assigned, Intent},
    messages::{JobReport, PullPublications},
    window::{Now, Window},
};
use crate::{costs::Costs, supervision::shell::WorkerRef};

/// The waiting publishers, the newest of each account.
#[derive(Default)]
pub(super) struct PendingPublishers(RefCell<HashMap<AccountId, PendingPull>>);

struct PendingPull {
    worker: WorkerRef,
    room: usize,
    /// The jobs that were begun for it.
    begun: Vec<Assigned>,
}

/// Keeps a publisher registered as waiting until this is dropped. A publisher that has exited may stay registered for a
/// while beside its successor; it receives no jobs that were begun for the successor.
pub(super) struct PendingGuard<'a> {
    pending: &'a PendingPublishers,
    pull: &'a PullPublications,
}

/// What to begin with the translations of a report: at most one batch per account.
#[derive(Default)]
pub(super) struct BegunAtOnce(Vec<Batch>);

/// Jobs of one line in order, with their intents, and the publisher that will publish them.
pub(super) struct Batch {
    pub(super) target: TargetId,
    pub(super) account: AccountId,
    pub(super) worker: WorkerRef,
    pub(super) intents: Vec<(JobId, Intent)>,
}

impl PendingPublishers {
    /// Registers a publisher as waiting.
    pub(super) fn enter<'a>(&'a self, pull: &'a PullPublications) -> PendingGuard<'a> {
        let PullPublications { worker, account, room } = pull;
        let wait = PendingPull { worker: worker.clone(), room: *room, begun: Vec::new() };
        self.0.borrow_mut().insert(account.clone(), wait);
        PendingGuard { pending: self, pull }
    }

    /// Whether a publisher of this account waits.
    pub(super) fn has(&self, account: &AccountId) -> bool {
        self.0.borrow().contains_key(account)
    }

    /// Selects the reported jobs that can be begun with their report, because nothing prevents publishing them next.
    pub(super) fn at_once(
        &self,
        reports: &[JobReport],
        window: &Window,
        costs: &Costs,
        now: Now,
        is_paused: impl Fn(&TargetId) -> bool,
    ) -> BegunAtOnce {
        let pending = self.0.borrow();
        if pending.is_empty() {
            return BegunAtOnce::default();
        }
        let translated: HashMap<JobId, &Translation> =
            reports.iter().filter_map(|report| Some((report.at.job, translation(report)?))).collect();
        let translations = reports.iter().filter(|report| translated.contains_key(&report.at.job));
        let accounts: BTreeSet<&AccountId> =
            translations.filter_map(|report| window.account_of(&report.target)).collect();
        let batch = |account: &AccountId| {
            let wait = pending.get(account)?;
            let (target, jobs) = window.next_to_publish(account, &translated, wait.room, now, &is_paused)?;
            let intent = |job| {
                let translation = translated.get(&job)?;
                let at = reports.iter().find(|report| report.at.job == job)?.at;
                let cost =
                    costs.of((window.source_at(&target, at)?, &target), &translation.parts, 0, now.wall);
                Some((job, Intent::of_only_part(translation, account, now.wall)?.at(cost)))
            };
            let intents = jobs.into_iter().filter_map(intent).collect();
            wait.worker.is_valid().then(|| Batch {
                target,
                account: account.clone(),
                worker: wait.worker.clone(),
                intents,
            })
        };
        BegunAtOnce(accounts.into_iter().filter_map(batch).collect())
    }

    /// Hands the jobs to the publisher that they were begun for; returns them if that publisher no longer waits.
    pub(super) fn hand(
        &self,
        account: &AccountId,
        worker: &WorkerRef,
        begun: Vec<Assigned>,
    ) -> Vec<Assigned> {
        match self.0.borrow_mut().get_mut(account) {
            Some(wait) if wait.worker.holder == worker.holder && worker.is_valid() => {
                // Extend, do not replace: a report that is sent twice and refused the second time has no jobs.
                wait.begun.extend(begun);
                Vec::new()
            }
            _ => begun,
        }
    }
}

impl PendingGuard<'_> {
    /// Takes the jobs that were begun for it, and stops waiting.
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

    /// The events that begin a reported job, if it is to be begun.
    pub(super) fn events_of(&self, report: &JobReport) -> impl Iterator<Item = JobEvent> {
        let intent = self.intent(report).map(Intent::event);
        intent.into_iter().flat_map(|begun| [JobEvent::LeasedForPublication, begun])
    }

    /// The batches to begin.
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
