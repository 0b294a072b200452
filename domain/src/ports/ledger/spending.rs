//! Records what is spent, and what may be: an amount is reserved before the call that it pays for, so that several workers,
//! or instances, cannot spend the same money, and a crash in between cannot exceed a budget.

use async_trait::async_trait;
use jiff::civil::Date;

use super::LedgerError;
use crate::{
    JobId,
    budget::{Charge, Limit, OverBudget},
};

/// The record of spending. Publications are recorded with the change that begins them
/// ([`JobEvent::PartBegun`](crate::JobEvent::PartBegun)), and reading posts with the page
/// ([`RecordPage`](super::RecordPage)); this port is for all other charges.
#[async_trait(?Send)]
pub trait Spending: Send + Sync {
    /// Reserves charges, all or none, if every limit allows them beside what is spent and reserved. Reserving again under
    /// the same key changes nothing, and succeeds. A reservation without charges is none.
    async fn reserve(&self, reservation: Reservation) -> Result<Result<(), OverBudget>, LedgerError>;

    /// Replaces a reservation by what was really charged, which may be more, less or nothing. If there is no reservation
    /// under this key, because it was settled before, nothing changes.
    ///
    /// What a process reserved and never settled, because it crashed, counts as spent.
    async fn settle(&self, key: ReservationKey, charges: Vec<Charge>) -> Result<(), LedgerError>;

    /// Records charges that were not reserved, because no budget applies to them. Not idempotent: a repeat after a lost
    /// answer may count twice, but never too little.
    async fn charge(&self, charges: Vec<Charge>) -> Result<(), LedgerError>;

    /// What was spent and is reserved from `since` on, one entry for each day, payer and purpose, in this order.
    async fn charges(&self, since: Date) -> Result<Vec<Charge>, LedgerError>;
}

/// The name of a reservation, drawn at random by whoever reserves. Drawn keys are negative; the others are those of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReservationKey(pub i64);

impl ReservationKey {
    /// Draws a key.
    pub fn draw() -> Self {
        Self(fastrand::i64(..0))
    }

    /// The key under which the ledger reserves what the later parts of a job cost.
    pub fn of_job(job: JobId) -> Self {
        Self(job.0)
    }
}

/// An amount that may be spent soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its name.
    pub key: ReservationKey,
    /// The most that may be charged.
    pub charges: Vec<Charge>,
    /// The budgets that apply; each includes some or all of the charges.
    pub limits: Vec<Limit>,
}
