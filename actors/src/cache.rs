//! Avoids translating, and paying for, the same text twice. The cache answers by *masked text, language, style and
//! engine*, so a template with a new link is a hit. If several workers want the same key, one calls the engine and the
//! others wait for its answer.
//!
//! Only translations that passed the gate are stored: the worker that leads a key hands its translation in by the [`Lead`]. If
//! it drops the lead without one, every waiting worker is sent to ask again, and the first to ask leads. The cache hands a lead
//! only to a worker that asks, never to one that waits: a lead that nobody has read yet would keep all others waiting.
//!
//! Behind it there may be a cache that several instances share ([`shared`]). Workers ask that one for the keys that they
//! lead; this actor stores there what they land.

pub mod entries;
pub mod shared;
mod snapshot;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult,
    ResponseFuture, WrapFuture,
};
use entries::{Entries, Entry};
use jiff::Timestamp;
use log::warn;
use mynah_domain::{Language, Style, ports::Engine, text::MaskedText};
use sha2::{Digest, Sha256};
use shared::{Shared, Token};
use tokio::sync::oneshot;

use crate::{
    failpoint,
    supervision::{ActorRef, ExitGuard, HealthRegistry, Heartbeat, handles_tracked, shell::StopAsked},
};

/// The settings of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// The most translations that it stores; the least used are evicted first.
    pub max_entries: u64,
    /// How long a translation is stored.
    pub ttl: Duration,
    /// Where the translations are stored across restarts.
    pub file: PathBuf,
    /// How often the file is written.
    pub snapshot_interval: Duration,
}

/// Identifies a translation: a digest, so that long posts cost no more than short ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// The key of all that a translation depends on: the text as it is masked, the languages, the style, the posts before it,
    /// and the engine, by what [`maker`] calls it. Not on how long it may be: targets on different networks share a translation that
    /// fits them all.
    pub fn new(
        text: &str,
        (from, to): (Language, Language),
        style: &Style,
        context: &[String],
        engine: &str,
    ) -> Self {
        let mut digest = Sha256::new();
        let adapt = if style.adapt { "adapt" } else { "" };
        let fixed = [from.code(), to.code(), style.tone.as_str(), adapt, &style.instructions, engine, text];
        for part in fixed.into_iter().chain(context.iter().map(String::as_str)) {
            // With its length, so that different lists of parts never hash the same bytes.
            digest.update(part.len().to_le_bytes());
            digest.update(part.as_bytes());
        }
        let mut key = [0; 16];
        // Half of the digest: a chance of one in 10^19 among a billion texts.
        key.copy_from_slice(&digest.finalize()[..16]);
        Self(key)
    }
}

/// What a [`Key`] calls an engine: its revision, and its name too unless that is the name of its kind. Two engines may be of
/// one kind and have the same model; a target that uses only one of them must not get what the other translated.
pub fn maker(engine: &dyn Engine) -> String {
    let (name, revision) = (engine.name(), engine.revision());
    // A revision begins with the kind.
    let kind = revision.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
    if kind == Some(name) { revision } else { format!("{name} {revision}") }
}

/// Access to the file: one writer at a time, throttled except during shutdown.
struct Disk {
    turn: Mutex<()>,
    hurry: AtomicBool,
    /// Whether entries changed since the file was last written.
    changed: AtomicBool,
    /// When the first of the translations in the file expires, in milliseconds since 1970. They must not stay in the
    /// file for longer, even if nothing else changes.
    first_expiry: AtomicI64,
}

impl Disk {
    fn new(first_expiry: i64) -> Self {
        Self {
            turn: Mutex::default(),
            hurry: AtomicBool::default(),
            changed: AtomicBool::default(),
            first_expiry: AtomicI64::new(first_expiry),
        }
    }

    /// Whether the file differs from the entries.
    fn is_outdated(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
            || self.first_expiry.load(Ordering::Relaxed) <= Timestamp::now().as_millisecond()
    }
}

