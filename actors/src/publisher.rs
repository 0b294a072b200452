//! Publishes what is ready on one account, in the source's order, within its limits: a token from the bucket, the
//! intent in the ledger, the call, the outcome in the ledger.
//!
//! A call whose answer never came is looked up among the account's own messages before anything is sent again. X has no
//! idempotency key, so this is what stands between a lost answer and a double post.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use leaky_bucket::RateLimiter;
use log::{info, warn};
use mynah_domain::{
    Hold, Job, JobEvent, PostId, PostKind, Target,
    backoff::Backoff,
    caps::Caps,
    job::{HoldKind, Publication},
    ports::{Clock, Destination, Draft, Ledger, LedgerError, PublishError, ledger::Change},
};

use crate::{
    router::{Block, JobReport, PullPublication, ReportJobs, Router},
    stats::Meter,
    supervision::{
        Core, Link, Turn,
        shell::{Alive, Stop},
    },
};

/// How long after a lost answer the account is looked at: a message takes a moment to show.
const SETTLING: Duration = Duration::from_secs(2);

/// How often a message that X calls a repetition is looked for before it is held as one.
const LOOKS: u32 = 3;

/// How far before the intent a lookup begins, for clocks that differ.
const SLACK: Duration = Duration::from_mins(2);

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

/// What a publisher is built from, but for its destination, which cannot leave its thread.
#[derive(Clone)]
pub struct PublisherParts {
    /// Whose publications.
    pub target: Target,
    /// Within which limits.
    pub limits: Limits,
    /// Where work comes from.
    pub router: Link<Router>,
    /// The record.
    pub ledger: Arc<dyn Ledger>,
    /// How long to wait before another try.
    pub backoff: Backoff,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where latencies and counts go.
    pub meter: Meter,
}

/// The core of a publisher.
pub struct Publisher {
    alive: Alive,
    parts: PublisherParts,
    destination: Rc<dyn Destination>,
    bucket: Option<RateLimiter>,
}

/// Why a job does not go on now.
enum Halt {
    /// What becomes of the job.
    Event(JobEvent),
    /// The same, and nothing more can be published until a person mends this.
    Blocked(JobEvent, String),
    /// The record cannot be kept.
    Ledger(LedgerError),
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Publisher {
    /// A publisher on that destination.
    pub fn new(alive: Alive, parts: PublisherParts, destination: Rc<dyn Destination>) -> Self {
        let Limits { min_interval, burst, .. } = parts.limits;
        let bucket = (!min_interval.is_zero()).then(|| {
            let burst = burst.max(1);
            RateLimiter::builder().max(burst).initial(burst).refill(1).interval(min_interval).build()
        });
        Self { alive, parts, destination, bucket }
    }
}

#[async_trait(?Send)]
impl Core for Publisher {
    async fn turn(&mut self, stop: &Stop) -> Turn {
        // The token comes before the job, so that a job is never in hand just to wait for one.
        let permit = async {
            if let Some(bucket) = &self.bucket {
                bucket.acquire_one().await;
            }
        };
        if stop.or(permit).await.is_none() {
            return Turn::Idle;
        }
        let pull = PullPublication { worker: self.alive.ticket(), target: self.parts.target.id.clone() };
        let job = match stop.or(self.parts.router.ask_until_answered(pull)).await {
            None | Some(Ok(None)) => return Turn::Idle,
            Some(Err(error)) => return Turn::Fatal(error.to_string()),
            Some(Ok(Some(job))) => job,
        };
        let event = match self.publish(&job).await {
            Ok(events) => events,
            Err(Halt::Ledger(error)) => return Turn::Fatal(error.to_string()),
            Err(Halt::Event(event)) => vec![event],
            Err(Halt::Blocked(event, reason)) => {
                // Before the report, which would make the job ready again.
                self.parts
                    .router
                    .ask_until_answered(Block { target: self.parts.target.id.clone(), reason })
                    .await;
                vec![event]
            }
        };
        match self.parts.router.ask_until_answered(ReportJobs(vec![JobReport::new(&job, event)])).await {
            Ok(()) => Turn::Worked,
            Err(error) => Turn::Fatal(error.to_string()),
        }
    }
}

impl Publisher {
    /// Publishes every part that is not on the account yet; answers the events that end the job.
    async fn publish(&self, job: &Job) -> Result<Vec<JobEvent>, Halt> {
        let Some(translation) = &job.translation else {
            let reason = "it was ready without a translation; report this, and retry it".to_owned();
            return Err(Halt::Event(JobEvent::Failed { reason }));
        };
        let mut reply_to = self.parent_of(job).await?;
        let last = translation.parts.len().saturating_sub(1);
        let mut events = Vec::new();
        for (number, text) in (0_u32..).zip(&translation.parts) {
            let begun = job.publications.iter().find(|publication| publication.part == number);
            let draft = Draft { text: text.clone(), reply_to: reply_to.take() };
            let remote_id = match begun.map(|publication| (publication, &publication.remote_id)) {
                Some((_, Some(remote_id))) => {
                    reply_to = Some(remote_id.clone());
                    continue;
                }
                Some((publication, None)) => {
                    if let Some(remote_id) = self.look_up(job, &draft, publication).await? {
                        info!(target = job.target.as_str(), post = job.post.id.0.as_str(); "found on the account, not sent again");
                        remote_id
                    } else {
                        self.write(job, JobEvent::PartAbsent { part: number }).await?;
                        self.send(job, number, &draft).await?
                    }
                }
                None => self.send(job, number, &draft).await?,
            };
            let sent = JobEvent::PartSent { part: number, remote_id: remote_id.clone() };
            if number as usize == last {
                events.push(sent);
            } else {
                self.write(job, sent).await?;
                if let Some(bucket) = &self.bucket {
                    bucket.acquire_one().await;
                }
            }
            reply_to = Some(remote_id);
        }
        events.push(JobEvent::Published);
        Ok(events)
    }

