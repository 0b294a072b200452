//! Decisions that a person makes about drafts: translations that wait for an approval. A decision names the token of the
//! job that the person looked at, and gives the job another one. So of two people who look at the same draft, the second
//! to decide is refused, and nobody approves words that they have not seen.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use actix::{Handler, Message, ResponseActFuture};
use jiff::Timestamp;
use log::info;
use mynah_domain::{
    JobEvent, JobId, JobState, Skip, TargetId,
    people::{Author, DecisionRecord},
    ports::{
        Ledger, LedgerError,
        ledger::{Advanced, Change, ChangeError, JobFilter, JobLine},
    },
    review::{Draft, Guidance, ReviewAction, ReviewDecision},
};

use super::{actor::Router, state::RouterState};
use crate::supervision::handles_tracked;

/// What a person decides about a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Publish it as it is.
    Approve {
        /// Why, although something is wrong with it.
        accepted: Option<String>,
    },
    /// Replace it.
    Edit {
        /// The new draft, which was judged.
        draft: Box<Draft>,
        /// Whether it is approved, too.
        approve: bool,
    },
    /// Translate again.
    Again(Guidance),
    /// Do not publish it.
    Skip,
}

impl Verdict {
    fn action(&self) -> ReviewAction {
        match self {
            Self::Approve { .. } => ReviewAction::Approve,
            Self::Edit { .. } => ReviewAction::Edit,
            Self::Again(_) => ReviewAction::Again,
            Self::Skip => ReviewAction::Skip,
        }
    }

    /// What is recorded with the decision.
    fn note(&self) -> Option<String> {
        match self {
            Self::Approve { accepted } => accepted.clone(),
            Self::Edit { draft, .. } => draft.accepted.clone(),
            Self::Again(Guidance { hint, engine: None }) => hint.clone(),
            Self::Again(Guidance { hint: None, engine: Some(engine) }) => Some(format!("with {engine}")),
            Self::Again(Guidance { hint: Some(hint), engine: Some(engine) }) => {
                Some(format!("with {engine}: {hint}"))
            }
            Self::Skip => None,
        }
    }
}

/// A decision about the draft of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The job.
    pub job: JobId,
    /// The token that the job had when the person looked at it.
    pub token: i64,
    /// The decision.
    pub verdict: Verdict,
    /// The person, if known.
    pub who: Option<String>,
}

impl Review {
    fn change(&self, job: &JobLine) -> Result<Change, ReviewRefusal> {
        if job.token != self.token {
            return Err(ReviewRefusal::Stale(job.state));
        }
        let draft = match (job.state, &job.draft) {
            (JobState::Review, Some(draft)) => draft,
            (state, _) => return Err(ReviewRefusal::NotInReview(state)),
        };
        let events = match &self.verdict {
            Verdict::Approve { accepted } => vec![approval(draft, accepted.is_some())?],
            Verdict::Edit { draft, approve } => {
                let edited = JobEvent::Drafted(draft.clone());
                let approved = if *approve { Some(approval(draft, false)?) } else { None };
                std::iter::once(edited).chain(approved).collect()
            }
            Verdict::Again(guidance) => vec![JobEvent::Again(guidance.clone())],
            Verdict::Skip => vec![JobEvent::Skipped(Skip::ByHand)],
        };
        let (action, note) = (self.verdict.action(), self.verdict.note());
        let decision = ReviewDecision { who: self.who.clone(), action, note };
        Ok(Change::decided(self.job, self.token, events, decision))
    }
}

/// The event that publishes a draft, if it may be published.
fn approval(draft: &Draft, accepts: bool) -> Result<JobEvent, ReviewRefusal> {
    let doubts = draft.summary().unwrap_or_default();
    if draft.doubts.iter().any(|doubt| doubt.is_final) || draft.translation.parts.is_empty() {
        return Err(ReviewRefusal::Impossible(doubts));
    }
    if !draft.doubts.is_empty() && draft.accepted.is_none() && !accepts {
        return Err(ReviewRefusal::Doubtful(doubts));
    }
    Ok(JobEvent::Translated(draft.translation.clone()))
}

