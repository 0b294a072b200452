//! Money: publications pay with the change that begins them, other charges are reserved before they arise, and no budget
//! is ever exceeded.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use mynah_domain::{
    Hold, Job, JobEvent, JobId, JobState, Money, PublicationKey, Skip, TargetId,
    budget::{Budget, Budgets, Charge, Cost, Limit, Payer, Period, Purpose, Scope},
    job::HoldKind,
    ports::{
        Ledger,
        ledger::{Change, ChangeError, Reservation, ReservationKey},
    },
};

use super::{Bench, SOURCE, TestClock, account, change, line, page, sent, target, to_publishing};

const NOON: &str = "2026-11-30T12:00:00Z";
const NEXT_DAY: &str = "2026-12-01T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn dollars(text: &str) -> Money {
    text.parse().unwrap()
}

fn payer(name: Option<&str>) -> Payer {
    Payer { source: SOURCE.into(), target: name.map(target), service: "x".into() }
}

/// A budget of a dollar a day for everything, and of `of_es` for the target `es`.
fn budgets(of_es: &str) -> Budgets {
    let budget = |scope, period, most, setting: &str| Budget {
        scope,
        period,
        most: dollars(most),
        setting: setting.into(),
    };
    let all = vec![
        budget(Scope::Everything, Period::Day, "1", "budget.daily"),
        budget(Scope::Target(target("es")), Period::Month, of_es, "targets[1].monthly_budget"),
    ];
    Budgets { all, ..Budgets::default() }
}

fn limits(name: &str, now: &str) -> Vec<Limit> {
    budgets("10").limits(&payer(Some(name)), at(now))
}

fn day(now: &str) -> Date {
    Budgets::default().day(at(now))
}

/// The begin of a part on a target, with what it costs and what the later parts will cost.
fn begun_for(name: &str, part: u32, (amount, rest, later_parts): (&str, &str, u64), now: &str) -> JobEvent {
    let cost = Cost {
        service: "x".into(),
        day: day(now),
        amount: dollars(amount),
        rest: dollars(rest),
        later_parts,
        limits: limits(name, now),
    };
    let key = PublicationKey::new(Timestamp::UNIX_EPOCH);
    let cost = Some(Box::new(cost));
    JobEvent::PartBegun { part, account: account(name), text: "Hola".into(), key, reply: None, cost }
}

fn begun(part: u32, costs: (&str, &str, u64)) -> JobEvent {
    begun_for("es", part, costs, NOON)
}

fn alone(amount: &str) -> JobEvent {
    begun(0, (amount, "0", 0))
}

fn absent(part: u32) -> JobEvent {
    JobEvent::PartAbsent { part }
}

fn charge(amount: &str, units: u64) -> Charge {
    Charge { payer: payer(None), purpose: Purpose::Read, day: day(NOON), amount: dollars(amount), units }
}

fn reservation(key: ReservationKey, charges: Vec<Charge>) -> Reservation {
    Reservation { key, charges, limits: limits("es", NOON) }
}

/// What was spent and is reserved from a day on.
async fn sum(ledger: &dyn Ledger, since: &str) -> Money {
    ledger.charges(day(since)).await.unwrap().into_iter().map(|charge| charge.amount).sum()
}

/// Jobs on the target `es` that are being published, with their tokens.
async fn publishing(ledger: &dyn Ledger, jobs: u64) -> Vec<(Job, i64)> {
    ledger.record(page(1..=jobs, &["es"])).await.unwrap();
    let mut publishing = Vec::new();
    for job in line(ledger, "es").await {
        let token = to_publishing(ledger, &job).await;
        publishing.push((job, token));
    }
    publishing
}

fn is_over_budget<T: std::fmt::Debug>(answer: &Result<T, ChangeError>) -> bool {
    matches!(answer, Err(ChangeError::OverBudget { .. }))
}

