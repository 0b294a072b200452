//! The checks that a translation must pass before it may be published: a broken link or half a sentence under the
//! author's name is worse than no post. Each rule has one file, a stable code and a message for people.

mod addresses;
mod control;
mod emoji;
mod fits;
mod language;
mod latin;
mod layout;
mod look_alikes;
mod markup;
mod not_empty;
mod numbers;
mod preamble;
mod proportion;
mod protected;
mod quoted;
mod refused;
mod rivals;
mod same_as_other;
mod script;
mod seen;
mod untranslated;

pub(crate) use language::is_rather_in;
use seen::Seen;

use crate::{Language, network::NetworkRules, text::Mask};

/// What the rules check.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The post's masked text.
    pub source: &'a Mask,
    /// The texts that would be published.
    pub parts: &'a [String],
    /// The rules of the network that they would be published on.
    pub rules: &'a dyn NetworkRules,
    /// The most that one of them may weigh by these rules; `None` while the translation may still be shortened or
    /// split.
    pub max_weight: Option<usize>,
    /// The post's language.
    pub from: Language,
    /// The language that the translation should be in.
    pub to: Language,
    /// The post's translations into other languages.
    pub others: &'a [String],
}

/// A rule that a translation broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} [{rule}]")]
pub struct Finding {
    /// The rule's code, stable across versions: `protected`, `numbers`, `fits`; docs/gate.md lists all.
    pub rule: &'static str,
    /// What is wrong, for a person.
    pub message: String,
}

type Rule = fn(&Seen<'_>) -> Option<Finding>;

/// In the order in which people should read the findings.
const RULES: [Rule; 17] = [
    not_empty::check,
    protected::check,
    addresses::check,
    numbers::check,
    emoji::check,
    untranslated::check,
    language::check,
    proportion::check,
    preamble::check,
    quoted::check,
    markup::check,
    layout::check,
    control::check,
    look_alikes::check,
    refused::check,
    same_as_other::check,
    fits::check,
];

/// Every rule that `candidate` breaks; empty if it may be published.
pub fn findings(candidate: &Candidate<'_>) -> Vec<Finding> {
    let seen = Seen::new(candidate);
    RULES.iter().filter_map(|rule| rule(&seen)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::mask, network::PlainText};

    pub(super) fn codes(source: &str, parts: &[&str]) -> Vec<&'static str> {
        codes_for("es", source, parts)
    }

    pub(super) fn codes_for(to: &str, source: &str, parts: &[&str]) -> Vec<&'static str> {
        codes_between("en", to, source, parts)
    }

    pub(super) fn codes_between(from: &str, to: &str, source: &str, parts: &[&str]) -> Vec<&'static str> {
        found(from, to, source, parts).into_iter().map(|finding| finding.rule).collect()
    }

    /// What people read of the findings.
    pub(super) fn messages(source: &str, parts: &[&str]) -> Vec<String> {
        found("en", "es", source, parts).iter().map(Finding::to_string).collect()
    }

    fn found(from: &str, to: &str, source: &str, parts: &[&str]) -> Vec<Finding> {
        let source = mask(source);
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        let candidate = Candidate {
            source: &source,
            parts: &parts,
            rules: &PlainText::default(),
            max_weight: Some(300),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            others: &[],
        };
        findings(&candidate)
    }

    #[test]
    fn the_text_of_another_language_is_found() {
        let source = mask("The market opens at noon on the square");
        let text = vec!["El mercado abre al mediodía en la plaza".to_owned()];
        let candidate = Candidate {
            source: &source,
            parts: &text,
            rules: &PlainText::default(),
            max_weight: Some(300),
            from: Language::english(),
            to: "gl".parse().unwrap(),
            others: &text,
        };
        assert_eq!(findings(&candidate)[0].rule, "same_as_other");
    }

    proptest::proptest! {
        #[test]
        fn no_input_makes_a_rule_panic(source in ".{0,80}", one in ".{0,80}", two in ".{0,40}") {
            codes_for("ja", &source, &[&one, &two]);
            codes_for("es", &source, &[&source]);
        }
    }

    #[test]
    fn a_faithful_translation_passes() {
        assert!(codes("Hi @bob, see https://a.example", &["Hola @bob, mira https://a.example"]).is_empty());
        assert!(
            codes("Hi @bob, see https://a.example", &["Hola @bob,", "mira https://a.example"]).is_empty()
        );
    }

    #[test]
    fn every_broken_rule_is_reported() {
        assert_eq!(codes("Hi @bob", &["  "]), ["not_empty", "protected"]);
        assert_eq!(codes("Hi", &[]), ["not_empty"]);
        assert_eq!(codes(&"Hi ".repeat(80), &["a".repeat(301).as_str()]), ["fits"]);
    }
}
