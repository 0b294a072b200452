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
    AtWork, Pulse,
    seat::{End, Seat, panic_message},
};

/// What a shell runs.
#[async_trait(?Send)]
pub trait Core: 'static {
    /// Waits for work and does one piece of it. It may be dropped wherever it waits *for work*; a turn that has begun
    /// work is always let to its end, but for a panic or the end of the process.
    async fn turn(&mut self, stop: &Stop) -> Turn;
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
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

/// The life of one incarnation of a worker. Requests carry a [`Ticket`], which ends with it, so nothing is leased to the
/// dead.
#[derive(Debug)]
pub struct Alive {
    holder: Arc<str>,
    life: Arc<()>,
    pulse: Pulse,
}

/// Who asks, for as long as they live.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Which incarnation of which worker, `translator-3#2`.
    pub holder: Arc<str>,
    life: Weak<()>,
}

impl Alive {
    /// The life of whoever sits in that seat.
    pub fn new(seat: &Seat) -> Self {
        Self { holder: seat.holder().into(), life: Arc::default(), pulse: seat.pulse() }
    }

    /// A ticket of this life.
    pub fn ticket(&self) -> Ticket {
        Ticket { holder: self.holder.clone(), life: Arc::downgrade(&self.life) }
    }

    /// Work is taken up. Whoever is at work and shows no progress for long is taken for dead.
    pub fn at_work(&self) -> AtWork {
        self.pulse.at_work()
    }

    /// How to show progress in the middle of work.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

impl Ticket {
    /// Whether the worker still lives.
    pub fn is_valid(&self) -> bool {
        self.life.strong_count() > 0
    }
}

type Build<C> = Box<dyn FnOnce(&Seat) -> C>;

/// The actor around a core.
pub struct Shell<C> {
    build: Option<Build<C>>,
    seat: Option<Seat>,
    stop: Stop,
    /// Why it was ended in the middle, if it was.
    cut_off: Rc<RefCell<Option<String>>>,
}

impl<C: Core> Shell<C> {
    /// A shell in `seat`, whose core is built when it starts, where a panic is caught.
    pub fn new(seat: Seat, core: impl FnOnce(&Seat) -> C + 'static) -> Self {
        Self { build: Some(Box::new(core)), seat: Some(seat), stop: Stop::default(), cut_off: Rc::default() }
    }
}

impl<C: Core> Actor for Shell<C> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (Some(build), Some(seat)) = (self.build.take(), self.seat.take()) else {
            return ctx.stop();
        };
        let seat = Leaving { seat: Some(seat), cut_off: self.cut_off.clone() };
        let run = run(build, seat, self.stop.clone());
        ctx.spawn(run.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

/// The seat of a running core. Where the run is dropped in its middle, it says why.
struct Leaving {
    seat: Option<Seat>,
    cut_off: Rc<RefCell<Option<String>>>,
}

impl Leaving {
    fn leave(mut self, end: End) {
        if let Some(seat) = self.seat.take() {
            seat.leave(end);
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // May run while unwinding: nothing here may panic.
        let reason = self.cut_off.try_borrow_mut().ok().and_then(|mut reason| reason.take());
        if let (Some(seat), Some(reason)) = (self.seat.take(), reason) {
            seat.leave(End::CutOff(reason));
        }
    }
}

async fn run<C: Core>(build: Build<C>, leaving: Leaving, stop: Stop) {
    let Some(seat) = &leaving.seat else { return };
    let pulse = seat.pulse();
    let end = match std::panic::catch_unwind(AssertUnwindSafe(|| build(seat))) {
        Err(panic) => End::Panicked(panic_message(&*panic)),
        Ok(mut core) => loop {
            if stop.is_asked() {
                break End::Finished;
            }
            match AssertUnwindSafe(core.turn(&stop)).catch_unwind().await {
                Ok(Turn::Worked) => pulse.progress(),
                Ok(Turn::Idle) => {}
                Ok(Turn::Finished) => break End::Finished,
                Ok(Turn::Fatal(reason)) => break End::Fatal(reason),
                Err(panic) => break End::Panicked(panic_message(&*panic)),
            }
        },
    };
    leaving.leave(end);
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
    pub(crate) fn end(self) -> End {
        match self {
            Self::InOrder => End::Finished,
            Self::AtOnce(reason) => End::CutOff(reason),
        }
    }
}

impl<C: Core> Handler<StopAsked> for Shell<C> {
    type Result = ();

    fn handle(&mut self, asked: StopAsked, ctx: &mut Self::Context) {
        match asked {
            StopAsked::InOrder => self.stop.ask(),
            StopAsked::AtOnce(reason) => {
                *self.cut_off.borrow_mut() = Some(reason);
                // Drops the run wherever it waits, and its seat with it.
                ctx.stop();
            }
        }
    }
}