pub(crate) async fn a_publication_is_charged_with_the_change_that_begins_it<B: Bench>() {
    let bench = B::new(TestClock::at(NOON));
    let ledger = bench.open();
    let jobs = publishing(&*ledger, 2).await;
    change(&*ledger, &jobs[0].0, jobs[0].1, vec![alone("0.20")]).await.unwrap();
    change(&*ledger, &jobs[1].0, jobs[1].1, vec![alone("0.015")]).await.unwrap();
    drop(ledger);
    let ledger = bench.open();
    let charged = ledger.charges(day(NOON)).await.unwrap();
    let expected = Charge {
        payer: payer(Some("es")),
        purpose: Purpose::Publish,
        day: day(NOON),
        amount: dollars("0.215"),
        units: 2,
    };
    assert_eq!(charged, [expected]);
    assert_eq!(ledger.charges(day(NEXT_DAY)).await.unwrap(), []);
    let done = vec![sent(0, "77"), JobEvent::Published];
    change(&*ledger, &jobs[0].0, jobs[0].1, done).await.unwrap();
    change(&*ledger, &jobs[1].0, jobs[1].1, vec![absent(0)]).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.20"), "what is absent is not paid for");
    change(&*ledger, &jobs[1].0, jobs[1].1, vec![absent(0)]).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.20"), "and is taken back once");
}

pub(crate) async fn a_publication_beyond_a_budget_is_refused_and_changes_nothing<B: Bench>() {
    let clock = TestClock::at(NOON);
    let ledger = B::new(clock.clone()).open();
    let jobs = publishing(&*ledger, 3).await;
    change(&*ledger, &jobs[0].0, jobs[0].1, vec![alone("0.80")]).await.unwrap();
    let refused = change(&*ledger, &jobs[1].0, jobs[1].1, vec![alone("0.200001")]).await;
    let Err(ChangeError::OverBudget { job, over }) = refused else { panic!("{refused:?}") };
    assert_eq!((job, over.left, over.wanted), (jobs[1].0.id, dollars("0.20"), dollars("0.200001")));
    assert_eq!((over.until, &*over.setting), (at("2026-12-01T00:00:00Z"), "budget.daily"));
    assert_eq!(ledger.publications(jobs[1].0.id).await.unwrap(), []);
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.80"));
    change(&*ledger, &jobs[1].0, jobs[1].1, vec![alone("0.20")]).await.unwrap();
    let refused = change(&*ledger, &jobs[2].0, jobs[2].1, vec![alone("0.000001")]).await;
    assert!(is_over_budget(&refused), "{refused:?}");
    // Others of the same transaction are made.
    let one = Change::new(jobs[2].0.id, jobs[2].1, vec![alone("0.1")]);
    let other = Change::new(jobs[0].0.id, jobs[0].1, vec![sent(0, "77"), JobEvent::Published]);
    let answers = ledger.advance([one, other].into()).await.unwrap();
    assert!(is_over_budget(&answers[0]) && answers[1].is_ok(), "{answers:?}");
    clock.set(NEXT_DAY);
    let next_day = begun_for("es", 0, ("1", "0", 0), NEXT_DAY);
    change(&*ledger, &jobs[2].0, jobs[2].1, vec![next_day]).await.unwrap();
    assert_eq!((sum(&*ledger, NOON).await, sum(&*ledger, NEXT_DAY).await), (dollars("2"), dollars("1")));
}

