//! Reads the [`Situation`] of a running service. It works while the pipeline or the ledger does not: what cannot be read in
//! time is unknown, and the rest is still found.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_rt::time::timeout;
use jiff::Timestamp;
use log::warn;
use mynah_actors::shortages::Shortage;
use mynah_domain::{
    AccountId, JobState, TargetId,
    job::HoldKind,
    ports::{Facts, Ledger, LedgerError, ledger::JobFilter},
};

use super::{
    AlertsSettings, Condition, Entry, causes,
    disk::DiskGauge,
    elapsed,
    record::Record,
    silence::{self, Habits},
    situation::{Account, BudgetUse, Escalation, LedgerFacts, Silence, Situation},
    store::{self, PATIENCE},
};
use crate::control::{
    overview::Overview,
    vitals::Vitals,
    wire::{self, PollerState},
};

/// The fact that says why a process stopped.
const ESCALATION: &str = "alerts:escalation";

/// How many times `alerts.settle` a process must run until the end of the one before is over.
const RECOVERED_AFTER: u32 = 10;

/// The fact with what budgets have refused.
const SHORTAGES: &str = "alerts:budgets";

/// How many jobs that a budget holds are searched for those that cost more than all of it.
const MOST_HELD: usize = 1000;

/// How long reading the room on the disk may take.
const DISK_PATIENCE: Duration = Duration::from_secs(2);

/// What each receiver last refused. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Troubles(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Troubles {
    pub(super) fn set(&self, receiver: &'static str, trouble: Option<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(trouble) => all.insert(receiver, trouble),
            None => all.remove(receiver),
        };
    }

    fn of(&self, receiver: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(receiver).cloned()
    }
}

/// What a process cannot know before somebody tries: whether what is on record as wrong still is.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubts {
    /// The accounts that are recorded as blocked.
    pub(super) accounts: Vec<AccountId>,
    /// Whether engines are recorded as refused or down.
    pub(super) engines: bool,
}

impl Doubts {
    /// Those about a record.
    pub(super) fn about(record: &Record) -> Self {
        let blocked = record.entries.values().filter(|entry| entry.cause == "account_blocked");
        Self {
            accounts: blocked.map(|entry| AccountId::from(entry.about.as_str())).collect(),
            engines: record.entries.values().any(|entry| entry.cause.starts_with("engine_")),
        }
    }
}

/// Looks at a running service. Clones share what they know.
#[derive(Clone)]
pub struct Observer {
    overview: Overview,
    vitals: Vitals,
    disk: DiskGauge,
    host: Option<Arc<str>>,
    watching_since: Arc<Mutex<Timestamp>>,
    habits: Arc<Mutex<Habits>>,
    escalation: Arc<Mutex<Known>>,
    /// The keys of what this process has found since it started.
    found: Arc<Mutex<BTreeSet<String>>>,
    pub(super) troubles: Troubles,
    /// This process, among those that share the record.
    pub(super) id: Arc<str>,
    /// This instance, which is the same after a restart if there are no others.
    pub(super) instance: Arc<str>,
}

/// What is known of the end of the process before.
#[derive(Debug, Clone)]
enum Known {
    NotYet,
    /// The process before this one ended so.
    Escalated(Escalation),
    /// This one ends so.
    Escalates(Escalation),
    Nothing,
}

impl Observer {
    /// An observer of a service whose data is in this folder.
    pub fn new(overview: Overview, vitals: Vitals, data_dir: PathBuf) -> Self {
        let host = overview.view.as_ref().map(|view| view.this().host.into());
        let instance = overview.view.as_ref().map_or("service".into(), |view| view.id().to_string().into());
        Self {
            overview,
            vitals,
            disk: DiskGauge::new(data_dir),
            host,
            watching_since: Arc::new(Mutex::new(Timestamp::now())),
            habits: Arc::default(),
            escalation: Arc::new(Mutex::new(Known::NotYet)),
            found: Arc::default(),
            troubles: Troubles::default(),
            id: format!("{:016x}", fastrand::u64(..)).into(),
            instance,
        }
    }

    /// Since when this process has watched. If the clock was set back since, it has watched from now on.
    pub(super) fn watching_since(&self, now: Timestamp) -> Timestamp {
        let mut since = self.watching_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = now.min(*since);
        *since
    }

