//! Paying engines. One call may translate for several targets: each pays for its own texts, so that the budget of one does not
//! stop the others, and the exact usage of the call is shared among them by the size of their texts.

use std::{collections::BTreeMap, sync::Arc};

use mynah_domain::{
    Money, TargetId,
    budget::{OverBudget, Payer, Purpose},
    ports::{
        Engine, LedgerError,
        engine::{EngineError, Item, Reply, Usage},
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
        let Some(tariff) = self.tariff(engine) else { return Ok(None) };
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
        let reservations = groups.into_iter().map(|(payer, numbers)| async {
            // An estimate takes some time, and only a budget needs it.
            let most = if self.purse.is_limited(&payer) {
                let own: Vec<Item> = numbers.iter().map(|number| items[*number].clone()).collect();
                tariff.cost(&engine.most_usage(&own)).unwrap_or_default()
            } else {
                Money::ZERO
            };
            let reserved = self.purse.reserve(payer, Purpose::Translate, most, 1).await;
            reserved.map(|reserved| (numbers, reserved))
        });
        let (mut bill, mut unpaid) = (Bill { shares: Vec::new() }, Vec::new());
        let mut failed = None;
        for reservation in futures_util::future::join_all(reservations).await {
            match reservation {
                Ok((items, Ok(reserved))) => bill.shares.push(Share { items, reserved }),
                Ok((items, Err(over))) => unpaid.push(Unpaid { items, over }),
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            self.cancel(bill).await;
            return Err(error);
        }
        Ok(Some((bill, unpaid)))
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
            Ok(Reply { calls: 0, .. }) => (Some(Money::ZERO), 0),
            Ok(reply) => (self.cost(engine, items, reply), reply.calls.into()),
            // It was called, and may have answered: what may be billed counts as spent.
            Err(EngineError::Unanswered(_)) => (None, 1),
            // It does not bill what it refuses, or could not be reached.
            Err(_) => (Some(Money::ZERO), 0),
        };
        let size_of = |share: &Share| {
            let own = items.iter().filter(|(number, _)| share.items.contains(number));
            own.map(|(_, item)| size(item)).sum::<u64>()
        };
        let sizes: Vec<u64> = bill.shares.iter().map(size_of).collect();
        let amounts = cost.map(|cost| shared(cost, &sizes));
        for (number, Share { reserved, .. }) in bill.shares.into_iter().enumerate() {
            let amount = amounts.as_ref().map_or(reserved.most(), |amounts| amounts[number]);
            // The requests of the call are counted once.
            let units = if number == 0 { calls } else { u64::from(calls > 0 && !amount.is_zero()) };
            self.purse.settle(reserved, amount, units).await;
        }
    }

    /// What a reply costs. For what the service did not count, the estimate is taken; `None` if there is not even a price.
    fn cost(&self, engine: &dyn Engine, items: &[(usize, Item)], reply: &Reply) -> Option<Money> {
        let tariff = self.tariff(engine)?;
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
        tariff.cost(&usage).or(Some(Money::ZERO))
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
