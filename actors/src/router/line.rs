//! The window that the router keeps on the ledger: for every target a stretch of its line, in the source's order, and
//! where each job of it stands. Pure memory: nothing here waits and nothing here is the only copy of anything.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mynah_domain::{
    Job, JobEvent, JobId, JobState, Post, TargetId, Translation,
    ports::ledger::{Advanced, LinePosition},
};

use super::{Drained, JobReport};

/// Every target's line.
#[derive(Debug)]
pub(super) struct Window {
    lines: BTreeMap<TargetId, Line>,
    /// What may be translated now: the oldest posts first, and all languages of a post together.
    queue: BTreeSet<(LinePosition, TargetId)>,
    /// Who may be asleep, so that waking them costs nothing where nobody is. Some may be awake or gone since.
    sleepers: BTreeSet<(TargetId, LinePosition)>,
}

/// One target's line.
#[derive(Debug, Default)]
pub(super) struct Line {
    jobs: BTreeMap<LinePosition, Entry>,
    /// The line is in memory up to this job.
    loaded_to: Option<LinePosition>,
    /// The ledger may hold more behind that.
    more: bool,
    /// Somebody is asking it.
    loading: bool,
    /// Counts the moments from which on there may be more, so that an answer from before is not believed.
    epoch: u64,
    loading_epoch: u64,
    /// Counts how often the line is loaded anew: an answer from before would leave a gap in it.
    reloads: u64,
    loading_reloads: u64,
    blocked: Option<String>,
    /// The job that keeps others waiting, and since when.
    held_back: Option<(LinePosition, Instant)>,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    stage: Stage,
    /// How often a worker died with it in hand.
    panics: u32,
    /// It was in a publisher's hand before, so its publications may have changed in the ledger.
    touched: bool,
    /// Why it was last put back.
    reason: String,
}

/// Where a job stands in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// May be translated.
    Queued,
    /// Leased to this translator.
    Translating(Arc<str>),
    /// May be published when its turn comes.
    Ready,
    /// Leased to this publisher.
    Publishing(Arc<str>),
    /// Not before this moment.
    Asleep(Nap),
}

/// How long a job sleeps: until a time of day, but no longer than it was to be when it fell asleep, so that a clock
/// which is set back keeps nobody asleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nap {
    until: Timestamp,
    at_latest: Instant,
}

/// The moment, by the clock on the wall and by one that nobody can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    pub(super) wall: Timestamp,
    pub(super) steady: Instant,
}

impl Now {
    fn nap(self, until: Timestamp) -> Nap {
        let length = Duration::try_from(until.duration_since(self.wall)).unwrap_or_default();
        // A nap beyond what the machine can count is one of many years.
        let at_latest = self.steady.checked_add(length).unwrap_or(self.steady + YEAR);
        Nap { until, at_latest }
    }

    /// What is left of a nap.
    fn left(self, nap: Nap) -> Duration {
        let by_wall = Duration::try_from(nap.until.duration_since(self.wall)).unwrap_or_default();
        by_wall.min(nap.at_latest.saturating_duration_since(self.steady))
    }
}

const YEAR: Duration = Duration::from_hours(24 * 365);

/// A job that went on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// Its post.
    pub(super) post: Arc<Post>,
    /// How often it was tried since it last got on.
    pub(super) attempt: u32,
    /// Its translation, where it has left its line.
    pub(super) translation: Option<Translation>,
}

/// What a publisher is handed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Picked {
    /// Nothing is ready.
    Nothing,
    /// One that needs a look; where it was `touched`, its publications must be read again.
    Alone { job: Job, touched: bool },
    /// Jobs of one message each that no publisher has had in hand yet.
    Batch(Vec<Job>),
}

/// When the router should look for sleepers again.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// Some woke just now.
    Now,
    /// The next one wakes after this long.
    In(Duration),
    /// Nobody sleeps.
    Never,
}

