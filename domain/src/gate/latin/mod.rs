//! Detects the language of a text in Latin letters by the rules and tables of `whatlang`, with exactly its answers, but
//! faster. The crate looks up each of the 300 trigrams of 37 languages in the text, which took most of a job's CPU
//! time. Here each trigram of the text is looked up once, and counts for the languages that have it.
//!
//! The tests compare the answers with the crate's, so a change of its tables is noticed.

use std::{cmp::Reverse, iter, sync::LazyLock};

use whatlang::Lang;

/// The tables; the file explains their contents and origin.
const PROFILES: &str = include_str!("profiles.txt");

/// How many trigrams a language has, and the distance of one that the text does not have.
const MOST: usize = 300;

/// How many trigrams of a text are used.
const LOOKED_AT: usize = 600;

/// The detector is sure above this value.
const SURE: f64 = 0.9;

/// The number of languages, which must not exceed the bits in a set of them.
const LANGUAGES: usize = 37;

/// A set of languages, one bit for each.
type Set = u64;

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::read);

/// The language that a lower-case text in Latin letters is surely in; `None` if there is doubt.
pub(super) fn surely(text: &str) -> Option<Lang> {
    let tables = &*TABLES;
    let trigrams = trigrams(text);
    let (letters, alphabets) = tables.alphabets(text);
    let near = tables.nearness(&trigrams);

    // From here on, calculate exactly as the crate does, so that rounding makes no difference.
    let of_alphabet = (-(float(letters) / 300.0) + 2.0 / 3.0).clamp(1.0 / 3.0, 2.0 / 3.0);
    let most = trigrams.len() * MOST;
    let mut best = (0.0, None);
    let mut second = 0.0;
    for (at, language) in tables.languages.iter().enumerate() {
        let alphabet = float(alphabets[at]) / float(letters);
        let score = alphabet * of_alphabet + float(near[at]) / float(most) * (1.0 - of_alphabet);
        if score > best.0 {
            second = best.0;
            best = (score, Some(*language));
        } else if score > second {
            second = score;
        }
    }
    let sureness = sureness(best.0, second, trigrams.len());
    best.1.filter(|_| sureness > SURE)
}

/// How many more trigrams of a lower-case text are typical of one language than of the other; `None` if one of them has
/// no table. It serves texts that are too short for the detector, if something else speaks for one language too.
pub(super) fn lead(text: &str, one: Lang, other: Lang) -> Option<isize> {
    let tables = &*TABLES;
    let line = |wanted| tables.languages.iter().position(|language| *language == wanted);
    let (one, other) = (line(one)?, line(other)?);
    let has = |trigram, line| tables.of(trigram).iter().any(|has| usize::from(has.language) == line);
    let difference = |trigram| isize::from(has(trigram, one)) - isize::from(has(trigram, other));
    Some(trigrams(text).into_iter().map(difference).sum())
}

/// How sure the detector may be of the best of all languages, from 0 to 1, given how good the second is.
fn sureness(best: f64, second: f64, trigrams: usize) -> f64 {
    if best == 0.0 || second == 0.0 {
        return best;
    }
    let enough = (3.0 / float(trigrams)) + 0.015;
    let ahead = (best - second) / second;
    if ahead > enough { 1.0 } else { ahead / enough }
}

