//! Actors that panic, hang and are replaced, under a supervisor with nothing else to watch.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use actix::Addr;
use async_trait::async_trait;
use mynah_domain::backoff::Backoff;
use tokio::sync::Notify;

use super::*;
use crate::supervision::{ExitGuard, Shell, Step, Worker, WorkerContext, child::Stopper, shell::Stop};

/// Panics in its first steps, then works once and waits.
struct Fragile {
    lives: Arc<AtomicU32>,
    panics: u32,
    worked: mpsc::UnboundedSender<u32>,
    has_worked: bool,
    context: WorkerContext,
    /// The incarnations in which it hangs during its work.
    hangs: u32,
}

#[async_trait(?Send)]
impl Worker for Fragile {
    async fn step(&mut self, stop: &Stop) -> Step {
        let life = self.lives.load(Ordering::SeqCst);
        assert!(life > self.panics, "as the test demands");
        if life <= self.hangs {
            let _work = self.context.at_work();
            std::future::pending::<()>().await;
        }
        if self.has_worked {
            stop.asked().await;
            return Step::Idle;
        }
        self.has_worked = true;
        // The test may be over.
        let _ = self.worked.send(life);
        Step::Worked
    }
}

/// Nothing depends on these actors.
struct NoHooks;

#[async_trait(?Send)]
impl SupervisorHooks for NoHooks {
    async fn reclaim(&self, _: &Exit) {}

    async fn activity(&self) -> Option<Vec<StageActivity>> {
        None
    }

    fn dispatcher(&self) -> &'static str {
        "dispatcher"
    }

    async fn log_stats(&self) {}
}

struct Supervised {
    supervisor: Addr<Supervisor>,
    outcome: oneshot::Receiver<Result<(), String>>,
    worked: mpsc::UnboundedReceiver<u32>,
    health: HealthRegistry,
}

fn spec(
    name: &str,
    panics: u32,
    hangs: u32,
    max_restarts: u32,
    sender: mpsc::UnboundedSender<u32>,
) -> ChildSpec {
    let lives = Arc::new(AtomicU32::new(0));
    let build = move |exit_guard| {
        lives.fetch_add(1, Ordering::SeqCst);
        let (lives, worked) = (lives.clone(), sender.clone());
        let fragile = move |exit_guard: &ExitGuard| Fragile {
            lives,
            panics,
            worked,
            has_worked: false,
            context: WorkerContext::new(exit_guard),
            hangs,
        };
        let addr = Shell::new(exit_guard, fragile).start();
        let stopper: Stopper = Box::new(move |asked| drop(addr.try_send(asked)));
        stopper
    };
    let policy = RestartPolicy {
        max_restarts,
        window: Duration::from_mins(1),
        backoff: Backoff { base: Duration::from_millis(1), max: Duration::from_millis(1) },
    };
    ChildSpec { name: name.into(), role: Role::Intake, policy, build: Box::new(build) }
}

/// Works until it is released, whether or not it was asked to stop. A service panics when it is released.
struct Busy {
    role: Role,
    release: Arc<Notify>,
}

#[async_trait(?Send)]
impl Worker for Busy {
    async fn step(&mut self, stop: &Stop) -> Step {
        if self.role == Role::Service {
            assert_eq!(stop.or(self.release.notified()).await, None, "as the test demands");
            return Step::Idle;
        }
        self.release.notified().await;
        Step::Worked
    }
}

/// An actor that reports each incarnation that is built of it, and works until it is released.
fn busy(name: &str, role: Role, log: &mpsc::UnboundedSender<String>, release: &Arc<Notify>) -> ChildSpec {
    let (log, release) = (log.clone(), release.clone());
    let build = move |exit_guard: ExitGuard| {
        log.send(exit_guard.holder()).unwrap();
        let release = release.clone();
        let addr = Shell::new(exit_guard, move |_| Busy { role, release }).start();
        let stopper: Stopper = Box::new(move |asked| drop(addr.try_send(asked)));
        stopper
    };
    ChildSpec { build: Box::new(build), role, ..spec(name, 0, 0, 5, mpsc::unbounded_channel().0) }
}

/// Starts a supervisor of these actors, which is never impatient.
fn supervise(specs: Vec<ChildSpec>) -> (Addr<Supervisor>, HealthRegistry) {
    let hour = Duration::from_hours(1);
    let policy = specs[0].policy;
    let settings = SupervisorSettings { policy, stats_interval: hour, patience: hour, stalled_after: hour };
    let health = HealthRegistry::default();
    (Supervisor::new(settings, health.clone(), Arc::new(NoHooks), specs).0.start(), health)
}

