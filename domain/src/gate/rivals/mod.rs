//! Tells related languages apart in a few words. Their letters and trigrams are nearly the same, so a detector guesses;
//! but every sentence has function words, and most of those are of one language alone: a Spanish sentence has no `não`
//! and no `dello`. Letters that only one of two languages writes count as well.
//!
//! docs/gate.md has what this distinguishes at which length, measured on real sentences.

use std::{collections::HashMap, hash::BuildHasherDefault, sync::LazyLock};

use fnv::FnvHasher;

use crate::Language;

/// The tables; the file explains their contents and origin.
const WORDS: &str = include_str!("words.txt");

/// A set of languages, one bit for each line of the tables.
type Set = u64;

/// Enough bits for the tables, and no index beyond them.
const MOST: usize = Set::BITS as usize;

/// The tables are constants, so nobody can choose words that collide.
type Hasher = BuildHasherDefault<FnvHasher>;

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::read);

/// The letters that the tables do not list, because most languages write them.
fn is_everywhere(c: char) -> bool {
    c.is_ascii() || !c.is_alphabetic()
}

struct Tables {
    /// The codes of each line.
    languages: Vec<Vec<&'static str>>,
    /// The line of each language, by its number.
    lines: Vec<Option<usize>>,
    words: HashMap<&'static str, Set, Hasher>,
    letters: HashMap<char, Set, Hasher>,
}

impl Tables {
    fn read() -> Self {
        let mut tables = Self {
            languages: Vec::new(),
            lines: Vec::new(),
            words: HashMap::default(),
            letters: HashMap::default(),
        };
        let lines = WORDS.lines().filter(|line| !line.starts_with('#')).take(MOST);
        for (at, line) in lines.enumerate() {
            let mut fields = line.split(' ');
            tables.languages.push(fields.next().unwrap_or_default().split(',').collect());
            for letter in fields.next().unwrap_or_default().chars().filter(|c| !is_everywhere(*c)) {
                *tables.letters.entry(letter).or_default() |= 1 << at;
            }
            for word in fields {
                *tables.words.entry(word).or_default() |= 1 << at;
            }
        }
        let line =
            |language: Language| tables.languages.iter().position(|codes| codes.contains(&language.base()));
        tables.lines = Language::all().map(line).collect();
        tables
    }

    fn line(&self, language: Language) -> Option<usize> {
        self.lines.get(language.index()).copied().flatten()
    }

    /// The languages that have a word among their function words.
    fn of_word(&self, word: &str) -> Set {
        self.words.get(word).copied().unwrap_or_default()
    }

    /// The languages that write every letter of a word; `None` if all do, or none that is known.
    fn of_letters(&self, word: &str) -> Option<Set> {
        let mut unusual = word.chars().filter(|c| !is_everywhere(*c)).peekable();
        unusual.peek()?;
        let set = unusual.fold(Set::MAX, |set, c| set & self.letters.get(&c).copied().unwrap_or_default());
        (set != 0).then_some(set)
    }
}

/// So many function words are no coincidence, and every so many words of a sentence are some.
const FEW: usize = 4;

/// What the words of a text say about its language.
pub(super) struct Evidence {
    /// The target's line.
    target: Option<usize>,
    /// How many words were looked at.
    words: usize,
    /// How many words speak for the target's language.
    own: usize,
    /// For each language, what speaks for it and what it shares with the target's.
    rivals: [Balance; MOST],
}

#[derive(Debug, Clone, Copy, Default)]
struct Balance {
    /// Function words of this language that the target's does not have.
    words: usize,
    /// Words with a letter that this language writes, and the target's does not, and words of one letter, which may be
    /// something else: (y/n), E/A.
    letters: usize,
    /// Function words and letters of the target's language that this one has, too.
    shared: usize,
}

impl Balance {
    /// Letters count no more than words do: names have any.
    fn in_favor(self) -> usize {
        self.words + self.letters.min(self.words)
    }

    /// Whether it outweighs so many words of the target's language that this one does not have.
    fn is_clear(self, against: usize) -> bool {
        self.in_favor() >= against + 2 && 2 * self.in_favor() > 3 * against
    }
}

