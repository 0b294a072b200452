//! What the supervisor needs from the pipeline: the router reclaims leases and knows the work of every stage, and the
//! stats actor has the statistics.

use async_trait::async_trait;

use super::ActorRefs;
use crate::{
    leases::View,
    router::{self, AskActivity, Reclaim},
    stats::Report,
    supervision::{Exit, Gone, StageActivity, SupervisorHooks},
};

/// The pipeline, as its supervisor sees it.
pub(super) struct PipelineHooks {
    pub(super) actors: ActorRefs,
    /// What is seen of other instances, if there may be any.
    pub(super) view: Option<View>,
}

#[async_trait(?Send)]
impl SupervisorHooks for PipelineHooks {
    async fn reclaim(&self, exit: &Exit) {
        let reclaim = Reclaim {
            holder: exit.holder(),
            reason: exit.reason.to_string(),
            suspect: exit.reason.is_suspect(),
        };
        // If the router itself is dead, its successor reclaims all leases at its start.
        let _: Result<(), Gone> = self.actors.router.ask(reclaim).await;
    }

    async fn activity(&self) -> Option<Vec<StageActivity>> {
        self.actors.router.ask(AskActivity).await.ok()
    }

    fn dispatcher(&self) -> &'static str {
        router::NAME
    }

    fn is_waiting_outside(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.trouble().is_some())
    }

    async fn log_stats(&self) {
        if let Ok(report) = self.actors.stats.ask(Report).await {
            report.log();
        }
    }
}
