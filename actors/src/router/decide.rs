//! Decisions that a person makes about single jobs: to retry jobs that are held, failed or were skipped because of a
//! guess, to skip jobs that are not in progress, or to undo such a skip.
//!
//! A decision is a change like any other: it names the token that the job had when it was read. If a worker takes the
//! job in between, the worker keeps it, and the decision is refused.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use actix::{Handler, Message, ResponseActFuture};
use log::info;
use mynah_domain::{
    JobEvent, JobId, JobState, Skip, TargetId,
    people::Author,
    ports::{
        Ledger, LedgerError,
        ledger::{Change, ChangeError, JobFilter, JobLine},
    },
    review::{ReviewAction, ReviewDecision},
};

use super::{actor::Router, state::RouterState};
use crate::supervision::handles_tracked;

/// What to do with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try it again: publish it if it is translated, otherwise translate it first.
    Retry,
    /// Do not publish it.
    Skip,
    /// Undo a person's skip: the job is again what it was before.
    Unskip,
}

impl Decision {
    /// The states that it applies to.
    pub fn applies_to(self) -> &'static [JobState] {
        match self {
            Self::Retry => &[JobState::Held, JobState::Failed, JobState::Skipped],
            Self::Skip => {
                &[JobState::Queued, JobState::Review, JobState::Ready, JobState::Held, JobState::Failed]
            }
            Self::Unskip => &[JobState::Skipped],
        }
    }

    /// Its name on record.
    fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Unskip => "restore",
        }
    }

    /// Why it does not apply to a job in this state.
    fn refusal(self, state: JobState) -> Refusal {
        match self {
            Self::Retry if state == JobState::Review => Refusal::InReview,
            Self::Retry => Refusal::NothingToRetry(state),
            Self::Skip => Refusal::PastSkipping(state),
            Self::Unskip => Refusal::NotSkipped(state),
        }
    }

    /// The change of a job.
    fn change(self, job: &JobLine, author: &Author) -> Result<Change, Refusal> {
        let events = self.events(job)?;
        Ok(match (self, job.state) {
            // Whoever looks at its draft must notice.
            (Self::Skip, JobState::Review) => {
                let decision = ReviewDecision {
                    who: author.who.as_deref().map(str::to_owned),
                    action: ReviewAction::Skip,
                    note: None,
                };
                Change::decided(job.id, job.token, events, decision)
            }
            _ => Change::new(job.id, job.token, events),
        })
    }

    fn events(self, job: &JobLine) -> Result<Vec<JobEvent>, Refusal> {
        if !self.applies_to().contains(&job.state) {
            return Err(self.refusal(job.state));
        }
        if job.is_forgotten && self != Self::Skip {
            return Err(Refusal::TextRemoved);
        }
        let kind = job.kind.as_deref().unwrap_or_default();
        let translated = job.translation.is_some();
        match self {
            Self::Retry if job.state == JobState::Skipped && kind == Skip::ByHand.as_str() => {
                Err(Refusal::SkippedByHand)
            }
            Self::Retry if job.state == JobState::Skipped && !Skip::is_retryable(kind) => {
                Err(Refusal::SkippedForGood(kind.to_owned()))
            }
            Self::Retry => Ok(vec![JobEvent::Released { translated }]),
            Self::Skip if job.unanswered > 0 => Err(Refusal::Unanswered),
            Self::Skip => Ok(vec![JobEvent::Skipped(Skip::ByHand)]),
            Self::Unskip if kind != Skip::ByHand.as_str() => Err(Refusal::NotByHand(kind.to_owned())),
            Self::Unskip => {
                let draft = job.draft.as_deref();
                let before = job.before_skip.clone().and_then(|before| before.event(draft));
                Ok([JobEvent::Restored { translated }].into_iter().chain(before).collect())
            }
        }
    }
}

/// Why a job was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No job has this number.
    #[error("there is no such job")]
    NoSuchJob,
    /// The job is neither held nor failed nor skipped.
    #[error("it is {0}; only held, failed and skipped jobs can be retried")]
    NothingToRetry(JobState),
    /// The job waits for an approval.
    #[error("it waits for a person's approval; `mynah review` decides about it")]
    InReview,
    /// The job was skipped for a reason that is not a guess.
    #[error("it was skipped with the reason {0}, which is final; only skips with {retryable} can be retried", retryable = retryable())]
    SkippedForGood(String),
    /// A person skipped the job, so only an undo restores it.
    #[error("a person skipped it; `mynah jobs unskip` undoes that")]
    SkippedByHand,
    /// The job is not skipped.
    #[error("it is {0}; only skipped jobs can be restored")]
    NotSkipped(JobState),
    /// The job was skipped, but not by a person.
    #[error("no person skipped it: the reason is {0}")]
    NotByHand(String),
    /// The job is in progress or done.
    #[error("it is {0}; only jobs that are queued, in review, ready, held or failed can be skipped")]
    PastSkipping(JobState),
    /// A part was begun, and its outcome is unknown.
    #[error("a part of it may be on the account; retry it instead, and Mynah checks the account first")]
    Unanswered,
    /// Its texts were removed, so there is nothing to publish.
    #[error("its text was removed")]
    TextRemoved,
    /// The job changed in between.
    #[error("it changed just now; check it again before you decide")]
    TakenUp,
}

