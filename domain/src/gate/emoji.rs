//! The translation has the emoji of the post, as often as in the post, and no others.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Finding,
    seen::{Seen, balance},
};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let differing = balance(emoji(seen.source.as_str()), emoji(seen.text.as_str()));
    let (emoji, count) = differing.iter().next()?;
    let message = if *count > 0 {
        format!("the translation lacks “{emoji}”")
    } else {
        format!("the translation contains “{emoji}”, which the post does not, or contains it too often")
    };
    Some(Finding { rule: "emoji", message })
}

/// Each emoji separately, without the selectors that only determine how it is drawn.
fn emoji(text: &str) -> Vec<String> {
    let runs = crate::text::emoji::emoji(text).into_iter();
    runs.flat_map(|run| text[run].graphemes(true).map(|one| one.replace('\u{fe0f}', "")).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn a_lost_broken_or_new_emoji_is_found() {
        assert!(codes("Yes 🎉🎉", &["Sí 🎉"]).contains(&"emoji"));
        assert!(codes("Us 👨‍👩‍👧", &["Nosotros 👨👩👧"]).contains(&"emoji"));
        assert!(codes("Good morning", &["Buenos días ☀️"]).contains(&"emoji"));
        assert!(!codes("Love ❤️ 🇪🇸", &["🇪🇸 Amor ❤"]).contains(&"emoji"));
    }
}
