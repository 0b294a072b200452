//! `mynah run`: the service. It goes on until it is stopped, or cannot. SIGHUP and `mynah reload` have it read its settings
//! anew.

use std::net::TcpListener;

use log::{error, info, warn};
use mynah_actors::{events::Feed, poller::Schedule, stats::Report};
use tokio::sync::{mpsc, watch};

use super::{Failure, SettingsArgs, signals::Signals};
use crate::{
    app::{
        self,
        service::{Reloaded, Service, Watch},
    },
    control::{measure, vitals::Vitals},
    http::{self, Admin, AdminError, Control, Known, ReloadAsked},
    settings::Settings,
    telemetry::{
        history::History,
        logging::{self, Stream},
    },
};

/// How many wishes to reload may wait. They come from people.
const WISHES: usize = 8;

pub(super) async fn run(args: &SettingsArgs) -> Result<(), Failure> {
    let settings = &args.load()?;
    logging::init(settings.log.level, &settings.log.modules, Stream::Stdout, settings.log.format);
    info!(version = env!("CARGO_PKG_VERSION"); "mynah starts");
    let watch = Watch { feed: Feed::default(), polls: None };
    let schedule = Schedule::Every(settings.source.poll_interval);
    let listener = bind(settings)?;
    let mut service = Service::start(settings, schedule, watch).await.map_err(Failure::Work)?;
    let (reload_asked, mut asked_to_reload) = mpsc::channel(WISHES);
    let known = watch::Sender::new(Known::of(settings));
    let vitals = Vitals::default();
    let control = Control::of(&service, known.subscribe(), vitals.clone(), reload_asked);
    let admin = match offer_admin(settings, listener, control).await {
        Ok(admin) => admin,
        Err(error) => {
            service.stop().await;
            return Err(Failure::Work(error.to_string()));
        }
    };
    let mut signals = Signals::new()?;
    let mut hangups = Signals::hangups()?;
    let pulse = {
        let (router, ledger) = (service.pipeline.actors.router.clone(), service.pipeline.ledger.clone());
        let health = service.pipeline.health.clone();
        actix_rt::spawn(vitals.watch(settings.data_dir.clone(), router, ledger, health))
    };
    let history = actix_rt::spawn(keep_history(settings.clone(), &service));
    let ended = loop {
        tokio::select! {
            signal = signals.next() => break Ok(signal),
            reason = service.ended() => break Err(reason),
            Some(()) = hangups.recv() => drop(reload(args, &mut service, &known).await),
            Some(ReloadAsked(answer)) = asked_to_reload.recv() => {
                // Whoever asked may have left.
                let _ = answer.send(reload(args, &mut service, &known).await);
            }
        }
    };
    pulse.abort();
    history.abort();
    let grace = settings.shutdown.grace;
    if let Ok(signal) = ended {
        info!(signal = signal, grace:? = grace; "stopping: what is in hand is finished first");
    }
    tokio::select! {
        stopped = tokio::time::timeout(grace, service.stop()) => match stopped {
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
        error!(reason = reason.as_str(); "mynah cannot go on");
        Failure::Work(reason)
    })
}

/// Reads the settings anew and puts them in force. With a mistake in them, nothing changes.
async fn reload(
    args: &SettingsArgs,
    service: &mut Service,
    known: &watch::Sender<Known>,
) -> Result<Reloaded, String> {
    let reloaded = match args.load() {
        Ok(new) => service.reload(new).await,
        Err(wrong) => Err(wrong.to_string()),
    };
    match &reloaded {
        Ok(_) => drop(known.send_replace(Known::of(service.settings()))),
        Err(reason) => {
            warn!(reason = reason.as_str(); "settings not reloaded; those of before stay in force");
        }
    }
    reloaded
}

/// Keeps what is measured beside the ledger, as often as it is logged.
fn keep_history(settings: Settings, service: &Service) -> impl Future<Output = ()> + use<> {
    let pipeline = &service.pipeline;
    let (links, health, ledger) = (pipeline.actors.clone(), pipeline.health.clone(), pipeline.ledger.clone());
    let upstreams = service.upstreams().clone();
    async move {
        let mut history = History::open(&settings.data_dir);
        let mut healthy = true;
        loop {
            actix_rt::time::sleep(settings.stats.interval).await;
            let (Ok(report), Ok(jobs)) = (links.stats.ask(Report).await, ledger.counts().await) else {
                continue;
            };
            let kept = history.add(&measure::stats(&report, &jobs, &health, &upstreams));
            if let (Err(error), true) = (&kept, healthy) {
                warn!(reason:% = error; "what is measured cannot be kept; see to the disk of data_dir");
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
    control: Control,
) -> Result<Option<Admin>, AdminError> {
    let Some(listener) = listener else {
        http::forget_address(&settings.data_dir);
        return Ok(None);
    };
    http::serve(listener, &settings.admin, control, &settings.data_dir).await.map(Some)
}
