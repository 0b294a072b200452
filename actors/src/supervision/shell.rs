//! The thin actor around a worker that pulls its own work. It runs one step after another, catches panics, and stops
//! between two steps when asked to. The worker contains the behavior and knows nothing about actors.

use std::{
    cell::RefCell,
    panic::AssertUnwindSafe,
    rc::Rc,
    sync::{Arc, Weak},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt};
use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::Notify;

use super::{
    AtWork, Heartbeat,
    exit::{ExitGuard, ExitReason, panic_message},
};

/// What a shell runs.
#[async_trait(?Send)]
pub trait Worker: 'static {
    /// Waits for work and does one piece of it. It may be dropped while it waits *for work*; a step that has begun work
    /// always runs to its end, except after a panic or the end of the process.
    async fn step(&mut self, stop: &Stop) -> Step;
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It did some work.
    Worked,
    /// There was nothing to do.
    Idle,
    /// The worker's work is done.
    Finished,
    /// Neither the worker nor the service can continue; the reason is for a person.
    Fatal(String),
}

/// Signals a worker to take no more work.
#[derive(Debug, Clone, Default)]
pub struct Stop(Rc<StopState>);

#[derive(Debug, Default)]
struct StopState {
    asked: std::cell::Cell<bool>,
    notify: Notify,
}

impl Stop {
    /// Whether a stop was requested.
    pub fn is_asked(&self) -> bool {
        self.0.asked.get()
    }

    /// Waits until a stop is requested.
    pub async fn asked(&self) {
        while !self.is_asked() {
            self.0.notify.notified().await;
        }
    }

    /// Waits for `work`, or abandons it when a stop is requested.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.asked() => None,
            done = work => Some(done),
        }
    }

    fn ask(&self) {
        self.0.asked.set(true);
        // Only one task waits at a time; if none waits yet, the permit is stored for it.
        self.0.notify.notify_one();
    }
}

/// One incarnation of a worker. Its requests carry a [`WorkerRef`] that is valid only while it lives, so no job is
/// leased to a dead worker.
#[derive(Debug)]
pub struct WorkerContext {
    holder: Arc<str>,
    life: Arc<()>,
    heartbeat: Heartbeat,
}

/// The worker that makes a request, valid for as long as it lives.
#[derive(Debug, Clone)]
pub struct WorkerRef {
    /// Its name and incarnation, as in its leases: `translator-3#2`.
    pub holder: Arc<str>,
    life: Weak<()>,
}

impl WorkerContext {
    /// Creates the context of the incarnation that owns this guard.
    pub fn new(exit_guard: &ExitGuard) -> Self {
        Self { holder: exit_guard.holder().into(), life: Arc::default(), heartbeat: exit_guard.heartbeat() }
    }

    /// A reference to this worker.
    pub fn worker_ref(&self) -> WorkerRef {
        WorkerRef { holder: self.holder.clone(), life: Arc::downgrade(&self.life) }
    }

    /// Reports that work has begun. A worker that is at work without progress for too long is presumed dead.
    pub fn at_work(&self) -> AtWork {
        self.heartbeat.at_work()
    }

    /// The heartbeat, with which to report progress in the middle of work.
    pub fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }
}

impl WorkerRef {
    /// Whether the worker is still alive.
    pub fn is_valid(&self) -> bool {
        self.life.strong_count() > 0
    }
}

type Build<W> = Box<dyn FnOnce(&ExitGuard) -> W>;

/// The actor around a worker.
pub struct Shell<W> {
    build: Option<Build<W>>,
    exit_guard: Option<ExitGuard>,
    stop: Stop,
    /// Why it was aborted, if it was.
    aborted: Rc<RefCell<Option<String>>>,
}

impl<W: Worker> Shell<W> {
    /// Creates a shell that owns `exit_guard`. It builds its worker when it starts, where a panic is caught.
    pub fn new(exit_guard: ExitGuard, build: impl FnOnce(&ExitGuard) -> W + 'static) -> Self {
        Self {
            build: Some(Box::new(build)),
            exit_guard: Some(exit_guard),
            stop: Stop::default(),
            aborted: Rc::default(),
        }
    }
}

impl<W: Worker> Actor for Shell<W> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (Some(build), Some(exit_guard)) = (self.build.take(), self.exit_guard.take()) else {
            return ctx.stop();
        };
        let exit_guard = RunGuard { exit_guard: Some(exit_guard), aborted: self.aborted.clone() };
        let run = run(build, exit_guard, self.stop.clone());
        ctx.spawn(run.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

/// The guard of a running worker. If the run is dropped midway, the guard reports why.
struct RunGuard {
    exit_guard: Option<ExitGuard>,
    aborted: Rc<RefCell<Option<String>>>,
}

impl RunGuard {
    fn exit(mut self, reason: ExitReason) {
        if let Some(exit_guard) = self.exit_guard.take() {
            exit_guard.exit(reason);
        }
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        // This may run while unwinding: nothing here may panic.
        let reason = self.aborted.try_borrow_mut().ok().and_then(|mut reason| reason.take());
        if let (Some(exit_guard), Some(reason)) = (self.exit_guard.take(), reason) {
            exit_guard.exit(ExitReason::Aborted(reason));
        }
    }
}

async fn run<W: Worker>(build: Build<W>, guard: RunGuard, stop: Stop) {
    let Some(exit_guard) = &guard.exit_guard else { return };
    let heartbeat = exit_guard.heartbeat();
    let reason = match std::panic::catch_unwind(AssertUnwindSafe(|| build(exit_guard))) {
        Err(panic) => ExitReason::Panicked(panic_message(&*panic)),
        Ok(mut worker) => loop {
            if stop.is_asked() {
                break ExitReason::Finished;
            }
            match AssertUnwindSafe(worker.step(&stop)).catch_unwind().await {
                Ok(Step::Worked) => heartbeat.progress(),
                Ok(Step::Idle) => {}
                Ok(Step::Finished) => break ExitReason::Finished,
                Ok(Step::Fatal(reason)) => break ExitReason::Fatal(reason),
                Err(panic) => break ExitReason::Panicked(panic_message(&*panic)),
            }
        },
    };
    guard.exit(reason);
}

/// Asks an actor to stop.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum StopAsked {
    /// As soon as it has finished its work in progress.
    InOrder,
    /// Now, in the middle of its work, for this reason. Another worker will take over that work.
    AtOnce(String),
}

impl StopAsked {
    /// The exit reason of an actor that has no work in progress.
    pub(crate) fn exit_reason(self) -> ExitReason {
        match self {
            Self::InOrder => ExitReason::Finished,
            Self::AtOnce(reason) => ExitReason::Aborted(reason),
        }
    }
}

impl<W: Worker> Handler<StopAsked> for Shell<W> {
    type Result = ();

    fn handle(&mut self, asked: StopAsked, ctx: &mut Self::Context) {
        match asked {
            StopAsked::InOrder => self.stop.ask(),
            StopAsked::AtOnce(reason) => {
                *self.aborted.borrow_mut() = Some(reason);
                // Drops the run wherever it waits, together with its guard.
                ctx.stop();
            }
        }
    }
}
