//! Tracks the versions of edited posts. One of them is the recorded version, whose jobs decide what is published.

use mynah_domain::{Post, PostId};
use rusqlite::{Connection, OptionalExtension as _, params};

/// The job of the post `?1`, or of its recorded version, for the target `?2`. Posts are indexed by source and id, so
/// each source is queried.
pub(super) const JOBS_OF_POST: &str = "checkpoints CROSS JOIN jobs
    ON jobs.source = checkpoints.source AND jobs.target = ?2 AND jobs.post = ifnull(
        (SELECT versions.post FROM versions WHERE versions.source = checkpoints.source AND versions.id = ?1), ?1)";

/// The recorded version of a source's post; the post itself if no other version is known.
pub(super) fn recorded(db: &Connection, source: &str, id: &PostId) -> rusqlite::Result<PostId> {
    let known = db
        .prepare_cached("SELECT post FROM versions WHERE source = ?1 AND id = ?2")?
        .query_row([source, &id.0], |row| row.get(0).map(PostId))
        .optional()?;
    Ok(known.unwrap_or_else(|| id.clone()))
}

/// The recorded version of a new post, if any of its versions is on record.
pub(super) fn of(db: &Connection, source: &str, post: &Post) -> rusqlite::Result<Option<PostId>> {
    let mut alias = db.prepare_cached("SELECT post FROM versions WHERE source = ?1 AND id = ?2")?;
    for id in std::iter::once(&post.id).chain(&post.versions) {
        let known = alias.query_row([source, &id.0], |row| row.get(0).map(PostId)).optional()?;
        if known.is_some() {
            return Ok(known);
        }
    }
    let mut on_record = db.prepare_cached("SELECT 1 FROM posts WHERE source = ?1 AND id = ?2")?;
    for id in post.versions.iter().filter(|id| **id != post.id) {
        if on_record.exists([source, &id.0])? {
            return Ok(Some(id.clone()));
        }
    }
    Ok(None)
}

/// Maps every version of a post to the recorded one. A version that is already mapped is not changed.
pub(super) fn learn(db: &Connection, source: &str, post: &Post, recorded: &PostId) -> rusqlite::Result<()> {
    if post.id == *recorded && post.versions.iter().all(|id| *id == post.id) {
        return Ok(());
    }
    let mut statement = db.prepare_cached(
        "INSERT INTO versions (source, id, post) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for id in std::iter::once(recorded).chain([&post.id]).chain(&post.versions) {
        statement.execute(params![source, id.0, recorded.0])?;
    }
    Ok(())
}

/// Makes another version the recorded one.
pub(super) fn replace(db: &Connection, source: &str, old: &PostId, new: &PostId) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE versions SET post = ?3 WHERE source = ?1 AND post = ?2")?
        .execute(params![source, old.0, new.0])?;
    db.prepare_cached("INSERT INTO versions (source, id, post) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![source, old.0, new.0])
        .map(drop)
}
