//! Decides what is certainly a quantity, and reads it. Whatever may be something else remains as the author wrote it: a
//! version, a score, a phone number, a year, a date, a room, an address, code.
//!
//! A number is a quantity
//!
//! - if its digits stand in groups (`1,250,000`), in the source's notation or, with several groups or both marks, in any;
//! - if it has a decimal mark, and a unit, a currency, a percent sign or a word such as *million* beside it;
//! - if it has the source's decimal mark, and the words around it are those of a quantity: no name, no *chapter* before
//!   it and, where the mark is a point, as in versions, a noun after it;
//! - if it is a percentage: the place of the sign and the space before it are the language's.
//!
//! One mark with three digits after it is in doubt unless it is how the source groups: `1.250` in an English text is
//! 1250 to one author and 1.25 to another. So is `1,250` in a Spanish one. Digits without marks remain, as they may be a
//! year, a code or a postal code.

use std::ops::Range;

use super::{Notation, Plain};
use crate::text::numbers::{CURRENCIES, is_unit, is_without_spaces};

/// Words before a number that is a name or part of one.
#[rustfmt::skip]
const LABELS: &[&str] = &[
    "#", "§", "article", "artículo", "art", "bible", "build", "bus", "cap", "capítulo", "ch", "chap",
    "chapitre", "chapter", "chapters", "channel", "channels", "clause", "code", "episode", "ep", "exercise",
    "fig", "figure", "firmware", "flight", "gate", "id", "isbn", "issn", "item", "items", "kap", "kapitel",
    "kernel", "level", "lesson", "line", "lines", "model", "n", "no", "nos", "nr", "núm", "num", "number",
    "numbers", "p", "page", "pages", "para", "paragraph", "part", "phone", "pin", "pp", "patch", "platform",
    "psalm", "rev", "revision", "release", "room", "rooms", "route", "rule", "seat", "sec", "section",
    "sección", "sections", "seite", "step", "tel", "track", "unit", "v", "ver", "vers", "verse", "verses",
    "versión", "version", "versione", "versions", "vol", "volume", "zip", "№",
    // Names that people write without capitals.
    "android", "angular", "bluetooth", "chatgpt", "chrome", "claude", "css", "cuda", "debian", "deepseek",
    "directx", "django", "docker", "fedora", "firefox", "gcc", "gemini", "git", "go", "golang", "gpt", "grok",
    "html", "http", "https", "ios", "ipados", "java", "kotlin", "kubernetes", "laravel", "linux", "llama",
    "macos", "mac", "mysql", "node", "nodejs", "numpy", "opengl", "openssl", "pandas", "php", "postgres",
    "postgresql", "python", "pytorch", "qwen", "rails", "react", "redis", "ruby", "rust", "safari", "scala",
    "spring", "sqlite", "ssl", "svelte", "swift", "tls", "typescript", "ubuntu", "unity", "usb", "vue",
    "watchos", "web", "wifi", "win", "windows", "wordpress", "バージョン", "第", "版本", "버전", "เวอร์ชัน", "גרסה",
    "संस्करण", "версия", "версії", "глава",
];

/// Words after a number that is no quantity: no noun, or one of software. English, as most languages with a decimal
/// point in dispute; and the commonest Spanish ones, for the countries that write a point.
#[rustfmt::skip]
const NO_NOUNS: &[&str] = &[
    "a", "about", "adds", "after", "alpha", "also", "am", "an", "and", "are", "as", "at", "because", "before",
    "beta", "branch", "brings", "build", "but", "by", "came", "can", "comes", "con", "could", "de", "did",
    "do", "does", "drops", "edition", "edt", "el", "en", "engine", "es", "est", "está", "firmware", "fixes",
    "fm", "for", "from", "gmt", "had", "has", "have", "he", "here", "i", "if", "in", "introduces", "is", "it",
    "just", "kernel", "la", "lands", "launches", "may", "model", "no", "not", "now", "o", "of", "on",
    "onwards", "or", "out", "para", "patch", "pm", "por", "pt", "que", "rc", "release", "released",
    "releases", "requires", "runs", "se", "sharp", "she", "ships", "should", "since", "so", "still",
    "supports", "than", "that", "the", "then", "they", "this", "to", "today", "tomorrow", "tonight", "update",
    "upgrade", "utc", "v", "version", "vs", "was", "we", "were", "when", "where", "which", "while", "who",
    "will", "with", "works", "would", "y", "ya", "you", "章", "節", "节", "版", "系", "장", "판",
];

