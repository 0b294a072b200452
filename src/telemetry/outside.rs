//! Text from others reaches terminals, logs and the ledger. It may be megabytes long, and it may contain characters
//! that control a terminal. These functions decide what Mynah shows of it.

use std::{borrow::Cow, fmt::Write as _};

use serde_json::Value;

/// How many characters of an answer an error repeats. More would fill the log and explain nothing.
const BRIEF: usize = 300;

/// The longest error, in characters, with everything that it repeats.
const LONGEST: usize = 1000;

/// Removes everything that controls a terminal or a log: control characters become `�`, line ends of all kinds become
/// spaces, and characters that change the direction of writing are dropped.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    text.chars()
        .filter(|c| !changes_direction(*c))
        .map(|c| match c {
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// Makes one of Mynah's own errors printable and bounds its length. Each of its lines may repeat text from others.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(|line| printable(&bounded(line)).into_owned()).collect::<Vec<_>>().join("\n")
}

/// The beginning of a text from outside, for an error: printable and on one line.
pub fn brief(text: &str) -> String {
    printable(&shortened(text.trim(), BRIEF)).into_owned()
}

/// Bounds the length of an error for the log and the ledger, whatever an adapter put into it.
pub fn bounded(text: &str) -> String {
    shortened(text, LONGEST)
}

/// At most `most` characters of a text, then `…` if there are more.
fn shortened(text: &str, most: usize) -> String {
    // No text has more characters than bytes.
    if text.len() <= most {
        return text.to_owned();
    }
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// JSON that is safe to show on a terminal: control characters are escaped, so the value stays the same.
pub fn json(value: &Value) -> String {
    let plain = value.to_string();
    // These characters occur in strings only, and none needs more than four digits.
    let is_control = |c: char| c.is_control() || changes_direction(c) || matches!(c, '\u{2028}' | '\u{2029}');
    if plain.is_ascii() && !plain.contains('\u{7f}') {
        return plain;
    }
    let mut escaped = String::with_capacity(plain.len());
    for c in plain.chars() {
        if is_control(c) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Unicode's directional marks, embeddings, overrides and isolates.
fn changes_direction(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character that controls a terminal or ends a line.
    fn control_characters() -> impl Iterator<Item = char> {
        let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        let marks = ['\u{061C}', '\u{200E}', '\u{200F}', '\u{2028}', '\u{2029}'];
        controls.chain(marks).chain('\u{202A}'..='\u{202E}').chain('\u{2066}'..='\u{2069}')
    }

    #[test]
    fn printable_text_cannot_control_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202E}c"), "a�[31mred� bc");
        for c in control_characters() {
            let text = format!("a{c}b");
            let text = printable(&text);
            assert!(text == "ab" || text == "a b" || text == "a�b", "{c:?}: {text:?}");
        }
    }

    #[test]
    fn emoji_and_all_scripts_stay_unchanged() {
        for text in ["👩‍👩‍👧 ❤️", "שלום", "مرحبا", "क्\u{200d}ष", "a\u{a0}b", "e\u{301}"]
        {
            assert_eq!(printable(text), text);
            assert_eq!(json(&text.into()), format!("\"{text}\""));
        }
    }

    #[test]
    fn an_errors_lines_stay_lines_of_bounded_length() {
        assert_eq!(printable_lines(&format!("a\n{}", "x".repeat(2_000_000))).len(), 2 + LONGEST + "…".len());
        assert_eq!(printable_lines("two\n  a\u{9b}b\u{2028}c\n"), "two\n  a�b c\n");
    }

    #[test]
    fn json_escapes_control_characters_and_keeps_the_value() {
        for c in control_characters() {
            let value = serde_json::json!({ format!("k{c}"): format!("\"{c}\\") });
            let line = json(&value);
            assert!(!line.contains(c), "{c:?}: {line}");
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_marked() {
        assert_eq!(brief(" short\n"), "short");
        assert_eq!(brief(&"x".repeat(BRIEF)).chars().count(), BRIEF);
        for text in ["x", "é", "👩‍👩‍👧", "\u{1b}", "a b"] {
            let cut = brief(&text.repeat(2_000_000));
            assert!(cut.ends_with('…') && cut.chars().count() == BRIEF + 1, "{cut}");
        }
    }
}
