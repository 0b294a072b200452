//! Writes numbers as the target's readers do. A reader in Madrid takes `1,000` for one, so an engine must not decide
//! about it, and a copy of the author's form is wrong: a number that is certainly a quantity, and a time with *am* or
//! *pm*, comes back in the notation of the target language, whatever the engine.
//!
//! - [`quantity`] decides what is certainly a quantity, by its marks and by the words around it. Versions, scores, phone
//!   numbers, years and whatever is in doubt stay as they are.
//! - [`clock`] reads times of day with *am* and *pm*. A time is rewritten for all engines, not only for those that
//!   cannot: people do so nearly always, and one form for all engines is one that the gate can compare.
//! - [`cldr`] is how each language writes both.
//!
//! Digits remain those of ASCII: CLDR's own choice for most languages, and read everywhere on social media, also where
//! it prefers others (Bengali, Persian, Marathi, Burmese, Nepali).

mod cldr;
mod clock;
mod quantity;

use std::ops::Range;

use cldr::Clock;

use crate::Language;

/// How numbers are written in a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::large_enum_variant, reason = "there is one for each target")]
pub enum Numbers {
    /// As in the post.
    #[default]
    AsWritten,
    /// As readers of the target language write them.
    Local(Rewriting),
}

/// From the notation of one language to that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rewriting {
    from: Notation,
    to: Notation,
}

/// The groups that digits are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Groups {
    /// `1,234,567`
    Threes,
    /// `12,34,567`: three, then twos.
    Indian,
}

/// How a language writes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Notation {
    decimal: char,
    group: char,
    /// How many digits must stand before the last group of three for it to be set apart.
    least: usize,
    groups: Groups,
    /// Percent, with `0` for the number.
    percent: &'static str,
    clock: Clock,
    /// Whether *am* and *pm* are only ever parts of a time. In German and Romanian, *am* is a word.
    has_halves: bool,
}

/// The digits of a number, without any marks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plain {
    whole: String,
    /// With the zeros that the author wrote.
    fraction: Option<String>,
}

/// Languages in which *am* or *pm* is a word.
const WITHOUT_HALVES: [&str; 3] = ["de", "ro", "vi"];

impl Rewriting {
    /// From how `from` writes numbers to how `to` does.
    pub fn between(from: Language, to: Language) -> Self {
        Self { from: Notation::of(from), to: Notation::of(to) }
    }

    /// Whether *am* and *pm* after a number belong to it.
    pub(super) fn has_halves(&self) -> bool {
        self.from.has_halves
    }

    /// What each of `numbers`, which are those of `text`, becomes; `None` if it remains as it is.
    pub(super) fn rewrite(&self, text: &str, numbers: &[Range<usize>]) -> Vec<Option<String>> {
        let mut written = clock::rewrite(text, numbers, self.to.clock, self.from.has_halves);
        for (written, range) in written.iter_mut().zip(numbers) {
            if written.is_none() {
                *written = quantity::rewrite(text, range, &self.from, &self.to);
            }
        }
        written
    }
}

impl Notation {
    fn of(language: Language) -> Self {
        let row = |code: &str| cldr::ROWS.iter().find(|row| row.0 == code);
        // Every known language is in the table, as a test checks. If one were not, its numbers would be as in English.
        let row = row(language.code()).or_else(|| row(language.base())).or_else(|| row("en"));
        let (_, decimal, group, least, groups, percent, clock) = *row.unwrap_or(&cldr::ROWS[0]);
        let has_halves = !WITHOUT_HALVES.contains(&language.base());
        Self { decimal, group, least, groups, percent, clock, has_halves }
    }

    /// Writes a number.
    fn write(&self, number: &Plain) -> String {
        let digits = &number.whole;
        let fraction = number.fraction.as_deref();
        let mut text = String::with_capacity(digits.len() * 2 + 1 + fraction.map_or(0, str::len));
        let grouped = digits.len() >= 3 + self.least;
        for (index, digit) in digits.char_indices() {
            let left = digits.len() - index;
            let starts_group = match self.groups {
                Groups::Threes => left.is_multiple_of(3),
                Groups::Indian => left == 3 || (left > 3 && left % 2 == 1),
            };
            if grouped && index > 0 && starts_group {
                text.push(self.group);
            }
            text.push(digit);
        }
        if let Some(fraction) = fraction {
            text.push(self.decimal);
            text.push_str(fraction);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use icu_decimal::{DecimalFormatter, input::Decimal, options::DecimalFormatterOptions};
    use icu_locale_core::Locale;
    use proptest::prelude::*;

    use super::{super::numbers::numbers_of, *};

    pub(super) fn rewriting(from: &str, to: &str) -> Rewriting {
        Rewriting::between(from.parse().unwrap(), to.parse().unwrap())
    }

    /// The text with its numbers as the target language writes them.
    pub(super) fn written(from: &str, to: &str, text: &str) -> String {
        let rewriting = rewriting(from, to);
        let ranges = numbers_of(text, rewriting.has_halves());
        let mut written = text.to_owned();
        for (range, number) in ranges.iter().zip(rewriting.rewrite(text, &ranges)).rev() {
            if let Some(number) = number {
                written.replace_range(range.clone(), &number);
            }
        }
        written
    }

    #[test]
    fn every_known_language_is_in_the_table() {
        for language in Language::all() {
            assert!(cldr::ROWS.iter().any(|row| row.0 == language.code()), "{language}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_written_as_icu_writes_it_and_read_back(
            digits in "[1-9][0-9]{0,11}",
            fraction in proptest::option::of("[0-9]{1,2}"),
        ) {
            let plain = Plain { whole: digits.clone(), fraction: fraction.clone() };
            let text = fraction.map_or(digits.clone(), |fraction| format!("{digits}.{fraction}"));
            for language in Language::all() {
                let notation = Notation::of(language);
                let written = notation.write(&plain);
                let tag = format!("{}-u-nu-latn", language.code());
                let locale = Locale::try_from_str(&tag).unwrap();
                let options = DecimalFormatterOptions::default();
                let formatter = DecimalFormatter::try_new(locale.into(), options).unwrap();
                let decimal: Decimal = text.parse().unwrap();
                prop_assert_eq!(&written, &formatter.format(&decimal).to_string(), "{}", language);
                prop_assert_eq!(quantity::read(&written, &notation), Some(plain.clone()), "{}", language);
            }
        }

        #[test]
        fn rewriting_never_panics_and_keeps_the_digits(text in "[0-9,.'’ \u{a0}:/–$€%a-z#pm-]{0,24}") {
            for (from, to) in [("en", "es"), ("es", "hi"), ("fr", "tr"), ("de", "en")] {
                let rewriting = rewriting(from, to);
                let ranges = numbers_of(&text, rewriting.has_halves());
                for (range, number) in ranges.iter().zip(rewriting.rewrite(&text, &ranges)) {
                    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
                    let is_time = text[range.clone()].contains('m');
                    if let Some(number) = number && !is_time && !text.contains('m') {
                        prop_assert_eq!(digits(&number), digits(&text[range.clone()]));
                    }
                }
            }
        }
    }
}
