//! The one way to publish a job: part by part, each with its intent recorded before it is sent. The intent may be
//! recorded already: with the job's lease, or by an earlier attempt whose outcome is unknown.

use std::time::Instant;

use log::info;
use mynah_domain::{
    Job, JobEvent, PostId, Publication, PublicationKey, Reply,
    budget::Cost,
    caps::Caps,
    job::HoldKind,
    network::Repeat,
    ports::{
        Draft, DraftCard, LedgerError, MediaId, PublishError,
        ledger::{Change, ChangeError},
    },
};

use super::{
    Publisher, Threads,
    failure::{Halt, Sending, held, not_sent, outcome_lost},
};
use crate::{
    failpoint, leases,
    router::{Assigned, Intent, Refused, held_by},
    supervision::shell::Stop,
};

/// What became of a job, for its report.
pub(super) struct Outcome {
    /// The events that end its lease.
    pub(super) events: Vec<JobEvent>,
    /// The key of the last part that they report as sent.
    pub(super) sent_under: Option<PublicationKey>,
    /// The first part's id on the account, if it is published.
    pub(super) first: Option<PostId>,
}

/// A part that is on the account.
struct Sent {
    remote_id: PostId,
    reply: Option<Reply>,
    /// The key that it was sent with; `None` if a version of Mynah that chose no key sent it.
    key: Option<PublicationKey>,
}

/// What a message has beside its text.
#[derive(Default)]
pub(super) struct Beside {
    media: Vec<MediaId>,
    card: Option<DraftCard>,
    quote: Option<PostId>,
}

impl From<Vec<JobEvent>> for Outcome {
    fn from(events: Vec<JobEvent>) -> Self {
        Self { events, sent_under: None, first: None }
    }
}

/// A message that a lookup did not find is sent again with the key of the first time. A server that is slower than the
/// lookup, and knows keys, then recognizes it.
fn same_key((intent, sending): (Intent, Sending), publication: &Publication) -> (Intent, Sending) {
    let key = publication.key.unwrap_or(intent.key);
    (Intent { key, ..intent }, sending)
}

impl Publisher {
    /// Publishes every part that is not on the account yet, in order.
    pub(super) async fn publish(
        &self,
        Assigned { job, begun }: &Assigned,
        stop: &Stop,
    ) -> Result<Outcome, Halt> {
        self.verify(job).await?;
        let Some(translation) = &job.translation else {
            let reason =
                "the job was ready without a translation; report this bug, and retry the job".to_owned();
            return Err(Halt::Event(JobEvent::Failed { reason }));
        };
        let last = translation.parts.len().saturating_sub(1);
        let mut previous: Option<Reply> = None;
        let mut outcome = Outcome::from(Vec::new());
        for (part, text) in (0_u32..).zip(&translation.parts) {
            let on_record = job.publications.iter().find(|publication| publication.part == part);
            let reply = match on_record {
                Some(publication) if publication.key.is_some() => publication.reply.clone(),
                _ if part == 0 => self.parent_of(job).await?,
                _ => previous.take(),
            };
            if let Some(remote_id) = on_record.and_then(|publication| publication.remote_id.clone()) {
                outcome.first.get_or_insert_with(|| remote_id.clone());
                previous = Some(Reply::behind(remote_id, reply.as_ref()));
                continue;
            }
            let intent = || match begun {
                Some(begun) if begun.part == part => (begun.clone(), Sending::Begun),
                _ => {
                    let now = self.parts.clock.now();
                    let intent = Intent::new(part, &self.parts.account, text, reply.clone(), now);
                    (intent.at(self.cost_of(job, part)), Sending::First)
                }
            };
            let Sent { remote_id, reply, key } = match on_record {
                None => self.publish_part(job, intent(), stop).await?,
                Some(publication) => match self.repeated(job, publication) {
                    Some(intent) => self.publish_part(job, (intent, Sending::Again), stop).await?,
                    None => match self.find_out(job, publication).await? {
                        Some(remote_id) => Sent { remote_id, reply, key: publication.key },
                        None => self.publish_part(job, same_key(intent(), publication), stop).await?,
                    },
                },
            };
            outcome.first.get_or_insert_with(|| remote_id.clone());
            let sent = JobEvent::PartSent { part, remote_id: remote_id.clone() };
            if part as usize == last {
                outcome.events.push(sent);
                outcome.sent_under = key;
            } else {
                if let Some(refused) = self.try_write(job, sent.clone()).await? {
                    // The lease is gone, but what is on the account must not be forgotten.
                    let events = vec![sent, not_sent(refused, None)];
                    return Ok(Outcome { events, sent_under: key, ..outcome });
                }
                self.context.heartbeat().progress();
                // The parts so far are on record, so the next lease continues behind them.
                let token = stop.or(self.token());
                self.context.heartbeat().at_rest(token).await.ok_or(Halt::Event(JobEvent::Untouched))?;
            }
            previous = Some(Reply::behind(remote_id, reply.as_ref()));
        }
        outcome.events.push(JobEvent::Published);
        Ok(outcome)
    }

