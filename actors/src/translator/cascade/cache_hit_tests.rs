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

#[actix_rt::test]
async fn a_translation_that_waits_for_an_approval_is_used_for_no_other_post() {
    let folder = tempfile::tempdir().unwrap();
    let (cascade, _) = with_cache(&folder);
    let engine = Rc::new(FixedEngine::new("Plantamos muchos árboles"));
    let engines: [Rc<dyn Engine>; 1] = [engine.clone()];
    let text = "We planted many trees";
    let reviewed = || {
        let target = Target { review: mynah_domain::review::ReviewPolicy::Always, ..fixtures::target() };
        Task::new(&fixtures::post(1, text), Vec::new(), target)
    };
    for (asked, task) in [(1, reviewed()), (2, reviewed()), (3, task(text)), (3, reviewed())] {
        let mut tasks = [task];
        cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
        assert!(tasks[0].translated_text().is_some());
        assert_eq!(engine.asked(), asked);
    }
}

#[actix_rt::test]
async fn a_person_who_wants_another_translation_gets_none_from_the_cache_and_the_engine_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let (cascade, _) = with_cache(&folder);
    let [one, two] = ["one", "two"]
        .map(|name| Rc::new(FixedEngine::new("Plantamos muchos árboles").that_takes_advice().named(name)));
    let engines: [Rc<dyn Engine>; 2] = [one.clone(), two.clone()];
    let guided = |hint: Option<&str>, engine: Option<&str>| {
        let [hint, engine] = [hint, engine].map(|text| text.map(str::to_owned));
        let mut task = task("We planted many trees");
        task.guidance = Some(Box::new(mynah_domain::review::Guidance { hint, engine }));
        task
    };
    let asks = [
        (task("We planted many trees"), (1, 0)),
        (task("We planted many trees"), (1, 0)),
        (guided(None, None), (2, 0)),
        (guided(Some("say “sembrar”"), Some("two")), (2, 1)),
        // It is not among the target's engines any more.
        (guided(None, Some("gone")), (3, 1)),
    ];
    for (task, asked) in asks {
        let mut tasks = [task];
        cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
        assert!(tasks[0].translated_text().is_some());
        assert_eq!((one.asked(), two.asked()), asked);
    }
    assert_eq!(two.items()[0].advice, ["a person who read it asks for this: say “sembrar”"]);
}
