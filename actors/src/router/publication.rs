//! Leases jobs to publishers. Such a lease is recorded before the publisher receives it, together with the intent to
//! publish if that is known already.

use log::warn;
use mynah_domain::{
    AccountId, Job, JobEvent, JobId, JobState,
    ports::{
        LedgerError,
        ledger::{Change, ChangeError, LinePosition},
    },
};

use super::{
    intent::{Assigned, Intent, held_by},
    messages::{JobReport, PullPublications, lease_of, never_looked_up},
    state::RouterState,
    window::Picked,
};

impl RouterState {
    /// Leases the next job of one of an account's lines to its publisher as soon as it is ready. Adds, with their
    /// intents, as many jobs that may be published right behind it as there is room for. Leases nothing to a publisher
    /// that has exited.
    pub(super) async fn lease_for_publication(
        &self,
        pull: &PullPublications,
    ) -> Result<Vec<Assigned>, LedgerError> {
        let PullPublications { worker, account, room } = pull;
        let _asking = self.asking();
        self.opened().await;
        while worker.is_valid() {
            let ready = self.ready.notified(account);
            let picked = self.window.borrow_mut().pick_for_publication(
                &worker.holder,
                account,
                (*room).max(1),
                self.now(),
                |target| self.is_paused(target),
            );
            let (jobs, touched) = match picked {
                Picked::Nothing => {
                    let waiting = self.pending.enter(pull);
                    ready.await;
                    let begun = waiting.leave();
                    if begun.is_empty() {
                        continue;
                    }
                    return Ok(begun);
                }
                Picked::Alone { job, touched } => (vec![Assigned { job: *job, begun: None }], touched),
                Picked::Batch(jobs) => (self.begin(jobs, pull), false),
            };
            let wanted: Vec<JobId> = jobs.iter().map(|assigned| assigned.job.id).collect();
            let mut leased = self.lease(jobs, account).await?;
            // If a lease was refused, the jobs behind it must not be published either, to keep the order.
            let is_wanted = |(assigned, wanted): &(&Assigned, &JobId)| assigned.job.id == **wanted;
            let in_order = leased.iter().zip(&wanted).take_while(is_wanted).count();
            self.take_back(leased.split_off(in_order)).await?;
            if !worker.is_valid() {
                self.take_back(leased).await?;
                break;
            }
            if touched {
                for Assigned { job, .. } in &mut leased {
                    job.publications = self.parts.ledger.publications(job.id).await?;
                }
            }
            if !leased.is_empty() {
                return Ok(leased);
            }
        }
        Ok(Vec::new())
    }

    /// Begins jobs with one part each together with their leases, if there is room.
    fn begin(&self, jobs: Vec<Job>, pull: &PullPublications) -> Vec<Assigned> {
        let now = self.parts.clock.now();
        let intent = |job: &Job| {
            let translation = job.translation.as_ref().filter(|_| pull.room > 0)?;
            let cost = self.parts.costs.of((&job.source, &job.target), &translation.parts, 0, now);
            Some(Intent::of_only_part(translation, &pull.account, now)?.at(cost))
        };
        jobs.into_iter().map(|job| Assigned { begun: intent(&job), job }).collect()
    }

    /// Takes back jobs that were leased but that no worker holds. A publisher may exit while its lease is being
    /// written. A reclaim at that moment uses the old token, so the job would stay leased to a dead publisher. If a
    /// part was begun before this lease, its outcome stays unknown.
    async fn take_back(&self, leased: Vec<Assigned>) -> Result<(), LedgerError> {
        let mut reports = Vec::with_capacity(leased.len());
        for assigned in leased {
            let is_unknown = assigned.begun.is_none()
                && self
                    .parts
                    .ledger
                    .publications(assigned.job.id)
                    .await?
                    .iter()
                    .any(|part| part.remote_id.is_none());
            let events = if is_unknown { vec![never_looked_up()] } else { assigned.untouched() };
            reports.push(JobReport::new(&assigned.job, events));
        }
        if reports.is_empty() {
            return Ok(());
        }
        self.report(reports).await
    }

    /// Records the leases of jobs that were picked for a publisher, and the intents of those that are begun; returns
    /// the granted leases with their new tokens.
    async fn lease(&self, picked: Vec<Assigned>, account: &AccountId) -> Result<Vec<Assigned>, LedgerError> {
        let work = self.heartbeat.at_work();
        let changes = picked
            .iter()
            .map(|Assigned { job, begun }| {
                let events = lease_of(job).into_iter().chain(begun.as_ref().map(Intent::event)).collect();
                Change::new(job.id, job.token, events)
            })
            .collect();
        let answers = match self.parts.ledger.advance(changes).await {
            Ok(answers) => answers,
            Err(error) => {
                let mut window = self.window.borrow_mut();
                for assigned in &picked {
                    window.unpick(&assigned.job);
                }
                return Err(error);
            }
        };
        let mut leased = Vec::with_capacity(picked.len());
        let (mut refused, mut not_held) = (false, false);
        let (mut orphans, mut over_budget) = (Vec::new(), None);
        for (mut assigned, answer) in picked.into_iter().zip(answers) {
            let job = &mut assigned.job;
            match answer {
                Ok(advanced) => {
                    job.state = advanced.state;
                    job.token = advanced.token;
                    job.attempt = advanced.attempt;
                    self.window.borrow_mut().leased(job);
                    leased.push(assigned);
                }
                Err(ChangeError::NotHeld { .. }) => not_held = true,
                Err(ChangeError::OverBudget { over, .. }) if over_budget.is_none() => {
                    self.parts.costs.refused(&over);
                    over_budget = Some(JobReport::new(
                        job,
                        vec![JobEvent::Held(held_by(&over, self.parts.clock.now()))],
                    ));
                }
                // It waits behind the one that is held.
                Err(ChangeError::OverBudget { .. }) => self.window.borrow_mut().unpick(job),
                Err(why) => {
                    warn!(job = job.id.0, reason:% = why; "lease refused");
                    self.window.borrow_mut().forget(&job.target, LinePosition::of(job));
                    refused = true;
                    // Only the router leases, and it knows of no lease: without this, it would try again forever.
                    if matches!(why, ChangeError::Illegal { state: JobState::Publishing, .. }) {
                        let events = vec![never_looked_up()];
                        orphans.push(Change::new(job.id, job.token, events));
                    }
                }
            }
        }
        if not_held {
            self.put_down_refused(account);
        }
        if !orphans.is_empty() {
            // If a change is refused, another worker has taken the job meanwhile.
            self.parts.ledger.advance(orphans.into()).await?;
        }
        if refused {
            self.refill_and_wake_all().await?;
        }
        if let Some(held) = over_budget {
            self.report(vec![held]).await?;
        }
        work.done();
        Ok(leased)
    }
}
