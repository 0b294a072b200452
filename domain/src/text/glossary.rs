//! Terms that are always translated in the same way: names that stay unchanged, words that have one right translation.

use std::{
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use regex::{Regex, RegexBuilder};

/// The terms of one target.
#[derive(Debug, Clone, Default)]
pub struct Glossary {
    terms: Vec<Term>,
    matcher: Option<Regex>,
}

/// A glossary that can be replaced while it is in use. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct SharedGlossary(Arc<RwLock<Arc<Glossary>>>);

impl SharedGlossary {
    /// Creates one that begins with these terms.
    pub fn new(glossary: Glossary) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(glossary))))
    }

    /// The current terms.
    pub fn current(&self) -> Arc<Glossary> {
        // The lock guards one pointer, which no panic can leave half written.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the terms.
    pub fn exchange(&self, glossary: Glossary) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(glossary);
    }
}

/// A term and its translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The term in posts; case does not matter.
    pub term: String,
    /// The term in translations; `None` leaves it as it is in the post.
    pub becomes: Option<String>,
}

/// Why terms cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlossaryError {
    /// A term is empty.
    #[error("a term is empty; remove the line")]
    Empty,
    /// A term appears twice.
    #[error("“{0}” appears twice; keep one of them")]
    Twice(String),
    /// There are too many terms.
    #[error("there are too many terms, or they are too long: {0}")]
    TooLarge(String),
}

impl Glossary {
    /// Creates a glossary of these terms.
    ///
    /// # Errors
    /// Each [`GlossaryError`] names the term.
    pub fn new(mut terms: Vec<Term>) -> Result<Self, GlossaryError> {
        if terms.is_empty() {
            return Ok(Self::default());
        }
        // Longest first: “City Hall” before “City”.
        terms.sort_by(|a, b| b.term.len().cmp(&a.term.len()).then_with(|| a.term.cmp(&b.term)));
        let mut known = std::collections::BTreeSet::new();
        for term in &terms {
            if term.term.trim().is_empty() {
                return Err(GlossaryError::Empty);
            }
            if !known.insert(term.term.to_lowercase()) {
                return Err(GlossaryError::Twice(term.term.clone()));
            }
        }
        // Each is in a group of its own, so that a match shows which term it is.
        let pattern: Vec<String> =
            terms.iter().map(|term| format!("({})", regex::escape(term.term.trim()))).collect();
        let matcher = RegexBuilder::new(&pattern.join("|"))
            .case_insensitive(true)
            .build()
            .map_err(|error| GlossaryError::TooLarge(error.to_string()))?;
        Ok(Self { terms, matcher: Some(matcher) })
    }

    /// Whether it has no terms.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Where terms occur as whole words, in bytes, each with its translation.
    pub fn find<'a>(&'a self, text: &'a str) -> Vec<(Range<usize>, &'a str)> {
        let Some(matcher) = &self.matcher else { return Vec::new() };
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(captures) = matcher.captures_at(text, from) {
            // The whole match is always there.
            let Some(whole) = captures.get(0) else { break };
            let range = whole.range();
            let word = !text[..range.start].ends_with(char::is_alphanumeric)
                && !text[range.end..].starts_with(char::is_alphanumeric);
            if !word {
                from = range.start + text[range.start..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            from = range.end;
            let which = (1..captures.len()).find(|group| captures.get(*group).is_some());
            let becomes = which.and_then(|group| self.terms[group - 1].becomes.as_deref());
            found.push((range, becomes.unwrap_or(whole.as_str())));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glossary(terms: &[(&str, Option<&str>)]) -> Glossary {
        let term = |(term, becomes): &(&str, Option<&str>)| Term {
            term: (*term).to_owned(),
            becomes: becomes.map(str::to_owned),
        };
        Glossary::new(terms.iter().map(term).collect()).unwrap()
    }

    #[test]
    fn terms_are_found_as_words_in_any_case_and_longest_first() {
        let glossary = glossary(&[
            ("City", Some("Ciudad")),
            ("City Hall", Some("Ayuntamiento")),
            ("Mynah", None),
            ("C++", None),
        ]);
        let text = "The city hall of MYNAH city, no citykeeper; c++!";
        let found: Vec<(&str, &str)> =
            glossary.find(text).into_iter().map(|(range, becomes)| (&text[range], becomes)).collect();
        assert_eq!(
            found,
            [("city hall", "Ayuntamiento"), ("MYNAH", "MYNAH"), ("city", "Ciudad"), ("c++", "c++")]
        );
        assert!(Glossary::default().find(text).is_empty());
    }

    #[test]
    fn a_glossary_is_empty_until_it_has_a_term() {
        assert!(Glossary::default().is_empty());
        assert!(!glossary(&[("Mynah", None)]).is_empty());
    }

    #[test]
    fn a_term_that_is_empty_or_appears_twice_is_reported() {
        let term = |term: &str| Term { term: term.into(), becomes: None };
        assert_eq!(Glossary::new(vec![term("a"), term(" ")]).unwrap_err(), GlossaryError::Empty);
        let twice = Glossary::new(vec![term("Straße"), term("straße")]).unwrap_err();
        assert!(matches!(twice, GlossaryError::Twice(_)));
    }
}
