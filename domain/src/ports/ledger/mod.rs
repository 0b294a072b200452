//! The durable record of posts, jobs, publications and checkpoints. Everything that must not be lost is here and
//! nowhere else; actors hold leases on it.
//!
//! The port has seven parts, by their callers: [`Work`] for the pipeline, [`Listing`] for people, [`Facts`] for adapters,
//! [`Retention`] for removing texts, [`Spending`] for whatever costs money, [`People`] for who may do what, and
//! [`Decisions`] for who did what. A caller that needs only one of them requires no more.

mod change;
mod checkpoint;
mod facts;
mod listing;
mod page;
mod people;
mod retention;
mod spending;
mod work;

pub use change::{Advanced, Change, ChangeError};
pub use checkpoint::{Backfill, Checkpoint, Mark};
pub use facts::Facts;
pub use listing::{DraftDecision, HeldJobs, JobFilter, JobLine, Listing, PublishedJob};
pub use page::{Raw, RecordPage, RecordPost, Recorded, edited_reason};
pub use people::{Decisions, ListedDecision, MAX_SESSIONS, People};
pub use retention::{NotForgotten, Removed, Retention};
pub use spending::{Reservation, ReservationKey, Spending};
pub use work::{LinePosition, Work};

use super::leases::LeaseName;

/// The complete durable record.
pub trait Ledger: Work + Listing + Facts + Retention + Spending + People + Decisions {}

impl<L: Work + Listing + Facts + Retention + Spending + People + Decisions + ?Sized> Ledger for L {}

/// Why a ledger call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The ledger was busy for a moment, or its answer was lost. Every method of the port may be called again with the
    /// same arguments: what was done already is recognized and not done twice.
    #[error("{0}")]
    Retryable(String),
    /// Another instance works for the source or the account by now. Nothing was changed, and this one must stop.
    #[error("{0} is held by another instance")]
    NotHeld(LeaseName),
    /// The ledger cannot be used. Publishing without a record is out of the question, so the service stops.
    #[error("{0}")]
    Fatal(String),
}

impl LedgerError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable(_))
    }
}

/// The message alone, for a caller that decides by itself what to retry.
impl From<LedgerError> for String {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Retryable(sentence) | LedgerError::Fatal(sentence) => sentence,
            LedgerError::NotHeld(_) => error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_ledger_that_is_busy_is_asked_again() {
        let lease = LeaseName::Source("plain:town".into());
        assert!(LedgerError::Retryable("busy".into()).is_retryable());
        assert!(!LedgerError::NotHeld(lease).is_retryable());
        assert!(!LedgerError::Fatal("the disk is full".into()).is_retryable());
    }
}
