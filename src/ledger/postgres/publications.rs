//! Queries about publications: what was begun on which account, and the outcome.

use deadpool_postgres::Object;
use jiff::Timestamp;
use mynah_domain::{
    AccountId, JobId, PostId, Publication, PublicationKey, Reply, TargetId,
    caps::{Spent, day_start, month_start},
};
use tokio_postgres::Row;

use super::{
    errors::{Error, Result},
    rows::{count, get, id, storable, to_timestamp},
    states::JOBS_OF_POST,
};

pub(super) async fn of_job(db: &Object, job: JobId) -> Result<Vec<Publication>> {
    let statement = db
        .prepare_cached(
            "SELECT part, account, text, key, reply_root, reply_parent, intent_at, after, remote_id
             FROM publications WHERE job = $1 ORDER BY part",
        )
        .await?;
    db.query(&statement, &[&job.0]).await?.iter().map(publication).collect()
}

fn publication(row: &Row) -> Result<Publication> {
    Ok(Publication {
        part: count(row, 0)?,
        account: AccountId::from(get::<&str>(row, 1)?),
        text: get(row, 2)?,
        key: get::<Option<&str>>(row, 3)?.map(to_key).transpose()?,
        reply: reply(row, 4)?,
        intent_at: to_timestamp(get(row, 6)?),
        after: get::<Option<String>>(row, 7)?.map(PostId),
        remote_id: get::<Option<String>>(row, 8)?.map(PostId),
    })
}

fn to_key(text: &str) -> Result<PublicationKey> {
    text.parse().map_err(|error: mynah_domain::publication::NoKey| Error::Unreadable(error.to_string()))
}

/// What a message replies to, from this column and the next.
fn reply(row: &Row, column: usize) -> Result<Option<Reply>> {
    let ids = (get::<Option<String>>(row, column)?, get::<Option<String>>(row, column + 1)?);
    Ok(match ids {
        (Some(root), Some(parent)) => Some(Reply { root: PostId(root), parent: PostId(parent) }),
        _ => None,
    })
}

pub(super) async fn spent(db: &Object, account: &AccountId, now: Timestamp) -> Result<Spent> {
    let statement = db
        .prepare_cached(
            "SELECT (SELECT count(*) FROM publications WHERE account = $1 AND intent_at >= $2),
                    (SELECT count(*) FROM publications WHERE account = $1 AND intent_at >= $3)",
        )
        .await?;
    let (day, month) = (day_start(now).as_millisecond(), month_start(now).as_millisecond());
    let row = db.query_one(&statement, &[&storable(account.as_str()), &day, &month]).await?;
    Ok(Spent { today: count(&row, 0)?, this_month: count(&row, 1)? })
}

pub(super) async fn recorded(db: &Object, account: &AccountId, messages: &[PostId]) -> Result<Vec<PostId>> {
    // In the form of the index, which sorts ids by length first.
    let statement = db
        .prepare_cached(
            "SELECT message FROM UNNEST($2::text[]) WITH ORDINALITY AS messages (message, number)
             WHERE EXISTS (SELECT 1 FROM publications WHERE account = $1 AND remote_id = message
                                                        AND length(remote_id) = length(message))
             ORDER BY number",
        )
        .await?;
    let messages: Vec<_> = messages.iter().map(|id| storable(&id.0)).collect();
    let rows = db.query(&statement, &[&storable(account.as_str()), &messages]).await?;
    rows.iter().map(|row| id(row, 0)).collect()
}

/// What the next post of a thread on a target replies to. For publications from before replies were recorded, the
/// post's own first message counts as the root.
pub(super) async fn behind(db: &Object, post: &PostId, target: &TargetId) -> Result<Option<Reply>> {
    let sql = format!(
        "SELECT coalesce(publications.reply_root, first.remote_id), publications.remote_id
         FROM {JOBS_OF_POST}
         JOIN publications ON publications.job = jobs.id AND publications.remote_id IS NOT NULL
         JOIN publications AS first ON first.job = jobs.id AND first.remote_id IS NOT NULL
         ORDER BY publications.part DESC, first.part LIMIT 1"
    );
    let statement = db.prepare_cached(&sql).await?;
    let row = db.query_opt(&statement, &[&storable(&post.0), &storable(target.as_str())]).await?;
    row.map(|row| Ok(Reply { root: id(&row, 0)?, parent: id(&row, 1)? })).transpose()
}
