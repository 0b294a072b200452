//! Engines that charge, and budgets that are used up.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use mynah_domain::{
    Hold, JobEvent, Language, Money, Target, TargetId,
    backoff::Backoff,
    budget::{Budget, Budgets, Period, Scope},
    fixtures,
    job::HoldKind,
    ports::{
        Engine,
        engine::{CallShape, EngineError, Item, Languages, Reply, Usage},
    },
    tariff::Tariff,
};

use super::*;
use crate::{
    spending::Purse,
    testing::{self, FixedEngine, MemorySpending, RuntimeClock},
    upstreams::refusals::Fallback,
};

/// An engine that counts a token for each item and for each answer.
#[derive(Default)]
struct Counting {
    fails: Option<EngineError>,
    calls: RefCell<Vec<usize>>,
}

#[async_trait(?Send)]
impl Engine for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn revision(&self) -> String {
        "counting".into()
    }

    fn supports(&self, from: Language, to: Language) -> bool {
        from != to
    }

    fn composition(&self) -> CallShape {
        CallShape::new(10, Languages::Many)
    }

    fn most_usage(&self, items: &[Item]) -> Usage {
        let items = items.len() as u64;
        Usage { input_tokens: Some(items * 2), output_tokens: Some(items * 2), billed_characters: None }
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        self.calls.borrow_mut().push(items.len());
        if let Some(error) = &self.fails {
            return Err(error.clone());
        }
        let tokens = Some(items.len() as u64);
        let usage = Usage { input_tokens: tokens, output_tokens: tokens, billed_characters: None };
        let items = items.iter().map(|_| Ok(fixtures::mask("Hola").text)).collect();
        Ok(Reply { items, calls: 1, usage, ..Reply::default() })
    }
}

/// A dollar for a token, of which a text has two.
fn tariff() -> Tariff {
    let price = Money::from_micros(1_000_000).times(1_000_000);
    Tariff::Tokens { input: price, output: price }
}

fn dollars(dollars: u64) -> Money {
    Money::from_micros(1_000_000).times(dollars)
}

/// Daily budgets in dollars.
fn paying(budgets: &[(Scope, u64)]) -> (EngineCascade, Arc<MemorySpending>) {
    let all = budgets.iter().map(|(scope, most)| Budget {
        scope: scope.clone(),
        period: Period::Day,
        most: dollars(*most),
        setting: "budget.daily".into(),
    });
    let budgets = Arc::new(Budgets { all: all.collect(), ..Budgets::default() });
    let ledger = Arc::new(MemorySpending::default());
    let purse = Purse::new(ledger.clone(), budgets, Arc::new(RuntimeClock::new()));
    let spender = Some(Spender::new(purse, [("counting".into(), tariff())].into()));
    let pause = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(1) };
    let clock = Arc::new(RuntimeClock::new());
    (EngineCascade { spender, clock, ..testing::cascade(5, pause, 4) }, ledger)
}

fn for_target(target: &str, text: &str) -> Task {
    let target = Target { id: TargetId::from(target), ..fixtures::target() };
    Task::new(&fixtures::post(1, text), Vec::new(), target)
}

async fn translate(cascade: &EngineCascade, tasks: &mut [Task], engines: &[Rc<dyn Engine>]) {
    cascade.translate(tasks, |_| 1, engines, CallContext::default()).await;
}

fn is_translated(task: &Task) -> bool {
    matches!(task.outcome, Some(JobEvent::Translated(_)))
}

fn hold(task: &Task) -> &Hold {
    match &task.outcome {
        Some(JobEvent::Held(hold)) => hold,
        other => panic!("{other:?}"),
    }
}

#[actix_rt::test]
async fn the_exact_usage_of_a_call_is_shared_by_the_size_of_the_texts() {
    let (cascade, ledger) = paying(&[(Scope::Everything, 100)]);
    let mut tasks = [for_target("net:es", "Hello there"), for_target("net:fr", "Hello there my friend, hi")];
    translate(&cascade, &mut tasks, &[Rc::new(Counting::default())]).await;
    assert!(tasks.iter().all(is_translated));
    assert_eq!((ledger.total(), ledger.units()), (dollars(4), 1), "it was one request");
    let (es, fr) = (ledger.of_target("net:es"), ledger.of_target("net:fr"));
    assert!(es < fr && es + fr == dollars(4), "{es} {fr}");
}

