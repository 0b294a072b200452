//! The actor around the router's state. A future that belongs to the actor answers each message: a panic in it ends the
//! actor, and the end of the actor drops the future, so that no caller waits for an answer that will not come.

use std::rc::Rc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, WrapFuture,
};
use log::error;
use mynah_domain::{
    Job,
    ports::{LedgerError, ledger::Recorded},
};

use super::{
    intent::Assigned,
    messages::{
        Block, Depth, Depths, Drain, Drained, PullPublications, PullTranslations, Reclaim, Record, ReportJobs,
    },
    parts::RouterParts,
    state::RouterState,
};
use crate::{
    failpoint,
    supervision::{ExitGuard, exit::ExitReason, handles_tracked, shell::StopAsked},
};

/// The router actor.
pub struct Router {
    exit_guard: Option<ExitGuard>,
    pub(super) state: Rc<RouterState>,
}

impl Router {
    /// Creates a router that loads its state from the ledger.
    pub fn new(exit_guard: ExitGuard, parts: RouterParts) -> Self {
        let state = RouterState::new(parts, exit_guard.heartbeat());
        Self { exit_guard: Some(exit_guard), state: Rc::new(state) }
    }

    fn end(&mut self, reason: ExitReason, ctx: &mut Context<Self>) {
        if let Some(exit_guard) = self.exit_guard.take() {
            exit_guard.exit(reason);
        }
        ctx.stop();
    }

    /// Runs work in the background for as long as the actor lives. If the ledger fails, the actor exits.
    fn run<F>(&self, ctx: &mut Context<Self>, work: impl FnOnce(Rc<RouterState>) -> F)
    where
        F: Future<Output = Result<(), LedgerError>> + 'static,
    {
        ctx.spawn(work(self.state.clone()).into_actor(self).map(Self::end_on_failure));
    }

    fn end_on_failure(done: Result<(), LedgerError>, router: &mut Self, ctx: &mut Context<Self>) {
        if let Err(error) = done {
            router.end(ExitReason::Fatal(error.to_string()), ctx);
        }
    }

    /// Answers a message with the result of `work`.
    pub(super) fn answer<F, T>(&self, work: impl FnOnce(Rc<RouterState>) -> F) -> ResponseActFuture<Self, T>
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        failpoint::reach("router.handler");
        let answer = work(self.state.clone());
        let answer = async move {
            failpoint::reach("router.spawned");
            answer.await
        };
        Box::pin(answer.into_actor(self))
    }
}

impl Actor for Router {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        failpoint::reach("router.started");
        self.run(ctx, |state| async move { state.open().await });
        self.run(ctx, |state| async move { state.wake_delayed().await });
        self.run(ctx, |state| async move { state.look_again().await });
        self.run(ctx, |state| async move {
            state.watch_pauses().await;
            Ok(())
        });
    }
}

handles_tracked!(Router: Record, PullTranslations, PullPublications, ReportJobs, Reclaim, Block, Drain, Depth, StopAsked);

impl Handler<Record> for Router {
    type Result = ResponseActFuture<Self, Result<Recorded, LedgerError>>;

    fn handle(&mut self, record: Record, _: &mut Self::Context) -> Self::Result {
        self.answer(|state| async move { state.record(record).await })
    }
}

impl Handler<PullTranslations> for Router {
    type Result = ResponseActFuture<Self, Result<Vec<Job>, LedgerError>>;

    fn handle(&mut self, pull: PullTranslations, _: &mut Self::Context) -> Self::Result {
        self.answer(|state| async move { state.lease_for_translation(&pull.worker, pull.max).await })
    }
}

impl Handler<PullPublications> for Router {
    type Result = ResponseActFuture<Self, Result<Vec<Assigned>, LedgerError>>;

    fn handle(&mut self, pull: PullPublications, _: &mut Self::Context) -> Self::Result {
        self.answer(|state| async move { state.lease_for_publication(&pull).await })
    }
}

impl Handler<Reclaim> for Router {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, reclaim: Reclaim, _: &mut Self::Context) -> Self::Result {
        let reclaimed = self.answer(|state| async move { state.reclaim(&reclaim).await });
        // Otherwise the jobs would stay leased to a worker that is gone.
        Box::pin(reclaimed.map(Self::end_on_failure))
    }
}

impl Handler<Drain> for Router {
    type Result = ResponseActFuture<Self, Drained>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        self.answer(|state| async move { state.drained().await })
    }
}

impl Handler<ReportJobs> for Router {
    type Result = ResponseActFuture<Self, Result<(), LedgerError>>;

    fn handle(&mut self, ReportJobs(reports): ReportJobs, _: &mut Self::Context) -> Self::Result {
        self.answer(|state| {
            state.completed.borrow_mut().count(&reports);
            async move { state.report(reports).await }
        })
    }
}

impl Handler<Block> for Router {
    type Result = ();

    fn handle(&mut self, Block { account, reason }: Block, _: &mut Self::Context) {
        error!(account = account.as_str(), reason = reason.as_str(); "publishing blocked");
        self.state.window.borrow_mut().block(&account, reason);
        self.state.wake_all();
    }
}

impl Handler<Depth> for Router {
    type Result = Depths;

    fn handle(&mut self, _: Depth, _: &mut Self::Context) -> Self::Result {
        Depths(self.state.window.borrow().depths())
    }
}

impl Handler<StopAsked> for Router {
    type Result = ();

    fn handle(&mut self, asked: StopAsked, ctx: &mut Self::Context) {
        self.end(asked.exit_reason(), ctx);
    }
}
