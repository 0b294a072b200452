//! Collects measurements in the form that people, scripts and monitors read. The admin API, the history on disk and
//! `mynah performance` all use it, so that a figure means the same everywhere.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use mynah_actors::{
    stats::{OperationReport, StatsReport},
    supervision::HealthRegistry,
    upstreams::{Upstreams, limiter::LimiterStats},
};
use mynah_domain::{JobState, TargetId};

use super::wire::{Operation, Pace, ResourceUse, Stats};

/// All measurements of a running service.
pub fn stats(
    report: &StatsReport,
    jobs: &BTreeMap<(TargetId, JobState), u64>,
    health: &HealthRegistry,
    upstreams: &Upstreams,
) -> Stats {
    let mut by_target: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for ((target, state), count) in jobs {
        by_target.entry(target.to_string()).or_default().insert(state.as_str().to_owned(), *count);
    }
    let resources = &report.resources;
    Stats {
        at: Timestamp::now(),
        uptime_seconds: report.uptime.as_secs_f64(),
        operations: report
            .operations
            .iter()
            .map(|(name, made)| (name.to_string(), operation(made)))
            .collect(),
        counts: report.counts.iter().map(|(name, count)| (name.to_string(), *count)).collect(),
        jobs: by_target,
        restarts: health.all().into_iter().map(|(name, actor)| (name, actor.restarts)).collect(),
        upstreams: upstreams
            .limiters()
            .into_iter()
            .map(|(name, seen)| (name.to_string(), pace(seen)))
            .collect(),
        resources: ResourceUse {
            rss_bytes: resources.rss,
            rss_max_bytes: resources.rss_max,
            cpu_percent: resources.cpu,
            cpu_mean_percent: resources.cpu_mean,
            cpu_max_percent: resources.cpu_max,
        },
    }
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
