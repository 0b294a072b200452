//! Handles the outcomes of leased jobs: reports by workers, and reclaimed jobs of workers that exited.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use log::{debug, error, info, warn};
use mynah_domain::{
    JobEvent, JobId, JobState, TargetId,
    backoff::Backoff,
    ports::{
        LedgerError,
        leases::LeaseName,
        ledger::{Advanced, Change, ChangeError, LinePosition},
    },
};

use super::{
    intent::{Assigned, untouched},
    messages::{JobReport, Reclaim},
    pending::{Batch, BegunAtOnce},
    state::RouterState,
    window::Moved,
};
use crate::events::Event;

/// A job whose worker panicked this often fails: the job is to blame. But if a job failed this way and none succeeded
/// since, the jobs are not to blame: the supervisor decides about the worker.
const MAX_PANICS: u32 = 3;

/// How long to wait before jobs are reclaimed again after the ledger failed.
const RECLAIM: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(1) };

impl RouterState {
    /// Records the outcomes of leased jobs, and updates their lines. If a job is translated while its publisher waits,
    /// it is begun in the same transaction.
    pub(super) async fn report(&self, reports: Vec<JobReport>) -> Result<(), LedgerError> {
        self.record_outcomes(reports, true).await
    }

    /// The same; begins translated jobs only if it may.
    async fn record_outcomes(&self, reports: Vec<JobReport>, may_begin: bool) -> Result<(), LedgerError> {
        let received = Instant::now();
        self.opened().await;
        let work = self.heartbeat.at_work();
        let at_once = if may_begin {
            let is_paused = |target: &TargetId| self.is_paused(target);
            self.pending.at_once(&reports, &self.window.borrow(), &self.parts.costs, self.now(), is_paused)
        } else {
            BegunAtOnce::default()
        };
        let changes = reports
            .iter()
            .map(|report| {
                let events = report.lease.iter().chain(&report.events).cloned();
                let events = events.chain(at_once.events_of(report)).collect();
                Change::new(report.at.job, report.token, events)
            })
            .collect();
        let answers = self.parts.ledger.advance(changes).await?;
        let targets = targets_of(&reports);
        let mut granted = HashMap::new();
        let mut late = Vec::new();
        let mut again = Vec::new();
        let mut over_budget = Vec::new();
        let mut put_back = Vec::new();
        for (report, answer) in reports.into_iter().zip(answers) {
            match answer {
                Ok(advanced) => {
                    if at_once.begins(&report) {
                        granted.insert(report.at.job, (report.at, advanced.token));
                    }
                    if advanced.state == JobState::Ready && !report.is_of_translation() {
                        put_back.push((report.target.clone(), report.at));
                    }
                    self.moved(report, advanced, received);
                }
                Err(ChangeError::NotHeld { lease: LeaseName::Account(account), .. }) => {
                    self.put_down_refused(&account);
                    // The outcome stands, only nothing may be begun with it.
                    again.push(report);
                }
                // The same. Whoever leases it for publication holds it.
                Err(ChangeError::OverBudget { .. }) => over_budget.push(report),
                Err(why) => match self.late(&report, &why).await? {
                    Some(known) => late.push(known),
                    None => self.refused(&report, &why),
                },
            }
        }
        self.note_parts(put_back).await?;
        if !late.is_empty() {
            Box::pin(self.report(late)).await?;
        }
        if !again.is_empty() {
            Box::pin(self.report(again)).await?;
        }
        // Before anything else looks at these jobs: they are leased now.
        let undeliverable = self.hand_out(at_once, &granted);
        if !undeliverable.is_empty() {
            Box::pin(self.report(undeliverable)).await?;
        }
        if !over_budget.is_empty() {
            Box::pin(self.record_outcomes(over_budget, false)).await?;
        }
        self.refill_and_wake(&targets).await?;
        work.done();
        Ok(())
    }

    /// Reads which parts of jobs that publishers put back are on the account, where a schedule makes a difference between
    /// jobs that were begun and others.
    async fn note_parts(&self, put_back: Vec<(TargetId, LinePosition)>) -> Result<(), LedgerError> {
        for (target, at) in put_back {
            if self.window.borrow().may_be_begun(&target, at) {
                let parts = self.parts.ledger.publications(at.job).await?;
                self.window.borrow_mut().note_parts(&target, at, parts);
            }
        }
        Ok(())
    }

