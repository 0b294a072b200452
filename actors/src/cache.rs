//! Avoids paying twice for the same translation. The cache looks up *masked text, language, style and engine*, so a
//! template with a new link is a hit. If several workers want the same key, one asks the engine and the others wait for
//! its answer.
//!
//! The cache stores only translations that passed the gate: the worker that leads a key hands in its translation with
//! the [`Lead`]. If a lead is dropped without one, all waiting workers ask again, and the first to ask
//! leads. The cache gives a lead only to a worker that asks, never to one that waits: a lead that nobody has read yet
//! would block all the others.

mod snapshot;
pub mod store;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult, WrapFuture,
};
use jiff::Timestamp;
use log::warn;
use mynah_domain::{Language, Style, text::MaskedText};
use sha2::{Digest, Sha256};
use store::{Entry, Store};
use tokio::sync::oneshot;

use crate::{
    failpoint,
    supervision::{ActorRef, ExitGuard, HealthRegistry, Heartbeat, handles_tracked, shell::StopAsked},
};

/// Settings of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// The most translations to store. The least used are evicted first.
    pub max_entries: u64,
    /// How long a translation is stored.
    pub ttl: Duration,
    /// The file that preserves the cache across restarts.
    pub file: PathBuf,
    /// How often the file is written.
    pub snapshot_interval: Duration,
}

/// The key of a translation: a digest, so that long posts cost no more than short ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// Makes the key from everything that a translation depends on: the masked text, the languages, the style, the
    /// posts before it, its maximum length, and the engine (by name and revision).
    pub fn new(
        text: &str,
        (from, to): (Language, Language),
        style: &Style,
        context: &[String],
        max: usize,
        engine: &str,
    ) -> Self {
        let mut digest = Sha256::new();
        let (adapt, max) = (if style.adapt { "adapt" } else { "" }, max.to_string());
        let fixed =
            [from.code(), to.code(), style.tone.as_str(), adapt, &style.instructions, &max, engine, text];
        for part in fixed.into_iter().chain(context.iter().map(String::as_str)) {
            // The length before each part keeps two different lists of parts from having the same key.
            digest.update(part.len().to_le_bytes());
            digest.update(part.as_bytes());
        }
        let mut key = [0; 16];
        // Half of the digest: the chance of a collision among a billion texts is one in 10^19.
        key.copy_from_slice(&digest.finalize()[..16]);
        Self(key)
    }
}

/// Serializes writes to disk. They are throttled, except at shutdown.
#[derive(Default)]
struct Disk {
    writing: Mutex<()>,
    hurry: AtomicBool,
}

/// The cache actor.
pub struct Cache {
    exit_guard: Option<ExitGuard>,
    heartbeat: Heartbeat,
    settings: CacheSettings,
    store: Store,
    /// The workers that wait for a key that another worker leads.
    flights: HashMap<Key, Vec<oneshot::Sender<Arc<MaskedText>>>>,
    link: ActorRef<Cache>,
    changed: bool,
    disk: Arc<Disk>,
    /// Whether no entries were loaded or filled in.
    is_cold: bool,
}

impl Cache {
    /// Creates a cache and loads the entries that an earlier process saved.
    pub fn new(exit_guard: ExitGuard, settings: CacheSettings, link: ActorRef<Self>) -> Self {
        let store = Store::new(settings.max_entries);
        let mut is_cold = true;
        match snapshot::load(&settings.file) {
            Ok(before) => {
                is_cold = before.is_empty();
                for (key, entry) in before {
                    store.insert(key, &entry);
                }
            }
            // The cache can be rebuilt; the service continues without it.
            Err(error) => warn!(reason:% = error; "cache load failed"),
        }
        let heartbeat = exit_guard.heartbeat();
        Self {
            exit_guard: Some(exit_guard),
            heartbeat,
            settings,
            store,
            flights: HashMap::new(),
            link,
            changed: false,
            disk: Arc::default(),
            is_cold,
        }
    }

