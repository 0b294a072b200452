//! Leases jobs to publishers. Such a lease is on record before the publisher has it, and with it the intent to publish
//! where that is known already.

use log::warn;
use mynah_domain::{
    Job, JobId, JobState,
    ports::{
        LedgerError,
        ledger::{Change, ChangeError, LinePosition},
    },
};

use super::{
    intent::{Assigned, Intent},
    messages::{JobReport, PullPublications, lease_of, never_looked_up},
    state::RouterState,
    window::Picked,
};

impl RouterState {
    /// Leases the next job of one of an account's lines to its publisher, as soon as it is ready, and as many as there is
    /// room for that may be published right behind it, those with their intents. Nothing to a publisher that has ended.
    pub(super) async fn lease_for_publication(
        &self,
        pull: &PullPublications,
    ) -> Result<Vec<Assigned>, LedgerError> {
        let PullPublications { worker, account, room } = pull;
        let _asking = self.asking();
        self.opened().await;
        while worker.is_valid() {
            let ready = self.ready.notified();
            let picked = self.window.borrow_mut().pick_for_publication(
                &worker.holder,
                account,
                (*room).max(1),
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
                Picked::Alone { job, touched } => (vec![Assigned { job, begun: None }], touched),
                Picked::Batch(jobs) => (self.begin(jobs, pull), false),
            };
            let wanted: Vec<JobId> = jobs.iter().map(|assigned| assigned.job.id).collect();
            let mut leased = self.lease(jobs).await?;
            // Behind one that was refused, order lets nobody pass.
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

    /// Jobs of one message each, to be begun with their leases where there is room for that.
    fn begin(&self, jobs: Vec<Job>, pull: &PullPublications) -> Vec<Assigned> {
        let now = self.parts.clock.now();
        let intent = |job: &Job| {
            let translation = job.translation.as_ref().filter(|_| pull.room > 0)?;
            Intent::of_only_part(translation, &pull.account, now)
        };
        jobs.into_iter().map(|job| Assigned { begun: intent(&job), job }).collect()
    }

    /// Takes back jobs that were leased and that nobody has in hand. A publisher may end while its lease is being written:
    /// what is reclaimed at that moment is reclaimed under the token of before, and would stay leased to a dead publisher.
    /// Where a part was begun before this lease, its outcome is as unknown as it was.
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

    /// Writes the leases of jobs that were picked for a publisher, and the intents of those that are begun; answers those
    /// that were granted, with their new tokens.
    async fn lease(&self, picked: Vec<Assigned>) -> Result<Vec<Assigned>, LedgerError> {
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
        let mut refused = false;
        let mut orphans = Vec::new();
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
                Err(why) => {
                    warn!(job = job.id.0, reason:% = why; "lease refused");
                    self.window.borrow_mut().forget(&job.target, LinePosition::of(job));
                    refused = true;
                    // Only the router leases, and it knows of no lease: without this it would ask again and again.
                    if matches!(why, ChangeError::Illegal { state: JobState::Publishing, .. }) {
                        let events = vec![never_looked_up()];
                        orphans.push(Change::new(job.id, job.token, events));
                    }
                }
            }
        }
        if !orphans.is_empty() {
            // One that is refused was taken up meanwhile.
            self.parts.ledger.advance(orphans.into()).await?;
        }
        if refused {
            self.refill_and_wake().await?;
        }
        work.done();
        Ok(leased)
    }
}
