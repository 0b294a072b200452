//! What the supervisor needs from the system that it keeps alive. It knows actors only by the names in their specs, so
//! everything that depends on what they do (leases, stages, statistics) comes through these hooks.

use async_trait::async_trait;

use super::Exit;

/// The supervised system, as its supervisor sees it.
#[async_trait(?Send)]
pub trait SupervisorHooks: Send + Sync {
    /// Reclaims the jobs that a worker held when it exited, so that they are leased again.
    async fn reclaim(&self, exit: &Exit);

    /// What every stage can do now and has done so far; `None` if that is unknown at the moment.
    async fn activity(&self) -> Option<Vec<StageActivity>>;

    /// The actor that hands out work. It is restarted if a stage stalls and no worker holds its jobs.
    fn dispatcher(&self) -> &str;

    /// Whether everything waits for something outside, such as a ledger that does not answer. Then no actor is to blame
    /// that it makes no progress.
    fn is_waiting_outside(&self) -> bool {
        false
    }

    /// Logs the statistics gathered so far.
    async fn log_stats(&self);
}

/// The work of one stage: a part of the system that progresses or stalls independently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageActivity {
    /// Its name for people: `translation`, `publication on net:town_es`.
    pub stage: String,
    /// How many jobs workers have finished in it so far.
    pub completed: u64,
    /// How many jobs could make progress now. Those that wait for a time, a person or an upstream do not count.
    pub runnable: usize,
    /// The workers that hold some of these jobs, by the names in their leases: `translator-3#2`.
    pub holders: Vec<String>,
}
