//! Leases jobs to publishers. Such a lease is on record before the publisher has it, and with it the intent to publish
//! where that is known already.

use log::warn;
use mynah_domain::{
    Job, JobEvent, JobId, JobState,
    ports::{
        LedgerError,
        ledger::{Change, ChangeError},
    },
};

use super::{
    messages::{Assignment, JobReport, PullPublications, first_part, lease_of, never_looked_up, untouched},
    state::RouterState,
    window::{LinePosition, Picked},
};

impl RouterState {
    /// Leases the next job in a target's order to its publisher, as soon as it is ready, and as many as there is room for
    /// that may be published right behind it, those with their intents. Nothing to a publisher that has ended.
    pub(super) async fn lease_for_publication(
        &self,
        pull: &PullPublications,
    ) -> Result<Assignment, LedgerError> {
        let PullPublications { worker, target, room } = pull;
        let _asking = self.asking();
        self.opened().await;
        while worker.is_valid() {
            let ready = self.ready.notified();
            let picked = if self.is_paused(target) {
                Picked::Nothing
            } else {
                self.window.borrow_mut().pick_for_publication(&worker.holder, target, (*room).max(1))
            };
            let (jobs, touched, begin) = match picked {
                Picked::Nothing => {
                    let waiting = self.pending.enter(pull);
                    ready.await;
                    let begun = waiting.leave();
                    if begun.is_empty() {
                        continue;
                    }
                    return Ok(Assignment::Begun(begun));
                }
                Picked::Alone { job, touched } => (vec![job], touched, false),
                Picked::Batch(jobs) => (jobs, false, *room > 0),
            };
            let wanted: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
            let mut leased = self.lease(jobs, begin).await?;
            // Behind one that was refused, order lets nobody pass.
            let in_order = leased.iter().zip(&wanted).take_while(|(job, wanted)| job.id == **wanted).count();
            self.take_back(leased.split_off(in_order), begin).await?;
            if !worker.is_valid() {
                self.take_back(leased, begin).await?;
                break;
            }
            if begin && !leased.is_empty() {
                return Ok(Assignment::Begun(leased));
            }
            if let Some(mut job) = leased.pop() {
                if touched {
                    job.publications = self.parts.ledger.publications(job.id).await?;
                }
                return Ok(Assignment::Alone(Box::new(job)));
            }
        }
        Ok(Assignment::Nothing)
    }

    /// Takes back jobs that were leased and that nobody has in hand. A publisher may end while its lease is being written:
    /// what is reclaimed at that moment is reclaimed under the token of before, and would stay leased to a dead publisher.
    /// Where a part was begun before this lease, its outcome is as unknown as it was.
    async fn take_back(&self, leased: Vec<Job>, begun: bool) -> Result<(), LedgerError> {
        let mut reports = Vec::with_capacity(leased.len());
        for job in leased {
            let is_unknown = !begun
                && self.parts.ledger.publications(job.id).await?.iter().any(|part| part.remote_id.is_none());
            let events = if is_unknown { vec![never_looked_up()] } else { untouched(begun) };
            reports.push(JobReport::new(&job, events));
        }
        if reports.is_empty() {
            return Ok(());
        }
        self.report(reports).await
    }

    /// Writes the leases of jobs that were picked for a publisher, with the intents to publish them where they are to
    /// `begin`; answers those that were granted, with their new tokens.
    async fn lease(&self, jobs: Vec<Job>, begin: bool) -> Result<Vec<Job>, LedgerError> {
        let work = self.heartbeat.at_work();
        let changes = jobs
            .iter()
            .map(|job| {
                let mut events = lease_of(job);
                if begin {
                    events.push(JobEvent::PartBegun { part: 0, text: first_part(job).to_owned() });
                }
                Change { job: job.id, token: job.token, events }
            })
            .collect();
        let answers = match self.parts.ledger.advance(changes).await {
            Ok(answers) => answers,
            Err(error) => {
                let mut window = self.window.borrow_mut();
                for job in &jobs {
                    window.unpick(job);
                }
                return Err(error);
            }
        };
        let mut leased = Vec::with_capacity(jobs.len());
        let mut refused = false;
        let mut orphans = Vec::new();
        for (mut job, answer) in jobs.into_iter().zip(answers) {
            match answer {
                Ok(advanced) => {
                    job.state = advanced.state;
                    job.token = advanced.token;
                    job.attempt = advanced.attempt;
                    self.window.borrow_mut().leased(&job);
                    leased.push(job);
                }
                Err(why) => {
                    warn!(job = job.id.0, reason:% = why; "lease refused; the job is looked up anew");
                    self.window.borrow_mut().forget(&job.target, LinePosition::of(&job));
                    refused = true;
                    // Only the router leases, and it knows of no lease: without this it would ask again and again.
                    if matches!(why, ChangeError::Illegal { state: JobState::Publishing, .. }) {
                        let events = vec![never_looked_up()];
                        orphans.push(Change { job: job.id, token: job.token, events });
                    }
                }
            }
        }
        if !orphans.is_empty() {
            // One that is refused was taken up meanwhile.
            self.parts.ledger.advance(orphans).await?;
        }
        if refused {
            self.refill_and_wake().await?;
        }
        work.done();
        Ok(leased)
    }
}
