//! A ledger in memory. It follows the port's rules as far as the actors' tests depend on them; the port's contract
//! suite tests the rules themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use jiff::{Timestamp, civil::Date};
use mynah_domain::{
    AccountId, Job, JobEvent, JobId, JobState, Post, PostId, Publication, Reply, TargetId,
    budget::{Charge, OverBudget},
    caps::Spent,
    people::{DecisionRecord, Session, TokenHash, User, UserName},
    ports::{
        Clock, Decisions, Facts, LedgerError, Listing, People, Retention, Spending, Work,
        leases::LeaseName,
        ledger::{
            Advanced, Change, ChangeError, Checkpoint, DraftDecision, HeldJobs, JobFilter, JobLine,
            LinePosition, ListedDecision, NotForgotten, PublishedJob, RecordPage, RecordPost, Recorded,
            Removed, Reservation, ReservationKey,
        },
    },
};
use tokio::sync::{Semaphore, mpsc};

use super::{RuntimeClock, wallet::Wallet};

/// The ledger.
pub(crate) struct MemoryLedger {
    contents: Mutex<Contents>,
    clock: Arc<dyn Clock>,
    gate: Option<Gate>,
    /// How many of the next changes fail as if something else had locked the ledger.
    locked: AtomicU32,
    /// Whether another instance holds the leases of all accounts.
    not_held: AtomicBool,
    condition: Condition,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Sound,
    /// It was restored from a backup: whatever is new may be published already.
    Restored,
    /// It cannot be used.
    Damaged,
}

#[derive(Default)]
struct Contents {
    jobs: BTreeMap<JobId, Job>,
    /// In the order of arrival.
    posts: Vec<RecordPost>,
    checkpoint: Option<Checkpoint>,
    retried: Vec<PostId>,
    /// The last change of each job, and its answer.
    last_changes: BTreeMap<JobId, (Change, Advanced)>,
    wallet: Wallet,
}

/// Holds callers until a test lets them pass.
pub(crate) struct Gate {
    leave: Semaphore,
    asked: mpsc::UnboundedSender<()>,
}

impl Gate {
    /// Creates a closed gate, and a receiver that gets a message for every caller that waits at it.
    pub(crate) fn closed() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (asked, waiting) = mpsc::unbounded_channel();
        (Self { leave: Semaphore::new(0), asked }, waiting)
    }

    /// Lets this many callers pass.
    pub(crate) fn let_pass(&self, callers: usize) {
        self.leave.add_permits(callers);
    }

    pub(super) async fn pass(&self) {
        // The test may not be listening.
        let _ = self.asked.send(());
        self.leave.acquire().await.unwrap().forget();
    }
}

fn not_asked<T>() -> Result<T, LedgerError> {
    Err(LedgerError::Fatal("these tests do not call this".into()))
}

impl MemoryLedger {
    /// Creates a ledger with these jobs and this clock.
    pub(crate) fn new(jobs: impl IntoIterator<Item = Job>, clock: Arc<dyn Clock>) -> Self {
        let jobs = jobs.into_iter().map(|job| (job.id, job)).collect();
        let contents = Mutex::new(Contents { jobs, ..Contents::default() });
        Self {
            contents,
            clock,
            gate: None,
            locked: AtomicU32::new(0),
            not_held: AtomicBool::new(false),
            condition: Condition::Sound,
        }
    }

    /// Creates an empty ledger.
    pub(crate) fn empty() -> Self {
        Self::new([], Arc::new(RuntimeClock::new()))
    }

    /// Creates an empty ledger that was restored from a backup.
    pub(crate) fn restored() -> Self {
        Self { condition: Condition::Restored, ..Self::empty() }
    }

    /// Creates a ledger that cannot be used.
    pub(crate) fn damaged() -> Self {
        Self { condition: Condition::Damaged, ..Self::empty() }
    }

    /// Adds a gate before every change.
    pub(crate) fn behind(self, gate: Gate) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// Lets this many changes pass the gate.
    pub(crate) fn let_pass(&self, changes: usize) {
        self.gate.as_ref().expect("there is a gate").let_pass(changes);
    }

    /// Lets this many of the next changes fail as if something else had locked the ledger.
    pub(crate) fn lock_for(&self, changes: u32) {
        self.locked.store(changes, Ordering::Relaxed);
    }

    /// Gives the leases of all accounts to another instance, or back.
    pub(crate) fn set_not_held(&self, not_held: bool) {
        self.not_held.store(not_held, Ordering::Relaxed);
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }

