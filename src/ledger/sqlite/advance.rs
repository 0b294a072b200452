//! Changes the states of jobs, by the domain's state table alone. Each change reads and writes its row once, because
//! this is most of the ledger's work.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mynah_domain::{
    Hold, JobEvent, JobId, JobState, PostId, Skip, TargetId, Translation,
    job::{BeforeSkip, HoldKind},
    ports::ledger::{Advanced, Change, ChangeError},
};
use rusqlite::{Connection, ToSql};

use super::{
    publications, retention,
    rows::{state, to_json, to_timestamp},
    schema::stand_of,
    settled::Settled,
};
use crate::telemetry::outside::bounded;

/// Applies changes in order, each completely or not at all.
pub(super) fn advance(
    db: &Connection,
    changes: &[Change],
    now: Timestamp,
) -> rusqlite::Result<Vec<Result<Advanced, ChangeError>>> {
    let mut settled = Settled::default();
    let answers = changes.iter().map(|change| apply(db, change, now, &mut settled)).collect();
    settled.write(db)?;
    answers
}

/// A job's row, without its post and its translation.
struct JobRow {
    target: TargetId,
    state: JobState,
    token: i64,
    attempt: u32,
    not_before: Option<i64>,
    kind: Option<String>,
    reason: Option<String>,
    /// The fingerprint of its last change, to recognize a repeat.
    last_change: Option<i64>,
    /// The parts that were begun, with the ids of those known to be sent.
    parts: BTreeMap<u32, Option<PostId>>,
}

fn apply(
    db: &Connection,
    change: &Change,
    now: Timestamp,
    settled: &mut Settled,
) -> rusqlite::Result<Result<Advanced, ChangeError>> {
    let (id, events) = (change.job(), change.events());
    let Some(mut job) = read(db, id)? else {
        return Ok(Err(ChangeError::NoSuchJob(id)));
    };
    let fingerprint = Some(change.fingerprint());
    if job.last_change == fingerprint {
        // The change was repeated because its answer was lost.
        return Ok(Ok(job.advanced()));
    }
    if job.token != change.token() {
        return Ok(Err(ChangeError::Stale { job: id, current: job.token, offered: change.token() }));
    }
    // All steps are checked before the first is taken, so that an illegal one changes nothing.
    let start = job.state;
    for event in events {
        let Some(next) = job.state.after(event) else {
            let event = format!("{event:?}");
            return Ok(Err(ChangeError::Illegal { job: id, state: job.state, event }));
        };
        job.state = next;
    }
    // A skipped job without a reason was skipped for good.
    let skipped_for = (start == JobState::Skipped).then(|| job.kind.as_deref().unwrap_or_default());
    if let Some((event, why)) = contradiction(db, change, skipped_for, std::mem::take(&mut job.parts))? {
        let event = format!("{event:?}: {why}");
        return Ok(Err(ChangeError::Illegal { job: id, state: start, event }));
    }
    let mut translation = None;
    let mut state = start;
    for event in events {
        remember(db, id, event, state, &job)?;
        state = state.after(event).unwrap_or(state);
        job.take(event);
        if let JobEvent::Translated(new) = event {
            translation = Some(new);
        }
        publications::write(db, id, event, now)?;
    }
    job.token = change.new_token().unwrap_or(job.token);
    job.last_change = fingerprint;
    job.write(db, id, start, translation, now)?;
    if job.state != start {
        settled.left(&job.target, start);
        settled.came_to(&job.target, job.state);
    }
    Ok(Ok(job.advanced()))
}

/// Stores what only people need; `job` is as it was before the event, in this state. Rare, so it has its own statements.
fn remember(
    db: &Connection,
    id: JobId,
    event: &JobEvent,
    state: JobState,
    job: &JobRow,
) -> rusqlite::Result<()> {
    match event {
        JobEvent::Rejected(rejected) => db
            .prepare_cached("UPDATE jobs SET rejected = ?2 WHERE id = ?1")?
            .execute((id.0, to_json(rejected)?))
            .map(drop),
        JobEvent::Skipped(Skip::ByHand) => db
            .prepare_cached("UPDATE jobs SET before_skip = ?2 WHERE id = ?1")?
            .execute((id.0, job.before_skip(state).as_ref().map(to_json).transpose()?))
            .map(drop),
        _ => Ok(()),
    }
}

fn read(db: &Connection, id: JobId) -> rusqlite::Result<Option<JobRow>> {
    let mut statement = db.prepare_cached(
        "SELECT state, token, attempt, not_before, kind, reason, target, last_change, part, remote_id
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
                target: TargetId::from(row.get_ref(6)?.as_str()?),
                last_change: row.get(7)?,
                parts: BTreeMap::new(),
            }),
        };
        if let Some(part) = row.get(8)? {
            job.parts.insert(part, row.get::<_, Option<String>>(9)?.map(PostId));
        }
    }
    Ok(found)
}

impl JobRow {
    fn advanced(&self) -> Advanced {
        Advanced { state: self.state, token: self.token, attempt: self.attempt }
    }

