//! `mynah performance` shows throughput, latencies and errors of the running service, or its last measurements if it is
//! not running; `--watch` refreshes.

use std::{collections::BTreeMap, io::IsTerminal as _, time::Duration};

use clap::Args;
use serde_json::json;

use super::{Failure, output, print_json, print_line, reach, table};
use crate::{
    control::wire::Stats,
    settings::Settings,
    telemetry::{
        history,
        logging::{self, printable},
    },
};

/// How often `--watch` refreshes.
const REFRESH: Duration = Duration::from_secs(2);

/// How many refreshes the bar chart shows.
const BARS: usize = 40;

#[derive(Debug, Args)]
pub(super) struct PerformanceArgs {
    /// Refresh every two seconds, until Ctrl-C; with --json, one line per refresh
    #[arg(long)]
    watch: bool,
}

pub(super) async fn performance(
    args: &PerformanceArgs,
    json: bool,
    settings: &Settings,
) -> Result<(), Failure> {
    logging::init_for_command();
    let mut seen: Vec<Stats> = Vec::new();
    loop {
        let (stats, live) = measure(settings).await?;
        if json {
            print_json(&json!(stats));
        } else {
            if args.watch && std::io::stdout().is_terminal() {
                // Clear the screen and move the cursor to the top.
                print_line("\u{1b}[2J\u{1b}[H");
            }
            seen.push(stats);
            if seen.len() > BARS + 1 {
                seen.remove(0);
            }
            show(&seen, live);
        }
        if !args.watch || output::is_closed() {
            return Ok(());
        }
        actix_rt::time::sleep(REFRESH).await;
    }
}

/// The latest measurements, and whether the service is running.
async fn measure(settings: &Settings) -> Result<(Stats, bool), Failure> {
    if let Some(service) = reach::service(settings)? {
        return Ok((service.get(service.url(&["api", "stats"])).await?, true));
    }
    let last = history::last(&settings.data_dir, 1).pop().ok_or_else(|| {
        Failure::Work(format!(
            "no service runs on {}, and there are no earlier measurements; `mynah run` starts one",
            settings.data_dir.display()
        ))
    })?;
    Ok((last, false))
}

fn show(seen: &[Stats], live: bool) {
    let Some(stats) = seen.last() else { return };
    let when = if live { "now".to_owned() } else { format!("last measured {:.0}", stats.at) };
    let Totals { calls, errors, mean_ms: mean } = totals(stats);
    let success = if calls == 0 { 100.0 } else { 100.0 * ratio(calls - errors, calls) };
    let published = published(stats);
    let rate = if stats.uptime_seconds > 0.0 { ratio(published, 1) / stats.uptime_seconds } else { 0.0 };
    print_line(format_args!("OVERALL, {when}"));
    print_line(format_args!(
        "  uptime      {}",
        humantime::format_duration(Duration::from_secs(seconds(stats)))
    ));
    print_line(format_args!(
        "  calls       {calls}, {success:.1} % successful, {errors} errors, mean {mean:.1} ms"
    ));
    print_line(format_args!("  published   {published}, {rate:.2} per second"));
    let (hits, misses) = (count(stats, "cache.hits"), count(stats, "cache.misses"));
    if hits + misses > 0 {
        print_line(format_args!(
            "  cache       {:.1} % hits of {}",
            100.0 * ratio(hits, hits + misses),
            hits + misses
        ));
    }
    print_line(format_args!("  restarts    {}", restarts(stats)));
    if stats.degraded.is_empty() {
        print_line("  state       as configured");
    }
    for why in &stats.degraded {
        print_line(format_args!("  degraded    {}", printable(why)));
    }
    if seen.len() > 1 {
        print_line(format_args!("  trend       {}", bars(seen)));
    }
    print_line("");
    let rows = stats.operations.iter().map(|(name, made)| {
        let failed: u64 = made.errors.values().sum();
        let millis = |millis: f64| format!("{millis:.1}");
        [
            name.clone(),
            made.calls.to_string(),
            failed.to_string(),
            millis(made.mean_ms),
            millis(made.p50_ms),
            millis(made.p90_ms),
            millis(made.p99_ms),
            millis(made.max_ms),
        ]
    });
    table::print(["OPERATION", "CALLS", "ERRORS", "MEAN ms", "P50", "P90", "P99", "MAX"], rows);
    print_line("");
    if !stats.upstreams.is_empty() {
        let of = |now: usize, most: usize| format!("{now} of {most}");
        let rows = stats.upstreams.iter().map(|(name, pace)| {
            [
                name.clone(),
                of(pace.limit, pace.limit_most),
                pace.under_way.to_string(),
                pace.waiting.to_string(),
                of(pace.batch, pace.batch_most),
                stats.usage.get(name).map(ToString::to_string).unwrap_or_default(),
            ]
        });
        table::print(["ENGINE", "CONCURRENCY", "IN FLIGHT", "WAITING", "TEXTS PER CALL", "USED"], rows);
        print_line("");
    }
    let jobs = stats.jobs.iter().map(|(target, counted)| {
        let list: Vec<String> = counted.iter().map(|(state, count)| format!("{count} {state}")).collect();
        [target.clone(), list.join(", ")]
    });
    table::print(["TARGET", "JOBS"], jobs);
    let resources = &stats.resources;
    let megabytes = |bytes: u64| ratio(bytes, 1_000_000);
    print_line("");
    print_line(format_args!(
        "RESOURCES\n  memory      {:.1} MB, peak {:.1} MB\n  CPU         {:.1} % of a core, mean {:.1} %, peak {:.1} %",
        megabytes(resources.rss_bytes),
        megabytes(resources.rss_max_bytes),
        resources.cpu_percent,
        resources.cpu_mean_percent,
        resources.cpu_max_percent
    ));
}

