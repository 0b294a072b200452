//! The JSON that the admin API, the commands and scripts exchange. Field names are part of the API. Post text in it is
//! only data, whatever it contains.

mod ahead;
mod money;
mod people;
mod review;

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use mynah_domain::{
    AccountId, JobState, PostId,
    job::RejectedTranslation,
    ports::{Usage, ledger::JobLine},
    text::EntityKind,
};
use serde::{Deserialize, Serialize};

pub use ahead::{Ahead, AheadJob, AheadQuery};
pub use money::{BudgetState, CostLine, Costs, CostsQuery, Spent, SpentOn};
pub use people::{
    Decision, Decisions, DecisionsQuery, Identity, LogIn, NewToken, NewUser, RemovedUser, Token, User, Users,
};
pub use review::{
    Again, Approve, Decided, Draft, DraftDecision, DraftLine, DraftQuery, Drafts, Edit, Finding, MediumText,
    Part, Passage, Skip,
};

use crate::{alerts::Severity, networks::Networks};

/// `GET /api/actors`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actors {
    /// All actors, by name.
    pub actors: Vec<Actor>,
    /// How many workers wait for a job; unknown if the router does not answer.
    pub asking: Option<usize>,
}

/// One actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its name, `translator-3`.
    pub name: String,
    /// `running`, `restarting`, `replacing` or `stopped`.
    pub state: String,
    /// How often it was restarted.
    pub restarts: u64,
    /// The same, by reason: `crash`, `hang`, `reload`, `resize`, `operator`; only reasons that occurred.
    #[serde(default)]
    pub restarts_by_reason: BTreeMap<String, u64>,
    /// Its number among the actors that have had its name, from 1.
    pub incarnation: u64,
    /// How long ago it finished something, took a job or started.
    pub last_progress_seconds_ago: u64,
    /// How many messages wait in its mailbox; workers pull jobs instead.
    pub mailbox: usize,
    /// How many jobs are leased to it; unknown if the router does not answer.
    pub in_hand: Option<usize>,
}

/// `GET /api/instances`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Instances {
    /// All instances that are alive.
    pub instances: Vec<Instance>,
    /// The sources and accounts that no instance works for, as `account x:town_es`.
    pub unowned: Vec<String>,
    /// Why this list may be out of date, if so.
    pub trouble: Option<String>,
}

/// A process that shares the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id, which is new at every start.
    pub id: String,
    /// Its machine or container.
    pub host: String,
    /// Where its admin API listens; `null` if it is off.
    pub admin: Option<String>,
    /// Its version of Mynah.
    pub version: String,
    /// When it started, by its own clock.
    pub started: Timestamp,
    /// Whether it is the one that answers.
    pub asked: bool,
    /// The sources that it polls.
    pub sources: Vec<String>,
    /// The accounts that it publishes on.
    pub accounts: Vec<String>,
}

/// The body of `POST /api/pool/translator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSize {
    /// The new number of translators, 1 to 256.
    pub size: u16,
}

/// The answer to `POST /api/pool/translator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resized {
    /// The number before.
    pub before: usize,
    /// The number now.
    pub size: usize,
}

/// The answer to `POST /api/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Changes in force now.
    pub changed: Vec<SettingChange>,
    /// Changes that take effect at the next start.
    pub after_restart: Vec<SettingChange>,
    /// Secrets that changed, and whether they work.
    #[serde(default)]
    pub secrets: Vec<SecretChange>,
}

/// A secret that changed; never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretChange {
    /// The variable that holds it.
    pub name: String,
    /// Whether it is in force now; otherwise from the next start.
    pub in_force: bool,
    /// Whether everybody who uses it could verify that it works; `null` if it could not be found out, or if nobody uses
    /// it.
    pub works: Option<bool>,
    /// What was found, for a person.
    pub found: Vec<String>,
}

/// A changed setting, with both values as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChange {
    /// `publisher.min_interval`
    pub key: String,
    /// The old value.
    pub before: String,
    /// The new value.
    pub after: String,
}

/// `GET /api/pauses`, and the answer to every pause and resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Everything that can be paused.
    pub pauses: Vec<Pause>,
    /// After a resume: what trying the credentials of the accounts showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
}

/// What trying an account's credentials showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The target.
    pub what: String,
    /// Whether they work; `null` if there was no answer.
    pub works: Option<bool>,
    /// What was found, for a person.
    pub found: String,
}

/// Something that can be paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// `poller`, a source or a target.
    pub what: String,
    /// Whether an operator paused it.
    pub paused: bool,
    /// Why nothing can be published there until an operator fixes it.
    pub blocked: Option<String>,
}

