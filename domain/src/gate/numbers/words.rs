//! Finds numbers that are written without digits: in words, as Roman numerals and in ideographs. They explain digits on
//! the other side, and need no explanation themselves.
//!
//! `words.txt` has the words of each language: a line with its code, then words and their values. They are from
//! num2words 0.5, with halves, dozens, feminines, and English ordinals and decades added. A word that is not there is a
//! false alarm at worst, as the number in digits then has no counterpart.

use std::{collections::HashMap, sync::LazyLock};

use super::{
    scale,
    value::{Mention, Value},
};

/// What a word is in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Number(u128),
    Half,
    Quarter,
    /// A power of ten: *thousand*.
    Scale(u32),
    /// *and*, *y*, *a*: it continues a number and begins none.
    Link,
    Other,
}

type Words = HashMap<&'static str, Word>;

static WORDS: LazyLock<HashMap<&'static str, Words>> = LazyLock::new(|| {
    let lines = include_str!("words.txt").lines();
    let word = |entry: &'static str| -> Option<(&'static str, Word)> {
        let (word, value) = entry.split_once('=')?;
        let value = match value {
            "½" => Word::Half,
            "¼" => Word::Quarter,
            number => Word::Number(number.parse().ok()?),
        };
        Some((word, value))
    };
    let line = |line: &'static str| {
        let (language, entries) = line.split_once(' ')?;
        Some((language, entries.split(' ').filter_map(word).collect()))
    };
    lines.filter_map(line).collect()
});

const LINKS: [&str; 22] = [
    "a", "an", "and", "de", "e", "een", "ein", "eine", "en", "et", "i", "of", "og", "ja", "och", "og", "si",
    "un", "und", "y", "și", "і",
];

/// Between the parts of a compound: fünf·und·zwanzig.
const JOINTS: [&str; 6] = ["und", "og", "en", "ën", "in", "a"];

/// Every number without digits.
pub(super) fn mentions(text: &str, language: &str) -> Vec<Mention> {
    let mut found: Vec<Vec<u128>> = Vec::new();
    let language = if matches!(language, "nb" | "nn") { "no" } else { language };
    let language = if matches!(language, "hr" | "bs") { "sr" } else { language };
    if let Some(known) = WORDS.get(language) {
        in_words(text, language, known, &mut found);
    }
    if scale::is_in_ideographs(language) {
        found.extend(in_ideographs(text).into_iter().map(|number| vec![number]));
    }
    found.extend(text.split(|c: char| !c.is_alphanumeric()).filter_map(roman).map(|number| vec![number]));
    let mention = |values: Vec<u128>| Mention {
        written: String::new(),
        is: values.into_iter().map(Value::from).collect(),
        may_be: Vec::new(),
        is_required: false,
        is_digits: false,
        is_morning: false,
    };
    found.into_iter().map(mention).collect()
}

/// A number as far as it is read.
#[derive(Default, Clone, Copy)]
struct Sum {
    /// Up to the last scale.
    total: u128,
    /// What the next scale multiplies.
    group: u128,
}

impl Sum {
    fn value(self) -> u128 {
        self.total.saturating_add(self.group)
    }

    /// Adds a number that continues this one: five after twenty, not after ten.
    fn continued(self, number: u128) -> Option<Self> {
        let group = self.group;
        let fits = (group.is_multiple_of(100) && number < 100)
            || (group.is_multiple_of(1000) && number < 1000)
            || (group.is_multiple_of(10) && group % 100 >= 20 && number < 10)
            // French: soixante-quinze, quatre-vingt-douze.
            || (matches!(group % 100, 60 | 80) && (10..20).contains(&number));
        if fits {
            return Some(Self { group: group + number, ..self });
        }
        // Two dozen, four score, quatre-vingts.
        let multiplies = matches!(number, 10 | 12 | 15 | 20 | 100) && (2..=9).contains(&(group % 100));
        multiplies.then(|| Self { group: group - group % 100 + group % 100 * number, ..self })
    }

