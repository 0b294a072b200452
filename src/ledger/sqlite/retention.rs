//! Removes the texts of posts, and their traces in the file.
//!
//! SQLite leaves removed bytes in the file: in the log, in free pages, and in the gaps that remain when it moves rows
//! between pages. `secure_delete` overwrites most of them at once; only a new copy of the file (`VACUUM`) is certain to have
//! none. The copy also gives the space back, which `incremental_vacuum` does not: rows that become shorter leave pages that
//! are half empty, but hardly any that are free. So every removal notes that a copy is due, and a start makes it if nobody
//! did before.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use mynah_domain::{
    JobId, PostId, TargetId,
    ports::{
        LedgerError,
        ledger::{NotForgotten, Removed},
    },
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    facts,
    rows::{from_json, state, to_integer, to_json},
    schema::WITH_TEXT,
    versions,
    writer::Writer,
};

/// The fact that exists while removed texts may still have traces in the file.
const DUE: &str = "ledger:compact";

/// How often to try to empty the log, which is impossible while a reader uses it, and how long to wait in between.
const LOG_TRIES: u32 = 50;
const LOG_WAIT: Duration = Duration::from_millis(100);

/// How long a call waits for another process that locks the file.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Forgets a post and its versions, from all sources.
pub(super) fn forget(
    db: &Connection,
    post: &PostId,
    now: Timestamp,
) -> rusqlite::Result<Result<Removed, NotForgotten>> {
    let all = with_versions(db, post)?;
    if all.is_empty() {
        return Ok(Err(NotForgotten::NoSuchPost));
    }
    let mut unsettled = Vec::new();
    let mut open = db.prepare_cached(
        "SELECT id, target, state FROM jobs WHERE source = ?1 AND post = ?2 AND stand > 0 ORDER BY id",
    )?;
    for (source, id) in &all {
        let rows = open.query_map([source, &id.0], |row| {
            Ok((JobId(row.get(0)?), TargetId::from(row.get_ref(1)?.as_str()?), state(row, 2)?))
        })?;
        unsettled.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    if !unsettled.is_empty() {
        return Ok(Err(NotForgotten::Unsettled(unsettled)));
    }
    let mut removed = Removed::default();
    overwriting(db, || {
        for (source, id) in &all {
            removed.posts += 1;
            removed.jobs += remove_texts(db, source, id, now)?;
        }
        facts::remember(db, DUE, "due")
    })?;
    Ok(Ok(removed))
}

/// The recorded posts with this id, and all recorded versions of each.
fn with_versions(db: &Connection, post: &PostId) -> rusqlite::Result<BTreeSet<(String, PostId)>> {
    let mut sources = db.prepare_cached("SELECT source FROM checkpoints")?;
    let sources = sources.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let mut aliases = db.prepare_cached("SELECT id FROM versions WHERE source = ?1 AND post = ?2")?;
    let mut on_record = db.prepare_cached("SELECT 1 FROM posts WHERE source = ?1 AND id = ?2")?;
    let mut all = BTreeSet::new();
    for source in sources {
        let recorded = versions::recorded(db, &source, post)?.unwrap_or_else(|| post.clone());
        let others = aliases.query_map([&source, &recorded.0], |row| row.get(0).map(PostId))?;
        let others = others.collect::<Result<Vec<_>, _>>()?;
        for id in [post.clone(), recorded].into_iter().chain(others) {
            if on_record.exists([&source, &id.0])? {
                all.insert((source.clone(), id));
            }
        }
    }
    Ok(all)
}

/// Forgets up to `limit` posts that were recorded and done before `moment`.
pub(super) fn forget_before(
    db: &Connection,
    moment: Timestamp,
    limit: usize,
    now: Timestamp,
) -> rusqlite::Result<u64> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT source, id FROM posts
         WHERE {WITH_TEXT} AND recorded_at < ?1
           AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.source = posts.source AND jobs.post = posts.id
                                                AND (stand > 0 OR updated_at >= ?1))
         ORDER BY recorded_at, source, id LIMIT ?2"
    ))?;
    let bounds = params![moment.as_millisecond(), to_integer(limit)];
    let rows = statement.query_map(bounds, |row| Ok((row.get(0)?, row.get(1).map(PostId)?)))?;
    let old: Vec<(String, PostId)> = rows.collect::<Result<_, _>>()?;
    if !old.is_empty() {
        overwriting(db, || {
            for (source, id) in &old {
                remove_texts(db, source, id, now)?;
            }
            facts::remember(db, DUE, "due")
        })?;
    }
    Ok(old.len() as u64)
}

