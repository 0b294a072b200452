//! What a translation must pass before it may be published: a broken link or half a sentence under somebody's name is
//! worse than no post. One rule a file, each with a stable code and a sentence for people.

mod fits;
mod not_empty;
mod protected;

use crate::text::Mask;

/// What the rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The post's text as it was masked.
    pub source: &'a Mask,
    /// The publications that the translation would become.
    pub parts: &'a [String],
    /// The most that one of them may weigh.
    pub max_weighted_length: usize,
}

/// A rule that a translation broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} [{rule}]")]
pub struct Finding {
    /// The rule's code, stable across versions: `protected`, `not_empty`, `fits`.
    pub rule: &'static str,
    /// What is wrong, for a person.
    pub message: String,
}

type Rule = fn(&Candidate<'_>) -> Option<Finding>;

/// In the order in which they are worth reading.
const RULES: [Rule; 3] = [not_empty::check, protected::check, fits::check];

/// Every rule that `candidate` breaks; empty where it may be published.
pub fn findings(candidate: &Candidate<'_>) -> Vec<Finding> {
    RULES.iter().filter_map(|rule| rule(candidate)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mask;

    pub(super) fn codes(source: &str, parts: &[&str]) -> Vec<&'static str> {
        let source = mask(source);
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        findings(&Candidate { source: &source, parts: &parts, max_weighted_length: 280 })
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn a_faithful_translation_passes() {
        assert!(codes("Hi @bob, see https://a.example", &["Hola @bob, mira https://a.example"]).is_empty());
        assert!(
            codes("Hi @bob, see https://a.example", &["Hola @bob,", "mira https://a.example"]).is_empty()
        );
    }

    #[test]
    fn every_broken_rule_is_named() {
        assert_eq!(codes("Hi @bob", &["  "]), ["not_empty", "protected"]);
        assert_eq!(codes("Hi", &[]), ["not_empty"]);
        assert_eq!(codes("Hi", &["a".repeat(281).as_str()]), ["fits"]);
    }
}
