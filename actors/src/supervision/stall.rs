//! Detects stages that make no progress: there is work, no worker finishes any of it, and no pause, block, limit or
//! upstream that is down explains why. The watchdog finds single actors that hang; this finds work that is stuck
//! between them, and reports it to people and orchestrators.

use std::{collections::BTreeMap, time::Instant};

use super::{HealthRegistry, StageActivity, exit::actor_of};

/// How many checks without progress make a stall.
pub(super) const CHECKS: u32 = 4;

/// What is remembered about a stage between two checks.
#[derive(Debug)]
struct Seen {
    completed: u64,
    /// When one of its workers last showed progress.
    progress: Option<Instant>,
    /// How many checks ago anything changed.
    checks: u32,
    is_stalled: bool,
}

/// The result of a check.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Stages without progress for [`CHECKS`] checks; each is reported again after as many more.
    pub(super) stalled: Vec<StageActivity>,
    /// The names of stages that were stalled and now make progress or have nothing left to do.
    pub(super) moving_again: Vec<String>,
}

/// Watches all stages. It counts checks instead of time, so that a suspension of the process does not look like a
/// stall.
#[derive(Debug, Default)]
pub(super) struct StallDetector(BTreeMap<String, Seen>);

impl StallDetector {
    /// Checks all stages once.
    pub(super) fn check(&mut self, activity: Vec<StageActivity>, health: &HealthRegistry) -> Found {
        let mut found = Found::default();
        let before = std::mem::take(&mut self.0);
        for mut stage in activity {
            // The progress of its successor is not that of a worker that is gone.
            stage.holders.retain(|holder| !health.is_replaced(holder));
            let holders: Vec<_> =
                stage.holders.iter().filter_map(|holder| health.actor(actor_of(holder))).collect();
            // A worker that rests within its work waits for a limit of its own.
            if stage.runnable == 0 || holders.iter().any(|health| health.resting > 0) {
                continue;
            }
            let progress = holders.iter().map(|health| health.last_progress).max();
            let mut seen = Seen { completed: stage.completed, progress, checks: 0, is_stalled: false };
            if let Some(last) = before.get(&stage.stage) {
                // A dispatcher that was restarted counts from zero, which is not progress.
                let has_completed = stage.completed != last.completed && stage.completed > 0;
                if !has_completed {
                    seen.checks = if progress > last.progress { 0 } else { last.checks + 1 };
                    seen.is_stalled = last.is_stalled;
                }
            }
            let name = stage.stage.clone();
            if seen.checks >= CHECKS {
                found.stalled.push(stage);
                seen.checks = 0;
                seen.is_stalled = true;
            }
            self.0.insert(name, seen);
        }
        let stalled_before = before.into_iter().filter(|(_, seen)| seen.is_stalled).map(|(name, _)| name);
        found.moving_again =
            stalled_before.filter(|name| self.0.get(name).is_none_or(|seen| !seen.is_stalled)).collect();
        found
    }

