//! What the sandbox's engines share: texts that look translated and are not. Each word becomes a word of the target's language,
//! and what is protected stays.

pub(crate) mod markup;
mod words;

use self::words::WordList;

/// The text with each unprotected word replaced by one of the language.
pub(crate) fn translated(text: &str, language: &str) -> String {
    let vocabulary = WordList::of(language);
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    let mut done = 0;
    for word in words(text) {
        // Each word is a slice of the text.
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        out.push_str(&text[done..at]);
        if is_protected(word) {
            out.push_str(word);
        } else {
            vocabulary.replace(word, &mut out);
        }
        done = at + word.len();
    }
    out.push_str(&text[done..]);
    out
}

/// A sentence in a language that is not this one.
pub(crate) fn in_another_language(language: &str) -> &'static str {
    if language.to_lowercase().starts_with("ru") {
        "この文は頼まれた言語で書かれていません。"
    } else {
        "Это предложение написано не на том языке, о котором просили."
    }
}

/// Brackets that may mark a placeholder.
pub(crate) const BRACKETS: [(char, char); 7] =
    [('⟦', '⟧'), ('⟪', '⟫'), ('⦃', '⦄'), ('\u{e000}', '\u{e001}'), ('⟨', '⟩'), ('{', '}'), ('<', '>')];

/// Splits a text into words at white space, but not inside brackets.
pub(crate) fn words(text: &str) -> Vec<&str> {
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

/// Whether a word is a placeholder, a link, a mention or a tag.
pub(crate) fn is_protected(word: &str) -> bool {
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
