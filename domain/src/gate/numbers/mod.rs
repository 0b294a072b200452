//! The translation has the same numbers as the post, in whatever form: `1,000.50` is `1.000,50`, `5pm` is `17:00`, `1.5
//! billion` is `15億`, *twenty* is 20 and the 14th is XIV.
//!
//! What is compared is values, each as often as it occurs:
//!
//! - Digits must be explained by the other side, and so must digits with a word such as *million*, which are one value.
//!   Up to 12 they may be words on either side, which this rule does not have to know.
//! - Other digits explain them, and number words, Roman numerals and numerals in ideographs do too, if there are no such
//!   digits. A word never has to be explained: languages have *a*, *both*, *pair* and *fortnight*.
//! - The integer part of a decimal and each part of a date are values of their own, so that marks and order may differ.
//! - A time may be in twelve or 24 hours, unless one side has *am* and the other an afternoon. A decade may be `1990s` or
//!   90.
//! - Large numbers are compared with their *million* only between languages whose words for it are known; otherwise their
//!   digits are.

mod digits;
mod scale;
mod value;
mod words;

use value::Mention;

use super::{Finding, seen::Seen};
use crate::Language;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let (source, text) = (seen.source.bare(), seen.text.bare());
    let (from, to) = (seen.candidate.from.base(), seen.candidate.to.base());
    let scales = scale::are_known(from) && scale::are_known(to);
    let read = |text, language, spaces| digits::mentions(text, &digits::Reader { language, scales, spaces });
    let (there, here) = (read(source, from, false), read(text, to, false));
    unexplained(&there, &here)?;
    // Plain spaces may separate thousands, and words may explain what digits do not.
    let (mut there, mut here) = (read(source, from, true), read(text, to, true));
    there.extend(words::mentions(source, from));
    here.extend(words::mentions(text, to));
    let (number, is_lost) = unexplained(&there, &here)?;
    let message = if is_lost {
        format!("the number {number} of the post is not in the translation")
    } else {
        format!("the translation has the number {number}, which the post does not")
    };
    Some(Finding { rule: "numbers", message })
}

/// Whether a text has a number that is given in digits, in digits itself or in words.
pub(super) fn has(text: &str, number: &str, language: Language) -> bool {
    let language = language.base();
    let reader = digits::Reader { language, scales: false, spaces: false };
    let in_words = || words::mentions(text, language);
    digits::mentions(number, &reader).iter().any(|number| {
        let is_same = |mention: &Mention| mention.equals(number);
        digits::mentions(text, &reader).iter().any(is_same) || in_words().iter().any(is_same)
    })
}

/// The first number that must be on both sides and is on one, with whether it is the post's.
fn unexplained<'a>(there: &'a [Mention], here: &'a [Mention]) -> Option<(&'a str, bool)> {
    let mut used = (vec![false; there.len()], vec![false; here.len()]);
    // Digits explain digits before words do, and what surely is a value before what may be it.
    for (only_digits, is_same) in [
        (true, Mention::equals as fn(&Mention, &Mention) -> bool),
        (false, Mention::equals),
        (false, Mention::may_equal),
    ] {
        for (one, used_one) in there.iter().zip(&mut used.0).filter(|(_, used)| !**used) {
            let other = here.iter().zip(&mut used.1).find(|(other, used)| {
                let in_turn = !only_digits || (one.is_digits && other.is_digits);
                !**used && in_turn && (one.is_digits || other.is_digits) && is_same(one, other)
            });
            if let Some((_, used_other)) = other {
                (*used_one, *used_other) = (true, true);
            }
        }
    }
    let first = |mentions: &'a [Mention], used: &[bool]| {
        mentions
            .iter()
            .zip(used)
            .find(|(mention, used)| !**used && mention.is_required)
            .map(|(mention, _)| mention)
    };
    first(there, &used.0)
        .map(|mention| (mention.written.as_str(), true))
        .or_else(|| first(here, &used.1).map(|mention| (mention.written.as_str(), false)))
}

#[cfg(test)]
mod tests {
    use super::super::{Candidate, findings};
    use crate::{fixtures::mask, network::PlainText};

    /// Whether the rule finds something.
    fn is_found(from: &str, to: &str, source: &str, text: &str) -> bool {
        let candidate = Candidate {
            source: &mask(source),
            parts: &[text.to_owned()],
            rules: &PlainText::default(),
            max_weight: None,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            others: &[],
        };
        findings(&candidate).iter().any(|finding| finding.rule == "numbers")
    }

    #[track_caller]
    fn same(to: &str, source: &str, text: &str) {
        assert!(!is_found("en", to, source, text), "{source} / {text}");
        assert!(!is_found(to, "en", text, source), "{text} / {source}");
    }

    #[track_caller]
    fn differ(to: &str, source: &str, text: &str) {
        assert!(is_found("en", to, source, text), "{source} / {text}");
    }