/// The actor.
pub struct Cache {
    exit_guard: Option<ExitGuard>,
    heartbeat: Heartbeat,
    settings: CacheSettings,
    entries: Entries,
    /// The workers that wait for a key that another one leads.
    flights: HashMap<Key, Vec<oneshot::Sender<Arc<MaskedText>>>>,
    link: ActorRef<Cache>,
    disk: Arc<Disk>,
    /// Where other instances find the translations, if there are any.
    shared: Option<Shared>,
    /// Whether no entries were loaded or filled in.
    is_cold: bool,
}

impl Cache {
    /// A cache with the translations that its file has.
    pub fn new(exit_guard: ExitGuard, settings: CacheSettings, link: ActorRef<Self>) -> Self {
        let entries = Entries::new(settings.max_entries);
        let (mut is_cold, mut first_expiry) = (true, i64::MAX);
        match snapshot::load(&settings.file) {
            Ok(before) => {
                is_cold = before.entries.is_empty();
                first_expiry = before.first_expiry;
                for (key, entry) in before.entries {
                    entries.insert(key, &entry);
                }
            }
            // A cache fills again; the service continues without it.
            Err(error) => warn!(reason:% = error; "cache load failed"),
        }
        let heartbeat = exit_guard.heartbeat();
        Self {
            exit_guard: Some(exit_guard),
            heartbeat,
            settings,
            entries,
            flights: HashMap::new(),
            link,
            disk: Arc::new(Disk::new(first_expiry)),
            shared: None,
            is_cold,
        }
    }

    /// The same cache, in front of one that other instances use, too.
    #[must_use]
    pub fn in_front_of(self, shared: Option<Shared>) -> Self {
        Self { shared, ..self }
    }

    /// Starts a cache on this thread that nobody watches or restarts: for tests and measurements.
    pub fn unsupervised(settings: CacheSettings) -> ActorRef<Self> {
        Self::unsupervised_in_front_of(settings, None)
    }

    /// The same, in front of a cache that other instances use, too.
    pub fn unsupervised_in_front_of(settings: CacheSettings, shared: Option<Shared>) -> ActorRef<Self> {
        let (exits, _) = tokio::sync::mpsc::unbounded_channel();
        let exit_guard = ExitGuard::new("cache", 1, HealthRegistry::default(), exits);
        let link = ActorRef::new();
        link.point_at(Self::new(exit_guard, settings, link.clone()).in_front_of(shared).start());
        link
    }

    /// Looks a key up: returns its translation, makes the worker its leader, or lets the worker wait for the leader.
    fn answer(&mut self, key: Key) -> Answer {
        if let Some(text) = self.entries.get(&key) {
            return Answer::Hit(text);
        }
        if let Some(waiting) = self.flights.get_mut(&key) {
            let (sender, receiver) = oneshot::channel();
            waiting.push(sender);
            return Answer::Wait(Wait(receiver));
        }
        self.flights.insert(key, Vec::new());
        Answer::Lead(Lead { key, cache: self.link.clone(), claim: None, landed: false })
    }

    /// Ends a flight. Returns the entry if it is there now.
    fn land(&mut self, key: Key, cargo: Cargo) -> Option<Entry> {
        // Without a text, dropping the senders wakes the waiting workers.
        let waiting = self.flights.remove(&key).unwrap_or_default();
        let latest = Timestamp::now().saturating_add(self.settings.ttl).unwrap_or(Timestamp::MAX);
        let entry = match cargo {
            Cargo::Nothing => return None,
            // Another instance may store translations for longer.
            Cargo::Found(Entry { text, expires }) => Entry { text, expires: expires.min(latest) },
            Cargo::Made(text) => Entry { text, expires: latest },
        };
        self.entries.insert(key, &entry);
        self.disk.changed.store(true, Ordering::Relaxed);
        for sender in waiting {
            // A worker that left needs no answer.
            let _ = sender.send(entry.text.clone());
        }
        Some(entry)
    }

