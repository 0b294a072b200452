//! The contract of whatever grants leases. An adapter runs it with `leases_contract!(Bench)`.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use jiff::Timestamp;
use mynah_domain::{
    AccountId,
    ports::{
        Leases,
        leases::{Fence, Instance, InstanceId, Lease, LeaseName},
    },
};

/// Grants leases in a test.
pub(crate) trait Bench {
    /// Whether what it needs is installed.
    fn is_available() -> bool {
        true
    }

    fn new() -> Self;

    fn leases(&self) -> &dyn Leases;

    /// Lets so much time pass for all leases.
    fn pass(&self, time: Duration);
}

const TTL: Duration = Duration::from_mins(1);

fn instance(name: &str) -> InstanceId {
    InstanceId::from(name)
}

fn town() -> LeaseName {
    LeaseName::Source("x:town".into())
}

fn account() -> LeaseName {
    LeaseName::Account(AccountId::new("x", "town_es"))
}

async fn acquire(bench: &impl Bench, name: &LeaseName, who: &str) -> Option<Fence> {
    bench.leases().acquire(name, &instance(who), TTL).await.unwrap()
}

fn lease(name: LeaseName, fence: Fence) -> Lease {
    Lease { name, fence }
}

pub(crate) async fn a_lease_is_held_by_one_instance_until_it_runs_out<B: Bench>() {
    let bench = B::new();
    assert!(acquire(&bench, &town(), "a").await.is_some());
    assert_eq!(acquire(&bench, &town(), "b").await, None);
    assert!(acquire(&bench, &account(), "b").await.is_some(), "another name is another lease");
    bench.pass(TTL / 2);
    assert_eq!(acquire(&bench, &town(), "b").await, None);
    bench.pass(TTL);
    assert!(acquire(&bench, &town(), "b").await.is_some());
    assert_eq!(acquire(&bench, &town(), "a").await, None);
}

pub(crate) async fn every_acquisition_has_a_larger_fence<B: Bench>() {
    let bench = B::new();
    let first = acquire(&bench, &town(), "a").await.unwrap();
    let again = acquire(&bench, &town(), "a").await.unwrap();
    assert!(again > first, "by its holder");
    bench.leases().release(&[lease(town(), again)], &instance("a")).await.unwrap();
    let released = acquire(&bench, &town(), "b").await.unwrap();
    assert!(released > again, "after it was given back");
    bench.pass(2 * TTL);
    assert!(acquire(&bench, &town(), "a").await.unwrap() > released, "after it ran out");
}

pub(crate) async fn of_several_that_acquire_at_once_one_succeeds<B: Bench>() {
    let bench = B::new();
    for round in 0..5 {
        bench.pass(2 * TTL);
        let names: Vec<String> = (0..8).map(|number| format!("instance {round} {number}")).collect();
        let name = town();
        let fences = join_all(names.iter().map(|who| acquire(&bench, &name, who))).await;
        assert_eq!(fences.iter().flatten().count(), 1, "{fences:?}");
    }
}

pub(crate) async fn a_renewed_lease_lasts_and_one_that_ran_out_is_renewed_if_nobody_took_it<B: Bench>() {
    let bench = B::new();
    let fence = acquire(&bench, &town(), "a").await.unwrap();
    let held = [lease(town(), fence)];
    for _ in 0..3 {
        bench.pass(TTL / 2);
        assert!(bench.leases().renew(&held, &instance("a"), TTL).await.unwrap().is_empty());
        assert_eq!(acquire(&bench, &town(), "b").await, None);
    }
    bench.pass(2 * TTL);
    assert!(bench.leases().renew(&held, &instance("a"), TTL).await.unwrap().is_empty());
    assert_eq!(acquire(&bench, &town(), "b").await, None);
}