/// A job that kept others waiting for too long, and what last stood in its way.
#[derive(Debug)]
pub(super) struct Overdue {
    pub(super) job: Job,
    pub(super) reason: String,
}

impl Entry {
    fn new(job: Job, now: Now) -> Self {
        let stage = match job.not_before {
            Some(moment) => Stage::Asleep(now.nap(moment)),
            None => Self::awake(&job),
        };
        Self { job, stage, panics: 0, touched: false, reason: String::new() }
    }

    /// Whether it may be said together with others: no publisher has had it in hand yet, and nobody died of it.
    fn is_plain(&self) -> bool {
        let translation = self.job.translation.as_ref();
        self.job.state == JobState::Ready
            && translation.is_some_and(|translation| self.is_plain_with(translation))
    }

    fn is_plain_with(&self, translation: &Translation) -> bool {
        !self.touched && self.panics == 0 && is_one_message(&self.job, translation)
    }

    /// Where a job stands that nothing keeps asleep.
    fn awake(job: &Job) -> Stage {
        let translated = job.translation.is_some();
        match job.state {
            JobState::Ready | JobState::Unknown | JobState::Publishing => Stage::Ready,
            JobState::Held if translated => Stage::Ready,
            _ => Stage::Queued,
        }
    }
}

/// So many jobs, and each of their holders once.
fn with_holders(jobs: usize, mut holders: Vec<String>) -> (usize, Vec<String>) {
    holders.sort_unstable();
    holders.dedup();
    (jobs, holders)
}

/// Whether a job with that translation is one message by itself, of which nothing is on the way yet.
fn is_one_message(job: &Job, translation: &Translation) -> bool {
    translation.parts.len() == 1
        && job.publications.is_empty()
        && job.post.media.is_empty()
        && job.post.kind.continues().is_none()
}

impl Window {
    pub(super) fn new(targets: &[TargetId]) -> Self {
        let line = || Line { more: true, ..Line::default() };
        Self {
            lines: targets.iter().map(|target| (target.clone(), line())).collect(),
            queue: BTreeSet::new(),
            sleepers: BTreeSet::new(),
        }
    }

    /// From where on, and how many jobs of `target`, should be loaded, if any. Whoever asks must load.
    pub(super) fn wants(&mut self, target: &TargetId, most: usize) -> Option<(Option<LinePosition>, usize)> {
        let line = self.lines.get_mut(target)?;
        // Half empty is when loading pays.
        if !line.more || line.loading || line.jobs.len() > most / 2 {
            return None;
        }
        line.loading = true;
        line.loading_epoch = line.epoch;
        line.loading_reloads = line.reloads;
        Some((line.loaded_to, most - line.jobs.len()))
    }

    pub(super) fn stop_loading(&mut self, target: &TargetId) {
        if let Some(line) = self.lines.get_mut(target) {
            line.loading = false;
        }
    }

    /// Takes in jobs that were asked for with `room`.
    pub(super) fn load(&mut self, target: &TargetId, jobs: Vec<Job>, room: usize, now: Now) {
        let Some(line) = self.lines.get_mut(target) else {
            return;
        };
        line.loading = false;
        line.more = jobs.len() >= room || line.epoch != line.loading_epoch;
        if line.reloads != line.loading_reloads {
            return;
        }
        for job in jobs {
            let place = LinePosition::of(&job);
            line.loaded_to = line.loaded_to.max(Some(place));
            let entry = line.jobs.entry(place).or_insert_with(|| Entry::new(job, now));
            match entry.stage {
                Stage::Queued if line.blocked.is_none() => drop(self.queue.insert((place, target.clone()))),
                Stage::Asleep(_) => drop(self.sleepers.insert((target.clone(), place))),
                _ => {}
            }
        }
    }

    /// The ledger holds more than before.
    pub(super) fn expect_more(&mut self) {
        for line in self.lines.values_mut() {
            line.more = true;
            line.epoch += 1;
        }
    }

