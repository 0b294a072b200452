//! Calls have the shape that the engine specifies, and a reply that does not match its call is discarded.

use std::cell::{Cell, RefCell};

use async_trait::async_trait;
use mynah_domain::{
    Language, Target, fixtures,
    ports::{CallShape, EngineError, Item, Languages, Reply},
    text::Segment,
};

use super::*;
use crate::testing;

const SECOND: Duration = Duration::from_secs(1);

/// Answers after a second; records when each call began, and its languages.
struct Fake {
    shape: CallShape,
    calls: RefCell<Vec<(Duration, Vec<Language>)>>,
    /// How many answers are added to, or missing from, each reply.
    extra: Cell<isize>,
    began: tokio::time::Instant,
}

#[async_trait(?Send)]
impl Engine for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn revision(&self) -> String {
        "fake".into()
    }

    fn supports(&self, _: Language, _: Language) -> bool {
        true
    }

    fn composition(&self) -> CallShape {
        self.shape
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        self.calls.borrow_mut().push((self.began.elapsed(), items.iter().map(|item| item.to).collect()));
        tokio::time::sleep(SECOND).await;
        let count = items.len().saturating_add_signed(self.extra.get());
        let answer = MaskedText(vec![Segment::Words("Hola".into())]);
        Ok(Reply { items: vec![Ok(answer); count], calls: 1, ..Reply::default() })
    }
}

fn fake(shape: CallShape) -> Rc<Fake> {
    let (calls, extra) = (RefCell::default(), Cell::default());
    Rc::new(Fake { shape, calls, extra, began: tokio::time::Instant::now() })
}

fn cascade() -> EngineCascade {
    testing::cascade(5, Backoff { base: SECOND, max: SECOND }, 64)
}

fn task(to: &str) -> Task {
    Task::new(
        &fixtures::post(1, "Hello"),
        Vec::new(),
        Target { language: fixtures::language(to), ..fixtures::target() },
    )
}

/// Translates a task for each language; returns how many succeeded.
async fn translate(engine: &Rc<Fake>, languages: &[&str], more_waiting: bool) -> usize {
    let mut tasks: Vec<Task> = languages.iter().map(|to| task(to)).collect();
    let engines: [Rc<dyn Engine>; 1] = [engine.clone()];
    let context = CallContext { heartbeat: None, more_waiting };
    cascade().translate(&mut tasks, |_| 1, &engines, context).await;
    tasks.iter().filter(|task| matches!(task.outcome, Some(JobEvent::Translated(_)))).count()
}

/// When each call began, in seconds, and its languages.
fn calls(engine: &Fake) -> Vec<(u64, Vec<&'static str>)> {
    let codes = |(at, languages): &(Duration, Vec<Language>)| {
        (at.as_secs(), languages.iter().map(|language| language.code()).collect())
    };
    engine.calls.borrow().iter().map(codes).collect()
}

#[actix_rt::test]
async fn an_engine_of_many_languages_gets_them_in_one_call() {
    tokio::time::pause();
    let engine = fake(CallShape::new(40, Languages::Many));
    assert_eq!(translate(&engine, &["es", "ca", "es", "gl"], false).await, 4);
    assert_eq!(calls(&engine), [(0, vec!["es", "es", "ca", "gl"])]);
}

#[actix_rt::test]
async fn an_engine_of_one_language_gets_a_call_for_each_and_all_at_once_if_nothing_else_is_waiting() {
    tokio::time::pause();
    let engine = fake(CallShape::new(40, Languages::One));
    assert_eq!(translate(&engine, &["es", "ca", "es", "gl"], false).await, 4);
    assert_eq!(calls(&engine), [(0, vec!["es", "es"]), (0, vec!["ca"]), (0, vec!["gl"]),]);
}

#[actix_rt::test]
async fn an_engine_of_one_language_gets_them_one_by_one_if_others_are_waiting() {
    tokio::time::pause();
    let engine = fake(CallShape::new(40, Languages::One));
    assert_eq!(translate(&engine, &["es", "ca", "es", "gl"], true).await, 4);
    assert_eq!(calls(&engine), [(0, vec!["es", "es"]), (1, vec!["ca"]), (2, vec!["gl"])]);
}

#[actix_rt::test]
async fn a_reply_with_more_or_fewer_answers_than_items_translates_nothing() {
    tokio::time::pause();
    for extra in [-1, 1, -4] {
        let engine = fake(CallShape::new(40, Languages::Many));
        engine.extra.set(extra);
        assert_eq!(translate(&engine, &["es", "ca", "gl"], false).await, 0, "{extra}");
    }
}
