//! Google's error bodies: `{"error":{"code","message","status","details"}}`. Only the details tell whether to wait a
//! minute or a day, so they are complete here.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::{Value, json};

/// An error answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GeminiProblem {
    code: StatusCode,
    status: &'static str,
    message: String,
    details: Vec<Value>,
}

impl GeminiProblem {
    fn new(code: StatusCode, status: &'static str, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into(), details: Vec::new() }
    }

    fn with(mut self, details: impl IntoIterator<Item = Value>) -> Self {
        self.details.extend(details);
        self
    }

    pub(crate) fn invalid_key() -> Self {
        let message = "API key not valid. Please pass a valid API key.";
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message).with([
            json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            }),
            json!({
                "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
                "locale": "en-US",
                "message": message,
            }),
        ])
    }

    pub(crate) fn no_key() -> Self {
        let message = "Method doesn't allow unregistered callers (callers without established identity). \
        Please use API Key or other form of API consumer identity to call this API.";
        Self::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message)
    }

    pub(crate) fn unknown_model(model: &str) -> Self {
        let message = format!(
            "models/{model} is not found for API version v1beta, or is not supported for generateContent. \
            Call ListModels to see the list of available models and their supported methods."
        );
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    /// 400 for an unknown key in the body, at a path such as `generation_config`.
    pub(crate) fn unknown_name(name: &str, at: &str) -> Self {
        let place = if at.is_empty() { String::new() } else { format!(" at '{at}'") };
        let description =
            format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field.");
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", description.clone()).with([json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": at, "description": description}],
        })])
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
    }

    pub(crate) fn quota(model: &str, per_day: bool) -> Self {
        let (span, limit, delay) = if per_day { ("Day", "20", "36") } else { ("Minute", "5", "21") };
        let metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests";
        let message = format!(
            "You exceeded your current quota, please check your plan and billing details. For more \
            information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To \
            monitor your current usage, head to: https://ai.dev/rate-limit. \n* Quota exceeded for metric: \
            {metric}, limit: {limit}, model: {model}\nPlease retry in {delay}.429760048s."
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED", message).with([
            json!({
                "@type": "type.googleapis.com/google.rpc.Help",
                "links": [{
                    "description": "Learn more about Gemini API quotas",
                    "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
                }],
            }),
            json!({
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{
                    "quotaMetric": metric,
                    "quotaId": format!("GenerateRequestsPer{span}PerProjectPerModel-FreeTier"),
                    "quotaDimensions": {"location": "global", "model": model},
                    "quotaValue": limit,
                }],
            }),
            json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{delay}s")}),
        ])
    }

    /// 429 that asks for an immediate retry.
    pub(crate) fn retry_now() -> Self {
        Self::of_status(429)
            .with([json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0s"})])
    }

    /// The body that goes with a status.
    pub(crate) fn of_status(code: u16) -> Self {
        let (status, message) = match code {
            400 => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
            403 => ("PERMISSION_DENIED", "The caller does not have permission"),
            404 => ("NOT_FOUND", "Requested entity was not found."),
            429 => ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
            503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
            504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
            _ => ("INTERNAL", "An internal error has occurred. Please retry."),
        };
        let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(code, status, message)
    }
}

impl fmt::Display for GeminiProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl ResponseError for GeminiProblem {
    fn status_code(&self) -> StatusCode {
        self.code
    }

    fn error_response(&self) -> HttpResponse {
        let mut error = json!({"code": self.code.as_u16(), "message": self.message, "status": self.status});
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        HttpResponse::build(self.code)
            .content_type("application/json; charset=UTF-8")
            .body(json!({"error": error}).to_string())
    }
}
