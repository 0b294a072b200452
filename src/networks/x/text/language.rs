//! X's codes for languages.

/// Codes with which X says that a post has no language: undefined, no text, only media, hashtags, mentions, cashtags, or too
/// short to tell. The first two are of BCP 47, the others X's own.
const NO_LANGUAGE: [&str; 7] = ["und", "zxx", "qme", "qht", "qam", "qct", "qst"];

/// The BCP 47 code for what X reports as a post's language; `None` where it is none.
pub fn language(code: &str) -> Option<&str> {
    (!code.is_empty() && !NO_LANGUAGE.contains(&code)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_says_nothing_is_no_language_and_a_new_one_stays() {
        for code in NO_LANGUAGE.into_iter().chain([""]) {
            assert_eq!(language(code), None, "{code}");
        }
        for code in ["en", "pt", "in", "xx-new"] {
            assert_eq!(language(code), Some(code));
        }
    }
}
