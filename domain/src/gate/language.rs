//! The translation is in the target's language. Detectors guess on short texts, so a text counts as another language
//! only if it is long enough, the detector is sure, and the two languages are not closely related. A script, however,
//! is not a guess.

use whatlang::{Detector, Lang, Script};

use super::{
    Finding, latin,
    seen::{Seen, Text},
};
use crate::Language;

/// With fewer letters than this, no language can be detected.
const ENOUGH: usize = 40;

/// With fewer letters than this, no script counts: they may be a single name.
const ENOUGH_FOR_SCRIPT: usize = 12;

/// Languages that no detector distinguishes in a few words.
const KIN: [&[&str]; 9] = [
    &["es", "ca", "gl", "pt", "it", "oc", "ast", "an", "sc", "ro", "fr", "eo"],
    &["no", "nb", "nn", "da", "sv", "is"],
    &["cs", "sk", "pl", "sl"],
    &["hr", "sr", "bs", "sl", "mk", "bg"],
    &["ru", "uk", "be", "bg", "mk"],
    &["id", "ms", "fil"],
    &["hi", "mr", "ne"],
    &["nl", "af", "de"],
    &["tr", "az", "uz", "kk"],
];

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let target = seen.candidate.to;
    // A post of only names and tags has no language, and a glossary's terms may be in any.
    let text = seen.text.bare();
    let Letters { count, script } = Letters::of(text);
    if count < ENOUGH_FOR_SCRIPT {
        return None;
    }
    let wrong = |what: &str| {
        Some(Finding {
            rule: "language",
            message: format!("the translation is in {what}, not in {}", target.name()),
        })
    };
    if let Some(script) = script
        && !scripts(target).is_none_or(|own| own.contains(&script))
    {
        return wrong(&format!("{script} letters"));
    }
    if count < ENOUGH {
        return None;
    }
    let found = surely(&seen.text, script?)?;
    let own = known(target);
    let is_other = Some(found) != own && !are_kin(target, found);
    // If the detector does not know the target's language, trust it only when it finds the source's.
    let believed = own.is_some() || known(seen.candidate.from) == Some(found);
    if is_other && believed { wrong(found.eng_name()) } else { None }
}

/// Whether a text is in `one` rather than in `other`: by its script, otherwise by a detector that knows only these two
/// and is sure. A short text may be in neither.
pub(crate) fn is_rather_in(text: &str, one: Language, other: Language) -> bool {
    let Some(script) = whatlang::detect_script(text) else { return false };
    let in_script = |language| scripts(language).map(|scripts| scripts.contains(&script));
    match (in_script(one), in_script(other)) {
        (Some(true), Some(false)) => return true,
        (Some(false), _) => return false,
        _ => {}
    }
    let (Some(one), Some(other)) = (known(one), known(other)) else { return false };
    let found = Detector::with_allowlist(vec![one, other]).detect(text);
    found.is_some_and(|found| found.lang() == one && found.is_reliable())
}

/// The language of a text in this script, if the detector is sure.
fn surely(text: &Text<'_>, script: Script) -> Option<Lang> {
    if script == Script::Latin {
        return latin::surely(text.bare_lower());
    }
    let found = Detector::new().detect(text.bare()).filter(whatlang::Info::is_reliable);
    found.map(|found| found.lang())
}

/// The letters of a text.
struct Letters {
    /// How many there are.
    count: usize,
    /// The script of most of them, by the detector.
    script: Option<Script>,
}

impl Letters {
    fn of(text: &str) -> Self {
        let (mut count, mut latin, mut other) = (0, false, false);
        for c in text.chars() {
            match c {
                'a'..='z' | 'A'..='Z' => (count, latin) = (count + 1, true),
                '\0'..='~' => {}
                _ => {
                    count += usize::from(c.is_alphabetic());
                    match c {
                        '\u{80}'..='ɏ' | 'Ḁ'..='ỿ' => latin = true,
                        _ => other |= !is_of_none(c),
                    }
                }
            }
        }
        // Most texts have only Latin letters, and then nothing needs counting.
        let script = if other { whatlang::detect_script(text) } else { latin.then_some(Script::Latin) };
        Self { count, script }
    }
}

/// Whether the detector assigns no script to a character.
fn is_of_none(c: char) -> bool {
    matches!(c, '\u{7f}' | '\u{2000}'..='\u{206f}' | '\u{1f300}'..='\u{1faff}')
}

fn are_kin(target: Language, found: Lang) -> bool {
    KIN.iter().any(|kin| {
        kin.contains(&target.base())
            && kin.iter().any(|code| code.parse().ok().and_then(known) == Some(found))
    })
}

