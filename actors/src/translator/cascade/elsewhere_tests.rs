//! Two instances with a cache each, which share one: a text is translated once, and nothing is lost or late if the
//! shared cache is away, full or garbage.

use mynah_domain::{
    fixtures::{
        self,
        shared_cache::{MemorySharedCache, Mood},
    },
    ports::{SharedCache as _, shared_cache::SharedKey},
    text::Segment,
};

use super::*;
use crate::{
    cache::CacheSettings,
    testing::{self, FixedEngine, Gate},
};

fn engine() -> FixedEngine {
    FixedEngine::new("El puerto abre otra vez esta mañana ")
}

struct Instance {
    cascade: EngineCascade,
    engine: Rc<FixedEngine>,
    shared: Shared,
    _folder: tempfile::TempDir,
}

impl Instance {
    fn new(memory: &Arc<MemorySharedCache>) -> Self {
        Self::with(memory, engine())
    }

    fn with(memory: &Arc<MemorySharedCache>, engine: FixedEngine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = Shared::new(memory.clone(), "redis://cache".into(), Meter::default());
        let settings = CacheSettings {
            max_entries: 100,
            ttl: Duration::from_hours(1),
            file: folder.path().join("cache.jsonl"),
            snapshot_interval: Duration::from_hours(1),
        };
        let pause = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) };
        let cascade = EngineCascade {
            cache: Some(Cache::unsupervised_in_front_of(settings, Some(shared.clone()))),
            shared: Some(shared.clone()),
            ..testing::cascade(5, pause, 4)
        };
        Self { cascade, engine: Rc::new(engine), shared, _folder: folder }
    }

    /// Translates posts with these texts; all must succeed.
    async fn translate(&self, texts: &[&str]) {
        let number = |number: usize| u64::try_from(number).unwrap();
        let task = |(place, text): (usize, &&str)| {
            Task::new(&fixtures::post(number(place), text), Vec::new(), fixtures::target())
        };
        let mut tasks: Vec<Task> = texts.iter().enumerate().map(task).collect();
        let engines: [Rc<dyn Engine>; 1] = [self.engine.clone()];
        self.cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
        for task in &tasks {
            assert!(matches!(task.outcome, Some(JobEvent::Translated(_))), "{:?}", task.outcome);
        }
    }
}

const TEXTS: [&str; 3] = [
    "The library opens again this morning https://a.example/1",
    "The harbor opens again this morning https://a.example/2",
    "The market opens again this morning https://a.example/3",
];

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), wait).await.is_ok(), "never: {what}");
}

#[actix_rt::test]
async fn a_text_that_one_instance_translated_is_free_for_the_other() {
    let memory = Arc::new(MemorySharedCache::default());
    let (one, two) = (Instance::new(&memory), Instance::new(&memory));
    one.translate(&TEXTS).await;
    until("the translations are shared, and no key is claimed", || {
        memory.values().len() == 3 && memory.claims() == 0
    })
    .await;
    let before = memory.calls();
    two.translate(&TEXTS).await;
    assert_eq!((one.engine.asked(), two.engine.asked()), (3, 0));
    assert_eq!(memory.calls() - before, 1, "one call for all texts");
    // From memory now.
    two.translate(&TEXTS).await;
    assert_eq!(memory.calls() - before, 1);
}

#[actix_rt::test]
async fn a_text_that_another_instance_is_translating_is_waited_for() {
    let memory = Arc::new(MemorySharedCache::default());
    let (gate, mut waiting) = Gate::closed();
    let (one, two) = (Instance::with(&memory, engine().behind(gate)), Instance::new(&memory));
    let first = one.translate(&TEXTS[..1]);
    let second = async {
        waiting.recv().await.unwrap();
        let go_on = async {
            // It looks twice before, so that it has seen the claim.
            let before = memory.calls();
            until("the other one waits", || memory.calls() >= before + 3).await;
            one.engine.let_pass(1);
        };
        futures_util::future::join(two.translate(&TEXTS), go_on).await;
    };
    futures_util::future::join(first, second).await;
    assert_eq!((one.engine.asked(), two.engine.asked()), (1, 2));
}

#[actix_rt::test]
async fn a_claim_of_an_instance_that_hangs_delays_nobody_for_long() {
    let memory = Arc::new(MemorySharedCache::default());
    let (gate, mut waiting) = Gate::closed();
    let (one, two) = (Instance::with(&memory, engine().behind(gate)), Instance::new(&memory));
    let second = async {
        waiting.recv().await.unwrap();
        let began = Instant::now();
        two.translate(&TEXTS[..1]).await;
        began.elapsed()
    };
    let first = Box::pin(one.translate(&TEXTS[..1]));
    let futures_util::future::Either::Right((took, _)) =
        futures_util::future::select(first, Box::pin(second)).await
    else {
        panic!("the engine never answers");
    };
    assert!(took >= elsewhere::WAIT && took < elsewhere::WAIT * 3, "{took:?}");
    assert_eq!(two.engine.asked(), 1);
}

#[actix_rt::test]
async fn garbage_is_translated_again_and_replaced() {
    let memory = Arc::new(MemorySharedCache::default());
    Instance::new(&memory).translate(&TEXTS).await;
    until("the translations are shared", || memory.values().len() == 3).await;
    memory.spoil(|value| value.truncate(10));
    let two = Instance::new(&memory);
    two.translate(&TEXTS).await;
    assert_eq!(two.engine.asked(), 3);
    until("they are replaced", || memory.values().iter().all(|value| value.len() > 10)).await;
}

#[actix_rt::test]
async fn what_does_not_pass_the_gate_is_translated_again_and_held_against_no_engine() {
    let memory = Arc::new(MemorySharedCache::default());
    Instance::new(&memory).translate(&TEXTS[..1]).await;
    until("the translation is shared", || memory.values().len() == 1).await;
    // Without the link that the post has.
    let line = String::from_utf8(memory.values().remove(0)).unwrap();
    let mut entry: serde_json::Value = serde_json::from_str(&line).unwrap();
    let key = u128::from_str_radix(entry["key"].as_str().unwrap(), 16).unwrap();
    entry["text"] = serde_json::to_value(MaskedText(vec![Segment::Words("Hola".into())])).unwrap();
    memory.spoil(|value| *value = entry.to_string().into_bytes());
    let two = Instance::new(&memory);
    two.translate(&TEXTS[..1]).await;
    assert_eq!(two.engine.asked(), 1);
    until("it is replaced", || memory.values()[0] != entry.to_string().into_bytes()).await;
    assert!(memory.get(&[SharedKey(key.to_be_bytes())]).await.unwrap()[0].is_some());
}

#[actix_rt::test]
async fn a_shared_cache_that_is_away_silent_or_full_costs_only_hits() {
    for mood in [Mood::Away, Mood::Silent, Mood::Full] {
        let memory = Arc::new(MemorySharedCache::default());
        memory.set_mood(mood);
        let one = Instance::new(&memory);
        let began = Instant::now();
        for text in TEXTS.iter().cycle().take(30) {
            one.translate(&[*text]).await;
        }
        assert_eq!(one.engine.asked(), 3);
        assert!(began.elapsed() < Duration::from_secs(1), "{mood:?}: {:?}", began.elapsed());
        until("people are told", || one.shared.trouble().is_some()).await;
    }
}
