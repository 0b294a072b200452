//! What a service answered with a 200, down to a translation for each item. Services differ: the content may be a list of parts,
//! the reason to stop may have a name of its own, and a 200 may hold an error.

use mynah_domain::ports::engine::{ItemError, Usage};
use serde_json::Value;

use crate::{
    engines::llm::{
        Outcome,
        body::{self, Unreadable, count, objects, word},
        ids::Id,
        list::Answer,
    },
    telemetry::outside::brief,
};

/// The body of a 200.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Answer(Outcome, Usage),
    /// It is an error after all.
    Failure(Value),
}

/// Reads the body of a 200 to a request for the items with `ids`. Errors call the service `title`.
pub(super) fn read(title: &str, bytes: &[u8], ids: &[Id]) -> Result<Read, Unreadable> {
    Ok(match body::parse(title, bytes)? {
        Err(error) => Read::Answer(Outcome::Spoiled(error), Usage::default()),
        Ok(response) if !has_choices(&response) && is_error(&response["error"]) => Read::Failure(response),
        Ok(response) => Read::Answer(outcome(title, &response, ids), usage(&response["usage"])),
    })
}

fn has_choices(response: &Value) -> bool {
    objects(&response["choices"]).next().is_some()
}

fn is_error(error: &Value) -> bool {
    error.is_object() || error.as_str().is_some_and(|error| !error.is_empty())
}

fn outcome(title: &str, response: &Value, ids: &[Id]) -> Outcome {
    let mut spoiled = None;
    for choice in objects(&response["choices"]) {
        match of_choice(title, choice, ids) {
            Ok(items) => return Outcome::Items(items),
            Err(error) => spoiled = spoiled.or(Some(error)),
        }
    }
    Outcome::Spoiled(
        spoiled.unwrap_or_else(|| ItemError::Unusable(format!("{title}'s answer holds no translation"))),
    )
}

/// The translations of one choice, or why it has none that can be used.
fn of_choice(title: &str, choice: &Value, ids: &[Id]) -> Result<Vec<Result<Answer, ItemError>>, ItemError> {
    let message = &choice["message"];
    let refusal = message["refusal"].as_str().unwrap_or_default();
    if !refusal.trim().is_empty() {
        return Err(ItemError::Refused(format!("{title} will not translate the post ({})", brief(refusal))));
    }
    let reason = word(&choice["finish_reason"]);
    match reason.to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "model_length" => {
            return Err(ItemError::Unusable(format!(
                "{title}'s answer was cut off at its length limit ({reason})"
            )));
        }
        "content_filter" | "safety" | "refusal" => {
            return Err(ItemError::Refused(format!("{title} will not translate the post ({reason})")));
        }
        "error" => return Err(ItemError::Unusable(format!("{title} stopped in the middle ({reason})"))),
        // Servers have many names for the end of a text. Half a list is none, whatever the name.
        _ => {}
    }
    body::translations(title, &text(&message["content"]), ids)
}

/// The text of a message: its content, or the text among its parts, which may also be thoughts.
fn text(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    objects(content)
        .filter(|part| matches!(part["type"].as_str(), None | Some("text" | "output_text")))
        .filter_map(|part| part["text"].as_str())
        .collect()
}

