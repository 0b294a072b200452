//! A translation is not enclosed in quotation marks unless the post is.

use super::{Finding, seen::Seen};

const OPENING: [char; 12] = ['"', '\'', '“', '„', '«', '‹', '‘', '‚', '「', '『', '”', '»'];
const CLOSING: [char; 12] = ['"', '\'', '”', '“', '»', '›', '’', '‘', '」', '』', '“', '«'];

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let quoted = |text: &str| text.trim().starts_with(OPENING) && text.trim().ends_with(CLOSING);
    let text = seen.text.as_str().trim();
    // A text may begin with one quotation and end with another.
    let around =
        quoted(text) && text.chars().filter(|c| OPENING.contains(c) || CLOSING.contains(c)).count() == 2;
    (around && !quoted(seen.source.as_str()) && text.chars().count() > 2).then(|| Finding {
        rule: "quoted",
        message: "the translation is enclosed in quotation marks, and the post is not".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn quotation_marks_around_all_are_found_if_the_post_has_none() {
        assert_eq!(codes("Hello there", &["\"Hola\""]), ["quoted"]);
        assert_eq!(codes("Hello there", &["«Hola»"]), ["quoted"]);
        assert!(codes("\"Hello\"", &["«Hola»"]).is_empty());
        assert!(codes("He said \"hi\" and \"bye\"", &["“Hola”, dijo, y “adiós”"]).is_empty());
    }
}
