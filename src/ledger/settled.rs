//! Counts the jobs that are done, by target and state. Counting on demand would scan everything ever published, and one
//! write per job would be slow, so the jobs that one command settles are counted together.

use std::collections::BTreeMap;

use mynah_domain::{JobState, TargetId};

/// The counts of one command, written with the rest of it.
#[derive(Default)]
pub(super) struct Settled(BTreeMap<(TargetId, &'static str), i64>);

impl Settled {
    /// A job entered this state.
    pub(super) fn came_to(&mut self, target: &TargetId, state: JobState) {
        self.count(target, state, 1);
    }

    /// A job left this state.
    pub(super) fn left(&mut self, target: &TargetId, state: JobState) {
        self.count(target, state, -1);
    }

    fn count(&mut self, target: &TargetId, state: JobState, jobs: i64) {
        if matches!(state, JobState::Published | JobState::Skipped) {
            *self.0.entry((target.clone(), state.as_str())).or_default() += jobs;
        }
    }

    /// The target, the state and the difference of each count. Most commands settle nothing.
    pub(super) fn differences(&self) -> impl ExactSizeIterator<Item = (&TargetId, &'static str, i64)> {
        self.0.iter().map(|((target, state), jobs)| (target, *state, *jobs))
    }
}
