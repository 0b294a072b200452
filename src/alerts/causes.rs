//! What may be wrong: one entry for each cause, with a function that finds it in a [`Situation`]. Causes are found in the
//! present state and not in events, so a restart finds them again.
//!
//! To add one, write a function and an entry, name the entry in [`CAUSES`], and add the rule to
//! `deploy/prometheus/alerts.yml` and a row to `docs/alerts.md`. Tests compare the three.

use std::time::Duration;

use jiff::Timestamp;
use mynah_domain::{AccountId, JobState};
use serde::{Deserialize, Serialize};

use super::{
    settings::brief_bytes,
    situation::{Account, BudgetUse, Silence, Situation},
};
use crate::control::wire::{EngineState, EngineStatus, PollerState};

/// How soon a person must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// At once.
    Page,
    /// By the next morning.
    Ticket,
}

impl Severity {
    /// Its name in messages, and the label in Prometheus.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// A kind of trouble.
#[derive(Debug)]
pub struct Cause {
    /// Its name in messages and in the record.
    pub name: &'static str,
    /// The alert in `deploy/prometheus/alerts.yml` that means the same.
    pub prometheus: &'static str,
    /// How soon a person must act.
    pub severity: Severity,
    /// How many times `alerts.settle` it must last until it is reported: more than once for what often passes by itself.
    pub settles: u32,
    /// Finds it; `None` if nothing is known at the moment.
    pub find: fn(&Situation) -> Option<Vec<Finding>>,
    /// Whether it is over if it is not found. What only a try can show is unknown after a restart.
    pub is_over: fn(&Situation, &Past<'_>) -> bool,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The account, source, target or engine.
    pub about: String,
    /// What happened, in one sentence without a full stop.
    pub summary: String,
    /// Why, and what to do.
    pub details: String,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
}

/// Something that was wrong.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// The account, source, target or engine.
    pub about: &'a str,
    /// When it was last found.
    pub seen: Timestamp,
    /// Whether this process has found it.
    pub seen_here: bool,
}

/// A finding with its cause.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The cause.
    pub cause: &'static Cause,
    /// What was found.
    pub finding: Finding,
}

impl Condition {
    /// What tells it from all other conditions: `account_blocked x:town_es`.
    pub fn key(&self) -> String {
        format!("{} {}", self.cause.name, self.finding.about)
    }
}

/// All causes.
pub static CAUSES: &[&Cause] = &[
    &ACCOUNT_BLOCKED,
    &LOGIN_ENDING,
    &JOBS_FAILED,
    &HOLDS_WAITING,
    &BUDGET_NEARLY_USED,
    &BUDGET_USED_UP,
    &SOURCE_FAILING,
    &SOURCE_SILENT,
    &ENGINE_REFUSED,
    &ENGINE_DOWN,
    &SERVICE_UNHEALTHY,
    &ACTOR_ESCALATED,
    &DISK_NEARLY_FULL,
    &RELOAD_FAILED,
];

/// The cause with this name.
pub fn named(name: &str) -> Option<&'static Cause> {
    CAUSES.iter().copied().find(|cause| cause.name == name)
}

/// Everything that is wrong, and the causes of which nothing is known at the moment.
pub fn find(situation: &Situation) -> (Vec<Condition>, Vec<&'static str>) {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for cause in CAUSES {
        match (cause.find)(situation) {
            Some(findings) => {
                found.extend(findings.into_iter().map(|finding| Condition { cause, finding }));
            }
            None => unknown.push(cause.name),
        }
    }
    (found, unknown)
}

fn whenever_not_found(_: &Situation, _: &Past<'_>) -> bool {
    true
}

/// How long after it was last found the trouble of another process counts as over: that process is gone for good.
const ABANDONED: Duration = Duration::from_hours(24);

/// What concerns a process shows only in that process.
fn in_this_process(now: &Situation, past: &Past<'_>) -> bool {
    past.about == now.process() || is_after(past.seen, ABANDONED, now.now)
}

