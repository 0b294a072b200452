//! The thread that owns the connection. It takes every command that waits, runs each in a savepoint of its own inside
//! one transaction, commits, and only then answers all of them: nobody hears "done" of what a crash may still undo.

use std::{
    panic::AssertUnwindSafe,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use log::error;
use mynah_domain::ports::LedgerError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::open::Opened;

/// The most commands in one transaction: bounds how long the first of them waits.
const MAX_BATCH: usize = 512;

/// The most commands that wait; a sender past that blocks for a moment, which bounds memory.
const MAX_WAITING: usize = 4096;

/// Runs inside the transaction; what it gives back is called once the outcome of the commit is known.
type Command = Box<dyn FnOnce(&Connection) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Writer {
    commands: SyncSender<Command>,
}

impl Writer {
    pub(super) fn start(opened: Opened) -> Self {
        let (commands, waiting) = sync_channel(MAX_WAITING);
        // A process that cannot start a thread cannot start at all.
        thread::Builder::new()
            .name("ledger".into())
            .spawn(move || work(&opened, &waiting))
            .expect("a thread can be started");
        Self { commands }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        command: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (sender, answer) = oneshot::channel();
        let command: Command = Box::new(move |db| {
            let result = in_savepoint(db, command);
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

fn work(opened: &Opened, waiting: &Receiver<Command>) {
    let db = &opened.connection;
    while let Ok(first) = waiting.recv() {
        let batch = std::iter::once(first).chain(waiting.try_iter()).take(MAX_BATCH);
        let begun = db.execute_batch("BEGIN IMMEDIATE");
        let mut answers: Vec<Answer> = Vec::new();
        for command in batch {
            answers.push(command(db));
        }
        let committed = begun.and_then(|()| db.execute_batch("COMMIT")).map_err(|error| {
            if !db.is_autocommit() {
                // What could not be committed is undone; where even that fails, SQLite undoes it when it closes.
                let _ = db.execute_batch("ROLLBACK");
            }
            let reason = explain(opened, &error);
            error!("{reason}");
            reason
        });
        for answer in answers {
            answer(committed.clone());
        }
    }
    // The last handle is gone. What a checkpoint leaves undone, the next start does.
    let _ = db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    // The lock goes last, with `opened`.
    let _ = &opened.lock;
}

/// Runs a command so that its failure, or its panic, undoes nothing but its own changes.
fn in_savepoint<T>(
    db: &Connection,
    command: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, LedgerError> {
    let told = |error: rusqlite::Error| LedgerError(format!("the ledger refused a command: {error}"));
    db.execute_batch("SAVEPOINT command").map_err(told)?;
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| command(db)))
        .unwrap_or_else(|_| Err(rusqlite::Error::UnwindingPanic));
    let end = if result.is_ok() { "RELEASE command" } else { "ROLLBACK TO command; RELEASE command" };
    db.execute_batch(end).map_err(told)?;
    result.map_err(told)
}

fn explain(opened: &Opened, error: &rusqlite::Error) -> LedgerError {
    LedgerError(format!(
        "{} could not be written: {error}; nothing more is published without a record: free space or mend the disk, then start again",
        opened.path.display()
    ))
}
