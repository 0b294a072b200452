//! The thread that owns the connection. It takes every command that waits, runs each in a savepoint of its own inside
//! one transaction, commits, and only then answers all of them: nobody hears "done" of what a crash may still undo.

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

use super::open::Opened;

/// The most commands in one transaction: bounds how long the first of them waits.
const MAX_BATCH: usize = 512;

/// The most commands that wait; a sender past that blocks for a moment, which bounds memory.
const MAX_WAITING: usize = 4096;

/// Runs inside the transaction, or hears why there is none; what it gives back is called once the outcome of the commit
/// is known.
type Command = Box<dyn FnOnce(Result<&Connection, &LedgerError>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Writer {
    commands: SyncSender<Command>,
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
        command: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (sender, answer) = oneshot::channel();
        let command: Command = Box::new(move |db| {
            let result = db.map_err(Clone::clone).and_then(|db| in_savepoint(db, command));
            Box::new(move |committed| {
                // Whoever asked may have left.
                let _ = sender.send(committed.and(result));
            })
        });
        let ended = || LedgerError("the ledger's thread has ended; restart mynah".into());
        self.commands.send(command).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

fn work(opened: &Opened, waiting: &Receiver<Command>, committed: &impl Fn(Duration)) {
    while let Ok(first) = waiting.recv() {
        let (began, changes) = (Instant::now(), opened.connection.total_changes());
        let batch = std::iter::once(first).chain(waiting.try_iter()).take(MAX_BATCH);
        run_batch(opened, batch);
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

/// Runs commands in one transaction and answers all of them when its outcome is known.
fn run_batch(opened: &Opened, batch: impl Iterator<Item = Command>) {
    let db = &opened.connection;
    let mut broken =
        db.execute_batch("BEGIN IMMEDIATE").err().map(|error| explain(opened, &error.to_string()));
    let mut answers: Vec<Answer> = Vec::new();
    for command in batch {
        answers.push(command(broken.as_ref().map_or(Ok(db), Err)));
        // A full disk makes SQLite undo the whole transaction in the middle of it: what came before is gone, too, and
        // what comes after must not be written on its own.
        if broken.is_none() && db.is_autocommit() {
            broken = Some(explain(opened, "the disk is full or failed, and the transaction was undone"));
        }
    }
    let committed = if let Some(reason) = broken {
        Err(reason)
    } else {
        failpoint::reach("ledger.commit.before");
        let committed = db.execute_batch("COMMIT");
        failpoint::reach("ledger.commit.after");
        committed.map_err(|error| explain(opened, &error.to_string()))
    };
    if let Err(reason) = &committed {
        error!(reason:%; "the ledger could not be written");
        if !db.is_autocommit() {
            // Where even that fails, SQLite undoes it when it closes.
            let _ = db.execute_batch("ROLLBACK");
        }
    }
    for answer in answers {
        answer(committed.clone());
    }
}

/// Runs a command so that its failure, or its panic, undoes nothing but its own changes.
fn in_savepoint<T>(
    db: &Connection,
    command: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, LedgerError> {
    let told = |error: rusqlite::Error| LedgerError(format!("the ledger refused a command: {error}"));
    let run = |sql: &str| db.prepare_cached(sql)?.execute([]).map(drop);
    run("SAVEPOINT command").map_err(told)?;
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| command(db)))
        .unwrap_or_else(|_| Err(rusqlite::Error::UnwindingPanic));
    if result.is_err() {
        db.execute_batch("ROLLBACK TO command").map_err(told)?;
    }
    run("RELEASE command").map_err(told)?;
    result.map_err(told)
}

fn explain(opened: &Opened, error: &str) -> LedgerError {
    LedgerError(format!(
        "{} could not be written: {error}; nothing more is published without a record: free space or mend the disk, then start again",
        opened.path.display()
    ))
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::ledger::open;

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
        writer.run(move |db| super::super::posts::remember(db, &key, &value)).await
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
    async fn a_full_disk_is_told_to_all_and_nothing_half_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        // As many pages as there are, and a few more.
        let writer = writer(&folder, "PRAGMA max_page_count = 30");
        let results = join_all((0..40).map(|number| put(&writer, number, "x".repeat(20_000)))).await;
        let kept = results.iter().filter(|result| result.is_ok()).count();
        assert!(kept < 40, "it was meant to be full");
        let told = results.into_iter().find_map(Result::err).unwrap().to_string();
        assert!(told.contains("full"), "{told}");
        assert_eq!(facts(&writer).await, i64::try_from(kept).unwrap());
    }
}