static ACCOUNT_BLOCKED: Cause = Cause {
    name: "account_blocked",
    prometheus: "MynahAccountBlocked",
    severity: Severity::Page,
    settles: 1,
    find: |now| {
        let finding = |Account { id, blocked, .. }: &Account| {
            let why = blocked.as_ref()?;
            Some(Finding {
                about: id.to_string(),
                summary: format!("Nothing can be published on {id}"),
                details: format!("{why}; then run `mynah resume {id}`"),
                since: None,
            })
        };
        Some(now.accounts.iter().filter_map(finding).collect())
    },
    // After a restart, a block shows only when something is to be published.
    is_over: |now, past| match now.account(past.about) {
        None => true,
        Some(account) => {
            let published = now.published_on(&account.id).is_some_and(|at| at > past.seen);
            account.is_ours && (past.seen_here || published)
        }
    },
};

static LOGIN_ENDING: Cause = Cause {
    name: "login_ending",
    prometheus: "MynahLoginEnding",
    severity: Severity::Ticket,
    settles: 0,
    find: |now| {
        const AHEAD: Duration = Duration::from_hours(24 * 7);
        let ending = now.logins.iter().filter(|login| !is_after(now.now, AHEAD, login.ends));
        let finding = ending.map(|login| {
            let account = format!("{} {}", login.network, login.account);
            let verb = if login.ends <= now.now { "ended" } else { "ends" };
            Finding {
                summary: format!("The login of {account} {verb} at {}", minute(login.ends)),
                details: format!("nothing can be published without it; run `mynah login {account}`"),
                about: AccountId::new(&login.network, &login.account).to_string(),
                since: None,
            }
        });
        Some(finding.collect())
    },
    is_over: whenever_not_found,
};

static JOBS_FAILED: Cause = Cause {
    name: "jobs_failed",
    prometheus: "MynahFailedJobs",
    severity: Severity::Page,
    settles: 0,
    find: |now| {
        let counts = now.facts.as_ref()?.counts.iter();
        let failed = counts.filter(|((_, state), count)| *state == JobState::Failed && **count > 0);
        let finding = failed.map(|((target, _), count)| Finding {
            about: target.to_string(),
            summary: format!("{} of {target} failed for good", jobs(*count)),
            details: format!(
                "`mynah jobs --state failed --target {target}` shows why; `mynah jobs retry` or `skip` decides"
            ),
            since: None,
        });
        Some(finding.collect())
    },
    is_over: whenever_not_found,
};

static HOLDS_WAITING: Cause = Cause {
    name: "holds_waiting",
    prometheus: "MynahHeldJobs",
    severity: Severity::Ticket,
    settles: 0,
    find: |now| {
        let held = now.facts.as_ref()?.held.iter();
        let finding = held.map(|(target, held)| Finding {
            about: target.to_string(),
            summary: format!("{} of {target} held or in review for too long", jobs(held.jobs)),
            details: format!(
                "the first has waited since {}; `mynah jobs --state held,review --target {target}` shows why, `mynah jobs \
                 retry` or `skip` decides, and `mynah review` about those in review",
                minute(held.oldest)
            ),
            since: Some(held.oldest),
        });
        Some(finding.collect())
    },
    is_over: whenever_not_found,
};

/// The budgets of which this is true.
fn budgets(now: &Situation, is_found: fn(&BudgetUse) -> bool, what: &str) -> Option<Vec<Finding>> {
    let budgets = now.facts.as_ref()?.budgets.iter().filter(|budget| is_found(budget));
    let finding = budgets.map(|BudgetUse { state, .. }| Finding {
        about: state.setting.clone(),
        summary: format!("The {} budget of {} for {} is {what}", state.period, state.most, state.scope),
        // Without the exact figures, which would differ at every look.
        details: format!(
            "what would exceed it waits until {}; `mynah costs` shows what was spent, and {} sets the budget",
            minute(state.until),
            state.setting
        ),
        since: None,
    });
    Some(finding.collect())
}

