//! Remembers that the ledger was restored from a backup. It does not know what was published after the backup, so what
//! may have been published waits for a person: everything that was not done by then, and every post from before the
//! restore that is recorded after it. Later posts are published as usual.

use std::time::Duration;

use jiff::Timestamp;
use mynah_domain::{Hold, Post, job::HoldKind};
use rusqlite::{Connection, params};

use super::facts;

/// The fact with the time of the restore.
const FACT: &str = "ledger:restored_at";

/// How far this machine's clock may be behind the network's.
const SLACK: Duration = Duration::from_mins(1);

/// How long after a post its author may edit it. The edit has a new id and a new time, and only one of the two is
/// published.
const EDITABLE: Duration = Duration::from_hours(24);

/// When the ledger was restored, if it was.
pub(super) struct Restored(Option<Timestamp>);

impl Restored {
    pub(super) fn of(db: &Connection) -> rusqlite::Result<Self> {
        // Only Mynah writes it.
        Ok(Self(facts::fact(db, FACT)?.and_then(|at| at.parse().ok())))
    }

    /// Why a new post must wait for a person, if it may be published already.
    pub(super) fn hold(&self, post: &Post) -> Option<Hold> {
        let at = self.0?;
        let slack = if post.versions.is_empty() { SLACK } else { EDITABLE };
        let until = at.saturating_add(slack).unwrap_or(Timestamp::MAX);
        (post.created_at <= until).then(|| Hold {
            kind: HoldKind::Restored,
            reason: reason(None),
            until: None,
        })
    }
}

/// Why a job is held; `before` is why it was not published by the time of the backup.
fn reason(before: Option<&str>) -> String {
    let before = before.map(|before| format!(" (in the backup: {before})")).unwrap_or_default();
    format!(
        "the ledger was restored from a backup, so it is not known whether this was published since: look at the \
        account, then skip it or retry it{before}"
    )
}

/// Marks a ledger as restored, and holds every job that is not done. Returns how many jobs it holds.
pub(super) fn mark(db: &Connection, now: Timestamp) -> rusqlite::Result<u64> {
    facts::remember(db, FACT, &now.to_string())?;
    let mut statement = db.prepare("SELECT id, reason FROM jobs WHERE stand > 0")?;
    let undone = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let undone: Vec<(i64, Option<String>)> = undone.collect::<Result<_, _>>()?;
    // Every worker of the earlier process is gone, and no change of it may be repeated.
    let mut hold = db.prepare(
        "UPDATE jobs SET state = 'held', stand = 2, kind = ?2, reason = ?3, not_before = NULL, attempt = 0,
                         token = token + 1, last_change = NULL, updated_at = ?4
         WHERE id = ?1",
    )?;
    for (job, before) in &undone {
        let why = reason(before.as_deref());
        hold.execute(params![job, HoldKind::Restored.as_str(), why, now.as_millisecond()])?;
    }
    Ok(undone.len() as u64)
}
