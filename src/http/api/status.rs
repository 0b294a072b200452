//! The endpoint that answers what a person asks first: how the service, its accounts and its engines are.

use actix_web::web::{Data, Json};

use crate::{
    control::wire::{PollerStatus, ServiceState, Status},
    http::{Control, error::ApiError, ready},
};

pub(super) async fn status(control: Data<Control>) -> Result<Json<Status>, ApiError> {
    let overview = &control.overview;
    let accounts = overview.accounts(&overview.ledger.counts().await?).await?;
    let (reasons, degraded) = (ready::reasons(&control).await, overview.degraded());
    let state = match (reasons.is_empty(), degraded.is_empty()) {
        (false, _) => ServiceState::NotReady,
        (true, false) => ServiceState::Degraded,
        (true, true) => ServiceState::Ready,
    };
    let (sources, engines) = (overview.sources(), overview.engines());
    let spent = overview.spent().await?;
    let poller = PollerStatus::worst(&sources).unwrap_or_default();
    Ok(Json(Status { state, reasons, degraded, accounts, sources, poller, engines, spent }))
}
