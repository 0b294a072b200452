//! Lists jobs for people: by state, target, post or kind of hold, in bounded pages.

use std::collections::BTreeMap;

use deadpool_postgres::Object;
use jiff::Timestamp;
use mynah_domain::{
    AccountId, JobId, JobState, PostId, TargetId, Translation,
    job::{BeforeSkip, RejectedTranslation},
    ports::ledger::{DraftDecision, HeldJobs, JobFilter, JobLine, PublishedJob},
    review::{Draft, ReviewAction, ReviewDecision},
};
use tokio_postgres::{Row, types::ToSql};

use super::{
    super::written_at,
    errors::{Error, Result},
    pipeline::Values,
    rows::{count, from_json, get, id, state, storable, target, to_integer, to_timestamp},
};

/// Posts are indexed by source and id. If the source is unknown, all are searched: every source with records has a
/// checkpoint.
const OF_ANY_SOURCE: &str = "jobs.source IN (SELECT source FROM checkpoints)";

pub(super) async fn jobs(
    db: &Object,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: usize,
) -> Result<Vec<JobLine>> {
    let mut conditions = Conditions::default();
    let order = if filter.newest_first {
        conditions.add("jobs.id < $", after.map_or(i64::MAX, |after| after.0));
        "DESC"
    } else {
        conditions.add("jobs.id > $", after.map_or(i64::MIN, |after| after.0));
        "ASC"
    };
    if !filter.ids.is_empty() {
        let ids: Vec<i64> = filter.ids.iter().map(|id| id.0).collect();
        conditions.add("jobs.id = ANY($::bigint[])", ids);
    }
    if !filter.states.is_empty() {
        let states: Vec<&'static str> = filter.states.iter().map(|state| state.as_str()).collect();
        conditions.add("jobs.state = ANY($::text[])", states);
        let done = |state: &JobState| matches!(state, JobState::Published | JobState::Skipped);
        if !filter.states.iter().any(done) {
            // The condition of the index on jobs that are not done.
            conditions.texts.push("jobs.stand > 0".into());
        }
    }
    if !filter.targets.is_empty() {
        let targets: Vec<String> =
            filter.targets.iter().map(|target| storable(target.as_str()).into_owned()).collect();
        conditions.add("jobs.target = ANY($::text[])", targets);
    }
    if let Some(post) = &filter.post {
        conditions.texts.push(OF_ANY_SOURCE.into());
        conditions.add("jobs.post = $", storable(&post.0).into_owned());
    }
    if let Some(kind) = &filter.kind {
        conditions.add("jobs.kind = $", storable(kind).into_owned());
    }
    if let Some(words) = &filter.words {
        conditions.add(
            // `lower` handles only ASCII in this collation; other letters are compared as they are.
            "position($::text in concat_ws(E'\\n', lower((posts.body::json ->> 'text') COLLATE \"C\"), lower(jobs.reason),
                      lower(coalesce(jobs.translation, jobs.draft, jobs.rejected)))) > 0",
            storable(&words.to_ascii_lowercase()).into_owned(),
        );
    }
    let sql = format!(
        "SELECT jobs.id, jobs.state, jobs.token, jobs.attempt, jobs.not_before, jobs.translation,
                jobs.post, jobs.target, jobs.kind, jobs.reason, jobs.updated_at, posts.body::json ->> 'text',
                (SELECT count(*) FROM publications WHERE publications.job = jobs.id AND remote_id IS NULL),
                posts.raw, CASE WHEN jobs.translation IS NULL THEN jobs.rejected END, jobs.before_skip,
                ARRAY(SELECT account FROM publications
                      WHERE publications.job = jobs.id AND remote_id IS NOT NULL ORDER BY part),
                ARRAY(SELECT remote_id FROM publications
                      WHERE publications.job = jobs.id AND remote_id IS NOT NULL ORDER BY part),
                posts.forgotten_at IS NOT NULL, CASE WHEN jobs.state IN ('review', 'skipped') THEN jobs.draft END,
                posts.body::json ->> 'created_at', posts.recorded_at
         FROM jobs JOIN posts ON posts.source = jobs.source AND posts.id = jobs.post
         WHERE {} ORDER BY jobs.id {order} LIMIT {}",
        conditions.texts.join(" AND "),
        to_integer(limit)
    );
    let values: Vec<&(dyn ToSql + Sync)> = conditions.values.iter().map(|value| &**value as _).collect();
    // Not cached: people ask for few of many combinations.
    db.query(&sql, &values).await?.iter().map(line).collect()
}

pub(super) async fn last_published(
    db: &Object,
    accounts: &[AccountId],
    limit: usize,
) -> Result<Vec<JobLine>> {
    // Separately for each account, with the existing index; an index over all accounts would make each publication
    // slower.
    let statement = db
        .prepare_cached(
            "SELECT job, max(sent_at) FROM (
                 SELECT latest.job, latest.sent_at FROM UNNEST($1::text[]) AS accounts (account) CROSS JOIN LATERAL (
                     SELECT job, sent_at FROM publications
                     WHERE publications.account = accounts.account AND sent_at IS NOT NULL
                     ORDER BY intent_at DESC LIMIT $2
                 ) AS latest
             ) AS published GROUP BY job ORDER BY max(sent_at) DESC, job DESC LIMIT $2",
        )
        .await?;
    let accounts: Vec<_> = accounts.iter().map(|account| storable(account.as_str())).collect();
    let rows = db.query(&statement, &[&accounts, &to_integer(limit)]).await?;
    let order: Vec<JobId> = rows.iter().map(|row| get(row, 0).map(JobId)).collect::<Result<_>>()?;
    if order.is_empty() {
        return Ok(Vec::new());
    }
    let filter = JobFilter { ids: order.clone(), ..JobFilter::default() };
    let mut lines = jobs(db, &filter, None, order.len()).await?;
    lines.sort_by_key(|line| order.iter().position(|job| *job == line.id));
    Ok(lines)
}