/// The budgets that are less than what waits for them, and the targets with jobs that cost more than a whole budget. Only a
/// person can help: no later period allows them.
fn too_small(now: &Situation) -> Option<impl Iterator<Item = Finding>> {
    let facts = now.facts.as_ref()?;
    let budgets = facts.budgets.iter().filter(|budget| budget.is_too_small());
    let budgets = budgets.map(|BudgetUse { state, .. }| Finding {
        about: state.setting.clone(),
        summary: format!("The {} budget of {} for {} is too small", state.period, state.most, state.scope),
        details: format!("what waits for it costs more than all of it; raise {}", state.setting),
        since: None,
    });
    let targets = facts.unaffordable.iter().map(|(target, count)| Finding {
        about: target.to_string(),
        summary: format!("{} of {target} held: a whole budget would not be enough", jobs(*count)),
        details: format!(
            "`mynah jobs --state held --target {target}` shows which budget to raise; `mynah jobs retry` or `skip` decides"
        ),
        since: None,
    });
    Some(budgets.chain(targets))
}

static BUDGET_NEARLY_USED: Cause = Cause {
    name: "budget_nearly_used",
    prometheus: "MynahBudgetNearlyUsed",
    severity: Severity::Ticket,
    // Calls in progress reserve more than they cost, for some seconds.
    settles: 1,
    find: |now| budgets(now, |budget| budget.state.is_nearly_used() && !budget.is_used_up(), "80 % used"),
    // A message that it is over, because it is used up by now, would mislead.
    is_over: |now, past| {
        let used_up = now.facts.iter().flat_map(|facts| &facts.budgets).filter(|budget| budget.is_used_up());
        !used_up.map(|budget| &budget.state.setting).any(|setting| setting == past.about)
    },
};

static BUDGET_USED_UP: Cause = Cause {
    name: "budget_used_up",
    prometheus: "MynahBudgetUsedUp",
    severity: Severity::Ticket,
    settles: 1,
    find: |now| {
        let mut found = budgets(now, BudgetUse::is_used_up, "used up")?;
        found.extend(too_small(now)?);
        Some(found)
    },
    is_over: whenever_not_found,
};

static SOURCE_FAILING: Cause = Cause {
    name: "source_failing",
    prometheus: "MynahSourceFailing",
    severity: Severity::Page,
    settles: 15,
    find: |now| {
        let failing = now.sources.iter().filter(|source| source.state == PollerState::Failing);
        let finding = failing.map(|source| Finding {
            about: source.source.clone(),
            summary: format!("{} cannot be read", source.name),
            details: format!(
                "{}; Mynah tries again by itself",
                source.reason.as_deref().unwrap_or("`mynah status` shows why")
            ),
            since: None,
        });
        Some(finding.collect())
    },
    is_over: whenever_not_found,
};

static SOURCE_SILENT: Cause = Cause {
    name: "source_silent",
    prometheus: "MynahSourceSilent",
    severity: Severity::Ticket,
    settles: 0,
    find: |now| {
        let silent = now.facts.as_ref()?.silent.iter();
        let finding = silent.map(|Silence { source, name, last, usual }| Finding {
            about: source.clone(),
            summary: format!("{name} has posted nothing since {}", minute(*last)),
            details: format!(
                "usually, there is a new post within {}; look at the account, and whether Mynah still reads the right \
                 one",
                brief(*usual)
            ),
            since: Some(*last),
        });
        Some(finding.collect())
    },
    is_over: whenever_not_found,
};

/// The engines in a state.
fn engines(now: &Situation, state: EngineState, what: &str, then: &str) -> Vec<Finding> {
    let engines = now.engines.iter().filter(|engine| engine.state == state);
    let finding = engines.map(|EngineStatus { engine, reason, .. }| Finding {
        about: engine.clone(),
        summary: format!("{engine} {what}"),
        details: format!("{}{then}", reason.as_deref().unwrap_or("`mynah status` shows why")),
        since: None,
    });
    finding.collect()
}