    /// The intent of a message whose outcome is unknown, if the network ignores a repeat with the same key.
    fn repeated(&self, job: &Job, publication: &Publication) -> Option<Intent> {
        Intent::recorded(publication).filter(|_| self.is_safe_to_repeat(job))
    }

    /// Whether the network of a job's target recognizes the key of a repeated message.
    pub(super) fn is_safe_to_repeat(&self, job: &Job) -> bool {
        self.parts.target(job).is_some_and(|target| target.network.repeat() == Repeat::Safe)
    }

    /// Publishes a part. If it cannot reply to the intended message, follows the policy for threads.
    async fn publish_part(
        &self,
        job: &Job,
        (intent, sending): (Intent, Sending),
        stop: &Stop,
    ) -> Result<Sent, Halt> {
        let reason = match self.send(job, &intent, sending, stop).await {
            Err(Halt::ReplyRefused(reason)) if intent.reply.is_some() => reason,
            Err(halt) => return Err(halt),
            Ok(remote_id) => return Ok(Sent { remote_id, reply: intent.reply, key: Some(intent.key) }),
        };
        if self.parts.threads == Threads::Chain {
            let reason = format!(
                "{reason}; retry it, or set publisher.threads = \"standalone\" to publish it on its own"
            );
            return Err(Halt::Event(held(HoldKind::Thread, reason, None)));
        }
        info!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "part published on its own");
        let alone = Intent::new(intent.part, &intent.account, &intent.text, None, self.parts.clock.now())
            .at(self.cost_of(job, intent.part));
        let remote_id = self.send(job, &alone, Sending::First, stop).await?;
        Ok(Sent { remote_id, reply: None, key: Some(alone.key) })
    }

    /// What a part of a job costs if it is begun now.
    fn cost_of(&self, job: &Job, part: u32) -> Option<Box<Cost>> {
        let parts = &job.translation.as_ref()?.parts;
        self.parts.costs.of((&job.source, &job.target), parts, part, self.parts.clock.now())
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
                return Err(Halt::Blocked(Box::new(still_unknown(*event)), reason));
            }
            Err(halt) => return Err(halt),
        };
        if !self.may_act() {
            return Err(self.not_sent_without_lease(job, intent, sending).await);
        }
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
        if let Err(not_allowed) = self.check_parked().and_then(|()| self.permit(not_sent)) {
            if sending == Sending::Begun {
                self.write(job, intent.absent()).await?;
            }
            return Err(not_allowed);
        }
        if sending == Sending::First {
            self.check_caps().await?;
        }
        // Copy media before recording the intent: a copy publishes nothing, so a lost answer needs no lookup. Jobs that
        // are begun with their leases have nothing beside their text.
        if sending == Sending::First && intent.part == 0 {
            self.check_affordable(job, intent.cost.as_deref()).await?;
        }
        let beside = self.beside(job, intent.part, stop).await?;
        if sending == Sending::First {
            self.write(job, intent.event()).await?;
        }
        Ok(self.draft(job, intent, beside))
    }

    /// What a part has beside its text. The first part has the media and the quote.
    async fn beside(&self, job: &Job, part: u32, stop: &Stop) -> Result<Beside, Halt> {
        let mut beside = Beside::default();
        if part == 0 {
            beside.media = self.media(job, stop).await?;
            beside.quote = self.quoted_by(job).await?;
        }
        if beside.media.is_empty() {
            beside.card = self.card(job, part, stop).await?;
        }
        Ok(beside)
    }

    /// The message to send with an intent.
    pub(super) fn draft(&self, job: &Job, intent: &Intent, beside: Beside) -> Draft {
        let Intent { text, key, reply, .. } = intent.clone();
        let Beside { media, card, quote } = beside;
        Draft {
            key,
            text,
            language: self.parts.target(job).map(|target| target.language),
            warning: job.translation.as_ref().and_then(|translation| translation.warning.clone()),
            is_sensitive: job.post.is_sensitive,
            reply,
            media,
            card,
            quote,
        }
    }

    /// Whether this instance still works for the account. The process may have been suspended since the intent was
    /// recorded, and another may publish by now: the ledger would notice that afterwards, the network would not.
    fn may_act(&self) -> bool {
        self.parts.holdings.may_act(&self.parts.account, || leases::keeper::now(&*self.parts.clock))
    }

    /// A message that is not sent because the account may be another instance's.
    async fn not_sent_without_lease(&self, job: &Job, intent: &Intent, sending: Sending) -> Halt {
        info!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0; "publication stopped without lease");
        if sending == Sending::Again {
            return Halt::Event(still_unknown(JobEvent::Untouched));
        }
        match self.write(job, intent.absent()).await {
            Ok(()) => Halt::Event(JobEvent::Untouched),
            Err(halt) => halt,
        }
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
        match self.change(change).await? {
            Some(ChangeError::NotHeld { .. }) => {
                // Nothing was begun. The keeper of the leases learns it from the router.
                let refused = Refused { account: self.parts.account.clone() };
                self.parts.router.ask_until_answered(refused).await;
                Err(Halt::Event(JobEvent::Untouched))
            }
            Some(ChangeError::OverBudget { over, .. }) => {
                self.parts.costs.refused(&over);
                Err(Halt::Event(JobEvent::Held(held_by(&over, self.parts.clock.now()))))
            }
            // Whatever this publisher does must not be done twice.
            Some(why) => Err(Halt::Event(outcome_lost(taken(&why), None))),
            None => Ok(()),
        }
    }

    /// The same; returns why the event was refused, if it was.
    async fn try_write(&self, job: &Job, event: JobEvent) -> Result<Option<String>, LedgerError> {
        let change = Change::new(job.id, job.token, vec![event]);
        Ok(self.change(change).await?.map(|why| taken(&why)))
    }

    async fn change(&self, change: Change) -> Result<Option<ChangeError>, LedgerError> {
        let answers = self.parts.ledger.advance([change].into()).await?;
        Ok(answers.into_iter().find_map(Result::err))
    }
}

/// Why a job is not this publisher's any more.
fn taken(why: &ChangeError) -> String {
    format!("another worker has taken this job: {why}")
}

/// The event of a job that is not sent again now, though it may be on the account.
fn still_unknown(event: JobEvent) -> JobEvent {
    match event {
        JobEvent::NotSent { not_before, reason } => outcome_lost(reason, not_before),
        JobEvent::Untouched => outcome_lost("Mynah stopped before it sent the message again".into(), None),
        event => event,
    }
}
