//! The model's answer, good or bad. A good one marks each text with its target, has words of the target's
//! language for those of the text, keeps every protected part, and fits the length it was given; a bad one is wrong in exactly the way that was ordered.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    problems::GeminiProblem,
    request::{Item, Request},
    words::Tongue,
};
use crate::{faults::GeminiFault, hash, x::text};

/// Four characters are about one token.
const CHARS_PER_TOKEN: usize = 4;
/// What "thinking" costs.
const THOUGHT_TOKENS: usize = 30;

/// The body of a 200, or the error that was ordered.
pub(crate) fn answer(
    model: &str,
    asked: &Request,
    fault: Option<GeminiFault>,
) -> Result<Value, GeminiProblem> {
    match fault {
        Some(GeminiFault::QuotaPerMinute) => return Err(GeminiProblem::quota(model, false)),
        Some(GeminiFault::QuotaPerDay) => return Err(GeminiProblem::quota(model, true)),
        Some(GeminiFault::Overloaded) => return Err(GeminiProblem::of_status(503)),
        Some(GeminiFault::Internal) => return Err(GeminiProblem::of_status(500)),
        Some(GeminiFault::RetryNow) => return Err(GeminiProblem::retry_now()),
        Some(GeminiFault::EmptyCandidates) => {
            return Ok(envelope(model, asked, json!({"candidates": []}), 0));
        }
        Some(GeminiFault::NullCandidates) => {
            return Ok(envelope(model, asked, json!({"candidates": null, "promptFeedback": null}), 0));
        }
        Some(GeminiFault::NullParts) => {
            let content = json!({"role": "model", "parts": null});
            return Ok(with_content(model, asked, &content));
        }
        Some(GeminiFault::NullContent) => return Ok(with_content(model, asked, &Value::Null)),
        Some(GeminiFault::NullText) => {
            let content = json!({"role": "model", "parts": [{"text": null, "thought": null}]});
            return Ok(with_content(model, asked, &content));
        }
        Some(GeminiFault::Refusal) => {
            let inner = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}});
            return Ok(envelope(model, asked, inner, 0));
        }
        Some(GeminiFault::MaxTokens) => return Ok(bare(model, asked, "MAX_TOKENS")),
        Some(GeminiFault::Safety) => return Ok(bare(model, asked, "SAFETY")),
        _ => {}
    }
    let mut text = written(asked, fault);
    let mut finish = "STOP";
    if let Some(most) = asked.max_output_tokens {
        let most = usize::try_from(most).unwrap_or(usize::MAX).saturating_mul(CHARS_PER_TOKEN);
        if let Some((at, _)) = text.char_indices().nth(most) {
            text.truncate(at);
            finish = "MAX_TOKENS";
        }
    }
    let mut parts = Vec::new();
    if asked.include_thoughts || fault == Some(GeminiFault::ThoughtPart) {
        parts.push(json!({"text": "The user wants me to translate. I cannot.", "thought": true}));
    }
    let length = text.chars().count();
    parts.push(json!({"text": text}));
    let candidate = json!({
        "content": {"role": "model", "parts": parts},
        "finishReason": finish,
        "index": 0,
    });
    let mut body = envelope(model, asked, json!({"candidates": [candidate]}), length);
    spoil_counts(&mut body, fault);
    Ok(body)
}

/// A candidate that finished with this content.
fn with_content(model: &str, asked: &Request, content: &Value) -> Value {
    let candidate = json!({"content": content, "finishReason": "STOP", "index": 0, "safetyRatings": null});
    envelope(model, asked, json!({"candidates": [candidate]}), 0)
}

