//! Splits a text into words, at spaces and line ends. No link, tag, address or emoji contains such a character, so a
//! text can be read word by word, and most words need no closer look.

/// The words, and where each begins, in bytes.
pub fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = 0;
    std::iter::from_fn(move || {
        // Separators are ASCII, so working on bytes is safe, and no character is cut.
        let is_part = |byte: &u8| !byte.is_ascii_whitespace();
        let start = end + text.as_bytes()[end..].iter().position(is_part)?;
        let rest = &text.as_bytes()[start..];
        end = start + rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        Some((start, &text[start..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_with_their_positions() {
        let text = " one\ttwo\n\nthree\u{a0}four ";
        let found: Vec<_> = words(text).collect();
        assert_eq!(found, [(1, "one"), (5, "two"), (10, "three\u{a0}four")]);
        assert!(found.iter().all(|(at, word)| text[*at..].starts_with(word)));
    }
}