    fn scaled(self, exponent: u32) -> Self {
        let power = 10_u128.saturating_pow(exponent);
        if exponent == 2 {
            Self { group: self.group.max(1).saturating_mul(power), ..self }
        } else if self.group == 0 && self.total > 0 {
            // Mil millones.
            Self { total: self.total.saturating_mul(power), group: 0 }
        } else {
            let more = self.group.max(1).saturating_mul(power);
            Self { total: self.total.saturating_add(more), group: 0 }
        }
    }
}

fn in_words(text: &str, language: &str, known: &Words, found: &mut Vec<Vec<u128>>) {
    let lower = text.to_lowercase();
    let lower = if language == "uk" { lower.replace(['\'', '’', 'ʼ'], "") } else { lower };
    let words: Vec<Word> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| read(word, language, known))
        .collect();
    let mut sum: Option<Sum> = None;
    let mut last: Option<u128> = None;
    for (index, word) in words.iter().enumerate() {
        let after = || words[index + 1..].iter().find(|word| **word != Word::Link);
        match *word {
            Word::Number(number) => {
                let continued = sum.and_then(|sum| sum.continued(number));
                if continued.is_none() {
                    last = sum.map(Sum::value).filter(|value| (10..100).contains(value));
                    found.extend(sum.map(|sum| vec![sum.value()]));
                }
                sum = Some(continued.unwrap_or(Sum { total: 0, group: number }));
            }
            Word::Scale(exponent) => sum = Some(sum.unwrap_or_default().scaled(exponent)),
            Word::Link => continue,
            Word::Half => {
                let before = sum.take().map(Sum::value);
                let mut values = match after() {
                    // Half a million, two and a half million.
                    Some(Word::Scale(exponent)) => {
                        let tenths = before.unwrap_or(0).saturating_mul(10).saturating_add(5);
                        vec![tenths.saturating_mul(10_u128.saturating_pow(exponent - 1))]
                    }
                    // Of an hour or a minute, of a hundred.
                    _ => vec![30, 50],
                };
                match before {
                    Some(hours) => values.push(hours.saturating_mul(60).saturating_add(30)),
                    // An hour and a half.
                    None if index > 0 && words[index - 1] == Word::Link => values.push(90),
                    None => {}
                }
                found.push(values);
                found.extend(before.map(|before| vec![before]));
            }
            Word::Quarter => {
                let parts = sum.take().map_or(1, Sum::value);
                found.push(vec![parts.saturating_mul(15), parts.saturating_mul(25)]);
            }
            Word::Other => found.extend(sum.take().map(|sum| vec![sum.value()])),
        }
        // Nineteen ninety; it may go on: twenty twenty-six.
        if let (Some(century), Some(sum)) = (last, sum)
            && !matches!(words.get(index + 1), Some(Word::Number(_)))
        {
            found.push(vec![century * 100 + sum.value()]);
            last = None;
        }
    }
    found.extend(sum.map(|sum| vec![sum.value()]));
    for values in found.iter_mut() {
        // The nineties.
        if let [decade @ (20 | 30 | 40 | 50 | 60 | 70 | 80 | 90)] = values[..] {
            values.push(1900 + decade);
        }
    }
}

fn read(word: &str, language: &str, known: &Words) -> Word {
    if let Some(found) = known.get(word).filter(|_| !(word.len() == 1 && word.is_ascii())) {
        return *found;
    }
    if LINKS.contains(&word) {
        return Word::Link;
    }
    if let Some(exponent) = scale::of_word(word, language).and_then(|exponent| u32::try_from(exponent).ok()) {
        return Word::Scale(exponent);
    }
    compound(word, known).map_or(Word::Other, Word::Number)
}