/// How many restarts there were, and why: `12 (10 reload, 2 crash)`.
fn restarts(stats: &Stats) -> String {
    let mut by_reason: BTreeMap<&str, u64> = BTreeMap::new();
    for (why, count) in stats.restart_reasons.values().flatten().filter(|(_, count)| **count > 0) {
        *by_reason.entry(why).or_default() += count;
    }
    let total: u64 = stats.restarts.values().sum();
    if by_reason.is_empty() {
        return total.to_string();
    }
    let reasons: Vec<String> = by_reason.iter().map(|(why, count)| format!("{count} {why}")).collect();
    format!("{total} ({})", reasons.join(", "))
}

/// Totals of all calls to upstreams and the ledger.
struct Totals {
    calls: u64,
    errors: u64,
    mean_ms: f64,
}

/// Excludes operations that only measure a wait.
fn totals(stats: &Stats) -> Totals {
    let is_call = |name: &str| !name.starts_with("post.") && !name.starts_with("publisher.");
    let made: Vec<_> =
        stats.operations.iter().filter(|(name, _)| is_call(name)).map(|(_, made)| made).collect();
    let calls = made.iter().map(|made| made.calls).sum();
    let errors = made.iter().flat_map(|made| made.errors.values()).sum();
    let took: f64 = made.iter().map(|made| made.mean_ms * ratio(made.calls, 1)).sum();
    Totals { calls, errors, mean_ms: if calls == 0 { 0.0 } else { took / ratio(calls, 1) } }
}

fn published(stats: &Stats) -> u64 {
    count(stats, "jobs.published")
}

fn count(stats: &Stats, name: &str) -> u64 {
    stats.counts.get(name).copied().unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an uptime is small and not negative"
)]
fn seconds(stats: &Stats) -> u64 {
    stats.uptime_seconds as u64
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// A bar chart of publications between refreshes, with their maximum.
fn bars(seen: &[Stats]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let steps: Vec<u64> =
        seen.windows(2).map(|pair| published(&pair[1]).saturating_sub(published(&pair[0]))).collect();
    let most = steps.iter().copied().max().unwrap_or_default();
    let level = |step: u64| LEVELS[usize::try_from(step * 7 / most.max(1)).unwrap_or_default().min(7)];
    let bars: String = steps.iter().map(|step| level(*step)).collect();
    format!("{bars} max {most}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_publications_between_refreshes() {
        let seen: Vec<Stats> = [0, 0, 7, 14, 15]
            .map(|count| Stats { counts: [("jobs.published".to_owned(), count)].into(), ..Stats::default() })
            .to_vec();
        assert_eq!(bars(&seen), "▁██▂ max 7");
    }
}
