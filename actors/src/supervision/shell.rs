//! The thin shell around a core that pulls its own work: it runs one turn after another, catches a panic in any of
//! them, and ends between two turns when it is told to. The core holds the behaviour and knows nothing of actors.

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
    /// Waits for work and does one piece of it. It may be dropped wherever it waits *for work*; a turn that has begun
    /// work is always let to its end, but for a panic or the end of the process.
    async fn step(&mut self, stop: &Stop) -> Step;
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Something was done.
    Worked,
    /// There was nothing to do.
    Idle,
    /// The core has done what it was for.
    Finished,
    /// Neither the core nor the service can go on: the reason, for a person.
    Fatal(String),
}

/// Tells a core that it should take up nothing new.
#[derive(Debug, Clone, Default)]
pub struct Stop(Rc<StopState>);

#[derive(Debug, Default)]
struct StopState {
    asked: std::cell::Cell<bool>,
    notify: Notify,
}

impl Stop {
    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.asked.get()
    }

    /// Waits until it is asked for.
    pub async fn asked(&self) {
        while !self.is_asked() {
            self.0.notify.notified().await;
        }
    }

    /// Waits for `work`, or gives it up when a stop is asked for.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.asked() => None,
            done = work => Some(done),
        }
    }

    fn ask(&self) {
        self.0.asked.set(true);
        // One waits at a time; the permit is kept for one that does not wait yet.
        self.0.notify.notify_one();
    }
}

/// The life of one incarnation of a worker. Requests carry a [`WorkerRef`], which ends with it, so nothing is leased to the
/// dead.
#[derive(Debug)]
pub struct WorkerContext {
    holder: Arc<str>,
    life: Arc<()>,
    heartbeat: Heartbeat,
}

/// Who asks, for as long as they live.
#[derive(Debug, Clone)]
pub struct WorkerRef {
    /// Which incarnation of which worker, `translator-3#2`.
    pub holder: Arc<str>,
    life: Weak<()>,
}

impl WorkerContext {
    /// The life of whoever sits in that exit_guard.
    pub fn new(exit_guard: &ExitGuard) -> Self {
        Self { holder: exit_guard.holder().into(), life: Arc::default(), heartbeat: exit_guard.heartbeat() }
    }

    /// A worker_ref of this life.
    pub fn worker_ref(&self) -> WorkerRef {
        WorkerRef { holder: self.holder.clone(), life: Arc::downgrade(&self.life) }
    }

    /// Work is taken up. Whoever is at work and shows no progress for long is taken for dead.
    pub fn at_work(&self) -> AtWork {
        self.heartbeat.at_work()
    }

    /// How to show progress in the middle of work.
    pub fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }
}

impl WorkerRef {
    /// Whether the worker still lives.
    pub fn is_valid(&self) -> bool {
        self.life.strong_count() > 0
    }
}

type Build<W> = Box<dyn FnOnce(&ExitGuard) -> W>;

/// The actor around a core.
pub struct Shell<W> {
    build: Option<Build<W>>,
    exit_guard: Option<ExitGuard>,
    stop: Stop,
    /// Why it was ended in the middle, if it was.
    aborted: Rc<RefCell<Option<String>>>,
}

impl<W: Worker> Shell<W> {
    /// A shell in `exit_guard`, whose core is built when it starts, where a panic is caught.
    pub fn new(exit_guard: ExitGuard, core: impl FnOnce(&ExitGuard) -> W + 'static) -> Self {
        Self {
            build: Some(Box::new(core)),
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

/// The exit_guard of a running worker. Where the run is dropped in its middle, it says why.
struct RunGuard {
    exit_guard: Option<ExitGuard>,
    aborted: Rc<RefCell<Option<String>>>,
}

impl RunGuard {
    fn exit(mut self, end: ExitReason) {
        if let Some(exit_guard) = self.exit_guard.take() {
            exit_guard.exit(end);
        }
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        // May run while unwinding: nothing here may panic.
        let reason = self.aborted.try_borrow_mut().ok().and_then(|mut reason| reason.take());
        if let (Some(exit_guard), Some(reason)) = (self.exit_guard.take(), reason) {
            exit_guard.exit(ExitReason::Aborted(reason));
        }
    }
}

async fn run<W: Worker>(build: Build<W>, guard: RunGuard, stop: Stop) {
    let Some(exit_guard) = &guard.exit_guard else { return };
    let heartbeat = exit_guard.heartbeat();
    let end = match std::panic::catch_unwind(AssertUnwindSafe(|| build(exit_guard))) {
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
    guard.exit(end);
}

/// Asks an actor to end.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum StopAsked {
    /// When it has finished what it has in hand.
    InOrder,
    /// Now, in the middle of what it does: why. Somebody else will take that up.
    AtOnce(String),
}

impl StopAsked {
    /// What becomes of an actor that has nothing in hand.
    pub(crate) fn end(self) -> ExitReason {
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
                // Drops the run wherever it waits, and its exit_guard with it.
                ctx.stop();
            }
        }
    }
}
