//! One message on an account: its text, the message that it replies to, and the key under which it is published.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::{AccountId, PostId};

/// How many bits of a key are random.
const RANDOM_BITS: u32 = 80;

/// The distance between two keys of one millisecond, so that ids derived from their upper 67 bits also differ.
const STEP: u128 = 1 << 61;

/// The name that this installation gives a publication before anything is sent, so that a network can recognize a
/// repeat: as an idempotency key, or as the value from which the message's own id is derived.
///
/// 128 bits, written as 32 hexadecimal digits: 48 bits for the time in milliseconds, 80 random bits. So keys sort by
/// time, and a network whose ids contain a time can derive one from the key. Keys of one millisecond sort in the order
/// in which they were created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicationKey(u128);

impl PublicationKey {
    /// Creates an unused key for a publication that is intended at `now`.
    pub fn new(now: Timestamp) -> Self {
        static KEYS: Keys = Keys(Mutex::new(0));
        KEYS.next(now)
    }

    /// All 128 bits.
    pub fn bits(self) -> u128 {
        self.0
    }
}

/// Creates keys. Has the latest of them.
struct Keys(Mutex<u128>);

impl Keys {
    fn next(&self, now: Timestamp) -> PublicationKey {
        // Publications are never older than 1970, and no time in the calendar needs more than 48 bits.
        let moment = u128::try_from(now.as_millisecond()).unwrap_or_default();
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = if *latest >> RANDOM_BITS == moment {
            // Some hundred thousand keys later it would be the next millisecond.
            latest.saturating_add(STEP)
        } else {
            moment << RANDOM_BITS | fastrand::u128(..) >> (u128::BITS - RANDOM_BITS)
        };
        PublicationKey(*latest)
    }
}

impl fmt::Display for PublicationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text is not a publication key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a publication key, which has 32 hexadecimal digits")]
pub struct NoKey(String);

impl FromStr for PublicationKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let is_hexadecimal = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = if is_hexadecimal { u128::from_str_radix(text, 16).ok() } else { None };
        bits.map(Self).ok_or_else(|| NoKey(text.to_owned()))
    }
}

/// The message that a message replies to, on its account's network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reply {
    /// The first message of the thread. Some networks require it with every reply.
    pub root: PostId,
    /// The message just before this one.
    pub parent: PostId,
}

impl Reply {
    /// The reply of the next message of a thread, after `message`, which itself replied to `answered` or began the
    /// thread.
    pub fn behind(message: PostId, answered: Option<&Self>) -> Self {
        let root = answered.map_or_else(|| message.clone(), |reply| reply.root.clone());
        Self { root, parent: message }
    }
}

/// One message on an account: intended, and perhaps sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Which part of the job, counted from 0.
    pub part: u32,
    /// The account it is published on.
    pub account: AccountId,
    /// The exact text.
    pub text: String,
    /// Its key; `None` if a version of Mynah that chose none intended it.
    pub key: Option<PublicationKey>,
    /// The message that it replies to. Versions that chose no key did not record it.
    pub reply: Option<Reply>,
    /// When it was intended.
    pub intent_at: Timestamp,
    /// The newest message that Mynah had published on the account by then; `None` if there was none.
    pub after: Option<PostId>,
    /// Its id on the network, once it is known.
    pub remote_id: Option<PostId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_parses_back_and_sorts_by_its_time() {
        let [early, late] = [1_000, 1_001].map(|ms| Timestamp::from_millisecond(ms).unwrap());
        let (first, second) = (PublicationKey::new(early), PublicationKey::new(late));
        assert!(first < second && first.to_string() < second.to_string());
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!(first.bits() >> RANDOM_BITS, 1_000);
        assert_ne!(PublicationKey::new(early), first);
    }

    #[test]
    fn keys_of_one_millisecond_sort_in_the_order_of_their_creation() {
        let (keys, now) = (Keys(Mutex::new(0)), Timestamp::from_millisecond(1_000).unwrap());
        let created: Vec<_> = (0..1_000).map(|_| keys.next(now)).collect();
        assert!(created.windows(2).all(|two| two[0].bits() + STEP <= two[1].bits()));
    }

    #[test]
    fn a_text_that_is_not_a_key_is_refused() {
        let signed = format!("+{}", "0".repeat(31));
        for text in ["", "0", signed.as_str(), &"g".repeat(32), &"0".repeat(33)] {
            assert!(text.parse::<PublicationKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_time_of_the_calendar_fits_into_a_key() {
        let key = PublicationKey::new(Timestamp::MAX);
        let moment = u128::try_from(Timestamp::MAX.as_millisecond()).unwrap();
        assert_eq!(key.bits() >> RANDOM_BITS, moment);
    }

    #[test]
    fn every_message_of_a_thread_names_its_root() {
        let id = |id: &str| PostId(id.into());
        let second = Reply::behind(id("1"), None);
        assert_eq!(second, Reply { root: id("1"), parent: id("1") });
        assert_eq!(Reply::behind(id("2"), Some(&second)), Reply { root: id("1"), parent: id("2") });
    }
}
