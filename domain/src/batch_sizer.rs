//! Decides how many items go into one call. Large calls cost least, but an answer that is spoiled, cut off or too late
//! is lost for all of its items. And if nothing else is waiting, many small calls at once finish sooner than one large
//! one.
//!
//! - The size begins at the maximum. It is halved when a call of about that size was too large. It grows by one after
//!   as many full calls were answered as it has items: additive increase, multiplicative decrease, as in TCP (RFC
//!   5681).
//! - Calls of about the full size are also too large if they take half as long again *per item* as small ones; a
//!   service that is only busy is slow for both.
//! - If nothing else is waiting, the items at hand are spread over the free permits, as long as a call takes longer
//!   than people notice.

use std::time::Duration;

/// The longest delay that people do not notice: R. Miller, *Response time in man-computer conversational transactions*
/// (1968). A call that takes no longer is not divided, because each part would cost a call of its own.
const UNNOTICED: Duration = Duration::from_millis(100);

/// The mean is not trusted before this many calls.
const TRUSTED_AFTER: u32 = 4;

/// The size for one service. It reads no clock.
#[derive(Debug, Clone)]
pub struct BatchSizer {
    max: usize,
    size: usize,
    /// Full calls that were answered since the size last changed.
    full_calls: usize,
    /// Per item, for calls of more than half the size, and for others.
    large: Mean,
    small: Mean,
    /// Per call.
    call: Mean,
}

/// The outcome of a call, if it shows whether the size is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// It was answered after this long.
    Answered(Duration),
    /// The answer was spoiled as a whole, cut off, or never came.
    TooLarge,
}

/// A mean in which older values fade, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    micros: u64,
    count: u32,
}

impl Mean {
    fn add(&mut self, micros: u64) {
        self.count = self.count.saturating_add(1);
        let share = u64::from(self.count.min(8));
        // The bound keeps the sum from overflowing.
        let micros = micros.min(u64::MAX / 16);
        self.micros = (self.micros * (share - 1) + micros) / share;
    }

    fn get(self) -> Option<u64> {
        (self.count >= TRUSTED_AFTER).then_some(self.micros)
    }
}

impl BatchSizer {
    /// Creates the size for a service about which nothing is known; it never exceeds `max`, which is at least 1.
    pub fn new(max: usize) -> Self {
        let max = max.max(1);
        let mean = Mean::default();
        Self { max, size: max, full_calls: 0, large: mean, small: mean, call: mean }
    }

    /// The most items that go into a call now: 1 to [`BatchSizer::max`].
    pub fn size(&self) -> usize {
        self.size
    }

    /// The highest value that the size may reach.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Changes the highest value that the size may reach; it is at least 1. A size at the maximum stays at the maximum.
    pub fn set_max(&mut self, max: usize) {
        let max = max.max(1);
        if self.size == self.max || self.size > max {
            self.size = max;
        }
        self.max = max;
    }

    /// Records the outcome of a call of this many items.
    pub fn record(&mut self, items: usize, sample: Sample) {
        let items = items.max(1);
        let large = items.saturating_mul(2) > self.size;
        match sample {
            // Calls that were in flight when the size was halved must not halve it again.
            Sample::TooLarge if large => self.halve(items),
            Sample::TooLarge => {}
            Sample::Answered(took) => {
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                self.call.add(micros);
                let each = micros / u64::try_from(items).unwrap_or(u64::MAX);
                if !large {
                    return self.small.add(each);
                }
                self.large.add(each);
                if items > 1 && self.is_out_of_proportion() {
                    self.halve(items);
                } else if items >= self.size {
                    self.grow();
                }
            }
        }
    }

    fn is_out_of_proportion(&self) -> bool {
        let means = self.large.get().zip(self.small.get());
        means.is_some_and(|(large, small)| large > small.saturating_add(small / 2))
    }

    fn halve(&mut self, items: usize) {
        let half = (items / 2).max(1);
        if half < self.size {
            self.size = half;
            self.full_calls = 0;
            // The new size changes which calls count as large and small.
            (self.large, self.small) = (Mean::default(), Mean::default());
        }
    }

    fn grow(&mut self) {
        self.full_calls += 1;
        if self.full_calls >= self.size && self.size < self.max {
            self.size += 1;
            self.full_calls = 0;
        }
    }

