//! Gathers latencies and counts of all calls to upstreams, and samples of memory and CPU. Actors report as they work
//! and never wait for it, because a lost measurement does no harm.

mod label;
mod resources;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, MessageResult};
use hdrhistogram::Histogram;
pub use label::Label;
use log::kv::Value;
use mynah_domain::ports::Usage;
pub use resources::Resources;
use resources::Sampler;

use crate::{
    failpoint,
    supervision::{ActorRef, ExitGuard, Heartbeat, handles_tracked, shell::StopAsked},
};

/// The most messages in the mailbox.
const MAILBOX: usize = 64;

/// How many measurements one message contains.
const TOGETHER: usize = 512;

/// The longest latency that is distinguished, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// The stats actor.
pub struct Stats {
    exit_guard: Option<ExitGuard>,
    pending: PendingMeasurements,
    heartbeat: Heartbeat,
    /// Whether it received anything since it was built; a heartbeat for each measurement would cost more than the
    /// measurement.
    took_in: bool,
    since: Instant,
    operations: BTreeMap<Name, Operation>,
    counts: BTreeMap<CountName, u64>,
    usage: BTreeMap<Label, Usage>,
    /// How often to sample memory and CPU.
    sampled_every: Duration,
    /// `None` if the platform reports nothing.
    sampler: Option<Sampler>,
}

/// A service and an operation: `net.read`, `gemini.translate`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The service that was called.
    pub service: Label,
    /// What it was asked to do.
    pub operation: &'static str,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service, self.operation)
    }
}

struct Operation {
    latency: Histogram<u64>,
    errors: BTreeMap<&'static str, u64>,
}

impl Operation {
    fn new() -> Self {
        // The library accepts these constant bounds and precision; two digits are a precision of 1%.
        let latency = Histogram::new_with_max(LONGEST, 2).expect("the bounds are valid");
        Self { latency, errors: BTreeMap::new() }
    }
}

/// The name of a counter: `jobs.published`, or one kind of it: `jobs.held.gate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountName {
    /// What happened.
    pub name: &'static str,
    /// Which kind, if there are several.
    pub kind: Option<&'static str>,
}

impl fmt::Display for CountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.kind.map_or(Ok(()), |kind| write!(f, ".{kind}"))
    }
}

impl Stats {
    /// Creates the actor without measurements; they are logged at this interval.
    pub fn new(exit_guard: ExitGuard, pending: PendingMeasurements, interval: Duration) -> Self {
        Self {
            pending,
            heartbeat: exit_guard.heartbeat(),
            took_in: false,
            exit_guard: Some(exit_guard),
            since: Instant::now(),
            operations: BTreeMap::new(),
            counts: BTreeMap::new(),
            usage: BTreeMap::new(),
            sampled_every: resources::interval_for(interval),
            sampler: Sampler::new(interval),
        }
    }

    fn sample(&mut self) {
        if let Some(sampler) = &mut self.sampler {
            sampler.sample();
        }
    }
}

handles_tracked!(Stats: Take, Report, StopAsked);

impl Actor for Stats {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Messages come in bursts, and those that find no room are lost.
        ctx.set_mailbox_capacity(MAILBOX);
        failpoint::reach("stats.started");
        ctx.run_interval(self.sampled_every, |stats, _| {
            failpoint::reach("stats.interval");
            stats.take_in_all();
            stats.sample();
            stats.heartbeat.progress();
        });
    }
}

/// A measurement.
#[derive(Debug, Clone)]
enum Measurement {
    /// One call to a service.
    Called { operation: Name, took: Duration, error: Option<&'static str> },
    /// Something happened a number of times.
    Counted { name: CountName, times: u64 },
    /// What a service counted for a call.
    Used { service: Label, usage: Usage },
}

/// Measurements that were not sent yet. A message to an actor costs more than processing its contents, so many
/// measurements share one.
#[derive(Debug, Clone, Default)]
pub struct PendingMeasurements(Arc<Mutex<Vec<Measurement>>>);

impl PendingMeasurements {
    /// Adds a measurement; returns all of them once there are enough to send.
    fn add(&self, measurement: Measurement) -> Option<Vec<Measurement>> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.push(measurement);
        (pending.len() >= TOGETHER).then(|| std::mem::replace(&mut *pending, Vec::with_capacity(TOGETHER)))
    }

