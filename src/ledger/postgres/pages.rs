//! A source's timeline in memory: what is on record about the posts of a page, and what the page adds.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use mynah_domain::{JobId, JobState, Post, PostId, TargetId, job::HoldKind, ports::ledger::Change};

use super::{
    super::{
        decision::JobRow,
        recording::{Beginning, NewPost as Adding, OnRecord, Pages, Waiting},
        restored::Restored,
    },
    batch::{Batch, Entry},
    errors::{Error, Result},
    fences::Fences,
    rows::{to_integer, to_json},
};

/// What is on record about the posts of a source's page, and what is to be written beside new posts and jobs.
#[derive(Default)]
pub(super) struct TimelineState {
    pub(super) posts: HashMap<PostId, OnRecord>,
    pub(super) versions: HashMap<PostId, PostId>,
    /// Versions that are mapped now, to the recorded one.
    pub(super) new_versions: BTreeMap<PostId, PostId>,
    /// What is to be the recorded version of everything that another one was it for, in order.
    pub(super) replaced: Vec<(PostId, PostId)>,
    /// The readable forms of posts whose raw form is on record.
    pub(super) read: BTreeMap<PostId, String>,
}

/// A post to store.
pub(super) struct NewPost {
    pub(super) source: Arc<str>,
    pub(super) id: PostId,
    pub(super) position: i64,
    pub(super) body: String,
    pub(super) recorded_at: i64,
    pub(super) raw: Option<String>,
    pub(super) forgotten_at: Option<i64>,
}

/// A source's timeline within a batch.
pub(super) struct Timeline<'a> {
    batch: &'a mut Batch,
    source: Arc<str>,
    now: Timestamp,
    fences: &'a Fences,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(batch: &'a mut Batch, source: &str, now: Timestamp, fences: &'a Fences) -> Self {
        Self { batch, source: source.into(), now, fences }
    }

    fn state(&mut self) -> &mut TimelineState {
        self.batch.timelines.entry(self.source.to_string()).or_default()
    }
}

impl Pages for Timeline<'_> {
    type Error = Error;

    fn restored(&mut self) -> Result<Restored> {
        Ok(self.batch.restored.unwrap_or(Restored::of(None)))
    }

    fn version(&mut self, id: &PostId) -> Result<Option<PostId>> {
        Ok(self.state().versions.get(id).cloned())
    }

    fn post(&mut self, id: &PostId) -> Result<Option<OnRecord>> {
        Ok(self.state().posts.get(id).copied())
    }

    fn waiting(&mut self, id: &PostId) -> Result<Vec<Waiting>> {
        let new = (1..).map(|number| JobId(-number)).zip(&self.batch.new_jobs);
        let known = self.batch.jobs.iter().map(|(id, entry)| (*id, entry));
        let of_post = known.chain(new).filter(|(_, job)| job.source == self.source && job.post == *id);
        let waiting = of_post.filter(|(_, job)| match job.row.state {
            JobState::Queued => true,
            JobState::Held => job.row.kind.as_deref() == Some(HoldKind::Unreadable.as_str()),
            _ => false,
        });
        let waiting = waiting.map(|(id, job)| Waiting {
            id,
            target: job.row.target.clone(),
            state: job.row.state,
            token: job.row.token,
        });
        Ok(waiting.collect())
    }

    fn add_post(&mut self, Adding { post, raw, is_forgotten }: Adding<'_>) -> Result<bool> {
        if self.state().posts.contains_key(&post.id) {
            return Ok(false);
        }
        let on_record = OnRecord { is_raw: raw.is_some(), is_forgotten };
        self.state().posts.insert(post.id.clone(), on_record);
        let at = self.now.as_millisecond();
        self.batch.new_posts.push(NewPost {
            source: self.source.clone(),
            id: post.id.clone(),
            position: to_integer(post.position),
            body: if is_forgotten { to_json(&post.without_text())? } else { to_json(post)? },
            recorded_at: at,
            raw: raw.map(str::to_owned),
            forgotten_at: is_forgotten.then_some(at),
        });
        Ok(true)
    }

    fn add_job(&mut self, post: &Post, target: &TargetId, beginning: Beginning) -> Result<()> {
        // Jobs of a post are added together: a second one for the same target is among the last ones.
        let is_known = self
            .batch
            .new_jobs
            .iter()
            .rev()
            .take_while(|job| job.source == self.source && job.post == post.id)
            .any(|job| job.row.target == *target);
        if is_known {
            return Ok(());
        }
        let Beginning { state, kind, reason } = beginning;
        let at = self.now.as_millisecond();
        self.batch.settled.came_to(target, state);
        self.batch.new_jobs.push(Entry {
            row: JobRow {
                source: self.source.clone(),
                target: target.clone(),
                state,
                token: 0,
                attempt: 0,
                not_before: None,
                kind: kind.map(str::to_owned),
                reason,
                last_change: None,
                parts: BTreeMap::new(),
                charges: BTreeMap::new(),
            },
            source: self.source.clone(),
            post: post.id.clone(),
            position: to_integer(post.position),
            version: (0, state, None),
            parts: BTreeMap::new(),
            absent: std::collections::BTreeSet::new(),
            parts_translated: 0,
            is_forgotten: false,
            changed_at: None,
            created_at: at,
            translation: None,
            rejected: None,
            before_skip: None,
            draft: None,
            guidance: None,
            decisions: Vec::new(),
        });
        Ok(())
    }

    fn replace_raw(&mut self, post: &Post) -> Result<()> {
        let body = to_json(post)?;
        let source = self.source.clone();
        if let Some(known) = self.state().posts.get_mut(&post.id) {
            known.is_raw = false;
        }
        match self.batch.new_posts.iter_mut().find(|new| new.id == post.id && new.source == source) {
            Some(new) => {
                new.body = body;
                new.raw = None;
            }
            None => {
                self.state().read.insert(post.id.clone(), body);
            }
        }
        Ok(())
    }

    fn add_version(&mut self, id: &PostId, recorded: &PostId) -> Result<()> {
        let state = self.state();
        if !state.versions.contains_key(id) {
            state.versions.insert(id.clone(), recorded.clone());
            state.new_versions.insert(id.clone(), recorded.clone());
        }
        Ok(())
    }

    fn replace_version(&mut self, old: &PostId, new: &PostId) -> Result<()> {
        let state = self.state();
        for recorded in state.versions.values_mut().chain(state.new_versions.values_mut()) {
            if recorded == old {
                recorded.clone_from(new);
            }
        }
        state.replaced.push((old.clone(), new.clone()));
        self.add_version(old, new)
    }

    fn change(&mut self, changes: &[Change]) -> Result<()> {
        for change in changes {
            // A refused change is that of a job that somebody else decided about.
            let _ = self.batch.advance(change, self.now, self.fences)?;
        }
        Ok(())
    }
}
