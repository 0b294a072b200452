//! Reads new posts from the source and hands them to the router, one page at a time. A source returns its newest posts
//! first, so a poll reads back from the newest post to where the last poll ended. Each page is recorded, with the
//! progress of the backfill, before the next is requested. So no post is skipped, however many there are and wherever a
//! crash happens, and at most one page is in memory.
//!
//! - [`start`]: the first poll of an account, from now on.
//! - [`trail`]: which page a backfill requests next, and when it stops.
//! - [`reread`]: what happens to a post that could not be read.
//! - [`catching_up`]: which posts are republished after the source was not read for a while.
//! - [`calls`]: the calls to the source.
//! - [`payment`]: pays for reading, within the budgets.
//! - [`live`]: polls at once where the network reports that there is something new.
//! - [`company`]: what is different if other sources are polled, too.

mod calls;
mod catching_up;
mod company;
mod live;
mod payment;
#[cfg(test)]
mod payment_tests;
mod reread;
mod start;
#[cfg(test)]
mod tests;
mod trail;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
pub use company::{Company, Spread};
use futures_util::{future::select, pin_mut};
use jiff::Timestamp;
use live::Listener;
use log::{error, info, warn};
use mynah_domain::{
    Post, PostId, Skip, Target, TargetId,
    backoff::{Backoff, LONGEST_PAUSE},
    budget::OverBudget,
    eligibility::Eligibility,
    ports::{
        Clock, Ledger, LedgerError, PageRequest, Source, SourceError,
        ledger::{Checkpoint, Mark, RecordPage, RecordPost},
    },
    tariff::CallPrices,
};
use payment::{PageCost, PaidPage, as_error};
use reread::{Unread, about};
use tokio::sync::mpsc;
use trail::{FEW_BARREN, MOST_BARREN, Next, Trail};

use crate::{
    failpoint,
    pauses::{Paused, Pauses},
    router::{Record, Router},
    spending::Purse,
    stats::Meter,
    supervision::{ActorRef, Step, Worker, WorkerContext, shell::Stop},
    upstreams::Upstreams,
};

/// After this many failed polls in a row, the failure is reported as a trouble that people see. A single one is an
/// incident.
const TROUBLE: u32 = 3;

/// The most unreadable posts that one poll asks for by their ids. If every post of a source is unreadable, the source
/// has changed its format, and asking for each post would only cost money.
const MOST_LOOKUPS: usize = 100;

/// How many polls in a row the source must refuse, if none succeeded since the start, before the settings count as wrong:
/// one refusal proves nothing.
const REFUSALS: u32 = 3;

/// The longest wait between two pages without new posts.
const BARREN_WAIT: Duration = Duration::from_secs(1);

/// Where to start with a source that was never polled before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With the posts published from now on.
    Now,
    /// With the oldest post that the source still returns.
    Beginning,
    /// After this post.
    After(Mark),
    /// With the posts published from this time on.
    From(Timestamp),
}

/// When to poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Until one poll succeeds or cannot succeed.
    Once,
    /// Repeatedly, at this interval.
    Every(Duration),
}

/// What a poller is built from, except its source, which cannot leave its thread.
#[derive(Clone)]
pub struct PollerParts {
    /// The source's name in the ledger, `net:example`.
    pub source: String,
    /// Whether other sources are polled, too.
    pub company: Company,
    /// Which of its posts are republished.
    pub eligibility: Eligibility,
    /// Where to start.
    pub start: Start,
    /// When to poll.
    pub schedule: Schedule,
    /// How many posts to ask for at once.
    pub page_size: usize,
    /// The targets that posts go to.
    pub targets: Arc<HashMap<TargetId, Target>>,
    /// The order of the targets.
    pub order: Vec<TargetId>,
    /// The router, which records posts.
    pub router: ActorRef<Router>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// How long to wait before a retry.
    pub backoff: Backoff,
    /// How often to retry a poll with [`Schedule::Once`].
    pub patience: u32,
    /// What a person has paused.
    pub pauses: Pauses,
    /// Which services are down.
    pub upstreams: Upstreams,
    /// Pays for reading; `None` if nothing is recorded.
    pub purse: Option<Purse>,
    /// What the network charges for reading.
    pub prices: CallPrices,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where to report latencies and counts.
    pub meter: Meter,
    /// Where to report how polls end, with the source.
    pub polls: Option<mpsc::UnboundedSender<(String, Polled)>>,
}

/// How a poll ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// Everything that the source returned is recorded.
    Done {
        /// How many posts were new.
        posts: u64,
        /// The source is followed from now on; its earlier posts are not republished.
        started_now: bool,
    },
    /// A person paused the poller, so it asked for nothing.
    Paused,
    /// The poll failed.
    Failed(SourceError),
}

