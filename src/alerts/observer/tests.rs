use mynah_domain::Money;

use super::*;
use crate::alerts::testing::{MemoryFacts, at};

const SETTING: &str = "budget.daily";

fn dollars(text: &str) -> Money {
    text.parse().unwrap()
}

/// A budget of a dollar until this second.
fn state(until: i64) -> wire::BudgetState {
    let (setting, scope, period) = (SETTING.into(), "everything".into(), "daily".into());
    let (most, left, spent) = (dollars("1"), dollars("0.003"), dollars("0.997"));
    wire::BudgetState { setting, scope, period, most, spent, left, until: at(until) }
}

fn own(least: &str, until: i64) -> BTreeMap<Arc<str>, Shortage> {
    [(SETTING.into(), Shortage { least: dollars(least), until: at(until) })].into()
}

async fn least(facts: &MemoryFacts, own: BTreeMap<Arc<str>, Shortage>, until: i64) -> Option<Money> {
    let shortages = shared_shortages(facts, own, &[state(until)], at(0)).await.unwrap();
    shortages.get(SETTING).map(|shortage| shortage.least)
}

#[actix_rt::test]
async fn what_a_budget_refused_is_known_to_all_instances_and_after_a_restart() {
    let facts = MemoryFacts::default();
    assert_eq!(least(&facts, BTreeMap::new(), 100).await, None);
    assert_eq!(facts.fact(SHORTAGES).await, Ok(None), "nothing to store");
    assert_eq!(least(&facts, own("0.02", 100), 100).await, Some(dollars("0.02")));
    assert_eq!(least(&facts, BTreeMap::new(), 100).await, Some(dollars("0.02")));
    assert_eq!(least(&facts, own("0.004", 100), 100).await, Some(dollars("0.004")));
    assert_eq!(least(&facts, own("0.02", 100), 100).await, Some(dollars("0.004")));
}

#[actix_rt::test]
async fn what_a_budget_refused_in_another_period_does_not_count() {
    let facts = MemoryFacts::default();
    assert_eq!(least(&facts, own("0.02", 100), 100).await, Some(dollars("0.02")));
    assert_eq!(least(&facts, own("0.02", 100), 200).await, None, "the next period has begun");
    assert_eq!(facts.fact(SHORTAGES).await, Ok(Some("{}".into())));
}
