//! The error answers of the admin API: a status, and the reason as JSON.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use mynah_actors::supervision::supervisor::NoSuchActor;
use mynah_domain::ports::LedgerError;

use super::refusal::Refusal;
use crate::control::{InvalidRequest, wire::Problem};

/// An error answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("{0}")]
    Refused(Refusal),
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Ledger(#[from] LedgerError),
}

impl From<InvalidRequest> for ApiError {
    fn from(error: InvalidRequest) -> Self {
        Self::BadRequest(error.to_string())
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
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ledger(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(Problem { error: self.to_string() })
    }
}
