//! Changes to jobs. A change names the lease under which it is made, so that a worker that lost its lease changes
//! nothing. It can be repeated, so that a lost answer can be requested again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::{
    JobEvent, JobId, JobState, budget::OverBudget, ports::leases::LeaseName, review::ReviewDecision,
};

/// A change to one job: all of its events or none.
///
/// # Leases
///
/// The *token* of a job is that of its last lease. A change names the token that the job has; any other is
/// [`ChangeError::Stale`]. A change that leases the job contains the job's next token. The caller draws it: larger than
/// the one before, by a random step, so that no two callers ever draw the same one.
///
/// # Repeats
///
/// If a caller does not receive the answer to a change, it makes the same change again. If it is the last change made
/// to the job, the ledger answers as it did the first time and changes nothing. If other changes came after it, it is a
/// change like any other, and usually stale. A change that was refused is evaluated again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Change {
    job: JobId,
    token: i64,
    new_token: Option<i64>,
    events: Vec<JobEvent>,
    decision: Option<ReviewDecision>,
}

impl Change {
    /// Creates a change to a job that has this token. If it leases the job, it draws one new token for all of its
    /// leases.
    pub fn new(job: JobId, token: i64, events: Vec<JobEvent>) -> Self {
        let leases = events.iter().any(JobEvent::leases);
        Self { job, token, new_token: leases.then(|| draw_after(token)), events, decision: None }
    }

    /// Creates a change that takes the job from its current worker: the job gets a new token, although it is not
    /// leased.
    pub fn revoking(job: JobId, token: i64, events: Vec<JobEvent>) -> Self {
        Self { job, token, new_token: Some(token.saturating_add(1)), events, decision: None }
    }

    /// Creates a change that a person decided about a draft. The decision is recorded with it. The job gets a new token, so
    /// that another person who looked at the same draft cannot decide about it, too.
    pub fn decided(job: JobId, token: i64, events: Vec<JobEvent>, decision: ReviewDecision) -> Self {
        Self { decision: Some(decision), ..Self::revoking(job, token, events) }
    }

    /// The job to change.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// The token that the job has.
    pub fn token(&self) -> i64 {
        self.token
    }

    /// The token that the job gets, if it gets a new one.
    pub fn new_token(&self) -> Option<i64> {
        self.new_token
    }

    /// What happened, in order.
    pub fn events(&self) -> &[JobEvent] {
        &self.events
    }

    /// The decision of a person that led to it.
    pub fn decision(&self) -> Option<&ReviewDecision> {
        self.decision.as_ref()
    }

    /// Identifies a repeat of this change: the ledger stores the fingerprint of the last change with each job. It is
    /// valid only while the process that makes the change runs, and must not be used for anything else.
    pub fn fingerprint(&self) -> i64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish().cast_signed()
    }
}

/// Draws a token after this one. Two callers that know the same token draw the same next one once in four billion
/// times.
fn draw_after(token: i64) -> i64 {
    token.saturating_add(1).saturating_add(i64::from(fastrand::u32(..)))
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advanced {
    /// The job's state now.
    pub state: JobState,
    /// Its token now.
    pub token: i64,
    /// How often it was leased since its last progress.
    pub attempt: u32,
}

/// Why a change was not made. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Another worker has the job by now.
    #[error("job {job} was leased again since (its token is {current}, not {offered})")]
    Stale {
        /// The job.
        job: JobId,
        /// The token it has.
        current: i64,
        /// The token that the change named.
        offered: i64,
    },
    /// The table of states has no such step.
    #[error("job {job} is {state}, and {event} is not allowed in that state")]
    Illegal {
        /// The job.
        job: JobId,
        /// The job's state.
        state: JobState,
        /// The event that is not allowed.
        event: String,
    },
    /// The change begins a publication, and another instance works for the account by now.
    #[error("job {job} may not be published here: {lease} is held by another instance")]
    NotHeld {
        /// The job.
        job: JobId,
        /// The lease that is missing.
        lease: LeaseName,
    },
    /// The change begins a publication that a budget does not allow in this period.
    #[error("job {job} may not be published yet: {over}")]
    OverBudget {
        /// The job.
        job: JobId,
        /// The budget.
        over: OverBudget,
    },
    /// There is no such job.
    #[error("there is no job {0}")]
    NoSuchJob(JobId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_its_job_its_token_and_its_events() {
        let change = Change::new(JobId(3), 7, vec![JobEvent::Published]);
        assert_eq!(
            (change.job(), change.token(), change.events()),
            (JobId(3), 7, &[JobEvent::Published][..])
        );
    }

    #[test]
    fn only_a_change_that_leases_draws_a_token_and_each_draws_its_own() {
        let lease = || Change::new(JobId(1), 7, vec![JobEvent::LeasedForPublication]);
        let (one, other) = (lease(), lease());
        assert!(one.new_token() > Some(7) && other.new_token() > Some(7));
        assert_ne!(one.new_token(), other.new_token());
        assert_eq!(Change::new(JobId(1), 7, vec![JobEvent::Published]).new_token(), None);
        assert_eq!(Change::revoking(JobId(1), 7, vec![JobEvent::Untouched]).new_token(), Some(8));
    }

    #[test]
    fn a_decision_replaces_the_token_that_the_person_looked_at() {
        let decision = |who: &str| {
            let (who, action) = (Some(who.to_owned()), crate::review::ReviewAction::Approve);
            Change::decided(JobId(1), 7, vec![], ReviewDecision { who, action, note: None })
        };
        assert_eq!((decision("ana").token(), decision("ana").new_token()), (7, Some(8)));
        assert_ne!(decision("ana").fingerprint(), decision("ben").fingerprint());
    }

    #[test]
    fn a_fingerprint_is_that_of_the_same_change_and_of_no_other() {
        let change = |job, token, event| Change::new(JobId(job), token, vec![event]);
        let published = change(1, 7, JobEvent::Published);
        assert_eq!(published.fingerprint(), published.clone().fingerprint());
        for other in [
            change(2, 7, JobEvent::Published),
            change(1, 8, JobEvent::Published),
            change(1, 7, JobEvent::Untouched),
        ] {
            assert_ne!(published.fingerprint(), other.fingerprint());
        }
    }
}
