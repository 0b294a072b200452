//! Keepers that share leases in memory. Time is the runtime's, which a test can let pass at once.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::Actor as _;
use actix::Addr;
use mynah_domain::{
    AccountId,
    lease_term::LeaseTerm,
    ports::leases::{HeldLeases, InstanceId},
};
use tokio::time::sleep;

use super::*;
use crate::{
    leases::Holdings,
    supervision::{Shell, shell::StopAsked},
    testing::{MemoryLeases, RuntimeClock, exit_guard, instance},
};

const TERM: LeaseTerm = LeaseTerm::new(Duration::from_secs(10));

/// What an instance works on: it only writes down what runs, and that nothing runs on two instances.
#[derive(Default)]
struct Floor {
    running: Mutex<BTreeMap<LeaseName, InstanceId>>,
    wanted: Mutex<BTreeSet<LeaseName>>,
    /// Whether a keeper that is asked to stop is the last.
    is_closing: AtomicBool,
}

struct Desk {
    floor: Arc<Floor>,
    me: InstanceId,
    holdings: Holdings,
}

#[async_trait(?Send)]
impl Workplace for Desk {
    async fn wanted(&self) -> BTreeSet<LeaseName> {
        self.floor.wanted.lock().unwrap().clone()
    }

    async fn take_up(&self, name: &LeaseName) {
        assert!(self.has(name), "{name} is taken up before it is held");
        sleep(Duration::from_millis(50)).await;
        if !self.has(name) {
            return;
        }
        let before = self.floor.running.lock().unwrap().insert(name.clone(), self.me.clone());
        assert!(before.is_none_or(|other| other == self.me), "{name} runs twice");
    }

    async fn finish(&self, name: &LeaseName) {
        assert!(self.has(name), "{name} is not held until it has finished");
        sleep(Duration::from_secs(1)).await;
        self.stop(name);
    }

    async fn stop_now(&self, name: &LeaseName) {
        assert!(!self.has(name), "{name} is held while it is stopped");
        self.stop(name);
    }

    async fn is_closing(&self) -> bool {
        self.floor.is_closing.load(Ordering::Relaxed)
    }
}

impl Desk {
    fn has(&self, name: &LeaseName) -> bool {
        match name {
            LeaseName::Account(account) => self.holdings.has_account(account),
            LeaseName::Source(source) => self.holdings.has_source(source),
        }
    }

    fn stop(&self, name: &LeaseName) {
        let mut running = self.floor.running.lock().unwrap();
        if running.get(name) == Some(&self.me) {
            running.remove(name);
        }
    }
}

/// An instance's keeper.
struct Running {
    id: InstanceId,
    addr: Addr<Shell<Keeper>>,
    view: View,
    holdings: Holdings,
}

struct Cluster {
    leases: Arc<MemoryLeases>,
    floor: Arc<Floor>,
}

fn account(number: usize) -> LeaseName {
    LeaseName::Account(AccountId::from(format!("net:a{number}").as_str()))
}

impl Cluster {
    fn with_accounts(accounts: usize) -> Self {
        tokio::time::pause();
        let floor = Arc::new(Floor::default());
        floor.wanted.lock().unwrap().extend((0..accounts).map(account));
        Self { leases: Arc::default(), floor }
    }

    fn start(&self, id: &str) -> Running {
        let id = InstanceId::from(id);
        let leased = LeasedHoldings::new(HeldLeases::default(), TERM);
        let (view, holdings) = (View::new(instance(id.as_str())), Holdings::Leased(leased.clone()));
        let desk = Desk { floor: self.floor.clone(), me: id.clone(), holdings: holdings.clone() };
        let parts = KeeperParts {
            leases: Arc::new(self.leases.seen_by(&id)),
            holdings: leased,
            workplace: Arc::new(desk),
            view: view.clone(),
            clock: Arc::new(RuntimeClock::new()),
        };
        let build =
            move |guard: &crate::supervision::ExitGuard| Keeper::new(WorkerContext::new(guard), parts);
        let addr = Shell::new(exit_guard("lease-keeper"), build).start();
        Running { id, addr, view, holdings }
    }

    /// How many accounts each of these runs.
    fn counts(&self, of: &[&Running]) -> Vec<usize> {
        let running = self.floor.running.lock().unwrap();
        of.iter().map(|one| running.values().filter(|owner| **owner == one.id).count()).collect()
    }

    fn runs(&self) -> usize {
        self.floor.running.lock().unwrap().len()
    }
}

impl Running {
    fn stop(&self, how: StopAsked) {
        self.addr.try_send(how).unwrap();
    }
}

async fn seconds(count: u64) {
    // Step by step: the keepers act in between.
    for _ in 0..count * 10 {
        sleep(Duration::from_millis(100)).await;
    }
}

#[actix_rt::test]
async fn one_instance_takes_up_everything() {
    let cluster = Cluster::with_accounts(4);
    let one = cluster.start("one");
    seconds(3).await;
    assert_eq!(cluster.counts(&[&one]), [4]);
    assert_eq!(one.view.seen().unowned(), Vec::<&LeaseName>::new());
}

