//! What the supervisor asks of the system that it keeps alive. It knows actors by the names in their specs and nothing of
//! what they do, so whatever depends on that (leases, stages, statistics) comes to it through these hooks.

use async_trait::async_trait;

use super::Exit;

/// The system under supervision, as its supervisor sees it.
#[async_trait(?Send)]
pub trait SupervisorHooks: Send + Sync {
    /// Takes back what a worker had in hand when it ended, so that it is leased again.
    async fn reclaim(&self, exit: &Exit);

    /// What every stage has to do now and has done so far; `None` where nobody can answer at the moment.
    async fn activity(&self) -> Option<Vec<StageActivity>>;

    /// The actor that hands out work: it is restarted where a stage stalls and nobody holds its jobs.
    fn dispatcher(&self) -> &str;

    /// Logs the statistics gathered so far.
    async fn log_stats(&self);
}

/// The work of one stage: a part of the system that makes progress, or stalls, by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageActivity {
    /// Its name for people: `translation`, `publication on x:town_es`.
    pub stage: String,
    /// How many jobs workers have finished in it so far.
    pub completed: u64,
    /// How many jobs could make progress now. What waits for a moment, a person or an upstream is not among them.
    pub runnable: usize,
    /// The workers that have some of them in hand, as their leases name them: `translator-3#2`.
    pub holders: Vec<String>,
}
