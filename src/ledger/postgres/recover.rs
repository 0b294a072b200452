//! Recovers jobs that were in progress when an earlier process ended.

use deadpool_postgres::Object;
use jiff::Timestamp;
use mynah_domain::{JobState, TargetId, ports::ledger::Change};

use super::{
    super::recovery::{IN_PROGRESS, InProgress, WAITING_TO_RETRY},
    batch::{self, Batch},
    errors::{Error, Result},
    fences::Fences,
    load,
    rows::{get, storable},
    schema::OPEN,
};

/// How often to try while the former owner still changes its jobs.
const TRIES: u32 = 8;

/// How many jobs to take back in one transaction.
const PIECE: usize = 1000;

pub(super) async fn recover(
    db: &mut Object,
    fences: &Fences,
    targets: &[TargetId],
    now: Timestamp,
) -> Result<u64> {
    let names: Vec<String> = targets.iter().map(|target| storable(target.as_str()).into_owned()).collect();
    try_at_once(db, &names).await?;
    let mut recovered = 0;
    let mut tries = 0;
    loop {
        let (batch, jobs) = in_progress(db, &names).await?;
        if jobs.is_empty() {
            return Ok(recovered);
        }
        let changes: Vec<Change> = jobs.iter().map(|job| job.taken_back()).collect();
        match batch::apply(db, fences, batch, &changes, now).await? {
            Some(answers) => {
                let taken =
                    answers.iter().zip(&jobs).filter(|(answer, job)| answer.is_ok() && job.was_leased());
                recovered += taken.count() as u64;
                // What was refused will be refused again.
                if jobs.len() < PIECE || answers.iter().all(std::result::Result::is_err) {
                    return Ok(recovered);
                }
            }
            None if tries < TRIES => tries += 1,
            None => return Err(Error::Conflict),
        }
    }
}

/// Makes waiting retries due: the person who restarted Mynah may have fixed their cause.
async fn try_at_once(db: &Object, targets: &[String]) -> Result<()> {
    // A repeated change would now get another answer than the first time.
    let sql = format!(
        "UPDATE jobs SET attempt = 0, not_before = NULL, last_change = NULL
         WHERE {OPEN} AND target = ANY($1::text[]) AND {WAITING_TO_RETRY}"
    );
    let statement = db.prepare_cached(&sql).await?;
    db.execute(&statement, &[&targets]).await?;
    Ok(())
}

/// The jobs of these targets that are in progress or held by a limit, with all that a change of them needs.
async fn in_progress(db: &Object, targets: &[String]) -> Result<(Batch, Vec<InProgress>)> {
    let sql = format!(
        "SELECT {}, 0::bigint, false, jobs.translation IS NOT NULL
         FROM jobs WHERE {OPEN} AND target = ANY($1::text[])
           AND {IN_PROGRESS}
         ORDER BY jobs.id LIMIT {PIECE}",
        load::COLUMNS
    );
    let statement = db.prepare_cached(&sql).await?;
    let jobs = db.query(&statement, &[&targets]).await?;
    let ids: Vec<i64> = jobs.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    let parts = db.prepare_cached(load::PARTS).await?;
    let parts = db.query(&parts, &[&ids]).await?;
    let mut batch = Batch::default();
    load::add_jobs(&mut batch, &jobs, &parts)?;
    let mut found = Vec::with_capacity(jobs.len());
    for row in &jobs {
        let job = mynah_domain::JobId(get(row, 0)?);
        let Some(entry) = batch.jobs.get(&job) else { continue };
        let (state, token): (JobState, i64) = (entry.row.state, entry.row.token);
        let may_be_sent = entry.row.parts.values().any(Option::is_none);
        found.push(InProgress { job, state, token, is_translated: get(row, 15)?, may_be_sent });
    }
    Ok((batch, found))
}
