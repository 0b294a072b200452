//! Translates what it is given: masks what must not change, asks the cache, else an engine, restores, runs the gate.
//! A pool of these pulls from the router, each as much at once as the first engine likes to take, with no waiting for a
//! batch to fill.
//!
//! Engines are asked in the order of the settings. The next one is asked for whatever the one before could not do: it
//! was unreachable or out of quota, it refused, or what it said did not pass the gate.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Hold, Job, JobEvent, Language, Target, TargetId, TooLong, Translation,
    backoff::Backoff,
    breaker::Heard,
    gate,
    job::HoldKind,
    ports::{Clock, Engine, EngineError, Item},
    text::{Mask, MaskedText, mask, split, weighted_length},
};

use crate::{
    cache::{Answer, Cache, Key, Lead, Look},
    failpoint,
    router::{JobReport, PullTranslations, ReportJobs, Router},
    stats::Meter,
    supervision::{Alive, Core, Link, Turn, shell::Stop},
    upstreams::Upstreams,
};

/// The longest that an engine out of quota is left in peace before it is asked again: quotas are raised, too.
const LONGEST_REST: Duration = Duration::from_hours(1);

/// A quota that is used up for longer than this is a hold that people see, and not just another try.
const SHORT: Duration = Duration::from_mins(1);

/// What a translator is built from, but for its engines, which cannot leave their thread.
#[derive(Clone)]
pub struct TranslatorParts {
    /// Where work comes from.
    pub router: Link<Router>,
    /// What was said before.
    pub cache: Link<Cache>,
    /// The language of the source.
    pub from: Language,
    /// The targets, by name.
    pub targets: Arc<HashMap<TargetId, Target>>,
    /// Which services are down.
    pub upstreams: Upstreams,
    /// How long to wait before another try.
    pub backoff: Backoff,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where latencies and counts go.
    pub meter: Meter,
}

/// The core of a translator.
pub struct Translator {
    alive: Alive,
    parts: TranslatorParts,
    engines: Vec<Rc<dyn Engine>>,
}

impl Translator {
    /// A translator whose engines are asked in that order.
    pub fn new(alive: Alive, parts: TranslatorParts, engines: Vec<Rc<dyn Engine>>) -> Self {
        Self { alive, parts, engines }
    }
}

#[async_trait(?Send)]
impl Core for Translator {
    async fn turn(&mut self, stop: &Stop) -> Turn {
        let max = self.engines.first().map_or(1, |engine| engine.max_batch().max(1));
        let pull = PullTranslations { worker: self.alive.ticket(), max };
        let jobs = match stop.or(self.parts.router.ask_until_answered(pull)).await {
            None => return Turn::Idle,
            Some(Err(error)) => return Turn::Fatal(error.to_string()),
            Some(Ok(jobs)) if jobs.is_empty() => return Turn::Idle,
            Some(Ok(jobs)) => jobs,
        };
        let work = self.alive.at_work();
        failpoint::reach("translator.turn");
        let reports = self.translate(jobs).await;
        drop(work);
        match self.parts.router.ask_until_answered(ReportJobs(reports)).await {
            Ok(()) => Turn::Worked,
            Err(error) => Turn::Fatal(error.to_string()),
        }
    }
}

/// One job on its way through the engines.
struct Task {
    job: Job,
    target: Target,
    mask: Mask,
    /// What became of it, once that is known.
    outcome: Option<JobEvent>,
    /// What engines said so far, for a person.
    troubles: Vec<String>,
    /// A later try may go well.
    passing: bool,
    /// An engine said when.
    until: Option<Timestamp>,
    /// Every engine that was asked is out of quota.
    out_of_quota: bool,
}

impl Translator {
    async fn translate(&self, jobs: Vec<Job>) -> Vec<JobReport> {
        let mut tasks: Vec<Task> = Vec::with_capacity(jobs.len());
        let mut reports = Vec::new();
        for job in jobs {
            let Some(target) = self.parts.targets.get(&job.target).cloned() else {
                let reason = format!("{} is no target in the settings any more", job.target);
                reports.push(JobReport::new(&job, vec![JobEvent::Failed { reason }]));
                continue;
            };
            let mask = mask(&job.post.text);
            tasks.push(Task {
                job,
                target,
                mask,
                outcome: None,
                troubles: Vec::new(),
                passing: false,
                until: None,
                out_of_quota: true,
            });
        }
        for engine in &self.engines {
            self.try_engine(&**engine, &mut tasks).await;
        }
        for task in tasks {
            let event = task.outcome.clone().unwrap_or_else(|| self.give_back(&task));
            reports.push(JobReport::new(&task.job, vec![event]));
        }
        reports
    }

