//! The durable record in SQLite. One thread owns the writing connection and puts all waiting commands into one
//! transaction, so that a hundred workers cost one disk write, not a hundred. Listings use another connection.
//!
//! # Layout
//!
//! - [`open`], [`schema`]: opening the file, and migrating older ones.
//! - [`writer`], [`reader`]: the two connections.
//! - [`posts`], [`versions`]: recording a page.
//! - [`line`], [`advance`], [`recover`], [`publications`], [`settled`]: handing out jobs in order, and changing their
//!   states.
//! - [`listing`], [`states`], [`facts`]: queries of people and adapters.
//! - [`spending`]: what was spent and what is reserved.
//! - [`people`], [`decisions`]: who may use this Mynah, and who did what.
//! - [`retention`]: removing texts, and giving space back.
//! - [`backup`], [`restored`]: copying a ledger, and what a restored one must not do.
//! - [`rows`]: converting rows to the domain's types.

mod advance;
mod backup;
mod decisions;
mod facts;
mod line;
mod listing;
mod open;
mod people;
mod posts;
mod publications;
mod reader;
mod recover;
mod restored;
mod retention;
mod rows;
mod schema;
mod settled;
mod spending;
mod states;
#[cfg(test)]
mod upgrade_tests;
mod versions;
mod writer;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
pub use backup::{Backup, BackupError, Restore, back_up, restore};
use jiff::{Timestamp, civil::Date};
use mynah_domain::{
    AccountId, Job, JobId, JobState, Post, PostId, Publication, Reply, TargetId,
    budget::{Charge, OverBudget},
    caps::Spent,
    people::{DecisionRecord, Session, TokenHash, User, UserName},
    ports::{
        Clock, Decisions, Facts, LedgerError, Listing, People, Retention, Work,
        ledger::{
            Advanced, Change, ChangeError, Checkpoint, DraftDecision, HeldJobs, JobFilter, JobLine,
            LinePosition, ListedDecision, NotForgotten, PublishedJob, RecordPage, Recorded, Removed,
            Reservation, ReservationKey, Spending,
        },
    },
};
pub(super) use open::Exclusive;
pub use open::{OpenError, is_in_use};
use reader::Reader;
use rusqlite::{Connection, ErrorCode};
use writer::Writer;

use super::shared::Shared;

/// A ledger in a file. Clones share it; dropping the last one closes the file.
#[derive(Clone)]
pub struct SqliteLedger {
    writer: Writer,
    reader: Reader,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl SqliteLedger {
    /// Opens the ledger in `file`, or creates it.
    ///
    /// # Errors
    /// Each [`OpenError`] names the file and the fix.
    pub fn open(file: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_watched(file, clock, |_| {})
    }

    /// The same; `committed` receives the duration of each transaction that changed something, however many commands it
    /// had.
    ///
    /// # Errors
    /// Each [`OpenError`] names the file and the fix.
    pub fn open_watched(
        file: &Path,
        clock: Arc<dyn Clock>,
        committed: impl Fn(Duration) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let opened = open::open(file)?;
        let reader = Reader::open(file).map_err(|error| open::explain(file, &error))?;
        Ok(Self { writer: Writer::start(opened, committed), reader, shared: Arc::default(), clock })
    }

    async fn run<T: Send + 'static>(
        &self,
        command: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.writer.run(command).await
    }
}

#[async_trait(?Send)]
impl Work for SqliteLedger {
    async fn checkpoint(&self, source: &str) -> Result<Option<Checkpoint>, LedgerError> {
        let source = source.to_owned();
        self.run(move |db| posts::checkpoint(db, &source)).await
    }

    async fn record(&self, page: RecordPage) -> Result<Recorded, LedgerError> {
        let now = self.clock.now();
        self.run(move |db| posts::record(db, &page, now)).await
    }

    async fn to_reread(&self, source: &str, limit: usize) -> Result<Vec<PostId>, LedgerError> {
        let source = source.to_owned();
        self.run(move |db| posts::to_reread(db, &source, limit)).await
    }

