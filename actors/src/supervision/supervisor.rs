//! Starts every actor, watches for exits, and restarts dead actors from their specs. Before a restart, it reclaims a
//! dead worker's jobs. If an actor keeps dying, the whole service exits with an error: a container that restarts is
//! better than one that only looks healthy.
//!
//! A panic in the supervisor itself is caught, and the interrupted operation is repeated.
//!
//! - [`super::child`]: the actors, and how each is built, restarted and stopped.
//! - [`super::replacement`]: the order in which services are replaced in a running system.
//! - [`super::watchdog`]: aborts actors that hang.
//! - [`super::stall`]: detects stages that make no progress although no single actor hangs.
//!
//! It also logs the events that operators read: every start, stop and restart, and a line of statistics.

#[cfg(test)]
mod tests;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
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
    HealthRegistry, RestartPolicy, RestartReason, StageActivity, State, SupervisorHooks,
    child::{AfterStop, ChildSpec, Children, Role},
    due::LastCheck,
    exit::{Exit, ExitReason, actor_of, panic_message},
    replacement::Replacement,
    restart::{RestartHistory, Verdict},
    shell::StopAsked,
    stall::{self, StallDetector},
    watchdog,
};
use crate::failpoint;

/// Settings for the supervisor.
#[derive(Debug, Clone, Copy)]
pub struct SupervisorSettings {
    /// When to give up after the supervisor's own panics.
    pub policy: RestartPolicy,
    /// How often to log a line of statistics.
    pub stats_interval: Duration,
    /// How long an actor may be at work without progress.
    pub patience: Duration,
    /// How long a stage may make no progress while it has work that nothing blocks.
    pub stalled_after: Duration,
}

/// The supervisor actor.
pub struct Supervisor {
    settings: SupervisorSettings,
    health: HealthRegistry,
    hooks: Arc<dyn SupervisorHooks>,
    specs: Vec<ChildSpec>,
    children: Children,
    exits: (mpsc::UnboundedSender<Exit>, Option<mpsc::UnboundedReceiver<Exit>>),
    stopping: Option<Stopping>,
    /// The replacement of services in progress.
    replacement: Option<Replacement>,
    /// Callers that wait until these actors are removed.
    removals: Vec<(Vec<String>, oneshot::Sender<()>)>,
    /// Receives once how the service ends.
    outcome: Option<oneshot::Sender<Result<(), String>>>,
    /// The supervisor's own panics.
    history: RestartHistory,
    /// Whether anything succeeded since the last panic.
    recovered: bool,
    stalls: StallDetector,
    last_watchdog_check: LastCheck,
    last_stall_check: LastCheck,
}

/// A stop in progress.
struct Stopping {
    /// Actors of this role are stopping; those before it have stopped.
    role: Role,
    outcome: Result<(), String>,
    done: Vec<oneshot::Sender<()>>,
}

impl Supervisor {
    /// Creates a supervisor of the actors in `specs`, which are built in that order. The receiver gets one message: the
    /// reason as soon as the service cannot continue, or that everything has stopped.
    pub fn new(
        settings: SupervisorSettings,
        health: HealthRegistry,
        hooks: Arc<dyn SupervisorHooks>,
        specs: Vec<ChildSpec>,
    ) -> (Self, oneshot::Receiver<Result<(), String>>) {
        let (sender, exits) = mpsc::unbounded_channel();
        let (outcome, receiver) = oneshot::channel();
        let supervisor = Self {
            settings,
            children: Children::new(health.clone(), sender.clone()),
            health,
            hooks,
            specs,
            exits: (sender, Some(exits)),
            stopping: None,
            replacement: None,
            removals: Vec::new(),
            outcome: Some(outcome),
            history: RestartHistory::default(),
            recovered: false,
            stalls: StallDetector::default(),
            last_watchdog_check: LastCheck::default(),
            last_stall_check: LastCheck::default(),
        };
        (supervisor, receiver)
    }

    /// Runs `action` and catches a panic; returns whether there was none. Too many panics without a success in between
    /// end the service.
    fn catch_panic(
        &mut self,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut Self, &mut Context<Self>),
    ) -> bool {
        let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(|| act(self, ctx))) else {
            self.recovered = true;
            return true;
        };
        let reason = panic_message(&*panic);
        error!(actor = "supervisor", reason = reason.as_str(); "supervisor recovered from panic");
        let recovered = std::mem::take(&mut self.recovered);
        if self.history.judge(&self.settings.policy, Instant::now(), recovered, 0.0) == Verdict::GiveUp {
            self.stop(Err(format!("the supervisor keeps panicking; last time: {reason}")), ctx);
        }
        false
    }
}