    /// What the first part goes on from: in a thread, what the parent became on this account.
    async fn parent_of(&self, job: &Job) -> Result<Option<PostId>, Halt> {
        match &job.post.kind {
            PostKind::Thread { parent } => {
                Ok(self.parts.ledger.publication_of(parent, &self.parts.target.id).await?)
            }
            PostKind::Original
            | PostKind::Reply { .. }
            | PostKind::Repost { .. }
            | PostKind::Quote { .. } => Ok(None),
        }
    }

    async fn write(&self, job: &Job, event: JobEvent) -> Result<(), Halt> {
        let change = Change { job: job.id, token: job.token, events: vec![event] };
        for answer in self.parts.ledger.advance(vec![change]).await? {
            if let Err(why) = answer {
                // Somebody else has it; whatever is done here must not be done twice.
                let reason = format!("it was taken up elsewhere: {why}");
                return Err(Halt::Event(JobEvent::OutcomeLost { reason, not_before: None }));
            }
        }
        Ok(())
    }

    async fn send(&self, job: &Job, part: u32, draft: &Draft) -> Result<PostId, Halt> {
        let now = self.parts.clock.now();
        let caps = self.parts.limits.caps;
        if caps != Caps::default() {
            let spent = self.parts.ledger.spent(&self.parts.target.id, now).await?;
            if let Err(reached) = caps.allow(spent, 1, now) {
                let hold =
                    Hold { kind: HoldKind::Cap, reason: reached.to_string(), until: Some(reached.until) };
                return Err(Halt::Event(JobEvent::Held(hold)));
            }
        }
        self.write(job, JobEvent::PartBegun { part, text: draft.text.clone() }).await?;
        let started = Instant::now();
        let answer = self.destination.publish(draft).await;
        let error = answer.as_ref().err().map(kind_of);
        self.parts.meter.called("x", "post", started.elapsed(), error);
        match answer {
            Ok(remote_id) => Ok(remote_id),
            Err(error) => Err(self.after_error(job, part, draft, now, error).await?),
        }
    }

