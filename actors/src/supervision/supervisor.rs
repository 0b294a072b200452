//! Starts every actor, watches for their ends, and builds the dead ones anew from their factories. Before it does, it
//! has the router take back what the dead one had in hand. An actor that keeps dying ends the service, loudly: a
//! container that is restarted is better than one that pretends. One that is at work and gets nothing done is taken for
//! dead, ended and built anew.
//!
//! A panic in the supervisor itself is caught where it happens, and what it was doing is done again.
//!
//! It also writes the stream of logs that operators read: every start, stop and restart, and a line of stats.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture,
    StreamHandler, WrapFuture,
};
use futures_util::stream;
use log::{error, info, warn};
use tokio::sync::{mpsc, oneshot};

use super::{
    ActorRef, ExitGuard, HealthRegistry, Lane, RestartPolicy, State,
    exit::{Exit, ExitReason, holder, panic_message},
    restart::{RestartHistory, Verdict},
    shell::StopAsked,
    standstill::{self, name_of},
};
use crate::{
    failpoint,
    router::{AskLanes, Lanes, NAME as ROUTER, Reclaim, Router},
    stats::{Report, Stats},
};

/// Asks an actor to end, in order or at once.
pub type Stopper = Box<dyn Fn(StopAsked) + Send>;

/// How often the watchdog looks within its patience. It counts its own looks and no hours, so that a process which was
/// itself asleep takes nobody for dead.
const LOOKS: u32 = 5;

/// How to build one actor, as often as needed.
pub struct ChildSpec {
    /// Its name, `translator-3`.
    pub name: String,
    /// In which order actors are stopped: all of a stage have ended before the next is asked to.
    pub stage: Stage,
    /// When to restart it and when to give up.
    pub policy: RestartPolicy,
    /// Builds it on its arbiter, in the given exit_guard.
    pub build: Box<dyn Fn(ExitGuard) -> Stopper + Send>,
}

/// The stages of a stop: first nothing new is read, then what is in hand is finished, then the record is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Brings work in.
    Inlet,
    /// Does work.
    Worker,
    /// Is asked by workers.
    Service,
}

/// What the supervisor needs to know.
#[derive(Debug, Clone, Copy)]
pub struct SupervisorSettings {
    /// When to give up after panics of its own.
    pub policy: RestartPolicy,
    /// How often a line of stats is logged.
    pub stats_interval: Duration,
    /// How long an actor may be at work without getting anything done.
    pub patience: Duration,
    /// How long nothing at all may move while there is work that nothing keeps waiting.
    pub stalled_after: Duration,
}

/// The actor.
pub struct Supervisor {
    settings: SupervisorSettings,
    health: HealthRegistry,
    router: ActorRef<Router>,
    stats: ActorRef<Stats>,
    specs: Vec<ChildSpec>,
    children: BTreeMap<String, Child>,
    exits: (mpsc::UnboundedSender<Exit>, Option<mpsc::UnboundedReceiver<Exit>>),
    stopping: Option<Stopping>,
    verdict: Option<oneshot::Sender<Result<(), String>>>,
    /// Its own panics.
    history: RestartHistory,
    /// Whether anything went well since the last of them.
    recovered: bool,
    standstill: standstill::Watch,
    /// When the watchdog last looked.
    watchdog_look: Look,
    /// When the watch over standstills last looked.
    standstill_look: Look,
}

/// When somebody last looked. After a time in which the process itself was suspended, the timer makes up for all looks that
/// it missed, at once: these are no looks, as nobody else had the time to move.
#[derive(Debug, Default)]
struct Look(Option<tokio::time::Instant>);

impl Look {
    /// Whether a look now is one of its own, where there is to be one `every` so often.
    fn is_due(&mut self, every: Duration) -> bool {
        let now = tokio::time::Instant::now();
        let is_due = self.0.is_none_or(|last| now.duration_since(last) >= every / 2);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }
}

struct Child {
    spec: ChildSpec,
    incarnation: u64,
    history: RestartHistory,
    stopper: Option<Stopper>,
    alive: bool,
    stop_asked: bool,
    then: Then,
    watch: Watch,
}

/// What becomes of an actor that has ended as it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Nothing: it has done what it was for.
    StayStopped,
    /// It is built anew.
    Restart,
    /// Its place is given up.
    Remove,
}

