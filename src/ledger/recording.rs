//! Decides what a page of a source's timeline adds to the record: which posts are new, which are another version of a
//! known one, and in which state their jobs begin. Where it is stored is the adapter's business ([`Pages`]).

use std::borrow::Cow;

use mynah_domain::{
    Hold, JobEvent, JobId, JobState, Post, PostId, Skip, TargetId,
    job::HoldKind,
    ports::ledger::{Change, Raw, RecordPage, RecordPost, Recorded, edited_reason},
};

use super::restored::Restored;

/// What is on record about the posts of one source, and how to add to it. Every read sees what was added before it.
pub(super) trait Pages {
    type Error;

    /// When the ledger was restored, if it was.
    fn restored(&mut self) -> Result<Restored, Self::Error>;

    /// The recorded version of a post, if it has several versions.
    fn version(&mut self, id: &PostId) -> Result<Option<PostId>, Self::Error>;

    /// What is on record about a post; `None` if it is not on record.
    fn post(&mut self, id: &PostId) -> Result<Option<OnRecord>, Self::Error>;

    /// The jobs of a raw post that are undecided, or that a person retried: those that are queued, or held because it
    /// could not be read.
    fn waiting(&mut self, id: &PostId) -> Result<Vec<Waiting>, Self::Error>;

    /// Adds a post. Returns whether it is new.
    fn add_post(&mut self, post: NewPost<'_>) -> Result<bool, Self::Error>;

    /// Adds a job of a new post.
    fn add_job(&mut self, post: &Post, target: &TargetId, beginning: Beginning) -> Result<(), Self::Error>;

    /// Replaces the raw form of a post with its readable form.
    fn replace_raw(&mut self, post: &Post) -> Result<(), Self::Error>;

    /// Maps a version of a post to the recorded one, unless it is mapped already.
    fn add_version(&mut self, id: &PostId, recorded: &PostId) -> Result<(), Self::Error>;

    /// Makes `new` the recorded version of everything that `old` was it for.
    fn replace_version(&mut self, old: &PostId, new: &PostId) -> Result<(), Self::Error>;

    /// Changes jobs of the source.
    fn change(&mut self, changes: &[Change]) -> Result<(), Self::Error>;
}

/// What is on record about a post.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnRecord {
    /// Whether only its raw form is on record.
    pub(super) is_raw: bool,
    /// Whether its text was removed.
    pub(super) is_forgotten: bool,
}

/// A post to record.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewPost<'a> {
    pub(super) post: &'a Post,
    /// Its raw form, if it could not be read.
    pub(super) raw: Option<&'a str>,
    /// Whether its text must not be stored.
    pub(super) is_forgotten: bool,
}

/// The initial state of a job, with the kind of hold or skip, and the reason.
#[derive(Debug, Clone)]
pub(super) struct Beginning {
    pub(super) state: JobState,
    pub(super) kind: Option<&'static str>,
    pub(super) reason: Option<String>,
}

/// A job whose post could not be read.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) id: JobId,
    pub(super) target: TargetId,
    pub(super) state: JobState,
    pub(super) token: i64,
}

/// Records a page, except for the source's checkpoint.
pub(super) fn record<P: Pages>(pages: &mut P, page: &RecordPage) -> Result<Recorded, P::Error> {
    let mut recorded = Recorded::default();
    let restored = pages.restored()?;
    for record in &page.posts {
        let post = &*record.post;
        let mut version = version_of(pages, post)?;
        // Another version of a post that a person wants forgotten is not published, so its text is not stored either.
        let is_forgotten = match &version {
            Some(known) => pages.post(known)?.is_some_and(|known| known.is_forgotten),
            None => false,
        };
        let raw = record.unreadable.as_ref().map(|raw| raw.json.as_str()).filter(|_| !is_forgotten);
        if !pages.add_post(NewPost { post, raw, is_forgotten })? {
            again(pages, record, restored, &mut recorded)?;
            continue;
        }
        recorded.posts += 1;
        let mut jobs = Cow::from(&record.jobs);
        if let (None, Some(known)) = (raw, &version) {
            // A readable version takes over the jobs of an unreadable one.
            let waiting = give_up(pages, known, &mut recorded)?;
            if !waiting.is_empty() {
                for (target, skip) in jobs.to_mut() {
                    let decided = (!waiting.contains(target)).then_some(Skip::Edited);
                    *skip = decided.or(*skip);
                }
                pages.replace_version(known, &post.id)?;
                version = None;
            }
        }
        learn(pages, post, version.as_ref().unwrap_or(&post.id))?;
        recorded.edited.extend(version.is_some().then(|| post.id.clone()));
        let is_decided = version.is_some() || raw.is_some();
        let hold = if is_decided { None } else { restored.hold(post) };
        recorded.held_back.extend(hold.is_some().then(|| post.id.clone()));
        let reasons = Reasons { record, version: version.as_ref(), hold: hold.as_ref() };
        for (target, skip) in &*jobs {
            let beginning = reasons.beginning(*skip);
            let state = beginning.state;
            pages.add_job(post, target, beginning)?;
            *match state {
                JobState::Skipped => &mut recorded.skipped,
                JobState::Held if record.unreadable.is_none() => continue,
                JobState::Held => &mut recorded.held,
                _ => &mut recorded.jobs,
            } += 1;
        }
    }
    Ok(recorded)
}

