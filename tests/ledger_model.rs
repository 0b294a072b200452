//! Compares the ledger with a model: whatever happens to both, and however often the process crashes meanwhile, both
//! must have the same content. This finds cases that nobody thought of writing a contract test for.
//!
//! `PROPTEST_CASES=2000 cargo test -p mynah --test ledger_model` searches longer. A failure names the seed to repeat
//! it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test that cannot go on fails, and counts nothing large"
)]

mod model;
#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod postgres;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex},
};

use futures_util::{
    FutureExt as _,
    future::{join, join_all, try_join_all},
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use model::{
    bill::{self, acts},
    database::Database,
    memory::{Memory, Outcome, Refusal, account_of},
    ops::{
        Op, SOURCES, Step, TARGETS, budgets, ops, reservation_key, target, targets_in, to_forget, to_settle,
    },
    place::{Files, Place, Stored, TestClock},
    promises::Promises,
};
use mynah_domain::{
    JobId, JobState, PostId,
    ports::{
        Clock as _, Facts as _, LedgerError, Listing as _, Retention as _, Spending as _, Work as _,
        ledger::{Advanced, Change, ChangeError, LinePosition},
    },
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner, contextualize_config},
};

/// The number of runs unless `PROPTEST_CASES` is set, and the maximum number of operations per run.
const CASES: u32 = 64;
const MOST: usize = 50;

/// In how many runs something occurred: what never occurs is not tested.
type Seen = RefCell<BTreeMap<String, u32>>;

#[test]
fn the_ledger_matches_its_model_across_crashes() {
    search::<Files>(CASES);
}

#[test]
fn the_ledger_on_postgresql_matches_its_model_across_crashes() {
    if postgres::Server::shared().is_some() {
        search::<Database>(CASES / 4);
    }
}

#[test]
fn no_interleaving_exceeds_a_budget_and_the_sum_is_the_bill() {
    spend::<Files>(4 * CASES);
}

#[test]
fn no_interleaving_exceeds_a_budget_on_postgresql_and_the_sum_is_the_bill() {
    if postgres::Server::shared().is_some() {
        spend::<Database>(CASES / 4);
    }
}

/// Spends money in random ways.
#[expect(clippy::print_stdout, reason = "the result, for whoever runs it")]
fn spend<P: Place>(cases: u32) {
    let runtime = actix_rt::Runtime::new().unwrap();
    let seen = RefCell::new((0, 0));
    let config = config(cases);
    let outcome = TestRunner::new(config.clone()).run(&acts(), |acts| {
        let (made, refused) = runtime.block_on(bill::run::<P>(&acts))?;
        let mut seen = seen.borrow_mut();
        *seen = (seen.0 + made, seen.1 + refused);
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{why}; PROPTEST_RNG_SEED repeats it: {:?}", config.rng_seed);
    }
    let (made, refused) = seen.into_inner();
    println!("{made} charges, {refused} refused by a budget");
    assert!(made > 0 && refused > 0, "nothing was refused, so nothing is tested");
}

fn config(cases: u32) -> Config {
    contextualize_config(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        max_shrink_time: 60_000,
        rng_seed: RngSeed::Fixed(fastrand::u64(..)),
        ..Config::default()
    })
}

/// Runs random operations on both, and fails if some kind of outcome never occurred.
#[expect(clippy::print_stdout, reason = "the result, for whoever runs it")]
fn search<P: Place>(cases: u32) {
    let config = config(cases);
    let runtime = actix_rt::Runtime::new().unwrap();
    let seen = Seen::default();
    let outcome =
        TestRunner::new(config.clone()).run(&ops(MOST), |ops| runtime.block_on(run::<P>(&ops, &seen)));
    let RngSeed::Fixed(drawn) = config.rng_seed else { unreachable!("it is set above") };
    match outcome {
        Ok(()) => {}
        // The trail in `why` describes the operations better than the numbers they were drawn from.
        Err(TestError::Fail(why, _)) => panic!("{why}\n\nPROPTEST_RNG_SEED={drawn} repeats it"),
        Err(TestError::Abort(why)) => panic!("{why}; PROPTEST_RNG_SEED={drawn} repeats it"),
    }
    let seen = seen.into_inner();
    println!("{seen:#?}");
    let states = JobState::ALL.map(|state| state.to_string());
    let others = [
        "stale",
        "no such job",
        "no such step",
        "contradicts the record",
        "in progress",
        "withheld",
        "held unreadable",
        "read again",
        "edited",
        "recognized",
        "forgotten",
        "not forgotten",
        "expired",
        "over budget",
        "reserved",
        "not reserved",
    ];
    for what in states.into_iter().chain(others.map(String::from)) {
        // A short run may miss some.
        assert!(config.cases < CASES || seen.contains_key(&what), "this never occurred: {what}");
    }
}