    async fn open_jobs(
        &self,
        target: &TargetId,
        after: Option<LinePosition>,
        limit: usize,
    ) -> Result<Vec<Job>, LedgerError> {
        let (target, shared) = (target.clone(), self.shared.clone());
        self.run(move |db| line::open_jobs(db, &shared, &target, after, limit)).await
    }

    async fn advance(
        &self,
        changes: Arc<[Change]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        let now = self.clock.now();
        self.run(move |db| advance::advance(db, &changes, now)).await
    }

    async fn recover(&self, targets: &[TargetId]) -> Result<u64, LedgerError> {
        let (targets, now) = (targets.to_vec(), self.clock.now());
        self.run(move |db| recover::recover(db, &targets, now)).await
    }

    async fn spent(&self, account: &AccountId, now: Timestamp) -> Result<Spent, LedgerError> {
        let account = account.clone();
        self.run(move |db| publications::spent(db, &account, now)).await
    }

    async fn publication_of(&self, post: &PostId, target: &TargetId) -> Result<Option<Reply>, LedgerError> {
        let (post, target) = (post.clone(), target.clone());
        self.run(move |db| publications::behind(db, &post, &target)).await
    }

    async fn state_of(&self, post: &PostId, target: &TargetId) -> Result<Option<JobState>, LedgerError> {
        let (post, target) = (post.clone(), target.clone());
        self.run(move |db| states::of_post(db, &post, &target)).await
    }

    async fn post(&self, source: &str, id: &PostId) -> Result<Option<Post>, LedgerError> {
        let (source, id) = (source.to_owned(), id.clone());
        self.run(move |db| posts::by_id(db, &source, &id)).await
    }

    async fn publications(&self, job: JobId) -> Result<Vec<Publication>, LedgerError> {
        self.run(move |db| publications::of_job(db, job)).await
    }

    async fn recorded(&self, account: &AccountId, messages: &[PostId]) -> Result<Vec<PostId>, LedgerError> {
        let (account, messages) = (account.clone(), messages.to_vec());
        self.run(move |db| publications::recorded(db, &account, &messages)).await
    }
}

#[async_trait(?Send)]
impl Listing for SqliteLedger {
    async fn jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError> {
        let filter = filter.clone();
        self.reader.run(move |db| listing::jobs(db, &filter, after, limit)).await
    }

    async fn last_published(
        &self,
        accounts: &[AccountId],
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError> {
        let accounts = accounts.to_vec();
        self.reader.run(move |db| listing::last_published(db, &accounts, limit)).await
    }

    async fn published(&self, before: Option<JobId>, limit: usize) -> Result<Vec<PublishedJob>, LedgerError> {
        self.reader.run(move |db| listing::published(db, before, limit)).await
    }

    async fn counts(&self) -> Result<BTreeMap<(TargetId, JobState), u64>, LedgerError> {
        self.reader.run(states::counts).await
    }

    async fn held_since(&self, moment: Timestamp) -> Result<BTreeMap<TargetId, HeldJobs>, LedgerError> {
        self.reader.run(move |db| listing::held_since(db, moment)).await
    }

    async fn draft_decisions(&self, job: JobId) -> Result<Vec<DraftDecision>, LedgerError> {
        self.reader.run(move |db| listing::draft_decisions(db, job)).await
    }

    async fn post_times(&self, source: &str, limit: usize) -> Result<Vec<Timestamp>, LedgerError> {
        let source = source.to_owned();
        self.reader.run(move |db| listing::post_times(db, &source, limit)).await
    }
}

#[async_trait(?Send)]
impl Facts for SqliteLedger {
    async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError> {
        let key = key.to_owned();
        self.run(move |db| facts::fact(db, &key)).await
    }

    async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.run(move |db| facts::remember(db, &key, &value)).await
    }

    async fn replace(&self, key: &str, old: Option<&str>, new: &str) -> Result<bool, LedgerError> {
        let (key, old, new) = (key.to_owned(), old.map(str::to_owned), new.to_owned());
        self.run(move |db| facts::replace(db, &key, old.as_deref(), &new)).await
    }
}