pub(super) async fn published(db: &Object, before: Option<JobId>, limit: usize) -> Result<Vec<PublishedJob>> {
    let statement = db
        .prepare_cached(
            "SELECT jobs.id, posts.body, jobs.target, jobs.translation, jobs.updated_at
             FROM jobs JOIN posts ON posts.source = jobs.source AND posts.id = jobs.post
             WHERE jobs.id < $1 AND jobs.state = 'published' AND jobs.translation IS NOT NULL
             ORDER BY jobs.id DESC LIMIT $2",
        )
        .await?;
    let before = before.map_or(i64::MAX, |before| before.0);
    let rows = db.query(&statement, &[&before, &to_integer(limit)]).await?;
    let job = |row: &Row| {
        Ok(PublishedJob {
            id: JobId(get(row, 0)?),
            post: from_json(get(row, 1)?)?,
            target: target(row, 2)?,
            translation: from_json(get(row, 3)?)?,
            at: to_timestamp(get(row, 4)?),
        })
    };
    rows.iter().map(job).collect()
}

pub(super) async fn held_since(db: &Object, moment: Timestamp) -> Result<BTreeMap<TargetId, HeldJobs>> {
    let statement = db
        .prepare_cached(
            "SELECT target, count(*), min(updated_at) FROM jobs
             WHERE stand > 0 AND state IN ('held', 'review') AND updated_at <= $1 GROUP BY target",
        )
        .await?;
    let held = |row: &Row| {
        Ok((target(row, 0)?, HeldJobs { jobs: count(row, 1)?, oldest: to_timestamp(get(row, 2)?) }))
    };
    db.query(&statement, &[&moment.as_millisecond()]).await?.iter().map(held).collect()
}

pub(super) async fn draft_decisions(db: &Object, job: JobId) -> Result<Vec<DraftDecision>> {
    let statement = db
        .prepare_cached(
            "SELECT at, token, who, action, note FROM draft_decisions WHERE job = $1 ORDER BY token",
        )
        .await?;
    let decision = |row: &Row| {
        let name: &str = get(row, 3)?;
        let action = ReviewAction::from_name(name)
            .ok_or_else(|| Error::Unreadable(format!("a decision has an unknown action: {name}")))?;
        let decision = ReviewDecision { who: get(row, 2)?, action, note: get(row, 4)? };
        Ok(DraftDecision { at: to_timestamp(get(row, 0)?), token: get(row, 1)?, decision })
    };
    db.query(&statement, &[&job.0]).await?.iter().map(decision).collect()
}

pub(super) async fn post_times(db: &Object, source: &str, limit: usize) -> Result<Vec<Timestamp>> {
    let statement = db
        .prepare_cached(
            "SELECT body::json ->> 'created_at' FROM posts WHERE source = $1 ORDER BY position DESC LIMIT $2",
        )
        .await?;
    let rows = db.query(&statement, &[&storable(source), &to_integer(limit)]).await?;
    let times: Vec<Option<&str>> = rows.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    Ok(times.into_iter().flatten().filter_map(|time| time.parse().ok()).collect())
}

/// The conditions of a query. The texts are constants of this file; user input is bound as values.
#[derive(Default)]
struct Conditions {
    texts: Vec<String>,
    values: Values,
}

impl Conditions {
    /// Adds a condition with one value, which its text names `$`.
    fn add(&mut self, text: &str, value: impl ToSql + Sync + Send + 'static) {
        self.values.push(Box::new(value));
        self.texts.push(text.replacen('$', &format!("${}", self.values.len()), 1));
    }
}

fn line(row: &Row) -> Result<JobLine> {
    let accounts: Vec<&str> = get(row, 16)?;
    let messages: Vec<String> = get(row, 17)?;
    Ok(JobLine {
        id: JobId(get(row, 0)?),
        state: state(row, 1)?,
        token: get(row, 2)?,
        attempt: count(row, 3)?,
        not_before: get::<Option<i64>>(row, 4)?.map(to_timestamp),
        translation: get::<Option<&str>>(row, 5)?.map(from_json::<Translation>).transpose()?,
        post: id(row, 6)?,
        target: target(row, 7)?,
        kind: get(row, 8)?,
        reason: get(row, 9)?,
        written_at: written_at(get(row, 20)?, to_timestamp(get(row, 21)?)),
        updated_at: to_timestamp(get(row, 10)?),
        text: get::<Option<String>>(row, 11)?.unwrap_or_default(),
        is_forgotten: get(row, 18)?,
        unanswered: count(row, 12)?,
        raw: get(row, 13)?,
        rejected: get::<Option<&str>>(row, 14)?.map(from_json::<RejectedTranslation>).transpose()?,
        before_skip: get::<Option<&str>>(row, 15)?.map(from_json::<BeforeSkip>).transpose()?,
        draft: get::<Option<&str>>(row, 19)?.map(from_json::<Box<Draft>>).transpose()?,
        messages: accounts.into_iter().map(AccountId::from).zip(messages.into_iter().map(PostId)).collect(),
    })
}
