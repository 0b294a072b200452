//! Fills the cache before it is asked, in the background: from the ledger, where the cache itself was lost, and with phrases that
//! an owner expects to publish. Work goes first: the ledger is read where people look, and engines get one batch at a time, with
//! a pause as long as the answer took.
//!
//! A separate module, because it uses the cache and the translator, and the cache must not depend on the translator.

use std::{
    collections::HashMap,
    fmt::Write as _,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use log::{info, warn};
use mynah_domain::{
    EngineOrder, JobEvent, Post, PostId, PostKind, Target, TargetId,
    job::HoldKind,
    ports::{Engine, Ledger, LedgerError, ledger::PublishedJob},
};
use sha2::{Digest as _, Sha256};

use crate::{
    cache::{AskCold, Cache, Fill, Key, entries::Entry, maker},
    supervision::ActorRef,
    translator::{
        cascade::{CallContext, EngineCascade},
        task::{Judged, Task},
    },
};

/// The log target of this module's events, which are about the cache.
const LOG: &str = "mynah_actors::cache::warm_up";

/// How many jobs are read from the ledger at once.
const PAGE: usize = 200;

/// How many jobs to check before yielding to other tasks on this thread: about a millisecond of work.
const TURN: usize = 16;

/// Fills the cache.
pub struct WarmUp {
    /// The cache that is filled.
    pub cache: ActorRef<Cache>,
    /// How phrases are translated.
    pub cascade: EngineCascade,
    /// The engines, in the order in which they are asked.
    pub engines: Vec<Rc<dyn Engine>>,
    /// The targets to translate for.
    pub targets: Vec<Target>,
    /// The ledger, which has the earlier translations.
    pub ledger: Arc<dyn Ledger>,
    /// The most entries that are filled in.
    pub max_entries: usize,
    /// How long a translation stays in the cache.
    pub ttl: Duration,
    /// Phrases that the owner expects to publish.
    pub phrases: Vec<String>,
}

/// The result of filling the cache from the ledger.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// How many published jobs were read.
    pub read: usize,
    /// How many of them were added to the cache.
    pub filled: usize,
}

impl WarmUp {
    /// Fills it from the ledger, then with the phrases.
    pub async fn run(self) {
        match self.from_history().await {
            Ok(Filled { filled: 0, .. }) => {}
            Ok(Filled { filled, read }) => {
                info!(target: LOG, filled = filled, read = read; "cache filled from ledger");
            }
            Err(error) => warn!(target: LOG, reason:% = error; "cache fill failed"),
        }
        if !self.phrases.is_empty() {
            self.from_phrases().await;
        }
    }