    /// A publisher may lose its lease in the middle of a call: a router that starts revokes the leases that its
    /// predecessor granted. Its report then decides nothing any more, but the id of a message that is on the account
    /// stays true. If the job's outcome is unknown and the message's key is the one on record, returns the report under
    /// a new lease, so that the message is neither looked up nor sent again.
    async fn late(&self, report: &JobReport, why: &ChangeError) -> Result<Option<JobReport>, LedgerError> {
        let token = match why {
            ChangeError::Stale { current, .. } => *current,
            // A reclaim came first: it changes the state, but not the token.
            ChangeError::Illegal { state: JobState::Unknown, .. } => report.token,
            _ => return Ok(None),
        };
        let Some((sent, key)) = report.sent_part() else { return Ok(None) };
        if self.window.borrow().is_leased(&report.target, report.at) {
            return Ok(None);
        }
        let on_record = self.parts.ledger.publications(report.at.job).await?;
        let is_unanswered = on_record
            .iter()
            .any(|begun| (begun.part, begun.key) == (sent, Some(key)) && begun.remote_id.is_none());
        if !is_unanswered {
            return Ok(None);
        }
        info!(job = report.at.job.0, reason:% = why; "late report accepted");
        Ok(Some(report.clone().leased_again(token)))
    }

    /// A report that changes nothing. If its lease is the one in memory, the line is out of date: a ledger on a server may
    /// have read it just before another report was written, and answered after. Without loading it again, nobody would
    /// work on the job any more.
    fn refused(&self, report: &JobReport, why: &ChangeError) {
        let is_late = matches!(why, ChangeError::Stale { .. });
        if is_late && self.window.borrow().token_of(&report.target, report.at) != Some(report.token) {
            debug!(job = report.at.job.0, reason:% = why; "late report ignored");
            return;
        }
        if is_late {
            debug!(job = report.at.job.0, reason:% = why; "outdated job reloaded");
        } else {
            error!(job = report.at.job.0, reason:% = why; "report refused");
        }
        self.window.borrow_mut().forget(&report.target, report.at);
    }

    /// Hands begun jobs to their publishers; `granted` has their positions and tokens. Returns the reports that take
    /// back jobs that cannot be published now.
    fn hand_out(
        &self,
        at_once: BegunAtOnce,
        granted: &HashMap<JobId, (LinePosition, i64)>,
    ) -> Vec<JobReport> {
        let mut undeliverable = Vec::new();
        for Batch { target, account, worker, intents } in at_once.batches() {
            let mut batch = Vec::new();
            let mut is_in_order = true;
            for (job, intent) in intents {
                let Some((at, token)) = granted.get(&job).copied() else {
                    // If a lease was refused, the jobs behind it must not be published either, to keep the order.
                    is_in_order = false;
                    continue;
                };
                match self.window.borrow_mut().begun(&target, at, &worker.holder) {
                    Some(job) if is_in_order => batch.push(Assigned { job, begun: Some(intent) }),
                    _ => {
                        is_in_order = false;
                        let (target, events) = (target.clone(), untouched(Some(&intent)));
                        undeliverable.push(JobReport {
                            target,
                            at,
                            token,
                            lease: vec![],
                            events,
                            sent_under: None,
                            message: None,
                        });
                    }
                }
            }
            // A publisher that was paused meanwhile begins nothing more.
            let refused =
                if self.is_paused(&target) { batch } else { self.pending.hand(&account, &worker, batch) };
            undeliverable.extend(refused.iter().map(|job| JobReport::new(&job.job, job.untouched())));
            self.ready.wake(&account);
        }
        undeliverable
    }

