//! Publishes what is ready on one account, in the source's order, within its limits: a token from the bucket, the
//! intent in the ledger, the call, the outcome in the ledger.
//!
//! A call whose answer never came is looked up among the account's own messages before anything is sent again. X has no
//! idempotency key, so this is what stands between a lost answer and a double post.

mod failure;
mod lookup;
mod media;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    cell::Cell,
    collections::HashSet,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use failure::{PutBack, held, not_sent};
use leaky_bucket::RateLimiter;
use log::info;
use mynah_domain::{
    AccountId, Job, JobEvent, JobId, JobState, PostId, PublicationKey, Reply, Target,
    backoff::Backoff,
    caps::Caps,
    job::HoldKind,
    ports::{Clock, Destination, Draft, Ledger, LedgerError, MediaFetcher, PublishError, ledger::Change},
};

use crate::{
    failpoint,
    pauses::{Paused, Pauses},
    router::{Assignment, Block, JobReport, PullPublications, ReportJobs, Router, first_part},
    stats::Meter,
    supervision::{ActorRef, Step, Worker, WorkerContext, shell::Stop},
    upstreams::Upstreams,
};

/// The most jobs that are said in a row. After a crash in its middle each of them is looked up.
const MAX_BATCH: usize = 64;

/// How often and how much one account may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The time between two publications, once the burst is spent; zero is no limit.
    pub min_interval: Duration,
    /// How many may go at once after a pause.
    pub burst: usize,
    /// The caps of the day and the month.
    pub caps: Caps,
}

impl Limits {
    /// A bucket that lets through as much as these limits do; none where there is no limit.
    pub fn bucket(&self) -> Bucket {
        if self.min_interval.is_zero() {
            return None;
        }
        let burst = self.burst.max(1);
        let bucket =
            RateLimiter::builder().max(burst).initial(burst).refill(1).interval(self.min_interval).build();
        Some(Arc::new(bucket))
    }
}

/// What lets publications through; none where there is no limit. Clones share it.
pub type Bucket = Option<Arc<RateLimiter>>;

/// What happens to a part of a thread where there is nothing that it may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threads {
    /// It waits for a person: a thread stays a chain.
    #[default]
    Chain,
    /// It is said on its own.
    Standalone,
}

/// What a publisher is built from, but for its destination, which cannot leave its thread.
#[derive(Clone)]
pub struct PublisherParts {
    /// Whose publications.
    pub target: Target,
    /// Within which limits.
    pub limits: Limits,
    /// What `limits` let through at once; the same for every incarnation, or each death would give the account a token.
    pub bucket: Bucket,
    /// What happens to a part of a thread where there is nothing that it may answer.
    pub threads: Threads,
    /// How long a message takes at most to show on the account.
    pub settle: Duration,
    /// Which services are down.
    pub upstreams: Upstreams,
    /// What a person paused.
    pub pauses: Pauses,
    /// Where work comes from.
    pub router: ActorRef<Router>,
    /// The record.
    pub ledger: Arc<dyn Ledger>,
    /// How long to wait before another try.
    pub backoff: Backoff,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where latencies and counts go.
    pub meter: Meter,
}

impl PublisherParts {
    /// The actor's name, `publisher-example_es`.
    pub fn name(&self) -> String {
        format!("publisher-{}", self.target.account)
    }

    /// The account that is published on.
    fn account(&self) -> AccountId {
        AccountId::from(&self.target.id)
    }
}

/// What a job of one message says.
fn draft_of(job: &Job, key: PublicationKey) -> Draft {
    // The very words of its intent.
    Draft { key, text: first_part(job).to_owned(), reply: None, media: Vec::new() }
}

/// The core of a publisher.
pub struct Publisher {
    context: WorkerContext,
    parts: PublisherParts,
    destination: Rc<dyn Destination>,
    fetcher: Rc<dyn MediaFetcher>,
    /// Whether the credentials are known to belong to the account.
    verified: Cell<bool>,
    /// How often the token was refused in a row.
    refusals: Cell<u32>,
    /// How often a limit stood in the way since something was last published.
    limited: Cell<u32>,
    /// The message whose outcome is being found out.
    suspense: Cell<Suspense>,
}

/// What this publisher knows of a message whose outcome is not known. It counts for itself: the attempts on record may be
/// crashes, between which no time passed in which the message could show.
#[derive(Debug, Clone, Copy, Default)]
struct Suspense {
    message: Option<(JobId, u32)>,
    /// When it was first looked for.
    first_look: Option<tokio::time::Instant>,
    /// How often the network called it a repetition.
    repetitions: u32,
}

/// Why a job does not go on now.
enum Halt {
    /// What becomes of the job.
    Event(JobEvent),
    /// The same, and nothing more can be published until a person mends this.
    Blocked(JobEvent, String),
    /// It may not answer what it was to answer, and was not sent.
    ReplyRefused(String),
    /// The record cannot be kept.
    Ledger(LedgerError),
}