/// The worker that polls a source.
pub struct Poller {
    context: WorkerContext,
    parts: PollerParts,
    source: Rc<dyn Source>,
    /// What pauses it.
    pauses: [Paused; 2],
    next: Option<Instant>,
    /// Hears of new posts, if the network reports them.
    listener: Option<Listener>,
    /// Whether no poll has succeeded since the start.
    is_first: bool,
    failures: u32,
    /// How many polls in a row failed because the source did not answer for any unreadable post.
    lookup_failures: Cell<u32>,
    /// What the source answered about unreadable posts of a page that is not recorded yet. If the source does not
    /// answer for one of them, the page is read again; this avoids paying for the other answers twice.
    answers: RefCell<HashMap<PostId, Result<Post, Unread>>>,
    /// At the end of the last backfill the source offered more pages, though they brought nothing new.
    cut_short: Cell<bool>,
}

/// Why a poll did not complete.
enum Trouble {
    Source(SourceError),
    /// The source did not answer for one post.
    Lookup(PostId, SourceError),
    /// A budget does not allow reading before its next period.
    OverBudget(OverBudget),
    Ledger(LedgerError),
    /// The poller is stopping. The next poll continues from the checkpoint.
    Stopped,
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
    /// Creates a poller of a source.
    pub fn new(context: WorkerContext, parts: PollerParts, source: Rc<dyn Source>) -> Self {
        let live = source.live().filter(|_| parts.schedule != Schedule::Once);
        Self {
            context,
            listener: live.map(|live| Listener::start(parts.clone(), live)),
            pauses: [Paused::Polling, Paused::Source(parts.source.as_str().into())],
            next: parts.company.before_first().map(|wait| Instant::now() + wait),
            parts,
            source,
            is_first: true,
            failures: 0,
            lookup_failures: Cell::new(0),
            answers: RefCell::default(),
            cut_short: Cell::new(false),
        }
    }
}

#[async_trait(?Send)]
impl Worker for Poller {
    async fn step(&mut self, stop: &Stop) -> Step {
        if stop.or(self.until_next()).await.is_none() {
            return Step::Idle;
        }
        let is_paused = self.pauses.iter().any(|what| self.parts.pauses.is_paused(what));
        if self.parts.schedule == Schedule::Once && is_paused {
            self.report(Polled::Paused);
            return Step::Finished;
        }
        if stop.or(self.parts.pauses.until_all_resumed(&self.pauses)).await.is_none() {
            return Step::Idle;
        }
        let work = self.context.at_work();
        failpoint::reach("poller.step");
        let result = self.poll(stop).await;
        drop(work);
        if !matches!(result, Err(Trouble::OverBudget(_))) {
            self.waits_for_no_budget();
        }
        match (result, self.parts.schedule) {
            (Err(Trouble::Ledger(LedgerError::NotHeld(lease))), _) => {
                // Another instance polls the source, and this one is about to be stopped.
                info!(lease:% = lease; "poll refused without lease");
                self.next = Some(Instant::now() + self.parts.backoff.max);
                Step::Idle
            }
            (Err(Trouble::Ledger(error)), _) => Step::Fatal(error.to_string()),
            (Err(Trouble::Stopped), _) => Step::Idle,
            (Ok(polled), schedule) => {
                let is_first = std::mem::replace(&mut self.is_first, false);
                self.failures = 0;
                self.lookup_failures.set(0);
                self.context.heartbeat().untroubled();
                self.report(polled);
                match schedule {
                    Schedule::Once => Step::Finished,
                    Schedule::Every(interval) => {
                        let wait = self.parts.company.between(interval, is_first, fastrand::f64());
                        self.next = Some(Instant::now() + wait);
                        Step::Worked
                    }
                }
            }
            (Err(Trouble::OverBudget(over)), schedule) => self.wait_for_budget(&over, schedule),
            (Err(Trouble::Source(trouble)), schedule) => {
                let wait = self.pause_after(&trouble, schedule);
                self.after_failure(trouble, schedule, wait)
            }
            (Err(Trouble::Lookup(id, trouble)), schedule) => {
                self.lookup_failures.set(self.lookup_failures.get() + 1);
                let trouble = about(&id, trouble);
                // Other posts wait behind this one, so the wait must never be a day.
                let wait = self.pause_after(&trouble, schedule).min(self.parts.backoff.max);
                self.after_failure(trouble, schedule, wait)
            }
        }
    }
}

impl Poller {
    /// Waits until it is time to poll, or until there may be something new. After a failure, only time counts.
    async fn until_next(&self) {
        let Some(next) = self.next else { return };
        let time = actix_rt::time::sleep_until(next.into());
        match &self.listener {
            Some(listener) if self.failures == 0 => {
                let news = listener.news();
                pin_mut!(time, news);
                select(time, news).await;
            }
            _ => time.await,
        }
    }