/// Words after a number that is certainly a quantity.
#[rustfmt::skip]
const MEASURES: &[&str] = &[
    "acre", "acres", "billion", "billions", "bn", "cent", "cents", "crore", "day", "days", "degree", "degrees", "magnitude", "percentage",
    "dollars", "euros", "feet", "foot", "ft", "gallon", "gallons", "hour", "hours", "hr", "hrs", "inch",
    "inches", "k", "kilo", "kilometers", "kilometres", "kilos", "lakh", "lb", "lbs", "litre", "litres",
    "liter", "liters", "m", "mi", "mil", "mile", "miles", "million", "millions", "millones", "millón",
    "minute", "minutes", "months", "month", "mph", "ounce", "ounces", "oz", "percent", "point", "points",
    "pounds", "seconds", "square", "star", "stars", "thousand", "times", "tn", "tons", "tonnes", "trillion",
    "weeks", "x", "yards", "year", "years", "yr", "yrs",
];

/// Codes of currencies that people write before an amount.
const CODES: [&str; 16] = [
    "AUD", "BRL", "CAD", "CHF", "CNY", "DKK", "EUR", "GBP", "INR", "JPY", "MXN", "NOK", "SEK", "USD", "ZAR",
    "Rs",
];

/// Words that have a capital only because they begin a sentence.
#[rustfmt::skip]
const STARTS: [&str; 30] = [
    "a", "about", "almost", "an", "and", "around", "at", "by", "for", "from", "in", "just", "nearly", "of", "on", "only",
    "or", "over", "roughly", "some", "than", "the", "their", "this", "to", "un", "una", "under", "with", "your",
];

/// What the number at `range` of `text` becomes, if it is certainly a quantity.
pub(super) fn rewrite(text: &str, range: &Range<usize>, from: &Notation, to: &Notation) -> Option<String> {
    let token = Token::of(&text[range.clone()])?;
    let around = Around { text, range };
    let rewritten = |digits: &str| -> Option<String> {
        let reading = Reading::of(digits, from)?;
        around.is_quantity(&reading, &token, from).then(|| to.write(&reading.number))
    };
    let number = match token.digits.split_once(['-', '–']) {
        None => rewritten(token.digits),
        // A range; one of its ends may be a whole number.
        Some((first, last)) => {
            let ends = [first, last].map(|end| rewritten(end).ok_or(end));
            let all_digits = |end: &Result<String, &str>| end.as_ref().err().is_none_or(|end| is_digits(end));
            let mark = &token.digits[first.len()..token.digits.len() - last.len()];
            let certain = ends.iter().any(Result::is_ok) && ends.iter().all(all_digits);
            let [first, last] = ends.map(|end| end.unwrap_or_else(str::to_owned));
            certain.then(|| format!("{first}{mark}{last}"))
        }
    };
    let is_percent = token.unit == "%" || token.before.contains('%');
    match number {
        Some(number) if is_percent => Some(token.as_percent(&number, to)),
        Some(number) => Some(format!("{}{number}{}{}", token.before, token.space, token.unit)),
        None if is_percent && token.digits.split(['-', '–']).all(is_digits) && around.is_free() => {
            Some(token.as_percent(token.digits, to))
        }
        None => None,
    }
}

/// The number that `digits` are in this notation, if that is certain of the digits alone.
#[cfg(test)]
pub(super) fn read(digits: &str, notation: &Notation) -> Option<Plain> {
    if is_digits(digits) {
        return Some(Plain { whole: digits.to_owned(), fraction: None });
    }
    Reading::of(digits, notation).map(|reading| reading.number)
}

