//! What people ask the router: how many jobs each worker holds. Also resumes a target whose account was fixed.

use std::collections::BTreeMap;

use actix::{Handler, Message};
use log::info;
use mynah_domain::TargetId;

use super::actor::Router;
use crate::supervision::handles_tracked;

/// Asks how many jobs each worker holds.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Workload")]
pub struct AskWorkload;

/// The jobs in memory that workers hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, actix::MessageResponse)]
pub struct Workload {
    /// How many jobs are leased to each worker, by its name without the incarnation.
    pub jobs: BTreeMap<String, usize>,
    /// How many workers wait for a job.
    pub asking: usize,
}

handles_tracked!(Router: AskWorkload, Unblock);

impl Handler<AskWorkload> for Router {
    type Result = Workload;

    fn handle(&mut self, _: AskWorkload, _: &mut Self::Context) -> Self::Result {
        Workload { jobs: self.state.window.borrow().in_progress(), asking: self.state.asking.get() }
    }
}

/// Resumes an account that was fixed; answers whether it was blocked.
#[derive(Debug, Clone, Message)]
#[rtype(result = "bool")]
pub struct Unblock {
    /// One of the targets that are published on the account.
    pub target: TargetId,
}

impl Handler<Unblock> for Router {
    type Result = bool;

    fn handle(&mut self, Unblock { target }: Unblock, _: &mut Self::Context) -> Self::Result {
        let unblocked = self.state.window.borrow_mut().unblock(&target);
        if let Some(account) = &unblocked {
            info!(account = account.as_str(); "publishing resumed");
            self.state.wake_all();
        }
        unblocked.is_some()
    }
}
