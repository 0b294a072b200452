//! How long X counts a text. Not characters: most scripts of the West weigh one a character, others and emoji two,
//! every link 23 whatever it is.
//!
//! Counted by the `twitter-text` crate with the published weights of version 3.

use std::borrow::Cow;

use twitter_text::ParserBackend;
use unicode_segmentation::UnicodeSegmentation as _;

/// The most that one publication on X may weigh without Premium.
pub const X_MAX_WEIGHTED_LENGTH: usize = 280;

/// The weighted length of `text`.
///
/// # Examples
///
/// ```
/// assert_eq!(mynah_domain::text::weighted_length("Hi http://test.co"), 26);
/// ```
pub fn weighted_length(text: &str) -> usize {
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
    let is_one =
        |cluster: &str| cluster.contains(KEYCAP) || cluster.chars().filter(|c| is_part(*c)).count() == 2;
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
            weighted_length(&text);
        }
    }

    #[test]
    fn the_published_samples_weigh_what_is_published() {
        assert_eq!(weighted_length("Hi http://test.co"), 26);
        assert_eq!(weighted_length("http://test.co"), 23);
        assert_eq!(weighted_length(&"a".repeat(285)), 285);
        assert_eq!(weighted_length("日本"), 4);
        assert_eq!(weighted_length("👨‍👩‍👧‍👦"), 2);
    }

    #[test]
    fn flags_and_keycaps_in_a_row_weigh_two_each() {
        for (text, weight) in [("🇪🇸", 2), ("🇪🇸🇫🇷🇵🇹", 6), ("🇪🇸 🇫🇷a🇵🇹", 8), ("1️⃣0️⃣", 4), ("1⃣", 2), ("🇪", 2)]
        {
            assert_eq!(weighted_length(text), weight, "{text}");
        }
    }
}
