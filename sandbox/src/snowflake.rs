//! Ids like X's: each contains its time, so the order of ids is the order of time, and `since_id` works.

use jiff::Timestamp;

/// X's epoch, in Unix milliseconds: `unix_ms = (id >> 22) + EPOCH_MS`.
const EPOCH_MS: i64 = 1_288_834_974_657;
const COUNTER_BITS: u32 = 22;

/// Creates unique ids that contain a given time.
#[derive(Debug, Default)]
pub(crate) struct Snowflakes {
    counter: u64,
}

impl Snowflakes {
    /// An id for an event at `at`, above `floor`.
    pub(crate) fn next(&mut self, at: Timestamp, floor: u64) -> u64 {
        self.counter = (self.counter + 1) & ((1 << COUNTER_BITS) - 1);
        let since_epoch = u64::try_from(at.as_millisecond() - EPOCH_MS).unwrap_or(0);
        // 41 bits of milliseconds: a date from a file must not overflow into the sign.
        let since_epoch = since_epoch.min((1 << 41) - 1);
        ((since_epoch << COUNTER_BITS) | self.counter).max(floor + 1)
    }
}

/// The time in an id.
pub(crate) fn time_of(id: u64) -> Timestamp {
    let ms = i64::try_from(id >> COUNTER_BITS).unwrap_or(i64::MAX / 2) + EPOCH_MS;
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A time as X writes it: whole seconds, with zeros instead of the milliseconds that it knows.
pub(crate) fn wire_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_contains_its_time_to_the_millisecond() {
        // An id that X's documentation shows with its creation time.
        assert_eq!(wire_time(time_of(1_212_092_628_029_698_048)), "2019-12-31T19:26:16.000Z");
        let at: Timestamp = "2026-11-23T08:00:00.123Z".parse().unwrap();
        let id = Snowflakes::default().next(at, 0);
        assert_eq!(time_of(id), at);
    }

    #[test]
    fn ids_of_one_millisecond_still_increase() {
        let at = Timestamp::now();
        let mut flakes = Snowflakes::default();
        let first = flakes.next(at, 0);
        assert!(flakes.next(at, first) > first);
    }
}
