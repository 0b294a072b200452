//! Picks jobs for workers: translators get the oldest posts of all lines, publishers get the heads of theirs.

use std::{collections::HashMap, sync::Arc};

use mynah_domain::{AccountId, Job, JobId, TargetId, Translation, ports::ledger::LinePosition};

use super::{
    Line, Window,
    entry::{Entry, Now, Phase},
    opening::Opening,
};

/// The jobs picked for a publisher.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::router) enum Picked {
    /// Nothing is ready.
    Nothing,
    /// A job that is not one plain message. If `touched`, its publications must be read again.
    Alone { job: Box<Job>, touched: bool },
    /// Jobs with one part each that no publisher has held yet.
    Batch(Vec<Job>),
}

impl Window {
    /// Picks the next jobs to translate and marks them as leased to the worker. A job whose worker died goes alone, so
    /// that it cannot harm other jobs.
    pub(in crate::router) fn pick_for_translation(&mut self, worker: &Arc<str>, max: usize) -> Vec<Job> {
        let mut picked: Vec<Job> = Vec::new();
        while picked.len() < max {
            let Some((at, target)) = self.queue.first().cloned() else {
                break;
            };
            let alone = self.entry(&target, at).is_some_and(|entry| entry.panics > 0);
            if alone && !picked.is_empty() {
                break;
            }
            self.queue.pop_first();
            if let Some(entry) = self.entry(&target, at) {
                entry.phase = Phase::Translating(worker.clone());
                let attempt = entry.job.attempt + 1;
                picked.push(Job { attempt, ..entry.job.clone() });
            }
            if alone {
                break;
            }
        }
        picked
    }

    /// Picks what an account publishes next and marks it as leased to the worker. The lines of its targets take turns;
    /// lines that are paused, or whose head is not ready or waits for the schedule, are passed over.
    pub(in crate::router) fn pick_for_publication(
        &mut self,
        worker: &Arc<str>,
        account: &AccountId,
        max: usize,
        now: Now,
        is_paused: impl Fn(&TargetId) -> bool,
    ) -> Picked {
        let Self { lines, accounts, .. } = self;
        for target in accounts.turns(account) {
            let Some(line) = lines.get_mut(target).filter(|_| !is_paused(target)) else { continue };
            let picked = line.pick_for_publication(worker, max, now);
            if picked != Picked::Nothing {
                let target = target.clone();
                accounts.had_its_turn(account, &target);
                return picked;
            }
        }
        Picked::Nothing
    }

    /// Selects the jobs, of those just translated, that an account's publisher could publish next: the target whose
    /// turn it is, and up to `max` jobs in order from the head of its line, each with one part.
    pub(in crate::router) fn next_to_publish(
        &self,
        account: &AccountId,
        translated: &HashMap<JobId, &Translation>,
        max: usize,
        now: Now,
        is_paused: impl Fn(&TargetId) -> bool,
    ) -> Option<(TargetId, Vec<JobId>)> {
        let is_next = |entry: &&Entry| {
            matches!(entry.phase, Phase::Translating(_))
                && translated.get(&entry.job.id).is_some_and(|translation| entry.is_plain_with(translation))
        };
        self.accounts.turns(account).iter().filter(|target| !is_paused(target)).find_map(|target| {
            let line = self.lines.get(target)?;
            let opening = line.opening(now);
            let is_open = |entry: &&Entry| opening.wait(entry).is_none();
            let jobs = line.in_order().take(max).take_while(is_next).take_while(is_open);
            let jobs: Vec<JobId> = jobs.map(|entry| entry.job.id).collect();
            (!jobs.is_empty()).then(|| (target.clone(), jobs))
        })
    }

    /// Records that a job was begun for a publisher with the report of its translation, and is now leased to it. `None`
    /// if the job is not in memory any more; its line is then reloaded.
    pub(in crate::router) fn begun(
        &mut self,
        target: &TargetId,
        at: LinePosition,
        worker: &Arc<str>,
    ) -> Option<Job> {
        let line = self.lines.get_mut(target)?;
        let Some(entry) = line.jobs.get_mut(&at) else {
            self.reload(target);
            return None;
        };
        entry.phase = Phase::Publishing(worker.clone());
        entry.touched = true;
        self.accounts.had_its_turn(&line.account, target);
        Some(entry.job.clone())
    }

    /// Reverts a pick that could not be leased.
    pub(in crate::router) fn unpick(&mut self, job: &Job) {
        let at = LinePosition::of(job);
        let Some(entry) = self.entry(&job.target, at) else {
            return;
        };
        entry.phase = Entry::undelayed(&entry.job);
        if entry.phase == Phase::Queued {
            self.queue.insert((at, job.target.clone()));
        }
    }

    /// Records the lease of a picked job, with its new token.
    pub(in crate::router) fn leased(&mut self, job: &Job) {
        if let Some(entry) = self.entry(&job.target, LinePosition::of(job)) {
            entry.job.state = job.state;
            entry.job.token = job.token;
            entry.job.attempt = job.attempt;
        }
    }

    /// The jobs that an exited worker held, and how often a worker panicked with each.
    pub(in crate::router) fn leased_by(&mut self, worker: &str, panicked: bool) -> Vec<(Job, u32)> {
        let entries = self.lines.values_mut().flat_map(|line| line.jobs.values_mut());
        entries
            .filter(|entry| entry.holder().is_some_and(|holder| &**holder == worker))
            .map(|entry| {
                entry.panics += u32::from(panicked);
                (entry.job.clone(), entry.panics)
            })
            .collect()
    }
}

impl Line {
    /// Picks the head of the line if it is ready, and up to `max` jobs in all of those that follow it if they may be
    /// published one after another without a lookup; marks them as leased to the worker.
    fn pick_for_publication(&mut self, worker: &Arc<str>, max: usize, now: Now) -> Picked {
        let loaded_to = self.loaded_to;
        let opening = Opening::new(&self.schedule, self.last.as_ref(), now);
        let mut batch: Vec<Job> = Vec::new();
        for (at, entry) in self.jobs.iter_mut().take(max.max(1)) {
            // During a reload, other jobs may turn out to come before the rest of the line.
            if Some(*at) > loaded_to || entry.phase != Phase::Ready || opening.wait(entry).is_some() {
                break;
            }
            let plain = entry.is_plain();
            if !plain && !batch.is_empty() {
                break;
            }
            entry.phase = Phase::Publishing(worker.clone());
            let (job, touched) = (entry.job.clone(), std::mem::replace(&mut entry.touched, true));
            if !plain {
                return Picked::Alone { job: Box::new(job), touched };
            }
            batch.push(job);
        }
        if batch.is_empty() { Picked::Nothing } else { Picked::Batch(batch) }
    }
}
