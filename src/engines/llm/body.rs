//! Reads the body of a model's answer, down to the text that the model wrote. The outer JSON is the service's, and it is input
//! from a stranger like the text in it: anything may be missing, doubled or of another type.

use std::slice;

use mynah_domain::ports::engine::ItemError;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    ids::Id,
    list::{self, Answer},
};
use crate::telemetry::outside::brief;

/// An answer of which nothing can be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{model}'s answer is not the JSON that its API promises: {why}")]
pub(crate) struct Unreadable {
    model: String,
    why: String,
}

/// Parses the body of a 200. Any JSON is an answer: a field that has an odd form must not make the engine look down, because
/// that would stop every post. The inner error is JSON of which no field can be read.
///
/// # Errors
/// If it is not JSON.
pub(crate) fn parse(model: &str, body: &[u8]) -> Result<Result<Value, ItemError>, Unreadable> {
    match serde_json::from_slice(body) {
        Ok(value) => Ok(Ok(value)),
        // Valid JSON that no `Value` can hold: a number out of range, a lone surrogate, very deep nesting.
        Err(error) if serde_json::from_slice::<IgnoredAny>(body).is_ok() => Ok(Err(ItemError::Unusable(
            format!("{model}'s answer cannot be read: {}", brief(&error.to_string())),
        ))),
        Err(error) => Err(Unreadable { model: model.to_owned(), why: brief(&error.to_string()) }),
    }
}

/// The objects of a list. One object without a list around it counts as a list of one.
pub(crate) fn objects(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or(slice::from_ref(value), Vec::as_slice).iter().filter(|value| value.is_object())
}

/// A count of tokens. One that cannot be read costs no translation.
pub(crate) fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(count) => count.as_u64(),
        Value::String(count) => count.trim().parse().ok(),
        _ => None,
    }
}

/// A field that should be a text, on one short line; empty where it is unset.
pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(word) => brief(word),
        other => brief(&other.to_string()),
    }
}

/// The translations in the text that a model wrote.
///
/// # Errors
/// If there is no list of them in it.
pub(crate) fn translations(
    model: &str,
    text: &str,
    ids: &[Id],
) -> Result<Vec<Result<Answer, ItemError>>, ItemError> {
    list::read(model, without_thoughts(text), ids)
        .or_else(|| list::read(model, text.rsplit_once(THOUGHT)?.1, ids))
        .ok_or_else(|| {
            ItemError::Unusable(format!(
                "{model}'s answer is not the list of translations that was asked for"
            ))
        })
}

/// Where the thoughts of a model end that writes them into its answer.
const THOUGHT: &str = "</think>";

/// A text without the thoughts in front of it. A post may be about this tag, so it counts only where thoughts begin the text.
/// Some templates begin them before the model writes: then only their end is in the text, and [`translations`] tries that.
fn without_thoughts(text: &str) -> &str {
    if !text.trim_start().starts_with("<think>") {
        return text;
    }
    // Thoughts that were cut off leave nothing.
    text.split_once(THOUGHT).map_or("", |(_, answer)| answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let ids = Id::distinct(1, 3);
        let answers = translations("The model", &text.replace("ID", &ids[0].to_string()), &ids).ok()?;
        answers.into_iter().next()?.ok().map(|answer| answer.text)
    }

    #[test]
    fn thoughts_before_the_list_are_no_part_of_it() {
        let list = r#"[{"id":"ID","text":"hola"}]"#;
        for text in [
            format!("<think>\nThe user wants [{{\"id\": \"ID\", \"text\": \"draft\"}}].\n</think>\n\n{list}"),
            format!(" <think></think>{list}"),
            format!("A draft: {list}\nGood.\n</think>\n{list}"),
            format!("<think>hm</think>\n```json\n{{\"items\": {list}}}\n```"),
        ] {
            assert_eq!(read(&text).as_deref(), Some("hola"), "{text}");
        }
        assert_eq!(read("<think>I begin, and never end").as_deref(), None);
    }

    #[test]
    fn a_post_about_thoughts_is_read_like_any_other() {
        for said in ["</think> es una etiqueta", "<think>a</think>"] {
            assert_eq!(read(&format!(r#"[{{"id":"ID","text":"{said}"}}]"#)).as_deref(), Some(said));
        }
    }
}
