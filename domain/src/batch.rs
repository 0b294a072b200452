//! How many items go into one call. Many in one call cost least; but an answer that is spoiled, cut off or too late is
//! lost for all of them, and with nothing else to do many small calls at once are sooner done than one large one.
//!
//! - The size begins at the most that is allowed. It is halved when a call of about that size was too much, and grows by
//!   one after as many full calls that went well as it has items: additive increase, multiplicative decrease, as in TCP
//!   (RFC 5681).
//! - Calls of about the full size that take half as long again *for each item* as small ones are too much, too: a service
//!   that is only busy is slow for both.
//! - Where nothing else waits, what is in hand is spread over the free places, as far as a call would take longer than
//!   anybody notices.

use std::time::Duration;

/// What nobody notices: R. Miller, *Response time in man-computer conversational transactions* (1968). A call that takes no
/// longer is not parted, as each part costs a call of its own.
const UNNOTICED: Duration = Duration::from_millis(100);

/// The mean is not believed before so many calls.
const BELIEVED: u32 = 4;

/// The size for one service. It reads no clock.
#[derive(Debug, Clone)]
pub struct Batch {
    most: usize,
    size: usize,
    /// Full calls that went well since it last changed.
    went_well: usize,
    /// For each item of calls of more than half the size, and of others.
    large: Mean,
    small: Mean,
    /// Of calls.
    call: Mean,
}

/// What became of a call, as far as it says something of its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// It was answered after this long.
    Well(Duration),
    /// The answer was spoiled as a whole, cut off, or never came.
    TooMuch,
}

/// A mean in which what was before fades, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    micros: u64,
    count: u32,
}

impl Mean {
    fn add(&mut self, micros: u64) {
        self.count = self.count.saturating_add(1);
        let share = u64::from(self.count.min(8));
        // Down and up alike; the bound keeps the sum from running over.
        let micros = micros.min(u64::MAX / 16);
        self.micros = (self.micros * (share - 1) + micros) / share;
    }

    fn get(self) -> Option<u64> {
        (self.count >= BELIEVED).then_some(self.micros)
    }
}

