//! The keeper of this instance's leases. It makes the calls that [`Tenure`] decides on, several at a time and none for
//! longer than a third of a lease, and has the pipeline take up and put down work.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use futures_util::{FutureExt as _, StreamExt as _, future::LocalBoxFuture, stream::FuturesUnordered};
use log::warn;
use mynah_domain::{
    lease_term::Moment,
    ports::{
        Clock, LedgerError,
        leases::{LeaseName, Leases},
    },
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    holdings::LeasedHoldings,
    tasks::Tasks,
    tenure::{Act, Answer, Call, Tenure},
    view::View,
};
use crate::supervision::{Step, Worker, WorkerContext, shell::Stop};

/// What runs under leases. Every method may be called again, and does nothing if nothing is left to do.
#[async_trait(?Send)]
pub trait Workplace: Send + Sync {
    /// The names of everything that this instance would work for.
    async fn wanted(&self) -> BTreeSet<LeaseName>;

    /// Starts what runs under a lease, and returns when it runs.
    async fn take_up(&self, name: &LeaseName);

    /// Stops what runs under a lease after it finishes its work in progress, and returns when it has.
    async fn finish(&self, name: &LeaseName);

    /// Stops it now, in the middle of its work, and returns when it has.
    async fn stop_now(&self, name: &LeaseName);

    /// Whether the whole service is stopping, so that nothing runs under leases any more.
    async fn is_closing(&self) -> bool;
}

/// What a keeper is built from.
#[derive(Clone)]
pub struct KeeperParts {
    /// Grants the leases.
    pub leases: Arc<dyn Leases>,
    /// Where others read what is held.
    pub holdings: LeasedHoldings,
    /// What runs under the leases.
    pub workplace: Arc<dyn Workplace>,
    /// This instance, and what it sees of the others.
    pub view: View,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// The worker that keeps the leases.
pub struct Keeper {
    parts: KeeperParts,
    context: WorkerContext,
    tenure: Option<Tenure>,
    calls: FuturesUnordered<LocalBoxFuture<'static, (Answer, Moment)>>,
    tasks: Tasks,
}

/// What a step of the keeper waits for.
enum Event {
    Stop,
    Answered(Answer, Moment),
    Done(LeaseName),
    Due,
}

impl Keeper {
    /// Creates a keeper, which continues with what its predecessor held.
    pub fn new(context: WorkerContext, parts: KeeperParts) -> Self {
        Self { parts, context, tenure: None, calls: FuturesUnordered::new(), tasks: Tasks::default() }
    }

    fn now(&self) -> Moment {
        now(&*self.parts.clock)
    }

    async fn wait(&mut self, until: Instant, stop: &Stop) -> Event {
        tokio::select! {
            biased;
            () = stop.asked() => Event::Stop,
            // Before any answer: what must stop by the clock does not wait for a busy ledger.
            () = sleep_until(until) => Event::Due,
            Some((answer, sent)) = self.calls.next(), if !self.calls.is_empty() => Event::Answered(answer, sent),
            name = self.tasks.next() => Event::Done(name),
        }
    }

    fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Call(call) => {
                    let (parts, sent) = (self.parts.clone(), self.now());
                    let made = async move { (make(&parts, call).await, sent) };
                    self.calls.push(made.boxed_local());
                }
                Act::TakeUp(name) => {
                    let (workplace, lease) = (self.parts.workplace.clone(), name.clone());
                    self.tasks.start(name, async move { workplace.take_up(&lease).await });
                }
                Act::Finish(name) => {
                    let (workplace, lease) = (self.parts.workplace.clone(), name.clone());
                    self.tasks.start(name, async move { workplace.finish(&lease).await });
                }
                Act::Drop(name) => {
                    let (workplace, lease) = (self.parts.workplace.clone(), name.clone());
                    self.tasks.start(name, async move { workplace.stop_now(&lease).await });
                }
            }
        }
    }

    /// Gives everything back, so that other instances need not wait until the leases run out. What ran under them has
    /// stopped already.
    async fn leave(&mut self) {
        let Some(mut tenure) = self.tenure.take() else { return };
        self.calls.clear();
        let (leases, held) = (&self.parts.leases, tenure.leave());
        let me = self.parts.view.id();
        let leaving = async {
            leases.release(&held, me).await?;
            leases.leave(me).await
        };
        match timeout(self.parts.holdings.term().renew_after(), leaving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(reason:% = error; "leases not given back"),
            Err(_) => warn!(reason = NO_ANSWER; "leases not given back"),
        }
    }
}

#[async_trait(?Send)]
impl Worker for Keeper {
    async fn step(&mut self, stop: &Stop) -> Step {
        let Some(tenure) = &mut self.tenure else {
            let wanted = self.parts.workplace.wanted().await;
            let (holdings, view) = (self.parts.holdings.clone(), self.parts.view.clone());
            let (tenure, acts) = Tenure::new(holdings, view, &wanted, self.now());
            self.tenure = Some(tenure);
            self.act(acts);
            return Step::Idle;
        };
        let now = now(&*self.parts.clock);
        let acts = tenure.tick(now);
        let next = Instant::from_std(tenure.next(now));
        self.act(acts);
        let event = self.wait(next, stop).await;
        let _work = self.context.at_work();
        let now = self.now();
        let Some(tenure) = &mut self.tenure else { return Step::Idle };
        let acts = match event {
            Event::Stop => {
                // A keeper that is only restarted leaves everything to its successor: publishers run under its leases.
                if self.parts.workplace.is_closing().await {
                    self.leave().await;
                }
                return Step::Finished;
            }
            Event::Due => return Step::Idle,
            Event::Done(name) => tenure.done(&name, now),
            Event::Answered(Answer::Failed(_, LedgerError::Fatal(reason)), _) => return Step::Fatal(reason),
            Event::Answered(answer, sent) => tenure.answered(answer, sent, now),
        };
        self.act(acts);
        Step::Worked
    }
}

const NO_ANSWER: &str = "the ledger does not answer";

/// The current moment.
pub(crate) fn now(clock: &dyn Clock) -> Moment {
    Moment { steady: Instant::now().into_std(), wall: clock.now() }
}

/// Makes a call. An answer that comes too late to be of use is not waited for.
async fn make(parts: &KeeperParts, call: Call) -> Answer {
    let KeeperParts { leases, view, holdings, .. } = parts;
    let (me, ttl) = (view.id(), holdings.term().ttl());
    let answer = async {
        Ok(match &call {
            Call::Report => leases.report(&view.this(), ttl).await.map(|()| Answer::Reported)?,
            Call::Renew(held) => {
                let lost = leases.renew(held, me, ttl).await?;
                Answer::Renewed { leases: held.clone(), lost }
            }
            Call::Survey => Answer::Surveyed(leases.survey().await?, parts.workplace.wanted().await),
            Call::Acquire(name) => Answer::Acquired(name.clone(), leases.acquire(name, me, ttl).await?),
            Call::Release(lease) => {
                let lease = std::slice::from_ref(lease);
                leases.release(lease, me).await.map(|()| Answer::Released)?
            }
        })
    };
    let answer: Result<Answer, LedgerError> = timeout(holdings.term().renew_after(), answer)
        .await
        .unwrap_or_else(|_| Err(LedgerError::Retryable(NO_ANSWER.into())));
    answer.unwrap_or_else(|error| Answer::Failed(call, error))
}

#[cfg(test)]
mod tests;
