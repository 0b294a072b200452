//! Finds actors that hang: at work without progress for longer than the configured patience. The supervisor aborts such
//! an actor in the middle of its work, and its successor takes over. An actor that cannot be aborted blocks its thread,
//! and only a restart of the process helps.

use std::time::Duration;

use log::error;

use super::{
    HealthRegistry,
    child::{Children, Observation},
};

/// How many checks fit in the patience. It counts checks instead of time, so that a suspension of the process does not
/// make actors look hung.
pub(super) const CHECKS: u32 = 5;

/// Forgets how long actors have made no progress: they are not to blame for it.
pub(super) fn forgive(children: &mut Children) {
    for (_, child) in children.alive_mut() {
        child.observation.checks = 0;
    }
}

/// Aborts actors that hang. If one cannot be aborted, returns why the service cannot continue.
pub(super) fn end_hung(
    children: &mut Children,
    health: &HealthRegistry,
    patience: Duration,
) -> Option<String> {
    let mut beyond_help = None;
    for (name, child) in children.alive_mut() {
        let Some(health) = health.actor(name) else { continue };
        let seen = &mut child.observation;
        if health.at_work == 0 || seen.last_progress != Some(health.last_progress) {
            *seen =
                Observation { last_progress: Some(health.last_progress), checks: 0, aborted: seen.aborted };
            continue;
        }
        seen.checks += 1;
        if seen.checks < CHECKS {
            continue;
        }
        seen.checks = 0;
        if seen.aborted {
            beyond_help = Some(format!(
                "{name} made no progress for {patience:?} and could not be aborted: its thread hangs"
            ));
            continue;
        }
        seen.aborted = true;
        error!(actor = name.as_str(), patience:? = patience; "stuck actor aborted");
        child.abort(format!("it made no progress for {patience:?}"));
    }
    beyond_help
}
