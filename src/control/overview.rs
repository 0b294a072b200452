//! What a person asks first: does everything work, and if not, what should I do? Each account has one health, which says
//! the most important thing about it, and the service has a list of what is *degraded*: it runs, but not as it is
//! configured, and only a person can fix that. Health checks, monitors, commands and the dashboard all read it here, so
//! that they never disagree.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use mynah_actors::{
    blocks::Blocks,
    cache::shared::Shared,
    leases::{Holdings, View},
    pauses::{Paused, Pauses},
    shortages::{Shortages, SourceWait},
    supervision::{ActorHealth, HealthRegistry},
    upstreams::{Upstreams, refusals::Fallback},
};
use mynah_domain::{
    AccountId, JobState, TargetId,
    caps::{Caps, Spent},
    ports::{Ledger, LedgerError},
};
use tokio::sync::watch;

use super::{
    configured::{Configured, ConfiguredSource, ConfiguredTarget},
    costs,
    news::News,
    reloads::Reloads,
    wire,
    wire::{
        AccountState, AccountStatus, AwaitedBudget, EngineState, EngineStatus, EngineUsage, PollerState,
        PollerStatus,
    },
};
use crate::networks::Networks;

/// How many jobs there are of each target in each state.
pub type Counts = BTreeMap<(TargetId, JobState), u64>;

/// Everything that the state of the service is read from. It works even if actors are dead. Clones share it.
#[derive(Clone)]
pub struct Overview {
    /// The settings in force.
    pub configured: watch::Receiver<Configured>,
    /// What a person has paused.
    pub pauses: Pauses,
    /// Which accounts are blocked.
    pub blocks: Blocks,
    /// Which upstreams are down, and what engines refuse.
    pub upstreams: Upstreams,
    /// What budgets have refused, and which sources wait for one.
    pub shortages: Shortages,
    /// The cache of all instances, if there is one.
    pub shared_cache: Option<Shared>,
    /// The health of the actors.
    pub health: HealthRegistry,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// How the last reloads went.
    pub reloads: Reloads,
    /// What this instance works for.
    pub holdings: Holdings,
    /// What it sees of the other instances, if there may be any.
    pub view: Option<View>,
    /// Where notices for the other instances are left.
    pub news: News,
}

impl Overview {
    /// Why this instance holds no leases, if so: nothing is polled or published until that is over.
    pub fn outage(&self) -> Option<String> {
        let trouble = self.view.as_ref()?.trouble()?;
        Some(format!("nothing is polled or published until the ledger answers again: {trouble}"))
    }

    /// Why the service is degraded, if it is: what works otherwise than configured until a person fixes it, or until an
    /// upstream is back.
    pub fn degraded(&self) -> Vec<String> {
        let configured = self.configured.borrow().clone();
        let engines = self.engines();
        let engines = engines.iter().filter(|engine| engine.state != EngineState::Ok);
        let engines = engines.map(|EngineStatus { engine, reason, .. }| {
            format!("{engine}: {}", reason.as_deref().unwrap_or_default())
        });
        let accounts = configured.accounts();
        let accounts = accounts.iter().filter_map(|account| {
            let why = self.blocks.why_blocked(account)?;
            Some(format!("{account} is blocked: {why}"))
        });
        let mut networks: Vec<&str> =
            configured.targets.iter().map(|target| target.account.network()).collect();
        networks.sort_unstable();
        networks.dedup();
        let networks = networks.into_iter().filter(|network| self.upstreams.is_down(network));
        let networks =
            networks.map(|network| format!("{network} does not answer; Mynah tries it again by itself"));
        let shared_cache = self.shared_cache.as_ref().and_then(Shared::trouble);
        accounts
            .chain(engines)
            .chain(networks)
            .chain(self.failing_among_others())
            .chain(shared_cache)
            .collect()
    }