    /// Something about a job was not as it is in memory: its line is loaded anew, but for what is leased.
    pub(super) fn forget(&mut self, target: &TargetId, forgotten: LinePosition) {
        if let Some(line) = self.lines.get_mut(target) {
            line.jobs.remove(&forgotten);
        }
        self.reload(target);
    }

    /// The ledger has a line otherwise than it is in memory: it is loaded anew, but for what is leased.
    pub(super) fn reload(&mut self, target: &TargetId) {
        let Some(line) = self.lines.get_mut(target) else {
            return;
        };
        line.jobs.retain(|_, entry| matches!(entry.stage, Stage::Translating(_) | Stage::Publishing(_)));
        self.queue.retain(|(_, queued_for)| queued_for != target);
        line.loaded_to = None;
        line.more = true;
        line.epoch += 1;
        line.reloads += 1;
    }

    fn entry(&mut self, target: &TargetId, place: LinePosition) -> Option<&mut Entry> {
        self.lines.get_mut(target)?.jobs.get_mut(&place)
    }

    /// The next jobs to translate, marked as in the worker's hands. One that a worker died with goes alone, so that it
    /// takes no neighbours with it.
    pub(super) fn pick_for_translation(&mut self, worker: &Arc<str>, max: usize) -> Vec<Job> {
        let mut picked: Vec<Job> = Vec::new();
        while picked.len() < max {
            let Some((place, target)) = self.queue.first().cloned() else {
                break;
            };
            let alone = self.entry(&target, place).is_some_and(|entry| entry.panics > 0);
            if alone && !picked.is_empty() {
                break;
            }
            self.queue.pop_first();
            if let Some(entry) = self.entry(&target, place) {
                entry.stage = Stage::Translating(worker.clone());
                let attempt = entry.job.attempt + 1;
                picked.push(Job { attempt, ..entry.job.clone() });
            }
            if alone {
                break;
            }
        }
        picked
    }

    /// Whether a translator has that job in hand.
    pub(super) fn is_translating(&self, job: JobId) -> bool {
        let mut entries = self.lines.values().flat_map(|line| line.jobs.values());
        entries.any(|entry| entry.job.id == job && matches!(entry.stage, Stage::Translating(_)))
    }

    /// Whether anything waits for a translator.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The head of a target's line, if it is ready, and up to `max` jobs in all of those that follow, as far as they may be
    /// said one after another without a look; marked as in the worker's hands.
    pub(super) fn pick_for_publication(
        &mut self,
        worker: &Arc<str>,
        target: &TargetId,
        max: usize,
    ) -> Picked {
        let Some(line) = self.lines.get_mut(target).filter(|line| line.blocked.is_none()) else {
            return Picked::Nothing;
        };
        let mut row: Vec<Job> = Vec::new();
        for (place, entry) in line.jobs.iter_mut().take(max.max(1)) {
            // While the line is loaded anew, others may come to stand before what is left of it.
            if Some(*place) > line.loaded_to || entry.stage != Stage::Ready {
                break;
            }
            // One that needs a look goes alone.
            let plain = entry.is_plain();
            if !plain && !row.is_empty() {
                break;
            }
            entry.stage = Stage::Publishing(worker.clone());
            let (job, touched) = (entry.job.clone(), std::mem::replace(&mut entry.touched, true));
            if !plain {
                return Picked::Alone { job, touched };
            }
            row.push(job);
        }
        if row.is_empty() { Picked::Nothing } else { Picked::Batch(row) }
    }

    /// Those of the jobs translated just now that their target's publisher could say next, in order: up to `max` from the head
    /// of the line on, each a message by itself.
    pub(super) fn next_to_publish(
        &self,
        target: &TargetId,
        translated: &HashMap<JobId, &Translation>,
        max: usize,
    ) -> Vec<JobId> {
        let line = self.lines.get(target).filter(|line| line.blocked.is_none());
        let jobs = line.into_iter().flat_map(|line| {
            // As for those that are picked.
            line.jobs.iter().take_while(|(place, _)| Some(**place) <= line.loaded_to)
        });
        let plain = |entry: &Entry| {
            matches!(entry.stage, Stage::Translating(_))
                && translated.get(&entry.job.id).is_some_and(|translation| entry.is_plain_with(translation))
        };
        jobs.take(max).take_while(|(_, entry)| plain(entry)).map(|(_, entry)| entry.job.id).collect()
    }

