//! Facts that adapters store.

use super::{Bench, TestClock};

pub(crate) async fn a_fact_survives_the_process_and_replaces_the_previous_one<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    assert_eq!(ledger.fact("x:user_id:town").await.unwrap(), None);
    ledger.remember("x:user_id:town", "7").await.unwrap();
    ledger.remember("x:user_id:city", "8").await.unwrap();
    ledger.remember("x:user_id:town", "9").await.unwrap();
    drop(ledger);
    let ledger = bench.open();
    assert_eq!(ledger.fact("x:user_id:town").await.unwrap().as_deref(), Some("9"));
    assert_eq!(ledger.fact("x:user_id:city").await.unwrap().as_deref(), Some("8"));
}

pub(crate) async fn a_fact_is_replaced_only_if_it_has_the_expected_value<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let replace = async |expected, value| ledger.replace("count", expected, value).await.unwrap();
    assert!(!replace(Some("1"), "2").await, "it was never stored");
    assert_eq!(ledger.fact("count").await.unwrap(), None);
    assert!(replace(None, "1").await);
    assert!(replace(None, "1").await, "the same call again");
    assert!(!replace(None, "2").await, "it is stored already");
    assert!(replace(Some("1"), "2").await);
    assert!(replace(Some("1"), "2").await, "the same call again");
    assert!(!replace(Some("1"), "3").await, "another caller was faster");
    assert_eq!(ledger.fact("count").await.unwrap().as_deref(), Some("2"));
    ledger.remember("count", "4").await.unwrap();
    assert!(replace(Some("4"), "5").await);
    assert_eq!(ledger.fact("other").await.unwrap(), None);
}
