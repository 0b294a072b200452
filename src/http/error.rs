//! The error answers of the admin API: a status, and the reason as JSON.

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use mynah_actors::supervision::supervisor::NoSuchActor;
use mynah_domain::ports::LedgerError;

use super::refusal::Refusal;
use crate::control::{InvalidRequest, people::PeopleError, review::ReviewError, wire::Problem};

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
    Conflict(String),
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

impl From<PeopleError> for ApiError {
    fn from(error: PeopleError) -> Self {
        let sentence = error.to_string();
        match error {
            PeopleError::Name(_) | PeopleError::Reserved => Self::BadRequest(sentence),
            PeopleError::Taken(_) | PeopleError::TooMany => Self::Conflict(sentence),
            PeopleError::Unknown(_) => Self::NotFound(sentence),
            PeopleError::NoRandomness => Self::Unavailable(sentence),
            PeopleError::Ledger(error) => Self::Ledger(error),
        }
    }
}

impl ApiError {
    /// The answer, with the headers that the refusal needs.
    pub(super) fn response(&self) -> HttpResponse {
        let findings = match self {
            Self::Review(ReviewError::Findings(findings)) => findings.clone(),
            _ => Vec::new(),
        };
        let mut answer =
            HttpResponse::build(self.status_code()).json(Problem { error: self.to_string(), findings });
        let header = match self {
            Self::Refused(Refusal::TooMany) => Some((RETRY_AFTER, HeaderValue::from_static("60"))),
            Self::Refused(Refusal::Token) => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            _ => None,
        };
        if let Some((name, value)) = header {
            answer.headers_mut().insert(name, value);
        }
        answer
    }

    /// The same, with another header.
    pub(super) fn response_with(&self, name: HeaderName, value: &str) -> HttpResponse {
        let mut answer = self.response();
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::BadRequest(_) | Self::Review(ReviewError::Invalid(_)) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) | Self::Review(ReviewError::NoSuchJob) => StatusCode::NOT_FOUND,
            Self::Conflict(_) | Self::Review(ReviewError::Refused(_)) => StatusCode::CONFLICT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Review(ReviewError::Findings(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Ledger(_) | Self::Review(ReviewError::Ledger(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}
