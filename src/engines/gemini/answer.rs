//! What Gemini said, down to a translation for each item. The outer JSON is Google's, the inner one the model's, and both
//! are input from a stranger: anything in them may be missing, doubled or of another type.

use mynah_domain::ports::engine::{self, ItemError};
use serde_json::Value;

use super::NAME;
use crate::{
    engines::llm::{
        Outcome,
        body::{self, Unreadable, objects, word},
        ids::Id,
        list::Answer,
    },
    telemetry::outside::brief,
};

/// What the call cost, in tokens, as far as Gemini says so. Prompts include what is cached; thoughts are paid for as answers
/// are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) prompt: Option<u64>,
    pub(super) cached: Option<u64>,
    pub(super) answer: Option<u64>,
    pub(super) thoughts: Option<u64>,
}

impl From<Usage> for engine::Usage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.prompt,
            output_tokens: engine::sum([usage.answer, usage.thoughts]),
            ..Self::default()
        }
    }
}

/// Reads the body of a 200 to a request for the items with `ids`.
pub(super) fn read(bytes: &[u8], ids: &[Id]) -> Result<(Outcome, Usage), Unreadable> {
    Ok(match body::parse(NAME, bytes)? {
        Ok(response) => (outcome(&response, ids), usage(&response)),
        Err(error) => (Outcome::Spoiled(error), Usage::default()),
    })
}

fn outcome(response: &Value, ids: &[Id]) -> Outcome {
    let mut spoiled = None;
    for candidate in objects(&response["candidates"]) {
        match of_candidate(candidate, ids) {
            Ok(items) => return Outcome::Items(items),
            Err(error) => spoiled = spoiled.or(Some(error)),
        }
    }
    if let Some(reason) =
        response["promptFeedback"]["blockReason"].as_str().filter(|reason| !reason.is_empty())
    {
        return Outcome::Spoiled(ItemError::Refused(format!("Gemini blocked the post ({})", brief(reason))));
    }
    Outcome::Spoiled(
        spoiled.unwrap_or_else(|| ItemError::Unusable("Gemini's answer holds no translation".into())),
    )
}

/// The translations of one candidate, or why it has none that can be used.
fn of_candidate(candidate: &Value, ids: &[Id]) -> Result<Vec<Result<Answer, ItemError>>, ItemError> {
    let reason = word(&candidate["finishReason"]);
    match reason.as_str() {
        "" | "STOP" | "FINISH_REASON_UNSPECIFIED" => {}
        "MAX_TOKENS" => {
            return Err(ItemError::Unusable(
                "Gemini's answer was cut off at its length limit (MAX_TOKENS)".into(),
            ));
        }
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" => {
            return Err(ItemError::Refused(format!("Gemini will not translate the post ({reason})")));
        }
        other => return Err(ItemError::Unusable(format!("Gemini stopped in the middle ({other})"))),
    }
    let text: String = objects(&candidate["content"]["parts"])
        .filter(|part| matches!(part["thought"], Value::Null | Value::Bool(false)))
        .filter_map(|part| part["text"].as_str())
        .collect();
    body::translations(NAME, &text, ids)
}

