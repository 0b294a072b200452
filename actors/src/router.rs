//! The one place that knows what is to be done next. It writes posts, jobs and the moved cursor in one transaction,
//! keeps a bounded stretch of every target's line in memory, and hands jobs to workers that ask. A worker holds a
//! *lease*: the job stays here until the worker reports, and is leased again when the worker dies.
//!
//! The ledger is the truth and the memory a window on it: a router that dies is built anew from the ledger.

mod decide;
mod inspect;
mod lanes;
mod line;
mod pending;
#[cfg(test)]
mod tests;

pub use decide::{Decide, Decided, Decision, Refusal, decide};
pub use inspect::{Blocked, Blocks, Hands, InHand, Unblock};
pub use lanes::{AskLanes, Lanes};

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture,
    WrapFuture,
};
use jiff::Timestamp;
use lanes::Moves;
use line::{Moved, Now, Picked, Window};
use log::{debug, error, info, warn};
use mynah_domain::{
    AccountId, Hold, Job, JobEvent, JobId, JobState, PostId, PublicationKey, Skip, TargetId,
    job::HoldKind,
    ports::{
        Clock, Ledger, LedgerError,
        ledger::{Advanced, Change, ChangeError, LinePosition, RecordPage, RecordPost, Recorded},
    },
};
use pending::{BegunAtOnce, PendingPublishers};
use tokio::sync::Notify;

use crate::{
    events::{Event, Feed},
    failpoint,
    pauses::{Paused, Pauses},
    stats::Meter,
    supervision::{
        ExitGuard, Heartbeat,
        exit::ExitReason,
        handles_tracked,
        shell::{StopAsked, WorkerRef},
    },
    upstreams::Upstreams,
};

/// A job that was in hand when its worker panicked this often is given up: it is the job that kills. But where one was
/// given up and nothing went well since, it is not the jobs: the worker is left to the supervisor's judgement.
const MAX_PANICS: u32 = 3;

/// The longest that a timer sleeps before it looks at the clock again, which may have been set.
const LONGEST_NAP: Duration = Duration::from_secs(30);

/// The actor's name.
pub const NAME: &str = "router";

/// What the router needs to know.
#[derive(Debug, Clone)]
pub struct RouterSettings {
    /// The most jobs of a target that are held in memory.
    pub queue: usize,
    /// The targets, in the order in which a post is translated for them.
    pub targets: Vec<TargetId>,
    /// How long a job that does not go on may keep those behind it waiting.
    pub order_patience: Duration,
    /// The engines that translate, by name.
    pub engines: Vec<Arc<str>>,
    /// A job tried this often without success does not keep a run from ending.
    pub patience: u32,
}

/// What a router is built from.
#[derive(Clone)]
pub struct RouterParts {
    /// Its settings.
    pub settings: RouterSettings,
    /// The record.
    pub ledger: Arc<dyn Ledger>,
    /// Which services are down.
    pub upstreams: Upstreams,
    /// What a person paused: nothing is handed to a paused target's publisher.
    pub pauses: Pauses,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where counts go.
    pub meter: Meter,
    /// Where events go.
    pub feed: Feed,
}

/// The actor.
pub struct Router {
    exit_guard: Option<ExitGuard>,
    state: Rc<RouterState>,
}

impl Router {
    /// A router that takes up what the ledger holds.
    pub fn new(exit_guard: ExitGuard, parts: RouterParts) -> Self {
        let window = Window::new(&parts.settings.targets);
        let state = RouterState {
            parts,
            heartbeat: exit_guard.heartbeat(),
            window: RefCell::new(window),
            moves: RefCell::default(),
            pending: PendingPublishers::default(),
            work: Notify::new(),
            ready: Notify::new(),
            changed: Notify::new(),
            opened: Notify::new(),
            open: Cell::new(false),
            killer_found: Cell::new(false),
            timer: Notify::new(),
            asking: std::cell::Cell::new(0),
        };
        Self { exit_guard: Some(exit_guard), state: Rc::new(state) }
    }
}

handles_tracked!(Router: Record, PullTranslations, PullPublications, ReportJobs, Reclaim, Block, Drain, Depth, StopAsked);