/// `GET /api/stats`, and a line of the history file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// The time of the measurement.
    pub at: Timestamp,
    /// Time since the stats actor started.
    pub uptime_seconds: f64,
    /// Operations by name, such as `x.post`, over the whole uptime.
    pub operations: BTreeMap<String, Operation>,
    /// Counters by name, such as `jobs.held.gate`.
    pub counts: BTreeMap<String, u64>,
    /// Jobs in the ledger, by target and state.
    pub jobs: BTreeMap<String, BTreeMap<String, u64>>,
    /// Restarts of each actor.
    pub restarts: BTreeMap<String, u64>,
    /// The same, by reason: `crash`, `hang`, `reload`, `resize`, `operator`.
    #[serde(default)]
    pub restart_reasons: BTreeMap<String, BTreeMap<String, u64>>,
    /// Why the service is degraded; empty if it is not.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// The state of each account.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountState>,
    /// The state of each source.
    #[serde(default)]
    pub sources: BTreeMap<String, PollerState>,
    /// The state of each engine.
    #[serde(default)]
    pub engines: BTreeMap<String, EngineState>,
    /// How reading the settings went last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigReload>,
    /// The instances, if several may share the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Instances>,
    /// What each engine's service counted, by the engine's name, over the whole uptime.
    #[serde(default)]
    pub usage: BTreeMap<String, EngineUsage>,
    /// Limits on the calls to each engine that was called, by name.
    #[serde(default)]
    pub upstreams: BTreeMap<String, Pace>,
    /// What was spent, if anything costs money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
    /// Memory and CPU.
    pub resources: ResourceUse,
}

/// How reading the settings went last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReload {
    /// Whether the last attempt succeeded.
    pub last_successful: bool,
    /// When an attempt last succeeded.
    pub last_success: Timestamp,
}

/// `GET /api/alerts`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerts {
    /// What is wrong, and what was and is still to be sent.
    pub alerts: Vec<Alert>,
    /// Who is notified.
    pub receivers: Vec<AlertReceiver>,
}

/// Something that is or was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The name of its cause.
    pub cause: String,
    /// The account, source, target or engine.
    pub about: String,
    /// How soon a person must act.
    pub severity: Severity,
    /// What happened.
    pub summary: String,
    /// Why, and what to do.
    pub details: String,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// When it was over, if a receiver does not know that yet.
    pub over: Option<Timestamp>,
    /// When each receiver was last sent a message about it.
    pub sent: BTreeMap<String, Timestamp>,
}

/// Who is notified of what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertReceiver {
    /// `webhook`, `slack`, `discord`, `ntfy` or `mail`.
    pub name: String,
    /// Why it did not take the last message, if so.
    pub trouble: Option<String>,
}

/// `GET /api/status`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// How the service is.
    pub state: ServiceState,
    /// Why it is not ready.
    pub reasons: Vec<String>,
    /// Why it is degraded.
    pub degraded: Vec<String>,
    /// The health of each account.
    pub accounts: Vec<AccountStatus>,
    /// Whether each source is read.
    #[serde(default)]
    pub sources: Vec<PollerStatus>,
    /// The first of the sources that is not read, or else the first.
    pub poller: PollerStatus,
    /// The state of each engine, in order.
    pub engines: Vec<EngineStatus>,
    /// What was spent, if anything costs money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

/// How the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// Everything works as configured.
    Ready,
    /// It works, but not as configured.
    Degraded,
    /// It cannot work.
    NotReady,
    /// No service is running.
    Stopped,
}

/// The health of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountStatus {
    /// The target's id.
    pub account: String,
    /// The id of the source that it republishes.
    #[serde(default)]
    pub source: String,
    /// Where people find it, if the network has a page for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The language that it publishes in.
    pub language: String,
    /// The most important thing about it.
    pub state: AccountState,
    /// Why, and what to do.
    pub reason: Option<String>,
    /// Publications in this UTC day.
    pub published_today: u64,
    /// The most publications in a UTC day.
    pub daily_cap: Option<u64>,
    /// Publications in this UTC month.
    pub published_this_month: u64,
    /// The most publications in a UTC month.
    pub monthly_cap: Option<u64>,
    /// Jobs that are in progress or wait for their turn.
    pub waiting: u64,
    /// Jobs that wait for a person's approval.
    #[serde(default)]
    pub review: u64,
    /// Held jobs.
    pub held: u64,
    /// Failed jobs.
    pub failed: u64,
}

/// The state of an account, the most important one if several apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It publishes.
    Running,
    /// It has used four fifths of a cap.
    NearCap,
    /// Its quiet hours have begun, and it publishes nothing until they end.
    Quiet,
    /// It has used up a cap, and publishes nothing until the next period.
    AtCap,
    /// It does not get what its settings promise.
    Degraded,
    /// A person paused it.
    Paused,
    /// Nothing can be published on it until a person fixes it.
    Blocked,
    /// No service runs.
    Stopped,
}

