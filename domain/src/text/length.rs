//! How long X counts a text. Not characters: most scripts of the West weigh one a character, others and emoji two,
//! every link 23 whatever it is.
//!
//! Counted by the `twitter-text` crate with the published weights of version 3.

use twitter_text::ParserBackend;

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
    let parsed = twitter_text::parse_with_parser_backend(text, weights, true, ParserBackend::External);
    usize::try_from(parsed.weighted_length).unwrap_or(usize::MAX)
}

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
}
