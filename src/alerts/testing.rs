//! What the tests of alerts share.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use mynah_domain::{
    Post, PostId, PostKind,
    ports::{
        Facts, Ledger, LedgerError, SystemClock,
        ledger::{Checkpoint, Mark, RecordPage, RecordPost},
    },
};
use tempfile::TempDir;

use super::{
    causes::{self, Condition, Finding},
    record::{Entry, Look, Record},
};

/// This many seconds after the beginning of time.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

/// A blocked account.
pub(super) fn condition(about: &str) -> Condition {
    let finding = Finding {
        about: about.into(),
        summary: format!("Nothing can be published on {about}"),
        details: "its keys are refused".into(),
        since: None,
    };
    Condition { cause: causes::named("account_blocked").unwrap(), finding }
}

/// A look that finds these, with a settling time of a minute, by a process that has watched for long.
pub(super) fn observe(record: &mut Record, second: i64, conditions: &[Condition]) {
    let (by, interval) = ("me", std::time::Duration::from_secs(10));
    let (now, watching_since) = (at(second), Timestamp::MIN);
    let look = Look { now, watching_since, by, interval, conditions, is_over: &|_: &Entry| true };
    record.observe(&look, std::time::Duration::from_mins(1));
}

/// A blocked account on record.
pub(super) fn entry(about: &str) -> Entry {
    let mut record = Record::default();
    observe(&mut record, 0, &[condition(about)]);
    observe(&mut record, 60, &[condition(about)]);
    record.entries.into_values().next().unwrap()
}

/// A ledger of its own, in a folder that lasts as long.
pub(super) fn ledger() -> (TempDir, Arc<dyn Facts>) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = crate::ledger::open(&folder.path().join("ledger"), Arc::new(SystemClock)).unwrap();
    (folder, ledger)
}

/// Facts in memory that can go away, or hang.
#[derive(Default)]
pub(super) struct MemoryFacts {
    facts: Mutex<HashMap<String, String>>,
    is_away: AtomicBool,
    hangs: AtomicBool,
}

impl MemoryFacts {
    pub(super) fn goes(&self) {
        self.is_away.store(true, Ordering::Relaxed);
    }

    pub(super) fn hangs(&self) {
        self.hangs.store(true, Ordering::Relaxed);
    }

    pub(super) fn returns(&self) {
        self.is_away.store(false, Ordering::Relaxed);
        self.hangs.store(false, Ordering::Relaxed);
    }

    async fn facts(&self) -> Result<MutexGuard<'_, HashMap<String, String>>, LedgerError> {
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.is_away.load(Ordering::Relaxed) {
            return Err(LedgerError::Fatal("it is away".into()));
        }
        Ok(self.facts.lock().unwrap())
    }
}

#[async_trait(?Send)]
impl Facts for MemoryFacts {
    async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError> {
        Ok(self.facts().await?.get(key).cloned())
    }

    async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError> {
        self.facts().await?.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    async fn replace(&self, key: &str, expected: Option<&str>, value: &str) -> Result<bool, LedgerError> {
        let mut facts = self.facts().await?;
        let is_expected = facts.get(key).map(String::as_str) == expected;
        if is_expected {
            facts.insert(key.to_owned(), value.to_owned());
        }
        Ok(is_expected)
    }
}

/// A ledger to which posts come.
pub(super) struct Posts {
    _folder: TempDir,
    ledger: Arc<dyn Ledger>,
    count: Mutex<u64>,
}

impl Default for Posts {
    fn default() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = crate::ledger::open(&folder.path().join("ledger"), Arc::new(SystemClock)).unwrap();
        Self { _folder: folder, ledger, count: Mutex::new(0) }
    }
}

impl Posts {
    pub(super) fn ledger(&self) -> Arc<dyn Ledger> {
        self.ledger.clone()
    }

    /// Records posts of these hours.
    pub(super) async fn record(&self, hours: &[i64]) {
        let page = {
            let mut count = self.count.lock().unwrap();
            let posts = hours.iter().map(|hour| {
                *count += 1;
                let post = Arc::new(Post {
                    id: PostId(count.to_string()),
                    position: *count,
                    text: "A post".into(),
                    entities: None,
                    language: None,
                    kind: PostKind::Original,
                    created_at: at(hour * 3600),
                    media: vec![],
                    has_poll: false,
                    warning: None,
                    is_sensitive: false,
                    card: None,
                    versions: vec![],
                });
                RecordPost { post, jobs: vec![], unreadable: None }
            });
            let posts: Vec<RecordPost> = posts.collect();
            let newest = Mark { id: PostId(count.to_string()), position: *count };
            let checkpoint = Checkpoint { watermark: Some(newest), ..Checkpoint::default() };
            RecordPage { source: "net:town".into(), posts, checkpoint, settles: None }
        };
        self.ledger.record(page).await.unwrap();
    }
}