    /// The targets that publish nothing now because of their quiet hours, and until when.
    pub fn quiet(&self) -> Vec<String> {
        let now = Timestamp::now();
        let configured = self.configured.borrow();
        let quiet = configured.targets.iter();
        quiet.filter_map(|target| Some(format!("{} is {}", target.id, quiet_until(target, now)?))).collect()
    }

    /// The sources that cannot be read, if others can.
    pub fn failing_among_others(&self) -> Vec<String> {
        let sources = self.sources();
        let failing = sources.iter().filter(|source| source.state == PollerState::Failing);
        let failing: Vec<String> = failing
            .map(|source| format!("source {}: {}", source.name, source.reason.as_deref().unwrap_or_default()))
            .collect();
        if failing.len() == sources.len() { Vec::new() } else { failing }
    }

    /// What was spent, if anything costs money.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn spent(&self) -> Result<Option<wire::Spent>, LedgerError> {
        let budgets = self.configured.borrow().budgets.clone();
        costs::spent(&*self.ledger, &budgets, Timestamp::now()).await
    }

    /// The budgets, each with what is spent of it.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn budgets(&self) -> Result<Vec<wire::BudgetState>, LedgerError> {
        let budgets = self.configured.borrow().budgets.clone();
        costs::budgets(&*self.ledger, &budgets, Timestamp::now()).await
    }

    /// The state of each engine, in order.
    pub fn engines(&self) -> Vec<EngineStatus> {
        let now = Timestamp::now();
        let status = |engine: &Arc<str>| {
            let refusal = self.upstreams.refusals().of(engine, now);
            let (state, reason) = match refusal {
                Some(refusal) => (EngineState::Refused, Some(refusal.reason)),
                None if self.upstreams.is_down(engine) => {
                    (EngineState::Down, Some("it does not answer; Mynah tries it again by itself".into()))
                }
                None => (EngineState::Ok, None),
            };
            EngineStatus { engine: engine.to_string(), state, reason, usage: EngineUsage::default() }
        };
        self.configured.borrow().engines.iter().map(status).collect()
    }

    /// The health of each account.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn accounts(&self, counts: &Counts) -> Result<Vec<AccountStatus>, LedgerError> {
        let configured = self.configured.borrow().clone();
        let engines = self.engines();
        let mut accounts = Vec::with_capacity(configured.targets.len());
        for target in &configured.targets {
            let spent = self.ledger.spent(&target.account, Timestamp::now()).await?;
            let health = Health {
                blocked: self.blocks.why_blocked(&target.account),
                is_paused: self.pauses.is_paused(&Paused::Target(target.id.clone())),
                degraded: self.degraded_by(target, &engines),
            };
            accounts.push(account(target, spent, counts, health));
        }
        Ok(accounts)
    }

    /// Why an account does not get what its settings promise, if so.
    fn degraded_by(&self, target: &ConfiguredTarget, engines: &[EngineStatus]) -> Option<String> {
        let network = target.account.network();
        if self.upstreams.is_down(network) {
            return Some(format!("{network} does not answer; publishing continues by itself"));
        }
        let status = |name: &Arc<str>| engines.iter().find(|engine| *engine.engine == **name);
        let first = target.engines.first().and_then(status)?;
        let what = match first.state {
            EngineState::Ok => return None,
            EngineState::Down => "does not answer",
            EngineState::Refused => "refuses to translate",
        };
        let holds =
            first.state == EngineState::Refused && self.upstreams.refusals().fallback() == Fallback::Hold;
        let others = target.engines.iter().skip(1).filter_map(status);
        let next = others.into_iter().find(|engine| engine.state == EngineState::Ok);
        let meanwhile = match next {
            Some(next) if !holds => format!("{} translates instead", next.engine),
            _ => "its posts wait".to_owned(),
        };
        Some(format!("{} {what}, so {meanwhile}", first.engine))
    }

    /// Whether each source is read.
    pub fn sources(&self) -> Vec<PollerStatus> {
        let actors: HashMap<String, ActorHealth> = self.health.all().into_iter().collect();
        let all_are_paused = self.pauses.is_paused(&Paused::Polling);
        let now = Timestamp::now();
        let status = |source: &ConfiguredSource| {
            let poller = actors.get(&source.poller);
            let wait = poller.and_then(|_| self.shortages.of_source(&source.id, now));
            let is_paused =
                all_are_paused || self.pauses.is_paused(&Paused::Source(source.id.as_str().into()));
            source_status(source, is_paused, poller.and_then(why_failing), wait)
        };
        self.configured.borrow().sources.iter().map(status).collect()
    }
}

