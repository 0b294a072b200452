//! Asks the cache, else the engines, for a number of tasks at once. Engines are asked in the order of the settings; the
//! next one for whatever the one before could not do: it was unreachable or out of quota, it refused, or what it said did
//! not pass the gate, also when it was told what was wrong.
//!
//! How many calls an engine gets at once, and how much in each, is for all translators together to find out
//! ([`crate::upstreams::places`]). A worker waits for a place with nothing under way and holds it for one call only. It may
//! hold leads on keys of the cache meanwhile, as a worker with a place waits for nothing but the engine.

#[cfg(test)]
mod flight_tests;
#[cfg(test)]
mod places_tests;
#[cfg(test)]
mod recall_tests;

use std::{
    collections::HashSet,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use mynah_domain::{
    Hold, JobEvent, Language,
    backoff::Backoff,
    breaker::Heard,
    job::HoldKind,
    ports::{
        Clock, Engine,
        engine::{EngineError, Item, ItemError, Reply},
    },
    text::MaskedText,
};

use super::task::{Judged, Task};
use crate::{
    cache::{Answer, Cache, Key, Lead, Look},
    failpoint,
    stats::Meter,
    supervision::{ActorRef, Heartbeat},
    upstreams::{
        Upstreams,
        places::{Ended, Place, Places},
    },
};

/// The longest that an engine out of quota is left in peace before it is asked again: quotas are raised, too.
const LONGEST_REST: Duration = Duration::from_hours(1);

/// A quota that is used up for longer than this is a hold that people see, and not just another try.
const SHORT: Duration = Duration::from_mins(1);

/// How often a worker that waits for another looks whether the engine still answers anybody.
const SIGN_OF_LIFE: Duration = Duration::from_millis(200);

/// What asking needs.
#[derive(Clone)]
pub struct Asking {
    /// What was said before; none asks for everything.
    pub cache: Option<ActorRef<Cache>>,
    /// The language of the source.
    pub from: Language,
    /// Which services are down.
    pub upstreams: Upstreams,
    /// How long to wait before another try.
    pub backoff: Backoff,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where latencies and counts go.
    pub meter: Meter,
}

/// A task by number that the cache is to be asked for, and its key.
type Open = (Key, usize);

/// A batch of tasks by number, each with the lead on its key where others wait for it.
type Batch = Vec<(usize, Option<Lead>)>;

/// What else goes on where tasks are seen to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// Hears of every answer, and of waits in between; none where nobody watches.
    pub heartbeat: Option<&'a Heartbeat>,
    /// Other tasks may wait for who is free. Where none do, these take as many calls at once as do them good.
    pub more_waits: bool,
}

/// What stops not one item but every call of this engine.
enum Wall {
    /// The call failed as a whole.
    Failed(EngineError),
    /// The circuit breaker is open until then.
    Open(Timestamp),
}

impl Asking {
    /// Sees every task to an outcome; where a target wants its hashtags translated, these come first.
    pub async fn see_to(
        &self,
        tasks: &mut [Task],
        attempt: impl Fn(usize) -> u32,
        engines: &[Rc<dyn Engine>],
        around: Around<'_>,
    ) {
        let tags = tasks.iter().enumerate();
        let tags = tags.flat_map(|(owner, task)| {
            task.tags().into_iter().map(move |(number, words)| ((owner, number), words))
        });
        let (places, mut words): (Vec<_>, Vec<Task>) = tags.unzip();
        if !words.is_empty() {
            self.see_to_all(&mut words, |_| 1, engines, around).await;
        }
        for ((owner, number), task) in places.into_iter().zip(&words) {
            // One that could not be translated stays as it is.
            if let Some(text) = task.translated_text() {
                tasks[owner].set_tag(number, &text);
            }
        }
        self.see_to_all(tasks, attempt, engines, around).await;
    }

    async fn see_to_all(
        &self,
        tasks: &mut [Task],
        attempt: impl Fn(usize) -> u32,
        engines: &[Rc<dyn Engine>],
        around: Around<'_>,
    ) {
        for engine in engines {
            for task in &mut *tasks {
                task.begin();
            }
            self.try_engine(&**engine, tasks, around).await;
        }
        for (number, task) in tasks.iter_mut().enumerate() {
            if task.outcome.is_none() {
                task.outcome = Some(self.give_back(task, attempt(number)));
            }
        }
    }