/// Lets the actors do what they can do without another signal.
async fn settled() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[actix_rt::test]
async fn a_service_is_replaced_only_after_the_workers_have_finished_their_work() {
    let (built, mut log) = mpsc::unbounded_channel();
    let (work, service) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let router = || busy("router", Role::Service, &built, &service);
    let publisher = || busy("publisher", Role::Worker, &built, &work);
    // It is not part of the change, and depends on the service, too.
    let other = busy("other", Role::Intake, &built, &work);
    let retired = busy("retired", Role::Worker, &built, &work);
    let (supervisor, health) = supervise(vec![router(), publisher(), other, retired]);
    for name in ["router#1", "publisher#1", "other#1", "retired#1"] {
        assert_eq!(log.recv().await.as_deref(), Some(name));
    }
    settled().await;
    let change = ChangeChildren {
        start: vec![router(), publisher()],
        retire: vec!["retired".into()],
        why: RestartReason::Reload,
    };
    supervisor.send(change).await.unwrap();
    // Another change comes meanwhile.
    let second = busy("second", Role::Worker, &built, &work);
    let change = ChangeChildren { start: vec![second], retire: vec![], why: RestartReason::Resize };
    supervisor.send(change).await.unwrap();
    supervisor.send(Restart("other".into())).await.unwrap().unwrap();
    settled().await;
    assert_eq!(log.try_recv().ok(), None, "the workers are still at work");
    work.notify_one();
    work.notify_one();
    settled().await;
    assert_eq!(log.try_recv().ok(), None, "one worker is still at work");
    let waiting = health.all().into_iter().filter(|(_, health)| health.state == State::Replacing).count();
    assert!((1..=2).contains(&waiting), "those that have stopped wait for their successors");
    work.notify_one();
    assert_eq!(log.recv().await.as_deref(), Some("router#2"));
    let mut workers = [log.recv().await.unwrap(), log.recv().await.unwrap(), log.recv().await.unwrap()];
    workers.sort();
    assert_eq!(workers, ["other#2", "publisher#2", "second#1"]);
    settled().await;
    assert_eq!(log.try_recv().ok(), None, "each is built once");
    let restarts = |name: &str| health.actor(name).unwrap().restarts;
    for (name, why) in [
        ("router", RestartReason::Reload),
        ("publisher", RestartReason::Reload),
        ("other", RestartReason::Operator),
    ] {
        assert_eq!((restarts(name).of(why), restarts(name).total()), (1, 1), "{name}");
    }
    assert_eq!(restarts("second").total(), 0, "the first start is no restart");
}

#[actix_rt::test]
async fn workers_stop_at_once_if_a_service_dies_while_they_stop_in_order() {
    let (built, _log) = mpsc::unbounded_channel();
    let (work, service) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let specs =
        vec![busy("router", Role::Service, &built, &service), busy("publisher", Role::Worker, &built, &work)];
    let (supervisor, _) = supervise(specs);
    settled().await;
    let stopped = actix_rt::spawn(supervisor.send(Shutdown));
    settled().await;
    assert!(!stopped.is_finished(), "the publisher finishes its work first");
    service.notify_one();
    let stopped = tokio::time::timeout(Duration::from_secs(5), stopped).await;
    stopped.expect("nobody waits for a service that does not come back").unwrap().unwrap();
}

fn supervised(panics: u32, max_restarts: u32) -> Supervised {
    supervised_that_hangs(panics, 0, max_restarts)
}

fn supervised_that_hangs(panics: u32, hangs: u32, max_restarts: u32) -> Supervised {
    let (sender, worked) = mpsc::unbounded_channel();
    let spec = spec("fragile", panics, hangs, max_restarts, sender);
    let policy = spec.policy;
    let settings = SupervisorSettings {
        policy,
        stats_interval: Duration::from_hours(1),
        patience: Duration::from_millis(50),
        stalled_after: Duration::from_hours(1),
    };
    let health = HealthRegistry::default();
    let (supervisor, outcome) = Supervisor::new(settings, health.clone(), Arc::new(NoHooks), vec![spec]);
    Supervised { supervisor: supervisor.start(), outcome, worked, health }
}

#[actix_rt::test]
async fn an_actor_that_panics_is_restarted_and_continues() {
    let mut supervised = supervised(3, 5);
    assert_eq!(supervised.worked.recv().await, Some(4));
    let restarts = supervised.health.actor("fragile").unwrap().restarts;
    assert_eq!((restarts.of(RestartReason::Crash), restarts.total()), (3, 3));
    supervised.supervisor.send(Shutdown).await.unwrap();
    assert_eq!(supervised.outcome.await.unwrap(), Ok(()));
}

#[actix_rt::test]
async fn an_actor_that_keeps_dying_ends_the_service_with_a_reason() {
    let supervised = supervised(u32::MAX, 2);
    let reason = supervised.outcome.await.unwrap().unwrap_err();
    assert!(reason.starts_with("fragile died more than 2 times"), "{reason}");
    assert!(reason.ends_with("as the test demands"), "{reason}");
}