    /// Has an engine do what is not done yet and what it can do, as far as the cache does not know it.
    async fn try_engine(&self, engine: &dyn Engine, tasks: &mut [Task]) {
        let revision = engine.revision();
        let open: Vec<usize> = (0..tasks.len())
            .filter(|index| {
                let task = &tasks[*index];
                task.outcome.is_none() && engine.supports(self.parts.from, task.target.language)
            })
            .collect();
        if open.is_empty() {
            return;
        }
        let keys = open
            .iter()
            .map(|index| {
                let Task { mask, target, .. } = &tasks[*index];
                Key::new(&mask.text, self.parts.from, target.language, target.style, &revision)
            })
            .collect();
        let started = Instant::now();
        // Without a cache everything is asked for, once for each job.
        let answers = match self.parts.cache.ask(Look(keys)).await {
            Ok(answers) => answers.into_iter().map(Some).collect(),
            Err(_) => open.iter().map(|_| None).collect::<Vec<_>>(),
        };
        self.parts.meter.called("cache", "get", started.elapsed(), None);

        let mut waits = Vec::new();
        let mut wanted: Vec<(usize, Option<Lead>)> = Vec::new();
        let mut hits = 0;
        for (index, answer) in open.into_iter().zip(answers) {
            match answer {
                Some(Answer::Hit(text)) => {
                    hits += 1;
                    tasks[index].accept(&text, &revision);
                }
                Some(Answer::Lead(lead)) => wanted.push((index, Some(lead))),
                Some(Answer::Wait(wait)) => waits.push((index, wait)),
                None => wanted.push((index, None)),
            }
        }
        // What this worker leads comes first: another may wait for it who leads what this one waits for.
        self.call(engine, &revision, tasks, wanted).await;
        while let Some((index, wait)) = waits.pop() {
            match wait.answer().await {
                Some(Answer::Hit(text)) => {
                    hits += 1;
                    tasks[index].accept(&text, &revision);
                }
                Some(Answer::Wait(wait)) => waits.push((index, wait)),
                Some(Answer::Lead(lead)) => {
                    self.call(engine, &revision, tasks, vec![(index, Some(lead))]).await;
                }
                None => self.call(engine, &revision, tasks, vec![(index, None)]).await,
            }
        }
        self.parts.meter.count("cache.hits", hits);
    }

    /// Calls the engine for the tasks of these numbers, and hands what passes the gate to the cache.
    async fn call(
        &self,
        engine: &dyn Engine,
        revision: &str,
        tasks: &mut [Task],
        mut wanted: Vec<(usize, Option<Lead>)>,
    ) {
        self.parts.meter.count("cache.misses", wanted.len() as u64);
        while !wanted.is_empty() {
            let rest = wanted.split_off(wanted.len().min(engine.max_batch().max(1)));
            let batch = std::mem::replace(&mut wanted, rest);
            let items: Vec<Item> = batch
                .iter()
                .map(|(index, _)| Item {
                    text: tasks[*index].mask.text.clone(),
                    from: self.parts.from,
                    to: tasks[*index].target.language,
                    style: tasks[*index].target.style,
                })
                .collect();
            if let Err(until) = self.parts.upstreams.permit(engine.name()) {
                let until = self.at(until);
                for (index, _) in batch.into_iter().chain(std::mem::take(&mut wanted)) {
                    tasks[index].left_in_peace(engine.name(), until);
                }
                return;
            }
            failpoint::reach("engine.translate.before");
            let started = Instant::now();
            let answer = engine.translate(&items).await;
            failpoint::reach("engine.translate.after");
            self.alive.pulse().progress();
            let error = answer.as_ref().err().map(kind_of);
            self.parts.upstreams.hear(engine.name(), self.heard(answer.as_ref().err()));
            self.parts.meter.called(engine.name(), "translate", started.elapsed(), error);
            match answer {
                Ok(results) => {
                    self.parts.meter.count("items.translated", results.len() as u64);
                    for ((index, lead), result) in batch.into_iter().zip(results) {
                        let task = &mut tasks[index];
                        match result {
                            Ok(text) => {
                                if task.accept(&text, revision)
                                    && let Some(lead) = lead
                                {
                                    lead.land(text);
                                }
                            }
                            Err(error) => {
                                task.troubles.push(format!("{}: {error}", engine.name()));
                                task.out_of_quota = false;
                            }
                        }
                    }
                }
                Err(error) => {
                    for (index, _) in &batch {
                        tasks[*index].failed(engine.name(), &error);
                    }
                    // The rest would meet the same wall.
                    for (index, _) in std::mem::take(&mut wanted) {
                        tasks[index].failed(engine.name(), &error);
                    }
                }
            }
        }
    }