    /// The keys of what this process has found since it started, with these.
    pub(super) fn found_so_far(&self, conditions: &[Condition]) -> BTreeSet<String> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.extend(conditions.iter().map(Condition::key));
        found.clone()
    }

    fn settings(&self) -> AlertsSettings {
        self.overview.configured.borrow().alerts.clone()
    }

    /// What is known now.
    pub(super) async fn situation(&self, doubts: &Doubts) -> Situation {
        let now = Timestamp::now();
        let watching_since = self.watching_since(now);
        let settings = self.settings();
        let configured = self.overview.configured.borrow().clone();
        let account = |id: AccountId| {
            let is_ours = self.overview.holdings.has_account(&id);
            // Another instance may have resumed it meanwhile.
            let blocked = self.overview.blocks.why_blocked(&id).filter(|_| is_ours);
            Account { id, blocked, is_ours }
        };
        let (facts, escalation, disk) = futures_util::join!(
            timeout(PATIENCE, self.facts(&settings, doubts, now)),
            self.escalation(&settings, now),
            self.disk.free(DISK_PATIENCE),
        );
        let facts = facts.ok().and_then(|facts| {
            facts.inspect_err(|error| log::debug!(reason:% = error; "ledger not read for alerts")).ok()
        });
        Situation {
            now,
            watching_since,
            host: self.host.as_deref().map(str::to_owned),
            accounts: configured.accounts().into_iter().map(account).collect(),
            engines: self.overview.engines(),
            sources: self.overview.sources(),
            logins: configured.logins,
            facts,
            disk,
            disk_free: settings.disk_free,
            trouble: self.vitals.trouble(),
            escalation,
            reload_failed: !self.overview.reloads.last().last_successful,
        }
    }

    async fn facts(
        &self,
        settings: &AlertsSettings,
        doubts: &Doubts,
        now: Timestamp,
    ) -> Result<LedgerFacts, LedgerError> {
        let ledger = &*self.overview.ledger;
        let counts = ledger.counts().await?;
        let held = match settings.holds_wait.and_then(|wait| now.checked_sub(wait).ok()) {
            Some(moment) => ledger.held_since(moment).await?,
            None => BTreeMap::new(),
        };
        let mut silent = Vec::new();
        let running = self.overview.sources();
        let running = running.into_iter().filter(|source| source.state == PollerState::Running);
        for source in running {
            let Some(least) = settings.silence else { break };
            let habit = silence::silent(&self.habits, ledger, &source.source, least, now).await?;
            silent.extend(habit.map(|habit| Silence {
                source: source.source,
                name: source.name,
                last: habit.last,
                usual: habit.longest,
            }));
        }
        let last = async |accounts: &[AccountId]| {
            Ok::<_, LedgerError>(
                ledger.last_published(accounts, 1).await?.first().map(|last| last.updated_at),
            )
        };
        let mut published = BTreeMap::new();
        for account in &doubts.accounts {
            published.extend(last(std::slice::from_ref(account)).await?.map(|at| (account.clone(), at)));
        }
        let accounts = self.overview.configured.borrow().accounts();
        let last_published = if doubts.engines { last(&accounts).await? } else { None };
        let budgets = self.budgets(ledger, now).await?;
        let unaffordable = if budgets.is_empty() { BTreeMap::new() } else { unaffordable(ledger).await? };
        Ok(LedgerFacts { counts, held, silent, budgets, unaffordable, published, last_published })
    }

    async fn budgets(&self, ledger: &dyn Ledger, now: Timestamp) -> Result<Vec<BudgetUse>, LedgerError> {
        let states = self.overview.budgets().await?;
        if states.is_empty() {
            return Ok(Vec::new());
        }
        let own = self.overview.shortages.budgets(now);
        let refused = shared_shortages(ledger, own, &states, now).await?;
        let refused = |setting: &str| refused.get(setting).map(|shortage| shortage.least);
        Ok(states.into_iter().map(|state| BudgetUse { refused: refused(&state.setting), state }).collect())
    }

    /// Why the process before this one stopped, until this one has run for a while.
    async fn escalation(&self, settings: &AlertsSettings, now: Timestamp) -> Option<Escalation> {
        let lock = || self.escalation.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().clone();
        let ledger = &*self.overview.ledger;
        let key = self.escalation_fact();
        match known {
            Known::Nothing => None,
            Known::NotYet => {
                let stored = timeout(PATIENCE, ledger.fact(&key)).await.ok()?.ok()?;
                let escalation = stored.and_then(|stored| serde_json::from_str(&stored).ok());
                let mut known = lock();
                // This process may have noted its own end meanwhile.
                if matches!(*known, Known::NotYet) {
                    *known = escalation.map_or(Known::Nothing, Known::Escalated);
                }
                match &*known {
                    Known::Escalated(escalation) | Known::Escalates(escalation) => Some(escalation.clone()),
                    Known::NotYet | Known::Nothing => None,
                }
            }
            Known::Escalates(escalation) => Some(escalation),
            Known::Escalated(escalation) => {
                let recovered = settings.settle.saturating_mul(RECOVERED_AFTER);
                let is_over = elapsed(self.watching_since(now), now) >= recovered
                    && matches!(timeout(PATIENCE, ledger.remember(&key, "")).await, Ok(Ok(())));
                if is_over {
                    *lock() = Known::Nothing;
                    return None;
                }
                Some(escalation)
            }
        }
    }

    /// Each machine has its own, if several instances share the ledger.
    fn escalation_fact(&self) -> String {
        match &self.host {
            Some(host) => format!("{ESCALATION}:{host}"),
            None => ESCALATION.into(),
        }
    }

    /// Notes that this process stops, because a part of it could not go on.
    pub(super) async fn escalated(&self, reason: &str) {
        let escalation = Escalation { at: Timestamp::now(), reason: reason.to_owned() };
        // A struct of texts and times always serializes.
        let text = serde_json::to_string(&escalation).unwrap_or_default();
        let key = self.escalation_fact();
        *self.escalation.lock().unwrap_or_else(PoisonError::into_inner) = Known::Escalates(escalation);
        let stored = timeout(PATIENCE, self.overview.ledger.remember(&key, &text)).await;
        if !matches!(stored, Ok(Ok(()))) {
            warn!("alert record not stored");
        }
    }

    /// Everything that is wrong now.
    pub async fn conditions(&self) -> Vec<Condition> {
        causes::find(&self.situation(&Doubts::default()).await).0
    }

    /// What is wrong, what was sent, and how the receivers are.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn report(&self) -> Result<wire::Alerts, LedgerError> {
        let record = store::read(&*self.overview.ledger).await?;
        let conditions = self.conditions().await;
        let receivers = self
            .settings()
            .receivers()
            .into_iter()
            .map(|name| wire::AlertReceiver { name: name.to_owned(), trouble: self.troubles.of(name) });
        Ok(wire::Alerts { alerts: alerts(&record, &conditions), receivers: receivers.collect() })
    }
}