/// Whether a source is read: a person who paused it knows why it is not, and a failure matters more than a budget.
fn source_status(
    source: &ConfiguredSource,
    is_paused: bool,
    failing: Option<String>,
    wait: Option<SourceWait>,
) -> PollerStatus {
    let budget =
        wait.map(|SourceWait { setting, until }| AwaitedBudget { setting: setting.to_string(), until });
    let status = |state, reason, budget| PollerStatus {
        source: source.id.clone(),
        name: source.label.clone(),
        state,
        reason,
        budget,
    };
    match (failing, budget) {
        (reason, _) if is_paused => status(PollerState::Paused, reason, None),
        (Some(why), _) => status(PollerState::Failing, Some(why), None),
        (None, Some(budget)) => {
            let AwaitedBudget { setting, until } = &budget;
            let reason =
                format!("{setting} does not allow reading it before {until:.0}; raise it to go on now");
            status(PollerState::Waiting, Some(reason), Some(budget))
        }
        (None, None) => status(PollerState::Running, None, None),
    }
}

/// Why a poller reads nothing, if so.
fn why_failing(health: &ActorHealth) -> Option<String> {
    let keeps_dying = || health.keeps_dying().then(|| "its poller keeps dying; see the log".to_owned());
    health.trouble.clone().or_else(keeps_dying)
}

/// What is known about an account, besides its figures.
#[derive(Debug, Default)]
pub struct Health {
    /// Why nothing can be published on it.
    pub blocked: Option<String>,
    /// Whether a person paused it.
    pub is_paused: bool,
    /// Why it does not get what its settings promise.
    pub degraded: Option<String>,
}

/// One health for an account: the most important thing that there is to say about it.
pub fn account(target: &ConfiguredTarget, spent: Spent, counts: &Counts, health: Health) -> AccountStatus {
    let name = &target.id;
    let paused = || format!("paused by a person; `mynah resume {name}` resumes it");
    let (state, reason) = match health {
        Health { blocked: Some(why), is_paused: true, .. } => {
            (AccountState::Blocked, Some(format!("{why}; it is also paused by a person")))
        }
        Health { blocked: Some(why), .. } => (AccountState::Blocked, Some(why)),
        Health { is_paused: true, .. } => (AccountState::Paused, Some(paused())),
        Health { degraded, .. } => match (near_cap(target.caps, spent, Timestamp::now()), degraded) {
            (Some((AccountState::AtCap, why)), _) => (AccountState::AtCap, Some(why)),
            (_, Some(why)) => (AccountState::Degraded, Some(why)),
            (near_cap, None) => match (quiet_until(target, Timestamp::now()), near_cap) {
                (Some(until), _) => (AccountState::Quiet, Some(until)),
                (None, Some((state, why))) => (state, Some(why)),
                (None, None) => (AccountState::Running, None),
            },
        },
    };
    let count = |states: &[JobState]| -> u64 {
        let counts = states.iter().map(|state| counts.get(&(target.id.clone(), *state)));
        counts.flatten().sum()
    };
    AccountStatus {
        account: name.to_string(),
        source: target.source.clone(),
        url: profile(&target.account),
        language: target.language.to_string(),
        state,
        reason,
        published_today: spent.today,
        daily_cap: target.caps.daily.map(|cap| cap.most),
        published_this_month: spent.this_month,
        monthly_cap: target.caps.monthly.map(|cap| cap.most),
        waiting: count(&[
            JobState::Queued,
            JobState::Translating,
            JobState::Ready,
            JobState::Publishing,
            JobState::Unknown,
        ]),
        review: count(&[JobState::Review]),
        held: count(&[JobState::Held]),
        failed: count(&[JobState::Failed]),
    }
}

