//! Ids as X makes them: the time is in the id, so order of ids is order of time, and `since_id` works.

use jiff::Timestamp;

/// X's epoch, in Unix milliseconds: `unix_ms = (id >> 22) + EPOCH_MS`.
const EPOCH_MS: i64 = 1_288_834_974_657;
const COUNTER_BITS: u32 = 22;

/// Makes ids that never repeat and carry the time they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Snowflakes {
    counter: u64,
}

impl Snowflakes {
    /// An id for something that happened at `at`, above `floor`.
    pub(crate) fn next(&mut self, at: Timestamp, floor: u64) -> u64 {
        self.counter = (self.counter + 1) & ((1 << COUNTER_BITS) - 1);
        let since_epoch = u64::try_from(at.as_millisecond() - EPOCH_MS).unwrap_or(0);
        // 41 bits of milliseconds: a date that a file states must not run over into the sign.
        let since_epoch = since_epoch.min((1 << 41) - 1);
        ((since_epoch << COUNTER_BITS) | self.counter).max(floor + 1)
    }
}

/// When the thing with this id came to be.
pub(crate) fn time_of(id: u64) -> Timestamp {
    let ms = i64::try_from(id >> COUNTER_BITS).unwrap_or(i64::MAX / 2) + EPOCH_MS;
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A time as X writes it: whole seconds, and three zeros for the milliseconds it knows but does not tell.
pub(crate) fn wire_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_time_to_the_millisecond() {
        // An id that X's own documentation prints with its creation time.
        assert_eq!(wire_time(time_of(1_212_092_628_029_698_048)), "2019-12-31T19:26:16.000Z");
        let at: Timestamp = "2026-11-23T08:00:00.123Z".parse().unwrap();
        let id = Snowflakes::default().next(at, 0);
        assert_eq!(time_of(id), at);
    }

    #[test]
    fn ids_of_one_millisecond_still_rise() {
        let at = Timestamp::now();
        let mut flakes = Snowflakes::default();
        let first = flakes.next(at, 0);
        assert!(flakes.next(at, first) > first);
    }
}