/// Why a decision about a draft was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewRefusal {
    /// No job has this number.
    #[error("there is no such job")]
    NoSuchJob,
    /// The job is not in review.
    #[error("its state is {0}, so there is no translation to decide about")]
    NotInReview(JobState),
    /// Somebody else decided, or it was translated again.
    #[error(
        "it changed since you looked at it (its state is {0} now): somebody else decided about it, or it was translated \
         again; look at it again before you decide"
    )]
    Stale(JobState),
    /// Something is wrong with it, which a person may accept.
    #[error("{0}; edit it, or approve it with a reason to override this")]
    Doubtful(String),
    /// The network would refuse it.
    #[error("it cannot be published, whatever the reason: {0}; edit it, or translate it again")]
    Impossible(String),
}

/// A job, and what became of the decision about it.
pub type Reviewed = (JobId, Result<Advanced, ReviewRefusal>);

/// Decides about drafts directly on the ledger; returns the result for each, in order, and the targets whose lines changed.
/// If a router is running, send it [`ReviewDrafts`] instead, because it has a part of the ledger in memory.
///
/// # Errors
/// If the ledger cannot be used; then nothing was changed.
pub async fn review(
    ledger: &dyn Ledger,
    reviews: &[Review],
    now: Timestamp,
) -> Result<(Vec<Reviewed>, BTreeSet<TargetId>), LedgerError> {
    if reviews.is_empty() {
        return Ok((Vec::new(), BTreeSet::new()));
    }
    let filter = JobFilter { ids: reviews.iter().map(|review| review.job).collect(), ..JobFilter::default() };
    let found = ledger.jobs(&filter, None, reviews.len()).await?;
    let found: HashMap<JobId, JobLine> = found.into_iter().map(|job| (job.id, job)).collect();
    let judged: Vec<Result<Change, ReviewRefusal>> = reviews
        .iter()
        .map(|review| {
            found.get(&review.job).ok_or(ReviewRefusal::NoSuchJob).and_then(|job| review.change(job))
        })
        .collect();
    let made =
        reviews.iter().zip(&judged).filter_map(|(review, change)| Some((review, change.as_ref().ok()?)));
    let record = |Review { job, verdict, who, .. }: &Review| {
        let author = Author { who: who.as_deref().map(Arc::from), at: now };
        let target = found.get(job).map_or("", |job| job.target.as_str());
        author.decides(verdict.action().as_str(), target).about(*job)
    };
    // The reason may quote the text, so it is only in the draft's own record, from which it is removed with the text.
    let (changes, records): (Vec<Change>, Vec<DecisionRecord>) =
        made.map(|(review, change)| (change.clone(), record(review))).unzip();
    let mut answers = ledger.advance_decided(changes.into(), records.into()).await?.into_iter();
    let mut lines = BTreeSet::new();
    let reviewed = reviews
        .iter()
        .zip(judged)
        .map(|(Review { job, .. }, change)| {
            let outcome = change.and_then(|_| match answers.next() {
                Some(Ok(advanced)) => {
                    lines.extend(found.get(job).map(|job| job.target.clone()));
                    Ok(advanced)
                }
                Some(Err(ChangeError::NoSuchJob(_))) => Err(ReviewRefusal::NoSuchJob),
                Some(Err(ChangeError::Illegal { state, .. })) => Err(ReviewRefusal::NotInReview(state)),
                Some(Err(_)) | None => {
                    Err(ReviewRefusal::Stale(found.get(job).map_or(JobState::Review, |job| job.state)))
                }
            });
            (*job, outcome)
        })
        .collect();
    Ok((reviewed, lines))
}

/// Decides about drafts; answers with the result for each, in order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Reviewed>, LedgerError>")]
pub struct ReviewDrafts(
    /// A bounded number, because all are decided in one transaction.
    pub Vec<Review>,
);

impl RouterState {
    async fn review(&self, reviews: &[Review]) -> Result<Vec<Reviewed>, LedgerError> {
        self.opened().await;
        let work = self.heartbeat.at_work();
        let (reviewed, lines) = review(&*self.parts.ledger, reviews, self.parts.clock.now()).await?;
        for (Review { job, verdict, who, .. }, (_, outcome)) in reviews.iter().zip(&reviewed) {
            if outcome.is_err() {
                continue;
            }
            if *verdict == Verdict::Skip {
                self.parts.meter.count("jobs.skipped", 1);
            }
            let (action, who) = (verdict.action().as_str(), who.as_deref().unwrap_or_default());
            info!(job = job.0, action = action, who = who; "draft decided");
        }
        for target in &lines {
            self.window.borrow_mut().reload(target);
        }
        self.refill_and_wake_all().await?;
        work.done();
        Ok(reviewed)
    }
}

