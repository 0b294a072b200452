//! What was measured, for people and for monitors.

use std::{sync::PoisonError, time::Instant};

use actix_web::{
    HttpResponse,
    web::{Data, Json},
};
use mynah_actors::stats::Report;

use super::LOOK;
use crate::{
    control::{measure, wire},
    http::{Control, Tally, error::ApiError},
    telemetry::prometheus,
};

pub(super) async fn stats(control: Data<Control>) -> Result<Json<wire::Stats>, ApiError> {
    Ok(Json(measured(&control).await?))
}

pub(super) async fn metrics(control: Data<Control>) -> Result<HttpResponse, ApiError> {
    let text = prometheus::text(&measured(&control).await?);
    Ok(HttpResponse::Ok().content_type(prometheus::CONTENT_TYPE).body(text))
}

async fn measured(control: &Control) -> Result<wire::Stats, ApiError> {
    let Ok(Ok(report)) = actix_rt::time::timeout(LOOK, control.links.stats.ask(Report)).await else {
        return Err(ApiError::Unavailable("the stats actor is being restarted; try again".into()));
    };
    Ok(measure::stats(&report, &tally(control).await?.jobs, &control.board))
}

/// All jobs, counted anew only so often that it takes one part in fifty of the ledger's time, whoever looks and how often.
async fn tally(control: &Control) -> Result<Tally, ApiError> {
    let kept = || control.tally.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(tally) = kept().as_ref().filter(|tally| Instant::now() < tally.until) {
        return Ok(tally.clone());
    }
    let began = Instant::now();
    let jobs = control.ledger.counts().await?;
    let tally = Tally { until: Instant::now() + began.elapsed() * 50, jobs };
    *kept() = Some(tally.clone());
    Ok(tally)
}
