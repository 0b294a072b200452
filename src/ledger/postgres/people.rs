//! Users and their sessions.

use deadpool_postgres::{GenericClient, Object, Transaction};
use jiff::Timestamp;
use mynah_domain::{
    people::{DecisionRecord, Session, TokenHash, User, UserName},
    ports::ledger::MAX_SESSIONS,
};
use tokio_postgres::Row;

use super::{
    decisions,
    errors::{Error, Result},
    rows::{get, to_integer, to_timestamp},
};

fn parsed<T: std::str::FromStr>(row: &Row, column: usize) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    get::<&str>(row, column)?.parse().map_err(|error: T::Err| Error::Unreadable(error.to_string()))
}

pub(super) async fn users(db: &Object) -> Result<Vec<User>> {
    let statement = db.prepare_cached("SELECT name, role, token, since FROM users ORDER BY key").await?;
    let rows = db.query(&statement, &[]).await?;
    let user = |row: &Row| {
        Ok(User {
            name: parsed(row, 0)?,
            role: parsed(row, 1)?,
            token: parsed(row, 2)?,
            since: to_timestamp(get(row, 3)?),
        })
    };
    rows.iter().map(user).collect()
}

pub(super) async fn add(db: &mut Object, user: &User, record: &DecisionRecord) -> Result<bool> {
    let sql = "INSERT INTO users (key, name, role, token, since) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let (key, token, since) = (user.name.key(), user.token.to_string(), user.since.as_millisecond());
    once(db, record, async |transaction| {
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&key, &user.name.as_str(), &user.role.as_str(), &token, &since];
        Ok(transaction.execute(sql, &values).await?)
    })
    .await
}

pub(super) async fn renew(
    db: &mut Object,
    name: &UserName,
    token: TokenHash,
    record: &DecisionRecord,
) -> Result<bool> {
    let (key, token) = (name.key(), token.to_string());
    once(db, record, async |transaction| {
        let renewed =
            transaction.execute("UPDATE users SET token = $2 WHERE key = $1", &[&key, &token]).await?;
        transaction.execute("DELETE FROM sessions WHERE user_key = $1", &[&key]).await?;
        Ok(renewed)
    })
    .await
}

pub(super) async fn remove(db: &mut Object, name: &UserName, record: &DecisionRecord) -> Result<bool> {
    let key = name.key();
    once(db, record, async |transaction| {
        let removed = transaction.execute("DELETE FROM users WHERE key = $1", &[&key]).await?;
        transaction.execute("DELETE FROM sessions WHERE user_key = $1", &[&key]).await?;
        Ok(removed)
    })
    .await
}

/// Makes a change with its record, unless the record shows that it was made already. Returns whether it is made.
async fn once(
    db: &mut Object,
    record: &DecisionRecord,
    change: impl AsyncFnOnce(&Transaction<'_>) -> Result<u64>,
) -> Result<bool> {
    let transaction = db.transaction().await?;
    if decisions::is_recorded(&transaction, record).await? {
        return Ok(true);
    }
    let is_made = change(&transaction).await? > 0;
    if is_made {
        decisions::record(&transaction, record).await?;
    }
    transaction.commit().await?;
    Ok(is_made)
}

pub(super) async fn open_session(db: &mut Object, session: &Session, now: Timestamp) -> Result<()> {
    let transaction = db.transaction().await?;
    transaction.execute("DELETE FROM sessions WHERE until <= $1", &[&now.as_millisecond()]).await?;
    let (id, token) = (session.id.to_string(), session.token.to_string());
    transaction
        .execute(
            "INSERT INTO sessions (id, user_key, token, until) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            &[&id, &session.user, &token, &session.until.as_millisecond()],
        )
        .await?;
    transaction
        .execute(
            "DELETE FROM sessions WHERE id IN (
                 SELECT id FROM sessions WHERE user_key = $1 ORDER BY until DESC, id OFFSET $2)",
            &[&session.user, &to_integer(MAX_SESSIONS)],
        )
        .await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn session(db: &Object, id: TokenHash) -> Result<Option<Session>> {
    let statement = db.prepare_cached("SELECT user_key, token, until FROM sessions WHERE id = $1").await?;
    let found = db.query_opt(&statement, &[&id.to_string()]).await?;
    let session = |row: Row| {
        let until = to_timestamp(get(&row, 2)?);
        Ok(Session { id, user: get(&row, 0)?, token: parsed(&row, 1)?, until })
    };
    found.map(session).transpose()
}

pub(super) async fn close_session(db: &Object, id: TokenHash) -> Result<()> {
    db.execute("DELETE FROM sessions WHERE id = $1", &[&id.to_string()]).await?;
    Ok(())
}
