//! Anthropic's messages API, as far as Mynah needs it: `messages` with a key and a version, its errors, and a
//! [model](crate::model) that **does not translate**.

use std::fmt;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, http::StatusCode, web};
use serde_json::{Value, json};

use crate::{
    credentials::ANTHROPIC_API_KEY,
    model::{AnthropicFault, Around, Asked, Echo, text},
    requests::LoggedCaller,
};

/// Models that it has.
const MODELS: [&str; 2] = ["claude-haiku-4-5", "claude-sonnet-5"];

const ARGUMENTS: &[&str] =
    &["model", "max_tokens", "system", "messages", "temperature", "stop_sequences", "stream", "thinking"];

/// Four characters are about one token.
const CHARS_PER_TOKEN: usize = 4;

/// `POST /v1/messages`
pub(crate) async fn messages(
    request: HttpRequest,
    bytes: web::Bytes,
) -> Result<HttpResponse, AnthropicProblem> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header("x-api-key") != Some(ANTHROPIC_API_KEY) {
        return Err(AnthropicProblem::new(401, "authentication_error", "invalid x-api-key"));
    }
    request.extensions_mut().insert(LoggedCaller { auth: "key", account: None });
    if header("anthropic-version").is_none() {
        return Err(AnthropicProblem::invalid("anthropic-version: header is required"));
    }
    let body: Value = serde_json::from_slice(&bytes)
        .map_err(|_| AnthropicProblem::invalid("The request body is not valid JSON"))?;
    let fault = request.extensions().get::<AnthropicFault>().copied();
    Ok(HttpResponse::Ok().content_type("application/json").body(answer(&body, fault)?.to_string()))
}

fn answer(body: &Value, fault: Option<AnthropicFault>) -> Result<Value, AnthropicProblem> {
    let unknown =
        body.as_object().into_iter().flatten().find(|(name, _)| !ARGUMENTS.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        return Err(AnthropicProblem::invalid(&format!("{name}: Extra inputs are not permitted")));
    }
    let Some(most) = body["max_tokens"].as_u64() else {
        return Err(AnthropicProblem::invalid("max_tokens: Field required"));
    };
    let model = body["model"].as_str().unwrap_or_default();
    if !MODELS.contains(&model) {
        return Err(AnthropicProblem::new(404, "not_found_error", &format!("model: {model}")));
    }
    if let Some(problem) = fault.and_then(AnthropicProblem::of_fault) {
        return Err(problem);
    }
    let system = body["system"].as_str().unwrap_or_default();
    let mut asked = Asked { echo: Echo::instructed(system), ..Asked::default() };
    let messages = body["messages"].as_array().into_iter().flatten();
    let mut user = messages
        .filter(|message| message["role"] == "user")
        .filter_map(|message| message["content"].as_str());
    let user = user
        .next_back()
        .ok_or_else(|| AnthropicProblem::invalid("messages: at least one message is required"))?;
    asked.read(user.to_owned());
    let of_model = match fault {
        Some(AnthropicFault::Model(fault)) => Some(fault),
        _ => None,
    };
    let mut text = text(&asked, Around::Object, of_model);
    let mut reason = "end_turn";
    let most = match fault {
        Some(AnthropicFault::MaxTokens) => text.chars().count() / 2,
        _ => usize::try_from(most).unwrap_or(usize::MAX).saturating_mul(CHARS_PER_TOKEN),
    };
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        reason = "max_tokens";
    }
    let output = text.chars().count().div_ceil(CHARS_PER_TOKEN);
    let input = (system.chars().count() + user.chars().count()).div_ceil(CHARS_PER_TOKEN);
    let mut content = json!([{"type": "text", "text": text}]);
    if fault == Some(AnthropicFault::Refusal) {
        (content, reason) = (json!([]), "refusal");
    }
    Ok(json!({
        "id": "msg_sandbox",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": null,
        "usage": {"input_tokens": input, "output_tokens": output},
    }))
}

/// An error answer: `{"type":"error","error":{"type","message"}}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AnthropicProblem {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl AnthropicProblem {
    fn new(status: u16, kind: &'static str, message: &str) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, kind, message: message.to_owned() }
    }

    fn invalid(message: &str) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// The error that a fault orders, if it orders one.
    fn of_fault(fault: AnthropicFault) -> Option<Self> {
        Some(match fault {
            AnthropicFault::Overloaded => Self::of_status(529),
            AnthropicFault::RateLimited => Self::of_status(429),
            AnthropicFault::CreditBalance => {
                Self::invalid("Your credit balance is too low to access the Anthropic API.")
            }
            AnthropicFault::TooLong => Self::invalid("prompt is too long: 210000 tokens > 200000 maximum"),
            _ => return None,
        })
    }

    /// The body that goes with a status.
    pub(crate) fn of_status(code: u16) -> Self {
        let (kind, message) = match code {
            400 => ("invalid_request_error", "Your request is invalid."),
            401 => ("authentication_error", "invalid x-api-key"),
            403 => ("permission_error", "Your key may not do this."),
            404 => ("not_found_error", "Not found"),
            413 => ("request_too_large", "Request exceeds the maximum size"),
            429 => ("rate_limit_error", "This request would exceed your rate limit."),
            529 => ("overloaded_error", "Overloaded"),
            _ => ("api_error", "Internal server error"),
        };
        Self::new(code, kind, message)
    }
}

impl fmt::Display for AnthropicProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.message)
    }
}

impl ResponseError for AnthropicProblem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.insert_header(("retry-after", "20"));
        }
        let error = json!({"type": self.kind, "message": self.message});
        response
            .content_type("application/json")
            .body(json!({"type": "error", "error": error, "request_id": "req_sandbox"}).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Value {
        let items = json!({"items": [{"id": "1", "target": "es", "text": "Hello ⟦1⟧"}]}).to_string();
        json!({"model": "claude-haiku-4-5", "max_tokens": 1000, "system": "Translate.",
            "messages": [{"role": "user", "content": items}]})
    }

    #[test]
    fn an_answer_is_a_text_with_the_list_and_counts_its_tokens() {
        let answer = answer(&body(), None).unwrap();
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with(r#"{"items": [{"id":"1","text":"es · "#) && text.contains("⟦1⟧"), "{text}");
        assert!(answer["usage"]["input_tokens"].as_u64() > Some(10) && answer["stop_reason"] == "end_turn");
    }

    #[test]
    fn what_anthropic_refuses_is_refused_and_each_fault_has_its_effect() {
        for (name, value) in
            [("max_tokens", Value::Null), ("response_format", json!({})), ("messages", json!([]))]
        {
            let mut wrong = body();
            wrong[name] = value;
            assert!(answer(&wrong, None).is_err(), "{name}");
        }
        assert_eq!(answer(&body(), Some(AnthropicFault::MaxTokens)).unwrap()["stop_reason"], "max_tokens");
        assert_eq!(answer(&body(), Some(AnthropicFault::Refusal)).unwrap()["stop_reason"], "refusal");
        for fault in [
            AnthropicFault::Overloaded,
            AnthropicFault::RateLimited,
            AnthropicFault::CreditBalance,
            AnthropicFault::TooLong,
        ] {
            assert!(answer(&body(), Some(fault)).is_err(), "{fault:?}");
        }
    }
}
