//! Records posts, and the checkpoint of each source.

use jiff::Timestamp;
use mynah_domain::{
    JobId, Post, PostId, TargetId,
    job::HoldKind,
    ports::ledger::{Change, Checkpoint, RecordPage, Recorded},
};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::{
    super::{
        decision::stand_of,
        recording::{self, Beginning, NewPost, OnRecord, Pages, Waiting},
        restored::Restored,
        settled::Settled,
    },
    advance::advance,
    restored,
    rows::{from_json, state, to_integer, to_json},
    settled, spending, versions,
};

pub(super) fn checkpoint(db: &Connection, source: &str) -> rusqlite::Result<Option<Checkpoint>> {
    db.prepare_cached("SELECT body FROM checkpoints WHERE source = ?1")?
        .query_row([source], |row| from_json(row.get_ref(0)?.as_str()?))
        .optional()
}

pub(super) fn by_id(db: &Connection, source: &str, id: &PostId) -> rusqlite::Result<Option<Post>> {
    let id = versions::recorded(db, source, id)?.unwrap_or_else(|| id.clone());
    db.prepare_cached("SELECT body FROM posts WHERE source = ?1 AND id = ?2")?
        .query_row([source, &id.0], |row| from_json(row.get_ref(0)?.as_str()?))
        .optional()
}

/// Up to `limit` posts that could not be read and whose job a person retries, oldest first.
pub(super) fn to_reread(db: &Connection, source: &str, limit: usize) -> rusqlite::Result<Vec<PostId>> {
    let mut statement = db.prepare_cached(
        "SELECT id FROM posts WHERE source = ?1 AND raw IS NOT NULL AND EXISTS (
             SELECT 1 FROM jobs WHERE jobs.source = posts.source AND jobs.post = posts.id AND state = 'queued')
         ORDER BY position, id LIMIT ?2",
    )?;
    statement.query_map(params![source, to_integer(limit)], |row| row.get(0).map(PostId))?.collect()
}

pub(super) fn record(db: &Connection, page: &RecordPage, now: Timestamp) -> rusqlite::Result<Recorded> {
    let mut timeline = Timeline::of(db, &page.source, now)?;
    let recorded = recording::record(&mut timeline, page)?;
    settled::write(db, &timeline.settled)?;
    if let Some((key, charges)) = &page.settles {
        spending::settle(db, *key, charges)?;
    }
    db.prepare_cached(
        "INSERT INTO checkpoints (source, body) VALUES (?1, ?2) ON CONFLICT (source) DO UPDATE SET body = ?2",
    )?
    .execute(params![page.source, to_json(&page.checkpoint)?])?;
    Ok(recorded)
}

/// A source's posts and their jobs in the file.
struct Timeline<'a> {
    db: &'a Connection,
    source: &'a str,
    now: Timestamp,
    posts: CachedStatement<'a>,
    jobs: CachedStatement<'a>,
    settled: Settled,
}

impl<'a> Timeline<'a> {
    fn of(db: &'a Connection, source: &'a str, now: Timestamp) -> rusqlite::Result<Self> {
        let posts = db.prepare_cached(
            "INSERT INTO posts (source, id, position, body, recorded_at, raw, forgotten_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?;
        let jobs = db.prepare_cached(
            "INSERT INTO jobs (source, post, target, position, state, stand, kind, reason, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) ON CONFLICT DO NOTHING",
        )?;
        Ok(Self { db, source, now, posts, jobs, settled: Settled::default() })
    }
}

impl Pages for Timeline<'_> {
    type Error = rusqlite::Error;

    fn restored(&mut self) -> rusqlite::Result<Restored> {
        restored::of(self.db)
    }

    fn version(&mut self, id: &PostId) -> rusqlite::Result<Option<PostId>> {
        versions::recorded(self.db, self.source, id)
    }

    fn post(&mut self, id: &PostId) -> rusqlite::Result<Option<OnRecord>> {
        self.db
            .prepare_cached(
                "SELECT raw IS NOT NULL, forgotten_at IS NOT NULL FROM posts WHERE source = ?1 AND id = ?2",
            )?
            .query_row([self.source, &id.0], |row| {
                Ok(OnRecord { is_raw: row.get(0)?, is_forgotten: row.get(1)? })
            })
            .optional()
    }

    fn waiting(&mut self, id: &PostId) -> rusqlite::Result<Vec<Waiting>> {
        let mut statement = self.db.prepare_cached(
            "SELECT id, target, state, token FROM jobs
             WHERE source = ?1 AND post = ?2 AND (state = 'queued' OR (state = 'held' AND kind = ?3))
             ORDER BY id",
        )?;
        let bounds = [self.source, &id.0, HoldKind::Unreadable.as_str()];
        let rows = statement.query_map(bounds, |row| {
            Ok(Waiting {
                id: JobId(row.get(0)?),
                target: TargetId::from(row.get_ref(1)?.as_str()?),
                state: state(row, 2)?,
                token: row.get(3)?,
            })
        })?;
        rows.collect()
    }

    fn add_post(&mut self, NewPost { post, raw, is_forgotten }: NewPost<'_>) -> rusqlite::Result<bool> {
        let position = to_integer(post.position);
        let body = if is_forgotten { to_json(&post.without_text())? } else { to_json(post)? };
        let at = self.now.as_millisecond();
        let row = params![self.source, post.id.0, position, body, at, raw, is_forgotten.then_some(at)];
        Ok(self.posts.execute(row)? > 0)
    }

    fn add_job(&mut self, post: &Post, target: &TargetId, beginning: Beginning) -> rusqlite::Result<()> {
        let Beginning { state, kind, reason } = beginning;
        let new = self.jobs.execute(params![
            self.source,
            post.id.0,
            target.as_str(),
            to_integer(post.position),
            state.as_str(),
            stand_of(state),
            kind,
            reason,
            self.now.as_millisecond()
        ])?;
        if new > 0 {
            self.settled.came_to(target, state);
        }
        Ok(())
    }

    fn replace_raw(&mut self, post: &Post) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("UPDATE posts SET body = ?3, raw = NULL WHERE source = ?1 AND id = ?2")?
            .execute(params![self.source, post.id.0, to_json(post)?])
            .map(drop)
    }

    fn add_version(&mut self, id: &PostId, recorded: &PostId) -> rusqlite::Result<()> {
        versions::add(self.db, self.source, id, recorded)
    }

    fn replace_version(&mut self, old: &PostId, new: &PostId) -> rusqlite::Result<()> {
        versions::replace(self.db, self.source, old, new)
    }

    fn change(&mut self, changes: &[Change]) -> rusqlite::Result<()> {
        advance(self.db, changes, self.now).map(drop)
    }
}
