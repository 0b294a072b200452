//! Decides when two posts that differ in a number have the same translation: “3 trees” and “5 trees” do in Spanish, and
//! do not in Polish. A number comes back unchanged in any case; the decision is about the *words around it*, and these
//! depend on less than the number:
//!
//! - on its plural category in both languages, and on its ordinal category in the target language (Unicode's CLDR has
//!   the rules; an ordinal of the source language is a word, not a number);
//! - on how it is read aloud, if it follows an article or a preposition: *an 8 %* and *a 5 %*, *l'11* and *il 3*, *7 u
//!   8*, *ze 100*. In a language of [`Aloud::Vowel`] the first sound decides, in one of [`Aloud::Word`] the first word;
//! - on what it counts, which readers know from its unit, its form and, if it has no unit, its size: a time, a score, a
//!   day of the month, an age.
//!
//! All of that is in a [class](Numbers::class), together with the form of the number, its unit and its marks. Within a
//! class, the number cannot change the translation, as long as the words beside a number in digits depend on nothing
//! else. If they might, the number is its own class:
//!
//! - 0, 1 and 2, which have words of their own in many languages (*la 1*, *both*), and four digits, which may be a
//!   year;
//! - anything that is not a plain number: dates, names with letters or slashes (`24/7`), digits other than 0 to 9,
//!   leading zeros;
//! - every number, if the language is not listed below. Suffixes follow the last sound of a number in Turkish,
//!   Hungarian, Finnish, Basque and Korean, mutations its value in Welsh; Greek, Czech, Dutch and others have similar
//!   rules.

use std::{borrow::Cow, cell::RefCell, collections::HashMap};

use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};

use super::{mask::Mask, numbers::is_unit, protected::ProtectedKind};
use crate::Language;

/// Up to here a number is its own class.
const ITSELF: u64 = 2;

/// The limits of sizes that readers interpret differently: one digit, an hour, a day of the month, two digits, three.
const SIZES: [u64; 5] = [9, 12, 31, 99, 999];

/// What the words before a number show of how it is read aloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aloud {
    /// Nothing.
    Nothing,
    /// Whether it begins with a vowel, as numbers that begin with 8 or with one of these groups do: articles and
    /// conjunctions follow it.
    Vowel(&'static [&'static str]),
    /// Its first word: prepositions follow its first consonants. Only in languages that read tens before ones.
    Word,
}

/// The languages whose words around a number are known to follow its class.
const KNOWN: [(&str, Aloud); 25] = [
    ("ca", Aloud::Vowel(&["1", "11"])),
    ("da", Aloud::Nothing),
    ("de", Aloud::Nothing),
    ("en", Aloud::Vowel(&["11", "18"])),
    ("es", Aloud::Vowel(&["11"])),
    ("fr", Aloud::Nothing),
    ("gl", Aloud::Nothing),
    ("id", Aloud::Nothing),
    ("it", Aloud::Vowel(&["11"])),
    ("ms", Aloud::Nothing),
    ("nb", Aloud::Nothing),
    ("no", Aloud::Nothing),
    ("pl", Aloud::Word),
    ("pt", Aloud::Nothing),
    ("pt-BR", Aloud::Nothing),
    ("pt-PT", Aloud::Nothing),
    ("ro", Aloud::Nothing),
    ("ru", Aloud::Word),
    ("sk", Aloud::Word),
    ("sv", Aloud::Nothing),
    ("uk", Aloud::Word),
    ("vi", Aloud::Nothing),
    ("zh", Aloud::Nothing),
    ("zh-Hans", Aloud::Nothing),
    ("zh-Hant", Aloud::Nothing),
];

/// The classes of numbers between two languages.
pub struct Numbers {
    /// Cardinals of the source and target languages, and ordinals of the target; `None` if each number is its own
    /// class.
    rules: Option<([PluralRules; 3], Aloud)>,
}

thread_local! {
    /// Rules are looked up once per language pair on each thread.
    static KNOWN_PAIRS: RefCell<HashMap<(Language, Language), Numbers>> = RefCell::default();
}

impl Mask {
    /// Like [`Mask::key`], but the same for two texts whose numbers have the same classes between these languages.
    pub fn key_between(&self, from: Language, to: Language) -> String {
        let mut key = self.text.key();
        KNOWN_PAIRS.with_borrow_mut(|known| {
            let numbers = known.entry((from, to)).or_insert_with(|| Numbers::new(from, to));
            for thing in &self.protected {
                key.push('\u{2}');
                match thing.kind {
                    ProtectedKind::Number => {
                        key.push_str(&numbers.class(&thing.text));
                        // The words around a number agree with what it becomes, too: 5pm is 17:00.
                        if thing.becomes != thing.text {
                            key.push_str(&numbers.class(&thing.becomes));
                        }
                    }
                    kind if kind.affects_words() => key.push_str(&thing.becomes),
                    _ => {}
                }
            }
        });
        key
    }
}

