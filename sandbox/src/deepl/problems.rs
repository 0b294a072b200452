//! DeepL's error bodies: `{"message":"…"}`, or none.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

use crate::faults::DeeplFault;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    code: StatusCode,
    /// Empty for an answer without a body.
    message: String,
}

impl Problem {
    pub(crate) fn new(code: u16, message: impl Into<String>) -> Self {
        let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { code, message: message.into() }
    }

    /// The answer of a fault; none for one that the handler answers.
    pub(crate) fn of_fault(fault: DeeplFault) -> Option<Self> {
        Some(match fault {
            DeeplFault::WrongKey => Self::of_status(403),
            DeeplFault::QuotaExceeded => Self::of_status(456),
            DeeplFault::QuotaOfPeriodExceeded => {
                Self::new(456, "Quota for this billing period has been exceeded.")
            }
            DeeplFault::TooManyRequests => Self::of_status(429),
            DeeplFault::TooManyRequestsEmpty => Self::new(429, ""),
            DeeplFault::UnsupportedTarget => Self::unsupported("target_lang"),
            DeeplFault::UnsupportedFormality => Self::unsupported_formality(),
            DeeplFault::Busy => Self::new(529, ""),
            DeeplFault::TooLarge | DeeplFault::ErrorInSuccess => return None,
        })
    }

    pub(crate) fn unsupported(parameter: &str) -> Self {
        Self::new(400, format!("Value for '{parameter}' not supported."))
    }

    pub(crate) fn unsupported_formality() -> Self {
        Self::new(400, "'formality' is not supported for given 'target_lang'.")
    }

    /// The body that goes with a status.
    pub(crate) fn of_status(code: u16) -> Self {
        let message = match code {
            400 => "Bad request.",
            403 => "Authorization failure, check auth_key",
            404 => "Not found",
            413 => "Request Entity Too Large",
            429 => "Too many requests",
            456 => "Quota Exceeded",
            503 => "Service unavailable",
            529 => "",
            _ => "Internal server error",
        };
        Self::new(code, message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.code);
        if self.message.is_empty() {
            return response.content_type("text/plain").finish();
        }
        response
            .content_type("application/json; charset=utf-8")
            .body(json!({"message": self.message}).to_string())
    }
}
