//! Notices when the pipeline as a whole stands still: there is work, nobody moves it, and no pause, block, limit or
//! upstream that is down explains it. Each actor's own watchdog sees who hangs in its work; this one sees what falls
//! between them, and makes it known where people and orchestrators look.

use std::{collections::BTreeMap, time::Instant};

use super::HealthRegistry;

/// How often it looks before it calls a standstill one.
pub(super) const LOOKS: u32 = 4;

/// A stretch of the pipeline that moves or stands by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Its name for people: `translation`, `publication on x:town_es`.
    pub name: String,
    /// How many jobs workers have moved in it so far.
    pub moves: u64,
    /// How many jobs could move now. What waits for a moment, a person or an upstream is not among them.
    pub jobs: usize,
    /// The workers that have some of them in hand, as their leases name them: `translator-3#2`.
    pub holders: Vec<String>,
}

/// What is remembered of a lane between two looks.
#[derive(Debug)]
struct Seen {
    moves: u64,
    progress: Option<Instant>,
    looks: u32,
    is_still: bool,
}

/// What a look at the lanes found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Lanes that have not moved for [`LOOKS`] looks, now and again after as many more.
    pub(super) still: Vec<Lane>,
    /// The names of lanes that stood still and move again, or have nothing to do any more.
    pub(super) moving: Vec<String>,
}

/// The watch over all lanes. It counts looks and no hours, so that a process which was itself suspended finds no standstill.
#[derive(Debug, Default)]
pub(super) struct Watch(BTreeMap<String, Seen>);

impl Watch {
    /// Looks at all lanes once.
    pub(super) fn look(&mut self, lanes: Vec<Lane>, health: &HealthRegistry) -> Found {
        let mut found = Found::default();
        let before = std::mem::take(&mut self.0);
        for lane in lanes {
            let standings = lane.holders.iter().filter_map(|holder| health.actor(name_of(holder)));
            let standings: Vec<_> = standings.collect();
            // A worker that rests within its work waits for a limit of its own.
            if lane.jobs == 0 || standings.iter().any(|standing| standing.resting > 0) {
                continue;
            }
            let progress = standings.iter().map(|standing| standing.last_progress).max();
            let seen = match before.get(&lane.name) {
                None => Seen { moves: lane.moves, progress, looks: 0, is_still: false },
                // A router that was restarted counts from zero, which is no movement.
                Some(seen) if lane.moves != seen.moves && lane.moves > 0 => {
                    Seen { moves: lane.moves, progress, looks: 0, is_still: false }
                }
                Some(seen) => {
                    let looks = if progress > seen.progress { 0 } else { seen.looks + 1 };
                    Seen { moves: lane.moves, progress, looks, is_still: seen.is_still }
                }
            };
            let name = lane.name.clone();
            let seen = if seen.looks >= LOOKS {
                found.still.push(lane);
                Seen { looks: 0, is_still: true, ..seen }
            } else {
                seen
            };
            self.0.insert(name, seen);
        }
        let still_before = before.into_iter().filter(|(_, seen)| seen.is_still).map(|(name, _)| name);
        found.moving =
            still_before.filter(|name| self.0.get(name).is_none_or(|seen| !seen.is_still)).collect();
        found
    }

    /// The lanes that stand still, for people; `None` where all is well.
    pub(super) fn reason(&self) -> Option<String> {
        let still: Vec<&str> =
            self.0.iter().filter(|(_, seen)| seen.is_still).map(|(name, _)| name.as_str()).collect();
        (!still.is_empty()).then(|| format!("the pipeline is stalled: nothing moves in {}", still.join(", ")))
    }
}

