//! A ledger that is plain enough to be believed: rows in a list, every question answered by looking at all of them.
//! It is written from the port's documentation and shares nothing with the real one but the domain's table of states.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use mynah_domain::{
    Job, JobEvent, JobId, JobState, Post, PostId, Skip, TargetId, Translation,
    caps::Spent,
    job::{HoldKind, Publication},
    ports::ledger::{Advanced, Change, ChangeError, Progress, RecordPage, Recorded},
};

/// A job with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: JobId,
    pub(crate) source: String,
    pub(crate) post: Arc<Post>,
    pub(crate) target: TargetId,
    pub(crate) state: JobState,
    pub(crate) token: i64,
    pub(crate) attempt: u32,
    pub(crate) not_before: Option<Timestamp>,
    /// The sort of hold or skip.
    pub(crate) kind: Option<&'static str>,
    pub(crate) reason: Option<String>,
    pub(crate) translation: Option<Translation>,
    pub(crate) parts: BTreeMap<u32, Publication>,
}

impl Row {
    /// Takes one step, or says that there is none; what a refused step leaves behind is to be thrown away. `newest` is the
    /// account's newest message of all other jobs.
    pub(crate) fn step(
        &mut self,
        event: &JobEvent,
        newest: Option<&PostId>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let was = self.state;
        self.state = was.after(event).ok_or(Refusal::Table)?;
        match event.clone() {
            JobEvent::LeasedForTranslation | JobEvent::LeasedForPublication => {
                self.token += 1;
                self.attempt += 1;
                self.not_before = None;
            }
            JobEvent::Translated(translation) => {
                self.attempt = 0;
                self.reason = None;
                self.translation = Some(translation);
            }
            JobEvent::HandedBack { not_before, reason }
            | JobEvent::NotSent { not_before, reason }
            | JobEvent::OutcomeLost { not_before, reason } => self.aside(None, Some(reason), not_before),
            JobEvent::PartBegun { part, text } => {
                if self.parts.contains_key(&part) {
                    return Err(Refusal::Record);
                }
                let after = newer(self.messages().chain(newest)).cloned();
                self.parts.insert(part, Publication { part, text, intent_at: now, after, remote_id: None });
            }
            JobEvent::PartSent { part, remote_id } => {
                let publication = self.parts.get_mut(&part).ok_or(Refusal::Record)?;
                if publication.remote_id.get_or_insert(remote_id.clone()) != &remote_id {
                    return Err(Refusal::Record);
                }
                self.attempt = 0;
            }
            JobEvent::PartAbsent { part } => match self.parts.get(&part) {
                Some(publication) if publication.remote_id.is_some() => return Err(Refusal::Record),
                _ => drop(self.parts.remove(&part)),
            },
            JobEvent::Published => {
                let wanted =
                    self.translation.iter().flat_map(|translation| 0..translation.parts.len() as u32);
                let mut all = wanted.chain(self.parts.keys().copied());
                if !all.all(|part| self.remote_id(part).is_some()) {
                    return Err(Refusal::Record);
                }
            }
            JobEvent::Held(hold) => self.aside(Some(hold.kind.as_str()), Some(hold.reason), hold.until),
            JobEvent::Released { .. } => {
                if was == JobState::Skipped && !self.kind.is_some_and(Skip::is_retryable) {
                    return Err(Refusal::Record);
                }
                self.attempt = 0;
                self.aside(None, None, None);
            }
            JobEvent::Failed { reason } => self.aside(None, Some(reason), None),
            JobEvent::Untouched => {
                if self.parts.values().any(|part| part.remote_id.is_none()) {
                    return Err(Refusal::Record);
                }
                self.attempt = self.attempt.saturating_sub(1);
            }
            JobEvent::Skipped(skip) => {
                if self.parts.values().any(|part| part.remote_id.is_none()) {
                    return Err(Refusal::Record);
                }
                self.aside(Some(skip.as_str()), None, None);
            }
        }
        Ok(())
    }

