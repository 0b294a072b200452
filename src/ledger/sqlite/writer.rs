//! The thread that owns the connection. It takes every command that waits, runs them in one transaction, commits, and only
//! then answers all of them: nobody hears "done" of what a crash may still undo.
//!
//! A command that fails spoils no other: the transaction is undone, and each runs again in one of its own. That is rare, and
//! costs nothing where nothing fails; a savepoint for each command had SQLite copy every page that it changed.

use std::{
    panic::AssertUnwindSafe,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use log::error;
use mynah_actors::failpoint;
use mynah_domain::ports::LedgerError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{failed, open::Opened};

/// The most commands in one transaction: bounds how long the first of them waits.
const MAX_BATCH: usize = 512;

/// The most commands that wait; a sender past that blocks for a moment, which bounds memory.
const MAX_WAITING: usize = 4096;

/// What somebody wants done, and to whom the outcome goes.
trait Command: Send {
    /// Does it and stores what there is to answer. May be asked again, where the transaction was undone.
    fn run(&mut self, db: &Connection) -> Result<(), LedgerError>;

    /// Answers, when it is known what became of the transaction.
    fn answer(self: Box<Self>, committed: Result<(), LedgerError>);
}

struct Asked<T, F> {
    run: F,
    answer: Option<T>,
    asker: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T, F> Command for Asked<T, F>
where
    T: Send,
    F: Fn(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), LedgerError> {
        // Whatever a panic leaves half done, is undone with the transaction.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| (self.run)(db)))
            .unwrap_or_else(|_| Err(rusqlite::Error::UnwindingPanic));
        let answer =
            result.map_err(|error| failed(&error, format!("the ledger refused a command: {error}")))?;
        self.answer = Some(answer);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), LedgerError>) {
        let Self { answer, asker, .. } = *self;
        let unasked = || LedgerError::Fatal("the ledger committed what it never ran; report this".into());
        // Whoever asked may have left.
        let _ = asker.send(committed.and_then(|()| answer.ok_or_else(unasked)));
    }
}

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Writer {
    commands: SyncSender<Box<dyn Command>>,
}

