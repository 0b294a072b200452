//! Makes the calls to one engine for a number of tasks. Each call needs a permit from the limiter and the circuit
//! breaker, and is recorded with both, so that all workers learn from it.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use mynah_domain::{
    backoff::LONGEST_PAUSE,
    breaker::CallOutcome,
    ports::{
        Engine,
        engine::{EngineError, Item, ItemError, Reply},
    },
};

use super::{
    super::task::{Judged, Task},
    CallContext, EngineCascade,
    batch::{Wanted, count_groups, take_batch},
    judge,
    payment::{Called, Order},
};
use crate::{
    cache::Lead,
    failpoint,
    upstreams::limiter::{Completion, ConcurrencyLimiter, Permit},
};

/// How often a worker that waits for another checks whether the engine still answers any worker.
pub(super) const PROGRESS_CHECK: Duration = Duration::from_millis(200);

/// Something that stops not one item but every call to an engine.
pub(super) enum Outage {
    /// A call failed as a whole.
    CallFailed(EngineError),
    /// The circuit breaker is open until this time.
    BreakerOpen(Timestamp),
}

/// Calls one engine.
pub(super) struct Calls<'a> {
    pub(super) cascade: &'a EngineCascade,
    pub(super) engine: &'a dyn Engine,
    pub(super) revision: String,
    pub(super) limiter: Arc<ConcurrencyLimiter>,
    context: CallContext<'a>,
}

impl<'a> Calls<'a> {
    pub(super) fn new(cascade: &'a EngineCascade, engine: &'a dyn Engine, context: CallContext<'a>) -> Self {
        let limiter = cascade.upstreams.limiter(engine);
        Self { cascade, engine, revision: engine.revision(), limiter, context }
    }

    /// Calls the engine for `wanted`, repeats items that it should do better, and gives accepted translations to the
    /// cache. Returns what stopped it, if anything did.
    pub(super) async fn make(&self, tasks: &mut [Task], mut wanted: Vec<Wanted>) -> Option<Outage> {
        let meter = &self.cascade.meter;
        meter.count("cache.misses", wanted.len() as u64);
        let mut outage = None;
        while !wanted.is_empty() {
            let permit = match self.limiter.try_acquire() {
                Some(permit) => permit,
                None => wait_alongside(&self.limiter, self.context, self.limiter.acquire()).await,
            };
            let mut in_flight = FuturesUnordered::new();
            for (permit, batch) in self.compose(permit, &mut wanted, tasks) {
                in_flight.push(self.pay_and_call(Order::of(batch, tasks), permit));
            }
            let mut again = Vec::new();
            while let Some(Called { batch, answer, unpaid }) = in_flight.next().await {
                self.settle_unpaid(tasks, unpaid);
                let (stopped_by, not_reached) = match answer {
                    Ok(mut reply) => {
                        let stopped_by = reply.stopped.take().map(Outage::CallFailed);
                        (stopped_by, self.take(tasks, batch, reply, &mut again))
                    }
                    Err(error) => (Some(error), batch),
                };
                if let Some(error) = stopped_by {
                    let rest = not_reached.into_iter().chain(std::mem::take(&mut wanted));
                    self.settle_outage(&error, tasks, rest);
                    outage = Some(error);
                }
            }
            meter.count("items.asked_again", again.len() as u64);
            again.append(&mut wanted);
            wanted = again;
        }
        outage
    }

    /// Takes the items that go out now: one call's worth, or several calls if nothing else is waiting and permits are
    /// free. Items that may not share a call go out separately, too.
    fn compose(
        &self,
        permit: Permit,
        wanted: &mut Vec<Wanted>,
        tasks: &[Task],
    ) -> Vec<(Permit, Vec<Wanted>)> {
        let (shape, mut size) = (self.engine.composition(), self.limiter.batch_size());
        let mut calls = 1;
        // One call is enough to see whether a service that was down is back.
        if !self.context.more_waiting && !self.cascade.upstreams.is_down(self.engine.name()) {
            let (spread, groups) = (self.limiter.spread(wanted.len()), count_groups(wanted, shape, tasks));
            if spread > groups {
                size = size.min(wanted.len().div_ceil(spread));
            }
            calls = spread.max(groups);
        }
        let more = std::iter::from_fn(|| self.limiter.try_acquire()).take(calls - 1);
        let mut batches = Vec::with_capacity(calls);
        for permit in std::iter::once(permit).chain(more) {
            batches.push((permit, take_batch(wanted, size, shape, tasks)));
            if wanted.is_empty() {
                break;
            }
        }
        batches
    }

