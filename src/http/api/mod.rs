//! What can be seen and done, one file a subject.

mod actors;
mod jobs;
mod pauses;

use std::time::Duration;

use actix::{Handler, Message, dev::ToEnvelope};
use actix_web::{
    HttpResponse, ResponseError,
    error::JsonPayloadError,
    http::StatusCode,
    web::{self, Data},
};
use mynah_actors::{
    router::Router,
    supervision::{Letter, supervisor::NoSuchActor},
};
use mynah_domain::ports::LedgerError;
use serde_json::json;

use super::{BODY_MOST, Control, guard::Refusal, ready};
use crate::control::{NotUnderstood, wire::Problem};

/// How long the router may take for an answer that it has at hand.
const LOOK: Duration = Duration::from_secs(2);

/// The paths.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(BODY_MOST).error_handler(|error, _| {
            let error = match error {
                JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
                    ApiError::Refused(Refusal::TooLarge)
                }
                error => ApiError::Wrong(error.to_string()),
            };
            error.into()
        }))
        .app_data(
            web::QueryConfig::default().error_handler(|error, _| ApiError::Wrong(error.to_string()).into()),
        )
        .service(web::resource("/health").get(health))
        .service(web::resource("/ready").get(is_ready))
        .service(web::resource("/api/actors").get(actors::list))
        .service(web::resource("/api/actors/{name}/restart").post(actors::restart))
        .service(web::resource("/api/pauses").get(pauses::list))
        .service(web::resource("/api/pauses/{what}").post(pauses::pause))
        .service(web::resource("/api/pauses/{what}/resume").post(pauses::resume))
        .service(web::resource("/api/jobs").get(jobs::list))
        .service(web::resource("/api/jobs/retry").post(jobs::retry))
        .service(web::resource("/api/jobs/skip").post(jobs::skip))
        .default_service(web::to(async || -> Result<HttpResponse, ApiError> {
            Err(ApiError::NotFound("there is nothing here; docs/operations.md has all paths".into()))
        }));
}

/// A process that answers is alive.
async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

async fn is_ready(control: Data<Control>) -> HttpResponse {
    let reasons = ready::reasons(&control).await;
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(status).json(json!({"ready": reasons.is_empty(), "reasons": reasons}))
}

impl Control {
    /// Asks the router, which may be dead, or busy.
    async fn ask_router<M>(&self, message: M, at_most: Duration) -> Result<M::Result, ApiError>
    where
        Router: Handler<Letter<M>>,
        actix::Context<Router>: ToEnvelope<Router, Letter<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        match actix_rt::time::timeout(at_most, self.links.router.ask(message)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => {
                Err(ApiError::Unavailable("the router is being restarted, or has stopped; try again".into()))
            }
            Err(_) => Err(ApiError::Unavailable("the router does not answer; see the log".into())),
        }
    }
}

/// An answer that is no success.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("{0}")]
    Refused(Refusal),
    #[error("{0}")]
    Wrong(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Ledger(#[from] LedgerError),
}

impl From<NotUnderstood> for ApiError {
    fn from(error: NotUnderstood) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl From<NoSuchActor> for ApiError {
    fn from(error: NoSuchActor) -> Self {
        Self::NotFound(error.to_string())
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ledger(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(Problem { error: self.to_string() })
    }
}
