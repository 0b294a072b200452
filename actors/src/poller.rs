//! Asks the source for what is new and hands it to the router, a page at a time. A source shows its newest posts first,
//! so a poll walks back from the newest to where the last one ended; every page is on record, with how far the walk has
//! come, before the next is asked for. However many posts came, and wherever a crash falls, none is skipped, and no more
//! than one page is in memory.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use log::{error, info, warn};
use mynah_domain::{
    Post, Target, TargetId,
    backoff::Backoff,
    eligibility::Eligibility,
    ports::{
        Clock, Ledger, LedgerError, Page, PageRequest, Source, SourceError,
        ledger::{Mark, Progress, RecordPage, RecordPost},
    },
};
use tokio::sync::mpsc;

use crate::{
    failpoint,
    pauses::{Paused, Pauses},
    router::{Record, Router},
    stats::Meter,
    supervision::{Alive, Core, Link, Turn, shell::Stop},
};

/// One poll that failed is an incident; so many in a row are a trouble that people see.
const TROUBLE: u32 = 3;

/// Where a source that was never polled before begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With what is said from now on.
    Now,
    /// With the oldest post that the source still shows.
    Beginning,
    /// After this post.
    After(Mark),
    /// With what was said from this moment on.
    From(Timestamp),
}

/// When to poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Until it went well once, or cannot.
    Once,
    /// Again and again.
    Every(Duration),
}

/// What a poller is built from, but for its source, which cannot leave its thread.
#[derive(Clone)]
pub struct PollerParts {
    /// The source's name in the ledger, `x:example`.
    pub source: String,
    /// What of it is said again.
    pub eligibility: Eligibility,
    /// Where it begins.
    pub start: Start,
    /// When to poll.
    pub schedule: Schedule,
    /// How many posts to ask for at once.
    pub page_size: usize,
    /// Where posts go.
    pub targets: Arc<HashMap<TargetId, Target>>,
    /// In which order.
    pub order: Vec<TargetId>,
    /// Who writes them down.
    pub router: Link<Router>,
    /// The record.
    pub ledger: Arc<dyn Ledger>,
    /// How long to wait before another try.
    pub backoff: Backoff,
    /// How often a poll is tried again when it is polled once.
    pub patience: u32,
    /// What a person paused.
    pub pauses: Pauses,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where latencies and counts go.
    pub meter: Meter,
    /// Who wants to know how polls end.
    pub polls: Option<mpsc::UnboundedSender<Polled>>,
}

/// How a poll ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// Everything there was is on record.
    Done {
        /// How many posts were new.
        posts: u64,
        /// The source is followed from now on only; what it said before is left alone.
        started_now: bool,
    },
    /// A person paused it, and it is not waited for: nothing was asked for.
    Paused,
    /// It could not be done.
    Failed(SourceError),
}

/// The core of a poller.
pub struct Poller {
    alive: Alive,
    parts: PollerParts,
    source: Rc<dyn Source>,
    next: Option<Instant>,
    failures: u32,
    went_well: bool,
}

enum Trouble {
    Source(SourceError),
    Ledger(LedgerError),
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl Poller {
    /// A poller of a source.
    pub fn new(alive: Alive, parts: PollerParts, source: Rc<dyn Source>) -> Self {
        Self { alive, parts, source, next: None, failures: 0, went_well: false }
    }
}

#[async_trait(?Send)]
impl Core for Poller {
    async fn turn(&mut self, stop: &Stop) -> Turn {
        if let Some(next) = self.next
            && stop.or(actix_rt::time::sleep_until(next.into())).await.is_none()
        {
            return Turn::Idle;
        }
        if self.parts.schedule == Schedule::Once && self.parts.pauses.is_paused(&Paused::Polling) {
            self.tell(Polled::Paused);
            return Turn::Finished;
        }
        if stop.or(self.parts.pauses.until_resumed(&Paused::Polling)).await.is_none() {
            return Turn::Idle;
        }
        let work = self.alive.at_work();
        failpoint::reach("poller.turn");
        let result = self.poll(stop).await;
        drop(work);
        match (result, self.parts.schedule) {
            (Err(Trouble::Ledger(error)), _) => Turn::Fatal(error.to_string()),
            (Ok(polled), schedule) => {
                self.failures = 0;
                self.went_well = true;
                self.alive.pulse().untroubled();
                self.tell(polled);
                match schedule {
                    Schedule::Once => Turn::Finished,
                    Schedule::Every(interval) => {
                        self.next = Some(Instant::now() + interval);
                        Turn::Worked
                    }
                }
            }
            (Err(Trouble::Source(trouble)), schedule) => self.after_failure(trouble, schedule),
        }
    }
}

impl Poller {
    fn tell(&self, polled: Polled) {
        if let Some(polls) = &self.parts.polls {
            // Whoever wanted to know may have left.
            let _ = polls.send(polled);
        }
    }