pub(crate) async fn changes_of_one_transaction_share_what_is_left<B: Bench>() {
    let ledger = B::new(TestClock::at(NOON)).open();
    let jobs = publishing(&*ledger, 7).await;
    let changes = jobs.iter().map(|(job, token)| Change::new(job.id, *token, vec![alone("0.20")]));
    let answers = ledger.advance(changes.collect()).await.unwrap();
    let made: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(made, [true, true, true, true, true, false, false], "{answers:?}");
    assert_eq!(sum(&*ledger, NOON).await, dollars("1"));
    // What is taken back is left for the next change.
    let (first, sixth) = (&jobs[0], &jobs[5]);
    let changes = [
        Change::new(first.0.id, first.1, vec![absent(0)]),
        Change::new(sixth.0.id, sixth.1, vec![alone("0.20")]),
    ];
    let answers = ledger.advance(changes.into()).await.unwrap();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

pub(crate) async fn a_refused_change_takes_nothing_back<B: Bench>() {
    let ledger = B::new(TestClock::at(NOON)).open();
    let jobs = publishing(&*ledger, 2).await;
    change(&*ledger, &jobs[0].0, jobs[0].1, vec![alone("0.80")]).await.unwrap();
    change(&*ledger, &jobs[1].0, jobs[1].1, vec![alone("0.10")]).await.unwrap();
    // The part is absent, and beginning it again would cost more than is left.
    let again = vec![absent(0), alone("0.30")];
    let changes = [
        Change::new(jobs[1].0.id, jobs[1].1, again),
        Change::new(jobs[1].0.id, jobs[1].1, vec![absent(0), alone("0.20")]),
    ];
    let answers = ledger.advance(changes.into()).await.unwrap();
    assert!(is_over_budget(&answers[0]) && answers[1].is_ok(), "{answers:?}");
    assert_eq!(sum(&*ledger, NOON).await, dollars("1"));
}

pub(crate) async fn a_repeated_change_is_charged_once<B: Bench>() {
    let ledger = B::new(TestClock::at(NOON)).open();
    let (job, token) = publishing(&*ledger, 1).await.remove(0);
    for events in [vec![alone("0.80")], vec![absent(0)], vec![alone("0.70")]] {
        let made = Change::new(job.id, token, events);
        let first = ledger.advance([made.clone()].into()).await.unwrap();
        assert!(first[0].is_ok(), "{first:?}");
        let before = sum(&*ledger, NOON).await;
        assert_eq!(ledger.advance([made].into()).await.unwrap(), first);
        assert_eq!(sum(&*ledger, NOON).await, before);
    }
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.70"));
}

pub(crate) async fn a_thread_that_was_begun_can_be_completed<B: Bench>() {
    let ledger = B::new(TestClock::at(NOON)).open();
    let jobs = publishing(&*ledger, 2).await;
    let ((thread, token), (other, others)) = (&jobs[0], &jobs[1]);
    change(&*ledger, thread, *token, vec![begun(0, ("0.20", "0.40", 2))]).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.60"));
    let refused = change(&*ledger, other, *others, vec![alone("0.41")]).await;
    assert!(is_over_budget(&refused), "what the thread reserved is not left: {refused:?}");
    change(&*ledger, other, *others, vec![alone("0.40")]).await.unwrap();
    change(&*ledger, thread, *token, vec![sent(0, "77")]).await.unwrap();
    // A retry in the middle of a thread does not lose what it reserved, nor does a budget that was lowered meanwhile.
    let retry = JobEvent::NotSent { not_before: None, reason: "no answer".into() };
    change(&*ledger, thread, *token, vec![retry]).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("1"));
    let leased = change(&*ledger, thread, *token, vec![JobEvent::LeasedForPublication]).await.unwrap();
    let mut second = begun(1, ("0.20", "0.20", 1));
    if let JobEvent::PartBegun { cost: Some(cost), .. } = &mut second {
        cost.limits = budgets("0.01").limits(&payer(Some("es")), at(NOON));
    }
    change(&*ledger, thread, leased.token, vec![second, sent(1, "78")]).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("1"));
    // What a refused part would have cost is not given to others, either.
    let third = || begun(2, ("0.20", "0", 0));
    change(&*ledger, thread, leased.token, vec![third()]).await.unwrap();
    change(&*ledger, thread, leased.token, vec![absent(2)]).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("1"));
    let last = vec![third(), sent(2, "79"), JobEvent::Published];
    change(&*ledger, thread, leased.token, last).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("1"));
    let units: u64 = ledger.charges(day(NOON)).await.unwrap().iter().map(|charge| charge.units).sum();
    assert_eq!(units, 4);
}