    /// Has an engine do what is not done yet and what it can do, as far as the cache does not know it.
    ///
    /// Goes in rounds: look keys up, call the engine for those that this worker leads, then wait for those that others
    /// lead. A worker asks for each key once a round, so it never waits for itself, and it waits only when it leads
    /// nothing, so no two workers wait for each other. Where the leader of a key gave up, the next round asks again.
    async fn try_engine(&self, engine: &dyn Engine, tasks: &mut [Task], around: Around<'_>) {
        let revision = engine.revision();
        let places = self.upstreams.places(engine);
        let open = tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| task.outcome.is_none() && engine.supports(self.from, task.target.language));
        let open = open.map(|(number, task)| (task.key(&revision, engine.takes_advice()), number));
        let mut open: Vec<Open> = open.collect();
        // Tasks to call for without a lead on their key.
        let mut unled: Batch = Vec::new();
        let mut hits = 0;
        // What stopped one call stops the next one, too.
        let mut wall: Option<Wall> = None;
        let mut is_first_round = true;
        while !open.is_empty() || !unled.is_empty() {
            let (asked, mut same) = first_of_each_key(open);
            let answers = self.look_up(&asked).await;
            let mut waits = Vec::new();
            let mut wanted = std::mem::take(&mut unled);
            for ((key, number), answer) in asked.into_iter().zip(answers) {
                match answer {
                    Some(Answer::Hit(text)) if recalled(tasks, number, &text, engine) => hits += 1,
                    Some(Answer::Hit(_)) => wanted.push((number, None)),
                    Some(Answer::Wait(wait)) => waits.push((key, number, wait)),
                    Some(Answer::Lead(lead)) => {
                        wanted.push((number, Some(lead)));
                        if !is_first_round {
                            // The first try for this key failed: the others go along, rather than in a call each.
                            let others = same.extract_if(.., |(other, _)| *other == key);
                            wanted.extend(others.map(|(_, number)| (number, None)));
                        }
                    }
                    // Without a cache every task is asked for.
                    None => {
                        let others = same.drain(..).map(|(_, number)| number);
                        wanted.extend(std::iter::once(number).chain(others).map(|number| (number, None)));
                    }
                }
            }
            match &wall {
                None => wall = self.call(engine, &revision, &places, tasks, wanted, around).await,
                Some(wall) => settle_at(wall, engine, &revision, tasks, wanted),
            }
            open = same;
            for (key, number, wait) in waits {
                match alongside(&places, around, wait.answer()).await {
                    Some(text) if recalled(tasks, number, &text, engine) => hits += 1,
                    Some(_) => unled.push((number, None)),
                    None => open.push((key, number)),
                }
            }
            is_first_round = false;
        }
        self.meter.count("cache.hits", hits);
    }

    /// What the cache answers to each key; `None` for each where there is no cache.
    async fn look_up(&self, asked: &[Open]) -> Vec<Option<Answer>> {
        let keys = asked.iter().map(|(key, _)| *key).collect();
        let started = Instant::now();
        let known = match &self.cache {
            Some(cache) => cache.ask(Look(keys)).await.ok(),
            None => None,
        };
        self.meter.called("cache", "get", started.elapsed(), None);
        match known {
            Some(answers) => answers.into_iter().map(Some).collect(),
            None => asked.iter().map(|_| None).collect(),
        }
    }

    /// Calls the engine for the tasks of these numbers, again for those that it is to do better, and hands what is taken to
    /// the cache. Answers what stopped it, if anything did.
    async fn call(
        &self,
        engine: &dyn Engine,
        revision: &str,
        places: &Arc<Places>,
        tasks: &mut [Task],
        mut wanted: Batch,
        around: Around<'_>,
    ) -> Option<Wall> {
        self.meter.count("cache.misses", wanted.len() as u64);
        let mut stopped_by = None;
        while !wanted.is_empty() {
            let place = match places.try_take() {
                Some(place) => place,
                None => alongside(places, around, places.take()).await,
            };
            let mut flights = FuturesUnordered::new();
            for (place, batch) in self.part(engine, places, place, &mut wanted, around) {
                let items: Vec<Item> = batch.iter().map(|(number, _)| tasks[*number].item()).collect();
                flights.push(async move {
                    (batch, self.translate(engine, &items, place, around.heartbeat).await)
                });
            }
            let mut again = Batch::new();
            while let Some((batch, answered)) = flights.next().await {
                match answered {
                    Ok(reply) => {
                        let mut landings = Vec::with_capacity(reply.items.len());
                        for ((number, lead), result) in batch.into_iter().zip(reply.items) {
                            match result {
                                Ok(text) => {
                                    match judge(tasks, number, text, revision, engine.takes_advice()) {
                                        Judged::Taken(text) => {
                                            landings.extend(lead.map(|lead| (lead, text)));
                                        }
                                        Judged::Again => again.push((number, lead)),
                                        Judged::GivenUp => {}
                                    }
                                }
                                // Models slip; what they will not say they will not say when asked again.
                                Err(ItemError::Unusable(_))
                                    if engine.takes_advice() && tasks[number].may_slip() =>
                                {
                                    again.push((number, lead));
                                }
                                Err(error) => settle_long(&mut tasks[number], revision, lead, |task| {
                                    task.spoiled(engine.name(), &error);
                                }),
                            }
                        }
                        Lead::land_all(landings);
                    }
                    Err(wall) => {
                        let rest = batch.into_iter().chain(std::mem::take(&mut wanted));
                        settle_at(&wall, engine, revision, tasks, rest.collect());
                        stopped_by = Some(wall);
                    }
                }
            }
            self.meter.count("items.asked_again", again.len() as u64);
            again.append(&mut wanted);
            wanted = again;
        }
        stopped_by
    }

    /// Takes from what is wanted what is asked for now: one call's worth, or more in several calls where nothing else
    /// waits and there are free places.
    fn part(
        &self,
        engine: &dyn Engine,
        places: &Arc<Places>,
        place: Place,
        wanted: &mut Batch,
        around: Around<'_>,
    ) -> Vec<(Place, Batch)> {
        // One call is enough to see whether it is back.
        let calls = if around.more_waits || self.upstreams.is_down(engine.name()) {
            1
        } else {
            places.spread(wanted.len())
        };
        let size = wanted.len().div_ceil(calls).min(places.batch());
        let more = std::iter::from_fn(|| places.try_take()).take(calls - 1);
        let mut parts = Vec::with_capacity(calls);
        for place in std::iter::once(place).chain(more) {
            if wanted.is_empty() {
                break;
            }
            let rest = wanted.split_off(wanted.len().min(size));
            parts.push((place, std::mem::replace(wanted, rest)));
        }
        parts
    }

    async fn translate(
        &self,
        engine: &dyn Engine,
        items: &[Item],
        place: Place,
        heartbeat: Option<&Heartbeat>,
    ) -> Result<Reply, Wall> {
        if let Err(until) = self.upstreams.permit(engine.name()) {
            return Err(Wall::Open(self.at(until)));
        }
        failpoint::reach("engine.translate.before");
        let started = tokio::time::Instant::now();
        let answer = engine.translate(items).await;
        failpoint::reach("engine.translate.after");
        let took = started.elapsed();
        if let Some(heartbeat) = heartbeat {
            heartbeat.progress();
        }
        let error = answer.as_ref().err();
        self.upstreams.hear(engine.name(), self.heard(error));
        self.meter.called(engine.name(), "translate", took, error.map(kind_of));
        if let Ok(reply) = &answer {
            self.meter.count("items.translated", reply.items.len() as u64);
        }
        match &answer {
            // Nothing was asked, so nothing was learned.
            Ok(Reply { calls: 0, .. }) => {}
            Ok(reply) => place.ended(items.len(), Ended::Well { took, spoiled: reply.spoiled > 0 }),
            Err(EngineError::RateLimited { .. } | EngineError::Unavailable(_)) => {
                place.ended(items.len(), Ended::NotNow);
            }
            Err(EngineError::Unanswered(_)) => place.ended(items.len(), Ended::Unanswered),
            // A wrong key says nothing of how much there may be.
            Err(EngineError::Unauthorized(_) | EngineError::Refused(_)) => {}
        }
        answer.map_err(Wall::Failed)
    }

    /// What a call means for the others who would call the engine.
    fn heard(&self, error: Option<&EngineError>) -> Heard {
        match error {
            // Out of quota: everybody is, until then.
            Some(EngineError::RateLimited { until: Some(until), .. }) => {
                Heard::NotBefore(Instant::now() + self.until(*until).min(LONGEST_REST))
            }
            // Where it refuses call after call and says no time, only pauses that grow keep it from being asked for every job.
            Some(
                EngineError::Unavailable(_)
                | EngineError::Unanswered(_)
                | EngineError::RateLimited { until: None, .. },
            ) => Heard::Silence,
            None | Some(EngineError::Unauthorized(_) | EngineError::Refused(_)) => Heard::Answer,
        }
    }

    /// How long it is until a time of day; nothing where that is over.
    fn until(&self, moment: Timestamp) -> Duration {
        Duration::try_from(moment.duration_since(self.clock.now())).unwrap_or_default()
    }

    /// The time of day of a moment to come.
    fn at(&self, moment: Instant) -> Timestamp {
        let wait = moment.saturating_duration_since(Instant::now());
        self.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// What becomes of a job that no engine could do, at that attempt.
    fn give_back(&self, task: &Task, attempt: u32) -> JobEvent {
        if task.troubles.is_empty() {
            return JobEvent::Failed {
                reason: format!(
                    "no engine translates {} to {}; add one that does to engine.order and retry it",
                    self.from.name(),
                    task.target.language.name()
                ),
            };
        }
        let reason = task.troubles.join("; ");
        if !task.passing {
            return JobEvent::Held(Hold { kind: HoldKind::Gate, reason, until: None });
        }
        let asked = task.until.map(|until| self.until(until));
        let pause = self.backoff.pause(attempt.max(1), fastrand::f64(), asked);
        let not_before = self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        // Everything that could translate it is out of quota for a while: people should see that.
        if task.out_of_quota && asked.is_some_and(|asked| asked > SHORT) {
            return JobEvent::Held(Hold { kind: HoldKind::Quota, reason, until: Some(not_before) });
        }
        JobEvent::HandedBack { not_before: Some(not_before), reason }
    }
}