impl Actor for Router {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        failpoint::reach("router.started");
        let state = self.state.clone();
        let opening = async move { state.take_up().await };
        ctx.spawn(opening.into_actor(self).map(|opened, router, ctx| {
            if let Err(error) = opened {
                router.end(ExitReason::Fatal(error.to_string()), ctx);
            }
        }));
        let state = self.state.clone();
        ctx.spawn(async move { state.wake_sleepers().await }.into_actor(self).map(|ended, router, ctx| {
            if let Err(error) = ended {
                router.end(ExitReason::Fatal(error.to_string()), ctx);
            }
        }));
        let state = self.state.clone();
        ctx.spawn(async move { state.heed_pauses().await }.into_actor(self));
    }
}

impl Router {
    fn end(&mut self, end: ExitReason, ctx: &mut Context<Self>) {
        if let Some(exit_guard) = self.exit_guard.take() {
            exit_guard.exit(end);
        }
        ctx.stop();
    }
}

/// An answer that belongs to the actor: a panic in it ends the actor, and the end of the actor ends the answer, so that
/// nobody goes on waiting for one who is gone.
async fn answer<T>(answer: impl Future<Output = T>) -> T {
    failpoint::reach("router.spawned");
    answer.await
}

/// What the handlers share. No borrow of the window lives across an await.
struct RouterState {
    parts: RouterParts,
    heartbeat: Heartbeat,
    window: RefCell<Window>,
    /// For the watch over standstills.
    moves: RefCell<Moves>,
    pending: PendingPublishers,
    /// Something may be translated.
    work: Notify,
    /// Something may be published.
    ready: Notify,
    /// Anything changed at all.
    changed: Notify,
    /// The ledger was taken up.
    opened: Notify,
    open: Cell<bool>,
    /// A job was given up as one that kills, and none went well since.
    killer_found: Cell<bool>,
    /// The moment to wake at may have changed.
    timer: Notify,
    /// How many workers wait for a job.
    asking: std::cell::Cell<usize>,
}

/// A worker that waits for a job.
struct Asking<'a>(&'a std::cell::Cell<usize>);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl RouterState {
    /// Puts back what a process or a router before this one had in hand, and loads the lines.
    async fn take_up(&self) -> Result<(), LedgerError> {
        let recovered = self.parts.ledger.recover(&self.parts.settings.targets).await?;
        if recovered > 0 {
            warn!(jobs = recovered; "jobs that were in hand when the last run ended are taken up again");
        }
        self.refill().await?;
        self.open.set(true);
        self.opened.notify_waiters();
        self.stir();
        Ok(())
    }

    async fn opened(&self) {
        while !self.open.get() {
            self.opened.notified().await;
        }
    }

