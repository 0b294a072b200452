//! What people decided.

use jiff::Timestamp;
use mynah_domain::{
    JobId,
    people::DecisionRecord,
    ports::ledger::{Advanced, Change, ChangeError, ListedDecision},
};
use rusqlite::{Connection, ToSql, params};

use super::{
    advance,
    rows::{to_integer, to_timestamp},
};

/// Changes jobs, with a record for each change that is made.
pub(super) fn advance(
    db: &Connection,
    changes: &[Change],
    records: &[DecisionRecord],
    now: Timestamp,
) -> rusqlite::Result<Vec<Result<Advanced, ChangeError>>> {
    let answers = advance::advance(db, changes, now)?;
    for (answer, made) in answers.iter().zip(records) {
        if answer.is_ok() {
            record(db, made)?;
        }
    }
    Ok(answers)
}

/// Whether the same record is stored.
pub(super) fn is_recorded(db: &Connection, record: &DecisionRecord) -> rusqlite::Result<bool> {
    let (at, job) = (record.at.as_millisecond(), record.job.map(|job| job.0));
    db.prepare_cached(
        "SELECT 1 FROM decisions
         WHERE at = ?1 AND who IS ?2 AND action = ?3 AND job IS ?4 AND subject = ?5 AND detail = ?6",
    )?
    .exists(params![at, record.who, record.action, job, record.subject, record.detail])
}

/// Stores a record, unless the same one is stored.
pub(super) fn record(db: &Connection, record: &DecisionRecord) -> rusqlite::Result<()> {
    if is_recorded(db, record)? {
        return Ok(());
    }
    let (at, job) = (record.at.as_millisecond(), record.job.map(|job| job.0));
    db.prepare_cached(
        "INSERT INTO decisions (at, who, action, job, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![at, record.who, record.action, job, record.subject, record.detail])
    .map(drop)
}

/// The latest decisions before the one with this number.
pub(super) fn list(
    db: &Connection,
    before: Option<i64>,
    limit: usize,
) -> rusqlite::Result<Vec<ListedDecision>> {
    let mut statement = db.prepare_cached(
        "SELECT id, at, who, action, job, subject, detail FROM decisions WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let bounds: [&dyn ToSql; 2] = [&before.unwrap_or(i64::MAX), &to_integer(limit)];
    let decisions = statement.query_map(bounds, |row| {
        let record = DecisionRecord {
            at: to_timestamp(row.get(1)?),
            who: row.get(2)?,
            action: row.get(3)?,
            job: row.get::<_, Option<i64>>(4)?.map(JobId),
            subject: row.get(5)?,
            detail: row.get(6)?,
        };
        Ok(ListedDecision { number: row.get(0)?, record })
    })?;
    decisions.collect()
}

/// Removes the decisions made before `moment`.
pub(super) fn forget(db: &Connection, moment: Timestamp) -> rusqlite::Result<u64> {
    let removed =
        db.prepare_cached("DELETE FROM decisions WHERE at < ?1")?.execute([moment.as_millisecond()])?;
    Ok(removed as u64)
}
