//! Finds numbers with what belongs to them: signs, units, percents, amounts, dates, times, and names with digits in
//! them. A model may round a number, an engine may turn a comma into a point, and then the post has a wrong price.

use std::ops::Range;

/// What may follow a number as its unit, with or without a space between.
pub(super) const UNITS: [&str; 49] = [
    "%", "‰", "°C", "°F", "°", "€", "£", "$", "¥", "₹", "km/h", "km²", "km", "m/s", "m²", "m³", "cm", "mm",
    "mi", "m", "ft", "kg", "mg", "g", "lb", "oz", "ml", "mph", "ha", "h", "min", "ms", "am", "pm", "a.m.",
    "p.m.", "AM", "PM", "kB", "MB", "GB", "TB", "kHz", "MHz", "GHz", "kWh", "MWh", "MW", "kW",
];

/// What may be between two digits of one number, date or time.
const BETWEEN: [char; 11] = ['.', ',', ':', '/', '-', '–', '−', '\'', '’', '·', '٫'];

/// Where numbers are, in bytes.
///
/// Ordinals and decades (`1st`, `90s`) are words of their language, and are left for translation.
pub fn numbers(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(digit) = text[from..].find(char::is_numeric).map(|at| from + at) {
        let start = begin(text, from, digit);
        let end = end(text, digit);
        if !is_word(&text[start..end]) {
            found.push(start..with_unit(text, end));
        }
        // Continue after the digit at least, and never within what was taken.
        from = found.last().map_or(end, |last: &Range<usize>| last.end.max(end));
    }
    found
}

/// Goes back to the start of the word that contains the digit, including a sign or a currency before it.
fn begin(text: &str, from: usize, digit: usize) -> usize {
    let before = &text[from..digit];
    let word = before.trim_end_matches(char::is_alphanumeric);
    let mut start = from + word.len();
    if word.len() == before.len() {
        start = from + word.trim_end_matches(['$', '€', '£', '¥', '₹']).len();
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
        end += rest.len() - rest.trim_start_matches(char::is_alphanumeric).len();
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

/// `1st`, `22nd`, `90s`.
fn is_word(token: &str) -> bool {
    let tail = token.trim_start_matches(|c: char| c.is_ascii_digit());
    tail.len() < token.len() && ["st", "nd", "rd", "th", "s", "'s", "’s"].contains(&tail)
}

fn with_unit(text: &str, end: usize) -> usize {
    let rest = &text[end..];
    let unit = rest.strip_prefix([' ', '\u{a0}', '\u{202f}']).unwrap_or(rest);
    let Some(found) = UNITS.iter().find(|name| {
        unit.strip_prefix(**name).is_some_and(|after| !after.starts_with(char::is_alphanumeric))
    }) else {
        return end;
    };
    text.len() - unit.len() + found.len()
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
    fn ranges_are_in_order_and_whole_characters_whatever_the_text() {
        for text in ["1", "$", "1€€1", "-1--1", "a1b2.c3", "１．５", "1\u{a0}2", "9".repeat(300).as_str()]
        {
            let mut end = 0;
            for range in numbers(text) {
                assert!(range.start >= end && range.start < range.end, "{text}: {range:?}");
                assert!(text.get(range.clone()).is_some());
                end = range.end;
            }
        }
    }
}
