//! What the supervisor learns about the pipeline.

use std::{sync::Arc, time::Duration};

use actix::Actor;
use mynah_domain::{JobEvent, backoff::Backoff};

use super::{ActorRefs, PipelineHooks};
use crate::{
    blocks::Blocks,
    events::Feed,
    pauses::Pauses,
    router::{JobReport, PullTranslations, ReportJobs, Route, Router, RouterParts, RouterSettings},
    stats::Meter,
    supervision::{HealthRegistry, RestartPolicy, Supervisor, supervisor::SupervisorSettings},
    testing::{MemoryLedger, RuntimeClock, es, exit_guard, never_broken, queued, worker},
    upstreams::Upstreams,
};

const PAUSE: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) };

#[actix_rt::test]
async fn a_stall_is_reported_until_work_moves_again() {
    let clock = Arc::new(RuntimeClock::new());
    let parts = RouterParts {
        settings: RouterSettings {
            queue: 10,
            routes: vec![Route::alone(es())],
            order_patience: Duration::from_hours(1),
            patience: 3,
        },
        ledger: Arc::new(MemoryLedger::new([queued(1)], clock.clone())),
        upstreams: Upstreams::new(never_broken(PAUSE), 4),
        pauses: Pauses::new([]),
        holdings: crate::leases::Holdings::default(),
        blocks: Blocks::default(),
        costs: crate::costs::Costs::default(),
        clock,
        meter: Meter::default(),
        feed: Feed::default(),
    };
    let router = Router::new(exit_guard("router"), parts).start();
    let translator = worker("translator-1");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 1 };
    let leased = router.send(pull).await.unwrap().unwrap();
    tokio::time::pause();
    let actors = ActorRefs::default();
    actors.router.point_at(router.clone());
    let health = HealthRegistry::default();
    let policy = RestartPolicy { max_restarts: 1, window: Duration::from_mins(1), backoff: PAUSE };
    let settings = SupervisorSettings {
        policy,
        stats_interval: Duration::from_hours(1),
        patience: Duration::from_hours(1),
        stalled_after: Duration::from_secs(40),
    };
    let (supervisor, _outcome) =
        Supervisor::new(settings, health.clone(), Arc::new(PipelineHooks { actors, view: None }), vec![]);
    let _supervisor = supervisor.start();
    tokio::time::sleep(Duration::from_secs(39)).await;
    assert_eq!(health.stall(), None);
    tokio::time::sleep(Duration::from_secs(21)).await;
    let stall = health.stall().expect("the translator holds the job without progress");
    assert_eq!(stall, "the pipeline is stalled: no progress in translation");
    let refused = JobEvent::HandedBack { not_before: None, reason: "503".into() };
    router.send(ReportJobs(vec![JobReport::new(&leased[0], vec![refused])])).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(health.stall(), None);
}
