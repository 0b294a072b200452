//! The one way by which a job is published: part by part, each with its intent on record first. The intent of a job of one
//! message may have been recorded with its lease.

use std::time::Instant;

use log::info;
use mynah_domain::{
    Job, JobEvent, PostId,
    caps::Caps,
    job::HoldKind,
    ports::{Draft, MediaId, PublishError, ledger::Change},
};

use super::{
    Publisher, Threads,
    failure::{Halt, held, not_sent},
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
        let mut previous: Option<PostId> = None;
        let last = translation.parts.len().saturating_sub(1);
        let mut events = Vec::new();
        for (part, text) in (0_u32..).zip(&translation.parts) {
            let on_record = job.publications.iter().find(|publication| publication.part == part);
            if let Some(remote_id) = on_record.and_then(|publication| publication.remote_id.as_ref()) {
                previous = Some(remote_id.clone());
                continue;
            }
            let found = match on_record {
                Some(publication) => self.find_out(job, publication).await?,
                None => None,
            };
            let remote_id = match (found, begun) {
                (Some(remote_id), _) => remote_id,
                (None, Some(intent)) if intent.part == part => self.publish_begun(job, intent).await?,
                (None, _) => {
                    let reply_to = if part == 0 { self.parent_of(job).await? } else { previous };
                    let intent = Intent { part, text: text.clone(), reply_to };
                    self.publish_part(job, intent, stop).await?
                }
            };
            let sent = JobEvent::PartSent { part, remote_id: remote_id.clone() };
            if part as usize == last {
                events.push(sent);
            } else {
                self.write(job, sent).await?;
                self.context.heartbeat().progress();
                self.context.heartbeat().at_rest(self.token()).await;
            }
            previous = Some(remote_id);
        }
        events.push(JobEvent::Published);
        Ok(events)
    }

    /// Publishes the message whose intent was recorded with the lease.
    async fn publish_begun(&self, job: &Job, intent: &Intent) -> Result<PostId, Halt> {
        if let Err(not_allowed) = self.permit(not_sent) {
            self.write(job, intent.absent()).await?;
            return Err(not_allowed);
        }
        self.send(job, intent, Vec::new()).await
    }

    /// Begins and publishes a part; where it may not answer what it should, as the policy for threads says.
    async fn publish_part(&self, job: &Job, intent: Intent, stop: &Stop) -> Result<PostId, Halt> {
        let reason = match self.begin_and_send(job, &intent, stop).await {
            Err(Halt::ReplyRefused(reason)) if intent.reply_to.is_some() => reason,
            published => return published,
        };
        if self.parts.threads == Threads::Chain {
            let reason =
                format!("{reason}; retry it, or set publisher.threads = \"standalone\" to say it on its own");
            return Err(Halt::Event(held(HoldKind::Thread, reason, None)));
        }
        info!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "part said on its own");
        self.begin_and_send(job, &Intent { reply_to: None, ..intent }, stop).await
    }

    /// Records the intent to publish a part, where nothing stands in its way, and sends it.
    async fn begin_and_send(&self, job: &Job, intent: &Intent, stop: &Stop) -> Result<PostId, Halt> {
        self.permit(not_sent)?;
        self.check_caps().await?;
        // Before the intent: nothing is published by it, and a lost answer costs no look at the account.
        let media = if intent.part == 0 { self.media(job, stop).await? } else { Vec::new() };
        self.write(job, intent.event()).await?;
        self.send(job, intent, media).await
    }

    async fn check_caps(&self) -> Result<(), Halt> {
        let caps = self.parts.limits.caps;
        if caps == Caps::default() {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let spent = self.parts.ledger.spent(&self.parts.target_id(), now).await?;
        caps.allow(spent, 1, now)
            .map_err(|reached| Halt::Event(held(HoldKind::Cap, reached.to_string(), Some(reached.until))))
    }

    /// Sends what is on record as intended.
    async fn send(&self, job: &Job, intent: &Intent, media: Vec<MediaId>) -> Result<PostId, Halt> {
        match self.call(&intent.draft(media)).await {
            Ok(remote_id) => Ok(remote_id),
            Err(error) => {
                // What is on the account is on record before anything is looked up there, or it would be found for another
                // message of the same words.
                self.report().await?;
                Err(self.after_error(job, intent, error).await?)
            }
        }
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
        let change = Change { job: job.id, token: job.token, events: vec![event] };
        for answer in self.parts.ledger.advance(vec![change]).await? {
            if let Err(why) = answer {
                // Another publisher has it; whatever is done here must not be done twice.
                let reason = format!("it was taken up elsewhere: {why}");
                return Err(Halt::Event(JobEvent::OutcomeLost { reason, not_before: None }));
            }
        }
        Ok(())
    }
}
