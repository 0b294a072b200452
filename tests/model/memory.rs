//! A ledger that is simple enough to trust: it has rows in a list, and every query scans all of them. It follows the
//! port's documentation and shares only the domain's state table with the real ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{Timestamp, civil::Date};
use mynah_domain::{
    AccountId, Hold, Job, JobEvent, JobId, JobState, Money, Post, PostId, Publication, Reply, Skip, TargetId,
    Translation,
    budget::{Charge, Cost, Limit, OverBudget},
    caps::Spent,
    job::HoldKind,
    ports::ledger::{
        Advanced, Change, ChangeError, Checkpoint, LinePosition, NotForgotten, RecordPage, RecordPost,
        Recorded, Removed, Reservation, ReservationKey, edited_reason,
    },
    review::{Guidance, ReviewDecision},
};

/// A job with everything known about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: JobId,
    pub(crate) source: String,
    pub(crate) post: Arc<Post>,
    /// Whether its texts were removed.
    is_forgotten: bool,
    pub(crate) target: TargetId,
    pub(crate) state: JobState,
    pub(crate) token: i64,
    pub(crate) attempt: u32,
    pub(crate) not_before: Option<Timestamp>,
    /// The kind of hold or skip.
    pub(crate) kind: Option<&'static str>,
    pub(crate) reason: Option<String>,
    pub(crate) translation: Option<Translation>,
    guidance: Option<Guidance>,
    pub(crate) parts: BTreeMap<u32, Publication>,
    /// What those parts cost that are charged.
    costs: BTreeMap<u32, Charge>,
    /// What is reserved for parts that are not on the account.
    reserved: Vec<Charge>,
    /// Its last change, to recognize a repeat.
    pub(crate) last: Option<Change>,
    /// When it last changed.
    pub(crate) updated: Timestamp,
}

/// A post with everything known about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recording {
    pub(crate) post: Arc<Post>,
    /// Whether only its raw form is on record.
    is_raw: bool,
    is_forgotten: bool,
    at: Timestamp,
}

