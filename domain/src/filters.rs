//! Filters that decide by a post's text whether it is republished.

use regex::{Regex, RegexBuilder};

use crate::text::{Entity, EntityKind};

/// The most memory that one pattern may take, in bytes: every post is searched for it.
const PATTERN_SIZE: usize = 1 << 20;

/// Something that a post may contain.
#[derive(Debug, Clone)]
pub struct Filter {
    /// As it was written.
    written: String,
    looks_for: LooksFor,
}

#[derive(Debug, Clone)]
enum LooksFor {
    /// A hashtag in lower case, without its sign.
    Hashtag(String),
    /// A pattern: a regular expression, or one built from words.
    Pattern(Regex),
}

/// A filter that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The filter is empty.
    #[error("a filter is empty")]
    Empty,
    /// The part between the slashes is not a regular expression.
    #[error("{written:?} is not a valid regular expression: {why}")]
    Pattern {
        /// As it was written.
        written: String,
        /// What is wrong with it.
        why: String,
    },
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    /// `#tag` is a hashtag, `/…/` a regular expression, anything else words to find literally, ignoring case.
    fn from_str(text: &str) -> Result<Self, FilterError> {
        let written = text.trim().to_owned();
        let pattern = |pattern: &str, any_case: bool| {
            RegexBuilder::new(pattern).case_insensitive(any_case).size_limit(PATTERN_SIZE).build().map_err(
                |error| {
                    let error = error.to_string();
                    let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    FilterError::Pattern { written: written.clone(), why: why.to_owned() }
                },
            )
        };
        let looks_for = match written.strip_prefix(['#', '＃']) {
            Some(tag) if !tag.is_empty() => LooksFor::Hashtag(tag.to_lowercase()),
            _ => match written.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
                Some(between) if !between.is_empty() => LooksFor::Pattern(pattern(between, false)?),
                _ if written.is_empty() => return Err(FilterError::Empty),
                _ => LooksFor::Pattern(pattern(&words(&written), true)?),
            },
        };
        Ok(Self { written, looks_for })
    }
}

/// A pattern that finds these words literally, but not within other words.
fn words(text: &str) -> String {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let before = if is_word(text.chars().next()) { r"(?:^|[^\p{L}\p{M}\p{N}_])" } else { "" };
    let after = if is_word(text.chars().next_back()) { r"(?:$|[^\p{L}\p{M}\p{N}_])" } else { "" };
    let spaced: Vec<String> = text.split_whitespace().map(regex::escape).collect();
    format!("{before}{}{after}", spaced.join(r"\s+"))
}

impl Filter {
    /// Whether the text, which has these entities, contains it.
    pub fn is_in(&self, text: &str, entities: &[Entity]) -> bool {
        match &self.looks_for {
            LooksFor::Pattern(pattern) => pattern.is_match(text),
            LooksFor::Hashtag(tag) => entities.iter().any(|entity| {
                entity.kind == EntityKind::Hashtag
                    && text[entity.range.clone()].trim_start_matches(['#', '＃']).to_lowercase() == *tag
            }),
        }
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Filter {}

/// Which posts of a source, or for a target, are republished.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// A post must contain one of these, if there are any.
    pub include: Vec<Filter>,
    /// A post must contain none of these.
    pub exclude: Vec<Filter>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::rules;

    fn is_in(filter: &str, text: &str) -> bool {
        filter.parse::<Filter>().unwrap().is_in(text, &rules().entities(text))
    }

    #[test]
    fn a_hashtag_matches_whole_and_in_any_case() {
        assert!(is_in("#Goal", "What a #GOAL!"));
        assert!(is_in("#año", "Feliz #AÑO"));
        assert!(!is_in("#goal", "What a #goalkeeper, what a goal"));
        assert!(is_in("#", "We are # 1"));
    }

    #[test]
    fn words_match_whole_and_in_any_case() {
        assert!(is_in("city hall", "The City\nHall opens"));
        assert!(is_in("día", "¡Buen DÍA!"));
        assert!(is_in("C++", "Now in C++!"));
        assert!(!is_in("hall", "We shall see"));
        assert!(!is_in("a.b", "axb"));
    }

    #[test]
    fn a_pattern_is_a_regular_expression() {
        assert!(is_in(r"/^LIVE:|\bgoal\b/", "LIVE: kick-off"));
        assert!(!is_in("/^live/", "LIVE"));
        assert!(is_in("/", "a / b"));
    }

    #[test]
    fn a_filter_that_cannot_be_parsed_is_an_error_with_the_reason() {
        assert_eq!("  ".parse::<Filter>(), Err(FilterError::Empty));
        let error = "/(/".parse::<Filter>().unwrap_err().to_string();
        assert!(error.contains("\"/(/\"") && error.contains("unclosed group"), "{error}");
        assert!("/(a{1000}){1000}/".parse::<Filter>().is_err());
    }
}
