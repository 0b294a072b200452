//! Queries the state of a job, and the number of jobs per state.

use std::collections::BTreeMap;

use mynah_domain::{JobState, PostId, TargetId};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    rows::{count, state},
    schema::UNDONE,
    versions::JOBS_OF_POST,
};

pub(super) fn of_post(
    db: &Connection,
    post: &PostId,
    target: &TargetId,
) -> rusqlite::Result<Option<JobState>> {
    db.prepare_cached(&format!("SELECT jobs.state FROM {JOBS_OF_POST} LIMIT 1"))?
        .query_row(params![post.0, target.as_str()], |row| state(row, 0))
        .optional()
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
