//! The durable record in PostgreSQL, which several processes may share. It behaves as the one in SQLite does; in addition,
//! it records a page only for the process that holds the source's lease, and begins a publication only for the one that
//! holds the account's.
//!
//! # Layout
//!
//! - [`address`], [`tls`], [`connect`], [`thread`]: the connections, which live on a thread of their own.
//! - [`open`], [`lock`], [`migrate`], [`schema`]: opening the database, and migrating older formats.
//! - [`writer`]: puts all waiting changes and pages into one transaction.
//! - [`batch`], [`load`], [`pages`], [`store`], [`pipeline`]: such a transaction: reading, deciding, writing.
//! - [`fences`], [`leases`]: what this process may write, and who works for what.
//! - [`line`], [`posts`], [`publications`], [`states`], [`listing`], [`facts`]: queries.
//! - [`spending`]: what was spent and what is reserved.
//! - [`people`], [`decisions`]: who may use this Mynah, and who did what.
//! - [`recover`], [`retention`], [`copying`], [`restored`]: taking jobs back, removing texts, copying a whole ledger, and
//!   what a restored one must not do.
//! - [`engine`]: what only PostgreSQL itself can do.
//! - [`rows`], [`errors`]: converting rows and errors to the domain's types.

mod address;
mod batch;
mod connect;
mod copying;
mod decisions;
mod engine;
mod errors;
mod facts;
mod fences;
mod leases;
mod line;
mod listing;
mod load;
mod lock;
mod migrate;
mod open;
mod pages;
mod people;
mod pipeline;
mod posts;
mod publications;
mod recover;
mod restored;
mod retention;
mod rows;
mod schema;
mod spending;
mod states;
mod store;
mod thread;
mod tls;
mod writer;

use std::{collections::BTreeMap, fs::File, sync::Arc, time::Duration};

use async_trait::async_trait;
use deadpool_postgres::Object;
use jiff::{Timestamp, civil::Date};
use mynah_domain::{
    AccountId, Job, JobId, JobState, Post, PostId, Publication, Reply, TargetId,
    budget::{Charge, OverBudget},
    caps::Spent,
    people::{DecisionRecord, Session, TokenHash, User, UserName},
    ports::{
        Clock, Decisions, Facts, LedgerError, Listing, People, Retention, Work,
        leases::{HeldLeases, InstanceId},
        ledger::{
            Advanced, Change, ChangeError, Checkpoint, DraftDecision, HeldJobs, JobFilter, JobLine,
            LinePosition, ListedDecision, NotForgotten, PublishedJob, RecordPage, Recorded, Removed,
            Reservation, ReservationKey, Spending,
        },
    },
};
use tokio::{sync::oneshot, time::timeout};

pub use self::{
    address::{Address, BadAddress},
    lock::{is_in_use, lock},
    open::OpenError,
};
use self::{
    batch::{Answer, Command},
    connect::{Connections, give_back},
    errors::Error,
    fences::Fences,
    thread::Thread,
    writer::Writer,
};
pub(in crate::ledger) use self::{
    pipeline::Values,
    rows::{storable, storable_json},
};
use super::shared::Shared;

/// How long a call or a transaction of the writer may take. Then its connection is given up, and the outcome is unknown.
const PATIENCE: Duration = Duration::from_secs(30);

/// A ledger in a database. Clones share it; dropping the last one closes the connections.
#[derive(Clone)]
pub struct PostgresLedger {
    writer: Writer,
    thread: Thread,
    connections: Connections,
    fences: Fences,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    /// Its name for people, without the password.
    name: Arc<str>,
    /// The lock of this process on its folder.
    _lock: Option<Arc<File>>,
}

/// The process that uses a ledger, and what it holds. A process that holds nothing, as a tool does, can read, decide about
/// jobs and remove texts; it can neither record pages nor begin publications.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its id.
    pub instance: InstanceId,
    /// Its leases, which change while it runs.
    pub held: HeldLeases,
}

