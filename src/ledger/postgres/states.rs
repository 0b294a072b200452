//! Queries the state of a job, and the number of jobs per state.

use std::collections::BTreeMap;

use deadpool_postgres::Object;
use mynah_domain::{JobState, PostId, TargetId};

use super::{
    errors::Result,
    rows::{count, state, storable, target},
};

/// The job of the post `$1`, or of its recorded version, for the target `$2`. Posts are indexed by source and id, so each
/// source is queried.
pub(super) const JOBS_OF_POST: &str = "checkpoints JOIN jobs
    ON jobs.source = checkpoints.source AND jobs.target = $2 AND jobs.post = coalesce(
        (SELECT versions.post FROM versions WHERE versions.source = checkpoints.source AND versions.id = $1), $1)";

pub(super) async fn of_post(db: &Object, post: &PostId, to: &TargetId) -> Result<Option<JobState>> {
    let sql = format!("SELECT jobs.state FROM {JOBS_OF_POST} LIMIT 1");
    let statement = db.prepare_cached(&sql).await?;
    let row = db.query_opt(&statement, &[&storable(&post.0), &storable(to.as_str())]).await?;
    row.map(|row| state(&row, 0)).transpose()
}

pub(super) async fn counts(db: &Object) -> Result<BTreeMap<(TargetId, JobState), u64>> {
    let statement = db
        .prepare_cached(
            "SELECT target, state, count(*) FROM jobs WHERE stand > 0 GROUP BY target, state
             UNION ALL
             SELECT target, state, jobs FROM settled WHERE jobs > 0",
        )
        .await?;
    let rows = db.query(&statement, &[]).await?;
    rows.iter().map(|row| Ok(((target(row, 0)?, state(row, 1)?), count(row, 2)?))).collect()
}
