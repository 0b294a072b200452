//! Reads a target's line: its open jobs in the order in which they are published.

use mynah_domain::{Job, JobId, TargetId, ports::ledger::LinePosition};
use rusqlite::{Connection, Row, params};

use super::{
    super::shared::Shared,
    publications,
    rows::{from_json, state, to_integer, to_timestamp},
    schema::OPEN,
};

pub(super) fn open_jobs(
    db: &Connection,
    shared: &Shared,
    target: &TargetId,
    after: Option<LinePosition>,
    limit: usize,
) -> rusqlite::Result<Vec<Job>> {
    let after = after.map_or((-1, -1), |after| (to_integer(after.position), after.job.0));
    // Each source is queried separately: positions of different sources are not comparable, and an unfinished backfill
    // holds back only its own source.
    let mut jobs = Vec::new();
    let mut statement = db.prepare_cached(&piece())?;
    for (source, end) in ends(db, target)? {
        let bounds = params![target.as_str(), source, after.0, after.1, end, to_integer(limit)];
        let mut rows = statement.query(bounds)?;
        while let Some(row) = rows.next()? {
            jobs.push(job(db, shared, &source, target, row)?);
        }
    }
    // A target follows one source; jobs left from an earlier source are merged into its line.
    jobs.sort_by_key(LinePosition::of);
    jobs.truncate(limit);
    Ok(jobs)
}

/// The query for the jobs of one source in one line.
fn piece() -> String {
    format!(
        "SELECT jobs.id, jobs.state, jobs.token, jobs.attempt, jobs.not_before, jobs.translation, posts.body, posts.id,
                EXISTS (SELECT 1 FROM publications WHERE job = jobs.id), jobs.guidance, posts.recorded_at
         FROM jobs JOIN posts ON posts.source = jobs.source AND posts.id = jobs.post
         WHERE jobs.target = ?1 AND jobs.source = ?2 AND (jobs.position, jobs.id) > (?3, ?4)
           AND jobs.position <= ?5 AND {OPEN}
           AND (jobs.state <> 'held' OR jobs.not_before IS NOT NULL)
           AND (jobs.state <> 'review' OR jobs.kind IS NULL)
           -- What could not be read has nothing to translate, whatever its job's state.
           AND posts.raw IS NULL
         ORDER BY jobs.position, jobs.id LIMIT ?6",
    )
}

/// The sources of a line's open jobs, each with the position up to which jobs may be handed out: during a backfill, posts
/// after the watermark must wait, because earlier ones may be missing. There may be hundreds of sources, and a line has jobs
/// of one, so the index is asked for the next source that the line has.
fn ends(db: &Connection, target: &TargetId) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut statement = db.prepare_cached(&sources_of_line())?;
    statement.query_map([target.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn sources_of_line() -> String {
    format!(
        "WITH RECURSIVE of_line (source) AS (
             SELECT min(source) FROM jobs WHERE target = ?1 AND {OPEN}
             UNION ALL
             SELECT (SELECT min(source) FROM jobs WHERE target = ?1 AND source > of_line.source AND {OPEN})
             FROM of_line WHERE of_line.source IS NOT NULL)
         SELECT source, iif(body ->> '$.backfill' IS NULL, 9223372036854775807,
                            ifnull(body ->> '$.watermark.position', -1))
         FROM of_line JOIN checkpoints USING (source)",
    )
}

fn job(
    db: &Connection,
    shared: &Shared,
    source: &str,
    target: &TargetId,
    row: &Row<'_>,
) -> rusqlite::Result<Job> {
    let id = JobId(row.get(0)?);
    // A line is long, and most of its jobs were never begun.
    let begun = row.get(8)?;
    let (source, post) =
        shared.post(source, row.get_ref(7)?.as_str()?, || from_json(row.get_ref(6)?.as_str()?))?;
    Ok(Job {
        id,
        source,
        written_at: post.created_at.min(to_timestamp(row.get(10)?)),
        post,
        target: target.clone(),
        state: state(row, 1)?,
        token: row.get(2)?,
        attempt: row.get(3)?,
        not_before: row.get::<_, Option<i64>>(4)?.map(to_timestamp),
        translation: row.get_ref(5)?.as_str_or_null()?.map(from_json).transpose()?,
        guidance: row.get_ref(9)?.as_str_or_null()?.map(from_json).transpose()?,
        publications: if begun { publications::of_job(db, id)? } else { Vec::new() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::open;

    /// The cost of loading a piece must depend on the piece, not on the length of the line.
    #[test]
    fn a_piece_of_a_line_uses_the_index_and_needs_no_sorting() {
        let folder = tempfile::tempdir().unwrap();
        let db = open::open(&folder.path().join("ledger.sqlite")).unwrap().connection;
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {}", piece())).unwrap();
        let details =
            statement.query_map([rusqlite::types::Null; 6], |row| row.get::<_, String>("detail")).unwrap();
        let details: Vec<String> = details.map(Result::unwrap).collect();
        let wanted = "SEARCH jobs USING INDEX jobs_open (target=? AND source=? AND ";
        assert!(details[0].starts_with(wanted), "{details:?}");
        assert!(!details.iter().any(|detail| detail.contains("TEMP B-TREE")), "{details:?}");
    }
    /// With hundreds of sources, a line must not be searched for each of them.
    #[test]
    fn the_sources_of_a_line_are_found_by_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let db = open::open(&folder.path().join("ledger.sqlite")).unwrap().connection;
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {}", sources_of_line())).unwrap();
        let details =
            statement.query_map([rusqlite::types::Null], |row| row.get::<_, String>("detail")).unwrap();
        let details: Vec<String> = details.map(Result::unwrap).collect();
        assert!(!details.iter().any(|detail| detail.contains("SCAN jobs")), "{details:?}");
        let by_index =
            details.iter().filter(|detail| detail.contains("USING COVERING INDEX jobs_open (target=?"));
        assert_eq!(by_index.count(), 2, "{details:?}");
        assert!(details.iter().any(|detail| detail.starts_with("SEARCH checkpoints")), "{details:?}");
    }
}
