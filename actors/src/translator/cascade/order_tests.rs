//! Targets that name their engines: each gets only what those translate, in its own order, whatever the cache has.

use mynah_domain::{Target, fixtures};

use super::*;
use crate::{
    cache::CacheSettings,
    testing::{self, FixedEngine},
};

const TEXT: &str = "The market opens at noon on the square";

fn cascade() -> EngineCascade {
    let pause = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) };
    testing::cascade(5, pause, 4)
}

/// The task of a target with these engines; without a list, all of them.
fn task(engines: Option<&[&str]>) -> Task {
    let only = |names: &[&str]| EngineOrder::Only(names.iter().copied().map(Arc::from).collect());
    let target = Target { engines: engines.map_or(EngineOrder::All, only), ..fixtures::target() };
    Task::new(&fixtures::post(1, TEXT), Vec::new(), target)
}

fn engine(name: &'static str, words: &'static str) -> Rc<FixedEngine> {
    Rc::new(FixedEngine::new(words).named(name))
}

/// Translates with these engines, and returns the tasks' texts.
async fn translated(
    cascade: &EngineCascade,
    engines: &[&Rc<FixedEngine>],
    tasks: &mut [Task],
) -> Vec<Option<String>> {
    let engines: Vec<Rc<dyn Engine>> =
        engines.iter().map(|engine| (*engine).clone() as Rc<dyn Engine>).collect();
    cascade.translate(tasks, |_| 1, &engines, CallContext::default()).await;
    tasks.iter().map(Task::translated_text).collect()
}

#[actix_rt::test]
async fn each_target_is_translated_by_its_own_engines_in_its_own_order() {
    let [one, two] = [engine("one", "Uno"), engine("two", "Dos")];
    let mut tasks =
        [task(None), task(Some(&["two", "one"])), task(Some(&["two"])), task(Some(&["gone", "one"]))];
    let texts = translated(&cascade(), &[&one, &two], &mut tasks).await;
    assert_eq!(
        texts.iter().map(|text| text.as_deref().unwrap()).collect::<Vec<_>>(),
        ["Uno", "Dos", "Dos", "Uno"]
    );
    assert_eq!((one.asked(), two.asked()), (2, 2));
}

#[actix_rt::test]
async fn a_translation_that_fails_goes_to_the_next_of_the_targets_engines_alone() {
    // What is not translated does not pass the gate.
    let [lazy, good] = [engine("lazy", TEXT), engine("good", "El mercado abre a mediodía en la plaza")];
    let mut tasks = [task(Some(&["lazy", "good"])), task(Some(&["lazy"]))];
    let texts = translated(&cascade(), &[&good, &lazy], &mut tasks).await;
    assert!(texts[0].is_some() && texts[1].is_none(), "{texts:?}");
    assert!(matches!(tasks[1].outcome, Some(JobEvent::Held(_))), "{:?}", tasks[1].outcome);
    assert_eq!((lazy.asked(), good.asked()), (2, 1));
}

#[actix_rt::test]
async fn a_target_whose_engines_cannot_translate_fails_and_names_the_fix() {
    let one = engine("one", "Uno");
    let mut tasks = [task(Some(&["gone"]))];
    translated(&cascade(), &[&one], &mut tasks).await;
    let Some(JobEvent::Failed { reason }) = &tasks[0].outcome else { panic!("{:?}", tasks[0].outcome) };
    assert!(reason.starts_with("none of the target's engines translates English to Spanish"), "{reason}");
    assert_eq!(one.asked(), 0);
}

#[actix_rt::test]
async fn the_cache_gives_no_target_what_an_engine_translated_that_it_does_not_use() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::unsupervised(CacheSettings {
        max_entries: 10,
        ttl: Duration::from_hours(1),
        file: folder.path().join("cache.jsonl"),
        snapshot_interval: Duration::from_hours(1),
    });
    let cascade = EngineCascade { cache: Some(cache), ..cascade() };
    // Both have the same revision, as two servers with the same model have.
    let [one, two] = [engine("one", "Uno"), engine("two", "Dos")];
    for (engines, expected) in [("one", "Uno"), ("two", "Dos"), ("one", "Uno"), ("two", "Dos")] {
        let texts = translated(&cascade, &[&one, &two], &mut [task(Some(&[engines]))]).await;
        assert_eq!(texts[0].as_deref(), Some(expected));
    }
    assert_eq!((one.asked(), two.asked()), (1, 1), "the second time, both are in the cache");
}

#[test]
fn an_engine_with_the_name_of_its_kind_needs_no_name_in_a_key() {
    let maker = |name| cache::maker(&FixedEngine::new("").named(name));
    assert_eq!(maker("test"), "test");
    assert_eq!(maker("tes"), "tes test");
}
