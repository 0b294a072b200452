//! The router's window on the ledger: a stretch of every target's line, in the source's order, with the phase of each
//! job. It is pure memory: nothing here waits, and nothing here is the only copy of anything.
//!
//! - [`entry`]: a job in memory.
//! - [`accounts`]: the turns of lines that share an account, and which accounts are blocked.
//! - [`opening`]: what a target's delay and quiet hours let through.
//! - [`pick`]: which jobs workers get, and which a dead worker held.
//! - [`progress`]: what reports, time and blocks change.
//! - [`view`]: what there is to do, for the supervisor and people.

mod accounts;
mod entry;
mod opening;
mod pick;
mod progress;
#[cfg(test)]
mod tests;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use accounts::Accounts;
use entry::{Entry, Phase};
use mynah_domain::{AccountId, Job, PostId, TargetId, ports::ledger::LinePosition, schedule::Schedule};

use super::parts::Route;
use crate::blocks::Blocks;

pub(super) use entry::Now;
pub(super) use pick::Picked;
pub(super) use progress::{Moved, Overdue, Wake};

/// Every target's line.
#[derive(Debug)]
pub(super) struct Window {
    lines: BTreeMap<TargetId, Line>,
    accounts: Accounts,
    /// What may be translated now: the oldest posts first, and all languages of a post together.
    queue: BTreeSet<(LinePosition, TargetId)>,
    /// The jobs that may be delayed, so that a check costs nothing if there are none. Some may be ready or gone by now.
    delayed: BTreeSet<(TargetId, LinePosition)>,
}

/// One target's line.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is about something else, and most combinations occur"
)]
struct Line {
    /// The account that its jobs are published on.
    account: AccountId,
    /// Whether this instance works for the account. A line of another's has no jobs in memory.
    is_taken_up: bool,
    jobs: BTreeMap<LinePosition, Entry>,
    /// The line is in memory up to this job.
    loaded_to: Option<LinePosition>,
    /// The ledger may hold more jobs behind that one.
    more: bool,
    /// A future is loading more of it.
    loading: bool,
    /// Incremented whenever the ledger may hold more, so that an older answer is not trusted.
    epoch: u64,
    loading_epoch: u64,
    /// Incremented with each reload: an older answer would leave a gap in the line.
    reloads: u64,
    loading_reloads: u64,
    /// The job that blocks the jobs behind it, and since when.
    blocking: Option<(LinePosition, Instant)>,
    /// When its target publishes.
    schedule: Schedule,
    /// The post of the job that was published last, as far as this router knows.
    last: Option<PostId>,
    /// Its head was ready and waited for the schedule when the timer last looked.
    is_waiting: bool,
}

impl Line {
    /// Creates a line with nothing loaded.
    fn new(account: AccountId, schedule: Schedule) -> Self {
        Self {
            account,
            is_taken_up: false,
            jobs: BTreeMap::new(),
            loaded_to: None,
            more: true,
            loading: false,
            epoch: 0,
            loading_epoch: 0,
            reloads: 0,
            loading_reloads: 0,
            blocking: None,
            schedule,
            last: None,
            is_waiting: false,
        }
    }

    /// The jobs whose order is known. During a reload, other jobs may turn out to come before the rest of the line.
    fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let loaded_to = self.loaded_to;
        self.jobs.iter().take_while(move |(at, _)| Some(**at) <= loaded_to).map(|(_, entry)| entry)
    }
}

impl Window {
    /// Creates lines with nothing loaded.
    pub(super) fn new(routes: &[Route], blocks: Blocks) -> Self {
        let line = |Route { target, account, schedule, .. }: &Route| {
            (target.clone(), Line::new(account.clone(), schedule.clone()))
        };
        Self {
            lines: routes.iter().map(line).collect(),
            accounts: Accounts::new(routes, blocks),
            queue: BTreeSet::new(),
            delayed: BTreeSet::new(),
        }
    }

    fn entry(&mut self, target: &TargetId, at: LinePosition) -> Option<&mut Entry> {
        self.lines.get_mut(target)?.jobs.get_mut(&at)
    }