/// Until when a target is quiet, as a person reads it: `quiet until 07:00 (Europe/Madrid)`; `None` if it is not.
fn quiet_until(target: &ConfiguredTarget, now: Timestamp) -> Option<String> {
    let hours = target.schedule.quiet.as_ref()?;
    let until = hours.at(now)?.until;
    Some(format!("quiet until {}", hours.shown(until, now)))
}

/// Where people find an account.
fn profile(account: &AccountId) -> Option<String> {
    Networks::default().named(account.network())?.rules().profile(account.handle())
}

/// Whether an account has used up a cap, or four fifths of it.
fn near_cap(caps: Caps, spent: Spent, now: Timestamp) -> Option<(AccountState, String)> {
    if let Err(reached) = caps.allow(spent, 1, now) {
        return Some((AccountState::AtCap, reached.to_string()));
    }
    let periods = [("this month", caps.monthly, spent.this_month), ("today", caps.daily, spent.today)];
    periods.into_iter().find_map(|(period, cap, spent)| {
        let cap = cap.map(|cap| cap.most).filter(|most| spent.saturating_mul(5) >= most.saturating_mul(4))?;
        Some((AccountState::NearCap, format!("{spent} of {cap} publications {period}")))
    })
}

#[cfg(test)]
mod tests {
    use mynah_domain::caps::{Cap, CapSetting};

    use super::*;

    const NOW: &str = "2026-11-23T10:00:00Z";

    fn state(daily: u64, today: u64) -> Option<AccountState> {
        let caps = Caps { daily: Some(Cap { most: daily, setting: CapSetting::AllTargets }), monthly: None };
        let spent = Spent { today, this_month: today };
        near_cap(caps, spent, NOW.parse().unwrap()).map(|(state, _)| state)
    }

    #[test]
    fn a_source_that_waits_for_a_budget_is_neither_failing_nor_running() {
        let [id, label, poller] = ["x:town", "town", "poller"].map(str::to_owned);
        let source = ConfiguredSource { id, label, poller };
        let until: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        let wait = || Some(SourceWait { setting: "source.daily_budget".into(), until });
        let waiting = source_status(&source, false, None, wait());
        let budget = AwaitedBudget { setting: "source.daily_budget".into(), until };
        assert_eq!((waiting.state, waiting.budget), (PollerState::Waiting, Some(budget)));
        assert!(waiting.reason.unwrap().contains("source.daily_budget"));
        let state = |is_paused, failing: Option<&str>, wait| {
            let status = source_status(&source, is_paused, failing.map(str::to_owned), wait);
            (status.state, status.budget)
        };
        assert_eq!(state(true, None, wait()), (PollerState::Paused, None));
        assert_eq!(state(false, Some("its keys are refused"), wait()), (PollerState::Failing, None));
        assert_eq!(state(false, None, None), (PollerState::Running, None));
    }

    #[test]
    fn an_account_is_near_its_cap_from_four_fifths_and_at_it_when_it_is_used_up() {
        assert_eq!(state(50, 39), None);
        assert_eq!(state(50, 40), Some(AccountState::NearCap));
        assert_eq!(state(50, 50), Some(AccountState::AtCap));
        assert_eq!(state(0, 0), Some(AccountState::AtCap));
        assert_eq!(near_cap(Caps::default(), Spent { today: 9, this_month: 9 }, NOW.parse().unwrap()), None);
    }
}
