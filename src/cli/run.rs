//! `mynah run`: the service. It goes on until it is stopped, or cannot.

use std::time::Duration;

use actix_rt::signal::unix::{Signal, SignalKind, signal};
use log::{error, info, warn};
use mynah_actors::{events::Feed, poller::Schedule};

use super::{Failure, health, once::fatal};
use crate::{
    app::{self, Watch},
    settings::Settings,
    telemetry::logging::{self, Stream},
};

pub(super) async fn run(settings: &Settings) -> Result<(), Failure> {
    logging::init(settings.log.level, Stream::Stdout);
    info!(version = env!("CARGO_PKG_VERSION"); "mynah starts");
    let watch = Watch { feed: Feed::default(), polls: None };
    let schedule = Schedule::Every(settings.source.poll_interval);
    let mut pipeline = app::start(settings, schedule, watch).map_err(Failure::Work)?;
    let mut signals = Signals::new()?;
    let pulse = actix_rt::spawn(health::beat(settings.data_dir.clone(), pipeline.links.router.clone()));
    let ended = tokio::select! {
        signal = signals.next() => Ok(signal),
        outcome = &mut pipeline.outcome => Err(fatal(outcome.ok())),
    };
    pulse.abort();
    let grace = settings.shutdown.grace;
    if let Ok(signal) = ended {
        info!(signal = signal, grace:? = grace; "stopping: what is in hand is finished first");
    }
    tokio::select! {
        stopped = tokio::time::timeout(grace, pipeline.stop()) => match stopped {
            Ok(()) => info!("mynah has stopped"),
            Err(_) => warn!("not everything ended within shutdown.grace; it is taken up again by the next start"),
        },
        signal = signals.next() => warn!(signal = signal; "stopping at once; nothing is lost"),
    }
    ended.map(drop).map_err(|reason| {
        error!("mynah cannot go on: {reason}");
        Failure::Work(reason)
    })
}

/// The signals that stop a process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::Work(format!("cannot listen for signals: {error}")));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for one and names it.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            Some(()) = self.terminate.recv() => "SIGTERM",
            Some(()) = self.interrupt.recv() => "SIGINT",
            else => std::future::pending().await,
        }
    }
}

/// How often a running service shows that it is well.
pub(super) const PULSE: Duration = Duration::from_secs(10);
