//! Puts the model's answer into OpenAI's JSON, or writes what a service answers instead.

use serde_json::{Value, json};

use super::{problems::OpenAiProblem, request::Request};
use crate::{
    hash,
    model::{Around, OpenAiFault, text},
};

/// Four characters are about one token.
const CHARS_PER_TOKEN: usize = 4;

/// The body of a 200, or the ordered error.
pub(crate) fn answer(request: &Request, fault: Option<OpenAiFault>) -> Result<Value, OpenAiProblem> {
    if let Some(problem) = fault.and_then(|fault| OpenAiProblem::of_fault(fault, request)) {
        return Err(problem);
    }
    let around = if request.has_format { Around::Object } else { Around::Fence };
    let of_model = match fault {
        Some(OpenAiFault::Model(fault)) => Some(fault),
        _ => None,
    };
    let mut text = text(&request.asked, around, of_model);
    let mut finish = "stop";
    let most = match fault {
        Some(OpenAiFault::Length) => Some(text.chars().count() / 2),
        _ => request
            .max_tokens
            .map(|most| usize::try_from(most).unwrap_or(usize::MAX).saturating_mul(CHARS_PER_TOKEN)),
    };
    if let Some((at, _)) = most.and_then(|most| text.char_indices().nth(most)) {
        text.truncate(at);
        finish = "length";
    }
    if fault == Some(OpenAiFault::Thoughts) {
        text = format!("<think>\nThe user wants [{{\"id\": \"1\"}}] … I begin.\n</think>\n\n{text}");
    }
    let completion = text.chars().count().div_ceil(CHARS_PER_TOKEN);
    let prompt = request.prompt_chars.div_ceil(CHARS_PER_TOKEN);
    let message =
        |content: Value, refusal: Value| json!({"role": "assistant", "content": content, "refusal": refusal});
    let (message, finish) = match fault {
        Some(OpenAiFault::ContentFilter) => (message(Value::Null, Value::Null), json!("content_filter")),
        Some(OpenAiFault::Refusal) => {
            (message(Value::Null, json!("I'm sorry, but I cannot help with that.")), json!(finish))
        }
        Some(OpenAiFault::NullContent) => (message(Value::Null, Value::Null), Value::Null),
        _ => (message(json!(text), Value::Null), json!(finish)),
    };
    let mut body = json!({
        "id": format!("chatcmpl-sandbox-{:016x}", hash::stable(&[request.model.as_bytes(), &fastrand::u64(..).to_le_bytes()])),
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    });
    match fault {
        Some(OpenAiFault::ErrorInSuccess) => {
            body =
                json!({"error": {"message": "Provider returned error", "code": 502}, "user_id": "sandbox"});
        }
        Some(OpenAiFault::EmptyChoices) => body["choices"] = json!([]),
        Some(OpenAiFault::NullUsage) => body["usage"] = Value::Null,
        _ => {}
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Asked, Item};

    fn request() -> Request {
        let item =
            Item {
                id: "1".into(), target: "es".into(), text: "Hello ⟦1⟧".into(), max_weighted_length: None
            };
        Request {
            model: "gpt-5.4-mini".into(),
            asked: Asked { items: vec![item], structured: true, echo: None },
            has_schema: true,
            has_format: true,
            prompt_chars: 40,
            ..Request::default()
        }
    }

    fn choice(fault: Option<OpenAiFault>) -> Value {
        answer(&request(), fault).unwrap()["choices"][0].clone()
    }

    #[test]
    fn an_answer_is_an_object_with_the_list_and_counts_its_tokens() {
        let body = answer(&request(), None).unwrap();
        let text = body["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(text.starts_with(r#"{"items": [{"id":"1","text":"es · "#) && text.contains("⟦1⟧"), "{text}");
        assert_eq!(body["usage"]["prompt_tokens"], 10);
    }

    #[test]
    fn each_fault_has_its_effect() {
        assert_eq!(choice(Some(OpenAiFault::Length))["finish_reason"], "length");
        assert_eq!(choice(Some(OpenAiFault::ContentFilter))["finish_reason"], "content_filter");
        assert!(choice(Some(OpenAiFault::Refusal))["message"]["refusal"].is_string());
        let thoughts = choice(Some(OpenAiFault::Thoughts));
        assert!(thoughts["message"]["content"].as_str().unwrap().starts_with("<think>"));
        for fault in [
            OpenAiFault::RateLimited,
            OpenAiFault::RateLimitedInWords,
            OpenAiFault::InsufficientQuota,
            OpenAiFault::InsufficientCredits,
            OpenAiFault::Overloaded,
            OpenAiFault::ContextLength,
            OpenAiFault::ContextSize,
            OpenAiFault::NoSchema,
            OpenAiFault::NoResponseFormat,
        ] {
            assert!(answer(&request(), Some(fault)).is_err(), "{fault:?}");
        }
        let plain = Request { has_schema: false, has_format: false, ..request() };
        assert!(answer(&plain, Some(OpenAiFault::NoResponseFormat)).is_ok(), "nothing was asked for");
    }
}
