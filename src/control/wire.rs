//! The JSON that goes between the admin API, the commands and scripts. Post text in it is data, whatever it says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mynah_domain::{JobState, ports::ledger::JobLine};
use serde::{Deserialize, Serialize};

/// `GET /api/actors`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actors {
    /// Every actor, by name.
    pub actors: Vec<Actor>,
    /// How many workers wait for a job; none where the router does not answer.
    pub asking: Option<usize>,
}

/// One actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its name, `translator-3`.
    pub name: String,
    /// `running`, `restarting` or `stopped`.
    pub state: String,
    /// How often it was built anew.
    pub restarts: u64,
    /// The how-manieth of its name it is.
    pub incarnation: u64,
    /// How long ago it got something done, took up work or was built.
    pub last_progress_seconds_ago: u64,
    /// How many messages wait for it; workers have no mailbox to speak of, they ask.
    pub mailbox: usize,
    /// How many jobs are leased to it; none where the router does not answer.
    pub in_hand: Option<usize>,
}

/// What `POST /api/pool/translator` is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSize {
    /// How many shall work, 1 to 256.
    pub size: u16,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resized {
    /// How many there were.
    pub before: usize,
    /// How many there are.
    pub size: usize,
}

/// What came of `POST /api/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What is in force now.
    pub changed: Vec<SettingChange>,
    /// What is in force from the next start on.
    pub after_restart: Vec<SettingChange>,
}

/// A setting that is another, as both were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChange {
    /// `publisher.min_interval`
    pub key: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
}

/// `GET /api/pauses`, and the answer to every change of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// All that can be paused.
    pub pauses: Vec<Pause>,
}

/// Something that can be paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// `poller`, or a target.
    pub what: String,
    /// Whether a person paused it.
    pub paused: bool,
    /// Why nothing can be published there until a person mends it.
    pub blocked: Option<String>,
}

/// `GET /api/stats`, and a line of the history.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// When.
    pub at: Timestamp,
    /// Since the stats actor was built.
    pub uptime_seconds: f64,
    /// Every operation by name, `x.post`, over the whole uptime.
    pub operations: BTreeMap<String, Operation>,
    /// What is only counted, by name, `jobs.held.gate`.
    pub counts: BTreeMap<String, u64>,
    /// Jobs in the ledger, by target and state.
    pub jobs: BTreeMap<String, BTreeMap<String, u64>>,
    /// How often each actor was built anew.
    pub restarts: BTreeMap<String, u64>,
    /// How much each engine that was asked is asked at once, by name.
    #[serde(default)]
    pub upstreams: BTreeMap<String, Pace>,
    /// Memory and CPU.
    pub resources: ResourceUse,
}

/// How much an engine is asked at once: found out by trying, within what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pace {
    /// How many calls may be under way at once.
    pub limit: usize,
    /// How many there may ever be: `translator.pool_size`.
    pub limit_most: usize,
    /// How many are under way.
    pub under_way: usize,
    /// How many translators wait until they may call.
    pub waiting: usize,
    /// How many texts go into a call at most.
    pub batch: usize,
    /// How many may ever: `engine.gemini.batch`.
    pub batch_most: usize,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Operation {
    /// How many calls.
    pub calls: u64,
    /// How many failed, by kind.
    pub errors: BTreeMap<String, u64>,
    /// The mean, in milliseconds.
    pub mean_ms: f64,
    /// Half of the calls took at most this long.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// None took longer.
    pub max_ms: f64,
}

/// Memory and CPU.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ResourceUse {
    /// Resident memory.
    pub rss_bytes: u64,
    /// The most there was.
    pub rss_max_bytes: u64,
    /// In percent of one core, over the last seconds.
    pub cpu_percent: f32,
    /// In the mean.
    pub cpu_mean_percent: f32,
    /// At most.
    pub cpu_max_percent: f32,
}

/// What `GET /api/jobs` is asked with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// States, parted by commas; none are all that is not published or skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// A target, by id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// A post's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// The most jobs in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Words in the post, in what is said of it or in the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// The newest first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest_first: bool,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

/// `GET /api/jobs`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// A page of jobs, by their numbers.
    pub jobs: Vec<Job>,
    /// Where the next page begins; none where this is the last.
    pub next: Option<i64>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// The post's id.
    pub post: String,
    /// The target's.
    pub target: String,
    /// Where it stands.
    pub state: JobState,
    /// How often it was tried since its last progress.
    pub attempt: u32,
    /// The sort of hold or skip.
    pub kind: Option<String>,
    /// What last stood in its way.
    pub reason: Option<String>,
    /// Not to be tried before this moment.
    pub not_before: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// What the post says.
    pub text: String,
    /// What is said of it, in one publication or several.
    pub translation: Option<Vec<String>>,
    /// Who translated it.
    pub engine: Option<String>,
    /// The post as it came, where it could not be read; cut where it is very long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

impl From<JobLine> for Job {
    fn from(line: JobLine) -> Self {
        let (translation, engine) =
            line.translation.map(|translation| (translation.parts, translation.engine)).unzip();
        Self {
            id: line.id.0,
            post: line.post.0,
            target: line.target.as_str().to_owned(),
            state: line.state,
            attempt: line.attempt,
            kind: line.kind,
            reason: line.reason,
            not_before: line.not_before,
            updated_at: line.updated_at,
            text: line.text,
            translation,
            engine,
            raw: line.raw,
        }
    }
}

/// What `POST /api/jobs/retry` and `/api/jobs/skip` are asked with: jobs by number, or by what they have in common.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// These jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<i64>>,
    /// All jobs that are so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
}

/// What jobs have in common. At least one of it is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// They are in one of these states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<JobState>,
    /// They are for this target, by id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// They are held for this sort of reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What came of a decision about jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// How many jobs it changed.
    pub changed: u64,
    /// Those that stay as they were; the first [`super::PAGE`] of them.
    pub refused: Vec<Refused>,
    /// How many stay as they were in all.
    pub refused_in_all: u64,
}

/// A job that stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its number.
    pub id: i64,
    /// Why.
    pub why: String,
}

/// Anything that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What happened, and what to do.
    pub error: String,
}