fn usage(response: &Value) -> Usage {
    let count = |name: &str| body::count(&response["usageMetadata"][name]);
    Usage {
        prompt: count("promptTokenCount"),
        cached: count("cachedContentTokenCount"),
        answer: count("candidatesTokenCount"),
        thoughts: count("thoughtsTokenCount"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The outcome of a body in which ids are written as numbers.
    fn outcome_of(body: &Value, count: usize) -> Outcome {
        let ids = Id::distinct(count, 3);
        let mut body = body.to_string();
        for (number, id) in (1..).zip(&ids) {
            body = body.replace(&format!(r#"\"id\":\"{number}\""#), &format!(r#"\"id\":\"{id}\""#));
        }
        read(body.as_bytes(), &ids).unwrap().0
    }

    /// The ids of a request for one item.
    fn one() -> Vec<Id> {
        Id::distinct(1, 3)
    }

    fn saying(text: &str) -> Value {
        json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}]})
    }

    fn items(text: &str, count: usize) -> Vec<Result<Answer, ItemError>> {
        match outcome_of(&saying(text), count) {
            Outcome::Items(items) => items,
            other @ Outcome::Spoiled(_) => panic!("{other:?}"),
        }
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
        for text in ["", "Here you are: hola", "[{\"id\":\"1\",\"te", "```json\n[]\n```"] {
            assert!(
                matches!(outcome_of(&saying(text), 1), Outcome::Spoiled(ItemError::Unusable(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn an_answer_with_odd_fields_around_the_text_is_read() {
        let part = json!({"text": r#"[{"id":"1","text":"hola"}]"#});
        let candidate = json!({"content": {"parts": [part]}, "finishReason": "STOP"});
        for body in [
            json!({"candidates": [candidate]}),
            json!({"candidates": candidate}),
            json!({"candidates": [null, 7, candidate]}),
            json!({"candidates": [{"finishReason": "MAX_TOKENS"}, candidate]}),
            json!({"candidates": [{"content": {"parts": [part]}, "finishReason": null, "index": "0"}]}),
            json!({"candidates": [{"content": {"parts": [part], "role": 7}, "safetyRatings": null}]}),
            json!({"candidates": [{"content": {"parts": part}}], "modelVersion": 3, "responseId": null}),
            json!({"candidates": [{"content": {"parts": [null, "x", {"text": null}, {"text": 7}, part]}}]}),
            json!({"candidates": [{"content": {"parts": [{"text": "[1]", "thought": 1}, part]}}]}),
            json!({"candidates": [candidate], "promptFeedback": null, "usageMetadata": null}),
            json!({"candidates": [candidate], "promptFeedback": {"blockReason": "OF_TOMORROW"}}),
            json!({"candidates": [candidate], "promptFeedback": {"blockReason": null, "safetyRatings": {}}}),
            json!({"candidates": [candidate], "usageMetadata": [], "error": null}),
        ] {
            assert_eq!(outcome_of(&body, 1), Outcome::Items(vec![Ok("hola".into())]), "{body}");
        }
    }

    #[test]
    fn json_without_a_translation_is_an_empty_answer() {
        for body in [
            "{}",
            r#"{"candidates": null}"#,
            r#"{"candidates": []}"#,
            r#"{"candidates": [{}]}"#,
            r#"{"candidates": [null]}"#,
            r#"{"candidates": 7}"#,
            r#"{"candidates": [{"content": null}]}"#,
            r#"{"candidates": [{"content": {"parts": null}, "finishReason": "STOP"}]}"#,
            r#"{"candidates": [{"content": {"parts": [{"text": null}]}}]}"#,
            r#"{"candidates": [{"content": "hola", "finishReason": 7}]}"#,
            r#"{"promptFeedback": {"blockReason": null}}"#,
            r#"{"usageMetadata": {"promptTokenCount": 1e999}}"#,
            r#"{"candidates": [{"content": {"parts": [{"text": "\ud800"}]}}]}"#,
            "[]",
            "null",
            r#""not Gemini""#,
        ] {
            let (outcome, _) = read(body.as_bytes(), &one()).unwrap();
            assert!(matches!(outcome, Outcome::Spoiled(ItemError::Unusable(_))), "{body}: {outcome:?}");
        }
        let nested = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert!(matches!(read(nested.as_bytes(), &one()), Ok((Outcome::Spoiled(_), _))));
    }

    #[test]
    fn a_reason_is_repeated_as_one_short_line() {
        let long = "x\n\u{1b}".repeat(1000);
        for body in [
            json!({"candidates": [{"finishReason": long}]}),
            json!({"candidates": [{"finishReason": [long]}]}),
            json!({"promptFeedback": {"blockReason": long}}),
        ] {
            let Outcome::Spoiled(error) = outcome_of(&body, 1) else { panic!("{body}") };
            let error = error.to_string();
            assert!(!error.contains(['\n', '\u{1b}']) && error.chars().count() < 500, "{error}");
        }
    }

    #[test]
    fn what_is_not_json_is_unreadable() {
        for body in [
            "",
            "<html>Sign in to the Wi-Fi</html>",
            "[]x",
            "{\"candidates\": ",
            "upstream error",
            "{'a': 1}",
        ] {
            assert!(read(body.as_bytes(), &one()).is_err(), "{body}");
        }
    }

    #[test]
    fn what_it_cost_is_read() {
        let usage = |counts: Value| {
            read(json!({"candidates": [], "usageMetadata": counts}).to_string().as_bytes(), &one()).unwrap().1
        };
        assert_eq!(
            usage(json!({"promptTokenCount": 12, "candidatesTokenCount": 8, "thoughtsTokenCount": 30})),
            Usage { prompt: Some(12), cached: None, answer: Some(8), thoughts: Some(30) }
        );
        assert_eq!(
            usage(
                json!({"promptTokenCount": "12", "candidatesTokenCount": " 8 ", "thoughtsTokenCount": u64::MAX})
            ),
            Usage { prompt: Some(12), cached: None, answer: Some(8), thoughts: Some(u64::MAX) }
        );
        let sums = |prompt, answer, thoughts| {
            engine::Usage::from(Usage { prompt, cached: Some(5), answer, thoughts })
        };
        let all =
            engine::Usage { input_tokens: Some(12), output_tokens: Some(38), ..engine::Usage::default() };
        assert_eq!(sums(Some(12), Some(8), Some(30)), all);
        assert_eq!(sums(None, Some(38), None), engine::Usage { input_tokens: None, ..all });
        assert_eq!(sums(None, None, None), engine::Usage::default());
        assert_eq!(sums(None, Some(8), Some(u64::MAX)).output_tokens, Some(u64::MAX));
        for odd in [json!(null), json!(-1), json!("-1"), json!("many"), json!(1e300), json!([12]), json!({})]
        {
            assert_eq!(usage(json!({"promptTokenCount": odd})), Usage::default(), "{odd}");
        }
    }
}
