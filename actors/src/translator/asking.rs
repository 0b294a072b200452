//! Asks the cache, else the engines, for a number of tasks at once. Engines are asked in the order of the settings; the
//! next one for whatever the one before could not do: it was unreachable or out of quota, it refused, or what it said did
//! not pass the gate, also when it was told what was wrong.
//!
//! How many calls an engine gets at once, and how much in each, is for all translators together to find out
//! ([`crate::upstreams::places`]). A place is waited for with nothing under way and held for one call only; leads on keys of
//! the cache may be held meanwhile, as whoever has a place waits for nothing but the engine.

#[cfg(test)]
mod places_tests;
#[cfg(test)]
mod recall_tests;

use std::{
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
        engine::{EngineError, Item, ItemError},
    },
    text::MaskedText,
};

use super::task::{Judged, Task};
use crate::{
    cache::{Answer, Cache, Lead, Look},
    failpoint,
    stats::Meter,
    supervision::{Link, Pulse},
    upstreams::{
        Upstreams,
        places::{Ended, Place, Places},
    },
};

/// The longest that an engine out of quota is left in peace before it is asked again: quotas are raised, too.
const LONGEST_REST: Duration = Duration::from_hours(1);

/// A quota that is used up for longer than this is a hold that people see, and not just another try.
const SHORT: Duration = Duration::from_mins(1);

/// What asking needs.
#[derive(Clone)]
pub struct Asking {
    /// What was said before; none asks for everything.
    pub cache: Option<Link<Cache>>,
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

/// A batch of tasks by number, each with the lead on its key where others wait for it.
type Batch = Vec<(usize, Option<Lead>)>;

/// What else goes on where tasks are seen to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// Hears of every answer, and of waits in between; none where nobody watches.
    pub pulse: Option<&'a Pulse>,
    /// Other tasks may wait for who is free. Where none do, these take as many calls at once as do them good.
    pub more_waits: bool,
}

