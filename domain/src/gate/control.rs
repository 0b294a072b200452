//! No character in a translation has an effect that readers do not see: control characters, marks that change the
//! direction of the text after them, invisible characters that the post does not have, private-use characters.

use super::{Finding, seen::Seen};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let hidden = seen.text.as_str().chars().find(|c| match c {
        // Joiners shape letters and emoji.
        ' '..='~' | '\n' | '\u{200c}' | '\u{200d}' | '\u{fe0f}' => false,
        // The others are allowed if the author used them.
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\t' => {
            !seen.source.as_str().contains(*c)
        }
        '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{f0000}'..='\u{10ffff}' => true,
        c => c.is_control(),
    })?;
    let message = format!("the translation contains the invisible character U+{:04X}", u32::from(hidden));
    Some(Finding { rule: "control", message })
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn invisible_characters_are_found() {
        for text in ["Hola\u{202e}", "Ho\u{0}la", "Hola\u{200b}", "\u{feff}Hola", "Hola\r"] {
            assert!(codes("Hello there", &[text]).contains(&"control"), "{text:?}");
        }
        assert!(codes("Hello\n\nthere 👩‍💻", &["Hola\n\nahí 👩‍💻"]).is_empty());
    }
}
