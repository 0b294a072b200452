//! Translates tasks: with the cache, then with the engines of each task's target, in order. The next engine gets the tasks
//! that the one before could not do: it was unreachable or out of quota, it refused, or its answer did not pass the gate,
//! even after advice.
//!
//! - [`calls`]: the calls to one engine, within the limits of its limiter and circuit breaker.
//! - [`payment`]: pays for the calls, within the budgets.
//! - [`batch`]: what goes into one call.
//! - [`elsewhere`]: what other instances translated, or are translating.
//!
//! All translators together find out how many calls an engine can take at once and how many texts each
//! ([`crate::upstreams::limiter`]). A worker waits for a permit with no call in flight and holds it for one call only.
//! It may lead cache keys meanwhile, because a worker with a permit waits only for the engine.

mod batch;
#[cfg(test)]
mod cache_hit_tests;
mod calls;
mod elsewhere;
#[cfg(test)]
mod elsewhere_tests;
#[cfg(test)]
mod limiter_tests;
#[cfg(test)]
mod order_tests;
mod payment;
#[cfg(test)]
mod payment_tests;
#[cfg(test)]
mod progress_tests;
#[cfg(test)]
mod shape_tests;
#[cfg(test)]
mod single_flight_tests;

use std::{
    collections::HashSet,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mynah_domain::{
    EngineOrder, Hold, JobEvent,
    backoff::Backoff,
    job::HoldKind,
    ports::{Clock, Engine},
    text::MaskedText,
};

use super::task::{BudgetWait, Judged, Retry, Task};
use crate::{
    cache::{self, Answer, Cache, Key, Lead, Look, shared::Shared},
    spending::Spender,
    stats::Meter,
    supervision::{ActorRef, Heartbeat},
    upstreams::{Upstreams, refusals::RefusalKind},
};
use batch::Wanted;
use calls::{Calls, Outage, wait_alongside};

/// If a quota is used up for longer than this, the job is held, which people see, instead of just retried.
const BRIEF_QUOTA_PAUSE: Duration = Duration::from_mins(1);

/// After this many attempts without a usable answer the job is held, as asking costs money each time.
const FEW_ATTEMPTS: u32 = 3;

/// Translates tasks with the engines of their targets, in order.
#[derive(Clone)]
pub struct EngineCascade {
    /// Earlier translations; without a cache, every task goes to an engine.
    pub cache: Option<ActorRef<Cache>>,
    /// Translations of other instances, if there are any.
    pub shared: Option<Shared>,
    /// Pays the engines; `None` if their calls are not recorded.
    pub spender: Option<Spender>,
    /// Which services are down, and how many calls each gets at once.
    pub upstreams: Upstreams,
    /// How long to wait before a retry.
    pub backoff: Backoff,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where to report latencies and counts.
    pub meter: Meter,
}

/// The circumstances of a translation.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallContext<'a> {
    /// Reports progress for every answer, and during waits; `None` if nothing watches.
    pub heartbeat: Option<&'a Heartbeat>,
    /// Whether other tasks may be waiting for free permits. If not, these tasks are spread over as many calls as are
    /// useful.
    pub more_waiting: bool,
}

/// A key to look up in the cache, and the number of its task.
type Open = (Key, usize);

impl EngineCascade {
    /// Gives every task an outcome. If a target wants its hashtags translated, they come first.
    pub async fn translate(
        &self,
        tasks: &mut [Task],
        attempt: impl Fn(usize) -> u32,
        engines: &[Rc<dyn Engine>],
        context: CallContext<'_>,
    ) {
        let tags = tasks.iter().enumerate();
        let tags = tags.flat_map(|(owner, task)| {
            task.tags().into_iter().map(move |(number, words)| ((owner, number), words))
        });
        let (owners, mut tags): (Vec<_>, Vec<Task>) = tags.unzip();
        if !tags.is_empty() {
            self.translate_all(&mut tags, |_| 1, engines, context).await;
        }
        for ((owner, number), tag) in owners.into_iter().zip(&tags) {
            // A hashtag that could not be translated stays unchanged.
            if let Some(text) = tag.translated_text() {
                tasks[owner].set_tag(number, &text);
            }
        }
        self.translate_all(tasks, attempt, engines, context).await;
    }

    async fn translate_all(
        &self,
        tasks: &mut [Task],
        attempt: impl Fn(usize) -> u32,
        engines: &[Rc<dyn Engine>],
        context: CallContext<'_>,
    ) {
        tasks.iter_mut().for_each(Task::copy_if_wordless);
        let names = engines.iter().map(|engine| engine.name());
        let orders: Vec<Vec<usize>> = tasks.iter().map(|task| task.places(&names)).collect();
        let longest = orders.iter().map(Vec::len).max().unwrap_or_default();
        // In each round, a task goes to the next engine of its target.
        for round in 0..longest {
            for (place, engine) in engines.iter().enumerate() {
                let due = |order: &Vec<usize>| order.get(round) == Some(&place);
                let due: Vec<usize> = (0..tasks.len()).filter(|number| due(&orders[*number])).collect();
                if due.is_empty() {
                    continue;
                }
                for number in &due {
                    tasks[*number].begin();
                }
                self.try_engine(&**engine, tasks, due, context).await;
            }
        }
        for (number, task) in tasks.iter_mut().enumerate() {
            if task.outcome.is_none() {
                task.outcome = Some(self.hand_back(task, attempt(number)));
            }
        }
    }

