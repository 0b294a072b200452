//! `mynah run`: the service. It goes on until it is stopped, or cannot.

use std::net::TcpListener;

use log::{error, info, warn};
use mynah_actors::{events::Feed, pipeline::Pipeline, poller::Schedule, stats::Report};

use super::{Failure, health, signals::Signals};
use crate::{
    app::{self, Watch},
    control::measure,
    http::{self, Admin, AdminError, Control},
    settings::{Settings, TargetSettings},
    telemetry::{
        history::History,
        logging::{self, Stream},
    },
};

pub(super) async fn run(settings: &Settings) -> Result<(), Failure> {
    logging::init(settings.log.level, Stream::Stdout, settings.log.format);
    info!(version = env!("CARGO_PKG_VERSION"); "mynah starts");
    let watch = Watch { feed: Feed::default(), polls: None };
    let schedule = Schedule::Every(settings.source.poll_interval);
    let listener = bind(settings)?;
    let mut pipeline = app::start(settings, schedule, watch).await.map_err(Failure::Work)?;
    let admin = match offer_admin(settings, listener, &pipeline).await {
        Ok(admin) => admin,
        Err(error) => {
            pipeline.stop().await;
            return Err(Failure::Work(error.to_string()));
        }
    };
    let mut signals = Signals::new()?;
    let pulse = actix_rt::spawn(health::beat(settings.data_dir.clone(), pipeline.links.router.clone()));
    let history = actix_rt::spawn(keep_history(settings.clone(), &pipeline));
    let ended = tokio::select! {
        signal = signals.next() => Ok(signal),
        reason = pipeline.ended() => Err(reason),
    };
    pulse.abort();
    history.abort();
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
    // To the last, so that what hangs can be seen.
    if let Some(admin) = admin {
        admin.stop().await;
    }
    ended.map(drop).map_err(|reason| {
        error!("mynah cannot go on: {reason}");
        Failure::Work(reason)
    })
}

/// Keeps what is measured beside the ledger, as often as it is logged.
fn keep_history(settings: Settings, pipeline: &Pipeline) -> impl Future<Output = ()> + use<> {
    let (links, board, ledger) = (pipeline.links.clone(), pipeline.board.clone(), pipeline.ledger.clone());
    async move {
        let mut history = History::open(&settings.data_dir);
        let mut healthy = true;
        loop {
            actix_rt::time::sleep(settings.stats.interval).await;
            let (Ok(report), Ok(jobs)) = (links.stats.ask(Report).await, ledger.counts().await) else {
                continue;
            };
            let kept = history.add(&measure::stats(&report, &jobs, &board));
            if let (Err(error), true) = (&kept, healthy) {
                warn!("what is measured cannot be kept: {error}; see to the disk of data_dir");
            }
            healthy = kept.is_ok();
        }
    }
}

/// Takes the admin API's port before anything is begun.
fn bind(settings: &Settings) -> Result<Option<TcpListener>, Failure> {
    let bound = settings.admin.listen.map(http::bind).transpose();
    bound.map_err(|error| match app::open_ledger(settings) {
        // Another mynah on this data directory has the port, too; that is the thing to know.
        Err(in_use) => Failure::Work(in_use.to_string()),
        Ok(_) => Failure::Work(error.to_string()),
    })
}

/// Begins to serve, now that the ledger is ours.
async fn offer_admin(
    settings: &Settings,
    listener: Option<TcpListener>,
    pipeline: &Pipeline,
) -> Result<Option<Admin>, AdminError> {
    let Some(listener) = listener else {
        http::forget_address(&settings.data_dir);
        return Ok(None);
    };
    let targets = settings.targets.iter().map(TargetSettings::id).collect();
    let control = Control::of(pipeline, targets);
    http::serve(listener, &settings.admin, control, &settings.data_dir).await.map(Some)
}
