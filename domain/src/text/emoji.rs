//! Emoji in a text, whole: a family of four is one, and so is a flag. An engine that touches one breaks it into pieces.

use std::ops::Range;

use unicode_properties::UnicodeEmoji as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Where emoji stand, in bytes; those that touch each other are one run.
pub fn emoji(text: &str) -> Vec<Range<usize>> {
    // Most sentences have none, and need no look at their graphemes. None is below U+00A9, but for keycaps.
    if text.is_ascii() {
        return Vec::new();
    }
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (start, grapheme) in text.grapheme_indices(true).filter(|(_, grapheme)| is_emoji(grapheme)) {
        let end = start + grapheme.len();
        match runs.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => runs.push(start..end),
        }
    }
    runs
}

/// Digits, `#`, `*`, `©` and the like have the property and are none unless a selector or a keycap says so.
fn is_emoji(grapheme: &str) -> bool {
    let mut characters = grapheme.chars();
    let Some(first) = characters.next() else { return false };
    if !first.is_emoji_char() {
        return false;
    }
    let presented =
        characters.any(|c| matches!(c, '\u{fe0f}' | '\u{20e3}' | '\u{200d}') || c.is_emoji_char());
    // From the watch on, X shows them as pictures by themselves; before it are signs such as ‼, ™ and arrows.
    presented || (first >= '\u{231a}' && !grapheme.ends_with('\u{fe0e}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        emoji(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn each_is_whole_and_runs_are_one() {
        assert_eq!(found("a 👨‍👩‍👧‍👦 b 🇪🇸🇫🇷 c 👍🏽! ❤️ 1️⃣ é"), ["👨‍👩‍👧‍👦", "🇪🇸🇫🇷", "👍🏽", "❤️", "1️⃣"]);
        assert_eq!(found("🔥🔥 now ☀"), ["🔥🔥", "☀"]);
    }

    #[test]
    fn what_only_may_be_one_is_none() {
        assert!(found("© 2026 ™ #1 * 3 ‼ é").is_empty(), "{:?}", found("© 2026 ™ #1 * 3 ‼ é"));
        assert_eq!(found("©️"), ["©️"]);
        assert!(found("☀\u{fe0e}").is_empty());
    }
}