impl AccountState {
    /// The states in a running service.
    pub const LIVE: [Self; 7] =
        [Self::Running, Self::NearCap, Self::Quiet, Self::AtCap, Self::Degraded, Self::Paused, Self::Blocked];

    /// Its name in output and measurements.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::NearCap => "near_cap",
            Self::Quiet => "quiet",
            Self::AtCap => "at_cap",
            Self::Degraded => "degraded",
            Self::Paused => "paused",
            Self::Blocked => "blocked",
            Self::Stopped => "stopped",
        }
    }
}

/// The state of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Its name.
    pub engine: String,
    /// Whether it translates.
    pub state: EngineState,
    /// Why not, and what to do.
    pub reason: Option<String>,
    /// What its service counted since the start.
    #[serde(default)]
    pub usage: EngineUsage,
}

/// What an engine's service counted; `None` for counts that it does not report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EngineUsage {
    /// Tokens of the requests, instructions included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Characters, from a service that charges by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed_characters: Option<u64>,
}

impl From<Usage> for EngineUsage {
    fn from(Usage { input_tokens, output_tokens, billed_characters }: Usage) -> Self {
        Self { input_tokens, output_tokens, billed_characters }
    }
}

impl From<EngineUsage> for Usage {
    fn from(EngineUsage { input_tokens, output_tokens, billed_characters }: EngineUsage) -> Self {
        Self { input_tokens, output_tokens, billed_characters }
    }
}

impl fmt::Display for EngineUsage {
    /// `1200 tokens in, 340 out`, or `5000 characters`; nothing if nothing is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.input_tokens.map(|tokens| format!("{tokens} tokens in")),
            self.output_tokens.map(|tokens| format!("{tokens} out")),
            self.billed_characters.map(|characters| format!("{characters} characters")),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// Whether an engine translates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// As far as is known.
    Ok,
    /// It does not answer.
    Down,
    /// It refuses, and only a person, or time, can change that.
    Refused,
}

impl EngineState {
    /// Its name in output and measurements.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Down => "down",
            Self::Refused => "refused",
        }
    }
}

/// Whether a source is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PollerStatus {
    /// The followed account.
    pub source: String,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// Whether it is read.
    pub state: PollerState,
    /// Why not.
    pub reason: Option<String>,
    /// The budget that it waits for, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<AwaitedBudget>,
}

/// A budget that a source waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitedBudget {
    /// The key that sets it.
    pub setting: String,
    /// When the source is read again.
    pub until: Timestamp,
}

/// Whether the source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollerState {
    /// It is.
    #[default]
    Running,
    /// A person paused it.
    Paused,
    /// The last polls failed.
    Failing,
    /// No budget pays for reading it before a certain time.
    Waiting,
    /// No service runs.
    Stopped,
}

impl PollerStatus {
    /// The first of these sources that is not read, or else the first.
    pub fn worst(sources: &[Self]) -> Option<Self> {
        sources.iter().find(|source| source.state != PollerState::Running).or(sources.first()).cloned()
    }
}

impl PollerState {
    /// The states in a running service.
    pub const LIVE: [Self; 4] = [Self::Running, Self::Paused, Self::Failing, Self::Waiting];

    /// Its name in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Failing => "failing",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
        }
    }
}

/// Limits on the calls to an engine. Mynah adapts them to what the engine can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pace {
    /// The most concurrent calls now.
    pub limit: usize,
    /// The upper bound of `limit`: `translator.pool_size`.
    pub limit_most: usize,
    /// Calls in flight.
    pub under_way: usize,
    /// Translators that wait for a permit to call.
    pub waiting: usize,
    /// The most texts per call now.
    pub batch: usize,
    /// The upper bound of `batch`: `engine.gemini.batch`.
    pub batch_most: usize,
}

/// Measurements of one operation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Operation {
    /// The number of calls.
    pub calls: u64,
    /// The number of failures, by kind.
    pub errors: BTreeMap<String, u64>,
    /// The mean latency, in milliseconds.
    pub mean_ms: f64,
    /// The median latency.
    pub p50_ms: f64,
    /// The 90th percentile.
    pub p90_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The longest latency.
    pub max_ms: f64,
}

/// Memory and CPU.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ResourceUse {
    /// Resident memory.
    pub rss_bytes: u64,
    /// The peak of resident memory.
    pub rss_max_bytes: u64,
    /// CPU in percent of one core, over the last seconds.
    pub cpu_percent: f32,
    /// The mean CPU.
    pub cpu_mean_percent: f32,
    /// The peak CPU.
    pub cpu_max_percent: f32,
}

/// The query of `GET /api/jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Comma-separated states; the default is all but published and skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// A target, by id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// A source, by name, id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// A post's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// The most jobs to return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Words in the post, its translation or the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Whether the newest come first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest_first: bool,
    /// `next` of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

