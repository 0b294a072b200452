//! When an instance renews its leases, and when it stops by itself. It cannot ask whether a lease is still valid at the
//! moment it acts, and may not even reach whatever grants leases. So it counts from before it *sent* the request that
//! renewed, which is earlier than the lease was renewed, and stops well before the lease can have run out: a third of
//! the lease is left for what is under way, and for clocks that do not run equally fast.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How long a lease lasts, and the times that follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerm(Duration);

impl LeaseTerm {
    /// Leases of this length.
    pub const fn new(ttl: Duration) -> Self {
        Self(ttl)
    }

    /// How long a lease lasts.
    pub fn ttl(self) -> Duration {
        self.0
    }

    /// How long after a renewal to renew again. It is also how long a call may take: a later answer is no use.
    pub fn renew_after(self) -> Duration {
        self.0 / 3
    }

    /// How long after a renewal to stop, if none succeeded since.
    pub fn stop_after(self) -> Duration {
        self.0 * 2 / 3
    }

    /// How often to look at who is alive and who holds what: what an instance gives back is to be taken up soon, however
    /// long leases last.
    pub fn look_every(self) -> Duration {
        (self.0 / 10).min(Duration::from_secs(1))
    }

    /// Whether a lease that was renewed at that moment is to be renewed again.
    pub fn is_to_renew(self, renewed: Moment, now: Moment) -> bool {
        now.since(renewed) >= self.renew_after()
    }

    /// Whether a lease that was renewed at that moment may still be relied on.
    pub fn is_current(self, renewed: Moment, now: Moment) -> bool {
        now.since(renewed) < self.stop_after()
    }

    /// How long a lease that was renewed at that moment may still be relied on.
    pub fn left(self, renewed: Moment, now: Moment) -> Duration {
        self.stop_after().saturating_sub(now.since(renewed))
    }
}

/// A moment, by the monotonic clock and by the system's. A machine that was suspended may not have counted the time
/// with the first one, and the second one may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the monotonic clock.
    pub steady: Instant,
    /// By the system's clock.
    pub wall: Timestamp,
}

impl Moment {
    /// How much time has passed, by the clock that counted more: to stop without need costs a moment, to go on too long
    /// may cost a double publication.
    pub fn since(self, earlier: Self) -> Duration {
        let by_wall = Duration::try_from(self.wall.duration_since(earlier.wall)).unwrap_or_default();
        by_wall.max(self.steady.saturating_duration_since(earlier.steady))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TERM: LeaseTerm = LeaseTerm::new(Duration::from_secs(10));

    fn after(start: Moment, steady: Duration, wall: Duration) -> Moment {
        Moment { steady: start.steady + steady, wall: start.wall + wall }
    }

    fn start() -> Moment {
        Moment { steady: Instant::now(), wall: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_lease_is_renewed_at_a_third_and_relied_on_for_two() {
        let renewed = start();
        let at = |millis| after(renewed, Duration::from_millis(millis), Duration::from_millis(millis));
        assert!(!TERM.is_to_renew(renewed, at(3333)) && TERM.is_to_renew(renewed, at(3334)));
        assert!(TERM.is_current(renewed, at(6666)) && !TERM.is_current(renewed, at(6667)));
        assert_eq!(TERM.left(renewed, at(6666)), Duration::from_nanos(666_666));
        assert_eq!(TERM.left(renewed, at(60_000)), Duration::ZERO);
    }

    #[test]
    fn a_suspension_that_only_one_clock_counted_counts() {
        let (renewed, long) = (start(), Duration::from_secs(20));
        assert!(!TERM.is_current(renewed, after(renewed, Duration::ZERO, long)));
        assert!(!TERM.is_current(renewed, after(renewed, long, Duration::ZERO)));
        let set_back = Moment { wall: renewed.wall - long, ..renewed };
        assert_eq!(set_back.since(renewed), Duration::ZERO);
    }

    proptest! {
        /// The instance's clock is slow by up to a fourth, and requests and answers take any time.
        #[test]
        fn an_instance_has_stopped_before_another_can_acquire(
            to_grantor in 0_u64..20_000,
            slowness in 0_u64..25,
            elapsed in 0_u64..40_000,
        ) {
            let renewed = start();
            // In true time, from when the request was sent.
            let runs_out = Duration::from_millis(to_grantor) + TERM.ttl();
            let counted = Duration::from_millis(elapsed * (100 - slowness) / 100);
            if Duration::from_millis(elapsed) >= runs_out {
                prop_assert!(!TERM.is_current(renewed, after(renewed, counted, counted)));
            }
        }
    }
}
