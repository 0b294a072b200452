//! Writes what a model answers, good or bad. A good answer marks each text with its target, replaces its words with
//! words of the target's language, keeps every protected part, and fits the requested length. A bad answer is wrong in
//! exactly the ordered way.

use serde::Serialize;

use super::{Asked, Echo, Item, ModelFault};
use crate::{
    translation::{BRACKETS, in_another_language, is_protected, translated, words},
    x::text as rules,
};

/// One item of the answer.
#[derive(Clone, Serialize)]
struct AnswerItem<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    echo: Option<String>,
    text: String,
}

impl<'a> AnswerItem<'a> {
    fn new(id: &'a str, text: String) -> Self {
        Self { id, echo: None, text }
    }
}

/// What stands around the list of answers if the model does as it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    /// Nothing.
    Nothing,
    /// A code fence: the model was not asked for bare JSON.
    Fence,
    /// An object whose `items` is the list.
    Object,
}

/// The text of the answer to what a model was asked.
pub(crate) fn text(asked: &Asked, around: Around, fault: Option<ModelFault>) -> String {
    if !asked.structured {
        let text = asked.items.first().map_or("", |item| &item.text);
        return format!("[sandbox] {text}");
    }
    let mut list: Vec<AnswerItem<'_>> = asked
        .items
        .iter()
        .map(|item| AnswerItem {
            id: &item.id,
            echo: asked.echo.map(|echo| echo_of(item, echo)),
            text: item_text(item, fault),
        })
        .collect();
    if let Some(fault) = fault {
        misplace(&mut list, fault);
    }
    match fault {
        Some(ModelFault::MissingItem) => drop(list.pop()),
        Some(ModelFault::DuplicatedId) => list.extend(list.first().cloned()),
        Some(ModelFault::UnknownId) => list.push(AnswerItem::new("nobody-sent-this", "?".into())),
        Some(ModelFault::WrongIds) => list.iter_mut().for_each(|item| item.id = "nobody-sent-this"),
        _ => {}
    }
    // The list holds only strings, so serialization cannot fail.
    let array = serde_json::to_string(&list).unwrap_or_default();
    match fault {
        Some(ModelFault::GarbageJson) => {
            let half = array.char_indices().nth(array.chars().count() / 2);
            array[..half.map_or(0, |(at, _)| at)].to_owned()
        }
        Some(ModelFault::Preamble) => format!("Sure! Here is the translation:\n\n```json\n{array}\n```\n"),
        Some(ModelFault::Fenced) => format!("```json\n{array}\n```"),
        Some(ModelFault::ItemsObject) => format!("{{\"items\": {array}}}"),
        _ => match around {
            Around::Nothing => array,
            Around::Fence => format!("```json\n{array}\n```"),
            Around::Object => format!("{{\"items\": {array}}}"),
        },
    }
}

/// Puts translations under the ids of other items, each with the echo of the text that it is of. A single one stays.
fn misplace(list: &mut Vec<AnswerItem<'_>>, fault: ModelFault) {
    let ids: Vec<_> = list.iter().map(|item| item.id).collect();
    let (end, middle) = (list.len().saturating_sub(1), list.len() / 2);
    match fault {
        _ if list.len() < 2 => {}
        ModelFault::Shifted => list.rotate_left(1),
        ModelFault::Swapped => list.swap(middle - 1, middle),
        ModelFault::Merged => {
            let AnswerItem { echo, text, .. } = list.remove(middle);
            let first = &mut list[middle - 1];
            // It repeats the last words of what it translated.
            first.echo = echo;
            first.text = format!("{} {text}", first.text);
        }
        ModelFault::NeighborTwice => list[middle] = list[middle - 1].clone(),
        ModelFault::Skipped => drop(list.remove(middle.min(end - 1))),
        _ => {}
    }
    for (item, id) in list.iter_mut().zip(ids) {
        item.id = id;
    }
}

/// What an answer repeats of its item.
fn echo_of(item: &Item, echo: Echo) -> String {
    let target = if echo.with_target { format!("{}: ", item.target) } else { String::new() };
    let said: Vec<&str> = words(&item.text).into_iter().filter(|word| !is_placeholder(word)).collect();
    let from = echo.words.map_or(0, |count| said.len().saturating_sub(count));
    format!("{target}{}", said[from..].join(" "))
}

/// The "translation" of one item.
fn item_text(item: &Item, fault: Option<ModelFault>) -> String {
    let marked = format!("{} · {}", item.target, translated(&item.text, &item.target));
    match fault {
        Some(ModelFault::SourceText) => item.text.clone(),
        Some(ModelFault::EmptyText) => String::new(),
        Some(ModelFault::OverLong) => {
            let times = item.max_weighted_length.unwrap_or(280) / 10 + 2;
            format!("{marked} {}", "and so on and on ".repeat(times).trim_end())
        }
        Some(ModelFault::WrongLanguage) => {
            let protected: Vec<&str> =
                words(&item.text).into_iter().filter(|word| is_protected(word)).collect();
            let sentence = in_another_language(&item.target);
            format!("{sentence} {}", protected.join(" ")).trim_end().to_owned()
        }
        Some(ModelFault::ControlCharacters) => format!("{marked}\u{7}\u{1b}[31m\u{9b}2J"),
        Some(ModelFault::DirectionMarks) => format!("\u{202e}{marked}\u{2066}\u{61c}"),
        Some(ModelFault::MissingPlaceholder) => with_first_protected(&marked, ""),
        Some(ModelFault::DoubledPlaceholder) => {
            match words(&marked).into_iter().find(|word| is_protected(word)) {
                Some(word) => with_first_protected(&marked, &format!("{word} {word}")),
                None => marked,
            }
        }
        _ => match item.max_weighted_length {
            Some(max) => shorten(marked, max),
            None => marked,
        },
    }
}

