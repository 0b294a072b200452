//! Posts, how far a source is on record, and small facts.

use jiff::Timestamp;
use mynah_domain::{
    JobState, Post, PostId,
    ports::ledger::{Progress, RecordPage, Recorded},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    rows::{from_json, to_json},
    schema::{ANY_SOURCE, stand_of},
    settled::Settled,
};

pub(super) fn progress(db: &Connection, source: &str) -> rusqlite::Result<Option<Progress>> {
    db.prepare_cached("SELECT body FROM progress WHERE source = ?1")?
        .query_row([source], |row| from_json(row.get_ref(0)?.as_str()?))
        .optional()
}

pub(super) fn by_id(db: &Connection, id: &PostId) -> rusqlite::Result<Option<Post>> {
    db.prepare_cached(&format!("SELECT body FROM posts WHERE {ANY_SOURCE} AND id = ?1 LIMIT 1"))?
        .query_row([&id.0], |row| from_json(row.get_ref(0)?.as_str()?))
        .optional()
}

pub(super) fn record(db: &Connection, page: &RecordPage, now: Timestamp) -> rusqlite::Result<Recorded> {
    let now = now.as_millisecond();
    let mut recorded = Recorded::default();
    let mut posts = db.prepare_cached(
        "INSERT INTO posts (source, id, position, body, recorded_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )?;
    let mut jobs = db.prepare_cached(
        "INSERT INTO jobs (source, post, target, position, state, stand, kind, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT DO NOTHING",
    )?;
    let mut settled = Settled::default();
    for record in &page.posts {
        let post = &record.post;
        let position = i64::try_from(post.position).unwrap_or(i64::MAX);
        let body = to_json(&**post)?;
        let new = posts.execute(params![page.source, post.id.0, position, body, now])?;
        recorded.posts += new as u64;
        if new == 0 {
            // On record already, with its jobs; a target that came later begins with later posts.
            continue;
        }
        for (target, skip) in &record.jobs {
            let state = if skip.is_some() { JobState::Skipped } else { JobState::Queued };
            let kind = skip.map(mynah_domain::Skip::as_str);
            let new = jobs.execute(params![
                page.source,
                post.id.0,
                target.as_str(),
                position,
                state.as_str(),
                stand_of(state),
                kind,
                now
            ])?;
            if new > 0 {
                settled.came_to(target, state);
            }
            if skip.is_some() {
                recorded.skipped += 1;
            } else {
                recorded.jobs += 1;
            }
        }
    }
    settled.write(db)?;
    db.prepare_cached(
        "INSERT INTO progress (source, body) VALUES (?1, ?2) ON CONFLICT (source) DO UPDATE SET body = ?2",
    )?
    .execute(params![page.source, to_json(&page.progress)?])?;
    Ok(recorded)
}

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
