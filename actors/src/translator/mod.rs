//! Translates jobs: masks what must not change, asks the cache and then the engines, restores the masked parts, and
//! runs the gate. A pool of translators pulls from the router. Each takes as many jobs as fit in one call of the first
//! engine, without waiting for a batch to fill.
//!
//! - [`task`]: one post for one target, and whether an answer is accepted.
//! - [`cascade`]: the cache and the engines, in order.

pub mod cascade;
pub mod task;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, rc::Rc, sync::Arc};

use async_trait::async_trait;
use cascade::{CallContext, EngineCascade};
use mynah_domain::{
    Card, CardWords, Job, JobEvent, MediaPolicy, Post, PostId, PostKind, Target, TargetId, Translation,
    network::NetworkRules,
    ports::{Engine, Ledger, LedgerError},
    text::{is_wordless, mask},
};
use task::Task;

use crate::{
    failpoint,
    router::{JobReport, PullTranslations, ReportJobs, Router},
    supervision::{ActorRef, Step, Worker, WorkerContext, shell::Stop},
};

/// How many earlier posts of a thread an engine gets as context, to resolve words such as "it" and "she".
const CONTEXT_MOST: usize = 3;

/// What a translator is built from, except its engines, which cannot leave their thread.
#[derive(Clone)]
pub struct TranslatorParts {
    /// The router, which hands out jobs.
    pub router: ActorRef<Router>,
    /// The targets, by name.
    pub targets: Arc<HashMap<TargetId, Target>>,
    /// Where to read the earlier posts of a thread.
    pub ledger: Arc<dyn Ledger>,
    /// Translates the tasks.
    pub cascade: EngineCascade,
}

/// Whether an alt text has words to translate, by the rules of the source's network.
fn has_words(alt: &str, source: &dyn NetworkRules) -> bool {
    !is_wordless(alt, &mask(alt, source).text)
}

/// Adds the translated warning, card and alt texts to a translation. One that could not be translated stays in the author's
/// words: for a person who cannot see the picture that is better than nothing, and no post waits for it.
fn with_texts_beside<'a>(
    event: JobEvent,
    post: &Post,
    target: &Target,
    texts: &mut impl Iterator<Item = &'a Task>,
) -> JobEvent {
    match event {
        JobEvent::Translated(translation) => {
            JobEvent::Translated(with_their_translations(translation, post, target, texts))
        }
        JobEvent::Drafted(mut draft) => {
            draft.translation = with_their_translations(draft.translation, post, target, texts);
            JobEvent::Drafted(draft)
        }
        event => event,
    }
}

fn with_their_translations<'a>(
    mut translation: Translation,
    post: &Post,
    target: &Target,
    texts: &mut impl Iterator<Item = &'a Task>,
) -> Translation {
    let source = &*target.source.network;
    let mut text_for = |own: &str| {
        let translated =
            if has_words(own, source) { texts.next().and_then(Task::translated_text) } else { None };
        translated.unwrap_or_else(|| own.to_owned())
    };
    translation.warning = warning_beside(post, target).map(&mut text_for);
    translation.card = target.card_of(post).map(|Card { words, .. }| {
        let title = text_for(&words.title);
        Box::new(CardWords { title, description: text_for(&words.description) })
    });
    translation.alts =
        post.media.iter().map(|medium| text_for(medium.alt.as_deref().unwrap_or_default())).collect();
    if translation.alts.iter().all(String::is_empty) {
        translation.alts.clear();
    }
    translation
}

/// The post's warning, if it is not published as a part of the text.
fn warning_beside<'a>(post: &'a Post, target: &Target) -> Option<&'a str> {
    post.warning.as_deref().filter(|_| target.network.has_warnings())
}

/// Adds the posts' warnings, the words of their cards and the alt texts of their media, each as a separate task; returns for each the number of
/// its job.
fn add_texts_beside(tasks: &mut Vec<Task>, jobs: &[Job]) -> Vec<usize> {
    let mut owners = Vec::new();
    for (number, Job { post, .. }) in jobs.iter().enumerate() {
        if post.warning.is_none() && post.media.is_empty() && post.card.is_none() {
            continue;
        }
        let target = tasks[number].target.clone();
        let source = &*target.source.network;
        let warning = warning_beside(post, &target).filter(|warning| has_words(warning, source));
        tasks.extend(warning.map(|warning| Task::of_warning(post, warning, target.clone())));
        let card = target.card_of(post).map(|Card { words, .. }| [&words.title, &words.description]);
        let words = card.into_iter().flatten().filter(|words| has_words(words, source));
        tasks.extend(words.map(|words| Task::of_card(post, words, target.clone())));
        if target.media != MediaPolicy::None {
            let alts = post.media.iter().filter_map(|medium| medium.alt.as_deref());
            let alts = alts.filter(|alt| has_words(alt, source));
            tasks.extend(alts.map(|alt| Task::of_alt(post, alt, target.clone())));
        }
        owners.resize(tasks.len() - jobs.len(), number);
    }
    owners
}

