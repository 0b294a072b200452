//! A translation is about as long as the post: if it is many times longer, it contains text that the author never
//! wrote; if it is a fraction of the length, most is missing. Only differences far beyond those between languages
//! count.

use super::{Finding, seen::Seen};

/// No language pair needs this many times the weight.
const MOST: usize = 3;

/// Short texts differ more: a word may become a sentence.
const LEEWAY: usize = 100;

/// No language pair can shrink the weight to less than this fraction.
const LEAST: usize = 6;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let [source, text] = [&seen.source, &seen.text].map(|text| weight(text.bare().trim()));
    let message = if text > source * MOST + LEEWAY {
        "the translation is far longer than the post"
    } else if text * LEAST + LEEWAY < source {
        "the translation leaves most of the post out"
    } else {
        return None;
    };
    Some(Finding { rule: "proportion", message: message.into() })
}

/// Counts a character of Chinese, Japanese or Korean, which says about as much as two letters, twice. The network's own
/// weights say what fits, and cost ten times as much.
fn weight(text: &str) -> usize {
    let of_byte = |byte| match byte {
        // Not the first byte of a character.
        0x80..0xc0 => 0,
        // U+3000 and above.
        0xe3.. => 2,
        _ => 1,
    };
    text.bytes().map(of_byte).sum()
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn a_translation_that_runs_on_or_breaks_off_is_found() {
        let story = "The council met today and spoke about the bridge, the market and the school. ".repeat(3);
        assert!(codes("The market opens", &[&"y así sucesivamente ".repeat(20)]).contains(&"proportion"));
        assert!(codes(&story, &["El consejo."]).contains(&"proportion"));
        for (source, text) in
            [("OK", "Está todo en orden por aquí, gracias"), ("Good morning, everybody", "皆さん")]
        {
            assert!(!codes(source, &[text]).contains(&"proportion"), "{source}");
        }
        assert!(
            !codes(&story, &["市議会は今日、橋と市場と学校について話しました。"]).contains(&"proportion")
        );
    }
}