impl PostgresLedger {
    /// Opens the ledger, or creates it in an empty database. `committed` receives the duration of each transaction of the
    /// pipeline.
    ///
    /// # Errors
    /// Each [`OpenError`] names the ledger and the fix.
    pub async fn open(
        address: &Address,
        member: Member,
        clock: Arc<dyn Clock>,
        committed: impl Fn(Duration) + Send + 'static,
    ) -> Result<Self, OpenError> {
        Self::open_as(address, member, clock, committed, open::Incomplete::IsRefused).await
    }

    async fn open_as(
        address: &Address,
        member: Member,
        clock: Arc<dyn Clock>,
        committed: impl Fn(Duration) + Send + 'static,
        incomplete: open::Incomplete,
    ) -> Result<Self, OpenError> {
        let Member { instance, held } = member;
        let thread = Thread::start().map_err(OpenError::Local)?;
        let application = format!("mynah {instance}");
        let connections = Connections::new(address, &application).map_err(OpenError::Local)?;
        let (ready, opened) = oneshot::channel();
        let (pool, to) = (connections.clone(), address.clone());
        thread.start_task(move || {
            Box::pin(async move {
                // The caller may be gone.
                let _ = ready.send(open::open(&pool, &to, incomplete).await);
            })
        });
        opened.await.map_err(|_| OpenError::Local("the ledger's thread has ended".into()))??;
        let fences = Fences { instance, held };
        let name = address.to_string();
        let work =
            writer::Work { connections: connections.clone(), fences: fences.clone(), ledger: name.clone() };
        let writer = Writer::start(&thread, work, committed);
        let (shared, name) = (Arc::default(), name.into());
        Ok(Self { writer, thread, connections, fences, shared, clock, name, _lock: None })
    }

    /// The same; the lock is released with the ledger.
    #[must_use]
    pub fn keeping(self, lock: File) -> Self {
        Self { _lock: Some(Arc::new(lock)), ..self }
    }

    /// Runs something on a connection of its own.
    async fn call<T: Send + 'static>(
        &self,
        task: impl AsyncFnOnce(&mut Object) -> errors::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.call_for(PATIENCE, task).await
    }

    async fn call_for<T: Send + 'static>(
        &self,
        patience: Duration,
        task: impl AsyncFnOnce(&mut Object) -> errors::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (asker, answer) = oneshot::channel();
        let connections = self.connections.clone();
        self.thread.start_task(move || {
            Box::pin(async move {
                let outcome = match connections.get().await {
                    Ok(mut connection) => {
                        let called = timeout(patience, task(&mut connection)).await;
                        let outcome = called.unwrap_or(Err(Error::Slow));
                        give_back(connection, &outcome);
                        outcome
                    }
                    Err(error) => Err(error),
                };
                // The caller may be gone.
                let _ = asker.send(outcome);
            })
        });
        let ended = || {
            LedgerError::Fatal(
                "a command of the ledger ended without an answer; please report this bug".into(),
            )
        };
        answer.await.map_err(|_| ended())?.map_err(|error| error.explained(&self.name))
    }
}

/// The answer to another command than the one that was asked.
fn mixed_up() -> LedgerError {
    LedgerError::Fatal("the ledger answered another command; please report this bug".into())
}

#[async_trait(?Send)]
impl Work for PostgresLedger {
    async fn checkpoint(&self, source: &str) -> Result<Option<Checkpoint>, LedgerError> {
        let source = source.to_owned();
        self.call(async move |db| posts::checkpoint(db, &source).await).await
    }

    async fn record(&self, page: RecordPage) -> Result<Recorded, LedgerError> {
        match self.writer.ask(Command::Record(Arc::new(page), self.clock.now())).await? {
            Answer::Recorded(recorded) => recorded.map_err(LedgerError::NotHeld),
            _ => Err(mixed_up()),
        }
    }

    async fn to_reread(&self, source: &str, limit: usize) -> Result<Vec<PostId>, LedgerError> {
        let source = source.to_owned();
        self.call(async move |db| posts::to_reread(db, &source, limit).await).await
    }

