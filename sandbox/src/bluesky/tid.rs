//! Timestamp identifiers (TIDs), which name records and revisions: 53 bits of microseconds and 10 bits of a clock's id,
//! in a base 32 whose order as text is the order of time (atproto.com/specs/tid).

use jiff::Timestamp;

const DIGITS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 13;
const CLOCKS: u64 = 1 << 10;
/// This server's clock.
const CLOCK: u64 = 7;

/// Creates TIDs, each later than the one before.
#[derive(Debug, Default)]
pub(super) struct Tids {
    last: u64,
}

impl Tids {
    /// A TID for something that happens at `at`, or right after the last TID.
    pub(super) fn next(&mut self, at: Timestamp) -> String {
        self.last = self.last.max(micros(at).saturating_sub(1)) + 1;
        write(self.last * CLOCKS + CLOCK)
    }
}

/// A TID for a record that is loaded with its own time, later than `floor`.
pub(super) fn at(at: Timestamp, floor: Option<&str>) -> String {
    let floor = floor.and_then(number).map_or(0, |number| number / CLOCKS + 1);
    write(micros(at).max(floor) * CLOCKS + CLOCK)
}

/// The number that a TID stands for; none if it is not a TID.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.len() != LENGTH {
        return None;
    }
    let value = text.bytes().try_fold(0_u128, |value, byte| {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        Some((value << 5) | digit as u128)
    })?;
    u64::try_from(value).ok().filter(|value| value >> 63 == 0)
}

fn micros(at: Timestamp) -> u64 {
    // 53 bits: a date from a file must not overflow.
    u64::try_from(at.as_microsecond()).unwrap_or(0).min((1 << 53) - 2)
}

fn write(number: u64) -> String {
    (0..LENGTH).rev().map(|place| char::from(DIGITS[((number >> (5 * place)) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tids_sort_as_text_in_the_order_of_time_and_never_repeat() {
        let now: Timestamp = "2026-11-27T09:46:22Z".parse().unwrap();
        let mut tids = Tids::default();
        let made = [tids.next(now), tids.next(now), tids.next(now - jiff::SignedDuration::from_hours(1))];
        assert!(made.is_sorted() && made.iter().all(|tid| number(tid).is_some()), "{made:?}");
        assert!(made[0] < made[1] && made[1] < made[2]);
        assert!(made[0].starts_with("3n3bv"), "as on a real server at that time: {}", made[0]);
        let loaded = at(now, Some(&made[2]));
        assert!(loaded > made[2]);
    }

    #[test]
    fn only_a_tid_is_a_tid() {
        for wrong in ["", "self", "3l3qo2vuowo2", "zzzzzzzzzzzzz", "3L3QO2VUOWO2B", "0000000000000"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
