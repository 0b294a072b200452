//! X's language codes.

/// X's codes for a post without a language: undefined, no text, only media, hashtags, mentions or cashtags, or too
/// short. The first two are BCP 47, the others X's own.
const NO_LANGUAGE: [&str; 7] = ["und", "zxx", "qme", "qht", "qam", "qct", "qst"];

/// The BCP 47 code for the language that X reports; `None` if there is none.
pub fn language(code: &str) -> Option<&str> {
    (!code.is_empty() && !NO_LANGUAGE.contains(&code)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_for_no_language_are_dropped_and_unknown_ones_are_not() {
        for code in NO_LANGUAGE.into_iter().chain([""]) {
            assert_eq!(language(code), None, "{code}");
        }
        for code in ["en", "pt", "in", "xx-new"] {
            assert_eq!(language(code), Some(code));
        }
    }
}
