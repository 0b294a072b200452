//! Retries ledger calls that may succeed later. A ledger that is shared or reached over a network fails for a moment
//! now and then, and the service should not stop for that. Errors that a retry cannot fix are returned at once.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use jiff::{Timestamp, civil::Date};
use log::warn;
use mynah_domain::{
    AccountId, Job, JobId, JobState, Post, PostId, Publication, Reply, TargetId,
    backoff::Backoff,
    budget::{Charge, OverBudget},
    caps::Spent,
    people::{DecisionRecord, Session, TokenHash, User, UserName},
    ports::{
        Decisions, Facts, LedgerError, Listing, People, Retention, Spending, Work,
        ledger::{
            Advanced, Change, ChangeError, Checkpoint, DraftDecision, HeldJobs, JobFilter, JobLine,
            LinePosition, ListedDecision, NotForgotten, PublishedJob, RecordPage, Recorded, Removed,
            Reservation, ReservationKey,
        },
    },
};

/// How many attempts to make before the error is returned.
const TRIES: u32 = 6;

/// How long the pipeline's calls are retried. Those of people and adapters always end after a few attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patience {
    /// As often as all others.
    #[default]
    AFewTries,
    /// For as long as the ledger is gone: what the pipeline reports must not be lost, and without a record it has
    /// nothing else to do.
    UntilItAnswers,
}

/// A ledger whose calls are retried with growing waits, as long as the error allows it.
#[derive(Debug, Clone)]
pub struct Retrying<L> {
    ledger: L,
    backoff: Backoff,
    patience: Patience,
}

impl<L> Retrying<L> {
    /// Wraps a ledger; the waits follow `backoff`.
    pub fn new(ledger: L, backoff: Backoff) -> Self {
        Self { ledger, backoff, patience: Patience::default() }
    }

    /// The same, with this patience.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Retries a call of the pipeline.
    async fn persist<T>(&self, call: impl AsyncFn() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let tries = match self.patience {
            Patience::AFewTries => TRIES,
            Patience::UntilItAnswers => u32::MAX,
        };
        self.retry_up_to(tries, call).await
    }

    async fn retry<T>(&self, call: impl AsyncFn() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        self.retry_up_to(TRIES, call).await
    }