/// The trigrams of a text, most frequent first; among equally frequent ones, the alphabetically last first.
fn trigrams(text: &str) -> Vec<u64> {
    let spaced = |c: char| if separates(c) { ' ' } else { c };
    let mut found: Vec<u64> = Vec::with_capacity(text.len());
    let (mut one, mut two) = (' ', None);
    for three in text.chars().map(spaced).chain(iter::once(' ')) {
        if let Some(two) = two {
            if !(two == ' ' && (one == ' ' || three == ' ')) {
                found.push(packed(one, two, three));
            }
            one = two;
        }
        two = Some(three);
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    // Most occur once, and are in order already.
    let (mut often, mut rarely) = (Vec::new(), Vec::with_capacity(found.len()));
    for same in found.chunk_by(|one, other| one == other) {
        match same {
            [only] => rarely.push(*only),
            _ => often.push((same.len(), same[0])),
        }
    }
    often.sort_by_key(|(count, _)| Reverse(*count));
    often.into_iter().map(|(_, trigram)| trigram).chain(rarely).take(LOOKED_AT).collect()
}

/// Packs three characters into a number that sorts like the characters: each takes 21 bits.
fn packed(one: char, two: char, three: char) -> u64 {
    u64::from(one) << 42 | u64::from(two) << 21 | u64::from(three)
}

/// Whether the crate treats a character as a word separator, which indicates no language.
fn separates(c: char) -> bool {
    matches!(c, '\0'..='@' | '['..='`' | '{'..='~')
}

/// Converts a count, which is always small enough to be exact as a float.
#[allow(clippy::cast_precision_loss)]
fn float(count: usize) -> f64 {
    count as f64
}

/// Records that a language has a trigram.
#[derive(Debug, Clone, Copy)]
struct Has {
    language: u8,
    rank: u16,
}

struct Tables {
    languages: Vec<Lang>,
    /// The characters in alphabets, in order, with the languages that write them.
    letters: Vec<(char, Set)>,
    /// A hash table of trigrams, each with the range of its languages in `has`. No trigram is 0.
    slots: Vec<(u64, u16, u16)>,
    has: Vec<Has>,
}

/// A power of two, about twice the number of trigrams.
const SLOT_BITS: u32 = 13;

/// Where the search for a trigram begins.
fn slot(trigram: u64) -> usize {
    // Fibonacci hashing: the product's high bits are mixed best. They fit in any number.
    usize::try_from(trigram.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOT_BITS)).unwrap_or_default()
}

impl Tables {
    fn read() -> Self {
        let mut languages = Vec::new();
        let mut letters: Vec<(char, Set)> = Vec::new();
        let mut all: Vec<(u64, Has)> = Vec::new();
        let lines = PROFILES.lines().filter(|line| !line.starts_with('#'));
        for (language, line) in (0_u8..).zip(lines) {
            let mut fields = line.split(' ');
            let code = fields.next().and_then(Lang::from_code);
            languages.push(code.expect("the tables are a constant that a test reads"));
            letters.extend(fields.next().into_iter().flat_map(str::chars).map(|c| (c, 1 << language)));
            for (rank, trigram) in (0_u16..).zip(fields) {
                let mut characters = trigram.chars().map(|c| if c == '_' { ' ' } else { c });
                let mut next = || characters.next().unwrap_or(' ');
                all.push((packed(next(), next(), next()), Has { language, rank }));
            }
        }
        letters.sort_unstable_by_key(|(letter, _)| *letter);
        letters.dedup_by(|next, first| {
            let same = next.0 == first.0;
            first.1 |= if same { next.1 } else { 0 };
            same
        });
        all.sort_by_key(|(trigram, _)| *trigram);
        let mut slots = vec![(0, 0, 0); 1 << SLOT_BITS];
        let mut end = 0_u16;
        for same in all.chunk_by(|(one, _), (other, _)| one == other) {
            let (trigram, start) = (same[0].0, end);
            // There are 11,100 in all.
            end += u16::try_from(same.len()).unwrap_or_default();
            let mut at = slot(trigram);
            while slots[at].0 != 0 {
                at = (at + 1) % slots.len();
            }
            slots[at] = (trigram, start, end);
        }
        Self { languages, letters, slots, has: all.into_iter().map(|(_, has)| has).collect() }
    }

    /// The languages that have a trigram.
    fn of(&self, trigram: u64) -> &[Has] {
        let mut at = slot(trigram);
        loop {
            match self.slots[at] {
                (0, ..) => return &[],
                (found, start, end) if found == trigram => {
                    return &self.has[usize::from(start)..usize::from(end)];
                }
                _ => at = (at + 1) % self.slots.len(),
            }
        }
    }

    /// How many letters a text has, and for each language how many more of them it uses than it does not.
    fn alphabets(&self, text: &str) -> (usize, [usize; LANGUAGES]) {
        let all: Set = (1 << LANGUAGES) - 1;
        let (mut letters, mut common) = (0, 0);
        // For each language: what it has of the rarer letters, and what it lacks of the common ones.
        let mut more = [0_usize; LANGUAGES];
        let mut less = [0_usize; LANGUAGES];
        let mut count = |set: Set, times: usize| {
            let (mut rest, counts) = if set.count_ones() * 2 > all.count_ones() {
                common += times;
                (all & !set, &mut less)
            } else {
                (set, &mut more)
            };
            while rest != 0 {
                counts[rest.trailing_zeros() as usize] += times;
                rest &= rest - 1;
            }
        };
        let mut ascii = [0_usize; 26];
        for c in text.chars().filter(|c| !separates(*c)) {
            letters += 1;
            if let 'a'..='z' = c {
                ascii[c as usize - 'a' as usize] += 1;
            } else if let Ok(at) = self.letters.binary_search_by_key(&c, |(letter, _)| *letter) {
                count(self.letters[at].1, 1);
            }
        }
        // They come first in the order, because all alphabets together contain them all.
        for (times, (_, set)) in ascii.into_iter().zip(&self.letters) {
            count(*set, times);
        }
        let score = |at: usize| (2 * (common + more[at] - less[at])).saturating_sub(letters);
        (letters, std::array::from_fn(score))
    }

