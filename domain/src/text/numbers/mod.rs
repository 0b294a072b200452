//! Finds numbers with what belongs to them: signs, units, percents, amounts, dates, times, and names with digits in
//! them. A model may round a number, an engine may turn a comma into a point, and then the post has a wrong price.
//!
//! Words that are only [stuck](stuck) to a number, as in `18bucks`, do not belong to it: they are for the engine.

mod stuck;

use std::ops::Range;

use stuck::Stuck;

/// What may follow a number as its unit, with or without a space between: symbols, which are the same in all languages.
/// Units that are words of one language (`ft`, `mph`) are translated.
const UNITS: [&str; 51] = [
    "%", "‰", "°C", "°F", "°", "€", "£", "$", "¥", "₹", "₩", "₽", "₺", "₴", "₪", "₫", "km/h", "km²", "km",
    "m/s", "m²", "m³", "cm", "mm", "m", "kg", "mg", "g", "ml", "ha", "h", "min", "ms", "kB", "KB", "MB",
    "GB", "TB", "PB", "kHz", "MHz", "GHz", "Hz", "mAh", "kWh", "MWh", "GWh", "MW", "GW", "kW", "dB",
];

/// Units of a few letters that are also words or names, so that they belong to a number only without a space.
const UNITS_WITHOUT_SPACE: [&str; 18] = [
    "V", "A", "W", "L", "l", "cl", "dl", "px", "fps", "dpi", "µm", "nm", "ns", "µs", "Wh", "kbps", "Mbps",
    "Gbps",
];

/// The halves of a day behind a time.
#[rustfmt::skip]
const HALVES: [&str; 16] = [
    "am", "pm", "AM", "PM", "Am", "Pm", "a.m.", "p.m.", "A.M.", "P.M.", "a.m", "p.m", "a. m.", "p. m.",
    "a.\u{202f}m.", "p.\u{202f}m.",
];

/// Signs of currencies before a number.
pub(crate) const CURRENCIES: [char; 13] = ['$', '€', '£', '¥', '₹', '₩', '₽', '₺', '₴', '₪', '฿', '₫', '₱'];

/// What may be between two digits of one number, date or time.
const BETWEEN: [char; 11] = ['.', ',', ':', '/', '-', '–', '−', '\'', '’', '·', '٫'];

/// Where numbers are, in bytes.
///
/// Ordinals and decades (`1st`, `90s`) are words of their language, and are left for translation.
pub fn numbers(text: &str) -> Vec<Range<usize>> {
    numbers_of(text, true)
}

/// Where numbers are in a text of a language in which *am* and *pm* are only ever parts of a time, or are words too.
pub(super) fn numbers_of(text: &str, has_halves: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(digit) = text[from..].find(char::is_numeric).map(|at| from + at) {
        let start = begin(text, from, digit);
        let end = end(text, digit);
        match stuck::of(&text[start..end]) {
            Stuck::Word => {}
            Stuck::Nothing => found.push(start..with_unit(text, end, has_halves)),
            Stuck::Letters(letters) => found.push(start..end - letters),
        }
        // Continue after the digit at least, and never within what was taken.
        from = found.last().map_or(end, |last: &Range<usize>| last.end.max(end));
    }
    found
}

/// Whether this is a unit, or a half of the day.
pub(super) fn is_unit(word: &str) -> bool {
    UNITS.contains(&word) || UNITS_WITHOUT_SPACE.contains(&word) || HALVES.contains(&word)
}

/// Whether a letter is of a script that is written without spaces between words, or joins words to numbers: it is no
/// part of a name with digits.
pub(crate) fn is_without_spaces(c: char) -> bool {
    c >= '\u{590}' && c.is_alphabetic() && !c.is_uppercase() && !c.is_lowercase()
}

/// Whether a character may be part of a name with digits.
fn is_joined(c: char) -> bool {
    c.is_numeric() || (c.is_alphabetic() && !is_without_spaces(c))
}

/// Goes back to the start of the word that contains the digit, including a sign or a currency before it.
fn begin(text: &str, from: usize, digit: usize) -> usize {
    let before = &text[from..digit];
    let word = before.trim_end_matches(is_joined);
    let mut start = from + word.len();
    if word.len() == before.len() {
        start = from + word.trim_end_matches(CURRENCIES).trim_end_matches('%').len();
        let signed = &text[from..start];
        let bare = signed.trim_end_matches(['+', '−', '-', '~', '±']);
        if bare.is_empty() || bare.ends_with(|c: char| c.is_whitespace() || "([{«“\"".contains(c)) {
            start = from + bare.len();
        }
    }
    start
}

fn end(text: &str, digit: usize) -> usize {
    let mut end = digit;
    loop {
        let rest = &text[end..];
        end += rest.len() - rest.trim_start_matches(is_joined).len();
        let mut next = text[end..].chars();
        let (Some(between), Some(digit)) = (next.next(), next.next()) else { return end };
        // A space as thousands separator, which needs exactly three digits after it.
        let thousands = matches!(between, '\u{a0}' | '\u{202f}' | '\u{2009}')
            && text[end + between.len_utf8()..].chars().take_while(|c| c.is_numeric()).count() == 3;
        if !digit.is_numeric() || !(BETWEEN.contains(&between) || thousands) {
            return end;
        }
        end += between.len_utf8();
    }
}