/// The actor's name in what a lease names it by.
pub(super) fn name_of(holder: &str) -> &str {
    holder.rsplit_once('#').map_or(holder, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervision::Heartbeat;

    fn lane(moves: u64, jobs: usize, holders: &[&str]) -> Lane {
        let holders = holders.iter().map(|holder| (*holder).to_owned()).collect();
        Lane { name: "translation".into(), moves, jobs, holders }
    }

    fn looks(watch: &mut Watch, health: &HealthRegistry, lanes: &[Lane]) -> Vec<Found> {
        lanes.iter().map(|lane| watch.look(vec![lane.clone()], health)).collect()
    }

    fn is_still(found: &[Found]) -> bool {
        found.iter().any(|found| !found.still.is_empty())
    }

    #[test]
    fn work_that_nobody_moves_is_a_standstill_until_it_moves() {
        let (mut watch, health) = (Watch::default(), HealthRegistry::default());
        assert!(!is_still(&looks(&mut watch, &health, &vec![lane(7, 3, &[]); LOOKS as usize])));
        let found = watch.look(vec![lane(7, 3, &[])], &health);
        assert_eq!(found.still, [lane(7, 3, &[])]);
        assert_eq!(watch.reason().as_deref(), Some("the pipeline is stalled: nothing moves in translation"));
        let found = looks(&mut watch, &health, &vec![lane(7, 3, &[]); LOOKS as usize]);
        assert!(is_still(&found), "it is reported again as long as it lasts");
        assert_eq!(watch.look(vec![lane(8, 2, &[])], &health).moving, ["translation"]);
        assert_eq!(watch.reason(), None);
    }

    #[test]
    fn a_lane_that_moves_that_is_empty_or_whose_worker_shows_progress_does_not_stand_still() {
        let health = HealthRegistry::default();
        health.built("translator-1");
        let heartbeat = Heartbeat::new("translator-1", health.clone());
        let many = 5 * u64::from(LOOKS);
        let moving: Vec<Lane> = (1..many).map(|moves| lane(moves, 1, &[])).collect();
        assert!(!is_still(&looks(&mut Watch::default(), &health, &moving)));
        let empty: Vec<Lane> = (1..many).map(|_| lane(4, 0, &[])).collect();
        assert!(!is_still(&looks(&mut Watch::default(), &health, &empty)));
        let mut watch = Watch::default();
        for _ in 0..many {
            heartbeat.progress();
            assert_eq!(watch.look(vec![lane(4, 1, &["translator-1#1"])], &health), Found::default());
        }
    }

    #[test]
    fn a_worker_that_rests_for_its_own_limit_explains_why_nothing_moves() {
        let (mut watch, health) = (Watch::default(), HealthRegistry::default());
        health.built("publisher-town_es");
        let heartbeat = Heartbeat::new("publisher-town_es", health.clone());
        let _work = heartbeat.at_work();
        let mut rest = std::pin::pin!(heartbeat.at_rest(std::future::pending::<()>()));
        assert!(futures_util::FutureExt::now_or_never(&mut rest).is_none());
        let lanes = vec![lane(4, 1, &["publisher-town_es#1"]); 5 * LOOKS as usize];
        assert!(!is_still(&looks(&mut watch, &health, &lanes)));
    }

    #[test]
    fn a_restart_is_no_movement() {
        let (mut watch, health) = (Watch::default(), HealthRegistry::default());
        assert!(is_still(&looks(&mut watch, &health, &vec![lane(7, 3, &[]); LOOKS as usize + 1])));
        assert_eq!(watch.look(vec![lane(0, 3, &[])], &health).moving, Vec::<String>::new());
        assert!(watch.reason().is_some());
        assert_eq!(watch.look(vec![lane(1, 3, &[])], &health).moving, ["translation"]);
    }

    #[test]
    fn a_lane_that_is_explained_again_ends_the_standstill() {
        let (mut watch, health) = (Watch::default(), HealthRegistry::default());
        assert!(is_still(&looks(&mut watch, &health, &vec![lane(7, 3, &[]); LOOKS as usize + 1])));
        assert_eq!(watch.look(vec![], &health).moving, ["translation"]);
        assert_eq!(watch.reason(), None);
    }
}