impl Row {
    /// Takes one step, or refuses it; the row is invalid after a refusal. `newest` is the newest message of all other
    /// jobs on the account.
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
                self.attempt += 1;
                self.not_before = None;
            }
            JobEvent::Translated(translation) => {
                self.attempt = 0;
                (self.kind, self.reason) = (None, None);
                self.translation = Some(translation);
            }
            JobEvent::Drafted(draft) => {
                self.attempt = 0;
                self.guidance = None;
                let set_aside = self.kind.filter(|_| was == JobState::Review);
                self.aside(set_aside, draft.summary(), None);
            }
            JobEvent::SetAside { reason } => {
                self.aside(Some(HoldKind::Stalled.as_str()), Some(reason), None);
            }
            JobEvent::Again(guidance) => {
                self.attempt = 0;
                self.guidance = Some(guidance);
                self.aside(None, None, None);
            }
            JobEvent::HandedBack { not_before, reason }
            | JobEvent::NotSent { not_before, reason }
            | JobEvent::OutcomeLost { not_before, reason } => self.aside(None, Some(reason), not_before),
            JobEvent::PartBegun { part, account, text, key, reply, cost } => {
                if self.parts.contains_key(&part) {
                    return Err(Refusal::Record);
                }
                let after = newer(self.messages().chain(newest)).cloned();
                let (key, reply) = (Some(key), reply.map(|reply| *reply));
                let begun =
                    Publication { part, account, text, key, reply, intent_at: now, after, remote_id: None };
                self.parts.insert(part, begun);
                if let Some(cost) = cost {
                    let charge = cost.charge(self.source.as_str().into(), self.target.clone());
                    self.reserved = cost.reserved(&charge).into_iter().collect();
                    self.costs.insert(part, charge);
                }
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
                _ => {
                    self.parts.remove(&part);
                    match self.costs.remove(&part) {
                        Some(_) if self.costs.is_empty() => self.reserved.clear(),
                        // The rest of a thread that began is not given to others.
                        Some(cost) => self.reserved.push(cost),
                        None => {}
                    }
                }
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
                if self.is_forgotten || was == JobState::Skipped && !self.kind.is_some_and(Skip::is_retryable)
                {
                    return Err(Refusal::Record);
                }
                self.attempt = 0;
                self.aside(None, None, None);
            }
            JobEvent::Restored { .. } => {
                if self.is_forgotten || self.kind != Some(Skip::ByHand.as_str()) {
                    return Err(Refusal::Record);
                }
                self.attempt = 0;
                self.aside(None, None, None);
            }
            // Only people read it.
            JobEvent::Rejected(_) => {}
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

    /// Takes all of these steps, or none if one is refused.
    fn all_or_nothing(&mut self, events: &[JobEvent], now: Timestamp) {
        let mut next = self.clone();
        if events.iter().all(|event| next.step(event, None, now).is_ok()) {
            next.release();
            next.last = Some(Change::new(self.id, self.token, events.to_vec()));
            next.updated = now;
            *self = next;
        }
    }

    /// Releases what is reserved, unless the job is being published or may be next.
    fn release(&mut self) {
        if !matches!(self.state, JobState::Publishing | JobState::Ready | JobState::Unknown) {
            self.reserved.clear();
        }
    }

    /// Everything that is spent or reserved for it.
    fn charges(&self) -> impl Iterator<Item = &Charge> {
        self.costs.values().chain(&self.reserved)
    }

    /// Whether it is published or skipped.
    fn is_done(&self) -> bool {
        matches!(self.state, JobState::Published | JobState::Skipped)
    }

    fn place(&self) -> LinePosition {
        LinePosition { position: self.post.position, job: self.id }
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

/// Whether every limit allows what is wanted beside what is spent. What is already reserved for it may be spent.
/// `spent` includes what is reserved.
fn allow(
    limits: &[Limit],
    spent: &[&Charge],
    reserved: &[&Charge],
    wanted: &[Charge],
    own: &[Charge],
) -> Result<(), OverBudget> {
    let mut refused: Option<OverBudget> = None;
    for limit in limits {
        let counts = |charge: &&&Charge| charge.day >= limit.since && limit.scope.includes(&charge.payer);
        let sum =
            |charges: &[&Charge]| charges.iter().filter(counts).map(|charge| charge.amount).sum::<Money>();
        let wanted = sum(&wanted.iter().collect::<Vec<_>>());
        let of_period: Vec<&Charge> =
            own.iter().filter(|charge| limit.period.start(charge.day) == limit.since).collect();
        if wanted <= sum(&of_period) {
            continue;
        }
        if let Err(over) = limit.allow(sum(spent), wanted) {
            let over = over.with_reserved(sum(reserved));
            refused = Some(match refused {
                Some(first) => first.or_longer(over),
                None => over,
            });
        }
    }
    refused.map_or(Ok(()), Err)
}

/// The account of a target; the first two share one.
pub(crate) fn account_of(target: &TargetId) -> AccountId {
    match target.as_str() {
        "x:es" | "x:ca" => AccountId::new("x", "town"),
        other => AccountId::from(other),
    }
}

/// The newest of these messages: ids are numbers that grow.
fn newer<'a>(messages: impl Iterator<Item = &'a PostId>) -> Option<&'a PostId> {
    messages.max_by_key(|id| (id.0.len(), &id.0))
}

/// Why a step is illegal. The port does not distinguish these, but the test must reach both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The state table does not have it.
    Table,
    /// It contradicts the record of the parts.
    Record,
}

/// The outcome of a change.
pub(crate) struct Outcome {
    pub(crate) answer: Result<Advanced, ChangeError>,
    /// Why it was refused, if it was checked.
    pub(crate) refusal: Option<Refusal>,
    /// It repeats the last change.
    pub(crate) is_repeat: bool,
}

impl From<Result<Advanced, ChangeError>> for Outcome {
    fn from(answer: Result<Advanced, ChangeError>) -> Self {
        Self { answer, refusal: None, is_repeat: false }
    }
}

/// The whole ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) jobs: Vec<Row>,
    /// Every post.
    pub(crate) posts: BTreeMap<(String, PostId), Recording>,
    /// The recorded version of each version of an edited post.
    pub(crate) versions: BTreeMap<(String, PostId), PostId>,
    pub(crate) checkpoints: BTreeMap<String, Checkpoint>,
    pub(crate) facts: BTreeMap<String, String>,
    pub(crate) reservations: BTreeMap<ReservationKey, Vec<Charge>>,
    /// What people decided, by the job and the token that they looked at.
    pub(crate) decisions: BTreeMap<(JobId, i64), ReviewDecision>,
    /// What was settled, or charged without a reservation.
    pub(crate) others: Vec<Charge>,
}