    /// Writes the translations to disk, off this thread. Answers whether the file is as the entries were.
    fn write(&self) -> impl Future<Output = bool> + use<> {
        let (entries, file, disk) = (self.entries.clone(), self.settings.file.clone(), self.disk.clone());
        async move {
            if !disk.is_outdated() {
                return true;
            }
            disk.changed.store(false, Ordering::Relaxed);
            failpoint::reach("cache.spawned");
            let shared = disk.clone();
            let write = move || {
                // A writer that panicked left a temporary file, which the next one overwrites.
                let _turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
                let first_expiry = snapshot::save(&file, &entries, &shared.hurry)?;
                shared.first_expiry.store(first_expiry, Ordering::Relaxed);
                std::io::Result::Ok(())
            };
            let failure = match actix_rt::task::spawn_blocking(write).await {
                Ok(Ok(())) => return true,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            // The next interval tries again, also if nothing changes until then.
            disk.changed.store(true, Ordering::Relaxed);
            warn!(reason = failure.as_str(); "cache save failed");
            false
        }
    }
}

handles_tracked!(Cache: Look, Landed, AskCold, Fill, Clear, StopAsked);

impl Actor for Cache {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        failpoint::reach("cache.started");
        ctx.run_interval(self.settings.snapshot_interval, |cache, ctx| {
            failpoint::reach("cache.interval");
            if matches!(cache.disk.turn.try_lock(), Err(TryLockError::WouldBlock)) {
                // Newer entries are written next time.
                return;
            }
            let write = cache.write();
            ctx.spawn(write.into_actor(cache).map(|_, _, _| ()));
        });
    }
}

/// Asks for several keys at once, each named once. The worker must land or drop all its leads before it waits for a
/// [`Wait`], or two workers may wait for each other forever.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Answer>")]
pub struct Look(
    /// The keys.
    pub Vec<Key>,
);

/// The cache's answer to a key.
#[derive(Debug)]
pub enum Answer {
    /// The translation.
    Hit(Arc<MaskedText>),
    /// There is none yet: the worker that asked must provide it.
    Lead(Lead),
    /// Another worker is providing it.
    Wait(Wait),
}

/// The right and the duty to provide a key's translation.
pub struct Lead {
    key: Key,
    cache: ActorRef<Cache>,
    /// The claim that keeps other instances from providing it, too.
    claim: Option<Token>,
    landed: bool,
}

impl std::fmt::Debug for Lead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lead({:?})", self.key)
    }
}

impl Lead {
    /// The key.
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// Adds a claim that is released when the lead ends.
    pub(crate) fn hold(&mut self, claim: Option<Token>) {
        self.claim = claim;
    }

    /// Delivers a translation that another instance made, and that passed the gate here, too.
    pub(crate) fn land_found(mut self, entry: Entry) {
        self.end(Cargo::Found(entry));
    }

    fn end(&mut self, cargo: Cargo) {
        self.landed = true;
        // If this message were lost, the waiting workers would wait forever.
        self.cache.tell_unbounded(Landed(vec![Landing { key: self.key, cargo, claim: self.claim.take() }]));
    }

    /// Delivers a translation that passed the gate.
    pub fn land(self, text: MaskedText) {
        Self::land_all(vec![(self, text)]);
    }

    /// The same for several of one cache, in one message, because each message wakes the thread that it goes to.
    pub fn land_all(leads: Vec<(Self, MaskedText)>) {
        let Some(cache) = leads.first().map(|(lead, _)| lead.cache.clone()) else { return };
        let landings = leads.into_iter().map(|(mut lead, text)| {
            lead.landed = true;
            Landing { key: lead.key, cargo: Cargo::Made(Arc::new(text)), claim: lead.claim.take() }
        });
        // If this message were lost, the waiting workers would wait forever.
        cache.tell_unbounded(Landed(landings.collect()));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // May run while unwinding; sending never panics.
        if !self.landed {
            self.end(Cargo::Nothing);
        }
    }
}

