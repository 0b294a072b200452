//! Record keys that contain a time (TIDs, atproto.com/specs/tid): 53 bits of microseconds, 10 bits that tell clocks
//! apart. A repository lists its records in the order of their keys, so a TID is also a post's position.
//!
//! The TID of a message is derived from the key of its publication. So a message that is published again has the same
//! TID, and replaces itself.

use std::fmt;

use jiff::Timestamp;
use mynah_domain::PublicationKey;

/// The digits of base 32, in the order of their values, which is also their order as text.
const DIGITS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// The length of a TID.
const LENGTH: usize = 13;

/// How many values the bits after the microseconds have.
const CLOCKS: u64 = 1 << 10;

/// The latest millisecond whose microseconds fit into 53 bits: in the year 2255.
const LAST_MILLISECOND: u128 = ((1 << 53) - 1) / 1000 - 1;

/// A record key that contains a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tid(u64);

impl Tid {
    /// Reads a key; `None` if it is not a TID.
    pub(super) fn parse(key: &str) -> Option<Self> {
        if key.len() != LENGTH {
            return None;
        }
        let value = key.bytes().try_fold(0_u128, |value, byte| {
            let digit = DIGITS.iter().position(|digit| *digit == byte)?;
            Some(value << 5 | digit as u128)
        })?;
        // The highest bit of 64 is always zero.
        u64::try_from(value).ok().filter(|value| value >> 63 == 0).map(Self)
    }

    /// The TID of the message with this key. TIDs sort like their keys.
    pub(super) fn of(key: PublicationKey) -> Self {
        let (millisecond, random) = (key.bits() >> 80, key.bits() & ((1 << 80) - 1));
        let ticks = u128::from(1000 * CLOCKS);
        let tid = millisecond.min(LAST_MILLISECOND) * ticks + ((random * ticks) >> 80);
        // The last millisecond bounds it.
        Self(u64::try_from(tid).unwrap_or(u64::MAX >> 1))
    }

    /// A position for a record of this time whose key is not a TID.
    pub(super) fn at(moment: Timestamp) -> Self {
        let last = u64::MAX >> 1;
        Self(u64::try_from(moment.as_microsecond()).unwrap_or(0).saturating_mul(CLOCKS).min(last))
    }

    /// The same from its number.
    pub(super) fn numbered(number: u64) -> Option<Self> {
        (number >> 63 == 0).then_some(Self(number))
    }

    /// Its number: a later TID has a larger one.
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// The time in it.
    pub(super) fn moment(self) -> Timestamp {
        let microsecond = i64::try_from(self.0 / CLOCKS).unwrap_or(i64::MAX);
        Timestamp::from_microsecond(microsecond).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..LENGTH).rev() {
            let digit = self.0 >> (5 * place) & 31;
            write!(f, "{}", char::from(DIGITS[usize::try_from(digit).unwrap_or_default()]))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tid_parses_back_and_contains_its_time() {
        // From the specification's examples, and the first and last there can be.
        for text in ["3jzfcijpj2z2a", "2222222222222", "3zzzzzzzzzzzz", "bzzzzzzzzzzzz"] {
            assert_eq!(Tid::parse(text).map(|tid| tid.to_string()).as_deref(), Some(text), "{text}");
        }
        let moment: Timestamp = "2023-07-11T05:26:48.345678Z".parse().unwrap();
        assert_eq!(Tid::parse(&Tid::at(moment).to_string()).unwrap().moment(), moment);
        for text in
            ["", "3jzfcijpj2z2", "3jzfcijpj2z2aa", "3JZFCIJPJ2Z2A", "0000000000000", "zzzzzzzzzzzzz", "self"]
        {
            assert_eq!(Tid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn tids_sort_as_text_like_their_times() {
        let at = |second| Tid::at(Timestamp::from_second(second).unwrap()).to_string();
        assert!(at(0) < at(1) && at(1) < at(1_800_000_000) && at(1_800_000_000) < at(1_800_000_001));
    }

    #[test]
    fn a_key_always_makes_the_same_tid_and_a_later_key_a_later_one() {
        let now = Timestamp::from_millisecond(1_800_000_000_123).unwrap();
        let key = PublicationKey::new(now);
        assert_eq!(Tid::of(key).moment().as_millisecond(), now.as_millisecond());
        assert_eq!(Tid::of(key), Tid::of(key.to_string().parse().unwrap()));
        // The closest that two keys of one millisecond are.
        let keys = (0..10_000_u128).map(|number| (1_800_000_000_123 << 80) + (number << 61));
        let tids: Vec<Tid> = keys.map(|bits| Tid::of(format!("{bits:032x}").parse().unwrap())).collect();
        assert!(tids.windows(2).all(|two| two[0] < two[1]));
    }

    #[test]
    fn the_first_and_last_times_of_the_calendar_have_tids() {
        for second in [0, 9_999_999_999] {
            let now = Timestamp::from_second(second).unwrap();
            let tid = Tid::of(PublicationKey::new(now));
            assert!(Tid::parse(&tid.to_string()) == Some(tid), "{now}");
        }
        assert!(Tid::parse(&Tid::of(PublicationKey::new(Timestamp::MAX)).to_string()).is_some());
        assert_eq!(Tid::at(Timestamp::MIN).number(), 0);
    }
}
