//! Splits a translation that is too long for one publication into a thread: at the end of a sentence if one is near,
//! otherwise of a clause, otherwise between words; never inside a link, a mention, a tag, inline code, a number or a grapheme.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use super::{addresses::addresses, code::code, numbers::numbers};
use crate::network::NetworkRules;

/// How good a cut is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// After a sentence, or a line.
    Sentence,
    /// After a comma, a colon, a closing bracket.
    Clause,
    /// Between words.
    Word,
    /// Where a script without spaces may be broken.
    Letters,
    /// Between any two graphemes.
    Anywhere,
}

/// Splits `text` into parts, in order, that each weigh at most `max` by the network's `rules`, and drops the white
/// space at the cuts. A text that fits is one part; a part is too heavy only if a single grapheme is.
///
/// # Panics
/// Never; a `max` of 0 counts as 1.
pub fn split(text: &str, rules: &dyn NetworkRules, max: usize) -> Vec<String> {
    let max = max.max(1);
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if rules.weigh(rest) <= max {
            parts.push(rest.to_owned());
            break;
        }
        let cut = cut_at(rest, rules, max);
        parts.push(rest[..cut].trim_end().to_owned());
        rest = rest[cut..].trim_start();
    }
    parts
}

/// Where the next part ends, in bytes: always more than 0, and at most `max` in weight if possible.
fn cut_at(text: &str, rules: &dyn NetworkRules, max: usize) -> usize {
    let whole = indivisible(text, rules);
    let inside = |at: usize| whole.iter().any(|range| range.start < at && at < range.end);
    let signs = || text.grapheme_indices(true).map(|(at, _)| at).skip(1);
    let fits = |at: &usize| rules.weigh(text[..*at].trim_end()) <= max;

    let places: Vec<usize> = signs().filter(|at| !inside(*at)).collect();
    // Weight grows with the text, so the places that fit come before those that do not.
    let fitting = &places[..places.partition_point(&fits)];
    let Some(reach) = fitting.last() else {
        // A part that should stay whole is longer than a publication.
        let signs: Vec<usize> = signs().collect();
        let fitting = signs.partition_point(fits);
        return signs.get(fitting.saturating_sub(1)).copied().unwrap_or(text.len());
    };
    let letters: Vec<usize> = text.split_word_bound_indices().map(|(at, _)| at).collect();
    let cuts: Vec<(usize, Cut)> = fitting.iter().map(|at| (*at, cut(text, *at, &letters))).collect();
    let last = |worst: Cut, least: usize| {
        cuts.iter().rev().find(|(at, cut)| *cut <= worst && *at >= least).map(|(at, _)| *at)
    };
    // A good place is worth a shorter part, but not one of less than half the length.
    let half = reach / 2;
    [Cut::Sentence, Cut::Clause, Cut::Word, Cut::Letters]
        .into_iter()
        .find_map(|worst| last(worst, half))
        .or_else(|| last(Cut::Word, 0))
        .unwrap_or(*reach)
}

/// The ranges that no cut may divide.
fn indivisible(text: &str, rules: &dyn NetworkRules) -> Vec<Range<usize>> {
    let entities = rules.entities(text);
    // Code of several lines may be cut between them.
    let code = code(text, &entities).into_iter().filter(|code| !text[code.clone()].contains('\n'));
    let whole = code.chain(addresses(text)).chain(numbers(text));
    whole.chain(entities.iter().map(|entity| entity.range.clone())).collect()
}