impl Memory {
    pub(crate) fn record(&mut self, page: &RecordPage, now: Timestamp) -> Recorded {
        let mut recorded = Recorded::default();
        for record in &page.posts {
            let key = (page.source.clone(), record.post.id.clone());
            match self.posts.get(&key).map(|known| known.is_raw) {
                None => self.record_new(&page.source, record, now, &mut recorded),
                Some(is_raw) => self.record_again(&page.source, record, is_raw, now, &mut recorded),
            }
        }
        self.checkpoints.insert(page.source.clone(), page.checkpoint.clone());
        if let Some((key, charges)) = &page.settles {
            self.settle(*key, charges);
        }
        recorded
    }

    fn record_new(&mut self, source: &str, record: &RecordPost, now: Timestamp, recorded: &mut Recorded) {
        let post = &record.post;
        let mut version = self.version_of(source, post);
        let mut jobs = record.jobs.clone();
        if let (None, Some(known)) = (&record.unreadable, &version) {
            let waiting = self.give_up(source, known, now);
            recorded.skipped += waiting.len() as u64;
            if !waiting.is_empty() {
                for (target, skip) in &mut jobs {
                    if !waiting.contains(target) {
                        *skip = Some(Skip::Edited);
                    }
                }
                for lead in self.versions.iter_mut().filter(|((of, _), lead)| of == source && *lead == known)
                {
                    *lead.1 = post.id.clone();
                }
                self.versions.entry((source.into(), known.clone())).or_insert_with(|| post.id.clone());
                version = None;
            }
        }
        let is_forgotten = version.as_ref().is_some_and(|known| self.is_forgotten(source, known));
        let stored = if is_forgotten { Arc::new(post.without_text()) } else { post.clone() };
        let is_raw = record.unreadable.is_some() && !is_forgotten;
        let recording = Recording { post: stored.clone(), is_raw, is_forgotten, at: now };
        self.posts.insert((source.into(), post.id.clone()), recording);
        self.learn(source, post, version.as_ref().unwrap_or(&post.id));
        recorded.posts += 1;
        recorded.edited.extend(version.is_some().then(|| post.id.clone()));
        for (target, skip) in jobs {
            let (state, kind, reason) = match (&version, skip, &record.unreadable) {
                (Some(version), ..) => {
                    (JobState::Skipped, Some(Skip::Edited.as_str()), Some(edited_reason(version)))
                }
                (_, Some(skip), _) => (JobState::Skipped, Some(skip.as_str()), None),
                (.., Some(raw)) => {
                    (JobState::Held, Some(HoldKind::Unreadable.as_str()), Some(raw.reason.clone()))
                }
                _ => (JobState::Queued, None, None),
            };
            match state {
                JobState::Skipped => recorded.skipped += 1,
                JobState::Held => recorded.held += 1,
                _ => recorded.jobs += 1,
            }
            self.jobs.push(Row {
                // Numbered in the order of recording, like the real ledger's, because jobs that are not handed out are
                // also looked up by number.
                id: JobId(self.jobs.len() as i64 + 1),
                source: source.into(),
                post: stored.clone(),
                is_forgotten,
                target,
                state,
                token: 0,
                attempt: 0,
                not_before: None,
                kind,
                reason,
                translation: None,
                guidance: None,
                parts: BTreeMap::new(),
                costs: BTreeMap::new(),
                reserved: Vec::new(),
                last: None,
                updated: now,
            });
        }
    }