/// The worker that translates.
pub struct Translator {
    context: WorkerContext,
    parts: TranslatorParts,
    engines: Vec<Rc<dyn Engine>>,
}

impl Translator {
    /// Creates a translator that asks the engines in this order.
    pub fn new(context: WorkerContext, parts: TranslatorParts, engines: Vec<Rc<dyn Engine>>) -> Self {
        Self { context, parts, engines }
    }
}

#[async_trait(?Send)]
impl Worker for Translator {
    async fn step(&mut self, stop: &Stop) -> Step {
        let upstreams = &self.parts.cascade.upstreams;
        let max = self.engines.first().map_or(1, |engine| upstreams.limiter(&**engine).batch_size());
        let pull = PullTranslations { worker: self.context.worker_ref(), max };
        let jobs = match stop.or(self.parts.router.ask_until_answered(pull)).await {
            None => return Step::Idle,
            Some(Err(error)) => return Step::Fatal(error.to_string()),
            Some(Ok(jobs)) if jobs.is_empty() => return Step::Idle,
            Some(Ok(jobs)) => jobs,
        };
        let work = self.context.at_work();
        failpoint::reach("translator.step");
        // A worker that receives fewer jobs than it asked for has drained the queue.
        let more_waiting = jobs.len() >= max;
        let reports = match self.translate(jobs, more_waiting).await {
            Ok(reports) => reports,
            Err(error) => return Step::Fatal(error.to_string()),
        };
        drop(work);
        match self.parts.router.ask_until_answered(ReportJobs(reports)).await {
            Ok(()) => Step::Worked,
            Err(error) => Step::Fatal(error.to_string()),
        }
    }
}

impl Translator {
    async fn translate(&self, jobs: Vec<Job>, more_waiting: bool) -> Result<Vec<JobReport>, LedgerError> {
        let mut tasks: Vec<Task> = Vec::with_capacity(jobs.len());
        let mut at_hand: Vec<Job> = Vec::with_capacity(jobs.len());
        let mut reports = Vec::new();
        // By source, too: posts of two sources may have the same id.
        let mut contexts: HashMap<(Arc<str>, PostId), Vec<String>> = HashMap::new();
        for job in jobs {
            let Some(target) = self.parts.targets.get(&job.target).cloned() else {
                let reason = format!("{} is no longer a target in the settings", job.target);
                reports.push(JobReport::new(&job, vec![JobEvent::Failed { reason }]));
                continue;
            };
            let post = (job.source.clone(), job.post.id.clone());
            let context = match contexts.get(&post) {
                Some(context) => context.clone(),
                None => self.context(&job).await?,
            };
            contexts.insert(post, context.clone());
            let mut task = Task::new(&job.post, context, target);
            task.guidance.clone_from(&job.guidance);
            tasks.push(task);
            at_hand.push(job);
        }
        let owners = add_texts_beside(&mut tasks, &at_hand);
        let attempt = |number: usize| {
            let owner = number.checked_sub(at_hand.len()).map_or(number, |beside| owners[beside]);
            at_hand[owner].attempt
        };
        let context = CallContext { heartbeat: Some(self.context.heartbeat()), more_waiting };
        self.parts.cascade.translate(&mut tasks, attempt, &self.engines, context).await;
        let beside = tasks.split_off(at_hand.len());
        for (number, (job, mut task)) in at_hand.iter().zip(tasks).enumerate() {
            let mut texts =
                beside.iter().zip(&owners).filter(|(_, owner)| **owner == number).map(|(text, _)| text);
            task.ask_for_review();
            let target = &task.target;
            task.outcome = task.outcome.map(|event| with_texts_beside(event, &job.post, target, &mut texts));
            let events = task.into_events();
            if !events.is_empty() {
                reports.push(JobReport::new(job, events));
            }
        }
        Ok(reports)
    }

    /// The author's earlier posts in the thread of `job`, oldest first.
    async fn context(&self, job: &Job) -> Result<Vec<String>, LedgerError> {
        let mut before = Vec::new();
        let mut parent = job.post.kind.continues().cloned();
        for _ in 0..CONTEXT_MOST {
            let Some(id) = parent else { break };
            let Some(post) = self.parts.ledger.post(&job.source, &id).await? else { break };
            parent = post.kind.continues().cloned();
            // The notice in place of a withheld post is not the author's text. A forgotten post has none.
            if !matches!(post.kind, PostKind::Withheld { .. }) && !post.text.is_empty() {
                before.push(post.text);
            }
        }
        before.reverse();
        Ok(before)
    }
}
