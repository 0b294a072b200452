//! Records publications: what was begun on which account, and the outcome.

use jiff::Timestamp;
use mynah_domain::{
    AccountId, JobEvent, JobId, PostId, Publication, PublicationKey, Reply, TargetId,
    caps::{Spent, day_start, month_start},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};

use super::{
    super::spending::micros,
    rows::{count, to_timestamp},
    versions::JOBS_OF_POST,
};

pub(super) fn of_job(db: &Connection, job: JobId) -> rusqlite::Result<Vec<Publication>> {
    let mut statement = db.prepare_cached(
        "SELECT part, account, text, key, reply_root, reply_parent, intent_at, after, remote_id
         FROM publications WHERE job = ?1 ORDER BY part",
    )?;
    let rows = statement.query_map([job.0], |row| {
        Ok(Publication {
            part: row.get(0)?,
            account: AccountId::from(row.get_ref(1)?.as_str()?),
            text: row.get(2)?,
            key: row.get_ref(3)?.as_str_or_null()?.map(to_key).transpose()?,
            reply: reply(row, 4)?,
            intent_at: to_timestamp(row.get(6)?),
            after: row.get::<_, Option<String>>(7)?.map(PostId),
            remote_id: row.get::<_, Option<String>>(8)?.map(PostId),
        })
    })?;
    rows.collect()
}

fn to_key(text: &str) -> rusqlite::Result<PublicationKey> {
    text.parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(3, Type::Text, Box::new(error)))
}

/// What a message replies to, from this column and the next.
fn reply(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Reply>> {
    let ids = (row.get::<_, Option<String>>(column)?, row.get::<_, Option<String>>(column + 1)?);
    Ok(match ids {
        (Some(root), Some(parent)) => Some(Reply { root: PostId(root), parent: PostId(parent) }),
        _ => None,
    })
}

/// Records an event's effect on a part of the job.
pub(super) fn write(db: &Connection, job: JobId, event: &JobEvent, now: Timestamp) -> rusqlite::Result<()> {
    let now = now.as_millisecond();
    match event {
        JobEvent::PartBegun { part, account, text, key, reply, cost } => {
            let (root, parent) = reply.as_ref().map(|reply| (&reply.root.0, &reply.parent.0)).unzip();
            let day = cost.as_ref().map(|cost| cost.day.to_string());
            let service = cost.as_ref().map(|cost| &*cost.service);
            let cost = cost.as_ref().map(|cost| micros(cost.amount));
            db.prepare_cached(
                // Ids grow: the newest is the longest, and among those the greatest.
                "INSERT INTO publications (job, part, account, text, intent_at, key, reply_root, reply_parent, after,
                                           cost, cost_day, cost_service)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, (
                     SELECT remote_id FROM publications WHERE account = ?3 AND remote_id IS NOT NULL
                     ORDER BY length(remote_id) DESC, remote_id DESC LIMIT 1
                 ), ?9, ?10, ?11)",
            )?
            .execute(params![
                job.0,
                part,
                account.as_str(),
                text,
                now,
                key.to_string(),
                root,
                parent,
                cost,
                day,
                service
            ])
            .map(drop)
        }
        JobEvent::PartSent { part, remote_id } => db
            .prepare_cached(
                "UPDATE publications SET remote_id = ?3, sent_at = ?4 WHERE job = ?1 AND part = ?2",
            )?
            .execute(params![job.0, part, remote_id.0, now])
            .map(drop),
        JobEvent::PartAbsent { part } => db
            .prepare_cached("DELETE FROM publications WHERE job = ?1 AND part = ?2 AND remote_id IS NULL")?
            .execute(params![job.0, part])
            .map(drop),
        _ => Ok(()),
    }
}

pub(super) fn spent(db: &Connection, account: &AccountId, now: Timestamp) -> rusqlite::Result<Spent> {
    let since = |moment: Timestamp| {
        db.prepare_cached("SELECT count(*) FROM publications WHERE account = ?1 AND intent_at >= ?2")?
            .query_row(params![account.as_str(), moment.as_millisecond()], |row| count(row, 0))
    };
    Ok(Spent { today: since(day_start(now))?, this_month: since(month_start(now))? })
}

pub(super) fn recorded(
    db: &Connection,
    account: &AccountId,
    messages: &[PostId],
) -> rusqlite::Result<Vec<PostId>> {
    // In the form of the index, which sorts ids by length first.
    let mut statement = db.prepare_cached(
        "SELECT 1 FROM publications WHERE account = ?1 AND length(remote_id) = length(?2) AND remote_id = ?2",
    )?;
    let mut on_record = Vec::new();
    for message in messages {
        if statement.exists(params![account.as_str(), message.0])? {
            on_record.push(message.clone());
        }
    }
    Ok(on_record)
}

/// What the next post of a thread on a target replies to. For publications from before replies were recorded, the
/// post's own first message counts as the root.
pub(super) fn behind(db: &Connection, post: &PostId, target: &TargetId) -> rusqlite::Result<Option<Reply>> {
    db.prepare_cached(&format!(
        "SELECT ifnull(publications.reply_root, first.remote_id), publications.remote_id
         FROM {JOBS_OF_POST}
         JOIN publications ON publications.job = jobs.id AND publications.remote_id IS NOT NULL
         JOIN publications AS first ON first.job = jobs.id AND first.remote_id IS NOT NULL
         ORDER BY publications.part DESC, first.part LIMIT 1"
    ))?
    .query_row(params![post.0, target.as_str()], |row| {
        Ok(Reply { root: PostId(row.get(0)?), parent: PostId(row.get(1)?) })
    })
    .optional()
}
