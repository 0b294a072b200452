//! The error answers of the admin API: a status, and the reason as JSON.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use mynah_actors::supervision::supervisor::NoSuchActor;
use mynah_domain::ports::LedgerError;

use super::refusal::Refusal;
use crate::control::{InvalidRequest, review::ReviewError, wire::Problem};

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
    Review(ReviewError),
    #[error("{0}")]
    Ledger(#[from] LedgerError),
}

impl From<InvalidRequest> for ApiError {
    fn from(error: InvalidRequest) -> Self {
        Self::BadRequest(error.to_string())
    }
}

impl From<ReviewError> for ApiError {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::Ledger(error) => Self::Ledger(error),
            error => Self::Review(error),
        }
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
            Self::BadRequest(_) | Self::Review(ReviewError::Invalid(_)) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) | Self::Review(ReviewError::NoSuchJob) => StatusCode::NOT_FOUND,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Review(ReviewError::Refused(_)) => StatusCode::CONFLICT,
            Self::Review(ReviewError::Findings(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Ledger(_) | Self::Review(ReviewError::Ledger(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let findings = match self {
            Self::Review(ReviewError::Findings(findings)) => findings.clone(),
            _ => Vec::new(),
        };
        HttpResponse::build(self.status_code()).json(Problem { error: self.to_string(), findings })
    }
}