    /// A job was begun for a publisher with the report of its translation: it is in that one's hands. None where it is not in
    /// memory any more: its line is loaded anew.
    pub(super) fn begun(&mut self, target: &TargetId, place: LinePosition, worker: &Arc<str>) -> Option<Job> {
        let Some(entry) = self.entry(target, place) else {
            self.reload(target);
            return None;
        };
        entry.stage = Stage::Publishing(worker.clone());
        entry.touched = true;
        Some(entry.job.clone())
    }

    /// A job that was picked could not be leased after all.
    pub(super) fn unpick(&mut self, job: &Job) {
        let place = LinePosition::of(job);
        let Some(entry) = self.entry(&job.target, place) else {
            return;
        };
        entry.stage = Entry::awake(&entry.job);
        if entry.stage == Stage::Queued {
            self.queue.insert((place, job.target.clone()));
        }
    }

    /// A job that was picked is leased, with a new token.
    pub(super) fn leased(&mut self, job: &Job) {
        if let Some(entry) = self.entry(&job.target, LinePosition::of(job)) {
            entry.job.state = job.state;
            entry.job.token = job.token;
            entry.job.attempt = job.attempt;
        }
    }

    /// What a worker that ended had in hand, and how often one panicked with it.
    pub(super) fn leased_by(&mut self, worker: &str, panicked: bool) -> Vec<(Job, u32)> {
        let entries = self.lines.values_mut().flat_map(|line| line.jobs.values_mut());
        entries
            .filter(|entry| match &entry.stage {
                Stage::Translating(holder) | Stage::Publishing(holder) => &**holder == worker,
                Stage::Queued | Stage::Ready | Stage::Asleep(_) => false,
            })
            .map(|entry| {
                entry.panics += u32::from(panicked);
                (entry.job.clone(), entry.panics)
            })
            .collect()
    }

    /// A job went on as `report` says and stands as `advanced` says now. Answers what it is to who watches, if it was in
    /// memory.
    pub(super) fn moved(&mut self, report: &JobReport, advanced: Advanced, now: Now) -> Option<Moved> {
        let place = report.line_position();
        let Advanced { state, token, attempt } = advanced;
        let entry = self.entry(&report.target, place)?;
        (entry.job.state, entry.job.token, entry.job.attempt) = (state, token, attempt);
        let mut not_before = None;
        let mut waits_for_a_person = false;
        for event in &report.events {
            match event {
                JobEvent::Translated(translation) => {
                    entry.job.translation = Some(translation.clone());
                    entry.panics = 0;
                }
                JobEvent::HandedBack { not_before: moment, reason }
                | JobEvent::NotSent { not_before: moment, reason }
                | JobEvent::OutcomeLost { not_before: moment, reason } => {
                    not_before = *moment;
                    entry.reason.clone_from(reason);
                }
                JobEvent::Held(hold) => {
                    not_before = hold.until;
                    waits_for_a_person = hold.until.is_none();
                    entry.reason.clone_from(&hold.reason);
                }
                _ => {}
            }
        }
        entry.job.not_before = not_before;
        entry.stage =
            not_before.map_or_else(|| Entry::awake(&entry.job), |moment| Stage::Asleep(now.nap(moment)));
        let (post, queued) = (entry.job.post.clone(), entry.stage == Stage::Queued);
        if not_before.is_some() {
            self.sleepers.insert((report.target.clone(), place));
        }
        let line = self.lines.get_mut(&report.target)?;
        let mut translation = None;
        if state.is_settled() || waits_for_a_person {
            translation = line.jobs.remove(&place).and_then(|entry| entry.job.translation);
        } else if queued && line.blocked.is_none() {
            self.queue.insert((place, report.target.clone()));
        }
        Some(Moved { post, attempt, translation })
    }

