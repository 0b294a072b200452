//! Reads what a batch needs, in one round trip.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use deadpool_postgres::Object;
use mynah_domain::{
    AccountId, JobEvent, JobId, PostId,
    ports::ledger::{Change, ReservationKey},
};
use tokio_postgres::Row;

use super::{
    super::{
        decision::JobRow,
        recording::OnRecord,
        restored::{FACT, Restored},
        spending::of_part,
    },
    batch::{Batch, Command, Entry, Part, PartChange},
    errors::Result,
    facts,
    pages::TimelineState,
    pipeline::Pipeline,
    rows::{count, get, id, state, storable, target},
    spending,
};

/// The columns of a job, for [`entry`].
pub(super) const COLUMNS: &str =
    "jobs.id, jobs.source, jobs.post, jobs.position, jobs.target, jobs.state, jobs.token,
    jobs.attempt, jobs.not_before, jobs.kind, jobs.reason, jobs.last_change, jobs.created_at";

/// Jobs by their numbers. Few changes need to know how many parts a translation has, or whether the post was forgotten.
fn jobs() -> String {
    format!(
        "SELECT {COLUMNS},
            CASE WHEN wanted.counts THEN coalesce(json_array_length(jobs.translation::json -> 'parts'), 0) ELSE 0 END::bigint,
            wanted.releases AND EXISTS (SELECT 1 FROM posts WHERE posts.source = jobs.source AND posts.id = jobs.post
                                                            AND posts.forgotten_at IS NOT NULL)
         FROM UNNEST($1::bigint[], $2::bool[], $3::bool[]) AS wanted (id, counts, releases)
         JOIN jobs ON jobs.id = wanted.id"
    )
}

/// What is on record of the parts of jobs, for [`add_jobs`].
pub(super) const PARTS: &str = "SELECT job, part, account, remote_id, cost, cost_day, cost_service FROM publications WHERE job = ANY($1::bigint[])";

const NEWEST: &str = "
    SELECT accounts.account, (
        SELECT remote_id FROM publications
        WHERE publications.account = accounts.account AND remote_id IS NOT NULL
        ORDER BY length(remote_id) DESC, remote_id DESC LIMIT 1
    ) FROM UNNEST($1::text[]) AS accounts (account)";

const VERSIONS: &str = "SELECT id, post FROM versions WHERE source = $1 AND id = ANY($2::text[])";

/// Posts by their ids, and the recorded versions of those.
const POSTS: &str = "
    SELECT id, raw IS NOT NULL, forgotten_at IS NOT NULL FROM posts
    WHERE source = $1 AND id IN (
        SELECT UNNEST($2::text[]) UNION SELECT post FROM versions WHERE source = $1 AND id = ANY($2::text[]))";

/// The jobs that wait for one of these posts to be readable.
fn waiting() -> String {
    format!(
        "SELECT {COLUMNS}, 0::bigint, false
         FROM posts JOIN jobs ON jobs.source = posts.source AND jobs.post = posts.id
         WHERE posts.source = $1 AND posts.raw IS NOT NULL AND posts.id IN (
             SELECT UNNEST($2::text[]) UNION SELECT post FROM versions WHERE source = $1 AND id = ANY($2::text[]))
           AND (jobs.state = 'queued' OR (jobs.state = 'held' AND jobs.kind = 'unreadable'))"
    )
}

/// What a command needs to know.
#[derive(Default)]
struct Wanted<'a> {
    /// Jobs, with whether their translation's parts are counted, and whether their post may be forgotten.
    jobs: BTreeMap<JobId, (bool, bool)>,
    accounts: BTreeSet<&'a AccountId>,
    posts: BTreeMap<&'a str, BTreeSet<&'a PostId>>,
    money: spending::Wanted,
}

impl<'a> Wanted<'a> {
    fn by(commands: &'a [Command]) -> Self {
        let mut wanted = Self::default();
        for command in commands {
            match command {
                Command::Advance(changes, _) | Command::Decide(changes, ..) => {
                    changes.iter().for_each(|change| wanted.change(change));
                }
                Command::Record(page, _) => {
                    let ids = wanted.posts.entry(page.source.as_str()).or_default();
                    for record in &page.posts {
                        ids.insert(&record.post.id);
                        ids.extend(&record.post.versions);
                    }
                    if let Some((key, _)) = &page.settles {
                        wanted.money.reservation(*key);
                    }
                }
                Command::Reserve(reservation) => {
                    wanted.money.reservation(reservation.key);
                    wanted.money.limits(&reservation.limits);
                }
                Command::Settle(key, _) => wanted.money.reservation(*key),
                Command::Charge(_) => {}
            }
        }
        wanted
    }

    fn change(&mut self, change: &'a Change) {
        self.money.reservation(ReservationKey::of_job(change.job()));
        let (counts, releases) = self.jobs.entry(change.job()).or_default();
        for event in change.events() {
            match event {
                JobEvent::Published => *counts = true,
                JobEvent::Released { .. } | JobEvent::Restored { .. } => *releases = true,
                JobEvent::PartBegun { account, cost, .. } => {
                    self.accounts.insert(account);
                    if let Some(cost) = cost {
                        self.money.limits(&cost.limits);
                    }
                }
                _ => {}
            }
        }
    }
}

