//! The thread that owns the connection. It runs all waiting commands in one transaction, commits, and only then answers
//! them: no caller gets an answer for something that a crash may still undo.
//!
//! A command that fails does not affect others: the transaction is rolled back, and each command runs again in its own.
//! That is rare, and costs nothing without failures; with a savepoint per command, SQLite copied every changed page.
//!
//! What SQLite cannot do within a transaction runs alone, after the commands that were waiting with it.

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

/// The maximum number of commands in one transaction: limits how long the first one waits.
const MAX_BATCH: usize = 512;

/// The maximum number of waiting commands; further senders block for a moment, which limits memory use.
const MAX_WAITING: usize = 4096;

/// A command and the receiver of its result.
trait Command: Send {
    /// Runs the command and stores its result. May be called again if the transaction was rolled back.
    fn run(&mut self, db: &Connection) -> Result<(), LedgerError>;

    /// Sends the result, once the transaction's outcome is known.
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
        // A rollback undoes whatever a panic left half done.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| (self.run)(db)))
            .unwrap_or_else(|_| Err(rusqlite::Error::UnwindingPanic));
        let answer =
            result.map_err(|error| failed(&error, format!("the ledger refused a command: {error}")))?;
        self.answer = Some(answer);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), LedgerError>) {
        let Self { answer, asker, .. } = *self;
        let unasked = || {
            LedgerError::Fatal(
                "the ledger committed a command that it never ran; please report this bug".into(),
            )
        };
        // The caller may be gone.
        let _ = asker.send(committed.and_then(|()| answer.ok_or_else(unasked)));
    }
}

/// What the thread is asked to do.
enum Order {
    /// A command of the next transaction.
    Command(Box<dyn Command>),
    /// Something that runs outside of transactions.
    Alone(Box<dyn FnOnce(&Connection) + Send>),
}

/// A handle of the thread.
#[derive(Clone)]
pub(super) struct Writer {
    orders: SyncSender<Order>,
}

impl Writer {
    pub(super) fn start(opened: Opened, committed: impl Fn(Duration) + Send + 'static) -> Self {
        let (orders, waiting) = sync_channel(MAX_WAITING);
        // A process that cannot start a thread cannot run.
        thread::Builder::new()
            .name("ledger".into())
            .spawn(move || work(&opened, &waiting, &committed))
            .expect("the ledger's thread should start");
        Self { orders }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        run: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (asker, answer) = oneshot::channel();
        self.order(Order::Command(Box::new(Asked { run, answer: None, asker })))?;
        answer.await.map_err(|_| ended())?
    }

    /// Runs something outside of transactions. All other callers wait meanwhile.
    pub(super) async fn run_alone<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (asker, answer) = oneshot::channel();
        let run = move |db: &Connection| {
            let result = std::panic::catch_unwind(AssertUnwindSafe(|| run(db)))
                .unwrap_or_else(|_| Err(rusqlite::Error::UnwindingPanic));
            // The caller may be gone.
            let _ = asker.send(result.map_err(|error| failed(&error, error.to_string())));
        };
        self.order(Order::Alone(Box::new(run)))?;
        answer.await.map_err(|_| ended())?
    }

    fn order(&self, order: Order) -> Result<(), LedgerError> {
        self.orders.send(order).map_err(|_| ended())
    }
}

fn ended() -> LedgerError {
    LedgerError::Fatal("the ledger's thread has ended; restart mynah".into())
}

fn work(opened: &Opened, waiting: &Receiver<Order>, committed: &impl Fn(Duration)) {
    while let Ok(first) = waiting.recv() {
        let (mut commands, mut alone) = (Vec::new(), Vec::new());
        for order in std::iter::once(first).chain(waiting.try_iter()).take(MAX_BATCH) {
            match order {
                Order::Command(command) => commands.push(command),
                Order::Alone(run) => alone.push(run),
            }
        }
        let (began, changes) = (Instant::now(), opened.connection.total_changes());
        if !commands.is_empty() {
            run_batch(opened, commands);
        }
        // A transaction that only read does not measure the disk.
        if opened.connection.total_changes() != changes {
            committed(began.elapsed());
        }
        for run in alone {
            run(&opened.connection);
        }
    }
    // The last handle is gone. If the checkpoint fails, the next start does it.
    let _ = opened.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    // The lock is released last, with `opened`.
    let _ = &opened.lock;
}

/// Why a transaction was rolled back.
enum Undone {
    /// One of its commands failed: the others may succeed without it.
    Command(LedgerError),
    /// SQLite could not run a transaction.
    Transaction(LedgerError),
}

/// Runs commands in one transaction, or each in its own if one fails, and answers each when its outcome is known.
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

/// Runs a transaction: either all of it is on the disk, or nothing.
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
            // On a full disk, SQLite rolls the transaction back in the middle of it: the commands after that must not
            // run without it.
            if db.is_autocommit() {
                let reason =
                    explain(opened, "the disk is full or failed, and the transaction was rolled back");
                return Err(Undone::Command(LedgerError::Fatal(reason)));
            }
        }
        failpoint::reach("ledger.commit.before");
        let committed = execute("COMMIT");
        failpoint::reach("ledger.commit.after");
        committed
    });
    if outcome.is_err() && !db.is_autocommit() {
        // If even this fails, SQLite rolls back when it closes.
        let _ = db.execute_batch("ROLLBACK");
    }
    outcome
}

fn explain(opened: &Opened, error: &str) -> String {
    format!(
        "cannot write {}: {error}; Mynah publishes nothing without a record: free space or fix the disk, then restart mynah",
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
    async fn a_command_that_fails_or_panics_does_not_affect_others() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder, "");
        let failing = writer.run(|db| db.execute("INSERT INTO nowhere VALUES (1)", []));
        let panicking = writer.run(|db| -> rusqlite::Result<()> {
            db.execute("INSERT INTO facts VALUES ('half', 'done')", [])?;
            panic!("on purpose");
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
    async fn a_full_disk_is_reported_to_all_and_stores_no_partial_command() {
        let folder = tempfile::tempdir().unwrap();
        // A few more pages than the empty ledger has.
        let writer = writer(&folder, "PRAGMA max_page_count = 30");
        let results = join_all((0..40).map(|number| put(&writer, number, "x".repeat(20_000)))).await;
        let stored = results.iter().filter(|result| result.is_ok()).count();
        assert!(stored < 40, "the disk should be full");
        let error = results.into_iter().find_map(Result::err).unwrap();
        assert!(!error.is_retryable() && error.to_string().contains("full"), "{error}");
        assert_eq!(facts(&writer).await, i64::try_from(stored).unwrap());
    }

    #[actix_rt::test]
    async fn a_command_blocked_by_another_program_is_retryable() {
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
