//! Applies changes to the lines: reports by workers, time, and accounts that are blocked and fixed.

use std::{sync::Arc, time::Duration};

use mynah_domain::{
    AccountId, Job, JobEvent, JobState, Post, TargetId, Translation, ports::ledger::Advanced,
};

use super::{
    Window,
    entry::{Entry, Now, Phase},
};
use crate::router::messages::JobReport;

/// A job that changed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::router) struct Moved {
    /// Its post.
    pub(in crate::router) post: Arc<Post>,
    /// How many attempts were made since it last made progress.
    pub(in crate::router) attempt: u32,
    /// Its translation, if the job has left its line.
    pub(in crate::router) translation: Option<Translation>,
}

/// When the router should check delayed jobs again.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::router) enum Wake {
    /// Some jobs have just become ready.
    Now,
    /// The next delay ends after this long.
    In(Duration),
    /// No job is delayed.
    Never,
}

/// A job that blocked others for too long, and its last reason.
#[derive(Debug)]
pub(in crate::router) struct Overdue {
    pub(in crate::router) job: Job,
    pub(in crate::router) reason: String,
}

impl Window {
    /// Applies a report, after which the job is as `advanced` states. Returns what watchers need to know, if the job
    /// was in memory.
    pub(in crate::router) fn moved(
        &mut self,
        report: &JobReport,
        advanced: Advanced,
        now: Now,
    ) -> Option<Moved> {
        let at = report.at;
        let Advanced { state, token, attempt } = advanced;
        let entry = self.entry(&report.target, at)?;
        // It changes neither, and no worker has a job in review.
        let is_set_aside = matches!(report.events.last(), Some(JobEvent::SetAside { .. }));
        if (entry.job.state, entry.job.token) == (state, token) && !is_set_aside {
            // The same report came before. The job may be on its way to another worker by now.
            return None;
        }
        (entry.job.state, entry.job.token, entry.job.attempt) = (state, token, attempt);
        let mut not_before = None;
        let mut waits_for_a_person = false;
        for event in &report.events {
            match event {
                JobEvent::Translated(translation) => {
                    entry.job.translation = Some(translation.clone());
                    entry.panics = 0;
                }
                JobEvent::Drafted(_) => {
                    entry.job.guidance = None;
                    entry.panics = 0;
                }
                JobEvent::SetAside { reason } => {
                    waits_for_a_person = true;
                    entry.reason.clone_from(reason);
                }
                // Its publisher may be one that this router never leased it to.
                JobEvent::PartSent { .. } => entry.touched = true,
                JobEvent::HandedBack { not_before: moment, reason }
                | JobEvent::NotSent { not_before: moment, reason }
                | JobEvent::OutcomeLost { not_before: moment, reason } => {
                    not_before = *moment;
                    entry.reason.clone_from(reason);
                }
                JobEvent::Held(hold) => {
                    not_before = hold.until;
                    waits_for_a_person = hold.until.is_none();
                    entry.reason.clone_from(&hold.reason);
                }
                _ => {}
            }
        }
        entry.job.not_before = not_before;
        entry.phase = not_before
            .map_or_else(|| Entry::undelayed(&entry.job), |moment| Phase::Delayed(now.delay(moment)));
        let (post, queued) = (entry.job.post.clone(), entry.phase == Phase::Queued);
        if not_before.is_some() {
            self.delayed.insert((report.target.clone(), at));
        }
        let line = self.lines.get_mut(&report.target)?;
        if state == JobState::Published {
            line.last = Some(post.id.clone());
        }
        let mut translation = None;
        if state.is_settled() || waits_for_a_person {
            translation = line.jobs.remove(&at).and_then(|entry| entry.job.translation);
        } else if queued && !self.accounts.is_blocked(&line.account) {
            self.queue.insert((at, report.target.clone()));
        }
        Some(Moved { post, attempt, translation })
    }

