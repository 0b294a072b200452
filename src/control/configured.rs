//! The part of the settings in force that operators' requests and the status need. A reload replaces it.

use std::{collections::HashSet, rc::Rc, sync::Arc};

use mynah_actors::pipeline::poller_names;
use mynah_domain::{
    AccountId, Language, Target, TargetId, budget::Budgets, caps::Caps, ports::Engine, schedule::Schedule,
    tariff::Tariff,
};

use super::names::Names;
use crate::{
    alerts::{AlertsSettings, situation::LoginEnd},
    networks::Published,
    settings::{Settings, TargetSettings},
};

/// What is configured now.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The followed accounts.
    pub sources: Vec<ConfiguredSource>,
    /// The targets.
    pub targets: Vec<ConfiguredTarget>,
    /// The engines, in order.
    pub engines: Vec<Arc<str>>,
    /// How operators name sources and targets.
    pub names: Names,
    /// The stored logins in use that have an end.
    pub logins: Vec<LoginEnd>,
    /// Who is notified of what is wrong, and when.
    pub alerts: AlertsSettings,
    /// The budgets.
    pub budgets: Arc<Budgets>,
    /// The engines whose prices are unknown.
    pub unpriced: Vec<String>,
    /// What the words of people are judged by; empty if no service runs.
    pub judged_by: Arc<[Target]>,
}

/// A source that is configured.
#[derive(Debug, Clone)]
pub struct ConfiguredSource {
    /// Its id: `x:example`.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// The name of its poller.
    pub poller: String,
}

/// A target that is configured.
#[derive(Debug, Clone)]
pub struct ConfiguredTarget {
    /// Its id.
    pub id: TargetId,
    /// The id of its source.
    pub source: String,
    /// Its account, which other targets may share.
    pub account: AccountId,
    /// The language that it publishes in.
    pub language: Language,
    /// The most publications on it.
    pub caps: Caps,
    /// Its connection to the network.
    pub connection: Arc<dyn Published>,
    /// The engines that translate for it, in order.
    pub engines: Vec<Arc<str>>,
    /// When it publishes.
    pub schedule: Schedule,
}

impl Configured {
    /// What these settings configure; `engines` are all that are used.
    pub fn of(settings: &Settings, engines: &[Rc<dyn Engine>]) -> Self {
        let target = |target: &TargetSettings| ConfiguredTarget {
            id: target.id(),
            source: target.source.id(),
            account: target.account_id(),
            language: target.language,
            caps: target.caps,
            schedule: target.schedule.clone(),
            connection: target.connection.clone(),
            engines: settings
                .engines_of(target)
                .iter()
                .filter(|name| {
                    let engine = engines.iter().find(|engine| engine.name() == &***name);
                    engine.is_some_and(|engine| engine.supports(target.source.language, target.language))
                })
                .cloned()
                .collect(),
        };
        let labels: Vec<String> = settings.sources.iter().map(|source| source.label()).collect();
        let pollers = poller_names(&labels.iter().map(String::as_str).collect::<Vec<_>>());
        let sources = settings.sources.iter().zip(labels).zip(pollers);
        let sources =
            sources.map(|((source, label), poller)| ConfiguredSource { id: source.id(), label, poller });
        let order = settings.engine.order.iter();
        let unpriced = order.filter(|engine| matches!(engine.tariff(), Tariff::Unknown { .. }));
        Self {
            budgets: settings.budgets.clone(),
            judged_by: Arc::new([]),
            unpriced: unpriced.map(|engine| engine.name().to_owned()).collect(),
            names: Names::of(settings),
            sources: sources.collect(),
            targets: settings.targets.iter().map(target).collect(),
            engines: settings.engine.names(),
            logins: settings.ending_logins(),
            alerts: settings.alerts.clone(),
        }
    }

    /// The accounts that are published on, each once, in the order of their targets.
    pub fn accounts(&self) -> Vec<AccountId> {
        let mut seen = HashSet::new();
        let accounts = self.targets.iter().map(|target| &target.account);
        accounts.filter(|account| seen.insert(*account)).cloned().collect()
    }

    /// The target with this id.
    pub fn target(&self, id: &TargetId) -> Option<&ConfiguredTarget> {
        self.targets.iter().find(|target| target.id == *id)
    }

    /// The engines that translate for no target.
    pub fn unused_engines(&self) -> impl Iterator<Item = &Arc<str>> {
        let is_used = |engine: &Arc<str>| self.targets.iter().any(|target| target.engines.contains(engine));
        self.engines.iter().filter(move |engine| !is_used(engine))
    }
}
