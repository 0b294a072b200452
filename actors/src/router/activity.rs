//! Reports to the supervisor's stall detection what could make progress now, stage by stage: translation for all
//! targets together, publication for each. Jobs that wait for a pause, a block, a time, quiet hours or an upstream that is
//! down are explained, and not counted.

use actix::{Handler, Message};

use super::{actor::Router, parts::Route, state::RouterState};
use crate::supervision::{StageActivity, handles_tracked};

/// Asks for the stages that have jobs with no reason to wait: one for translation, and one for each target.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<StageActivity>")]
pub struct AskActivity;

impl RouterState {
    fn activity(&self) -> Vec<StageActivity> {
        let (window, completed, upstreams) =
            (self.window.borrow(), self.completed.borrow(), &self.parts.upstreams);
        let mut stages = Vec::new();
        if !self.parts.settings.routes.iter().all(|route| route.lacks_engines(upstreams)) {
            let (runnable, holders) = window.to_translate();
            let completed = completed.translation;
            stages.push(StageActivity { stage: "translation".into(), completed, runnable, holders });
        }
        for Route { target, account, .. } in &self.parts.settings.routes {
            if self.is_paused(target) || upstreams.is_down(account.network()) {
                continue;
            }
            let (runnable, holders) = window.to_publish(
                target,
                self.pending.has(account) && !window.waits_for_schedule(target, self.now()),
            );
            let completed = completed.on(target);
            let stage = format!("publication on {target}");
            stages.push(StageActivity { stage, completed, runnable, holders });
        }
        stages.retain(|stage| stage.runnable > 0);
        stages
    }
}

handles_tracked!(Router: AskActivity);

impl Handler<AskActivity> for Router {
    type Result = Vec<StageActivity>;

    fn handle(&mut self, _: AskActivity, _: &mut Self::Context) -> Self::Result {
        self.state.activity()
    }
}