    /// Starts a cache on this thread without a supervisor, for measurements.
    pub fn unsupervised(settings: CacheSettings) -> ActorRef<Self> {
        let (exits, _) = tokio::sync::mpsc::unbounded_channel();
        let exit_guard = ExitGuard::new("cache", 1, HealthRegistry::default(), exits);
        let link = ActorRef::new();
        link.point_at(Self::new(exit_guard, settings, link.clone()).start());
        link
    }

    /// Answers a key with its translation, with the lead, or with a wait for the worker that leads.
    fn answer(&mut self, key: Key) -> Answer {
        if let Some(text) = self.store.get(&key) {
            return Answer::Hit(text);
        }
        if let Some(waiting) = self.flights.get_mut(&key) {
            let (sender, receiver) = oneshot::channel();
            waiting.push(sender);
            return Answer::Wait(Wait(receiver));
        }
        self.flights.insert(key, Vec::new());
        Answer::Lead(Lead { key, cache: self.link.clone(), landed: false })
    }

    fn land(&mut self, key: Key, text: Option<Arc<MaskedText>>) {
        // Without a text, dropping the senders wakes the waiting workers.
        let waiting = self.flights.remove(&key).unwrap_or_default();
        let Some(text) = text else { return };
        let ttl = self.settings.ttl;
        let expires = Timestamp::now().saturating_add(ttl).unwrap_or(Timestamp::MAX);
        self.store.insert(key, &Entry { text: text.clone(), expires });
        self.changed = true;
        for sender in waiting {
            // A worker that no longer waits needs no answer.
            let _ = sender.send(text.clone());
        }
    }

    /// Writes the entries to disk, off this thread.
    fn write(&mut self) -> impl Future<Output = ()> + use<> {
        let changed = std::mem::take(&mut self.changed);
        let (store, file, disk) = (self.store.clone(), self.settings.file.clone(), self.disk.clone());
        async move {
            if !changed {
                return;
            }
            failpoint::reach("cache.spawned");
            let write = move || {
                // If a write panicked, its temporary file is still there; the next write replaces it.
                let _guard = disk.writing.lock().unwrap_or_else(PoisonError::into_inner);
                snapshot::save(&file, &store, &disk.hurry)
            };
            let written = actix_rt::task::spawn_blocking(write).await;
            match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(reason:% = error; "cache save failed"),
                Err(error) => warn!(reason:% = error; "cache save failed"),
            }
        }
    }
}

handles_tracked!(Cache: Look, Landed, AskCold, Fill, StopAsked);

impl Actor for Cache {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        failpoint::reach("cache.started");
        ctx.run_interval(self.settings.snapshot_interval, |cache, ctx| {
            failpoint::reach("cache.interval");
            if matches!(cache.disk.writing.try_lock(), Err(TryLockError::WouldBlock)) {
                // The next write includes what arrived in the meantime.
                return;
            }
            let write = cache.write();
            ctx.spawn(write.into_actor(cache));
        });
    }
}

/// Looks up several keys at once, each given once. The caller must land or drop all its leads before it waits for a
/// [`Wait`], or two callers may deadlock.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Answer>")]
pub struct Look(
    /// The keys.
    pub Vec<Key>,
);

/// The cache's answer for one key.
#[derive(Debug)]
pub enum Answer {
    /// The translation.
    Hit(Arc<MaskedText>),
    /// The cache has no translation: the caller must find one.
    Lead(Lead),
    /// Another worker is finding one.
    Wait(Wait),
}

/// The right and the duty to find a key's translation.
pub struct Lead {
    key: Key,
    cache: ActorRef<Cache>,
    landed: bool,
}

impl std::fmt::Debug for Lead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lead({:?})", self.key)
    }
}

impl Lead {
    /// Hands in a translation that passed the gate.
    pub fn land(self, text: MaskedText) {
        Self::land_all(vec![(self, text)]);
    }