handles_tracked!(Router: ReviewDrafts);

impl Handler<ReviewDrafts> for Router {
    type Result = ResponseActFuture<Self, Result<Vec<Reviewed>, LedgerError>>;

    fn handle(&mut self, ReviewDrafts(reviews): ReviewDrafts, _: &mut Self::Context) -> Self::Result {
        self.answer(|state| async move { state.review(&reviews).await })
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::review::{Doubt, TEXT};

    use super::{super::decide::tests::job, *};
    use crate::testing::translation;

    fn doubt(is_final: bool) -> Doubt {
        Doubt { about: TEXT.into(), rule: "numbers".into(), message: "the 5 is missing".into(), is_final }
    }

    fn draft(doubts: Vec<Doubt>) -> Box<Draft> {
        Box::new(Draft { translation: translation(&["Hola"]), doubts, accepted: None })
    }

    fn in_review(draft: Box<Draft>) -> JobLine {
        JobLine { draft: Some(draft), ..job(JobState::Review, None) }
    }

    fn events(verdict: Verdict, job: &JobLine) -> Result<Vec<JobEvent>, ReviewRefusal> {
        let review = Review { job: job.id, token: 7, verdict, who: None };
        review.change(job).map(|change| change.events().to_vec())
    }

    const APPROVE: Verdict = Verdict::Approve { accepted: None };

    #[test]
    fn only_the_draft_that_the_person_looked_at_is_decided_about() {
        let job = in_review(draft(vec![]));
        let published = JobEvent::Translated(translation(&["Hola"]));
        assert_eq!(events(APPROVE, &job), Ok(vec![published]));
        let later = JobLine { token: 8, ..job.clone() };
        for verdict in [APPROVE, Verdict::Skip, Verdict::Again(Guidance::default())] {
            assert_eq!(events(verdict, &later), Err(ReviewRefusal::Stale(JobState::Review)));
        }
        let ready = JobLine { state: JobState::Ready, ..job };
        assert_eq!(events(APPROVE, &ready), Err(ReviewRefusal::NotInReview(JobState::Ready)));
    }

    #[test]
    fn a_doubtful_draft_is_approved_only_with_a_reason_and_an_impossible_one_never() {
        let accepted = || Verdict::Approve { accepted: Some("the 5 is in the picture".into()) };
        let doubtful = in_review(draft(vec![doubt(false)]));
        let why = ReviewRefusal::Doubtful("the 5 is missing [numbers]".into());
        assert_eq!(events(APPROVE, &doubtful), Err(why));
        assert!(events(accepted(), &doubtful).is_ok());
        let before = Draft { accepted: Some("as agreed".into()), ..*draft(vec![doubt(false)]) };
        assert!(events(APPROVE, &in_review(Box::new(before))).is_ok());
        for impossible in
            [draft(vec![doubt(true)]), Box::new(Draft { translation: translation(&[]), ..*draft(vec![]) })]
        {
            let refused = events(accepted(), &in_review(impossible.clone()));
            assert!(matches!(refused, Err(ReviewRefusal::Impossible(_))), "{refused:?}");
            let edit = Verdict::Edit { draft: impossible, approve: true };
            assert!(events(edit, &in_review(draft(vec![]))).is_err());
        }
    }

    #[test]
    fn an_edit_waits_for_an_approval_unless_it_comes_with_one() {
        let job = in_review(draft(vec![doubt(true)]));
        let better = draft(vec![]);
        let edit = |approve| events(Verdict::Edit { draft: better.clone(), approve }, &job).unwrap();
        let drafted = JobEvent::Drafted(better.clone());
        let translated = JobEvent::Translated(better.translation.clone());
        assert_eq!(edit(false), vec![drafted.clone()]);
        assert_eq!(edit(true), vec![drafted, translated]);
    }

    #[test]
    fn the_record_of_a_decision_has_its_reason() {
        let guidance = |hint: Option<&str>, engine: Option<&str>| {
            let [hint, engine] = [hint, engine].map(|text| text.map(str::to_owned));
            Verdict::Again(Guidance { hint, engine }).note()
        };
        assert_eq!(guidance(None, None), None);
        assert_eq!(guidance(Some("shorter"), None).as_deref(), Some("shorter"));
        assert_eq!(guidance(None, Some("second")).as_deref(), Some("with second"));
        assert_eq!(guidance(Some("shorter"), Some("second")).as_deref(), Some("with second: shorter"));
    }
}
