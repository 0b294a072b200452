//! Calls that cost money are paid in two steps: the most that a call can cost is reserved before it, and what it did cost is
//! recorded after it. So several workers, or instances, cannot spend the same money twice, and a crash in between cannot
//! exceed a budget. Where no budget applies, nothing is reserved.
//!
//! [`Purse`] is for all callers; [`Spender`] is what translators pay engines with.

mod engines;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

pub use engines::{Bill, Spender, Unpaid};
use jiff::Timestamp;
use log::{error, warn};
use mynah_domain::{
    Money,
    budget::{Budgets, Charge, OverBudget, Payer, Purpose},
    ports::{
        Clock, LedgerError,
        ledger::{Reservation, ReservationKey, Spending},
    },
};

use crate::shortages::Shortages;

/// Pays for calls. Clones share what was logged.
#[derive(Clone)]
pub struct Purse {
    ledger: Arc<dyn Spending>,
    budgets: Arc<Budgets>,
    clock: Arc<dyn Clock>,
    /// The budgets that were reported as used up, by their settings, with the end of the period.
    reported: Arc<Mutex<HashMap<Arc<str>, Timestamp>>>,
    shortages: Shortages,
}

/// Money that is reserved for a call, or that needs no reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what a call did cost must be recorded"]
pub struct Reserved {
    /// `None` if no budget applies.
    key: Option<ReservationKey>,
    /// The most that is charged.
    most: Charge,
}

impl Reserved {
    /// The charge for what the call did cost; none for nothing.
    fn charges(&self, amount: Money, units: u64) -> Vec<Charge> {
        let is_nothing = units == 0 && amount.is_zero();
        if is_nothing { Vec::new() } else { vec![Charge { amount, units, ..self.most.clone() }] }
    }

    /// What replaces the reservation in a transaction of the caller's; `None` if it has no key.
    pub fn into_settlement(self, amount: Money, units: u64) -> Option<(ReservationKey, Vec<Charge>)> {
        let charges = self.charges(amount, units);
        Some((self.key?, charges))
    }

    /// The most that the call may cost.
    pub fn most(&self) -> Money {
        self.most.amount
    }
}