    /// Wakes the jobs whose delay has ended.
    pub(in crate::router) fn wake(&mut self, now: Now) -> Wake {
        let mut next: Option<Duration> = None;
        let mut woke = false;
        let Self { lines, accounts, queue, delayed } = self;
        delayed.retain(|(target, at)| {
            let Some(line) = lines.get_mut(target) else { return false };
            let Some(entry) = line.jobs.get_mut(at) else { return false };
            let Phase::Delayed(delay) = entry.phase else { return false };
            let left = now.left(delay);
            if !left.is_zero() {
                next = Some(next.map_or(left, |next| next.min(left)));
                return true;
            }
            woke = true;
            entry.job.not_before = None;
            entry.phase = Entry::undelayed(&entry.job);
            if entry.phase == Phase::Queued && !accounts.is_blocked(&line.account) {
                queue.insert((*at, target.clone()));
            }
            false
        });
        match next {
            _ if woke => Wake::Now,
            Some(left) => Wake::In(left),
            None => Wake::Never,
        }
    }

    /// The heads that have blocked others for longer than `patience`, and how long until the next one has. Time during
    /// which a job's upstream `is_down`, or in which its target is quiet, does not count. A head that is in review comes with
    /// those in review right behind it: together they block what is ready behind them.
    pub(in crate::router) fn overdue(
        &mut self,
        now: Now,
        patience: Duration,
        is_down: impl Fn(&Job) -> bool,
    ) -> (Vec<Overdue>, Option<Duration>) {
        let mut overdue = Vec::new();
        let mut next: Option<Duration> = None;
        for line in self.lines.values_mut() {
            let blocking = line.blocking.take();
            let mut jobs = line.jobs.iter();
            let Some((at, head)) = jobs.next() else { continue };
            // A held head waits for a limit of the whole account or of all engines, and is not at fault.
            let is_held = head.job.state == JobState::Held;
            let is_in_review = head.phase == Phase::Review;
            let fails = is_in_review || (matches!(head.phase, Phase::Delayed(_)) && !is_held);
            let is_known = blocking.is_some_and(|(known, _)| known == *at);
            // A job that never failed is no problem, whatever waits behind it; scanning the line for that would be
            // expensive.
            if !(fails || is_known)
                || is_held
                || self.accounts.is_blocked(&line.account)
                || (!is_in_review && is_down(&head.job))
                || line.schedule.quiet_at(now.wall).is_some()
            {
                continue;
            }
            if !jobs.any(|(_, job)| job.phase == Phase::Ready) {
                continue;
            }
            let since = match blocking {
                // Leased or about to be retried, it still blocks the others.
                Some((known, since)) if known == *at => since,
                _ if fails => now.steady,
                _ => continue,
            };
            line.blocking = Some((*at, since));
            let left = patience.saturating_sub(now.steady.saturating_duration_since(since));
            if is_in_review && left.is_zero() {
                let in_review = line.jobs.values().take_while(|entry| entry.phase == Phase::Review);
                overdue.extend(
                    in_review.map(|entry| Overdue { job: entry.job.clone(), reason: entry.reason.clone() }),
                );
            } else if fails && left.is_zero() {
                overdue.push(Overdue { job: head.job.clone(), reason: head.reason.clone() });
            } else if fails {
                next = Some(next.map_or(left, |next: Duration| next.min(left)));
            }
        }
        (overdue, next)
    }

    /// Stops publishing on an account, and translating for the targets that share it.
    pub(in crate::router) fn block(&mut self, account: &AccountId, reason: String) {
        self.accounts.block(account, reason);
        // A translation that cannot be published would waste money.
        let Self { lines, queue, .. } = self;
        queue.retain(|(_, target)| lines.get(target).is_some_and(|line| line.account != *account));
    }

    /// Resumes a target's account; returns the account if it was blocked.
    pub(in crate::router) fn unblock(&mut self, target: &TargetId) -> Option<AccountId> {
        let account = self.lines.get(target)?.account.clone();
        let was_blocked = self.accounts.unblock(&account);
        for (target, line) in self.lines.iter().filter(|(_, line)| line.account == account) {
            let queued = line.jobs.iter().filter(|(_, entry)| entry.phase == Phase::Queued);
            self.queue.extend(queued.map(|(at, _)| (*at, target.clone())));
        }
        was_blocked.then_some(account)
    }
}