    async fn open_jobs(
        &self,
        target: &TargetId,
        after: Option<LinePosition>,
        limit: usize,
    ) -> Result<Vec<Job>, LedgerError> {
        let (target, shared) = (target.clone(), self.shared.clone());
        self.call(async move |db| line::open_jobs(db, &shared, &target, after, limit).await).await
    }

    async fn advance(
        &self,
        changes: Arc<[Change]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        match self.writer.ask(Command::Advance(changes, self.clock.now())).await? {
            Answer::Advanced(answers) => Ok(answers),
            _ => Err(mixed_up()),
        }
    }

    async fn recover(&self, targets: &[TargetId]) -> Result<u64, LedgerError> {
        let (targets, fences, now) = (targets.to_vec(), self.fences.clone(), self.clock.now());
        self.call(async move |db| recover::recover(db, &fences, &targets, now).await).await
    }

    async fn spent(&self, account: &AccountId, now: Timestamp) -> Result<Spent, LedgerError> {
        let account = account.clone();
        self.call(async move |db| publications::spent(db, &account, now).await).await
    }

    async fn publication_of(&self, post: &PostId, target: &TargetId) -> Result<Option<Reply>, LedgerError> {
        let (post, target) = (post.clone(), target.clone());
        self.call(async move |db| publications::behind(db, &post, &target).await).await
    }

    async fn state_of(&self, post: &PostId, target: &TargetId) -> Result<Option<JobState>, LedgerError> {
        let (post, target) = (post.clone(), target.clone());
        self.call(async move |db| states::of_post(db, &post, &target).await).await
    }

    async fn post(&self, source: &str, id: &PostId) -> Result<Option<Post>, LedgerError> {
        let (source, id) = (source.to_owned(), id.clone());
        self.call(async move |db| posts::by_id(db, &source, &id).await).await
    }

    async fn publications(&self, job: JobId) -> Result<Vec<Publication>, LedgerError> {
        self.call(async move |db| publications::of_job(db, job).await).await
    }

    async fn recorded(&self, account: &AccountId, messages: &[PostId]) -> Result<Vec<PostId>, LedgerError> {
        let (account, messages) = (account.clone(), messages.to_vec());
        self.call(async move |db| publications::recorded(db, &account, &messages).await).await
    }
}

#[async_trait(?Send)]
impl Listing for PostgresLedger {
    async fn jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError> {
        let filter = filter.clone();
        self.call(async move |db| listing::jobs(db, &filter, after, limit).await).await
    }

    async fn last_published(
        &self,
        accounts: &[AccountId],
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError> {
        let accounts = accounts.to_vec();
        self.call(async move |db| listing::last_published(db, &accounts, limit).await).await
    }

    async fn published(&self, before: Option<JobId>, limit: usize) -> Result<Vec<PublishedJob>, LedgerError> {
        self.call(async move |db| listing::published(db, before, limit).await).await
    }

    async fn counts(&self) -> Result<BTreeMap<(TargetId, JobState), u64>, LedgerError> {
        self.call(async move |db| states::counts(db).await).await
    }

    async fn held_since(&self, moment: Timestamp) -> Result<BTreeMap<TargetId, HeldJobs>, LedgerError> {
        self.call(async move |db| listing::held_since(db, moment).await).await
    }

    async fn draft_decisions(&self, job: JobId) -> Result<Vec<DraftDecision>, LedgerError> {
        self.call(async move |db| listing::draft_decisions(db, job).await).await
    }

    async fn post_times(&self, source: &str, limit: usize) -> Result<Vec<Timestamp>, LedgerError> {
        let source = source.to_owned();
        self.call(async move |db| listing::post_times(db, &source, limit).await).await
    }
}

#[async_trait(?Send)]
impl Facts for PostgresLedger {
    async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError> {
        let key = key.to_owned();
        self.call(async move |db| facts::fact(db, &key).await).await
    }

    async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.call(async move |db| facts::remember(db, &key, &value).await).await
    }

    async fn replace(&self, key: &str, old: Option<&str>, new: &str) -> Result<bool, LedgerError> {
        let (key, old, new) = (key.to_owned(), old.map(str::to_owned), new.to_owned());
        self.call(async move |db| facts::replace(db, &key, old.as_deref(), &new).await).await
    }
}