/// Waits for the translation of a key that another worker leads.
#[derive(Debug)]
pub struct Wait(oneshot::Receiver<Arc<MaskedText>>);

impl Wait {
    /// The translation; `None` if the leader gave up or the cache exited: look the key up again.
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
struct Landed(Vec<Landing>);

/// The end of a lead.
struct Landing {
    key: Key,
    cargo: Cargo,
    claim: Option<Token>,
}

/// What a lead ends with.
enum Cargo {
    /// A translation that this instance made.
    Made(Arc<MaskedText>),
    /// A translation that another instance made.
    Found(Entry),
    /// None.
    Nothing,
}

impl Handler<Landed> for Cache {
    type Result = ();

    fn handle(&mut self, Landed(landings): Landed, ctx: &mut Self::Context) {
        let (mut made, mut claims) = (Vec::new(), Vec::new());
        for Landing { key, cargo, claim } in landings {
            let is_new = matches!(cargo, Cargo::Made(_));
            let entry = self.land(key, cargo).filter(|_| is_new && self.shared.is_some());
            made.extend(entry.map(|entry| (key, entry)));
            claims.extend(claim.map(|claim| (key, claim)));
        }
        if let Some(shared) = self.shared.clone()
            && !(made.is_empty() && claims.is_empty())
        {
            ctx.spawn(async move { shared.put(made, claims).await }.into_actor(self));
        }
    }
}

/// Asks whether the cache started empty and was not filled since.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct AskCold;

impl Handler<AskCold> for Cache {
    type Result = bool;

    fn handle(&mut self, _: AskCold, _: &mut Self::Context) -> bool {
        self.is_cold
    }
}

/// Adds earlier translations, each until it expires. Existing entries are not replaced.
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
            if !self.entries.has(&key) && entry.expires > Timestamp::now() {
                self.entries.insert(key, &entry);
                self.disk.changed.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Drops all translations, from memory and from the file, because the texts of some posts must not stay anywhere. An
/// entry does not name the post that it was made for. They are also removed from the shared cache, where those that this
/// instance no longer has in memory stay until they expire. Answers whether the file was written.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct Clear;

impl Handler<Clear> for Cache {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, _: Clear, _: &mut Self::Context) -> Self::Result {
        let keys: Vec<Key> = match &self.shared {
            Some(_) => self.entries.iter().map(|(key, _)| key).collect(),
            None => Vec::new(),
        };
        self.entries.clear();
        self.disk.changed.store(true, Ordering::Relaxed);
        let (write, shared) = (self.write(), self.shared.clone());
        Box::pin(async move {
            if let Some(shared) = shared {
                remove_shared(&shared, &keys).await;
            }
            write.await
        })
    }
}

/// How many translations are removed from a shared cache at once.
const REMOVED_AT_ONCE: usize = 500;

async fn remove_shared(shared: &Shared, keys: &[Key]) {
    for (number, part) in keys.chunks(REMOVED_AT_ONCE).enumerate() {
        if !shared.remove(part).await {
            let left = keys.len() - number * REMOVED_AT_ONCE;
            warn!(left = left; "shared cache not cleared");
            return;
        }
    }
}

impl Handler<StopAsked> for Cache {
    type Result = ();

