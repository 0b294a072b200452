//! A place where a real ledger can crash. With SQLite, its files are copied as a kill would leave them, and a new ledger
//! continues from the copy.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mynah::ledger::SqliteLedger;
use mynah_domain::{
    AccountId, PostId, Publication, Reply,
    ports::{Clock, Ledger},
};
use rusqlite::{Connection, OpenFlags};

/// A clock that moves only when the test moves it.
pub(crate) struct TestClock(pub(crate) Mutex<Timestamp>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Where a real ledger is.
pub(crate) trait Place: Sized {
    type Ledger: Ledger;

    fn new(clock: Arc<TestClock>) -> Self;

    fn open(&self) -> Self::Ledger;

    /// Drops a ledger and waits until it has let go of its place.
    fn close(&self, ledger: Self::Ledger);

    /// Kills a ledger: the next one continues with what it left. Where a write may be torn, the last one is, with this
    /// many bytes too many.
    fn kill(&mut self, ledger: Self::Ledger, torn: u16);

    /// Every job, with the change by which it was last changed. This tells whether a transaction was committed: by the
    /// last change even if the changes left no other trace, and by the rest even if the last change repeats one.
    fn record(&self) -> (Vec<Option<i64>>, Vec<Stored>);

    /// The posts that have no text, by source.
    fn forgotten(&self) -> BTreeSet<(String, PostId)>;

    /// Every job, by its number.
    fn stored(&self) -> Vec<Stored>;
}

/// The files of a ledger, and those from before each kill.
pub(crate) struct Files {
    root: tempfile::TempDir,
    clock: Arc<TestClock>,
    lives: u32,
}

/// A job as stored in the file. The port shows neither settled jobs nor reasons.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) state: String,
    pub(crate) token: i64,
    pub(crate) attempt: u32,
    pub(crate) not_before: Option<i64>,
    pub(crate) kind: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) engine: Option<String>,
    pub(crate) parts: Vec<Publication>,
}

impl Files {
    fn folder(&self) -> PathBuf {
        self.root.path().join(self.lives.to_string())
    }

    fn read(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(self.folder().join("ledger.sqlite"), flags).unwrap()
    }
}

impl Place for Files {
    type Ledger = SqliteLedger;

    fn new(clock: Arc<TestClock>) -> Self {
        // In memory if possible: this does not test power losses, and waiting for a disk would take most of the time.
        let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self { root, clock, lives: 0 }
    }

    fn open(&self) -> SqliteLedger {
        SqliteLedger::open(&self.folder().join("ledger.sqlite"), self.clock.clone()).unwrap()
    }

    fn close(&self, ledger: SqliteLedger) {
        drop(ledger);
        wait_until_free(&self.folder());
    }

    fn kill(&mut self, ledger: SqliteLedger, torn: u16) {
        let from = self.folder();
        self.lives += 1;
        let to = self.folder();
        fs::create_dir(&to).unwrap();
        // The log last, because concurrent writes go only to the log.
        for name in ["ledger.sqlite", "ledger.sqlite-shm", "ledger.sqlite-wal"] {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
        let mut log = OpenOptions::new().append(true).open(to.join("ledger.sqlite-wal")).unwrap();
        let rubbish: Vec<u8> = (0..torn).map(|byte| (byte % 251) as u8).collect();
        log.write_all(&rubbish).unwrap();
        drop(ledger);
        wait_until_free(&from);
        fs::remove_dir_all(from).unwrap();
    }

    fn record(&self) -> (Vec<Option<i64>>, Vec<Stored>) {
        let db = self.read();
        let mut statement = db.prepare("SELECT last_change FROM jobs ORDER BY id").unwrap();
        let rows = statement.query_map([], |row| row.get(0));
        (rows.unwrap().map(Result::unwrap).collect(), self.stored())
    }

    fn forgotten(&self) -> BTreeSet<(String, PostId)> {
        let db = self.read();
        let mut statement = db.prepare("SELECT source, id FROM posts WHERE body ->> '$.text' = ''").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, PostId(row.get(1)?))));
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn stored(&self) -> Vec<Stored> {
        let db = self.read();
        let mut statement = db
            .prepare(
                "SELECT state, token, attempt, not_before, kind, reason, engine, id FROM jobs ORDER BY id",
            )
            .unwrap();
        let mut publications = db
            .prepare(
                "SELECT part, text, intent_at, remote_id, after, account, key, reply_root, reply_parent
                      FROM publications WHERE job = ?1 ORDER BY part",
            )
            .unwrap();
        let mut parts = |job: i64| {
            let rows = publications.query_map([job], |row| {
                Ok(Publication {
                    part: row.get(0)?,
                    text: row.get(1)?,
                    intent_at: Timestamp::from_millisecond(row.get(2)?).unwrap(),
                    remote_id: row.get::<_, Option<String>>(3)?.map(PostId),
                    after: row.get::<_, Option<String>>(4)?.map(PostId),
                    account: AccountId::from(row.get_ref(5)?.as_str()?),
                    key: Some(row.get::<_, String>(6)?.parse().unwrap()),
                    reply: row
                        .get::<_, Option<String>>(7)?
                        .zip(row.get(8)?)
                        .map(|(root, parent)| Reply { root: PostId(root), parent: PostId(parent) }),
                })
            });
            rows.unwrap().collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = statement.query_map([], |row| {
            Ok(Stored {
                state: row.get(0)?,
                token: row.get(1)?,
                attempt: row.get(2)?,
                not_before: row.get(3)?,
                kind: row.get(4)?,
                reason: row.get(5)?,
                engine: row.get(6)?,
                parts: parts(row.get(7)?)?,
            })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }
}

/// Dropping a ledger does not wait for its thread, which releases the lock last.
fn wait_until_free(folder: &Path) {
    let lock = File::open(folder.join("ledger.lock")).unwrap();
    let begun = Instant::now();
    while lock.try_lock().is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the ledger was never closed");
        std::thread::yield_now();
    }
}
