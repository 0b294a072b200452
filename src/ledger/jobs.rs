//! Jobs: reading a line of them, and taking them from state to state by the domain's table and no other.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use mynah_domain::{
    Job, JobEvent, JobId, JobState, Post, PostId, TargetId,
    caps::{Spent, day_start, month_start},
    ports::ledger::{Advanced, Change, ChangeError},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    rows::{from_json, publications, to_json, to_timestamp},
    schema::UNDONE,
};

pub(super) fn open(
    db: &Connection,
    target: &TargetId,
    after: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Vec<Job>> {
    let after = after.map_or(-1, |position| i64::try_from(position).unwrap_or(i64::MAX));
    let mut statement = db.prepare_cached(
        "SELECT jobs.id, jobs.state, jobs.token, jobs.attempt, jobs.not_before, jobs.translation, posts.body,
                EXISTS (SELECT 1 FROM publications WHERE job = jobs.id)
         FROM jobs JOIN posts ON posts.source = jobs.source AND posts.id = jobs.post
         WHERE jobs.target = ?1 AND jobs.position > ?2 AND jobs.position <= ?4
           AND jobs.state IN ('queued', 'translating', 'ready', 'publishing', 'unknown', 'held')
           AND (jobs.state <> 'held' OR jobs.not_before IS NOT NULL)
           -- Not where posts before it are not on record yet. Each source is asked for itself, so that a walk which
           -- nobody will ever finish keeps back nothing but its own.
           AND NOT EXISTS (
               SELECT 1 FROM progress WHERE progress.source = jobs.source
                  AND progress.body ->> '$.walk' IS NOT NULL
                  AND jobs.position > ifnull(progress.body ->> '$.floor.position', -1))
         ORDER BY jobs.position, jobs.id LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![target.as_str(), after, limit, ceiling(db)?])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(job(db, target, row)?);
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

fn job(db: &Connection, target: &TargetId, row: &Row<'_>) -> rusqlite::Result<Job> {
    let id = JobId(row.get(0)?);
    // A line is long, and most of it was never begun.
    let begun = row.get(7)?;
    Ok(Job {
        id,
        post: Arc::new(from_json::<Post>(row.get_ref(6)?.as_str()?)?),
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

/// Takes one job through the events of a change: all of them or none.
pub(super) fn advance(
    db: &Connection,
    change: &Change,
    now: Timestamp,
) -> rusqlite::Result<Result<Advanced, ChangeError>> {
    let found = db
        .prepare_cached("SELECT state, token, attempt FROM jobs WHERE id = ?1")?
        .query_row([change.job.0], |row| Ok((state(row, 0)?, row.get::<_, i64>(1)?, row.get::<_, u32>(2)?)))
        .optional()?;
    let Some((mut state, mut token, mut attempt)) = found else {
        return Ok(Err(ChangeError::NoSuchJob(change.job)));
    };
    if token != change.token {
        return Ok(Err(ChangeError::Stale { job: change.job, current: token, offered: change.token }));
    }
    let start = state;
    // The whole way is looked at before a step is taken, so that a wrong one leaves nothing half done.
    for event in &change.events {
        let Some(next) = state.after(event) else {
            let event = format!("{event:?}");
            return Ok(Err(ChangeError::Illegal { job: change.job, state, event }));
        };
        state = next;
    }
    if let Some((event, why)) = contradiction(db, change)? {
        let event = format!("{event:?}: {why}");
        return Ok(Err(ChangeError::Illegal { job: change.job, state: start, event }));
    }
    for event in &change.events {
        if event.leases() {
            token += 1;
            attempt += 1;
        } else if matches!(
            event,
            JobEvent::Translated(_) | JobEvent::PartSent { .. } | JobEvent::Released { .. }
        ) {
            attempt = 0;
        } else if matches!(event, JobEvent::Untouched) {
            attempt = attempt.saturating_sub(1);
        }
        write_payload(db, change.job, event, now)?;
    }
    let now = now.as_millisecond();
    if state == start {
        // A row whose state stays is in the same indexes as before, which need no writing then.
        db.prepare_cached("UPDATE jobs SET token = ?2, attempt = ?3, updated_at = ?4 WHERE id = ?1")?
            .execute(params![change.job.0, token, attempt, now])?;
    } else {
        db.prepare_cached(
            "UPDATE jobs SET state = ?2, token = ?3, attempt = ?4, updated_at = ?5 WHERE id = ?1",
        )?
        .execute(params![change.job.0, state.as_str(), token, attempt, now])?;
    }
    Ok(Ok(Advanced { state, token, attempt }))
}

/// The first event that what is on record about the job's parts speaks against. The table of states cannot see this,
/// and it is what stands between a wrong caller and a post said twice, or one on the account that nobody knows of.
fn contradiction<'a>(
    db: &Connection,
    change: &'a Change,
) -> rusqlite::Result<Option<(&'a JobEvent, &'static str)>> {
    let about_parts = |event: &JobEvent| {
        matches!(
            event,
            JobEvent::PartBegun { .. }
                | JobEvent::PartSent { .. }
                | JobEvent::PartAbsent { .. }
                | JobEvent::Published
                | JobEvent::Skipped(_)
                | JobEvent::Untouched
        )
    };
    if !change.events.iter().any(about_parts) {
        return Ok(None);
    }
    let mut parts: BTreeMap<u32, Option<PostId>> = publications(db, change.job)?
        .into_iter()
        .map(|publication| (publication.part, publication.remote_id))
        .collect();
    let mut translated = None;
    for event in &change.events {
        let why = match event {
            JobEvent::PartBegun { part, .. } => match parts.insert(*part, None) {
                Some(Some(_)) => Some("that part is on the account already"),
                // To begin anew would forget a try that may be on the account.
                Some(None) => Some("that part was begun already, and what became of it is not known"),
                None => None,
            },
            JobEvent::PartSent { part, remote_id } => match parts.insert(*part, Some(remote_id.clone())) {
                None => Some("that part was never begun"),
                Some(Some(known)) if known != *remote_id => Some("that part is on record under another id"),
                _ => None,
            },
            JobEvent::PartAbsent { part } => {
                parts.remove(part).flatten().map(|_| "that part is on the account")
            }
            JobEvent::Translated(translation) => {
                translated = Some(u32::try_from(translation.parts.len()).unwrap_or(u32::MAX));
                None
            }
            JobEvent::Published if parts.values().any(Option::is_none) => {
                Some("a part that was begun is not known to be sent")
            }
            JobEvent::Published => {
                let wanted = translated.map_or_else(|| parts_translated(db, change.job), Ok)?;
                let missing = (0..wanted).any(|part| !parts.contains_key(&part));
                missing.then_some("a part of its translation was never begun")
            }
            JobEvent::Skipped(_) | JobEvent::Untouched if parts.values().any(Option::is_none) => {
                Some("a part of it may be on the account")
            }
            _ => None,
        };
        if let Some(why) = why {
            return Ok(Some((event, why)));
        }
    }
    Ok(None)
}

/// How many parts the translation on record has.
fn parts_translated(db: &Connection, job: JobId) -> rusqlite::Result<u32> {
    db.prepare_cached("SELECT ifnull(json_array_length(translation, '$.parts'), 0) FROM jobs WHERE id = ?1")?
        .query_row([job.0], |row| row.get(0))
}

fn write_payload(db: &Connection, job: JobId, event: &JobEvent, now: Timestamp) -> rusqlite::Result<()> {
    let job = job.0;
    let aside = |kind: Option<&str>, reason: Option<&str>, until: Option<Timestamp>| {
        db.prepare_cached("UPDATE jobs SET kind = ?2, reason = ?3, not_before = ?4 WHERE id = ?1")?
            .execute(params![job, kind, reason, until.map(Timestamp::as_millisecond)])
            .map(drop)
    };
    match event {
        JobEvent::LeasedForTranslation | JobEvent::LeasedForPublication | JobEvent::Published => db
            .prepare_cached("UPDATE jobs SET not_before = NULL WHERE id = ?1 AND not_before IS NOT NULL")?
            .execute([job])
            .map(drop),
        JobEvent::Translated(translation) => db
            .prepare_cached("UPDATE jobs SET translation = ?2, engine = ?3, reason = NULL WHERE id = ?1")?
            .execute(params![job, to_json(translation)?, translation.engine])
            .map(drop),
        JobEvent::HandedBack { not_before, reason }
        | JobEvent::NotSent { not_before, reason }
        | JobEvent::OutcomeLost { not_before, reason } => aside(None, Some(reason), *not_before),
        JobEvent::PartBegun { part, text } => db
            .prepare_cached(
                // Ids of a network grow: the longest, and of those the last by their digits, is the newest.
                "INSERT INTO publications (job, part, target, text, intent_at, after)
                 SELECT id, ?2, target, ?3, ?4, (
                     SELECT remote_id FROM publications AS said WHERE said.target = jobs.target
                     ORDER BY length(remote_id) DESC, remote_id DESC LIMIT 1
                 ) FROM jobs WHERE id = ?1",
            )?
            .execute(params![job, part, text, now.as_millisecond()])
            .map(drop),
        JobEvent::PartSent { part, remote_id } => db
            .prepare_cached(
                "UPDATE publications SET remote_id = ?3, sent_at = ?4 WHERE job = ?1 AND part = ?2",
            )?
            .execute(params![job, part, remote_id.0, now.as_millisecond()])
            .map(drop),
        JobEvent::PartAbsent { part } => db
            .prepare_cached("DELETE FROM publications WHERE job = ?1 AND part = ?2 AND remote_id IS NULL")?
            .execute(params![job, part])
            .map(drop),
        JobEvent::Held(hold) => aside(Some(hold.kind.as_str()), Some(&hold.reason), hold.until),
        JobEvent::Released { .. } => aside(None, None, None),
        JobEvent::Failed { reason } => aside(None, Some(reason), None),
        JobEvent::Untouched => Ok(()),
        JobEvent::Skipped(skip) => aside(Some(skip.as_str()), None, None),
    }
}

pub(super) fn recover(db: &Connection, now: Timestamp) -> rusqlite::Result<u64> {
    // Whoever starts anew has perhaps mended what kept these waiting.
    db.execute(
        "UPDATE jobs SET attempt = 0, not_before = NULL
         WHERE state IN ('queued', 'ready', 'unknown') AND (attempt > 0 OR not_before IS NOT NULL)",
        [],
    )?;
    let mut statement = db.prepare_cached(
        "SELECT id, state, token, translation IS NOT NULL,
                EXISTS (SELECT 1 FROM publications WHERE job = jobs.id AND remote_id IS NULL)
         FROM jobs WHERE state IN ('queued', 'translating', 'ready', 'publishing', 'unknown', 'held')
                     AND (state IN ('translating', 'publishing') OR (state = 'held' AND kind IN ('cap', 'quota')))",
    )?;
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
        if advance(db, &change, now)?.is_ok() {
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
    db.prepare_cached(
        "SELECT publications.remote_id FROM jobs JOIN publications ON publications.job = jobs.id
         WHERE jobs.post = ?1 AND jobs.target = ?2 AND publications.remote_id IS NOT NULL
         ORDER BY publications.part DESC LIMIT 1",
    )?
    .query_row(params![post.0, target.as_str()], |row| row.get(0).map(PostId))
    .optional()
}

pub(super) fn state_of(
    db: &Connection,
    post: &PostId,
    target: &TargetId,
) -> rusqlite::Result<Option<JobState>> {
    db.prepare_cached("SELECT state FROM jobs WHERE post = ?1 AND target = ?2")?
        .query_row(params![post.0, target.as_str()], |row| state(row, 0))
        .optional()
}

pub(super) fn recorded(
    db: &Connection,
    target: &TargetId,
    messages: Vec<PostId>,
) -> rusqlite::Result<Vec<PostId>> {
    let mut statement =
        db.prepare_cached("SELECT 1 FROM publications WHERE target = ?1 AND remote_id = ?2")?;
    let mut on_record = Vec::new();
    for message in messages {
        if statement.exists(params![target.as_str(), message.0])? {
            on_record.push(message);
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
        Ok(((TargetId::from(row.get::<_, String>(0)?), state(row, 1)?), count(row, 2)?))
    })?;
    rows.collect()
}