    /// Lets an engine do those of the `due` tasks that have no outcome and that it supports, except those that the cache can
    /// answer.
    ///
    /// This goes in rounds: look keys up, call the engine for those that this worker leads, then wait for those that
    /// other workers lead. A worker looks each key up once per round, so it never waits for itself, and it waits only
    /// while it leads nothing, so no two workers wait for each other. If the leader of a key gives up, the next round
    /// looks it up again.
    async fn try_engine(
        &self,
        engine: &dyn Engine,
        tasks: &mut [Task],
        due: Vec<usize>,
        context: CallContext<'_>,
    ) {
        let calls = Calls::new(self, engine, context);
        let due = due.into_iter().map(|number| (number, &tasks[number]));
        let open = due.filter(|(_, Task { outcome, target, .. })| {
            outcome.is_none() && engine.supports(target.source.language, target.language)
        });
        // No other engine may translate what must wait for one that refused it.
        let open = open.filter(|(_, task)| task.waits_for.is_none());
        // What is in the cache may be what a person was not content with.
        let (guided, open): (Vec<_>, Vec<_>) = open.partition(|(_, task)| task.guidance.is_some());
        let maker = cache::maker(engine);
        let open = open.into_iter();
        let open = open.map(|(number, task)| (task.key(&maker, engine.takes_advice()), number));
        let mut open: Vec<Open> = open.collect();
        // Tasks to call for without a lead on their key.
        let mut without_lead: Vec<Wanted> =
            guided.into_iter().map(|(number, _)| Wanted::without_lead(number)).collect();
        let mut hits = 0;
        // An outage that stops one call stops the next one, too.
        let mut outage: Option<Outage> = None;
        let mut is_first_round = true;
        while !open.is_empty() || !without_lead.is_empty() {
            let (asked, mut same) = first_of_each_key(open);
            let answers = self.look_up(&asked).await;
            let mut waits = Vec::new();
            let mut missing: Vec<(usize, Lead)> = Vec::new();
            let mut wanted = std::mem::take(&mut without_lead);
            for ((key, number), answer) in asked.into_iter().zip(answers) {
                match answer {
                    Some(Answer::Hit(text)) if accept_cached(tasks, number, &text, &calls) => hits += 1,
                    Some(Answer::Hit(_)) => wanted.push(Wanted::without_lead(number)),
                    Some(Answer::Wait(wait)) => waits.push((key, number, wait)),
                    Some(Answer::Lead(lead)) => {
                        missing.push((number, lead));
                        if !is_first_round {
                            // The first attempt for this key failed: send the others in one call instead of a call
                            // each.
                            let others = same.extract_if(.., |(other, _)| *other == key);
                            wanted.extend(others.map(|(_, number)| Wanted::without_lead(number)));
                        }
                    }
                    // Without a cache, call for every task.
                    None => {
                        let others = same.drain(..).map(|(_, number)| number);
                        wanted.extend(std::iter::once(number).chain(others).map(Wanted::without_lead));
                    }
                }
            }
            let (to_call, elsewhere) = self.look_elsewhere(tasks, missing, &calls).await;
            wanted.extend(to_call);
            call_unless(&mut outage, tasks, wanted, &calls).await;
            if !elsewhere.is_empty() {
                let not_found = self.wait_elsewhere(tasks, elsewhere, &calls).await;
                call_unless(&mut outage, tasks, not_found, &calls).await;
            }
            open = same;
            for (key, number, wait) in waits {
                match wait_alongside(&calls.limiter, context, wait.answer()).await {
                    Some(text) if accept_cached(tasks, number, &text, &calls) => hits += 1,
                    Some(_) => without_lead.push(Wanted::without_lead(number)),
                    None => open.push((key, number)),
                }
            }
            is_first_round = false;
        }
        self.meter.count("cache.hits", hits);
    }

    /// The cache's answer for each key; `None` for each if there is no cache.
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

    /// How long until a time of day; zero if it is past.
    fn until(&self, moment: Timestamp) -> Duration {
        Duration::try_from(moment.duration_since(self.clock.now())).unwrap_or_default()
    }

