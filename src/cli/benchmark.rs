//! `mynah benchmark` measures how fast this machine republishes posts and at what cost, and compares it with the last
//! run.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use log::LevelFilter;
use mynah_domain::Language;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Failure, print_json, print_line, scratch::Scratch, table};
use crate::{
    app::service::Telemetry,
    benchmark::{BenchmarkError, Plan, Stream, bare, round, round::Round, town::Town},
    telemetry::logging::{self, LogFormat},
};

const LANGUAGES: [&str; 12] = ["es", "fr", "de", "it", "pt", "nl", "ca", "gl", "pl", "sv", "da", "tr"];

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct BenchmarkArgs {
    /// The number of posts
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    posts: u32,
    /// The number of targets to publish each post on, 1 to 12
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=12))]
    targets: u8,
    /// How long the engine takes to answer
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration, value_name = "TIME")]
    latency: Duration,
    /// The share of posts, 0 to 1, that repeat another post except for a link, so that the cache can help
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    repeat: f64,
    /// The kind of posts: random words, or a club's templates with different numbers, names and links
    #[arg(long, value_enum, default_value_t = Posts::Words, conflicts_with = "repeat")]
    stream: Posts,
    /// First publish as many posts of another day, unmeasured, to fill the cache
    #[arg(long)]
    warm: bool,
    /// Post one at a time, each when the previous one is published on all targets
    #[arg(long)]
    singly: bool,
    /// How many posts are on record as published before the run
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    history: u32,
    /// How many times to run it; the result is the median of each figure
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=50))]
    rounds: u8,
    /// Also measure the same calls without the service
    #[arg(long)]
    bare: bool,
    /// Also measure it without statistics and log, in alternating runs
    #[arg(long)]
    overhead: bool,
    /// The set of defaults: balanced, speed or memory
    #[arg(long, default_value = "speed")]
    preset: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Posts {
    Words,
    Templated,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("write a number from 0 to 1".into()),
    }
}

/// The result, stored for the next comparison and printed as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outcome {
    /// The parameters; only runs with the same ones are compared.
    plan: String,
    /// The medians.
    round: Round,
    /// The medians without statistics and log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    without_telemetry: Option<Round>,
    /// Jobs per second of the bare calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bare_jobs_per_second: Option<f64>,
}

impl From<BenchmarkError> for Failure {
    fn from(why: BenchmarkError) -> Self {
        Self::Work(why.to_string())
    }
}

pub(super) async fn benchmark(args: BenchmarkArgs, settings: &[String], json: bool) -> Result<(), Failure> {
    let folder = Scratch::new("benchmark")?;
    let log = fs::File::create(folder.path().join("log"))
        .map_err(|error| Failure::Work(format!("{}: {error}", folder.path().display())))?;
    logging::init(LevelFilter::Info, &[], logging::Stream::File(log), LogFormat::default());
    let codes = LANGUAGES.iter().take(args.targets.into());
    let plan = Plan {
        posts: args.posts as usize,
        languages: codes.filter_map(|code| code.parse::<Language>().ok()).collect(),
        latency: args.latency,
        stream: match args.stream {
            Posts::Words => Stream::Words(args.repeat),
            Posts::Templated => Stream::Templated(1),
        },
        singly: args.singly,
        history: args.history as usize,
        settings: [vec![format!("preset={}", args.preset)], settings.to_vec()].concat(),
    };
    let (mut with, mut without, mut bare_rates) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..usize::from(args.rounds) {
        let place = |what: &str| {
            let place = folder.path().join(format!("{what}-{number}"));
            fs::create_dir_all(&place).map(|()| place).map_err(|error| Failure::Work(error.to_string()))
        };
        let known = if args.warm {
            let stream = if args.stream == Posts::Templated { Stream::Templated(0) } else { plan.stream };
            let before = Plan { stream, ..plan.clone() };
            Some(one(&before, &place("before")?, Telemetry::Off, None).await?.1)
        } else {
            None
        };
        with.push(one(&plan, &place("with")?, Telemetry::On, known.as_deref()).await?.0);
        if args.overhead {
            log::set_max_level(LevelFilter::Off);
            without.push(one(&plan, &place("without")?, Telemetry::Off, known.as_deref()).await?.0);
            log::set_max_level(LevelFilter::Info);
        }
        if args.bare {
            let place = place("bare")?;
            let town = Town::start(&plan, &place)?;
            bare_rates.push(bare::jobs_per_second(&plan, &town, &place.join("data")).await?);
        }
    }
    let outcome = Outcome {
        plan: format!(
            "{} posts × {} targets, latency {:?}, {}{}{}{}, {}",
            args.posts,
            args.targets,
            args.latency,
            match args.stream {
                Posts::Words => format!("repeat {}", args.repeat),
                Posts::Templated => "templated".to_owned(),
            },
            if args.warm { ", warm" } else { "" },
            if args.singly { ", one at a time" } else { "" },
            if args.history > 0 { format!(", {} published before", args.history) } else { String::new() },
            plan.settings.join(" ")
        ),
        round: median(&with).unwrap_or_default(),
        without_telemetry: median(&without),
        bare_jobs_per_second: middle(bare_rates),
    };
    let before = last(&outcome.plan);
    if json {
        print_json(&json!(outcome));
    } else {
        show(&outcome, before.as_ref());
    }
    store(outcome);
    Ok(())
}

