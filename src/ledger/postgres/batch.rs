//! One transaction for many commands. What it needs is read in one round trip, everything is decided in memory, and what
//! changed is written in a second one; the commit is the third. So a hundred changes cost as many round trips as one.
//!
//! Nothing is locked while it is decided. Each row is written only if it is still the row that was read, and each lease is
//! verified in the same transaction; otherwise nothing is written, and everything is decided again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    sync::Arc,
};

use deadpool_postgres::Object;
use jiff::{Timestamp, civil::Date};
use mynah_actors::failpoint;
use mynah_domain::{
    AccountId, JobEvent, JobId, JobState, PostId,
    budget::{Charge, OverBudget, Scope},
    people::DecisionRecord,
    ports::{
        leases::LeaseName,
        ledger::{
            Advanced, Change, ChangeError, Checkpoint, RecordPage, Recorded, Reservation, ReservationKey,
        },
    },
    review::ReviewDecision,
};

use super::{
    super::{
        decision::{Decided, JobRow, Note, OnRecord, decide},
        recording,
        restored::Restored,
        settled::Settled,
        spending::{Book, Rows, Sum, micros},
    },
    errors::{Error, Result},
    fences::{Fences, Needed},
    load,
    pages::{NewPost, Timeline, TimelineState},
    rows::to_json,
    spending::Loaded,
    store,
};

/// How often a batch is decided again because other processes changed the same rows.
const TRIES: u32 = 8;

/// What a caller wants written.
#[derive(Debug, Clone)]
pub(super) enum Command {
    /// Changes to jobs.
    Advance(Arc<[Change]>, Timestamp),
    /// Changes that a person decided, with a record for each.
    Decide(Arc<[Change]>, Arc<[DecisionRecord]>, Timestamp),
    /// A page of a source.
    Record(Arc<RecordPage>, Timestamp),
    /// A reservation.
    Reserve(Arc<Reservation>),
    /// What a reservation became.
    Settle(ReservationKey, Arc<[Charge]>),
    /// Charges without a reservation.
    Charge(Arc<[Charge]>),
}

/// The answer to a command.
#[derive(Debug)]
pub(super) enum Answer {
    Advanced(Vec<std::result::Result<Advanced, ChangeError>>),
    Recorded(std::result::Result<Recorded, LeaseName>),
    Reserved(std::result::Result<(), OverBudget>),
    Charged,
}

/// The rows that a transaction reads, and what it does to them.
#[derive(Default)]
pub(super) struct Batch {
    /// The jobs, as they are after what was decided so far.
    pub(super) jobs: BTreeMap<JobId, Entry>,
    /// New jobs. Until they are stored, the n-th has the number -n.
    pub(super) new_jobs: Vec<Entry>,
    pub(super) new_posts: Vec<NewPost>,
    /// The newest message on each account that a publication begins on.
    pub(super) newest: HashMap<AccountId, Option<PostId>>,
    pub(super) timelines: HashMap<String, TimelineState>,
    pub(super) restored: Option<Restored>,
    pub(super) checkpoints: BTreeMap<String, Checkpoint>,
    pub(super) settled: Settled,
    /// What was spent and is reserved, as it was read, and what changes.
    pub(super) money: Loaded,
    pub(super) book: Book,
    /// Posts whose texts must still be on record when this is written.
    pub(super) with_text: BTreeSet<(Arc<str>, PostId)>,
    pub(super) needed: Needed,
    /// What people decided.
    pub(super) decisions: Vec<DecisionRecord>,
}

/// A job in memory.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) row: JobRow,
    pub(super) source: Arc<str>,
    pub(super) post: PostId,
    pub(super) position: i64,
    /// By what the stored row is recognized: its token, its state and its last change.
    pub(super) version: (i64, JobState, Option<i64>),
    pub(super) parts: BTreeMap<u32, Part>,
    /// Parts on record that are there no more.
    pub(super) absent: BTreeSet<u32>,
    pub(super) parts_translated: u32,
    pub(super) is_forgotten: bool,
    pub(super) changed_at: Option<i64>,
    pub(super) created_at: i64,
    /// The new translation as JSON, and its engine.
    pub(super) translation: Option<(String, String)>,
    pub(super) rejected: Option<String>,
    /// Set if a person skipped it: what it was before, if an undo must restore it.
    #[expect(clippy::option_option, reason = "not skipped, skipped from its line, or from elsewhere")]
    pub(super) before_skip: Option<Option<String>>,
    pub(super) draft: Option<String>,
    /// Set if it changes.
    #[expect(clippy::option_option, reason = "unchanged, done, or new")]
    pub(super) guidance: Option<Option<String>>,
    /// The new decisions of people, each with the token of the job before it and the time.
    pub(super) decisions: Vec<(i64, i64, ReviewDecision)>,
}

/// A part of a job that was begun.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) account: AccountId,
    pub(super) remote_id: Option<PostId>,
    pub(super) change: PartChange,
}

/// What is to be written about a part.
#[derive(Debug, Clone)]
pub(super) enum PartChange {
    Nothing,
    Begun(Box<Begun>),
    /// It was sent at this time.
    Sent(i64),
}