pub(super) async fn load(db: &Object, commands: &[Command], batch: &mut Batch) -> Result<()> {
    let wanted = Wanted::by(commands);
    let mut pipeline = Pipeline::new(db);
    if !wanted.jobs.is_empty() {
        let ids: Vec<i64> = wanted.jobs.keys().map(|job| job.0).collect();
        let (counts, releases): (Vec<bool>, Vec<bool>) = wanted.jobs.values().copied().unzip();
        pipeline.query(&jobs(), vec![Box::new(ids.clone()), Box::new(counts), Box::new(releases)]).await?;
        pipeline.query(PARTS, vec![Box::new(ids)]).await?;
    }
    if !wanted.accounts.is_empty() {
        let accounts: Vec<String> =
            wanted.accounts.iter().map(|account| storable(account.as_str()).into_owned()).collect();
        pipeline.query(NEWEST, vec![Box::new(accounts)]).await?;
    }
    if !wanted.posts.is_empty() {
        pipeline.query(facts::VALUE, vec![Box::new(FACT)]).await?;
    }
    for (source, ids) in &wanted.posts {
        let source = storable(source).into_owned();
        let ids: Vec<String> = ids.iter().map(|id| storable(&id.0).into_owned()).collect();
        for sql in [VERSIONS, POSTS, &waiting()] {
            pipeline.query(sql, vec![Box::new(source.clone()), Box::new(ids.clone())]).await?;
        }
    }
    wanted.money.ask(&mut pipeline).await?;
    let mut answers = pipeline.run().await?.into_iter();
    let mut next = || answers.next().map(|answer| answer.rows).unwrap_or_default();
    if !wanted.jobs.is_empty() {
        let (jobs, parts) = (next(), next());
        add_jobs(batch, &jobs, &parts)?;
    }
    if !wanted.accounts.is_empty() {
        for row in next() {
            let newest = get::<Option<String>>(&row, 1)?.map(PostId);
            batch.newest.insert(AccountId::from(get::<&str>(&row, 0)?), newest);
        }
    }
    if !wanted.posts.is_empty() {
        let fact = next().first().map(|row| get::<String>(row, 0)).transpose()?;
        batch.restored = Some(Restored::of(fact.as_deref()));
    }
    for source in wanted.posts.keys() {
        let (versions, posts, waiting) = (next(), next(), next());
        let mut known = TimelineState::default();
        for row in &versions {
            known.versions.insert(id(row, 0)?, id(row, 1)?);
        }
        for row in &posts {
            known.posts.insert(id(row, 0)?, OnRecord { is_raw: get(row, 1)?, is_forgotten: get(row, 2)? });
        }
        batch.timelines.insert((*source).to_owned(), known);
        for row in &waiting {
            let (job, entry) = entry(row)?;
            batch.jobs.entry(job).or_insert(entry);
        }
    }
    batch.money = wanted.money.answered(&mut answers)?;
    Ok(())
}

/// Adds jobs to a batch, with their parts.
pub(super) fn add_jobs(batch: &mut Batch, jobs: &[Row], parts: &[Row]) -> Result<()> {
    let mut sources: HashMap<String, Arc<str>> = HashMap::new();
    for row in jobs {
        let (job, mut entry) = entry(row)?;
        // A batch has many jobs of few sources.
        let source = sources.entry(entry.source.to_string()).or_insert_with(|| entry.source.clone());
        entry.row.source = source.clone();
        entry.source = source.clone();
        batch.jobs.insert(job, entry);
    }
    for row in parts {
        let part = count(row, 1)?;
        let Some(entry) = batch.jobs.get_mut(&JobId(get(row, 0)?)) else { continue };
        let remote_id = get::<Option<String>>(row, 3)?.map(PostId);
        entry.row.parts.insert(part, remote_id.clone());
        if let Some(cost) = get::<Option<i64>>(row, 4)? {
            let day = spending::day(get(row, 5)?)?;
            let charge = of_part((&entry.row.source, &entry.row.target), cost, day, get(row, 6)?);
            entry.row.charges.insert(part, charge);
        }
        let account = AccountId::from(get::<&str>(row, 2)?);
        entry.parts.insert(part, Part { account, remote_id, change: PartChange::Nothing });
    }
    Ok(())
}

/// Reads the columns [`COLUMNS`], and behind them how many parts the translation has and whether the post is forgotten.
fn entry(row: &Row) -> Result<(JobId, Entry)> {
    let source: Arc<str> = get::<&str>(row, 1)?.into();
    let read = JobRow {
        source: source.clone(),
        target: target(row, 4)?,
        state: state(row, 5)?,
        token: get(row, 6)?,
        attempt: count(row, 7)?,
        not_before: get(row, 8)?,
        kind: get(row, 9)?,
        reason: get(row, 10)?,
        last_change: get(row, 11)?,
        parts: BTreeMap::new(),
        charges: BTreeMap::new(),
    };
    let entry = Entry {
        version: (read.token, read.state, read.last_change),
        row: read,
        source,
        post: id(row, 2)?,
        position: get(row, 3)?,
        parts: BTreeMap::new(),
        absent: BTreeSet::new(),
        parts_translated: count(row, 13)?,
        is_forgotten: get(row, 14)?,
        changed_at: None,
        created_at: get(row, 12)?,
        translation: None,
        rejected: None,
        before_skip: None,
        draft: None,
        guidance: None,
        decisions: Vec::new(),
    };
    Ok((JobId(get(row, 0)?), entry))
}
