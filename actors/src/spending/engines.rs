//! Paying engines. One call may translate for several targets: each pays for its own texts, so that the budget of one does not
//! stop the others, and the exact usage of the call is shared among them by the size of their texts.

use std::{collections::BTreeMap, sync::Arc};

use mynah_domain::{
    Money, TargetId,
    budget::{OverBudget, Payer, Purpose},
    ports::{
        Engine, LedgerError,
        engine::{EngineError, Item, ItemError, Reply, Usage},
    },
    tariff::Tariff,
};

use super::{Purse, Reserved};

/// Pays for calls to engines.
#[derive(Clone)]
pub struct Spender {
    purse: Purse,
    tariffs: Arc<BTreeMap<Arc<str>, Tariff>>,
}

/// What a call will be paid with.
#[must_use = "what a call did cost must be recorded"]
pub struct Bill {
    shares: Vec<Share>,
}

/// The texts of one payer.
struct Share {
    /// The numbers of the items.
    items: Vec<usize>,
    reserved: Reserved,
}

/// Items that a budget does not allow to be translated in this period.
pub struct Unpaid {
    /// The numbers of the items.
    pub items: Vec<usize>,
    /// The budget.
    pub over: OverBudget,
}

/// What an item weighs when the cost of a call is shared.
fn size(item: &Item) -> u64 {
    item.text.words().map(|words| words.chars().count() as u64).sum::<u64>().max(1)
}

impl Spender {
    /// Pays the engines with these tariffs; the others are free.
    pub fn new(purse: Purse, tariffs: BTreeMap<Arc<str>, Tariff>) -> Self {
        Self { purse, tariffs: Arc::new(tariffs) }
    }

    /// The tariff of an engine that may charge something.
    fn tariff(&self, engine: &dyn Engine) -> Option<&Tariff> {
        self.tariffs.get(engine.name()).filter(|tariff| !tariff.is_free())
    }

    /// Reserves what a call with these items may cost, each paid by the source and target beside it. `None` if the engine is
    /// free.
    ///
    /// # Errors
    /// If the ledger cannot be used.
    pub async fn reserve(
        &self,
        engine: &dyn Engine,
        items: &[Item],
        payers: &[(Arc<str>, TargetId)],
    ) -> Result<Option<(Bill, Vec<Unpaid>)>, LedgerError> {
        if self.tariff(engine).is_none() {
            return Ok(None);
        }
        let service: Arc<str> = engine.name().into();
        let mut groups: Vec<(Payer, Vec<usize>)> = Vec::new();
        for (number, (source, target)) in payers.iter().enumerate().take(items.len()) {
            let payer =
                Payer { source: source.clone(), target: Some(target.clone()), service: service.clone() };
            match groups.iter_mut().find(|(known, _)| *known == payer) {
                Some((_, numbers)) => numbers.push(number),
                None => groups.push((payer, vec![number])),
            }
        }
        let reservations =
            groups.into_iter().map(|(payer, own)| self.reserve_share(engine, items, payer, own));
        let (mut bill, mut unpaid) = (Bill { shares: Vec::new() }, Vec::new());
        let mut failed = None;
        for reservation in futures_util::future::join_all(reservations).await {
            match reservation {
                Ok((share, left)) => {
                    bill.shares.extend(share);
                    unpaid.extend(left);
                }
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            self.cancel(bill).await;
            return Err(error);
        }
        Ok(Some((bill, unpaid)))
    }

    /// Reserves what a payer's items may cost, or the first of them, as many as the budgets allow.
    async fn reserve_share(
        &self,
        engine: &dyn Engine,
        items: &[Item],
        payer: Payer,
        mut own: Vec<usize>,
    ) -> Result<(Option<Share>, Option<Unpaid>), LedgerError> {
        // An estimate takes some time, and only a budget needs it.
        let is_limited = self.purse.is_limited(&payer);
        let most = |numbers: &[usize]| {
            if !is_limited {
                return Money::ZERO;
            }
            self.most(engine, numbers.iter().map(|number| &items[*number]))
        };
        let mut unpaid: Option<Unpaid> = None;
        loop {
            let reserved = self.purse.reserve(payer.clone(), Purpose::Translate, most(&own), 1).await?;
            let over = match reserved {
                Ok(reserved) => return Ok((Some(Share { items: own, reserved }), unpaid)),
                Err(over) => over,
            };
            let fitting = (1..own.len()).rev().find(|count| most(&own[..*count]) <= over.left);
            let left = own.split_off(fitting.unwrap_or_default());
            // What matters for the first that is left is what it costs alone.
            let over = OverBudget { wanted: most(&left[..1]), ..over };
            let items = left.into_iter().chain(unpaid.into_iter().flat_map(|unpaid| unpaid.items)).collect();
            if own.is_empty() {
                self.purse.report(&over);
                return Ok((None, Some(Unpaid { items, over })));
            }
            unpaid = Some(Unpaid { items, over });
        }
    }

    /// Gives back what was reserved for a call that is not made.
    pub async fn cancel(&self, bill: Bill) {
        for Share { reserved, .. } in bill.shares {
            self.purse.settle(reserved, Money::ZERO, 0).await;
        }
    }

    /// Records what a call did cost. `items` are those that the call was made with, by their numbers at the reservation.
    pub async fn settle(
        &self,
        engine: &dyn Engine,
        bill: Bill,
        items: &[(usize, Item)],
        answer: &Result<Reply, EngineError>,
    ) {
        let (cost, calls) = match answer {
            Ok(Reply { calls: 0, .. }) => (Money::ZERO, 0),
            Ok(reply) => (self.cost(engine, items, reply), reply.calls.into()),
            // It was called, and may have answered: what may be billed counts as spent.
            Err(EngineError::Unanswered(_)) => (self.most(engine, items.iter().map(|(_, item)| item)), 1),
            // It does not bill what it refuses, or could not be reached.
            Err(_) => (Money::ZERO, 0),
        };
        let size_of = |share: &Share| {
            let own = items.iter().filter(|(number, _)| share.items.contains(number));
            own.map(|(_, item)| size(item)).sum::<u64>()
        };
        let sizes: Vec<u64> = bill.shares.iter().map(size_of).collect();
        let amounts = shared(cost, &sizes);
        // The requests of the call are counted once.
        let mut calls = Some(calls);
        let may_be_billed = matches!(answer, Err(EngineError::Unanswered(_)));
        for (Share { reserved, .. }, amount) in bill.shares.into_iter().zip(amounts) {
            let amount = if may_be_billed { reserved.most().max(amount) } else { amount };
            self.purse.settle(reserved, amount, calls.take().unwrap_or_default()).await;
        }
    }

    /// The most that a request for these items may cost.
    fn most<'a>(&self, engine: &dyn Engine, items: impl Iterator<Item = &'a Item>) -> Money {
        let items: Vec<Item> = items.cloned().collect();
        let cost = |tariff: &Tariff| tariff.cost(&engine.most_usage(&items));
        self.tariff(engine).and_then(cost).unwrap_or_default()
    }

