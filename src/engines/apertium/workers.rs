//! Shares the chains among all arbiters. Starting one costs fifty milliseconds and its dictionaries' memory, so there is
//! one for each pair, made when the pair is first asked for, on a thread that no arbiter's end takes with it.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::Arc,
    thread,
    time::Duration,
};

use futures_util::future::join_all;
use mynah_domain::Language;
use tokio::sync::{mpsc, oneshot};

use super::{
    super::routes::{self, Direction},
    chain::{Chain, ChainError},
    pairs::Pair,
};

/// How many texts a chain is given at once. They overlap in its stages; more would only wait.
const AT_ONCE: usize = 8;

/// How many texts may wait for a chain before those who send more wait, too.
const WAITING: usize = 64;

/// One text for one pair.
struct Request {
    text: String,
    answer: oneshot::Sender<Result<String, ChainError>>,
}

/// A handle to the chains. The last one dropped ends them.
#[derive(Debug, Clone)]
pub(super) struct Workers {
    queues: Arc<BTreeMap<Direction, mpsc::Sender<Request>>>,
}

impl Workers {
    /// Readies a worker for each of `pairs`, without starting any program.
    pub(super) fn start(pairs: BTreeMap<Direction, Pair>, timeout: Duration) -> io::Result<Self> {
        let mut queues = BTreeMap::new();
        let mut work = Vec::new();
        for (direction, pair) in pairs {
            let (sender, receiver) = mpsc::channel(WAITING);
            queues.insert(direction, sender);
            work.push((pair, receiver));
        }
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        thread::Builder::new().name("apertium".into()).spawn(move || {
            let runtime = match actix_rt::Runtime::new() {
                Ok(runtime) => runtime,
                Err(error) => {
                    // Whoever started it waits for this.
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let _ = ready.send(Ok(()));
            // Each a task of its own: should one panic, the others go on.
            let start = |(pair, requests)| actix_rt::spawn(serve(pair, timeout, requests));
            runtime.block_on(async { join_all(work.into_iter().map(start)).await });
        })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self { queues: Arc::new(queues) })
    }

    /// The way from one language to another with the pairs there are.
    pub(super) fn route(&self, from: Language, to: Language) -> Option<Vec<Direction>> {
        routes::route(&self.queues, from, to)
    }

    /// What can be translated directly.
    pub(super) fn directions(&self) -> impl Iterator<Item = Direction> {
        self.queues.keys().copied()
    }

    /// The translation of `text`, which is in the stream format and one sentence or several.
    pub(super) async fn translate(&self, direction: Direction, text: String) -> Result<String, ChainError> {
        let gone = || ChainError::Start("the thread that runs Apertium, which is gone".into());
        let queue = self.queues.get(&direction).ok_or_else(gone)?;
        let (answer, answered) = oneshot::channel();
        queue.send(Request { text, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Answers `requests` for as long as anybody may send any, with one chain after another.
async fn serve(pair: Pair, timeout: Duration, mut requests: mpsc::Receiver<Request>) {
    let mut standing: Option<Chain> = None;
    let mut waiting: VecDeque<Request> = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match requests.recv().await {
                Some(request) => waiting.push_back(request),
                None => return,
            }
        }
        while waiting.len() < AT_ONCE
            && let Ok(request) = requests.try_recv()
        {
            waiting.push_back(request);
        }
        // Whoever gave up waiting needs no answer.
        waiting.retain(|request| !request.answer.is_closed());
        if waiting.is_empty() {
            continue;
        }
        // A chain that died while idle was not killed by a text.
        let alive = standing.take().and_then(|mut chain| chain.is_alive().then_some(chain));
        let mut chain = match alive.map_or_else(|| Chain::start(&pair, timeout), Ok) {
            Ok(chain) => chain,
            Err(error) => {
                for request in waiting.drain(..) {
                    let _ = request.answer.send(Err(error.clone()));
                }
                continue;
            }
        };
        let texts: Vec<&str> = waiting.iter().map(|request| request.text.as_str()).collect();
        let (translations, error) = chain.run(&texts).await;
        let done = translations.len();
        for (request, translation) in waiting.drain(..done).zip(translations) {
            // An error means that nobody waits any more.
            let _ = request.answer.send(Ok(translation));
        }
        match error {
            None => standing = Some(chain),
            Some(error) => {
                log::warn!(pair = pair.name.as_str(), reason:% = error; "Apertium pipeline restarted");
                // The first without a translation is the one it happened to; those behind it go to the next chain.
                if let Some(request) = waiting.pop_front() {
                    let _ = request.answer.send(Err(error));
                }
            }
        }
    }
}