#[async_trait(?Send)]
impl Retention for PostgresLedger {
    async fn forget(&self, post: &PostId) -> Result<Result<Removed, NotForgotten>, LedgerError> {
        let (post, now) = (post.clone(), self.clock.now());
        self.call(async move |db| retention::forget(db, &post, now).await).await
    }

    async fn forget_before(&self, moment: Timestamp, limit: usize) -> Result<u64, LedgerError> {
        let now = self.clock.now();
        self.call(async move |db| retention::forget_before(db, moment, limit, now).await).await
    }

    async fn compact(&self) -> Result<(), LedgerError> {
        self.call_for(engine::REWRITE, async move |db| engine::rewrite(db).await).await
    }
}

#[async_trait(?Send)]
impl Spending for PostgresLedger {
    async fn reserve(&self, reservation: Reservation) -> Result<Result<(), OverBudget>, LedgerError> {
        match self.writer.ask(Command::Reserve(Arc::new(reservation))).await? {
            Answer::Reserved(reserved) => Ok(reserved),
            _ => Err(mixed_up()),
        }
    }

    async fn settle(&self, key: ReservationKey, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.writer.ask(Command::Settle(key, charges.into())).await.map(drop)
    }

    async fn charge(&self, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.writer.ask(Command::Charge(charges.into())).await.map(drop)
    }

    async fn charges(&self, since: Date) -> Result<Vec<Charge>, LedgerError> {
        self.call(async move |db| spending::charges(db, since).await).await
    }
}

#[async_trait(?Send)]
impl People for PostgresLedger {
    async fn users(&self) -> Result<Vec<User>, LedgerError> {
        self.call(async move |db| people::users(db).await).await
    }

    async fn add_user(&self, user: User, record: DecisionRecord) -> Result<bool, LedgerError> {
        self.call(async move |db| people::add(db, &user, &record).await).await
    }

    async fn renew_user(
        &self,
        name: &UserName,
        token: TokenHash,
        record: DecisionRecord,
    ) -> Result<bool, LedgerError> {
        let name = name.clone();
        self.call(async move |db| people::renew(db, &name, token, &record).await).await
    }

    async fn remove_user(&self, name: &UserName, record: DecisionRecord) -> Result<bool, LedgerError> {
        let name = name.clone();
        self.call(async move |db| people::remove(db, &name, &record).await).await
    }

    async fn open_session(&self, session: Session, now: Timestamp) -> Result<(), LedgerError> {
        self.call(async move |db| people::open_session(db, &session, now).await).await
    }

    async fn session(&self, id: TokenHash) -> Result<Option<Session>, LedgerError> {
        self.call(async move |db| people::session(db, id).await).await
    }

    async fn close_session(&self, id: TokenHash) -> Result<(), LedgerError> {
        self.call(async move |db| people::close_session(db, id).await).await
    }
}

#[async_trait(?Send)]
impl Decisions for PostgresLedger {
    async fn advance_decided(
        &self,
        changes: Arc<[Change]>,
        records: Arc<[DecisionRecord]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        match self.writer.ask(Command::Decide(changes, records, self.clock.now())).await? {
            Answer::Advanced(answers) => Ok(answers),
            _ => Err(mixed_up()),
        }
    }

    async fn remember_decided(
        &self,
        key: &str,
        value: &str,
        record: DecisionRecord,
    ) -> Result<(), LedgerError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.call(async move |db| decisions::remember(db, &key, &value, &record).await).await
    }

    async fn record_decision(&self, record: DecisionRecord) -> Result<(), LedgerError> {
        self.call(async move |db| decisions::record(&*db, &record).await).await
    }

    async fn decisions(&self, before: Option<i64>, limit: usize) -> Result<Vec<ListedDecision>, LedgerError> {
        self.call(async move |db| decisions::list(db, before, limit).await).await
    }

    async fn forget_decisions(&self, moment: Timestamp) -> Result<u64, LedgerError> {
        self.call(async move |db| decisions::forget(db, moment).await).await
    }
}
