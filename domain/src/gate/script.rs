//! Weighs the scripts of a text. A kanji says what two or three letters say, so counting characters would find a
//! Japanese sentence with one English name in it to be English.

use whatlang::Script;

use crate::Language;

/// What a text says in each script.
#[derive(Debug, Default)]
pub(super) struct Weights {
    known: Vec<(Script, usize)>,
    /// In scripts that the detector does not know, such as Lao and Tibetan.
    unknown: usize,
}

impl Weights {
    pub(super) fn add(&mut self, word: &str) {
        for c in word.chars() {
            let Some(script) = of(c) else {
                self.unknown += usize::from(is_of_unknown_script(c));
                continue;
            };
            let weight = weight(script);
            match self.known.iter_mut().find(|(known, _)| *known == script) {
                Some((_, sum)) => *sum += weight,
                None => self.known.push((script, weight)),
            }
        }
    }

    pub(super) fn of(&self, script: Script) -> usize {
        self.known.iter().find(|(known, _)| *known == script).map_or(0, |(_, weight)| *weight)
    }

    /// The weight of all scripts that `is` holds for.
    pub(super) fn sum(&self, is: impl Fn(Script) -> bool) -> usize {
        self.known.iter().filter(|(script, _)| is(*script)).map(|(_, weight)| weight).sum()
    }

    /// The weight of the scripts that the detector does not know.
    pub(super) fn unknown(&self) -> usize {
        self.unknown
    }

    /// The heaviest script that `is` holds for.
    pub(super) fn heaviest(&self, is: impl Fn(Script) -> bool) -> Option<Script> {
        let of_them = self.known.iter().filter(|(script, _)| is(*script));
        of_them.max_by_key(|(_, weight)| *weight).map(|(script, _)| *script)
    }
}

/// How many letters of an alphabet say as much as one character.
fn weight(script: Script) -> usize {
    match script {
        Script::Mandarin | Script::Hangul => 3,
        // Syllables, and letters of scripts that write few vowels or no spaces.
        Script::Hiragana
        | Script::Katakana
        | Script::Arabic
        | Script::Hebrew
        | Script::Thai
        | Script::Khmer => 2,
        _ => 1,
    }
}

/// The script of a letter, as the detector names it; `None` for what is in none.
pub(super) fn of(c: char) -> Option<Script> {
    Some(match c {
        'a'..='z' | 'A'..='Z' | '\u{80}'..='ɏ' | 'Ḁ'..='ỿ' if c.is_alphabetic() => Script::Latin,
        '\0'..='\u{24f}' => return None,
        'Ѐ'..='ԯ' => Script::Cyrillic,
        '\u{3041}'..='ゟ' => Script::Hiragana,
        // The mark of a long vowel is in both.
        '゠'..='ヿ' | '\u{ff66}'..='\u{ff9d}' => Script::Katakana,
        '一'..='鿿' => Script::Mandarin,
        '가'..='힣' => Script::Hangul,
        _ if c.is_alphabetic() => {
            let mut buffer = [0; 4];
            whatlang::detect_script(c.encode_utf8(&mut buffer))?
        }
        _ => return None,
    })
}

/// Whether a letter is of a script that the detector does not know. The blocks leave out the letters for phonetics and
/// the styled ones of mathematics, which any language may have.
fn is_of_unknown_script(c: char) -> bool {
    matches!(c, '\u{700}'..='\u{1cff}' | '\u{2c00}'..='\u{2dff}' | '\u{a000}'..='\u{abff}')
        && c.is_alphabetic()
}

/// The scripts that a language is written in, if it is known to have no others.
pub(super) fn scripts(language: Language) -> Option<&'static [Script]> {
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
        "gu" => &[Script::Gujarati],
        "km" => &[Script::Khmer],
        "kn" => &[Script::Kannada],
        "ml" => &[Script::Malayalam],
        "my" => &[Script::Myanmar],
        "pa" => &[Script::Gurmukhi],
        "si" => &[Script::Sinhala],
        "te" => &[Script::Telugu],
        "am" => &[Script::Ethiopic],
        "hy" => &[Script::Armenian],
        "en" | "es" | "ca" | "gl" | "eu" | "pt" | "fr" | "it" | "de" | "nl" | "ro" | "pl" | "cs" | "sk"
        | "sl" | "hu" | "fi" | "sv" | "da" | "nb" | "nn" | "no" | "is" | "et" | "lv" | "lt" | "tr" | "vi"
        | "id" | "ms" | "fil" | "sw" | "af" | "cy" | "ga" | "oc" | "ast" | "an" | "br" | "mt" | "sq"
        | "hr" | "bs" | "eo" | "sc" | "zu" => &[Script::Latin],
        // Serbian, Kazakh, Mongolian and others have two, or one that the detector does not know.
        _ => return None,
    })
}

/// The language that a text in one of the target's own scripts is in, if those scripts alone tell: Chinese has no kana,
/// Japanese does not do without, and Korean is not written in Chinese characters alone.
pub(super) fn shows_other(weights: &Weights, target: Language) -> Option<&'static str> {
    let kana = weights.of(Script::Hiragana) + weights.of(Script::Katakana);
    let (han, hangul) = (weights.of(Script::Mandarin), weights.of(Script::Hangul));
    match target.base() {
        // A headline may do with few.
        "ja" if kana == 0 && han >= 20 * weight(Script::Mandarin) => Some("Chinese"),
        // The kana for “of” is decoration in Chinese names.
        "zh" if kana >= 4 * weight(Script::Hiragana) && kana * 4 > han => Some("Japanese"),
        "ko" if hangul == 0 && han >= 8 * weight(Script::Mandarin) => Some("Chinese or Japanese"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_the_script_that_the_detector_assigns() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_alphabetic()) {
            let by_detector = whatlang::detect_script(&c.to_string());
            // The detector has the half-width kana among the half-width Hangul, and does not know recent letters.
            let expected = match c {
                '\u{ff66}'..='\u{ff9d}' => Some(Script::Katakana),
                '一'..='鿿' => Some(Script::Mandarin),
                _ => by_detector,
            };
            assert_eq!(of(c), expected, "{c:?}");
        }
        assert_eq!((of('ー'), of('7'), of(' '), of('!')), (Some(Script::Katakana), None, None, None));
    }

    #[test]
    fn a_script_weighs_what_it_says() {
        let mut weights = Weights::default();
        for word in ["データ", "を", "追", "跡", "ab"] {
            weights.add(word);
        }
        assert_eq!(weights.of(Script::Mandarin), 6);
        assert_eq!(weights.of(Script::Katakana), 6);
        assert_eq!(weights.sum(|script| script != Script::Latin), 14);
        assert_eq!(weights.heaviest(|script| script == Script::Latin), Some(Script::Latin));
        assert_eq!(weights.heaviest(|script| script == Script::Greek), None);
        assert_eq!(weights.unknown(), 0);
        weights.add("ຂົວ");
        weights.add("ʰ𝗯");
        assert_eq!(weights.unknown(), 3);
    }
}
