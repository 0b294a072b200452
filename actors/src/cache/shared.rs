//! Asks the cache that several instances share, and never lets anybody wait for it: a call that takes longer than
//! [`PATIENCE`] counts as unanswered, and after a few of those no call is made until the server answers a ping again.
//! Without it, there are fewer hits, and nothing else.
//!
//! What comes from it is not trusted: a value that is not a translation of exactly this key is none, and a translation
//! passes the gate like every other.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use log::{info, warn};
use mynah_domain::{
    backoff::Backoff,
    breaker::{Breaker, BreakerPolicy, CallOutcome},
    ports::shared_cache::{Claimed, SharedCache, SharedCacheError, SharedEntry, SharedKey},
};

use super::{Key, entries::Entry, snapshot};
use crate::stats::Meter;

/// The longest that anybody waits for a call.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// How long a claim lasts if its holder dies. Nobody waits for it that long.
const CLAIM: Duration = Duration::from_secs(10);

/// How often to ping a server that answers, so that people learn that it is away before a post does.
const PING: Duration = Duration::from_secs(5);

/// When to stop asking, and how often to ping a server that is away.
const BREAKER: BreakerPolicy = BreakerPolicy {
    failures: 3,
    pause: Backoff { base: Duration::from_secs(1), max: Duration::from_secs(10) },
    trial: Duration::from_secs(1),
};

/// The name in the stats.
const SERVICE: &str = "cache.shared";

/// The cache that several instances share. Clones share the breaker.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    cache: Arc<dyn SharedCache>,
    /// What people call it, without a password.
    name: String,
    meter: Meter,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    /// Why the last call did not succeed, if it did not.
    last_failure: Option<String>,
    /// Why nothing is stored, if so.
    refusal: Option<String>,
}

/// A claim on a key, to be released when its value is stored or will not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token(Arc<str>);

/// What is known about a key that was claimed.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The translation, if it is there by now.
    pub(crate) entry: Option<Entry>,
    /// The claim, if it was granted.
    pub(crate) token: Option<Token>,
    /// Whether another instance provides the translation.
    pub(crate) is_taken: bool,
}

impl Shared {
    /// A cache that is presumed to answer. Its name, which people see, must contain no secret.
    pub fn new(cache: Arc<dyn SharedCache>, name: String, meter: Meter) -> Self {
        let state = State { breaker: Breaker::new(BREAKER), last_failure: None, refusal: None };
        Self(Arc::new(Inner { cache, name, meter, state: Mutex::new(state) }))
    }

    /// The translations of these keys; `None` for each that there is not.
    pub(crate) async fn get(&self, keys: &[Key]) -> Vec<Option<Entry>> {
        let shared: Vec<_> = keys.iter().map(|key| SharedKey(key.0)).collect();
        let values = self.call("get", self.0.cache.get(&shared)).await.unwrap_or_default();
        let values = values.into_iter().chain(std::iter::repeat(None));
        let entries: Vec<_> = keys.iter().zip(values).map(|(key, value)| read(*key, value)).collect();
        let hits = entries.iter().flatten().count();
        self.0.meter.count("cache.shared.hits", hits as u64);
        self.0.meter.count("cache.shared.misses", (keys.len() - hits) as u64);
        entries
    }