pub(crate) async fn a_thread_that_is_not_completed_releases_what_it_reserved<B: Bench>() {
    let ledger = B::new(TestClock::at(NOON)).open();
    let jobs = publishing(&*ledger, 4).await;
    let hold = Hold { kind: HoldKind::Refused, reason: "no".into(), until: None };
    let ends = [
        JobEvent::Held(hold),
        JobEvent::Failed { reason: "given up".into() },
        JobEvent::Skipped(Skip::Repeated),
    ];
    for ((job, token), end) in jobs.iter().zip(ends) {
        change(&*ledger, job, *token, vec![begun(0, ("0.01", "0.90", 2)), sent(0, &job.id.to_string())])
            .await
            .unwrap();
        assert!(sum(&*ledger, NOON).await > dollars("0.90"), "{end:?}");
        change(&*ledger, job, *token, vec![end]).await.unwrap();
    }
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.03"));
    // The first part is absent: nothing of the thread is on the account.
    let (job, token) = &jobs[3];
    change(&*ledger, job, *token, vec![begun(0, ("0.01", "0.90", 2))]).await.unwrap();
    change(&*ledger, job, *token, vec![absent(0)]).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.03"));
}

pub(crate) async fn a_part_that_may_be_on_the_account_stays_paid_over_a_crash<B: Bench>() {
    let bench = B::new(TestClock::at(NOON));
    let ledger = bench.open();
    let jobs = publishing(&*ledger, 3).await;
    change(&*ledger, &jobs[0].0, jobs[0].1, vec![begun(0, ("0.20", "0.20", 1))]).await.unwrap();
    change(&*ledger, &jobs[1].0, jobs[1].1, vec![alone("0.20")]).await.unwrap();
    let hold = Hold { kind: HoldKind::Budget, reason: "spent".into(), until: Some(Timestamp::MAX) };
    change(&*ledger, &jobs[2].0, jobs[2].1, vec![JobEvent::Held(hold)]).await.unwrap();
    drop(ledger);
    let ledger = bench.open();
    ledger.recover(&[target("es")]).await.unwrap();
    let states: Vec<JobState> = line(&*ledger, "es").await.iter().map(|job| job.state).collect();
    assert_eq!(
        states,
        [JobState::Unknown, JobState::Unknown, JobState::Ready],
        "a budget may have been raised"
    );
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.60"));
    // The first is found, the second is not.
    for (job, found) in line(&*ledger, "es").await.iter().zip([Some("77"), None]) {
        let leased = change(&*ledger, job, job.token, vec![JobEvent::LeasedForPublication]).await.unwrap();
        let known = found.map_or_else(|| absent(0), |id| sent(0, id));
        change(&*ledger, job, leased.token, vec![known]).await.unwrap();
    }
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.40"));
}

pub(crate) async fn a_part_is_taken_back_on_the_day_it_was_charged<B: Bench>() {
    let clock = TestClock::at(NOON);
    let ledger = B::new(clock.clone()).open();
    let jobs = publishing(&*ledger, 2).await;
    change(&*ledger, &jobs[0].0, jobs[0].1, vec![alone("0.80")]).await.unwrap();
    clock.set(NEXT_DAY);
    let today = begun_for("es", 0, ("0.90", "0", 0), NEXT_DAY);
    change(&*ledger, &jobs[1].0, jobs[1].1, vec![today]).await.unwrap();
    change(&*ledger, &jobs[0].0, jobs[0].1, vec![absent(0)]).await.unwrap();
    assert_eq!(
        (sum(&*ledger, NOON).await, sum(&*ledger, NEXT_DAY).await),
        (dollars("0.90"), dollars("0.90"))
    );
    let refused = begun_for("es", 0, ("0.11", "0", 0), NEXT_DAY);
    let refused = change(&*ledger, &jobs[0].0, jobs[0].1, vec![refused]).await;
    assert!(is_over_budget(&refused), "{refused:?}");
}

pub(crate) async fn a_clock_that_is_set_back_gives_nothing_back<B: Bench>() {
    let clock = TestClock::at(NEXT_DAY);
    let ledger = B::new(clock.clone()).open();
    let jobs = publishing(&*ledger, 2).await;
    let today = begun_for("es", 0, ("0.90", "0", 0), NEXT_DAY);
    change(&*ledger, &jobs[0].0, jobs[0].1, vec![today]).await.unwrap();
    clock.set(NOON);
    let refused = change(&*ledger, &jobs[1].0, jobs[1].1, vec![alone("0.11")]).await;
    assert!(is_over_budget(&refused), "over the end of a month, too: {refused:?}");
}

