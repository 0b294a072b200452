//! Finds whole emoji in a text: a family of four is one, and so is a flag. An engine that touches one breaks it into
//! pieces.

use std::ops::Range;

use unicode_properties::UnicodeEmoji as _;
use unicode_segmentation::UnicodeSegmentation as _;

use super::words::words;

/// Where emoji are, in bytes; adjacent ones form one run.
pub fn emoji(text: &str) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    // Most texts, and most words of the others, have none and need no look at their graphemes.
    let Some(first) = text.bytes().position(|byte| byte >= FIRST_BYTE) else { return runs };
    let start = text[..first].rfind(|c: char| c.is_ascii_whitespace()).unwrap_or_default();
    let may_contain = |text: &str| text.bytes().any(|byte| byte >= FIRST_BYTE) && text.chars().any(shows);
    // No emoji contains a space, but a skin tone after a space belongs to it.
    for (at, word) in words(&text[start..]).filter(|(_, word)| may_contain(word)) {
        let at = start + at;
        let from = at.saturating_sub(1);
        let word = &text[from..at + word.len()];
        for (start, grapheme) in word.grapheme_indices(true).filter(|(_, grapheme)| is_emoji(grapheme)) {
            let (start, end) = (from + start, from + start + grapheme.len());
            match runs.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => runs.push(start..end),
            }
        }
    }
    runs
}

/// Whether a character may be an emoji by itself, or turn the character before it into one; every emoji has such a
/// character.
fn shows(c: char) -> bool {
    c >= PICTURES || matches!(c, '\u{200d}' | '\u{20e3}')
}

/// The first byte of a character that [`shows`] is at least this one.
const FIRST_BYTE: u8 = 0xe2;

/// From the watch on, emoji are shown as pictures by default; before it are signs such as ‼, ™ and arrows.
const PICTURES: char = '\u{231a}';

/// Digits, `#`, `*`, `©` and the like have the property, but are emoji only with a selector or a keycap.
fn is_emoji(grapheme: &str) -> bool {
    let mut characters = grapheme.chars();
    let Some(first) = characters.next() else { return false };
    if !first.is_emoji_char() {
        return false;
    }
    let presented =
        characters.any(|c| matches!(c, '\u{fe0f}' | '\u{20e3}' | '\u{200d}') || c.is_emoji_char());
    presented || (first >= PICTURES && !grapheme.ends_with('\u{fe0e}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        emoji(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn each_emoji_is_whole_and_runs_are_one() {
        assert_eq!(found("a 👨‍👩‍👧‍👦 b 🇪🇸🇫🇷 c 👍🏽! ❤️ 1️⃣ é"), ["👨‍👩‍👧‍👦", "🇪🇸🇫🇷", "👍🏽", "❤️", "1️⃣"]);
        assert_eq!(found("🔥🔥 now ☀"), ["🔥🔥", "☀"]);
    }

    proptest::proptest! {
        #[test]
        fn a_text_has_the_same_emoji_word_by_word_and_as_a_whole(
            text in proptest::prop_oneof![crate::fixtures::tricky_text(), "[ \\n\\r0-9#*©®‼™ℹ↔a\u{ad}\u{200d}\u{20e3}\u{fe0e}\u{fe0f}\u{1f3fb}\u{600}ﷺ]{0,8}"]
        ) {
            let all = text.grapheme_indices(true).filter(|(_, grapheme)| is_emoji(grapheme));
            let all = all.flat_map(|(start, grapheme)| start..start + grapheme.len());
            proptest::prop_assert!(emoji(&text).into_iter().flatten().eq(all), "{:?}", text);
        }
    }

    #[test]
    fn characters_that_only_may_be_emoji_are_not() {
        assert!(found("© 2026 ™ #1 * 3 ‼ é").is_empty(), "{:?}", found("© 2026 ™ #1 * 3 ‼ é"));
        assert_eq!(found("©️"), ["©️"]);
        assert!(found("☀\u{fe0e}").is_empty());
        assert!(found("a \u{1f3fb}").is_empty());
    }
}
