//! The translation has the emoji of the post, as often as in the post, and no others.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Finding,
    seen::{Seen, balance},
};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let [source, text] = [&seen.source, &seen.text].map(|text| runs(text.as_str()));
    if source == text {
        return None;
    }
    let differing = balance(single(&source), single(&text));
    let (emoji, count) = differing.iter().next()?;
    let message = if *count > 0 {
        format!("the translation lacks “{emoji}”")
    } else {
        format!("the translation contains “{emoji}”, which the post does not, or contains it too often")
    };
    Some(Finding { rule: "emoji", message })
}

/// The emoji of a text; those without others between them are one item.
fn runs(text: &str) -> Vec<&str> {
    crate::text::emoji::emoji(text).into_iter().map(|run| &text[run]).collect()
}

/// Each emoji separately, without the selectors that only determine how it is drawn.
fn single(runs: &[&str]) -> Vec<String> {
    runs.iter().flat_map(|run| run.graphemes(true)).map(|one| one.replace('\u{fe0f}', "")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes, messages};

    #[test]
    fn a_lost_broken_or_new_emoji_is_found() {
        assert!(codes("Yes 🎉🎉", &["Sí 🎉"]).contains(&"emoji"));
        assert!(codes("Us 👨‍👩‍👧", &["Nosotros 👨👩👧"]).contains(&"emoji"));
        assert!(codes("Good morning", &["Buenos días ☀️"]).contains(&"emoji"));
        assert!(!codes("Love ❤️ 🇪🇸", &["🇪🇸 Amor ❤"]).contains(&"emoji"));
    }

    #[test]
    fn the_message_says_whether_an_emoji_is_lost_or_new() {
        let message = |source, text| messages(source, &[text]).join("; ");
        assert_eq!(message("Yes 🎉", "Sí"), "the translation lacks “🎉” [emoji]");
        let new = "the translation contains “🎉”, which the post does not, or contains it too often [emoji]";
        assert_eq!(message("Yes", "Sí 🎉"), new);
    }
}
