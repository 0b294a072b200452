//! What the messages of jobs cost, and which budgets must allow it. The router and the publishers begin publications, and
//! each publication is charged with the change that begins it.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use mynah_domain::{
    Money, TargetId,
    budget::{Budgets, Cost, OverBudget, Payer},
    network::NetworkRules,
};

use crate::shortages::Shortages;

/// The prices of the targets' networks, and the budgets. Without any, every message is free.
#[derive(Debug, Clone, Default)]
pub struct Costs {
    budgets: Arc<Budgets>,
    networks: Arc<HashMap<TargetId, Arc<dyn NetworkRules>>>,
    shortages: Shortages,
}

impl Costs {
    /// Creates the costs of messages on these targets' networks under these budgets.
    pub fn new(
        budgets: Arc<Budgets>,
        networks: impl IntoIterator<Item = (TargetId, Arc<dyn NetworkRules>)>,
    ) -> Self {
        let networks = Arc::new(networks.into_iter().collect());
        Self { budgets, networks, shortages: Shortages::default() }
    }

    /// The same, which records what budgets refuse here.
    #[must_use]
    pub fn recording(self, shortages: Shortages) -> Self {
        Self { shortages, ..self }
    }

    /// Records that a budget does not allow a publication, so that its job is held.
    pub(crate) fn refused(&self, over: &OverBudget) {
        // What costs more than the whole budget is held without an end, which the ledger shows.
        if over.wanted <= over.most {
            self.shortages.refused(over);
        }
    }

    /// What a part of a job costs if it is begun at `now`; `None` if neither it nor the later parts cost anything.
    /// `texts` are the texts of all parts.
    pub(crate) fn of(
        &self,
        (source, target): (&Arc<str>, &TargetId),
        texts: &[String],
        part: u32,
        now: Timestamp,
    ) -> Option<Box<Cost>> {
        let network = self.networks.get(target)?;
        let mut texts = texts.iter().skip(part as usize);
        let amount = texts.next().map_or(Money::ZERO, |text| network.price_of(text));
        let later: Vec<Money> = texts.map(|text| network.price_of(text)).collect();
        let (later_parts, rest) = (later.len() as u64, later.into_iter().sum());
        if amount.is_zero() && rest == Money::ZERO {
            return None;
        }
        let payer =
            Payer { source: source.clone(), target: Some(target.clone()), service: network.name().into() };
        let limits = self.budgets.limits(&payer, now);
        let Payer { service, .. } = payer;
        Some(Box::new(Cost { service, day: self.budgets.day(now), amount, rest, later_parts, limits }))
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::{
        budget::{Budget, Period, Scope},
        network::{PlainText, Price},
    };

    use super::*;
    use crate::testing::{es, noon};

    fn costs(price: Price) -> Costs {
        let scopes = [Scope::Everything, Scope::Target(es()), Scope::Target(TargetId::new("net", "ca"))];
        let budget = |scope| Budget {
            scope,
            period: Period::Day,
            most: Money::from_micros(1_000_000),
            setting: "budget.daily".into(),
        };
        let budgets = Budgets { all: scopes.map(budget).into(), ..Budgets::default() };
        let rules: Arc<dyn NetworkRules> = Arc::new(PlainText { price, ..PlainText::default() });
        Costs::new(Arc::new(budgets), [(es(), rules)])
    }

    fn of(costs: &Costs, texts: &[&str], part: u32) -> Option<Box<Cost>> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        costs.of((&"net:town".into(), &es()), &texts, part, noon())
    }

    #[test]
    fn a_part_costs_its_own_price_and_reserves_that_of_the_later_parts() {
        let costs = costs(Price { message: 15_000, with_link: 200_000 });
        let texts = ["one", "https://a.example", "three"];
        let first = of(&costs, &texts, 0).unwrap();
        assert_eq!((first.amount.micros(), first.rest.micros(), first.later_parts), (15_000, 215_000, 2));
        assert_eq!(first.limits.len(), 2, "of everything and of its target");
        let second = of(&costs, &texts, 1).unwrap();
        assert_eq!((second.amount.micros(), second.rest.micros(), second.later_parts), (200_000, 15_000, 1));
        let last = of(&costs, &texts, 2).unwrap();
        assert_eq!((last.amount.micros(), last.rest.micros(), last.later_parts), (15_000, 0, 0));
    }

    #[test]
    fn a_message_on_a_free_network_has_no_cost() {
        assert_eq!(of(&costs(Price::default()), &["https://a.example", "two"], 0), None);
        assert_eq!(of(&Costs::default(), &["one"], 0), None);
    }
}