impl Batch {
    /// For a service of which nothing is known, with `most` items in a call at the very most; at least 1.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        let mean = Mean::default();
        Self { most, size: most, went_well: 0, large: mean, small: mean, call: mean }
    }

    /// The most items that go into a call now: 1 to [`Batch::most`].
    pub fn size(&self) -> usize {
        self.size
    }

    /// The most there may ever be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Has another number be the most there may ever be; at least 1. What was at the most stays there.
    pub fn set_most(&mut self, most: usize) {
        let most = most.max(1);
        if self.size == self.most || self.size > most {
            self.size = most;
        }
        self.most = most;
    }

    /// A call of so many items ended so.
    pub fn hear(&mut self, items: usize, took: Took) {
        let items = items.max(1);
        let large = items.saturating_mul(2) > self.size;
        match took {
            // What was under way when it was halved halves it no further.
            Took::TooMuch if large => self.halve(items),
            Took::TooMuch => {}
            Took::Well(took) => {
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
            self.begin_anew();
        }
    }

    fn grow(&mut self) {
        self.went_well += 1;
        if self.went_well >= self.size && self.size < self.most {
            self.size += 1;
            self.went_well = 0;
        }
    }

    /// What is large and what is small is another thing now.
    fn begin_anew(&mut self) {
        self.went_well = 0;
        (self.large, self.small) = (Mean::default(), Mean::default());
    }

    /// Over how many calls `items` are spread where nothing else waits and so many places are free: at least 1. Half of
    /// the places are left to who may come.
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
    fn too_much_halves_it_once_for_all_that_was_under_way() {
        let mut batch = Batch::new(40);
        for _ in 0..64 {
            batch.hear(40, Took::TooMuch);
        }
        assert_eq!(batch.size(), 20);
        batch.hear(20, Took::TooMuch);
        assert_eq!(batch.size(), 10);
        for _ in 0..10 {
            let size = batch.size();
            batch.hear(size, Took::TooMuch);
        }
        assert_eq!(batch.size(), 1);
    }

    #[test]
    fn a_small_call_that_fails_says_nothing_of_large_ones() {
        let mut batch = Batch::new(40);
        batch.hear(1, Took::TooMuch);
        batch.hear(20, Took::TooMuch);
        assert_eq!(batch.size(), 40);
    }

    #[test]
    fn it_grows_by_one_after_as_many_full_calls_as_it_has_items() {
        let mut batch = Batch::new(40);
        batch.hear(40, Took::TooMuch);
        for _ in 0..19 {
            batch.hear(20, Took::Well(SECOND));
            batch.hear(5, Took::Well(SECOND));
        }
        assert_eq!(batch.size(), 20);
        batch.hear(20, Took::Well(SECOND));
        assert_eq!(batch.size(), 21);
    }

    #[test]
    fn it_gives_way_where_large_calls_take_longer_than_their_share() {
        let mut batch = Batch::new(40);
        for _ in 0..BELIEVED {
            batch.hear(4, Took::Well(SECOND));
            // In proportion.
            batch.hear(40, Took::Well(SECOND * 10));
        }
        assert_eq!(batch.size(), 40);
        for _ in 0..8 {
            batch.hear(40, Took::Well(SECOND * 30));
        }
        assert_eq!(batch.size(), 20);
    }

    #[test]
    fn a_small_call_never_makes_it_smaller() {
        let mut batch = Batch::new(40);
        for _ in 0..BELIEVED {
            batch.hear(40, Took::Well(SECOND * 100));
        }
        for _ in 0..2 * BELIEVED {
            batch.hear(2, Took::Well(SECOND));
        }
        assert_eq!(batch.size(), 40);
        batch.hear(40, Took::Well(SECOND * 100));
        assert_eq!(batch.size(), 20);
    }

    #[test]
    fn a_service_that_is_only_busy_gets_as_much_in_a_call_as_before() {
        let mut batch = Batch::new(40);
        for seconds in [1, 5, 20] {
            for _ in 0..20 {
                batch.hear(4, Took::Well(SECOND * seconds));
                batch.hear(40, Took::Well(SECOND * 2 * seconds));
            }
        }
        assert_eq!(batch.size(), 40);
    }

    #[test]
    fn what_is_in_hand_is_spread_where_calls_are_long_and_places_are_free() {
        let mut batch = Batch::new(40);
        assert_eq!(batch.spread(30, 64), 1, "nothing is known yet");
        for _ in 0..BELIEVED {
            batch.hear(1, Took::Well(Duration::from_millis(5)));
        }
        assert_eq!(batch.spread(30, 64), 1, "nobody would notice");
        for _ in 0..100 {
            batch.hear(20, Took::Well(SECOND));
        }
        assert!((9..=10).contains(&batch.spread(30, 64)), "{}", batch.spread(30, 64));
        assert_eq!(batch.spread(30, 8), 4, "half of the places");
        assert_eq!(batch.spread(2, 64), 2);
        assert_eq!(batch.spread(2, 0), 1);
    }

    #[test]
    fn what_is_set_anew_holds_at_once() {
        let mut batch = Batch::new(40);
        batch.set_most(100);
        assert_eq!(batch.size(), 100);
        batch.hear(100, Took::TooMuch);
        batch.set_most(80);
        assert_eq!(batch.size(), 50);
        batch.set_most(0);
        assert_eq!((batch.size(), batch.most()), (1, 1));
    }

    proptest! {
        #[test]
        fn whatever_is_heard_it_stays_within_its_bounds_and_comes_back(
            most in 0..120_usize,
            heard in proptest::collection::vec((0..200_usize, proptest::option::of(0..u64::MAX)), 0..300),
        ) {
            let mut batch = Batch::new(most);
            for (items, micros) in heard {
                batch.hear(items, micros.map_or(Took::TooMuch, |micros| Took::Well(Duration::from_micros(micros))));
                prop_assert!((1..=batch.most()).contains(&batch.size()));
                prop_assert!((1..=items.max(1)).contains(&batch.spread(items, 64)));
            }
            // 1 + 2 + … + 120 full calls are enough.
            for _ in 0..8000 {
                let size = batch.size();
                batch.hear(size, Took::Well(SECOND));
            }
            prop_assert_eq!(batch.size(), batch.most());
        }
    }
}
