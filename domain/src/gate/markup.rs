//! A translation contains no technical remains: no placeholder, no code fence, no HTML, no JSON, no bold type that the
//! post does not have.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, seen::Seen};

const MARKS: [&str; 22] = [
    "⟦",
    "⟧",
    "⟪",
    "⟫",
    "⦃",
    "⦄",
    "\u{e000}",
    "\u{e001}",
    "```",
    "**",
    "__",
    "&amp;",
    "&lt;",
    "&gt;",
    "&quot;",
    "&#",
    "</",
    "<br",
    "{\"",
    "\"text\":",
    "](",
    "~~",
];

/// Matches any of them.
static ANY: LazyLock<Regex> = LazyLock::new(|| {
    let marks: Vec<_> = MARKS.iter().map(|mark| regex::escape(mark)).collect();
    Regex::new(&marks.join("|")).expect("the pattern is a constant that a test compiles")
});

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    // Most translations have none; one search is enough to know.
    if !ANY.is_match(seen.text.as_str()) {
        return None;
    }
    let mark = MARKS.iter().find(|mark| {
        let count = |text: &str| text.matches(**mark).count();
        count(seen.text.as_str()) > count(seen.source.as_str())
    })?;
    Some(Finding {
        rule: "markup",
        message: format!("the translation contains “{mark}”, which the post does not"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn technical_remains_are_found() {
        for text in [
            "Hola ⟦3⟧",
            "```Hola```",
            "**Hola**",
            "Hola &amp; adiós",
            "[hola](mundo)",
            "{\"text\": \"hola\"}",
        ] {
            assert!(codes("Hello and bye", &[text]).contains(&"markup"), "{text}");
        }
        assert!(!codes("**Hello** & bye", &["**Hola** & adiós"]).contains(&"markup"));
    }
}