/// How many jobs of each target cost more than a whole budget. Their holds have no end, because no period allows them.
async fn unaffordable(ledger: &dyn Ledger) -> Result<BTreeMap<TargetId, u64>, LedgerError> {
    let kind = Some(HoldKind::Budget.as_str().to_owned());
    let filter = JobFilter { states: vec![JobState::Held], kind, ..JobFilter::default() };
    let mut targets = BTreeMap::new();
    for job in ledger.jobs(&filter, None, MOST_HELD).await? {
        if job.not_before.is_none() {
            *targets.entry(job.target).or_default() += 1;
        }
    }
    Ok(targets)
}

/// What budgets have refused in this period, here or in another instance, or before a restart: jobs that wait are not tried
/// again before the period ends. So it is a fact in the ledger, to which each instance adds what it knows.
async fn shared_shortages(
    ledger: &dyn Facts,
    own: BTreeMap<Arc<str>, Shortage>,
    states: &[wire::BudgetState],
    now: Timestamp,
) -> Result<BTreeMap<Arc<str>, Shortage>, LedgerError> {
    let stored = ledger.fact(SHORTAGES).await?;
    let before: BTreeMap<Arc<str>, Shortage> =
        stored.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    // The period of a budget that only another instance has is unknown here.
    let is_current = |(setting, shortage): &(Arc<str>, Shortage)| match states
        .iter()
        .find(|state| *state.setting == **setting)
    {
        Some(state) => state.until == shortage.until,
        None => shortage.until > now,
    };
    let mut shortages: BTreeMap<Arc<str>, Shortage> = BTreeMap::new();
    for (setting, new) in before.clone().into_iter().chain(own).filter(is_current) {
        let shortage = shortages.entry(setting).or_insert(new);
        shortage.least = shortage.least.min(new.least);
    }
    if shortages != before {
        // A map of texts, amounts and times always serializes.
        let text = serde_json::to_string(&shortages).unwrap_or_default();
        // If another instance was faster, the next look adds to what it stored.
        ledger.replace(SHORTAGES, stored.as_deref(), &text).await?;
    }
    Ok(shortages)
}

/// What is on record without a service.
///
/// # Errors
/// The ledger cannot be read.
pub async fn report_of_ledger(
    settings: &AlertsSettings,
    ledger: &dyn Ledger,
) -> Result<wire::Alerts, LedgerError> {
    let record = store::read(ledger).await?;
    let receivers = settings.receivers().into_iter();
    let receivers =
        receivers.map(|name| wire::AlertReceiver { name: name.to_owned(), trouble: None }).collect();
    Ok(wire::Alerts { alerts: alerts(&record, &[]), receivers })
}

/// What is wrong, first what is on record.
fn alerts(record: &Record, conditions: &[Condition]) -> Vec<wire::Alert> {
    let recorded = record.entries.values().map(|entry: &Entry| wire::Alert {
        cause: entry.cause.clone(),
        about: super::message::clean(&entry.about),
        severity: entry.severity,
        summary: super::message::clean(&entry.summary),
        details: super::message::clean(&entry.details),
        since: Some(entry.since),
        over: entry.over,
        sent: entry.sent.iter().map(|(receiver, sent)| (receiver.clone(), sent.at)).collect(),
    });
    let others = conditions.iter().filter(|condition| !record.entries.contains_key(&condition.key()));
    let others = others.map(|Condition { cause, finding }| wire::Alert {
        cause: cause.name.to_owned(),
        about: super::message::clean(&finding.about),
        severity: cause.severity,
        summary: super::message::clean(&finding.summary),
        details: super::message::clean(&finding.details),
        since: finding.since,
        over: None,
        sent: BTreeMap::new(),
    });
    recorded.chain(others).collect()
}

#[cfg(test)]
mod tests;