#[actix_rt::test]
async fn instances_share_and_a_stop_moves_at_once() {
    let cluster = Cluster::with_accounts(4);
    let (one, two) = (cluster.start("one"), cluster.start("two"));
    seconds(3).await;
    assert_eq!(cluster.counts(&[&one, &two]), [2, 2]);
    let three = cluster.start("three");
    seconds(6).await;
    let mut counts = cluster.counts(&[&one, &two, &three]);
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 2]);
    for name in cluster.leases.holders().keys() {
        // What the pipeline does on a stop: everything that runs has finished before the keeper is asked.
        Desk { floor: cluster.floor.clone(), me: three.id.clone(), holdings: three.holdings.clone() }
            .stop(name);
    }
    cluster.floor.is_closing.store(true, Ordering::Relaxed);
    three.stop(StopAsked::InOrder);
    seconds(3).await;
    assert_eq!(cluster.counts(&[&one, &two, &three]), [2, 2, 0]);
}

#[actix_rt::test]
async fn the_accounts_of_a_dead_instance_go_on_within_15_seconds() {
    let cluster = Cluster::with_accounts(4);
    let (one, two) = (cluster.start("one"), cluster.start("two"));
    seconds(3).await;
    two.stop(StopAsked::AtOnce("killed".into()));
    cluster.floor.running.lock().unwrap().retain(|_, owner| *owner != two.id);
    // Two thirds of a lease are left at least.
    seconds(6).await;
    assert_eq!(cluster.counts(&[&one]), [2], "the leases have not run out yet");
    seconds(9).await;
    assert_eq!(cluster.counts(&[&one]), [4]);
}

#[actix_rt::test]
async fn an_instance_that_is_cut_off_stops_before_another_takes_over() {
    let cluster = Cluster::with_accounts(4);
    let (one, two) = (cluster.start("one"), cluster.start("two"));
    seconds(3).await;
    cluster.leases.cut_off(&two.id, true);
    while cluster.counts(&[&two]) != [0] {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(cluster.counts(&[&one]), [2], "it has stopped before its leases can be acquired");
    assert!(two.view.trouble().is_some() && one.view.trouble().is_none());
    seconds(9).await;
    assert_eq!(cluster.counts(&[&one, &two]), [4, 0]);
    cluster.leases.cut_off(&two.id, false);
    seconds(8).await;
    assert_eq!(cluster.counts(&[&one, &two]), [2, 2]);
    assert_eq!(two.view.trouble(), None);
}

#[actix_rt::test]
async fn after_an_outage_of_the_ledger_everybody_goes_on_with_what_they_had() {
    let cluster = Cluster::with_accounts(5);
    let (one, two) = (cluster.start("one"), cluster.start("two"));
    seconds(4).await;
    let before = cluster.leases.holders();
    cluster.leases.set_down(true);
    seconds(60).await;
    assert_eq!(cluster.runs(), 0, "nothing runs without a record");
    cluster.leases.set_down(false);
    seconds(3).await;
    assert_eq!(cluster.runs(), 5);
    assert_eq!(cluster.leases.holders(), before);
    drop((one, two));
}

#[actix_rt::test]
async fn a_keeper_that_is_restarted_goes_on_with_what_it_held() {
    let cluster = Cluster::with_accounts(2);
    let leased = LeasedHoldings::new(HeldLeases::default(), TERM);
    let id = InstanceId::from("one");
    let holdings = Holdings::Leased(leased.clone());
    let desk = Desk { floor: cluster.floor.clone(), me: id.clone(), holdings };
    let parts = KeeperParts {
        leases: Arc::new(cluster.leases.seen_by(&id)),
        holdings: leased,
        workplace: Arc::new(desk),
        view: View::new(instance(id.as_str())),
        clock: Arc::new(RuntimeClock::new()),
    };
    let start = || {
        let parts = parts.clone();
        Shell::new(exit_guard("lease-keeper"), move |guard| Keeper::new(WorkerContext::new(guard), parts))
            .start()
    };
    let mut keeper = start();
    seconds(3).await;
    let before = parts.leases.survey().await.unwrap();
    for how in [StopAsked::AtOnce("it hangs".into()), StopAsked::InOrder] {
        keeper.try_send(how).unwrap();
        seconds(1).await;
        keeper = start();
        seconds(8).await;
        assert_eq!(parts.leases.survey().await.unwrap(), before, "the same fences");
        assert_eq!(cluster.runs(), 2);
    }
}

#[actix_rt::test]
async fn an_account_that_only_one_instance_knows_is_taken_up_all_the_same() {
    let cluster = Cluster::with_accounts(2);
    let other = Cluster { leases: cluster.leases.clone(), floor: Arc::default() };
    other.floor.wanted.lock().unwrap().extend((0..5).map(account));
    let (one, two) = (cluster.start("one"), other.start("two"));
    seconds(25).await;
    assert_eq!(cluster.counts(&[&one])[0] + other.counts(&[&two])[0], 5);
    let before = cluster.leases.holders();
    seconds(30).await;
    assert_eq!(cluster.leases.holders(), before, "it stays where it is");
}

#[actix_rt::test]
async fn an_account_that_is_removed_from_the_settings_is_given_back() {
    let cluster = Cluster::with_accounts(3);
    let _one = cluster.start("one");
    seconds(3).await;
    cluster.floor.wanted.lock().unwrap().remove(&account(0));
    seconds(3).await;
    assert_eq!(cluster.leases.holders().len(), 2);
    assert_eq!(cluster.runs(), 2);
}