    #[test]
    fn local_forms_of_a_number_are_equal() {
        for (source, text) in [
            ("It costs 1,000.50 dollars", "Cuesta 1.000,50 dólares"),
            ("About 12\u{202f}000 people", "Unas 12.000 personas"),
            ("About 12,000 people", "Unas 12 000 personas"),
            ("At 10:30 on 11/23/2026", "A las 10h30 del 23/11/2026"),
            ("The 21st of May", "El 21 de mayo"),
            ("25 trees", "٢٥ شجرة"),
            ("Two of 3 are done", "Dos de tres están"),
            ("See https://a.example/2026", "Mira https://a.example/2026"),
        ] {
            same("es", source, text);
        }
        same("hi", "1,250,000 people", "12,50,000 लोग");
        same("de-CH", "1,250,000 people", "1’250’000 Leute");
    }

    #[test]
    fn a_different_number_is_found() {
        for (source, text) in [
            ("The 31st of May", "El 13 de mayo"),
            ("In the 1990s", "En los años"),
            ("Many trees", "350 árboles"),
            ("The 100th visitor", "El visitante 1.000"),
            ("3 million people", "3 personas"),
            ("3 million people", "3 mil personas"),
            ("5 billion people", "5 billones de personas"),
            ("20k fans", "20 aficionados"),
            ("At 5am", "A las 17:00"),
            ("At 5pm", "A las 18:00"),
            ("17 people", "5 personas"),
            ("in twenty minutes", "en 30 minutos"),
            ("1990 people", "90 personas"),
            ("a million people", "10 millones de personas"),
            ("15 and 15", "15"),
        ] {
            differ("es", source, text);
        }
        differ("ja", "2.5 million people", "25万人");
        differ("ja", "the 20th", "三十日");
    }

    #[test]
    fn a_time_may_be_in_twelve_or_in_24_hours() {
        for (to, text) in [
            ("es", "A las 17:00"),
            ("es", "A las 5 p. m."),
            ("es-MX", "A las 5\u{202f}p.m."),
            ("es", "A las cinco de la tarde"),
            ("de", "Um 17 Uhr"),
            ("fr", "À 17h"),
            ("pt", "Às 17h"),
            ("ja", "午後5時"),
            ("ja", "17時"),
            ("ko", "오후 5시"),
            ("zh", "下午5点"),
            ("el", "Στις 5 μ.μ."),
        ] {
            same(to, "At 5pm", text);
        }
        same("es", "At 7:30 PM", "A las 19:30");
        same("es", "At seven tonight", "A las 19:00");
        same("es", "At 12am", "A las 0:00");
    }

    #[test]
    fn a_large_number_may_have_a_word() {
        for (to, source, text) in [
            ("ja", "a million people", "100万人"),
            ("ja", "1.5 billion people", "15億人"),
            ("ja", "125,000 people", "12万5000人"),
            ("zh", "2.5 million", "250万"),
            ("ko", "30 million", "3천만"),
            ("es", "3 million", "3.000.000"),
            ("es", "3 million", "tres millones"),
            ("es", "5 billion", "5.000 millones"),
            ("es", "5 billion", "5 mil millones"),
            ("es", "20k", "20 mil"),
            ("es", "2.5k", "2500"),
            ("es", "1.2 million", "1,2 millones"),
            ("de", "1.5 million", "1,5 Mio."),
            ("de", "2 billion", "2 Mrd."),
            ("ru", "20 thousand", "20 тыс."),
            ("ru", "1.5 billion", "1,5 млрд"),
            ("pl", "20 thousand", "20 tys."),
            ("hi", "500,000", "5 लाख"),
            ("hi", "20 million", "2 करोड़"),
            ("pt", "5 billion", "5 bilhões"),
            ("th", "3 million", "3 ล้าน"),
            ("ar", "3 million", "3 ملايين"),
        ] {
            same(to, source, text);
        }
    }

    #[test]
    fn a_number_may_be_a_word() {
        for (to, source, text) in [
            ("ja", "twenty minutes", "20分"),
            ("ja", "half a minute", "約30秒"),
            ("ja", "half an hour", "30分"),
            ("ja", "an hour and a half", "90分"),
            ("ja", "two dozen people", "24人"),
            ("ja", "the nineties", "90年代"),
            ("ja", "thirty-one days", "31日"),
            ("ja", "one hundred and fifty", "150"),
            ("ja", "half a million", "50万"),
            ("ja", "two and a half million", "250万"),
            ("ja", "nineteen ninety", "1990年"),
            ("ja", "20 people", "二十人"),
            ("es", "the 14th", "XIV"),
            ("es", "Louis XVI", "Luis 16"),
            ("es", "25 people", "veinticinco personas"),
            ("es", "31 days", "treinta y un días"),
            ("es", "in the 1990s", "en los años 90"),
            ("es", "in the 90s", "en los noventa"),
            ("ca", "25 people", "vint-i-cinc persones"),
            ("fr", "75 people", "soixante-quinze personnes"),
            ("fr", "92 people", "quatre-vingt-douze personnes"),
            ("de", "25 people", "fünfundzwanzig Leute"),
            ("de", "the 90s", "die 90er"),
            ("it", "21 days", "ventuno giorni"),
            ("ru", "25 people", "двадцать пять человек"),
            ("pt", "200 people", "duzentas pessoas"),
            ("es", "50% of it", "la mitad"),
        ] {
            same(to, source, text);
        }
    }
}
