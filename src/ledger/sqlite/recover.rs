//! Recovers jobs that were in progress when an earlier process ended.

use jiff::Timestamp;
use mynah_domain::{JobId, TargetId, ports::ledger::Change};
use rusqlite::Connection;

use super::{
    super::recovery::{IN_PROGRESS, InProgress, WAITING_TO_RETRY},
    advance::advance,
    rows::state,
    schema::OPEN,
};

pub(super) fn recover(db: &Connection, targets: &[TargetId], now: Timestamp) -> rusqlite::Result<u64> {
    let mut recovered = 0;
    for target in targets {
        try_at_once(db, target)?;
        recovered += take_back(db, target, now)?;
    }
    Ok(recovered)
}

/// Makes waiting retries due: the person who restarted Mynah may have fixed their cause.
fn try_at_once(db: &Connection, target: &TargetId) -> rusqlite::Result<()> {
    db.prepare_cached(&format!(
        // A repeated change would now get another answer than the first time.
        "UPDATE jobs SET attempt = 0, not_before = NULL, last_change = NULL
         WHERE {OPEN} AND target = ?1 AND {WAITING_TO_RETRY}"
    ))?
    .execute([target.as_str()])
    .map(drop)
}

/// Ends the leases of a target's jobs. Returns how many were in progress.
fn take_back(db: &Connection, target: &TargetId, now: Timestamp) -> rusqlite::Result<u64> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, state, token, translation IS NOT NULL,
                EXISTS (SELECT 1 FROM publications WHERE job = jobs.id AND remote_id IS NULL)
         FROM jobs WHERE {OPEN} AND target = ?1 AND {IN_PROGRESS}"
    ))?;
    let rows = statement.query_map([target.as_str()], |row| {
        Ok(InProgress {
            job: JobId(row.get(0)?),
            state: state(row, 1)?,
            token: row.get(2)?,
            is_translated: row.get(3)?,
            may_be_sent: row.get(4)?,
        })
    })?;
    let jobs: Vec<InProgress> = rows.collect::<rusqlite::Result<_>>()?;
    let changes: Vec<Change> = jobs.iter().map(|job| job.taken_back()).collect();
    let answers = advance(db, &changes, now)?;
    let taken = answers.iter().zip(jobs).filter(|(answer, job)| answer.is_ok() && job.was_leased());
    Ok(taken.count() as u64)
}
