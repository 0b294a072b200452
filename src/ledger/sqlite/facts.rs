//! Small facts that adapters store by name.

use rusqlite::{Connection, OptionalExtension as _};

pub(super) fn fact(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM facts WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

pub(super) fn remember(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO facts (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
    )?
    .execute([key, value])
    .map(drop)
}

pub(super) fn replace(
    db: &Connection,
    key: &str,
    expected: Option<&str>,
    value: &str,
) -> rusqlite::Result<bool> {
    let changed = match expected {
        Some(expected) => db
            .prepare_cached("UPDATE facts SET value = ?3 WHERE key = ?1 AND value IN (?2, ?3)")?
            .execute([key, expected, value])?,
        None => db
            .prepare_cached(
                "INSERT INTO facts (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = ?2 WHERE value = ?2",
            )?
            .execute([key, value])?,
    };
    Ok(changed == 1)
}
