//! A translation does not contain a model's comments about it: “Sure! Here is …”, “I cannot …”, a note in brackets.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, seen::Seen};

/// The beginnings of such comments, in lower case.
const BEGINNINGS: [&str; 34] = [
    "sure!",
    "sure,",
    "sure thing",
    "certainly!",
    "of course!",
    "here is the",
    "here's the",
    "here is your",
    "here's your",
    "here are the",
    "translation:",
    "translated text:",
    "the translation",
    "as an ai",
    "i'm sorry, but",
    "i’m sorry, but",
    "i am sorry, but",
    "i cannot ",
    "i can't ",
    "i can’t ",
    "i'm unable",
    "i am unable",
    "aquí está la traducción",
    "aquí tienes",
    "traducción:",
    "claro,",
    "claro!",
    "¡claro!",
    "como modelo de",
    "voici la traduction",
    "bien sûr",
    "hier ist die übersetzung",
    "übersetzung:",
    "als ki-",
];

/// What marks such comments anywhere in a text.
const WITHIN: [&str; 7] = [
    "(note:",
    "[note:",
    "translator's note",
    "translator’s note",
    "(nota:",
    "nota del traductor",
    "as a language model",
];

/// Matches any of [`WITHIN`].
static ANY_WITHIN: LazyLock<Regex> = LazyLock::new(|| {
    let words: Vec<_> = WITHIN.iter().map(|words| regex::escape(words)).collect();
    Regex::new(&words.join("|")).expect("the pattern is a constant that a test compiles")
});

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let text = seen.text.lower().trim();
    let begins = BEGINNINGS.iter().find(|words| text.starts_with(**words)).filter(|_| {
        // If the author wrote “Sure!”, the translation may begin like that, too.
        let source = seen.source.lower().trim();
        !BEGINNINGS.iter().any(|words| source.starts_with(words))
    });
    let bracketed = || seen.source.as_str().contains(['(', '[']);
    let within = Some(()).filter(|()| ANY_WITHIN.is_match(text) && !bracketed());
    let within = within.and_then(|()| WITHIN.iter().find(|words| text.contains(**words)));
    let words = begins.or(within)?;
    let message = format!("the translation contains the engine's own words: “{words}”");
    Some(Finding { rule: "preamble", message })
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn the_engines_own_words_are_found_but_not_the_authors() {
        for text in [
            "Sure! Here is the translation: Hola",
            "Aquí está la traducción: hola",
            "I'm sorry, but I can't translate that",
            "Hola (Note: informal)",
        ] {
            assert!(codes("Hello there", &[text]).contains(&"preamble"), "{text}");
        }
        assert!(!codes("Sure! Here is the plan", &["¡Claro! Este es el plan"]).contains(&"preamble"));
        assert!(!codes("Hello (note: bring water)", &["Hola (nota: traed agua)"]).contains(&"preamble"));
    }
}