#[async_trait(?Send)]
impl Retention for SqliteLedger {
    async fn forget(&self, post: &PostId) -> Result<Result<Removed, NotForgotten>, LedgerError> {
        let (post, now) = (post.clone(), self.clock.now());
        self.run(move |db| retention::forget(db, &post, now)).await
    }

    async fn forget_before(&self, moment: Timestamp, limit: usize) -> Result<u64, LedgerError> {
        let now = self.clock.now();
        self.run(move |db| retention::forget_before(db, moment, limit, now)).await
    }

    async fn compact(&self) -> Result<(), LedgerError> {
        retention::compact(&self.writer).await
    }
}

#[async_trait(?Send)]
impl Spending for SqliteLedger {
    async fn reserve(&self, reservation: Reservation) -> Result<Result<(), OverBudget>, LedgerError> {
        self.run(move |db| spending::reserve(db, &reservation)).await
    }

    async fn settle(&self, key: ReservationKey, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.run(move |db| spending::settle(db, key, &charges)).await
    }

    async fn charge(&self, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.run(move |db| spending::record(db, &charges)).await
    }

    async fn charges(&self, since: Date) -> Result<Vec<Charge>, LedgerError> {
        self.reader.run(move |db| spending::charges(db, since)).await
    }
}

#[async_trait(?Send)]
impl People for SqliteLedger {
    async fn users(&self) -> Result<Vec<User>, LedgerError> {
        self.reader.run(people::users).await
    }

    async fn add_user(&self, user: User, record: DecisionRecord) -> Result<bool, LedgerError> {
        self.run(move |db| people::add(db, &user, &record)).await
    }

    async fn renew_user(
        &self,
        name: &UserName,
        token: TokenHash,
        record: DecisionRecord,
    ) -> Result<bool, LedgerError> {
        let name = name.clone();
        self.run(move |db| people::renew(db, &name, token, &record)).await
    }

    async fn remove_user(&self, name: &UserName, record: DecisionRecord) -> Result<bool, LedgerError> {
        let name = name.clone();
        self.run(move |db| people::remove(db, &name, &record)).await
    }

    async fn open_session(&self, session: Session, now: Timestamp) -> Result<(), LedgerError> {
        self.run(move |db| people::open_session(db, &session, now)).await
    }

    async fn session(&self, id: TokenHash) -> Result<Option<Session>, LedgerError> {
        self.reader.run(move |db| people::session(db, id)).await
    }

    async fn close_session(&self, id: TokenHash) -> Result<(), LedgerError> {
        self.run(move |db| people::close_session(db, id)).await
    }
}

#[async_trait(?Send)]
impl Decisions for SqliteLedger {
    async fn advance_decided(
        &self,
        changes: Arc<[Change]>,
        records: Arc<[DecisionRecord]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        let now = self.clock.now();
        self.run(move |db| decisions::advance(db, &changes, &records, now)).await
    }

    async fn remember_decided(
        &self,
        key: &str,
        value: &str,
        record: DecisionRecord,
    ) -> Result<(), LedgerError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.run(move |db| {
            facts::remember(db, &key, &value)?;
            decisions::record(db, &record)
        })
        .await
    }

    async fn record_decision(&self, record: DecisionRecord) -> Result<(), LedgerError> {
        self.run(move |db| decisions::record(db, &record)).await
    }

    async fn decisions(&self, before: Option<i64>, limit: usize) -> Result<Vec<ListedDecision>, LedgerError> {
        self.reader.run(move |db| decisions::list(db, before, limit)).await
    }

    async fn forget_decisions(&self, moment: Timestamp) -> Result<u64, LedgerError> {
        self.run(move |db| decisions::forget(db, moment)).await
    }
}

/// An error with this sentence. It is retryable if another process locks the file, but not if the disk is full or
/// broken.
fn failed(error: &rusqlite::Error, sentence: String) -> LedgerError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted) => {
            LedgerError::Retryable(sentence)
        }
        _ => LedgerError::Fatal(sentence),
    }
}
