//! How long X counts a text. Not characters: most scripts of the West weigh one a character, others and emoji two,
//! every link 23 whatever it is.
//!
//! Counted by the `twitter-text` crate with the published weights of version 3.

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
    // Most texts weigh what they are long, and so do most words of the others.
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

/// Whether every character weighs one: each does by itself, and there is no link.
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

/// Whether a character weighs one whatever stands beside it: what most words of the West are written with. None of these is
/// an emoji or a part of one, and none becomes another by normalisation. The numbers are ranges of the weights of version 3.
fn is_light(c: char) -> bool {
    matches!(c, '!'..='~' | '¡'..='¨' | 'ª'..='\u{ad}' | '¯'..='ɏ' | '‐'..='‟')
}

/// The weight by the library.
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

/// The text with a plain emoji for every flag and keycap: in a row, the crate (0.3.1) weighs each of them four, and X two.
fn with_plain_emoji(text: &str) -> Cow<'_, str> {
    let is_part = |c: char| matches!(c, '\u{1f1e6}'..='\u{1f1ff}' | KEYCAP);
    if !text.contains(is_part) {
        return Cow::Borrowed(text);
    }
    // An odd one out of a pair is no flag.
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

/// The sign that puts what is before it on a key.
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
        fn read_word_by_word_a_text_weighs_what_it_weighs_as_a_whole(text in super::super::words::tricky()) {
            prop_assert_eq!(weigh(&text), parsed(&text), "{:?}", text);
        }

        #[test]
        fn what_is_plain_weighs_what_it_weighs_to_the_parser(word in super::super::plain::nearly()) {
            prop_assert_eq!(weigh(&word), parsed(&word), "{:?}", word);
        }
    }

    #[test]
    fn the_published_samples_weigh_what_is_published() {
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