/// Runs one round with its own sandbox, because a network refuses duplicates. The cache starts with `known`, the
/// contents of an earlier round's cache; returns the cache's contents at the end.
async fn one(
    plan: &Plan,
    place: &Path,
    telemetry: Telemetry,
    known: Option<&[u8]>,
) -> Result<(Round, Vec<u8>), Failure> {
    let data = place.join("data");
    let cache = data.join("cache.jsonl");
    if let Some(known) = known {
        fs::create_dir_all(&data)
            .and_then(|()| fs::write(&cache, known))
            .map_err(|error| Failure::Work(error.to_string()))?;
    }
    let town = Town::start(plan, place)?;
    let before = bar(plan.history as u64, "earlier posts");
    let bar = bar(plan.jobs() as u64, "jobs");
    let history_progress = |posts| before.set_position(posts as u64);
    let round = round::run(plan, &town, &data, telemetry, history_progress, |settled| {
        before.finish_and_clear();
        bar.set_position(settled);
    })
    .await;
    bar.finish_and_clear();
    let known = fs::read(&cache).unwrap_or_default();
    // The ledgers of many rounds would fill the disk.
    let _ = fs::remove_dir_all(place);
    Ok((round?, known))
}

fn bar(all: u64, what: &str) -> ProgressBar {
    use std::io::IsTerminal as _;
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    // The library accepts this constant template.
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(all).with_style(style).with_message(what.to_owned())
}

fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A round with the median of each figure.
fn median(rounds: &[Round]) -> Option<Round> {
    let first = rounds.first()?;
    let of = |figure: fn(&Round) -> f64| middle(rounds.iter().map(figure).collect()).unwrap_or_default();
    let whole = |figure: fn(&Round) -> u64| {
        let mut values: Vec<u64> = rounds.iter().map(figure).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    Some(Round {
        jobs: first.jobs,
        published: whole(|round| round.published),
        start_ms: of(|round| round.start_ms),
        seconds: of(|round| round.seconds),
        translations_per_second: of(|round| round.translations_per_second),
        publications_per_second: of(|round| round.publications_per_second),
        p50_ms: of(|round| round.p50_ms),
        p95_ms: of(|round| round.p95_ms),
        p99_ms: of(|round| round.p99_ms),
        hit_rate: of(|round| round.hit_rate),
        rss_max_bytes: whole(|round| round.rss_max_bytes),
        cpu_micros_per_job: of(|round| round.cpu_micros_per_job),
        ledger_bytes: whole(|round| round.ledger_bytes),
        commits: whole(|round| round.commits),
        commit_ms: of(|round| round.commit_ms),
    })
}

type Figure = (&'static str, fn(&Round) -> f64, usize);

#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 of anything")]
const FIGURES: [Figure; 14] = [
    ("published", |round| round.published as f64, 0),
    ("start → first page, ms", |round| round.start_ms, 0),
    ("first page → end, s", |round| round.seconds, 2),
    ("translations per second", |round| round.translations_per_second, 0),
    ("publications per second", |round| round.publications_per_second, 0),
    ("arrived → published, p50 ms", |round| round.p50_ms, 1),
    ("arrived → published, p95 ms", |round| round.p95_ms, 1),
    ("arrived → published, p99 ms", |round| round.p99_ms, 1),
    ("cache hits, %", |round| round.hit_rate * 100.0, 1),
    ("peak memory, MB", |round| round.rss_max_bytes as f64 / 1e6, 1),
    ("CPU per job, µs", |round| round.cpu_micros_per_job, 1),
    ("ledger, MB", |round| round.ledger_bytes as f64 / 1e6, 1),
    ("transactions", |round| round.commits as f64, 0),
    ("mean transaction, ms", |round| round.commit_ms, 2),
];

fn show(outcome: &Outcome, before: Option<&Outcome>) {
    print_line(&outcome.plan);
    let rows = FIGURES.map(|(name, figure, digits)| {
        let now = figure(&outcome.round);
        let then = before.map(|before| figure(&before.round));
        let change = then
            .filter(|then| *then > 0.0)
            .map_or_else(String::new, |then| format!("{:+.1} %", (now / then - 1.0) * 100.0));
        let without = outcome.without_telemetry.as_ref().map(figure);
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
        [name.to_owned(), number(Some(now)), number(then), change, number(without)]
    });
    table::print(["", "NOW", "LAST RUN", "CHANGE", "WITHOUT STATS AND LOG"], rows);
    if let Some(bare) = outcome.bare_jobs_per_second {
        let share = outcome.round.publications_per_second / bare * 100.0;
        print_line(format_args!(
            "bare calls: {bare:.0} jobs per second; the service achieves {share:.0} % of that"
        ));
    }
    if let Some(without) = &outcome.without_telemetry {
        let more = (outcome.round.cpu_micros_per_job / without.cpu_micros_per_job - 1.0) * 100.0;
        print_line(format_args!("statistics and log cost {more:+.1} % of CPU"));
    }
}

/// The file with the last outcome of each plan.
fn file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("mynah").join("benchmark.json"))
}

fn stored() -> Vec<Outcome> {
    let text = file().and_then(|file| fs::read(file).ok()).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn last(plan: &str) -> Option<Outcome> {
    stored().into_iter().find(|outcome| outcome.plan == plan)
}

fn store(outcome: Outcome) {
    let Some(file) = file() else { return };
    let mut all = stored();
    all.retain(|known| known.plan != outcome.plan);
    all.push(outcome);
    // If this fails, the next run has nothing to compare with.
    let _ = file.parent().map(fs::create_dir_all);
    let _ = fs::write(file, json!(all).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_for_each_figure_separately() {
        let round = |seconds, rss_max_bytes| Round { seconds, rss_max_bytes, ..Round::default() };
        let median = median(&[round(3.0, 10), round(1.0, 30), round(2.0, 20)]).unwrap();
        assert!((median.seconds - 2.0).abs() < f64::EPSILON);
        assert_eq!(median.rss_max_bytes, 20);
    }
}
