//! A model test of the single flight: several workers, posts with the same text within and across their batches, an
//! engine that fails in every way, workers that are dropped midway, and caches that are replaced. Whatever happens,
//! every batch must end. Time is paused, so a deadlock shows at once: the clock jumps to the end of the test's
//! patience.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    panic::AssertUnwindSafe,
};

use actix::Actor as _;
use async_trait::async_trait;
use futures_util::{FutureExt as _, future::join_all};
use mynah_domain::{
    Language, fixtures,
    ports::{CallShape, EngineError, Item, ItemError, Languages, Reply},
    text::Segment,
};
use proptest::prelude::*;

use super::*;
use crate::{
    cache::CacheSettings,
    supervision::{ExitGuard, HealthRegistry, shell::StopAsked},
    testing,
};

/// Longer than any batch can take with the engine's delays, and far shorter than forever.
const PATIENCE: Duration = Duration::from_hours(10);

/// What the engine does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Translate,
    Unavailable,
    Unanswered,
    Unauthorized,
    Refuse,
    NotNow,
    OutOfQuota,
    /// Answers without anything usable for any item.
    Unusable,
    /// Answers with text that the gate rejects.
    Mangle,
    Panic,
}

const FAILURES: [Does; 9] = [
    Does::Unavailable,
    Does::Unanswered,
    Does::Unauthorized,
    Does::Refuse,
    Does::NotNow,
    Does::OutOfQuota,
    Does::Unusable,
    Does::Mangle,
    Does::Panic,
];

/// An engine that follows a script and then translates.
struct Scripted {
    script: RefCell<std::vec::IntoIter<Does>>,
    first: Does,
    takes_advice: bool,
    calls: Cell<usize>,
    asked: RefCell<HashMap<String, usize>>,
}

impl Scripted {
    fn new(case: &Case) -> Rc<Self> {
        Rc::new(Self {
            script: RefCell::new(case.script.clone().into_iter()),
            first: case.first,
            takes_advice: case.takes_advice,
            calls: Cell::default(),
            asked: RefCell::default(),
        })
    }
}

#[async_trait(?Send)]
impl Engine for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn revision(&self) -> String {
        "scripted".into()
    }

    fn supports(&self, _: Language, _: Language) -> bool {
        true
    }

    fn composition(&self) -> CallShape {
        CallShape::new(40, Languages::Many)
    }

    fn takes_advice(&self) -> bool {
        self.takes_advice
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        self.calls.set(self.calls.get() + 1);
        let mut has_new = false;
        for item in items {
            let mut asked = self.asked.borrow_mut();
            let times = asked.entry(item.text.key()).or_default();
            *times += 1;
            has_new |= *times == 1;
        }
        let by_default = if has_new { self.first } else { Does::Translate };
        let does = self.script.borrow_mut().next().unwrap_or(by_default);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let reply = |items| Ok(Reply { items, calls: 1, ..Reply::default() });
        let all = |answer: Result<MaskedText, ItemError>| reply(vec![answer; items.len()]);
        match does {
            Does::Translate => reply(items.iter().map(|item| Ok(translated(&item.text))).collect()),
            Does::Unavailable => Err(EngineError::Unavailable("503".into())),
            Does::Unanswered => Err(EngineError::Unanswered("timeout".into())),
            Does::Unauthorized => Err(EngineError::Unauthorized("bad key".into())),
            Does::Refuse => Err(EngineError::Refused("400".into())),
            Does::NotNow => Err(EngineError::RateLimited { reason: "429".into(), until: None }),
            Does::OutOfQuota => Err(EngineError::RateLimited {
                reason: "429".into(),
                until: Some(Timestamp::now() + Duration::from_mins(20)),
            }),
            Does::Unusable => all(Err(ItemError::Unusable("blocked for safety".into()))),
            Does::Mangle => all(Ok(MaskedText(vec![Segment::Words(String::new())]))),
            Does::Panic => panic!("as the test demands"),
        }
    }
}

/// A Spanish text with the same protected parts.
fn translated(text: &MaskedText) -> MaskedText {
    let segment = |segment: &Segment| match segment {
        Segment::Words(_) => Segment::Words("El puerto abre otra vez esta mañana ".into()),
        Segment::Placeholder(number) => Segment::Placeholder(*number),
    };
    MaskedText(text.0.iter().map(segment).collect())
}

/// One run of the model.
#[derive(Debug, Clone)]
struct Case {
    /// The batches of each worker, each a list of texts by number.
    workers: Vec<Vec<Vec<u16>>>,
    script: Vec<Does>,
    /// What the first call for each text does.
    first: Does,
    takes_advice: bool,
    /// Which worker is dropped, and after how long.
    exits: Vec<(usize, u64)>,
    /// When the cache is replaced.
    replacements: Vec<u64>,
}

/// A text for each number. Digits would be masked and make all texts the same.
fn text(number: u16) -> String {
    let name: String = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
    format!("The library of {name} opens again this morning")
}

fn task(number: usize, kind: u16) -> Task {
    // Another link in each: masked, they are the same text.
    let text = format!("{} https://example.com/{number}", text(kind));
    Task::new(&fixtures::post(number as u64, &text), Vec::new(), fixtures::target())
}