impl Writer {
    pub(super) fn start(opened: Opened, committed: impl Fn(Duration) + Send + 'static) -> Self {
        let (commands, waiting) = sync_channel(MAX_WAITING);
        // A process that cannot start a thread cannot start at all.
        thread::Builder::new()
            .name("ledger".into())
            .spawn(move || work(&opened, &waiting, &committed))
            .expect("a thread can be started");
        Self { commands }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        run: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (asker, answer) = oneshot::channel();
        let ended = || LedgerError::Fatal("the ledger's thread has ended; restart mynah".into());
        self.commands.send(Box::new(Asked { run, answer: None, asker })).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

fn work(opened: &Opened, waiting: &Receiver<Box<dyn Command>>, committed: &impl Fn(Duration)) {
    while let Ok(first) = waiting.recv() {
        let (began, changes) = (Instant::now(), opened.connection.total_changes());
        run_batch(opened, std::iter::once(first).chain(waiting.try_iter()).take(MAX_BATCH).collect());
        // One that only read is no measure of how fast the disk is.
        if opened.connection.total_changes() != changes {
            committed(began.elapsed());
        }
    }
    // The last handle is gone. What a checkpoint leaves undone, the next start does.
    let _ = opened.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    // The lock goes last, with `opened`.
    let _ = &opened.lock;
}

/// Why a transaction was undone.
enum Undone {
    /// A command of it failed: the others may go well without it.
    Command(LedgerError),
    /// There is no transaction to be had.
    Transaction(LedgerError),
}

/// Runs commands in one transaction, or each in one of its own where one of them fails, and answers each when its outcome
/// is known.
fn run_batch(opened: &Opened, mut batch: Vec<Box<dyn Command>>) {
    let outcome = match transact(opened, &mut batch) {
        Ok(()) => Ok(()),
        Err(Undone::Command(_)) if batch.len() > 1 => {
            for command in batch {
                run_batch(opened, vec![command]);
            }
            return;
        }
        Err(Undone::Command(reason) | Undone::Transaction(reason)) => {
            error!(reason:%; "ledger write failed");
            Err(reason)
        }
    };
    for command in batch {
        command.answer(outcome.clone());
    }
}

/// All of it is on the disk, or nothing is.
fn transact(opened: &Opened, batch: &mut [Box<dyn Command>]) -> Result<(), Undone> {
    let db = &opened.connection;
    let execute = |sql: &str| {
        let done = db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(drop).map_err(|error| {
            let sentence = explain(opened, &error.to_string());
            Undone::Transaction(failed(&error, sentence))
        })
    };
    let outcome = execute("BEGIN IMMEDIATE").and_then(|()| {
        for command in batch {
            command.run(db).map_err(Undone::Command)?;
            // A full disk makes SQLite undo the whole transaction in the middle of it: what comes after must not be written
            // on its own.
            if db.is_autocommit() {
                let reason = explain(opened, "the disk is full or failed, and the transaction was undone");
                return Err(Undone::Command(LedgerError::Fatal(reason)));
            }
        }
        failpoint::reach("ledger.commit.before");
        let committed = execute("COMMIT");
        failpoint::reach("ledger.commit.after");
        committed
    });
    if outcome.is_err() && !db.is_autocommit() {
        // Where even that fails, SQLite undoes it when it closes.
        let _ = db.execute_batch("ROLLBACK");
    }
    outcome
}

fn explain(opened: &Opened, error: &str) -> String {
    format!(
        "{} could not be written: {error}; nothing more is published without a record: free space or fix the disk, then start again",
        opened.path.display()
    )
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::ledger::sqlite::open;

    fn writer(folder: &tempfile::TempDir, prepare: &str) -> Writer {
        let opened = open::open(&folder.path().join("ledger.sqlite")).unwrap();
        opened.connection.execute_batch(prepare).unwrap();
        Writer::start(opened, |_| {})
    }

    async fn facts(writer: &Writer) -> i64 {
        writer.run(|db| db.query_row("SELECT count(*) FROM facts", [], |row| row.get(0))).await.unwrap()
    }

    async fn put(writer: &Writer, key: impl ToString, value: String) -> Result<(), LedgerError> {
        let key = key.to_string();
        writer.run(move |db| super::super::facts::remember(db, &key, &value)).await
    }

    #[actix_rt::test]
    async fn a_command_that_fails_or_panics_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder, "");
        let failing = writer.run(|db| db.execute("INSERT INTO nowhere VALUES (1)", []));
        let panicking = writer.run(|db| -> rusqlite::Result<()> {
            db.execute("INSERT INTO facts VALUES ('half', 'done')", [])?;
            panic!("as it was told to");
        });
        let (fine, failed, panicked, last) = futures_util::join!(
            put(&writer, "a", "1".into()),
            failing,
            panicking,
            put(&writer, "b", "2".into())
        );
        assert!(fine.is_ok() && failed.is_err() && panicked.is_err() && last.is_ok());
        assert_eq!(facts(&writer).await, 2);
    }

    #[actix_rt::test]
    async fn a_full_disk_is_reported_to_all_and_nothing_half_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        // As many pages as there are, and a few more.
        let writer = writer(&folder, "PRAGMA max_page_count = 30");
        let results = join_all((0..40).map(|number| put(&writer, number, "x".repeat(20_000)))).await;
        let stored = results.iter().filter(|result| result.is_ok()).count();
        assert!(stored < 40, "it was meant to be full");
        let error = results.into_iter().find_map(Result::err).unwrap();
        assert!(!error.is_retryable() && error.to_string().contains("full"), "{error}");
        assert_eq!(facts(&writer).await, i64::try_from(stored).unwrap());
    }

    #[actix_rt::test]
    async fn what_another_program_is_in_the_way_of_may_be_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder, "PRAGMA busy_timeout = 0");
        let other = Connection::open(folder.path().join("ledger.sqlite")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = put(&writer, "a", "1".into()).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        other.execute_batch("COMMIT").unwrap();
        put(&writer, "a", "1".into()).await.unwrap();
    }
}
