//! Reading one object of X's JSON field by field. X's specification marks fields as nullable, renames them, and a field in a
//! form that nobody expected must not take its post with it, nor a post its page. So a field that is null reads like one
//! that is absent, a field may have two names, and what cannot be read is either reported as an oddity ([`Fields::optional`])
//! or makes the object unreadable ([`Fields::meaning`]).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

/// The most entries of a list that are read: a page of 100 posts includes no more posts or media.
const LIST_MOST: usize = 1000;

/// An id of X's: 1 to 19 digits, in JSON a string or a number. Ids go into paths, queries and the ledger, so nothing else
/// is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

/// A text that is no id of X's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 19 digits, and this is {0:?}")]
pub struct NoId(String);

impl Id {
    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its digits.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Its place in time: X gives a later post a larger id.
    pub fn position(&self) -> u64 {
        // 19 digits fit.
        self.0.parse().unwrap_or(u64::MAX)
    }
}

impl TryFrom<&str> for Id {
    type Error = NoId;

    fn try_from(text: &str) -> Result<Self, NoId> {
        // X counts in 64 bits with a sign, and so does the ledger.
        let fits =
            text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 19 && text.parse::<i64>().is_ok();
        if fits { Ok(Self(text.to_owned())) } else { Err(NoId(excerpt(text))) }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Id;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an id, as a string or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                Id::try_from(text).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                self.visit_str(&number.to_string())
            }
        }

        from.deserialize_any(Visitor)
    }
}

/// The fields of one object, as they came: an object of X's has a dozen, and looking through them costs less than a map.
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// The name of a field; borrowed where it has no escape in it.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Name(name), raw)) = map.next_entry()? {
                    fields.push((name, raw));
                }
                Ok(Fields(fields))
            }
        }

        from.deserialize_map(Visitor)
    }
}

impl<'a> Fields<'a> {
    /// The fields of an object.
    ///
    /// # Errors
    /// Where it is no object.
    pub fn of(raw: &'a RawValue) -> Result<Self, String> {
        serde_json::from_str(raw.get()).map_err(|error| reason(&error))
    }

    /// A field that the object can do without, by the first of its names that can be read; what cannot be read is an
    /// oddity.
    pub fn optional<T: Deserialize<'a>>(&self, names: &[&str], oddities: &mut Vec<String>) -> Option<T> {
        for (name, raw) in self.present(names) {
            match serde_json::from_str(raw.get()) {
                Ok(value) => return Some(value),
                Err(error) => oddities.push(format!("its {name} cannot be read: {}", reason(&error))),
            }
        }
        None
    }

    /// A field that decides what the object means, by the first of its names that can be read.
    ///
    /// # Errors
    /// Where the field is there, and under no name in a form that can be read.
    pub fn meaning<T: Deserialize<'a>>(&self, names: &[&str]) -> Result<Option<T>, String> {
        let mut oddities = Vec::new();
        match (self.optional(names, &mut oddities), oddities.into_iter().next()) {
            (None, Some(oddity)) => Err(oddity),
            (value, _) => Ok(value),
        }
    }

    /// The entries of a list that the object can do without.
    pub fn list(&self, names: &[&str], oddities: &mut Vec<String>) -> Vec<&'a RawValue> {
        // Under two names, the list with something in it.
        for name in names {
            let mut list: Vec<&RawValue> = self.optional(&[name], oddities).unwrap_or_default();
            list.retain(|raw| !is_null(raw));
            if list.len() > LIST_MOST {
                oddities
                    .push(format!("its {name} has {} entries; the first {LIST_MOST} are read", list.len()));
                list.truncate(LIST_MOST);
            }
            if !list.is_empty() {
                return list;
            }
        }
        Vec::new()
    }

    /// The entries of a list that decides what the object means.
    ///
    /// # Errors
    /// As [`Fields::meaning`].
    pub fn meaning_list(&self, names: &[&str]) -> Result<Vec<&'a RawValue>, String> {
        let mut oddities = Vec::new();
        match (self.list(names, &mut oddities), oddities.into_iter().next()) {
            (list, Some(oddity)) if list.is_empty() => Err(oddity),
            (list, _) => Ok(list),
        }
    }

    /// The fields of an object within the object, where it can do without.
    pub fn object(&self, names: &[&str], oddities: &mut Vec<String>) -> Option<Self> {
        self.optional(names, oddities)
    }

    /// What is there under these names and is not null.
    fn present<'n>(&self, names: &[&'n str]) -> impl Iterator<Item = (&'n str, &'a RawValue)> {
        names.iter().filter_map(|name| {
            // Of a name that stands there twice, the last one counts.
            let (_, raw) = self.0.iter().rev().find(|(known, _)| known == name)?;
            (!is_null(raw)).then_some((*name, *raw))
        })
    }
}

/// Whether it says nothing.
pub fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// Why JSON cannot be read, in a bounded length: the error may hold a whole field.
pub fn reason(error: &serde_json::Error) -> String {
    excerpt(&error.to_string())
}

/// The beginning of a text from outside.
pub fn excerpt(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
