//! The durable record of posts, jobs, publications and checkpoints. Everything that may not be lost is here and nowhere
//! else; actors hold claims on it.
//!
//! The port has three parts, by who calls them: [`Work`] is what the pipeline needs, [`Listing`] what people look at, and
//! [`Facts`] what adapters remember. Whoever needs only one of them asks for no more.

mod change;
mod checkpoint;
mod facts;
mod listing;
mod page;
mod work;

pub use change::{Advanced, Change, ChangeError};
pub use checkpoint::{Backfill, Checkpoint, Mark};
pub use facts::Facts;
pub use listing::{JobFilter, JobLine, Listing, PublishedJob};
pub use page::{Raw, RecordPage, RecordPost, Recorded, edited_reason};
pub use work::{LinePosition, Work};

/// The durable record, all of it.
pub trait Ledger: Work + Listing + Facts {}

impl<L: Work + Listing + Facts + ?Sized> Ledger for L {}

/// The ledger did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Something else was in its way for a moment, or its answer was lost. Every method of the port may be called again
    /// with the same arguments: what was done already is recognized and not done twice.
    #[error("{0}")]
    Retryable(String),
    /// It cannot be used. Publishing without a record is out of the question, so the service stops.
    #[error("{0}")]
    Fatal(String),
}

impl LedgerError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable(_))
    }
}

/// The sentence alone, for a caller that decides for itself what may be tried again.
impl From<LedgerError> for String {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Retryable(sentence) | LedgerError::Fatal(sentence) => sentence,
        }
    }
}
