//! Finds the list of translations in the text that the model wrote. A model may put a code fence, a sentence or an object
//! around the list that was asked for. Whatever can be read in one way only is read; everything else is refused, because
//! a wrong guess publishes one post's words under another.

use std::{collections::HashMap, fmt};

use mynah_domain::ports::engine::ItemError;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// For each of `count` items, in order, its translation; `None` where `text` holds no list of translations, or more
/// than one. `model` is what errors call the model.
pub(crate) fn read(model: &str, text: &str, count: usize) -> Option<Vec<Result<String, ItemError>>> {
    if text.trim() == "[]" {
        return Some(by_id(model, Vec::new(), count));
    }
    answers(only_value(text)?, count).map(|answers| by_id(model, answers, count))
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

/// The answers in a list, in an object around one list, or in a single answer where one item was asked for.
fn answers(value: Value, count: usize) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => list.iter().any(Value::is_object).then_some(list),
        Value::Object(one) if one.get("text").is_some_and(Value::is_string) => {
            (count == 1).then(|| vec![one.into()])
        }
        Value::Object(around) if !around.contains_key("id") => {
            let mut lists = around.into_iter().filter_map(|(_, value)| answers(value, count));
            lists.next().filter(|_| lists.next().is_none())
        }
        _ => None,
    }
}

/// The answers in the order of the items. Ids that were never given are left out: nobody asked.
fn by_id(model: &str, answers: Vec<Value>, count: usize) -> Vec<Result<String, ItemError>> {
    // One answer to one question needs no number.
    let lone = count == 1 && answers.len() == 1;
    let mut texts: HashMap<usize, Vec<Value>> = HashMap::new();
    for mut answer in answers {
        let id = match answer.get("id") {
            None | Some(Value::Null) if lone => Some(1),
            Some(Value::String(id)) => id.trim().parse().ok(),
            // Some models answer a number to a number in quotes.
            Some(id) => id.as_u64().and_then(|id| id.try_into().ok()),
            None => None,
        };
        if let Some(id) = id {
            texts.entry(id).or_default().push(answer.get_mut("text").map(Value::take).unwrap_or_default());
        }
    }
    let unusable = |what: &str| Err(ItemError::Unusable(format!("{model}'s answer {what}")));
    (1..=count)
        .map(|id| match texts.remove(&id).as_deref_mut() {
            None | Some([]) => unusable("leaves this post out"),
            Some([first, others @ ..]) if others.iter().any(|other| other != first) => {
                unusable("has this post more than once")
            }
            Some([Value::String(text), ..]) if text.trim().is_empty() => unusable("for this post is empty"),
            Some([Value::String(text), ..]) => Ok(std::mem::take(text)),
            Some(_) => unusable("for this post is no text"),
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

    /// What is read for each item; `None` for an item without a translation.
    fn texts(text: &str, count: usize) -> Option<Vec<Option<String>>> {
        read("The model", text, count).map(|items| items.into_iter().map(Result::ok).collect())
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
    fn an_id_is_read_in_every_form_that_means_one_number() {
        for text in [
            r#"[{"id":1,"text":"uno"},{"id":2,"text":"dos"}]"#,
            r#"[{"text":"dos","id":"2"},{"text":"uno","id":"1"}]"#,
            r#"[{"id":" 2 ","text":"dos"},{"id":"01","text":"uno"}]"#,
            r#"[{"id":"1","text":"uno"},{"id":1,"text":"uno"},{"id":2,"text":"dos"}]"#,
            r#"[{"id":"1","text":"uno","note":"x"},{"id":"2","text":"dos"},{"id":"3","text":"tres"}]"#,
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
            r#"[{"id":"1","text":"uno"},{"id":1,"text":"dos"},{"id":"2","text":"dos"}]"#,
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
            r#"{"id":1,"text":"uno"}"#,
            r#"{"text":"uno"}"#,
            r#"[{"text":"uno"}]"#,
            r#"{"item":{"text":"uno"}}"#,
            "```json\n{\"text\":\"uno\"}\n```",
        ] {
            assert_eq!(texts(text, 1), Some(all(["uno"])), "{text}");
            assert_ne!(texts(text, 2), Some(all(["uno", "uno"])), "{text}");
        }
        assert_eq!(texts(r#"{"id":"2","text":"dos"}"#, 1), Some(all([""])), "another item's number");
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
    fn an_empty_list_leaves_every_post_out() {
        assert_eq!(texts(" [] ", 2), Some(vec![None, None]));
    }
}