impl Evidence {
    /// Looks at words in lower case. Leave out those that are in no language: names, terms, what stands in the post too.
    pub(super) fn of<'a>(words: impl Iterator<Item = &'a str>, target: Language) -> Self {
        let tables = &*TABLES;
        let target = tables.line(target);
        let mut all = Self { target, words: 0, own: 0, rivals: [Balance::default(); MOST] };
        for word in words {
            all.words += 1;
            // L'aigua, qu'on, dell'acqua.
            let mut parts = word.split(['\'', '’']);
            parts.next().into_iter().for_each(|part| all.add(tables, part));
            // One letter behind an apostrophe is no word by itself: it's, ging's.
            parts.filter(|part| part.chars().nth(1).is_some()).for_each(|part| all.add(tables, part));
        }
        all
    }

    fn add(&mut self, tables: &Tables, word: &str) {
        let of_word = tables.of_word(word);
        if of_word != 0 {
            let is_letter = word.chars().nth(1).is_none();
            self.count(of_word, |balance| {
                *(if is_letter { &mut balance.letters } else { &mut balance.words }) += 1;
            });
        } else if let Some(of_letters) = tables.of_letters(word) {
            self.count(of_letters, |balance| balance.letters += 1);
        }
    }

    /// Counts a word that the languages of `set` have, for them or, if it is the target's, against the others.
    fn count(&mut self, set: Set, mut favor: impl FnMut(&mut Balance)) {
        let is_own = self.target.is_some_and(|target| set & (1 << target) != 0);
        self.own += usize::from(is_own);
        let mut rest = set;
        while rest != 0 {
            let balance = &mut self.rivals[rest.trailing_zeros() as usize];
            rest &= rest - 1;
            if is_own {
                balance.shared += 1;
            } else {
                favor(balance);
            }
        }
    }

    /// How many words of the target's language a language does not have.
    fn against(&self, balance: Balance) -> usize {
        self.own - balance.shared
    }

    /// The code of the language that the words are in, if that is clear, and it is not the target's. `source` is the
    /// language of the post, the likeliest of all if a text was not translated.
    pub(super) fn other(&self, source: Language) -> Option<&'static str> {
        let tables = &*TABLES;
        self.target?;
        let source = tables.line(source).filter(|source| Some(*source) != self.target);
        let lines = tables.languages.len();
        let clear = (0..lines).filter(|at| self.rivals[*at].is_clear(self.against(self.rivals[*at])));
        let best = clear.max_by_key(|at| {
            let balance = self.rivals[*at];
            // Words may be of several languages.
            (balance.in_favor() - self.against(balance), Some(*at) == source)
        });
        Some(tables.languages[best?][0])
    }

    /// Whether the words are in the target's language: as many of them as in running text are its function words, and every
    /// other language lacks most of those.
    pub(super) fn is_clear(&self) -> bool {
        let outweighs = |balance: &Balance| self.against(*balance) > balance.in_favor();
        let others = self.rivals.iter().enumerate().filter(|(at, _)| Some(*at) != self.target);
        self.own >= FEW && FEW * self.own >= self.words && others.map(|(_, balance)| balance).all(outweighs)
    }

    /// How many words speak for a language, if nothing speaks for the target's rather than for that one, though the words
    /// are several.
    pub(super) fn alone(&self, language: Language) -> Option<usize> {
        let balance = self.rivals[self.target.and(TABLES.line(language))?];
        (self.against(balance) == 0 && self.words > 2).then_some(balance.words)
    }

    /// How much more the words speak for a language than for the target's; `None` if one of them has no table.
    pub(super) fn lead(&self, language: Language) -> Option<isize> {
        self.target?;
        let balance = self.rivals[TABLES.line(language)?];
        Some(balance.in_favor().cast_signed() - self.against(balance).cast_signed())
    }
}

/// Whether a language has a table.
pub(super) fn knows(language: Language) -> bool {
    TABLES.line(language).is_some()
}

/// Whether a word in lower case is a function word of one language and not of another.
pub(super) fn is_of(word: &str, one: Language, other: Language) -> bool {
    let tables = &*TABLES;
    let set = tables.of_word(word);
    let has = |language| tables.line(language).is_some_and(|at| set & (1 << at) != 0);
    has(one) && !has(other)
}

