//! What Claude's refusals mean: `{"type":"error","error":{"type","message"}}`.

use jiff::{SignedDuration, Timestamp};
use mynah_domain::ports::engine::{EngineError, ItemError};
use serde_json::Value;

use super::{NAME, settings::where_to_set};
use crate::engines::llm::failure::{after, retry_after, said};

/// When to ask again after somebody must pay first. It costs nothing to find out that they did.
const UNTIL_PAID: SignedDuration = SignedDuration::from_mins(10);

/// Reads an answer whose status is not 200 to a call of the engine with this name. The outer error is about the call, the inner
/// one about the texts in it.
pub(super) fn read(
    status: u16,
    body: &[u8],
    retry: Option<&str>,
    (name, model): (&str, &str),
    now: Timestamp,
) -> Result<ItemError, EngineError> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| body["error"][key].as_str().unwrap_or_default();
    let (kind, message) = (text("type"), text("message"));
    let said = said(status, kind, message);
    let message = message.to_lowercase();
    Err(match (status, kind) {
        (413, _) => return Ok(too_long(&said)),
        (400, _) if message.contains("prompt is too long") || message.contains("context") => {
            return Ok(too_long(&said));
        }
        (402, _) | (_, "billing_error") => empty(&said, now),
        (400 | 403, _) if message.contains("credit balance") => empty(&said, now),
        (401 | 403, _) if !kind.is_empty() || status == 401 => {
            let (variable, keys) = where_to_set(name);
            EngineError::Unauthorized(format!(
                "{NAME} does not accept the key: set {variable} to a valid one from {keys} ({said})"
            ))
        }
        (404, _) if message.contains("model") => EngineError::Refused(format!(
            "{NAME} has no model “{model}” for this key: set engine.{name}.model to one that it has ({said})"
        )),
        (404, _) => EngineError::Refused(format!(
            "there is no such API at this address: set engine.{name}.base_url to {NAME}'s address without its version ({said})"
        )),
        (429, _) => EngineError::RateLimited {
            until: retry.and_then(|retry| retry_after(retry, now)),
            reason: format!("{NAME}: rate limit reached ({said})"),
        },
        // A 403 that is a page of a guard in between.
        (403 | 408 | 409 | 500.., _) => {
            EngineError::Unavailable(format!("{NAME} is not available just now ({said})"))
        }
        _ => EngineError::Refused(format!("{NAME} refused the request ({said})")),
    })
}

fn too_long(said: &str) -> ItemError {
    ItemError::Unusable(format!("the posts do not fit into one request to {NAME} ({said})"))
}

fn empty(said: &str, now: Timestamp) -> EngineError {
    EngineError::RateLimited {
        until: after(UNTIL_PAID, now),
        reason: format!("{NAME}'s account has no credit left: add credit ({said})"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn failure(status: u16, kind: &str, message: &str) -> Result<ItemError, EngineError> {
        let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "x"})
            .to_string();
        read(status, body.as_bytes(), Some("20"), ("claude", "claude-x"), now())
    }

    #[test]
    fn each_error_is_told_apart() {
        let Err(EngineError::Unauthorized(why)) = failure(401, "authentication_error", "invalid x-api-key")
        else {
            panic!()
        };
        assert!(why.contains("CLAUDE_API_KEY"), "{why}");
        let Err(EngineError::Refused(why)) = failure(404, "not_found_error", "model: claude-x") else {
            panic!()
        };
        assert!(why.contains("engine.claude.model") && why.contains("claude-x"), "{why}");
        let Err(EngineError::Refused(why)) = failure(404, "not_found_error", "Not Found") else { panic!() };
        assert!(why.contains("engine.claude.base_url"), "{why}");
        for (status, kind, message) in [
            (402, "billing_error", "x"),
            (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        ] {
            let Err(EngineError::RateLimited { until: Some(until), .. }) = failure(status, kind, message)
            else {
                panic!()
            };
            assert_eq!(until.to_string(), "2026-11-23T12:10:00.001Z");
        }
        let Err(EngineError::RateLimited { until: Some(until), .. }) = failure(429, "rate_limit_error", "x")
        else {
            panic!()
        };
        assert_eq!(until.to_string(), "2026-11-23T12:00:20.001Z");
        for (status, message) in
            [(413, "Request exceeds the maximum size"), (400, "prompt is too long: 210000 tokens > 200000")]
        {
            assert!(
                matches!(failure(status, "invalid_request_error", message), Ok(ItemError::Unusable(_))),
                "{status}"
            );
        }
        for status in [408, 500, 502, 503, 504, 529] {
            assert!(matches!(
                failure(status, "overloaded_error", "Overloaded"),
                Err(EngineError::Unavailable(_))
            ));
        }
        let Err(EngineError::Refused(why)) = failure(400, "invalid_request_error", "messages: wrong") else {
            panic!()
        };
        assert!(why.contains("HTTP 400: invalid_request_error: messages: wrong"), "{why}");
    }

    #[test]
    fn an_error_body_in_an_odd_form_keeps_the_meaning_of_its_status() {
        for body in ["", "<html>", "null", "{\"error\": []}", "{\"error\": {\"type\": 7, \"message\": null}}"]
        {
            let of = |status| read(status, body.as_bytes(), None, ("claude", "claude-x"), now());
            assert!(matches!(of(429), Err(EngineError::RateLimited { until: None, .. })), "{body}");
            assert!(matches!(of(401), Err(EngineError::Unauthorized(_))), "{body}");
            assert!(
                matches!(of(403), Err(EngineError::Unavailable(_))),
                "a guard's page says nothing of the key: {body}"
            );
            assert!(matches!(of(529), Err(EngineError::Unavailable(_))), "{body}");
            assert!(matches!(of(400), Err(EngineError::Refused(_))), "{body}");
        }
    }
}
