//! X's weighted length of a text. Most characters of Western scripts weigh one, other characters and emoji two, and
//! every link 23.
//!
//! The `twitter-text` crate counts it with the published weights of version 3.

use std::borrow::Cow;

use mynah_domain::text::{EntityKind, words::words};
use twitter_text::ParserBackend;
use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    plain::plain,
    words::{Memo, may_link},
};

/// The weighted length of `text`.
///
/// # Examples
///
/// ```
/// assert_eq!(mynah::networks::x::text::weigh("Hi http://test.co"), 26);
/// ```
pub fn weigh(text: &str) -> usize {
    // Most texts weigh as many as they have characters, and so do most words of the others.
    if is_plain(text) {
        return text.chars().count();
    }
    let (mut weight, mut end) = (0, 0);
    for (at, word) in words(text) {
        weight += at - end + weight_of(word);
        end = at + word.len();
    }
    weight + text.len() - end
}

/// Whether every character weighs one: each is light, and there is no link.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| is_light(c) || c.is_ascii_whitespace()) && !may_link(text)
}

fn weight_of(word: &str) -> usize {
    if is_plain(word) {
        return word.chars().count();
    }
    match plain(word) {
        Some(link) if link.kind == Some(EntityKind::Link) => {
            let weight = twitter_text_config::config_v3().transformed_url_length;
            usize::try_from(weight).unwrap_or_default() + word.len() - link.end
        }
        Some(_) => word.len(),
        None => KNOWN.with(|known| known.of(word, parsed)),
    }
}

thread_local! {
    static KNOWN: Memo<usize> = Memo::new();
}

/// Whether a character weighs one whatever is next to it, as in most Western words. None of these is an emoji or a part
/// of one, and normalization changes none of them. The numbers are ranges from the weights of version 3.
fn is_light(c: char) -> bool {
    matches!(c, '!'..='~' | '¡'..='¨' | 'ª'..='\u{ad}' | '¯'..='ɏ' | '‐'..='‟')
}

/// The weight according to the library.
fn parsed(text: &str) -> usize {
    let weights = twitter_text_config::config_v3();
    // The default parser panics on some texts; see `entities`.
    let parsed = twitter_text::parse_with_parser_backend(
        &with_plain_emoji(text),
        weights,
        true,
        ParserBackend::External,
    );
    usize::try_from(parsed.weighted_length).unwrap_or(usize::MAX)
}

/// Replaces every flag and keycap with a plain emoji: in a row, the crate (0.3.1) weighs each of them four, but X two.
fn with_plain_emoji(text: &str) -> Cow<'_, str> {
    let is_part = |c: char| matches!(c, '\u{1f1e6}'..='\u{1f1ff}' | KEYCAP);
    if !text.contains(is_part) {
        return Cow::Borrowed(text);
    }
    // Half of a pair is not a flag.
    let is_key = |cluster: &str| {
        cluster.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '#' | '*'))
            && cluster.contains(KEYCAP)
    };
    let is_one = |cluster: &str| {
        is_key(cluster) || (cluster.chars().filter(|c| is_part(*c)).count() == 2 && !cluster.contains(KEYCAP))
    };
    text.graphemes(true)
        .map(|cluster| if is_one(cluster) { "😀" } else { cluster })
        .collect::<String>()
        .into()
}

/// The combining character that makes a keycap.
const KEYCAP: char = '\u{20e3}';

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_has_a_length(text in any::<String>()) {
            weigh(&text);
        }
    }

    proptest! {
        #[test]
        fn the_weight_word_by_word_matches_that_of_the_whole_text(text in super::super::words::tricky()) {
            prop_assert_eq!(weigh(&text), parsed(&text), "{:?}", text);
        }

        #[test]
        fn the_weight_of_plain_words_matches_the_parser(word in super::super::plain::nearly()) {
            prop_assert_eq!(weigh(&word), parsed(&word), "{:?}", word);
        }
    }

    #[test]
    fn weights_match_published_samples() {
        assert_eq!(weigh("Hi http://test.co"), 26);
        assert_eq!(weigh("http://test.co"), 23);
        assert_eq!(weigh(&"a".repeat(285)), 285);
        assert_eq!(weigh("日本"), 4);
        assert_eq!(weigh("👨‍👩‍👧‍👦"), 2);
    }

    #[test]
    fn flags_and_keycaps_in_a_row_weigh_two_each() {
        for (text, weight) in [("🇪🇸", 2), ("🇪🇸🇫🇷🇵🇹", 6), ("🇪🇸 🇫🇷a🇵🇹", 8), ("1️⃣0️⃣", 4), ("1⃣", 2), ("🇪", 2)]
        {
            assert_eq!(weigh(text), weight, "{text}");
        }
    }
}
