//! `mynah run`: the service. It goes on until it is stopped, or cannot.

use log::{error, info, warn};
use mynah_actors::{events::Feed, poller::Schedule};

use super::{Failure, health, signals::Signals};
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
    let mut pipeline = app::start(settings, schedule, watch).await.map_err(Failure::Work)?;
    let mut signals = Signals::new()?;
    let pulse = actix_rt::spawn(health::beat(settings.data_dir.clone(), pipeline.links.router.clone()));
    let ended = tokio::select! {
        signal = signals.next() => Ok(signal),
        reason = pipeline.ended() => Err(reason),
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
