//! A translation is about as long as what it translates: one that is many times longer holds what the author never wrote,
//! one that is a fraction of it leaves most of it out. Only differences far beyond those between languages count.

use super::{Finding, seen::Seen};

/// No pair of languages needs so many times the weight.
const MOST: usize = 3;

/// Short texts differ more: a word may become a sentence.
const LEEWAY: usize = 100;

/// No pair of languages needs so small a part of the weight.
const LEAST: usize = 6;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let [source, text] =
        [&seen.source, &seen.text].map(|text| seen.candidate.rules.weigh(text.bare().trim()));
    let message = if text > source * MOST + LEEWAY {
        "the translation is far longer than the post"
    } else if text * LEAST + LEEWAY < source {
        "the translation leaves most of the post out"
    } else {
        return None;
    };
    Some(Finding { rule: "proportion", message: message.into() })
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn one_that_goes_on_and_on_or_breaks_off_is_found() {
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
