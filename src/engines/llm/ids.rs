//! What an item is called in a request and its answer. A model that sees 1, 2, 3 can write the next number without looking
//! which text it belongs to, and after one text too few every translation stands under its neighbor's number. These ids can only
//! be copied: pairs of letters in no order, others in each request.

use std::fmt;

use serde::{Serialize, Serializer};

/// Two of these are one token in most models, as a number is, and never a word.
const LETTERS: &[u8; 19] = b"bcdfghjkmnpqrstvwxz";

/// How many ids there are. A request has at most a hundred items.
const ALL: usize = LETTERS.len() * LETTERS.len();

/// The id of one item in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id(usize);

impl Id {
    /// As many ids, each different; the same for the same seed.
    pub(crate) fn distinct(count: usize, seed: u64) -> Vec<Self> {
        let mut all: Vec<Self> = (0..count.max(ALL)).map(Self).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        // Only what is used needs to be shuffled.
        for at in 0..count {
            let other = random.usize(at..all.len());
            all.swap(at, other);
        }
        all.truncate(count);
        all
    }

    /// The item with an id as a model wrote it.
    pub(super) fn position(ids: &[Self], written: &str) -> Option<usize> {
        let written = Self::read(written.trim())?;
        ids.iter().position(|id| *id == written)
    }

    /// The id as [`fmt::Display`] writes it, in any case.
    fn read(written: &str) -> Option<Self> {
        let letter = |byte: u8| LETTERS.iter().position(|letter| *letter == byte.to_ascii_lowercase());
        let [first, second, number @ ..] = written.as_bytes() else { return None };
        let (first, second) = (letter(*first)?, letter(*second)?);
        let id = match number {
            [] => first * LETTERS.len() + second,
            number => str::from_utf8(number).ok()?.parse().ok()?,
        };
        (Self(id).to_string().eq_ignore_ascii_case(written)).then_some(Self(id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |at: usize| char::from(LETTERS[at % LETTERS.len()]);
        write!(f, "{}{}", letter(self.0 / LETTERS.len()), letter(self.0))?;
        // More items than pairs: no setting allows that many.
        if self.0 >= ALL { write!(f, "{}", self.0) } else { Ok(()) }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_and_cannot_be_counted_along() {
        for count in [0, 1, 20, 100, ALL, ALL + 5] {
            let ids: Vec<String> = Id::distinct(count, 7).iter().map(Id::to_string).collect();
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), count);
        }
        let ids = Id::distinct(20, 7);
        let numbers: Vec<usize> = ids.iter().map(|id| id.0).collect();
        assert!(numbers.windows(2).filter(|pair| pair[1] == pair[0] + 1).count() < 3, "{numbers:?}");
        assert_ne!(ids, Id::distinct(20, 8), "another request has other ids");
    }

    #[test]
    fn an_id_is_read_as_it_was_copied() {
        let ids = Id::distinct(3, 1);
        for (at, id) in ids.iter().enumerate() {
            assert_eq!(Id::position(&ids, &format!(" {} ", id.to_string().to_uppercase())), Some(at));
        }
        for stranger in ["", "1", "aa", "bcd"] {
            assert_eq!(Id::position(&ids, stranger), None, "{stranger}");
        }
    }
}
