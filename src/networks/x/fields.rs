//! Reads an object of X's JSON field by field. X's specification makes fields nullable and renames them, and a
//! malformed field must not make its post unreadable, nor a post its page. So null reads like absent, a field may have
//! two names, and a field that cannot be read is either reported as an oddity ([`Fields::optional`]) or makes the
//! object unreadable ([`Fields::meaning`]).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

/// The maximum number of list entries that are read: a page of 100 posts never includes more posts or media.
const LIST_MOST: usize = 1000;

/// An id on X: 1 to 19 digits, in JSON a string or a number. Ids go into paths, queries and the ledger, so nothing else
/// is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

/// A text that is not an id on X.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id, which has 1 to 19 digits")]
pub struct InvalidId(String);

impl Id {
    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its digits.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Its position in time: later posts have larger ids.
    pub fn position(&self) -> u64 {
        // 19 digits fit.
        self.0.parse().unwrap_or(u64::MAX)
    }
}

impl TryFrom<&str> for Id {
    type Error = InvalidId;

    fn try_from(text: &str) -> Result<Self, InvalidId> {
        // X and the ledger use signed 64-bit integers.
        let fits =
            text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 19 && text.parse::<i64>().is_ok();
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidId(excerpt(text))) }
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

/// The fields of one object, unparsed. An object has about a dozen, so a linear search costs less than a map.
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// The name of a field; borrowed if it has no escapes.
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
    /// If it is not an object.
    pub fn of(raw: &'a RawValue) -> Result<Self, String> {
        serde_json::from_str(raw.get()).map_err(|error| reason(&error))
    }

    /// An optional field, by the first of its names that can be read. A value that cannot be read is an oddity.
    pub fn optional<T: Deserialize<'a>>(&self, names: &[&str], oddities: &mut Vec<String>) -> Option<T> {
        for (name, raw) in self.present(names) {
            match serde_json::from_str(raw.get()) {
                Ok(value) => return Some(value),
                Err(error) => oddities.push(format!("its {name} cannot be read: {}", reason(&error))),
            }
        }
        None
    }

    /// A field that determines what the object means, by the first of its names that can be read.
    ///
    /// # Errors
    /// If the field is present, but cannot be read under any name.
    pub fn meaning<T: Deserialize<'a>>(&self, names: &[&str]) -> Result<Option<T>, String> {
        let mut oddities = Vec::new();
        match (self.optional(names, &mut oddities), oddities.into_iter().next()) {
            (None, Some(oddity)) => Err(oddity),
            (value, _) => Ok(value),
        }
    }

    /// The entries of an optional list.
    pub fn list(&self, names: &[&str], oddities: &mut Vec<String>) -> Vec<&'a RawValue> {
        // Under two names, the list that is not empty.
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

    /// The entries of a list that determines what the object means.
    ///
    /// # Errors
    /// See [`Fields::meaning`].
    pub fn meaning_list(&self, names: &[&str]) -> Result<Vec<&'a RawValue>, String> {
        let mut oddities = Vec::new();
        match (self.list(names, &mut oddities), oddities.into_iter().next()) {
            (list, Some(oddity)) if list.is_empty() => Err(oddity),
            (list, _) => Ok(list),
        }
    }

    /// The fields of an optional nested object.
    pub fn object(&self, names: &[&str], oddities: &mut Vec<String>) -> Option<Self> {
        self.optional(names, oddities)
    }

    /// The values under these names that are not null.
    fn present<'n>(&self, names: &[&'n str]) -> impl Iterator<Item = (&'n str, &'a RawValue)> {
        names.iter().filter_map(|name| {
            // If a name occurs twice, the last one counts.
            let (_, raw) = self.0.iter().rev().find(|(known, _)| known == name)?;
            (!is_null(raw)).then_some((*name, *raw))
        })
    }
}

/// Whether it is null.
pub fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// Why JSON cannot be read, shortened: the error may contain a whole field.
pub fn reason(error: &serde_json::Error) -> String {
    excerpt(&error.to_string())
}

/// The beginning of an untrusted text.
pub fn excerpt(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
