//! Small facts that adapters store by name.

use rusqlite::{Connection, OptionalExtension as _};

pub(super) fn fact(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM facts WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

pub(super) fn replace(db: &Connection, key: &str, old: Option<&str>, new: &str) -> rusqlite::Result<bool> {
    let present = fact(db, key)?;
    if present.as_deref() == old {
        remember(db, key, new)?;
        return Ok(true);
    }
    Ok(present.as_deref() == Some(new))
}

pub(super) fn remember(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO facts (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
    )?
    .execute([key, value])
    .map(drop)
}