#[actix_rt::test]
async fn a_requested_restart_stops_the_old_incarnation_first() {
    let mut supervised = supervised(0, 0);
    assert_eq!(supervised.worked.recv().await, Some(1));
    supervised.supervisor.send(Restart("fragile".into())).await.unwrap().unwrap();
    assert_eq!(supervised.worked.recv().await, Some(2));
    let restarts = supervised.health.actor("fragile").unwrap().restarts;
    assert_eq!((restarts.of(RestartReason::Operator), restarts.failures()), (1, 0));
    let unknown = supervised.supervisor.send(Restart("unknown".into())).await.unwrap().unwrap_err();
    assert_eq!(unknown.to_string(), "there is no actor named unknown; the actors are fragile");
}

#[actix_rt::test]
async fn an_actor_that_is_being_removed_is_not_restarted() {
    let (built, mut log) = mpsc::unbounded_channel();
    let work = Arc::new(Notify::new());
    let (supervisor, health) = supervise(vec![busy("publisher", Role::Worker, &built, &work)]);
    assert_eq!(log.recv().await.as_deref(), Some("publisher#1"));
    let remove = RemoveChildren { names: vec!["publisher".into()], how: StopAsked::InOrder };
    let removed = actix_rt::spawn(supervisor.send(remove));
    settled().await;
    supervisor.send(Restart("publisher".into())).await.unwrap().unwrap();
    work.notify_one();
    let removed = tokio::time::timeout(Duration::from_secs(5), removed).await;
    removed.expect("the removal is answered").unwrap().unwrap();
    assert_eq!(health.actor("publisher"), None);
    assert_eq!(log.try_recv().ok(), None);
}

#[actix_rt::test]
async fn actors_are_added_replaced_and_removed_while_the_supervisor_runs() {
    let mut supervised = supervised(0, 0);
    assert_eq!(supervised.worked.recv().await, Some(1));
    let (sender, mut worked) = mpsc::unbounded_channel();
    let spec = |name: &str| spec(name, 0, 0, 0, sender.clone());
    let change = ChangeChildren {
        start: vec![spec("fragile"), spec("second")],
        retire: vec![],
        why: RestartReason::Reload,
    };
    supervised.supervisor.send(change).await.unwrap();
    let lives = [worked.recv().await, worked.recv().await];
    assert_eq!(lives, [Some(1), Some(1)], "both are built from the new specs");
    let names = |health: &HealthRegistry| health.all().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&supervised.health), ["fragile", "second"]);
    let restarts = |name: &str| supervised.health.actor(name).unwrap().restarts;
    assert_eq!((restarts("fragile").of(RestartReason::Reload), restarts("fragile").total()), (1, 1));
    assert_eq!(restarts("second").total(), 0, "the first start is no restart");
    let change = ChangeChildren {
        start: vec![],
        retire: vec!["second".into(), "unknown".into()],
        why: RestartReason::Resize,
    };
    supervised.supervisor.send(change).await.unwrap();
    // Retired and then started again before it has stopped, it stays.
    let change = ChangeChildren { start: vec![spec("second")], retire: vec![], why: RestartReason::Reload };
    supervised.supervisor.send(change).await.unwrap();
    assert_eq!(worked.recv().await, Some(1));
    let change = ChangeChildren { start: vec![], retire: vec!["second".into()], why: RestartReason::Resize };
    supervised.supervisor.send(change).await.unwrap();
    while names(&supervised.health).len() > 1 {
        tokio::task::yield_now().await;
    }
    supervised.supervisor.send(Shutdown).await.unwrap();
    assert_eq!(supervised.outcome.await.unwrap(), Ok(()));
}

#[actix_rt::test]
async fn an_actor_that_hangs_in_its_work_is_aborted_and_restarted() {
    let mut supervised = supervised_that_hangs(0, 2, 5);
    assert_eq!(supervised.worked.recv().await, Some(3));
    let restarts = supervised.health.actor("fragile").unwrap().restarts;
    assert_eq!((restarts.of(RestartReason::Hang), restarts.failures()), (2, 2));
    assert_eq!(supervised.health.escalation(), None);
}

#[actix_rt::test]
async fn an_actor_that_keeps_hanging_ends_the_service() {
    let supervised = supervised_that_hangs(0, u32::MAX, 1);
    let reason = supervised.outcome.await.unwrap().unwrap_err();
    assert!(reason.ends_with("it made no progress for 50ms"), "{reason}");
    assert_eq!(supervised.health.escalation(), Some(reason.as_str()));
}

#[actix_rt::test]
async fn an_actor_that_waits_for_work_is_not_restarted() {
    let mut supervised = supervised(0, 0);
    assert_eq!(supervised.worked.recv().await, Some(1));
    let looked = tokio::time::timeout(Duration::from_millis(200), supervised.worked.recv()).await;
    assert!(looked.is_err(), "the actor was restarted");
    assert_eq!(supervised.health.actor("fragile").unwrap().restarts.total(), 0);
}