    fn record_again(
        &mut self,
        source: &str,
        record: &RecordPost,
        is_raw: bool,
        now: Timestamp,
        recorded: &mut Recorded,
    ) {
        let post = &record.post;
        let mut version = post.id.clone();
        if is_raw || !post.versions.is_empty() {
            version = self.version_of(source, post).unwrap_or(version);
            self.learn(source, post, &version);
        }
        if !is_raw {
            return;
        }
        let waiting: Vec<JobId> = self.waiting(source, &post.id).map(|row| row.id).collect();
        let rows = self.jobs.iter_mut().filter(|row| waiting.contains(&row.id));
        if let Some(raw) = &record.unreadable {
            let hold = Hold { kind: HoldKind::Unreadable, reason: raw.reason.clone(), until: None };
            for row in rows.filter(|row| row.state == JobState::Queued) {
                recorded.held += 1;
                row.all_or_nothing(&[JobEvent::Held(hold.clone())], now);
            }
            return;
        }
        recorded.reread += 1;
        for row in rows {
            let Some((_, skip)) = record.jobs.iter().find(|(target, _)| *target == row.target) else {
                continue;
            };
            let skip = if version == post.id { *skip } else { Some(Skip::Edited) };
            *(if skip.is_some() { &mut recorded.skipped } else { &mut recorded.jobs }) += 1;
            let released = JobEvent::Released { translated: false };
            let events = (row.state == JobState::Held).then_some(released).into_iter();
            row.all_or_nothing(&events.chain(skip.map(JobEvent::Skipped)).collect::<Vec<_>>(), now);
        }
        if let Some(known) = self.posts.get_mut(&(source.to_owned(), post.id.clone())) {
            (known.post, known.is_raw) = (post.clone(), false);
        }
        for row in self.jobs.iter_mut().filter(|row| row.source == source && row.post.id == post.id) {
            row.post = post.clone();
        }
    }

    /// The recorded version of a new post, if any of its versions is on record.
    fn version_of(&self, source: &str, post: &Post) -> Option<PostId> {
        let key = |id: &PostId| (source.to_owned(), id.clone());
        let all = || std::iter::once(&post.id).chain(&post.versions);
        let known = all().find_map(|id| self.versions.get(&key(id)).cloned());
        let mut others = post.versions.iter().filter(|id| **id != post.id);
        known.or_else(|| others.find(|id| self.posts.contains_key(&key(id))).cloned())
    }

    fn learn(&mut self, source: &str, post: &Post, recorded: &PostId) {
        if post.id == *recorded && post.versions.iter().all(|id| *id == post.id) {
            return;
        }
        for id in [recorded, &post.id].into_iter().chain(&post.versions) {
            self.versions.entry((source.to_owned(), id.clone())).or_insert_with(|| recorded.clone());
        }
    }