/// What the watchdog saw of an actor.
#[derive(Debug, Default)]
struct Watch {
    /// When it last showed progress.
    seen: Option<Instant>,
    /// How many looks ago.
    looks: u32,
    aborted: bool,
}

impl Child {
    fn new(spec: ChildSpec) -> Self {
        Self {
            spec,
            incarnation: 0,
            history: RestartHistory::default(),
            stopper: None,
            alive: false,
            stop_asked: false,
            then: Then::StayStopped,
            watch: Watch::default(),
        }
    }

    /// Asks the actor to end, once.
    fn stop(&mut self, how: StopAsked) {
        if let Some(stopper) = &self.stopper
            && !std::mem::replace(&mut self.stop_asked, true)
        {
            stopper(how);
        }
    }
}

struct Stopping {
    stage: Stage,
    outcome: Result<(), String>,
    done: Vec<oneshot::Sender<()>>,
}

impl Supervisor {
    /// A supervisor of the actors of `specs`, which are built in that order. The receiver hears once: why, as soon as the
    /// service cannot go on, or that all is at an end.
    pub fn new(
        settings: SupervisorSettings,
        health: HealthRegistry,
        router: ActorRef<Router>,
        stats: ActorRef<Stats>,
        specs: Vec<ChildSpec>,
    ) -> (Self, oneshot::Receiver<Result<(), String>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (verdict, outcome) = oneshot::channel();
        let supervisor = Self {
            settings,
            health,
            router,
            stats,
            specs,
            children: BTreeMap::new(),
            exits: (sender, Some(receiver)),
            stopping: None,
            verdict: Some(verdict),
            history: RestartHistory::default(),
            recovered: false,
            standstill: standstill::Watch::default(),
            watchdog_look: Look::default(),
            standstill_look: Look::default(),
        };
        (supervisor, outcome)
    }

    fn build(&mut self, name: &str) {
        let Some(child) = self.children.get_mut(name).filter(|child| !child.alive) else {
            return;
        };
        child.incarnation += 1;
        child.alive = true;
        child.stop_asked = false;
        child.then = Then::StayStopped;
        child.watch = Watch::default();
        let exit_guard = ExitGuard::new(name, child.incarnation, self.health.clone(), self.exits.0.clone());
        child.stopper = Some((child.spec.build)(exit_guard));
        if child.incarnation == 1 {
            info!(actor = name; "actor started");
        } else {
            info!(actor = name, incarnation = child.incarnation; "actor restarted");
        }
    }

    /// Builds an actor now, or as soon as the one that is there has finished what it has in hand.
    fn restart_child(&mut self, name: &str) {
        match self.children.get_mut(name) {
            Some(child) if child.alive => {
                child.then = Then::Restart;
                child.stop(StopAsked::InOrder);
            }
            _ => self.build(name),
        }
    }

