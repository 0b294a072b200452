//! Between rows and the domain's types.

use jiff::Timestamp;
use mynah_domain::{JobId, PostId, job::Publication};
use rusqlite::{Connection, types::Type};
use serde::{Serialize, de::DeserializeOwned};

pub(super) fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into()))
}

pub(super) fn to_timestamp(millis: i64) -> Timestamp {
    // Only Mynah writes these; one beyond the calendar would be a moment that never comes.
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

pub(super) fn publications(db: &Connection, job: JobId) -> rusqlite::Result<Vec<Publication>> {
    let mut statement = db.prepare_cached(
        "SELECT part, text, intent_at, remote_id, after FROM publications WHERE job = ?1 ORDER BY part",
    )?;
    let rows = statement.query_map([job.0], |row| {
        Ok(Publication {
            part: row.get(0)?,
            text: row.get(1)?,
            intent_at: to_timestamp(row.get(2)?),
            remote_id: row.get::<_, Option<String>>(3)?.map(PostId),
            after: row.get::<_, Option<String>>(4)?.map(PostId),
        })
    })?;
    rows.collect()
}