/// A new part.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) text: String,
    pub(super) intent_at: i64,
    pub(super) key: String,
    pub(super) reply: Option<(String, String)>,
    pub(super) after: Option<PostId>,
    pub(super) sent_at: Option<i64>,
    /// What it cost, on which day, and who charges it.
    pub(super) cost: Option<(i64, String, Arc<str>)>,
}

/// A job, and what was read about money.
struct Known<'a> {
    entry: &'a Entry,
    money: &'a Loaded,
}

impl OnRecord for Known<'_> {
    fn parts_translated(&self, _: JobId) -> std::result::Result<u32, Infallible> {
        Ok(self.entry.parts_translated)
    }

    fn is_forgotten(&self, _: JobId) -> std::result::Result<bool, Infallible> {
        Ok(self.entry.is_forgotten)
    }
}

impl Rows for Known<'_> {
    type Error = Infallible;

    fn sum(&self, scope: &Scope, since: Date) -> std::result::Result<Sum, Infallible> {
        self.money.sum(scope, since)
    }

    fn reservation(&self, key: ReservationKey) -> std::result::Result<Vec<Charge>, Infallible> {
        self.money.reservation(key)
    }
}

/// Runs commands in one transaction, in order. An error means that nothing was written.
pub(super) async fn run(db: &Object, fences: &Fences, commands: &[Command]) -> Result<Vec<Answer>> {
    let mut needed = Needed::default();
    for _ in 0..TRIES {
        let mut batch = Batch { needed, ..Batch::default() };
        load::load(db, commands, &mut batch).await?;
        let answers =
            commands.iter().map(|command| batch.decide(command, fences)).collect::<Result<Vec<_>>>()?;
        match write(db, &mut batch, fences).await? {
            Written::Committed => return Ok(answers),
            Written::Outdated => {}
        }
        needed = batch.needed;
        needed.again();
    }
    Err(Error::Conflict)
}

/// Applies changes to jobs that were read already, and writes them.
pub(super) async fn apply(
    db: &Object,
    fences: &Fences,
    mut batch: Batch,
    changes: &[Change],
    now: Timestamp,
) -> Result<Option<Vec<std::result::Result<Advanced, ChangeError>>>> {
    let answers =
        changes.iter().map(|change| batch.advance(change, now, fences)).collect::<Result<Vec<_>>>()?;
    let written = write(db, &mut batch, fences).await?;
    Ok(matches!(written, Written::Committed).then_some(answers))
}

enum Written {
    Committed,
    /// Others wrote something since it was read, and nothing was written.
    Outdated,
}

async fn write(db: &Object, batch: &mut Batch, fences: &Fences) -> Result<Written> {
    if batch.changes_nothing() {
        return Ok(Written::Committed);
    }
    match store::store(db, batch, fences).await {
        Ok(true) => {
            failpoint::reach("ledger.commit.before");
            db.batch_execute("COMMIT").await?;
            failpoint::reach("ledger.commit.after");
            Ok(Written::Committed)
        }
        Ok(false) => {
            db.batch_execute("ROLLBACK").await?;
            Ok(Written::Outdated)
        }
        Err(error) => {
            if error.leaves_connection() {
                db.batch_execute("ROLLBACK").await?;
            }
            Err(error)
        }
    }
}

impl Batch {
    fn changes_nothing(&self) -> bool {
        self.checkpoints.is_empty()
            && !self.book.is_changed()
            && !self.jobs.values().any(|entry| entry.changed_at.is_some())
    }

    fn decide(&mut self, command: &Command, fences: &Fences) -> Result<Answer> {
        match command {
            Command::Advance(changes, now) => changes
                .iter()
                .map(|change| self.advance(change, *now, fences))
                .collect::<Result<_>>()
                .map(Answer::Advanced),
            Command::Decide(changes, records, now) => {
                let mut answers = Vec::with_capacity(changes.len());
                for (change, record) in changes.iter().zip(&**records) {
                    let answer = self.advance(change, *now, fences)?;
                    if answer.is_ok() {
                        self.decisions.push(record.clone());
                    }
                    answers.push(answer);
                }
                Ok(Answer::Advanced(answers))
            }
            Command::Record(page, now) => self.record(page, *now, fences).map(Answer::Recorded),
            Command::Reserve(reservation) => match self.book.reserve(&self.money, reservation) {
                Err(never) => match never {},
                Ok(reserved) => Ok(Answer::Reserved(reserved)),
            },
            Command::Settle(key, charges) => {
                self.settle(*key, charges);
                Ok(Answer::Charged)
            }
            Command::Charge(charges) => {
                self.book.charge(charges);
                Ok(Answer::Charged)
            }
        }
    }

    fn settle(&mut self, key: ReservationKey, charges: &[Charge]) {
        if let Err(never) = self.book.settle(&self.money, key, charges) {
            match never {}
        }
    }

