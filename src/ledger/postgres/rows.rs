//! Converts between rows and the domain's types.

use std::borrow::Cow;

use mynah_domain::{JobState, PostId, TargetId};
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::{Row, types::FromSql};

pub(super) use super::super::decision::to_timestamp;
use super::errors::{Error, Result};

/// Stands for the character that PostgreSQL cannot store: it shows what was there.
const SYMBOL_FOR_NUL: &str = "\u{2400}";

/// A text as PostgreSQL can store it. The character NUL, which no network shows but an answer may contain, becomes `␀`.
pub(in crate::ledger) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', SYMBOL_FOR_NUL)) } else { Cow::Borrowed(text) }
}

/// JSON as PostgreSQL can read it: it accepts an escaped NUL, and fails when a query reads the text.
pub(in crate::ledger) fn storable_json(json: &str) -> Cow<'_, str> {
    const ESCAPED: &str = "\\u0000";
    if !json.contains(ESCAPED) {
        return storable(json);
    }
    let (mut out, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        // An escape has two characters at least, and the second is ASCII.
        let length = if escape.starts_with(ESCAPED) { ESCAPED.len() } else { escape.len().min(2) };
        out.push_str(if length == ESCAPED.len() { SYMBOL_FOR_NUL } else { &escape[..length] });
        rest = &escape[length..];
    }
    out.push_str(rest);
    Cow::Owned(storable(&out).into_owned())
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    let json = serde_json::to_string(value)?;
    Ok(match storable_json(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(changed) => changed,
    })
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_json::from_str(text)?)
}

/// A column's value.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column).map_err(|error| Error::Unreadable(super::errors::sentence(&error)))
}

pub(super) fn id(row: &Row, column: usize) -> Result<PostId> {
    get(row, column).map(PostId)
}

pub(super) fn target(row: &Row, column: usize) -> Result<TargetId> {
    get(row, column).map(|name: &str| TargetId::from(name))
}

pub(super) fn state(row: &Row, column: usize) -> Result<JobState> {
    let name: &str = get(row, column)?;
    JobState::from_name(name).ok_or_else(|| Error::Unreadable(format!("a job has an unknown state: {name}")))
}

/// A number that is never negative.
pub(super) fn count<N: TryFrom<i64> + Default>(row: &Row, column: usize) -> Result<N> {
    get::<i64>(row, column).map(|count| N::try_from(count).unwrap_or_default())
}

/// A number as a `BIGINT`, capped at the largest one.
pub(super) fn to_integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_meaning_without_the_character_that_cannot_be_stored() {
        for text in ["plain", "a\0b", "\0\0", r"\u0000", r"\\u0000", "\\\0", "é\0\u{1f600}\\", "\"\0\""] {
            let json = serde_json::to_string(text).unwrap();
            let stored = storable_json(&json);
            let read: String = serde_json::from_str(&stored).unwrap();
            assert_eq!(read, text.replace('\0', SYMBOL_FOR_NUL), "{json}");
        }
    }
}