/// What the call cost, in tokens. Answers include what the model thought before.
fn usage(usage: &Value) -> Usage {
    Usage {
        input_tokens: count(&usage["prompt_tokens"]),
        output_tokens: count(&usage["completion_tokens"]),
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LIST: &str = r#"{"items":[{"id":"1","text":"hola"}]}"#;

    /// What is read of a body in which the only id is written as 1.
    fn read_of(body: &Value) -> Read {
        let ids = Id::distinct(1, 3);
        let body = body.to_string().replace(r#"\"id\":\"1\""#, &format!(r#"\"id\":\"{}\""#, ids[0]));
        read("Acme", body.as_bytes(), &ids).unwrap()
    }

    fn outcome_of(body: &Value) -> Outcome {
        match read_of(body) {
            Read::Answer(outcome, _) => outcome,
            failure @ Read::Failure(_) => panic!("{failure:?}"),
        }
    }

    fn choice(message: &Value, reason: &str) -> Value {
        json!({"choices": [{"index": 0, "message": message, "finish_reason": reason}]})
    }

    fn hola() -> Outcome {
        Outcome::Items(vec![Ok("hola".into())])
    }

    #[test]
    fn an_answer_is_read_whatever_its_odd_fields() {
        let said = json!({"role": "assistant", "content": LIST, "refusal": null});
        for body in [
            choice(&said, "stop"),
            choice(&said, "eos_token"),
            json!({"choices": {"message": said}}),
            json!({"choices": [null, 7, {"message": null}, {"message": said, "finish_reason": null}]}),
            json!({"choices": [{"finish_reason": "length"}, {"message": said}]}),
            json!({"choices": [{"message": said}], "error": {"message": "a warning"}, "usage": null}),
            choice(&json!({"content": LIST, "reasoning": "I think", "reasoning_content": "so"}), "stop"),
            choice(
                &json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "[1]"}]},
                                       {"type": "text", "text": LIST}]}),
                "stop",
            ),
            choice(&json!({"content": format!("<think>Hm, [{{\"a\": 1}}]</think>\n{LIST}")}), "stop"),
            choice(&json!({"content": format!("Here you are:\n```json\n{LIST}\n```")}), "stop"),
            choice(&json!({"content": LIST, "refusal": ""}), "stop"),
        ] {
            assert_eq!(outcome_of(&body), hola(), "{body}");
        }
    }

    #[test]
    fn reasons_to_stop_are_told_apart() {
        for (reason, refused) in [
            ("length", false),
            ("max_tokens", false),
            ("error", false),
            ("content_filter", true),
            ("SAFETY", true),
        ] {
            let Outcome::Spoiled(error) = outcome_of(&choice(&json!({"content": LIST}), reason)) else {
                panic!("{reason} passed")
            };
            assert_eq!(matches!(error, ItemError::Refused(_)), refused, "{reason}");
            assert!(error.to_string().contains(reason), "{error}");
        }
        let body = choice(&json!({"content": null, "refusal": "I cannot help with that."}), "stop");
        let Outcome::Spoiled(ItemError::Refused(why)) = outcome_of(&body) else { panic!("no refusal") };
        assert!(why.contains("I cannot help with that."), "{why}");
    }

    #[test]
    fn what_holds_no_list_spoils_the_answer_and_nothing_else() {
        for body in [
            json!({}),
            json!({"choices": null}),
            json!({"choices": []}),
            json!([]),
            json!(null),
            json!({"error": null}),
            json!({"error": ""}),
            choice(&json!({"content": null}), "stop"),
            choice(&json!({"content": "Hola."}), "stop"),
            choice(&json!({"content": &LIST[..20]}), "stop"),
            choice(&json!({"content": "<think>I never stop thinking"}), "stop"),
            choice(&json!({"content": {"type": "image", "text": LIST}}), "stop"),
        ] {
            assert!(matches!(outcome_of(&body), Outcome::Spoiled(ItemError::Unusable(_))), "{body}");
        }
        let lone = br#"{"choices": [{"message": {"content": "\ud800"}}]}"#;
        assert!(matches!(
            read("Acme", lone, &Id::distinct(1, 3)),
            Ok(Read::Answer(Outcome::Spoiled(ItemError::Unusable(_)), _))
        ));
    }

    #[test]
    fn a_200_may_be_an_error() {
        for error in [json!({"message": "Provider returned error", "code": 502}), json!("overloaded")] {
            let body = json!({"error": error, "user_id": "x"});
            assert_eq!(read_of(&body), Read::Failure(body.clone()));
        }
    }

    #[test]
    fn a_page_is_no_answer() {
        for body in ["", "<html>Sign in</html>", "{\"choices\": [", "data: {}\n\n"] {
            assert!(read("Acme", body.as_bytes(), &[]).is_err(), "{body}");
        }
    }

    #[test]
    fn what_the_service_counted_is_handed_on_exactly() {
        let usage_of = |usage: Value| match read_of(&json!({"choices": [], "usage": usage})) {
            Read::Answer(_, Usage { input_tokens, output_tokens, .. }) => (input_tokens, output_tokens),
            failure @ Read::Failure(_) => panic!("{failure:?}"),
        };
        let details = json!({"prompt_tokens": 12, "completion_tokens": 38, "total_tokens": 50,
            "completion_tokens_details": {"reasoning_tokens": 30}});
        assert_eq!(usage_of(details), (Some(12), Some(38)));
        assert_eq!(usage_of(json!({"prompt_tokens": "12", "completion_tokens": null})), (Some(12), None));
        for odd in [json!(null), json!([]), json!({"prompt_tokens": -1, "completion_tokens": 1.5})] {
            assert_eq!(usage_of(odd), (None, None));
        }
    }
}