    fn record(
        &mut self,
        page: &RecordPage,
        now: Timestamp,
        fences: &Fences,
    ) -> Result<std::result::Result<Recorded, LeaseName>> {
        let lease = LeaseName::Source(page.source.as_str().into());
        if let Err(lease) = self.needed.holds(lease, fences) {
            return Ok(Err(lease));
        }
        let recorded = recording::record(&mut Timeline::new(self, &page.source, now, fences), page)?;
        self.checkpoints.insert(page.source.clone(), page.checkpoint.clone());
        if let Some((key, charges)) = &page.settles {
            self.settle(*key, charges);
        }
        Ok(Ok(recorded))
    }

    /// Applies a change to a job in memory.
    pub(super) fn advance(
        &mut self,
        change: &Change,
        now: Timestamp,
        fences: &Fences,
    ) -> Result<std::result::Result<Advanced, ChangeError>> {
        let id = change.job();
        let new = usize::try_from(-(id.0 + 1)).ok();
        let entry = match new {
            Some(index) => self.new_jobs.get_mut(index),
            None => self.jobs.get_mut(&id),
        };
        let Some(entry) = entry else {
            return Ok(Err(ChangeError::NoSuchJob(id)));
        };
        let mut row = entry.row.clone();
        let known = Known { entry, money: &self.money };
        let decided = match decide(&mut row, change, &known, &mut self.book) {
            Err(never) => match never {},
            Ok(Err(error)) => return Ok(Err(error)),
            Ok(Ok(decided)) => decided,
        };
        let Decided::Made { before, translation, notes } = decided else {
            return Ok(Ok(row.advanced()));
        };
        for event in change.events() {
            if let JobEvent::PartBegun { account, .. } = event
                && let Err(lease) = self.needed.holds(LeaseName::Account(account.clone()), fences)
            {
                self.book.undo();
                return Ok(Err(ChangeError::NotHeld { job: id, lease }));
            }
        }
        if before == JobState::Skipped && row.state != JobState::Skipped {
            self.with_text.insert((entry.source.clone(), entry.post.clone()));
        }
        if let Some(translation) = translation {
            entry.parts_translated = u32::try_from(translation.parts.len()).unwrap_or(u32::MAX);
            entry.translation = Some((to_json(translation)?, translation.engine.clone()));
        }
        for note in notes {
            match note {
                Note::Rejected(rejected) => entry.rejected = Some(to_json(rejected)?),
                Note::BeforeSkip(before) => {
                    entry.before_skip = Some(before.as_ref().map(to_json).transpose()?);
                }
                Note::Draft(draft) => {
                    entry.draft = Some(to_json(draft)?);
                    entry.guidance = Some(None);
                }
                Note::Guidance(guidance) => entry.guidance = Some(Some(to_json(guidance)?)),
            }
        }
        let at = now.as_millisecond();
        entry.decisions.extend(change.decision().map(|decision| (change.token(), at, decision.clone())));
        for event in change.events() {
            entry.take(event, at, &mut self.newest);
        }
        if row.state != before {
            self.settled.left(&row.target, before);
            self.settled.came_to(&row.target, row.state);
        }
        entry.row = row;
        entry.changed_at = Some(at);
        Ok(Ok(entry.row.advanced()))
    }
}

impl Entry {
    /// Applies an event's effect on a part of the job.
    fn take(&mut self, event: &JobEvent, at: i64, newest: &mut HashMap<AccountId, Option<PostId>>) {
        match event {
            JobEvent::PartBegun { part, account, text, key, reply, cost } => {
                let cost = cost.as_ref();
                let begun = Begun {
                    text: text.clone(),
                    intent_at: at,
                    key: key.to_string(),
                    reply: reply.as_ref().map(|reply| (reply.root.0.clone(), reply.parent.0.clone())),
                    after: newest.get(account).cloned().flatten(),
                    sent_at: None,
                    cost: cost.map(|cost| (micros(cost.amount), cost.day.to_string(), cost.service.clone())),
                };
                let change = PartChange::Begun(Box::new(begun));
                self.parts.insert(*part, Part { account: account.clone(), remote_id: None, change });
            }
            JobEvent::PartSent { part, remote_id } => {
                let Some(stored) = self.parts.get_mut(part) else { return };
                stored.remote_id = Some(remote_id.clone());
                match &mut stored.change {
                    PartChange::Begun(begun) => begun.sent_at = Some(at),
                    change => *change = PartChange::Sent(at),
                }
                if let Some(newest) = newest.get_mut(&stored.account)
                    && newest.as_ref().is_none_or(|newest| is_newer(remote_id, newest))
                {
                    *newest = Some(remote_id.clone());
                }
            }
            JobEvent::PartAbsent { part } => {
                if let Some(Part { change: PartChange::Nothing | PartChange::Sent(_), .. }) =
                    self.parts.remove(part)
                {
                    self.absent.insert(*part);
                }
            }
            _ => {}
        }
    }
}

/// Ids grow: the newest is the longest, and among those the greatest.
fn is_newer(one: &PostId, other: &PostId) -> bool {
    let rank = |id: &PostId| (id.0.chars().count(), id.0.clone());
    rank(one) > rank(other)
}
