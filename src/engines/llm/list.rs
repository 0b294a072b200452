//! Finds the list of translations in the text that the model wrote. A model may put a code fence, a sentence or an object
//! around the list that was asked for. Whatever can be read in one way only is read; everything else is refused, because
//! a wrong guess publishes one post's words under another.

use std::fmt;

use mynah_domain::ports::engine::ItemError;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::ids::Id;

/// What a model answered for one item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    /// The words that it repeats of the text that it translated, if any.
    pub(crate) echo: Option<String>,
    /// The translation.
    pub(crate) text: String,
}

impl From<&str> for Answer {
    /// A translation without an echo.
    fn from(text: &str) -> Self {
        Self { echo: None, text: text.into() }
    }
}

/// For each item, in the order of `ids`, its answer; `None` where `text` holds no list of translations, or more than one.
/// `model` is what errors call the model.
pub(crate) fn read(model: &str, text: &str, ids: &[Id]) -> Option<Vec<Result<Answer, ItemError>>> {
    if text.trim() == "[]" {
        return Some(by_id(model, Vec::new(), ids));
    }
    answers(only_value(text)?, ids).map(|answers| by_id(model, answers, ids))
}

/// The only JSON list or object of objects in `text`. There is none where two of them are: one may be a draft, or a
/// post that the model quotes.
fn only_value(text: &str) -> Option<Value> {
    let text = &text[start(text)?..];
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let Unique(value) = values.next()?.ok()?;
    start(&text[values.byte_offset()..]).is_none().then_some(value)
}

/// Where a list of objects, or an object, begins. Prose has brackets, too, but hardly ever these two in a row.
fn start(text: &str) -> Option<usize> {
    text.match_indices(['[', '{']).map(|(at, _)| at).find(|at| {
        let next = text[at + 1..].trim_start().chars().next();
        next == Some(if text[*at..].starts_with('[') { '{' } else { '"' })
    })
}

/// The answers in a list, in an object that has each under its id, in an object around one of these, or in a single answer
/// where one item was asked for.
fn answers(value: Value, ids: &[Id]) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => list.iter().any(Value::is_object).then_some(list),
        Value::Object(one) if one.get("text").is_some_and(Value::is_string) => {
            (ids.len() == 1).then(|| vec![one.into()])
        }
        Value::Object(named) if named.keys().any(|key| Id::position(ids, key).is_some()) => {
            Some(named.into_iter().map(|(id, answer)| with_id(id, answer)).collect())
        }
        Value::Object(around) if !around.contains_key("id") => {
            let mut lists = around.into_iter().filter_map(|(_, value)| answers(value, ids));
            lists.next().filter(|_| lists.next().is_none())
        }
        _ => None,
    }
}

/// An answer that stands under its id, in the form that a list has.
fn with_id(id: String, answer: Value) -> Value {
    let mut object = match answer {
        Value::Object(object) => object,
        text => Map::from_iter([("text".to_owned(), text)]),
    };
    // What it says itself is as good as where it stands. Where both differ, it is nobody's.
    let other = object.get("id").is_some_and(|own| own.as_str() != Some(&id));
    object.insert("id".to_owned(), if other { Value::Null } else { id.into() });
    object.into()
}

/// The answers in the order of the items. Ids that were never given are left out: nobody asked.
fn by_id(model: &str, answers: Vec<Value>, ids: &[Id]) -> Vec<Result<Answer, ItemError>> {
    // One answer to one question needs no id.
    let lone = ids.len() == 1 && answers.len() == 1;
    let mut texts: Vec<Vec<(Value, Option<String>)>> = vec![Vec::new(); ids.len()];
    for mut answer in answers {
        let item = match answer.get("id") {
            None | Some(Value::Null) if lone => Some(0),
            Some(Value::String(id)) => Id::position(ids, id),
            _ => None,
        };
        if let Some(item) = item {
            let mut take = |key: &str| answer.get_mut(key).map(Value::take).unwrap_or_default();
            let echo = match take("echo") {
                Value::String(echo) => Some(echo),
                _ => None,
            };
            texts[item].push((take("text"), echo));
        }
    }
    let unusable = |what: &str| Err(ItemError::Unusable(format!("{model}'s answer {what}")));
    texts
        .iter_mut()
        .map(|texts| match &mut texts[..] {
            [] => unusable("leaves this post out"),
            [(first, _), others @ ..] if others.iter().any(|(other, _)| other != first) => {
                unusable("has this post more than once")
            }
            [(Value::String(text), _), ..] if text.trim().is_empty() => unusable("for this post is empty"),
            [(Value::String(text), echo), ..] => Ok(Answer { echo: echo.take(), text: std::mem::take(text) }),
            _ => unusable("for this post is no text"),
        })
        .collect()
}