    /// Applies an event to the row, except for the state and the token.
    fn take(&mut self, event: &JobEvent) {
        match event {
            JobEvent::LeasedForTranslation | JobEvent::LeasedForPublication => {
                self.attempt += 1;
                self.not_before = None;
            }
            JobEvent::Translated(_) => {
                self.attempt = 0;
                self.reason = None;
            }
            JobEvent::PartSent { .. } => self.attempt = 0,
            JobEvent::Published => self.not_before = None,
            JobEvent::HandedBack { not_before, reason }
            | JobEvent::NotSent { not_before, reason }
            | JobEvent::OutcomeLost { not_before, reason } => {
                self.aside(None, Some(reason), *not_before);
            }
            JobEvent::Untouched => self.attempt = self.attempt.saturating_sub(1),
            JobEvent::Held(hold) => self.aside(Some(hold.kind.as_str()), Some(&hold.reason), hold.until),
            JobEvent::Released { .. } | JobEvent::Restored { .. } => {
                self.attempt = 0;
                self.aside(None, None, None);
            }
            JobEvent::Failed { reason } => self.aside(None, Some(reason), None),
            JobEvent::Skipped(skip) => self.aside(Some(skip.as_str()), None, None),
            JobEvent::PartBegun { .. } | JobEvent::PartAbsent { .. } | JobEvent::Rejected(_) => {}
        }
    }

    /// What an undo of a skip must restore, beside putting the job back into its line.
    fn before_skip(&self, state: JobState) -> Option<BeforeSkip> {
        let reason = self.reason.clone().unwrap_or_default();
        match state {
            JobState::Held => {
                let kind = HoldKind::from_name(self.kind.as_deref()?)?;
                Some(BeforeSkip::Held(Hold { kind, reason, until: self.not_before.map(to_timestamp) }))
            }
            JobState::Failed => Some(BeforeSkip::Failed { reason }),
            _ => None,
        }
    }

    fn aside(&mut self, kind: Option<&str>, reason: Option<&String>, until: Option<Timestamp>) {
        self.kind = kind.map(str::to_owned);
        self.reason = reason.map(|reason| bounded(reason));
        self.not_before = until.map(Timestamp::as_millisecond);
    }

    fn write(
        &self,
        db: &Connection,
        id: JobId,
        start: JobState,
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
        let Self { state, token, attempt, not_before, kind, reason, last_change, .. } = self;
        let (name, stand, now) = (state.as_str(), stand_of(*state), now.as_millisecond());
        let text = translation.map(to_json).transpose()?;
        let mut row: Vec<&dyn ToSql> =
            vec![&id.0, &name, token, attempt, not_before, kind, reason, &now, last_change];
        if let (Some(translation), Some(text)) = (translation, &text) {
            row.extend([text as &dyn ToSql, &translation.engine]);
        }
        let moved = stand != stand_of(start);
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
}

/// The first event that contradicts the record of the job's parts. The state table cannot see this. The check prevents
/// that a faulty caller publishes a post twice, or leaves one on the account without a record.
fn contradiction<'a>(
    db: &Connection,
    change: &'a Change,
    mut skipped_for: Option<&'a str>,
    mut parts: BTreeMap<u32, Option<PostId>>,
) -> rusqlite::Result<Option<(&'a JobEvent, &'static str)>> {
    let mut translated = None;
    for event in change.events() {
        let why = match event {
            JobEvent::PartBegun { part, .. } => match parts.insert(*part, None) {
                Some(Some(_)) => Some("that part is already on the account"),
                // Beginning again would lose an attempt that may be on the account.
                Some(None) => Some("that part was already begun, and its outcome is unknown"),
                None => None,
            },
            JobEvent::PartSent { part, remote_id } => match parts.insert(*part, Some(remote_id.clone())) {
                None => Some("that part was never begun"),
                Some(Some(known)) if known != *remote_id => Some("that part is recorded under another id"),
                _ => None,
            },
            JobEvent::PartAbsent { part } => {
                parts.remove(part).flatten().map(|_| "that part is on the account")
            }
            JobEvent::Translated(translation) => {
                translated = Some(u32::try_from(translation.parts.len()).unwrap_or(u32::MAX));
                None
            }
            JobEvent::Published if parts.values().any(Option::is_none) => {
                Some("a part was begun, but is not known to be sent")
            }
            JobEvent::Published => {
                let wanted = translated.map_or_else(|| parts_translated(db, change.job()), Ok)?;
                let missing = (0..wanted).any(|part| !parts.contains_key(&part));
                missing.then_some("a part of its translation was never begun")
            }
            JobEvent::Skipped(_) | JobEvent::Untouched if parts.values().any(Option::is_none) => {
                Some("a part of it may be on the account")
            }
            JobEvent::Skipped(skip) => {
                skipped_for = Some(skip.as_str());
                None
            }
            JobEvent::Restored { .. } | JobEvent::Released { .. }
                if skipped_for.is_some() && retention::is_forgotten(db, change.job())? =>
            {
                Some("its text was removed")
            }
            JobEvent::Restored { .. } => skipped_for
                .take()
                .filter(|reason| *reason != Skip::ByHand.as_str())
                .map(|_| "no person skipped it"),
            JobEvent::Released { .. } => skipped_for
                .take()
                .filter(|reason| !Skip::is_retryable(reason))
                .map(|_| "it was skipped for a final reason"),
            _ => None,
        };
        if let Some(why) = why {
            return Ok(Some((event, why)));
        }
    }
    Ok(None)
}

/// The number of parts of the recorded translation.
fn parts_translated(db: &Connection, job: JobId) -> rusqlite::Result<u32> {
    db.prepare_cached("SELECT ifnull(json_array_length(translation, '$.parts'), 0) FROM jobs WHERE id = ?1")?
        .query_row([job.0], |row| row.get(0))
}
