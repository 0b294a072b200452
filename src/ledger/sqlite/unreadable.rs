//! Handles posts that could not be read: their jobs are held, with the raw form stored, until a readable form of the
//! post arrives.

use jiff::Timestamp;
use mynah_domain::{
    Hold, JobEvent, JobId, JobState, Post, PostId, Skip, TargetId,
    job::HoldKind,
    ports::ledger::{Change, Raw, Recorded},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    advance::advance,
    restored::Restored,
    rows::{state, to_integer, to_json},
};

/// Whether only the raw form of a post is on record; `None` if the post is not on record.
pub(super) fn is_raw(db: &Connection, source: &str, id: &PostId) -> rusqlite::Result<Option<bool>> {
    db.prepare_cached("SELECT raw IS NOT NULL FROM posts WHERE source = ?1 AND id = ?2")?
        .query_row([source, &id.0], |row| row.get(0))
        .optional()
}

pub(super) fn to_reread(db: &Connection, source: &str, limit: usize) -> rusqlite::Result<Vec<PostId>> {
    let mut statement = db.prepare_cached(
        "SELECT id FROM posts WHERE source = ?1 AND raw IS NOT NULL AND EXISTS (
             SELECT 1 FROM jobs WHERE jobs.source = posts.source AND jobs.post = posts.id AND state = 'queued')
         ORDER BY position, id LIMIT ?2",
    )?;
    statement.query_map(params![source, to_integer(limit)], |row| row.get(0).map(PostId))?.collect()
}

/// Replaces the raw form of a post with its readable form; `jobs` decides for each target whether to skip it.
pub(super) fn replace(
    db: &Connection,
    source: &str,
    post: &Post,
    jobs: &[(TargetId, Option<Skip>)],
    now: Timestamp,
    recorded: &mut Recorded,
) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE posts SET body = ?3, raw = NULL WHERE source = ?1 AND id = ?2")?
        .execute(params![source, post.id.0, to_json(post)?])?;
    recorded.reread += 1;
    let hold = Restored::of(db)?.hold(post);
    recorded.held_back.extend(hold.is_some().then(|| post.id.clone()));
    let mut changes = Vec::new();
    for job in waiting(db, source, &post.id)? {
        let Some((_, skip)) = jobs.iter().find(|(target, _)| *target == job.target) else { continue };
        let aside = skip.map(JobEvent::Skipped).or_else(|| hold.clone().map(JobEvent::Held));
        match &aside {
            Some(JobEvent::Skipped(_)) => recorded.skipped += 1,
            Some(_) => {}
            None => recorded.jobs += 1,
        }
        let released = (job.state == JobState::Held).then_some(JobEvent::Released { translated: false });
        let events: Vec<_> = released.into_iter().chain(aside).collect();
        changes.push(Change::new(job.id, job.token, events));
    }
    advance(db, &changes, now).map(drop)
}

/// Holds jobs again that a person retried, because the post still cannot be read.
pub(super) fn hold_again(
    db: &Connection,
    source: &str,
    id: &PostId,
    raw: &Raw,
    now: Timestamp,
    recorded: &mut Recorded,
) -> rusqlite::Result<()> {
    let hold = Hold { kind: HoldKind::Unreadable, reason: raw.reason.clone(), until: None };
    let retried = waiting(db, source, id)?.into_iter().filter(|job| job.state == JobState::Queued);
    let changes: Vec<Change> =
        retried.map(|job| Change::new(job.id, job.token, vec![JobEvent::Held(hold.clone())])).collect();
    recorded.held += changes.len() as u64;
    advance(db, &changes, now).map(drop)
}

/// Skips the jobs that wait for a post to be readable, because a readable version takes them over. Returns their
/// targets. Jobs that a person decided about are not changed.
pub(super) fn give_up(
    db: &Connection,
    source: &str,
    id: &PostId,
    now: Timestamp,
    recorded: &mut Recorded,
) -> rusqlite::Result<Vec<TargetId>> {
    if is_raw(db, source, id)? != Some(true) {
        return Ok(Vec::new());
    }
    let waiting = waiting(db, source, id)?;
    let skip = || vec![JobEvent::Skipped(Skip::Edited)];
    let changes: Vec<Change> = waiting.iter().map(|job| Change::new(job.id, job.token, skip())).collect();
    recorded.skipped += changes.len() as u64;
    advance(db, &changes, now)?;
    Ok(waiting.into_iter().map(|job| job.target).collect())
}

/// A job whose post could not be read.
struct Waiting {
    id: JobId,
    target: TargetId,
    state: JobState,
    token: i64,
}

/// The jobs of a raw post that are undecided, or that a person retried.
fn waiting(db: &Connection, source: &str, id: &PostId) -> rusqlite::Result<Vec<Waiting>> {
    let mut statement = db.prepare_cached(
        "SELECT id, target, state, token FROM jobs
         WHERE source = ?1 AND post = ?2 AND (state = 'queued' OR (state = 'held' AND kind = ?3))
         ORDER BY id",
    )?;
    let rows = statement.query_map([source, &id.0, HoldKind::Unreadable.as_str()], |row| {
        Ok(Waiting {
            id: JobId(row.get(0)?),
            target: TargetId::from(row.get_ref(1)?.as_str()?),
            state: state(row, 2)?,
            token: row.get(3)?,
        })
    })?;
    rows.collect()
}
