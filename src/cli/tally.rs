//! Adds up what calls cost, for a command that records nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// What was charged. It knows no budgets, so nothing is reserved.
#[derive(Default)]
pub(super) struct Tally(Mutex<Vec<Charge>>);

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Vec<Charge>> {
        // Every change under the lock is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything.
    pub(super) fn total(&self) -> Money {
        self.lock().iter().map(|charge| charge.amount).sum()
    }
}

#[async_trait(?Send)]
impl Spending for Tally {
    async fn reserve(&self, _: Reservation) -> Result<Result<(), OverBudget>, LedgerError> {
        Ok(Ok(()))
    }

    async fn settle(&self, _: ReservationKey, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.lock().extend(charges);
        Ok(())
    }

    async fn charge(&self, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.lock().extend(charges);
        Ok(())
    }

    async fn charges(&self, since: Date) -> Result<Vec<Charge>, LedgerError> {
        Ok(self.lock().iter().filter(|charge| charge.day >= since).cloned().collect())
    }
}
