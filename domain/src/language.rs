//! The languages that settings may name, so that a typing error in a setting is found at the start and not by an engine
//! in the middle of the night.
//!
//! Codes are BCP 47 tags as networks and engines use them: two or three letters, with a region or script
//! only where readers see a difference (`pt-BR`, `zh-Hant`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A language that Mynah knows by code and English name.
///
/// Cheap to copy and compare: it is an index into the table of known languages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(u8);

/// Mynah does not know the code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a language code that Mynah knows; use one such as es, ca, gl, fr, pt-BR")]
pub struct UnknownLanguage(pub String);

#[rustfmt::skip]
const KNOWN: &[(&str, &str)] = &[
    ("af", "Afrikaans"), ("am", "Amharic"), ("an", "Aragonese"), ("ar", "Arabic"), ("ast", "Asturian"),
    ("az", "Azerbaijani"), ("be", "Belarusian"), ("bg", "Bulgarian"), ("bn", "Bengali"), ("br", "Breton"),
    ("bs", "Bosnian"), ("ca", "Catalan"), ("cs", "Czech"), ("cy", "Welsh"), ("da", "Danish"), ("de", "German"),
    ("de-AT", "Austrian German"), ("de-CH", "Swiss Standard German"),
    ("el", "Greek"), ("en", "English"), ("en-GB", "British English"),
    ("en-IN", "Indian English"), ("en-US", "American English"), ("eo", "Esperanto"), ("es", "Spanish"),
    ("es-419", "Latin American Spanish"), ("es-AR", "Argentine Spanish"), ("es-ES", "European Spanish"),
    ("es-MX", "Mexican Spanish"), ("es-US", "US Spanish"), ("et", "Estonian"), ("eu", "Basque"),
    ("fa", "Persian"), ("fi", "Finnish"), ("fil", "Filipino"), ("fr", "French"), ("fr-CA", "Canadian French"),
    ("fr-CH", "Swiss French"), ("ga", "Irish"), ("gl", "Galician"),
    ("gu", "Gujarati"), ("he", "Hebrew"), ("hi", "Hindi"), ("hr", "Croatian"), ("hu", "Hungarian"),
    ("hy", "Armenian"), ("id", "Indonesian"), ("is", "Icelandic"), ("it", "Italian"), ("ja", "Japanese"),
    ("ka", "Georgian"), ("kk", "Kazakh"), ("km", "Khmer"), ("kn", "Kannada"), ("ko", "Korean"), ("lo", "Lao"),
    ("lt", "Lithuanian"), ("lv", "Latvian"), ("mk", "Macedonian"), ("ml", "Malayalam"), ("mn", "Mongolian"),
    ("mr", "Marathi"), ("ms", "Malay"), ("mt", "Maltese"), ("my", "Burmese"), ("nb", "Norwegian Bokmål"),
    ("ne", "Nepali"), ("nl", "Dutch"), ("nn", "Norwegian Nynorsk"), ("no", "Norwegian"), ("oc", "Occitan"),
    ("pa", "Punjabi"), ("pl", "Polish"), ("pt", "Portuguese"), ("pt-BR", "Brazilian Portuguese"),
    ("pt-PT", "European Portuguese"), ("ro", "Romanian"), ("ru", "Russian"), ("sc", "Sardinian"), ("si", "Sinhala"),
    ("sk", "Slovak"), ("sl", "Slovenian"), ("sq", "Albanian"), ("sr", "Serbian"), ("sv", "Swedish"),
    ("sw", "Swahili"), ("ta", "Tamil"), ("te", "Telugu"), ("th", "Thai"), ("tr", "Turkish"), ("uk", "Ukrainian"),
    ("ur", "Urdu"), ("uz", "Uzbek"), ("vi", "Vietnamese"), ("zh", "Chinese"), ("zh-Hans", "Simplified Chinese"),
    ("zh-Hant", "Traditional Chinese"), ("zu", "Zulu"),
];

/// Former codes that networks and people still use, with the current tag of the same language.
const FORMER: &[(&str, &str)] = &[("in", "id"), ("iw", "he"), ("tl", "fil")];

impl Language {
    /// English, which most sources speak.
    pub fn english() -> Self {
        // English is in the table; if it were not, its first entry would be no worse a guess.
        Self::all().find(|language| language.code() == "en").unwrap_or(Self(0))
    }

    /// The BCP 47 code: `es`, `pt-BR`.
    pub fn code(self) -> &'static str {
        KNOWN[usize::from(self.0)].0
    }

    /// The English name, for people and language models: `Brazilian Portuguese`.
    pub fn name(self) -> &'static str {
        KNOWN[usize::from(self.0)].1
    }

    /// The code without region or script: `pt` for `pt-BR`. Readers distinguish languages with the same base, detectors
    /// do not.
    pub fn base(self) -> &'static str {
        let code = self.code();
        code.split_once('-').map_or(code, |(base, _)| base)
    }

    /// Its place among [`all`](Self::all), for tables of languages.
    pub(crate) fn index(self) -> usize {
        self.0.into()
    }

    /// Every language that Mynah knows, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..KNOWN.len()).filter_map(|index| u8::try_from(index).ok().map(Self))
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let asked = code.trim().replace('_', "-");
        let asked = FORMER
            .iter()
            .find(|(former, _)| former.eq_ignore_ascii_case(&asked))
            .map_or(asked.as_str(), |(_, today)| today);
        Self::all()
            .find(|language| language.code().eq_ignore_ascii_case(asked))
            .ok_or_else(|| UnknownLanguage(code.to_owned()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({})", self.code())
    }
}

impl Serialize for Language {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_parses_back_whatever_its_case() {
        for language in Language::all() {
            assert_eq!(language.code().parse(), Ok(language));
            assert_eq!(language.code().to_uppercase().parse(), Ok(language));
            assert_eq!(language.to_string(), language.code());
        }
    }

    #[test]
    fn former_codes_and_underscores_are_understood() {
        assert_eq!("iw".parse::<Language>().map(Language::code), Ok("he"));
        assert_eq!("pt_br".parse::<Language>().map(Language::code), Ok("pt-BR"));
        assert_eq!("pt-BR".parse::<Language>().map(Language::base), Ok("pt"));
    }

    #[test]
    fn every_language_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = Language::all().map(Language::name).collect();
        assert_eq!(names.len(), Language::all().count());
        assert!(names.iter().all(|name| name.starts_with(char::is_uppercase)), "{names:?}");
    }

    #[test]
    fn an_unknown_code_is_an_error_with_suggestions() {
        let error = "klingon".parse::<Language>().unwrap_err();
        assert!(error.to_string().contains("klingon") && error.to_string().contains("pt-BR"));
    }
}