/// The first task of each key, and the others, whose answer is the same.
fn first_of_each_key(open: Vec<Open>) -> (Vec<Open>, Vec<Open>) {
    let mut keys = HashSet::with_capacity(open.len());
    open.into_iter().partition(|(key, _)| keys.insert(*key))
}

/// Waits for another worker: for its place, or for its answer. Such a wait is work, so that the watchdog ends it where
/// nothing moves any more; it shows progress for as long as calls to the engine end.
async fn alongside<T>(places: &Places, around: Around<'_>, wait: impl Future<Output = T>) -> T {
    let Some(heartbeat) = around.heartbeat else { return wait.await };
    let mut wait = std::pin::pin!(wait);
    let mut seen = places.calls_ended();
    loop {
        if let Ok(done) = tokio::time::timeout(SIGN_OF_LIFE, &mut wait).await {
            return done;
        }
        let ended = places.calls_ended();
        if ended != std::mem::replace(&mut seen, ended) {
            heartbeat.progress();
        }
    }
}

/// Notes at every one of these tasks what stops the engine.
fn settle_at(wall: &Wall, engine: &dyn Engine, revision: &str, tasks: &mut [Task], batch: Batch) {
    for (number, lead) in batch {
        settle_long(&mut tasks[number], revision, lead, |task| match wall {
            Wall::Failed(error) => task.failed(engine.name(), error),
            Wall::Open(until) => task.left_in_peace(engine.name(), *until),
        });
    }
}