/// `GET /api/jobs`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// A page of jobs, ordered by number.
    pub jobs: Vec<Job>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<i64>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// The post's id.
    pub post: String,
    /// The target's id.
    pub target: String,
    /// Its state.
    pub state: JobState,
    /// The number of tries since its last progress.
    pub attempt: u32,
    /// The kind of hold or skip.
    pub kind: Option<String>,
    /// Why it is held, failed, skipped or waiting.
    pub reason: Option<String>,
    /// When to try it again at the earliest.
    pub not_before: Option<Timestamp>,
    /// When it may go on at the earliest, if it waits for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// What it waits for until then: `delay`, `quiet hours`, `retry`, or the kind of hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The text of the post; empty if it was removed.
    pub text: String,
    /// Whether the texts of the post and its jobs were removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub text_removed: bool,
    /// The translation: one part, or the parts of a thread.
    pub translation: Option<Vec<String>>,
    /// The engine that translated it.
    pub engine: Option<String>,
    /// The last translation, if it is not published as it is: too long, or it did not pass the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<RejectedTranslation>,
    /// Its messages on the account, in order.
    #[serde(default)]
    pub messages: Vec<PublishedMessage>,
    /// Mentions in the translation, as written, with the pages of these accounts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mentions: BTreeMap<String, String>,
    /// The raw form of an unreadable post, cut if it is very long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// A message on an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedMessage {
    /// Its id on the network.
    pub id: String,
    /// Where people find it, if the network has a page for it.
    pub url: Option<String>,
}

impl PublishedMessage {
    fn new(account: &AccountId, id: &PostId) -> Self {
        let network = Networks::default().named(account.network());
        Self { id: id.0.clone(), url: network.and_then(|network| network.rules().link(account.handle(), id)) }
    }
}

impl From<JobLine> for Job {
    fn from(line: JobLine) -> Self {
        let (translation, engine) =
            line.translation.map(|translation| (translation.parts, translation.engine)).unzip();
        let texts = translation.iter().flatten().chain(line.rejected.iter().map(|rejected| &rejected.text));
        let mentions = texts.flat_map(|text| mentions(line.target.network(), text)).collect();
        Self {
            id: line.id.0,
            post: line.post.0,
            target: line.target.as_str().to_owned(),
            state: line.state,
            attempt: line.attempt,
            kind: line.kind,
            reason: line.reason,
            not_before: line.not_before,
            next_at: None,
            waits_for: None,
            updated_at: line.updated_at,
            text: line.text,
            text_removed: line.is_forgotten,
            translation,
            engine,
            mentions,
            rejected: line.rejected,
            messages: line.messages.iter().map(|(account, id)| PublishedMessage::new(account, id)).collect(),
            raw: line.raw,
        }
    }
}

/// The mentions that the network links in a text, with the pages that they lead to.
fn mentions(network: &str, text: &str) -> Vec<(String, String)> {
    let Some(network) = Networks::default().named(network) else { return Vec::new() };
    let rules = network.rules();
    let entities = rules.entities(text).into_iter().filter(|entity| entity.kind == EntityKind::Mention);
    let written = entities.filter_map(|entity| text.get(entity.range));
    written.filter_map(|name| Some((name.to_owned(), rules.profile(name.strip_prefix('@')?)?))).collect()
}

/// The body of `POST /api/jobs/retry`, `/api/jobs/skip` and `/api/jobs/unskip`: jobs by number or by filter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Jobs with these numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<i64>>,
    /// All jobs that match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
}

/// Selects jobs by properties; at least one must be set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The jobs are in one of these states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<JobState>,
    /// The jobs are for this target, by id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The jobs are of this source, by name, id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The jobs were held or skipped for this kind of reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// The result of a retry, a skip or its undo.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// The number of changed jobs.
    pub changed: u64,
    /// Unchanged jobs; only the first [`super::PAGE`].
    pub refused: Vec<Refused>,
    /// The total number of unchanged jobs.
    pub refused_in_all: u64,
}

/// An unchanged job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its number.
    pub id: i64,
    /// The reason.
    pub why: String,
}

/// The body of `POST /api/posts/forget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forget {
    /// The posts' ids.
    pub posts: Vec<String>,
}

/// The answer to `POST /api/posts/forget`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Forgotten {
    /// Posts whose texts are removed.
    pub forgotten: Vec<ForgottenPost>,
    /// Posts whose texts stay.
    pub refused: Vec<NotForgotten>,
}

/// A post whose texts are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenPost {
    /// Its id.
    pub post: String,
    /// How many jobs it has, with those of its other versions.
    pub jobs: u64,
}

/// A post whose texts stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotForgotten {
    /// Its id.
    pub post: String,
    /// The reason.
    pub why: String,
}

/// An error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What happened, and what to do.
    pub error: String,
    /// What is wrong with the words of a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}
