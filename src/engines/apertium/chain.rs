//! The programs of one pair at work: one life of a pipeline, from its start to its first misstep.
//!
//! Programs stand in a row, pipe to pipe, and take texts NUL by NUL; one that forgets ([`Stage::forgets`]) stands between
//! two such rows and is replaced as soon as it says that it has forgotten something. A stage that dies leaves the others
//! silent rather than failing, so the answer is waited for with a timeout, and each carries the number of its question:
//! what is out of step is never taken for somebody else's translation. After any misstep the whole chain is dropped,
//! and dropping it kills every process in it.

use std::{env, io, process::Stdio, slice, time::Duration};

use rustix::{
    io::ioctl_fionread,
    process::{Pid, Signal, kill_process_group},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::{mode::Stage, pairs::Pair};

/// Why a chain ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChainError {
    #[error("cannot start {0}; is the apertium package installed?")]
    Start(String),
    #[error("{0} ended in the middle of a text")]
    Died(String),
    #[error("no translation within {0:?}")]
    TimedOut(Duration),
    #[error("the answer is not one to the text that was sent")]
    OutOfStep,
}

/// The maximum size of an answer. A longer one means that a stage is malfunctioning.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// What runs the texts of one pair.
pub(super) struct Chain {
    parts: Vec<Part>,
    timeout: Duration,
    /// The number of the last text.
    number: u64,
}

enum Part {
    Row(Row),
    Forgetful(Forgetful),
}

impl Chain {
    pub(super) fn start(pair: &Pair, timeout: Duration) -> Result<Self, ChainError> {
        let mut parts = Vec::new();
        for row in pair.stages.chunk_by(|a, b| !a.forgets() && !b.forgets()) {
            parts.push(match row {
                [stage] if stage.forgets() => Part::Forgetful(Forgetful::new(stage)),
                row => Part::Row(Row::start(row, Stdio::null)?),
            });
        }
        Ok(Self { parts, timeout, number: 0 })
    }

    /// Whether all its programs still run.
    pub(super) fn is_alive(&mut self) -> bool {
        self.parts.iter_mut().all(|part| match part {
            Part::Row(row) => row.dead().is_none(),
            Part::Forgetful(forgetful) => forgetful.is_alive(),
        })
    }

    /// The translations of `texts`, in order, as far as it came; where it did not come to the end, why not. After an
    /// error it must be dropped.
    pub(super) async fn run(&mut self, texts: &[&str]) -> (Vec<String>, Option<ChainError>) {
        let first = self.number;
        let mut current: Vec<Vec<u8>> = texts
            .iter()
            .map(|text| {
                self.number += 1;
                // The full stop ends the sentence for the tagger, as `apertium-destxt` does; it stands after the mark of
                // the end and is cut off with it.
                format!("{text}{}.[]", end_mark(self.number)).into_bytes()
            })
            .collect();
        let mut failed = None;
        for part in &mut self.parts {
            let (answers, error) = match part {
                Part::Row(row) => row.run(&current, self.timeout).await,
                Part::Forgetful(forgetful) => forgetful.run(&current, self.timeout).await,
            };
            current = answers;
            // An error in a later part concerns an earlier text, so it takes precedence.
            failed = error.or(failed);
        }
        let mut translations = Vec::with_capacity(current.len());
        for (number, answer) in (first + 1..).zip(current) {
            let Some(translation) = cut(answer, number) else {
                return (translations, Some(ChainError::OutOfStep));
            };
            translations.push(translation);
        }
        (translations, failed)
    }
}

fn end_mark(number: u64) -> String {
    format!("[~{number}]")
}

/// What stands before the mark of the end.
fn cut(answer: Vec<u8>, number: u64) -> Option<String> {
    let mut text = String::from_utf8(answer).ok()?;
    let end = text.find(&end_mark(number))?;
    text.truncate(end);
    Some(text)
}

/// Programs that run, each into the next.
struct Row {
    name: String,
    group: Pid,
    stages: Vec<Child>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What the last of them complains, where anybody listens.
    complaints: Option<ChildStderr>,
    complained: bool,
}

impl Row {
    fn start(row: &[Stage], complaints: fn() -> Stdio) -> Result<Self, ChainError> {
        let mut stages: Vec<Child> = Vec::with_capacity(row.len());
        let mut group = 0;
        let mut input = None;
        let mut last: Option<ChildStdout> = None;
        for stage in row {
            let failed = |error: io::Error| ChainError::Start(format!("{}: {error}", stage.program));
            let stdin = match last.take() {
                None => Stdio::piped(),
                Some(output) => output.try_into().map_err(failed)?,
            };
            // All in the group of the first, so that one signal ends them all and whatever they may have started.
            let mut child =
                command(stage, stdin).stderr(complaints()).process_group(group).spawn().map_err(failed)?;
            if group == 0 {
                group = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
                input = child.stdin.take();
            }
            last = child.stdout.take();
            stages.push(child);
        }
        let complaints = stages.last_mut().and_then(|last| last.stderr.take());
        match (input, last, Pid::from_raw(group)) {
            (Some(input), Some(output), Some(group)) => Ok(Self {
                name: row.iter().map(|stage| stage.program.as_str()).collect::<Vec<_>>().join(" | "),
                group,
                stages,
                input,
                output: BufReader::new(output),
                complaints,
                complained: false,
            }),
            _ => Err(ChainError::Start("a pipeline without programs".into())),
        }
    }