    /// Does what may panic; answers whether it did not. Too many panics without anything going well in between end the
    /// service.
    fn guarded(&mut self, ctx: &mut Context<Self>, act: impl FnOnce(&mut Self, &mut Context<Self>)) -> bool {
        let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(|| act(self, ctx))) else {
            self.recovered = true;
            return true;
        };
        let reason = panic_message(&*panic);
        error!(actor = "supervisor", reason = reason.as_str(); "the supervisor panicked and goes on");
        let recovered = std::mem::take(&mut self.recovered);
        if self.history.judge(&self.settings.policy, Instant::now(), recovered, 0.0) == Verdict::GiveUp {
            self.stop(Err(format!("the supervisor keeps panicking, the last time: {reason}")), ctx);
        }
        false
    }

    fn exited(&mut self, exit: Exit, ctx: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(&exit.name) else {
            return;
        };
        if child.incarnation != exit.incarnation || !child.alive {
            return;
        }
        child.alive = false;
        child.stopper = None;
        if child.spec.stage == Stage::Worker {
            self.reclaim(&exit, ctx);
        }
        let Some(child) = self.children.get_mut(&exit.name) else {
            return;
        };
        let (name, then) = (exit.name, child.then);
        if then == Then::Remove && !matches!(exit.reason, ExitReason::Fatal(_)) {
            // However it ended: what it had in hand is leased to another.
            self.give_up_place(&name);
            return self.go_on_stopping(ctx);
        }
        let asked = then == Then::Restart;
        match exit.reason {
            ExitReason::Finished => {
                self.health.set_state(&name, State::Stopped);
                info!(actor = name.as_str(); "actor stopped");
                if asked && self.stopping.is_none() {
                    self.build(&name);
                }
            }
            ExitReason::Fatal(reason) => {
                self.health.set_state(&name, State::Stopped);
                error!(actor = name.as_str(), reason = reason.as_str(); "actor cannot go on");
                self.stop(Err(reason), ctx);
            }
            ExitReason::Aborted(_) if asked && self.stopping.is_none() => self.build(&name),
            ExitReason::Panicked(reason) | ExitReason::Aborted(reason) => {
                let progressed = self.health.actor(&name).is_some_and(|standing| standing.progressed);
                let verdict =
                    child.history.judge(&child.spec.policy, Instant::now(), progressed, fastrand::f64());
                self.after_exit(&name, &reason, verdict, ctx);
            }
        }
        self.go_on_stopping(ctx);
    }

    fn give_up_place(&mut self, name: &str) {
        self.children.remove(name);
        self.health.forget(name);
        info!(actor = name; "actor let go");
    }

    fn after_exit(&mut self, name: &str, reason: &str, verdict: Verdict, ctx: &mut Context<Self>) {
        match verdict {
            _ if self.stopping.is_some() => {
                self.health.set_state(name, State::Stopped);
                warn!(actor = name, reason = reason; "actor died while stopping");
            }
            Verdict::Restart(wait) => {
                self.health.set_state(name, State::Restarting);
                warn!(actor = name, reason = reason, wait:? = wait; "actor died and will be restarted");
                Self::build_later(name.to_owned(), wait, ctx);
            }
            Verdict::GiveUp => {
                self.health.set_state(name, State::Stopped);
                let reason = match self.children.get(name).map(|child| child.spec.policy) {
                    Some(RestartPolicy { max_restarts, window, .. }) => format!(
                        "{name} died more than {max_restarts} times in {window:?} without getting anything done, the last time: {reason}"
                    ),
                    None => reason.to_owned(),
                };
                error!(actor = name, reason = reason.as_str(); "actor keeps dying; the service stops");
                self.stop(Err(reason), ctx);
            }
        }
    }

    fn build_later(name: String, wait: Duration, ctx: &mut Context<Self>) {
        ctx.run_later(wait, move |supervisor, ctx| {
            let built = supervisor.guarded(ctx, |supervisor, _| {
                failpoint::reach("supervisor.timer");
                if supervisor.stopping.is_none() {
                    supervisor.build(&name);
                }
            });
            if !built {
                Self::build_later(name, wait, ctx);
            }
        });
    }

    /// Ends whoever is at work and has shown no progress for as long as patience lasts.
    fn look_for_the_hung(&mut self, ctx: &mut Context<Self>) {
        if self.stopping.is_some() || !self.watchdog_look.is_due(self.settings.patience / LOOKS) {
            return;
        }
        let mut beyond_help = None;
        for (name, child) in self.children.iter_mut().filter(|(_, child)| child.alive) {
            let Some(standing) = self.health.actor(name) else { continue };
            let watch = &mut child.watch;
            if standing.at_work == 0 || watch.seen != Some(standing.last_progress) {
                *watch = Watch { seen: Some(standing.last_progress), looks: 0, aborted: watch.aborted };
                continue;
            }
            watch.looks += 1;
            if watch.looks < LOOKS {
                continue;
            }
            watch.looks = 0;
            let patience = self.settings.patience;
            if watch.aborted {
                beyond_help = Some(format!(
                    "{name} got nothing done for {patience:?} and could not be ended: its thread hangs"
                ));
            } else if let Some(stopper) = &child.stopper {
                watch.aborted = true;
                error!(actor = name.as_str(), patience:? = patience; "actor is at work and gets nothing done; it is ended");
                stopper(StopAsked::AtOnce(format!("it got nothing done for {patience:?}")));
            }
        }
        if let Some(reason) = beyond_help {
            error!(reason = reason.as_str(); "actor cannot be ended; the service stops");
            self.stop(Err(reason), ctx);
        }
    }

    /// Asks the router what could move, and judges whether it does.
    fn look_for_a_standstill(&mut self, ctx: &mut Context<Self>) {
        if self.stopping.is_some()
            || !self.standstill_look.is_due(self.settings.stalled_after / standstill::LOOKS)
        {
            return;
        }
        let router = self.router.clone();
        // A router that is dead is seen to already.
        let lanes = async move { router.ask(AskLanes).await.ok() };
        ctx.spawn(lanes.into_actor(self).map(|lanes, supervisor, ctx| {
            if let Some(Lanes(lanes)) = lanes {
                supervisor.guarded(ctx, |supervisor, _| supervisor.judge(lanes));
            }
        }));
    }

    /// Reports lanes that stand still, and restarts whoever has their jobs in hand; where nobody has, the router, which should
    /// have handed them out.
    fn judge(&mut self, lanes: Vec<Lane>) {
        let found = self.standstill.look(lanes, &self.health);
        for lane in found.moving {
            info!(lane = lane.as_str(); "pipeline moves again");
        }
        for Lane { name, jobs, holders, .. } in found.still {
            let stalled_after = self.settings.stalled_after;
            let held_by = if holders.is_empty() { "nobody".to_owned() } else { holders.join(", ") };
            error!(lane = name.as_str(), jobs = jobs, held_by = held_by.as_str(), stalled_after:? = stalled_after; "pipeline stalled");
            let reason = format!("nothing moved in {name} for {stalled_after:?}");
            if holders.is_empty() {
                self.aborted(ROUTER, &reason);
            }
            for holder in &holders {
                self.aborted(name_of(holder), &reason);
            }
        }
        self.health.set_stall(self.standstill.reason());
    }

    /// Ends an actor in the middle of what it does; another is built in its place.
    fn aborted(&self, name: &str, reason: &str) {
        if let Some(Child { stopper: Some(stopper), alive: true, .. }) = self.children.get(name) {
            stopper(StopAsked::AtOnce(reason.to_owned()));
        }
    }

    /// What a worker had in hand when it ended is leased again.
    fn reclaim(&self, exit: &Exit, ctx: &mut Context<Self>) {
        let router = self.router.clone();
        let reason = match &exit.reason {
            ExitReason::Panicked(reason) | ExitReason::Aborted(reason) | ExitReason::Fatal(reason) => {
                reason.clone()
            }
            ExitReason::Finished => "it was stopped".to_owned(),
        };
        let message = Reclaim {
            holder: holder(&exit.name, exit.incarnation),
            reason,
            suspect: matches!(exit.reason, ExitReason::Panicked(_) | ExitReason::Aborted(_)),
        };
        // A router that is dead itself takes everything back when it is built.
        ctx.spawn(async move { drop(router.ask(message).await) }.into_actor(self));
    }

    fn stop(&mut self, outcome: Result<(), String>, ctx: &mut Context<Self>) {
        if let Some(stopping) = &mut self.stopping {
            // The first reason to fail is the one to tell.
            if stopping.outcome.is_ok() {
                stopping.outcome = outcome;
            }
            return;
        }
        if let Err(reason) = &outcome {
            self.health.escalate(reason);
            // Told before the others have ended: whoever waits for it sees to it that they do in time.
            if let Some(verdict) = self.verdict.take() {
                let _ = verdict.send(Err(reason.clone()));
            }
        }
        self.stopping = Some(Stopping { stage: Stage::Inlet, outcome, done: Vec::new() });
        self.ask_stage_to_stop(Stage::Inlet);
        self.go_on_stopping(ctx);
    }

    fn ask_stage_to_stop(&mut self, stage: Stage) {
        let lost = |child: &Child| child.spec.stage == Stage::Service && !child.alive;
        let how = if stage < Stage::Service && self.children.values().any(lost) {
            // Who waits for one that will not come back would wait for ever.
            StopAsked::AtOnce("an actor that it needs has ended".into())
        } else {
            StopAsked::InOrder
        };
        for child in self.children.values_mut().filter(|child| child.spec.stage == stage) {
            child.stop(how.clone());
        }
    }

    fn go_on_stopping(&mut self, ctx: &mut Context<Self>) {
        let Some(stage) = self.stopping.as_ref().map(|stopping| stopping.stage) else {
            return;
        };
        if self.children.values().any(|child| child.alive && child.spec.stage <= stage) {
            return;
        }
        let next = match stage {
            Stage::Inlet => Stage::Worker,
            Stage::Worker => Stage::Service,
            Stage::Service => {
                if let Some(stopping) = self.stopping.take() {
                    if let Some(verdict) = self.verdict.take() {
                        // Whoever waited may have lost patience.
                        let _ = verdict.send(stopping.outcome);
                    }
                    for done in stopping.done {
                        let _ = done.send(());
                    }
                }
                return ctx.stop();
            }
        };
        if let Some(stopping) = &mut self.stopping {
            stopping.stage = next;
        }
        self.ask_stage_to_stop(next);
        self.go_on_stopping(ctx);
    }

    fn log_stats(&self, ctx: &mut Context<Self>) {
        let stats = self.stats.clone();
        let log = async move {
            if let Ok(report) = stats.ask(Report).await {
                report.log();
            }
        };
        ctx.spawn(log.into_actor(self));
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(exits) = self.exits.1.take() {
            ctx.add_stream(stream::unfold(exits, |mut exits| async {
                exits.recv().await.map(|exit| (exit, exits))
            }));
        }
        let names: Vec<String> = self.specs.iter().map(|spec| spec.name.clone()).collect();
        for spec in std::mem::take(&mut self.specs) {
            self.children.insert(spec.name.clone(), Child::new(spec));
        }
        for name in names {
            self.build(&name);
        }
        ctx.run_interval(self.settings.stats_interval, |supervisor, ctx| {
            supervisor.guarded(ctx, |supervisor, ctx| {
                failpoint::reach("supervisor.interval");
                supervisor.log_stats(ctx);
            });
        });
        ctx.run_interval(self.settings.patience / LOOKS, |supervisor, ctx| {
            supervisor.guarded(ctx, |supervisor, ctx| {
                failpoint::reach("supervisor.interval");
                supervisor.look_for_the_hung(ctx);
            });
        });
        ctx.run_interval(self.settings.stalled_after / standstill::LOOKS, |supervisor, ctx| {
            supervisor.guarded(ctx, |supervisor, ctx| {
                failpoint::reach("supervisor.interval");
                supervisor.look_for_a_standstill(ctx);
            });
        });
    }
}

