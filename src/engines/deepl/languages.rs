//! What DeepL calls languages. A source has no region; a target needs one where DeepL distinguishes them. Some languages have no
//! tags: their placeholders must be plain text. The list is that of DeepL's documentation of June 2026.

use mynah_domain::{Language, ports::engine::ItemError};

/// Languages in which DeepL handles tags.
const WITH_TAGS: &[&str] = &[
    "ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hu", "id", "it", "ja", "ko", "lt",
    "lv", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "tr", "uk", "zh",
];

/// Languages that DeepL translates as plain text only.
const WITHOUT_TAGS: &[&str] = &[
    "af", "an", "az", "be", "bn", "br", "bs", "ca", "cy", "eo", "eu", "fa", "ga", "gl", "gu", "he", "hi",
    "hr", "hy", "is", "ka", "kk", "mk", "ml", "mr", "ms", "mt", "my", "ne", "oc", "pa", "sq", "sr", "sw",
    "ta", "te", "th", "tl", "ur", "uz", "vi", "zu",
];

/// Targets with a region or a script, by Mynah's code: DeepL's, and whether it handles tags.
const VARIANTS: &[(&str, &str, bool)] = &[
    // DeepL keeps the plain codes only for older clients, and asks for one of these.
    ("en", "EN-US", true),
    ("en-US", "EN-US", true),
    ("en-GB", "EN-GB", true),
    ("en-IN", "EN-GB", true),
    ("pt", "PT-PT", true),
    ("pt-PT", "PT-PT", true),
    ("pt-BR", "PT-BR", true),
    ("zh", "ZH-HANS", true),
    ("zh-Hans", "ZH-HANS", true),
    ("zh-Hant", "ZH-HANT", true),
    ("es-419", "ES-419", true),
    ("es-AR", "ES-419", true),
    ("es-MX", "ES-419", true),
    ("es-US", "ES-419", true),
    ("de-CH", "DE-CH", false),
    ("fr-CA", "FR-CA", false),
];

/// DeepL's codes of a pair of languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) source: String,
    pub(super) target: String,
}

/// The codes for a translation; `None` if DeepL does not offer it. It does not translate between variants of one language.
pub(super) fn pair(from: Language, to: Language) -> Option<Pair> {
    let (source, target) = (base(from), base(to));
    let is_known = |code: &&str| WITH_TAGS.contains(code) || WITHOUT_TAGS.contains(code);
    if source == target || !is_known(&source) || !is_known(&target) {
        return None;
    }
    let target = variant(to).map_or_else(|| target.to_uppercase(), |(code, _)| code.to_owned());
    Some(Pair { source: source.to_uppercase(), target })
}

/// Whether DeepL handles tags in texts of both languages.
pub(super) fn have_tags(from: Language, to: Language) -> bool {
    let target = variant(to).map_or_else(|| WITH_TAGS.contains(&base(to)), |(_, tags)| tags);
    target && WITH_TAGS.contains(&base(from))
}

/// What an item for a pair of languages gets that DeepL does not offer.
pub(super) fn unsupported(from: Language, to: Language) -> ItemError {
    ItemError::Refused(format!("DeepL does not translate from {} to {}", from.name(), to.name()))
}

fn variant(language: Language) -> Option<(&'static str, bool)> {
    let found = VARIANTS.iter().find(|(code, ..)| *code == language.code());
    found.map(|(_, deepl, tags)| (*deepl, *tags))
}

fn base(language: Language) -> &'static str {
    match language.base() {
        "no" => "nb",
        "fil" => "tl",
        base => base,
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::fixtures::language;

    use super::*;

    fn codes(from: &str, to: &str) -> Option<String> {
        pair(language(from), language(to)).map(|Pair { source, target }| format!("{source} {target}"))
    }

    #[test]
    fn a_source_has_no_region_and_a_target_has_the_one_that_deepl_asks_for() {
        for (from, to, expected) in [
            ("en-GB", "es", "EN ES"),
            ("es-MX", "en", "ES EN-US"),
            ("es", "en-GB", "ES EN-GB"),
            ("en", "pt", "EN PT-PT"),
            ("en", "pt-BR", "EN PT-BR"),
            ("pt-BR", "zh", "PT ZH-HANS"),
            ("zh-Hant", "zu", "ZH ZU"),
            ("en", "zh-Hant", "EN ZH-HANT"),
            ("en", "es-AR", "EN ES-419"),
            ("en", "es-ES", "EN ES"),
            ("en", "no", "EN NB"),
            ("fil", "de-AT", "TL DE"),
            ("en", "gl", "EN GL"),
        ] {
            assert_eq!(codes(from, to).as_deref(), Some(expected), "{from} {to}");
        }
        for (from, to) in [("en", "en-GB"), ("en", "nn"), ("sc", "en"), ("es", "es-MX"), ("no", "nb")] {
            assert_eq!(codes(from, to), None, "{from} {to}");
        }
    }

    #[test]
    fn tags_are_used_only_if_both_languages_have_them() {
        for (from, to, expected) in [
            ("en", "es", true),
            ("en", "pt-BR", true),
            ("en", "ca", false),
            ("gl", "en", false),
            ("en", "fr-CA", false),
        ] {
            assert_eq!(have_tags(language(from), language(to)), expected, "{from} {to}");
        }
    }
}