    /// The program that has ended, if one has, and how.
    fn dead(&mut self) -> Option<String> {
        let programs = self.name.split(" | ");
        self.stages.iter_mut().zip(programs).find_map(|(stage, program)| {
            let status = stage.try_wait().ok()??;
            Some(format!("{program} ({status})"))
        })
    }

    async fn run(&mut self, texts: &[Vec<u8>], limit: Duration) -> (Vec<Vec<u8>>, Option<ChainError>) {
        let Self { input, output, complaints, complained, .. } = self;
        // Both ends at once: the pipes hold less than a batch. What goes wrong with writing shows in reading.
        let writing = async {
            for text in texts {
                if input.write_all(text).await.is_err() || input.write_all(&[0]).await.is_err() {
                    break;
                }
            }
            let _ = input.flush().await;
            std::future::pending::<()>().await;
        };
        // A program whose complaints nobody takes stands still once the pipe is full of them.
        let listening = async {
            if let Some(complaints) = complaints {
                let mut heard = [0; 1024];
                while matches!(complaints.read(&mut heard).await, Ok(1..)) {
                    *complained = true;
                }
            }
            std::future::pending::<()>().await;
        };
        let mut answers = Vec::with_capacity(texts.len());
        let reading = async {
            for _ in texts {
                match timeout(limit, read_answer(output)).await {
                    Ok(Some(answer)) => answers.push(answer),
                    Ok(None) => return Some(ChainError::Died(String::new())),
                    Err(_) => return Some(ChainError::TimedOut(limit)),
                }
            }
            None
        };
        let error = tokio::select! {
            error = reading => error,
            () = writing => None,
            () = listening => None,
        };
        let error = error.map(|error| match error {
            ChainError::Died(_) => ChainError::Died(self.dead().unwrap_or_else(|| "a stage".into())),
            error => error,
        });
        (answers, error)
    }
}

impl Row {
    /// Whether anything was complained of. A complaint comes before the answer that it is about, so once that is read,
    /// it is here, too, though the runtime may not have noticed.
    fn has_complained(&self) -> bool {
        let waiting = |complaints| ioctl_fionread(complaints).is_ok_and(|bytes| bytes > 0);
        self.complained || self.complaints.as_ref().is_some_and(waiting)
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        // It may be gone already. What is left of it is reaped by the runtime.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

/// A program that is replaced when it has forgotten something. It takes texts one at a time, so that none is sent to it
/// after the one over which it forgot.
struct Forgetful {
    stage: Stage,
    running: Option<Row>,
}

impl Forgetful {
    fn new(stage: &Stage) -> Self {
        let mut stage = stage.clone();
        // It says on stderr when it meets a word of a kind that it was not trained on. The answer is the same.
        stage.arguments.insert(0, "-d".into());
        Self { stage, running: None }
    }

    fn is_alive(&mut self) -> bool {
        self.running.as_mut().is_none_or(|row| row.dead().is_none())
    }

    async fn run(&mut self, texts: &[Vec<u8>], limit: Duration) -> (Vec<Vec<u8>>, Option<ChainError>) {
        let mut answers = Vec::with_capacity(texts.len());
        for text in texts {
            let fresh = || Row::start(slice::from_ref(&self.stage), Stdio::piped);
            let mut row = match self.running.take().map_or_else(fresh, Ok) {
                Ok(row) => row,
                Err(error) => return (answers, Some(error)),
            };
            let (answer, error) = row.run(slice::from_ref(text), limit).await;
            answers.extend(answer);
            if error.is_some() {
                return (answers, error);
            }
            if !row.has_complained() {
                self.running = Some(row);
            }
        }
        (answers, None)
    }
}

/// An answer without its NUL; `None` where the output ended before it.
async fn read_answer(output: &mut BufReader<ChildStdout>) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    output.take(MAX_ANSWER).read_until(0, &mut answer).await.ok()?;
    (answer.pop() == Some(0)).then_some(answer)
}

fn command(stage: &Stage, stdin: Stdio) -> Command {
    let mut command = Command::new(&stage.program);
    command
        .args(&stage.arguments)
        // The program must not see Mynah's secrets. The stages read the characters' encoding from the locale.
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
        .stdin(stdin)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}
