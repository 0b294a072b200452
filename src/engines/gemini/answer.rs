//! What Gemini said, down to a translation for each item. The outer JSON is Google's, the inner one the model's, and both
//! are input from a stranger: anything in them may be missing, doubled or of another type.

use std::collections::HashMap;

use mynah_domain::ports::engine::ItemError;
use serde::Deserialize;
use serde_json::Value;

use crate::telemetry::outside::brief;

/// What one call brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// For each item asked for, in order.
    Items(Vec<Result<String, ItemError>>),
    /// Nothing for any item, for a reason that may lie with one of them: each is worth asking for alone.
    Spoiled(ItemError),
}

/// An answer of which nothing can be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Gemini's answer is not the JSON that its API promises: {0}")]
pub(super) struct Unreadable(String);

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Response {
    candidates: Vec<Candidate>,
    prompt_feedback: Option<PromptFeedback>,
    usage_metadata: Option<Usage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    text: String,
    thought: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PromptFeedback {
    block_reason: Option<String>,
}

/// What the call cost, in tokens. Thoughts are paid for as answers are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    #[serde(rename = "promptTokenCount")]
    pub(super) prompt: u64,
    #[serde(rename = "cachedContentTokenCount")]
    pub(super) cached: u64,
    #[serde(rename = "candidatesTokenCount")]
    pub(super) answer: u64,
    #[serde(rename = "thoughtsTokenCount")]
    pub(super) thoughts: u64,
}

/// Reads the body of a 200 to a request for `count` items.
pub(super) fn read(body: &[u8], count: usize) -> Result<(Outcome, Usage), Unreadable> {
    let response: Response =
        serde_json::from_slice(body).map_err(|error| Unreadable(brief(&error.to_string())))?;
    let usage = response.usage_metadata.unwrap_or_default();
    Ok((outcome(response, count), usage))
}

fn outcome(response: Response, count: usize) -> Outcome {
    let blocked = response.prompt_feedback.and_then(|feedback| feedback.block_reason);
    let Some(candidate) = response.candidates.into_iter().next() else {
        return Outcome::Spoiled(match blocked {
            Some(reason) => ItemError::Refused(format!("Gemini blocked the post ({})", brief(&reason))),
            None => ItemError::Unusable("Gemini's answer holds no translation".into()),
        });
    };
    let reason = candidate.finish_reason.as_deref().unwrap_or("STOP");
    match reason {
        "STOP" | "FINISH_REASON_UNSPECIFIED" => {}
        "MAX_TOKENS" => {
            return Outcome::Spoiled(ItemError::Unusable(
                "Gemini's answer was cut off at its length limit (MAX_TOKENS)".into(),
            ));
        }
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" => {
            return Outcome::Spoiled(ItemError::Refused(format!(
                "Gemini will not translate the post ({reason})"
            )));
        }
        other => {
            return Outcome::Spoiled(ItemError::Unusable(format!(
                "Gemini stopped in the middle ({})",
                brief(other)
            )));
        }
    }
    let text: String = candidate
        .content
        .unwrap_or_default()
        .parts
        .into_iter()
        .filter(|part| !part.thought)
        .map(|part| part.text)
        .collect();
    match serde_json::from_str(&text) {
        Ok(Value::Array(answers)) => Outcome::Items(by_id(answers, count)),
        _ => Outcome::Spoiled(ItemError::Unusable(
            "Gemini's answer is not the list of translations that was asked for".into(),
        )),
    }
}

