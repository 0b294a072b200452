//! What could move now, lane by lane, for the watch over standstills: translation for all targets together, publication for
//! each. What a pause, a block, a moment to come or an upstream that is down keeps waiting is explained, and not listed.

use std::collections::BTreeMap;

use actix::{Handler, Message};
use mynah_domain::TargetId;

use super::{JobReport, Router, RouterState};
use crate::supervision::{Lane, handles_tracked};

/// Asks for the lanes that have work.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Lanes")]
pub struct AskLanes;

/// The lanes that have work which nothing explains the waiting of.
#[derive(Debug, Clone, Default, PartialEq, Eq, actix::MessageResponse)]
pub struct Lanes(
    /// One for translation, and one for each target.
    pub Vec<Lane>,
);

/// How many jobs workers have moved.
#[derive(Debug, Default)]
pub(super) struct Moves {
    translation: u64,
    publication: BTreeMap<TargetId, u64>,
}

impl Moves {
    /// Workers reported on jobs.
    pub(super) fn count(&mut self, reports: &[JobReport]) {
        for report in reports {
            if report.is_a_translators() {
                self.translation += 1;
            } else if let Some(moves) = self.publication.get_mut(&report.target) {
                *moves += 1;
            } else {
                self.publication.insert(report.target.clone(), 1);
            }
        }
    }
}

impl RouterState {
    fn lanes(&self) -> Vec<Lane> {
        let (window, moves, upstreams) = (self.window.borrow(), self.moves.borrow(), &self.parts.upstreams);
        let mut lanes = Vec::new();
        if !self.parts.settings.engines.iter().all(|engine| upstreams.is_down(engine)) {
            let (jobs, holders) = window.to_translate();
            lanes.push(Lane { name: "translation".into(), moves: moves.translation, jobs, holders });
        }
        for target in &self.parts.settings.targets {
            if self.is_paused(target) || upstreams.is_down(target.network()) {
                continue;
            }
            let (jobs, holders) = window.to_publish(target, self.pending.has(target));
            let moves = moves.publication.get(target).copied().unwrap_or_default();
            lanes.push(Lane { name: format!("publication on {target}"), moves, jobs, holders });
        }
        lanes.retain(|lane| lane.jobs > 0);
        lanes
    }
}

handles_tracked!(Router: AskLanes);

impl Handler<AskLanes> for Router {
    type Result = Lanes;

    fn handle(&mut self, _: AskLanes, _: &mut Self::Context) -> Lanes {
        Lanes(self.state.lanes())
    }
}
