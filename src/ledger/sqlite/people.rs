//! Users and their sessions.

use jiff::Timestamp;
use mynah_domain::{
    people::{DecisionRecord, Session, TokenHash, User, UserName},
    ports::ledger::MAX_SESSIONS,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};

use super::{
    decisions,
    rows::{to_integer, to_timestamp},
};

fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    row.get_ref(column)?
        .as_str()?
        .parse()
        .map_err(|error: T::Err| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

pub(super) fn users(db: &Connection) -> rusqlite::Result<Vec<User>> {
    let mut statement = db.prepare_cached("SELECT name, role, token, since FROM users ORDER BY key")?;
    let users = statement.query_map([], |row| {
        Ok(User {
            name: parsed(row, 0)?,
            role: parsed(row, 1)?,
            token: parsed(row, 2)?,
            since: to_timestamp(row.get(3)?),
        })
    })?;
    users.collect()
}

pub(super) fn add(db: &Connection, user: &User, record: &DecisionRecord) -> rusqlite::Result<bool> {
    once(db, record, || {
        db.prepare_cached(
            "INSERT INTO users (key, name, role, token, since) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            user.name.key(),
            user.name.as_str(),
            user.role.as_str(),
            user.token.to_string(),
            user.since.as_millisecond()
        ])
    })
}

pub(super) fn renew(
    db: &Connection,
    name: &UserName,
    token: TokenHash,
    record: &DecisionRecord,
) -> rusqlite::Result<bool> {
    once(db, record, || {
        close_all(db, name)?;
        db.prepare_cached("UPDATE users SET token = ?2 WHERE key = ?1")?
            .execute([name.key(), token.to_string()])
    })
}

pub(super) fn remove(db: &Connection, name: &UserName, record: &DecisionRecord) -> rusqlite::Result<bool> {
    once(db, record, || {
        close_all(db, name)?;
        db.prepare_cached("DELETE FROM users WHERE key = ?1")?.execute([name.key()])
    })
}

/// Makes a change with its record, unless the record shows that it was made already. Returns whether it is made.
fn once(
    db: &Connection,
    record: &DecisionRecord,
    change: impl FnOnce() -> rusqlite::Result<usize>,
) -> rusqlite::Result<bool> {
    if decisions::is_recorded(db, record)? {
        return Ok(true);
    }
    let is_made = change()? > 0;
    if is_made {
        decisions::record(db, record)?;
    }
    Ok(is_made)
}

fn close_all(db: &Connection, name: &UserName) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM sessions WHERE user_key = ?1")?.execute([name.key()])
}

pub(super) fn open_session(db: &Connection, session: &Session, now: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM sessions WHERE until <= ?1")?.execute([now.as_millisecond()])?;
    db.prepare_cached(
        "INSERT INTO sessions (id, user_key, token, until) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        session.id.to_string(),
        session.user,
        session.token.to_string(),
        session.until.as_millisecond()
    ])?;
    db.prepare_cached(
        "DELETE FROM sessions WHERE id IN (
             SELECT id FROM sessions WHERE user_key = ?1 ORDER BY until DESC, id LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![session.user, to_integer(MAX_SESSIONS)])
    .map(drop)
}

pub(super) fn session(db: &Connection, id: TokenHash) -> rusqlite::Result<Option<Session>> {
    db.prepare_cached("SELECT user_key, token, until FROM sessions WHERE id = ?1")?
        .query_row([id.to_string()], |row| {
            let until = to_timestamp(row.get(2)?);
            Ok(Session { id, user: row.get(0)?, token: parsed(row, 1)?, until })
        })
        .optional()
}

pub(super) fn close_session(db: &Connection, id: TokenHash) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id.to_string()]).map(drop)
}