/// Why a job that was begun was not said.
enum NotPublished {
    /// The network may not be called now.
    NotAllowed(Halt),
    /// It was called.
    Failed(PublishError),
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Publisher {
    /// A publisher on that destination, of posts whose media `fetcher` fetches.
    pub fn new(
        context: WorkerContext,
        parts: PublisherParts,
        destination: Rc<dyn Destination>,
        fetcher: Rc<dyn MediaFetcher>,
    ) -> Self {
        Self {
            context,
            parts,
            destination,
            fetcher,
            verified: Cell::new(false),
            refusals: Cell::new(0),
            limited: Cell::new(0),
            suspense: Cell::default(),
        }
    }

    /// What is known of a message whose outcome is not; changed by `change` first.
    fn suspense(&self, job: &Job, part: u32, change: impl FnOnce(&mut Suspense)) -> Suspense {
        let message = Some((job.id, part));
        let mut suspense = self.suspense.get();
        if suspense.message != message {
            suspense = Suspense { message, ..Suspense::default() };
        }
        change(&mut suspense);
        self.suspense.set(suspense);
        suspense
    }
}

#[async_trait(?Send)]
impl Worker for Publisher {
    async fn step(&mut self, stop: &Stop) -> Step {
        let paused = Paused::Target(self.parts.target.id.clone());
        if stop.or(self.parts.pauses.until_resumed(&paused)).await.is_none() {
            return Step::Idle;
        }
        // The token comes before the job, so that a job is never in hand just to wait for one.
        if stop.or(self.token()).await.is_none() {
            return Step::Idle;
        }
        // Where there is a pace, a job is in hand only when its own token is there.
        let most = match self.parts.bucket {
            // Nothing may be begun before the credentials are verified: the first job comes with no intent on record.
            _ if !self.verified.get() => 0,
            Some(_) => 1,
            None => MAX_BATCH,
        };
        let room = match self.room(most).await {
            Ok(room) => room,
            Err(error) => return Step::Fatal(error.to_string()),
        };
        // Where a cap leaves no room, whoever is next is told so.
        let target = self.parts.target.id.clone();
        let pull = PullPublications { worker: self.context.worker_ref(), target, room };
        let assignment = match stop.or(self.parts.router.ask_until_answered(pull)).await {
            None | Some(Ok(Assignment::Nothing)) => return Step::Idle,
            Some(Err(error)) => return Step::Fatal(error.to_string()),
            Some(Ok(assignment)) => assignment,
        };
        let work = self.context.at_work();
        failpoint::reach("publisher.step");
        let reports = match &assignment {
            Assignment::Nothing => Ok(Vec::new()),
            Assignment::Begun(jobs) => self.publish_batch(jobs, stop).await,
            Assignment::Alone(job) => {
                let published = match self.verify(job).await {
                    Ok(()) => self.publish(job, stop).await,
                    Err(halt) => Err(halt),
                };
                let events = self.events_of(published).await;
                events.map(|events| vec![JobReport::new(job, events)])
            }
        };
        drop(work);
        let reports = match reports {
            Ok(reports) => reports,
            Err(error) => return Step::Fatal(error.to_string()),
        };
        match self.parts.router.ask_until_answered(ReportJobs(reports)).await {
            Ok(()) => Step::Worked,
            Err(error) => Step::Fatal(error.to_string()),
        }
    }
}

impl Publisher {
    /// What becomes of a job, whatever came in between.
    async fn events_of(&self, published: Result<Vec<JobEvent>, Halt>) -> Result<Vec<JobEvent>, LedgerError> {
        Ok(match published {
            Ok(events) => events,
            Err(Halt::Ledger(error)) => return Err(error),
            Err(Halt::Event(event)) => vec![event],
            Err(Halt::ReplyRefused(reason)) => vec![held(HoldKind::Refused, reason, None)],
            Err(Halt::Blocked(event, reason)) => {
                // Before the report, which would make the job ready again.
                let block = Block { target: self.parts.target.id.clone(), reason };
                self.parts.router.ask_until_answered(block).await;
                vec![event]
            }
        })
    }