    pub(crate) fn job(&self, id: i64) -> Job {
        self.contents().jobs[&JobId(id)].clone()
    }

    fn job_of(&self, post: &PostId, target: &TargetId) -> Option<Job> {
        let contents = self.contents();
        contents.jobs.values().find(|job| job.post.id == *post && job.target == *target).cloned()
    }

    /// The state of every job, by its number.
    pub(crate) fn states(&self) -> Vec<JobState> {
        self.contents().jobs.values().map(|job| job.state).collect()
    }

    /// The ids of all posts that were recorded.
    pub(crate) fn ids(&self) -> BTreeSet<PostId> {
        self.contents().posts.iter().map(|record| record.post.id.clone()).collect()
    }

    /// The ids that are numbers.
    pub(crate) fn numbers(&self) -> BTreeSet<u64> {
        self.ids().iter().filter_map(|id| id.0.parse().ok()).collect()
    }

    /// The post that was recorded first.
    pub(crate) fn first_post(&self) -> Option<Arc<Post>> {
        self.contents().posts.first().map(|record| record.post.clone())
    }

    /// The raw form of a post that could not be read.
    pub(crate) fn raw(&self, id: &str) -> Option<String> {
        self.record_of(id)?.unreadable.map(|raw| raw.json)
    }

    /// The position of the watermark.
    pub(crate) fn watermark(&self) -> Option<u64> {
        self.last_checkpoint()?.watermark.map(|mark| mark.position)
    }

    /// The record of a post.
    pub(crate) fn record_of(&self, id: &str) -> Option<RecordPost> {
        self.contents().posts.iter().find(|record| record.post.id.0 == id).cloned()
    }

    /// The source's checkpoint, if it was ever polled.
    pub(crate) fn last_checkpoint(&self) -> Option<Checkpoint> {
        self.contents().checkpoint.clone()
    }

    /// Retries the jobs of posts that could not be read, as a person would.
    pub(crate) fn retry_unreadable(&self, posts: &[&str]) {
        self.contents().retried = posts.iter().map(|id| PostId((*id).to_owned())).collect();
    }

    fn apply(&self, job: &mut Job, event: &JobEvent) {
        job.attempt += u32::from(event.leases());
        match event {
            JobEvent::Translated(translation) => {
                job.translation = Some(translation.clone());
                job.attempt = 0;
            }
            JobEvent::PartBegun { part, account, text, key, reply, cost: _ } => {
                job.publications.push(Publication {
                    part: *part,
                    account: account.clone(),
                    text: text.clone(),
                    key: Some(*key),
                    reply: reply.as_deref().cloned(),
                    intent_at: self.clock.now(),
                    after: None,
                    remote_id: None,
                });
            }
            JobEvent::PartSent { part, remote_id } => {
                job.attempt = 0;
                for publication in job.publications.iter_mut().filter(|begun| begun.part == *part) {
                    publication.remote_id = Some(remote_id.clone());
                }
            }
            JobEvent::PartAbsent { part } => job.publications.retain(|begun| begun.part != *part),
            JobEvent::Released { .. } => job.attempt = 0,
            JobEvent::Untouched => job.attempt = job.attempt.saturating_sub(1),
            _ => {}
        }
    }

    fn change(&self, job: &mut Job, wallet: &mut Wallet, change: &Change) -> Result<Advanced, ChangeError> {
        if job.token != change.token() {
            return Err(ChangeError::Stale { job: job.id, current: job.token, offered: change.token() });
        }
        let begins = change.events().iter().find_map(|event| match event {
            JobEvent::PartBegun { account, .. } => Some(account.clone()),
            _ => None,
        });
        if let Some(account) = begins.filter(|_| self.not_held.load(Ordering::Relaxed)) {
            return Err(ChangeError::NotHeld { job: job.id, lease: LeaseName::Account(account) });
        }
        let mut changed = job.clone();
        let mut paid = wallet.clone();
        for event in change.events() {
            let is_begun = changed.publications.iter().any(|part| part.remote_id.is_none());
            let says_not_sent = matches!(event, JobEvent::Untouched | JobEvent::NotSent { .. });
            let Some(state) = changed.state.after(event).filter(|_| !(is_begun && says_not_sent)) else {
                let event = format!("{event:?}");
                return Err(ChangeError::Illegal { job: job.id, state: changed.state, event });
            };
            changed.state = state;
            paid.apply(&changed, event).map_err(|over| ChangeError::OverBudget { job: job.id, over })?;
            self.apply(&mut changed, event);
        }
        changed.token = change.new_token().unwrap_or(changed.token);
        *job = changed;
        *wallet = paid;
        Ok(Advanced { state: job.state, token: job.token, attempt: job.attempt })
    }
}

