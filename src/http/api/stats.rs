//! Endpoints that return the measurements, as JSON and for Prometheus.

use actix_web::{
    HttpResponse,
    web::{Data, Json},
};
use mynah_actors::stats::Report;

use super::QUERY_TIMEOUT;
use crate::{
    control::{measure, wire},
    http::{Control, error::ApiError},
    telemetry::prometheus,
};

pub(super) async fn stats(control: Data<Control>) -> Result<Json<wire::Stats>, ApiError> {
    Ok(Json(measured(&control).await?))
}

pub(super) async fn metrics(control: Data<Control>) -> Result<HttpResponse, ApiError> {
    let mut text = prometheus::text(&measured(&control).await?);
    prometheus::add_alerts(&mut text, &control.alerts.conditions().await);
    Ok(HttpResponse::Ok().content_type(prometheus::CONTENT_TYPE).body(text))
}

async fn measured(control: &Control) -> Result<wire::Stats, ApiError> {
    let Ok(Ok(report)) = actix_rt::time::timeout(QUERY_TIMEOUT, control.actors.stats.ask(Report)).await
    else {
        return Err(ApiError::Unavailable("the stats actor is being restarted; try again".into()));
    };
    Ok(measure::stats(&report, &control.overview).await?)
}
