//! The one way to publish a job: part by part, each with its intent recorded before it is sent. The intent may be
//! recorded already: with the job's lease, or by an earlier attempt whose outcome is unknown.

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
    /// Publishes every part that is not on the account yet; returns the events that end the job, and the first part's
    /// id.
    pub(super) async fn publish(
        &self,
        Assigned { job, begun }: &Assigned,
        stop: &Stop,
    ) -> Result<(Vec<JobEvent>, Option<PostId>), Halt> {
        self.verify(job).await?;
        let Some(translation) = &job.translation else {
            let reason =
                "the job was ready without a translation; report this bug, and retry the job".to_owned();
            return Err(Halt::Event(JobEvent::Failed { reason }));
        };
        let last = translation.parts.len().saturating_sub(1);
        let mut previous: Option<Reply> = None;
        let mut events = Vec::new();
        let mut first = None;
        for (part, text) in (0_u32..).zip(&translation.parts) {
            let on_record = job.publications.iter().find(|publication| publication.part == part);
            let reply = match on_record {
                Some(publication) if publication.key.is_some() => publication.reply.clone(),
                _ if part == 0 => self.parent_of(job).await?,
                _ => previous.take(),
            };
            if let Some(remote_id) = on_record.and_then(|publication| publication.remote_id.clone()) {
                first.get_or_insert_with(|| remote_id.clone());
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
            first.get_or_insert_with(|| remote_id.clone());
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
        Ok((events, first))
    }

    /// The intent of a message whose outcome is unknown, if the network ignores a repeat with the same key.
    fn repeated(&self, job: &Job, publication: &Publication) -> Option<Intent> {
        Intent::recorded(publication).filter(|_| self.is_safe_to_repeat(job))
    }

    /// Whether the network of a job's target recognizes the key of a repeated message.
    pub(super) fn is_safe_to_repeat(&self, job: &Job) -> bool {
        self.parts.target(job).is_some_and(|target| target.network.repeat() == Repeat::Safe)
    }

    /// Publishes a part. If it cannot reply to the intended message, follows the policy for threads. Returns its id and
    /// its reply.
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

    /// Sends a part whose intent is recorded.
    async fn send(&self, job: &Job, intent: &Intent, sending: Sending, stop: &Stop) -> Result<PostId, Halt> {
        let draft = match self.prepare(job, intent, sending, stop).await {
            Ok(draft) => draft,
            // The message may be on the account from an earlier attempt, so its outcome stays unknown.
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
                // What is on the account must be recorded before the next lookup, which could otherwise mistake it for
                // another message with the same text.
                self.report().await?;
                Err(self.after_error(job, intent, sending, error).await?)
            }
        }
    }

    /// Prepares the intent and draft of a part, if nothing prevents sending it; the intent is then recorded.
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
        // Copy media before recording the intent: a copy publishes nothing, so a lost answer needs no lookup. Jobs that
        // are begun with their leases have no media.
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
                // Another publisher has this job; whatever this one does must not be done twice.
                let reason = format!("another worker has taken this job: {why}");
                return Err(Halt::Event(JobEvent::OutcomeLost { reason, not_before: None }));
            }
        }
        Ok(())
    }
}

/// The event of a job that is not sent again now, though it may be on the account.
fn still_unknown(event: JobEvent) -> JobEvent {
    match event {
        JobEvent::NotSent { not_before, reason } => outcome_lost(reason, not_before),
        JobEvent::Untouched => outcome_lost("Mynah stopped before it sent the message again".into(), None),
        event => event,
    }
}
