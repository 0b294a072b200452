//! Counts the jobs that are done, by target and state. Counting on demand would scan everything ever published, and one
//! write per job would be slow, so the jobs that one command settles are counted together.

use std::collections::BTreeMap;

use mynah_domain::{JobState, TargetId};
use rusqlite::{Connection, params};

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

    /// Adds the counts to the stored ones.
    pub(super) fn write(self, db: &Connection) -> rusqlite::Result<()> {
        // Most commands settle nothing.
        if self.0.is_empty() {
            return Ok(());
        }
        let mut statement = db.prepare_cached(
            "INSERT INTO settled (target, state, jobs) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs",
        )?;
        for ((target, state), jobs) in self.0 {
            statement.execute(params![target.as_str(), state, jobs])?;
        }
        Ok(())
    }
}