pub(crate) async fn a_lost_lease_is_neither_renewed_nor_released<B: Bench>() {
    let bench = B::new();
    let town_fence = acquire(&bench, &town(), "a").await.unwrap();
    let account_fence = acquire(&bench, &account(), "a").await.unwrap();
    bench.pass(2 * TTL);
    let taken = acquire(&bench, &town(), "b").await.unwrap();
    let held = [lease(town(), town_fence), lease(account(), account_fence)];
    assert_eq!(bench.leases().renew(&held, &instance("a"), TTL).await.unwrap(), [town()]);
    bench.leases().release(&held[..1], &instance("a")).await.unwrap();
    assert_eq!(acquire(&bench, &town(), "c").await, None, "it is b's");
    // Neither by a fence from before, nor under another's name.
    bench.leases().release(&[lease(town(), taken)], &instance("a")).await.unwrap();
    assert_eq!(acquire(&bench, &town(), "c").await, None);
    assert_eq!(bench.leases().renew(&[lease(town(), taken)], &instance("a"), TTL).await.unwrap(), [town()]);
}

pub(crate) async fn a_released_lease_is_free_at_once_and_is_not_renewed<B: Bench>() {
    let bench = B::new();
    let held = [lease(town(), acquire(&bench, &town(), "a").await.unwrap())];
    bench.leases().release(&held, &instance("a")).await.unwrap();
    // A renewal that was under way.
    assert_eq!(bench.leases().renew(&held, &instance("a"), TTL).await.unwrap(), [town()]);
    assert!(acquire(&bench, &town(), "b").await.is_some());
    bench.leases().release(&held, &instance("a")).await.unwrap();
    assert_eq!(acquire(&bench, &town(), "c").await, None);
}

pub(crate) async fn the_survey_shows_who_is_alive_and_who_holds_what<B: Bench>() {
    let bench = B::new();
    let reported = |name: &str| Instance {
        id: instance(name),
        host: format!("host of {name}"),
        admin: (name == "a").then(|| "10.0.0.1:7878".to_owned()),
        version: "1.2.3".into(),
        started: Timestamp::from_second(1_700_000_000).unwrap(),
    };
    for name in ["b", "a", "c"] {
        bench.leases().report(&reported(name), TTL).await.unwrap();
    }
    let town_fence = acquire(&bench, &town(), "b").await.unwrap();
    let account_fence = acquire(&bench, &account(), "a").await.unwrap();
    let survey = bench.leases().survey().await.unwrap();
    assert_eq!(survey.instances, ["a", "b", "c"].map(reported));
    let held: BTreeSet<_> = survey.leases.iter().cloned().collect();
    let expected = [(town(), instance("b"), town_fence), (account(), instance("a"), account_fence)];
    assert_eq!(held, expected.into());
    assert!(survey.leases.is_sorted());
    bench.leases().leave(&instance("c")).await.unwrap();
    bench.leases().leave(&instance("c")).await.unwrap();
    bench.pass(TTL / 2);
    bench.leases().report(&reported("a"), TTL).await.unwrap();
    bench.pass(TTL * 3 / 4);
    let survey = bench.leases().survey().await.unwrap();
    assert_eq!(survey.instances, [reported("a")], "c left, and b is silent");
    assert_eq!(survey.leases, [], "all have run out");
}

/// Runs the whole suite on one adapter.
#[macro_export]
macro_rules! leases_contract {
    ($bench:ty) => {
        $crate::leases_contract!($bench:
            a_lease_is_held_by_one_instance_until_it_runs_out
            every_acquisition_has_a_larger_fence
            of_several_that_acquire_at_once_one_succeeds
            a_renewed_lease_lasts_and_one_that_ran_out_is_renewed_if_nobody_took_it
            a_lost_lease_is_neither_renewed_nor_released
            a_released_lease_is_free_at_once_and_is_not_renewed
            the_survey_shows_who_is_alive_and_who_holds_what
        );
    };
    ($bench:ty: $($behaviour:ident)*) => {
        $(
            #[actix_rt::test]
            async fn $behaviour() {
                if <$bench as contract::leases::Bench>::is_available() {
                    contract::leases::$behaviour::<$bench>().await;
                }
            }
        )*
    };
}
