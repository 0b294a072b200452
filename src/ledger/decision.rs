//! Decides what a change does to a job. The table of states is the domain's; what it cannot see is checked here: who has
//! the lease, and what is on record about the job's parts. Every ledger stores what is decided, in its own way.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use mynah_domain::{
    Hold, JobEvent, JobId, JobState, PostId, Skip, TargetId, Translation,
    budget::Charge,
    job::{BeforeSkip, HoldKind, RejectedTranslation},
    ports::ledger::{Advanced, Change, ChangeError},
    review::{Draft, Guidance},
};

use super::spending::{Book, Rows};
use crate::telemetry::outside::bounded;

/// The value of `jobs.stand` for a state: 2 in its line, 1 given up, 0 done. The indexes use it instead of the state,
/// so that intermediate steps, which are most of all writes, touch no index.
pub(super) fn stand_of(state: JobState) -> i64 {
    match state {
        JobState::Queued
        | JobState::Translating
        | JobState::Review
        | JobState::Ready
        | JobState::Publishing
        | JobState::Unknown
        | JobState::Held => 2,
        JobState::Failed => 1,
        JobState::Published | JobState::Skipped => 0,
    }
}

/// A job's row, without its post and its translation.
#[derive(Debug, Clone)]
pub(super) struct JobRow {
    pub(super) source: Arc<str>,
    pub(super) target: TargetId,
    pub(super) state: JobState,
    pub(super) token: i64,
    pub(super) attempt: u32,
    pub(super) not_before: Option<i64>,
    pub(super) kind: Option<String>,
    pub(super) reason: Option<String>,
    /// The fingerprint of its last change, to recognize a repeat.
    pub(super) last_change: Option<i64>,
    /// The parts that were begun, with the ids of those known to be sent.
    pub(super) parts: BTreeMap<u32, Option<PostId>>,
    /// What those of them cost that are charged. A job that has something reserved for later parts has such a part.
    pub(super) charges: BTreeMap<u32, Charge>,
}

/// What is on record about a job beside its row. Few changes need it.
pub(super) trait OnRecord: Rows {
    /// The number of parts of the recorded translation.
    fn parts_translated(&self, job: JobId) -> Result<u32, Self::Error>;

    /// Whether the post of a job was forgotten.
    fn is_forgotten(&self, job: JobId) -> Result<bool, Self::Error>;
}

/// What a change does, beside the row.
#[derive(Debug)]
pub(super) enum Decided<'a> {
    /// It is the last change of the job, made again because its answer was lost. Nothing is to be written.
    Repeated,
    /// The row is as after the change.
    Made {
        /// The state before the change.
        before: JobState,
        /// The new translation.
        translation: Option<&'a Translation>,
        /// What only people need: most changes have none.
        notes: Vec<Note<'a>>,
    },
}

/// What is stored about a job only for people.
#[derive(Debug)]
pub(super) enum Note<'a> {
    /// A translation that is not published as it is.
    Rejected(&'a RejectedTranslation),
    /// What an undo of a skip must restore.
    BeforeSkip(Option<BeforeSkip>),
    /// A translation that waits for a person. What was wanted of it is done.
    Draft(&'a Draft),
    /// What a person wants of the next translation.
    Guidance(&'a Guidance),
}

/// Decides on a change to a job, with what it costs. If it is refused, the row is of no use any more, and the book is as
/// before.
pub(super) fn decide<'a, R: OnRecord + ?Sized>(
    row: &mut JobRow,
    change: &'a Change,
    record: &R,
    book: &mut Book,
) -> Result<Result<Decided<'a>, ChangeError>, R::Error> {
    let (job, events) = (change.job(), change.events());
    let fingerprint = Some(change.fingerprint());
    if row.last_change == fingerprint {
        return Ok(Ok(Decided::Repeated));
    }
    if row.token != change.token() {
        return Ok(Err(ChangeError::Stale { job, current: row.token, offered: change.token() }));
    }
    // All steps are checked before the first is taken, so that an illegal one changes nothing.
    let before = row.state;
    let mut state = before;
    for event in events {
        let Some(next) = state.after(event) else {
            return Ok(Err(ChangeError::Illegal { job, state, event: format!("{event:?}") }));
        };
        state = next;
    }
    // A skipped job without a reason was skipped for good.
    let skipped_for = (before == JobState::Skipped).then(|| row.kind.as_deref().unwrap_or_default());
    if let Some((event, why)) = contradiction(record, change, skipped_for, &mut row.parts)? {
        return Ok(Err(ChangeError::Illegal { job, state: before, event: format!("{event:?}: {why}") }));
    }
    book.start();
    if let Err(over) = pay(row, change, state, record, book)? {
        book.undo();
        return Ok(Err(over));
    }
    let (mut translation, mut notes) = (None, Vec::new());
    for event in events {
        match event {
            JobEvent::Translated(new) => translation = Some(new),
            JobEvent::Rejected(rejected) => notes.push(Note::Rejected(rejected)),
            JobEvent::Drafted(draft) => notes.push(Note::Draft(draft)),
            JobEvent::Again(guidance) => notes.push(Note::Guidance(guidance)),
            JobEvent::Skipped(Skip::ByHand) => notes.push(Note::BeforeSkip(row.before_skip())),
            _ => {}
        }
        row.take(event);
    }
    row.token = change.new_token().unwrap_or(row.token);
    row.last_change = fingerprint;
    Ok(Ok(Decided::Made { before, translation, notes }))
}