impl Numbers {
    /// The classes for texts in `from` that are translated into `to`.
    pub fn new(from: Language, to: Language) -> Self {
        let known = |of: &str| KNOWN.iter().find(|(code, _)| *code == of).map(|(_, aloud)| *aloud);
        let aloud = known(to.code()).or_else(|| known(to.base()));
        let rules = aloud.and_then(|aloud| {
            let [from, to] = [from, to].map(|language| Locale::try_from_str(language.code()));
            let (from, to) = (from.ok()?, to.ok()?);
            let cardinals = |locale: &Locale| PluralRules::try_new_cardinal(locale.into()).ok();
            let ordinals = PluralRules::try_new_ordinal((&to).into()).ok()?;
            Some(([cardinals(&from)?, cardinals(&to)?, ordinals], aloud))
        });
        Self { rules }
    }

    /// The class of a number as [`numbers`](super::numbers::numbers) finds it, or the number itself if it is its own
    /// class. No class is ever equal to a number.
    pub fn class<'a>(&self, number: &'a str) -> Cow<'a, str> {
        let class = self.rules.as_ref().and_then(|(rules, aloud)| {
            let form = Form::of(number)?;
            let (before, after) = form.around;
            let sized = after.is_empty() && !before.contains(['$', '€', '£', '¥', '₹']);
            let of_whole = |digits: &str| of_whole(rules, *aloud, digits, sized);
            let within = match form.digits {
                Digits::One(whole) => of_whole(whole).filter(|class| class != whole)?,
                // No language has different categories for two fractions, except for those of only zeros.
                Digits::Fraction(whole, mark, fraction) => {
                    let fraction = if is_zeros(fraction) { fraction } else { &"##"[..fraction.len()] };
                    format!("{}{mark}{fraction}", of_whole(whole)?)
                }
                Digits::Time(hours, minutes) => {
                    let minutes = if is_zeros(minutes) { minutes } else { "##" };
                    format!("{}:{minutes}", of_whole(hours)?)
                }
                // A score or a range: won, lost and drawn differ, and so do rising and falling.
                Digits::Two(one, mark, other) => {
                    let order = one.parse::<u64>().ok()?.cmp(&other.parse().ok()?) as i8;
                    let (one, other) = (of_whole(one)?, of_whole(other)?);
                    format!("{one}{mark}{other}{order}")
                }
            };
            Some(format!("\u{3}{before}{within}{after}"))
        });
        class.map_or(Cow::Borrowed(number), Cow::Owned)
    }
}

/// The class of digits without marks, or the digits if they are their own class; `None` if nothing is certain.
fn of_whole(rules: &[PluralRules], aloud: Aloud, digits: &str, sized: bool) -> Option<String> {
    let value: u64 = digits.parse().ok()?;
    if value <= ITSELF && digits.len() == 1 {
        return Some(digits.to_owned());
    }
    if digits.starts_with('0') || digits.len() == 4 {
        return None;
    }
    let size = SIZES.iter().position(|most| value <= *most).unwrap_or(SIZES.len() + digits.len());
    let size = if sized { size } else { 0 };
    let categories: String = rules.iter().map(|rules| letter(rules.category_for(value))).collect();
    // What is read first: of 12,345 it is twelve.
    let first = &digits[..=(digits.len() - 1) % 3];
    let first_sound = match aloud {
        Aloud::Nothing => "",
        Aloud::Vowel(_) if first.starts_with('8') => "8",
        Aloud::Vowel(groups) => groups.iter().find(|group| **group == first).copied().unwrap_or_default(),
        Aloud::Word if first.len() == 2 && first.starts_with('1') => first,
        Aloud::Word => &first[..1],
    };
    Some(format!("{size}{categories}{first_sound}·"))
}

fn letter(category: PluralCategory) -> char {
    match category {
        PluralCategory::Zero => 'z',
        PluralCategory::One => 'o',
        PluralCategory::Two => 't',
        PluralCategory::Few => 'f',
        PluralCategory::Many => 'm',
        PluralCategory::Other => 'r',
    }
}

fn is_zeros(digits: &str) -> bool {
    digits.bytes().all(|digit| digit == b'0')
}

/// A parsed number.
struct Form<'a> {
    digits: Digits<'a>,
    /// Its sign or currency, and its unit.
    around: (&'a str, &'a str),
}

enum Digits<'a> {
    /// `17`
    One(&'a str),
    /// `17.5`, `17,50`
    Fraction(&'a str, char, &'a str),
    /// `9:30`
    Time(&'a str, &'a str),
    /// `3-1`, `5–10`
    Two(&'a str, char, &'a str),
}