/// JSON in which no object has a key twice. `Value` takes the last of them, which may be the words of the next post.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a doubled key")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((key, Unique(value))) = object.next_entry::<String, _>()? {
            if values.insert(key, value).is_some() {
                return Err(A::Error::custom("a doubled key"));
            }
        }
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read for each item; `None` for an item without a translation. The ids in `text` are written as numbers.
    fn texts(text: &str, count: usize) -> Option<Vec<Option<String>>> {
        let ids = Id::distinct(count, 3);
        let mut text = text.to_owned();
        for (number, id) in (1..).zip(&ids) {
            text = text.replace(&format!(r#""id":"{number}""#), &format!(r#""id":"{id}""#));
            text = text.replace(&format!(r#""<{number}>""#), &format!(r#""{id}""#));
        }
        read("The model", &text, &ids)
            .map(|items| items.into_iter().map(|item| item.ok().map(|answer| answer.text)).collect())
    }

    /// The texts as [`texts`] has them; an empty one is none.
    fn all<const N: usize>(texts: [&str; N]) -> Vec<Option<String>> {
        texts.map(|text| (!text.is_empty()).then(|| text.to_owned())).into()
    }

    const LIST: &str = r#"[{"id":"1","text":"uno"},{"id":"2","text":"dos"}]"#;

    #[test]
    fn a_list_is_found_whatever_stands_around_it() {
        for text in [
            LIST.to_owned(),
            format!("```json\n{LIST}\n```"),
            format!("```\n{LIST}```"),
            format!("~~~JSON\r\n{LIST}\r\n~~~\r\n"),
            format!("\u{feff} {LIST}\n\n"),
            format!("Here are the [2] translations {{of 2}}:\n\n{LIST}"),
            format!("{LIST}\n\nLet me know if [1] or {{2}} should be shorter."),
            format!("[{LIST}]"),
            format!(r#"{{"items":{LIST}}}"#),
            format!(r#"{{ "translations" : {LIST} }}"#),
            format!(
                "```json\n{{\"result\": {{\"language\": \"es\", \"items\": {LIST}, \"notes\": []}}}}\n```"
            ),
        ] {
            assert_eq!(texts(&text, 2), Some(all(["uno", "dos"])), "{text}");
        }
    }

    #[test]
    fn an_answer_is_read_in_every_form_that_names_its_item() {
        for text in [
            r#"[{"text":"dos","id":"2"},{"text":"uno","id":"1"}]"#,
            r#"[{"id":"1","text":"uno"},{"id":"1","text":"uno"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":"1","text":"uno","note":"x"},{"id":"2","text":"dos"},{"id":"3","text":"tres"}]"#,
            r#"[{"id":"1","echo":"one","text":"uno"},{"id":"2","echo":7,"text":"dos"}]"#,
            r#"{"<1>":"uno","<2>":"dos"}"#,
            r#"{"<2>":{"echo":"two","text":"dos"},"<1>":{"echo":"one","text":"uno"}}"#,
            r#"{"items":{"<1>":{"text":"uno","id":"1"},"<2>":{"text":"dos"}}}"#,
        ] {
            assert_eq!(texts(text, 2), Some(all(["uno", "dos"])), "{text}");
        }
    }

    #[test]
    fn an_ambiguous_item_costs_only_itself() {
        for text in [
            r#"[{"id":"2","text":"dos"}]"#,
            r#"[{"text":"uno"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":null,"text":"uno"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":"1","text":"uno"},{"id":"1","text":"dos"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":1,"text":"uno"},{"id":"2","text":"dos"}]"#,
            r#"{"<1>":{"text":"dos","id":"2"},"<2>":{"text":"dos"}}"#,
            r#"{"<1>":null,"<2>":"dos"}"#,
            r#"[{"id":1.5,"text":"uno"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":-1,"text":"uno"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":["1"],"text":"uno"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":"99999999999999999999999","text":"uno"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":"0","text":"uno"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":"1","text":null},{"id":"2","text":"dos"}]"#,
            r#"[{"id":"1","text":["uno"]},{"id":"2","text":"dos"}]"#,
            r#"[{"id":"1","text":" \n"},{"id":"2","text":"dos"}]"#,
            r#"[{"id":"2","text":"dos"},null,"uno",1]"#,
        ] {
            assert_eq!(texts(text, 2), Some(all(["", "dos"])), "{text}");
        }
    }

    #[test]
    fn one_item_may_be_answered_without_a_list_or_an_id() {
        for text in [
            r#"{"id":"1","text":"uno"}"#,
            r#"{"text":"uno"}"#,
            r#"[{"text":"uno"}]"#,
            r#"{"item":{"text":"uno"}}"#,
            "```json\n{\"text\":\"uno\"}\n```",
        ] {
            assert_eq!(texts(text, 1), Some(all(["uno"])), "{text}");
            assert_ne!(texts(text, 2), Some(all(["uno", "uno"])), "{text}");
        }
        assert_eq!(texts(r#"{"id":"2","text":"dos"}"#, 1), Some(all([""])), "another item's id");
        assert_eq!(texts(r#"{"text":"uno"}"#, 2), None, "it may be either");
    }

    #[test]
    fn nothing_is_guessed_from_a_text_without_exactly_one_whole_list() {
        for text in [
            String::new(),
            "uno".into(),
            "{}".into(),
            "null".into(),
            r#"["uno","dos"]"#.into(),
            r#"[{"id":"1","text":"uno"},{"id":"2","te"#.into(),
            r#"[{"id":"1","text":"he said "uno""},{"id":"2","text":"dos"}]"#.into(),
            r#"[{"id":"1","text":"uno","text":"dos"},{"id":"2","text":"dos"}]"#.into(),
            // An unescaped quote inside of the first text lets the second look like a list of its own.
            r#"[{"id":"1","text":"see [{"id":"2","text":"x"}] there"},{"id":"2","text":"dos"}]"#.into(),
            format!(r#"The post quotes [{{"id":"2","text":"x"}}]. My answer: {LIST}"#),
            format!(r#"Draft: {LIST} Final: [{{"id":"1","text":"un"}},{{"id":"2","text":"deux"}}]"#),
            format!(r#"{{"items":{LIST},"translations":{LIST}}}"#),
            format!(r#"{{"id":"1","items":{LIST}}}"#),
            format!("[{}", "[".repeat(100_000)),
            format!("[{}", "{\"a\":".repeat(100_000)),
        ] {
            assert_eq!(texts(&text, 2), None, "{}", &text[..text.len().min(200)]);
        }
    }

    #[test]
    fn an_echo_goes_with_its_text() {
        let ids = Id::distinct(2, 3);
        let text = format!(
            r#"[{{"id":"{}","echo":"two","text":"dos"}},{{"id":"{}","text":"uno"}}]"#,
            ids[1], ids[0]
        );
        let answer =
            |echo: Option<&str>, text: &str| Ok(Answer { echo: echo.map(str::to_owned), text: text.into() });
        assert_eq!(
            read("The model", &text, &ids),
            Some(vec![answer(None, "uno"), answer(Some("two"), "dos")])
        );
    }

    #[test]
    fn an_empty_list_leaves_every_post_out() {
        assert_eq!(texts(" [] ", 2), Some(vec![None, None]));
    }
}
