//! A cached translation is taken only where it fits the post at hand.

use mynah_domain::{
    Target, fixtures,
    network::{Limits, PlainText},
    text::Segment,
};

use super::*;
use crate::{
    cache::{CacheSettings, Fill, entries::Entry},
    testing::{self, FixedEngine},
};

fn task(text: &str) -> Task {
    Task::new(&fixtures::post(1, text), Vec::new(), fixtures::target())
}

/// A task for a network whose messages have at most `most` characters.
fn task_within(text: &str, most: usize) -> Task {
    let limits = Limits { text: most, ..PlainText::default().limits };
    let network = Arc::new(PlainText { limits, ..PlainText::default() });
    Task::new(&fixtures::post(1, text), Vec::new(), Target { network, ..fixtures::target() })
}

fn with_cache(folder: &tempfile::TempDir) -> (EngineCascade, ActorRef<Cache>) {
    let cache = Cache::unsupervised(CacheSettings {
        max_entries: 10,
        ttl: Duration::from_hours(1),
        file: folder.path().join("cache.jsonl"),
        snapshot_interval: Duration::from_hours(1),
    });
    let pause = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) };
    (EngineCascade { cache: Some(cache.clone()), ..testing::cascade(5, pause, 4) }, cache)
}

#[actix_rt::test]
async fn a_translation_is_made_once_for_all_networks_where_it_fits() {
    let folder = tempfile::tempdir().unwrap();
    let (cascade, _) = with_cache(&folder);
    let engine = Rc::new(FixedEngine::new("Plantamos muchos árboles").that_takes_advice());
    let engines: [Rc<dyn Engine>; 1] = [engine.clone()];
    let text = "We planted many trees";
    let mut tasks = [task_within(text, 280), task_within(text, 300), task_within(text, 500)];
    cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
    for task in &tasks {
        assert_eq!(task.translated_text().as_deref(), Some("Plantamos muchos árboles"));
    }
    assert_eq!(engine.asked(), 1);
}

#[actix_rt::test]
async fn a_translation_that_is_too_long_for_one_network_is_made_shorter_for_that_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (cascade, _) = with_cache(&folder);
    let long = Rc::new(FixedEngine::new("Plantamos muchos árboles").that_takes_advice());
    let short = Rc::new(FixedEngine::new("Plantamos árboles").that_takes_advice());
    let text = "We planted many trees";
    let engines: [Rc<dyn Engine>; 1] = [long.clone()];
    let mut tasks = [task_within(text, 500)];
    cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
    let engines: [Rc<dyn Engine>; 1] = [short.clone()];
    let mut tasks = [task_within(text, 20), task_within(text, 500)];
    cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
    let texts = tasks.each_ref().map(|task| task.translated_text().unwrap());
    assert_eq!(texts, ["Plantamos árboles", "Plantamos muchos árboles"]);
    let asked: Vec<usize> = short.items().iter().map(|item| item.max_weight.as_ref().unwrap().most).collect();
    assert_eq!(asked, [20], "it is asked for a shorter one at once");
}

#[actix_rt::test]
async fn a_cached_translation_that_does_not_pass_here_is_asked_for_and_held_against_no_engine() {
    let folder = tempfile::tempdir().unwrap();
    let (cascade, cache) = with_cache(&folder);
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