/// The text with its first protected word replaced, or unchanged if it has none.
fn with_first_protected(text: &str, replacement: &str) -> String {
    match words(text).into_iter().find(|word| is_protected(word)) {
        Some(word) => text.replacen(word, replacement, 1),
        None => text.to_owned(),
    }
}

/// Removes unprotected words from the end until the text fits, and keeps its lines. A text that has only protected words may stay
/// too long.
fn shorten(mut text: String, max: usize) -> String {
    while !rules::fits(&text, max) {
        let words = words(&text);
        // The first two words mark the target. Without them, the text could pass for a translation.
        let Some(last) = (2..words.len()).rev().find(|index| !is_protected(words[*index])) else { break };
        // Each word is a slice of the text.
        let at = words[last].as_ptr() as usize - text.as_ptr() as usize;
        let end = at + words[last].len();
        let space = text[..at].ends_with(' ');
        text.replace_range(at - usize::from(space)..end, "");
    }
    text
}

/// Whether a word is nothing but one placeholder, or marks.
fn is_placeholder(word: &str) -> bool {
    let inside =
        BRACKETS[..4].iter().find_map(|(open, close)| word.strip_prefix(*open)?.strip_suffix(*close));
    inside.is_some() || !word.contains(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::x::text::weight;

    fn item(text: &str, max: Option<usize>) -> Item {
        Item { id: "1".into(), target: "es".into(), text: text.into(), max_weighted_length: max }
    }

    fn asked(items: Vec<Item>) -> Asked {
        Asked { items, structured: true, echo: None }
    }

    #[test]
    fn shortening_keeps_protected_words() {
        let short = item_text(&item("one two three <x id=\"1\"/> four five @jack", Some(30)), None);
        assert!(weight(&short) <= 30, "{short}");
        assert!(
            short.starts_with("es · ") && short.contains("<x id=\"1\"/>") && short.contains("@jack"),
            "{short}"
        );
    }

    #[test]
    fn each_fault_has_its_effect() {
        let one = item("Hello ⟦1⟧ there", None);
        let text = |fault| item_text(&one, Some(fault));
        assert!(!text(ModelFault::MissingPlaceholder).contains("⟦1⟧"));
        assert_eq!(text(ModelFault::DoubledPlaceholder).matches("⟦1⟧").count(), 2);
        assert_eq!(text(ModelFault::SourceText), one.text);
        assert!(weight(&text(ModelFault::OverLong)) > 280);
        assert!(text(ModelFault::WrongLanguage).ends_with("⟦1⟧"));
        let asked = asked(vec![one.clone(), Item { id: "2".into(), ..one }]);
        let text = |fault| super::text(&asked, Around::Nothing, Some(fault));
        let parsed = |fault| serde_json::from_str::<Vec<Value>>(&text(fault));
        assert!(parsed(ModelFault::GarbageJson).is_err());
        assert!(text(ModelFault::Preamble).starts_with("Sure!"));
        assert_eq!(parsed(ModelFault::MissingItem).unwrap().len(), 1);
        assert_eq!(parsed(ModelFault::DuplicatedId).unwrap().len(), 3);
    }

    #[test]
    fn misplaced_translations_are_under_the_ids_of_others_with_their_echoes() {
        let texts = ["The port is open", "Bread is here", "Rain all day", "Nobody came"];
        let items =
            (1..).zip(texts).map(|(id, text)| Item { id: id.to_string(), ..item(text, None) }).collect();
        let echo = Some(Echo { words: Some(2), with_target: true });
        let asked = Asked { echo, ..asked(items) };
        let said = |fault| {
            let text = text(&asked, Around::Nothing, fault);
            let answers: Vec<Value> = serde_json::from_str(&text).unwrap();
            let said = |answer: &Value| {
                let [id, echo] =
                    ["id", "echo"].map(|key| answer[key].as_str().unwrap_or_default().to_owned());
                format!("{id} {echo}")
            };
            answers.iter().map(said).collect::<Vec<_>>()
        };
        assert_eq!(said(None), ["1 es: is open", "2 es: is here", "3 es: all day", "4 es: Nobody came"]);
        for (fault, expected) in [
            (
                ModelFault::Shifted,
                &["1 es: is here", "2 es: all day", "3 es: Nobody came", "4 es: is open"][..],
            ),
            (ModelFault::Swapped, &["1 es: is open", "2 es: all day", "3 es: is here", "4 es: Nobody came"]),
            (ModelFault::Merged, &["1 es: is open", "2 es: all day", "3 es: Nobody came"]),
            (
                ModelFault::NeighborTwice,
                &["1 es: is open", "2 es: is here", "3 es: is here", "4 es: Nobody came"],
            ),
            (ModelFault::Skipped, &["1 es: is open", "2 es: is here", "3 es: Nobody came"]),
        ] {
            assert_eq!(said(Some(fault)), expected, "{fault:?}");
        }
    }
}
