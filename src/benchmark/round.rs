//! Runs a plan once and measures it, from the first page that the service reads to the last publication.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use mynah_actors::{
    events::{Event, Feed},
    stats::{Report, StatsReport},
};
use mynah_domain::Post;
use serde::{Deserialize, Serialize};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

use super::{BenchmarkError, Plan, history, town::Town};
use crate::app::service::{Polling, Service, Telemetry, Watch};

/// The run fails after this long without an event.
const STALL_TIMEOUT: Duration = Duration::from_mins(2);

/// How often to sample memory.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// The results of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The number of jobs.
    pub jobs: u64,
    /// The number of published jobs.
    pub published: u64,
    /// Time from the start to the arrival of the first page, in milliseconds.
    #[serde(default)]
    pub start_ms: f64,
    /// Time from the first page to the last publication, in seconds.
    pub seconds: f64,
    /// Translations per second, including those from the cache.
    pub translations_per_second: f64,
    /// Publications per second.
    pub publications_per_second: f64,
    /// Median time from the arrival of a post to X's answer to its publication on one target, in milliseconds.
    pub p50_ms: f64,
    /// The 95th percentile of that time.
    pub p95_ms: f64,
    /// The 99th percentile of that time.
    pub p99_ms: f64,
    /// The share of translations that came from the cache.
    pub hit_rate: f64,
    /// Peak resident memory, in bytes.
    pub rss_max_bytes: u64,
    /// CPU time of this process per job, in microseconds.
    pub cpu_micros_per_job: f64,
    /// The size of the ledger at the end.
    pub ledger_bytes: u64,
    /// The number of ledger transactions.
    #[serde(default)]
    pub commits: u64,
    /// Mean duration of a transaction, in milliseconds.
    #[serde(default)]
    pub commit_ms: f64,
}

/// Runs a plan once, with a fresh ledger in `data`. Calls `history_progress` with the number of recorded history posts,
/// and `progress` with the number of settled jobs.
///
/// # Errors
/// The service does not start, ends or makes no progress.
pub async fn run(
    plan: &Plan,
    town: &Town,
    data: &Path,
    telemetry: Telemetry,
    mut history_progress: impl FnMut(usize),
    mut progress: impl FnMut(u64),
) -> Result<Round, BenchmarkError> {
    let settings = town.settings(plan, data)?;
    if plan.history > 0 {
        history::write(plan, &settings, &data.join("ledger.sqlite"), &mut history_progress).await?;
    }
    let (feed, mut events) = Feed::watched();
    let mut process = Process::new();
    let started = Instant::now();
    let watch = Watch { feed, polls: None };
    let mut service = Service::start_with(&settings, Polling::Continuous, watch, telemetry)
        .await
        .map_err(BenchmarkError)?;
    let mut seen = Seen::default();
    let all = plan.jobs() as u64;
    let mut interval = tokio::time::interval(SAMPLE_INTERVAL);
    let mut last = Instant::now();
    let mut posted = town.posted();
    // Measured from the first page, because at the start the service checks a long ledger for damage.
    let mut work: Option<(Instant, Duration)> = None;
    while seen.settled < all {
        tokio::select! {
            Some(event) = events.recv() => {
                if let (Event::Recorded(_, _, arrived), None) = (&event, work) {
                    work = Some((*arrived, process.cpu()));
                }
                seen.see(&event);
                last = Instant::now();
                let enough = if plan.singly { seen.settled == (posted * plan.languages.len()) as u64 } else { seen.recorded == posted };
                if posted < plan.posts && enough {
                    town.post_more(plan, &settings).await?;
                    posted = town.posted();
                }
            }
            reason = service.ended() => return Err(BenchmarkError(reason)),
            _ = interval.tick() => {
                process.sample();
                progress(seen.settled);
                if last.elapsed() > STALL_TIMEOUT {
                    return Err(BenchmarkError(format!("no progress for {STALL_TIMEOUT:?}; {} of {all} jobs are settled", seen.settled)));
                }
            }
        }
    }
    let (began, cpu) = work.unwrap_or((started, Duration::ZERO));
    let (start, took, cpu) = (began - started, began.elapsed(), process.cpu().saturating_sub(cpu));
    process.sample();
    let report = service.pipeline.actors.stats.ask(Report).await.ok();
    service.stop().await;
    let round = seen.round(took, cpu, process.rss_max, report.as_ref(), ledger_size(data));
    Ok(Round { start_ms: start.as_secs_f64() * 1e3, ..round })
}

/// What the events have shown so far.
struct Seen {
    settled: u64,
    published: u64,
    recorded: usize,
    /// By post: its arrival, and on how many targets it is still unsettled.
    arrived: HashMap<String, (Instant, usize)>,
    took: Histogram<u64>,
}