    /// Converts a future instant to a timestamp.
    fn time_of(&self, moment: Instant) -> Timestamp {
        let wait = moment.saturating_duration_since(Instant::now());
        self.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// The event of a job that no engine could translate, at this attempt.
    fn hand_back(&self, task: &Task, attempt: u32) -> JobEvent {
        if let Some(held) = hold_for_budget(task).or_else(|| self.hold_for_refusal(task)) {
            return held;
        }
        if task.troubles.is_empty() {
            let (who, fix) = match &task.target.engines {
                EngineOrder::All => ("no engine", "to engine.order"),
                EngineOrder::Only(_) => ("none of the target's engines", "to its list, or to engine.order,"),
            };
            return JobEvent::Failed {
                reason: format!(
                    "{who} translates {} to {}; add one that does {fix} and retry it",
                    task.target.source.language.name(),
                    task.target.language.name()
                ),
            };
        }
        let reason = task.troubles.join("; ");
        let is_worth_retrying = match task.retry {
            Retry::Never => false,
            Retry::Few => attempt < FEW_ATTEMPTS,
            Retry::Always => true,
        };
        if !is_worth_retrying {
            return JobEvent::Held(Hold { kind: HoldKind::Gate, reason, until: None });
        }
        let asked = task.until.map(|until| self.until(until));
        let pause = self.backoff.pause(attempt.max(1), fastrand::f64(), asked);
        let not_before = self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        // Every engine that could translate it is out of quota for a while, and people should see that.
        if task.out_of_quota && asked.is_some_and(|asked| asked > BRIEF_QUOTA_PAUSE) {
            return JobEvent::Held(Hold { kind: HoldKind::Quota, reason, until: Some(not_before) });
        }
        JobEvent::HandedBack { not_before: Some(not_before), reason }
    }
}

/// The longest that a job waits for an engine that refuses it, before it asks again.
const LONGEST_HOLD: Duration = Duration::from_secs(30);

impl EngineCascade {
    /// Holds a job that waits for an engine which refuses every call; `None` if that is no longer so, or if this one
    /// request may be at fault, which must not block the jobs behind it for good.
    fn hold_for_refusal(&self, task: &Task) -> Option<JobEvent> {
        let now = self.clock.now();
        let refusal = self.upstreams.refusals().of(task.waits_for.as_deref()?, now)?;
        if !refusal.is_of_every_call() {
            return None;
        }
        let until = if let RefusalKind::Quota(until) = refusal.kind {
            until
        } else {
            // A person may fix the key at any time, and then the job should soon continue by itself.
            let wait = self.backoff.pause(refusal.in_a_row, fastrand::f64(), None).min(LONGEST_HOLD);
            now.saturating_add(wait).unwrap_or(Timestamp::MAX)
        };
        let reason = format!(
            "{}; it waits for this engine, because engine.fallback is \"hold\"",
            task.troubles.join("; ")
        );
        Some(JobEvent::Held(Hold { kind: HoldKind::Engine, reason, until: Some(until) }))
    }
}

/// Holds a job that a budget does not allow: because no other engine may translate it, or because no other engine is available
/// before the budget allows it. If no period will ever allow it, a person must decide.
fn hold_for_budget(task: &Task) -> Option<JobEvent> {
    let BudgetWait { until } = task.over_budget?;
    let waits = task.waits_for.is_some() || (task.out_of_quota && task.until == until);
    let mut reason = task.troubles.join("; ");
    if until.is_none() {
        reason.push_str("; then retry it, or skip it");
    }
    waits.then_some(JobEvent::Held(Hold { kind: HoldKind::Budget, reason, until }))
}

/// Calls the engine, unless an earlier call found it out of order.
async fn call_unless(
    outage: &mut Option<Outage>,
    tasks: &mut [Task],
    wanted: Vec<Wanted>,
    calls: &Calls<'_>,
) {
    match outage {
        None => *outage = calls.make(tasks, wanted).await,
        Some(outage) => calls.settle_outage(outage, tasks, wanted),
    }
}

/// The first task of each key, and the others, which have the same answer.
fn first_of_each_key(open: Vec<Open>) -> (Vec<Open>, Vec<Open>) {
    let mut keys = HashSet::with_capacity(open.len());
    open.into_iter().partition(|(key, _)| keys.insert(*key))
}

/// Judges an answer. An accepted translation is shown to the post's other tasks from then on.
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

/// Judges a translation that was made for another post or target, or by another instance. If it does not pass the gate
/// here, or a shorter one is needed, that does not count against the engine.
fn judge_found(
    tasks: &mut [Task],
    number: usize,
    text: &MaskedText,
    calls: &Calls<'_>,
) -> Option<MaskedText> {
    let task = &mut tasks[number];
    if calls.engine.takes_advice() && task.is_too_long(text) {
        return None;
    }
    let before = (task.troubles.len(), task.out_of_quota, task.rejected.clone());
    match judge(tasks, number, text.clone(), &calls.revision, false) {
        Judged::Taken(text) => Some(text),
        Judged::Again | Judged::GivenUp => {
            let task = &mut tasks[number];
            task.troubles.truncate(before.0);
            (task.out_of_quota, task.rejected) = (before.1, before.2);
            None
        }
    }
}

/// Accepts a cached translation if it also passes the gate with this task's links and numbers; it was made for a text
/// with others. If it does not pass, an engine that may answer differently is called.
fn accept_cached(tasks: &mut [Task], number: usize, text: &MaskedText, calls: &Calls<'_>) -> bool {
    if calls.engine.takes_advice() {
        return judge_found(tasks, number, text, calls).is_some();
    }
    judge(tasks, number, text.clone(), &calls.revision, false);
    true
}