impl<'a> Form<'a> {
    fn of(number: &'a str) -> Option<Self> {
        let start = number.find(|c: char| c.is_ascii_digit())?;
        let end = number.rfind(|c: char| c.is_ascii_digit())? + 1;
        let (before, digits, after) = (&number[..start], &number[start..end], &number[end..]);
        let is_unit = after.is_empty() || is_unit(after.trim_start_matches([' ', '\u{a0}', '\u{202f}']));
        if !is_unit || before.contains(char::is_alphanumeric) {
            return None;
        }
        let mark = digits.find(|c: char| !c.is_ascii_digit());
        let digits = match mark.map(|at| (&digits[..at], &digits[at..])) {
            None => Digits::One(digits),
            Some((one, rest)) => {
                let mark = rest.chars().next()?;
                let other = &rest[mark.len_utf8()..];
                if !other.bytes().all(|digit| digit.is_ascii_digit()) {
                    return None;
                }
                match (mark, other.len()) {
                    ('.' | ',', 1..=2) => Digits::Fraction(one, mark, other),
                    (':', 2) => Digits::Time(one, other),
                    ('-' | '–', 1..=3) => Digits::Two(one, mark, other),
                    // Either thousands or three decimals, depending on the language.
                    _ => return None,
                }
            }
        };
        Some(Self { digits, around: (before, after) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::mask;

    fn key(text: &str, to: &str) -> String {
        mask(text).key_between(Language::english(), to.parse().unwrap())
    }

    #[track_caller]
    fn same(one: &str, other: &str, to: &str) {
        assert_eq!(key(one, to), key(other, to), "{one} / {other} in {to}");
    }

    #[track_caller]
    fn differ(one: &str, other: &str, to: &str) {
        assert_ne!(key(one, to), key(other, to), "{one} / {other} in {to}");
    }

    #[test]
    fn numbers_with_the_same_plural_share_a_key_if_the_language_does_not_distinguish_them() {
        same("We planted 4 trees", "We planted 5 trees", "es");
        differ("We planted 4 trees", "We planted 5 trees", "pl");
        same("We planted 25 trees", "We planted 27 trees", "pl");
        differ("We planted 21 trees", "We planted 25 trees", "ru");
        same("We planted 150 trees", "We planted 350 trees", "es");
        differ("We planted 104 trees", "We planted 135 trees", "ro");
    }

    #[test]
    fn a_number_with_its_own_words_is_its_own_class() {
        for number in ["0", "1", "2", "007", "2026", "24/7", "24/11/2026", "B2B", "4K", "٣", "1,000", "½"] {
            for to in ["es", "pl", "en"] {
                let numbers = Numbers::new(Language::english(), to.parse().unwrap());
                assert_eq!(numbers.class(number), number, "{to}");
            }
        }
    }

    #[test]
    fn a_language_whose_words_follow_the_number_itself_has_no_classes() {
        for to in ["tr", "hu", "fi", "ko", "eu", "cy", "cs", "nl", "el", "ja", "ar"] {
            differ("Bus 43 is late", "Bus 44 is late", to);
        }
    }

    #[test]
    fn articles_and_prepositions_before_a_number_stay_right() {
        // An 8 % rise; l'11; 7 u 8; ze 100; the 22nd.
        differ("A rise of 7%", "A rise of 8%", "en");
        differ("At 10 or 11", "At 10 or 12", "es");
        differ("The 11 players", "The 13 players", "it");
        differ("From 17 days", "From 18 days", "en");
        differ("With 100 people", "With 600 people", "pl");
        differ("Día 22", "Día 25", "en");
    }

    #[test]
    fn the_meaning_of_a_number_depends_on_its_form_its_unit_and_its_size() {
        same("High of 7°C", "High of 19°C", "es");
        differ("High of 17°C", "High of 17 km", "es");
        differ("High of 17°C", "High of -17°C", "es");
        same("Up 5.5 %", "Up 4.7 %", "es");
        differ("Up 3.5 %", "Up 3.0 %", "es");
        differ("Up 1.5 %", "Up 3.5 %", "fr");
        same("Live at 9:30", "Live at 7:15", "es");
        differ("Live at 1:30", "Live at 9:30", "es");
        differ("Live at 9:00", "Live at 9:30", "es");
        same("Full time: 4-5", "Full time: 5-6", "es");
        differ("Full time: 3-4", "Full time: 4-3", "es");
        differ("Full time: 3-3", "Full time: 3-4", "es");
        differ("It is 5", "It is 50", "es");
    }

    #[test]
    fn a_term_is_not_a_number_and_two_numbers_are_not_one() {
        differ("3 and 5", "35", "es");
        differ("We have 3", "We have 3 km", "es");
    }

    #[test]
    fn a_link_or_a_name_does_not_change_the_words_around_it() {
        same("See https://a.example, @bob", "See https://b.example, @eve", "es");
    }

    #[test]
    fn every_listed_language_is_known_and_has_rules() {
        for (code, _) in KNOWN {
            let language: Language = code.parse().unwrap();
            assert_eq!(language.code(), code);
            assert!(Numbers::new(Language::english(), language).rules.is_some(), "{code}");
        }
    }
}