/// Restarts.
impl Supervisor {
    fn exited(&mut self, exit: Exit, ctx: &mut Context<Self>) {
        let Some((role, after_stop)) = self.children.ended(&exit) else {
            return;
        };
        if role == Role::Worker {
            self.reclaim(exit.clone(), ctx);
        }
        let Exit { name, reason, .. } = exit;
        if after_stop == AfterStop::Remove && !matches!(reason, ExitReason::Fatal(_)) {
            // However the worker exited, its jobs are leased to another.
            self.children.remove(&name);
            return self.proceed(ctx);
        }
        let restarts = match after_stop {
            AfterStop::Restart(why) if self.stopping.is_none() => Some(why),
            _ => None,
        };
        match reason {
            ExitReason::Finished => {
                self.health.set_state(&name, State::Stopped);
                info!(actor = name.as_str(); "actor stopped");
                if restarts.is_some() {
                    self.build(&name, restarts);
                }
            }
            ExitReason::Fatal(reason) => {
                self.health.set_state(&name, State::Stopped);
                error!(actor = name.as_str(), reason = reason.as_str(); "actor failed permanently");
                self.stop(Err(reason), ctx);
            }
            ExitReason::Aborted(_) if restarts.is_some() => self.build(&name, restarts),
            ExitReason::Panicked(reason) => self.died(&name, &reason, RestartReason::Crash, ctx),
            ExitReason::Aborted(reason) => self.died(&name, &reason, RestartReason::Hang, ctx),
        }
        self.proceed(ctx);
    }

    /// Builds an actor: now, or with the others once the services are replaced. `asked` is why, unless it died.
    fn build(&mut self, name: &str, asked: Option<RestartReason>) {
        match &mut self.replacement {
            Some(replacement) if !self.children.is_service(name) => {
                self.health.set_state(name, State::Replacing);
                replacement.build_afterwards(name, asked);
            }
            _ => self.children.build(name, asked),
        }
    }

    /// Continues what waits for an exit or for a new incarnation.
    fn proceed(&mut self, ctx: &mut Context<Self>) {
        // A caller learns that its actors are removed when its sender is dropped.
        self.removals.retain(|(names, _)| names.iter().any(|name| self.children.contains(name)));
        self.continue_replacing();
        self.continue_stopping(ctx);
    }

    fn continue_replacing(&mut self) {
        if self.replacement.as_mut().is_some_and(|replacement| replacement.proceed(&mut self.children)) {
            self.replacement = None;
        }
    }

    fn died(&mut self, name: &str, reason: &str, of: RestartReason, ctx: &mut Context<Self>) {
        match self.children.judge(name, of) {
            _ if self.stopping.is_some() => {
                self.health.set_state(name, State::Stopped);
                warn!(actor = name, reason = reason; "actor died during shutdown");
            }
            Verdict::Restart(wait) => {
                self.health.set_state(name, State::Restarting);
                warn!(actor = name, reason = reason, wait:? = wait; "actor died; restart scheduled");
                Self::build_later(name.to_owned(), wait, ctx);
            }
            Verdict::GiveUp => {
                self.health.set_state(name, State::Stopped);
                let reason = match self.children.policy(name) {
                    Some(RestartPolicy { max_restarts, window, .. }) => format!(
                        "{name} died more than {max_restarts} times in {window:?} without progress; last time: {reason}"
                    ),
                    None => reason.to_owned(),
                };
                error!(actor = name, reason = reason.as_str(); "restart limit exceeded");
                self.stop(Err(reason), ctx);
            }
        }
    }

    fn build_later(name: String, wait: Duration, ctx: &mut Context<Self>) {
        ctx.run_later(wait, move |supervisor, ctx| {
            let built = supervisor.catch_panic(ctx, |supervisor, _| {
                failpoint::reach("supervisor.timer");
                if supervisor.stopping.is_none() {
                    supervisor.build(&name, None);
                    supervisor.continue_replacing();
                }
            });
            if !built {
                Self::build_later(name, wait, ctx);
            }
        });
    }

    fn reclaim(&self, exit: Exit, ctx: &mut Context<Self>) {
        let hooks = self.hooks.clone();
        ctx.spawn(async move { hooks.reclaim(&exit).await }.into_actor(self));
    }
}

/// Periodic checks, and the line of statistics.
impl Supervisor {
    /// Runs `check` once per `period`, for as long as the actor lives.
    fn every(
        period: Duration,
        ctx: &mut Context<Self>,
        check: impl Fn(&mut Self, &mut Context<Self>) + Copy + 'static,
    ) {
        ctx.run_interval(period, move |supervisor, ctx| {
            supervisor.catch_panic(ctx, |supervisor, ctx| {
                failpoint::reach("supervisor.interval");
                check(supervisor, ctx);
            });
        });
    }