    /// Lands several translations of one cache in one message, because each message wakes the cache's thread.
    pub fn land_all(leads: Vec<(Self, MaskedText)>) {
        let Some(cache) = leads.first().map(|(lead, _)| lead.cache.clone()) else { return };
        let landings = leads.into_iter().map(|(mut lead, text)| {
            lead.landed = true;
            (lead.key, Some(Arc::new(text)))
        });
        // If a landing were lost, the workers that wait for it would wait forever.
        cache.tell_unbounded(Landed(landings.collect()));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // This may run while unwinding; sending never panics.
        if !self.landed {
            self.cache.tell_unbounded(Landed(vec![(self.key, None)]));
        }
    }
}

/// Waits for the translation that another worker leads.
#[derive(Debug)]
pub struct Wait(oneshot::Receiver<Arc<MaskedText>>);

impl Wait {
    /// Returns the translation, or `None` if the leader gave up or the cache exited; then the caller must look up the
    /// key again.
    pub async fn answer(self) -> Option<Arc<MaskedText>> {
        self.0.await.ok()
    }
}

impl Handler<Look> for Cache {
    type Result = MessageResult<Look>;

    fn handle(&mut self, Look(keys): Look, _: &mut Self::Context) -> Self::Result {
        failpoint::reach("cache.handler");
        let answers = keys.into_iter().map(|key| self.answer(key)).collect();
        self.heartbeat.progress();
        MessageResult(answers)
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Landed(Vec<(Key, Option<Arc<MaskedText>>)>);

impl Handler<Landed> for Cache {
    type Result = ();

    fn handle(&mut self, Landed(landings): Landed, _: &mut Self::Context) {
        for (key, text) in landings {
            self.land(key, text);
        }
    }
}

/// Asks whether no entries were loaded at the start or filled in since.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct AskCold;

impl Handler<AskCold> for Cache {
    type Result = bool;

    fn handle(&mut self, _: AskCold, _: &mut Self::Context) -> bool {
        self.is_cold
    }
}

/// Fills in earlier translations, each until it expires. Existing entries stay.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Fill(
    /// Translations that passed the gate.
    pub Vec<(Key, Entry)>,
);

impl Handler<Fill> for Cache {
    type Result = ();

    fn handle(&mut self, Fill(entries): Fill, _: &mut Self::Context) {
        self.is_cold = false;
        for (key, entry) in entries {
            if !self.store.has(&key) && entry.expires > Timestamp::now() {
                self.store.insert(key, &entry);
                self.changed = true;
            }
        }
    }
}

impl Handler<StopAsked> for Cache {
    type Result = ();

    fn handle(&mut self, asked: StopAsked, ctx: &mut Self::Context) {
        self.disk.hurry.store(true, Ordering::Relaxed);
        let write = self.write();
        ctx.spawn(write.into_actor(self).map(|(), cache, ctx| {
            if let Some(exit_guard) = cache.exit_guard.take() {
                exit_guard.exit(asked.exit_reason());
            }
            ctx.stop();
        }));
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::text::Segment;

    use super::*;

    struct Store {
        link: ActorRef<Cache>,
        exits: tokio::sync::mpsc::UnboundedReceiver<crate::supervision::Exit>,
    }

    fn cache(file: PathBuf) -> Store {
        let (exits, receiver) = tokio::sync::mpsc::unbounded_channel();
        let exit_guard = ExitGuard::new("cache", 1, HealthRegistry::default(), exits);
        let settings = CacheSettings {
            max_entries: 10,
            ttl: Duration::from_hours(1),
            file,
            snapshot_interval: Duration::from_hours(1),
        };
        let link = ActorRef::new();
        link.point_at(Cache::new(exit_guard, settings, link.clone()).start());
        Store { link, exits: receiver }
    }

    fn key(text: &str, to: &str) -> Key {
        let [en, to] = ["en", to].map(|code| code.parse().unwrap());
        Key::new(text, (en, to), &Style::default(), &[], 280, "test")
    }

    fn words(text: &str) -> MaskedText {
        MaskedText(vec![Segment::Words(text.into())])
    }

    async fn look(link: &ActorRef<Cache>, key: Key) -> Answer {
        link.ask(Look(vec![key])).await.unwrap().pop().unwrap()
    }

    #[actix_rt::test]
    async fn one_caller_leads_a_key_and_the_others_get_its_answer() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path().join("cache.jsonl"));
        let key = key("Hello", "es");
        let Answer::Lead(lead) = look(&cache.link, key).await else { panic!("the cache is empty") };
        let Answer::Wait(first) = look(&cache.link, key).await else { panic!("another caller leads") };
        let Answer::Wait(second) = look(&cache.link, key).await else { panic!("another caller leads") };
        lead.land(words("Hola"));
        for wait in [first, second] {
            assert_eq!(*wait.answer().await.expect("it landed"), words("Hola"));
        }
        assert!(matches!(look(&cache.link, key).await, Answer::Hit(_)));
    }