/// The recorded version of a new post, if any of its versions is on record.
fn version_of<P: Pages>(pages: &mut P, post: &Post) -> Result<Option<PostId>, P::Error> {
    for id in std::iter::once(&post.id).chain(&post.versions) {
        let known = pages.version(id)?;
        if known.is_some() {
            return Ok(known);
        }
    }
    for id in post.versions.iter().filter(|id| **id != post.id) {
        if pages.post(id)?.is_some() {
            return Ok(Some(id.clone()));
        }
    }
    Ok(None)
}

/// Maps every version of a post to the recorded one. A version that is already mapped is not changed.
fn learn<P: Pages>(pages: &mut P, post: &Post, recorded: &PostId) -> Result<(), P::Error> {
    if post.id == *recorded && post.versions.iter().all(|id| *id == post.id) {
        return Ok(());
    }
    for id in std::iter::once(recorded).chain([&post.id]).chain(&post.versions) {
        pages.add_version(id, recorded)?;
    }
    Ok(())
}

/// Records a known post again. It keeps its jobs; a target that was added later starts with later posts.
fn again<P: Pages>(
    pages: &mut P,
    record: &RecordPost,
    restored: Restored,
    recorded: &mut Recorded,
) -> Result<(), P::Error> {
    let post = &*record.post;
    let is_raw = pages.post(&post.id)?.is_some_and(|known| known.is_raw);
    let mut version = post.id.clone();
    if is_raw || !post.versions.is_empty() {
        version = version_of(pages, post)?.unwrap_or(version);
        learn(pages, post, &version)?;
    }
    match &record.unreadable {
        Some(raw) if is_raw => hold_again(pages, &post.id, raw, recorded),
        None if is_raw => {
            let edited = (version != post.id).then_some(Skip::Edited);
            replace(pages, record, edited, restored, recorded)
        }
        _ => Ok(()),
    }
}

/// Replaces the raw form of a post with its readable form; `edited` skips its jobs.
fn replace<P: Pages>(
    pages: &mut P,
    record: &RecordPost,
    edited: Option<Skip>,
    restored: Restored,
    recorded: &mut Recorded,
) -> Result<(), P::Error> {
    let post = &*record.post;
    pages.replace_raw(post)?;
    recorded.reread += 1;
    let hold = restored.hold(post);
    recorded.held_back.extend(hold.is_some().then(|| post.id.clone()));
    let mut changes = Vec::new();
    for job in pages.waiting(&post.id)? {
        let Some((_, skip)) = record.jobs.iter().find(|(target, _)| *target == job.target) else { continue };
        let skip = edited.or(*skip);
        let aside = skip.map(JobEvent::Skipped).or_else(|| hold.clone().map(JobEvent::Held));
        match &aside {
            Some(JobEvent::Skipped(_)) => recorded.skipped += 1,
            Some(_) => {}
            None => recorded.jobs += 1,
        }
        let released = (job.state == JobState::Held).then_some(JobEvent::Released { translated: false });
        let events: Vec<_> = released.into_iter().chain(aside).collect();
        changes.push(Change::new(job.id, job.token, events));
    }
    pages.change(&changes)
}

/// Holds jobs again that a person retried, because the post still cannot be read.
fn hold_again<P: Pages>(
    pages: &mut P,
    id: &PostId,
    raw: &Raw,
    recorded: &mut Recorded,
) -> Result<(), P::Error> {
    let hold = Hold { kind: HoldKind::Unreadable, reason: raw.reason.clone(), until: None };
    let retried = pages.waiting(id)?.into_iter().filter(|job| job.state == JobState::Queued);
    let changes: Vec<Change> =
        retried.map(|job| Change::new(job.id, job.token, vec![JobEvent::Held(hold.clone())])).collect();
    recorded.held += changes.len() as u64;
    pages.change(&changes)
}

/// Skips the jobs that wait for a post to be readable, because a readable version takes them over. Returns their
/// targets. Jobs that a person decided about are not changed.
fn give_up<P: Pages>(pages: &mut P, id: &PostId, recorded: &mut Recorded) -> Result<Vec<TargetId>, P::Error> {
    if !pages.post(id)?.is_some_and(|known| known.is_raw) {
        return Ok(Vec::new());
    }
    let waiting = pages.waiting(id)?;
    let skip = || vec![JobEvent::Skipped(Skip::Edited)];
    let changes: Vec<Change> = waiting.iter().map(|job| Change::new(job.id, job.token, skip())).collect();
    recorded.skipped += changes.len() as u64;
    pages.change(&changes)?;
    Ok(waiting.into_iter().map(|job| job.target).collect())
}

/// What decides how the jobs of a new post begin.
struct Reasons<'a> {
    record: &'a RecordPost,
    /// The recorded version, if it is another one.
    version: Option<&'a PostId>,
    /// Why a person must decide about it.
    hold: Option<&'a Hold>,
}

impl Reasons<'_> {
    fn beginning(&self, skip: Option<Skip>) -> Beginning {
        let (state, kind, reason) = match (self.version, skip, &self.record.unreadable) {
            (Some(version), ..) => {
                (JobState::Skipped, Some(Skip::Edited.as_str()), Some(edited_reason(version)))
            }
            (None, Some(skip), _) => (JobState::Skipped, Some(skip.as_str()), None),
            (None, None, Some(raw)) => {
                (JobState::Held, Some(HoldKind::Unreadable.as_str()), Some(raw.reason.clone()))
            }
            (None, None, None) => match self.hold {
                Some(hold) => (JobState::Held, Some(hold.kind.as_str()), Some(hold.reason.clone())),
                None => (JobState::Queued, None, None),
            },
        };
        Beginning { state, kind, reason }
    }
}
