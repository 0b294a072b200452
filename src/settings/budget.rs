//! Reads the budgets: for everything in `[budget]`, and for a source, a target, a network or an engine in its own section. A
//! budget can be observed only if all prices that it includes are known, so an engine without a price is a problem if a
//! budget applies to it.

use jiff::tz::TimeZone;
use mynah_domain::{
    Money,
    budget::{Budget, Budgets, Period, Scope},
    tariff::Tariff,
};

use super::{
    kinds::money::{budget, time_zone},
    model::{EngineSettings, SourceSettings, TargetSettings},
    reader::Reader,
};
use crate::networks::Networks;

/// The budgets of one section.
#[derive(Debug, Clone)]
pub(super) struct Own {
    section: String,
    daily: Option<Money>,
    monthly: Option<Money>,
}

impl Own {
    /// Reads `daily_budget` and `monthly_budget` of a section.
    pub(super) fn read(reader: &mut Reader<'_>, section: &str) -> Option<Self> {
        let daily = reader.optional(&format!("{section}.daily_budget"), budget);
        let monthly = reader.optional(&format!("{section}.monthly_budget"), budget);
        let (daily, monthly) = (daily.ok()?.flatten(), monthly.ok()?.flatten());
        Some(Self { section: section.to_owned(), daily, monthly })
    }

    fn budgets(&self, scope: &Scope) -> impl Iterator<Item = Budget> {
        let own = |most: Option<Money>, period: Period| {
            let setting = format!("{}.{period}_budget", self.section).into();
            most.map(|most| Budget { scope: scope.clone(), period, most, setting })
        };
        [own(self.daily, Period::Day), own(self.monthly, Period::Month)].into_iter().flatten()
    }
}

/// The budgets of all sections, in the order of the settings.
pub(super) struct Sections {
    zone: TimeZone,
    everything: [Option<Money>; 2],
    sources: Vec<Own>,
    targets: Vec<Own>,
    networks: Vec<(&'static str, Own)>,
}

impl Sections {
    /// Reads those of everything, of the sources and targets in these sections, and of the networks that charge.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        sources: &[String],
        targets: usize,
        networks: &Networks,
    ) -> Option<Self> {
        let daily = reader.or("budget.daily", "none", budget);
        let monthly = reader.or("budget.monthly", "none", budget);
        let zone = reader.or("budget.time_zone", "UTC", time_zone);
        let sources: Vec<_> = sources.iter().map(|section| Own::read(reader, section)).collect();
        let targets: Vec<_> =
            (0..targets).map(|index| Own::read(reader, &format!("targets[{index}]"))).collect();
        let charging = networks.iter().filter(|network| network.charges());
        let networks: Vec<_> =
            charging.map(|network| Some((network.name(), Own::read(reader, network.name())?))).collect();
        Some(Self {
            zone: zone?,
            everything: [daily?, monthly?],
            sources: sources.into_iter().collect::<Option<_>>()?,
            targets: targets.into_iter().collect::<Option<_>>()?,
            networks: networks.into_iter().collect::<Option<_>>()?,
        })
    }

    /// The time zone in which days begin.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// All budgets, those of engines included, which have their own by name.
    pub(super) fn budgets(
        self,
        sources: &[impl AsRef<SourceSettings>],
        targets: &[TargetSettings],
        engines: &[(String, Own)],
    ) -> Budgets {
        let everything = [(Period::Day, "budget.daily"), (Period::Month, "budget.monthly")];
        let everything =
            everything.into_iter().zip(self.everything).filter_map(|((period, setting), most)| {
                Some(Budget { scope: Scope::Everything, period, most: most?, setting: setting.into() })
            });
        let mut all: Vec<Budget> = everything.collect();
        for (own, source) in self.sources.iter().zip(sources) {
            all.extend(own.budgets(&Scope::Source(source.as_ref().id().into())));
        }
        for (own, target) in self.targets.iter().zip(targets) {
            all.extend(own.budgets(&Scope::Target(target.id())));
        }
        for (name, own) in &self.networks {
            all.extend(own.budgets(&Scope::Service((*name).into())));
        }
        for (name, own) in engines {
            all.extend(own.budgets(&Scope::Service(name.as_str().into())));
        }
        Budgets { zone: self.zone, all }
    }
}

/// Reports each engine whose price is unknown although a budget includes what it charges.
pub(super) fn check_prices(
    reader: &mut Reader<'_>,
    budgets: &Budgets,
    engine: &EngineSettings,
    targets: &[TargetSettings],
) {
    for charging in &engine.order {
        let Tariff::Unknown { setting } = charging.tariff() else { continue };
        let name = charging.name();
        let translates_for = |target: &&TargetSettings| {
            let own = target.engines.as_deref().unwrap_or(&engine.common);
            own.iter().any(|own| **own == *name)
        };
        let served: Vec<&TargetSettings> = targets.iter().filter(translates_for).collect();
        let applies = |budget: &&Budget| match &budget.scope {
            Scope::Everything => !served.is_empty(),
            Scope::Source(source) => served.iter().any(|target| *target.source.id() == **source),
            Scope::Target(id) => served.iter().any(|target| target.id() == *id),
            Scope::Service(service) => **service == *name,
        };
        let Some(budget) = budgets.all.iter().find(applies) else { continue };
        reader.report(
            &setting,
            format!("the price of {} is unknown, so {} cannot be enforced", name, budget.setting),
            "write what the service charges in US dollars for a million tokens, such as \"0.15\", or \"0\" if it is free",
        );
    }
}