    fn messages(&self) -> impl Iterator<Item = &PostId> {
        self.parts.values().filter_map(|part| part.remote_id.as_ref())
    }

    pub(crate) fn remote_id(&self, part: u32) -> Option<&PostId> {
        self.parts.get(&part)?.remote_id.as_ref()
    }

    fn aside(&mut self, kind: Option<&'static str>, reason: Option<String>, not_before: Option<Timestamp>) {
        (self.kind, self.reason, self.not_before) = (kind, reason, not_before);
    }
}

/// The newest of these messages: a network's ids are numbers that grow.
fn newer<'a>(messages: impl Iterator<Item = &'a PostId>) -> Option<&'a PostId> {
    messages.max_by_key(|id| (id.0.len(), &id.0))
}

/// Why a step is illegal. The port does not tell these apart; a test that is to reach both does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The table of states has none.
    Table,
    /// What is on record about the parts speaks against it.
    Record,
}

/// The whole ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) jobs: Vec<Row>,
    pub(crate) posts: BTreeSet<(String, PostId)>,
    pub(crate) progress: BTreeMap<String, Progress>,
    pub(crate) facts: BTreeMap<String, String>,
}

impl Memory {
    pub(crate) fn record(&mut self, page: &RecordPage) -> Recorded {
        let mut recorded = Recorded::default();
        for record in &page.posts {
            if !self.posts.insert((page.source.clone(), record.post.id.clone())) {
                continue;
            }
            recorded.posts += 1;
            for (target, skip) in &record.jobs {
                *(if skip.is_some() { &mut recorded.skipped } else { &mut recorded.jobs }) += 1;
                self.jobs.push(Row {
                    // Numbers in the order of recording, as the real one gives them: what it does not hand out is looked
                    // up by its number, too.
                    id: JobId(self.jobs.len() as i64 + 1),
                    source: page.source.clone(),
                    post: record.post.clone(),
                    target: target.clone(),
                    state: if skip.is_some() { JobState::Skipped } else { JobState::Queued },
                    token: 0,
                    attempt: 0,
                    not_before: None,
                    kind: skip.map(Skip::as_str),
                    reason: None,
                    translation: None,
                    parts: BTreeMap::new(),
                });
            }
        }
        self.progress.insert(page.source.clone(), page.progress.clone());
        recorded
    }

    pub(crate) fn job(&self, id: JobId) -> Option<&Row> {
        self.jobs.iter().find(|row| row.id == id)
    }

    /// The answer, and why it is no where it is no.
    pub(crate) fn advance(
        &mut self,
        change: &Change,
        now: Timestamp,
    ) -> (Result<Advanced, ChangeError>, Option<Refusal>) {
        let job = change.job;
        let Some(row) = self.job(job) else {
            return (Err(ChangeError::NoSuchJob(job)), None);
        };
        if row.token != change.token {
            return (Err(ChangeError::Stale { job, current: row.token, offered: change.token }), None);
        }
        let mut next = row.clone();
        let newest = self.newest_beside(row);
        for event in &change.events {
            if let Err(why) = next.step(event, newest, now) {
                let event = format!("{event:?}");
                return (Err(ChangeError::Illegal { job, state: row.state, event }), Some(why));
            }
        }
        let advanced = Advanced { state: next.state, token: next.token, attempt: next.attempt };
        for row in self.jobs.iter_mut().filter(|row| row.id == job) {
            row.clone_from(&next);
        }
        (Ok(advanced), None)
    }

    /// The newest message on a job's account that no part of this job is.
    pub(crate) fn newest_beside(&self, row: &Row) -> Option<&PostId> {
        let others = self.jobs.iter().filter(|other| other.target == row.target && other.id != row.id);
        newer(others.flat_map(Row::messages))
    }

