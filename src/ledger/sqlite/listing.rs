//! Lists jobs for people: by state, target, post or kind of hold, in bounded pages.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mynah_domain::{
    AccountId, JobId, JobState, PostId, TargetId, Translation,
    job::{BeforeSkip, RejectedTranslation},
    ports::ledger::{DraftDecision, HeldJobs, JobFilter, JobLine, PublishedJob},
    review::{Draft, ReviewAction, ReviewDecision},
};
use rusqlite::{
    Connection, Row, params_from_iter,
    types::{Type, Value},
};

use super::{
    super::written_at,
    rows::{count, from_json, state, to_integer, to_json, to_timestamp},
    schema::UNDONE,
};

/// Matches words in a job's post, reason and translation. SQLite's `lower` handles only ASCII; other letters are
/// compared as they are.
const HAS_WORDS: &str =
    "(instr(lower(posts.body ->> '$.text'), ?) > 0 OR instr(lower(coalesce(jobs.reason, '')), ?) > 0
    OR instr(lower(coalesce(jobs.translation, jobs.draft, jobs.rejected, '')), ?) > 0)";

/// Posts are indexed by source and id. If the source is unknown, all are searched: every source with records has a
/// checkpoint.
const OF_ANY_SOURCE: &str = "jobs.source IN (SELECT source FROM checkpoints)";

pub(super) fn jobs(
    db: &Connection,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: usize,
) -> rusqlite::Result<Vec<JobLine>> {
    let mut conditions = Conditions::default();
    let order = if filter.newest_first {
        conditions.add("jobs.id < ?", after.map_or(i64::MAX, |after| after.0));
        "DESC"
    } else {
        conditions.add("jobs.id > ?", after.map_or(i64::MIN, |after| after.0));
        "ASC"
    };
    if !filter.ids.is_empty() {
        conditions.add("jobs.id IN (SELECT value FROM json_each(?))", to_json(&filter.ids)?);
    }
    if !filter.states.is_empty() {
        conditions.add("jobs.state IN (SELECT value FROM json_each(?))", to_json(&filter.states)?);
        let done = |state: &JobState| matches!(state, JobState::Published | JobState::Skipped);
        if !filter.states.iter().any(done) {
            conditions.texts.push(UNDONE);
        }
    }
    if !filter.targets.is_empty() {
        conditions.add("jobs.target IN (SELECT value FROM json_each(?))", to_json(&filter.targets)?);
    }
    if let Some(post) = &filter.post {
        conditions.texts.push(OF_ANY_SOURCE);
        conditions.add("jobs.post = ?", post.0.clone());
    }
    if let Some(kind) = &filter.kind {
        conditions.add("jobs.kind = ?", kind.clone());
    }
    if let Some(words) = &filter.words {
        conditions.texts.push(HAS_WORDS);
        for _ in 0..3 {
            conditions.values.push(words.to_ascii_lowercase().into());
        }
    }
    let text = format!(
        "SELECT jobs.id, jobs.state, jobs.token, jobs.attempt, jobs.not_before, jobs.translation,
                jobs.post, jobs.target, jobs.kind, jobs.reason, jobs.updated_at, posts.body ->> '$.text',
                (SELECT count(*) FROM publications WHERE publications.job = jobs.id AND remote_id IS NULL),
                posts.raw, CASE WHEN jobs.translation IS NULL THEN jobs.rejected END, jobs.before_skip,
                (SELECT json_group_array(json_array(account, remote_id) ORDER BY part) FROM publications
                 WHERE publications.job = jobs.id AND remote_id IS NOT NULL),
                posts.forgotten_at IS NOT NULL, CASE WHEN jobs.state IN ('review', 'skipped') THEN jobs.draft END,
                posts.body ->> '$.created_at', posts.recorded_at
         FROM jobs JOIN posts ON posts.source = jobs.source AND posts.id = jobs.post
         WHERE {} ORDER BY jobs.id {order} LIMIT ?",
        conditions.texts.join(" AND ")
    );
    conditions.values.push(to_integer(limit).into());
    let mut statement = db.prepare_cached(&text)?;
    statement.query_map(params_from_iter(conditions.values), line)?.collect()
}

pub(super) fn last_published(
    db: &Connection,
    accounts: &[AccountId],
    limit: usize,
) -> rusqlite::Result<Vec<JobLine>> {
    // Separately for each account, with the existing index; an index over all accounts would make each publication
    // slower.
    let mut statement = db.prepare_cached(
        "SELECT job, max(sent_at) FROM (
             SELECT job, sent_at FROM publications
             WHERE account = ? AND sent_at IS NOT NULL ORDER BY intent_at DESC LIMIT ?
         ) GROUP BY job",
    )?;
    let mut published: Vec<(i64, JobId)> = Vec::new();
    for account in accounts {
        let bounds = (account.as_str(), to_integer(limit));
        let rows = statement.query_map(bounds, |row| Ok((row.get(1)?, JobId(row.get(0)?))))?;
        published.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    published.sort_unstable_by(|a, b| b.cmp(a));
    published.truncate(limit);
    let order: Vec<JobId> = published.into_iter().map(|(_, job)| job).collect();
    if order.is_empty() {
        return Ok(Vec::new());
    }
    let filter = JobFilter { ids: order.clone(), ..JobFilter::default() };
    let mut lines = jobs(db, &filter, None, order.len())?;
    lines.sort_by_key(|line| order.iter().position(|job| *job == line.id));
    Ok(lines)
}

