//! Reads a target's line: its open jobs in the order in which they are published.

use deadpool_postgres::Object;
use mynah_domain::{Job, JobId, TargetId, ports::ledger::LinePosition};
use tokio_postgres::Row;

use super::{
    super::shared::Shared,
    errors::Result,
    publications,
    rows::{count, from_json, get, state, storable, to_integer, to_timestamp},
    schema::OPEN,
};

pub(super) async fn open_jobs(
    db: &Object,
    shared: &Shared,
    target: &TargetId,
    after: Option<LinePosition>,
    limit: usize,
) -> Result<Vec<Job>> {
    let (position, job) = after.map_or((-1, -1), |after| (to_integer(after.position), after.job.0));
    let statement = db.prepare_cached(&piece()).await?;
    let name = storable(target.as_str());
    let rows = db.query(&statement, &[&name, &position, &job, &to_integer(limit)]).await?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in &rows {
        jobs.push(self::job(db, shared, target, row).await?);
    }
    // A target follows one source; jobs left from an earlier source are merged into its line.
    jobs.sort_by_key(LinePosition::of);
    jobs.truncate(limit);
    Ok(jobs)
}

/// The query for a piece of a line. Each source is queried separately: positions of different sources are not comparable,
/// and an unfinished backfill holds back only its own source. During a backfill, posts after the watermark must wait,
/// because earlier ones may be missing. There may be hundreds of sources, and a line has jobs of one, so the index is asked
/// for the next source that the line has.
fn piece() -> String {
    format!(
        "WITH RECURSIVE of_line (source) AS (
             -- min() may read the whole line, if this was planned when the tables were empty.
             (SELECT source FROM jobs WHERE target = $1 AND {OPEN} ORDER BY source LIMIT 1)
             UNION ALL
             SELECT (SELECT source FROM jobs WHERE target = $1 AND source > of_line.source AND {OPEN}
                     ORDER BY source LIMIT 1)
             FROM of_line WHERE of_line.source IS NOT NULL)
         SELECT piece.* FROM (
             SELECT source, CASE
                 WHEN body::json -> 'backfill' IS NULL THEN 9223372036854775807
                 ELSE least(coalesce((body::json #>> '{{watermark,position}}')::numeric, -1), 9223372036854775807)::bigint
             END AS upto FROM of_line JOIN checkpoints USING (source)
         ) AS ends CROSS JOIN LATERAL (
             SELECT jobs.id, jobs.state, jobs.token, jobs.attempt, jobs.not_before, jobs.translation, posts.body,
                    posts.id AS post, EXISTS (SELECT 1 FROM publications WHERE job = jobs.id) AS begun, jobs.source,
                    jobs.guidance, posts.recorded_at
             FROM jobs JOIN posts ON posts.source = jobs.source AND posts.id = jobs.post
             WHERE jobs.target = $1 AND jobs.source = ends.source AND (jobs.position, jobs.id) > ($2, $3)
               AND jobs.position <= ends.upto AND {OPEN}
               AND (jobs.state <> 'held' OR jobs.not_before IS NOT NULL)
               AND (jobs.state <> 'review' OR jobs.kind IS NULL)
               -- What could not be read has nothing to translate, whatever its job's state.
               AND posts.raw IS NULL
             ORDER BY jobs.position, jobs.id LIMIT $4
         ) AS piece"
    )
}

async fn job(db: &Object, shared: &Shared, target: &TargetId, row: &Row) -> Result<Job> {
    let id = JobId(get(row, 0)?);
    // A line is long, and most of its jobs were never begun.
    let begun = get(row, 8)?;
    let (source, post) = shared.post(get(row, 9)?, get(row, 7)?, || from_json(get(row, 6)?))?;
    Ok(Job {
        id,
        source,
        written_at: post.created_at.min(to_timestamp(get(row, 11)?)),
        post,
        target: target.clone(),
        state: state(row, 1)?,
        token: get(row, 2)?,
        attempt: count(row, 3)?,
        not_before: get::<Option<i64>>(row, 4)?.map(to_timestamp),
        translation: get::<Option<&str>>(row, 5)?.map(from_json).transpose()?,
        guidance: get::<Option<&str>>(row, 10)?.map(from_json).transpose()?,
        publications: if begun { publications::of_job(db, id).await? } else { Vec::new() },
    })
}