    /// The jobs that wait for a raw post to become readable, except those that a person decided about.
    fn waiting<'a>(&'a self, source: &'a str, id: &'a PostId) -> impl Iterator<Item = &'a Row> {
        let unreadable = Some(HoldKind::Unreadable.as_str());
        let rows = self.jobs.iter().filter(move |row| row.source == source && row.post.id == *id);
        rows.filter(move |row| {
            row.state == JobState::Queued || (row.state == JobState::Held && row.kind == unreadable)
        })
    }

    fn give_up(&mut self, source: &str, id: &PostId, now: Timestamp) -> Vec<TargetId> {
        if !self.posts.get(&(source.to_owned(), id.clone())).is_some_and(|known| known.is_raw) {
            return Vec::new();
        }
        let waiting: Vec<JobId> = self.waiting(source, id).map(|row| row.id).collect();
        let rows = self.jobs.iter_mut().filter(|row| waiting.contains(&row.id));
        rows.map(|row| {
            row.all_or_nothing(&[JobEvent::Skipped(Skip::Edited)], now);
            row.target.clone()
        })
        .collect()
    }

    fn is_raw(&self, row: &Row) -> bool {
        self.posts[&(row.source.clone(), row.post.id.clone())].is_raw
    }

    fn is_forgotten(&self, source: &str, id: &PostId) -> bool {
        self.posts.get(&(source.to_owned(), id.clone())).is_some_and(|known| known.is_forgotten)
    }

    /// The posts whose texts are removed, by source.
    pub(crate) fn forgotten(&self) -> BTreeSet<(String, PostId)> {
        self.posts.iter().filter(|(_, known)| known.is_forgotten).map(|(key, _)| key.clone()).collect()
    }

    /// The post as it is on record, in its recorded version.
    pub(crate) fn post(&self, source: &str, id: &PostId) -> Option<&Post> {
        let key = (source.to_owned(), self.recorded_version(source, id));
        self.posts.get(&key).map(|known| &*known.post)
    }

    pub(crate) fn forget(&mut self, post: &PostId) -> Result<Removed, NotForgotten> {
        let is_version = |(source, id): &&(String, PostId)| {
            id == post || self.recorded_version(source, id) == self.recorded_version(source, post)
        };
        let all: Vec<(String, PostId)> = self.posts.keys().filter(is_version).cloned().collect();
        if all.is_empty() {
            return Err(NotForgotten::NoSuchPost);
        }
        let is_theirs = |row: &&Row| all.contains(&(row.source.clone(), row.post.id.clone()));
        let mut open: Vec<_> = self.jobs.iter().filter(is_theirs).filter(|row| !row.is_done()).collect();
        open.sort_by_key(|row| (&row.source, &row.post.id, row.id));
        if !open.is_empty() {
            let open = open.into_iter().map(|row| (row.id, row.target.clone(), row.state));
            return Err(NotForgotten::Unsettled(open.collect()));
        }
        let jobs = self.jobs.iter().filter(is_theirs).count() as u64;
        for (source, id) in &all {
            self.remove_texts(source, id);
        }
        Ok(Removed { posts: all.len() as u64, jobs })
    }

    pub(crate) fn forget_before(&mut self, moment: Timestamp, limit: usize) -> u64 {
        let is_old = |((source, id), known): &(&(String, PostId), &Recording)| {
            let mut jobs = self.jobs.iter().filter(|row| row.source == *source && row.post.id == *id);
            !known.is_forgotten && known.at < moment && jobs.all(|row| row.is_done() && row.updated < moment)
        };
        let mut old: Vec<_> =
            self.posts.iter().filter(is_old).map(|(key, known)| (known.at, key.clone())).collect();
        old.sort();
        old.truncate(limit);
        for (_, (source, id)) in &old {
            self.remove_texts(source, id);
        }
        old.len() as u64
    }

    fn remove_texts(&mut self, source: &str, id: &PostId) {
        let Some(known) = self.posts.get_mut(&(source.to_owned(), id.clone())) else { return };
        known.post = Arc::new(known.post.without_text());
        (known.is_raw, known.is_forgotten) = (false, true);
        let post = known.post.clone();
        for row in self.jobs.iter_mut().filter(|row| row.source == source && row.post.id == *id) {
            row.post = post.clone();
            row.is_forgotten = true;
            row.translation = None;
            row.guidance = None;
            for ((job, _), decision) in &mut self.decisions {
                if *job == row.id {
                    decision.note = None;
                }
            }
            row.reason = row.reason.take().filter(|_| row.kind == Some(Skip::Edited.as_str()));
            for part in row.parts.values_mut() {
                part.text.clear();
            }
        }
    }

    pub(crate) fn to_reread(&self, source: &str) -> Vec<PostId> {
        let mut posts: Vec<_> = self
            .jobs
            .iter()
            .filter(|row| row.source == source && row.state == JobState::Queued && self.is_raw(row))
            .map(|row| (row.post.position, row.post.id.clone()))
            .collect();
        posts.sort();
        posts.dedup();
        posts.into_iter().map(|(_, id)| id).collect()
    }

    /// The recorded version of a source's post.
    pub(crate) fn recorded_version(&self, source: &str, id: &PostId) -> PostId {
        self.versions.get(&(source.to_owned(), id.clone())).unwrap_or(id).clone()
    }

    /// The job of a post, or of its recorded version, for a target.
    fn job_of(&self, post: &PostId, target: &TargetId) -> Option<&Row> {
        self.jobs
            .iter()
            .find(|row| row.target == *target && row.post.id == self.recorded_version(&row.source, post))
    }

    pub(crate) fn job(&self, id: JobId) -> Option<&Row> {
        self.jobs.iter().find(|row| row.id == id)
    }

    pub(crate) fn advance(&mut self, change: &Change, now: Timestamp) -> Outcome {
        let job = change.job();
        let Some(row) = self.job(job) else {
            return Err(ChangeError::NoSuchJob(job)).into();
        };
        let advanced = |row: &Row| Advanced { state: row.state, token: row.token, attempt: row.attempt };
        if row.last.as_ref() == Some(change) {
            return Outcome { is_repeat: true, ..Ok(advanced(row)).into() };
        }
        if row.token != change.token() {
            return Err(ChangeError::Stale { job, current: row.token, offered: change.token() }).into();
        }
        let mut next = row.clone();
        let newest = self.newest_beside(row);
        let mut over_budget = None;
        for event in change.events() {
            if let JobEvent::PartBegun { cost: Some(cost), .. } = event
                && over_budget.is_none()
            {
                over_budget = self.allow_part(&next, cost).err();
            }
            if let Err(why) = next.step(event, newest, now) {
                let event = format!("{event:?}");
                let refused = Err(ChangeError::Illegal { job, state: row.state, event });
                return Outcome { refusal: Some(why), ..refused.into() };
            }
        }
        if let Some(over) = over_budget {
            return Err(ChangeError::OverBudget { job, over }).into();
        }
        next.release();
        next.token = change.new_token().unwrap_or(row.token);
        let decision = change.decision().cloned();
        next.last = Some(change.clone());
        next.updated = now;
        for row in self.jobs.iter_mut().filter(|row| row.id == job) {
            row.clone_from(&next);
        }
        self.decisions.extend(decision.map(|decision| ((job, change.token()), decision)));
        Ok(advanced(&next)).into()
    }

    /// Everything that is spent or reserved, except for one job.
    fn charges_beside(&self, job: Option<JobId>) -> impl Iterator<Item = &Charge> {
        let rows = self.jobs.iter().filter(move |row| Some(row.id) != job);
        rows.flat_map(Row::charges).chain(self.reservations.values().flatten()).chain(&self.others)
    }

    /// What is reserved, except for one job.
    fn reserved_beside(&self, job: JobId) -> Vec<&Charge> {
        let rows = self.jobs.iter().filter(|row| row.id != job);
        rows.flat_map(|row| &row.reserved).chain(self.reservations.values().flatten()).collect()
    }

    /// Whether a part of a job, which is as in `next`, may be begun.
    fn allow_part(&self, next: &Row, cost: &Cost) -> Result<(), OverBudget> {
        let charge = cost.charge(next.source.as_str().into(), next.target.clone());
        let wanted: Vec<Charge> = std::iter::once(&charge).chain(&cost.reserved(&charge)).cloned().collect();
        let spent = self.charges_beside(Some(next.id)).chain(next.costs.values());
        let reserved = self.reserved_beside(next.id);
        allow(&cost.limits, &spent.collect::<Vec<_>>(), &reserved, &wanted, &next.reserved)
    }

    pub(crate) fn reserve(&mut self, reservation: &Reservation) -> Result<(), OverBudget> {
        let Reservation { key, charges, limits } = reservation;
        if !self.reservations.contains_key(key) {
            let reserved = self.reserved_beside(JobId(0));
            allow(limits, &self.charges_beside(None).collect::<Vec<_>>(), &reserved, charges, &[])?;
            self.reservations.insert(*key, charges.clone());
        }
        Ok(())
    }

    pub(crate) fn settle(&mut self, key: ReservationKey, charges: &[Charge]) {
        if self.reservations.remove(&key).is_some() {
            self.others.extend_from_slice(charges);
        }
    }

    /// Everything that is spent or reserved: one for each day, payer and purpose.
    pub(crate) fn charges(&self, since: Date) -> Vec<Charge> {
        let mut lines: BTreeMap<_, Charge> = BTreeMap::new();
        for charge in self.charges_beside(None).filter(|charge| charge.day >= since) {
            let key = (charge.day, charge.payer.clone(), charge.purpose);
            let nothing = Charge { amount: Money::ZERO, units: 0, ..charge.clone() };
            let line = lines.entry(key).or_insert(nothing);
            line.amount = line.amount + charge.amount;
            line.units += charge.units;
        }
        lines.into_values().filter(|line| !line.amount.is_zero() || line.units > 0).collect()
    }

    /// The newest message on a job's account that is not a part of this job.
    pub(crate) fn newest_beside(&self, row: &Row) -> Option<&PostId> {
        let account = account_of(&row.target);
        let others =
            self.jobs.iter().filter(|other| other.id != row.id && account_of(&other.target) == account);
        newer(others.flat_map(Row::messages))
    }

    pub(crate) fn recover(&mut self, targets: &[TargetId]) -> u64 {
        let reason = Some("the previous run ended while it was in progress".to_owned());
        let mut in_progress = 0;
        for row in self.jobs.iter_mut().filter(|row| targets.contains(&row.target)) {
            match row.state {
                JobState::Queued | JobState::Ready | JobState::Unknown => {
                    if row.attempt > 0 || row.not_before.is_some() {
                        row.last = None;
                    }
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
                    row.last = None;
                    in_progress += 1;
                }
                JobState::Held
                    if [HoldKind::Cap, HoldKind::Quota, HoldKind::Engine, HoldKind::Budget]
                        .map(|kind| Some(kind.as_str()))
                        .contains(&row.kind) =>
                {
                    row.state = if row.translation.is_some() { JobState::Ready } else { JobState::Queued };
                    row.aside(None, None, None);
                    row.attempt = 0;
                    row.token += 1;
                    row.last = None;
                }
                _ => {}
            }
        }
        in_progress
    }

    pub(crate) fn open_jobs(&self, target: &TargetId, after: Option<LinePosition>, limit: usize) -> Vec<Job> {
        let mut line: Vec<&Row> = self
            .jobs
            .iter()
            .filter(|row| row.target == *target && !row.state.is_settled())
            .filter(|row| row.state != JobState::Held || row.not_before.is_some())
            .filter(|row| row.state != JobState::Review || row.kind.is_none())
            .filter(|row| after.is_none_or(|after| row.place() > after))
            .filter(|row| self.is_whole_up_to(row) && !self.is_raw(row))
            .collect();
        line.sort_by_key(|row| row.place());
        let job = |row: &Row| Job {
            id: row.id,
            source: row.source.as_str().into(),
            post: row.post.clone(),
            target: row.target.clone(),
            state: row.state,
            token: row.token,
            attempt: row.attempt,
            not_before: row.not_before,
            written_at: row.post.created_at,
            translation: row.translation.clone(),
            guidance: row.guidance.clone().map(Box::new),
            publications: row.parts.values().cloned().collect(),
        };
        line.into_iter().take(limit).map(job).collect()
    }

    /// Whether all posts before the job's are on record.
    fn is_whole_up_to(&self, row: &Row) -> bool {
        let Checkpoint { watermark, backfill, .. } = &self.checkpoints[&row.source];
        backfill.is_none() || watermark.as_ref().is_some_and(|mark| row.post.position <= mark.position)
    }

    fn publications_on<'a>(&'a self, account: &'a AccountId) -> impl Iterator<Item = &'a Publication> {
        self.jobs.iter().flat_map(|row| row.parts.values()).filter(move |part| part.account == *account)
    }

    pub(crate) fn spent(&self, account: &AccountId, now: Timestamp) -> Spent {
        let begun = |period: &str| {
            let moments = self.publications_on(account).map(|part| part.intent_at);
            // Days and months sort correctly as text.
            moments.filter(|at| at.strftime(period).to_string() >= now.strftime(period).to_string()).count()
        };
        Spent { today: begun("%Y-%m-%d") as u64, this_month: begun("%Y-%m") as u64 }
    }

    pub(crate) fn publication_of(&self, post: &PostId, target: &TargetId) -> Option<Reply> {
        let row = self.job_of(post, target)?;
        let last = row.parts.values().rev().find(|part| part.remote_id.is_some())?;
        let root = last.reply.as_ref().map(|reply| reply.root.clone());
        let root = root.or_else(|| row.messages().next().cloned())?;
        Some(Reply { root, parent: last.remote_id.clone()? })
    }

    pub(crate) fn state_of(&self, post: &PostId, target: &TargetId) -> Option<JobState> {
        Some(self.job_of(post, target)?.state)
    }

    pub(crate) fn publications(&self, job: JobId) -> Vec<Publication> {
        self.job(job).map(|row| row.parts.values().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn recorded(&self, account: &AccountId, messages: &[PostId]) -> Vec<PostId> {
        let parts = self.publications_on(account);
        let known: BTreeSet<&PostId> = parts.filter_map(|part| part.remote_id.as_ref()).collect();
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
