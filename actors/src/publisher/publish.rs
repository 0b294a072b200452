//! The one way by which a job is published: part by part, each with its intent on record before it is sent. The intent may
//! be on record already: with the job's lease, or since a try before this one whose outcome is not known.

use std::time::Instant;

use log::info;
use mynah_domain::{
    Job, JobEvent, PostId, Publication, Reply,
    caps::Caps,
    job::HoldKind,
    network::Repeat,
    ports::{Draft, PublishError, ledger::Change},
};

use super::{
    Publisher, Threads,
    failure::{Halt, Sending, held, not_sent, outcome_lost},
};
use crate::{
    failpoint,
    router::{Assigned, Intent},
    supervision::shell::Stop,
};

impl Publisher {
    /// Publishes every part that is not on the account yet; answers the events that end the job.
    pub(super) async fn publish(
        &self,
        Assigned { job, begun }: &Assigned,
        stop: &Stop,
    ) -> Result<Vec<JobEvent>, Halt> {
        self.verify(job).await?;
        let Some(translation) = &job.translation else {
            let reason = "it was ready without a translation; report this, and retry it".to_owned();
            return Err(Halt::Event(JobEvent::Failed { reason }));
        };
        let last = translation.parts.len().saturating_sub(1);
        let mut previous: Option<Reply> = None;
        let mut events = Vec::new();
        for (part, text) in (0_u32..).zip(&translation.parts) {
            let on_record = job.publications.iter().find(|publication| publication.part == part);
            let reply = match on_record {
                Some(publication) if publication.key.is_some() => publication.reply.clone(),
                _ if part == 0 => self.parent_of(job).await?,
                _ => previous.take(),
            };
            if let Some(remote_id) = on_record.and_then(|publication| publication.remote_id.clone()) {
                previous = Some(Reply::behind(remote_id, reply.as_ref()));
                continue;
            }
            let intent = || match begun {
                Some(begun) if begun.part == part => (begun.clone(), Sending::Begun),
                _ => {
                    let now = self.parts.clock.now();
                    (Intent::new(part, &self.parts.account, text, reply.clone(), now), Sending::First)
                }
            };
            let (remote_id, reply) = match on_record {
                None => self.publish_part(job, intent(), stop).await?,
                Some(publication) => match self.repeated(job, publication) {
                    Some(intent) => self.publish_part(job, (intent, Sending::Again), stop).await?,
                    None => match self.find_out(job, publication).await? {
                        Some(remote_id) => (remote_id, reply),
                        None => self.publish_part(job, intent(), stop).await?,
                    },
                },
            };
            let sent = JobEvent::PartSent { part, remote_id: remote_id.clone() };
            if part as usize == last {
                events.push(sent);
            } else {
                self.write(job, sent).await?;
                self.context.heartbeat().progress();
                self.context.heartbeat().at_rest(self.token()).await;
            }
            previous = Some(Reply::behind(remote_id, reply.as_ref()));
        }
        events.push(JobEvent::Published);
        Ok(events)
    }

    /// The intent of a message whose outcome is not known, where the network does not publish it twice under the same key.
    fn repeated(&self, job: &Job, publication: &Publication) -> Option<Intent> {
        Intent::recorded(publication).filter(|_| self.is_safe_to_repeat(job))
    }

    /// Whether the network of a job's target recognizes the key of a message that is sent again.
    pub(super) fn is_safe_to_repeat(&self, job: &Job) -> bool {
        self.parts.target(job).is_some_and(|target| target.network.repeat() == Repeat::Safe)
    }