impl Default for Seen {
    fn default() -> Self {
        // The library accepts these constants: up to an hour in microseconds, with three significant digits.
        let took = Histogram::new_with_max(3_600_000_000, 3).expect("the bounds are valid");
        Self { settled: 0, published: 0, recorded: 0, arrived: HashMap::new(), took }
    }
}

impl Seen {
    fn see(&mut self, event: &Event) {
        match event {
            Event::Recorded(post, jobs, arrived) => {
                self.recorded += 1;
                let to_publish = jobs.iter().filter(|(_, skip)| skip.is_none()).count();
                self.settled += (jobs.len() - to_publish) as u64;
                if to_publish > 0 {
                    self.arrived.insert(post.id.0.clone(), (*arrived, to_publish));
                }
            }
            Event::Published(post, _, _, published) => {
                self.published += 1;
                if let Some(arrived) = self.settle(post) {
                    let micros =
                        u64::try_from(published.duration_since(arrived).as_micros()).unwrap_or(u64::MAX);
                    self.took.saturating_record(micros);
                }
            }
            Event::Held(post, ..)
            | Event::Failed(post, ..)
            | Event::Skipped(post, ..)
            | Event::Drafted(post, ..) => {
                self.settle(post);
            }
        }
    }

    /// Settles one of a post's jobs and returns the post's arrival. Forgets the post with its last job, because entries
    /// here count as the service's memory.
    fn settle(&mut self, post: &Post) -> Option<Instant> {
        self.settled += 1;
        let (arrived, left) = self.arrived.get_mut(&post.id.0)?;
        let arrived = *arrived;
        *left -= 1;
        if *left == 0 {
            self.arrived.remove(&post.id.0);
        }
        Some(arrived)
    }

    #[expect(clippy::cast_precision_loss, reason = "no run has 2^53 of anything")]
    fn round(
        self,
        took: Duration,
        cpu: Duration,
        rss: u64,
        report: Option<&StatsReport>,
        ledger: u64,
    ) -> Round {
        let count = |name: &str| {
            let counts = report.into_iter().flat_map(|report| &report.counts);
            counts.filter(|(known, _)| known.to_string() == name).map(|(_, count)| *count).sum::<u64>() as f64
        };
        let (hits, misses) = (count("cache.hits") + count("cache.shared.hits"), count("cache.misses"));
        let quantile = |quantile| self.took.value_at_quantile(quantile) as f64 / 1e3;
        let seconds = took.as_secs_f64();
        let of_ledger = report.into_iter().flat_map(|report| &report.operations);
        let commits = of_ledger.into_iter().find(|(name, _)| name.to_string() == "ledger.commit");
        let commits = commits.map(|(_, made)| (made.calls, made.mean.as_secs_f64() * 1e3));
        Round {
            jobs: self.settled,
            published: self.published,
            start_ms: 0.0,
            seconds,
            translations_per_second: (hits + misses) / seconds,
            publications_per_second: self.published as f64 / seconds,
            p50_ms: quantile(0.5),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            hit_rate: if hits + misses > 0.0 { hits / (hits + misses) } else { 0.0 },
            rss_max_bytes: rss,
            cpu_micros_per_job: cpu.as_secs_f64() * 1e6 / (self.settled.max(1) as f64),
            ledger_bytes: ledger,
            commits: commits.map_or(0, |(calls, _)| calls),
            commit_ms: commits.map_or(0.0, |(_, mean)| mean),
        }
    }
}

fn ledger_size(data: &Path) -> u64 {
    let files = ["ledger.sqlite", "ledger.sqlite-wal"].map(|name| fs::metadata(data.join(name)));
    files.into_iter().flatten().map(|file| file.len()).sum()
}

/// The memory and CPU of this process.
struct Process {
    system: Option<System>,
    rss_max: u64,
}

impl Process {
    fn new() -> Self {
        Self { system: System::new().ok(), rss_max: 0 }
    }

    /// The CPU time so far.
    fn cpu(&mut self) -> Duration {
        self.sample();
        let (Some(system), Ok(pid)) = (&self.system, sysinfo::get_current_pid()) else {
            return Duration::ZERO;
        };
        system
            .process(pid)
            .map_or(Duration::ZERO, |process| Duration::from_millis(process.accumulated_cpu_time()))
    }

    fn sample(&mut self) {
        let (Some(system), Ok(pid)) = (&mut self.system, sysinfo::get_current_pid()) else {
            return;
        };
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        self.rss_max = self.rss_max.max(system.process(pid).map_or(0, sysinfo::Process::memory));
    }
}