    fn take(&self) -> Vec<Measurement> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Enough measurements to be worth a message.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Take(Vec<Measurement>);

impl Handler<Take> for Stats {
    type Result = ();

    fn handle(&mut self, Take(measurements): Take, _: &mut Self::Context) {
        self.take_in(measurements);
    }
}

impl Stats {
    fn take_in(&mut self, measurements: Vec<Measurement>) {
        for measurement in measurements {
            failpoint::reach("stats.handler");
            match measurement {
                Measurement::Called { operation, took, error } => {
                    let operation = self.operations.entry(operation).or_insert_with(Operation::new);
                    let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST);
                    operation.latency.saturating_record(micros);
                    if let Some(kind) = error {
                        *operation.errors.entry(kind).or_default() += 1;
                    }
                }
                Measurement::Counted { name, times } => *self.counts.entry(name).or_default() += times,
                Measurement::Used { service, usage } => self.usage.entry(service).or_default().add(usage),
            }
            if !std::mem::replace(&mut self.took_in, true) {
                self.heartbeat.progress();
            }
        }
    }

    /// Takes in the measurements that wait for a full message.
    fn take_in_all(&mut self) {
        let pending = self.pending.take();
        self.take_in(pending);
    }
}

/// Asks for everything gathered so far.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "StatsReport")]
pub struct Report;

/// Everything gathered so far.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsReport {
    /// Since when, as a duration.
    pub uptime: Duration,
    /// Every operation, by name: `net.read`, `net.post`, `gemini.translate`, …
    pub operations: BTreeMap<Name, OperationReport>,
    /// All counters, by name: `cache.hits`, `jobs.published`, …
    pub counts: BTreeMap<CountName, u64>,
    /// What each engine counted, by its name, if it counts anything.
    pub usage: BTreeMap<Label, Usage>,
    /// Memory and CPU.
    pub resources: Resources,
}

/// The measurements of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationReport {
    /// How many calls.
    pub calls: u64,
    /// How many of them failed, by kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// The mean of all calls.
    pub mean: Duration,
    /// Half of the calls took at most this long.
    pub p50: Duration,
    /// Nine of ten calls took at most this long.
    pub p90: Duration,
    /// 99 of 100 calls took at most this long.
    pub p99: Duration,
    /// No call took longer.
    pub max: Duration,
}

impl Handler<Report> for Stats {
    type Result = MessageResult<Report>;

    fn handle(&mut self, _: Report, _: &mut Self::Context) -> Self::Result {
        self.heartbeat.progress();
        self.take_in_all();
        self.sample();
        let operations = self.operations.iter().map(|(name, operation)| {
            let at = |quantile| Duration::from_micros(operation.latency.value_at_quantile(quantile));
            let report = OperationReport {
                calls: operation.latency.len(),
                errors: operation.errors.clone(),
                mean: Duration::from_secs_f64(operation.latency.mean() / 1e6),
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                max: Duration::from_micros(operation.latency.max()),
            };
            (name.clone(), report)
        });
        MessageResult(StatsReport {
            uptime: self.since.elapsed(),
            operations: operations.collect(),
            counts: self.counts.clone(),
            usage: self.usage.clone(),
            resources: self.sampler.as_ref().map(Sampler::resources).unwrap_or_default(),
        })
    }
}

impl Handler<StopAsked> for Stats {
    type Result = ();