/// Judges an answer; what is taken is known to the post's other tasks from then on.
fn judge(tasks: &mut [Task], number: usize, text: MaskedText, revision: &str, takes_advice: bool) -> Judged {
    let judged = tasks[number].judge(text, revision, takes_advice);
    if let Some(text) = tasks[number].translated_text() {
        let (post, language) = (tasks[number].post.clone(), tasks[number].target.language);
        for other in tasks.iter_mut().filter(|task| task.post == post && task.target.language != language) {
            other.others.push(text.clone());
        }
    }
    judged
}

/// Takes what the cache had, where it passes with this task's links and numbers, too: it was said of a text with others.
/// Where it does not, an engine that may say another thing is to be asked, and nothing was held against it yet.
fn recalled(tasks: &mut [Task], number: usize, text: &MaskedText, engine: &dyn Engine) -> bool {
    let task = &tasks[number];
    let before = (task.troubles.len(), task.out_of_quota, task.rejected.clone());
    let judged = judge(tasks, number, text.clone(), &engine.revision(), false);
    let is_to_be_asked = judged == Judged::GivenUp && engine.takes_advice();
    if is_to_be_asked {
        let task = &mut tasks[number];
        task.troubles.truncate(before.0);
        (task.out_of_quota, task.rejected) = (before.1, before.2);
    }
    !is_to_be_asked
}

/// Takes what an engine said before it fell silent, where it only was too long; else notes the trouble.
fn settle_long(task: &mut Task, revision: &str, lead: Option<Lead>, trouble: impl FnOnce(&mut Task)) {
    match (task.unanswered(revision), lead) {
        (Some(text), Some(lead)) => lead.land(text),
        (Some(_), None) => {}
        (None, _) => trouble(task),
    }
}

fn kind_of(error: &EngineError) -> &'static str {
    match error {
        EngineError::Unauthorized(_) => "unauthorized",
        EngineError::RateLimited { .. } => "rate_limited",
        EngineError::Unavailable(_) => "unavailable",
        EngineError::Unanswered(_) => "unanswered",
        EngineError::Refused(_) => "refused",
    }
}
