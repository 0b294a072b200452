//! The endpoints of the admin API, one file per subject; [`endpoints`] lists them all.

mod actors;
mod ahead;
mod alerts;
mod costs;
mod decisions;
pub(super) mod endpoints;
mod events;
mod instances;
mod jobs;
mod pauses;
mod posts;
mod reload;
mod review;
mod session;
mod stats;
mod status;
mod users;

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
            web::PathConfig::default()
                .error_handler(|_, _| ApiError::NotFound("a job has a number".into()).into()),
        )
        .app_data(
            web::QueryConfig::default()
                .error_handler(|error, _| ApiError::BadRequest(error.to_string()).into()),
        )
        .app_data(
            web::PathConfig::default()
                .error_handler(|error, _| ApiError::BadRequest(error.to_string()).into()),
        )
        .default_service(web::to(async || -> Result<HttpResponse, ApiError> {
            Err(ApiError::NotFound("no such path; /api/openapi.json describes all paths".into()))
        }));
    endpoints::register(config);
}

/// The description of the API.
const OPENAPI: &str = include_str!("../openapi.json");

async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI)
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
