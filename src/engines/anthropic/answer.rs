//! What Claude answered with a 200, down to a translation for each item.

use mynah_domain::ports::engine::{ItemError, Usage, sum};
use serde_json::Value;

use super::NAME;
use crate::engines::llm::{
    Outcome,
    body::{self, Unreadable, count, objects, word},
    ids::Id,
    list::Answer,
};

/// Reads the body of a 200 to a request for the items with `ids`.
pub(super) fn read(bytes: &[u8], ids: &[Id]) -> Result<(Outcome, Usage), Unreadable> {
    Ok(match body::parse(NAME, bytes)? {
        Err(error) => (Outcome::Spoiled(error), Usage::default()),
        Ok(message) => {
            let outcome = translations(&message, ids).map_or_else(Outcome::Spoiled, Outcome::Items);
            (outcome, usage(&message["usage"]))
        }
    })
}

fn translations(message: &Value, ids: &[Id]) -> Result<Vec<Result<Answer, ItemError>>, ItemError> {
    let reason = word(&message["stop_reason"]);
    match reason.as_str() {
        "max_tokens" | "model_context_window_exceeded" => {
            return Err(ItemError::Unusable(format!(
                "{NAME}'s answer was cut off at its length limit ({reason})"
            )));
        }
        "refusal" => {
            return Err(ItemError::Refused(format!("{NAME} will not translate the post ({reason})")));
        }
        _ => {}
    }
    // Other blocks are thoughts.
    let text: String = objects(&message["content"])
        .filter(|block| matches!(block["type"].as_str(), None | Some("text")))
        .filter_map(|block| block["text"].as_str())
        .collect();
    body::translations(NAME, &text, ids)
}

/// What the call cost, in tokens. Those of a cached prompt are counted apart.
fn usage(usage: &Value) -> Usage {
    let inputs = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
    Usage {
        input_tokens: sum(inputs.map(|name| count(&usage[name]))),
        output_tokens: count(&usage["output_tokens"]),
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is read of a body in which the only id is written as 1.
    fn read_of(body: &Value) -> (Outcome, Usage) {
        let ids = Id::distinct(1, 3);
        let body = body.to_string().replace(r#"\"id\":\"1\""#, &format!(r#"\"id\":\"{}\""#, ids[0]));
        read(body.as_bytes(), &ids).unwrap()
    }

    #[test]
    fn texts_are_joined_thoughts_left_out_and_tokens_handed_on_exactly() {
        let body = json!({
            "type": "message", "role": "assistant", "stop_reason": "end_turn", "stop_sequence": null,
            "content": [
                {"type": "thinking", "thinking": "[{\"id\": 1}]", "signature": "x"},
                {"type": "text", "text": "{\"items\":[{\"id\":\"1\","},
                null,
                {"type": "text", "text": "\"text\":\"hola\"}]}"},
            ],
            "usage": {"input_tokens": 12, "cache_read_input_tokens": 5, "cache_creation_input_tokens": null, "output_tokens": 7},
        });
        let usage = Usage { input_tokens: Some(17), output_tokens: Some(7), ..Usage::default() };
        assert_eq!(read_of(&body), (Outcome::Items(vec![Ok("hola".into())]), usage));
    }

    #[test]
    fn reasons_to_stop_are_told_apart() {
        for (reason, refused) in
            [("max_tokens", false), ("model_context_window_exceeded", false), ("refusal", true)]
        {
            let text = "[{\"id\":\"1\",\"text\":\"hola\"}]";
            let body = json!({"content": [{"type": "text", "text": text}], "stop_reason": reason});
            let (Outcome::Spoiled(error), _) = read_of(&body) else { panic!("{reason} passed") };
            assert_eq!(matches!(error, ItemError::Refused(_)), refused, "{reason}");
        }
    }

    #[test]
    fn what_holds_no_list_spoils_the_answer_and_a_page_is_none() {
        for body in [
            json!({}),
            json!([]),
            json!({"content": null, "usage": []}),
            json!({"content": [{"type": "text", "text": 7}], "stop_reason": 7}),
            json!({"content": [{"type": "text", "text": "Hola."}]}),
        ] {
            let (outcome, usage) = read_of(&body);
            assert!(matches!(outcome, Outcome::Spoiled(ItemError::Unusable(_))), "{body}");
            assert_eq!(usage, Usage::default());
        }
        assert!(read(b"<html>", &[]).is_err());
    }
}