    fn report(&self, polled: Polled) {
        if let Some(polls) = &self.parts.polls {
            // The receiver may be gone.
            let _ = polls.send((self.parts.source.clone(), polled));
        }
    }

    /// Waits for the next period of a budget. The log has reported the budget already, and it is no trouble: people set it.
    fn wait_for_budget(&mut self, over: &OverBudget, schedule: Schedule) -> Step {
        if schedule == Schedule::Once {
            self.report(Polled::Failed(as_error(over)));
            return Step::Finished;
        }
        self.context.heartbeat().untroubled();
        let now = self.parts.clock.now();
        let again_at = over.again_at(now);
        if let Some(purse) = &self.parts.purse {
            purse.shortages().source_waits(&self.parts.source, over, again_at);
        }
        // Only time counts, whatever the network reports meanwhile.
        self.failures = self.failures.max(1);
        let wait = Duration::try_from(again_at.duration_since(now)).unwrap_or_default();
        let wait = wait.clamp(self.parts.backoff.base, LONGEST_PAUSE);
        self.next = Some(Instant::now() + wait);
        Step::Idle
    }

    /// Counts a failed poll and returns how long to wait after it.
    fn pause_after(&mut self, trouble: &SourceError, schedule: Schedule) -> Duration {
        self.failures += 1;
        let asked = match trouble {
            SourceError::RateLimited { until: Some(until), .. } => {
                // A time in the past means no pause.
                Duration::try_from(until.duration_since(self.parts.clock.now())).ok()
            }
            _ => None,
        };
        match schedule {
            Schedule::Every(interval) if !trouble.is_passing() && !self.is_first => interval,
            _ => self.parts.backoff.pause(self.failures, fastrand::f64(), asked),
        }
    }

    fn after_failure(&mut self, trouble: SourceError, schedule: Schedule, wait: Duration) -> Step {
        let passing = trouble.is_passing();
        match schedule {
            // Do not wait for what only a person can fix, or for tomorrow's quota.
            Schedule::Once
                if !passing || self.failures >= self.parts.patience || wait > self.parts.backoff.max =>
            {
                self.report(Polled::Failed(trouble));
                return Step::Finished;
            }
            // If no poll has succeeded since the start, the settings are wrong. Other sources must not pay for it.
            Schedule::Every(_)
                if self.parts.company.is_alone()
                    && !passing
                    && self.is_first
                    && self.failures >= REFUSALS =>
            {
                self.report(Polled::Failed(trouble.clone()));
                return Step::Fatal(trouble.to_string());
            }
            _ => {}
        }
        if !passing || self.failures >= TROUBLE {
            self.context.heartbeat().troubled(trouble.to_string());
        }
        let source = self.parts.source.as_str();
        if passing {
            warn!(source = source, attempt = self.failures, wait:? = wait, reason:% = trouble; "poll failed");
        } else {
            error!(source = source, wait:? = wait, reason:% = trouble; "poll refused");
        }
        self.next = Some(Instant::now() + wait);
        Step::Idle
    }