    fn end_hung(&mut self, ctx: &mut Context<Self>) {
        let patience = self.settings.patience;
        if self.hooks.is_waiting_outside() {
            return watchdog::forgive(&mut self.children);
        }
        if self.stopping.is_some() || !self.last_watchdog_check.is_due(patience / watchdog::CHECKS) {
            return;
        }
        if let Some(reason) = watchdog::end_hung(&mut self.children, &self.health, patience) {
            error!(reason = reason.as_str(); "stuck actor could not be aborted");
            self.stop(Err(reason), ctx);
        }
    }

    /// Asks what every stage could do, and checks whether it makes progress.
    fn look_for_stalls(&mut self, ctx: &mut Context<Self>) {
        // While services are replaced, most actors wait.
        if self.stopping.is_some()
            || self.replacement.is_some()
            || self.hooks.is_waiting_outside()
            || !self.last_stall_check.is_due(self.settings.stalled_after / stall::CHECKS)
        {
            return;
        }
        let hooks = self.hooks.clone();
        let activity = async move { hooks.activity().await };
        ctx.spawn(activity.into_actor(self).map(|activity, supervisor, ctx| {
            // If there is no answer, the actor that should answer is dead, and is restarted for that reason.
            if let Some(activity) = activity {
                supervisor.catch_panic(ctx, |supervisor, _| supervisor.judge_activity(activity));
            }
        }));
    }

    /// Reports stalled stages and restarts the workers that hold their jobs; if there are none, restarts the
    /// dispatcher, which should have handed the jobs out.
    fn judge_activity(&mut self, activity: Vec<StageActivity>) {
        let found = self.stalls.check(activity, &self.health);
        for stage in found.moving_again {
            info!(stage = stage.as_str(); "pipeline recovered");
        }
        for StageActivity { stage, runnable, holders, .. } in found.stalled {
            let stalled_after = self.settings.stalled_after;
            let held_by = if holders.is_empty() { "no worker".to_owned() } else { holders.join(", ") };
            error!(stage = stage.as_str(), jobs = runnable, held_by = held_by.as_str(), stalled_after:? = stalled_after; "pipeline stalled");
            let reason = format!("no progress in {stage} for {stalled_after:?}");
            if holders.is_empty() {
                self.children.abort(self.hooks.dispatcher(), &reason);
            }
            for holder in &holders {
                self.children.abort(actor_of(holder), &reason);
            }
        }
        self.health.set_stall(self.stalls.reason());
    }

    fn log_stats(&self, ctx: &mut Context<Self>) {
        let hooks = self.hooks.clone();
        ctx.spawn(async move { hooks.log_stats().await }.into_actor(self));
    }
}

/// The order of a stop.
impl Supervisor {
    fn stop(&mut self, outcome: Result<(), String>, ctx: &mut Context<Self>) {
        if let Some(stopping) = &mut self.stopping {
            // The first failure is the one to report.
            if stopping.outcome.is_ok() {
                stopping.outcome = outcome;
            }
            return;
        }
        if let Err(reason) = &outcome {
            self.health.escalate(reason);
            // Send it before the other actors have exited: the receiver makes sure that they do so in time.
            if let Some(outcome) = self.outcome.take() {
                let _ = outcome.send(Err(reason.clone()));
            }
        }
        self.replacement = None;
        self.stopping = Some(Stopping { role: Role::Intake, outcome, done: Vec::new() });
        self.children.stop_all(Role::Intake);
        self.continue_stopping(ctx);
    }

    /// Stops the next role as soon as the last one has stopped.
    fn continue_stopping(&mut self, ctx: &mut Context<Self>) {
        while let Some(stopping) = &mut self.stopping {
            if self.children.any_alive(stopping.role) {
                // A service may have exited in the meantime.
                return self.children.stop_all(stopping.role);
            }
            match stopping.role.next() {
                Some(next) => {
                    stopping.role = next;
                    self.children.stop_all(next);
                }
                None => self.stopped(ctx),
            }
        }
    }

