//! A cached translation is taken only where it fits the post at hand.

use mynah_domain::{fixtures, text::Segment};

use super::*;
use crate::{
    cache::{CacheSettings, Fill, entries::Entry},
    testing::{self, FixedEngine},
};

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
    let pause = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) };
    let cascade = EngineCascade { cache: Some(cache.clone()), ..testing::cascade(5, pause, 4) };
    let of = |words: &str| {
        let text = MaskedText(vec![Segment::Words(words.into()), Segment::Placeholder(0)]);
        Entry { text: Arc::new(text), expires: Timestamp::MAX }
    };
    let (good, bad) = (task("We planted 350 trees"), task("We planted many trees, 350 of them"));
    let known = vec![
        (good.key("test", true), of("Plantamos árboles, a saber ")),
        // As it may be where the other number was 999.
        (bad.key("test", true), of("Plantamos 999 árboles: ")),
    ];
    cache.ask(Fill(known)).await.unwrap();
    let engine = Rc::new(FixedEngine::new("Plantamos árboles: ").that_takes_advice());
    let engines: [Rc<dyn Engine>; 1] = [engine.clone()];
    let mut tasks = [good, bad];
    cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
    assert_eq!(tasks[0].translated_text().as_deref(), Some("Plantamos árboles, a saber 350"));
    assert_eq!(tasks[1].translated_text().as_deref(), Some("Plantamos árboles: 350"));
    assert_eq!(engine.asked(), 1, "only what did not pass was asked for");
    assert!(tasks[1].troubles.is_empty() && tasks[1].rejected.is_none());
}
