//! Invariants that do not depend on the model: they fail even if the model is wrong in the same way as the ledger.

use std::collections::{BTreeMap, BTreeSet};

use mynah_domain::{
    JobEvent, JobId, JobState, PostId, Publication, Skip,
    ports::ledger::{Advanced, Change},
};
use proptest::{prop_assert, prop_assert_eq, test_runner::TestCaseError};

use super::place::Stored;

/// The ledger's answers so far.
#[derive(Default)]
pub(crate) struct Promises {
    tokens: BTreeMap<JobId, i64>,
    ended: BTreeMap<JobId, String>,
    on_account: BTreeMap<(JobId, u32), PostId>,
    completed: BTreeSet<(JobId, i64, u32)>,
    /// How often a job was leased under a token: a change may lease it twice.
    leases: BTreeMap<(JobId, i64), u32>,
    /// The posts whose texts are removed, by source.
    forgotten: BTreeSet<(String, PostId)>,
}

impl Promises {
    /// Checks a change that the ledger made.
    pub(crate) fn made(&mut self, change: &Change, answer: Advanced) -> Result<(), TestCaseError> {
        let (job, before) = (change.job(), change.token());
        // A decision replaces the token that the person looked at.
        let mut token = change.decision().and(change.new_token()).unwrap_or(before);
        for event in change.events() {
            match event {
                _ if event.leases() => {
                    prop_assert!(change.new_token() > Some(before), "a lease of job {} without a token", job);
                    token = change.new_token().unwrap();
                    *self.leases.entry((job, token)).or_default() += 1;
                }
                JobEvent::Translated(_)
                | JobEvent::HandedBack { .. }
                | JobEvent::NotSent { .. }
                | JobEvent::Untouched
                | JobEvent::OutcomeLost { .. }
                | JobEvent::Published => {
                    let lease = self.leases.get(&(job, token)).copied().unwrap_or_default();
                    let first = self.completed.insert((job, token, lease));
                    prop_assert!(first, "two completions of job {} under lease {}", job, token);
                }
                JobEvent::PartBegun { part, .. } => {
                    let known = self.on_account.get(&(job, *part));
                    prop_assert!(known.is_none(), "part {} of job {} is begun twice", part, job);
                }
                JobEvent::PartSent { part, remote_id } => {
                    let known = self.on_account.entry((job, *part)).or_insert_with(|| remote_id.clone());
                    prop_assert_eq!(known, remote_id, "part {} of job {} gets another id", part, job);
                }
                _ => {}
            }
        }
        prop_assert_eq!(answer.token, token, "a lease keeps the token it was taken with, job {}", job);
        Ok(())
    }

    /// Checks all stored jobs.
    pub(crate) fn stored(&mut self, jobs: &[Stored]) -> Result<(), TestCaseError> {
        prop_assert!(self.tokens.len() <= jobs.len(), "a job disappeared");
        for (id, stored) in (1..).map(JobId).zip(jobs) {
            let before = self.tokens.insert(id, stored.token).unwrap_or_default();
            prop_assert!(
                before <= stored.token,
                "the token of job {} went from {} to {}",
                id,
                before,
                stored.token
            );
            if let Some(ended) = self.ended.get(&id) {
                prop_assert_eq!(ended, &stored.state, "job {} was at its end", id);
            }
            let final_skip = stored.state == JobState::Skipped.as_str()
                && !stored
                    .kind
                    .as_deref()
                    .is_some_and(|kind| Skip::is_retryable(kind) || kind == Skip::ByHand.as_str());
            if final_skip || stored.state == JobState::Published.as_str() {
                self.ended.insert(id, stored.state.clone());
            }
        }
        Ok(())
    }

    /// Checks that posts without a text never have one again.
    pub(crate) fn forgotten(&mut self, posts: BTreeSet<(String, PostId)>) -> Result<(), TestCaseError> {
        prop_assert!(
            self.forgotten.is_subset(&posts),
            "{:?} have their texts again",
            &self.forgotten - &posts
        );
        self.forgotten = posts;
        Ok(())
    }

    /// Checks the stored parts of a job.
    pub(crate) fn published(&self, job: JobId, parts: &[Publication]) -> Result<(), TestCaseError> {
        for ((_, part), id) in self.on_account.range((job, 0)..=(job, u32::MAX)) {
            let stored = parts.iter().find(|publication| publication.part == *part);
            let stored = stored.and_then(|publication| publication.remote_id.as_ref());
            prop_assert_eq!(stored, Some(id), "part {} of job {} is on the account", part, job);
        }
        Ok(())
    }
}
