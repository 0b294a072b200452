//! Changes the states of jobs. Each change reads and writes its row once, because this is most of the ledger's work.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mynah_domain::{
    JobId, JobState, PostId, TargetId, Translation,
    ports::ledger::{Advanced, Change, ChangeError},
    review::ReviewDecision,
};
use rusqlite::{Connection, ToSql};

use super::{
    super::{
        decision::{Decided, JobRow, Note, OnRecord, decide, stand_of},
        settled::Settled,
        spending::{Book, of_part},
    },
    publications, retention,
    rows::{state, to_json},
    settled, spending,
};

/// Applies changes in order, each completely or not at all.
pub(super) fn advance(
    db: &Connection,
    changes: &[Change],
    now: Timestamp,
) -> rusqlite::Result<Vec<Result<Advanced, ChangeError>>> {
    let (mut counts, mut book) = (Settled::default(), Book::default());
    let answers = changes.iter().map(|change| apply(db, change, now, &mut counts, &mut book)).collect();
    settled::write(db, &counts)?;
    spending::write(db, &book)?;
    answers
}

fn apply(
    db: &Connection,
    change: &Change,
    now: Timestamp,
    counts: &mut Settled,
    book: &mut Book,
) -> rusqlite::Result<Result<Advanced, ChangeError>> {
    let id = change.job();
    let Some(mut job) = read(db, id)? else {
        return Ok(Err(ChangeError::NoSuchJob(id)));
    };
    let (before, translation, notes) = match decide(&mut job, change, db, book)? {
        Err(error) => return Ok(Err(error)),
        Ok(Decided::Repeated) => return Ok(Ok(job.advanced())),
        Ok(Decided::Made { before, translation, notes }) => (before, translation, notes),
    };
    for note in &notes {
        remember(db, id, note)?;
    }
    if let Some(decision) = change.decision() {
        add_decision(db, (id, change.token()), decision, now)?;
    }
    for event in change.events() {
        publications::write(db, id, event, now)?;
    }
    write(db, id, &job, before, translation, now)?;
    if job.state != before {
        counts.left(&job.target, before);
        counts.came_to(&job.target, job.state);
    }
    Ok(Ok(job.advanced()))
}

impl OnRecord for Connection {
    fn parts_translated(&self, job: JobId) -> rusqlite::Result<u32> {
        self.prepare_cached(
            "SELECT ifnull(json_array_length(translation, '$.parts'), 0) FROM jobs WHERE id = ?1",
        )?
        .query_row([job.0], |row| row.get(0))
    }

    fn is_forgotten(&self, job: JobId) -> rusqlite::Result<bool> {
        retention::is_forgotten(self, job)
    }
}

/// Stores what only people need. Rare, so it has its own statements.
fn remember(db: &Connection, id: JobId, note: &Note<'_>) -> rusqlite::Result<()> {
    match note {
        Note::Rejected(rejected) => db
            .prepare_cached("UPDATE jobs SET rejected = ?2 WHERE id = ?1")?
            .execute((id.0, to_json(rejected)?))
            .map(drop),
        Note::BeforeSkip(before) => db
            .prepare_cached("UPDATE jobs SET before_skip = ?2 WHERE id = ?1")?
            .execute((id.0, before.as_ref().map(to_json).transpose()?))
            .map(drop),
        Note::Draft(draft) => db
            .prepare_cached("UPDATE jobs SET draft = ?2, guidance = NULL WHERE id = ?1")?
            .execute((id.0, to_json(draft)?))
            .map(drop),
        Note::Guidance(guidance) => db
            .prepare_cached("UPDATE jobs SET guidance = ?2 WHERE id = ?1")?
            .execute((id.0, to_json(guidance)?))
            .map(drop),
    }
}

/// Records what a person decided about a job that had this token.
fn add_decision(
    db: &Connection,
    (job, token): (JobId, i64),
    ReviewDecision { who, action, note }: &ReviewDecision,
    now: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO draft_decisions (job, token, at, who, action, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((job.0, token, now.as_millisecond(), who, action.as_str(), note))
    .map(drop)
}

fn read(db: &Connection, id: JobId) -> rusqlite::Result<Option<JobRow>> {
    let mut statement = db.prepare_cached(
        "SELECT state, token, attempt, not_before, kind, reason, target, last_change, part, remote_id, jobs.source,
                cost, cost_day, cost_service
         FROM jobs LEFT JOIN publications ON publications.job = jobs.id WHERE jobs.id = ?1",
    )?;
    let mut rows = statement.query([id.0])?;
    let mut found: Option<JobRow> = None;
    while let Some(row) = rows.next()? {
        let job = match &mut found {
            Some(job) => job,
            None => found.insert(JobRow {
                state: state(row, 0)?,
                token: row.get(1)?,
                attempt: row.get(2)?,
                not_before: row.get(3)?,
                kind: row.get(4)?,
                reason: row.get(5)?,
                source: row.get_ref(10)?.as_str()?.into(),
                target: TargetId::from(row.get_ref(6)?.as_str()?),
                last_change: row.get(7)?,
                parts: BTreeMap::new(),
                charges: BTreeMap::new(),
            }),
        };
        if let Some(part) = row.get(8)? {
            job.parts.insert(part, row.get::<_, Option<String>>(9)?.map(PostId));
            if let Some(cost) = row.get(11)? {
                let (day, service) = (spending::day(row, 12)?, row.get_ref(13)?.as_str()?);
                job.charges.insert(part, of_part((&job.source, &job.target), cost, day, service));
            }
        }
    }
    Ok(found)
}

fn write(
    db: &Connection,
    id: JobId,
    job: &JobRow,
    before: JobState,
    translation: Option<&Translation>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    /// Updates the columns that may change with every event, and the given others. Columns that are not named cost
    /// nothing; an indexed column costs a write to the index.
    macro_rules! update {
        ($more:literal) => {
            concat!(
                "UPDATE jobs SET state = ?2, token = ?3, attempt = ?4, not_before = ?5, kind = ?6, reason = ?7, ",
                "updated_at = ?8, last_change = ?9",
                $more,
                " WHERE id = ?1"
            )
        };
    }
    let JobRow { state, token, attempt, not_before, kind, reason, last_change, .. } = job;
    let (name, stand, now) = (state.as_str(), stand_of(*state), now.as_millisecond());
    let text = translation.map(to_json).transpose()?;
    let mut row: Vec<&dyn ToSql> =
        vec![&id.0, &name, token, attempt, not_before, kind, reason, &now, last_change];
    if let (Some(translation), Some(text)) = (translation, &text) {
        row.extend([text as &dyn ToSql, &translation.engine]);
    }
    let moved = stand != stand_of(before);
    if moved {
        row.push(&stand);
    }
    let update = match (translation, moved) {
        (Some(_), true) => update!(", translation = ?10, engine = ?11, stand = ?12"),
        (Some(_), false) => update!(", translation = ?10, engine = ?11"),
        (None, true) => update!(", stand = ?10"),
        (None, false) => update!(""),
    };
    db.prepare_cached(update)?.execute(&row[..]).map(drop)
}