/// A real ledger and its model.
struct Pair<'a, P: Place> {
    clock: Arc<TestClock>,
    place: P,
    real: Option<P::Ledger>,
    model: Memory,
    promises: Promises,
    /// The requested changes, with the answers of those that were made, latest last.
    asked: Vec<(Change, Option<Advanced>)>,
    seen: &'a Seen,
    /// How many reservations were made.
    reserved: usize,
    /// The operations so far, reported on a failure.
    trail: Vec<String>,
}

async fn run<P: Place>(ops: &[Op], seen: &Seen) -> Result<(), TestCaseError> {
    // Just before the end of a day and a month.
    let clock = Arc::new(TestClock(Mutex::new("2026-11-30T22:00:00Z".parse().unwrap())));
    let place = P::new(clock.clone());
    let real = Some(place.open());
    let (model, promises) = (Memory::default(), Promises::default());
    let (asked, trail) = (Vec::new(), Vec::new());
    let mut pair = Pair { clock, place, real, model, promises, asked, seen, reserved: 0, trail };
    let mut outcome = Ok(());
    for op in ops {
        outcome = pair.step(op).await;
        if outcome.is_err() {
            break;
        }
    }
    if let Some(real) = pair.real.take() {
        pair.place.close(real);
    }
    outcome.map_err(|why| {
        let trail = pair.trail.join("\n");
        TestCaseError::fail(format!("{why}\n\nwhat was done:\n{trail}"))
    })
}

fn broken(error: LedgerError) -> TestCaseError {
    TestCaseError::fail(String::from(error))
}

