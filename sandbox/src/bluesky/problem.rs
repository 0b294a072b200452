//! Bluesky's error bodies, word for word as a real server sends them (PDS of dev-env 0.3.215). Clients tell errors apart by
//! their names, and some only by their sentences.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

use crate::faults::BlueskyFault;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    name: &'static str,
    message: String,
}

impl Problem {
    fn new(status: StatusCode, name: &'static str, message: impl Into<String>) -> Self {
        Self { status, name, message: message.into() }
    }

    /// The body that a server sends with a status without a specific problem.
    pub(crate) fn of_status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (name, message) = match status.as_u16() {
            400 => ("InvalidRequest", "Invalid Request"),
            401 => ("AuthenticationRequired", "Authentication Required"),
            403 => ("Forbidden", "Forbidden"),
            404 => ("XRPCNotSupported", "XRPCNotSupported"),
            413 => ("PayloadTooLarge", "request entity too large"),
            429 => ("RateLimitExceeded", "Rate Limit Exceeded"),
            502 => ("UpstreamFailure", "Upstream service unreachable"),
            503 => ("NotEnoughResources", "Service Unavailable"),
            504 => ("UpstreamTimeout", "Upstream Timeout"),
            _ => ("InternalServerError", "Internal Server Error"),
        };
        Self::new(status, name, message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
    }

    /// 500, which a real server also answers where a client was wrong.
    pub(super) fn internal() -> Self {
        Self::of_status(500)
    }

    pub(super) fn rate_limited() -> Self {
        Self::of_status(429)
    }

    pub(super) fn auth_missing() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AuthMissing", "Authentication Required")
    }

    pub(super) fn not_yours() -> Self {
        Self::of_status(401)
    }

    pub(super) fn wrong_password() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AuthenticationRequired", "Invalid identifier or password")
    }

    pub(super) fn taken_down() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AccountTakedown", "Account has been taken down")
    }

    pub(super) fn deactivated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AccountDeactivated", "Account is deactivated")
    }

    pub(super) fn account_not_found() -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccountNotFound", "Account not found")
    }

    pub(super) fn invalid_token(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidToken", message)
    }

    pub(super) fn expired_token(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ExpiredToken", message)
    }

    pub(super) fn no_repo(name: &str) -> Self {
        Self::invalid(format!("Could not find repo: {name}"))
    }

    pub(super) fn no_repo_for_did(did: &str) -> Self {
        let message = format!("Could not find repo for DID: {did}");
        Self::new(StatusCode::BAD_REQUEST, "RepoNotFound", message)
    }

    pub(super) fn no_record(uri: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "RecordNotFound", format!("Could not locate record: {uri}"))
    }

    pub(super) fn no_blob(cid: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BlobNotFound", format!("Could not find blob: {cid}"))
    }

    pub(super) fn invalid_swap(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidSwap", message)
    }

    pub(super) fn unresolvable() -> Self {
        Self::invalid("Unable to resolve handle")
    }

    /// The problem for an ordered fault.
    pub(crate) fn of_fault(fault: BlueskyFault) -> Self {
        match fault {
            BlueskyFault::ExpiredToken => Self::expired_token("Token has expired"),
            BlueskyFault::InvalidToken => Self::invalid_token("Token could not be verified"),
            BlueskyFault::AuthFactor => Self::new(
                StatusCode::UNAUTHORIZED,
                "AuthFactorTokenRequired",
                "A sign in code has been sent to your email address",
            ),
            BlueskyFault::Takedown => Self::taken_down(),
            BlueskyFault::Deactivated => Self::deactivated(),
            BlueskyFault::InvalidSwap => Self::invalid_swap("Commit was at another revision".into()),
            BlueskyFault::RepoMoved => Self::no_repo("the account is on another server"),
            BlueskyFault::ResetPast | BlueskyFault::ResetFar | BlueskyFault::NoReset => Self::rate_limited(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.name, self.message)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status)
            .content_type("application/json; charset=utf-8")
            .body(json!({"error": self.name, "message": self.message}).to_string())
    }
}