#[async_trait(?Send)]
impl Work for MemoryLedger {
    async fn advance(
        &self,
        changes: Arc<[Change]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
        if self.locked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            return Err(LedgerError::Retryable("the ledger is locked".into()));
        }
        let mut contents = self.contents();
        let answers = changes.iter().map(|change| {
            let Contents { jobs, last_changes, wallet, .. } = &mut *contents;
            let id = change.job();
            if let Some((last, advanced)) = last_changes.get(&id)
                && last == change
            {
                return Ok(*advanced);
            }
            let job = jobs.get_mut(&id).ok_or(ChangeError::NoSuchJob(id))?;
            let advanced = self.change(job, wallet, change)?;
            last_changes.insert(id, (change.clone(), advanced));
            Ok(advanced)
        });
        Ok(answers.collect())
    }

    async fn open_jobs(
        &self,
        target: &TargetId,
        after: Option<LinePosition>,
        limit: usize,
    ) -> Result<Vec<Job>, LedgerError> {
        let contents = self.contents();
        let is_open = |job: &&Job| {
            job.target == *target && !job.state.is_settled() && Some(LinePosition::of(job)) > after
        };
        let mut open: Vec<Job> = contents.jobs.values().filter(is_open).cloned().collect();
        open.sort_by_key(LinePosition::of);
        open.truncate(limit);
        Ok(open)
    }

    async fn recover(&self, _: &[TargetId]) -> Result<u64, LedgerError> {
        if self.condition == Condition::Damaged {
            return Err(LedgerError::Fatal("the ledger is damaged".into()));
        }
        Ok(0)
    }

    async fn publications(&self, job: JobId) -> Result<Vec<Publication>, LedgerError> {
        Ok(self.job(job.0).publications)
    }

    async fn recorded(&self, account: &AccountId, messages: &[PostId]) -> Result<Vec<PostId>, LedgerError> {
        let contents = self.contents();
        let parts = contents.jobs.values().flat_map(|job| &job.publications);
        let known = parts.filter(|part| part.account == *account).filter_map(|part| part.remote_id.as_ref());
        Ok(known.filter(|id| messages.contains(id)).cloned().collect())
    }

    async fn spent(&self, account: &AccountId, _: Timestamp) -> Result<Spent, LedgerError> {
        let contents = self.contents();
        let parts = contents.jobs.values().flat_map(|job| &job.publications);
        let begun = parts.filter(|part| part.account == *account).count() as u64;
        Ok(Spent { today: begun, this_month: begun })
    }

    async fn publication_of(&self, post: &PostId, target: &TargetId) -> Result<Option<Reply>, LedgerError> {
        let job = self.job_of(post, target);
        let last = job.as_ref().and_then(|job| job.publications.last());
        let reply = |part: &Publication| Some(Reply::behind(part.remote_id.clone()?, part.reply.as_ref()));
        Ok(last.and_then(reply))
    }

    async fn state_of(&self, post: &PostId, target: &TargetId) -> Result<Option<JobState>, LedgerError> {
        Ok(self.job_of(post, target).map(|job| job.state))
    }

    async fn post(&self, _: &str, id: &PostId) -> Result<Option<Post>, LedgerError> {
        let contents = self.contents();
        let recorded = contents.posts.iter().map(|record| &record.post);
        let mut posts = recorded.chain(contents.jobs.values().map(|job| &job.post));
        Ok(posts.find(|post| post.id == *id).map(|post| (**post).clone()))
    }

    async fn checkpoint(&self, _: &str) -> Result<Option<Checkpoint>, LedgerError> {
        Ok(self.last_checkpoint())
    }

    async fn to_reread(&self, _: &str, limit: usize) -> Result<Vec<PostId>, LedgerError> {
        Ok(self.contents().retried.iter().take(limit).cloned().collect())
    }

    async fn record(&self, page: RecordPage) -> Result<Recorded, LedgerError> {
        let mut contents = self.contents();
        let mut recorded = Recorded::default();
        for record in page.posts {
            match contents.posts.iter_mut().find(|known| known.post.id == record.post.id) {
                Some(known) if known.unreadable.is_some() && record.unreadable.is_none() => {
                    *known = record;
                    recorded.reread += 1;
                }
                Some(_) => {}
                None => {
                    if self.condition == Condition::Restored && record.unreadable.is_none() {
                        recorded.held_back.push(record.post.id.clone());
                    }
                    contents.posts.push(record);
                    recorded.posts += 1;
                }
            }
        }
        contents.checkpoint = Some(page.checkpoint);
        if let Some((key, charges)) = page.settles {
            contents.wallet.settle(key, charges);
        }
        Ok(recorded)
    }
}