impl<P: Place> Pair<'_, P> {
    fn real(&self) -> &P::Ledger {
        self.real.as_ref().unwrap()
    }

    fn saw(&self, what: impl fmt::Display) {
        *self.seen.borrow_mut().entry(what.to_string()).or_default() += 1;
    }

    fn did(&mut self, what: impl fmt::Debug) {
        self.trail.push(format!("{} {what:?}", self.clock.now()));
    }

    async fn step(&mut self, op: &Op) -> Result<(), TestCaseError> {
        let now = self.clock.now();
        match op {
            Op::Record(poll) => {
                let page = poll.page(&self.model);
                self.did(&page);
                let expected = self.model.record(&page, now);
                for (what, count) in [
                    ("held unreadable", expected.held),
                    ("read again", expected.reread),
                    ("edited", expected.edited.len() as u64),
                ] {
                    if count > 0 {
                        self.saw(what);
                    }
                }
                prop_assert_eq!(self.real().record(page).await.map_err(broken)?, expected);
            }
            Op::Advance(steps) => {
                let (changes, expected) = self.changes(steps);
                self.did(&changes);
                self.advance(&changes, expected).await?;
            }
            Op::Repeat(age) => {
                let latest = self.asked.iter().rev().nth(*age).cloned();
                if let Some((change, _)) = latest {
                    self.did(("repeated", &change));
                    // A change without events may have been made before, and answered otherwise.
                    let same = self.asked.iter().rev().find(|(asked, _)| *asked == change);
                    let answer = same.and_then(|(_, answer)| *answer);
                    let outcome = self.model.advance(&change, now);
                    // A change without events is also what a post that was read again leaves if its job is not to change.
                    if outcome.is_repeat && !change.events().is_empty() {
                        prop_assert_eq!(outcome.answer.as_ref().ok(), answer.as_ref(), "{:?}", change);
                    }
                    self.advance(&[change], vec![outcome]).await?;
                }
            }
            Op::Clock(minutes) => {
                *self.clock.0.lock().unwrap() = now + SignedDuration::from_mins(*minutes);
            }
            Op::Recover(targets) => self.recover(Some(*targets)).await?,
            Op::Remember(key, value) => {
                let (key, value) = (format!("key {key}"), value.to_string());
                self.did(("remember", &key, &value));
                self.real().remember(&key, &value).await.map_err(broken)?;
                self.model.facts.insert(key, value);
            }
            Op::Forget(pick) => {
                let post = to_forget(*pick, &self.model);
                self.did(("forget", &post));
                let expected = self.model.forget(&post);
                self.saw(if expected.is_ok() { "forgotten" } else { "not forgotten" });
                prop_assert_eq!(self.real().forget(&post).await.map_err(broken)?, expected);
            }
            Op::Expire(minutes, most) => {
                let moment = now - SignedDuration::from_mins(*minutes);
                self.did(("forget before", moment, most));
                let expected = self.model.forget_before(moment, *most);
                if expected > 0 {
                    self.saw("expired");
                }
                prop_assert_eq!(self.real().forget_before(moment, *most).await.map_err(broken)?, expected);
            }
            Op::Reserve(amounts) => {
                let reservation = amounts.reservation(reservation_key(self.reserved), now);
                self.reserved += 1;
                self.did(&reservation);
                let expected = self.model.reserve(&reservation);
                self.saw(if expected.is_ok() { "reserved" } else { "not reserved" });
                prop_assert_eq!(self.real().reserve(reservation).await.map_err(broken)?, expected);
            }
            Op::Settle(pick, amounts) => {
                let (key, charges) = (to_settle(*pick, &self.model), amounts.charges(now));
                self.did(("settled", key, &charges));
                self.model.settle(key, &charges);
                self.real().settle(key, charges).await.map_err(broken)?;
            }
            Op::Charge(amounts) => {
                let charges = amounts.charges(now);
                self.did(("charged", &charges));
                self.model.others.extend_from_slice(&charges);
                self.real().charge(charges).await.map_err(broken)?;
            }
            Op::Compact => {
                self.did("compacted");
                self.real().compact().await.map_err(broken)?;
            }
            Op::Reopen { recover } => {
                self.did("reopened");
                let real = self.real.take().unwrap();
                self.place.close(real);
                self.real = Some(self.place.open());
                self.compare().await?;
                self.recover(*recover).await?;
            }
            Op::Crash { torn, recover } => {
                self.did(("killed, with rubbish at the end of its log", torn));
                let real = self.real.take().unwrap();
                self.place.kill(real, *torn);
                self.real = Some(self.place.open());
                self.compare().await?;
                self.recover(*recover).await?;
            }
            Op::KilledWhile(steps) => {
                let (before, record) = (self.model.clone(), self.place.record());
                let (changes, expected) = self.changes(steps);
                self.did(("killed while", &changes));
                let real = self.real.take().unwrap();
                // It has been sent to the ledger's thread, and nobody waits for the answer.
                let _ = real.advance(changes.as_slice().into()).now_or_never();
                self.place.kill(real, 0);
                self.real = Some(self.place.open());
                let unanswered = expected.iter().map(|outcome| outcome.answer.clone());
                let unanswered: Vec<Result<Advanced, ChangeError>> = unanswered.collect();
                if self.place.record() == record {
                    // All of it or nothing was done.
                    self.saw("killed before");
                    self.model = before;
                } else {
                    self.saw("killed after");
                    self.made(&changes, &expected)?;
                }
                self.compare().await?;
                // Nobody received the answer.
                let again: Vec<Outcome> =
                    changes.iter().map(|change| self.model.advance(change, now)).collect();
                let jobs: BTreeSet<JobId> = changes.iter().map(Change::job).collect();
                if jobs.len() == changes.len() {
                    for ((change, first), again) in changes.iter().zip(unanswered).zip(&again) {
                        prop_assert_eq!(sort_of(again.answer.clone()), sort_of(first), "{:?}", change);
                    }
                }
                self.did(("asked again", &changes));
                self.advance(&changes, again).await?;
            }
        }
        self.compare().await
    }

    /// The requested changes, and the model's outcomes.
    fn changes(&mut self, steps: &[Step]) -> (Vec<Change>, Vec<Outcome>) {
        let now = self.clock.now();
        let mut asked = Vec::new();
        let mut outcomes = Vec::new();
        for step in steps {
            let change = step.change(&self.model, now);
            let outcome = self.model.advance(&change, now);
            asked.push(change);
            outcomes.push(outcome);
        }
        (asked, outcomes)
    }

    /// Makes the real ledger apply changes, and compares the outcomes with the model's.
    async fn advance(&mut self, changes: &[Change], expected: Vec<Outcome>) -> Result<(), TestCaseError> {
        let answers = self.real().advance(changes.into()).await.map_err(broken)?;
        prop_assert_eq!(answers.len(), expected.len());
        for ((change, answer), expected) in changes.iter().zip(answers).zip(&expected) {
            prop_assert_eq!(sort_of(answer), sort_of(expected.answer.clone()), "{:?}", change);
        }
        self.made(changes, &expected)
    }

    /// Records changes with equal outcomes in both.
    fn made(&mut self, changes: &[Change], outcomes: &[Outcome]) -> Result<(), TestCaseError> {
        for (change, outcome) in changes.iter().zip(outcomes) {
            match (&outcome.answer, outcome.refusal) {
                (Ok(_), _) if outcome.is_repeat => self.saw("recognized"),
                (Ok(advanced), _) => {
                    self.saw(advanced.state);
                    self.promises.made(change, *advanced)?;
                }
                (Err(ChangeError::Stale { .. }), _) => self.saw("stale"),
                (Err(ChangeError::NoSuchJob(_)), _) => self.saw("no such job"),
                (Err(ChangeError::OverBudget { .. }), _) => self.saw("over budget"),
                (_, Some(Refusal::Table)) => self.saw("no such step"),
                _ => self.saw("contradicts the record"),
            }
            if !outcome.is_repeat {
                self.asked.push((change.clone(), outcome.answer.as_ref().ok().copied()));
            }
        }
        Ok(())
    }

    async fn recover(&mut self, targets: Option<u8>) -> Result<(), TestCaseError> {
        if let Some(targets) = targets.map(targets_in) {
            self.did(("recovered", &targets));
            let expected = self.model.recover(&targets);
            if expected > 0 {
                self.saw("in progress");
            }
            prop_assert_eq!(self.real().recover(&targets).await.map_err(broken)?, expected);
        }
        Ok(())
    }

    /// Compares the answers of both to every query.
    async fn compare(&mut self) -> Result<(), TestCaseError> {
        let (real, model) = (self.real(), &self.model);
        prop_assert_eq!(real.counts().await.map_err(broken)?, model.counts());
        for index in 0..TARGETS.len() {
            self.compare_target(index).await?;
        }
        let numbers = (1..).take(model.jobs.len() + 1).map(JobId);
        let parts = join_all(numbers.clone().map(|id| real.publications(id))).await;
        for (id, parts) in numbers.zip(parts) {
            let parts = parts.map_err(broken)?;
            prop_assert_eq!(&parts, &model.publications(id), "the parts of job {}", id);
            self.promises.published(id, &parts)?;
        }
        for id in (1..).take(model.jobs.len()).map(JobId) {
            let made = real.draft_decisions(id).await.map_err(broken)?;
            let made: Vec<_> = made.into_iter().map(|made| ((id, made.token), made.decision)).collect();
            let expected = model.decisions.range((id, i64::MIN)..=(id, i64::MAX));
            let expected: Vec<_> = expected.map(|(key, decision)| (*key, decision.clone())).collect();
            prop_assert_eq!(made, expected, "decisions about job {}", id);
        }
        for source in SOURCES {
            let checkpoint = real.checkpoint(source).await.map_err(broken)?;
            prop_assert_eq!(checkpoint.as_ref(), model.checkpoints.get(source));
            let to_reread = real.to_reread(source, usize::MAX).await.map_err(broken)?;
            prop_assert_eq!(to_reread, model.to_reread(source), "what is to be read again of {}", source);
        }
        for (source, id) in model.posts.keys() {
            let post = real.post(source, id).await.map_err(broken)?;
            prop_assert_eq!(post.as_ref(), model.post(source, id), "post {} of {}", id, source);
        }
        let now = self.clock.now();
        for since in [Date::MIN, budgets().day(now)] {
            prop_assert_eq!(
                real.charges(since).await.map_err(broken)?,
                model.charges(since),
                "since {}",
                since
            );
        }
        for key in (0..3).map(|key| format!("key {key}")) {
            let fact = real.fact(&key).await.map_err(broken)?;
            prop_assert_eq!(fact.as_ref(), model.facts.get(&key));
        }
        let rows = self.place.stored();
        prop_assert_eq!(&rows, &stored(model));
        let forgotten = self.place.forgotten();
        prop_assert_eq!(&forgotten, &model.forgotten());
        self.promises.forgotten(forgotten)?;
        self.promises.stored(&rows)
    }

    async fn compare_target(&self, index: usize) -> Result<(), TestCaseError> {
        let (real, model, target) = (self.real(), &self.model, target(index));
        let line = model.open_jobs(&target, None, usize::MAX);
        if model.jobs.iter().filter(|row| row.target == target && row.state == JobState::Queued).count()
            > line.iter().filter(|job| job.state == JobState::Queued).count()
        {
            self.saw("withheld");
        }
        // The whole line, and pieces from every position in it.
        let places = line.iter().map(LinePosition::of);
        let end = LinePosition { position: u64::MAX, job: JobId(i64::MAX) };
        let mut pieces = vec![(None, usize::MAX), (None, 0), (None, 2), (Some(end), 1)];
        pieces.extend(places.enumerate().map(|(number, at)| (Some(at), number % 3 + 1)));
        let asked = pieces.iter().map(|(after, limit)| real.open_jobs(&target, *after, *limit));
        for ((after, limit), jobs) in pieces.iter().zip(join_all(asked).await) {
            let expected = model.open_jobs(&target, *after, *limit);
            prop_assert_eq!(jobs.map_err(broken)?, expected, "{} after {:?}, {}", target, after, limit);
        }
        let now = self.clock.now();
        let moments = [-26, -3, 0, 3, 26].map(|hours| now + SignedDuration::from_hours(hours));
        let account = account_of(&target);
        let spent = join_all(moments.map(|moment| real.spent(&account, moment))).await;
        for (moment, spent) in moments.into_iter().zip(spent) {
            let expected = model.spent(&account, moment);
            prop_assert_eq!(spent.map_err(broken)?, expected, "spent on {} at {}", account, moment);
        }
        let versions = model.versions.keys().map(|(_, id)| id);
        let posts: Vec<&PostId> = model.posts.keys().map(|(_, id)| id).chain(versions).collect();
        let became = posts.iter().map(|id| real.publication_of(id, &target));
        let states = try_join_all(posts.iter().map(|id| real.state_of(id, &target))).await.map_err(broken)?;
        let expected: Vec<_> = posts.iter().map(|id| model.state_of(id, &target)).collect();
        prop_assert_eq!(states, expected, "where {:?} stand on {}", posts, target);
        let parts = model.jobs.iter().flat_map(|row| row.parts.values());
        // Also those of other targets, and one that does not exist.
        let mut messages: Vec<PostId> = parts.filter_map(|part| part.remote_id.clone()).collect();
        messages.push(PostId("never".into()));
        let (became, recorded) = join(try_join_all(became), real.recorded(&account, &messages)).await;
        let expected: Vec<_> = posts.iter().map(|id| model.publication_of(id, &target)).collect();
        prop_assert_eq!(became.map_err(broken)?, expected, "what became of {:?} on {}", posts, target);
        prop_assert_eq!(recorded.map_err(broken)?, model.recorded(&account, &messages));
        Ok(())
    }
}

/// An answer without its texts for people.
fn sort_of(answer: Result<Advanced, ChangeError>) -> Result<Advanced, ChangeError> {
    answer.map_err(|error| match error {
        ChangeError::Illegal { job, .. } => {
            ChangeError::Illegal { job, state: JobState::Queued, event: String::new() }
        }
        other => other,
    })
}

/// What the file should contain for each job.
fn stored(model: &Memory) -> Vec<Stored> {
    let row = |row: &model::memory::Row| Stored {
        state: row.state.to_string(),
        token: row.token,
        attempt: row.attempt,
        not_before: row.not_before.map(Timestamp::as_millisecond),
        kind: row.kind.map(String::from),
        reason: row.reason.clone(),
        engine: row.translation.as_ref().map(|translation| translation.engine.clone()),
        parts: row.parts.values().cloned().collect(),
    };
    model.jobs.iter().map(row).collect()
}
