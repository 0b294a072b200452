//! Records posts, and the checkpoint of each source.

use std::borrow::Cow;

use jiff::Timestamp;
use mynah_domain::{
    Hold, JobState, Post, PostId, Skip, TargetId,
    job::HoldKind,
    ports::ledger::{Checkpoint, RecordPage, RecordPost, Recorded, edited_reason},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    restored::Restored,
    retention,
    rows::{from_json, to_integer, to_json},
    schema::stand_of,
    settled::Settled,
    unreadable, versions,
};

pub(super) fn checkpoint(db: &Connection, source: &str) -> rusqlite::Result<Option<Checkpoint>> {
    db.prepare_cached("SELECT body FROM checkpoints WHERE source = ?1")?
        .query_row([source], |row| from_json(row.get_ref(0)?.as_str()?))
        .optional()
}

pub(super) fn by_id(db: &Connection, source: &str, id: &PostId) -> rusqlite::Result<Option<Post>> {
    let id = versions::recorded(db, source, id)?;
    db.prepare_cached("SELECT body FROM posts WHERE source = ?1 AND id = ?2")?
        .query_row([source, &id.0], |row| from_json(row.get_ref(0)?.as_str()?))
        .optional()
}

pub(super) fn record(db: &Connection, page: &RecordPage, now: Timestamp) -> rusqlite::Result<Recorded> {
    let mut recorded = Recorded::default();
    let mut posts = db.prepare_cached(
        "INSERT INTO posts (source, id, position, body, recorded_at, raw, forgotten_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?;
    let mut settled = Settled::default();
    let restored = Restored::of(db)?;
    for record in &page.posts {
        let post = &record.post;
        let position = to_integer(post.position);
        let mut version = versions::of(db, &page.source, post)?;
        // Another version of a post that a person wants forgotten is not published, so its text is not stored either.
        let is_forgotten = match &version {
            Some(known) => retention::is_post_forgotten(db, &page.source, known)?,
            None => false,
        };
        let raw = record.unreadable.as_ref().map(|raw| &raw.json).filter(|_| !is_forgotten);
        let body = if is_forgotten { to_json(&post.without_text())? } else { to_json(&**post)? };
        let at = now.as_millisecond();
        let row = params![page.source, post.id.0, position, body, at, raw, is_forgotten.then_some(at)];
        if posts.execute(row)? == 0 {
            again(db, &page.source, record, now, &mut recorded)?;
            continue;
        }
        recorded.posts += 1;
        let mut jobs = Cow::from(&record.jobs);
        if let (None, Some(known)) = (raw, &version) {
            // A readable version takes over the jobs of an unreadable one.
            let waiting = unreadable::give_up(db, &page.source, known, now, &mut recorded)?;
            if !waiting.is_empty() {
                for (target, skip) in jobs.to_mut() {
                    let decided = (!waiting.contains(target)).then_some(Skip::Edited);
                    *skip = decided.or(*skip);
                }
                versions::replace(db, &page.source, known, &post.id)?;
                version = None;
            }
        }
        versions::learn(db, &page.source, post, version.as_ref().unwrap_or(&post.id))?;
        recorded.edited.extend(version.is_some().then(|| post.id.clone()));
        let is_decided = version.is_some() || raw.is_some();
        let hold = if is_decided { None } else { restored.hold(post) };
        recorded.held_back.extend(hold.is_some().then(|| post.id.clone()));
        let beginning = Beginning { source: &page.source, record, jobs: &jobs, version, hold, now };
        beginning.write(db, &mut recorded, &mut settled)?;
    }
    settled.write(db)?;
    db.prepare_cached(
        "INSERT INTO checkpoints (source, body) VALUES (?1, ?2) ON CONFLICT (source) DO UPDATE SET body = ?2",
    )?
    .execute(params![page.source, to_json(&page.checkpoint)?])?;
    Ok(recorded)
}

/// Records a known post again. It keeps its jobs; a target that was added later starts with later posts.
fn again(
    db: &Connection,
    source: &str,
    record: &RecordPost,
    now: Timestamp,
    recorded: &mut Recorded,
) -> rusqlite::Result<()> {
    let post = &record.post;
    let is_raw = unreadable::is_raw(db, source, &post.id)? == Some(true);
    let mut version = post.id.clone();
    if is_raw || !post.versions.is_empty() {
        version = versions::of(db, source, post)?.unwrap_or(version);
        versions::learn(db, source, post, &version)?;
    }
    match &record.unreadable {
        Some(raw) if is_raw => unreadable::hold_again(db, source, &post.id, raw, now, recorded),
        None if is_raw => {
            let edited = (version != post.id).then_some(Skip::Edited);
            let jobs: Vec<_> =
                record.jobs.iter().map(|(target, skip)| (target.clone(), edited.or(*skip))).collect();
            unreadable::replace(db, source, post, &jobs, now, recorded)
        }
        _ => Ok(()),
    }
}

/// The initial state of a new post's jobs.
struct Beginning<'a> {
    source: &'a str,
    record: &'a RecordPost,
    jobs: &'a [(TargetId, Option<Skip>)],
    /// The recorded version, if it is another one.
    version: Option<PostId>,
    /// Why a person must decide about it.
    hold: Option<Hold>,
    now: Timestamp,
}

impl Beginning<'_> {
    fn write(&self, db: &Connection, recorded: &mut Recorded, settled: &mut Settled) -> rusqlite::Result<()> {
        let post = &self.record.post;
        let position = to_integer(post.position);
        let mut jobs = db.prepare_cached(
            "INSERT INTO jobs (source, post, target, position, state, stand, kind, reason, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) ON CONFLICT DO NOTHING",
        )?;
        for (target, skip) in self.jobs {
            let (state, kind, reason) = self.state(*skip);
            let new = jobs.execute(params![
                self.source,
                post.id.0,
                target.as_str(),
                position,
                state.as_str(),
                stand_of(state),
                kind,
                reason,
                self.now.as_millisecond()
            ])?;
            if new > 0 {
                settled.came_to(target, state);
            }
            *match state {
                JobState::Skipped => &mut recorded.skipped,
                JobState::Held if self.record.unreadable.is_none() => continue,
                JobState::Held => &mut recorded.held,
                _ => &mut recorded.jobs,
            } += 1;
        }
        Ok(())
    }

    /// The state, the kind of hold or skip, and the reason.
    fn state(&self, skip: Option<Skip>) -> (JobState, Option<&'static str>, Option<String>) {
        match (&self.version, skip, &self.record.unreadable) {
            (Some(version), ..) => {
                (JobState::Skipped, Some(Skip::Edited.as_str()), Some(edited_reason(version)))
            }
            (None, Some(skip), _) => (JobState::Skipped, Some(skip.as_str()), None),
            (None, None, Some(raw)) => {
                (JobState::Held, Some(HoldKind::Unreadable.as_str()), Some(raw.reason.clone()))
            }
            (None, None, None) => match &self.hold {
                Some(hold) => (JobState::Held, Some(hold.kind.as_str()), Some(hold.reason.clone())),
                None => (JobState::Queued, None, None),
            },
        }
    }
}