/// Charges the parts that a change begins, and takes back what it finds to be absent. What is reserved for the later parts
/// of a thread stays reserved for as long as the job is being published or is next to be.
fn pay<R: OnRecord + ?Sized>(
    row: &mut JobRow,
    change: &Change,
    state: JobState,
    record: &R,
    book: &mut Book,
) -> Result<Result<(), ChangeError>, R::Error> {
    let job = change.job();
    for event in change.events() {
        match event {
            JobEvent::PartBegun { part, cost: Some(cost), .. } => {
                match book.begin(record, (job, &row.source, &row.target), cost)? {
                    Ok(paid) => drop(row.charges.insert(*part, paid)),
                    Err(over) => return Ok(Err(ChangeError::OverBudget { job, over })),
                }
            }
            JobEvent::PartAbsent { part } => {
                let Some(paid) = row.charges.remove(part) else { continue };
                book.take_back(&paid);
                if row.charges.is_empty() {
                    book.release(record, job)?;
                } else {
                    // The rest of a thread that began is not given to others meanwhile.
                    book.reserve_again(record, job, &paid)?;
                }
            }
            _ => {}
        }
    }
    let is_in_publication = matches!(state, JobState::Publishing | JobState::Ready | JobState::Unknown);
    if !row.charges.is_empty() && !is_in_publication {
        book.release(record, job)?;
    }
    Ok(Ok(()))
}

impl JobRow {
    /// The answer to a change that led to this row.
    pub(super) fn advanced(&self) -> Advanced {
        Advanced { state: self.state, token: self.token, attempt: self.attempt }
    }

    /// Applies an event that was checked, except for the token.
    fn take(&mut self, event: &JobEvent) {
        let before = self.state;
        self.state = before.after(event).unwrap_or(before);
        match event {
            JobEvent::LeasedForTranslation | JobEvent::LeasedForPublication => {
                self.attempt += 1;
                self.not_before = None;
            }
            JobEvent::Translated(_) => {
                self.attempt = 0;
                (self.kind, self.reason) = (None, None);
            }
            JobEvent::Drafted(draft) => {
                self.attempt = 0;
                // An edit brings no job back that gave its place up.
                let set_aside = self.kind.take().filter(|_| before == JobState::Review);
                self.aside(set_aside.as_deref(), draft.summary().as_ref(), None);
            }
            JobEvent::SetAside { reason } => {
                self.aside(Some(HoldKind::Stalled.as_str()), Some(reason), None);
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
            JobEvent::Released { .. } | JobEvent::Restored { .. } | JobEvent::Again(_) => {
                self.attempt = 0;
                self.aside(None, None, None);
            }
            JobEvent::Failed { reason } => self.aside(None, Some(reason), None),
            JobEvent::Skipped(skip) => self.aside(Some(skip.as_str()), None, None),
            JobEvent::PartBegun { .. } | JobEvent::PartAbsent { .. } | JobEvent::Rejected(_) => {}
        }
    }

    /// What an undo of a skip must restore, beside putting the job back into its line.
    fn before_skip(&self) -> Option<BeforeSkip> {
        let reason = self.reason.clone().unwrap_or_default();
        match self.state {
            JobState::Held => {
                let kind = HoldKind::from_name(self.kind.as_deref()?)?;
                Some(BeforeSkip::Held(Hold { kind, reason, until: self.not_before.map(to_timestamp) }))
            }
            JobState::Failed => Some(BeforeSkip::Failed { reason }),
            JobState::Review => Some(BeforeSkip::Review),
            _ => None,
        }
    }

    fn aside(&mut self, kind: Option<&str>, reason: Option<&String>, until: Option<Timestamp>) {
        self.kind = kind.map(str::to_owned);
        self.reason = reason.map(|reason| bounded(reason));
        self.not_before = until.map(Timestamp::as_millisecond);
    }
}

/// A stored time.
pub(super) fn to_timestamp(millis: i64) -> Timestamp {
    // Only Mynah writes these. A value out of range becomes a moment that never comes.
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// The first event that contradicts the record of the job's parts. The state table cannot see this. The check prevents
/// that a faulty caller publishes a post twice, or leaves one on the account without a record.
fn contradiction<'a, R: OnRecord + ?Sized>(
    record: &R,
    change: &'a Change,
    mut skipped_for: Option<&'a str>,
    parts: &mut BTreeMap<u32, Option<PostId>>,
) -> Result<Option<(&'a JobEvent, &'static str)>, R::Error> {
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
                let wanted = translated.map_or_else(|| record.parts_translated(change.job()), Ok)?;
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
                if skipped_for.is_some() && record.is_forgotten(change.job())? =>
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
