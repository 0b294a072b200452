//! LibreTranslate's error bodies: `{"error":"…"}`.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

use crate::faults::LibreTranslateFault;

/// The characters that a server allows in one request.
const TEXT_LIMIT: usize = 5000;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    code: StatusCode,
    message: String,
}

impl Problem {
    pub(crate) fn new(code: u16, message: impl Into<String>) -> Self {
        let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { code, message: message.into() }
    }

    /// What a request gets that has too many texts or characters.
    pub(crate) fn text_limit(size: usize, limit: usize) -> Self {
        Self::new(400, format!("Invalid request: request ({size}) exceeds text limit ({limit})"))
    }

    /// The answer of a fault; none for one that the handler answers.
    pub(crate) fn of_fault(fault: LibreTranslateFault) -> Option<Self> {
        Some(match fault {
            LibreTranslateFault::InvalidKey => Self::new(403, "Invalid API key"),
            LibreTranslateFault::KeyNeeded => {
                Self::new(400, "Visit https://portal.libretranslate.com to get an API key")
            }
            LibreTranslateFault::KeyFromOperator => {
                Self::new(400, "Please contact the server operator to get an API key")
            }
            LibreTranslateFault::Banned => Self::new(403, "Too many request limits violations"),
            LibreTranslateFault::SlowDown => Self::of_status(429),
            LibreTranslateFault::TextLimit => Self::text_limit(TEXT_LIMIT + 1, TEXT_LIMIT),
            LibreTranslateFault::NotSupported => Self::new(400, "xx is not supported"),
            LibreTranslateFault::NotAvailable => {
                Self::new(400, "French (fr) is not available as a target language from Galician (gl)")
            }
            LibreTranslateFault::CannotTranslate => Self::of_status(500),
            LibreTranslateFault::TooManyTexts | LibreTranslateFault::ErrorInSuccess => return None,
        })
    }

    /// The body that goes with a status.
    pub(crate) fn of_status(code: u16) -> Self {
        let message = match code {
            400 => "Invalid request",
            403 => "Invalid API key",
            404 => "404 Not Found",
            429 => "Slowdown: 80 per 1 minute",
            500 => "Cannot translate text: list index out of range",
            _ => "Internal Server Error",
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
        HttpResponse::build(self.code).json(json!({"error": self.message}))
    }
}
