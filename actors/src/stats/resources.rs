//! Memory and CPU of this process. The system only counts CPU time up, so usage is the growth between two samples.

use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The longest time between two samples, so that charts stay smooth however rarely the measurements are logged.
const LONGEST_INTERVAL: Duration = Duration::from_secs(5);

/// The shortest time that a first sample covers; the system counts CPU time in steps of 10 ms.
const SHORTEST: Duration = Duration::from_millis(100);

/// The time that the mean covers.
const MEAN_OVER: Duration = Duration::from_hours(24);

/// Memory and CPU of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Resources {
    /// Resident memory at the last sample, in bytes.
    pub rss: u64,
    /// The most resident memory of any sample.
    pub rss_max: u64,
    /// CPU between the last two samples, in percent of one core.
    pub cpu: f32,
    /// The most CPU of any sample.
    pub cpu_max: f32,
    /// The mean CPU over about the last day; earlier usage fades.
    pub cpu_mean: f32,
}

/// What the system reports at one time.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    cpu_time: Duration,
    rss: u64,
}

/// Turns readings into usage.
#[derive(Debug)]
struct Usage {
    resources: Resources,
    last: Reading,
    /// The time that the mean covers so far; none before the first sample.
    covered: Duration,
}

impl Usage {
    fn since(first: Reading) -> Self {
        let resources = Resources { rss: first.rss, rss_max: first.rss, ..Resources::default() };
        Self { resources, last: first, covered: Duration::ZERO }
    }

    fn add(&mut self, now: Reading) {
        let Self { resources, last, covered } = self;
        let passed = now.at.saturating_duration_since(last.at);
        if passed.is_zero() {
            return;
        }
        let cpu = 100.0 * now.cpu_time.saturating_sub(last.cpu_time).div_duration_f32(passed);
        resources.rss = now.rss;
        resources.rss_max = resources.rss_max.max(now.rss);
        resources.cpu = cpu;
        resources.cpu_max = resources.cpu_max.max(cpu);
        *covered = (*covered + passed).min(MEAN_OVER);
        resources.cpu_mean += (cpu - resources.cpu_mean) * passed.div_duration_f32(*covered).min(1.0);
        *last = now;
    }
}

/// Samples this process at an interval.
pub(super) struct Sampler {
    system: System,
    pid: Pid,
    interval: Duration,
    usage: Usage,
}

impl Sampler {
    /// Starts with a first reading, so that the first sample covers everything from here on. `None` if the platform
    /// reports nothing.
    pub(super) fn new(interval: Duration) -> Option<Self> {
        let (mut system, pid) = (System::new().ok()?, sysinfo::get_current_pid().ok()?);
        let first = read(&mut system, pid)?;
        Some(Self { system, pid, interval: interval_for(interval), usage: Usage::since(first) })
    }

    /// Takes a sample, unless the last one is too recent to learn anything: the timer and a report may come at nearly
    /// the same time.
    pub(super) fn sample(&mut self) {
        let is_first = self.usage.covered.is_zero();
        let wait = if is_first { SHORTEST.min(self.interval / 2) } else { self.interval / 2 };
        if self.usage.last.at.elapsed() >= wait
            && let Some(now) = read(&mut self.system, self.pid)
        {
            self.usage.add(now);
        }
    }

    pub(super) fn resources(&self) -> Resources {
        self.usage.resources
    }
}

/// How often to sample if measurements are logged at this interval: for every line, and for charts between the lines.
pub(super) fn interval_for(logged: Duration) -> Duration {
    logged.min(LONGEST_INTERVAL)
}

fn read(system: &mut System, pid: Pid) -> Option<Reading> {
    let kind = ProcessRefreshKind::nothing().with_memory().with_cpu();
    // The library returns how many processes it refreshed; whether this one is known shows below.
    let _ = system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
    let process = system.process(pid)?;
    let cpu_time = Duration::from_millis(process.accumulated_cpu_time());
    Some(Reading { at: Instant::now(), cpu_time, rss: process.memory() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sample_covers_the_time_before_it_and_the_mean_weighs_by_time() {
        let start = Instant::now();
        let reading = |seconds: u64, cpu_millis: u64| Reading {
            at: start + Duration::from_secs(seconds),
            cpu_time: Duration::from_millis(700 + cpu_millis),
            rss: 1000 + cpu_millis,
        };
        let mut usage = Usage::since(reading(0, 0));
        assert_eq!(usage.resources.rss, 1700 - 700);
        usage.add(reading(2, 1800));
        assert!((usage.resources.cpu - 90.0).abs() < 0.01, "{:?}", usage.resources);
        assert!((usage.resources.cpu_mean - 90.0).abs() < 0.01, "{:?}", usage.resources);
        usage.add(reading(8, 1800));
        assert!(usage.resources.cpu.abs() < 0.01, "{:?}", usage.resources);
        assert!((usage.resources.cpu_mean - 22.5).abs() < 0.01, "{:?}", usage.resources);
        assert!((usage.resources.cpu_max - 90.0).abs() < 0.01, "{:?}", usage.resources);
        let before = usage.resources;
        usage.add(reading(8, 1900));
        assert_eq!(usage.resources, before, "no time has passed");
    }

    #[test]
    fn work_shows_in_the_first_sample() {
        let mut sampler = Sampler::new(Duration::from_secs(2)).expect("the tests' platform reports CPU time");
        let begun = Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed() < Duration::from_millis(300) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        sampler.sample();
        let first = sampler.resources();
        assert!(first.cpu > 5.0 && first.rss > 0, "{first:?}");
        sampler.sample();
        assert_eq!(sampler.resources(), first, "the next sample is too soon");
    }

    #[test]
    fn samples_come_at_the_interval_and_at_least_every_five_seconds() {
        assert_eq!(interval_for(Duration::from_secs(2)), Duration::from_secs(2));
        assert_eq!(interval_for(Duration::from_secs(30)), Duration::from_secs(5));
    }
}