    async fn retry_up_to<T>(
        &self,
        tries: u32,
        call: impl AsyncFn() -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut attempt = 1;
        loop {
            match call().await {
                Err(error) if error.is_retryable() && attempt < tries => {
                    let wait = self.backoff.growing_wait(attempt, fastrand::f64());
                    warn!(attempt = attempt, wait:? = wait, reason:% = error; "ledger call failed; retry scheduled");
                    actix_rt::time::sleep(wait).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }
}

#[async_trait(?Send)]
impl<L: Work> Work for Retrying<L> {
    async fn checkpoint(&self, source: &str) -> Result<Option<Checkpoint>, LedgerError> {
        self.persist(async || self.ledger.checkpoint(source).await).await
    }

    async fn record(&self, page: RecordPage) -> Result<Recorded, LedgerError> {
        self.persist(async || self.ledger.record(page.clone()).await).await
    }

    async fn to_reread(&self, source: &str, limit: usize) -> Result<Vec<PostId>, LedgerError> {
        self.persist(async || self.ledger.to_reread(source, limit).await).await
    }

    async fn open_jobs(
        &self,
        target: &TargetId,
        after: Option<LinePosition>,
        limit: usize,
    ) -> Result<Vec<Job>, LedgerError> {
        self.persist(async || self.ledger.open_jobs(target, after, limit).await).await
    }

    async fn advance(
        &self,
        changes: Arc<[Change]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        self.persist(async || self.ledger.advance(changes.clone()).await).await
    }

    async fn recover(&self, targets: &[TargetId]) -> Result<u64, LedgerError> {
        self.persist(async || self.ledger.recover(targets).await).await
    }

    async fn spent(&self, account: &AccountId, now: Timestamp) -> Result<Spent, LedgerError> {
        self.persist(async || self.ledger.spent(account, now).await).await
    }

    async fn publication_of(&self, post: &PostId, target: &TargetId) -> Result<Option<Reply>, LedgerError> {
        self.persist(async || self.ledger.publication_of(post, target).await).await
    }

    async fn state_of(&self, post: &PostId, target: &TargetId) -> Result<Option<JobState>, LedgerError> {
        self.persist(async || self.ledger.state_of(post, target).await).await
    }

    async fn post(&self, source: &str, id: &PostId) -> Result<Option<Post>, LedgerError> {
        self.persist(async || self.ledger.post(source, id).await).await
    }

    async fn publications(&self, job: JobId) -> Result<Vec<Publication>, LedgerError> {
        self.persist(async || self.ledger.publications(job).await).await
    }

    async fn recorded(&self, account: &AccountId, messages: &[PostId]) -> Result<Vec<PostId>, LedgerError> {
        self.persist(async || self.ledger.recorded(account, messages).await).await
    }
}

#[async_trait(?Send)]
impl<L: Listing> Listing for Retrying<L> {
    async fn jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError> {
        self.retry(async || self.ledger.jobs(filter, after, limit).await).await
    }

    async fn last_published(
        &self,
        accounts: &[AccountId],
        limit: usize,
    ) -> Result<Vec<JobLine>, LedgerError> {
        self.retry(async || self.ledger.last_published(accounts, limit).await).await
    }

    async fn published(&self, before: Option<JobId>, limit: usize) -> Result<Vec<PublishedJob>, LedgerError> {
        self.retry(async || self.ledger.published(before, limit).await).await
    }

    async fn counts(&self) -> Result<BTreeMap<(TargetId, JobState), u64>, LedgerError> {
        self.retry(async || self.ledger.counts().await).await
    }

    async fn held_since(&self, moment: Timestamp) -> Result<BTreeMap<TargetId, HeldJobs>, LedgerError> {
        self.retry(async || self.ledger.held_since(moment).await).await
    }

    async fn draft_decisions(&self, job: JobId) -> Result<Vec<DraftDecision>, LedgerError> {
        self.retry(async || self.ledger.draft_decisions(job).await).await
    }

    async fn post_times(&self, source: &str, limit: usize) -> Result<Vec<Timestamp>, LedgerError> {
        self.retry(async || self.ledger.post_times(source, limit).await).await
    }
}

#[async_trait(?Send)]
impl<L: Facts> Facts for Retrying<L> {
    async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError> {
        self.retry(async || self.ledger.fact(key).await).await
    }

    async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError> {
        self.retry(async || self.ledger.remember(key, value).await).await
    }

    async fn replace(&self, key: &str, old: Option<&str>, new: &str) -> Result<bool, LedgerError> {
        self.retry(async || self.ledger.replace(key, old, new).await).await
    }
}

#[async_trait(?Send)]
impl<L: Retention> Retention for Retrying<L> {
    async fn forget(&self, post: &PostId) -> Result<Result<Removed, NotForgotten>, LedgerError> {
        self.retry(async || self.ledger.forget(post).await).await
    }

    async fn forget_before(&self, moment: Timestamp, limit: usize) -> Result<u64, LedgerError> {
        self.retry(async || self.ledger.forget_before(moment, limit).await).await
    }

    async fn compact(&self) -> Result<(), LedgerError> {
        self.retry(async || self.ledger.compact().await).await
    }
}

#[async_trait(?Send)]
impl<L: Spending> Spending for Retrying<L> {
    async fn reserve(&self, reservation: Reservation) -> Result<Result<(), OverBudget>, LedgerError> {
        self.persist(async || self.ledger.reserve(reservation.clone()).await).await
    }

    async fn settle(&self, key: ReservationKey, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.persist(async || self.ledger.settle(key, charges.clone()).await).await
    }

    async fn charge(&self, charges: Vec<Charge>) -> Result<(), LedgerError> {
        self.persist(async || self.ledger.charge(charges.clone()).await).await
    }

    async fn charges(&self, since: Date) -> Result<Vec<Charge>, LedgerError> {
        self.retry(async || self.ledger.charges(since).await).await
    }
}

#[async_trait(?Send)]
impl<L: People> People for Retrying<L> {
    async fn users(&self) -> Result<Vec<User>, LedgerError> {
        self.retry(async || self.ledger.users().await).await
    }

    async fn add_user(&self, user: User, record: DecisionRecord) -> Result<bool, LedgerError> {
        self.retry(async || self.ledger.add_user(user.clone(), record.clone()).await).await
    }

    async fn renew_user(
        &self,
        name: &UserName,
        token: TokenHash,
        record: DecisionRecord,
    ) -> Result<bool, LedgerError> {
        self.retry(async || self.ledger.renew_user(name, token, record.clone()).await).await
    }

    async fn remove_user(&self, name: &UserName, record: DecisionRecord) -> Result<bool, LedgerError> {
        self.retry(async || self.ledger.remove_user(name, record.clone()).await).await
    }

    async fn open_session(&self, session: Session, now: Timestamp) -> Result<(), LedgerError> {
        self.retry(async || self.ledger.open_session(session.clone(), now).await).await
    }

    async fn session(&self, id: TokenHash) -> Result<Option<Session>, LedgerError> {
        self.retry(async || self.ledger.session(id).await).await
    }

    async fn close_session(&self, id: TokenHash) -> Result<(), LedgerError> {
        self.retry(async || self.ledger.close_session(id).await).await
    }
}

#[async_trait(?Send)]
impl<L: Decisions> Decisions for Retrying<L> {
    async fn advance_decided(
        &self,
        changes: Arc<[Change]>,
        records: Arc<[DecisionRecord]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        self.persist(async || self.ledger.advance_decided(changes.clone(), records.clone()).await).await
    }

    async fn remember_decided(
        &self,
        key: &str,
        value: &str,
        record: DecisionRecord,
    ) -> Result<(), LedgerError> {
        self.retry(async || self.ledger.remember_decided(key, value, record.clone()).await).await
    }

    async fn record_decision(&self, record: DecisionRecord) -> Result<(), LedgerError> {
        self.retry(async || self.ledger.record_decision(record.clone()).await).await
    }

    async fn decisions(&self, before: Option<i64>, limit: usize) -> Result<Vec<ListedDecision>, LedgerError> {
        self.retry(async || self.ledger.decisions(before, limit).await).await
    }

    async fn forget_decisions(&self, moment: Timestamp) -> Result<u64, LedgerError> {
        self.retry(async || self.ledger.forget_decisions(moment).await).await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(4) };

    /// Facts that fail this many times before they answer.
    struct Failing {
        failures: u32,
        error: LedgerError,
        calls: AtomicU32,
    }

    impl Failing {
        fn times(failures: u32, error: LedgerError) -> Retrying<Self> {
            Retrying::new(Self { failures, error, calls: AtomicU32::new(0) }, BACKOFF)
        }
    }

    #[async_trait(?Send)]
    impl Facts for Failing {
        async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError> {
            let before = self.calls.fetch_add(1, Ordering::Relaxed);
            if before < self.failures { Err(self.error.clone()) } else { Ok(Some(key.to_owned())) }
        }

        async fn remember(&self, _: &str, _: &str) -> Result<(), LedgerError> {
            Ok(())
        }

        async fn replace(&self, _: &str, _: Option<&str>, _: &str) -> Result<bool, LedgerError> {
            Ok(true)
        }
    }

    fn busy() -> LedgerError {
        LedgerError::Retryable("busy".into())
    }

    #[actix_rt::test]
    async fn a_call_that_may_succeed_later_is_retried_until_it_does() {
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        let ledger = Failing::times(3, busy());
        assert_eq!(ledger.fact("key").await, Ok(Some("key".into())));
        assert_eq!(ledger.ledger.calls.load(Ordering::Relaxed), 4);
        // At least half of one, two and four seconds.
        assert!(begun.elapsed() >= Duration::from_millis(3500), "{:?}", begun.elapsed());
    }

    #[actix_rt::test]
    async fn the_last_error_is_returned_when_no_retry_helps() {
        tokio::time::pause();
        let ledger = Failing::times(u32::MAX, busy());
        assert_eq!(ledger.fact("key").await, Err(busy()));
        assert_eq!(ledger.ledger.calls.load(Ordering::Relaxed), TRIES);
    }

    #[actix_rt::test]
    async fn the_pipeline_may_wait_for_as_long_as_the_ledger_is_gone() {
        tokio::time::pause();
        let ledger = Failing::times(1000, busy()).with_patience(Patience::UntilItAnswers);
        let call = async || ledger.ledger.fact("key").await;
        assert_eq!(ledger.persist(call).await, Ok(Some("key".into())));
        assert_eq!(ledger.fact("key").await, Ok(Some("key".into())));
    }

    #[actix_rt::test]
    async fn a_full_disk_is_not_retried() {
        let full = LedgerError::Fatal("the disk is full".into());
        let ledger = Failing::times(1, full.clone());
        assert_eq!(ledger.fact("key").await, Err(full));
        assert_eq!(ledger.ledger.calls.load(Ordering::Relaxed), 1);
    }
}
