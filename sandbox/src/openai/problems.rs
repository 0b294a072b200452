//! The error bodies of OpenAI, `{"error":{"message","type","param","code"}}`, and of services that write them another way.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::{Value, json};

use super::request::Request;
use crate::model::OpenAiFault;

/// An error answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenAiProblem {
    status: StatusCode,
    error: Value,
    retry_after: Option<u32>,
}

impl OpenAiProblem {
    fn new(status: StatusCode, kind: &str, message: impl Into<String>, code: &Value) -> Self {
        let error = json!({"message": message.into(), "type": kind, "param": null, "code": code});
        Self { status, error, retry_after: None }
    }

    pub(crate) fn wrong_key() -> Self {
        let message = "Incorrect API key provided. You can find your API key at \
                       https://platform.openai.com/account/api-keys.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message, &json!("invalid_api_key"))
    }

    pub(crate) fn no_key() -> Self {
        let message = "You didn't provide an API key.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message, &Value::Null)
    }

    pub(crate) fn unknown_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message, &json!("model_not_found"))
    }

    /// 400 about an argument.
    pub(crate) fn invalid(message: impl Into<String>, param: Option<&str>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message, &Value::Null);
        problem.error["param"] = json!(param);
        problem
    }

    /// The error that a fault orders; `None` if it has another effect, or none on this request.
    pub(crate) fn of_fault(fault: OpenAiFault, request: &Request) -> Option<Self> {
        let many = StatusCode::TOO_MANY_REQUESTS;
        let limited = |message: &str| Self::new(many, "tokens", message, &json!("rate_limit_exceeded"));
        Some(match fault {
            OpenAiFault::RateLimited => Self {
                retry_after: Some(20),
                ..limited("Rate limit reached for gpt-5.4-mini on tokens per min (TPM).")
            },
            OpenAiFault::RateLimitedInWords => limited(
                "Rate limit reached for model `openai/gpt-oss-120b` on tokens per day (TPD): Limit 200000, Used 199800, \
                 Requested 900. Please try again in 5m2.4s. Need more tokens? Upgrade.",
            ),
            OpenAiFault::InsufficientQuota => Self::new(
                many,
                "insufficient_quota",
                "You exceeded your current quota, please check your plan and billing details.",
                &json!("insufficient_quota"),
            ),
            OpenAiFault::InsufficientCredits => Self {
                status: StatusCode::PAYMENT_REQUIRED,
                error: json!({"message": "Insufficient credits. Add more using https://openrouter.ai/credits", "code": 402}),
                retry_after: None,
            },
            OpenAiFault::Overloaded => Self::of_status(503),
            OpenAiFault::ContextLength => Self::new(
                StatusCode::BAD_REQUEST,
                "invalid_request_error",
                "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
                &json!("context_length_exceeded"),
            ),
            OpenAiFault::ContextSize => Self {
                status: StatusCode::BAD_REQUEST,
                error: json!({"code": 400, "message": "the request exceeds the available context size, try increasing it",
                    "type": "exceed_context_size_error", "n_prompt_tokens": 300, "n_ctx": 256}),
                retry_after: None,
            },
            OpenAiFault::NoSchema if request.has_schema => Self::invalid(
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
                Some("response_format"),
            ),
            OpenAiFault::NoResponseFormat if request.has_format => {
                Self::invalid("response_format: Extra inputs are not permitted", None)
            }
            OpenAiFault::NoTemperature if request.has_temperature => Self::invalid(
                "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is \
                 supported.",
                Some("temperature"),
            ),
            _ => return None,
        })
    }

    /// The body that goes with a status.
    pub(crate) fn of_status(code: u16) -> Self {
        let (kind, message) = match code {
            400 => ("invalid_request_error", "Your request is invalid."),
            401 => ("invalid_request_error", "Incorrect API key provided."),
            403 => ("permission_error", "You are not allowed to do this."),
            404 => ("invalid_request_error", "Invalid URL."),
            429 => ("requests", "Rate limit reached."),
            503 => {
                ("service_unavailable_error", "The engine is currently overloaded, please try again later.")
            }
            _ => ("server_error", "The server had an error while processing your request."),
        };
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, kind, message, &Value::Null)
    }
}

impl fmt::Display for OpenAiProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.error["message"].as_str().unwrap_or_default())
    }
}

impl ResponseError for OpenAiProblem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header(("retry-after", seconds.to_string()));
        }
        response.content_type("application/json").body(json!({"error": self.error}).to_string())
    }
}