#[async_trait(?Send)]
impl Listing for MemoryLedger {
    async fn jobs(&self, _: &JobFilter, _: Option<JobId>, _: usize) -> Result<Vec<JobLine>, LedgerError> {
        not_asked()
    }

    async fn last_published(&self, _: &[AccountId], _: usize) -> Result<Vec<JobLine>, LedgerError> {
        not_asked()
    }

    async fn published(&self, _: Option<JobId>, _: usize) -> Result<Vec<PublishedJob>, LedgerError> {
        not_asked()
    }

    async fn counts(&self) -> Result<BTreeMap<(TargetId, JobState), u64>, LedgerError> {
        not_asked()
    }

    async fn held_since(&self, _: Timestamp) -> Result<BTreeMap<TargetId, HeldJobs>, LedgerError> {
        not_asked()
    }

    async fn draft_decisions(&self, _: JobId) -> Result<Vec<DraftDecision>, LedgerError> {
        not_asked()
    }

    async fn post_times(&self, _: &str, _: usize) -> Result<Vec<Timestamp>, LedgerError> {
        not_asked()
    }
}

#[async_trait(?Send)]
impl Facts for MemoryLedger {
    async fn fact(&self, _: &str) -> Result<Option<String>, LedgerError> {
        not_asked()
    }

    async fn remember(&self, _: &str, _: &str) -> Result<(), LedgerError> {
        not_asked()
    }

    async fn replace(&self, _: &str, _: Option<&str>, _: &str) -> Result<bool, LedgerError> {
        not_asked()
    }
}

#[async_trait(?Send)]
impl Retention for MemoryLedger {
    async fn forget(&self, _: &PostId) -> Result<Result<Removed, NotForgotten>, LedgerError> {
        not_asked()
    }

    async fn forget_before(&self, _: Timestamp, _: usize) -> Result<u64, LedgerError> {
        not_asked()
    }

    async fn compact(&self) -> Result<(), LedgerError> {
        not_asked()
    }
}

#[async_trait(?Send)]
impl Spending for MemoryLedger {
    async fn reserve(&self, reservation: Reservation) -> Result<Result<(), OverBudget>, LedgerError> {
        Ok(self.contents().wallet.reserve(reservation))
    }

    async fn settle(&self, key: ReservationKey, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.contents().wallet.settle(key, charges);
        Ok(())
    }

    async fn charge(&self, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.contents().wallet.charge(charges);
        Ok(())
    }

    async fn charges(&self, since: Date) -> Result<Vec<Charge>, LedgerError> {
        Ok(self.contents().wallet.charges().filter(|charge| charge.day >= since).cloned().collect())
    }
}

#[async_trait(?Send)]
impl People for MemoryLedger {
    async fn users(&self) -> Result<Vec<User>, LedgerError> {
        not_asked()
    }

    async fn add_user(&self, _: User, _: DecisionRecord) -> Result<bool, LedgerError> {
        not_asked()
    }

    async fn renew_user(&self, _: &UserName, _: TokenHash, _: DecisionRecord) -> Result<bool, LedgerError> {
        not_asked()
    }

    async fn remove_user(&self, _: &UserName, _: DecisionRecord) -> Result<bool, LedgerError> {
        not_asked()
    }

    async fn open_session(&self, _: Session, _: Timestamp) -> Result<(), LedgerError> {
        not_asked()
    }

    async fn session(&self, _: TokenHash) -> Result<Option<Session>, LedgerError> {
        not_asked()
    }

    async fn close_session(&self, _: TokenHash) -> Result<(), LedgerError> {
        not_asked()
    }
}

#[async_trait(?Send)]
impl Decisions for MemoryLedger {
    async fn advance_decided(
        &self,
        changes: Arc<[Change]>,
        _: Arc<[DecisionRecord]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        self.advance(changes).await
    }

    async fn remember_decided(&self, _: &str, _: &str, _: DecisionRecord) -> Result<(), LedgerError> {
        not_asked()
    }

    async fn record_decision(&self, _: DecisionRecord) -> Result<(), LedgerError> {
        not_asked()
    }

    async fn decisions(&self, _: Option<i64>, _: usize) -> Result<Vec<ListedDecision>, LedgerError> {
        not_asked()
    }

    async fn forget_decisions(&self, _: Timestamp) -> Result<u64, LedgerError> {
        not_asked()
    }
}
