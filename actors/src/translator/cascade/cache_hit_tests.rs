//! A cached translation is taken only where it fits the post at hand.

use std::cell::Cell;

use async_trait::async_trait;
use mynah_domain::{
    Language,
    breaker::BreakerPolicy,
    fixtures,
    ports::{CallShape, EngineError, Item, Languages, Reply, SystemClock},
    text::Segment,
};

use super::*;
use crate::cache::{CacheSettings, Fill, entries::Entry};

/// Says everything in one word before what was protected.
struct Model(Cell<usize>);

#[async_trait(?Send)]
impl Engine for Model {
    fn name(&self) -> &'static str {
        "model"
    }

    fn revision(&self) -> String {
        "model".into()
    }

    fn supports(&self, _: Language, _: Language) -> bool {
        true
    }

    fn composition(&self) -> CallShape {
        CallShape::new(10, Languages::Many)
    }

    fn takes_advice(&self) -> bool {
        true
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        self.0.set(self.0.get() + items.len());
        let say = |item: &Item| {
            let things = item.text.placeholders().map(Segment::Placeholder);
            Ok(MaskedText::from_segments(
                [Segment::Words("Plantamos árboles: ".into())].into_iter().chain(things),
            ))
        };
        Ok(Reply { items: items.iter().map(say).collect(), calls: 1, ..Reply::default() })
    }
}

fn task(text: &str) -> Task {
    Task::new(&fixtures::post(1, text), Vec::new(), fixtures::target())
}

#[actix_rt::test]
async fn a_cached_translation_that_does_not_pass_here_is_asked_for_and_held_against_no_engine() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::unsupervised(CacheSettings {
        max_entries: 10,
        ttl: Duration::from_hours(1),
        file: folder.path().join("cache.jsonl"),
        snapshot_interval: Duration::from_hours(1),
    });
    let policy = BreakerPolicy {
        failures: 5,
        pause: Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) },
        trial: Duration::from_secs(1),
    };
    let cascade = EngineCascade {
        cache: Some(cache.clone()),
        shared: None,
        upstreams: Upstreams::new(policy, 4),
        backoff: Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) },
        clock: Arc::new(SystemClock),
        meter: Meter::default(),
    };
    let of = |words: &str| {
        let text = MaskedText(vec![Segment::Words(words.into()), Segment::Placeholder(0)]);
        Entry { text: Arc::new(text), expires: Timestamp::MAX }
    };
    let (good, bad) = (task("We planted 350 trees"), task("We planted many trees, 350 of them"));
    let known = vec![
        (good.key("model", true), of("Plantamos árboles, a saber ")),
        // As it may be where the other number was 999.
        (bad.key("model", true), of("Plantamos 999 árboles: ")),
    ];
    cache.ask(Fill(known)).await.unwrap();
    let model = Rc::new(Model(Cell::new(0)));
    let engines: [Rc<dyn Engine>; 1] = [model.clone()];
    let mut tasks = [good, bad];
    cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
    assert_eq!(tasks[0].translated_text().as_deref(), Some("Plantamos árboles, a saber 350"));
    assert_eq!(tasks[1].translated_text().as_deref(), Some("Plantamos árboles: 350"));
    assert_eq!(model.0.get(), 1, "only what did not pass was asked for");
    assert!(tasks[1].troubles.is_empty() && tasks[1].rejected.is_none());
}