impl StreamHandler<Exit> for Supervisor {
    fn handle(&mut self, exit: Exit, ctx: &mut Self::Context) {
        let news = exit.clone();
        let heard = self.guarded(ctx, |supervisor, ctx| {
            failpoint::reach("supervisor.handler");
            supervisor.exited(exit, ctx);
        });
        if !heard {
            // Told again, to be heard from the beginning. Everything it leads to may be done twice.
            if let Some(child) =
                self.children.get_mut(&news.name).filter(|child| child.incarnation == news.incarnation)
            {
                child.alive = true;
            }
            let _ = self.exits.0.send(news);
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {
        // The supervisor holds a sender itself; without this, the end of the stream would stop the actor.
    }
}

/// Stops everything in order; answers when all of it has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Shutdown;

impl Handler<Shutdown> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) -> Self::Result {
        let (done, heard) = oneshot::channel();
        self.stop(Ok(()), ctx);
        // Where nothing was left to stop, the end is now.
        match &mut self.stopping {
            Some(stopping) => stopping.done.push(done),
            None => drop(done),
        }
        Box::pin(async move { drop(heard.await) })
    }
}

/// Restarts one actor, after it has finished what it has in hand.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NoSuchActor>")]
pub struct Restart(
    /// Its name.
    pub String,
);

