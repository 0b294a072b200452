//! The endpoints of the admin API, one file per subject.

mod actors;
mod ahead;
mod alerts;
mod costs;
mod events;
mod instances;
mod jobs;
mod pauses;
mod posts;
mod reload;
mod stats;
mod status;

use std::time::Duration;

use actix::{Handler, Message, dev::ToEnvelope};
use actix_web::{
    HttpResponse,
    error::JsonPayloadError,
    http::StatusCode,
    web::{self, Data},
};
use mynah_actors::{router::Router, supervision::TrackedMessage};
use serde_json::json;

use super::{Control, MAX_BODY, error::ApiError, ready, refusal::Refusal};

/// How long an actor may take to answer from memory.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Registers the paths.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(MAX_BODY).error_handler(|error, _| {
            let error = match error {
                JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
                    ApiError::Refused(Refusal::TooLarge)
                }
                error => ApiError::BadRequest(error.to_string()),
            };
            error.into()
        }))
        .app_data(
            web::QueryConfig::default()
                .error_handler(|error, _| ApiError::BadRequest(error.to_string()).into()),
        )
        .service(web::resource("/health").get(health))
        .service(web::resource("/ready").get(is_ready))
        .service(web::resource("/metrics").get(stats::metrics))
        .service(web::resource("/events").get(events::events))
        .service(web::resource("/api/status").get(status::status))
        .service(web::resource("/api/costs").get(costs::costs))
        .service(web::resource("/api/stats").get(stats::stats))
        .service(web::resource("/api/actors").get(actors::list))
        .service(web::resource("/api/actors/{name}/restart").post(actors::restart))
        .service(web::resource("/api/alerts").get(alerts::list))
        .service(web::resource("/api/instances").get(instances::list))
        .service(web::resource("/api/pool/translator").post(actors::resize))
        .service(web::resource("/api/reload").post(reload::reload))
        .service(web::resource("/api/pauses").get(pauses::list))
        .service(web::resource("/api/pauses/{what}").post(pauses::pause))
        .service(web::resource("/api/pauses/{what}/resume").post(pauses::resume))
        .service(web::resource("/api/published").get(jobs::published))
        // The former name.
        .service(web::resource("/api/said").get(jobs::published))
        .service(web::resource("/api/ahead").get(ahead::list))
        .service(web::resource("/api/jobs").get(jobs::list))
        .service(web::resource("/api/jobs/retry").post(jobs::retry))
        .service(web::resource("/api/jobs/skip").post(jobs::skip))
        .service(web::resource("/api/jobs/unskip").post(jobs::unskip))
        .service(web::resource("/api/posts/forget").post(posts::forget))
        .default_service(web::to(async || -> Result<HttpResponse, ApiError> {
            Err(ApiError::NotFound("no such path; docs/operations.md lists all paths".into()))
        }));
}

/// A process that answers is alive.
async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// A service that is only degraded is ready: it works, and a restart would not help.
async fn is_ready(control: Data<Control>) -> HttpResponse {
    let reasons = ready::reasons(&control).await;
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut answer = json!({"ready": reasons.is_empty(), "reasons": reasons});
    let degraded = control.overview.degraded();
    if !degraded.is_empty() {
        answer["degraded"] = json!(degraded);
    }
    let quiet = control.overview.quiet();
    if !quiet.is_empty() {
        answer["quiet"] = json!(quiet);
    }
    HttpResponse::build(status).json(answer)
}

impl Control {
    /// Asks the router, which may be dead or busy.
    async fn ask_router<M>(&self, message: M, timeout: Duration) -> Result<M::Result, ApiError>
    where
        Router: Handler<TrackedMessage<M>>,
        actix::Context<Router>: ToEnvelope<Router, TrackedMessage<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        match actix_rt::time::timeout(timeout, self.actors.router.ask(message)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => {
                Err(ApiError::Unavailable("the router is being restarted, or has stopped; try again".into()))
            }
            Err(_) => Err(ApiError::Unavailable("the router does not answer; see the log".into())),
        }
    }
}
