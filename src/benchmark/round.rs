//! One run of a plan: from the first page that a service reads to the last publication.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use mynah_actors::{
    events::{Event, Feed},
    poller::Schedule,
    stats::{Report, StatsReport},
};
use mynah_domain::Post;
use serde::{Deserialize, Serialize};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

use super::{Plan, Unmeasured, history, town::Town};
use crate::app::service::{Service, Telemetry, Watch};

/// Who hears of nothing for this long does not wait on.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What a run showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// How many jobs there were.
    pub jobs: u64,
    /// How many of them were published.
    pub published: u64,
    /// From the start to the arrival of the first page, in milliseconds.
    #[serde(default)]
    pub start_ms: f64,
    /// How long it took from then on, in seconds.
    pub seconds: f64,
    /// Translations in a second, those from the cache among them.
    pub translations_per_second: f64,
    /// Publications in a second.
    pub publications_per_second: f64,
    /// From the arrival of a post's page to what X said to it on one target, in milliseconds: half of them took at most this long.
    pub p50_ms: f64,
    /// 95 of 100.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// The share of translations that the cache had.
    pub hit_rate: f64,
    /// The most resident memory, in bytes.
    pub rss_max_bytes: u64,
    /// CPU of this process for each job, in microseconds.
    pub cpu_micros_per_job: f64,
    /// How large the ledger became.
    pub ledger_bytes: u64,
    /// How many transactions that took.
    #[serde(default)]
    pub commits: u64,
    /// How long one took, in milliseconds.
    #[serde(default)]
    pub commit_ms: f64,
}

/// Runs a plan once, with a fresh ledger in `data`. `remembered` hears how many posts of its history are on record,
/// `progress` how many jobs are settled.
///
/// # Errors
/// Where the service does not start, or gets nowhere.
pub async fn run(
    plan: &Plan,
    town: &Town,
    data: &Path,
    telemetry: Telemetry,
    mut remembered: impl FnMut(usize),
    mut progress: impl FnMut(u64),
) -> Result<Round, Unmeasured> {
    let settings = town.settings(plan, data)?;
    if plan.history > 0 {
        history::write(plan, &settings, &data.join("ledger.sqlite"), &mut remembered).await?;
    }
    let (feed, mut events) = Feed::watched();
    let mut process = Process::new();
    let started = Instant::now();
    let schedule = Schedule::Every(settings.source.poll_interval);
    let watch = Watch { feed, polls: None };
    let mut service = Service::start_with(&settings, schedule, watch, telemetry).await.map_err(Unmeasured)?;
    let mut seen = Seen::default();
    let all = plan.jobs() as u64;
    let mut interval = tokio::time::interval(LOOK);
    let mut last = Instant::now();
    let mut said = town.said();
    // What comes before the first page is the start's: a ledger of years is looked through for damage.
    let mut work: Option<(Instant, Duration)> = None;
    while seen.settled < all {
        tokio::select! {
            Some(event) = events.recv() => {
                if let (Event::Recorded(_, _, arrived), None) = (&event, work) {
                    work = Some((*arrived, process.cpu()));
                }
                seen.see(&event);
                last = Instant::now();
                let enough = if plan.singly { seen.settled == (said * plan.languages.len()) as u64 } else { seen.recorded == said };
                if said < plan.posts && enough {
                    town.say_more(plan, &settings).await?;
                    said = town.said();
                }
            }
            reason = service.ended() => return Err(Unmeasured(reason)),
            _ = interval.tick() => {
                process.look();
                progress(seen.settled);
                if last.elapsed() > PATIENCE {
                    return Err(Unmeasured(format!("nothing happened for {PATIENCE:?}; {} of {all} are settled", seen.settled)));
                }
            }
        }
    }
    let (began, cpu) = work.unwrap_or((started, Duration::ZERO));
    let (start, took, cpu) = (began - started, began.elapsed(), process.cpu().saturating_sub(cpu));
    process.look();
    let report = service.pipeline.actors.stats.ask(Report).await.ok();
    service.stop().await;
    let round = seen.round(took, cpu, process.rss_max, report.as_ref(), ledger_size(data));
    Ok(Round { start_ms: start.as_secs_f64() * 1e3, ..round })
}

/// What became of jobs so far.
struct Seen {
    settled: u64,
    published: u64,
    recorded: usize,
    /// When the posts came that are not said everywhere yet, and on how many targets they are to be said.
    arrived: HashMap<String, (Instant, usize)>,
    took: Histogram<u64>,
}

impl Default for Seen {
    fn default() -> Self {
        // The bounds are constants that the library accepts: up to an hour in microseconds, one part in a thousand.
        let took = Histogram::new_with_max(3_600_000_000, 3).expect("the bounds are valid");
        Self { settled: 0, published: 0, recorded: 0, arrived: HashMap::new(), took }
    }
}

impl Seen {
    fn see(&mut self, event: &Event) {
        match event {
            Event::Recorded(post, jobs, arrived) => {
                self.recorded += 1;
                let to_say = jobs.iter().filter(|(_, skip)| skip.is_none()).count();
                self.settled += (jobs.len() - to_say) as u64;
                if to_say > 0 {
                    self.arrived.insert(post.id.0.clone(), (*arrived, to_say));
                }
            }
            Event::Published(post, _, _, said) => {
                self.published += 1;
                if let Some(arrived) = self.settle(post) {
                    let micros = u64::try_from(said.duration_since(arrived).as_micros()).unwrap_or(u64::MAX);
                    self.took.saturating_record(micros);
                }
            }
            Event::Held(post, ..) | Event::Failed(post, ..) => drop(self.settle(post)),
        }
    }

    /// One of a post's jobs is settled. Answers when the post came, and forgets it with its last job: what is kept here counts
    /// as memory of what is measured.
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
        let (hits, misses) = (count("cache.hits"), count("cache.misses"));
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

/// What this process takes.
struct Process {
    system: Option<System>,
    rss_max: u64,
}

impl Process {
    fn new() -> Self {
        Self { system: System::new().ok(), rss_max: 0 }
    }

    /// Looks, and answers the CPU time so far.
    fn cpu(&mut self) -> Duration {
        self.look();
        let (Some(system), Ok(pid)) = (&self.system, sysinfo::get_current_pid()) else {
            return Duration::ZERO;
        };
        system
            .process(pid)
            .map_or(Duration::ZERO, |process| Duration::from_millis(process.accumulated_cpu_time()))
    }

    fn look(&mut self) {
        let (Some(system), Ok(pid)) = (&mut self.system, sysinfo::get_current_pid()) else {
            return;
        };
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        self.rss_max = self.rss_max.max(system.process(pid).map_or(0, sysinfo::Process::memory));
    }
}