#[actix_rt::test]
async fn a_budget_that_is_used_up_holds_jobs_until_it_is_renewed() {
    let (cascade, ledger) = paying(&[(Scope::Service("counting".into()), 5)]);
    let counting = Rc::new(Counting::default());
    let engines: [Rc<dyn Engine>; 1] = [counting.clone()];
    let mut first = [for_target("net:es", "Hello one")];
    translate(&cascade, &mut first, &engines).await;
    assert!(is_translated(&first[0]));
    let mut second = [for_target("net:es", "Hello two")];
    translate(&cascade, &mut second, &engines).await;
    let held = hold(&second[0]);
    assert_eq!(held.kind, HoldKind::Budget);
    assert!(held.until.is_some_and(|until| until > cascade.clock.now()));
    assert!(
        held.reason.contains("counting: the daily budget of $5.00 has $3.00 left, and $4.00"),
        "{held:?}"
    );
    assert_eq!((counting.calls.borrow().len(), ledger.total()), (1, dollars(2)));
}

#[actix_rt::test]
async fn the_next_engine_translates_what_a_budget_does_not_pay_for_unless_jobs_must_wait() {
    for (fallback, is_translated_now) in [(Fallback::Publish, true), (Fallback::Hold, false)] {
        let (cascade, ledger) = paying(&[(Scope::Everything, 1)]);
        cascade.upstreams.refusals().set_fallback(fallback);
        let engines: [Rc<dyn Engine>; 2] = [Rc::new(Counting::default()), Rc::new(FixedEngine::new("Hola"))];
        let mut tasks = [for_target("net:es", "Hello there")];
        translate(&cascade, &mut tasks, &engines).await;
        assert_eq!(is_translated(&tasks[0]), is_translated_now);
        if !is_translated_now {
            assert_eq!(hold(&tasks[0]).kind, HoldKind::Budget);
        }
        assert_eq!(ledger.total(), Money::ZERO);
    }
}

#[actix_rt::test]
async fn the_budget_of_one_target_does_not_stop_the_others() {
    let (cascade, ledger) = paying(&[(Scope::Target("net:es".into()), 1)]);
    let counting = Rc::new(Counting::default());
    let mut tasks = [for_target("net:es", "Hello there"), for_target("net:fr", "Good night")];
    let engines: [Rc<dyn Engine>; 1] = [counting.clone()];
    translate(&cascade, &mut tasks, &engines).await;
    assert_eq!(hold(&tasks[0]).kind, HoldKind::Budget);
    assert!(is_translated(&tasks[1]));
    assert_eq!((counting.calls.borrow().clone(), ledger.of_target("net:fr")), (vec![1], dollars(2)));
}

#[actix_rt::test]
async fn a_budget_that_does_not_pay_for_a_whole_batch_pays_for_some_of_it() {
    let (cascade, ledger) = paying(&[(Scope::Everything, 9)]);
    let counting = Rc::new(Counting::default());
    let engines: [Rc<dyn Engine>; 1] = [counting.clone()];
    let mut tasks: Vec<Task> =
        ["Hello one", "Hello two", "Hello three"].map(|text| for_target("net:es", text)).into();
    translate(&cascade, &mut tasks, &engines).await;
    assert!(is_translated(&tasks[0]) && is_translated(&tasks[1]), "two may cost eight dollars");
    let again = cascade.clock.now() + Duration::from_mins(5);
    let held = hold(&tasks[2]);
    assert!(held.until.is_some_and(|until| until <= again), "they cost less than was reserved: {held:?}");
    assert_eq!((counting.calls.borrow().clone(), ledger.total()), (vec![2], dollars(4)));
}

