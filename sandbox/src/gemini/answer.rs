//! Puts the model's answer into Gemini's JSON, or writes what Gemini answers instead.

use serde_json::{Value, json};

use super::{problems::GeminiProblem, request::Request};
use crate::{
    hash,
    model::{Around, GeminiFault, text},
};

/// Four characters are about one token.
const CHARS_PER_TOKEN: usize = 4;
/// The tokens that "thinking" costs.
const THOUGHT_TOKENS: usize = 30;

/// The body of a 200, or the ordered error.
pub(crate) fn answer(
    model: &str,
    request: &Request,
    fault: Option<GeminiFault>,
) -> Result<Value, GeminiProblem> {
    match fault {
        Some(GeminiFault::QuotaPerMinute) => return Err(GeminiProblem::quota(model, false)),
        Some(GeminiFault::QuotaPerDay) => return Err(GeminiProblem::quota(model, true)),
        Some(GeminiFault::Overloaded) => return Err(GeminiProblem::of_status(503)),
        Some(GeminiFault::Internal) => return Err(GeminiProblem::of_status(500)),
        Some(GeminiFault::RetryNow) => return Err(GeminiProblem::retry_now()),
        Some(GeminiFault::EmptyCandidates) => {
            return Ok(envelope(model, request, json!({"candidates": []}), 0));
        }
        Some(GeminiFault::NullCandidates) => {
            return Ok(envelope(model, request, json!({"candidates": null, "promptFeedback": null}), 0));
        }
        Some(GeminiFault::NullParts) => {
            let content = json!({"role": "model", "parts": null});
            return Ok(with_content(model, request, &content));
        }
        Some(GeminiFault::NullContent) => return Ok(with_content(model, request, &Value::Null)),
        Some(GeminiFault::NullText) => {
            let content = json!({"role": "model", "parts": [{"text": null, "thought": null}]});
            return Ok(with_content(model, request, &content));
        }
        Some(GeminiFault::Refusal) => {
            let inner = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}});
            return Ok(envelope(model, request, inner, 0));
        }
        Some(GeminiFault::MaxTokens) => return Ok(without_parts(model, request, "MAX_TOKENS")),
        Some(GeminiFault::Safety) => return Ok(without_parts(model, request, "SAFETY")),
        _ => {}
    }
    let around = if request.json { Around::Nothing } else { Around::Fence };
    let of_model = match fault {
        Some(GeminiFault::Model(fault)) => Some(fault),
        _ => None,
    };
    let mut text = text(&request.asked, around, of_model);
    let mut finish = "STOP";
    if let Some(max) = request.max_output_tokens {
        let max = usize::try_from(max).unwrap_or(usize::MAX).saturating_mul(CHARS_PER_TOKEN);
        if let Some((at, _)) = text.char_indices().nth(max) {
            text.truncate(at);
            finish = "MAX_TOKENS";
        }
    }
    let mut parts = Vec::new();
    if request.include_thoughts || fault == Some(GeminiFault::ThoughtPart) {
        parts.push(json!({"text": "The user wants me to translate. I cannot.", "thought": true}));
    }
    let length = text.chars().count();
    parts.push(json!({"text": text}));
    let candidate = json!({
        "content": {"role": "model", "parts": parts},
        "finishReason": finish,
        "index": 0,
    });
    let mut body = envelope(model, request, json!({"candidates": [candidate]}), length);
    corrupt_counts(&mut body, fault);
    Ok(body)
}

/// An answer with one finished candidate that has this content.
fn with_content(model: &str, request: &Request, content: &Value) -> Value {
    let candidate = json!({"content": content, "finishReason": "STOP", "index": 0, "safetyRatings": null});
    envelope(model, request, json!({"candidates": [candidate]}), 0)
}

/// Corrupts the counts of an answer as the fault says.
fn corrupt_counts(body: &mut Value, fault: Option<GeminiFault>) {
    if fault == Some(GeminiFault::NullUsage) {
        body["usageMetadata"] = Value::Null;
        body["promptFeedback"] = Value::Null;
        body["candidates"][0]["citationMetadata"] = Value::Null;
        body["candidates"][0]["finishMessage"] = Value::Null;
        body["candidates"][0]["safetyRatings"] = Value::Null;
        return;
    }
    for (_, count) in body["usageMetadata"].as_object_mut().into_iter().flatten() {
        let Some(number) = count.as_i64() else { continue };
        match fault {
            Some(GeminiFault::NullCounts) => *count = Value::Null,
            Some(GeminiFault::QuotedCounts) => *count = json!(number.to_string()),
            Some(GeminiFault::NegativeCounts) => *count = json!(-1 - number),
            _ => {}
        }
    }
}

/// An answer with one candidate without parts.
fn without_parts(model: &str, request: &Request, finish: &str) -> Value {
    let candidate = json!({"content": {"role": "model"}, "finishReason": finish, "index": 0});
    envelope(model, request, json!({"candidates": [candidate]}), 0)
}

/// Adds the fields that every answer has.
fn envelope(model: &str, request: &Request, mut body: Value, answer_chars: usize) -> Value {
    let prompt = request.prompt_chars.div_ceil(CHARS_PER_TOKEN);
    let answer = answer_chars.div_ceil(CHARS_PER_TOKEN);
    let mut usage = json!({
        "promptTokenCount": prompt,
        "totalTokenCount": prompt + answer + THOUGHT_TOKENS,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
        "thoughtsTokenCount": THOUGHT_TOKENS,
    });
    if answer > 0 {
        usage["candidatesTokenCount"] = json!(answer);
    }
    body["usageMetadata"] = usage;
    body["modelVersion"] = json!(model);
    body["responseId"] = json!(format!(
        "sandbox-{:016x}",
        hash::stable(&[model.as_bytes(), &fastrand::u64(..).to_le_bytes()])
    ));
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Asked, Item};

    fn request(text: &str) -> Request {
        let item = Item { id: "1".into(), target: "es".into(), text: text.into(), max_weighted_length: None };
        Request {
            asked: Asked { items: vec![item], structured: true, echo: None },
            json: true,
            ..Request::default()
        }
    }

    fn text_of(body: &Value) -> String {
        body["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn an_answer_marks_the_target_and_keeps_protected_parts() {
        let request = request("Hello ⟦1⟧, see ⟦2⟧");
        let body = answer("m", &request, None).unwrap();
        let text = text_of(&body);
        assert!(text.starts_with(r#"[{"id":"1","text":"es · "#) && text.ends_with("⟦2⟧\"}]"), "{text}");
        assert!(text.contains(" ⟦1⟧, ") && !text.contains("Hello"), "{text}");
        assert_eq!(body["candidates"][0]["finishReason"], "STOP");
    }

    #[test]
    fn an_answer_without_a_text_has_no_parts() {
        let request = request("Hello");
        let refused = answer("m", &request, Some(GeminiFault::Refusal)).unwrap();
        assert!(refused.get("candidates").is_none());
        let truncated = answer("m", &request, Some(GeminiFault::MaxTokens)).unwrap();
        assert!(truncated["candidates"][0]["content"].get("parts").is_none());
    }

    #[test]
    fn a_small_token_budget_truncates_the_answer() {
        let mut request = request(&"word ".repeat(50));
        request.max_output_tokens = Some(5);
        let body = answer("m", &request, None).unwrap();
        assert_eq!(body["candidates"][0]["finishReason"], "MAX_TOKENS");
        assert_eq!(text_of(&body).chars().count(), 20);
    }
}
