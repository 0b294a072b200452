//! The thread that translates. A model computes for tens of milliseconds, in which an arbiter would answer nobody, and takes
//! tens of megabytes, which an idle service should not hold. So all translators share one thread that owns the models: it
//! loads a model when it is first needed, and unloads it when nobody has needed it for a while or when others need the memory.
//!
//! It takes waiting lines of one direction together, because a model computes several sentences faster than one after another,
//! and the library spreads them over further threads. The models cannot leave their thread.

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use mynah_domain::text::Segment;
use tokio::sync::oneshot;

use super::{
    super::routes::Direction,
    line::Line,
    model::{ModelError, Neural},
    store::Installed,
};

/// Reads a model into memory, for use with so many threads.
pub(super) type Loader = fn(&Installed, usize) -> Result<Box<dyn Neural>, ModelError>;

/// What the thread may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Over how many threads the sentences are spread.
    pub(super) threads: usize,
    /// The most models in memory.
    pub(super) loaded: usize,
    /// The most sentences that one thread translates together.
    pub(super) batch: usize,
    /// How long a model stays in memory without work.
    pub(super) idle: Duration,
}

/// A handle to the thread. It ends with the last one.
#[derive(Clone)]
pub(super) struct Pool(Arc<Handle>);

struct Handle(Arc<Shared>);

/// What the thread shares with its callers.
struct Shared {
    /// The models that may be loaded.
    installed: BTreeMap<Direction, Installed>,
    bounds: Bounds,
    state: Mutex<State>,
    /// Wakes the thread when there is work, or nothing will come any more.
    work: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Request>,
    is_closing: bool,
}

/// One line to translate.
struct Request {
    direction: Direction,
    line: Vec<Segment>,
    answer: oneshot::Sender<Result<Vec<Segment>, ModelError>>,
}

/// The thread.
struct Worker {
    shared: Arc<Shared>,
    load: Loader,
    models: BTreeMap<Direction, Loaded>,
}

/// A model in memory.
struct Loaded {
    model: Box<dyn Neural>,
    used: Instant,
}

impl Pool {
    /// Starts the thread. No model is loaded yet.
    pub(super) fn start(
        installed: BTreeMap<Direction, Installed>,
        bounds: Bounds,
        load: Loader,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { installed, bounds, state: Mutex::default(), work: Condvar::new() });
        let of_worker = shared.clone();
        thread::Builder::new()
            .name("firefox".into())
            .spawn(move || Worker { shared: of_worker, load, models: BTreeMap::new() }.serve())?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// The models that may be loaded, by direction.
    pub(super) fn installed(&self) -> &BTreeMap<Direction, Installed> {
        &self.0.0.installed
    }

    /// The translation of a line. If the caller stops waiting, the line is not translated.
    pub(super) async fn translate(
        &self,
        direction: Direction,
        line: Vec<Segment>,
    ) -> Result<Vec<Segment>, ModelError> {
        let (answer, answered) = oneshot::channel();
        self.0.0.state().waiting.push_back(Request { direction, line, answer });
        self.0.0.work.notify_one();
        answered.await.unwrap_or(Err(ModelError::Gone))
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("bounds", &self.0.0.bounds).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state().is_closing = true;
        self.0.work.notify_all();
    }
}

impl Shared {
    /// Nobody panics while holding the state, and if somebody did, the state would still be whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// Translates for as long as anybody may ask.
    fn serve(mut self) {
        while let Some(requests) = self.next() {
            self.answer(requests);
        }
    }

