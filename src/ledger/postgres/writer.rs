//! Writes what the pipeline reports. One task has a connection of its own; all commands that are waiting go into one
//! transaction, and each caller is answered after the commit. A hundred workers cost one transaction, not a hundred.
//!
//! A command that fails does not affect others: each then runs in a transaction of its own.

use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use log::error;
use mynah_domain::ports::LedgerError;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    PATIENCE,
    batch::{self, Answer, Command},
    connect::{Connections, give_back},
    errors::{Error, Result},
    fences::Fences,
    thread::Thread,
};

/// The maximum number of commands in one transaction: limits how long the first one waits.
const MAX_BATCH: usize = 512;

/// The maximum number of waiting commands; further senders wait, which limits memory use.
const MAX_WAITING: usize = 4096;

/// A command, and the receiver of its answer.
struct Asked {
    command: Command,
    asker: oneshot::Sender<std::result::Result<Answer, LedgerError>>,
}

/// A handle of the task.
#[derive(Clone)]
pub(super) struct Writer {
    commands: mpsc::Sender<Asked>,
}

impl Writer {
    pub(super) fn start(thread: &Thread, work: Work, committed: impl Fn(Duration) + Send + 'static) -> Self {
        let (commands, waiting) = mpsc::channel(MAX_WAITING);
        thread.start_task(move || Box::pin(work.run(waiting, committed)));
        Self { commands }
    }

    pub(super) async fn ask(&self, command: Command) -> std::result::Result<Answer, LedgerError> {
        let ended = || LedgerError::Fatal("the ledger's thread has ended; restart mynah".into());
        let (asker, answer) = oneshot::channel();
        self.commands.send(Asked { command, asker }).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

/// What the task works with.
pub(super) struct Work {
    pub(super) connections: Connections,
    pub(super) fences: Fences,
    /// The ledger's name for people.
    pub(super) ledger: String,
}

impl Work {
    async fn run(self, mut waiting: mpsc::Receiver<Asked>, committed: impl Fn(Duration) + Send) {
        let mut connection = None;
        let mut asked = Vec::new();
        while waiting.recv_many(&mut asked, MAX_BATCH).await > 0 {
            let (commands, askers): (Vec<Command>, Vec<_>) =
                asked.drain(..).map(|Asked { command, asker }| (command, asker)).unzip();
            let began = Instant::now();
            let answers = self.answers(&mut connection, &commands).await;
            if answers.iter().any(std::result::Result::is_ok) {
                committed(began.elapsed());
            }
            for (asker, answer) in askers.into_iter().zip(answers) {
                // The caller may be gone.
                let _ = asker.send(answer);
            }
        }
    }

    /// The answer to each command.
    async fn answers(
        &self,
        connection: &mut Option<Object>,
        commands: &[Command],
    ) -> Vec<std::result::Result<Answer, LedgerError>> {
        let error = match self.transact(connection, commands).await {
            Ok(answers) => return answers.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if commands.len() > 1 && error.is_of_a_command() {
            let mut answers = Vec::with_capacity(commands.len());
            for command in commands {
                let answer = self.transact(connection, std::slice::from_ref(command)).await;
                answers.push(match answer.map(|mut answers| answers.pop()) {
                    Ok(Some(answer)) => Ok(answer),
                    Ok(None) => Err(LedgerError::Fatal(
                        "the ledger answered no command; please report this bug".into(),
                    )),
                    Err(error) => Err(self.explained(error)),
                });
            }
            return answers;
        }
        let error = self.explained(error);
        commands.iter().map(|_| Err(error.clone())).collect()
    }

    async fn transact(&self, connection: &mut Option<Object>, commands: &[Command]) -> Result<Vec<Answer>> {
        // A lost connection is noticed here, not by a caller.
        let ready = match connection.take().filter(|connection| !connection.is_closed()) {
            Some(ready) => ready,
            None => self.connections.get().await?,
        };
        let outcome =
            timeout(PATIENCE, batch::run(&ready, &self.fences, commands)).await.unwrap_or(Err(Error::Slow));
        match &outcome {
            Err(error) if !error.leaves_connection() => give_back(ready, &outcome),
            _ => *connection = Some(ready),
        }
        outcome
    }

    fn explained(&self, error: Error) -> LedgerError {
        let error = error.explained(&self.ledger);
        error!(reason:% = error; "ledger write failed");
        error
    }
}