    /// Reads back from the newest post to the watermark.
    ///
    /// The reads of one poll are bounded: one for each page with a new post, at most [`MOST_BARREN`] + 1 for pages
    /// without one, and at most [`MOST_LOOKUPS`] for single posts that could not be read or that a person retried.
    async fn poll(&self, stop: &Stop) -> Result<Polled, Trouble> {
        let known = self.parts.ledger.checkpoint(&self.parts.source).await?;
        let mut checkpoint = match known {
            Some(checkpoint) => checkpoint,
            None => match &self.parts.start {
                Start::Now => return self.start_now(stop).await,
                Start::After(mark) => {
                    let (watermark, start) = (Some(mark.clone()), Some(mark.clone()));
                    Checkpoint { watermark, start, ..Checkpoint::default() }
                }
                Start::Beginning | Start::From(_) => Checkpoint::default(),
            },
        };
        let mut lookups = MOST_LOOKUPS;
        let mut posts = self.reread(&checkpoint, &mut lookups, stop).await?;
        self.look_for_gap(&mut checkpoint).await?;
        let mut skipped = 0;
        let from = match (&checkpoint.watermark, &self.parts.start) {
            (None, Start::From(moment)) => Some(*moment),
            (None, _) => checkpoint.since,
            _ => None,
        };
        let first = PageRequest {
            after: checkpoint.watermark.as_ref().map(|mark| mark.id.clone()),
            // An interrupted backfill continues where it was.
            before: checkpoint.backfill.as_ref().map(|backfill| backfill.oldest.id.clone()),
            from,
            continuation: None,
            limit: self.parts.page_size,
        };
        let most_barren = if self.cut_short.get() { FEW_BARREN } else { MOST_BARREN };
        let mut trail = Trail::new(first, most_barren);
        loop {
            let next = match self.paid_page(trail.request(), stop).await {
                Ok(PaidPage { page, cost }) => {
                    let continuation = page.continuation.clone();
                    let shown = page.marks();
                    let arrivals = match self.arrivals(page, &checkpoint, &mut lookups, stop).await {
                        Ok(arrivals) => arrivals,
                        Err(trouble) => {
                            self.settle_page(cost).await;
                            return Err(trouble);
                        }
                    };
                    let (decided, passed_over) = self.decided(arrivals, &mut checkpoint);
                    let is_gap = checkpoint.gap.is_some();
                    skipped += passed_over;
                    checkpoint = checkpoint.after_page(&shown, continuation.is_none());
                    if continuation.is_none() {
                        self.note_read(&mut checkpoint);
                    }
                    let new = self.record(decided, checkpoint.clone(), cost).await?;
                    posts += new;
                    if is_gap && continuation.is_none() {
                        info!(source = self.parts.source.as_str(), posts = posts, skipped = skipped; "caught up");
                    }
                    self.context.heartbeat().progress();
                    trail.after_page(continuation, new > 0, oldest(&checkpoint))
                }
                Err(Trouble::Source(SourceError::Refused(reason)))
                    if trail.request().continuation.is_some() =>
                {
                    warn!(source = self.parts.source.as_str(), reason = reason.as_str(); "page token refused");
                    trail.after_refusal(oldest(&checkpoint))
                }
                Err(trouble) => return Err(trouble),
            };
            match next {
                Next::End => {
                    self.cut_short.set(false);
                    break;
                }
                Next::CutShort => {
                    self.cut_short.set(true);
                    warn!(source = self.parts.source.as_str(), pages = trail.barren(); "backfill cut short");
                    let mut checkpoint = checkpoint.after_page(&[], true);
                    self.note_read(&mut checkpoint);
                    self.record(Vec::new(), checkpoint, PageCost::nothing()).await?;
                    break;
                }
                // The backfill continues at the next start.
                Next::Ask { .. } if stop.is_asked() => break,
                Next::Ask { wait } => self.wait_before(wait, stop).await?,
            }
        }
        Ok(Polled::Done { posts, started_now: false })
    }

    /// Waits before requesting a page if the pages before it brought nothing new.
    async fn wait_before(&self, wait: u32, stop: &Stop) -> Result<(), Trouble> {
        if wait == 0 {
            return Ok(());
        }
        // The jobs of the backfill wait meanwhile, so these waits are shorter than those after a failure.
        let Backoff { base, max } = self.parts.backoff;
        let backoff = Backoff { base: base / 4, max: max.min(BARREN_WAIT) };
        let pause = actix_rt::time::sleep(backoff.growing_wait(wait, fastrand::f64()));
        stop.or(self.context.heartbeat().at_rest(pause)).await.ok_or(Trouble::Stopped)
    }

    /// An edited post takes the position of its first version: a reply to that version comes after it in the line,
    /// though its id is lower than the edit's. The position is never at or below the watermark, where the line may have
    /// been read already.
    fn place_in_line(&self, post: &Post, checkpoint: &Checkpoint) -> u64 {
        let first = post.versions.iter().filter_map(|id| self.source.position(id)).min();
        let watermark = checkpoint.watermark.as_ref().map_or(0, |watermark| watermark.position);
        first.map_or(post.position, |first| {
            first.clamp(watermark.saturating_add(1).min(post.position), post.position)
        })
    }

    async fn record(
        &self,
        posts: Vec<RecordPost>,
        checkpoint: Checkpoint,
        cost: PageCost,
    ) -> Result<u64, Trouble> {
        let arrived = Instant::now();
        let settles = cost.into_settlement();
        let page = RecordPage { source: self.parts.source.clone(), posts, checkpoint, settles };
        let recorded = self.parts.router.ask_until_answered(Record { page, arrived }).await?;
        let new = recorded.posts + recorded.reread;
        if new > 0 {
            info!(source = self.parts.source.as_str(), posts = new, jobs = recorded.jobs, skipped = recorded.skipped; "posts recorded");
        }
        Ok(new)
    }

    fn skip_reason(&self, post: &Post, target: &Target, checkpoint: &Checkpoint) -> Option<Skip> {
        let is_old = |id: &PostId| {
            let position = self.source.position(id);
            checkpoint
                .start
                .as_ref()
                .zip(position)
                .is_some_and(|(start, position)| position <= start.position)
        };
        if post.versions.iter().any(is_old) {
            return Some(Skip::Edited);
        }
        self.parts.eligibility.skip_reason(post, target)
    }
}

/// The oldest post of the backfill in progress.
fn oldest(checkpoint: &Checkpoint) -> Option<&PostId> {
    checkpoint.backfill.as_ref().map(|backfill| &backfill.oldest.id)
}