fn cut(text: &str, at: usize, letters: &[usize]) -> Cut {
    let (before, after) = (&text[..at], &text[at..]);
    let closed = before.trim_end().trim_end_matches(['"', '»', '”', '’', ')', '\'', '」', '』']);
    let spaced = before.ends_with(char::is_whitespace) || after.starts_with(char::is_whitespace);
    let is_full = |c: char| matches!(c, '。' | '！' | '？' | '｡' | '।' | '؟' | '۔' | '…' | '.' | '!' | '?');
    let is_half = |c: char| {
        matches!(c, '、' | '，' | '；' | '：' | '،' | '؛' | ',' | ';' | ':' | '–' | '—' | ')' | '）')
    };
    // Wide punctuation has no space after it.
    let wide = before.ends_with(['。', '！', '？', '｡', '、', '，', '；', '：', '」', '』', '）']);
    let marks_on = after.chars().next().is_some_and(|c| is_full(c) || is_half(c) || matches!(c, '」' | '』'));
    if marks_on {
        return Cut::Anywhere;
    }
    if after.starts_with('\n') || before.ends_with('\n') || ((spaced || wide) && closed.ends_with(is_full)) {
        Cut::Sentence
    } else if (spaced || wide) && before.trim_end().ends_with(is_half) {
        Cut::Clause
    } else if spaced {
        Cut::Word
    } else if after.chars().next().is_some_and(|c| !c.is_ascii()) && letters.binary_search(&at).is_ok() {
        Cut::Letters
    } else {
        Cut::Anywhere
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{
        fixtures::{rules_suite::splitting_loses_nothing_and_every_part_fits, words_of_posts},
        network::PlainText,
    };

    /// Splits into parts of at most this many characters.
    fn split(text: &str, max: usize) -> Vec<String> {
        super::split(text, &PlainText::default(), max)
    }

    #[test]
    fn a_text_that_fits_stays_whole() {
        assert_eq!(split("Hola a todos", 300), ["Hola a todos"]);
        assert!(split("  ", 300).is_empty());
    }

    #[test]
    fn a_cut_is_after_a_sentence_if_one_is_near() {
        assert_eq!(
            split("One two three. Four five six seven", 24),
            ["One two three.", "Four five six seven"]
        );
        assert_eq!(split("Uno dos tres\ncuatro cinco seis", 20), ["Uno dos tres", "cuatro cinco seis"]);
        assert_eq!(split("市場は正午。明日も開きます", 10), ["市場は正午。", "明日も開きます"]);
    }

    #[test]
    fn otherwise_a_cut_is_after_a_clause_or_between_words() {
        assert_eq!(split("aaa bbb ccc, ddd eee fff", 18), ["aaa bbb ccc,", "ddd eee fff"]);
        assert_eq!(split("aaaa bbbb cccc dddd", 9), ["aaaa bbbb", "cccc dddd"]);
    }

    #[test]
    fn a_good_place_in_the_first_half_is_not_worth_a_short_part() {
        assert_eq!(split("Uno. aaaa bbbb cccc dddd", 20), ["Uno. aaaa bbbb cccc", "dddd"]);
        assert_eq!(split("Uno, aaaa bbbb cccc dddd", 20), ["Uno, aaaa bbbb cccc", "dddd"]);
    }

    #[test]
    fn links_tags_and_numbers_stay_whole() {
        let text =
            format!("{} #hashtag https://example.com/a/very/long/path {}", "a".repeat(250), "b".repeat(200));
        let parts = split(&text, 300);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts.join(" "), text);
        assert!(parts.iter().all(|part| part.len() <= 300));
        assert_eq!(split("aaaa bbbb 20 km/h more", 12), ["aaaa bbbb", "20 km/h more"]);
        assert_eq!(split("aaaa bbbb `ls -l` ok", 13), ["aaaa bbbb", "`ls -l` ok"]);
        assert_eq!(split("aaaa a@b.example ok", 14), ["aaaa", "a@b.example ok"]);
    }

    #[test]
    fn without_spaces_a_cut_may_follow_a_number_and_no_part_begins_with_a_closing_mark() {
        assert_eq!(split("ああああ2026ああああ", 8), ["ああああ2026", "ああああ"]);
        assert_eq!(split("ああああああ。いい", 6), ["あああああ", "あ。いい"]);
        assert_eq!(split("ああああああ、いい", 6), ["あああああ", "あ、いい"]);
    }

    #[test]
    fn a_long_word_is_cut_but_no_grapheme_is() {
        let parts = split(&"日".repeat(700), 300);
        assert!(parts.iter().all(|part| part.chars().count() <= 300));
        assert_eq!(parts.concat(), "日".repeat(700));
        assert_eq!(split("a👨‍👩‍👧👨‍👩‍👧", 2), ["a👨‍👩‍👧", "👨‍👩‍👧"]);
        assert_eq!(split("e\u{301}e\u{301}e\u{301}", 2), ["e\u{301}e\u{301}", "e\u{301}"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn parts_contain_the_whole_text_in_order_and_fit(words in words_of_posts(), max in 40..300_usize) {
            splitting_loses_nothing_and_every_part_fits(&PlainText::default(), &words.join(" "), max);
        }
    }
}