    /// For each language, how close a text's trigrams are to its own.
    fn nearness(&self, trigrams: &[u64]) -> [usize; LANGUAGES] {
        // The distance of a trigram that the language has is the difference of their ranks; any other has the maximum.
        let mut gained = [0_isize; LANGUAGES];
        for (rank, trigram) in (0_isize..).zip(trigrams) {
            for has in self.of(*trigram) {
                gained[usize::from(has.language)] +=
                    300 - (rank - isize::try_from(has.rank).unwrap_or_default()).abs();
            }
        }
        let most = trigrams.len() * MOST;
        gained.map(|gained| {
            let far = (MOST * MOST).saturating_add_signed(-gained);
            // A text with fewer trigrams than a language cannot have all of them, so those do not count.
            let far = far - MOST.saturating_sub(trigrams.len()) * MOST;
            most - far.min(MOST * MOST)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use whatlang::{Detector, Script};

    use super::*;

    /// This module's answer and the crate's, if the crate sees the text as Latin.
    fn answers(text: &str) -> Option<(Option<Lang>, Option<Lang>)> {
        let found = Detector::new().detect(text).filter(|found| found.script() == Script::Latin)?;
        Some((surely(&text.to_lowercase()), found.is_reliable().then(|| found.lang())))
    }

    #[test]
    fn the_tables_are_complete() {
        let tables = Tables::read();
        assert_eq!(tables.languages.len(), LANGUAGES);
        assert_eq!(tables.has.len(), LANGUAGES * MOST);
        assert!(tables.letters.iter().map(|(letter, _)| *letter).take(26).eq('a'..='z'));
        assert!(tables.slots.iter().filter(|slot| slot.0 != 0).count() * 5 < tables.slots.len() * 3);
    }

    /// Random sequences of words of the languages: they contain all trigrams of the tables, with any degree of
    /// similarity.
    fn words() -> impl Strategy<Value = String> {
        let all = PROFILES.lines().filter(|line| !line.starts_with('#'));
        let languages: Vec<Vec<String>> = all
            .map(|line| line.split(' ').skip(2).map(|trigram| trigram.replace('_', " ")).collect())
            .collect();
        let of_one = proptest::sample::select(languages)
            .prop_flat_map(|trigrams| proptest::collection::vec(proptest::sample::select(trigrams), 1..60))
            .prop_map(|pieces| pieces.concat());
        let any = prop_oneof![
            4 => of_one,
            1 => "[a-zA-Z ,.]{0,40}",
            1 => "[a-záéíóúñçãõâêôàèìòùäöüßåøæœğışłąęćńśźżčšžřďťňěůőűăâîșțạảấầẩİŁÅ ’“…🎉ΑΣж日]{0,40}",
            1 => "\\PC{0,20}",
        ];
        proptest::collection::vec(any, 1..5).prop_map(|texts| texts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn the_answers_match_the_crate(text in words()) {
            if let Some((found, expected)) = answers(&text) {
                prop_assert_eq!(found, expected, "{:?}", text);
            }
        }
    }

    #[test]
    fn the_answers_match_for_every_single_letter_and_for_long_texts() {
        let letters = ('\u{41}'..'\u{250}').chain('\u{1e00}'..'\u{1f00}').map(String::from);
        let long = (1..40)
            .map(|length| "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich ".repeat(length));
        let varied = ('\u{c0}'..'\u{240}')
            .flat_map(|c| [c, 'a', c, 'b', ' ', 'c', c, 'd', c, ' '])
            .collect::<String>();
        for text in letters.chain(long).chain([varied.repeat(2)]) {
            if let Some((found, expected)) = answers(&text) {
                assert_eq!(found, expected, "{text:?}");
            }
        }
    }
}
