//! The durable record, in SQLite. One thread owns the connection; every command that waits when it is free goes into
//! one transaction, so that a hundred workers cost one write to the disk and not a hundred. People look on another.

mod advance;
mod jobs;
mod listing;
mod open;
mod posts;
mod reader;
mod rows;
mod schema;
mod settled;
mod shared;
mod unreadable;
mod versions;
mod writer;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Job, JobId, JobState, Post, PostId, TargetId,
    caps::Spent,
    job::Publication,
    ports::{
        Clock, Ledger, LedgerError,
        ledger::{
            Advanced, Change, ChangeError, JobFilter, JobLine, Progress, PublishedJob, RecordPage, Recorded,
        },
    },
};
pub use open::{OpenError, is_in_use};
use reader::Reader;
use rusqlite::Connection;
use shared::Shared;
use writer::Writer;

/// A ledger in a file. Clones share it; the file is closed when the last is dropped.
#[derive(Clone)]
pub struct SqliteLedger {
    writer: Writer,
    reader: Reader,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl SqliteLedger {
    /// Opens the ledger in that file, making it where there is none.
    ///
    /// # Errors
    /// Each [`OpenError`] names the file and what to do.
    pub fn open(file: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_watched(file, clock, |_| {})
    }

    /// The same, and `committed` hears how long each transaction took that changed something, however many commands it
    /// had in it.
    ///
    /// # Errors
    /// Each [`OpenError`] names the file and what to do.
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
impl Ledger for SqliteLedger {
    async fn progress(&self, source: &str) -> Result<Option<Progress>, LedgerError> {
        let source = source.to_owned();
        self.run(move |db| posts::progress(db, &source)).await
    }

    async fn record(&self, page: RecordPage) -> Result<Recorded, LedgerError> {
        let now = self.clock.now();
        self.run(move |db| posts::record(db, &page, now)).await
    }

    async fn to_reread(&self, source: &str, limit: usize) -> Result<Vec<PostId>, LedgerError> {
        let source = source.to_owned();
        self.run(move |db| unreadable::to_reread(db, &source, limit)).await
    }

    async fn open_jobs(
        &self,
        target: &TargetId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Job>, LedgerError> {
        let (target, shared) = (target.clone(), self.shared.clone());
        self.run(move |db| jobs::open(db, &shared, &target, after, limit)).await
    }

    async fn advance(&self, changes: Vec<Change>) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        let now = self.clock.now();
        self.run(move |db| advance::advance(db, &changes, now)).await
    }

    async fn recover(&self) -> Result<u64, LedgerError> {
        let now = self.clock.now();
        self.run(move |db| jobs::recover(db, now)).await
    }

    async fn spent(&self, target: &TargetId, now: Timestamp) -> Result<Spent, LedgerError> {
        let target = target.clone();
        self.run(move |db| jobs::spent(db, &target, now)).await
    }

    async fn publication_of(&self, post: &PostId, target: &TargetId) -> Result<Option<PostId>, LedgerError> {
        let (post, target) = (post.clone(), target.clone());
        self.run(move |db| jobs::publication_of(db, &post, &target)).await
    }

    async fn post(&self, id: &PostId) -> Result<Option<Post>, LedgerError> {
        let id = id.clone();
        self.run(move |db| posts::by_id(db, &id)).await
    }

    async fn state_of(&self, post: &PostId, target: &TargetId) -> Result<Option<JobState>, LedgerError> {
        let (post, target) = (post.clone(), target.clone());
        self.run(move |db| jobs::state_of(db, &post, &target)).await
    }

    async fn publications(&self, job: JobId) -> Result<Vec<Publication>, LedgerError> {
        self.run(move |db| rows::publications(db, job)).await
    }

    async fn recorded(&self, target: &TargetId, messages: &[PostId]) -> Result<Vec<PostId>, LedgerError> {
        let (target, messages) = (target.clone(), messages.to_vec());
        self.run(move |db| jobs::recorded(db, &target, &messages)).await
    }

    async fn jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError> {
        let filter = filter.clone();
        self.reader.run(move |db| listing::jobs(db, &filter, after, limit)).await
    }

    async fn last_said(&self, targets: &[TargetId], limit: usize) -> Result<Vec<JobLine>, LedgerError> {
        let targets = targets.to_vec();
        self.reader.run(move |db| listing::last_said(db, &targets, limit)).await
    }

    async fn published(&self, before: Option<JobId>, limit: usize) -> Result<Vec<PublishedJob>, LedgerError> {
        self.reader.run(move |db| listing::published(db, before, limit)).await
    }

    async fn counts(&self) -> Result<BTreeMap<(TargetId, JobState), u64>, LedgerError> {
        self.reader.run(jobs::counts).await
    }

    async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError> {
        let key = key.to_owned();
        self.run(move |db| posts::fact(db, &key)).await
    }

    async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.run(move |db| posts::remember(db, &key, &value)).await
    }
}
