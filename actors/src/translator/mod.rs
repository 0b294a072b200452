//! Translates what it is given: masks what must not change, asks the cache, else an engine, restores, runs the gate.
//! A pool of these pulls from the router, each as much at once as the first engine likes to take, with no waiting for a
//! batch to fill.
//!
//! - [`task`]: one post for one target, and what an answer is worth.
//! - [`asking`]: the cache and the engines, in order.

pub mod asking;
pub mod task;

use std::{collections::HashMap, rc::Rc, sync::Arc};

use asking::Asking;
use async_trait::async_trait;
use mynah_domain::{
    Job, JobEvent, Post, PostKind, Target, TargetId,
    ports::{Engine, Ledger, LedgerError},
};
use task::Task;

use crate::{
    failpoint,
    router::{JobReport, PullTranslations, ReportJobs, Router},
    supervision::{Alive, Core, Link, Turn, shell::Stop},
};

/// How many posts of a thread before the one in hand an engine is told, for what "it" and "she" mean there.
const CONTEXT_MOST: usize = 3;

/// What a translator is built from, but for its engines, which cannot leave their thread.
#[derive(Clone)]
pub struct TranslatorParts {
    /// Where work comes from.
    pub router: Link<Router>,
    /// The targets, by name.
    pub targets: Arc<HashMap<TargetId, Target>>,
    /// Where the posts before one are found.
    pub ledger: Arc<dyn Ledger>,
    /// How engines are asked.
    pub asking: Asking,
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
        let reports = match self.translate(jobs).await {
            Ok(reports) => reports,
            Err(error) => return Turn::Fatal(error.to_string()),
        };
        drop(work);
        match self.parts.router.ask_until_answered(ReportJobs(reports)).await {
            Ok(()) => Turn::Worked,
            Err(error) => Turn::Fatal(error.to_string()),
        }
    }
}

impl Translator {
    async fn translate(&self, jobs: Vec<Job>) -> Result<Vec<JobReport>, LedgerError> {
        let mut tasks: Vec<Task> = Vec::with_capacity(jobs.len());
        let mut at_hand: Vec<Job> = Vec::with_capacity(jobs.len());
        let mut reports = Vec::new();
        let mut contexts: HashMap<String, Vec<String>> = HashMap::new();
        for job in jobs {
            let Some(target) = self.parts.targets.get(&job.target).cloned() else {
                let reason = format!("{} is no target in the settings any more", job.target);
                reports.push(JobReport::new(&job, vec![JobEvent::Failed { reason }]));
                continue;
            };
            let context = match contexts.get(&job.post.id.0) {
                Some(context) => context.clone(),
                None => self.context(&job.post).await?,
            };
            contexts.insert(job.post.id.0.clone(), context.clone());
            tasks.push(Task::new(&job.post, self.parts.asking.from, context, target));
            at_hand.push(job);
        }
        let pulse = self.alive.pulse();
        self.parts
            .asking
            .see_to(&mut tasks, |number| at_hand[number].attempt, &self.engines, Some(pulse))
            .await;
        for (job, task) in at_hand.iter().zip(tasks) {
            reports.extend(task.outcome.map(|event| JobReport::new(job, vec![event])));
        }
        Ok(reports)
    }

    /// What the author said before `post` in its thread, oldest first.
    async fn context(&self, post: &Post) -> Result<Vec<String>, LedgerError> {
        let mut before = Vec::new();
        let mut kind = post.kind.clone();
        while let PostKind::Thread { parent } = kind
            && before.len() < CONTEXT_MOST
            && let Some(post) = self.parts.ledger.post(&parent).await?
        {
            before.push(post.text);
            kind = post.kind;
        }
        before.reverse();
        Ok(before)
    }
}