    fn handle(&mut self, asked: StopAsked, ctx: &mut Self::Context) {
        if let Some(exit_guard) = self.exit_guard.take() {
            exit_guard.exit(asked.exit_reason());
        }
        ctx.stop();
    }
}

impl OperationReport {
    /// How many calls failed, of all kinds.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

impl StatsReport {
    /// The fields of the stats line by name, latencies in milliseconds.
    fn fields(&self) -> Vec<(String, Value<'static>)> {
        let mut fields = vec![
            ("uptime_s".to_owned(), Value::from(self.uptime.as_secs())),
            ("rss_mb".into(), Value::from(self.resources.rss / 1_000_000)),
            ("rss_max_mb".into(), Value::from(self.resources.rss_max / 1_000_000)),
            ("cpu_percent".into(), Value::from(tenths(self.resources.cpu.into()))),
            ("cpu_mean_percent".into(), Value::from(tenths(self.resources.cpu_mean.into()))),
        ];
        fields.extend(self.counts.iter().map(|(name, count)| (name.to_string(), Value::from(*count))));
        for (name, operation) in &self.operations {
            fields.push((format!("{name}.calls"), Value::from(operation.calls)));
            fields.push((format!("{name}.errors"), Value::from(operation.failed())));
            for (what, took) in [
                ("mean", operation.mean),
                ("p50", operation.p50),
                ("p90", operation.p90),
                ("p99", operation.p99),
                ("max", operation.max),
            ] {
                let millis = hundredths(took.as_secs_f64() * 1e3);
                fields.push((format!("{name}.{what}_ms"), Value::from(millis)));
            }
        }
        for (engine, usage) in &self.usage {
            let known = usage.counts().into_iter().filter_map(|(what, count)| Some((what, count?)));
            fields.extend(known.map(|(what, count)| (format!("{engine}.{what}"), Value::from(count))));
        }
        fields
    }

    /// Logs the stats line.
    pub fn log(&self) {
        let fields = self.fields();
        let record = log::Record::builder()
            .target("mynah::stats")
            .level(log::Level::Info)
            .key_values(&fields)
            .args(format_args!("stats"))
            .build();
        // `log!` makes the same check; without it, the fields would be built for a line that is not logged.
        if log::log_enabled!(target: "mynah::stats", log::Level::Info) {
            log::logger().log(&record);
        }
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// How actors report measurements. A meter without an actor costs nothing, and reports nothing.
#[derive(Clone, Default)]
pub struct Meter(Option<(ActorRef<Stats>, PendingMeasurements)>);

impl Meter {
    /// Creates a meter that reports to this actor through `pending`.
    pub fn new(stats: ActorRef<Stats>, pending: PendingMeasurements) -> Self {
        Self(Some((stats, pending)))
    }

    /// Reports a call to a service, which succeeded or failed with an error of this kind.
    pub fn called(
        &self,
        service: impl Into<Label>,
        operation: &'static str,
        took: Duration,
        error: Option<&'static str>,
    ) {
        let operation = Name { service: service.into(), operation };
        self.record(Measurement::Called { operation, took, error });
    }

    /// Reports what an engine counted for a call.
    pub fn used(&self, service: impl Into<Label>, usage: Usage) {
        if usage != Usage::default() {
            self.record(Measurement::Used { service: service.into(), usage });
        }
    }

    /// Counts an event.
    pub fn count(&self, name: &'static str, times: u64) {
        if times > 0 {
            self.record(Measurement::Counted { name: CountName { name, kind: None }, times });
        }
    }

    /// Counts an event of this kind.
    pub fn count_kind(&self, name: &'static str, kind: &'static str) {
        self.record(Measurement::Counted { name: CountName { name, kind: Some(kind) }, times: 1 });
    }

    fn record(&self, measurement: Measurement) {
        if let Some((stats, pending)) = &self.0
            && let Some(enough) = pending.add(measurement)
        {
            stats.tell(Take(enough));
        }
    }
}