/// Whether a word in lower case is a function word of a language.
pub(super) fn is_function_word(word: &str, language: Language) -> bool {
    TABLES.line(language).is_some_and(|at| TABLES.of_word(word) & (1 << at) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(to: &str, text: &str) -> Option<&'static str> {
        let text = text.to_lowercase();
        let words = text.split(|c: char| !c.is_alphabetic() && !matches!(c, '\'' | '’'));
        let words = words.filter(|word| !word.is_empty());
        Evidence::of(words, to.parse().unwrap()).other(Language::english())
    }

    #[test]
    fn every_line_has_known_codes_letters_and_enough_words() {
        let tables = Tables::read();
        let lines: Vec<_> = WORDS.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.len() <= MOST && lines.len() == tables.languages.len());
        for line in lines {
            let fields: Vec<_> = line.split(' ').collect();
            assert!(fields[0].split(',').all(|code| code.parse::<Language>().is_ok()), "{line}");
            let mut words = fields[2..].to_vec();
            assert!(words.iter().all(|word| word.to_lowercase() == *word), "{line}");
            assert!(words.len() >= 28, "{line}");
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), fields.len() - 2, "{line}");
        }
    }

    #[test]
    fn kin_are_told_apart_by_their_function_words() {
        for (is, text) in [
            ("es", "El ayuntamiento abre mañana por la tarde y los vecinos pueden ir"),
            ("pt", "A câmara municipal abre amanhã e todos são bem-vindos para ver"),
            ("it", "Il municipio apre domani e tutti sono invitati a venire"),
            ("fr", "La mairie ouvre demain et tout le monde est invité"),
            ("ca", "L'ajuntament obre demà i tothom és convidat amb els seus"),
            ("gl", "O concello abre mañá e todos están convidados xa que é unha festa"),
            ("ro", "Primăria se deschide mâine și toți sunt invitați"),
            ("de", "Das Rathaus öffnet morgen und alle sind eingeladen"),
            ("nl", "Het stadhuis gaat morgen open en iedereen is welkom"),
            ("da", "Rådhuset åbner i morgen, og alle er velkomne til at se det"),
            ("sv", "Stadshuset öppnar i morgon och alla är välkomna att se det"),
            ("nb", "Nå er det mange av dem som bare vil være med, hva skal jeg si etter det"),
            ("cs", "Radnice se zítra otevře a všichni jsou vítáni, protože ještě není pozdě"),
            ("sk", "Radnica sa zajtra otvorí a všetci sú vítaní, keď ešte nie je neskoro"),
            ("ru", "Ратуша откроется завтра, и все приглашены, чтобы это увидеть"),
            ("uk", "Ратуша відкриється завтра, і всі запрошені, щоб це побачити"),
            ("bg", "Кметството отваря утре и всички са поканени да го видят"),
            ("hi", "नगर भवन कल खुलेगा और सभी को देखने के लिए आमंत्रित किया गया है"),
            ("mr", "नगर भवन उद्या उघडणार आहे आणि सर्व लोक या कार्यक्रमात आहेत"),
        ] {
            for to in ["es", "pt", "it", "fr", "ca", "gl", "ro", "de", "nl", "da", "sv"] {
                assert_eq!(other(to, text).is_some(), to != is, "{to}: {text}");
            }
            assert_eq!(other(is, text), None, "{text}");
        }
    }

    #[test]
    fn single_letters_alone_are_no_evidence() {
        for (to, text) in [
            ("da", "Slet denne gode underskrift? j/n/a"),
            ("de", "Dringender E/A-Zustand"),
            ("es", "¿Cambia n c o e v s?"),
            ("de", "Da ging's wieder los"),
        ] {
            assert_eq!(other(to, text), None, "{text}");
        }
    }

    #[test]
    fn what_is_unknown_is_no_evidence() {
        assert_eq!(other("zu", "The town hall opens tomorrow and all are welcome"), None);
        assert_eq!(other("es", "kelloggia zzz 中文"), None);
        assert_eq!(other("es", ""), None);
    }
}
