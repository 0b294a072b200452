//! Tracks the versions of edited posts. One of them is the recorded version, whose jobs decide what is published.

use mynah_domain::PostId;
use rusqlite::{Connection, OptionalExtension as _, params};

/// The job of the post `?1`, or of its recorded version, for the target `?2`. Posts are indexed by source and id, so
/// each source is queried.
pub(super) const JOBS_OF_POST: &str = "checkpoints CROSS JOIN jobs
    ON jobs.source = checkpoints.source AND jobs.target = ?2 AND jobs.post = ifnull(
        (SELECT versions.post FROM versions WHERE versions.source = checkpoints.source AND versions.id = ?1), ?1)";

/// The recorded version of a source's post; `None` if no other version of it is known.
pub(super) fn recorded(db: &Connection, source: &str, id: &PostId) -> rusqlite::Result<Option<PostId>> {
    db.prepare_cached("SELECT post FROM versions WHERE source = ?1 AND id = ?2")?
        .query_row([source, &id.0], |row| row.get(0).map(PostId))
        .optional()
}

/// Maps a version of a post to the recorded one, unless it is mapped already.
pub(super) fn add(db: &Connection, source: &str, id: &PostId, recorded: &PostId) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO versions (source, id, post) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![source, id.0, recorded.0])
        .map(drop)
}

/// Makes another version the recorded one.
pub(super) fn replace(db: &Connection, source: &str, old: &PostId, new: &PostId) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE versions SET post = ?3 WHERE source = ?1 AND post = ?2")?
        .execute(params![source, old.0, new.0])?;
    add(db, source, old, new)
}