    /// Over how many calls to spread `items` if nothing else is waiting and this many permits are free: at least 1.
    /// Half of the permits stay free for other callers.
    pub fn spread(&self, items: usize, free: usize) -> usize {
        let Some(micros) = self.call.get() else { return 1 };
        let noticed = Duration::from_micros(micros).as_millis() / UNNOTICED.as_millis();
        usize::try_from(noticed).unwrap_or(usize::MAX).min(free / 2).min(items).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_call_that_is_too_large_halves_the_size_once_for_all_calls_in_flight() {
        let mut sizer = BatchSizer::new(40);
        for _ in 0..64 {
            sizer.record(40, Sample::TooLarge);
        }
        assert_eq!(sizer.size(), 20);
        sizer.record(20, Sample::TooLarge);
        assert_eq!(sizer.size(), 10);
        for _ in 0..10 {
            let size = sizer.size();
            sizer.record(size, Sample::TooLarge);
        }
        assert_eq!(sizer.size(), 1);
    }

    #[test]
    fn a_small_call_that_fails_proves_nothing_about_large_ones() {
        let mut sizer = BatchSizer::new(40);
        sizer.record(1, Sample::TooLarge);
        sizer.record(20, Sample::TooLarge);
        assert_eq!(sizer.size(), 40);
    }

    #[test]
    fn the_size_grows_by_one_after_as_many_full_calls_as_it_has_items() {
        let mut sizer = BatchSizer::new(40);
        sizer.record(40, Sample::TooLarge);
        for _ in 0..19 {
            sizer.record(20, Sample::Answered(SECOND));
            sizer.record(5, Sample::Answered(SECOND));
        }
        assert_eq!(sizer.size(), 20);
        sizer.record(20, Sample::Answered(SECOND));
        assert_eq!(sizer.size(), 21);
    }

    #[test]
    fn the_size_shrinks_if_large_calls_take_longer_than_their_share() {
        let mut sizer = BatchSizer::new(40);
        for _ in 0..TRUSTED_AFTER {
            sizer.record(4, Sample::Answered(SECOND));
            // In proportion.
            sizer.record(40, Sample::Answered(SECOND * 10));
        }
        assert_eq!(sizer.size(), 40);
        for _ in 0..8 {
            sizer.record(40, Sample::Answered(SECOND * 30));
        }
        assert_eq!(sizer.size(), 20);
    }

    #[test]
    fn a_large_call_may_take_half_as_long_again_as_its_share() {
        let mut sizer = BatchSizer::new(40);
        for _ in 0..2 * TRUSTED_AFTER {
            sizer.record(4, Sample::Answered(SECOND));
            sizer.record(40, Sample::Answered(SECOND * 15));
        }
        assert_eq!(sizer.size(), 40);
        for _ in 0..2 * TRUSTED_AFTER {
            sizer.record(40, Sample::Answered(SECOND * 16));
        }
        assert_eq!(sizer.size(), 20);
    }

    #[test]
    fn a_small_call_never_shrinks_the_size() {
        let mut sizer = BatchSizer::new(40);
        for _ in 0..TRUSTED_AFTER {
            sizer.record(40, Sample::Answered(SECOND * 100));
        }
        for _ in 0..2 * TRUSTED_AFTER {
            sizer.record(2, Sample::Answered(SECOND));
        }
        assert_eq!(sizer.size(), 40);
        sizer.record(40, Sample::Answered(SECOND * 100));
        assert_eq!(sizer.size(), 20);
    }

    #[test]
    fn a_service_that_is_only_busy_gets_calls_of_the_same_size() {
        let mut sizer = BatchSizer::new(40);
        for seconds in [1, 5, 20] {
            for _ in 0..20 {
                sizer.record(4, Sample::Answered(SECOND * seconds));
                sizer.record(40, Sample::Answered(SECOND * 2 * seconds));
            }
        }
        assert_eq!(sizer.size(), 40);
    }

    #[test]
    fn items_are_spread_if_calls_are_long_and_permits_are_free() {
        let mut sizer = BatchSizer::new(40);
        assert_eq!(sizer.spread(30, 64), 1, "nothing is known yet");
        for _ in 0..TRUSTED_AFTER {
            sizer.record(1, Sample::Answered(Duration::from_millis(5)));
        }
        assert_eq!(sizer.spread(30, 64), 1, "too short to notice");
        for _ in 0..100 {
            sizer.record(20, Sample::Answered(SECOND));
        }
        assert!((9..=10).contains(&sizer.spread(30, 64)), "{}", sizer.spread(30, 64));
        assert_eq!(sizer.spread(30, 8), 4, "half of the permits");
        assert_eq!(sizer.spread(2, 64), 2);
        assert_eq!(sizer.spread(2, 0), 1);
    }

    #[test]
    fn a_new_maximum_takes_effect_at_once() {
        let mut sizer = BatchSizer::new(40);
        sizer.set_max(100);
        assert_eq!(sizer.size(), 100);
        sizer.record(100, Sample::TooLarge);
        sizer.set_max(80);
        assert_eq!(sizer.size(), 50);
        sizer.set_max(0);
        assert_eq!((sizer.size(), sizer.max()), (1, 1));
    }

    proptest! {
        #[test]
        fn the_size_stays_within_its_bounds_and_recovers_whatever_is_recorded(
            max in 0..120_usize,
            calls in proptest::collection::vec((0..200_usize, proptest::option::of(0..u64::MAX)), 0..300),
        ) {
            let mut sizer = BatchSizer::new(max);
            for (items, micros) in calls {
                sizer.record(items, micros.map_or(Sample::TooLarge, |micros| Sample::Answered(Duration::from_micros(micros))));
                prop_assert!((1..=sizer.max()).contains(&sizer.size()));
                prop_assert!((1..=items.max(1)).contains(&sizer.spread(items, 64)));
            }
            // 1 + 2 + … + 120 full calls are enough.
            for _ in 0..8000 {
                let size = sizer.size();
                sizer.record(size, Sample::Answered(SECOND));
            }
            prop_assert_eq!(sizer.size(), sizer.max());
        }
    }
}
