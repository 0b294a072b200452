//! How many calls an engine gets at once, tested with an engine of known capacity.

use std::{
    cell::{Cell, RefCell},
    panic::AssertUnwindSafe,
};

use async_trait::async_trait;
use futures_util::{FutureExt as _, future::join_all};
use mynah_domain::{
    Language, fixtures,
    ports::{CallShape, EngineError, Item, ItemError, Languages, Reply},
    text::Segment,
};

use super::*;
use crate::{
    supervision::{ExitGuard, HealthRegistry},
    testing,
};

const SECOND: Duration = Duration::from_secs(1);
const MOST: usize = 64;

/// What the engine does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Answers; calls wait in its queue while it is busy.
    Answer,
    /// Answers; the answer to a single item is spoiled and requested again.
    SpoilSingleItems,
    /// Answers without a request, as an engine does if no item has words.
    AnswerAtOnce,
    /// Answers "not now" at once.
    Refuse,
    /// Panics in the middle.
    Panic,
}

/// An engine that processes this many calls at once, in one second each.
struct Fake {
    servers: tokio::sync::Semaphore,
    does: Cell<Does>,
    /// The end of the limit that it names when it refuses.
    until: Cell<Option<Timestamp>>,
    in_flight: Cell<usize>,
    peak: Cell<usize>,
    batches: RefCell<Vec<usize>>,
}

impl Fake {
    fn new(capacity: usize) -> Rc<Self> {
        Rc::new(Self {
            servers: tokio::sync::Semaphore::new(capacity),
            does: Cell::new(Does::Answer),
            until: Cell::default(),
            in_flight: Cell::default(),
            peak: Cell::default(),
            batches: RefCell::default(),
        })
    }
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
        CallShape::new(40, Languages::Many)
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        self.batches.borrow_mut().push(items.len());
        self.in_flight.set(self.in_flight.get() + 1);
        self.peak.set(self.peak.get().max(self.in_flight.get()));
        let spoils = items.len() == 1 && self.does.get() == Does::SpoilSingleItems;
        if matches!(self.does.get(), Does::Answer | Does::SpoilSingleItems) {
            let _server = self.servers.acquire().await.unwrap();
            // A spoiled call is shorter, so that it ends while a full one lasts.
            tokio::time::sleep(if spoils { SECOND / 2 } else { SECOND }).await;
        }
        if self.does.get() == Does::AnswerAtOnce {
            // Other calls begin meanwhile.
            tokio::task::yield_now().await;
        }
        self.in_flight.set(self.in_flight.get() - 1);
        match self.does.get() {
            Does::Answer | Does::SpoilSingleItems | Does::AnswerAtOnce => {}
            Does::Refuse => {
                return Err(EngineError::RateLimited { reason: "not now".into(), until: self.until.get() });
            }
            Does::Panic => panic!("as the test demands"),
        }
        let word = Segment::Words("Hola".into());
        let items = items.iter().map(|_| Ok(MaskedText(vec![word.clone()]))).collect();
        let calls = u32::from(self.does.get() != Does::AnswerAtOnce);
        Ok(Reply { items, calls, spoiled: u32::from(spoils), ..Reply::default() })
    }
}

fn cascade() -> EngineCascade {
    cascade_with_breaker(5)
}

/// A cascade whose circuit breaker opens after this many failures in a row.
fn cascade_with_breaker(failures: u32) -> EngineCascade {
    testing::cascade(failures, Backoff { base: SECOND, max: SECOND }, MOST)
}

fn task() -> Task {
    Task::new(&fixtures::post(1, "Hello"), Vec::new(), fixtures::target())
}

fn tasks(count: usize) -> Vec<Task> {
    std::iter::repeat_with(task).take(count).collect()
}

/// Translates this many tasks; returns how many succeeded.
async fn translate(
    cascade: &EngineCascade,
    engine: &Rc<Fake>,
    count: usize,
    context: CallContext<'_>,
) -> usize {
    let mut tasks = tasks(count);
    let engines: [Rc<dyn Engine>; 1] = [engine.clone()];
    cascade.translate(&mut tasks, |_| 1, &engines, context).await;
    tasks.iter().filter(|task| matches!(task.outcome, Some(JobEvent::Translated(_)))).count()
}