    /// Where to start loading jobs of `target`, and how many, if any should be loaded. The caller must then load them.
    pub(super) fn wants(&mut self, target: &TargetId, most: usize) -> Option<(Option<LinePosition>, usize)> {
        let line = self.lines.get_mut(target)?;
        // Load only when the line is half empty, to load many jobs at once.
        if !line.is_taken_up || !line.more || line.loading || line.jobs.len() > most / 2 {
            return None;
        }
        line.loading = true;
        line.loading_epoch = line.epoch;
        line.loading_reloads = line.reloads;
        Some((line.loaded_to, most - line.jobs.len()))
    }

    /// Begins to work on these targets' lines.
    pub(super) fn take_up(&mut self, targets: &[TargetId]) {
        for target in targets {
            if let Some(line) = self.lines.get_mut(target) {
                line.is_taken_up = true;
            }
        }
    }

    /// Whether a target's line is worked on.
    pub(super) fn is_taken_up(&self, target: &TargetId) -> bool {
        self.lines.get(target).is_some_and(|line| line.is_taken_up)
    }

    /// Forgets the lines of an account: another instance works on them from now on. What workers still report about
    /// their jobs changes nothing here.
    pub(super) fn put_down(&mut self, account: &AccountId) {
        for line in self.lines.values_mut().filter(|line| line.account == *account) {
            // What is being loaded for the line that is forgotten must not come into the next one.
            *line = Line {
                loading: line.loading,
                epoch: line.epoch + 1,
                loading_epoch: line.loading_epoch,
                reloads: line.reloads + 1,
                loading_reloads: line.loading_reloads,
                ..Line::new(account.clone(), line.schedule.clone())
            };
        }
        self.queue.retain(|(_, target)| self.lines.get(target).is_some_and(|line| line.is_taken_up));
        // It outlives the router, and what blocks the account is for its next owner to find out.
        self.accounts.unblock(account);
    }

    /// Records that loading failed.
    pub(super) fn stop_loading(&mut self, target: &TargetId) {
        if let Some(line) = self.lines.get_mut(target) {
            line.loading = false;
        }
    }

    /// Adds jobs that were requested with `room`.
    pub(super) fn load(&mut self, target: &TargetId, jobs: Vec<Job>, room: usize, now: Now) {
        let Some(line) = self.lines.get_mut(target) else {
            return;
        };
        line.loading = false;
        line.more = jobs.len() >= room || line.epoch != line.loading_epoch;
        if line.reloads != line.loading_reloads {
            return;
        }
        for job in jobs {
            let at = LinePosition::of(&job);
            line.loaded_to = line.loaded_to.max(Some(at));
            let entry = line.jobs.entry(at).or_insert_with(|| Entry::new(job, now));
            match entry.phase {
                Phase::Queued if !self.accounts.is_blocked(&line.account) => {
                    self.queue.insert((at, target.clone()));
                }
                Phase::Delayed(_) => {
                    self.delayed.insert((target.clone(), at));
                }
                _ => {}
            }
        }
    }

    /// Records that the ledger holds more jobs of `target` than before.
    pub(super) fn expect_more(&mut self, target: &TargetId) {
        if let Some(line) = self.lines.get_mut(target) {
            line.more = true;
            line.epoch += 1;
        }
    }

    /// The source of the job at this position, as far as it is in memory.
    pub(super) fn source_at(&self, target: &TargetId, at: LinePosition) -> Option<&Arc<str>> {
        self.lines.get(target)?.jobs.get(&at).map(|entry| &entry.job.source)
    }

    /// The account that jobs of `target` are published on.
    pub(super) fn account_of(&self, target: &TargetId) -> Option<&AccountId> {
        self.lines.get(target).map(|line| &line.account)
    }

    /// A job differs from the one in memory: reloads its line, except leased jobs.
    pub(super) fn forget(&mut self, target: &TargetId, at: LinePosition) {
        if let Some(line) = self.lines.get_mut(target) {
            line.jobs.remove(&at);
        }
        self.reload(target);
    }

    /// The ledger's line differs from the one in memory: reloads it, except leased jobs.
    pub(super) fn reload(&mut self, target: &TargetId) {
        let Some(line) = self.lines.get_mut(target) else {
            return;
        };
        line.jobs.retain(|_, entry| entry.holder().is_some());
        self.queue.retain(|(_, queued_for)| queued_for != target);
        line.loaded_to = None;
        line.more = true;
        line.epoch += 1;
        line.reloads += 1;
    }
}