/// After a restart, an engine's trouble shows only when it is called: before that, nothing is known.
fn once_an_engine_was_called(now: &Situation, past: &Past<'_>) -> bool {
    let is_configured = now.engines.iter().any(|engine| engine.engine == past.about);
    let was_called = now.last_published().is_some_and(|at| at > now.watching_since);
    !is_configured || past.seen_here || was_called
}

static ENGINE_REFUSED: Cause = Cause {
    name: "engine_refused",
    prometheus: "MynahEngineRefused",
    severity: Severity::Page,
    settles: 1,
    find: |now| {
        let then = "; the next engine translates meanwhile, or posts wait (engine.fallback)";
        Some(engines(now, EngineState::Refused, "refuses to translate", then))
    },
    is_over: once_an_engine_was_called,
};

static ENGINE_DOWN: Cause = Cause {
    name: "engine_down",
    prometheus: "MynahEngineDown",
    severity: Severity::Ticket,
    settles: 5,
    find: |now| Some(engines(now, EngineState::Down, "does not answer", "")),
    is_over: once_an_engine_was_called,
};

static SERVICE_UNHEALTHY: Cause = Cause {
    name: "service_unhealthy",
    prometheus: "MynahUnhealthy",
    severity: Severity::Page,
    settles: 2,
    find: |now| {
        let finding = now.trouble.iter().map(|trouble| Finding {
            about: now.process(),
            summary: "Mynah cannot work".into(),
            details: format!("{trouble}; `mynah status` and the log have more"),
            since: None,
        });
        Some(finding.collect())
    },
    is_over: in_this_process,
};

static ACTOR_ESCALATED: Cause = Cause {
    name: "actor_escalated",
    prometheus: "MynahActorKeepsDying",
    severity: Severity::Page,
    settles: 0,
    find: |now| {
        let finding = now.escalation.iter().map(|escalation| Finding {
            about: now.process(),
            summary: "Mynah stopped, because a part of it could not go on".into(),
            details: format!(
                "{}; nothing is lost. If nothing starts it again, do so: this is over once it has run for a while",
                escalation.reason
            ),
            since: Some(escalation.at),
        });
        Some(finding.collect())
    },
    is_over: in_this_process,
};

static DISK_NEARLY_FULL: Cause = Cause {
    name: "disk_nearly_full",
    prometheus: "MynahDiskNearlyFull",
    severity: Severity::Page,
    settles: 1,
    find: |now| {
        let Some(least) = now.disk_free else { return Some(Vec::new()) };
        let disk = now.disk.as_ref()?;
        let is_short = disk.free < least;
        let finding = is_short.then(|| Finding {
            about: now.process(),
            summary: format!("The disk of {} is nearly full", disk.folder.display()),
            // Without the exact figure, which would differ at every look.
            details: format!(
                "less than {} are free; without room, Mynah stops. Free some, or set ledger.retention",
                brief_bytes(least)
            ),
            since: None,
        });
        Some(finding.into_iter().collect())
    },
    is_over: in_this_process,
};

static RELOAD_FAILED: Cause = Cause {
    name: "reload_failed",
    prometheus: "MynahReloadFailed",
    severity: Severity::Ticket,
    settles: 1,
    find: |now| {
        let finding = now.reload_failed.then(|| Finding {
            about: now.process(),
            summary: "The last reload of the settings failed".into(),
            details: "the settings from before are in force; `mynah check --offline` shows the mistakes"
                .into(),
            since: None,
        });
        Some(finding.into_iter().collect())
    },
    is_over: in_this_process,
};

fn jobs(count: u64) -> String {
    if count == 1 { "1 job".into() } else { format!("{count} jobs") }
}

/// A moment to the minute, as people write it.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A duration of at least a minute, without its seconds.
fn brief(duration: Duration) -> String {
    let minutes = duration.as_secs().div_ceil(60).max(1);
    humantime::format_duration(Duration::from_secs(minutes * 60)).to_string()
}

/// Whether `moment` is more than `wait` after `begin`.
fn is_after(begin: Timestamp, wait: Duration, moment: Timestamp) -> bool {
    super::elapsed(begin, moment) > wait
}

#[cfg(test)]
mod tests;
