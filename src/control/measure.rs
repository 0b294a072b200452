//! Collects measurements in the form that people, scripts and monitors read. The admin API, the history on disk and
//! `mynah performance` all use it, so that a figure means the same everywhere.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use mynah_actors::{
    stats::{OperationReport, StatsReport},
    supervision::RestartReason,
    upstreams::limiter::LimiterStats,
};
use mynah_domain::ports::LedgerError;

use super::wire::{Operation, Pace, ResourceUse, Stats};
use super::{instances, overview::Overview};

/// All measurements of a running service.
///
/// # Errors
/// The ledger cannot be read.
pub async fn stats(report: &StatsReport, overview: &Overview) -> Result<Stats, LedgerError> {
    let jobs = overview.ledger.counts().await?;
    let accounts = overview.accounts(&jobs).await?;
    let actors = overview.health.all();
    let mut by_target: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for ((target, state), count) in jobs {
        by_target.entry(target.to_string()).or_default().insert(state.as_str().to_owned(), count);
    }
    let resources = &report.resources;
    Ok(Stats {
        at: Timestamp::now(),
        uptime_seconds: report.uptime.as_secs_f64(),
        operations: report
            .operations
            .iter()
            .map(|(name, made)| (name.to_string(), operation(made)))
            .collect(),
        counts: report.counts.iter().map(|(name, count)| (name.to_string(), *count)).collect(),
        usage: report.usage.iter().map(|(name, usage)| (name.to_string(), (*usage).into())).collect(),
        jobs: by_target,
        restarts: actors.iter().map(|(name, actor)| (name.clone(), actor.restarts.total())).collect(),
        restart_reasons: actors
            .into_iter()
            .map(|(name, actor)| {
                let by_reason =
                    RestartReason::ALL.map(|why| (why.as_str().to_owned(), actor.restarts.of(why)));
                (name, by_reason.into())
            })
            .collect(),
        degraded: overview.degraded(),
        accounts: accounts.into_iter().map(|account| (account.account, account.state)).collect(),
        sources: overview.sources().into_iter().map(|source| (source.source, source.state)).collect(),
        engines: overview.engines().into_iter().map(|engine| (engine.engine, engine.state)).collect(),
        config: Some(overview.reloads.last()),
        instances: overview.view.as_ref().map(instances::seen_by),
        upstreams: overview
            .upstreams
            .limiters()
            .into_iter()
            .map(|(name, seen)| (name.to_string(), pace(seen)))
            .collect(),
        spent: overview.spent().await?,
        resources: ResourceUse {
            rss_bytes: resources.rss,
            rss_max_bytes: resources.rss_max,
            cpu_percent: resources.cpu,
            cpu_mean_percent: resources.cpu_mean,
            cpu_max_percent: resources.cpu_max,
        },
    })
}

fn pace(seen: LimiterStats) -> Pace {
    let LimiterStats { limit, limit_max, in_flight, waiting, batch, batch_max } = seen;
    Pace { limit, limit_most: limit_max, under_way: in_flight, waiting, batch, batch_most: batch_max }
}

fn operation(made: &OperationReport) -> Operation {
    let millis = |took: Duration| took.as_secs_f64() * 1e3;
    Operation {
        calls: made.calls,
        errors: made.errors.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
        mean_ms: millis(made.mean),
        p50_ms: millis(made.p50),
        p90_ms: millis(made.p90),
        p99_ms: millis(made.p99),
        max_ms: millis(made.max),
    }
}