    fn after_failure(&mut self, trouble: SourceError, schedule: Schedule) -> Turn {
        self.failures += 1;
        let passing = trouble.is_passing();
        let wait = match (&trouble, schedule) {
            (SourceError::RateLimited { until: Some(until), .. }, _) => {
                Duration::try_from(until.duration_since(self.parts.clock.now())).unwrap_or_default()
            }
            (_, Schedule::Every(interval)) if !passing => interval,
            _ => self.parts.backoff.wait(self.failures, fastrand::f64()),
        };
        match schedule {
            // There is no point in waiting for what only a person can mend, or for a quota of tomorrow.
            Schedule::Once
                if !passing || self.failures >= self.parts.patience || wait > self.parts.backoff.max =>
            {
                self.tell(Polled::Failed(trouble));
                return Turn::Finished;
            }
            // What never went well since the start is a mistake in the settings, not an incident.
            Schedule::Every(_) if !passing && !self.went_well => {
                self.tell(Polled::Failed(trouble.clone()));
                return Turn::Fatal(trouble.to_string());
            }
            _ => {}
        }
        if !passing || self.failures >= TROUBLE {
            self.alive.pulse().troubled(trouble.to_string());
        }
        let source = self.parts.source.as_str();
        if passing {
            warn!(source = source, attempt = self.failures, wait:? = wait, reason:% = trouble; "poll failed and will be tried again");
        } else {
            error!(source = source, wait:? = wait, reason:% = trouble; "poll refused");
        }
        self.next = Some(Instant::now() + wait);
        Turn::Idle
    }

    /// Walks back from the newest post to the floor.
    async fn poll(&self, stop: &Stop) -> Result<Polled, Trouble> {
        let known = self.parts.ledger.progress(&self.parts.source).await?;
        let mut progress = match known {
            Some(progress) => progress,
            None => match &self.parts.start {
                Start::Now => return self.start_now().await,
                Start::After(mark) => Progress { floor: Some(mark.clone()), walk: None },
                Start::Beginning | Start::From(_) => Progress::default(),
            },
        };
        let from = match (&progress.floor, &self.parts.start) {
            (None, Start::From(moment)) => Some(*moment),
            _ => None,
        };
        let mut request = PageRequest {
            after: progress.floor.as_ref().map(|mark| mark.id.clone()),
            // A walk that was cut off goes on where it was.
            before: progress.walk.as_ref().map(|walk| walk.oldest.id.clone()),
            from,
            continuation: None,
            limit: self.parts.page_size,
        };
        let mut posts = 0;
        loop {
            let page = self.page(&request).await?;
            let whole = page.continuation.is_none();
            request.continuation.clone_from(&page.continuation);
            progress = progress.after_page(&page.posts, whole);
            posts += self.record(page.posts, progress.clone()).await?;
            self.alive.pulse().progress();
            if whole {
                return Ok(Polled::Done { posts, started_now: false });
            }
            if stop.is_asked() {
                // The walk goes on with the next start.
                return Ok(Polled::Done { posts, started_now: false });
            }
        }
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError> {
        let started = Instant::now();
        failpoint::reach("x.read.before");
        let page = self.source.page(request).await;
        failpoint::reach("x.read.after");
        self.parts.meter.called("x", "read", started.elapsed(), page.as_ref().err().map(kind_of));
        if let Ok(page) = &page {
            for oddity in &page.oddities {
                warn!(source = self.parts.source.as_str(), reason:% = oddity; "odd answer of the source");
            }
        }
        page
    }

    /// Takes the newest post as the floor, so that nothing said before is said again.
    async fn start_now(&self) -> Result<Polled, Trouble> {
        let request = PageRequest { limit: 1, ..PageRequest::default() };
        let page = self.page(&request).await?;
        let floor = page.posts.first().map(Mark::of);
        let newest = floor.as_ref().map_or("none yet", |mark| mark.id.0.as_str());
        info!(source = self.parts.source.as_str(), newest = newest; "followed from now on; earlier posts are left alone (source.start)");
        self.record(Vec::new(), Progress { floor, walk: None }).await?;
        Ok(Polled::Done { posts: 0, started_now: true })
    }

    async fn record(&self, posts: Vec<Post>, progress: Progress) -> Result<u64, Trouble> {
        let arrived = Instant::now();
        let posts = posts
            .into_iter()
            .map(|post| {
                let jobs = self.parts.order.iter().filter_map(|id| {
                    let target = self.parts.targets.get(id)?;
                    Some((id.clone(), self.parts.eligibility.skip_reason(&post, target)))
                });
                RecordPost { jobs: jobs.collect(), post: Arc::new(post) }
            })
            .collect();
        let page = RecordPage { source: self.parts.source.clone(), posts, progress };
        let recorded = self.parts.router.ask_until_answered(Record { page, arrived }).await?;
        if recorded.posts > 0 {
            info!(source = self.parts.source.as_str(), posts = recorded.posts, jobs = recorded.jobs, skipped = recorded.skipped; "posts recorded");
        }
        Ok(recorded.posts)
    }
}

fn kind_of(error: &SourceError) -> &'static str {
    match error {
        SourceError::Account(_) => "account",
        SourceError::Unauthorized(_) => "unauthorized",
        SourceError::RateLimited { .. } => "rate_limited",
        SourceError::Unavailable(_) => "unavailable",
        SourceError::Refused(_) => "refused",
    }
}