#[actix_rt::test]
async fn a_text_that_costs_more_than_the_whole_budget_waits_for_a_person() {
    let (cascade, _) = paying(&[(Scope::Everything, 3)]);
    let mut tasks = [for_target("net:es", "Hello one")];
    translate(&cascade, &mut tasks, &[Rc::new(Counting::default())]).await;
    let held = hold(&tasks[0]);
    assert_eq!((held.kind, held.until), (HoldKind::Budget, None));
    assert!(held.reason.ends_with("raise budget.daily; then retry it, or skip it"), "{held:?}");
}

#[actix_rt::test]
async fn an_engine_is_not_called_before_the_time_at_which_its_quota_is_back() {
    let (cascade, _) = paying(&[]);
    let until = cascade.clock.now() + Duration::from_hours(9);
    let used_up =
        EngineError::RateLimited { reason: "the quota of the day is used up".into(), until: Some(until) };
    let engine = Rc::new(Counting { fails: Some(used_up), ..Counting::default() });
    let engines: [Rc<dyn Engine>; 1] = [engine.clone()];
    for number in 1..=20 {
        let mut tasks = [for_target("net:es", &format!("Hello number {number}"))];
        translate(&cascade, &mut tasks, &engines).await;
        assert_eq!(hold(&tasks[0]).kind, HoldKind::Quota);
    }
    assert_eq!(engine.calls.borrow().len(), 1);
    cascade.upstreams.reconsider("counting");
    translate(&cascade, &mut [for_target("net:es", "Hello again")], &engines).await;
    assert_eq!(engine.calls.borrow().len(), 2, "a person asked for a trial");
}

#[actix_rt::test]
async fn only_a_call_that_may_be_billed_costs_money() {
    for (error, cost) in [
        (EngineError::Unanswered("slow".into()), 4),
        (EngineError::Unavailable("down".into()), 0),
        (EngineError::Unauthorized("wrong key".into()), 0),
        (EngineError::RateLimited { reason: "busy".into(), until: None }, 0),
    ] {
        let (cascade, ledger) = paying(&[(Scope::Everything, 100)]);
        let engine = Counting { fails: Some(error.clone()), ..Counting::default() };
        translate(&cascade, &mut [for_target("net:es", "Hello there")], &[Rc::new(engine)]).await;
        assert_eq!(ledger.total(), dollars(cost), "{error:?}");
        // Without a budget, nothing is reserved, and the same is recorded.
        let (cascade, ledger) = paying(&[]);
        let engine = Counting { fails: Some(error.clone()), ..Counting::default() };
        translate(&cascade, &mut [for_target("net:es", "Hello there")], &[Rc::new(engine)]).await;
        assert_eq!(ledger.total(), dollars(cost), "{error:?}");
    }
}

#[actix_rt::test]
async fn what_was_answered_before_a_request_failed_is_published_and_paid() {
    /// Answers for the first text only.
    struct Half;

    #[async_trait(?Send)]
    impl Engine for Half {
        fn name(&self) -> &'static str {
            "counting"
        }

        fn revision(&self) -> String {
            "half".into()
        }

        fn supports(&self, from: Language, to: Language) -> bool {
            from != to
        }

        fn composition(&self) -> CallShape {
            CallShape::new(10, Languages::Many)
        }

        async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
            let usage = Usage { input_tokens: Some(1), output_tokens: Some(1), billed_characters: None };
            let stopped = EngineError::RateLimited { reason: "busy".into(), until: None };
            let items_of_first = vec![Ok(fixtures::mask("Hola").text)];
            let mut reply =
                Reply { items: items_of_first, calls: 1, usage, stopped: Some(stopped), ..Reply::default() };
            reply.append_not_reached(items.len() - 1);
            Ok(reply)
        }
    }

    let (cascade, ledger) = paying(&[]);
    let mut tasks = [for_target("net:es", "Hello one"), for_target("net:es", "Hello two")];
    translate(&cascade, &mut tasks, &[Rc::new(Half)]).await;
    assert!(is_translated(&tasks[0]));
    assert!(
        matches!(&tasks[1].outcome, Some(JobEvent::HandedBack { reason, .. }) if reason.contains("busy")),
        "{:?}",
        tasks[1].outcome
    );
    assert_eq!(ledger.total(), dollars(2));
}