/// The word before a place in a text, without marks: that of *at 5* before 5.
pub(super) fn word_before(text: &str, at: usize) -> &str {
    let before =
        text[..at].trim_end_matches([' ', '\u{a0}', '\u{202f}', '.', ':', '(', '"', '“', '$', '€', '£']);
    let start = before
        .rfind(|c: char| !c.is_alphanumeric())
        .map_or(0, |start| start + before[start..].chars().next().map_or(0, char::len_utf8));
    let word = &before[start..];
    // A mark on its own, such as # and §.
    if word.is_empty() && !before.is_empty() {
        let last = before.chars().next_back().map_or(0, char::len_utf8);
        return &before[before.len() - last..];
    }
    word
}

/// Whether a number after this word may be part of a name: *iOS 17.4*, *chapter 3.5*.
pub(super) fn is_name(word: &str) -> bool {
    let is_capital = word.chars().any(char::is_uppercase);
    (is_capital && !STARTS.iter().any(|start| start.eq_ignore_ascii_case(word))) || is_label(word)
}

fn is_label(word: &str) -> bool {
    let lower = word.to_lowercase();
    LABELS.contains(&lower.as_str())
        // Without spaces, the label ends what is before the number.
        || (lower.ends_with(is_without_spaces)
            && LABELS.iter().any(|label| label.starts_with(is_without_spaces) && lower.ends_with(label)))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// A number with what belongs to it.
struct Token<'a> {
    /// Its sign, its currency, or the percent sign of Turkish and Basque.
    before: &'a str,
    digits: &'a str,
    space: &'a str,
    unit: &'a str,
}

impl<'a> Token<'a> {
    fn of(token: &'a str) -> Option<Self> {
        let start = token.find(|c: char| c.is_ascii_digit())?;
        let end = token.rfind(|c: char| c.is_ascii_digit())? + 1;
        let (before, digits, after) = (&token[..start], &token[start..end], &token[end..]);
        let unit = after.trim_start_matches([' ', '\u{a0}', '\u{202f}']);
        let is_number = digits.chars().all(|c| c.is_ascii_digit() || !c.is_alphanumeric())
            && !before.contains(char::is_alphanumeric)
            && (after.is_empty() || is_unit(unit));
        is_number.then(|| Self { before, digits, space: &after[..after.len() - unit.len()], unit })
    }

    fn as_percent(&self, number: &str, to: &Notation) -> String {
        let before = self.before.trim_end_matches(['%', ' ', '\u{a0}']);
        // A Turkish sign follows the percent sign in no text; a minus stays in front.
        format!("{before}{}", to.percent.replace('0', number))
    }

    fn has_currency(&self) -> bool {
        self.before.contains(CURRENCIES) || self.unit.contains(CURRENCIES)
    }
}

/// How surely the digits of a number say what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In groups that nobody writes otherwise.
    Grouped,
    /// In groups with the full stop, which a text in this notation has in versions and addresses.
    GroupedWithPoints,
    /// With the notation's decimal mark.
    Decimal,
    /// With a decimal mark of other languages.
    ForeignDecimal,
}

struct Reading {
    number: Plain,
    form: Form,
    /// The marks between the digits.
    pieces: usize,
}

impl Reading {
    /// Reads digits with marks; `None` if they are not a number, or in doubt.
    fn of(digits: &str, notation: &Notation) -> Option<Self> {
        let is_mark = |c: char| !c.is_ascii_digit();
        let first_mark = digits.chars().find(|c| is_mark(*c))?;
        let last_mark = digits.chars().rfind(|c| is_mark(*c))?;
        let known = |c: char| matches!(c, '.' | ',' | '\'' | '’' | '\u{a0}' | '\u{202f}' | '\u{2009}');
        if !known(first_mark)
            || !known(last_mark)
            || digits.chars().any(|c| is_mark(c) && c != first_mark && c != last_mark)
        {
            return None;
        }
        let pieces: Vec<&str> = digits.split(is_mark).collect();
        let reading = |groups: &[&str], fraction: Option<&str>, form| {
            let number = Plain { whole: groups.concat(), fraction: fraction.map(str::to_owned) };
            Some(Self { number, form, pieces: pieces.len() })
        };
        if first_mark != last_mark {
            // The last mark is the decimal one, and there is only one of it.
            let (fraction, groups) = pieces.split_last()?;
            let one = digits.matches(last_mark).count() == 1 && matches!(last_mark, '.' | ',');
            return (one && are_groups(groups, first_mark))
                .then(|| reading(groups, Some(fraction), Form::Grouped))?;
        }
        let mark = first_mark;
        if let [whole, fraction] = pieces[..] {
            let groups = are_groups(&pieces, mark);
            return match mark {
                '.' | ',' if mark == notation.group && groups => reading(&pieces, None, Form::Grouped),
                // Three digits after a mark may be a group: `1.250`, but not `0.125` or `1234.125`.
                '.' | ',' if groups || (whole.len() > 1 && whole.starts_with('0')) => None,
                '.' | ',' if mark == notation.decimal => reading(&[whole], Some(fraction), Form::Decimal),
                '.' | ',' => reading(&[whole], Some(fraction), Form::ForeignDecimal),
                _ if groups => reading(&pieces, None, Form::Grouped),
                _ => None,
            };
        }
        let form = if mark == '.' { Form::GroupedWithPoints } else { Form::Grouped };
        are_groups(&pieces, mark).then(|| reading(&pieces, None, form))?
    }
}