    fn asks(&self) -> Asking<'_> {
        self.asking.set(self.asking.get() + 1);
        Asking(&self.asking)
    }

    /// Lets whoever waits look again when something is paused or resumed, for as long as the actor lives.
    async fn heed_pauses(&self) {
        let mut changes = self.parts.pauses.changes();
        while changes.changed().await.is_ok() {
            self.stir();
        }
    }

    /// Wakes everybody who waits for something.
    fn stir(&self) {
        self.pass_on_work();
        self.ready.notify_waiters();
        self.changed.notify_waiters();
        self.timer.notify_waiters();
    }

    /// Wakes one who may translate, where there is something to: that one wakes the next. To wake all of them for each report
    /// would have most of them look in vain.
    fn pass_on_work(&self) {
        if self.window.borrow().has_work() {
            self.work.notify_one();
        }
    }

    /// Fills every line that has room from the ledger.
    async fn refill(&self) -> Result<(), LedgerError> {
        for target in &self.parts.settings.targets {
            loop {
                let wanted = self.window.borrow_mut().wants(target, self.parts.settings.queue);
                let Some((after, room)) = wanted else { break };
                let loaded = self.parts.ledger.open_jobs(target, after, room).await;
                let mut window = self.window.borrow_mut();
                match loaded {
                    Ok(jobs) => window.load(target, jobs, room, self.now()),
                    Err(error) => {
                        window.stop_loading(target);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    async fn refill_and_stir(&self) -> Result<(), LedgerError> {
        let filled = self.refill().await;
        self.stir();
        filled
    }

    async fn record(&self, Record { page, arrived }: Record) -> Result<Recorded, LedgerError> {
        self.opened().await;
        let work = self.heartbeat.at_work();
        let posts = page.posts.clone();
        let recorded = self.parts.ledger.record(page).await?;
        self.parts.meter.count("posts.recorded", recorded.posts);
        self.parts.meter.count("jobs.skipped", recorded.skipped);
        for _ in 0..recorded.held {
            self.parts.meter.count_kind("jobs.held", HoldKind::Unreadable.as_str());
        }
        // Oldest first: the order in which they will be said.
        for record in posts.into_iter().rev() {
            self.announce(record, &recorded.edited, arrived);
        }
        self.window.borrow_mut().expect_more();
        if recorded.reread > 0 {
            // Their jobs may stand before what is loaded.
            for target in &self.parts.settings.targets {
                self.window.borrow_mut().reload(target);
            }
        }
        self.refill_and_stir().await?;
        work.done();
        Ok(recorded)
    }

    /// Tells watchers what becomes of a post that is on record.
    fn announce(&self, record: RecordPost, edited: &[PostId], arrived: Instant) {
        let RecordPost { post, mut jobs, unreadable } = record;
        if edited.contains(&post.id) {
            for (_, skip) in &mut jobs {
                *skip = Some(Skip::Edited);
            }
        }
        self.parts.feed.tell(|| Event::Recorded(post.clone(), jobs.clone(), arrived));
        if let Some(raw) = unreadable {
            let hold = Hold { kind: HoldKind::Unreadable, reason: raw.reason, until: None };
            for (target, _) in jobs.into_iter().filter(|(_, skip)| skip.is_none()) {
                self.parts.feed.tell(|| Event::Held(post.clone(), target, hold.clone()));
            }
        }
    }

    /// Leases up to `max` jobs to a translator, waiting until there is one. None to one that is dead. The ledger hears of such a
    /// lease with its outcome: until then nothing has happened that a crash could lose.
    async fn lease_for_translation(&self, worker: &WorkerRef, max: usize) -> Result<Vec<Job>, LedgerError> {
        let _asking = self.asks();
        self.opened().await;
        let mut leased = Vec::new();
        while worker.is_valid() {
            // Registered before looking, so that nothing that comes in between is missed.
            let work = self.work.notified();
            leased = self.window.borrow_mut().pick_for_translation(&worker.holder, max);
            if !leased.is_empty() {
                break;
            }
            work.await;
        }
        self.pass_on_work();
        Ok(leased)
    }

    /// Leases the next job in a target's order to its publisher, waiting until it is ready, and as many as there is room for that
    /// may be said right behind it, those with the intents to say them. None to one that is dead.
    async fn lease_for_publication(&self, pull: &PullPublications) -> Result<Assignment, LedgerError> {
        let PullPublications { worker, target, room } = pull;
        let _asking = self.asks();
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
                    let waiter = self.pending.enter(pull);
                    ready.await;
                    let begun = waiter.leave();
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

    fn is_paused(&self, target: &TargetId) -> bool {
        self.parts.pauses.is_paused(&Paused::Target(target.clone()))
    }

    /// Takes back jobs that were leased and are in nobody's hand. A publisher may end while its lease is being written: what is
    /// reclaimed at that moment is reclaimed under the token of before, and would stay leased to the dead. Where a part was
    /// begun before this lease, its outcome is as unknown as it was.
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

    /// Writes the leases of jobs that were picked for a publisher, with the intent to say them where they are to `begin`;
    /// answers those that were granted, with their new tokens.
    async fn lease(&self, jobs: Vec<Job>, begin: bool) -> Result<Vec<Job>, LedgerError> {
        let work = self.heartbeat.at_work();
        let changes = jobs
            .iter()
            .map(|job| {
                let mut events = lease_of(job);
                if begin {
                    events.push(begun(&job.target, first_part(job), self.parts.clock.now()));
                }
                Change::new(job.id, job.token, events)
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
            self.refill_and_stir().await?;
        }
        work.done();
        Ok(leased)
    }

    /// Writes what became of leased jobs, and moves them in their lines. What is translated while its publisher waits for it is
    /// begun in the same transaction.
    async fn report(&self, reports: Vec<JobReport>) -> Result<(), LedgerError> {
        let heard = Instant::now();
        self.opened().await;
        let work = self.heartbeat.at_work();
        let at_once = self.pending.at_once(&reports, &self.window.borrow(), |target| self.is_paused(target));
        let changes = reports
            .iter()
            .map(|report| {
                let events = report.lease.iter().chain(&report.events).cloned();
                let events = events.chain(at_once.events_of(report, self.parts.clock.now())).collect();
                Change::new(report.job, report.token, events)
            })
            .collect();
        let answers = self.parts.ledger.advance(changes).await?;
        let mut granted = HashMap::new();
        for (report, answer) in reports.into_iter().zip(answers) {
            match answer {
                Ok(advanced) => {
                    if at_once.begins(&report) {
                        granted.insert(report.job, (report.line_position(), advanced.token));
                    }
                    self.moved(report, advanced, heard);
                }
                Err(why @ ChangeError::Stale { .. }) => {
                    debug!(job = report.job.0, reason:% = why; "late report passed over");
                }
                Err(why) => {
                    error!(job = report.job.0, reason:% = why; "report refused; the job is looked up anew");
                    self.window.borrow_mut().forget(&report.target, report.line_position());
                }
            }
        }
        // Before anything else may look at these jobs: they are in hand.
        let astray = self.hand_out(at_once, &granted);
        if !astray.is_empty() {
            Box::pin(self.report(astray)).await?;
        }
        self.refill_and_stir().await?;
        work.done();
        Ok(())
    }

    /// Hands what was begun to the publishers it was begun for, of jobs that were `granted` with their places and tokens.
    /// Answers what takes back those that nobody can say now.
    fn hand_out(
        &self,
        at_once: BegunAtOnce,
        granted: &HashMap<JobId, (LinePosition, i64)>,
    ) -> Vec<JobReport> {
        let mut astray = Vec::new();
        for (target, pending::Batch { worker, jobs }) in at_once.rows() {
            let mut row = Vec::new();
            let mut is_in_order = true;
            for job in jobs {
                let Some((place, token)) = granted.get(&job).copied() else {
                    // Behind one that was refused, order lets nobody pass.
                    is_in_order = false;
                    continue;
                };
                match self.window.borrow_mut().begun(&target, place, &worker.holder) {
                    Some(job) if is_in_order => row.push(job),
                    _ => {
                        is_in_order = false;
                        let events = untouched(true);
                        astray.push(JobReport {
                            job,
                            target: target.clone(),
                            position: place.position,
                            token,
                            lease: vec![],
                            events,
                        });
                    }
                }
            }
            // One who was paused meanwhile begins nothing more.
            let refused =
                if self.is_paused(&target) { row } else { self.pending.hand(&target, &worker, row) };
            astray.extend(refused.iter().map(|job| JobReport::new(job, untouched(true))));
            self.ready.notify_waiters();
        }
        astray
    }

    fn moved(&self, report: JobReport, advanced: Advanced, heard: Instant) {
        let Some(Moved { post, attempt, translation }) =
            self.window.borrow_mut().moved(&report, advanced, self.now())
        else {
            return;
        };
        let JobReport { job, target, events, .. } = report;
        let Some(last) = events.into_iter().next_back() else {
            return;
        };
        if matches!(last, JobEvent::Translated(_) | JobEvent::Published) {
            self.killer_found.set(false);
        }
        let (meter, feed) = (&self.parts.meter, &self.parts.feed);
        let id = job.0;
        match last {
            JobEvent::Translated(translation) => {
                let engine = translation.engine.as_str();
                debug!(post = post.id.0.as_str(), target = target.as_str(), job = id, engine = engine; "translated");
            }
            JobEvent::Published => {
                meter.count("jobs.published", 1);
                let waited = self.parts.clock.now().duration_since(post.created_at);
                let waited = Duration::try_from(waited).unwrap_or_default();
                meter.called("post", "published", waited, None);
                let ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
                info!(post = post.id.0.as_str(), target = target.as_str(), job = id, ms = ms; "published");
                if let Some(translation) = translation {
                    feed.tell(|| Event::Published(post, target, translation, heard));
                }
            }
            JobEvent::Held(hold) => {
                meter.count_kind("jobs.held", hold.kind.as_str());
                warn!(post = post.id.0.as_str(), target = target.as_str(), job = id, kind = hold.kind.as_str(), reason = hold.reason.as_str(); "held");
                feed.tell(|| Event::Held(post, target, hold));
            }
            JobEvent::Failed { reason } => {
                meter.count("jobs.failed", 1);
                error!(post = post.id.0.as_str(), target = target.as_str(), job = id, reason = reason.as_str(); "failed");
                feed.tell(|| Event::Failed(post, target, reason));
            }
            JobEvent::HandedBack { reason, .. }
            | JobEvent::NotSent { reason, .. }
            | JobEvent::OutcomeLost { reason, .. } => {
                meter.count("jobs.retried", 1);
                warn!(post = post.id.0.as_str(), target = target.as_str(), job = id, attempt = attempt, reason = reason.as_str(); "to be tried again");
            }
            _ => {}
        }
    }

    /// Takes back what a worker that ended had in hand.
    async fn reclaim(&self, Reclaim { holder, reason, suspect }: &Reclaim) -> Result<(), LedgerError> {
        self.opened().await;
        let taken = self.window.borrow_mut().leased_by(holder, *suspect);
        let reports = taken
            .into_iter()
            .map(|(job, panics)| {
                let event = if panics >= MAX_PANICS && !self.killer_found.replace(true) {
                    JobEvent::Failed {
                        reason: format!(
                            "{holder} died {panics} times with it in hand, the last time: {reason}"
                        ),
                    }
                } else if job.state == JobState::Publishing {
                    JobEvent::OutcomeLost { not_before: None, reason: format!("{holder} ended: {reason}") }
                } else {
                    JobEvent::HandedBack { not_before: None, reason: format!("{holder} ended: {reason}") }
                };
                JobReport::new(&job, vec![event])
            })
            .collect();
        // Who waits in the name of the one that ended, waits for nothing.
        self.work.notify_waiters();
        self.report(reports).await
    }

    /// Wakes jobs whose moment has come, for as long as the actor lives.
    async fn wake_sleepers(&self) -> Result<(), LedgerError> {
        loop {
            let timer = self.timer.notified();
            failpoint::reach("router.interval");
            let woken = self.window.borrow_mut().wake(self.now());
            let nap = match woken {
                line::Wake::Now => {
                    self.pass_on_work();
                    self.ready.notify_waiters();
                    continue;
                }
                line::Wake::In(left) => Some(left.min(LONGEST_NAP)),
                line::Wake::Never => None,
            };
            let overdue = self.set_aside_the_overdue().await?;
            match nap.into_iter().chain(overdue).min() {
                None => timer.await,
                // Whichever comes first; both only mean "look again".
                Some(nap) => drop(actix_rt::time::timeout(nap, timer).await),
            }
        }
    }

    /// Puts aside the jobs that have kept others waiting for too long; answers how long until the next has.
    async fn set_aside_the_overdue(&self) -> Result<Option<Duration>, LedgerError> {
        let RouterSettings { order_patience, engines, .. } = &self.parts.settings;
        let upstreams = &self.parts.upstreams;
        let down = |job: &Job| match job.translation {
            None => engines.iter().all(|engine| upstreams.is_down(engine)),
            Some(_) => upstreams.is_down(job.target.network()),
        };
        let (overdue, next) = self.window.borrow_mut().overdue(self.now(), *order_patience, down);
        if overdue.is_empty() {
            return Ok(next);
        }
        let reports = overdue
            .into_iter()
            .map(|line::Overdue { job, reason }| {
                let reason = format!(
                    "it kept those behind it waiting for {order_patience:?} and was set aside: {reason}; retry it to say \
                     it late, or skip it"
                );
                let hold = Hold { kind: HoldKind::Stalled, reason, until: None };
                // Nobody has it in hand.
                JobReport { lease: Vec::new(), ..JobReport::new(&job, vec![JobEvent::Held(hold)]) }
            })
            .collect();
        self.report(reports).await?;
        Ok(next)
    }

    fn now(&self) -> Now {
        Now { wall: self.parts.clock.now(), steady: Instant::now() }
    }

    /// Waits until nothing more can be done without a person, a quota or time.
    async fn drained(&self) -> Drained {
        self.opened().await;
        loop {
            let changed = self.changed.notified();
            let paused = |target: &TargetId| self.parts.pauses.is_paused(&Paused::Target(target.clone()));
            if let Some(drained) = self.window.borrow().drained(self.parts.settings.patience, paused) {
                return drained;
            }
            changed.await;
        }
    }
}

/// Writes a page and takes up its jobs.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Recorded, LedgerError>")]
pub struct Record {
    /// The page.
    pub page: RecordPage,
    /// When it came from the source.
    pub arrived: Instant,
}

impl Handler<Record> for Router {
    type Result = ResponseActFuture<Self, Result<Recorded, LedgerError>>;

    fn handle(&mut self, page: Record, _: &mut Self::Context) -> Self::Result {
        failpoint::reach("router.handler");
        let state = self.state.clone();
        Box::pin(answer(async move { state.record(page).await }).into_actor(self))
    }
}

/// A translator is free; answered as soon as there is work for it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Job>, LedgerError>")]
pub struct PullTranslations {
    /// Who asks.
    pub worker: WorkerRef,
    /// The most it can take.
    pub max: usize,
}

impl Handler<PullTranslations> for Router {
    type Result = ResponseActFuture<Self, Result<Vec<Job>, LedgerError>>;

    fn handle(&mut self, pull: PullTranslations, _: &mut Self::Context) -> Self::Result {
        failpoint::reach("router.handler");
        let state = self.state.clone();
        Box::pin(
            answer(async move { state.lease_for_translation(&pull.worker, pull.max).await }).into_actor(self),
        )
    }
}

/// A publisher is free; answered as soon as the next job in order is ready, with those that may be said right behind it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Assignment, LedgerError>")]
pub struct PullPublications {
    /// Who asks.
    pub worker: WorkerRef,
    /// For which target.
    pub target: TargetId,
    /// How many jobs of one message each it says at once: their intents are written with their leases. Where there is no room for
    /// any, the next job is handed out with nothing begun.
    pub room: usize,
}

/// What a publisher is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    /// Jobs of one message each, in order, whose intents are on record: each is to be sent, or its part reported as absent.
    Begun(Vec<Job>),
    /// One job, of which nothing new was begun.
    Alone(Box<Job>),
    /// Nothing, as nobody asks any more.
    Nothing,
}

impl Handler<PullPublications> for Router {
    type Result = ResponseActFuture<Self, Result<Assignment, LedgerError>>;

    fn handle(&mut self, pull: PullPublications, _: &mut Self::Context) -> Self::Result {
        failpoint::reach("router.handler");
        let state = self.state.clone();
        Box::pin(answer(async move { state.lease_for_publication(&pull).await }).into_actor(self))
    }
}

/// What became of a leased job.
#[derive(Debug, Clone)]
pub struct JobReport {
    /// Which job.
    pub job: JobId,
    /// Its target.
    pub target: TargetId,
    /// Its post's place in the source's order.
    pub position: u64,
    /// The token of the lease.
    pub token: i64,
    /// How it came into the worker's hand, as far as the ledger does not know that.
    pub lease: Vec<JobEvent>,
    /// What happened, in order.
    pub events: Vec<JobEvent>,
}

impl JobReport {
    /// A report about a leased job.
    pub fn new(job: &Job, events: Vec<JobEvent>) -> Self {
        // A publisher's lease is on record before it has it, a translator's is not.
        let lease = if job.state == JobState::Publishing { Vec::new() } else { lease_of(job) };
        Self {
            job: job.id,
            target: job.target.clone(),
            position: job.post.position,
            token: job.token,
            lease,
            events,
        }
    }

    /// Its place in its line.
    fn line_position(&self) -> LinePosition {
        LinePosition { position: self.position, job: self.job }
    }

    /// Whether a translator had it in hand.
    fn is_a_translators(&self) -> bool {
        !self.lease.is_empty()
    }
}

/// The events by which a job comes into a worker's hand.
fn lease_of(job: &Job) -> Vec<JobEvent> {
    let translated = job.translation.is_some();
    let lease = if translated { JobEvent::LeasedForPublication } else { JobEvent::LeasedForTranslation };
    let released = (job.state == JobState::Held).then_some(JobEvent::Released { translated });
    released.into_iter().chain([lease]).collect()
}

/// The intent to publish a message that is a job by itself.
fn begun(target: &TargetId, text: &str, now: Timestamp) -> JobEvent {
    JobEvent::PartBegun {
        part: 0,
        account: AccountId::from(target),
        text: text.to_owned(),
        key: PublicationKey::new(now),
        reply: None,
    }
}

/// The events by which a publisher's lease is taken back with which nothing was done.
fn untouched(begun: bool) -> Vec<JobEvent> {
    let absent = begun.then_some(JobEvent::PartAbsent { part: 0 });
    absent.into_iter().chain([JobEvent::Untouched]).collect()
}

/// The event by which a publisher's lease is taken back of a job that it was to look up.
fn never_looked_up() -> JobEvent {
    JobEvent::OutcomeLost { reason: "its publisher ended before it looked".into(), not_before: None }
}

/// What a job of one message says.
pub(crate) fn first_part(job: &Job) -> &str {
    let parts = job.translation.as_ref().map(|translation| &translation.parts);
    parts.and_then(|parts| parts.first()).map_or("", String::as_str)
}

/// Reports what became of leased jobs.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct ReportJobs(
    /// One for each.
    pub Vec<JobReport>,
);

impl Handler<ReportJobs> for Router {
    type Result = ResponseActFuture<Self, Result<(), LedgerError>>;

    fn handle(&mut self, ReportJobs(reports): ReportJobs, _: &mut Self::Context) -> Self::Result {
        failpoint::reach("router.handler");
        let state = self.state.clone();
        state.moves.borrow_mut().count(&reports);
        Box::pin(answer(async move { state.report(reports).await }).into_actor(self))
    }
}

/// A worker ended.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct Reclaim {
    /// Which incarnation of it, as its leases name it.
    pub holder: String,
    /// How.
    pub reason: String,
    /// Whether what it had in hand may be to blame: it panicked, or hung.
    pub suspect: bool,
}

impl Handler<Reclaim> for Router {
    type Result = ResponseActFuture<Self, Result<(), LedgerError>>;

    fn handle(&mut self, reclaim: Reclaim, _: &mut Self::Context) -> Self::Result {
        failpoint::reach("router.handler");
        let state = self.state.clone();
        Box::pin(answer(async move { state.reclaim(&reclaim).await }).into_actor(self))
    }
}

/// A target cannot be published on until a person mends it: its token was revoked.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Block {
    /// Which.
    pub target: TargetId,
    /// What to mend.
    pub reason: String,
}

impl Handler<Block> for Router {
    type Result = ();

    fn handle(&mut self, Block { target, reason }: Block, _: &mut Self::Context) {
        error!(target = target.as_str(), reason = reason.as_str(); "publishing stops until a person mends the account");
        self.state.window.borrow_mut().block(&target, reason);
        self.state.stir();
    }
}

/// Answered when nothing more can be done without a person, a quota or time.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Drained")]
pub struct Drain;

/// What is left when nothing more can be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drained {
    /// Targets that a person must mend, and what.
    pub blocked: BTreeMap<TargetId, String>,
    /// Jobs that wait for another try, and the last reason, by target.
    pub waiting: BTreeMap<TargetId, (usize, String)>,
}

impl Handler<Drain> for Router {
    type Result = ResponseActFuture<Self, Drained>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        failpoint::reach("router.handler");
        let state = self.state.clone();
        Box::pin(answer(async move { state.drained().await }).into_actor(self))
    }
}

/// Asks what is in memory.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Depths")]
pub struct Depth;

/// How many jobs stand where, of those in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, actix::MessageResponse)]
pub struct Depths(
    /// By target: waiting, translating, ready, publishing.
    pub HashMap<TargetId, [usize; 4]>,
);

impl Handler<Depth> for Router {
    type Result = Depths;

    fn handle(&mut self, _: Depth, _: &mut Self::Context) -> Self::Result {
        Depths(self.state.window.borrow().depths())
    }
}

impl Handler<StopAsked> for Router {
    type Result = ();

    fn handle(&mut self, asked: StopAsked, ctx: &mut Self::Context) {
        self.end(asked.end(), ctx);
    }
}
