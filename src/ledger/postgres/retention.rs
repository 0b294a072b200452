//! Removes the texts of posts.
//!
//! A removal locks the posts first and looks at their jobs then. Whoever releases a job of a post locks the post, too, so
//! one of the two waits for the other and sees what it did.

use std::collections::HashSet;

use deadpool_postgres::{Object, Transaction};
use jiff::Timestamp;
use mynah_domain::{
    JobId, Post, PostId,
    ports::ledger::{NotForgotten, Removed},
};
use tokio_postgres::Row;

use super::{
    errors::Result,
    rows::{from_json, get, state, storable, target, to_integer, to_json},
};

/// Forgets a post and its versions, from all sources.
pub(super) async fn forget(
    db: &mut Object,
    post: &PostId,
    now: Timestamp,
) -> Result<std::result::Result<Removed, NotForgotten>> {
    let transaction = db.transaction().await?;
    // The recorded posts with this id, and all recorded versions of each.
    let all = transaction
        .query(
            "SELECT posts.source, posts.id, posts.body FROM (
                 SELECT source, coalesce((SELECT post FROM versions
                                          WHERE versions.source = checkpoints.source AND versions.id = $1), $1) AS recorded
                 FROM checkpoints
             ) AS known JOIN posts ON posts.source = known.source AND posts.id IN (
                 SELECT $1 UNION SELECT known.recorded UNION
                 SELECT id FROM versions WHERE versions.source = known.source AND versions.post = known.recorded)
             ORDER BY posts.source, posts.id FOR UPDATE OF posts",
            &[&storable(&post.0)],
        )
        .await?;
    if all.is_empty() {
        return Ok(Err(NotForgotten::NoSuchPost));
    }
    let (sources, ids) = keys(&all)?;
    let unsettled = transaction
        .query(
            "SELECT jobs.id, jobs.target, jobs.state
             FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY AS posts (source, id, number)
             JOIN jobs ON jobs.source = posts.source AND jobs.post = posts.id
             WHERE jobs.stand > 0 ORDER BY posts.number, jobs.id",
            &[&sources, &ids],
        )
        .await?;
    if !unsettled.is_empty() {
        let job = |row: &Row| Ok((JobId(get(row, 0)?), target(row, 1)?, state(row, 2)?));
        return Ok(Err(NotForgotten::Unsettled(unsettled.iter().map(job).collect::<Result<_>>()?)));
    }
    let jobs = remove_texts(&transaction, &all, now).await?;
    transaction.commit().await?;
    Ok(Ok(Removed { posts: all.len() as u64, jobs }))
}

/// Forgets up to `limit` posts that were recorded and done before `moment`.
pub(super) async fn forget_before(
    db: &mut Object,
    moment: Timestamp,
    limit: usize,
    now: Timestamp,
) -> Result<u64> {
    let transaction = db.transaction().await?;
    let moment = moment.as_millisecond();
    let old = transaction
        .query(
            "SELECT source, id, body FROM posts
             WHERE forgotten_at IS NULL AND recorded_at < $1
               AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.source = posts.source AND jobs.post = posts.id
                                                    AND (stand > 0 OR updated_at >= $1))
             ORDER BY recorded_at, source, id LIMIT $2 FOR UPDATE OF posts",
            &[&moment, &to_integer(limit)],
        )
        .await?;
    if old.is_empty() {
        return Ok(0);
    }
    let (sources, ids) = keys(&old)?;
    // Released before they were locked.
    let released = transaction
        .query(
            "SELECT DISTINCT jobs.source, jobs.post FROM UNNEST($1::text[], $2::text[]) AS posts (source, id)
             JOIN jobs ON jobs.source = posts.source AND jobs.post = posts.id WHERE jobs.stand > 0",
            &[&sources, &ids],
        )
        .await?;
    let released: HashSet<(String, String)> =
        released.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect::<Result<_>>()?;
    let mut done = Vec::with_capacity(old.len());
    for row in old {
        if released.is_empty() || !released.contains(&(get(&row, 0)?, get(&row, 1)?)) {
            done.push(row);
        }
    }
    remove_texts(&transaction, &done, now).await?;
    transaction.commit().await?;
    Ok(done.len() as u64)
}

fn keys(posts: &[Row]) -> Result<(Vec<String>, Vec<String>)> {
    posts.iter().map(|row| Ok((get::<String>(row, 0)?, get::<String>(row, 1)?))).collect()
}

/// Removes every text of these posts and their jobs. Returns how many jobs they have.
async fn remove_texts(db: &Transaction<'_>, posts: &[Row], now: Timestamp) -> Result<u64> {
    let (sources, ids) = keys(posts)?;
    let without = |row: &Row| to_json(&from_json::<Post>(get(row, 2)?)?.without_text());
    let bodies: Vec<String> = posts.iter().map(without).collect::<Result<_>>()?;
    db.execute(
        "UPDATE posts SET body = old.body, raw = NULL, forgotten_at = coalesce(posts.forgotten_at, $4)
         FROM UNNEST($1::text[], $2::text[], $3::text[]) AS old (source, id, body)
         WHERE posts.source = old.source AND posts.id = old.id",
        &[&sources, &ids, &bodies, &now.as_millisecond()],
    )
    .await?;
    db.execute(
        "UPDATE publications SET text = '' FROM UNNEST($1::text[], $2::text[]) AS old (source, id)
         JOIN jobs ON jobs.source = old.source AND jobs.post = old.id WHERE publications.job = jobs.id",
        &[&sources, &ids],
    )
    .await?;
    db.execute(
        // What a person writes about a translation may quote it.
        "UPDATE draft_decisions SET note = NULL FROM UNNEST($1::text[], $2::text[]) AS old (source, id)
         JOIN jobs ON jobs.source = old.source AND jobs.post = old.id WHERE draft_decisions.job = jobs.id",
        &[&sources, &ids],
    )
    .await?;
    let jobs = db
        .execute(
            // A reason may quote an answer that repeats the text; that of an edited post has only an id.
            "UPDATE jobs SET translation = NULL, engine = NULL, rejected = NULL, before_skip = NULL,
                             draft = NULL, guidance = NULL,
                             reason = CASE WHEN jobs.kind = 'edited' THEN jobs.reason END
             FROM UNNEST($1::text[], $2::text[]) AS old (source, id)
             WHERE jobs.source = old.source AND jobs.post = old.id",
            &[&sources, &ids],
        )
        .await?;
    Ok(jobs)
}