/// Whether these are the groups of one number: three digits each, or with commas also twos before the last three.
fn are_groups(groups: &[&str], mark: char) -> bool {
    let [first, middle @ .., last] = groups else { return false };
    let all = |length: usize| middle.iter().all(|group| group.len() == length);
    let starts = |most: usize| (1..=most).contains(&first.len()) && !first.starts_with('0');
    last.len() == 3 && ((starts(3) && all(3)) || (mark == ',' && starts(2) && all(2)))
}

/// A number's place in its text.
struct Around<'a> {
    text: &'a str,
    range: &'a Range<usize>,
}

impl<'a> Around<'a> {
    fn is_quantity(&self, reading: &Reading, token: &Token<'_>, from: &Notation) -> bool {
        let word = word_before(self.text, self.range.start);
        let measured =
            !token.unit.is_empty() || token.has_currency() || self.is_measured() || self.follows_currency();
        let whole = reading.number.whole.as_str();
        let fraction = reading.number.fraction.as_deref().unwrap_or_default();
        let free = self.is_free();
        match reading.form {
            Form::Grouped => free && !is_label(word),
            Form::GroupedWithPoints => {
                let grouped = from.group == '.' || whole.ends_with("000");
                // An IP address has four numbers up to 255.
                free && !is_label(word) && (measured || (grouped && reading.pieces != 4))
            }
            _ if !free || self.is_coordinate(token, fraction) => false,
            Form::Decimal | Form::ForeignDecimal if measured => {
                // `12.45 h` is a time.
                let is_time = reading.form == Form::ForeignDecimal
                    && token.unit == "h"
                    && is_time_like(whole, fraction);
                !is_time && !is_label(word)
            }
            // A version has a point. Names have capitals, but so have nouns: of *Schnitt 2,5* and *Joh 3,16* the second
            // is no quantity.
            Form::Decimal if from.decimal == ',' => {
                !is_label(word) && (fraction.len() == 1 || !is_name(word)) && fraction.len() < 4
            }
            Form::Decimal => {
                let like_another = fraction.len() > 3 || is_time_like(whole, fraction);
                !is_name(word) && !like_another && self.has_noun()
            }
            Form::ForeignDecimal => false,
        }
    }

    /// Whether the number is joined to nothing, and in no code.
    fn is_free(&self) -> bool {
        // Letters before a currency belong to it: US$.
        let has_currency = self.text[self.range.start..].starts_with(CURRENCIES);
        let joined_before = !has_currency
            && self.before().is_some_and(|c| {
                !(c.is_whitespace()
                    || "([{\"“„«¿¡‘'—–~≈<>≤≥،、。，：（「*".contains(c)
                    || is_without_spaces(c)
                    || c == '\u{200f}')
            });
        let rest = &self.text[self.range.end..];
        let joined_after = rest.starts_with(['/', '_', '\\', '=', '^', '@', '#', '×']);
        let in_code = self.text.contains('`') && self.text[..self.range.start].matches('`').count() % 2 == 1;
        !joined_before && !joined_after && !in_code
    }

    /// `R$ 3.50`, `EUR 3.50`
    fn follows_currency(&self) -> bool {
        let before = self.text[..self.range.start].trim_end();
        before.ends_with(CURRENCIES) || CODES.iter().any(|code| before.ends_with(code))
    }

