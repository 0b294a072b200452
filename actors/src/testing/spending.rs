//! A record of spending in memory, without a ledger.

use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::civil::Date;
use mynah_domain::{
    Money,
    budget::{Charge, OverBudget},
    ports::{
        LedgerError, Spending,
        ledger::{Reservation, ReservationKey},
    },
};

use super::wallet::Wallet;

/// The record.
#[derive(Default)]
pub(crate) struct MemorySpending(Mutex<Wallet>);

impl MemorySpending {
    fn wallet(&self) -> MutexGuard<'_, Wallet> {
        self.0.lock().unwrap()
    }

    /// Everything that is spent and reserved.
    pub(crate) fn total(&self) -> Money {
        self.wallet().charges().map(|charge| charge.amount).sum()
    }

    /// How many units it is for.
    pub(crate) fn units(&self) -> u64 {
        self.wallet().charges().map(|charge| charge.units).sum()
    }

    /// What was spent for a target.
    pub(crate) fn of_target(&self, target: &str) -> Money {
        let is_of = |charge: &&Charge| {
            charge.payer.target.as_ref().is_some_and(|of_charge| of_charge.as_str() == target)
        };
        self.wallet().charges().filter(is_of).map(|charge| charge.amount).sum()
    }
}

#[async_trait(?Send)]
impl Spending for MemorySpending {
    async fn reserve(&self, reservation: Reservation) -> Result<Result<(), OverBudget>, LedgerError> {
        Ok(self.wallet().reserve(reservation))
    }

    async fn settle(&self, key: ReservationKey, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.wallet().settle(key, charges);
        Ok(())
    }

    async fn charge(&self, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.wallet().charge(charges);
        Ok(())
    }

    async fn charges(&self, since: Date) -> Result<Vec<Charge>, LedgerError> {
        Ok(self.wallet().charges().filter(|charge| charge.day >= since).cloned().collect())
    }
}
