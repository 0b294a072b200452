//! Builds the parts of a pipeline from the settings, and from what survives a change of them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mynah_actors::{
    cache::CacheSettings,
    costs::Costs,
    pipeline::{Parts, PollerSpec, Pollers, PublisherSpec, Publishers, RestartPolicies, by_name},
    poller::{Company, PollerParts, Schedule},
    publisher::{Bucket, Limits, PublisherParts},
    router::{Route, RouterParts, RouterSettings},
    supervision::supervisor::SupervisorSettings,
    translator::{TranslatorParts, cascade::EngineCascade},
};
use mynah_domain::{AccountId, Target, TargetId};

use super::{
    BACKOFF,
    service::{Persistent, Polling},
};
use crate::settings::{Settings, SourceSettings, TargetSettings};

/// After this many failed attempts, a job or a poll no longer keeps `mynah once` from exiting.
const PATIENCE: u32 = 4;

/// How long the cache has a translation: never longer than the ledger.
pub(super) fn cache_ttl(settings: &Settings) -> Duration {
    let longest = settings.ledger.retention.unwrap_or(Duration::MAX);
    settings.cache.ttl.min(longest)
}

/// When actors are restarted. A poller that keeps dying ends the service only if it has the only source: otherwise it is
/// restarted as long as it takes, and the others go on.
fn policies(settings: &Settings) -> RestartPolicies {
    let mut policies = settings.supervisor.actors;
    if settings.sources.len() > 1 {
        policies.poller.max_restarts = u32::MAX;
    }
    policies
}

impl Persistent {
    /// The parts of a pipeline with these settings.
    pub(super) fn parts(
        &mut self,
        settings: &Settings,
        polling: Polling,
        targets: &[Target],
        pool_size: usize,
    ) -> Result<Parts, String> {
        let engines = super::engines(settings)?;
        self.purse = self.purse.with_budgets(settings.budgets.clone());
        let meter = self.meter.clone();
        let targets = by_name(targets.iter().cloned());
        let translator = TranslatorParts {
            router: self.actors.router.clone(),
            targets: targets.clone(),
            ledger: self.ledger.clone(),
            cascade: EngineCascade {
                cache: Some(self.actors.cache.clone()),
                shared: self.shared_cache.clone(),
                spender: Some(super::spender(settings, self.purse.clone())),
                upstreams: self.upstreams.clone(),
                clock: self.clock.clone(),
                meter: meter.clone(),
                ..super::cascade(settings)
            },
        };
        let routes = settings.targets.iter().map(|target| Route {
            target: target.id(),
            account: target.account_id(),
            source: target.source.id(),
            engines: settings.engines_of(target).to_vec(),
            schedule: target.schedule.clone(),
        });
        let costs = Self::costs(settings, &targets).recording(self.purse.shortages().clone());
        let mut publishers = Publishers::from_iter(self.publishers(settings, &targets, &costs));
        let pollers = settings.sources.iter().map(|source| self.poller(settings, source, polling, &targets));
        let mut pollers: Pollers = pollers.collect();
        if self.leases.is_some() {
            // The keeper of the leases starts what this instance holds.
            (publishers, pollers) = (publishers.stopped(), pollers.stopped());
        }
        Ok(Parts {
            supervisor: SupervisorSettings {
                policy: settings.supervisor.policy,
                stats_interval: settings.stats.interval,
                patience: settings.supervisor.patience,
                stalled_after: settings.supervisor.stalled_after,
            },
            policies: policies(settings),
            router: RouterParts {
                settings: RouterSettings {
                    queue: settings.router.queue,
                    routes: routes.collect(),
                    order_patience: settings.publisher.order_patience,
                    patience: PATIENCE,
                },
                upstreams: self.upstreams.clone(),
                pauses: self.pauses.clone(),
                holdings: self.holdings(),
                blocks: self.blocks.clone(),
                ledger: self.ledger.clone(),
                costs,
                clock: self.clock.clone(),
                meter,
                feed: self.watch.feed.clone(),
            },
            cache: CacheSettings {
                max_entries: settings.cache.max_entries,
                ttl: cache_ttl(settings),
                file: settings.data_dir.join("cache.jsonl"),
                snapshot_interval: settings.cache.snapshot_interval,
            },
            shared_cache: self.shared_cache.clone(),
            pollers,
            translators: (translator, engines),
            pool_size,
            translator_arbiters: settings.translator.arbiters,
            publishers,
            leases: self.leases.clone(),
            actors: self.actors.clone(),
        })
    }