    fn stopped(&mut self, ctx: &mut Context<Self>) {
        if let Some(stopping) = self.stopping.take() {
            if let Some(outcome) = self.outcome.take() {
                // The caller may no longer be waiting.
                let _ = outcome.send(stopping.outcome);
            }
            for done in stopping.done {
                let _ = done.send(());
            }
        }
        ctx.stop();
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
        let specs = std::mem::take(&mut self.specs);
        let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
        for spec in specs {
            self.children.add(spec);
        }
        for name in names {
            self.children.build(&name, None);
        }
        let SupervisorSettings { stats_interval, patience, stalled_after, .. } = self.settings;
        Self::every(stats_interval, ctx, |supervisor, ctx| supervisor.log_stats(ctx));
        Self::every(patience / watchdog::CHECKS, ctx, Self::end_hung);
        Self::every(stalled_after / stall::CHECKS, ctx, Self::look_for_stalls);
    }
}

impl StreamHandler<Exit> for Supervisor {
    fn handle(&mut self, exit: Exit, ctx: &mut Self::Context) {
        let report = exit.clone();
        let handled = self.catch_panic(ctx, |supervisor, ctx| {
            failpoint::reach("supervisor.handler");
            supervisor.exited(exit, ctx);
        });
        if !handled {
            // Send it again to handle it from the beginning. Everything that follows from it may be done twice.
            self.children.not_ended(&report);
            let _ = self.exits.0.send(report);
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {
        // The supervisor holds a sender itself; without this, the end of the stream would stop the actor.
    }
}

/// Stops all actors in order; answered after all of them have stopped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Shutdown;

impl Handler<Shutdown> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) -> Self::Result {
        let (done, stopped) = oneshot::channel();
        self.stop(Ok(()), ctx);
        // If nothing was left to stop, the stop is complete now.
        match &mut self.stopping {
            Some(stopping) => stopping.done.push(done),
            None => drop(done),
        }
        Box::pin(async move { drop(stopped.await) })
    }
}

/// Answered by a supervisor that works: whether it is stopping all actors.
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub(crate) struct Ping;

impl Handler<Ping> for Supervisor {
    type Result = bool;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> bool {
        self.stopping.is_some()
    }
}

/// Restarts one actor after it has finished its work in progress.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NoSuchActor>")]
pub struct Restart(
    /// Its name.
    pub String,
);

/// There is no actor with this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no actor named {name}; the actors are {known}")]
pub struct NoSuchActor {
    /// The requested name.
    pub name: String,
    /// The names that exist.
    pub known: String,
}

impl Handler<Restart> for Supervisor {
    type Result = Result<(), NoSuchActor>;

    fn handle(&mut self, Restart(name): Restart, _: &mut Self::Context) -> Self::Result {
        if !self.children.contains(&name) {
            return Err(NoSuchActor { name, known: self.children.names() });
        }
        info!(actor = name.as_str(); "actor restart requested");
        // One that is being removed stops anyway, and its removal is waited for.
        if self.children.is_being_removed(&name) {
            return Ok(());
        }
        if self.stopping.is_none() && !self.children.ask_to_restart(&name, RestartReason::Operator) {
            self.build(&name, Some(RestartReason::Operator));
        }
        Ok(())
    }
}

/// Changes the set of actors. Those of `start` are built, replacing those with the same name; those of `retire` are
/// removed. Each living actor finishes its work in progress first. If a service is replaced, all actors that may depend
/// on it are, too; see [`super::replacement`].
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ChangeChildren {
    pub(crate) start: Vec<ChildSpec>,
    pub(crate) retire: Vec<String>,
    /// Why those that exist are restarted.
    pub(crate) why: RestartReason,
}

impl Handler<ChangeChildren> for Supervisor {
    type Result = ();

    fn handle(&mut self, ChangeChildren { start, retire, why }: ChangeChildren, _: &mut Self::Context) {
        if self.stopping.is_some() {
            return;
        }
        for name in retire {
            self.children.retire(&name, StopAsked::InOrder);
        }
        let names: Vec<String> = start.iter().map(|spec| spec.name.clone()).collect();
        for spec in start {
            self.children.add(spec);
        }
        if self.replacement.is_some() || names.iter().any(|name| self.children.is_service(name)) {
            self.replacement.get_or_insert_default().add(names, why, &mut self.children);
            return self.continue_replacing();
        }
        for name in names {
            self.children.restart(&name, why);
        }
    }
}

/// Removes actors, after they finish their work in progress or at once. Answered when they are removed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RemoveChildren {
    pub(crate) names: Vec<String>,
    pub(crate) how: StopAsked,
}

impl Handler<RemoveChildren> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(
        &mut self,
        RemoveChildren { names, how }: RemoveChildren,
        _: &mut Self::Context,
    ) -> Self::Result {
        for name in &names {
            self.children.retire(name, how.clone());
        }
        let (removed, all_removed) = oneshot::channel();
        if names.iter().any(|name| self.children.contains(name)) {
            self.removals.push((names, removed));
        }
        Box::pin(async move { drop(all_removed.await) })
    }
}