    /// What a reply costs. For what the service did not count, the estimate is taken.
    fn cost(&self, engine: &dyn Engine, items: &[(usize, Item)], reply: &Reply) -> Money {
        let Some(tariff) = self.tariff(engine) else { return Money::ZERO };
        let usage = match (tariff, &reply.usage) {
            (Tariff::Tokens { .. }, Usage { input_tokens: Some(_), output_tokens: Some(_), .. })
            | (Tariff::Characters(_), Usage { billed_characters: Some(_), .. }) => reply.usage,
            _ => {
                let items: Vec<Item> = items.iter().map(|(_, item)| item.clone()).collect();
                let most = engine.most_usage(&items);
                Usage {
                    input_tokens: reply.usage.input_tokens.or(most.input_tokens),
                    output_tokens: reply.usage.output_tokens.or(most.output_tokens),
                    billed_characters: reply.usage.billed_characters.or(most.billed_characters),
                }
            }
        };
        let counted = tariff.cost(&usage).unwrap_or_default();
        // A request that ended the call may have been answered, too.
        let Some(EngineError::Unanswered(_)) = &reply.stopped else { return counted };
        let answers = items.iter().zip(&reply.items);
        let open = answers.filter(|(_, answer)| matches!(answer, Err(ItemError::NotReached)));
        counted + self.most(engine, open.map(|((_, item), _)| item))
    }
}

/// Shares a cost by sizes, so that the shares add up exactly.
fn shared(cost: Money, sizes: &[u64]) -> Vec<Money> {
    let total: u64 = sizes.iter().sum();
    let mut left = cost;
    let mut shares: Vec<Money> = sizes
        .iter()
        .map(|size| {
            let exact = u128::from(cost.micros()) * u128::from(*size) / u128::from(total.max(1));
            let share = Money::from_micros(u64::try_from(exact).unwrap_or(u64::MAX)).min(left);
            left = left.less(share);
            share
        })
        .collect();
    if let Some(first) = shares.first_mut() {
        *first = *first + left;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_cost() {
        let micros = |amounts: &[Money]| amounts.iter().map(|amount| amount.micros()).collect::<Vec<_>>();
        assert_eq!(micros(&shared(Money::from_micros(100), &[1, 1, 1])), [34, 33, 33]);
        assert_eq!(micros(&shared(Money::from_micros(7), &[900, 100])), [7, 0]);
        assert_eq!(micros(&shared(Money::from_micros(7), &[0])), [7]);
        assert_eq!(shared(Money::MAX, &[u64::MAX / 2, 1]).into_iter().sum::<Money>(), Money::MAX);
        assert_eq!(shared(Money::MAX, &[]), []);
    }
}
