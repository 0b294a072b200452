//! A source that charges for reading, and budgets for it.

use mynah_domain::{
    Money,
    budget::{Budget, Budgets, Period, Scope},
    ports::{Page, Spending as _},
};

use super::{
    tests::{Bench, Fake, page, unavailable},
    *,
};
use crate::{supervision::shell::Stop, testing::exit_guard};

fn dollars(text: &str) -> Money {
    text.parse().unwrap()
}

/// A poller that pays a cent for each post, within a budget for a day.
fn paying(most: Option<&str>) -> Bench {
    let mut bench = Bench::new(Start::Beginning);
    let budget = |most| Budget {
        scope: Scope::Source("net:town".into()),
        period: Period::Day,
        most: dollars(most),
        setting: "source.daily_budget".into(),
    };
    let budgets = Budgets { all: most.map(budget).into_iter().collect(), ..Budgets::default() };
    bench.parts.purse = Some(Purse::new(bench.ledger.clone(), Arc::new(budgets), bench.parts.clock.clone()));
    bench.parts.prices = CallPrices { read: dollars("0.01"), ..CallPrices::default() };
    bench
}

/// The posts with these numbers, of which the network bills so many.
fn billed(ids: impl IntoIterator<Item = u64>, billed: u64) -> Page {
    Page { billed, ..page(ids, None) }
}

/// What is on record: the amount and the number of posts.
async fn spent(bench: &Bench) -> (Money, u64) {
    let charges = bench.ledger.charges(jiff::civil::Date::MIN).await.unwrap();
    (charges.iter().map(|charge| charge.amount).sum(), charges.iter().map(|charge| charge.units).sum())
}

#[actix_rt::test]
async fn what_a_page_cost_is_recorded_with_it() {
    for budget in [None, Some("1")] {
        let bench = paying(budget);
        bench.poll(&Rc::new(Fake::new(|_, _| Ok(billed([9, 8, 7], 2))))).await;
        assert_eq!(spent(&bench).await, (dollars("0.02"), 2));
        assert_eq!(bench.ledger.numbers(), [7, 8, 9].into());
    }
}

#[actix_rt::test]
async fn a_failed_read_costs_nothing() {
    let bench = paying(Some("1"));
    let source = Rc::new(Fake::new(|_, call| if call < 3 { Err(unavailable()) } else { Ok(billed([], 0)) }));
    bench.poll(&source).await;
    assert_eq!(spent(&bench).await, (Money::ZERO, 0));
}

#[actix_rt::test]
async fn fewer_posts_are_requested_if_a_budget_does_not_allow_a_whole_page() {
    let bench = paying(Some("0.03"));
    let source = Rc::new(Fake::new(|request: &PageRequest, _| Ok(billed([9], request.limit as u64))));
    bench.poll(&source).await;
    let limits: Vec<usize> = source.asked.borrow().iter().map(|request| request.limit).collect();
    assert_eq!((limits, spent(&bench).await), (vec![3], (dollars("0.03"), 3)));
}

#[actix_rt::test]
async fn a_source_that_no_budget_pays_for_is_read_again_when_the_period_begins() {
    tokio::time::pause();
    let mut bench = paying(Some("0.005"));
    bench.parts.schedule = Schedule::Every(Duration::from_secs(1));
    let source = Rc::new(Fake::new(|_, _| Ok(page([9], None))));
    let mut poller =
        Poller::new(WorkerContext::new(&exit_guard("poller")), bench.parts.clone(), source.clone());
    assert_eq!(poller.step(&Stop::default()).await, Step::Idle);
    let wait = poller.next.unwrap().saturating_duration_since(Instant::now());
    assert_eq!(source.reads(), 0);
    let shortages = bench.parts.purse.as_ref().unwrap().shortages();
    let waits = shortages.of_source("net:town", bench.parts.clock.now()).unwrap();
    assert_eq!(
        (&*waits.setting, waits.until.to_string().as_str()),
        ("source.daily_budget", "2026-11-27T00:00:00Z")
    );
    let least = shortages.budgets(bench.parts.clock.now())["source.daily_budget"].least;
    assert_eq!(least, dollars("0.01"), "one post would be enough");
    assert!(wait > Duration::from_hours(11) && wait <= Duration::from_hours(12), "{wait:?} from noon");
}

#[actix_rt::test]
async fn a_page_of_fewer_posts_is_no_shortage_and_a_source_that_is_read_waits_no_more() {
    let bench = paying(Some("0.03"));
    let shortages = bench.parts.purse.as_ref().unwrap().shortages().clone();
    let over = OverBudget {
        period: Period::Day,
        most: dollars("0.03"),
        left: Money::ZERO,
        reserved: dollars("0.03"),
        wanted: dollars("0.01"),
        setting: "source.daily_budget".into(),
        until: "2026-11-27T00:00:00Z".parse().unwrap(),
    };
    shortages.source_waits("net:town", &over, over.until);
    let now = bench.parts.clock.now();
    assert!(shortages.of_source("net:town", now).is_some());
    bench.poll(&Rc::new(Fake::new(|_, _| Ok(billed([9], 1))))).await;
    assert!(shortages.of_source("net:town", now).is_none());
    assert!(shortages.budgets(now).is_empty());
}

#[actix_rt::test]
async fn the_budget_that_allows_the_fewest_posts_decides_how_many_are_requested() {
    let mut bench = paying(None);
    let budget = |scope, most, period, setting: &str| Budget {
        scope,
        period,
        most: dollars(most),
        setting: setting.into(),
    };
    let all = vec![
        budget(Scope::Source("net:town".into()), "0.04", Period::Month, "source.monthly_budget"),
        budget(Scope::Everything, "0.02", Period::Day, "budget.daily"),
    ];
    let budgets = Budgets { all, ..Budgets::default() };
    bench.parts.purse = Some(Purse::new(bench.ledger.clone(), Arc::new(budgets), bench.parts.clock.clone()));
    let source = Rc::new(Fake::new(|request: &PageRequest, _| Ok(billed([9], request.limit as u64))));
    bench.poll(&source).await;
    let limits: Vec<usize> = source.asked.borrow().iter().map(|request| request.limit).collect();
    assert_eq!(limits, [2]);
}

#[actix_rt::test]
async fn a_single_poll_reports_the_budget_and_ends() {
    let mut bench = paying(Some("0.005"));
    let (polls, mut polled) = mpsc::unbounded_channel();
    bench.parts.polls = Some(polls);
    let source = Rc::new(Fake::new(|_, _| Ok(page([9], None))));
    assert_eq!(bench.poll(&source).await, 1);
    let (_, outcome) = polled.recv().await.unwrap();
    assert!(
        matches!(&outcome, Polled::Failed(error) if error.to_string().contains("raise source.daily_budget")),
        "{outcome:?}"
    );
    assert_eq!(source.reads(), 0);
}