    /// What a call means for the others who would call the engine.
    fn heard(&self, error: Option<&EngineError>) -> Heard {
        match error {
            Some(EngineError::Unavailable(_)) => Heard::Silence,
            // Out of quota: everybody is, until then.
            Some(EngineError::RateLimited { until: Some(until), .. }) => {
                let wait = until.duration_since(self.parts.clock.now());
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
        self.parts.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// What becomes of a job that no engine could do.
    fn give_back(&self, task: &Task) -> JobEvent {
        if task.troubles.is_empty() {
            return JobEvent::Failed {
                reason: format!(
                    "no engine translates {} to {}; add one that does to engine.order and retry it",
                    self.parts.from.name(),
                    task.target.language.name()
                ),
            };
        }
        let reason = task.troubles.join("; ");
        if !task.passing {
            return JobEvent::Held(Hold { kind: HoldKind::Gate, reason, until: None });
        }
        let wait = self.parts.backoff.wait(task.job.attempt.max(1), fastrand::f64());
        let later = self.parts.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
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

impl Task {
    /// Takes a translation, if it passes the gate; answers whether it did.
    fn accept(&mut self, text: &MaskedText, revision: &str) -> bool {
        let restored = match self.mask.restore(text) {
            Ok(restored) => restored,
            Err(error) => {
                self.troubles.push(format!("{revision}: {error}"));
                self.out_of_quota = false;
                return false;
            }
        };
        let max = self.target.max_weighted_length;
        let fits = weighted_length(&restored) <= max;
        if !fits && self.target.too_long == TooLong::Hold {
            let reason = format!(
                "the translation weighs more than {max}; publish it by hand, or set too_long = \"thread\" and retry it"
            );
            self.outcome = Some(JobEvent::Held(Hold { kind: HoldKind::TooLong, reason, until: None }));
            return true;
        }
        let parts = if fits { vec![restored] } else { split::split(&restored, max) };
        let candidate = gate::Candidate { source: &self.mask, parts: &parts, max_weighted_length: max };
        let findings = gate::findings(&candidate);
        if findings.is_empty() {
            self.outcome = Some(JobEvent::Translated(Translation { parts, engine: revision.to_owned() }));
            return true;
        }
        self.out_of_quota = false;
        self.troubles.extend(findings.iter().map(|finding| format!("{revision}: {finding}")));
        false
    }

    fn failed(&mut self, engine: &str, error: &EngineError) {
        self.troubles.push(format!("{engine}: {error}"));
        // A wrong key is not mended by time, but a person may mend it, and then the job should go on by itself.
        self.passing = true;
        match error {
            EngineError::RateLimited { until: Some(until), .. } => self.not_before(*until),
            _ => self.out_of_quota = false,
        }
    }

    /// The engine is taken to be down or out of quota, and was not asked.
    fn left_in_peace(&mut self, engine: &str, until: Timestamp) {
        self.troubles
            .push(format!("{engine}: it is down or out of quota, and left in peace until {until:.0}"));
        self.passing = true;
        self.not_before(until);
    }

    fn not_before(&mut self, moment: Timestamp) {
        // The first engine to come back is soon enough.
        self.until = Some(self.until.map_or(moment, |known| known.min(moment)));
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