pub(super) fn published(
    db: &Connection,
    before: Option<JobId>,
    limit: usize,
) -> rusqlite::Result<Vec<PublishedJob>> {
    let mut statement = db.prepare_cached(
        "SELECT jobs.id, posts.body, jobs.target, jobs.translation, jobs.updated_at
         FROM jobs JOIN posts ON posts.source = jobs.source AND posts.id = jobs.post
         WHERE jobs.id < ?1 AND jobs.state = 'published' AND jobs.translation IS NOT NULL
         ORDER BY jobs.id DESC LIMIT ?2",
    )?;
    let before = before.map_or(i64::MAX, |before| before.0);
    let rows = statement.query_map((before, to_integer(limit)), |row| {
        Ok(PublishedJob {
            id: JobId(row.get(0)?),
            post: from_json(row.get_ref(1)?.as_str()?)?,
            target: TargetId::from(row.get_ref(2)?.as_str()?),
            translation: from_json(row.get_ref(3)?.as_str()?)?,
            at: to_timestamp(row.get(4)?),
        })
    })?;
    rows.collect()
}

pub(super) fn held_since(
    db: &Connection,
    moment: Timestamp,
) -> rusqlite::Result<BTreeMap<TargetId, HeldJobs>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT target, count(*), min(updated_at) FROM jobs
         WHERE {UNDONE} AND state IN ('held', 'review') AND updated_at <= ? GROUP BY target"
    ))?;
    let rows = statement.query_map([moment.as_millisecond()], |row| {
        let held = HeldJobs { jobs: count(row, 1)?, oldest: to_timestamp(row.get(2)?) };
        Ok((TargetId::from(row.get_ref(0)?.as_str()?), held))
    })?;
    rows.collect()
}

pub(super) fn draft_decisions(db: &Connection, job: JobId) -> rusqlite::Result<Vec<DraftDecision>> {
    let mut statement = db.prepare_cached(
        "SELECT at, token, who, action, note FROM draft_decisions WHERE job = ?1 ORDER BY token",
    )?;
    let rows = statement.query_map([job.0], |row| {
        let name = row.get_ref(3)?.as_str()?;
        let action = ReviewAction::from_name(name).ok_or_else(|| {
            let unknown = format!("a decision has an unknown action: {name}");
            rusqlite::Error::FromSqlConversionFailure(3, Type::Text, unknown.into())
        })?;
        let decision = ReviewDecision { who: row.get(2)?, action, note: row.get(4)? };
        Ok(DraftDecision { at: to_timestamp(row.get(0)?), token: row.get(1)?, decision })
    })?;
    rows.collect()
}

pub(super) fn post_times(db: &Connection, source: &str, limit: usize) -> rusqlite::Result<Vec<Timestamp>> {
    let mut statement = db.prepare_cached(
        "SELECT body ->> '$.created_at' FROM posts WHERE source = ?1 ORDER BY position DESC LIMIT ?2",
    )?;
    let rows = statement.query_map((source, to_integer(limit)), |row| row.get::<_, Option<String>>(0))?;
    let times: Vec<Option<String>> = rows.collect::<Result<_, _>>()?;
    Ok(times.into_iter().flatten().filter_map(|time| time.parse().ok()).collect())
}

/// The conditions of a query. The texts are constants of this file; user input is bound as values.
#[derive(Default)]
struct Conditions {
    texts: Vec<&'static str>,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, text: &'static str, value: impl Into<Value>) {
        self.texts.push(text);
        self.values.push(value.into());
    }
}

fn line(row: &Row<'_>) -> rusqlite::Result<JobLine> {
    Ok(JobLine {
        id: JobId(row.get(0)?),
        state: state(row, 1)?,
        token: row.get(2)?,
        attempt: row.get(3)?,
        not_before: row.get::<_, Option<i64>>(4)?.map(to_timestamp),
        translation: row.get_ref(5)?.as_str_or_null()?.map(from_json::<Translation>).transpose()?,
        post: PostId(row.get(6)?),
        target: TargetId::from(row.get_ref(7)?.as_str()?),
        kind: row.get(8)?,
        reason: row.get(9)?,
        written_at: written_at(row.get_ref(19)?.as_str_or_null()?, to_timestamp(row.get(20)?)),
        updated_at: to_timestamp(row.get(10)?),
        text: row.get::<_, Option<String>>(11)?.unwrap_or_default(),
        is_forgotten: row.get(17)?,
        unanswered: row.get(12)?,
        raw: row.get(13)?,
        rejected: row.get_ref(14)?.as_str_or_null()?.map(from_json::<RejectedTranslation>).transpose()?,
        before_skip: row.get_ref(15)?.as_str_or_null()?.map(from_json::<BeforeSkip>).transpose()?,
        draft: row.get_ref(18)?.as_str_or_null()?.map(from_json::<Box<Draft>>).transpose()?,
        messages: from_json::<Vec<(String, String)>>(row.get_ref(16)?.as_str()?)?
            .into_iter()
            .map(|(account, id)| (AccountId::from(account.as_str()), PostId(id)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use crate::ledger::sqlite::open;

    use super::*;

    /// If the condition does not match the index exactly, each listing scans the whole ledger.
    #[test]
    fn open_and_failed_jobs_are_found_by_index() {
        let folder = tempfile::tempdir().unwrap();
        let db = open::open(&folder.path().join("ledger.sqlite")).unwrap().connection;
        let plan =
            format!("EXPLAIN QUERY PLAN SELECT id FROM jobs WHERE jobs.id > 5 AND {UNDONE} ORDER BY jobs.id");
        let plan: String = db.query_row(&plan, [], |row| row.get("detail")).unwrap();
        assert!(plan.contains("jobs_undone"), "{plan}");
    }
}