/// The value of a word made of others: *veinticinco*, *fünfundzwanzig*.
fn compound(word: &str, known: &Words) -> Option<u128> {
    let mut rest = word;
    let mut parts: Vec<u128> = Vec::new();
    while !rest.is_empty() {
        let joint = JOINTS.iter().filter(|_| !parts.is_empty()).find_map(|joint| rest.strip_prefix(joint));
        let part = longest(rest, known).map(|part| (part, rest)).or_else(|| {
            let rest = joint?;
            longest(rest, known).map(|part| (part, rest))
        });
        let ((number, length), from) = part?;
        parts.push(number);
        rest = &from[length..];
    }
    match parts[..] {
        [hundreds @ 1..=9, 100] => Some(hundreds * 100),
        // Two parts of different rank, in whatever order.
        [one, other] if (one < 10) != (other < 10) && one.max(other) >= 20 => Some(one + other),
        [one, ten, other] if ten == 100 && one < 10 => Some(one * 100 + other),
        _ => None,
    }
}

fn longest(text: &str, known: &Words) -> Option<(u128, usize)> {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
    let mut candidates = ends.filter(|end| *end > 2).filter_map(|end| match known.get(&text[..end]) {
        Some(Word::Number(number)) => Some((*number, end)),
        _ => None,
    });
    candidates.next()
}

/// Numerals of rulers and centuries, and years from 1000 on: `XIV`, `MMXXVI`. Others are words in capitals.
fn roman(word: &str) -> Option<u128> {
    const SIGNS: [(&str, u128); 13] = [
        ("M", 1000),
        ("CM", 900),
        ("D", 500),
        ("CD", 400),
        ("C", 100),
        ("XC", 90),
        ("L", 50),
        ("XL", 40),
        ("X", 10),
        ("IX", 9),
        ("V", 5),
        ("IV", 4),
        ("I", 1),
    ];
    let is_small = word.len() > 1 && word.bytes().all(|c| matches!(c, b'I' | b'V' | b'X' | b'L'));
    let is_year = word.len() > 3 && word.starts_with('M');
    if word.len() > 15 || !(is_small || is_year || word == "X" || word == "V") {
        return None;
    }
    let (mut rest, mut value) = (word, 0);
    for (sign, worth) in SIGNS {
        let most = if sign.len() == 1 && worth.to_string().starts_with('1') { 3 } else { 1 };
        for _ in 0..most {
            let Some(after) = rest.strip_prefix(sign) else { break };
            (rest, value) = (after, value + worth);
        }
    }
    rest.is_empty().then_some(value)
}

/// Numerals such as 二十五 and 三百万.
fn in_ideographs(text: &str) -> Vec<u128> {
    const DIGITS: [(char, u128); 13] = [
        ('〇', 0),
        ('零', 0),
        ('一', 1),
        ('二', 2),
        ('两', 2),
        ('兩', 2),
        ('三', 3),
        ('四', 4),
        ('五', 5),
        ('六', 6),
        ('七', 7),
        ('八', 8),
        ('九', 9),
    ];
    const UNITS: [(char, u128); 4] = [('十', 10), ('百', 100), ('千', 1000), ('廿', 20)];
    const LARGE: [(char, u128); 5] =
        [('万', 10_000), ('萬', 10_000), ('億', 100_000_000), ('亿', 100_000_000), ('兆', 1_000_000_000_000)];
    let value =
        |table: &[(char, u128)], c: char| table.iter().find(|(sign, _)| *sign == c).map(|(_, value)| *value);
    let is_numeral = |c: char| value(&DIGITS, c).or(value(&UNITS, c)).or(value(&LARGE, c)).is_some();
    let runs = text.split(|c: char| !is_numeral(c)).filter(|run| !run.is_empty());
    runs.map(|run| {
        let (mut total, mut group, mut digit): (u128, u128, u128) = (0, 0, 0);
        for c in run.chars() {
            if let Some(number) = value(&DIGITS, c) {
                // Digits in a row, as of a year: 一九九〇.
                digit = digit.saturating_mul(10).saturating_add(number);
            } else if let Some(unit) = value(&UNITS, c) {
                group = group.saturating_add(digit.max(1).saturating_mul(unit));
                digit = 0;
            } else if let Some(large) = value(&LARGE, c) {
                let times = group.saturating_add(digit).max(1);
                total = total.saturating_add(times.saturating_mul(large));
                (group, digit) = (0, 0);
            }
        }
        total.saturating_add(group).saturating_add(digit)
    })
    .collect()
}