    /// Claims these keys, so that other instances wait a moment for their translations. If that is impossible, nobody
    /// else has them.
    pub(crate) async fn claim(&self, keys: &[Key]) -> Vec<Claim> {
        let shared: Vec<_> = keys.iter().map(|key| SharedKey(key.0)).collect();
        let token: Arc<str> = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)).into();
        let claimed = self.call("claim", self.0.cache.claim(&shared, &token, CLAIM)).await;
        let claimed =
            claimed.unwrap_or_default().into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        let claim = |(key, claimed): (&Key, Option<Claimed>)| match claimed {
            None => Claim { entry: None, token: None, is_taken: false },
            Some(Claimed { value, is_granted }) => Claim {
                entry: read(*key, value),
                token: is_granted.then(|| Token(token.clone())),
                is_taken: !is_granted,
            },
        };
        keys.iter().zip(claimed).map(claim).collect()
    }

    /// Stores translations, and releases claims. Nobody waits for it.
    pub(crate) async fn put(&self, entries: Vec<(Key, Entry)>, claims: Vec<(Key, Token)>) {
        let now = Timestamp::now();
        let entry = |(key, entry): &(Key, Entry)| {
            let ttl = Duration::try_from(entry.expires.duration_since(now)).ok()?;
            Some(SharedEntry { key: SharedKey(key.0), value: snapshot::line(*key, entry)?, ttl })
        };
        let entries: Vec<_> = entries.iter().filter_map(entry).collect();
        if !entries.is_empty() {
            let stored = self.attempt("put", self.0.cache.put(&entries)).await;
            match stored {
                Some(Err(SharedCacheError::Refused(why))) => self.with(|state| state.refusal = Some(why)),
                Some(Ok(())) => self.with(|state| state.refusal = None),
                Some(Err(SharedCacheError::Unavailable(_))) | None => {}
            }
        }
        let mut tokens: Vec<(Token, Vec<SharedKey>)> = Vec::new();
        for (key, token) in claims {
            match tokens.iter_mut().find(|(known, _)| *known == token) {
                Some((_, keys)) => keys.push(SharedKey(key.0)),
                None => tokens.push((token, vec![SharedKey(key.0)])),
            }
        }
        for (Token(token), keys) in tokens {
            self.call("release", self.0.cache.release(&keys, &token)).await;
        }
    }

    /// Removes translations. Answers whether they are removed.
    pub(crate) async fn remove(&self, keys: &[Key]) -> bool {
        let keys: Vec<_> = keys.iter().map(|key| SharedKey(key.0)).collect();
        self.call("remove", self.0.cache.remove(&keys)).await.is_some()
    }

    /// Finds out at intervals whether the server answers, for as long as it is polled.
    pub async fn watch(self) {
        loop {
            // With an open breaker, only this asks, so that no post waits for a server that is away.
            let wait = match self.permit_ping() {
                Ok(()) => {
                    let started = Instant::now();
                    // The breaker has the outcome.
                    let _ = self.settle("ping", started, self.timed(self.0.cache.ping()).await);
                    PING
                }
                Err(until) => until.saturating_duration_since(Instant::now()),
            };
            let pause = if self.is_well() { wait } else { wait.min(BREAKER.pause.base) };
            tokio::time::sleep(pause.max(Duration::from_millis(100))).await;
        }
    }

    /// Why it is of no use, or of less use than it should be, if so.
    pub fn trouble(&self) -> Option<String> {
        let name = &self.0.name;
        self.with(|state| {
            if state.breaker.is_open() {
                let why = state.last_failure.as_deref().unwrap_or_default();
                return Some(format!(
                    "the shared cache {name} is away ({why}), so texts that other instances translated are translated again; Mynah tries it again by itself"
                ));
            }
            let why = state.refusal.as_ref()?;
            Some(format!("the shared cache {name} stores nothing ({why}); `mynah check` says what to do"))
        })
    }

    /// Whether the last call succeeded.
    fn is_well(&self) -> bool {
        self.with(|state| state.last_failure.is_none() && !state.breaker.is_open())
    }

    fn is_away(&self) -> bool {
        self.with(|state| state.breaker.is_open())
    }

    fn permit_ping(&self) -> Result<(), Instant> {
        self.with(|state| state.breaker.permit(Instant::now()))
    }

    /// Makes a call, unless the server is away. `None` without an answer that is of use.
    async fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, SharedCacheError>>,
    ) -> Option<T> {
        self.attempt(operation, call).await?.ok()
    }

    /// The same, with what the server answered; `None` if it was not asked.
    async fn attempt<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, SharedCacheError>>,
    ) -> Option<Result<T, SharedCacheError>> {
        if self.is_away() {
            return None;
        }
        let started = Instant::now();
        Some(self.settle(operation, started, self.timed(call).await))
    }

    async fn timed<T>(
        &self,
        call: impl Future<Output = Result<T, SharedCacheError>>,
    ) -> Result<T, SharedCacheError> {
        tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(|_| {
            Err(SharedCacheError::Unavailable(format!("no answer within {} ms", PATIENCE.as_millis())))
        })
    }

    /// Records how a call ended.
    fn settle<T>(
        &self,
        operation: &'static str,
        started: Instant,
        answer: Result<T, SharedCacheError>,
    ) -> Result<T, SharedCacheError> {
        let (outcome, kind) = match &answer {
            Ok(_) => (CallOutcome::Answered, None),
            Err(SharedCacheError::Refused(_)) => (CallOutcome::Answered, Some("refused")),
            Err(SharedCacheError::Unavailable(_)) => (CallOutcome::Silent, Some("unavailable")),
        };
        let meter = &self.0.meter;
        meter.called(SERVICE, operation, started.elapsed(), kind);
        meter.count("cache.shared.errors", u64::from(kind.is_some()));
        let failure = answer.as_ref().err().map(ToString::to_string);
        let (before, after) = self.with(|state| {
            let before = state.breaker.is_open();
            state.breaker.record(outcome, Instant::now(), fastrand::f64());
            state.last_failure.clone_from(&failure);
            (before, state.breaker.is_open())
        });
        let name = self.0.name.as_str();
        if after && !before {
            warn!(cache = name, reason = failure.unwrap_or_default().as_str(); "shared cache away");
        }
        if before && !after {
            info!(cache = name; "shared cache back");
        }
        answer
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // No operation under the lock leaves the state half changed.
        act(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A value as an entry, if it is one of this key that has not expired.
fn read(key: Key, value: Option<Vec<u8>>) -> Option<Entry> {
    let (of, entry) = snapshot::read_line(&value?)?;
    (of == key && entry.expires > Timestamp::now()).then_some(entry)
}

#[cfg(test)]
mod tests {
    use mynah_domain::{
        fixtures::{
            mask,
            shared_cache::{MemorySharedCache, Mood},
        },
        ports::SharedCache as _,
    };

    use super::*;

    fn shared() -> (Arc<MemorySharedCache>, Shared) {
        let memory = Arc::new(MemorySharedCache::default());
        (memory.clone(), Shared::new(memory, "redis://cache".into(), Meter::default()))
    }

    fn key(number: u8) -> Key {
        Key([number; 16])
    }

    fn entry(text: &str) -> Entry {
        let expires = Timestamp::now() + Duration::from_hours(1);
        Entry { text: Arc::new(mask(text).text), expires }
    }

    #[actix_rt::test]
    async fn what_one_instance_stores_another_one_reads() {
        let (memory, one) = shared();
        let other = Shared::new(memory.clone(), String::new(), Meter::default());
        one.put(vec![(key(1), entry("Hola https://a.example/1"))], vec![]).await;
        let found = other.get(&[key(1), key(2)]).await;
        assert_eq!(found[0].as_ref().unwrap().text, entry("Hola https://a.example/1").text);
        assert!(found[1].is_none());
        assert_eq!(memory.calls(), 2, "one call for all keys");
        assert!(other.remove(&[key(1)]).await);
        assert!(one.get(&[key(1)]).await[0].is_none());
    }

    #[actix_rt::test]
    async fn only_one_instance_gets_a_claim_until_it_stores_the_value() {
        let (memory, one) = shared();
        let other = Shared::new(memory.clone(), String::new(), Meter::default());
        let mine = one.claim(&[key(1)]).await.remove(0);
        let theirs = other.claim(&[key(1)]).await.remove(0);
        assert!(mine.token.is_some() && !mine.is_taken && mine.entry.is_none());
        assert!(theirs.token.is_none() && theirs.is_taken && theirs.entry.is_none());
        one.put(vec![(key(1), entry("Hola"))], vec![(key(1), mine.token.unwrap())]).await;
        assert_eq!(memory.claims(), 0);
        let theirs = other.claim(&[key(1)]).await.remove(0);
        assert!(theirs.entry.is_some() && theirs.token.is_some());
    }

    #[actix_rt::test]
    async fn a_value_that_is_no_translation_of_its_key_is_a_miss() {
        let (memory, shared) = shared();
        let spoils: [fn(&mut Vec<u8>); 6] = [
            |value| value.truncate(value.len() / 2),
            |value| value.clear(),
            |value| *value = b"\xff\x00garbage".to_vec(),
            |value| value.extend_from_slice(b"{}"),
            |value| *value = String::from_utf8_lossy(value).replace("0101", "0202").into_bytes(),
            |value| {
                *value =
                    String::from_utf8_lossy(value).replace("\"expires\":\"2", "\"expires\":\"1").into_bytes();
            },
        ];
        for spoil in spoils {
            shared.put(vec![(key(1), entry("Hola"))], vec![]).await;
            assert!(shared.get(&[key(1)]).await[0].is_some());
            memory.spoil(spoil);
            assert!(shared.get(&[key(1)]).await[0].is_none(), "{:?}", memory.values());
        }
    }

    #[actix_rt::test]
    async fn a_cache_that_does_not_answer_is_no_longer_asked_and_people_are_told() {
        let (memory, shared) = shared();
        memory.set_mood(Mood::Silent);
        let begun = Instant::now();
        for _ in 0..100 {
            assert!(shared.get(&[key(1)]).await[0].is_none());
            assert!(!shared.claim(&[key(1)]).await[0].is_taken);
        }
        assert_eq!(memory.calls(), 3);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        let trouble = shared.trouble().unwrap();
        assert!(trouble.contains("redis://cache is away (no answer within 50 ms)"), "{trouble}");
    }

    #[actix_rt::test]
    async fn a_cache_that_is_back_is_used_again() {
        let (memory, shared) = shared();
        shared.put(vec![(key(1), entry("Hola"))], vec![]).await;
        memory.set_mood(Mood::Away);
        let watch = actix_rt::spawn(shared.clone().watch());
        for _ in 0..3 {
            shared.get(&[key(1)]).await;
        }
        assert!(shared.trouble().is_some());
        memory.set_mood(Mood::Well);
        while shared.trouble().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(shared.get(&[key(1)]).await[0].is_some());
        watch.abort();
    }

    #[actix_rt::test]
    async fn a_full_cache_is_still_read() {
        let (memory, shared) = shared();
        shared.put(vec![(key(1), entry("Hola"))], vec![]).await;
        memory.set_mood(Mood::Full);
        for _ in 0..10 {
            shared.put(vec![(key(2), entry("Adiós"))], vec![]).await;
        }
        assert!(shared.get(&[key(1)]).await[0].is_some());
        assert!(!shared.claim(&[key(2)]).await[0].is_taken);
        let trouble = shared.trouble().unwrap();
        assert!(trouble.contains("stores nothing (OOM)"), "{trouble}");
        memory.set_mood(Mood::Well);
        shared.put(vec![(key(2), entry("Adiós"))], vec![]).await;
        assert_eq!(shared.trouble(), None);
        assert_eq!(memory.ping().await, Ok(()));
    }
}
