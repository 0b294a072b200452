//! Pays for calls to an engine. Texts that a budget does not pay for in this period are not sent; they go to the next engine,
//! or wait, as with an engine that is out of quota.

use std::sync::Arc;

use mynah_domain::{
    TargetId,
    budget::OverBudget,
    ports::engine::{EngineError, Item, Reply},
};

use super::{
    super::task::Task,
    batch::Wanted,
    calls::{Calls, Outage},
};
use crate::{
    spending::Unpaid,
    upstreams::{limiter::Permit, refusals::Fallback},
};

/// What was not sent, each with the budget that does not allow it.
type Unsent = Vec<(Wanted, OverBudget)>;

/// What a paid call brought.
pub(super) struct Called {
    /// What was sent.
    pub(super) batch: Vec<Wanted>,
    /// What came back for it.
    pub(super) answer: Result<Reply, Outage>,
    /// What was not sent.
    pub(super) unpaid: Unsent,
}

/// What the engine is to be called for.
pub(super) struct Order {
    batch: Vec<Wanted>,
    items: Vec<Item>,
    /// Who pays for each item: the source and the target.
    payers: Vec<(Arc<str>, TargetId)>,
}

impl Order {
    pub(super) fn of(batch: Vec<Wanted>, tasks: &[Task]) -> Self {
        let payer = |task: &Task| (task.target.source.name.as_str().into(), task.target.id.clone());
        Self {
            items: batch.iter().map(|one| tasks[one.task].item()).collect(),
            payers: batch.iter().map(|one| payer(&tasks[one.task])).collect(),
            batch,
        }
    }
}

impl Calls<'_> {
    /// Calls the engine for a batch, as far as budgets allow.
    pub(super) async fn pay_and_call(&self, order: Order, permit: Permit) -> Called {
        let Order { batch, items, payers } = order;
        let Some(spender) = &self.cascade.spender else {
            let answer = self.call(&items, permit).await;
            return Called { batch, answer, unpaid: Vec::new() };
        };
        let (bill, unpaid) = match spender.reserve(self.engine, &items, &payers).await {
            Ok(Some(reserved)) => reserved,
            Ok(None) => {
                let answer = self.call(&items, permit).await;
                return Called { batch, answer, unpaid: Vec::new() };
            }
            Err(error) => {
                let reason = format!("its cost cannot be recorded: {}", String::from(error));
                let answer = Err(Outage::CallFailed(EngineError::Unavailable(reason)));
                return Called { batch, answer, unpaid: Vec::new() };
            }
        };
        let (paid, unpaid) = part(batch, &unpaid);
        let (numbers, batch): (Vec<usize>, Vec<Wanted>) = paid.into_iter().unzip();
        let items: Vec<(usize, Item)> = items
            .into_iter()
            .enumerate()
            .filter(|(number, _)| numbers.binary_search(number).is_ok())
            .collect();
        if items.is_empty() {
            return Called { batch, answer: Ok(Reply::default()), unpaid };
        }
        let sent: Vec<Item> = items.iter().map(|(_, item)| item.clone()).collect();
        let answer = match self.call(&sent, permit).await {
            // It was not called.
            Err(Outage::BreakerOpen(until)) => {
                spender.cancel(bill).await;
                Err(Outage::BreakerOpen(until))
            }
            Ok(reply) => {
                let answer = Ok(reply);
                spender.settle(self.engine, bill, &items, &answer).await;
                answer.map_err(Outage::CallFailed)
            }
            Err(Outage::CallFailed(error)) => {
                let answer = Err(error);
                spender.settle(self.engine, bill, &items, &answer).await;
                answer.map_err(Outage::CallFailed)
            }
        };
        Called { batch, answer, unpaid }
    }

    /// Records with each of these tasks that a budget does not allow it.
    pub(super) fn settle_unpaid(&self, tasks: &mut [Task], unpaid: Unsent) {
        let must_wait = self.cascade.upstreams.refusals().fallback() == Fallback::Hold;
        let now = self.cascade.clock.now();
        for (Wanted { task, lead }, over) in unpaid {
            self.settle(&mut tasks[task], lead, |task, engine| {
                task.over_budget(engine, &over, now);
                task.waits_for = must_wait.then(|| self.limiter.upstream().clone());
            });
        }
    }
}

/// What is paid for, with the numbers in the batch, and what is not.
fn part(batch: Vec<Wanted>, unpaid: &[Unpaid]) -> (Vec<(usize, Wanted)>, Unsent) {
    let (mut paid, mut left) = (Vec::with_capacity(batch.len()), Vec::new());
    for (number, one) in batch.into_iter().enumerate() {
        match unpaid.iter().find(|unpaid| unpaid.items.contains(&number)) {
            Some(unpaid) => left.push((one, unpaid.over.clone())),
            None => paid.push((number, one)),
        }
    }
    (paid, left)
}