    #[actix_rt::test]
    async fn if_a_leader_gives_up_the_next_caller_leads_and_no_waiter_is_handed_an_unread_lead() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path().join("cache.jsonl"));
        let key = key("Hello", "es");
        let Answer::Lead(lead) = look(&cache.link, key).await else { panic!("the cache is empty") };
        let Answer::Wait(first) = look(&cache.link, key).await else { panic!("another caller leads") };
        let Answer::Wait(second) = look(&cache.link, key).await else { panic!("another caller leads") };
        drop(lead);
        // The second caller asks first; the first has not looked at its wait yet.
        assert!(second.answer().await.is_none());
        let Answer::Lead(lead) = look(&cache.link, key).await else { panic!("no other caller leads") };
        assert!(first.answer().await.is_none());
        let Answer::Wait(first) = look(&cache.link, key).await else { panic!("another caller leads again") };
        lead.land(words("Hola"));
        assert!(first.answer().await.is_some());
    }

    #[actix_rt::test]
    async fn entries_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cache.jsonl");
        let mut first = cache(file.clone());
        let Answer::Lead(lead) = look(&first.link, key("Hello", "es")).await else {
            panic!("the cache is empty")
        };
        lead.land(words("Hola"));
        first.link.ask(StopAsked::InOrder).await.unwrap();
        first.exits.recv().await.expect("the exit is reported");
        let again = cache(file);
        assert!(matches!(look(&again.link, key("Hello", "es")).await, Answer::Hit(_)));
        assert!(matches!(look(&again.link, key("Hello", "ca")).await, Answer::Lead(_)));
    }

    #[test]
    fn a_damaged_file_is_reported_and_a_missing_file_is_an_empty_cache() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cache.jsonl");
        assert!(snapshot::load(&file).unwrap().is_empty());
        std::fs::write(&file, "garbage").unwrap();
        assert!(snapshot::load(&file).unwrap_err().to_string().contains("not a cache file of this version"));
    }

    #[test]
    fn a_key_depends_on_text_language_style_and_engine() {
        let [en, es, ca] = ["en", "es", "ca"].map(|code| code.parse().unwrap());
        let plain = Style::default();
        let formal = Style { tone: mynah_domain::Tone::Formal, ..Style::default() };
        let instructed = Style { instructions: "No slang.".into(), ..Style::default() };
        let before = ["Earlier".to_owned()];
        let keys = [
            Key::new("Hello", (en, es), &plain, &[], 280, "a"),
            Key::new("Hullo", (en, es), &plain, &[], 280, "a"),
            Key::new("Hello", (en, ca), &plain, &[], 280, "a"),
            Key::new("Hello", (en, es), &formal, &[], 280, "a"),
            Key::new("Hello", (en, es), &instructed, &[], 280, "a"),
            Key::new("Hello", (en, es), &plain, &before, 280, "a"),
            Key::new("Hello", (en, es), &plain, &[], 500, "a"),
            Key::new("Hello", (en, es), &plain, &[], 280, "b"),
        ];
        let distinct: std::collections::HashSet<_> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