/// There is no actor of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no actor {name}; there are {known}")]
pub struct NoSuchActor {
    /// The name that was asked for.
    pub name: String,
    /// The names there are.
    pub known: String,
}

impl Handler<Restart> for Supervisor {
    type Result = Result<(), NoSuchActor>;

    fn handle(&mut self, Restart(name): Restart, _: &mut Self::Context) -> Self::Result {
        if !self.children.contains_key(&name) {
            let known = self.children.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(NoSuchActor { name, known });
        }
        info!(actor = name.as_str(); "actor restart asked for");
        if self.stopping.is_some() {
            return Ok(());
        }
        self.restart_child(&name);
        Ok(())
    }
}

/// Changes who works: those of `hire` are built, in place of those of the same name, and those of `retire` are let go.
/// Whoever is there finishes what is in hand first.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ChangeChildren {
    pub(crate) hire: Vec<ChildSpec>,
    pub(crate) retire: Vec<String>,
}

impl Handler<ChangeChildren> for Supervisor {
    type Result = ();

    fn handle(&mut self, ChangeChildren { hire, retire }: ChangeChildren, _: &mut Self::Context) {
        if self.stopping.is_some() {
            return;
        }
        for name in retire {
            match self.children.get_mut(&name) {
                Some(child) if child.alive => {
                    child.then = Then::Remove;
                    child.stop(StopAsked::InOrder);
                }
                Some(_) => self.give_up_place(&name),
                None => {}
            }
        }
        for spec in hire {
            let name = spec.name.clone();
            match self.children.get_mut(&name) {
                Some(child) => child.spec = spec,
                None => drop(self.children.insert(name.clone(), Child::new(spec))),
            }
            self.restart_child(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use actix::Addr;
    use async_trait::async_trait;
    use mynah_domain::backoff::Backoff;

    use super::*;
    use crate::supervision::{Shell, Step, Worker, WorkerContext, shell::Stop};

    /// Panics in its first turns, or when it is built, then works and waits.
    struct Fragile {
        lives: Arc<AtomicU32>,
        panics: u32,
        worked: mpsc::UnboundedSender<u32>,
        told: bool,
        context: WorkerContext,
        /// In these lives it hangs in its work.
        hangs: u32,
    }

    #[async_trait(?Send)]
    impl Worker for Fragile {
        async fn step(&mut self, stop: &Stop) -> Step {
            let life = self.lives.load(Ordering::SeqCst);
            assert!(life > self.panics, "as it was told to");
            if life <= self.hangs {
                let _work = self.context.at_work();
                std::future::pending::<()>().await;
            }
            if self.told {
                stop.asked().await;
                return Step::Idle;
            }
            self.told = true;
            // The test may be over.
            let _ = self.worked.send(life);
            Step::Worked
        }
    }

    struct Setting {
        supervisor: Addr<Supervisor>,
        outcome: oneshot::Receiver<Result<(), String>>,
        worked: mpsc::UnboundedReceiver<u32>,
        health: HealthRegistry,
    }

    fn spec(
        name: &str,
        panics: u32,
        hangs: u32,
        max_restarts: u32,
        sender: mpsc::UnboundedSender<u32>,
    ) -> ChildSpec {
        let lives = Arc::new(AtomicU32::new(0));
        let build = move |exit_guard| {
            lives.fetch_add(1, Ordering::SeqCst);
            let (lives, worked) = (lives.clone(), sender.clone());
            let core = move |exit_guard: &ExitGuard| Fragile {
                lives,
                panics,
                worked,
                told: false,
                context: WorkerContext::new(exit_guard),
                hangs,
            };
            let addr = Shell::new(exit_guard, core).start();
            let stopper: Stopper = Box::new(move |asked| drop(addr.try_send(asked)));
            stopper
        };
        let policy = RestartPolicy {
            max_restarts,
            window: Duration::from_mins(1),
            backoff: Backoff { base: Duration::from_millis(1), max: Duration::from_millis(1) },
        };
        ChildSpec { name: name.into(), stage: Stage::Inlet, policy, build: Box::new(build) }
    }

    fn setting(panics: u32, max_restarts: u32) -> Setting {
        setting_that_hangs(panics, 0, max_restarts)
    }

    fn setting_that_hangs(panics: u32, hangs: u32, max_restarts: u32) -> Setting {
        let (sender, worked) = mpsc::unbounded_channel();
        let spec = spec("fragile", panics, hangs, max_restarts, sender);
        let policy = spec.policy;
        let settings = SupervisorSettings {
            policy,
            stats_interval: Duration::from_hours(1),
            patience: Duration::from_millis(50),
            stalled_after: Duration::from_hours(1),
        };
        let health = HealthRegistry::default();
        let (supervisor, outcome) =
            Supervisor::new(settings, health.clone(), ActorRef::new(), ActorRef::new(), vec![spec]);
        Setting { supervisor: supervisor.start(), outcome, worked, health }
    }

    #[actix_rt::test]
    async fn looks_that_a_timer_makes_up_for_after_a_suspension_count_as_one() {
        tokio::time::pause();
        let (mut look, every) = (Look::default(), Duration::from_secs(10));
        let mut counted = 0;
        // The process was suspended before the fourth.
        for waits in [10, 10, 10, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 10] {
            tokio::time::advance(Duration::from_secs(waits)).await;
            counted += usize::from(look.is_due(every));
        }
        assert_eq!(counted, 6);
    }

    #[actix_rt::test]
    async fn an_actor_that_panics_is_built_anew_and_goes_on() {
        let mut stage = setting(3, 5);
        assert_eq!(stage.worked.recv().await, Some(4));
        assert_eq!(stage.health.actor("fragile").unwrap().restarts, 3);
        stage.supervisor.send(Shutdown).await.unwrap();
        assert_eq!(stage.outcome.await.unwrap(), Ok(()));
    }

    #[actix_rt::test]
    async fn one_that_keeps_dying_ends_the_service_with_a_reason() {
        let stage = setting(u32::MAX, 2);
        let reason = stage.outcome.await.unwrap().unwrap_err();
        assert!(reason.starts_with("fragile died more than 2 times"), "{reason}");
        assert!(reason.ends_with("as it was told to"), "{reason}");
    }

    #[actix_rt::test]
    async fn a_restart_that_was_asked_for_ends_the_old_one_first() {
        let mut stage = setting(0, 0);
        assert_eq!(stage.worked.recv().await, Some(1));
        stage.supervisor.send(Restart("fragile".into())).await.unwrap().unwrap();
        assert_eq!(stage.worked.recv().await, Some(2));
        let unknown = stage.supervisor.send(Restart("nobody".into())).await.unwrap().unwrap_err();
        assert_eq!(unknown.to_string(), "there is no actor nobody; there are fragile");
    }

    #[actix_rt::test]
    async fn others_are_hired_replaced_and_let_go_while_it_runs() {
        let mut stage = setting(0, 0);
        assert_eq!(stage.worked.recv().await, Some(1));
        let (sender, mut worked) = mpsc::unbounded_channel();
        let spec = |name: &str| spec(name, 0, 0, 0, sender.clone());
        let restaff = ChangeChildren { hire: vec![spec("fragile"), spec("second")], retire: vec![] };
        stage.supervisor.send(restaff).await.unwrap();
        let lives = [worked.recv().await, worked.recv().await];
        assert_eq!(lives, [Some(1), Some(1)], "both are of the new making");
        let names =
            |health: &HealthRegistry| health.all().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(&stage.health), ["fragile", "second"]);
        let restaff = ChangeChildren { hire: vec![], retire: vec!["second".into(), "nobody".into()] };
        stage.supervisor.send(restaff).await.unwrap();
        // Asked to leave and hired again before it has left, it stays.
        let restaff = ChangeChildren { hire: vec![spec("second")], retire: vec![] };
        stage.supervisor.send(restaff).await.unwrap();
        assert_eq!(worked.recv().await, Some(1));
        let restaff = ChangeChildren { hire: vec![], retire: vec!["second".into()] };
        stage.supervisor.send(restaff).await.unwrap();
        while names(&stage.health).len() > 1 {
            tokio::task::yield_now().await;
        }
        stage.supervisor.send(Shutdown).await.unwrap();
        assert_eq!(stage.outcome.await.unwrap(), Ok(()));
    }

    #[actix_rt::test]
    async fn one_that_hangs_in_its_work_is_ended_and_built_anew() {
        let mut stage = setting_that_hangs(0, 2, 5);
        assert_eq!(stage.worked.recv().await, Some(3));
        assert_eq!(stage.health.actor("fragile").unwrap().restarts, 2);
        assert_eq!(stage.health.escalation(), None);
    }

    #[actix_rt::test]
    async fn one_that_hangs_again_and_again_ends_the_service() {
        let stage = setting_that_hangs(0, u32::MAX, 1);
        let reason = stage.outcome.await.unwrap().unwrap_err();
        assert!(reason.ends_with("it got nothing done for 50ms"), "{reason}");
        assert_eq!(stage.health.escalation(), Some(reason.as_str()));
    }

    #[actix_rt::test]
    async fn one_that_waits_for_work_is_left_alone() {
        let mut stage = setting(0, 0);
        assert_eq!(stage.worked.recv().await, Some(1));
        let looked = tokio::time::timeout(Duration::from_millis(200), stage.worked.recv()).await;
        assert!(looked.is_err(), "it was built anew");
        assert_eq!(stage.health.actor("fragile").unwrap().restarts, 0);
    }
}
