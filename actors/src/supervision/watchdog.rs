//! Finds actors that hang: at work, and without any progress for as long as the settings have patience. Such an actor is
//! ended in the middle of its work, and its successor takes that up. One that cannot be ended blocks its thread, and only a
//! restart of the process helps.

use std::time::Duration;

use log::error;

use super::{
    HealthRegistry,
    child::{Children, Observation},
};

/// How many checks fall within the patience. Checks are counted, and not time, so that a process which was itself suspended
/// takes nobody for hung.
pub(super) const CHECKS: u32 = 5;

/// Ends those that hang; answers why the service cannot continue where one could not be ended.
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
                "{name} got nothing done for {patience:?} and could not be ended: its thread hangs"
            ));
            continue;
        }
        seen.aborted = true;
        error!(actor = name.as_str(), patience:? = patience; "stuck actor aborted");
        child.abort(format!("it got nothing done for {patience:?}"));
    }
    beyond_help
}
