//! Asks the cache, else the engines, for a number of tasks at once. Engines are asked in the order of the settings; the
//! next one for whatever the one before could not do: it was unreachable or out of quota, it refused, or what it said did
//! not pass the gate, also when it was told what was wrong.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

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
    upstreams::Upstreams,
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

impl Asking {
    /// Sees every task to an outcome; where a target wants its hashtags translated, these come first. `pulse` hears of
    /// every answer.
    pub async fn see_to(
        &self,
        tasks: &mut [Task],
        attempt: impl Fn(usize) -> u32,
        engines: &[Rc<dyn Engine>],
        pulse: Option<&Pulse>,
    ) {
        let tags = tasks.iter().enumerate();
        let tags = tags.flat_map(|(owner, task)| {
            task.tags().into_iter().map(move |(number, words)| ((owner, number), words))
        });
        let (places, mut words): (Vec<_>, Vec<Task>) = tags.unzip();
        if !words.is_empty() {
            self.see_to_all(&mut words, |_| 1, engines, pulse).await;
        }
        for ((owner, number), task) in places.into_iter().zip(&words) {
            // One that could not be translated stays as it is.
            if let Some(said) = task.said() {
                tasks[owner].say_tag(number, &said);
            }
        }
        self.see_to_all(tasks, attempt, engines, pulse).await;
    }

    async fn see_to_all(
        &self,
        tasks: &mut [Task],
        attempt: impl Fn(usize) -> u32,
        engines: &[Rc<dyn Engine>],
        pulse: Option<&Pulse>,
    ) {
        for engine in engines {
            for task in &mut *tasks {
                task.begin();
            }
            self.try_engine(&**engine, tasks, pulse).await;
        }
        for (number, task) in tasks.iter_mut().enumerate() {
            if task.outcome.is_none() {
                task.outcome = Some(self.give_back(task, attempt(number)));
            }
        }
    }