    /// Says jobs that are one message each and begun, in order, with all outcomes in one transaction, as all intents were: a disk
    /// takes longer for each than the network for a message. Where one does not go on, those behind it are given back as they
    /// were.
    async fn publish_batch(&self, jobs: &[Job], stop: &Stop) -> Result<Vec<JobReport>, LedgerError> {
        let paused = Paused::Target(self.parts.target.id.clone());
        let mut reports = Vec::with_capacity(jobs.len());
        let mut goes_on = true;
        for job in jobs {
            let events = if goes_on {
                match self.publish_one(job).await {
                    Ok(remote_id) => {
                        goes_on = !stop.is_asked() && !self.parts.pauses.is_paused(&paused);
                        self.context.heartbeat().progress();
                        vec![JobEvent::PartSent { part: 0, remote_id }, JobEvent::Published]
                    }
                    Err(failure) => {
                        goes_on = false;
                        // What is on the account is on record before anything is looked for there, or it would be found
                        // for another of the same words.
                        let so_far = ReportJobs(std::mem::take(&mut reports));
                        self.parts.router.ask_until_answered(so_far).await?;
                        self.events_of(Err(self.after_failure(job, failure).await)).await?
                    }
                }
            } else {
                vec![JobEvent::PartAbsent { part: 0 }, JobEvent::Untouched]
            };
            reports.push(JobReport::new(job, events));
        }
        Ok(reports)
    }

    /// How many publications the account's caps have room for now, up to `most`.
    async fn room(&self, most: usize) -> Result<usize, LedgerError> {
        let caps = self.parts.limits.caps;
        if caps == Caps::default() {
            return Ok(most);
        }
        let now = self.parts.clock.now();
        let spent = self.parts.ledger.spent(&self.parts.account(), now).await?;
        Ok((1..=most as u64).take_while(|count| caps.allow(spent, *count, now).is_ok()).count())
    }

    /// A key for a message that is begun now.
    fn key(&self) -> PublicationKey {
        PublicationKey::new(self.parts.clock.now())
    }

    /// Publishes a job of one message that was begun.
    async fn publish_one(&self, job: &Job) -> Result<PostId, NotPublished> {
        self.permit(not_sent).map_err(NotPublished::NotAllowed)?;
        self.try_call(&draft_of(job, self.key())).await.map_err(NotPublished::Failed)
    }

    /// What becomes of a job of one message that could not be said.
    async fn after_failure(&self, job: &Job, failure: NotPublished) -> Halt {
        let halt = match failure {
            NotPublished::NotAllowed(halt) => {
                self.write(job, JobEvent::PartAbsent { part: 0 }).await.map(|()| halt)
            }
            NotPublished::Failed(error) => self.after_error(job, 0, &draft_of(job, self.key()), error).await,
        };
        halt.unwrap_or_else(|worse| worse)
    }

    /// Whether the network may be called; the job goes back with `put_back` where it may not.
    fn permit(&self, put_back: PutBack) -> Result<(), Halt> {
        let network = self.destination.network();
        self.parts.upstreams.permit(network).map_err(|until| {
            let reason = format!("{network} has not answered lately and is left in peace for a while");
            Halt::Event(put_back(reason, Some(self.at(until))))
        })
    }

    /// Waits until the account may say something again.
    async fn token(&self) {
        if let Some(bucket) = &self.parts.bucket {
            let started = Instant::now();
            bucket.acquire_one().await;
            self.parts.meter.called("publisher", "credit", started.elapsed(), None);
        }
    }

    /// Publishes every part that is not on the account yet; answers the events that end the job.
    async fn publish(&self, job: &Job, stop: &Stop) -> Result<Vec<JobEvent>, Halt> {
        let Some(translation) = &job.translation else {
            let reason = "it was ready without a translation; report this, and retry it".to_owned();
            return Err(Halt::Event(JobEvent::Failed { reason }));
        };
        let mut reply = self.parent_of(job).await?;
        let last = translation.parts.len().saturating_sub(1);
        let mut events = Vec::new();
        for (number, text) in (0_u32..).zip(&translation.parts) {
            let begun = job.publications.iter().find(|publication| publication.part == number);
            let key = begun.and_then(|publication| publication.key).unwrap_or_else(|| self.key());
            let draft = Draft { key, text: text.clone(), reply: reply.take(), media: Vec::new() };
            let remote_id = match begun.map(|publication| (publication, &publication.remote_id)) {
                Some((publication, Some(remote_id))) => {
                    let answered = publication.reply.as_ref().or(draft.reply.as_ref());
                    reply = Some(Reply::behind(remote_id.clone(), answered));
                    continue;
                }
                Some((publication, None)) => {
                    if let Some(remote_id) = self.look_up(job, &draft, publication).await? {
                        info!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0; "found on the account, not sent again");
                        remote_id
                    } else {
                        self.write(job, JobEvent::PartAbsent { part: number }).await?;
                        self.send(job, number, &draft, stop).await?
                    }
                }
                None => self.send(job, number, &draft, stop).await?,
            };
            let sent = JobEvent::PartSent { part: number, remote_id: remote_id.clone() };
            if number as usize == last {
                events.push(sent);
            } else {
                self.write(job, sent).await?;
                self.context.heartbeat().progress();
                self.context.heartbeat().at_rest(self.token()).await;
            }
            reply = Some(Reply::behind(remote_id, draft.reply.as_ref()));
        }
        events.push(JobEvent::Published);
        Ok(events)
    }