/// What became of a call.
enum Outcome {
    /// The engine's answer.
    Said(Result<Vec<Result<MaskedText, ItemError>>, EngineError>),
    /// It is left in peace until then.
    LeftInPeace(Timestamp),
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
            if let Some(said) = task.said() {
                tasks[owner].say_tag(number, &said);
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
    async fn try_engine(&self, engine: &dyn Engine, tasks: &mut [Task], around: Around<'_>) {
        let revision = engine.revision();
        let open: Vec<usize> = (0..tasks.len())
            .filter(|number| {
                let task = &tasks[*number];
                task.outcome.is_none() && engine.supports(self.from, task.target.language)
            })
            .collect();
        if open.is_empty() {
            return;
        }
        let keys = open.iter().map(|number| tasks[*number].key(&revision, engine.takes_advice())).collect();
        let started = Instant::now();
        let known = match &self.cache {
            Some(cache) => cache.ask(Look(keys)).await.ok(),
            None => None,
        };
        self.meter.called("cache", "get", started.elapsed(), None);
        // Without a cache everything is asked for, once for each job.
        let answers: Vec<Option<Answer>> = match known {
            Some(answers) => answers.into_iter().map(Some).collect(),
            None => open.iter().map(|_| None).collect(),
        };

        let mut waits = Vec::new();
        let mut wanted: Batch = Vec::new();
        let mut hits = 0;
        for (number, answer) in open.into_iter().zip(answers) {
            match answer {
                Some(Answer::Hit(text)) => {
                    if recalled(tasks, number, &text, engine) {
                        hits += 1;
                    } else {
                        wanted.push((number, None));
                    }
                }
                Some(Answer::Lead(lead)) => wanted.push((number, Some(lead))),
                Some(Answer::Wait(wait)) => waits.push((number, wait)),
                None => wanted.push((number, None)),
            }
        }
        // What this worker leads comes first: another may wait for it who leads what this one waits for.
        self.call(engine, &revision, tasks, wanted, around).await;
        while let Some((number, wait)) = waits.pop() {
            // Whoever leads may wait for a place, and is watched itself.
            match rest(around, wait.answer()).await {
                Some(Answer::Hit(text)) => {
                    if recalled(tasks, number, &text, engine) {
                        hits += 1;
                    } else {
                        self.call(engine, &revision, tasks, vec![(number, None)], around).await;
                    }
                }
                Some(Answer::Wait(wait)) => waits.push((number, wait)),
                Some(Answer::Lead(lead)) => {
                    self.call(engine, &revision, tasks, vec![(number, Some(lead))], around).await;
                }
                None => self.call(engine, &revision, tasks, vec![(number, None)], around).await,
            }
        }
        self.meter.count("cache.hits", hits);
    }

    /// Calls the engine for the tasks of these numbers, again for those that it is to do better, and hands what is taken to
    /// the cache.
    async fn call(
        &self,
        engine: &dyn Engine,
        revision: &str,
        tasks: &mut [Task],
        mut wanted: Batch,
        around: Around<'_>,
    ) {
        self.meter.count("cache.misses", wanted.len() as u64);
        let places = self.upstreams.places(engine);
        while !wanted.is_empty() {
            let place = take(&places, around).await;
            let mut flights = FuturesUnordered::new();
            for (place, batch) in self.part(engine, &places, place, &mut wanted, around) {
                let items: Vec<Item> = batch.iter().map(|(number, _)| tasks[*number].item()).collect();
                flights
                    .push(async move { (batch, self.translate(engine, &items, place, around.pulse).await) });
            }
            let mut again = Batch::new();
            while let Some((batch, outcome)) = flights.next().await {
                match outcome {
                    Outcome::Said(Ok(results)) => {
                        let mut landings = Vec::with_capacity(results.len());
                        for ((number, lead), result) in batch.into_iter().zip(results) {
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
                    // In both cases the rest would meet the same wall.
                    Outcome::Said(Err(error)) => {
                        for (number, lead) in batch.into_iter().chain(std::mem::take(&mut wanted)) {
                            settle_long(&mut tasks[number], revision, lead, |task| {
                                task.failed(engine.name(), &error);
                            });
                        }
                    }
                    Outcome::LeftInPeace(until) => {
                        for (number, lead) in batch.into_iter().chain(std::mem::take(&mut wanted)) {
                            settle_long(&mut tasks[number], revision, lead, |task| {
                                task.left_in_peace(engine.name(), until);
                            });
                        }
                    }
                }
            }
            self.meter.count("items.asked_again", again.len() as u64);
            again.append(&mut wanted);
            wanted = again;
        }
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
        pulse: Option<&Pulse>,
    ) -> Outcome {
        if let Err(until) = self.upstreams.permit(engine.name()) {
            return Outcome::LeftInPeace(self.at(until));
        }
        failpoint::reach("engine.translate.before");
        let spoiled = engine.spoiled();
        let started = tokio::time::Instant::now();
        let answer = engine.translate(items).await;
        failpoint::reach("engine.translate.after");
        let took = started.elapsed();
        if let Some(pulse) = pulse {
            pulse.progress();
        }
        let error = answer.as_ref().err();
        self.upstreams.hear(engine.name(), self.heard(error));
        self.meter.called(engine.name(), "translate", took, error.map(kind_of));
        if let Ok(results) = &answer {
            self.meter.count("items.translated", results.len() as u64);
        }
        match error {
            // What has no words was not asked for.
            None if !items.iter().any(|item| item.text.has_words()) => {}
            None => {
                place.ended(items.len(), Ended::Well { took, spoiled: engine.spoiled() > spoiled });
            }
            Some(EngineError::RateLimited { .. } | EngineError::Unavailable(_)) => {
                place.ended(items.len(), Ended::NotNow);
            }
            Some(EngineError::Unanswered(_)) => place.ended(items.len(), Ended::Unanswered),
            // A wrong key says nothing of how much there may be.
            Some(EngineError::Unauthorized(_) | EngineError::Refused(_)) => {}
        }
        Outcome::Said(answer)
    }

    /// What a call means for the others who would call the engine.
    fn heard(&self, error: Option<&EngineError>) -> Heard {
        match error {
            Some(EngineError::Unavailable(_) | EngineError::Unanswered(_)) => Heard::Silence,
            // Out of quota: everybody is, until then.
            Some(EngineError::RateLimited { until: Some(until), .. }) => {
                let wait = until.duration_since(self.clock.now());
                Heard::NotBefore(
                    Instant::now() + Duration::try_from(wait).unwrap_or_default().min(LONGEST_REST),
                )
            }
            _ => Heard::Answer,
        }
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
        let wait = self.backoff.wait(attempt.max(1), fastrand::f64());
        let later = self.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
        match task.until {
            // Everything that could translate it is out of quota for a while: people should see that.
            Some(until) if task.out_of_quota && until > later.max(self.at(Instant::now() + SHORT)) => {
                JobEvent::Held(Hold { kind: HoldKind::Quota, reason, until: Some(until) })
            }
            until => JobEvent::HandedBack {
                not_before: Some(until.map_or(later, |until| until.max(later))),
                reason,
            },
        }
    }
}

/// Waits for a place.
async fn take(places: &Arc<Places>, around: Around<'_>) -> Place {
    match places.try_take() {
        Some(place) => place,
        None => rest(around, places.take()).await,
    }
}

/// Waits for what others do; that is no hanging.
async fn rest<T>(around: Around<'_>, wait: impl Future<Output = T>) -> T {
    match around.pulse {
        Some(pulse) => pulse.at_rest(wait).await,
        None => wait.await,
    }
}

/// Judges an answer; what is taken is known to the post's other tasks from then on.
fn judge(tasks: &mut [Task], number: usize, text: MaskedText, revision: &str, takes_advice: bool) -> Judged {
    let judged = tasks[number].judge(text, revision, takes_advice);
    if let Some(said) = tasks[number].said() {
        let (post, language) = (tasks[number].post.clone(), tasks[number].target.language);
        for other in tasks.iter_mut().filter(|task| task.post == post && task.target.language != language) {
            other.others.push(said.clone());
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