    /// Wakes whose moment has come.
    pub(super) fn wake(&mut self, now: Now) -> Wake {
        let mut next: Option<Duration> = None;
        let mut woke = false;
        let Self { lines, queue, sleepers } = self;
        sleepers.retain(|(target, place)| {
            let Some(line) = lines.get_mut(target) else { return false };
            let Some(entry) = line.jobs.get_mut(place) else { return false };
            let Stage::Asleep(nap) = entry.stage else { return false };
            let left = now.left(nap);
            if !left.is_zero() {
                next = Some(next.map_or(left, |next| next.min(left)));
                return true;
            }
            woke = true;
            entry.job.not_before = None;
            entry.stage = Entry::awake(&entry.job);
            if entry.stage == Stage::Queued && line.blocked.is_none() {
                queue.insert((*place, target.clone()));
            }
            false
        });
        match next {
            _ if woke => Wake::Now,
            Some(left) => Wake::In(left),
            None => Wake::Never,
        }
    }

    /// The heads that have kept others waiting for longer than `patience`, and how long until the next has. The time in
    /// which a job's upstream is `down` does not count against it.
    pub(super) fn overdue(
        &mut self,
        now: Now,
        patience: Duration,
        down: impl Fn(&Job) -> bool,
    ) -> (Vec<Overdue>, Option<Duration>) {
        let mut overdue = Vec::new();
        let mut next: Option<Duration> = None;
        for line in self.lines.values_mut() {
            let held_back = line.held_back.take();
            let mut jobs = line.jobs.iter();
            let Some((place, head)) = jobs.next() else { continue };
            // A hold has a limit of the whole account or of all engines for its reason, and is not the job's fault.
            let is_held = head.job.state == JobState::Held;
            let fails = matches!(head.stage, Stage::Asleep(_)) && !is_held;
            let known = held_back.is_some_and(|(known, _)| known == *place);
            // Who neither fails nor did is no trouble, whoever waits; looking for that would cost the whole line.
            if !(fails || known) || is_held || line.blocked.is_some() || down(&head.job) {
                continue;
            }
            if !jobs.any(|(_, job)| job.stage == Stage::Ready) {
                continue;
            }
            let since = match held_back {
                // In hand or about to be tried again, it is still the same that keeps the others waiting.
                Some((known, since)) if known == *place => since,
                _ if fails => now.steady,
                _ => continue,
            };
            line.held_back = Some((*place, since));
            let left = patience.saturating_sub(now.steady.saturating_duration_since(since));
            if fails && left.is_zero() {
                overdue.push(Overdue { job: head.job.clone(), reason: head.reason.clone() });
            } else if fails {
                next = Some(next.map_or(left, |next: Duration| next.min(left)));
            }
        }
        (overdue, next)
    }

    /// Nothing more is translated for a target or published on it.
    pub(super) fn block(&mut self, target: &TargetId, reason: String) {
        if let Some(line) = self.lines.get_mut(target) {
            line.blocked = Some(reason);
        }
        // A translation that cannot be published would be money for nothing.
        self.queue.retain(|(_, queued_for)| queued_for != target);
    }

    /// Which targets are blocked, and why.
    pub(super) fn blocked(&self) -> BTreeMap<TargetId, String> {
        let lines = self.lines.iter();
        lines.filter_map(|(target, line)| Some((target.clone(), line.blocked.clone()?))).collect()
    }

    /// A blocked target goes on; whether it was blocked.
    pub(super) fn unblock(&mut self, target: &TargetId) -> bool {
        let Some(line) = self.lines.get_mut(target) else {
            return false;
        };
        let was_blocked = line.blocked.take().is_some();
        let queued = line.jobs.iter().filter(|(_, entry)| entry.stage == Stage::Queued);
        self.queue.extend(queued.map(|(place, _)| (*place, target.clone())));
        was_blocked
    }

