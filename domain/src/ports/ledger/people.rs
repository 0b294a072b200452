//! Users, their sessions, and what people decided. A decision is on record together with what it changes: nobody can change
//! something without a trace, and no trace tells of something that did not happen.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Advanced, Change, ChangeError, LedgerError};
use crate::people::{DecisionRecord, Session, TokenHash, User, UserName};

/// Stores who may use this Mynah. Each change is recorded as a decision in the same transaction; a repeat with the same
/// record answers as the first time.
#[async_trait(?Send)]
pub trait People: Send + Sync {
    /// All users, ordered by name.
    async fn users(&self) -> Result<Vec<User>, LedgerError>;

    /// Adds a user. Returns false if there is one with this name; then nothing is changed.
    async fn add_user(&self, user: User, record: DecisionRecord) -> Result<bool, LedgerError>;

    /// Gives a user another token; the sessions of the old one end. Returns false if there is no such user.
    async fn renew_user(
        &self,
        name: &UserName,
        token: TokenHash,
        record: DecisionRecord,
    ) -> Result<bool, LedgerError>;

    /// Removes a user and all of their sessions. Returns false if there is no such user.
    async fn remove_user(&self, name: &UserName, record: DecisionRecord) -> Result<bool, LedgerError>;

    /// Opens a session, and removes those that ended before `now`. A user has at most [`MAX_SESSIONS`]: beyond that, those
    /// that end first are removed.
    async fn open_session(&self, session: Session, now: Timestamp) -> Result<(), LedgerError>;

    /// The session with this id, whether it has ended or not.
    async fn session(&self, id: TokenHash) -> Result<Option<Session>, LedgerError>;

    /// Removes a session. Removing it again is not an error.
    async fn close_session(&self, id: TokenHash) -> Result<(), LedgerError>;
}

/// The most sessions of one user.
pub const MAX_SESSIONS: usize = 20;

/// Records what people decide. The same record is stored once, however often it is written.
#[async_trait(?Send)]
pub trait Decisions: Send + Sync {
    /// Applies changes as [`Work::advance`](super::Work::advance) does, and stores the record of each change that is made
    /// in the same transaction. There is one record for each change, in the same order.
    async fn advance_decided(
        &self,
        changes: Arc<[Change]>,
        records: Arc<[DecisionRecord]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError>;

    /// Stores a fact as [`Facts::remember`](super::Facts::remember) does, and a record in the same transaction.
    async fn remember_decided(
        &self,
        key: &str,
        value: &str,
        record: DecisionRecord,
    ) -> Result<(), LedgerError>;

    /// Stores the record of a decision that changes nothing in the ledger.
    async fn record_decision(&self, record: DecisionRecord) -> Result<(), LedgerError>;

    /// Up to `limit` decisions, newest first, of those recorded before the one with the number `before`.
    async fn decisions(&self, before: Option<i64>, limit: usize) -> Result<Vec<ListedDecision>, LedgerError>;

    /// Removes the decisions made before `moment`. Returns how many there were.
    async fn forget_decisions(&self, moment: Timestamp) -> Result<u64, LedgerError>;
}

/// A decision on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDecision {
    /// Its number: later ones have larger numbers.
    pub number: i64,
    /// What was decided.
    pub record: DecisionRecord,
}