impl Purse {
    /// A purse with these budgets.
    pub fn new(ledger: Arc<dyn Spending>, budgets: Arc<Budgets>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, budgets, clock, reported: Arc::default(), shortages: Shortages::default() }
    }

    /// The same with other budgets, which do not forget what was logged about those that stay.
    #[must_use]
    pub fn with_budgets(&self, budgets: Arc<Budgets>) -> Self {
        Self { budgets, ..self.clone() }
    }

    /// What budgets have refused.
    pub fn shortages(&self) -> &Shortages {
        &self.shortages
    }

    /// Whether a budget applies to what this payer is charged.
    pub fn is_limited(&self, payer: &Payer) -> bool {
        self.budgets.all.iter().any(|budget| budget.scope.includes(payer))
    }

    /// Reserves the most that a call may cost.
    ///
    /// # Errors
    /// If the ledger cannot be used. That a budget does not allow the call is no error of the ledger.
    pub async fn reserve(
        &self,
        payer: Payer,
        purpose: Purpose,
        most: Money,
        units: u64,
    ) -> Result<Result<Reserved, OverBudget>, LedgerError> {
        if !self.is_limited(&payer) || most.is_zero() {
            let day = self.budgets.day(self.clock.now());
            return Ok(Ok(Reserved { key: None, most: Charge { payer, purpose, day, amount: most, units } }));
        }
        self.reserve_with_key(payer, purpose, most, units).await
    }

    /// The same for a caller that records the cost in a transaction of its own, which needs a key even if no budget applies.
    /// Nothing counts as spent then before that.
    ///
    /// # Errors
    /// If the ledger cannot be used.
    pub async fn reserve_with_key(
        &self,
        payer: Payer,
        purpose: Purpose,
        most: Money,
        units: u64,
    ) -> Result<Result<Reserved, OverBudget>, LedgerError> {
        let now = self.clock.now();
        let limits = self.budgets.limits(&payer, now);
        let amount = if limits.is_empty() { Money::ZERO } else { most };
        let most = Charge { payer, purpose, day: self.budgets.day(now), amount, units };
        let key = ReservationKey::draw();
        let reservation = Reservation { key, charges: vec![most.clone()], limits };
        let allowed = self.ledger.reserve(reservation).await?;
        Ok(allowed.map(|()| Reserved { key: Some(key), most }))
    }

    /// Records what a call did cost: `units` of something, nothing if the service charges nothing for it. A failure is logged:
    /// what is reserved then stays reserved.
    pub async fn settle(&self, reserved: Reserved, amount: Money, units: u64) {
        let charges = reserved.charges(amount, units);
        let settled = match reserved.key {
            Some(key) => self.ledger.settle(key, charges).await,
            None if charges.is_empty() => Ok(()),
            None => self.ledger.charge(charges).await,
        };
        if let Err(error) = settled {
            let Payer { source, service, .. } = &reserved.most.payer;
            error!(source = &**source, upstream = &**service, cost:% = amount, reason:% = error; "spending not recorded");
        }
    }

    /// Records that a budget is used up, for a caller that does without the call, and logs it once in each of the budget's
    /// periods; not if it is only reserved.
    pub fn report(&self, over: &OverBudget) {
        self.shortages.refused(over);
        if over.retry_at(self.clock.now()).is_some_and(|again| again < over.until) {
            // Most of what calls in progress have reserved comes free.
            return;
        }
        // The lock guards a map of which every change is whole.
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.insert(over.setting.clone(), over.until) != Some(over.until) {
            warn!(budget = &*over.setting, most:% = over.most, left:% = over.left, until:% = over.until; "budget used up");
        }
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::budget::{Budget, Period, Scope};

    use super::*;
    use crate::testing::{MemorySpending, RuntimeClock};

    fn dollars(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn payer() -> Payer {
        Payer { source: "net:town".into(), target: None, service: "net".into() }
    }

    fn purse(most: Option<&str>) -> (Purse, Arc<MemorySpending>) {
        let budget = |most| Budget {
            scope: Scope::Everything,
            period: Period::Day,
            most: dollars(most),
            setting: "budget.daily".into(),
        };
        let all = most.map(budget).into_iter().collect();
        let ledger = Arc::new(MemorySpending::default());
        let budgets = Arc::new(Budgets { all, ..Budgets::default() });
        (Purse::new(ledger.clone(), budgets, Arc::new(RuntimeClock::new())), ledger)
    }

    #[actix_rt::test]
    async fn what_a_call_did_cost_replaces_what_was_reserved_for_it() {
        let (purse, ledger) = purse(Some("1"));
        let reserved = purse.reserve(payer(), Purpose::Translate, dollars("0.80"), 1).await.unwrap().unwrap();
        assert_eq!(ledger.total(), dollars("0.80"));
        let over = purse.reserve(payer(), Purpose::Translate, dollars("0.30"), 1).await.unwrap().unwrap_err();
        assert_eq!(over.left, dollars("0.20"));
        purse.settle(reserved, dollars("0.10"), 3).await;
        assert_eq!((ledger.total(), ledger.units()), (dollars("0.10"), 3));
    }

    #[actix_rt::test]
    async fn a_refusal_is_a_shortage_only_for_whoever_does_without_the_call() {
        let (purse, _) = purse(Some("1"));
        let refused = purse.reserve(payer(), Purpose::Translate, dollars("2"), 1).await.unwrap().unwrap_err();
        assert!(purse.shortages().budgets(purse.clock.now()).is_empty());
        purse.report(&refused);
        assert_eq!(purse.shortages().budgets(purse.clock.now()).len(), 1);
    }

    #[actix_rt::test]
    async fn a_call_that_is_not_billed_costs_nothing() {
        for most in [None, Some("1")] {
            let (purse, ledger) = purse(most);
            let reserved =
                purse.reserve(payer(), Purpose::Translate, dollars("0.80"), 1).await.unwrap().unwrap();
            purse.settle(reserved, Money::ZERO, 0).await;
            assert_eq!((ledger.total(), ledger.units()), (Money::ZERO, 0));
        }
    }

    #[actix_rt::test]
    async fn without_a_budget_nothing_is_reserved_and_everything_recorded() {
        let (purse, ledger) = purse(None);
        assert!(!purse.is_limited(&payer()));
        let reserved = purse.reserve(payer(), Purpose::Translate, dollars("80"), 1).await.unwrap().unwrap();
        assert_eq!(ledger.total(), Money::ZERO);
        purse.settle(reserved, dollars("70"), 1).await;
        assert_eq!(ledger.total(), dollars("70"));
    }
}
