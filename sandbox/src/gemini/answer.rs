//! Writes the model's answer, good or bad. A good answer marks each text with its target, replaces its words with
//! words of the target's language, keeps every protected part, and fits the requested length. A bad answer is wrong in
//! exactly the ordered way.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    problems::GeminiProblem,
    request::{Echo, Item, Request},
};
use crate::{
    faults::GeminiFault,
    hash,
    translation::{BRACKETS, in_another_language, is_protected, translated, words},
    x::text,
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
    let mut text = answer_text(request, fault);
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

/// The text of the answer.
fn answer_text(request: &Request, fault: Option<GeminiFault>) -> String {
    if !request.structured {
        let text = request.items.first().map_or("", |item| &item.text);
        return format!("[sandbox] {text}");
    }
    let mut list: Vec<AnswerItem<'_>> = request
        .items
        .iter()
        .map(|item| AnswerItem {
            id: &item.id,
            echo: request.echo.map(|echo| echo_of(item, echo)),
            text: item_text(item, fault),
        })
        .collect();
    if let Some(fault) = fault {
        misplace(&mut list, fault);
    }
    match fault {
        Some(GeminiFault::MissingItem) => drop(list.pop()),
        Some(GeminiFault::DuplicatedId) => list.extend(list.first().cloned()),
        Some(GeminiFault::UnknownId) => list.push(AnswerItem::new("nobody-sent-this", "?".into())),
        Some(GeminiFault::WrongIds) => list.iter_mut().for_each(|item| item.id = "nobody-sent-this"),
        _ => {}
    }
    // The list holds only strings, so serialization cannot fail.
    let array = serde_json::to_string(&list).unwrap_or_default();
    match fault {
        Some(GeminiFault::GarbageJson) => {
            let half = array.char_indices().nth(array.chars().count() / 2);
            array[..half.map_or(0, |(at, _)| at)].to_owned()
        }
        Some(GeminiFault::Preamble) => format!("Sure! Here is the translation:\n\n```json\n{array}\n```\n"),
        Some(GeminiFault::Fenced) => format!("```json\n{array}\n```"),
        Some(GeminiFault::ItemsObject) => format!("{{\"items\": {array}}}"),
        // A model that is not asked for bare JSON puts a code fence around it.
        _ if !request.json => format!("```json\n{array}\n```"),
        _ => array,
    }
}

/// Puts translations under the ids of other items, each with the echo of the text that it is of. A single one stays.
fn misplace(list: &mut Vec<AnswerItem<'_>>, fault: GeminiFault) {
    let ids: Vec<_> = list.iter().map(|item| item.id).collect();
    let (end, middle) = (list.len().saturating_sub(1), list.len() / 2);
    match fault {
        _ if list.len() < 2 => {}
        GeminiFault::Shifted => list.rotate_left(1),
        GeminiFault::Swapped => list.swap(middle - 1, middle),
        GeminiFault::Merged => {
            let AnswerItem { echo, text, .. } = list.remove(middle);
            let first = &mut list[middle - 1];
            // It repeats the last words of what it translated.
            first.echo = echo;
            first.text = format!("{} {text}", first.text);
        }
        GeminiFault::NeighborTwice => list[middle] = list[middle - 1].clone(),
        GeminiFault::Skipped => drop(list.remove(middle.min(end - 1))),
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
fn item_text(item: &Item, fault: Option<GeminiFault>) -> String {
    let marked = format!("{} · {}", item.target, translated(&item.text, &item.target));
    match fault {
        Some(GeminiFault::SourceText) => item.text.clone(),
        Some(GeminiFault::EmptyText) => String::new(),
        Some(GeminiFault::OverLong) => {
            let times = item.max_weighted_length.unwrap_or(280) / 10 + 2;
            format!("{marked} {}", "and so on and on ".repeat(times).trim_end())
        }
        Some(GeminiFault::WrongLanguage) => {
            let protected: Vec<&str> =
                words(&item.text).into_iter().filter(|word| is_protected(word)).collect();
            let sentence = in_another_language(&item.target);
            format!("{sentence} {}", protected.join(" ")).trim_end().to_owned()
        }
        Some(GeminiFault::ControlCharacters) => format!("{marked}\u{7}\u{1b}[31m\u{9b}2J"),
        Some(GeminiFault::DirectionMarks) => format!("\u{202e}{marked}\u{2066}\u{61c}"),
        Some(GeminiFault::MissingPlaceholder) => with_first_protected(&marked, ""),
        Some(GeminiFault::DoubledPlaceholder) => {
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
    while !text::fits(&text, max) {
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
    use super::*;
    use crate::x::text::weight;

    fn item(text: &str, max: Option<usize>) -> Item {
        Item { id: "1".into(), target: "es".into(), text: text.into(), max_weighted_length: max }
    }

    fn request(items: Vec<Item>) -> Request {
        Request { items, structured: true, json: true, ..Request::default() }
    }

    fn text_of(body: &Value) -> String {
        body["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn an_answer_marks_the_target_and_keeps_protected_parts() {
        let request = request(vec![item("Hello ⟦1⟧, see ⟦2⟧", None)]);
        let body = answer("m", &request, None).unwrap();
        let text = text_of(&body);
        assert!(text.starts_with(r#"[{"id":"1","text":"es · "#) && text.ends_with("⟦2⟧\"}]"), "{text}");
        assert!(text.contains(" ⟦1⟧, ") && !text.contains("Hello"), "{text}");
        assert_eq!(body["candidates"][0]["finishReason"], "STOP");
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
        assert!(!text(GeminiFault::MissingPlaceholder).contains("⟦1⟧"));
        assert_eq!(text(GeminiFault::DoubledPlaceholder).matches("⟦1⟧").count(), 2);
        assert_eq!(text(GeminiFault::SourceText), one.text);
        assert!(weight(&text(GeminiFault::OverLong)) > 280);
        assert!(text(GeminiFault::WrongLanguage).ends_with("⟦1⟧"));
        let request = request(vec![one.clone(), Item { id: "2".into(), ..one }]);
        let text = |fault| text_of(&answer("m", &request, Some(fault)).unwrap());
        let parsed = |fault| serde_json::from_str::<Vec<Value>>(&text(fault));
        assert!(parsed(GeminiFault::GarbageJson).is_err());
        assert!(text(GeminiFault::Preamble).starts_with("Sure!"));
        assert_eq!(parsed(GeminiFault::MissingItem).unwrap().len(), 1);
        assert_eq!(parsed(GeminiFault::DuplicatedId).unwrap().len(), 3);
        let refused = answer("m", &request, Some(GeminiFault::Refusal)).unwrap();
        assert!(refused.get("candidates").is_none());
        let truncated = answer("m", &request, Some(GeminiFault::MaxTokens)).unwrap();
        assert!(truncated["candidates"][0]["content"].get("parts").is_none());
    }

    #[test]
    fn a_small_token_budget_truncates_the_answer() {
        let mut request = request(vec![item(&"word ".repeat(50), None)]);
        request.max_output_tokens = Some(5);
        let body = answer("m", &request, None).unwrap();
        assert_eq!(body["candidates"][0]["finishReason"], "MAX_TOKENS");
        assert_eq!(text_of(&body).chars().count(), 20);
    }
    #[test]
    fn misplaced_translations_are_under_the_ids_of_others_with_their_echoes() {
        let texts = ["The port is open", "Bread is here", "Rain all day", "Nobody came"];
        let items =
            (1..).zip(texts).map(|(id, text)| Item { id: id.to_string(), ..item(text, None) }).collect();
        let echo = Some(Echo { words: Some(2), with_target: true });
        let request = Request { echo, ..request(items) };
        let said = |fault| {
            let text = text_of(&answer("m", &request, fault).unwrap());
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
                GeminiFault::Shifted,
                &["1 es: is here", "2 es: all day", "3 es: Nobody came", "4 es: is open"][..],
            ),
            (GeminiFault::Swapped, &["1 es: is open", "2 es: all day", "3 es: is here", "4 es: Nobody came"]),
            (GeminiFault::Merged, &["1 es: is open", "2 es: all day", "3 es: Nobody came"]),
            (
                GeminiFault::NeighborTwice,
                &["1 es: is open", "2 es: is here", "3 es: is here", "4 es: Nobody came"],
            ),
            (GeminiFault::Skipped, &["1 es: is open", "2 es: is here", "3 es: Nobody came"]),
        ] {
            assert_eq!(said(Some(fault)), expected, "{fault:?}");
        }
    }
}
