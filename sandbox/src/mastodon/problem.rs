//! Mastodon's error bodies, word for word (`Api::BaseController`, `config/locales/en.yml`).

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

use crate::faults::MastodonFault;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    /// Without a sentence, there is no body.
    sentence: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: Some(sentence.into()) }
    }

    /// The body that a server sends with a status without a specific problem.
    pub(crate) fn of_status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let sentence = match status.as_u16() {
            401 => "The access token is invalid",
            403 => "This action is not allowed",
            404 => "Record not found",
            422 => "Validation failed",
            429 => "Too many requests",
            503 => "There was a temporary problem serving your request, please try again",
            _ => status.canonical_reason().unwrap_or("Error"),
        };
        Self::new(status, sentence)
    }

    pub(super) fn not_found() -> Self {
        Self::of_status(404)
    }

    pub(super) fn rate_limited() -> Self {
        Self::of_status(429)
    }

    pub(super) fn token_invalid() -> Self {
        Self::of_status(401)
    }

    pub(super) fn token_missing() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Missing access token")
    }

    pub(super) fn token_revoked() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "The access token was revoked")
    }

    pub(super) fn disabled() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Your login is currently disabled")
    }

    /// 422 for a status that is not valid.
    pub(super) fn invalid(what: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("Validation failed: {what}"))
    }

    /// 422 with a sentence of its own.
    pub(super) fn refused(sentence: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, sentence)
    }

    pub(super) fn bad_request(sentence: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    pub(super) fn reply_to_missing() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The post you are trying to reply to does not appear to exist.")
    }

    /// The problem for an ordered fault; none for a habit, which shapes an answer.
    pub(crate) fn of_fault(fault: MastodonFault) -> Option<Self> {
        Some(match fault {
            MastodonFault::Disabled => Self::disabled(),
            MastodonFault::OutsideScopes => {
                Self::new(StatusCode::FORBIDDEN, "This action is outside the authorized scopes")
            }
            MastodonFault::MembersOnly => {
                Self::new(StatusCode::UNAUTHORIZED, "This method requires an authenticated user")
            }
            MastodonFault::Gone => Self { status: StatusCode::GONE, sentence: None },
            MastodonFault::ResetUnix | MastodonFault::NoReset => Self::rate_limited(),
            MastodonFault::KeyIgnored
            | MastodonFault::KeyFails
            | MastodonFault::PagingIgnored
            | MastodonFault::NeverProcessed => return None,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.sentence.as_deref().unwrap_or("no body"))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        match &self.sentence {
            Some(sentence) => response
                .content_type("application/json; charset=utf-8")
                .body(json!({"error": sentence}).to_string()),
            None => response.finish(),
        }
    }
}