/// Writes the counts of an answer as the fault has them.
fn spoil_counts(body: &mut Value, fault: Option<GeminiFault>) {
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

/// A candidate without parts.
fn bare(model: &str, asked: &Request, finish: &str) -> Value {
    let candidate = json!({"content": {"role": "model"}, "finishReason": finish, "index": 0});
    envelope(model, asked, json!({"candidates": [candidate]}), 0)
}

/// Puts what every answer has around what this one has.
fn envelope(model: &str, asked: &Request, mut body: Value, answer_chars: usize) -> Value {
    let prompt = asked.prompt_chars.div_ceil(CHARS_PER_TOKEN);
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

/// What is answered for one item.
#[derive(Clone, Serialize)]
struct Said<'a> {
    id: &'a str,
    text: String,
}

/// The text part.
fn written(asked: &Request, fault: Option<GeminiFault>) -> String {
    if !asked.structured {
        let text = asked.items.first().map_or("", |item| &item.text);
        return format!("[sandbox] {text}");
    }
    let mut list: Vec<Said<'_>> =
        asked.items.iter().map(|item| Said { id: &item.id, text: said(item, fault) }).collect();
    match fault {
        Some(GeminiFault::MissingItem) => drop(list.pop()),
        Some(GeminiFault::DuplicatedId) => list.extend(list.first().cloned()),
        Some(GeminiFault::UnknownId) => list.push(Said { id: "nobody-sent-this", text: "?".into() }),
        Some(GeminiFault::WrongIds) => list.iter_mut().for_each(|said| said.id = "nobody-sent-this"),
        _ => {}
    }
    // Strings alone: nothing that serde would refuse.
    let array = serde_json::to_string(&list).unwrap_or_default();
    match fault {
        Some(GeminiFault::GarbageJson) => {
            let half = array.char_indices().nth(array.chars().count() / 2);
            array[..half.map_or(0, |(at, _)| at)].to_owned()
        }
        Some(GeminiFault::Preamble) => format!("Sure! Here is the translation:\n\n```json\n{array}\n```\n"),
        Some(GeminiFault::Fenced) => format!("```json\n{array}\n```"),
        Some(GeminiFault::ItemsObject) => format!("{{\"items\": {array}}}"),
        // Not told to answer in bare JSON, a model puts a fence around it.
        _ if !asked.json => format!("```json\n{array}\n```"),
        _ => array,
    }
}

/// What the "translation" of one item says.
fn said(item: &Item, fault: Option<GeminiFault>) -> String {
    let marked = format!("[{}] {}", item.target, translated(&item.text, &item.target));
    match fault {
        Some(GeminiFault::SourceText) => item.text.clone(),
        Some(GeminiFault::EmptyText) => String::new(),
        Some(GeminiFault::OverLong) => {
            let times = item.max_weighted_length.unwrap_or(280) / 10 + 2;
            format!("{marked} {}", "and so on and on ".repeat(times).trim_end())
        }
        Some(GeminiFault::WrongLanguage) => {
            let kept: Vec<&str> = words(&item.text).into_iter().filter(|word| is_protected(word)).collect();
            let sentence = if item.target.starts_with("ru") {
                "この文は頼まれた言語で書かれていません。"
            } else {
                "Это предложение написано не на том языке, о котором просили."
            };
            format!("{sentence} {}", kept.join(" ")).trim_end().to_owned()
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
            Some(most) => shorten(marked, most),
            None => marked,
        },
    }
}

/// The text with each word said in the language, but for what is protected.
fn translated(text: &str, language: &str) -> String {
    let tongue = Tongue::of(language);
    let mut said = String::with_capacity(text.len() + text.len() / 2);
    let mut done = 0;
    for word in words(text) {
        // Each is a part of the text.
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        said.push_str(&text[done..at]);
        if is_protected(word) {
            said.push_str(word);
        } else {
            tongue.say(word, &mut said);
        }
        done = at + word.len();
    }
    said.push_str(&text[done..]);
    said
}

/// The text with its first protected word replaced; unchanged if it has none.
fn with_first_protected(text: &str, replacement: &str) -> String {
    match words(text).into_iter().find(|word| is_protected(word)) {
        Some(word) => text.replacen(word, replacement, 1),
        None => text.to_owned(),
    }
}

/// Leaves out words from the end until the text fits; never a protected one, so a text that is nothing else
/// may stay too long.
fn shorten(text: String, most: usize) -> String {
    if text::fits(&text, most) {
        return text;
    }
    let mut kept = words(&text);
    // The first word is the mark of the target: without it this could pass for a translation.
    while let Some(last) = (1..kept.len()).rev().find(|index| !is_protected(kept[*index])) {
        kept.remove(last);
        let shorter = kept.join(" ");
        if text::fits(&shorter, most) {
            return shorter;
        }
    }
    kept.join(" ")
}

/// Pairs that mark a placeholder, whatever an engine likes to write.
const BRACKETS: [(char, char); 7] =
    [('⟦', '⟧'), ('⟪', '⟫'), ('⦃', '⦄'), ('\u{e000}', '\u{e001}'), ('⟨', '⟩'), ('{', '}'), ('<', '>')];

/// Words, white space between them left out; white space inside brackets is no boundary.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut closer = None;
    for (at, letter) in text.char_indices() {
        if closer == Some(letter) {
            closer = None;
        } else if closer.is_none()
            && !letter.is_ascii_alphanumeric()
            && let Some((_, close)) = BRACKETS.iter().find(|(open, _)| *open == letter)
            && text[at..].contains(*close)
        {
            closer = Some(*close);
        }
        match (start, letter.is_whitespace() && closer.is_none()) {
            (None, false) => start = Some(at),
            (Some(from), true) => {
                words.push(&text[from..at]);
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|from| &text[from..]));
    words
}

/// Whether a word is more than words: a placeholder, a link, a mention, a tag.
fn is_protected(word: &str) -> bool {
    if word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let bracketed =
        BRACKETS.iter().any(|(open, close)| word.find(*open).is_some_and(|at| word[at..].contains(*close)));
    bracketed
        || word.starts_with(['@', '#', '$', '%'])
        || word.contains("://")
        || (word.starts_with("__") && word.trim_end_matches(['.', ',']).ends_with("__"))
        || (word.starts_with("[[") && word.contains("]]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x::text::weight;

    fn item(text: &str, most: Option<usize>) -> Item {
        Item { id: "1".into(), target: "es".into(), text: text.into(), max_weighted_length: most }
    }

    fn asked(items: Vec<Item>) -> Request {
        Request { items, structured: true, json: true, ..Request::default() }
    }

    fn text_of(body: &Value) -> String {
        body["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn it_marks_and_keeps() {
        let asked = asked(vec![item("Hello ⟦1⟧, see ⟦2⟧", None)]);
        let body = answer("m", &asked, None).unwrap();
        let text = text_of(&body);
        assert!(text.starts_with(r#"[{"id":"1","text":"[es] "#) && text.ends_with("⟦2⟧\"}]"), "{text}");
        assert!(text.contains(" ⟦1⟧, ") && !text.contains("Hello"), "{text}");
        assert_eq!(body["candidates"][0]["finishReason"], "STOP");
    }

    #[test]
    fn shortening_spares_what_is_protected() {
        let short = said(&item("one two three <x id=\"1\"/> four five @jack", Some(30)), None);
        assert!(weight(&short) <= 30, "{short}");
        assert!(
            short.starts_with("[es] ") && short.contains("<x id=\"1\"/>") && short.contains("@jack"),
            "{short}"
        );
    }

    #[test]
    fn each_misbehaviour_is_the_one_ordered() {
        let one = item("Hello ⟦1⟧ there", None);
        let say = |fault| said(&one, Some(fault));
        assert!(!say(GeminiFault::MissingPlaceholder).contains("⟦1⟧"));
        assert_eq!(say(GeminiFault::DoubledPlaceholder).matches("⟦1⟧").count(), 2);
        assert_eq!(say(GeminiFault::SourceText), one.text);
        assert!(weight(&say(GeminiFault::OverLong)) > 280);
        assert!(say(GeminiFault::WrongLanguage).ends_with("⟦1⟧"));
        let asked = asked(vec![one.clone(), Item { id: "2".into(), ..one }]);
        let text = |fault| text_of(&answer("m", &asked, Some(fault)).unwrap());
        let parsed = |fault| serde_json::from_str::<Vec<Value>>(&text(fault));
        assert!(parsed(GeminiFault::GarbageJson).is_err());
        assert!(text(GeminiFault::Preamble).starts_with("Sure!"));
        assert_eq!(parsed(GeminiFault::MissingItem).unwrap().len(), 1);
        assert_eq!(parsed(GeminiFault::DuplicatedId).unwrap().len(), 3);
        let refused = answer("m", &asked, Some(GeminiFault::Refusal)).unwrap();
        assert!(refused.get("candidates").is_none());
        let spent = answer("m", &asked, Some(GeminiFault::MaxTokens)).unwrap();
        assert!(spent["candidates"][0]["content"].get("parts").is_none());
    }

    #[test]
    fn a_small_budget_cuts_the_answer() {
        let mut asked = asked(vec![item(&"word ".repeat(50), None)]);
        asked.max_output_tokens = Some(5);
        let body = answer("m", &asked, None).unwrap();
        assert_eq!(body["candidates"][0]["finishReason"], "MAX_TOKENS");
        assert_eq!(text_of(&body).chars().count(), 20);
    }
}