    /// Has an engine do what is not done yet and what it can do, as far as the cache does not know it.
    async fn try_engine(&self, engine: &dyn Engine, tasks: &mut [Task], pulse: Option<&Pulse>) {
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
        self.call(engine, &revision, tasks, wanted, pulse).await;
        while let Some((number, wait)) = waits.pop() {
            match wait.answer().await {
                Some(Answer::Hit(text)) => {
                    if recalled(tasks, number, &text, engine) {
                        hits += 1;
                    } else {
                        self.call(engine, &revision, tasks, vec![(number, None)], pulse).await;
                    }
                }
                Some(Answer::Wait(wait)) => waits.push((number, wait)),
                Some(Answer::Lead(lead)) => {
                    self.call(engine, &revision, tasks, vec![(number, Some(lead))], pulse).await;
                }
                None => self.call(engine, &revision, tasks, vec![(number, None)], pulse).await,
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
        pulse: Option<&Pulse>,
    ) {
        self.meter.count("cache.misses", wanted.len() as u64);
        while !wanted.is_empty() {
            let rest = wanted.split_off(wanted.len().min(engine.max_batch().max(1)));
            let batch = std::mem::replace(&mut wanted, rest);
            let items: Vec<Item> = batch.iter().map(|(number, _)| tasks[*number].item()).collect();
            if let Err(until) = self.upstreams.permit(engine.name()) {
                let until = self.at(until);
                for (number, lead) in batch.into_iter().chain(std::mem::take(&mut wanted)) {
                    settle_long(&mut tasks[number], revision, lead, |task| {
                        task.left_in_peace(engine.name(), until);
                    });
                }
                return;
            }
            match self.translate(engine, &items, pulse).await {
                Ok(results) => {
                    let mut again = Batch::new();
                    for ((number, lead), result) in batch.into_iter().zip(results) {
                        match result {
                            Ok(text) => match judge(tasks, number, text, revision, engine.takes_advice()) {
                                Judged::Taken(text) => {
                                    if let Some(lead) = lead {
                                        lead.land(text);
                                    }
                                }
                                Judged::Again => again.push((number, lead)),
                                Judged::GivenUp => {}
                            },
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
                    if !again.is_empty() {
                        self.meter.count("items.asked_again", again.len() as u64);
                        again.append(&mut wanted);
                        wanted = again;
                    }
                }
                Err(error) => {
                    // The rest would meet the same wall.
                    for (number, lead) in batch.into_iter().chain(std::mem::take(&mut wanted)) {
                        settle_long(&mut tasks[number], revision, lead, |task| {
                            task.failed(engine.name(), &error);
                        });
                    }
                }
            }
        }
    }

    async fn translate(
        &self,
        engine: &dyn Engine,
        items: &[Item],
        pulse: Option<&Pulse>,
    ) -> Result<Vec<Result<MaskedText, ItemError>>, EngineError> {
        failpoint::reach("engine.translate.before");
        let started = Instant::now();
        let answer = engine.translate(items).await;
        failpoint::reach("engine.translate.after");
        if let Some(pulse) = pulse {
            pulse.progress();
        }
        let error = answer.as_ref().err();
        self.upstreams.hear(engine.name(), self.heard(error));
        self.meter.called(engine.name(), "translate", started.elapsed(), error.map(kind_of));
        if let Ok(results) = &answer {
            self.meter.count("items.translated", results.len() as u64);
        }
        answer
    }

    /// What a call means for the others who would call the engine.
    fn heard(&self, error: Option<&EngineError>) -> Heard {
        match error {
            Some(EngineError::Unavailable(_)) => Heard::Silence,
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
        EngineError::Refused(_) => "refused",
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use async_trait::async_trait;
    use mynah_domain::{
        MediaPolicy, Post, PostId, PostKind, Style, Target, TargetId, TooLong,
        breaker::BreakerPolicy,
        filters::Filters,
        ports::SystemClock,
        text::{Masking, Segment},
    };

    use super::*;
    use crate::cache::{CacheSettings, Fill, kept::Entry};

    /// Says everything in one word before what was protected.
    struct Model(Cell<usize>);

    #[async_trait(?Send)]
    impl Engine for Model {
        fn name(&self) -> &'static str {
            "model"
        }

        fn revision(&self) -> String {
            "model".into()
        }

        fn supports(&self, _: Language, _: Language) -> bool {
            true
        }

        fn max_batch(&self) -> usize {
            10
        }

        fn takes_advice(&self) -> bool {
            true
        }

        async fn translate(&self, items: &[Item]) -> Result<Vec<Result<MaskedText, ItemError>>, EngineError> {
            self.0.set(self.0.get() + items.len());
            let say = |item: &Item| {
                let things = item.text.placeholders().map(Segment::Placeholder);
                Ok(MaskedText::from_segments(
                    [Segment::Words("Plantamos árboles: ".into())].into_iter().chain(things),
                ))
            };
            Ok(items.iter().map(say).collect())
        }
    }

    fn task(text: &str) -> Task {
        let post = Post {
            id: PostId("1".into()),
            position: 1,
            text: text.into(),
            language: None,
            kind: PostKind::Original,
            created_at: Timestamp::UNIX_EPOCH,
            media: vec![],
        };
        let target = Target {
            id: TargetId::new("x", "town_es"),
            language: "es".parse().unwrap(),
            account: "town_es".into(),
            style: Style::default(),
            masking: Masking::default(),
            filters: Filters::default(),
            media: MediaPolicy::None,
            too_long: TooLong::Thread,
            max_weighted_length: 280,
        };
        Task::new(&post, Language::english(), Vec::new(), target)
    }

    #[actix_rt::test]
    async fn what_the_cache_has_and_does_not_pass_here_is_asked_for_and_held_against_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::unattended(CacheSettings {
            max_entries: 10,
            ttl: Duration::from_hours(1),
            file: folder.path().join("cache.jsonl"),
            snapshot_interval: Duration::from_hours(1),
        });
        let policy = BreakerPolicy {
            failures: 5,
            pause: Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) },
            trial: Duration::from_secs(1),
        };
        let asking = Asking {
            cache: Some(cache.clone()),
            from: Language::english(),
            upstreams: Upstreams::new(policy),
            backoff: Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) },
            clock: Arc::new(SystemClock),
            meter: Meter::default(),
        };
        let of = |words: &str| {
            let text = MaskedText(vec![Segment::Words(words.into()), Segment::Placeholder(0)]);
            Entry { text: Arc::new(text), expires: Timestamp::MAX }
        };
        let (good, bad) = (task("We planted 350 trees"), task("We planted many trees, 350 of them"));
        let known = vec![
            (good.key("model", true), of("Plantamos árboles, a saber ")),
            // As it may be where the other number was 999.
            (bad.key("model", true), of("Plantamos 999 árboles: ")),
        ];
        cache.ask(Fill(known)).await.unwrap();
        let model = Rc::new(Model(Cell::new(0)));
        let engines: [Rc<dyn Engine>; 1] = [model.clone()];
        let mut tasks = [good, bad];
        asking.see_to(&mut tasks, |_| 1, &engines, None).await;
        assert_eq!(tasks[0].said().as_deref(), Some("Plantamos árboles, a saber 350"));
        assert_eq!(tasks[1].said().as_deref(), Some("Plantamos árboles: 350"));
        assert_eq!(model.0.get(), 1, "only what did not pass was asked for");
        assert!(tasks[1].troubles.is_empty() && tasks[1].rejected.is_none());
    }
}