pub(crate) async fn what_is_reserved_is_not_left_until_it_is_settled<B: Bench>() {
    let bench = B::new(TestClock::at(NOON));
    let ledger = bench.open();
    let (job, token) = publishing(&*ledger, 1).await.remove(0);
    let key = ReservationKey::draw();
    let reserved = reservation(key, vec![charge("0.30", 60), charge("0.30", 60)]);
    assert_eq!(ledger.reserve(reserved.clone()).await.unwrap(), Ok(()));
    assert_eq!(ledger.reserve(reserved).await.unwrap(), Ok(()), "a repeat changes nothing");
    assert_eq!(ledger.charges(day(NOON)).await.unwrap(), [charge("0.60", 120)]);
    let over = ledger.reserve(reservation(ReservationKey::draw(), vec![charge("0.41", 1)])).await.unwrap();
    assert_eq!(over.unwrap_err().left, dollars("0.40"));
    let refused = change(&*ledger, &job, token, vec![alone("0.41")]).await;
    assert!(is_over_budget(&refused), "{refused:?}");
    drop(ledger);
    let ledger = bench.open();
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.60"), "a crash releases nothing");
    ledger.settle(key, vec![charge("0.05", 10)]).await.unwrap();
    ledger.settle(key, vec![charge("0.05", 10)]).await.unwrap();
    assert_eq!(ledger.charges(day(NOON)).await.unwrap(), [charge("0.05", 10)]);
    change(&*ledger, &job, token, vec![alone("0.95")]).await.unwrap();
    ledger.settle(ReservationKey::draw(), vec![charge("0.05", 10)]).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("1"), "what was not reserved is not settled");
}

pub(crate) async fn more_than_was_reserved_counts_and_nothing_releases<B: Bench>() {
    let ledger = B::new(TestClock::at(NOON)).open();
    let key = ReservationKey::draw();
    ledger.reserve(reservation(key, vec![charge("0.90", 1)])).await.unwrap().unwrap();
    ledger.settle(key, vec![charge("1.10", 1)]).await.unwrap();
    let over = ledger.reserve(reservation(ReservationKey::draw(), vec![charge("0.01", 1)])).await.unwrap();
    assert_eq!(over.unwrap_err().left, Money::ZERO);
    let of_nothing = Reservation { limits: vec![], ..reservation(key, vec![charge("0.50", 1)]) };
    ledger.reserve(of_nothing).await.unwrap().unwrap();
    ledger.settle(key, vec![]).await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("1.10"));
    ledger.charge(vec![charge("0.10", 1), charge("0.20", 2)]).await.unwrap();
    assert_eq!(ledger.charges(day(NOON)).await.unwrap(), [charge("1.40", 4)]);
}

pub(crate) async fn charges_are_listed_by_day_payer_and_purpose<B: Bench>() {
    let ledger = B::new(TestClock::at(NOON)).open();
    let other = |source: &str, name: Option<&str>, purpose, now: &str| Charge {
        payer: Payer { source: source.into(), target: name.map(target), service: "gemini".into() },
        purpose,
        day: day(now),
        amount: dollars("0.01"),
        units: 1,
    };
    let ordered = [
        other("x:left", Some("ca"), Purpose::Translate, NOON),
        other("x:town", None, Purpose::Read, NOON),
        other("x:town", Some("ca"), Purpose::LookUp, NOON),
        other("x:town", Some("ca"), Purpose::Media, NOON),
        other("x:town", Some("es"), Purpose::Publish, NOON),
        other("x:left", None, Purpose::Read, NEXT_DAY),
    ];
    let mut mixed = ordered.to_vec();
    mixed.rotate_left(2);
    ledger.charge(mixed[..3].to_vec()).await.unwrap();
    let reserved =
        Reservation { key: ReservationKey::draw(), charges: mixed[3..].to_vec(), limits: Vec::new() };
    ledger.reserve(reserved).await.unwrap().unwrap();
    assert_eq!(ledger.charges(day(NOON)).await.unwrap(), ordered);
    assert_eq!(ledger.charges(day(NEXT_DAY)).await.unwrap(), ordered[5..]);
}

