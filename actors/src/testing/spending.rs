//! A record of spending in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use jiff::civil::Date;
use mynah_domain::{
    Money,
    budget::{Charge, OverBudget},
    ports::{
        LedgerError,
        ledger::{Reservation, ReservationKey, Spending},
    },
};

/// The record.
#[derive(Default)]
pub(crate) struct MemorySpending(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    reserved: BTreeMap<ReservationKey, Vec<Charge>>,
    spent: Vec<Charge>,
}

impl Contents {
    fn all(&self) -> impl Iterator<Item = &Charge> {
        self.spent.iter().chain(self.reserved.values().flatten())
    }
}

impl MemorySpending {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap()
    }

    /// Everything that is spent and reserved.
    pub(crate) fn total(&self) -> Money {
        self.contents().all().map(|charge| charge.amount).sum()
    }

    /// How many units it is for.
    pub(crate) fn units(&self) -> u64 {
        self.contents().all().map(|charge| charge.units).sum()
    }

    /// What was spent for a target.
    pub(crate) fn of_target(&self, target: &str) -> Money {
        let is_of = |charge: &&Charge| {
            charge.payer.target.as_ref().is_some_and(|of_charge| of_charge.as_str() == target)
        };
        self.contents().all().filter(is_of).map(|charge| charge.amount).sum()
    }
}

#[async_trait(?Send)]
impl Spending for MemorySpending {
    async fn reserve(&self, reservation: Reservation) -> Result<Result<(), OverBudget>, LedgerError> {
        let mut contents = self.contents();
        for limit in &reservation.limits {
            let included =
                |charge: &&Charge| limit.scope.includes(&charge.payer) && charge.day >= limit.since;
            let spent = contents.all().filter(included).map(|charge| charge.amount).sum();
            let wanted = reservation.charges.iter().filter(included).map(|charge| charge.amount).sum();
            if let Err(over) = limit.allow(spent, wanted) {
                return Ok(Err(over));
            }
        }
        contents.reserved.insert(reservation.key, reservation.charges);
        Ok(Ok(()))
    }

    async fn settle(&self, key: ReservationKey, charges: Vec<Charge>) -> Result<(), LedgerError> {
        let mut contents = self.contents();
        if contents.reserved.remove(&key).is_some() {
            contents.spent.extend(charges);
        }
        Ok(())
    }

    async fn charge(&self, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.contents().spent.extend(charges);
        Ok(())
    }

    async fn charges(&self, since: Date) -> Result<Vec<Charge>, LedgerError> {
        Ok(self.contents().all().filter(|charge| charge.day >= since).cloned().collect())
    }
}
