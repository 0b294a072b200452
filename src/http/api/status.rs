//! The endpoint that answers what a person asks first: how the service, its accounts and its engines are.

use std::time::Duration;

use actix_web::web::{Data, Json};
use mynah_actors::stats::Report;

use crate::{
    control::wire::{PollerStatus, ServiceState, Status},
    http::{Control, error::ApiError, ready},
};

/// How long to wait for the stats actor.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn status(control: Data<Control>) -> Result<Json<Status>, ApiError> {
    let overview = &control.overview;
    let accounts = overview.accounts(&overview.ledger.counts().await?).await?;
    let (reasons, degraded) = (ready::reasons(&control).await, overview.degraded());
    let state = match (reasons.is_empty(), degraded.is_empty()) {
        (false, _) => ServiceState::NotReady,
        (true, false) => ServiceState::Degraded,
        (true, true) => ServiceState::Ready,
    };
    let (sources, mut engines) = (overview.sources(), overview.engines());
    // A status without figures is better than none while the stats actor is being restarted.
    if let Ok(Ok(report)) = actix_rt::time::timeout(PATIENCE, control.actors.stats.ask(Report)).await {
        for engine in &mut engines {
            let used = report.usage.iter().find(|(name, _)| ***name == *engine.engine);
            engine.usage = used.map(|(_, usage)| (*usage).into()).unwrap_or_default();
        }
    }
    let spent = overview.spent().await?;
    let poller = PollerStatus::worst(&sources).unwrap_or_default();
    Ok(Json(Status { state, reasons, degraded, accounts, sources, poller, engines, spent }))
}