    /// What a failed call means for the job. Where nothing was published, the intent is taken back first.
    async fn after_error(
        &self,
        job: &Job,
        part: u32,
        draft: &Draft,
        begun: Timestamp,
        error: PublishError,
    ) -> Result<Halt, Halt> {
        let reason = error.to_string();
        match error {
            PublishError::OutcomeUnknown(_) => {
                return Ok(Halt::Event(JobEvent::OutcomeLost {
                    reason,
                    not_before: Some(self.in_a(SETTLING)),
                }));
            }
            PublishError::Duplicate(_) => {
                let publication =
                    Publication { part, text: draft.text.clone(), intent_at: begun, remote_id: None };
                if let Some(remote_id) = self.look_up(job, draft, &publication).await? {
                    // It was this very message, sent by a try whose answer was lost: the next turn goes on behind it.
                    self.write(job, JobEvent::PartSent { part, remote_id }).await?;
                    return Ok(Halt::Event(JobEvent::NotSent { not_before: None, reason }));
                }
                if job.attempt < LOOKS {
                    // It may be this message all the same, and the timeline late to show it.
                    let wait = SETTLING + self.parts.backoff.wait(job.attempt.max(1), fastrand::f64());
                    let not_before = Some(self.in_a(wait));
                    return Ok(Halt::Event(JobEvent::OutcomeLost { reason, not_before }));
                }
            }
            _ => {}
        }
        self.write(job, JobEvent::PartAbsent { part }).await?;
        let wait = self.parts.backoff.wait(job.attempt.max(1), fastrand::f64());
        let later = self.in_a(wait);
        Ok(match error {
            PublishError::Unauthorized(_) => {
                Halt::Blocked(JobEvent::NotSent { not_before: None, reason: reason.clone() }, reason)
            }
            PublishError::RateLimited { until, .. } => {
                let not_before = Some(until.map_or(later, |until| until.max(later)));
                Halt::Event(JobEvent::NotSent { not_before, reason })
            }
            PublishError::Duplicate(_) | PublishError::Refused(_) => {
                Halt::Event(JobEvent::Held(Hold { kind: HoldKind::Refused, reason, until: None }))
            }
            PublishError::Unavailable(_) | PublishError::OutcomeUnknown(_) => {
                Halt::Event(JobEvent::NotSent { not_before: Some(later), reason })
            }
        })
    }

    fn in_a(&self, wait: Duration) -> Timestamp {
        self.parts.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Looks whether a message that was begun is on the account: the same text, since the intent, and not on record as
    /// another publication.
    async fn look_up(&self, job: &Job, draft: &Draft, begun: &Publication) -> Result<Option<PostId>, Halt> {
        let since = begun.intent_at.saturating_sub(SLACK).unwrap_or(Timestamp::MIN);
        let started = Instant::now();
        let shown = self.destination.recent(since).await;
        self.parts.meter.called("x", "lookup", started.elapsed(), shown.as_ref().err().map(kind_of));
        let shown = match shown {
            Ok(shown) => shown,
            Err(PublishError::Unauthorized(reason)) => {
                let event = JobEvent::OutcomeLost { reason: reason.clone(), not_before: None };
                return Err(Halt::Blocked(event, reason));
            }
            Err(error) => {
                warn!(target = self.parts.target.id.as_str(); "a lookup failed and will be tried again: {error}");
                let wait = SETTLING + self.parts.backoff.wait(job.attempt.max(1), fastrand::f64());
                let not_before = Some(self.in_a(wait));
                return Err(Halt::Event(JobEvent::OutcomeLost { reason: error.to_string(), not_before }));
            }
        };
        let same: Vec<PostId> = shown
            .into_iter()
            .filter(|message| self.destination.is_same(draft, message))
            .map(|message| message.id)
            .collect();
        let on_record = self.parts.ledger.recorded(&self.parts.target.id, &same).await?;
        // The oldest: what came after it would be the double.
        Ok(same.into_iter().rev().find(|id| !on_record.contains(id)))
    }
}

fn kind_of(error: &PublishError) -> &'static str {
    match error {
        PublishError::OutcomeUnknown(_) => "outcome_unknown",
        PublishError::Duplicate(_) => "duplicate",
        PublishError::Unauthorized(_) => "unauthorized",
        PublishError::RateLimited { .. } => "rate_limited",
        PublishError::Unavailable(_) => "unavailable",
        PublishError::Refused(_) => "refused",
    }
}
