//! Text that others wrote goes to terminals, logs and the ledger. It may be megabytes long, and it may hold characters that
//! a terminal obeys: these functions are the one rule for what of it is shown.

use std::fmt::Write as _;

use serde_json::Value;

/// How much of an answer an error repeats, in characters. More explains nothing, and would fill the log.
const BRIEF: usize = 300;

/// The longest error, in characters: what it repeats, and what it says itself.
const LONGEST: usize = 1000;

/// A text with nothing in it that a terminal or a log would obey: control characters become `�`, line ends of all kinds
/// become blanks, and the characters that turn the direction of writing are left out.
pub fn printable(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.chars()
        .filter(|c| !turns_direction(*c))
        .map(|c| match c {
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// An error of ours for a terminal, of bounded length. It may have several lines, and each may repeat what others answered.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(|line| printable(&bounded(line))).collect::<Vec<_>>().join("\n")
}

/// What an error repeats of a text from outside: printable, in one line, and only its beginning.
pub fn brief(text: &str) -> String {
    printable(&shortened(text.trim(), BRIEF))
}

/// An error of bounded length for the log and the ledger, whatever an adapter put into it.
pub fn bounded(text: &str) -> String {
    shortened(text, LONGEST)
}

/// At most so many characters of a text; `…` stands for the rest.
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

/// JSON that a terminal may show: what it would obey is escaped, so the value stays the same.
pub fn json(value: &Value) -> String {
    let plain = value.to_string();
    // These characters occur in strings only, and none needs more than four digits.
    let is_obeyed = |c: char| c.is_control() || turns_direction(c) || matches!(c, '\u{2028}' | '\u{2029}');
    if plain.is_ascii() && !plain.contains('\u{7f}') {
        return plain;
    }
    let mut escaped = String::with_capacity(plain.len());
    for c in plain.chars() {
        if is_obeyed(c) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Unicode's marks, embeddings, overrides and isolates.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a terminal or a reader of lines would obey.
    fn obeyed() -> impl Iterator<Item = char> {
        let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        let marks = ['\u{061C}', '\u{200E}', '\u{200F}', '\u{2028}', '\u{2029}'];
        controls.chain(marks).chain('\u{202A}'..='\u{202E}').chain('\u{2066}'..='\u{2069}')
    }

    #[test]
    fn nothing_printable_is_obeyed_by_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202E}c"), "a�[31mred� bc");
        for c in obeyed() {
            let text = printable(&format!("a{c}b"));
            assert!(text == "ab" || text == "a b" || text == "a�b", "{c:?}: {text:?}");
        }
    }

    #[test]
    fn emoji_and_scripts_of_the_world_stay_as_they_are() {
        for text in ["👩‍👩‍👧 ❤️", "שלום", "مرحبا", "क्\u{200d}ष", "a\u{a0}b", "e\u{301}"]
        {
            assert_eq!(printable(text), text);
            assert_eq!(json(&text.into()), format!("\"{text}\""));
        }
    }

    #[test]
    fn lines_of_ours_stay_lines_of_bounded_length() {
        assert_eq!(printable_lines(&format!("a\n{}", "x".repeat(2_000_000))).len(), 2 + LONGEST + "…".len());
        assert_eq!(printable_lines("two\n  a\u{9b}b\u{2028}c\n"), "two\n  a�b c\n");
    }

    #[test]
    fn json_escapes_what_a_terminal_obeys_and_keeps_the_value() {
        for c in obeyed() {
            let value = serde_json::json!({ format!("k{c}"): format!("\"{c}\\") });
            let line = json(&value);
            assert!(!line.contains(c), "{c:?}: {line}");
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_marked() {
        assert_eq!(brief(" short\n"), "short");
        assert_eq!(brief(&"x".repeat(BRIEF)).chars().count(), BRIEF);
        for text in ["x", "é", "👩‍👩‍👧", "\u{1b}", "a b"] {
            let cut = brief(&text.repeat(2_000_000));
            assert!(cut.ends_with('…') && cut.chars().count() == BRIEF + 1, "{cut}");
        }
    }
}