/// Runs the maximum of translators, each with more to do, for this long.
async fn work(cascade: &EngineCascade, engine: &Rc<Fake>, time: Duration) {
    let end = tokio::time::Instant::now() + time;
    let context = CallContext { heartbeat: None, more_waiting: true };
    let workers = (0..MOST).map(|_| async {
        while tokio::time::Instant::now() < end {
            translate(cascade, engine, 1, context).await;
            // A refusal takes no time of the engine.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    join_all(workers).await;
}

fn limit(cascade: &EngineCascade) -> usize {
    cascade.upstreams.limiters()[0].1.limit
}

fn in_flight(cascade: &EngineCascade) -> (usize, usize) {
    let stats = cascade.upstreams.limiters()[0].1;
    (stats.in_flight, stats.waiting)
}

#[actix_rt::test]
async fn an_engine_that_keeps_up_gets_the_maximum_of_calls_within_seconds() {
    tokio::time::pause();
    let (cascade, engine) = (cascade(), Fake::new(1000));
    work(&cascade, &engine, SECOND * 4).await;
    assert_eq!((limit(&cascade), engine.peak.get()), (MOST, MOST));
    assert_eq!(in_flight(&cascade), (0, 0));
}

#[actix_rt::test]
async fn calls_settle_near_the_capacity_of_the_engine() {
    for capacity in [4, 8, 24] {
        tokio::time::pause();
        let (cascade, engine) = (cascade(), Fake::new(capacity));
        let looks = async {
            tokio::time::sleep(SECOND * 200).await;
            let (mut seen, calls) = (Vec::new(), engine.batches.borrow().len());
            for _ in 0..100 {
                tokio::time::sleep(SECOND).await;
                seen.push(limit(&cascade));
            }
            (seen, engine.batches.borrow().len() - calls)
        };
        let ((), (seen, calls)) =
            futures_util::future::join(work(&cascade, &engine, SECOND * 310), looks).await;
        let mean = seen.iter().sum::<usize>() / seen.len();
        let most = capacity * 3 / 2 + 2 * capacity.isqrt();
        assert!((capacity..=most).contains(&mean), "{capacity}: {mean} in {seen:?}");
        assert!(calls >= capacity * 90, "the engine is kept busy: {calls} calls in 100 s");
        tokio::time::resume();
    }
}

#[actix_rt::test]
async fn refusals_lower_the_limit_and_answers_raise_it_again() {
    tokio::time::pause();
    // The breaker uses the machine's clock, which is not paused.
    let (cascade, engine) = (cascade_with_breaker(u32::MAX), Fake::new(1000));
    work(&cascade, &engine, SECOND * 4).await;
    engine.does.set(Does::Refuse);
    work(&cascade, &engine, SECOND).await;
    assert_eq!(limit(&cascade), 1);
    engine.does.set(Does::Answer);
    engine.peak.set(0);
    translate(&cascade, &engine, 1, CallContext::default()).await;
    assert_eq!(engine.peak.get(), 1);
    work(&cascade, &engine, SECOND * 30).await;
    assert_eq!((limit(&cascade), in_flight(&cascade)), (MOST, (0, 0)));
}

#[actix_rt::test]
async fn a_panic_in_the_engine_leaks_no_permit() {
    tokio::time::pause();
    let (cascade, engine) = (cascade(), Fake::new(1000));
    engine.does.set(Does::Panic);
    for _ in 0..3 * MOST {
        let died =
            AssertUnwindSafe(translate(&cascade, &engine, 3, CallContext::default())).catch_unwind().await;
        assert!(died.is_err());
    }
    assert_eq!(in_flight(&cascade), (0, 0));
    engine.does.set(Does::Answer);
    work(&cascade, &engine, SECOND * 4).await;
    assert_eq!((limit(&cascade), engine.peak.get()), (MOST, MOST));
}

#[actix_rt::test]
async fn a_wait_for_a_permit_shows_progress_only_while_calls_complete() {
    tokio::time::pause();
    let (cascade, engine) = (cascade(), Fake::new(1000));
    cascade.upstreams.set_max_calls(1);
    let health = HealthRegistry::default();
    let (exits, _) = tokio::sync::mpsc::unbounded_channel();
    let exit_guard = ExitGuard::new("translator-1", 1, health.clone(), exits);
    let heartbeat = exit_guard.heartbeat();
    let standing = || health.actor("translator-1").unwrap();
    let limiter = cascade.upstreams.limiter(&*engine);
    let held = limiter.try_acquire().unwrap();
    let work = heartbeat.at_work();
    let context = CallContext { heartbeat: Some(&heartbeat), more_waiting: true };
    let mut waits = Box::pin(translate(&cascade, &engine, 1, context));
    let mut gives_up = Box::pin(translate(&cascade, &engine, 1, CallContext::default()));
    // The other worker is next in line.
    assert!((&mut gives_up).now_or_never().is_none());
    assert!(tokio::time::timeout(SECOND * 100, &mut waits).await.is_err());
    assert_eq!((standing().at_work, standing().progressed, in_flight(&cascade)), (1, false, (1, 2)));
    drop(held);
    // The other worker's call ends.
    let one_call = SECOND + calls::PROGRESS_CHECK;
    assert!(tokio::time::timeout(one_call, futures_util::future::join(&mut waits, gives_up)).await.is_err());
    assert!(standing().progressed);
    assert_eq!(waits.await, 1);
    drop(work);
    assert_eq!((standing().at_work, in_flight(&cascade)), (0, (0, 0)));
}

#[actix_rt::test]
async fn a_worker_that_gives_up_waiting_holds_no_permit() {
    tokio::time::pause();
    let (cascade, engine) = (cascade(), Fake::new(1000));
    cascade.upstreams.set_max_calls(1);
    let held = cascade.upstreams.limiter(&*engine).try_acquire().unwrap();
    let mut gives_up = Box::pin(translate(&cascade, &engine, 1, CallContext::default()));
    assert!((&mut gives_up).now_or_never().is_none());
    assert_eq!(in_flight(&cascade), (1, 1));
    drop(gives_up);
    drop(held);
    assert_eq!(in_flight(&cascade), (0, 0));
}

#[actix_rt::test]
async fn tasks_are_spread_over_free_permits_if_nothing_else_is_waiting() {
    tokio::time::pause();
    let (cascade, engine) = (cascade(), Fake::new(1000));
    work(&cascade, &engine, SECOND * 4).await;
    let calls = |more_waiting| {
        engine.batches.borrow_mut().clear();
        let (cascade, engine) = (&cascade, &engine);
        async move {
            let context = CallContext { heartbeat: None, more_waiting };
            assert_eq!(translate(cascade, engine, 30, context).await, 30);
            engine.batches.borrow().clone()
        }
    };
    assert_eq!(calls(true).await, [30]);
    assert_eq!(calls(false).await, [3; 10]);
}

#[actix_rt::test]
async fn calls_in_flight_never_exceed_the_permits_and_every_task_is_done() {
    tokio::time::pause();
    let (cascade, engine) = (cascade(), Fake::new(1000));
    cascade.upstreams.set_max_calls(2);
    let context = CallContext { heartbeat: None, more_waiting: false };
    let done = join_all((0..10).map(|_| translate(&cascade, &engine, 100, context))).await;
    assert_eq!(done, [100; 10]);
    assert_eq!(engine.peak.get(), 2);
    assert!(engine.batches.borrow().iter().all(|items| *items <= 40));
}

#[actix_rt::test]
async fn an_engine_that_refuses_without_an_end_time_is_not_called_for_every_job() {
    tokio::time::pause();
    for until in [None, Some(Timestamp::UNIX_EPOCH), Some(Timestamp::now())] {
        let (cascade, engine) = (cascade(), Fake::new(1000));
        engine.does.set(Does::Refuse);
        engine.until.set(until);
        for _ in 0..200 {
            assert_eq!(translate(&cascade, &engine, 1, CallContext::default()).await, 0);
        }
        let calls = engine.batches.borrow().len();
        assert!(calls <= 10, "{until:?}: {calls} calls for 200 jobs");
    }
}

#[test]
fn a_job_that_no_engine_could_do_waits_for_the_growing_backoff_and_at_most_a_day() {
    let cascade = EngineCascade { backoff: Backoff { base: SECOND * 2, max: SECOND * 60 }, ..cascade() };
    let now = Timestamp::now();
    let wait = |attempt: u32, until: Option<Timestamp>| {
        let mut task = task();
        task.failed("fake", &EngineError::RateLimited { reason: "429".into(), until });
        let moment = match cascade.hand_back(&task, attempt) {
            JobEvent::HandedBack { not_before, .. } => not_before,
            JobEvent::Held(hold) => hold.until,
            other => panic!("{other:?}"),
        };
        Duration::try_from(moment.unwrap().duration_since(now)).unwrap()
    };
    let year_2100: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
    for (attempt, until, least) in [
        (1, None, 1),
        (1, Some(Timestamp::UNIX_EPOCH), 1),
        (4, Some(Timestamp::UNIX_EPOCH), 8),
        (4, Some(now), 8),
        (9, Some(now), 30),
        (1, Some(now + SECOND * 50), 49),
        (1, Some(now + SECOND * 5000), 4999),
        (1, Some(year_2100), 24 * 3600),
        (1, Some(Timestamp::MAX), 24 * 3600),
    ] {
        let waited = wait(attempt, until);
        let most = (SECOND * least * 2).clamp(SECOND * 3, SECOND * (24 * 3600 + 5));
        assert!((SECOND * least..=most).contains(&waited), "{attempt} {until:?}: {waited:?}");
    }
}

#[test]
fn a_job_without_a_usable_answer_is_retried_twice_and_then_held_and_a_refused_one_is_held_at_once() {
    let unusable = ItemError::Unusable("the answer has no translation".into());
    let refused = ItemError::Refused("the answer was blocked".into());
    for (error, attempt, is_held) in [
        (&unusable, 0, false),
        (&unusable, 1, false),
        (&unusable, 2, false),
        (&unusable, 3, true),
        (&unusable, 9, true),
        (&refused, 1, true),
    ] {
        let mut task = task();
        task.spoiled("fake", error);
        let event = cascade().hand_back(&task, attempt);
        assert_eq!(matches!(event, JobEvent::Held(_)), is_held, "{error:?} {attempt}: {event:?}");
    }
}

#[actix_rt::test]
async fn the_spoiled_answer_of_one_call_does_not_shrink_the_batch_of_another() {
    tokio::time::pause();
    let (cascade, engine) = (cascade(), Fake::new(1000));
    engine.does.set(Does::SpoilSingleItems);
    let context = CallContext { heartbeat: None, more_waiting: true };
    let (full, single) =
        (translate(&cascade, &engine, 40, context), translate(&cascade, &engine, 1, context));
    assert_eq!(futures_util::future::join(full, single).await, (40, 1));
    assert_eq!(cascade.upstreams.limiters()[0].1.batch, 40);
}

#[actix_rt::test]
async fn a_job_is_held_while_every_engine_is_out_of_quota_for_long_and_retried_if_it_is_not() {
    for (pause, is_held) in [(Duration::from_mins(50), true), (10 * SECOND, false)] {
        let (cascade, engine) = (cascade(), Fake::new(1));
        engine.does.set(Does::Refuse);
        let until = cascade.clock.now() + pause;
        engine.until.set(Some(until));
        // The second time, the engine is not even called.
        for _ in 0..2 {
            let mut tasks = tasks(1);
            let engines: [Rc<dyn Engine>; 1] = [engine.clone()];
            cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
            let not_before = match tasks.remove(0).outcome {
                Some(JobEvent::Held(hold)) if is_held && hold.kind == HoldKind::Quota => hold.until,
                Some(JobEvent::HandedBack { not_before, .. }) if !is_held => not_before,
                outcome => panic!("unexpected outcome {outcome:?} for a pause of {pause:?}"),
            };
            let early = until.duration_since(not_before.unwrap());
            assert!(early < jiff::SignedDuration::from_secs(2), "it is retried {early} before {until}");
        }
        assert_eq!(engine.batches.borrow().len(), 1);
    }
}

#[actix_rt::test]
async fn answers_without_a_request_say_nothing_about_the_engine() {
    tokio::time::pause();
    for (does, is_learned) in [(Does::AnswerAtOnce, false), (Does::Answer, true)] {
        let (cascade, engine) = (cascade(), Fake::new(MOST));
        engine.does.set(does);
        let limiter = cascade.upstreams.limiter(&*engine);
        let before = limiter.stats().limit;
        cascade.upstreams.refusals().failed(
            "fake",
            &EngineError::Unauthorized("401".into()),
            cascade.clock.now(),
        );
        for _ in 0..10 {
            let calls = (0..MOST).map(|_| translate(&cascade, &engine, 1, CallContext::default()));
            join_all(calls).await;
        }
        assert_eq!(limiter.stats().limit > before, is_learned, "{does:?}");
        let refusal = cascade.upstreams.refusals().of("fake", cascade.clock.now());
        assert_eq!(refusal.is_none(), is_learned, "{does:?}");
    }
}