/// Overwrites what `remove` removes. At any other time, this would only slow the ledger down: the copy has no trace of
/// older texts either.
fn overwriting(db: &Connection, remove: impl FnOnce() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    db.pragma_update(None, "secure_delete", true)?;
    let removed = remove();
    db.pragma_update(None, "secure_delete", false)?;
    removed
}

/// Removes every text of a post and its jobs. Returns how many jobs it has.
fn remove_texts(db: &Connection, source: &str, id: &PostId, now: Timestamp) -> rusqlite::Result<u64> {
    let body = db
        .prepare_cached("SELECT body FROM posts WHERE source = ?1 AND id = ?2")?
        .query_row([source, &id.0], |row| from_json::<mynah_domain::Post>(row.get_ref(0)?.as_str()?))?;
    db.prepare_cached(
        "UPDATE posts SET body = ?3, raw = NULL, forgotten_at = ifnull(forgotten_at, ?4)
         WHERE source = ?1 AND id = ?2",
    )?
    .execute(params![source, id.0, to_json(&body.without_text())?, now.as_millisecond()])?;
    db.prepare_cached(
        "UPDATE publications SET text = '' WHERE job IN (SELECT id FROM jobs WHERE source = ?1 AND post = ?2)",
    )?
    .execute([source, &id.0])?;
    db.prepare_cached(
        // What a person writes about a translation may quote it.
        "UPDATE draft_decisions SET note = NULL WHERE job IN (SELECT id FROM jobs WHERE source = ?1 AND post = ?2)",
    )?
    .execute([source, &id.0])?;
    let jobs = db
        .prepare_cached(
            // A reason may quote an answer that repeats the text; that of an edited post has only an id.
            "UPDATE jobs SET translation = NULL, engine = NULL, rejected = NULL, before_skip = NULL,
                             draft = NULL, guidance = NULL,
                             reason = iif(kind = 'edited', reason, NULL)
             WHERE source = ?1 AND post = ?2",
        )?
        .execute([source, &id.0])?;
    Ok(jobs as u64)
}

/// Whether the post of a job was forgotten.
pub(super) fn is_forgotten(db: &Connection, job: JobId) -> rusqlite::Result<bool> {
    let forgotten = db
        .prepare_cached(
            "SELECT forgotten_at IS NOT NULL FROM jobs
             JOIN posts ON posts.source = jobs.source AND posts.id = jobs.post WHERE jobs.id = ?1",
        )?
        .query_row([job.0], |row| row.get(0))
        .optional()?;
    Ok(forgotten.unwrap_or(false))
}

/// Whether the file may have traces of removed texts.
pub(super) fn is_due(db: &Connection) -> rusqlite::Result<bool> {
    Ok(facts::fact(db, DUE)?.is_some())
}

/// Rewrites the file. Outside of transactions only. What SQLite writes in between is in the ledger's folder, where there
/// is room for a ledger, rather than in memory, where there may be none.
pub(super) fn rewrite(db: &Connection) -> rusqlite::Result<()> {
    let main = db.path().map(std::path::Path::new).and_then(std::path::Path::parent);
    if let Some(folder) = main.and_then(std::path::Path::to_str) {
        db.pragma_update(None, "temp_store_directory", folder)?;
    }
    db.pragma_update(None, "temp_store", "FILE")?;
    let rewritten = db.execute_batch("VACUUM");
    db.pragma_update(None, "temp_store", "MEMORY")?;
    rewritten
}

/// Moves the log into the file and empties it. Outside of transactions only. Returns whether that was possible: no reader
/// may use the log.
pub(super) fn empty_log(db: &Connection) -> rusqlite::Result<bool> {
    db.busy_timeout(Duration::ZERO)?;
    let is_blocked = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    db.busy_timeout(BUSY)?;
    Ok(!is_blocked?)
}

/// Notes that no removed text has a trace in the file.
pub(super) fn done(db: &Connection) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM facts WHERE key = ?1")?.execute([DUE]).map(drop)
}

/// Rewrites the file of a running ledger.
pub(super) async fn compact(writer: &Writer) -> Result<(), LedgerError> {
    writer.run_alone(rewrite).await.map_err(|error| explain(&error))?;
    for _ in 0..LOG_TRIES {
        if writer.run_alone(empty_log).await? {
            return writer.run(done).await;
        }
        actix_rt::time::sleep(LOG_WAIT).await;
    }
    Err(explain(&LedgerError::Fatal("another program reads it without a pause".into())))
}

fn explain(error: &LedgerError) -> LedgerError {
    LedgerError::Fatal(format!(
        "removed texts may still have traces in the ledger's file, because it cannot be rewritten: {error}; the next \
        start tries again"
    ))
}