    fn handle(&mut self, asked: StopAsked, ctx: &mut Self::Context) {
        self.disk.hurry.store(true, Ordering::Relaxed);
        let write = self.write();
        ctx.spawn(write.into_actor(self).map(|_, cache, ctx| {
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

    struct Bench {
        link: ActorRef<Cache>,
        exits: tokio::sync::mpsc::UnboundedReceiver<crate::supervision::Exit>,
    }

    fn cache(file: PathBuf) -> Bench {
        let (exits, receiver) = tokio::sync::mpsc::unbounded_channel();
        let exit_guard = ExitGuard::new("cache", 1, HealthRegistry::default(), exits);
        let link = ActorRef::new();
        link.point_at(Cache::new(exit_guard, settings(file), link.clone()).start());
        Bench { link, exits: receiver }
    }

    fn settings(file: PathBuf) -> CacheSettings {
        let hour = Duration::from_hours(1);
        CacheSettings { max_entries: 10, ttl: hour, file, snapshot_interval: hour }
    }

    fn key(text: &str, to: &str) -> Key {
        let [en, to] = ["en", to].map(|code| code.parse().unwrap());
        Key::new(text, (en, to), &Style::default(), &[], "test")
    }

    fn translation(text: &str) -> MaskedText {
        MaskedText(vec![Segment::Words(text.into())])
    }

    async fn look(link: &ActorRef<Cache>, key: Key) -> Answer {
        link.ask(Look(vec![key])).await.unwrap().pop().unwrap()
    }

    #[actix_rt::test]
    async fn of_many_workers_that_want_a_key_one_leads_and_the_others_get_its_answer() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path().join("cache.jsonl"));
        let key = key("Hello", "es");
        let Answer::Lead(lead) = look(&cache.link, key).await else { panic!("nobody has it yet") };
        let Answer::Wait(first) = look(&cache.link, key).await else { panic!("somebody leads") };
        let Answer::Wait(second) = look(&cache.link, key).await else { panic!("somebody leads") };
        lead.land(translation("Hola"));
        for wait in [first, second] {
            assert_eq!(*wait.answer().await.expect("it landed"), translation("Hola"));
        }
        assert!(matches!(look(&cache.link, key).await, Answer::Hit(_)));
    }

    #[actix_rt::test]
    async fn a_cleared_cache_has_nothing_left_in_memory_or_on_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cache.jsonl");
        let cache = cache(file.clone());
        let key = key("Hello", "es");
        let Answer::Lead(lead) = look(&cache.link, key).await else { panic!("nobody has it yet") };
        lead.land(translation("Hola"));
        assert!(matches!(look(&cache.link, key).await, Answer::Hit(_)));
        assert!(cache.link.ask(Clear).await.unwrap());
        assert!(!std::fs::read_to_string(&file).unwrap().contains("Hola"));
        assert!(matches!(look(&cache.link, key).await, Answer::Lead(_)));
    }

    #[test]
    fn a_file_with_an_expired_translation_is_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cache.jsonl");
        let entries = Entries::new(10);
        let expires = Timestamp::now() + Duration::from_hours(1);
        entries.insert(key("Hello", "es"), &Entry { text: Arc::new(translation("Hola")), expires });
        let first_expiry = snapshot::save(&file, &entries, &AtomicBool::new(true)).unwrap();
        assert_eq!(first_expiry, expires.as_millisecond());
        assert_eq!(snapshot::load(&file).unwrap().first_expiry, first_expiry);
        assert!(!Disk::new(first_expiry).is_outdated());
        assert!(Disk::new(Timestamp::now().as_millisecond()).is_outdated());
    }