    /// Waits for work, and unloads models that have none. `None` once nothing will come any more.
    fn next(&mut self) -> Option<Vec<Request>> {
        let Bounds { idle, batch, threads, .. } = self.shared.bounds;
        let shared = self.shared.clone();
        let mut state = shared.state();
        loop {
            if state.is_closing {
                return None;
            }
            let requests = state.take(batch * threads);
            if !requests.is_empty() {
                return Some(requests);
            }
            let used = self.models.iter().map(|(direction, loaded)| (loaded.used, *direction)).min();
            let Some((used, direction)) = used else {
                state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = (used + idle).saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Freeing memory takes a moment, in which callers need the state.
                drop(state);
                self.unload(direction, "idle");
                state = shared.state();
            } else {
                state = shared.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn answer(&mut self, requests: Vec<Request>) {
        let Some(direction) = requests.first().map(|request| request.direction) else { return };
        let bounds = self.shared.bounds;
        let model = match self.model(direction) {
            Ok(model) => model,
            Err(error) => {
                for request in requests {
                    // An error means that nobody waits any more.
                    let _ = request.answer.send(Err(error.clone()));
                }
                return;
            }
        };
        let lines: Vec<&[Segment]> = requests.iter().map(|request| request.line.as_slice()).collect();
        if let Ok(translated) = translate(direction, model, &lines, bounds) {
            for (request, line) in requests.into_iter().zip(translated) {
                let _ = request.answer.send(Ok(line));
            }
            return;
        }
        // One of them is to blame, and only that one gets an error.
        for request in requests {
            let alone = translate(direction, model, &[&request.line], bounds);
            let _ = request.answer.send(alone.and_then(|mut lines| lines.pop().ok_or(ModelError::Gone)));
        }
    }

    /// The model of a direction, loaded if it is not.
    fn model(&mut self, direction: Direction) -> Result<&dyn Neural, ModelError> {
        if !self.models.contains_key(&direction) {
            while self.models.len() >= self.shared.bounds.loaded
                && let Some(oldest) =
                    self.models.iter().min_by_key(|(_, loaded)| loaded.used).map(|(pair, _)| *pair)
            {
                self.unload(oldest, "room");
            }
            let model = self.load(direction)?;
            self.models.insert(direction, Loaded { model, used: Instant::now() });
        }
        let loaded = self.models.get_mut(&direction).ok_or(ModelError::Gone)?;
        loaded.used = Instant::now();
        Ok(&*loaded.model)
    }

    fn load(&self, direction: Direction) -> Result<Box<dyn Neural>, ModelError> {
        let installed = self.shared.installed.get(&direction).ok_or(ModelError::Gone)?;
        let pair = installed.pair();
        let started = Instant::now();
        let (load, threads) = (self.load, self.shared.bounds.threads);
        let loaded = catch_unwind(|| load(installed, threads))
            .unwrap_or_else(|panic| Err(installed.damaged(&message(&*panic))));
        match &loaded {
            Ok(_) => log::info!(
                pair = pair.as_str(),
                bytes = installed.bytes(),
                ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                loaded = self.models.len() + 1;
                "model loaded"
            ),
            Err(error) => log::warn!(pair = pair.as_str(), reason:% = error; "model not loaded"),
        }
        loaded
    }

    fn unload(&mut self, direction: Direction, reason: &str) {
        if self.models.remove(&direction).is_none() {
            return;
        }
        let installed = self.shared.installed.get(&direction);
        let pair = installed.map(Installed::pair).unwrap_or_default();
        log::info!(
            pair = pair.as_str(),
            bytes = installed.map(Installed::bytes).unwrap_or_default(),
            reason = reason,
            loaded = self.models.len();
            "model unloaded"
        );
    }
}

/// Translates lines together.
fn translate(
    direction: Direction,
    model: &dyn Neural,
    lines: &[&[Segment]],
    bounds: Bounds,
) -> Result<Vec<Vec<Segment>>, ModelError> {
    let together = bounds.batch * bounds.threads;
    // A panic leaves only the lines half done, which are dropped, and buffers that the library clears before use.
    let translated = catch_unwind(AssertUnwindSafe(|| translate_lines(model, lines, together)));
    translated.map_err(|panic| ModelError::Panicked {
        pair: format!("{}-{}", direction.0, direction.1),
        reason: message(&*panic),
    })
}

fn translate_lines(model: &dyn Neural, lines: &[&[Segment]], together: usize) -> Vec<Vec<Segment>> {
    let mut lines: Vec<Line> = lines.iter().map(|line| Line::new(line, model)).collect();
    // Twice: the second time for what came back without its labels.
    for _ in 0..2 {
        let sentences: Vec<&str> = lines.iter().flat_map(Line::waiting).collect();
        let translations: Vec<String> =
            sentences.chunks(together).flat_map(|sentences| model.translate(sentences)).collect();
        let mut translations = translations.into_iter();
        for line in &mut lines {
            line.take(&mut translations);
        }
    }
    for lost in lines.iter().filter_map(Line::lost) {
        log::debug!(reason:% = lost; "line translated in pieces");
    }
    lines.into_iter().map(Line::finish).collect()
}

impl State {
    /// The oldest request and others for the same model. Requests that nobody waits for are dropped.
    fn take(&mut self, most: usize) -> Vec<Request> {
        self.waiting.retain(|request| !request.answer.is_closed());
        let Some(direction) = self.waiting.front().map(|request| request.direction) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        for _ in 0..self.waiting.len() {
            match self.waiting.pop_front() {
                Some(request) if request.direction == direction && taken.len() < most => taken.push(request),
                Some(request) => self.waiting.push_back(request),
                None => break,
            }
        }
        taken
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt as _;

    use super::{super::line::Vocabulary, *};
    use crate::engines::firefox::{
        made_up,
        store::{Store, parse_direction},
    };

    /// Writes in capitals, panics at `panic`, and tells the test of its end.
    struct Capitals(Option<mpsc::Sender<()>>);

    impl Vocabulary for Capitals {
        fn knows(&self, _: &str) -> bool {
            true
        }

        fn fits(&self, _: &str) -> bool {
            true
        }
    }

    impl Neural for Capitals {
        fn translate(&self, sentences: &[&str]) -> Vec<String> {
            assert!(!sentences.iter().any(|sentence| sentence.contains("panic")), "told to");
            sentences.iter().map(|sentence| sentence.to_uppercase()).collect()
        }
    }

    impl Drop for Capitals {
        fn drop(&mut self) {
            if let Some(end) = &self.0 {
                let _ = end.send(());
            }
        }
    }

    static ENDED: Mutex<Option<mpsc::Sender<()>>> = Mutex::new(None);

    fn direction(name: &str) -> Direction {
        parse_direction(name).unwrap()
    }

    fn pool(bounds: Bounds, load: Loader) -> (tempfile::TempDir, Pool) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::managed(folder.path());
        for name in ["en-es", "en-fr", "en-de"] {
            made_up::install(&store, direction(name));
        }
        (folder, Pool::start(store.installed().unwrap(), bounds, load).unwrap())
    }

    const BOUNDS: Bounds = Bounds { threads: 1, loaded: 2, batch: 4, idle: Duration::from_hours(1) };

    async fn ask(pool: &Pool, pair: &str, text: &str) -> Result<String, ModelError> {
        let line = vec![Segment::Words(text.into())];
        let segments = pool.translate(direction(pair), line).await?;
        Ok(mynah_domain::text::MaskedText(segments).words().collect())
    }

    #[actix_rt::test]
    async fn a_panic_is_an_error_of_its_line_only() {
        let (_folder, pool) = pool(BOUNDS, |_, _| Ok(Box::new(Capitals(None))));
        let texts = ["one", "panic", "three"];
        let answers = futures_util::future::join_all(texts.map(|text| ask(&pool, "en-es", text))).await;
        assert_eq!((answers[0].as_deref().unwrap(), answers[2].as_deref().unwrap()), ("ONE", "THREE"));
        let error = answers[1].as_ref().unwrap_err().to_string();
        assert!(error.contains("en-es") && error.contains("told to"), "{error}");
        assert_eq!(ask(&pool, "en-es", "again").await.unwrap(), "AGAIN");
    }

    #[actix_rt::test]
    async fn a_model_that_cannot_be_loaded_is_an_error_and_may_be_tried_again() {
        let (_folder, pool) = pool(BOUNDS, |installed, _| panic!("bad weights of {}", installed.pair()));
        for _ in 0..2 {
            let error = ask(&pool, "en-es", "one").await.unwrap_err();
            assert!(matches!(error, ModelError::Damaged { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("bad weights") && text.contains("mynah models pull en-es"), "{text}");
        }
    }

    #[actix_rt::test]
    async fn idle_models_and_those_beyond_the_limit_are_unloaded() {
        let (sender, ended) = mpsc::channel();
        *ENDED.lock().unwrap() = Some(sender);
        let load: Loader = |_, _| Ok(Box::new(Capitals(ENDED.lock().unwrap().clone())));
        let (_folder, within) = pool(BOUNDS, load);
        for pair in ["en-es", "en-fr", "en-es"] {
            ask(&within, pair, "x").await.unwrap();
        }
        assert_eq!(ended.try_iter().count(), 0);
        ask(&within, "en-de", "x").await.unwrap();
        assert_eq!(ended.try_iter().count(), 1);
        let (_folder, idle) = pool(Bounds { idle: Duration::from_millis(1), ..BOUNDS }, load);
        ask(&idle, "en-es", "x").await.unwrap();
        ended.recv().unwrap();
        assert_eq!(ask(&idle, "en-es", "y").await.unwrap(), "Y");
    }

    #[actix_rt::test]
    async fn a_line_that_nobody_waits_for_is_not_translated() {
        let mut state = State::default();
        let (answer, answered) = oneshot::channel();
        state.waiting.push_back(Request { direction: direction("en-es"), line: Vec::new(), answer });
        drop(answered);
        assert!(state.take(4).is_empty());
        let (_folder, pool) = pool(BOUNDS, |_, _| Ok(Box::new(Capitals(None))));
        assert!(ask(&pool, "en-es", "panic").now_or_never().is_none());
        assert_eq!(ask(&pool, "en-es", "next").await.unwrap(), "NEXT");
    }
}