    /// Judges the items of a reply; those that need another call go to `again`. Returns those that the call did not reach.
    fn take(
        &self,
        tasks: &mut [Task],
        batch: Vec<Wanted>,
        reply: Reply,
        again: &mut Vec<Wanted>,
    ) -> Vec<Wanted> {
        let takes_advice = self.engine.takes_advice();
        let mut not_reached = Vec::new();
        let mut landings = Vec::with_capacity(reply.items.len());
        for (Wanted { task, lead }, answer) in batch.into_iter().zip(reply.items) {
            match answer {
                Ok(text) => match judge(tasks, task, text, &self.revision, takes_advice) {
                    Judged::Taken(text) if tasks[task].may_be_cached() => {
                        landings.extend(lead.map(|lead| (lead, text)));
                    }
                    Judged::Again => again.push(Wanted { task, lead }),
                    // Dropping the lead lets others ask for themselves.
                    Judged::Taken(_) | Judged::GivenUp => {}
                },
                Err(ItemError::NotReached) => not_reached.push(Wanted { task, lead }),
                // A model may fail once and succeed the next time, but it repeats its refusals.
                Err(ItemError::Unusable(_)) if takes_advice && tasks[task].may_slip() => {
                    again.push(Wanted { task, lead });
                }
                Err(error) => self.settle(&mut tasks[task], lead, |task, engine| {
                    task.spoiled(engine, &error);
                }),
            }
        }
        Lead::land_all(landings);
        not_reached
    }

    /// Makes one call.
    pub(super) async fn call(&self, items: &[Item], permit: Permit) -> Result<Reply, Outage> {
        let Self { cascade, engine, .. } = self;
        if let Err(until) = cascade.upstreams.permit(engine.name()) {
            return Err(Outage::BreakerOpen(cascade.time_of(until)));
        }
        failpoint::reach("engine.translate.before");
        let started = tokio::time::Instant::now();
        let answer = self.noticing_progress(engine.translate(items)).await;
        failpoint::reach("engine.translate.after");
        let took = started.elapsed();
        if let Some(heartbeat) = self.context.heartbeat {
            heartbeat.progress();
        }
        let error = match &answer {
            Ok(reply) => reply.stopped.as_ref(),
            Err(error) => Some(error),
        };
        self.record_refusal(answer.as_ref().is_ok_and(|reply| reply.calls > 0), error);
        cascade.upstreams.record(engine.name(), self.outcome_for_breaker(error));
        cascade.meter.called(self.limiter.upstream(), "translate", took, error.map(kind_of));
        match (&answer, error) {
            (_, Some(EngineError::RateLimited { .. } | EngineError::Unavailable(_))) => {
                permit.complete(items.len(), Completion::Rejected);
            }
            (_, Some(EngineError::Unanswered(_))) => permit.complete(items.len(), Completion::Unanswered),
            (Ok(reply), None) if reply.calls > 0 => {
                permit.complete(items.len(), Completion::Answered { took, spoiled: reply.spoiled > 0 });
            }
            // An empty call proves nothing about the possible number of calls, and neither does a wrong key.
            (_, None | Some(EngineError::Unauthorized(_) | EngineError::Refused(_))) => {}
        }
        let mut reply = answer.map_err(Outage::CallFailed)?;
        cascade.meter.used(self.limiter.upstream(), reply.usage);
        cascade.meter.count("items.translated", reply.items.len() as u64);
        if reply.items.len() != items.len() {
            // It is unknown which answer belongs to which item, and a wrong guess would publish one post's words under
            // another.
            let why = format!("the engine returned {} answers for {} items", reply.items.len(), items.len());
            reply.items = vec![Err(ItemError::Unusable(why)); items.len()];
        }
        Ok(reply)
    }

