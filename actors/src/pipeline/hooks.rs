//! What the supervisor needs from the pipeline: the router reclaims leases and knows the work of every stage, and the
//! stats actor has the statistics.

use async_trait::async_trait;

use super::ActorRefs;
use crate::{
    router::{self, AskActivity, Reclaim},
    stats::Report,
    supervision::{Exit, Gone, StageActivity, SupervisorHooks},
};

#[async_trait(?Send)]
impl SupervisorHooks for ActorRefs {
    async fn reclaim(&self, exit: &Exit) {
        let reclaim = Reclaim {
            holder: exit.holder(),
            reason: exit.reason.to_string(),
            suspect: exit.reason.is_suspect(),
        };
        // If the router itself is dead, its successor reclaims all leases at its start.
        let _: Result<(), Gone> = self.router.ask(reclaim).await;
    }

    async fn activity(&self) -> Option<Vec<StageActivity>> {
        self.router.ask(AskActivity).await.ok()
    }

    fn dispatcher(&self) -> &'static str {
        router::NAME
    }

    async fn log_stats(&self) {
        if let Ok(report) = self.stats.ask(Report).await {
            report.log();
        }
    }
}