fn retryable() -> String {
    Skip::RETRYABLE.map(Skip::as_str).join(" or ")
}

/// A job, and the result of the decision.
pub type Decided = (JobId, Result<(), Refusal>);

/// Decides about jobs directly on the ledger, which records who decided; returns the result for each, and the targets whose
/// lines changed. If a router is running, send it [`Decide`] instead, because it has a part of the ledger in memory.
///
/// # Errors
/// If the ledger cannot be used; then nothing was changed.
pub async fn decide(
    ledger: &dyn Ledger,
    jobs: &[JobId],
    decision: Decision,
    author: &Author,
) -> Result<(Vec<Decided>, BTreeSet<TargetId>), LedgerError> {
    // A job that is named twice is decided about once.
    let mut named: Vec<JobId> = jobs.to_vec();
    named.sort_unstable();
    named.dedup();
    if named.is_empty() {
        return Ok((Vec::new(), BTreeSet::new()));
    }
    let filter = JobFilter { ids: named.clone(), ..JobFilter::default() };
    let found: HashMap<JobId, JobLine> =
        ledger.jobs(&filter, None, named.len()).await?.into_iter().map(|job| (job.id, job)).collect();
    let judged: Vec<(JobId, Result<Change, Refusal>)> = named
        .into_iter()
        .map(|id| {
            let change =
                found.get(&id).ok_or(Refusal::NoSuchJob).and_then(|job| decision.change(job, author));
            (id, change)
        })
        .collect();
    let changes: Arc<[Change]> =
        judged.iter().filter_map(|(_, change)| change.as_ref().ok().cloned()).collect();
    let record = |change: &Change| {
        let target = found.get(&change.job()).map_or("", |job| job.target.as_str());
        author.decides(decision.as_str(), target).about(change.job())
    };
    let records = changes.iter().map(record).collect();
    let mut answers = ledger.advance_decided(changes, records).await?.into_iter();
    let mut lines = BTreeSet::new();
    let decided = judged
        .into_iter()
        .map(|(id, change)| {
            let outcome = change.and_then(|_| match answers.next() {
                Some(Ok(_)) => {
                    lines.extend(found.get(&id).map(|job| job.target.clone()));
                    Ok(())
                }
                Some(Err(ChangeError::NoSuchJob(_))) => Err(Refusal::NoSuchJob),
                Some(Err(
                    ChangeError::Stale { .. }
                    | ChangeError::Illegal { .. }
                    | ChangeError::NotHeld { .. }
                    | ChangeError::OverBudget { .. },
                ))
                | None => Err(Refusal::TakenUp),
            });
            (id, outcome)
        })
        .collect();
    Ok((decided, lines))
}

/// Decides about jobs; answers with the result for each.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Decided>, LedgerError>")]
pub struct Decide {
    /// Which jobs: a bounded number, because all are changed in one transaction.
    pub jobs: Vec<JobId>,
    /// What to do with them.
    pub decision: Decision,
    /// Who decided it.
    pub author: Author,
}

impl RouterState {
    async fn decide(
        &self,
        jobs: &[JobId],
        decision: Decision,
        author: &Author,
    ) -> Result<Vec<Decided>, LedgerError> {
        self.opened().await;
        let work = self.heartbeat.at_work();
        // In the ledger, a job that a translator works on is still queued.
        let (translating, free): (Vec<JobId>, Vec<JobId>) =
            jobs.iter().partition(|job| self.window.borrow().is_translating(**job));
        let (mut decided, lines) = decide(&*self.parts.ledger, &free, decision, author).await?;
        let refusal = decision.refusal(JobState::Translating);
        decided.extend(translating.into_iter().map(|job| (job, Err(refusal.clone()))));
        decided.sort_by_key(|(job, _)| *job);
        decided.dedup_by_key(|(job, _)| *job);
        let changed = decided.iter().filter(|(_, outcome)| outcome.is_ok()).count();
        if changed > 0 {
            match decision {
                Decision::Retry => info!(jobs = changed; "jobs retried by operator"),
                Decision::Unskip => info!(jobs = changed; "jobs restored by operator"),
                Decision::Skip => {
                    self.parts.meter.count("jobs.skipped", changed as u64);
                    info!(jobs = changed; "jobs skipped by operator");
                }
            }
        }
        for target in &lines {
            self.window.borrow_mut().reload(target);
        }
        self.refill_and_wake_all().await?;
        work.done();
        Ok(decided)
    }
}