    fn before(&self) -> Option<char> {
        self.text[..self.range.start].chars().next_back()
    }

    /// The word after the number, with whether it is joined to it.
    fn word_after(&self) -> (&'a str, bool) {
        let rest = &self.text[self.range.end..];
        let word = rest.trim_start_matches([' ', '\u{a0}', '\u{202f}', '-']);
        let end = word.find(|c: char| !c.is_alphanumeric()).unwrap_or(word.len());
        (&word[..end], word.len() == rest.len())
    }

    /// Whether a word that measures follows: `million`, or the letter of `2.5k`.
    fn is_measured(&self) -> bool {
        let (word, joined) = self.word_after();
        let lower = word.to_lowercase();
        (joined && ["k", "m", "b", "bn", "mn", "tn", "mm"].contains(&lower.as_str()))
            || MEASURES.contains(&lower.as_str())
    }

    /// Whether a noun follows: a word in lower case that is none of [`NO_NOUNS`].
    fn has_noun(&self) -> bool {
        let (word, _) = self.word_after();
        if self.text[self.range.end..].starts_with('-') {
            return false;
        }
        let Some(first) = word.chars().next() else { return false };
        if is_without_spaces(first) {
            return !NO_NOUNS
                .iter()
                .any(|other| other.starts_with(is_without_spaces) && word.starts_with(other));
        }
        word.len() > 1 && !first.is_uppercase() && first.is_alphabetic() && !NO_NOUNS.contains(&word)
    }

    /// `40.4168° N`, `40.41680, -3.70380`
    fn is_coordinate(&self, token: &Token<'_>, fraction: &str) -> bool {
        let direction = matches!(self.word_after().0, "N" | "S" | "E" | "W" | "O");
        (token.unit == "°" && (direction || fraction.len() > 3)) || (token.unit.is_empty() && direction)
    }
}