/// The answers in the order of the items. Ids that were never given are left out: nobody asked.
fn by_id(answers: Vec<Value>, count: usize) -> Vec<Result<String, ItemError>> {
    let mut texts: HashMap<String, Vec<Value>> = HashMap::new();
    for mut answer in answers {
        let id = match answer.get("id") {
            Some(Value::String(id)) => id.clone(),
            // Some models answer a number to a number in quotes.
            Some(Value::Number(id)) => id.to_string(),
            _ => continue,
        };
        let text = answer.get_mut("text").map(Value::take).unwrap_or_default();
        texts.entry(id).or_default().push(text);
    }
    let unusable = |what: &str| Err(ItemError::Unusable(format!("Gemini's answer {what}")));
    (1..=count)
        .map(|id| match texts.remove(&id.to_string()).as_deref_mut() {
            None => unusable("leaves this post out"),
            Some([Value::String(text)]) if text.trim().is_empty() => unusable("for this post is empty"),
            Some([Value::String(text)]) => Ok(std::mem::take(text)),
            Some([_]) => unusable("for this post is no text"),
            Some(_) => unusable("has this post more than once"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome_of(body: &Value, count: usize) -> Outcome {
        read(body.to_string().as_bytes(), count).unwrap().0
    }

    fn saying(text: &str) -> Value {
        json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}]})
    }

    fn items(text: &str, count: usize) -> Vec<Result<String, ItemError>> {
        match outcome_of(&saying(text), count) {
            Outcome::Items(items) => items,
            other @ Outcome::Spoiled(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_come_back_in_the_order_of_the_items_whatever_theirs() {
        assert_eq!(
            items(r#"[{"id":"2","text":"dos"},{"id":1,"text":"uno","note":"x"}]"#, 2),
            [Ok("uno".into()), Ok("dos".into())]
        );
    }

    #[test]
    fn a_bad_item_does_not_spoil_its_neighbours() {
        let answers = items(
            r#"[{"id":"1","text":"uno"},{"id":"2","text":"a"},{"id":"2","text":"b"},{"id":"4","text":7},
                {"id":"5","text":" "},{"id":"6"},{"id":"99","text":"x"},{"text":"y"},null,"z",{"id":"7","text":"siete"}]"#,
            7,
        );
        let usable: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(usable, [true, false, false, false, false, false, true]);
        assert!(answers[1].clone().unwrap_err().to_string().contains("more than once"));
        assert!(answers[2].clone().unwrap_err().to_string().contains("leaves"));
    }

    #[test]
    fn thoughts_are_no_answer_and_parts_are_joined() {
        let body = json!({"candidates": [{"content": {"parts": [
            {"text": "Let me think [", "thought": true},
            {"text": "[{\"id\":\"1\",", "thoughtSignature": "x"},
            {"text": "\"text\":\"hola\"}]"},
            {"inlineData": {}},
        ]}}]});
        assert_eq!(outcome_of(&body, 1), Outcome::Items(vec![Ok("hola".into())]));
    }

    #[test]
    fn a_blocked_prompt_is_a_refusal() {
        let body = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}});
        let Outcome::Spoiled(ItemError::Refused(why)) = outcome_of(&body, 1) else { panic!("no refusal") };
        assert!(why.contains("PROHIBITED_CONTENT"));
    }

    #[test]
    fn every_reason_to_stop_but_stop_spoils_the_answer() {
        for (reason, refused) in [
            ("SAFETY", true),
            ("RECITATION", true),
            ("LANGUAGE", true),
            ("BLOCKLIST", true),
            ("PROHIBITED_CONTENT", true),
            ("SPII", true),
            ("MAX_TOKENS", false),
            ("OTHER", false),
            ("MALFORMED_FUNCTION_CALL", false),
            ("OF_TOMORROW", false),
        ] {
            // Half an answer is none, though it may be JSON; MAX_TOKENS may come without parts.
            let body = json!({"candidates": [{"finishReason": reason, "content": {}}]});
            let Outcome::Spoiled(error) = outcome_of(&body, 1) else { panic!("{reason} passed") };
            assert_eq!(matches!(error, ItemError::Refused(_)), refused, "{reason}");
            assert!(error.to_string().contains(reason));
        }
    }

    #[test]
    fn what_is_no_list_spoils_the_answer() {
        for text in [
            "",
            "Here you are: hola",
            "{\"id\":\"1\",\"text\":\"hola\"}",
            "[{\"id\":\"1\",\"te",
            "```json\n[]\n```",
        ] {
            assert!(
                matches!(outcome_of(&saying(text), 1), Outcome::Spoiled(ItemError::Unusable(_))),
                "{text}"
            );
        }
        for body in [json!({}), json!({"candidates": []}), json!({"candidates": [{}]})] {
            assert!(matches!(outcome_of(&body, 1), Outcome::Spoiled(ItemError::Unusable(_))), "{body}");
        }
    }

    #[test]
    fn what_is_not_google_at_all_is_unreadable() {
        for body in ["", "<html>Sign in to the Wi-Fi</html>", "[]x", "{\"candidates\": 7}", "null"] {
            assert!(read(body.as_bytes(), 1).is_err(), "{body}");
        }
    }

    #[test]
    fn what_it_cost_is_read() {
        let body = json!({"candidates": [], "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 8,
            "thoughtsTokenCount": 30, "totalTokenCount": 50}});
        let (_, usage) = read(body.to_string().as_bytes(), 1).unwrap();
        assert_eq!(usage, Usage { prompt: 12, cached: 0, answer: 8, thoughts: 30 });
    }
}