    #[actix_rt::test]
    async fn if_a_leader_gives_up_the_next_to_ask_leads_and_no_waiter_is_handed_an_unread_lead() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path().join("cache.jsonl"));
        let key = key("Hello", "es");
        let Answer::Lead(lead) = look(&cache.link, key).await else { panic!("nobody has it yet") };
        let Answer::Wait(first) = look(&cache.link, key).await else { panic!("somebody leads") };
        let Answer::Wait(second) = look(&cache.link, key).await else { panic!("somebody leads") };
        drop(lead);
        // The second asks first; the first has not looked at what it waits for yet.
        assert!(second.answer().await.is_none());
        let Answer::Lead(lead) = look(&cache.link, key).await else { panic!("nobody leads") };
        assert!(first.answer().await.is_none());
        let Answer::Wait(first) = look(&cache.link, key).await else { panic!("somebody leads again") };
        lead.land(translation("Hola"));
        assert!(first.answer().await.is_some());
    }

    #[actix_rt::test]
    async fn stored_translations_outlive_the_actor() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cache.jsonl");
        let mut before = cache(file.clone());
        let Answer::Lead(lead) = look(&before.link, key("Hello", "es")).await else {
            panic!("nobody has it yet")
        };
        lead.land(translation("Hola"));
        before.link.ask(StopAsked::InOrder).await.unwrap();
        before.exits.recv().await.expect("the exit is reported");
        let again = cache(file);
        assert!(matches!(look(&again.link, key("Hello", "es")).await, Answer::Hit(_)));
        assert!(matches!(look(&again.link, key("Hello", "ca")).await, Answer::Lead(_)));
    }

    #[actix_rt::test]
    async fn a_translation_of_another_instance_is_stored_for_no_longer_than_an_own_one() {
        let directory = tempfile::tempdir().unwrap();
        let (exits, _) = tokio::sync::mpsc::unbounded_channel();
        let exit_guard = ExitGuard::new("cache", 1, HealthRegistry::default(), exits);
        let settings = settings(directory.path().join("cache.jsonl"));
        let mut cache = Cache::new(exit_guard, settings.clone(), ActorRef::new());
        let soon = Timestamp::now() + Duration::from_mins(1);
        let mut land = |expires| {
            let entry = Entry { text: Arc::new(translation("Hola")), expires };
            cache.land(key("Hello", "es"), Cargo::Found(entry)).unwrap().expires
        };
        assert_eq!(land(soon), soon);
        assert!(land(Timestamp::MAX) <= Timestamp::now() + settings.ttl);
    }

    #[actix_rt::test]
    async fn what_could_not_be_saved_is_saved_the_next_time_though_nothing_changed_since() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("missing/cache.jsonl");
        let (exits, _) = tokio::sync::mpsc::unbounded_channel();
        let exit_guard = ExitGuard::new("cache", 1, HealthRegistry::default(), exits);
        let mut cache = Cache::new(exit_guard, settings(file.clone()), ActorRef::new());
        cache.land(key("Hello", "es"), Cargo::Made(Arc::new(translation("Hola"))));
        cache.write().await;
        assert!(!file.exists());
        std::fs::create_dir(directory.path().join("missing")).unwrap();
        cache.write().await;
        assert!(file.exists());
    }

    #[test]
    fn a_damaged_file_is_an_error_and_no_file_is_an_empty_cache() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cache.jsonl");
        assert!(snapshot::load(&file).unwrap().entries.is_empty());
        std::fs::write(&file, "garbage").unwrap();
        assert!(snapshot::load(&file).unwrap_err().to_string().contains("not a cache file of this version"));
    }

    #[test]
    fn a_key_tells_text_language_style_and_engine_apart() {
        let [en, es, ca] = ["en", "es", "ca"].map(|code| code.parse().unwrap());
        let plain = Style::default();
        let formal = Style { tone: mynah_domain::Tone::Formal, ..Style::default() };
        let told = Style { instructions: "No slang.".into(), ..Style::default() };
        let before = ["Earlier".to_owned()];
        let keys = [
            Key::new("Hello", (en, es), &plain, &[], "a"),
            Key::new("Hullo", (en, es), &plain, &[], "a"),
            Key::new("Hello", (en, ca), &plain, &[], "a"),
            Key::new("Hello", (en, es), &formal, &[], "a"),
            Key::new("Hello", (en, es), &told, &[], "a"),
            Key::new("Hello", (en, es), &plain, &before, "a"),
            Key::new("Hello", (en, es), &plain, &[], "b"),
        ];
        let distinct: std::collections::HashSet<_> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