handles_tracked!(Router: Decide);

impl Handler<Decide> for Router {
    type Result = ResponseActFuture<Self, Result<Vec<Decided>, LedgerError>>;

    fn handle(&mut self, Decide { jobs, decision, author }: Decide, _: &mut Self::Context) -> Self::Result {
        self.answer(|state| async move { state.decide(&jobs, decision, &author).await })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use mynah_domain::{PostId, job::BeforeSkip};

    use super::*;
    use crate::testing::{es, noon, translation};

    pub(in crate::router) fn job(state: JobState, kind: Option<&str>) -> JobLine {
        JobLine {
            id: JobId(1),
            post: PostId("1".into()),
            target: es(),
            state,
            token: 7,
            attempt: 0,
            kind: kind.map(str::to_owned),
            reason: None,
            not_before: None,
            written_at: noon(),
            updated_at: noon(),
            text: "Hello".into(),
            is_forgotten: false,
            translation: None,
            rejected: None,
            messages: vec![],
            before_skip: None,
            draft: None,
            unanswered: 0,
            raw: None,
        }
    }

    #[test]
    fn what_failed_is_held_or_was_skipped_as_a_guess_may_be_retried() {
        for (state, kind) in [
            (JobState::Held, Some("by_hand")),
            (JobState::Failed, None),
            (JobState::Skipped, Some("other_language")),
        ] {
            let events = Decision::Retry.events(&job(state, kind));
            assert_eq!(events, Ok(vec![JobEvent::Released { translated: false }]), "{state}");
        }
        let translated = JobLine { translation: Some(translation(&["Hola"])), ..job(JobState::Held, None) };
        assert_eq!(Decision::Retry.events(&translated), Ok(vec![JobEvent::Released { translated: true }]));
    }

    #[test]
    fn what_was_skipped_by_a_person_or_for_good_is_not_retried() {
        let retry = |kind| Decision::Retry.events(&job(JobState::Skipped, Some(kind)));
        assert_eq!(retry("by_hand"), Err(Refusal::SkippedByHand));
        assert_eq!(retry("wordless"), Err(Refusal::SkippedForGood("wordless".into())));
    }

    #[test]
    fn only_a_job_without_an_unknown_outcome_may_be_skipped() {
        let held = job(JobState::Held, None);
        assert_eq!(Decision::Skip.events(&held), Ok(vec![JobEvent::Skipped(Skip::ByHand)]));
        let begun = JobLine { unanswered: 1, ..held };
        assert_eq!(Decision::Skip.events(&begun), Err(Refusal::Unanswered));
    }

    #[test]
    fn only_a_persons_skip_is_undone_and_the_job_is_what_it_was_before() {
        let unskip = |job: &JobLine| Decision::Unskip.events(job);
        let skipped = job(JobState::Skipped, Some("by_hand"));
        assert_eq!(unskip(&skipped), Ok(vec![JobEvent::Restored { translated: false }]));
        let reason = "no key".to_owned();
        let failed = JobLine { before_skip: Some(BeforeSkip::Failed { reason: reason.clone() }), ..skipped };
        let events = vec![JobEvent::Restored { translated: false }, JobEvent::Failed { reason }];
        assert_eq!(unskip(&failed), Ok(events));
        let reply = job(JobState::Skipped, Some("reply"));
        assert_eq!(unskip(&reply), Err(Refusal::NotByHand("reply".into())));
    }

    #[test]
    fn a_job_in_progress_or_without_its_text_is_not_decided_about() {
        let publishing = job(JobState::Publishing, None);
        for (decision, refusal) in [
            (Decision::Retry, Refusal::NothingToRetry(JobState::Publishing)),
            (Decision::Skip, Refusal::PastSkipping(JobState::Publishing)),
            (Decision::Unskip, Refusal::NotSkipped(JobState::Publishing)),
        ] {
            assert_eq!(decision.events(&publishing), Err(refusal));
        }
        let forgotten = JobLine { is_forgotten: true, ..job(JobState::Skipped, Some("by_hand")) };
        for decision in [Decision::Retry, Decision::Unskip] {
            assert_eq!(decision.events(&forgotten), Err(Refusal::TextRemoved));
        }
    }
}
