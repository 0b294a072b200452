//! Finds whole words, in texts of any script.

/// Whether any of `words` is in `text`, and is no part of a longer word; both in lower case.
pub(super) fn any_in(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| is_in(text, word))
}

/// Whether `word` is in `text`, and is no part of a longer word.
pub(super) fn is_in(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, word)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        ![before, after].into_iter().flatten().any(is_inside)
    })
}

/// Whether a letter beside a word makes it part of a longer one. Scripts without spaces have no longer words.
fn is_inside(c: char) -> bool {
    c.is_alphanumeric()
        && !matches!(c, '\u{e00}'..='\u{eff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}