    /// Awaits a call, which may consist of many requests. A call that hangs is not woken; whenever one is, something
    /// arrived or a request ended.
    async fn noticing_progress<T>(&self, call: impl Future<Output = T>) -> T {
        let Some(heartbeat) = self.context.heartbeat else { return call.await };
        let mut call = pin!(call);
        poll_fn(|context| {
            heartbeat.progress();
            call.as_mut().poll(context)
        })
        .await
    }

    /// What the end of a call means for all workers that want to call the engine.
    fn outcome_for_breaker(&self, error: Option<&EngineError>) -> CallOutcome {
        match error {
            // If it is out of quota, so is every worker until then.
            Some(EngineError::RateLimited { until: Some(until), .. }) => {
                CallOutcome::NotBefore(Instant::now() + self.cascade.until(*until).min(LONGEST_PAUSE))
            }
            // If it refuses call after call without an end time, growing pauses prevent a call for every job.
            Some(
                EngineError::Unavailable(_)
                | EngineError::Unanswered(_)
                | EngineError::RateLimited { until: None, .. },
            ) => CallOutcome::Silent,
            None | Some(EngineError::Unauthorized(_) | EngineError::Refused(_)) => CallOutcome::Answered,
        }
    }

    /// Records whether the engine refuses its work, for people. A call without a request proves nothing.
    fn record_refusal(&self, was_called: bool, error: Option<&EngineError>) {
        let refusals = self.cascade.upstreams.refusals();
        match error {
            Some(error) => refusals.failed(self.engine.name(), error, self.cascade.clock.now()),
            None if was_called => refusals.accepted(self.engine.name()),
            None => {}
        }
    }

    /// Records with each of these tasks what stops the engine.
    pub(super) fn settle_outage(
        &self,
        outage: &Outage,
        tasks: &mut [Task],
        wanted: impl IntoIterator<Item = Wanted>,
    ) {
        let error = match outage {
            Outage::CallFailed(error) => Some(error),
            Outage::BreakerOpen(_) => None,
        };
        let (refusals, now) = (self.cascade.upstreams.refusals(), self.cascade.clock.now());
        let must_wait = refusals.must_wait_for(self.engine.name(), error, now);
        for Wanted { task, lead } in wanted {
            self.settle(&mut tasks[task], lead, |task, engine| {
                match outage {
                    Outage::CallFailed(error) => task.failed(engine, error),
                    Outage::BreakerOpen(until) => task.not_asked(engine, *until),
                }
                task.waits_for = must_wait.then(|| self.limiter.upstream().clone());
            });
        }
    }

    /// Accepts the engine's earlier answer that was only too long, if there is one; otherwise records the trouble.
    pub(super) fn settle(&self, task: &mut Task, lead: Option<Lead>, trouble: impl FnOnce(&mut Task, &str)) {
        match (task.unanswered(&self.revision), lead) {
            (Some(text), Some(lead)) if task.may_be_cached() => lead.land(text),
            (Some(_), _) => {}
            (None, _) => trouble(task, self.engine.name()),
        }
    }
}

/// Waits for another worker's permit or answer. Such a wait counts as work, so that the watchdog ends it if nothing
/// progresses; it reports progress for as long as calls to the engine complete.
pub(super) async fn wait_alongside<T>(
    limiter: &ConcurrencyLimiter,
    context: CallContext<'_>,
    wait: impl Future<Output = T>,
) -> T {
    let Some(heartbeat) = context.heartbeat else { return wait.await };
    let mut wait = std::pin::pin!(wait);
    let mut seen = limiter.completed_calls();
    loop {
        if let Ok(done) = tokio::time::timeout(PROGRESS_CHECK, &mut wait).await {
            return done;
        }
        let completed = limiter.completed_calls();
        if completed != std::mem::replace(&mut seen, completed) {
            heartbeat.progress();
        }
    }
}

fn kind_of(error: &EngineError) -> &'static str {
    match error {
        EngineError::Unauthorized(_) => "unauthorized",
        EngineError::RateLimited { .. } => "rate_limited",
        EngineError::Unavailable(_) => "unavailable",
        EngineError::Unanswered(_) => "unanswered",
        EngineError::Refused(_) => "refused",
    }
}
