//! Finds words that are styled with combining marks: s̶t̶r̶u̶c̶k̶ ̶t̶h̶r̶o̶u̶g̶h̶, u̲n̲d̲e̲r̲l̲i̲n̲e̲d̲. No dictionary has them, and an engine that
//! translates what is between two marks (the `a` of s̶a̶l̶e̶) tears them apart.
//!
//! Letters in another alphabet of Unicode (𝐛𝐨𝐥𝐝) are characters of their own, and engines leave them alone.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

/// So many letters in a row with the same mark are a style, whatever the mark: no language has that.
const SAME: usize = 3;

/// Where styled words are, in bytes, in order. Styled words in a row are one, with what is between them.
pub(super) fn styled(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    // Most posts have no combining mark at all.
    if text.is_ascii() || !text.chars().any(is_mark) {
        return found;
    }
    for word in words(text).into_iter().filter(|word| is_styled(&text[word.clone()])) {
        match found.last_mut() {
            Some(last) if text[last.end..word.start].chars().all(joins) => last.end = word.end,
            _ => found.push(word),
        }
    }
    found
}

/// Runs of letters, digits and whatever has a mark: the space of `n̶o̶ ̶m̶o̶r̶e̶` may have one.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, grapheme) in text.grapheme_indices(true) {
        if !grapheme.starts_with(char::is_alphanumeric) && !grapheme.contains(is_mark) {
            continue;
        }
        let end = at + grapheme.len();
        match words.last_mut() {
            Some(last) if last.end == at => last.end = end,
            _ => words.push(at..end),
        }
    }
    words
}

/// Whether a character may be between two styled words.
fn joins(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | ',' | '.' | '\'' | '’' | '-')
}

fn is_styled(word: &str) -> bool {
    if !word.contains(is_mark) {
        return false;
    }
    let mut row: (Option<char>, usize) = (None, 0);
    word.graphemes(true).any(|grapheme| {
        let mark = grapheme.chars().next_back().filter(|c| is_mark(*c));
        row = (mark, if mark.is_some() && mark == row.0 { row.1 + 1 } else { 1 });
        grapheme.contains(is_line) || (mark.is_some() && row.1 >= SAME)
    })
}

/// Whether a character is drawn over, under or through the one before it: the blocks "Combining Diacritical Marks" and
/// "… for Symbols" of Unicode. The keycap makes an emoji.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}') && c != '\u{20e3}'
}

/// Whether a mark is a line through or below letters, or encloses them, which no spelling has.
fn is_line(c: char) -> bool {
    matches!(c, '\u{332}'..='\u{338}' | '\u{20d0}'..='\u{20ff}') && c != '\u{20e3}'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, tricky_text};

    fn found(text: &str) -> Vec<&str> {
        styled(text).into_iter().map(|range| &text[range]).collect()
    }

    /// The letters of `text`, each with a mark.
    fn with(mark: char, text: &str) -> String {
        text.chars().flat_map(|c| [c, mark]).collect()
    }

    #[test]
    fn words_with_a_mark_on_their_letters_are_found_whole() {
        for mark in [
            '\u{332}', '\u{333}', '\u{334}', '\u{335}', '\u{336}', '\u{337}', '\u{338}', '\u{20d2}',
            '\u{20e0}', '\u{20eb}', '\u{305}', '\u{33f}', '\u{30a}', '\u{353}',
        ] {
            for word in ["sale", "no more", "Ñandú", "2026", "old-price"] {
                let word = with(mark, word);
                assert_eq!(found(&format!("the ({word}), now")), [word.as_str()], "{mark:?}");
            }
        }
    }

    #[test]
    fn words_in_a_row_are_one_and_a_half_styled_word_is_whole() {
        let (no, more) = (with('\u{336}', "no"), with('\u{336}', "more"));
        assert_eq!(found(&format!("{no} {more}, {no} and {no}")), [format!("{no} {more}, {no}"), no.clone()]);
        assert_eq!(found(&format!("{no}\n{more}")), [no.clone(), more]);
        assert_eq!(found(&format!("{no}body is")), [format!("{no}body")]);
    }

    #[test]
    fn accents_of_a_language_keycaps_and_other_alphabets_are_no_style() {
        for text in [
            "cafe\u{301} cre\u{301}e\u{301}",
            "1\u{fe0f}\u{20e3} 2\u{fe0f}\u{20e3}",
            "𝐛𝐨𝐥𝐝",
            "to\u{323}\u{302}i Vie\u{323}\u{302}t",
            "и\u{306}",
            "plain",
            "नमस्ते",
            "สวัสดี",
            "שָׁלוֹם",
            "Z\u{351}\u{36b}\u{343}a\u{323}\u{321}l\u{315}g\u{362}o",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_styled_word_is_masked_whole_and_a_hashtag_stays_one() {
        let (sale, tag) = (with('\u{336}', "$50"), format!("#{}", with('\u{332}', "tag")));
        let mask = fixtures::mask(&format!("Was {sale}, {tag}"));
        assert_eq!(mask.protected[0].kind, super::super::ProtectedKind::Styled);
        assert_eq!(mask.protected.iter().map(|part| part.text.as_str()).collect::<Vec<_>>(), [sale, tag]);
    }

    proptest::proptest! {
        #[test]
        fn ranges_are_in_order_and_whole_characters(text in proptest::prop_oneof![tricky_text(), "[a é\u{336}\u{301}\\n]{0,12}"]) {
            let mut end = 0;
            for range in styled(&text) {
                proptest::prop_assert!(range.start >= end && range.start < range.end);
                proptest::prop_assert!(text.get(range.clone()).is_some());
                end = range.end;
            }
        }
    }
}