    pub(crate) fn recover(&mut self) -> u64 {
        let reason = Some("the run before ended with it in hand".to_owned());
        let mut in_hand = 0;
        for row in &mut self.jobs {
            match row.state {
                JobState::Queued | JobState::Ready | JobState::Unknown => {
                    row.attempt = 0;
                    row.not_before = None;
                }
                JobState::Translating | JobState::Publishing => {
                    let unanswered = row.parts.values().any(|part| part.remote_id.is_none());
                    row.state = match row.state {
                        JobState::Translating => JobState::Queued,
                        _ if unanswered => JobState::Unknown,
                        _ => JobState::Ready,
                    };
                    row.aside(None, reason.clone(), None);
                    row.token += 1;
                    in_hand += 1;
                }
                JobState::Held
                    if [HoldKind::Cap, HoldKind::Quota]
                        .map(|kind| Some(kind.as_str()))
                        .contains(&row.kind) =>
                {
                    row.state = if row.translation.is_some() { JobState::Ready } else { JobState::Queued };
                    row.aside(None, None, None);
                    row.attempt = 0;
                    row.token += 1;
                }
                _ => {}
            }
        }
        in_hand
    }

    pub(crate) fn open_jobs(&self, target: &TargetId, after: Option<u64>, limit: usize) -> Vec<Job> {
        let mut line: Vec<&Row> = self
            .jobs
            .iter()
            .filter(|row| row.target == *target && !row.state.is_settled())
            .filter(|row| row.state != JobState::Held || row.not_before.is_some())
            .filter(|row| after.is_none_or(|after| row.post.position > after))
            .filter(|row| self.is_whole_up_to(row))
            .collect();
        line.sort_by_key(|row| (row.post.position, row.id));
        let job = |row: &Row| Job {
            id: row.id,
            post: row.post.clone(),
            target: row.target.clone(),
            state: row.state,
            token: row.token,
            attempt: row.attempt,
            not_before: row.not_before,
            translation: row.translation.clone(),
            publications: row.parts.values().cloned().collect(),
        };
        line.into_iter().take(limit).map(job).collect()
    }

    /// Whether all posts before the job's are on record.
    fn is_whole_up_to(&self, row: &Row) -> bool {
        let progress = &self.progress[&row.source];
        progress.walk.is_none()
            || progress.floor.as_ref().is_some_and(|floor| row.post.position <= floor.position)
    }

    pub(crate) fn spent(&self, target: &TargetId, now: Timestamp) -> Spent {
        let begun = |period: &str| {
            let rows = self.jobs.iter().filter(|row| row.target == *target);
            let moments = rows.flat_map(|row| row.parts.values()).map(|part| part.intent_at);
            // As text, days and months are in order.
            moments.filter(|at| at.strftime(period).to_string() >= now.strftime(period).to_string()).count()
        };
        Spent { today: begun("%Y-%m-%d") as u64, this_month: begun("%Y-%m") as u64 }
    }

    pub(crate) fn publication_of(&self, post: &PostId, target: &TargetId) -> Option<PostId> {
        let row = self.jobs.iter().find(|row| row.post.id == *post && row.target == *target)?;
        row.parts.values().rev().find_map(|part| part.remote_id.clone())
    }

    pub(crate) fn state_of(&self, post: &PostId, target: &TargetId) -> Option<JobState> {
        Some(self.jobs.iter().find(|row| row.post.id == *post && row.target == *target)?.state)
    }

    pub(crate) fn publications(&self, job: JobId) -> Vec<Publication> {
        self.job(job).map(|row| row.parts.values().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn recorded(&self, target: &TargetId, messages: &[PostId]) -> Vec<PostId> {
        let rows = self.jobs.iter().filter(|row| row.target == *target);
        let known: BTreeSet<&PostId> = rows.flat_map(Row::messages).collect();
        messages.iter().filter(|id| known.contains(id)).cloned().collect()
    }

    pub(crate) fn counts(&self) -> BTreeMap<(TargetId, JobState), u64> {
        let mut counts = BTreeMap::new();
        for row in &self.jobs {
            *counts.entry((row.target.clone(), row.state)).or_default() += 1;
        }
        counts
    }
}