/// Whether two digits after a mark may be minutes.
fn is_time_like(whole: &str, fraction: &str) -> bool {
    let number = |digits: &str| digits.parse::<u32>().unwrap_or(u32::MAX);
    fraction.len() == 2 && number(whole) <= 24 && number(fraction) < 60
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;

    #[track_caller]
    fn remains(from: &str, text: &str) {
        for to in ["es", "de", "hi", "fr", "tr"] {
            assert_eq!(written(from, to, text), text, "{from} to {to}");
        }
    }

    #[test]
    fn a_quantity_is_written_as_the_language_does() {
        let text = "1,250,000 euros, 12,000, 1,000 people, 89.9%, $3.74 and 3.5 km";
        for (to, expected) in [
            ("es", "1.250.000 euros, 12.000, 1000 people, 89,9\u{a0}%, $3,74 and 3,5 km"),
            ("es-MX", "1,250,000 euros, 12,000, 1,000 people, 89.9%, $3.74 and 3.5 km"),
            ("es-US", "1,250,000 euros, 12,000, 1,000 people, 89.9%, $3.74 and 3.5 km"),
            ("ca", "1.250.000 euros, 12.000, 1.000 people, 89,9\u{a0}%, $3,74 and 3,5 km"),
            ("de", "1.250.000 euros, 12.000, 1.000 people, 89,9\u{a0}%, $3,74 and 3,5 km"),
            ("pl", "1\u{a0}250\u{a0}000 euros, 12\u{a0}000, 1000 people, 89,9%, $3,74 and 3,5 km"),
            (
                "fr",
                "1\u{202f}250\u{202f}000 euros, 12\u{202f}000, 1\u{202f}000 people, 89,9\u{a0}%, $3,74 and 3,5 km",
            ),
            ("pt-BR", "1.250.000 euros, 12.000, 1.000 people, 89,9%, $3,74 and 3,5 km"),
            ("pt-PT", "1\u{a0}250\u{a0}000 euros, 12\u{a0}000, 1000 people, 89,9%, $3,74 and 3,5 km"),
            ("hi", "12,50,000 euros, 12,000, 1,000 people, 89.9%, $3.74 and 3.5 km"),
            ("tr", "1.250.000 euros, 12.000, 1.000 people, %89,9, $3,74 and 3,5 km"),
            ("ja", text),
            ("ar", text),
        ] {
            assert_eq!(written("en", to, text), expected, "{to}");
        }
    }

    #[test]
    fn a_number_is_read_in_the_notation_of_its_source() {
        for (from, text, expected) in [
            ("es", "1.250 personas y 3,5 km", "1,250 personas y 3.5 km"),
            ("es", "un 45 % y 12.000,50 €", "un 45% y 12,000.50 €"),
            ("fr", "1\u{202f}250 habitants", "1,250 habitants"),
            ("de", "im Schnitt 2,5.", "im Schnitt 2.5."),
            ("de-CH", "12’000 Leute", "12,000 Leute"),
            ("hi", "12,50,000 लोग", "1,250,000 लोग"),
            ("tr", "oran %89,9 oldu", "oran 89.9% oldu"),
            ("es", "3.5 km y 1,250,000", "3.5 km y 1,250,000"),
        ] {
            assert_eq!(written(from, "en", text), expected, "{from}");
        }
        assert_eq!(
            written("en", "de", "1.250.000 people and 1.250,50 euros"),
            "1.250.000 people and 1.250,50 euros"
        );
        assert_eq!(written("en", "fr", "3,5 km"), "3,5 km");
    }

    #[test]
    fn a_decimal_is_a_quantity_before_a_noun_or_a_measure() {
        for (text, expected) in [
            ("scored 3.5 points", "scored 3,5 points"),
            ("an average of 3.5 children", "an average of 3,5 children"),
            ("about 2.5 million", "about 2,5 million"),
            ("$2.5k and 1.5bn", "$2,5k and 1,5bn"),
            ("between 1.5-2.5 km", "between 1,5-2,5 km"),
            ("10-12.5%", "10-12,5\u{a0}%"),
            ("0.125 mm", "0,125 mm"),
            ("-3.5°C", "-3,5°C"),
            ("9.58 seconds", "9,58 seconds"),
            ("a 3.5-inch disk", "a 3,5-inch disk"),
            ("The 6.2 magnitude quake", "The 6,2 magnitude quake"),
            ("US$1,250,000", "US$1.250.000"),
            ("R$ 3.50", "R$ 3,50"),
            ("up 0.25 percentage points", "up 0,25 percentage points"),
            ("100% sure", "100\u{a0}% sure"),
        ] {
            assert_eq!(written("en", "es", text), expected, "{text}");
        }
    }

    #[test]
    fn what_may_be_something_else_remains() {
        for text in [
            "version 3.5 brings",
            "v2.0",
            "2.1.3",
            "iOS 17.4 is out",
            "Python 3.5 users",
            "python 3.5 users",
            "chapter 3.5 says",
            "GPT 4.5 models",
            "GPT-4.5 models",
            "gpt-4.5 models",
            "the 3.5 update",
            "1.250 people",
            "1.250.300 people",
            "01.5 km",
            "call 555-1234",
            "+34 600 123 456",
            "3-1",
            "2026",
            "in 1984",
            "24/11/2026",
            "24.11.2026",
            "2026-11-24",
            "at 9.30 sharp",
            "at 10:30",
            "room 1,204",
            "Room 204",
            "gate 12",
            "No. 1,250",
            "#1,250",
            "§ 1,250",
            "Boeing 737",
            "1080p",
            "192.168.100.200",
            "10.0.0.1",
            "16:9",
            "ISBN 978-3-16-148410-0",
            "40.4168° N",
            "40.4168°, -3.7038°",
            "1/2",
            "3.5/5",
            "12000 people",
            "1,2 and 3",
            "x=3.5 meters",
            "`x = 3.5 km`",
            "pages 120,121",
            "1,25,0",
            "00,123",
            "Psalm 119.105 says",
            "it is 3.5.",
            "2.0-beta",
            "web 2.0 sites",
            "H1N1",
            "1st",
            "0.1.250",
        ] {
            remains("en", text);
        }
        for text in [
            "1,250 personas",
            "versión 3.5",
            "um 12.45 Uhr",
            "Johannes 3,16",
            "12.45 h",
            "24.11.",
            "de 3,1416 a más",
            "192.168.100.200",
        ] {
            remains("es", text);
        }
        remains("ja", "バージョン3.5の機能");
        remains("zh", "第3.5章");
    }
}