    /// What the first part goes on from: in a thread, what the parent became on this account.
    async fn parent_of(&self, job: &Job) -> Result<Option<Reply>, Halt> {
        let (ledger, target) = (&self.parts.ledger, &self.parts.target.id);
        let mut next = job.post.kind.continues().cloned();
        let mut passed = HashSet::from([job.post.id.clone()]);
        while let Some(parent) = next {
            let known = ledger.publication_of(&parent, target).await?;
            if known.is_some() || self.parts.threads == Threads::Standalone {
                return Ok(known);
            }
            next = match ledger.state_of(&parent, target).await? {
                // From before the account was followed: there is nothing to wait for.
                None => return Ok(None),
                // Never to be said: what comes before it in the thread is what this one goes on from.
                Some(JobState::Skipped) => match ledger.post(&job.source, &parent).await? {
                    // A post may answer another version of itself, or of one that answers it.
                    Some(post) if passed.insert(post.id.clone()) => post.kind.continues().cloned(),
                    _ => return Ok(None),
                },
                Some(state) => {
                    // An edit that came late stands behind what answers its first version: to wait for it would be for ever.
                    let stands = ledger.post(&job.source, &parent).await?.map(|parent| parent.position);
                    if stands > Some(job.post.position) {
                        return Ok(None);
                    }
                    let reason = format!(
                        "it goes on from post {parent} of its thread, which is {state} here; see to that one, then \
                         retry this one, or set publisher.threads = \"standalone\""
                    );
                    return Err(Halt::Event(held(HoldKind::Thread, reason, None)));
                }
            };
        }
        Ok(None)
    }

    async fn write(&self, job: &Job, event: JobEvent) -> Result<(), Halt> {
        let change = Change::new(job.id, job.token, vec![event]);
        for answer in self.parts.ledger.advance([change].into()).await? {
            if let Err(why) = answer {
                // Somebody else has it; whatever is done here must not be done twice.
                let reason = format!("it was taken up elsewhere: {why}");
                return Err(Halt::Event(JobEvent::OutcomeLost { reason, not_before: None }));
            }
        }
        Ok(())
    }

    /// Sends a part; where it may not answer what it should, as the policy for threads says.
    async fn send(&self, job: &Job, part: u32, draft: &Draft, stop: &Stop) -> Result<PostId, Halt> {
        match self.send_as(job, part, draft, stop).await {
            Err(Halt::ReplyRefused(reason)) if draft.reply.is_some() => match self.parts.threads {
                Threads::Chain => {
                    let reason = format!(
                        "{reason}; retry it, or set publisher.threads = \"standalone\" to say it on its own"
                    );
                    Err(Halt::Event(held(HoldKind::Thread, reason, None)))
                }
                Threads::Standalone => {
                    info!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "part said on its own");
                    let draft = Draft { key: self.key(), reply: None, ..draft.clone() };
                    self.send_as(job, part, &draft, stop).await
                }
            },
            sent => sent,
        }
    }

    async fn send_as(&self, job: &Job, part: u32, draft: &Draft, stop: &Stop) -> Result<PostId, Halt> {
        self.permit(not_sent)?;
        let now = self.parts.clock.now();
        let caps = self.parts.limits.caps;
        if caps != Caps::default() {
            let spent = self.parts.ledger.spent(&self.parts.account(), now).await?;
            if let Err(reached) = caps.allow(spent, 1, now) {
                return Err(Halt::Event(held(HoldKind::Cap, reached.to_string(), Some(reached.until))));
            }
        }
        // Before the intent: nothing is published by it, and a lost answer costs no look at the account.
        let draft = &match part {
            0 => Draft { media: self.media(job, stop).await?, ..draft.clone() },
            _ => draft.clone(),
        };
        let intent = JobEvent::PartBegun {
            part,
            account: self.parts.account(),
            text: draft.text.clone(),
            key: draft.key,
            reply: draft.reply.clone().map(Box::new),
        };
        self.write(job, intent).await?;
        self.call(job, part, draft).await
    }

    /// Sends what was begun.
    async fn call(&self, job: &Job, part: u32, draft: &Draft) -> Result<PostId, Halt> {
        match self.try_call(draft).await {
            Ok(remote_id) => Ok(remote_id),
            Err(error) => Err(self.after_error(job, part, draft, error).await?),
        }
    }

    async fn try_call(&self, draft: &Draft) -> Result<PostId, PublishError> {
        failpoint::reach("destination.publish.before");
        let started = Instant::now();
        let answer = self.destination.publish(draft).await;
        failpoint::reach("destination.publish.after");
        self.heard("post", started, answer.as_ref().err());
        if answer.is_ok() {
            self.limited.set(0);
        }
        answer
    }
}