/// The scripts that a language is written in, if it is not or not only Latin.
fn scripts(language: Language) -> Option<&'static [Script]> {
    Some(match language.base() {
        "ja" => &[Script::Hiragana, Script::Katakana, Script::Mandarin],
        "zh" => &[Script::Mandarin],
        "ko" => &[Script::Hangul, Script::Mandarin],
        "ar" | "fa" | "ur" => &[Script::Arabic],
        "he" => &[Script::Hebrew],
        "hi" | "mr" | "ne" => &[Script::Devanagari],
        "ru" | "uk" | "be" | "bg" | "mk" => &[Script::Cyrillic],
        "el" => &[Script::Greek],
        "th" => &[Script::Thai],
        "ka" => &[Script::Georgian],
        "ta" => &[Script::Tamil],
        "bn" => &[Script::Bengali],
        "en" | "es" | "ca" | "gl" | "eu" | "pt" | "fr" | "it" | "de" | "nl" | "ro" | "pl" | "cs" | "sk"
        | "sl" | "hu" | "fi" | "sv" | "da" | "nb" | "nn" | "no" | "is" | "et" | "lv" | "lt" | "tr" | "vi"
        | "id" | "ms" | "fil" | "sw" | "af" | "cy" | "ga" | "oc" | "ast" | "an" | "br" | "mt" | "sq"
        | "hr" | "bs" | "eo" | "sc" | "zu" => &[Script::Latin],
        // Serbian, Kazakh, Mongolian and others have two, or one that the detector does not know.
        _ => return None,
    })
}

/// The detector's name for the language, if it knows it.
fn known(language: Language) -> Option<Lang> {
    let code = match language.base() {
        "af" => "afr",
        "am" => "amh",
        "ar" => "ara",
        "az" => "aze",
        "be" => "bel",
        "bg" => "bul",
        "bn" => "ben",
        "ca" => "cat",
        "cs" => "ces",
        "da" => "dan",
        "de" => "deu",
        "el" => "ell",
        "en" => "eng",
        "eo" => "epo",
        "es" => "spa",
        "et" => "est",
        "fa" => "pes",
        "fi" => "fin",
        "fil" => "tgl",
        "fr" => "fra",
        "gu" => "guj",
        "he" => "heb",
        "hi" => "hin",
        "hr" => "hrv",
        "hu" => "hun",
        "hy" => "hye",
        "id" => "ind",
        "it" => "ita",
        "ja" => "jpn",
        "ka" => "kat",
        "km" => "khm",
        "kn" => "kan",
        "ko" => "kor",
        "lt" => "lit",
        "lv" => "lav",
        "mk" => "mkd",
        "ml" => "mal",
        "mr" => "mar",
        "my" => "mya",
        "nb" | "no" | "nn" => "nob",
        "ne" => "nep",
        "nl" => "nld",
        "pa" => "pan",
        "pl" => "pol",
        "pt" => "por",
        "ro" => "ron",
        "ru" => "rus",
        "si" => "sin",
        "sk" => "slk",
        "sl" => "slv",
        "sr" => "srp",
        "sv" => "swe",
        "ta" => "tam",
        "te" => "tel",
        "th" => "tha",
        "tr" => "tur",
        "uk" => "ukr",
        "ur" => "urd",
        "uz" => "uzb",
        "vi" => "vie",
        "zh" => "cmn",
        "zu" => "zul",
        "cy" => "cym",
        _ => return None,
    };
    Lang::from_code(code)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::codes_for, *};

    #[test]
    fn every_character_has_the_script_that_the_detector_assigns() {
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            let Letters { count, script } = Letters::of(&text);
            assert_eq!(script, whatlang::detect_script(&text), "{c:?}");
            assert_eq!(count, usize::from(c.is_alphabetic()), "{c:?}");
        }
    }

    #[test]
    fn every_language_of_the_detector_is_known_but_those_that_mynah_does_not_translate() {
        let known: Vec<Lang> = Language::all().filter_map(known).collect();
        let unknown: Vec<&str> =
            Lang::all().iter().filter(|lang| !known.contains(lang)).map(Lang::code).collect();
        assert_eq!(unknown, ["yid", "jav", "ori", "tuk", "aka", "sna", "lat"]);
    }

    #[test]
    fn a_language_is_kin_to_those_of_its_own_family_alone() {
        let language = |code: &str| code.parse::<Language>().unwrap();
        assert!(are_kin(language("nb"), Lang::Dan) && are_kin(language("nn"), Lang::Dan));
        assert!(!are_kin(language("nb"), Lang::Deu) && !are_kin(language("ja"), Lang::Dan));
    }

    #[test]
    fn a_text_in_another_language_is_found_if_it_is_long_enough() {
        let source = "The town hall opens tomorrow and everybody is welcome to come and see it";
        for (to, text, expected) in [
            ("es", "El ayuntamiento abre mañana y todo el mundo está invitado a venir a verlo", false),
            ("ca", "L'ajuntament obre demà i tothom està convidat a venir a veure'l com sempre", false),
            ("es", "Das Rathaus öffnet morgen und alle sind herzlich eingeladen, es zu sehen", true),
            ("es", "Это предложение написано не на том языке, о котором просили.", true),
            ("ja", "El ayuntamiento abre mañana", true),
            ("gl", "O concello abre mañá e todo o mundo está convidado a vir a velo", false),
            ("gl", "The town hall opens tomorrow and everybody is welcome to come and see it", true),
            ("es", "¡Hola, Joe Biden!", false),
        ] {
            assert_eq!(codes_for(to, source, &[text]).contains(&"language"), expected, "{to}: {text}");
        }
    }
}