    /// What a source's poller is built from.
    fn poller(
        &self,
        settings: &Settings,
        source: &SourceSettings,
        polling: Polling,
        targets: &Arc<HashMap<TargetId, Target>>,
    ) -> PollerSpec {
        let id = source.id();
        PollerSpec {
            name: source.label(),
            source: source.connection.source(super::wanted(source), self.ledger.clone()),
            parts: PollerParts {
                company: Company::of(&id, settings.sources.len()),
                source: id,
                eligibility: super::eligibility(source),
                start: source.start.clone(),
                schedule: match polling {
                    Polling::Once => Schedule::Once,
                    Polling::Continuous => Schedule::Every(source.poll_interval),
                },
                page_size: source.page_size,
                targets: targets.clone(),
                order: settings.targets_of(source).map(TargetSettings::id).collect(),
                router: self.actors.router.clone(),
                ledger: self.ledger.clone(),
                backoff: BACKOFF,
                patience: PATIENCE,
                pauses: self.pauses.clone(),
                upstreams: self.upstreams.clone(),
                purse: Some(self.purse.clone()),
                prices: source.connection.prices(),
                clock: self.clock.clone(),
                meter: self.meter.clone(),
                polls: self.watch.polls.clone(),
            },
        }
    }

    /// A publisher for each account, which several targets may share.
    fn publishers(
        &mut self,
        settings: &Settings,
        targets: &HashMap<TargetId, Target>,
        costs: &Costs,
    ) -> Vec<PublisherSpec> {
        let mut accounts: Vec<AccountId> = Vec::new();
        let mut sharing: HashMap<AccountId, Vec<&TargetSettings>> = HashMap::new();
        for target in &settings.targets {
            let account = target.account_id();
            let sharing = sharing.entry(account.clone()).or_default();
            if sharing.is_empty() {
                accounts.push(account);
            }
            sharing.push(target);
        }
        let mut publishers = Vec::with_capacity(accounts.len());
        for account in accounts {
            let Some(sharing) = sharing.get(&account) else { continue };
            // The settings give all targets of an account the same caps.
            let Some(first) = sharing.first() else { continue };
            let limits = Limits {
                min_interval: settings.publisher.min_interval,
                burst: settings.publisher.burst,
                caps: first.caps,
            };
            // No two targets of an account follow the same source.
            let media =
                sharing.iter().map(|target| (target.source.id(), target.source.connection.media())).collect();
            let parts = PublisherParts {
                targets: sharing.iter().filter_map(|target| targets.get(&target.id()).cloned()).collect(),
                limits,
                bucket: self.bucket(&account, limits),
                account,
                threads: settings.publisher.threads,
                settle: settings.publisher.settle,
                upstreams: self.upstreams.clone(),
                pauses: self.pauses.clone(),
                holdings: self.holdings(),
                router: self.actors.router.clone(),
                ledger: self.ledger.clone(),
                purse: Some(self.purse.clone()),
                prices: first.connection.prices(),
                costs: costs.clone(),
                backoff: BACKOFF,
                clock: self.clock.clone(),
                meter: self.meter.clone(),
            };
            let destination = first.connection.destination(self.ledger.clone());
            publishers.push(PublisherSpec { parts, destination, media });
        }
        publishers
    }

    /// What messages cost on these targets' networks, and the budgets.
    fn costs(settings: &Settings, targets: &HashMap<TargetId, Target>) -> Costs {
        let networks = targets.values().map(|target| (target.id.clone(), target.network.clone()));
        Costs::new(settings.budgets.clone(), networks)
    }

    /// The bucket of an account. It keeps its level under new settings unless these change the limits.
    fn bucket(&mut self, account: &AccountId, limits: Limits) -> Bucket {
        match self.buckets.get(account) {
            Some((of, bucket)) if *of == limits => bucket.clone(),
            _ => {
                let bucket = limits.bucket();
                self.buckets.insert(account.clone(), (limits, bucket.clone()));
                bucket
            }
        }
    }
}