fn with_unit(text: &str, end: usize, has_halves: bool) -> usize {
    let rest = &text[end..];
    let unit = rest.strip_prefix([' ', '\u{a0}', '\u{202f}']).unwrap_or(rest);
    // A word may follow with a space; with periods it is an abbreviation in any language.
    let halves = HALVES.iter().filter(|half| has_halves || half.contains('.') || unit.len() == rest.len());
    // Most words differ in their first letter.
    let first = unit.bytes().next();
    let mut names = UNITS.iter().chain(halves).filter(|name| name.bytes().next() == first);
    let found = names.find(|name| {
        unit.strip_prefix(**name).is_some_and(|after| !after.starts_with(char::is_alphanumeric))
    });
    found.map_or(end, |found| text.len() - unit.len() + found.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        numbers(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn a_number_is_found_with_what_belongs_to_it() {
        let cases: [(&str, &[&str]); 12] = [
            ("It costs $1,000.50 or 20 €.", &["$1,000.50", "20 €"]),
            (
                "From 10:30 to 12.45, 2026-11-24 or 24/11/2026.",
                &["10:30", "12.45", "2026-11-24", "24/11/2026"],
            ),
            ("Up 3.5 % and -7°C, 5 km away", &["3.5 %", "-7°C", "5 km"]),
            ("COVID-19, H1N1, B2B and MP3", &["19", "H1N1", "B2B", "MP3"]),
            ("at 7pm, 7 p.m. or 19h30", &["7pm", "7 p.m.", "19h30"]),
            ("1\u{202f}000\u{202f}000 people, 5 mice", &["1\u{202f}000\u{202f}000", "5"]),
            ("the 1st, the 90s, 2020s and 3rd", &[]),
            ("٣٫٥ and 百 and ３", &["٣٫٥", "３"]),
            ("2025–26 (+34 600)", &["2025–26", "+34", "600"]),
            ("3-1! 4, 5. 6", &["3-1", "4", "5", "6"]),
            ("½ cup, 5½ km", &["½", "5½ km"]),
            ("no digits", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn words_stuck_to_a_number_are_left_for_translation() {
        for (text, expected) in [
            ("18bucks", "18"),
            ("4000ft up", "4000"),
            ("16mph winds", "16"),
            ("75F today", "75"),
            ("$20k", "$20"),
            ("2.5k fans", "2.5"),
            ("3x the fun", "3"),
            ("50p each", "50"),
            ("$5m deal", "$5"),
            ("1.7T in debt", "1.7"),
            ("US$1,000bn", "$1,000"),
            ("2hrs left", "2"),
            ("5YRS AGO", "5"),
            ("16 mph", "16"),
            ("6 ft", "6"),
            ("20лет", "20"),
            ("2026年に", "2026"),
            ("3개를", "3"),
            ("約30秒", "30"),
            ("ประมาณ25คน", "25"),
            ("ב5 בערב", "5"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn a_name_with_digits_and_a_symbol_of_a_unit_are_one() {
        for name in [
            "H1N1",
            "B2B",
            "MP3",
            "4K",
            "4k",
            "5G",
            "1080p",
            "720p",
            "A4",
            "F1",
            "737MAX",
            "3D",
            "49ers",
            "PS5",
            "U2",
            "10km",
            "16GB",
            "5000mAh",
            "12kWh",
            "20°C",
            "60fps",
            "9to5",
            "2k16",
            "4x4",
            "1920x1080",
            "3M",
            "221B",
            "5pm",
            "7:30pm",
            "v2.0",
            "iOS17",
            "covid19",
            "2Pac",
            "100m",
        ] {
            assert_eq!(found(name), [name]);
        }
    }

    #[test]
    fn a_word_that_a_digit_is_the_sound_of_is_a_word() {
        for text in ["2day", "gr8", "l8r", "4ever", "b4", "2nite", "1,000th", "1er", "3ème", "1º", "2ª"] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn am_is_a_word_in_some_languages() {
        let text = "Platz 5 am Montag, 5am, 5 a.m.";
        let found: Vec<_> = numbers_of(text, false).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["5", "5am", "5 a.m."]);
    }

    #[test]
    fn ranges_are_in_order_and_whole_characters_whatever_the_text() {
        for text in [
            "1",
            "$",
            "1€€1",
            "-1--1",
            "a1b2.c3",
            "１．５",
            "1\u{a0}2",
            "9".repeat(300).as_str(),
            "二〇",
            "〇",
            "%5",
            "5ª%",
        ] {
            let mut end = 0;
            for range in numbers(text) {
                assert!(range.start >= end && range.start < range.end, "{text}: {range:?}");
                assert!(text.get(range.clone()).is_some());
                end = range.end;
            }
        }
    }
}