fn settings(directory: &std::path::Path) -> CacheSettings {
    CacheSettings {
        max_entries: 1000,
        ttl: PATIENCE,
        file: directory.join("cache.jsonl"),
        snapshot_interval: PATIENCE * 10,
    }
}

/// Runs a case to its end. Panics if a batch does not end or a task has no outcome.
fn run(case: &Case) -> Rc<Scripted> {
    let engine = Scripted::new(case);
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let played = actix_rt::System::with_tokio_rt(runtime).block_on(play(case, engine.clone()));
    assert!(played, "a batch never ended");
    engine
}

async fn play(case: &Case, engine: Rc<Scripted>) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::unsupervised(settings(directory.path()));
    let pause = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(4) };
    let cascade = EngineCascade { cache: Some(cache.clone()), ..testing::cascade(5, pause, 64) };
    let engines: [Rc<dyn Engine>; 1] = [engine];
    let batch = async |worker: usize, number: usize, texts: &[u16]| {
        let first = worker * 10_000 + number * 100;
        let mut tasks: Vec<Task> =
            texts.iter().enumerate().map(|(place, text)| task(first + place, *text)).collect();
        cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
        assert!(tasks.iter().all(|task| task.outcome.is_some()));
    };
    let workers = case.workers.iter().enumerate().map(|(worker, batches)| {
        let batch = &batch;
        let exits = case.exits.iter().filter(move |(dies, _)| *dies == worker);
        let mut exits = exits.map(|(_, after)| Duration::from_millis(*after));
        async move {
            for (number, texts) in batches.iter().enumerate() {
                let work = AssertUnwindSafe(batch(worker, number, texts)).catch_unwind();
                match exits.next() {
                    // The supervisor aborts it: the future is dropped where it stands.
                    Some(after) => drop(tokio::time::timeout(after, work).await),
                    None => drop(work.await),
                }
            }
        }
    });
    let replace = async {
        for after in &case.replacements {
            tokio::time::sleep(Duration::from_millis(*after)).await;
            let _ = cache.ask(StopAsked::InOrder).await;
            let (exits, _) = tokio::sync::mpsc::unbounded_channel();
            let exit_guard = ExitGuard::new("cache", 2, HealthRegistry::default(), exits);
            cache.point_at(Cache::new(exit_guard, settings(directory.path()), cache.clone()).start());
        }
    };
    let all = futures_util::future::join(join_all(workers), replace);
    tokio::time::timeout(PATIENCE, all).await.is_ok()
}

fn cases() -> impl Strategy<Value = Case> {
    let does = prop_oneof![2 => Just(Does::Translate), 3 => prop::sample::select(FAILURES.to_vec())];
    let batch = prop::collection::vec(0..4_u16, 1..12);
    let workers = prop::collection::vec(prop::collection::vec(batch, 1..4), 1..9);
    let exits = prop::collection::vec((0..8_usize, 0..1500_u64), 0..4);
    let replacements = prop::collection::vec(0..800_u64, 0..3);
    (workers, prop::collection::vec(does, 0..24), any::<bool>(), exits, replacements).prop_map(
        |(workers, script, takes_advice, exits, replacements)| Case {
            workers,
            script,
            first: Does::Translate,
            takes_advice,
            exits,
            replacements,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn every_batch_ends_whatever_the_engine_the_workers_and_the_cache_do(case in cases()) {
        run(&case);
    }
}

#[test]
fn two_hundred_batches_of_repeated_texts_end_under_every_failure_of_the_first_call() {
    // Three posts with the same text and one failed call were once enough for a deadlock.
    for workers in [1_u16, 4, 64] {
        for does in FAILURES {
            let batch = |number: u16| {
                // Some texts are in this batch alone, some in the neighbors' as well.
                let copies = 2 + usize::from(number % 9);
                let mut texts = vec![number; copies];
                texts.extend([number / 4 + 1000; 3]);
                texts
            };
            let workers = (0..workers).map(|worker| (worker..200).step_by(usize::from(workers)).map(batch));
            run(&Case {
                workers: workers.map(Iterator::collect).collect(),
                script: vec![],
                first: does,
                takes_advice: does == Does::Unusable || does == Does::Mangle,
                exits: vec![],
                replacements: vec![],
            });
        }
    }
}

#[test]
fn a_text_is_requested_once_however_many_posts_and_workers_want_it() {
    let engine = run(&Case {
        workers: vec![vec![vec![0, 0, 0, 1, 1], vec![1, 0, 1]]; 8],
        script: vec![],
        first: Does::Translate,
        takes_advice: true,
        exits: vec![],
        replacements: vec![],
    });
    assert_eq!(engine.asked.borrow().values().copied().collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn after_a_failed_call_a_worker_does_not_call_again_for_each_post_of_that_text() {
    let most_calls =
        [(Does::Unavailable, 1), (Does::Unauthorized, 1), (Does::Unusable, 2), (Does::Mangle, 2)];
    for (does, most) in most_calls {
        let engine = run(&Case {
            workers: vec![vec![vec![0; 40]]],
            script: vec![does; 40],
            first: Does::Translate,
            takes_advice: false,
            exits: vec![],
            replacements: vec![],
        });
        assert!(engine.calls.get() <= most, "{does:?}: {} calls", engine.calls.get());
    }
}