    /// Publishes a part; where it may not answer what it should, as the policy for threads says. Answers its id, and what it
    /// answers.
    async fn publish_part(
        &self,
        job: &Job,
        (intent, sending): (Intent, Sending),
        stop: &Stop,
    ) -> Result<(PostId, Option<Reply>), Halt> {
        let reason = match self.send(job, &intent, sending, stop).await {
            Err(Halt::ReplyRefused(reason)) if intent.reply.is_some() => reason,
            sent => return sent.map(|remote_id| (remote_id, intent.reply)),
        };
        if self.parts.threads == Threads::Chain {
            let reason = format!(
                "{reason}; retry it, or set publisher.threads = \"standalone\" to publish it on its own"
            );
            return Err(Halt::Event(held(HoldKind::Thread, reason, None)));
        }
        info!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "part published on its own");
        let alone = Intent::new(intent.part, &intent.account, &intent.text, None, self.parts.clock.now());
        let remote_id = self.send(job, &alone, Sending::First, stop).await?;
        Ok((remote_id, None))
    }

    /// Sends a part, with its intent on record.
    async fn send(&self, job: &Job, intent: &Intent, sending: Sending, stop: &Stop) -> Result<PostId, Halt> {
        let draft = match self.prepare(job, intent, sending, stop).await {
            Ok(draft) => draft,
            // What was sent before may be on the account: whatever stands in the way now, that stays to be found out.
            Err(Halt::Event(event)) if sending == Sending::Again => {
                return Err(Halt::Event(still_unknown(event)));
            }
            Err(Halt::Blocked(event, reason)) if sending == Sending::Again => {
                return Err(Halt::Blocked(still_unknown(event), reason));
            }
            Err(halt) => return Err(halt),
        };
        match self.call(&draft).await {
            Ok(remote_id) => Ok(remote_id),
            Err(error) => {
                // What is on the account is on record before anything is looked up there, or it would be found for another
                // message of the same words.
                self.report().await?;
                Err(self.after_error(job, intent, sending, error).await?)
            }
        }
    }

    /// What is to be sent, where nothing stands in the way; its intent is then on record.
    async fn prepare(
        &self,
        job: &Job,
        intent: &Intent,
        sending: Sending,
        stop: &Stop,
    ) -> Result<Draft, Halt> {
        if let Err(not_allowed) = self.permit(not_sent) {
            if sending == Sending::Begun {
                self.write(job, intent.absent()).await?;
            }
            return Err(not_allowed);
        }
        if sending == Sending::First {
            self.check_caps().await?;
        }
        // Before the intent: nothing is published by it, and a lost answer costs no look at the account. Jobs that are begun
        // with their leases have none.
        let media = if intent.part == 0 { self.media(job, stop).await? } else { Vec::new() };
        if sending == Sending::First {
            self.write(job, intent.event()).await?;
        }
        Ok(intent.draft(media))
    }

    async fn check_caps(&self) -> Result<(), Halt> {
        let caps = self.parts.limits.caps;
        if caps == Caps::default() {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let spent = self.parts.ledger.spent(&self.parts.account, now).await?;
        caps.allow(spent, 1, now)
            .map_err(|reached| Halt::Event(held(HoldKind::Cap, reached.to_string(), Some(reached.until))))
    }

    async fn call(&self, draft: &Draft) -> Result<PostId, PublishError> {
        failpoint::reach("destination.publish.before");
        let started = Instant::now();
        let answer = self.destination.publish(draft).await;
        failpoint::reach("destination.publish.after");
        self.record_call("post", started, answer.as_ref().err());
        if answer.is_ok() {
            self.limited.set(0);
        }
        answer
    }

    /// Records an event of a job in the middle of its publication.
    pub(super) async fn write(&self, job: &Job, event: JobEvent) -> Result<(), Halt> {
        let change = Change::new(job.id, job.token, vec![event]);
        for answer in self.parts.ledger.advance([change].into()).await? {
            if let Err(why) = answer {
                // Another publisher has it; whatever is done here must not be done twice.
                let reason = format!("it was taken up elsewhere: {why}");
                return Err(Halt::Event(JobEvent::OutcomeLost { reason, not_before: None }));
            }
        }
        Ok(())
    }
}

/// What becomes of a job that is not sent again now, though it may be on the account.
fn still_unknown(event: JobEvent) -> JobEvent {
    match event {
        JobEvent::NotSent { not_before, reason } => outcome_lost(reason, not_before),
        JobEvent::Untouched => outcome_lost("it was stopped before it was sent again".into(), None),
        event => event,
    }
}
