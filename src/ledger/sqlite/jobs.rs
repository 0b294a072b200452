//! Jobs: reading a line of them, and what is asked about one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mynah_domain::{
    Job, JobEvent, JobId, JobState, PostId, TargetId,
    caps::{Spent, day_start, month_start},
    ports::ledger::Change,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    advance::advance,
    rows::{from_json, publications, to_timestamp},
    schema::{ANY_SOURCE, OPEN, UNDONE},
    shared::Shared,
    versions,
};

pub(super) fn open(
    db: &Connection,
    shared: &Shared,
    target: &TargetId,
    after: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Vec<Job>> {
    let after = after.map_or(-1, |position| i64::try_from(position).unwrap_or(i64::MAX));
    let mut statement = db.prepare_cached(&format!(
        "SELECT jobs.id, jobs.state, jobs.token, jobs.attempt, jobs.not_before, jobs.translation, posts.body,
                EXISTS (SELECT 1 FROM publications WHERE job = jobs.id), jobs.source, jobs.post
         FROM jobs JOIN posts ON posts.source = jobs.source AND posts.id = jobs.post
         WHERE jobs.target = ?1 AND jobs.position > ?2 AND jobs.position <= ?4 AND {OPEN}
           AND (jobs.state <> 'held' OR jobs.not_before IS NOT NULL)
           -- What could not be read has nothing to translate, whatever its job's state.
           AND posts.raw IS NULL
           -- Not where posts before it are not on record yet. Each source is asked for itself, so that a walk which
           -- nobody will ever finish keeps back nothing but its own.
           AND NOT EXISTS (
               SELECT 1 FROM progress WHERE progress.source = jobs.source
                  AND progress.body ->> '$.walk' IS NOT NULL
                  AND jobs.position > ifnull(progress.body ->> '$.floor.position', -1))
         ORDER BY jobs.position, jobs.id LIMIT ?3",
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![target.as_str(), after, limit, ceiling(db)?])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(job(db, shared, target, row)?);
    }
    Ok(jobs)
}

/// The position behind which no source has anything to hand out: a long walk is not read through only to be left out.
fn ceiling(db: &Connection) -> rusqlite::Result<i64> {
    let ceiling: Option<i64> = db
        .prepare_cached(
            "SELECT max(iif(body ->> '$.walk' IS NULL, 9223372036854775807, ifnull(body ->> '$.floor.position', -1)))
             FROM progress",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(ceiling.unwrap_or(i64::MAX))
}

fn job(db: &Connection, shared: &Shared, target: &TargetId, row: &Row<'_>) -> rusqlite::Result<Job> {
    let id = JobId(row.get(0)?);
    // A line is long, and most of it was never begun.
    let begun = row.get(7)?;
    Ok(Job {
        id,
        post: shared.post(row.get_ref(8)?.as_str()?, row.get_ref(9)?.as_str()?, || {
            from_json(row.get_ref(6)?.as_str()?)
        })?,
        target: target.clone(),
        state: state(row, 1)?,
        token: row.get(2)?,
        attempt: row.get(3)?,
        not_before: row.get::<_, Option<i64>>(4)?.map(to_timestamp),
        translation: row.get_ref(5)?.as_str_or_null()?.map(from_json).transpose()?,
        publications: if begun { publications(db, id)? } else { Vec::new() },
    })
}

pub(super) fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<JobState> {
    let name = row.get_ref(column)?.as_str()?;
    JobState::from_name(name).ok_or_else(|| {
        let unknown = format!("a job is in a state that there is not: {name}");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, unknown.into())
    })
}

/// SQLite counts in `i64`, and never below zero.
fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or_default())
}

