//! What is handed to workers: translators get the oldest posts of all lines, publishers the heads of theirs.

use std::{collections::HashMap, sync::Arc};

use mynah_domain::{AccountId, Job, JobId, TargetId, Translation, ports::ledger::LinePosition};

use super::{
    Line, Window,
    entry::{Entry, Phase},
};

/// What a publisher is handed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::router) enum Picked {
    /// Nothing is ready.
    Nothing,
    /// A job that is not one plain message; where it was `touched`, its publications must be read again.
    Alone { job: Job, touched: bool },
    /// Jobs of one message each that no publisher has had in hand yet.
    Batch(Vec<Job>),
}

impl Window {
    /// The next jobs to translate, marked as in the worker's hands. A job that a worker died with goes alone, so that it
    /// takes no neighbors with it.
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

    /// What an account publishes next: the lines of its targets take turns, those with a head that is ready and that are not
    /// paused. Marked as in the worker's hands.
    pub(in crate::router) fn pick_for_publication(
        &mut self,
        worker: &Arc<str>,
        account: &AccountId,
        max: usize,
        is_paused: impl Fn(&TargetId) -> bool,
    ) -> Picked {
        let Self { lines, accounts, .. } = self;
        for target in accounts.turns(account) {
            let Some(line) = lines.get_mut(target).filter(|_| !is_paused(target)) else { continue };
            let picked = line.pick_for_publication(worker, max);
            if picked != Picked::Nothing {
                let target = target.clone();
                accounts.had_its_turn(account, &target);
                return picked;
            }
        }
        Picked::Nothing
    }

    /// Of the jobs translated just now, those that an account's publisher could publish next: the target whose turn it is, and
    /// up to `max` jobs in order from the head of its line on, each a message by itself.
    pub(in crate::router) fn next_to_publish(
        &self,
        account: &AccountId,
        translated: &HashMap<JobId, &Translation>,
        max: usize,
        is_paused: impl Fn(&TargetId) -> bool,
    ) -> Option<(TargetId, Vec<JobId>)> {
        let is_next = |entry: &&Entry| {
            matches!(entry.phase, Phase::Translating(_))
                && translated.get(&entry.job.id).is_some_and(|translation| entry.is_plain_with(translation))
        };
        self.accounts.turns(account).iter().filter(|target| !is_paused(target)).find_map(|target| {
            let jobs = self.lines.get(target)?.in_order().take(max).take_while(is_next);
            let jobs: Vec<JobId> = jobs.map(|entry| entry.job.id).collect();
            (!jobs.is_empty()).then(|| (target.clone(), jobs))
        })
    }

    /// A job was begun for a publisher with the report of its translation: it is in that one's hands. `None` where it is
    /// not in memory any more: its line is loaded again.
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

    /// A job that was picked could not be leased after all.
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

    /// A job that was picked is leased, with a new token.
    pub(in crate::router) fn leased(&mut self, job: &Job) {
        if let Some(entry) = self.entry(&job.target, LinePosition::of(job)) {
            entry.job.state = job.state;
            entry.job.token = job.token;
            entry.job.attempt = job.attempt;
        }
    }

    /// What a worker that ended had in hand, and how often one panicked with it.
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
    /// The head of the line, if it is ready, and up to `max` jobs in all of those that follow, as far as they may be
    /// published one after another without a look; marked as in the worker's hands.
    fn pick_for_publication(&mut self, worker: &Arc<str>, max: usize) -> Picked {
        let loaded_to = self.loaded_to;
        let mut batch: Vec<Job> = Vec::new();
        for (at, entry) in self.jobs.iter_mut().take(max.max(1)) {
            // While the line is loaded again, others may come to stand before what is left of it.
            if Some(*at) > loaded_to || entry.phase != Phase::Ready {
                break;
            }
            let plain = entry.is_plain();
            if !plain && !batch.is_empty() {
                break;
            }
            entry.phase = Phase::Publishing(worker.clone());
            let (job, touched) = (entry.job.clone(), std::mem::replace(&mut entry.touched, true));
            if !plain {
                return Picked::Alone { job, touched };
            }
            batch.push(job);
        }
        if batch.is_empty() { Picked::Nothing } else { Picked::Batch(batch) }
    }
}
