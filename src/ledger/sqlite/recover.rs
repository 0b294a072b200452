//! Recovers jobs that were in progress when an earlier process ended.

use jiff::Timestamp;
use mynah_domain::{JobEvent, JobId, JobState, TargetId, ports::ledger::Change};
use rusqlite::Connection;

use super::{advance::advance, rows::state, schema::OPEN};

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
         WHERE {OPEN} AND target = ?1 AND state IN ('queued', 'ready', 'unknown')
           AND (attempt > 0 OR not_before IS NOT NULL)"
    ))?
    .execute([target.as_str()])
    .map(drop)
}

/// Ends the leases of a target's jobs. Returns how many were in progress.
fn take_back(db: &Connection, target: &TargetId, now: Timestamp) -> rusqlite::Result<u64> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, state, token, translation IS NOT NULL,
                EXISTS (SELECT 1 FROM publications WHERE job = jobs.id AND remote_id IS NULL)
         FROM jobs WHERE {OPEN} AND target = ?1
                     AND (state IN ('translating', 'publishing') OR (state = 'held' AND kind IN ('cap', 'quota', 'engine')))"
    ))?;
    let reason = || "the previous run ended while it was in progress".to_owned();
    let rows = statement.query_map([target.as_str()], |row| {
        let (state, is_translated, may_be_sent) = (state(row, 1)?, row.get(3)?, row.get(4)?);
        let event = match state {
            // The limit may have changed; the publisher checks it again.
            JobState::Held => JobEvent::Released { translated: is_translated },
            JobState::Translating => JobEvent::HandedBack { not_before: None, reason: reason() },
            _ if may_be_sent => JobEvent::OutcomeLost { not_before: None, reason: reason() },
            _ => JobEvent::NotSent { not_before: None, reason: reason() },
        };
        let was_in_progress = state != JobState::Held;
        Ok((Change::revoking(JobId(row.get(0)?), row.get(2)?, vec![event]), was_in_progress))
    })?;
    let (changes, were_in_progress): (Vec<Change>, Vec<bool>) =
        rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().unzip();
    let answers = advance(db, &changes, now)?;
    let taken = answers
        .iter()
        .zip(were_in_progress)
        .filter(|(answer, was_in_progress)| answer.is_ok() && *was_in_progress);
    Ok(taken.count() as u64)
}
