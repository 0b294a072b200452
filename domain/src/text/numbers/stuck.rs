//! Letters right after a number: a unit, a part of a name, or a word that the author did not set apart. A word must
//! reach the engine, or `18bucks` stays English in every language.

use super::{CURRENCIES, HALVES, UNITS, UNITS_WITHOUT_SPACE};

/// What the letters of a token are.
pub(super) enum Stuck {
    /// There are none, or they belong to the number or name.
    Nothing,
    /// The token is a word with digits in it: an ordinal, a decade, `2day`.
    Word,
    /// A word, which takes this many bytes at the token's end.
    Letters(usize),
}

/// Endings of ordinals and decades; those after the ninth also in Romance languages.
const ENDINGS: [&str; 18] = [
    "st", "nd", "rd", "th", "s", "'s", "’s", "ST", "ND", "RD", "TH", "er", "ère", "ème", "eme", "nde", "º",
    "ª",
];

/// Words in which a digit stands for its sound.
const SOUNDS: [&str; 38] = [
    "2b", "2c", "2day", "2do", "2gether", "2go", "2late", "2many", "2me", "2moro", "2morrow", "2mrw",
    "2much", "2night", "2nite", "2u", "4ever", "4eva", "4get", "4give", "4got", "4me", "4real", "4u", "any1",
    "b4", "every1", "gr8", "h8", "l8", "l8r", "m8", "no1", "sk8", "some1", "str8", "w8", "2hunnet",
];

/// Names that end in letters which could be a word.
#[rustfmt::skip]
const NAMES: [&str; 36] = [
    "2d", "2fa", "2g", "2k", "2pac", "23andme", "37signals", "3d", "3ds", "3g", "3m", "49ers", "4chan", "4d",
    "4g", "4k", "500px", "5g", "6g", "6ix", "76ers", "7up", "8chan", "8k", "99designs", "9gag", "144p",
    "240p", "360p", "480p", "720p", "1080i", "1080p", "1440p", "2160p", "4320p",
];

/// Words and abbreviations in capitals.
const CAPITALS: [&str; 31] = [
    "BN", "BUCKS", "DAYS", "F", "FT", "HOURS", "HR", "HRS", "K", "LB", "LBS", "M", "MILES", "MILLION",
    "MINS", "MINUTES", "MN", "MONTHS", "MPH", "OZ", "PEOPLE", "POINTS", "PPL", "PTS", "SECS", "WEEKS", "X",
    "YARDS", "YDS", "YEARS", "YRS",
];

/// Letters of large amounts of money, some of which are symbols of units elsewhere.
const AMOUNTS: [&str; 10] = ["k", "K", "m", "M", "b", "B", "bn", "mn", "tn", "T"];

/// What the letters of `token` are.
pub(super) fn of(token: &str) -> Stuck {
    let last_digit = token.char_indices().rfind(|(_, c)| c.is_numeric());
    let Some((at, digit)) = last_digit else { return Stuck::Nothing };
    let (number, letters) = token.split_at(at + digit.len_utf8());
    if letters.is_empty()
        && number.ends_with(|c: char| c.is_ascii_digit())
        && !number.starts_with(char::is_alphabetic)
    {
        return Stuck::Nothing;
    }
    if SOUNDS.iter().any(|word| word.eq_ignore_ascii_case(token)) {
        return Stuck::Word;
    }
    if number.contains(char::is_alphabetic) || letters.is_empty() {
        return Stuck::Nothing;
    }
    if number.bytes().all(|c| c.is_ascii_digit() || c == b',') && ENDINGS.contains(&letters) {
        return Stuck::Word;
    }
    let is_amount = (number.contains(CURRENCIES) && AMOUNTS.contains(&letters))
        || (number.contains('.') && matches!(letters, "B" | "T"));
    let is_unit = |letters: &&str| {
        UNITS.contains(letters) || UNITS_WITHOUT_SPACE.contains(letters) || HALVES.contains(letters)
    };
    if !is_amount && (is_unit(&letters) || NAMES.iter().any(|name| name.eq_ignore_ascii_case(token))) {
        return Stuck::Nothing;
    }
    let is_word = is_amount || letters.chars().all(char::is_lowercase) || CAPITALS.contains(&letters);
    if is_word { Stuck::Letters(letters.len()) } else { Stuck::Nothing }
}