pub(crate) async fn reading_a_page_is_settled_with_the_page<B: Bench>() {
    let ledger = B::new(TestClock::at(NOON)).open();
    let key = ReservationKey::draw();
    ledger.reserve(reservation(key, vec![charge("0.50", 100)])).await.unwrap().unwrap();
    let mut read = page([1, 2], &["es"]);
    read.settles = Some((key, vec![charge("0.01", 2)]));
    ledger.record(read.clone()).await.unwrap();
    ledger.record(read).await.unwrap();
    assert_eq!(ledger.charges(day(NOON)).await.unwrap(), [charge("0.01", 2)]);
    assert_eq!(line(&*ledger, "es").await.len(), 2);
}

pub(crate) async fn money_stays_on_record_when_texts_are_removed<B: Bench>() {
    let bench = B::new(TestClock::at(NOON));
    let ledger = bench.open();
    let (job, token) = publishing(&*ledger, 1).await.remove(0);
    let done = vec![alone("0.20"), sent(0, "77"), JobEvent::Published];
    change(&*ledger, &job, token, done).await.unwrap();
    ledger.forget(&job.post.id).await.unwrap().unwrap();
    ledger.compact().await.unwrap();
    assert_eq!(sum(&*ledger, NOON).await, dollars("0.20"));
}

/// Several callers, each through a handle of its own if the ledger allows it.
pub(crate) async fn callers_at_the_same_time_do_not_spend_the_same_money<B: Bench>() {
    let bench = B::new(TestClock::at(NOON));
    let first = bench.open();
    let jobs = publishing(&*first, 12).await;
    let second = bench.open_beside();
    let second = second.as_deref().unwrap_or(&*first);
    let begin = async |number: usize| {
        let ledger = if number.is_multiple_of(2) { &*first } else { second };
        let (job, token) = &jobs[number];
        change(ledger, job, *token, vec![alone("0.20")]).await.is_ok()
    };
    let reserve = async |number: usize| {
        let ledger = if number.is_multiple_of(2) { &*first } else { second };
        ledger.reserve(reservation(ReservationKey::draw(), vec![charge("0.20", 1)])).await.unwrap().is_ok()
    };
    let of_jobs = futures_util::future::join_all((0..12).map(&begin));
    let of_calls = futures_util::future::join_all((0..12).map(&reserve));
    let (of_jobs, of_calls) = futures_util::future::join(of_jobs, of_calls).await;
    let made = of_jobs.into_iter().chain(of_calls).filter(|is_made| *is_made).count();
    assert_eq!(made, 5);
    assert_eq!(sum(&*first, NOON).await, dollars("1"));
}

/// A job whose target is not in any budget is limited by nothing.
pub(crate) async fn budgets_of_other_targets_do_not_matter<B: Bench>() {
    let ledger = B::new(TestClock::at(NOON)).open();
    ledger.record(page([1], &["es", "ca"])).await.unwrap();
    let of_target = Budgets {
        all: vec![Budget {
            scope: Scope::Target(TargetId::new("x", "es")),
            period: Period::Day,
            most: dollars("0.10"),
            setting: Arc::from("targets[1].daily_budget"),
        }],
        ..Budgets::default()
    };
    for (name, is_allowed) in [("ca", true), ("es", false)] {
        let job = line(&*ledger, name).await.remove(0);
        let token = to_publishing(&*ledger, &job).await;
        let mut begun = begun_for(name, 0, ("0.20", "0", 0), NOON);
        if let JobEvent::PartBegun { cost: Some(cost), .. } = &mut begun {
            cost.limits = of_target.limits(&payer(Some(name)), at(NOON));
        }
        let answer = change(&*ledger, &job, token, vec![begun]).await;
        assert_eq!(answer.is_ok(), is_allowed, "{answer:?}");
    }
    assert_eq!(ledger.publications(JobId(999)).await.unwrap(), []);
}
