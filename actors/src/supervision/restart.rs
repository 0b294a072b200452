//! Decides when to restart a dead actor and when to give up. An actor that made progress since it was built is
//! restarted. One that keeps dying without progress is broken, and restarting it forever would only hide that.

use std::time::{Duration, Instant};

use mynah_domain::backoff::Backoff;

/// How often an actor may die before its supervisor gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// How many deaths without progress are tolerated within the window.
    pub max_restarts: u32,
    /// The window.
    pub window: Duration,
    /// How long to wait before each restart.
    pub backoff: Backoff,
}

/// The recent deaths of one actor that count against it.
#[derive(Debug, Clone, Default)]
pub struct RestartHistory {
    exits: Vec<Instant>,
}

/// What to do about a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Build its successor after this long.
    Restart(Duration),
    /// It keeps dying: give up.
    GiveUp,
}

impl RestartHistory {
    /// Judges the death at `now` of an actor that did or did not make progress since it was built. `random` is uniform
    /// in 0..1.
    pub fn judge(&mut self, policy: &RestartPolicy, now: Instant, progressed: bool, random: f64) -> Verdict {
        if progressed {
            self.exits.clear();
        }
        self.exits.retain(|exit| now.duration_since(*exit) < policy.window);
        self.exits.push(now);
        let exits = u32::try_from(self.exits.len()).unwrap_or(u32::MAX);
        if exits > policy.max_restarts {
            return Verdict::GiveUp;
        }
        Verdict::Restart(policy.backoff.wait(exits, random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RestartPolicy = RestartPolicy {
        max_restarts: 2,
        window: Duration::from_mins(1),
        backoff: Backoff { base: Duration::from_millis(100), max: Duration::from_secs(1) },
    };

    #[test]
    fn an_actor_that_keeps_dying_is_given_up() {
        let (mut history, now) = (RestartHistory::default(), Instant::now());
        assert_eq!(history.judge(&POLICY, now, false, 1.0), Verdict::Restart(Duration::from_millis(100)));
        assert_eq!(history.judge(&POLICY, now, false, 1.0), Verdict::Restart(Duration::from_millis(200)));
        assert_eq!(history.judge(&POLICY, now, false, 1.0), Verdict::GiveUp);
    }

    #[test]
    fn deaths_are_forgiven_after_progress_or_time() {
        let (mut history, now) = (RestartHistory::default(), Instant::now());
        for _ in 0..1000 {
            assert_ne!(history.judge(&POLICY, now, true, 0.0), Verdict::GiveUp);
        }
        for minutes in 1..100 {
            let later = now + Duration::from_mins(minutes);
            assert_ne!(history.judge(&POLICY, later, false, 0.0), Verdict::GiveUp);
        }
    }
}