    /// If the cache started empty, fills in what was published last and would not have expired yet.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn from_history(&self) -> Result<Filled, LedgerError> {
        // Targets whose style changed since are translated again.
        let since = self.styled_since().await?;
        if !matches!(self.cache.ask(AskCold).await, Ok(true)) {
            return Ok(Filled::default());
        }
        let not_expired = self.cascade.clock.now().saturating_sub(self.ttl).unwrap_or(Timestamp::MIN);
        let oldest = since.values().min().map_or(Timestamp::MAX, |since| not_expired.max(*since));
        let (mut before, mut done) = (None, Filled::default());
        // Read no more jobs than the cache can hold: most of an old ledger is useless here.
        while done.read < self.max_entries {
            let began = Instant::now();
            let page = self.ledger.published(before, PAGE.min(self.max_entries - done.read)).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            done.read += page.len();
            // Jobs are numbered in the order of recording and published in nearly the same order.
            let is_the_end = page.iter().all(|published| published.at < oldest);
            for published in page.chunks(TURN) {
                let fresh = published.iter().filter(|published| {
                    published.at >= oldest
                        && since.get(&published.target).is_some_and(|since| published.at >= *since)
                });
                let entries: Vec<_> = fresh.filter_map(|published| self.entry(published)).collect();
                done.filled += entries.len();
                if self.cache.ask(Fill(entries)).await.is_err() {
                    return Ok(done);
                }
                tokio::task::yield_now().await;
            }
            if is_the_end {
                break;
            }
            // Leave half of the core's time to the jobs.
            actix_rt::time::sleep(began.elapsed()).await;
        }
        Ok(done)
    }

    /// The cache entry of a published job, if its key is certain.
    fn entry(&self, published: &PublishedJob) -> Option<(Key, Entry)> {
        let target = self.targets.iter().find(|target| target.id == published.target)?;
        let engine = self.engine_of(target, &published.translation.engine)?;
        let [text] = &published.translation.parts[..] else { return None };
        let takes_advice = engine.takes_advice();
        // Its translation also depends on the earlier posts of its thread.
        if takes_advice && matches!(published.post.kind, PostKind::Thread { .. }) {
            return None;
        }
        let mut task = Task::new(&published.post, Vec::new(), target.clone());
        let key = task.key(&maker(engine), takes_advice);
        let masked = task.mask.remask(text)?;
        // The rules of the gate may have changed.
        let Judged::Taken(masked) = task.judge(masked, &published.translation.engine, false) else {
            return None;
        };
        let expires = published.at.saturating_add(self.ttl).unwrap_or(Timestamp::MAX);
        Some((key, Entry { text: Arc::new(masked), expires }))
    }

    /// The target's engine of this revision; `None` if several have it, because the ledger does not know their names.
    fn engine_of(&self, target: &Target, revision: &str) -> Option<&dyn Engine> {
        let mut engines = self
            .engines
            .iter()
            .filter(|engine| target.engines.has(engine.name()) && engine.revision() == revision);
        engines.next().filter(|_| engines.next().is_none()).map(|engine| &**engine)
    }

    /// When each target's current style took effect. The ledger does not know in what style a translation was asked
    /// for, so this is stored beside it.
    async fn styled_since(&self) -> Result<HashMap<TargetId, Timestamp>, LedgerError> {
        let mut since = HashMap::new();
        for target in &self.targets {
            let fact = format!("cache:style:{}", target.id);
            let style = style_of(target);
            let known = self.ledger.fact(&fact).await?;
            let known = known.as_deref().and_then(|known| known.split_once(' '));
            let moment = if let Some((_, moment)) = known.filter(|(known, _)| *known == style) {
                moment.parse().unwrap_or(Timestamp::MAX)
            } else {
                let now = self.cascade.clock.now();
                self.ledger.remember(&fact, &format!("{style} {now}")).await?;
                now
            };
            since.insert(target.id.clone(), moment);
        }
        Ok(since)
    }

    /// Translates every phrase for every target, except those already in the cache.
    pub async fn from_phrases(&self) {
        let mut tasks = Vec::new();
        for (number, phrase) in self.phrases.iter().enumerate() {
            let post = Post {
                id: PostId(format!("warm-up/{number}")),
                position: 0,
                text: phrase.clone(),
                entities: None,
                language: None,
                kind: PostKind::Original,
                created_at: Timestamp::UNIX_EPOCH,
                media: vec![],
                has_poll: false,
                warning: None,
                is_sensitive: false,
                card: None,
                versions: vec![],
            };
            let of = |target: &Target| Task::new(&post, Vec::new(), target.clone());
            tasks.extend(self.targets.iter().map(of));
        }
        if tasks.len() > self.max_entries {
            warn!(target: LOG, phrases = tasks.len(), max_entries = self.max_entries; "cache warm-up truncated");
            tasks.truncate(self.max_entries);
        }
        // One call at a time: posts go first.
        let one_call = CallContext { more_waiting: true, ..CallContext::default() };
        let at_once = self.engines.first().map_or(1, |engine| engine.composition().max_items());
        let (all, mut known) = (tasks.len(), 0);
        for tasks in tasks.chunks_mut(at_once) {
            let began = Instant::now();
            self.cascade.translate(tasks, |_| 1, &self.engines, one_call).await;
            let mut is_down = true;
            for task in &*tasks {
                match &task.outcome {
                    Some(JobEvent::Translated(_)) => {
                        known += 1;
                        is_down = false;
                    }
                    Some(JobEvent::HandedBack { .. }) => {}
                    Some(JobEvent::Held(hold)) if matches!(hold.kind, HoldKind::Quota | HoldKind::Engine) => {
                    }
                    _ => {
                        is_down = false;
                        let reason = task.troubles.join("; ");
                        warn!(target: LOG, phrase:% = task.mask.untranslated(), target:% = task.target.id, reason:% = reason; "warm-up phrase not translated");
                    }
                }
            }
            if is_down {
                let reason = tasks.first().map(|task| task.troubles.join("; ")).unwrap_or_default();
                warn!(target: LOG, phrases = all, known = known, reason:% = reason; "cache warm-up postponed");
                return;
            }
            actix_rt::time::sleep(began.elapsed()).await;
        }
        info!(target: LOG, phrases = all, known = known; "cache warm-up completed");
    }
}

/// A digest of everything that a target's translations depend on, apart from the text.
fn style_of(target: &Target) -> String {
    let masking = &target.masking;
    let mut all = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        target.style,
        masking.mentions,
        masking.hashtags,
        masking.numbers,
        masking.glossary.current()
    );
    if let EngineOrder::Only(names) = &target.engines {
        // Writing to a string cannot fail.
        let _ = write!(all, " {names:?}");
    }
    let digest = Sha256::digest(all);
    format!("{:016x}", digest.iter().take(8).fold(0_u64, |short, byte| short << 8 | u64::from(*byte)))
}