    /// Updates a job's line; counts, logs and announces its outcome.
    fn moved(&self, report: JobReport, advanced: Advanced, received: Instant) {
        let moved = self.window.borrow_mut().moved(&report, advanced, self.now());
        let JobReport { at, target, events, message, .. } = report;
        let (Some(Moved { post, attempt, translation }), Some(last)) =
            (moved, events.into_iter().next_back())
        else {
            return;
        };
        if matches!(last, JobEvent::Translated(_) | JobEvent::Drafted(_) | JobEvent::Published) {
            self.killer_job_found.set(false);
        }
        let (meter, feed) = (&self.parts.meter, &self.parts.feed);
        let id = at.job.0;
        match last {
            JobEvent::Translated(translation) => {
                let engine = translation.engine.as_str();
                debug!(post = post.id.0.as_str(), target = target.as_str(), job = id, engine = engine; "job translated");
            }
            JobEvent::Drafted(draft) => {
                meter.count("jobs.drafted", 1);
                let engine = draft.translation.engine.as_str();
                info!(post = post.id.0.as_str(), target = target.as_str(), job = id, engine = engine, findings = draft.doubts.len(); "job waits for review");
                feed.send(|| Event::Drafted(post, target));
            }
            JobEvent::SetAside { reason } => {
                warn!(post = post.id.0.as_str(), target = target.as_str(), job = id, reason = reason.as_str(); "job in review set aside");
            }
            JobEvent::Published => {
                meter.count("jobs.published", 1);
                let waited = self.parts.clock.now().duration_since(post.created_at);
                let waited = Duration::try_from(waited).unwrap_or_default();
                meter.called("post", "published", waited, None);
                let ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
                let (message, url) = message
                    .map_or_else(Default::default, |message| (message.id.0, message.url.unwrap_or_default()));
                info!(post = post.id.0.as_str(), target = target.as_str(), job = id, ms = ms, publication = message.as_str(), url = url.as_str(); "job published");
                if let Some(translation) = translation {
                    feed.send(|| Event::Published(post, target, translation, received));
                }
            }
            JobEvent::Held(hold) => {
                meter.count_kind("jobs.held", hold.kind.as_str());
                warn!(post = post.id.0.as_str(), target = target.as_str(), job = id, kind = hold.kind.as_str(), reason = hold.reason.as_str(); "job held");
                feed.send(|| Event::Held(post, target, hold));
            }
            JobEvent::Skipped(skip) => {
                meter.count_kind("jobs.skipped", skip.as_str());
                info!(post = post.id.0.as_str(), target = target.as_str(), job = id, reason = skip.as_str(); "job skipped");
                feed.send(|| Event::Skipped(post, target, skip));
            }
            JobEvent::Failed { reason } => {
                meter.count("jobs.failed", 1);
                error!(post = post.id.0.as_str(), target = target.as_str(), job = id, reason = reason.as_str(); "job failed");
                feed.send(|| Event::Failed(post, target, reason));
            }
            JobEvent::HandedBack { reason, .. }
            | JobEvent::NotSent { reason, .. }
            | JobEvent::OutcomeLost { reason, .. } => {
                meter.count("jobs.retried", 1);
                warn!(post = post.id.0.as_str(), target = target.as_str(), job = id, attempt = attempt, reason = reason.as_str(); "retry scheduled");
            }
            _ => {}
        }
    }

    /// Takes back the jobs that a worker held when it exited. Nobody else would: until it succeeds, it is repeated with
    /// growing waits.
    pub(super) async fn reclaim(
        &self,
        Reclaim { holder, reason, suspect }: &Reclaim,
    ) -> Result<(), LedgerError> {
        self.opened().await;
        let taken = self.window.borrow_mut().leased_by(holder, *suspect);
        let reports: Vec<JobReport> = taken
            .into_iter()
            .map(|(job, panics)| {
                let event = if panics >= MAX_PANICS && !self.killer_job_found.replace(true) {
                    let reason = format!(
                        "{holder} died {panics} times while working on this job; last time: {reason}"
                    );
                    JobEvent::Failed { reason }
                } else if job.state == JobState::Publishing {
                    JobEvent::OutcomeLost { not_before: None, reason: format!("{holder} exited: {reason}") }
                } else {
                    JobEvent::HandedBack { not_before: None, reason: format!("{holder} exited: {reason}") }
                };
                JobReport::new(&job, vec![event])
            })
            .collect();
        // Requests of the exited worker must not wait any longer.
        self.work.notify_waiters();
        self.ready.wake_all();
        let mut attempt = 0;
        while let Err(error) = self.report(reports.clone()).await {
            if !error.is_retryable() {
                return Err(error);
            }
            attempt += 1;
            let wait = RECLAIM.growing_wait(attempt, fastrand::f64());
            warn!(worker = holder.as_str(), attempt = attempt, wait:? = wait, reason:% = error; "reclaim failed; retry scheduled");
            actix_rt::time::sleep(wait).await;
        }
        Ok(())
    }
}

/// The targets of these reports, each once.
fn targets_of(reports: &[JobReport]) -> Vec<TargetId> {
    let mut targets: Vec<TargetId> = Vec::new();
    for report in reports {
        if !targets.contains(&report.target) {
            targets.push(report.target.clone());
        }
    }
    targets
}