    /// The stalled stages, for people; `None` if there are none.
    pub(super) fn reason(&self) -> Option<String> {
        let stalled: Vec<&str> =
            self.0.iter().filter(|(_, seen)| seen.is_stalled).map(|(name, _)| name.as_str()).collect();
        (!stalled.is_empty())
            .then(|| format!("the pipeline is stalled: no progress in {}", stalled.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervision::{Heartbeat, RestartReason};

    fn stage(completed: u64, runnable: usize, holders: &[&str]) -> StageActivity {
        let holders = holders.iter().map(|holder| (*holder).to_owned()).collect();
        StageActivity { stage: "translation".into(), completed, runnable, holders }
    }

    fn checks(detector: &mut StallDetector, health: &HealthRegistry, stages: &[StageActivity]) -> Vec<Found> {
        stages.iter().map(|stage| detector.check(vec![stage.clone()], health)).collect()
    }

    fn is_stalled(found: &[Found]) -> bool {
        found.iter().any(|found| !found.stalled.is_empty())
    }

    #[test]
    fn work_that_no_worker_finishes_is_a_stall_until_one_does() {
        let (mut detector, health) = (StallDetector::default(), HealthRegistry::default());
        assert!(!is_stalled(&checks(&mut detector, &health, &vec![stage(7, 3, &[]); CHECKS as usize])));
        let found = detector.check(vec![stage(7, 3, &[])], &health);
        assert_eq!(found.stalled, [stage(7, 3, &[])]);
        assert_eq!(detector.reason().as_deref(), Some("the pipeline is stalled: no progress in translation"));
        let found = checks(&mut detector, &health, &vec![stage(7, 3, &[]); CHECKS as usize]);
        assert!(is_stalled(&found), "a stall is reported again while it lasts");
        assert_eq!(detector.check(vec![stage(8, 2, &[])], &health).moving_again, ["translation"]);
        assert_eq!(detector.reason(), None);
    }

    #[test]
    fn a_stage_with_progress_without_work_or_with_an_active_worker_is_not_stalled() {
        let health = HealthRegistry::default();
        health.built("translator-1");
        let heartbeat = Heartbeat::new("translator-1", health.clone());
        let many = 5 * u64::from(CHECKS);
        let moving: Vec<StageActivity> = (1..many).map(|completed| stage(completed, 1, &[])).collect();
        assert!(!is_stalled(&checks(&mut StallDetector::default(), &health, &moving)));
        let empty: Vec<StageActivity> = (1..many).map(|_| stage(4, 0, &[])).collect();
        assert!(!is_stalled(&checks(&mut StallDetector::default(), &health, &empty)));
        let mut detector = StallDetector::default();
        for _ in 0..many {
            heartbeat.progress();
            assert_eq!(detector.check(vec![stage(4, 1, &["translator-1#1"])], &health), Found::default());
        }
    }

    #[test]
    fn a_worker_that_waits_for_its_own_limit_is_not_a_stall() {
        let (mut detector, health) = (StallDetector::default(), HealthRegistry::default());
        health.built("publisher-town_es");
        let heartbeat = Heartbeat::new("publisher-town_es", health.clone());
        let _work = heartbeat.at_work();
        let mut rest = std::pin::pin!(heartbeat.at_rest(std::future::pending::<()>()));
        assert!(futures_util::FutureExt::now_or_never(&mut rest).is_none());
        let stages = vec![stage(4, 1, &["publisher-town_es#1"]); 5 * CHECKS as usize];
        assert!(!is_stalled(&checks(&mut detector, &health, &stages)));
    }

    #[test]
    fn the_progress_of_a_successor_does_not_hide_that_its_predecessor_still_holds_a_job() {
        let (mut detector, health) = (StallDetector::default(), HealthRegistry::default());
        health.built("publisher-town_es");
        health.restarted("publisher-town_es", RestartReason::Crash);
        health.built("publisher-town_es");
        let successor = Heartbeat::new("publisher-town_es", health.clone());
        for _ in 0..CHECKS {
            successor.progress();
            let found = detector.check(vec![stage(4, 1, &["publisher-town_es#1"])], &health);
            assert_eq!(found, Found::default());
        }
        let found = detector.check(vec![stage(4, 1, &["publisher-town_es#1"])], &health);
        assert_eq!(found.stalled, [stage(4, 1, &[])], "no living worker holds it");
    }

    #[test]
    fn a_restart_is_not_progress() {
        let (mut detector, health) = (StallDetector::default(), HealthRegistry::default());
        assert!(is_stalled(&checks(&mut detector, &health, &vec![stage(7, 3, &[]); CHECKS as usize + 1])));
        assert_eq!(detector.check(vec![stage(0, 3, &[])], &health).moving_again, Vec::<String>::new());
        assert!(detector.reason().is_some());
        assert_eq!(detector.check(vec![stage(1, 3, &[])], &health).moving_again, ["translation"]);
    }

    #[test]
    fn a_stage_is_no_longer_stalled_once_its_wait_is_explained() {
        let (mut detector, health) = (StallDetector::default(), HealthRegistry::default());
        assert!(is_stalled(&checks(&mut detector, &health, &vec![stage(7, 3, &[]); CHECKS as usize + 1])));
        assert_eq!(detector.check(vec![], &health).moving_again, ["translation"]);
        assert_eq!(detector.reason(), None);
    }
}