    /// How many jobs wait for a translator or are in one's hands, and in whose.
    pub(super) fn to_translate(&self) -> (usize, Vec<String>) {
        let entries = self.lines.values().flat_map(|line| line.jobs.values());
        let holders: Vec<String> = entries
            .filter_map(|entry| match &entry.stage {
                Stage::Translating(holder) => Some(holder.to_string()),
                _ => None,
            })
            .collect();
        with_holders(self.queue.len() + holders.len(), holders)
    }

    /// How many jobs of a target are in its publisher's hands, and in whose; and the head of its line, where that is ready
    /// and a publisher waits for it.
    pub(super) fn to_publish(&self, target: &TargetId, is_waited_for: bool) -> (usize, Vec<String>) {
        let Some(line) = self.lines.get(target).filter(|line| line.blocked.is_none()) else {
            return (0, Vec::new());
        };
        let holders: Vec<String> = line
            .jobs
            .values()
            .filter_map(|entry| match &entry.stage {
                Stage::Publishing(holder) => Some(holder.to_string()),
                _ => None,
            })
            .collect();
        let head =
            line.jobs.first_key_value().filter(|(_, entry)| is_waited_for && entry.stage == Stage::Ready);
        with_holders(holders.len() + usize::from(head.is_some()), holders)
    }

    /// How many jobs each worker has in hand, by its name without the incarnation.
    pub(super) fn in_hand(&self) -> BTreeMap<String, usize> {
        let mut hands = BTreeMap::new();
        for entry in self.lines.values().flat_map(|line| line.jobs.values()) {
            if let Stage::Translating(holder) | Stage::Publishing(holder) = &entry.stage {
                let name = holder.rsplit_once('#').map_or(&**holder, |(name, _)| name);
                *hands.entry(name.to_owned()).or_default() += 1;
            }
        }
        hands
    }

    /// What is left, if nothing more can be done now; `None` while something can.
    pub(super) fn drained(&self, patience: u32, paused: impl Fn(&TargetId) -> bool) -> Option<Drained> {
        let mut drained = Drained::default();
        if !self.queue.is_empty() {
            return None;
        }
        for (target, line) in &self.lines {
            if let Some(reason) = &line.blocked {
                drained.blocked.insert(target.clone(), reason.clone());
                continue;
            }
            // What is translated waits for the person who paused it.
            if line.jobs.values().next().is_some_and(|head| head.stage == Stage::Ready) && paused(target) {
                let reason = format!("paused; `mynah resume {target}` lets it go on");
                drained.blocked.insert(target.clone(), reason);
                continue;
            }
            let mut stuck: Option<(usize, String)> = None;
            for entry in line.jobs.values() {
                match (&entry.stage, &mut stuck) {
                    // Behind one that cannot go on, order keeps the others waiting.
                    (Stage::Ready | Stage::Asleep(_), Some((waiting, _))) => *waiting += 1,
                    (Stage::Asleep(_), None)
                        if entry.job.state == JobState::Held || entry.job.attempt >= patience =>
                    {
                        stuck = Some((1, entry.reason.clone()));
                    }
                    _ => return None,
                }
            }
            match stuck {
                Some(stuck) => drop(drained.waiting.insert(target.clone(), stuck)),
                None if line.more || line.loading => return None,
                None => {}
            }
        }
        Some(drained)
    }

    /// By target: waiting, translating, ready, publishing.
    pub(super) fn depths(&self) -> HashMap<TargetId, [usize; 4]> {
        let count = |line: &Line| {
            let mut depths = [0; 4];
            for entry in line.jobs.values() {
                let stage = match entry.stage {
                    Stage::Queued | Stage::Asleep(_) => 0,
                    Stage::Translating(_) => 1,
                    Stage::Ready => 2,
                    Stage::Publishing(_) => 3,
                };
                depths[stage] += 1;
            }
            depths
        };
        self.lines.iter().map(|(target, line)| (target.clone(), count(line))).collect()
    }
}
