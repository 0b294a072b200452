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
