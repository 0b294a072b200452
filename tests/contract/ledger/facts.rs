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

pub(crate) async fn a_fact_is_replaced_only_if_it_is_still_the_old_one<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    for (old, new, is_new) in [
        (Some("1"), "2", false),
        (None, "1", true),
        (None, "2", false),
        // The answer was lost, and the caller asks again.
        (None, "1", true),
        (Some("1"), "2", true),
        (Some("1"), "3", false),
        (Some("1"), "2", true),
    ] {
        let replaced = ledger.replace("x:login:town", old, new).await.unwrap();
        assert_eq!(replaced, is_new, "{old:?} -> {new}");
        let present = ledger.fact("x:login:town").await.unwrap();
        assert_eq!(present.as_deref() == Some(new), is_new, "{old:?} -> {new}");
    }
}
