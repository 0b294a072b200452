//! A source that is polled alone, and one among others, differ in a few ways. Many polls must not come all at once: that
//! would be a burst of calls, then silence. And nothing that goes wrong with one source may hold up another.

use std::{hash::Hasher as _, time::Duration};

use fnv::FnvHasher;

/// How much of a second passes between the first polls of two sources.
const STAGGER: Duration = Duration::from_millis(100);

/// How far an interval varies, to both sides.
const JITTER: f64 = 0.05;

/// Whether other sources are polled in the same process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Company {
    /// There is only one. If it cannot be read at all, nothing works, and the service ends.
    Alone,
    /// There are others, which must not notice what goes wrong with this one.
    Others(Spread),
}

/// Where the polls of a source are among those of the others. It follows from the source's id alone, so a restart changes
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// 0 to 1, evenly distributed over all sources.
    phase: f64,
    /// How long the first polls of all sources take.
    start: Duration,
}

impl Company {
    /// The company of a source among `all` sources.
    pub fn of(source: &str, all: usize) -> Self {
        if all < 2 {
            return Self::Alone;
        }
        let start = STAGGER.saturating_mul(u32::try_from(all).unwrap_or(u32::MAX));
        Self::Others(Spread { phase: phase(source), start })
    }

    /// Whether there are no others.
    pub fn is_alone(self) -> bool {
        self == Self::Alone
    }

    /// How long to wait before the first poll.
    pub(super) fn before_first(self) -> Option<Duration> {
        match self {
            Self::Alone => None,
            Self::Others(spread) => Some(spread.start.mul_f64(spread.phase)),
        }
    }

    /// How long to wait after a poll. After the first, the wait is shorter by the source's phase, so that all polls are
    /// evenly spread over the interval from then on. `random` is uniform in 0..1.
    pub(super) fn between(self, interval: Duration, is_first: bool, random: f64) -> Duration {
        match self {
            Self::Alone => interval,
            Self::Others(spread) if is_first => interval.mul_f64(1.0 - spread.phase),
            Self::Others(_) => interval.mul_f64(1.0 + JITTER * (2.0 * random - 1.0)),
        }
    }
}

/// A hash that is the same in every build, and the finalizer of `MurmurHash3`, because similar names must not have similar phases.
fn phase(source: &str) -> f64 {
    let mut hasher = FnvHasher::default();
    hasher.write(source.as_bytes());
    let hash = hasher.finish();
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    let upper = u32::try_from((mixed ^ (mixed >> 33)) >> 32).unwrap_or_default();
    f64::from(upper) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_single_source_is_polled_at_once_and_exactly_at_its_interval() {
        let alone = Company::of("net:town", 1);
        assert!(alone.is_alone());
        assert_eq!(alone.before_first(), None);
        for is_first in [true, false] {
            assert_eq!(alone.between(MINUTE, is_first, 0.9), MINUTE);
        }
    }

    #[test]
    fn a_hundred_sources_are_polled_evenly_over_the_interval() {
        let mut tenths = [0; 10];
        for number in 0..100 {
            let company = Company::of(&format!("net:town_{number}"), 100);
            let first = company.before_first().unwrap();
            assert!(first < Duration::from_secs(10), "{first:?}");
            let second = company.between(MINUTE, true, 0.0);
            assert!(second <= MINUTE);
            tenths[usize::try_from(second.as_secs() / 6).unwrap().min(9)] += 1;
            let later = company.between(MINUTE, false, 0.999);
            assert!(later > MINUTE && later < MINUTE.mul_f64(1.06), "{later:?}");
        }
        assert!(tenths.iter().all(|polls| (2..=25).contains(polls)), "{tenths:?}");
    }

    #[test]
    fn the_spread_follows_from_the_name_alone() {
        assert_eq!(Company::of("net:town", 5), Company::of("net:town", 5));
        assert_ne!(Company::of("net:town_1", 5), Company::of("net:town_2", 5));
    }
}