pub(super) fn recover(db: &Connection, now: Timestamp) -> rusqlite::Result<u64> {
    // Whoever starts anew has perhaps mended what kept these waiting.
    db.execute(
        &format!(
            "UPDATE jobs SET attempt = 0, not_before = NULL
             WHERE {OPEN} AND state IN ('queued', 'ready', 'unknown') AND (attempt > 0 OR not_before IS NOT NULL)"
        ),
        [],
    )?;
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, state, token, translation IS NOT NULL,
                EXISTS (SELECT 1 FROM publications WHERE job = jobs.id AND remote_id IS NULL)
         FROM jobs WHERE {OPEN}
                     AND (state IN ('translating', 'publishing') OR (state = 'held' AND kind IN ('cap', 'quota')))"
    ))?;
    let rows = statement.query_map([], |row| {
        let translated = row.get::<_, bool>(3)?;
        Ok((JobId(row.get(0)?), state(row, 1)?, row.get::<_, i64>(2)?, translated, row.get::<_, bool>(4)?))
    })?;
    let reason = || "the run before ended with it in hand".to_owned();
    let mut recovered = 0;
    for row in rows.collect::<rusqlite::Result<Vec<_>>>()? {
        let (job, state, token, translated, sent_unanswered) = row;
        let event = match state {
            // The limit may be another since; whoever works on it looks.
            JobState::Held => JobEvent::Released { translated },
            JobState::Translating => JobEvent::HandedBack { not_before: None, reason: reason() },
            _ if sent_unanswered => JobEvent::OutcomeLost { not_before: None, reason: reason() },
            _ => JobEvent::NotSent { not_before: None, reason: reason() },
        };
        let change = Change { job, token, events: vec![event] };
        if advance(db, &[change], now)?.iter().all(Result::is_ok) {
            // Whoever still holds the lease of before changes nothing any more.
            db.prepare_cached("UPDATE jobs SET token = token + 1 WHERE id = ?1")?.execute([job.0])?;
            recovered += u64::from(state != JobState::Held);
        }
    }
    Ok(recovered)
}

pub(super) fn spent(db: &Connection, target: &TargetId, now: Timestamp) -> rusqlite::Result<Spent> {
    let since = |moment: Timestamp| {
        db.prepare_cached("SELECT count(*) FROM publications WHERE target = ?1 AND intent_at >= ?2")?
            .query_row(params![target.as_str(), moment.as_millisecond()], |row| count(row, 0))
    };
    Ok(Spent { today: since(day_start(now))?, this_month: since(month_start(now))? })
}

pub(super) fn publication_of(
    db: &Connection,
    post: &PostId,
    target: &TargetId,
) -> rusqlite::Result<Option<PostId>> {
    let post = versions::recorded(db, post)?;
    db.prepare_cached(&format!(
        "SELECT publications.remote_id FROM jobs JOIN publications ON publications.job = jobs.id
         WHERE {ANY_SOURCE} AND jobs.post = ?1 AND jobs.target = ?2 AND publications.remote_id IS NOT NULL
         ORDER BY publications.part DESC LIMIT 1"
    ))?
    .query_row(params![post.0, target.as_str()], |row| row.get(0).map(PostId))
    .optional()
}

pub(super) fn state_of(
    db: &Connection,
    post: &PostId,
    target: &TargetId,
) -> rusqlite::Result<Option<JobState>> {
    let post = versions::recorded(db, post)?;
    db.prepare_cached(&format!("SELECT state FROM jobs WHERE {ANY_SOURCE} AND post = ?1 AND target = ?2"))?
        .query_row(params![post.0, target.as_str()], |row| state(row, 0))
        .optional()
}

pub(super) fn recorded(
    db: &Connection,
    target: &TargetId,
    messages: &[PostId],
) -> rusqlite::Result<Vec<PostId>> {
    // As the index has it, which keeps the longer of two ids behind the shorter.
    let mut statement = db.prepare_cached(
        "SELECT 1 FROM publications WHERE target = ?1 AND length(remote_id) = length(?2) AND remote_id = ?2",
    )?;
    let mut on_record = Vec::new();
    for message in messages {
        if statement.exists(params![target.as_str(), message.0])? {
            on_record.push(message.clone());
        }
    }
    Ok(on_record)
}

pub(super) fn counts(db: &Connection) -> rusqlite::Result<BTreeMap<(TargetId, JobState), u64>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT target, state, count(*) FROM jobs WHERE {UNDONE} GROUP BY target, state
         UNION ALL
         SELECT target, state, jobs FROM settled WHERE jobs > 0"
    ))?;
    let rows = statement.query_map([], |row| {
        Ok(((TargetId::from(row.get_ref(0)?.as_str()?), state(row, 1)?), count(row, 2)?))
    })?;
    rows.collect()
}
