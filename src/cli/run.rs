//! `mynah run` is the service. It runs until a signal or a fatal error stops it. SIGHUP and `mynah reload` make it read
//! its settings again.

use std::{convert::Infallible, net::TcpListener, time::Duration};

use log::{error, info, warn};
use mynah_actors::{events::Feed, stats::Report};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Failure, SettingsArgs, signals::Signals};
use crate::{
    alerts::{Alerts, Observer},
    app::{
        self,
        credentials::Credentials,
        service::{Polling, Reloaded, Service, Watch},
    },
    control::{configured::Configured, measure, overview::Overview, reloads::Reloads, vitals::Vitals},
    http::{self, Admin, AdminError, Control, ReloadRequest},
    service_manager::ServiceManager,
    settings::Settings,
    telemetry::{
        history::History,
        logging::{self, Stream},
    },
};

/// How many reload requests may wait. They come from people.
const RELOAD_QUEUE: usize = 8;

/// How long the last measurements may take when the service stops.
const LAST_MEASUREMENTS: Duration = Duration::from_secs(1);

/// The sources of the settings. `--json` is short for a JSON log, unless a `--set` names another format.
pub(super) fn arguments(args: &SettingsArgs, json: bool) -> SettingsArgs {
    let mut args = args.clone();
    if json {
        args.overrides.insert(0, "log.format=json".to_owned());
    }
    args
}

pub(super) async fn run(args: &SettingsArgs) -> Result<(), Failure> {
    let settings = &args.load()?;
    logging::init(settings.log.level, &settings.log.modules, Stream::Stdout, settings.log.format);
    info!(version = env!("CARGO_PKG_VERSION"); "mynah starting");
    let watch = Watch { feed: Feed::default(), polls: None };
    let listener = bind(settings)?;
    let mut signals = Signals::new()?;
    let mut service = tokio::select! {
        started = Service::start(settings, Polling::Continuous, watch) => started.map_err(Failure::Work)?,
        // What has started by now is as safe as in a crash, and a ledger that does not answer must not hold up the end.
        _ = signals.next() => {
            info!("mynah stopped");
            return Ok(());
        }
    };
    let (reload_sender, mut reload_requests) = mpsc::channel(RELOAD_QUEUE);
    let configured = watch::Sender::new(service.configured().clone());
    let overview = service.overview(configured.subscribe());
    let vitals = Vitals::default();
    let follower = actix_rt::spawn(service.follow_news(&overview, reload_sender.clone()));
    let observer = Observer::new(overview.clone(), vitals.clone(), settings.data_dir.clone());
    let control = Control::of(&service, overview.clone(), observer.clone(), vitals.clone(), reload_sender);
    let admin = match offer_admin(settings, listener, control).await {
        Ok(admin) => admin,
        Err(error) => {
            service.stop().await;
            return Err(Failure::Work(error.to_string()));
        }
    };
    if let Some(admin) = &admin {
        service.set_admin(admin.address());
    }
    let mut hangups = Signals::hangups()?;
    let manager = ServiceManager::from_environment();
    // Everything that the manager may do from now on, such as sending a signal, works.
    manager.started();
    let health_check = {
        let router = service.pipeline.actors.router.clone();
        let pipeline = service.pipeline.handle.clone();
        actix_rt::spawn(vitals.watch(settings.data_dir.clone(), pipeline, router, overview.clone(), manager))
    };
    let mut alerts = Alerts::start(&settings.alerts, &observer, overview.ledger.clone());
    let (end_history, ended_history) = oneshot::channel();
    let history = actix_rt::spawn(keep_history(settings.clone(), &service, overview.clone(), ended_history));
    let ended = loop {
        tokio::select! {
            signal = signals.next() => break Ok(signal),
            reason = service.ended() => break Err(reason),
            Some(()) = hangups.recv() => {
                let reloaded = reload(args, &mut service, &mut signals, &configured, &overview.reloads, manager).await;
                let reloaded = match reloaded {
                    Ok(reloaded) => reloaded,
                    Err(ended) => break ended,
                };
                follow_settings(&mut alerts, &observer, &service).await;
                if let Ok((_, credentials)) = reloaded {
                    actix_rt::spawn(credentials.try_all());
                }
            }
            Some(ReloadRequest(answer)) = reload_requests.recv() => {
                let reloaded = reload(args, &mut service, &mut signals, &configured, &overview.reloads, manager).await;
                let reloaded = match reloaded {
                    Ok(reloaded) => reloaded,
                    Err(ended) => break ended,
                };
                follow_settings(&mut alerts, &observer, &service).await;
                // Trying credentials may take a while, in which a signal must be answered. The caller may disconnect.
                actix_rt::spawn(async move {
                    let _ = answer.send(match reloaded {
                        Ok((reloaded, credentials)) => Ok((reloaded, credentials.try_all().await)),
                        Err(reason) => Err(reason),
                    });
                });
            }
        }
    };
    manager.stopping();
    health_check.abort();
    follower.abort();
    let grace = settings.shutdown.grace;
    if let Ok(signal) = &ended {
        info!(signal = *signal, grace:? = grace; "shutdown started");
    }
    let alerts_stopped = async {
        match (alerts, &ended) {
            (Some(alerts), Err(reason)) => alerts.stop_because(reason).await,
            (Some(alerts), Ok(_)) => alerts.stop().await,
            (None, _) => {}
        }
    };
    let service_stopped = async {
        // Before the actor that has the last measurements stops. A hanging one must not delay the rest.
        drop(end_history);
        let _ = tokio::time::timeout(LAST_MEASUREMENTS, history).await;
        service.stop().await;
    };
    // Both at once: a receiver that does not answer must not use up the time in which actors finish their work. Alerts
    // need the ledger, which stays open.
    let all_stopped = async { tokio::join!(alerts_stopped, service_stopped) };
    tokio::select! {
        stopped = tokio::time::timeout(grace, all_stopped) => match stopped {
            Ok(((), ())) => info!("mynah stopped"),
            Err(_) => warn!("shutdown grace exceeded"),
        },
        signal = signals.next() => warn!(signal = signal; "shutdown forced"),
    }
    // Stopped last, so that operators can see what hangs.
    if let Some(admin) = admin {
        admin.stop().await;
    }
    ended.map(drop).map_err(|reason| {
        error!(reason = reason.as_str(); "mynah failed");
        Failure::Work(reason)
    })
}

/// Reads the settings again and applies them. If they have a mistake, nothing changes. The outer error is the end of the
/// service, by a signal or by itself, while its engines were being prepared.
async fn reload(
    args: &SettingsArgs,
    service: &mut Service,
    signals: &mut Signals,
    configured: &watch::Sender<Configured>,
    reloads: &Reloads,
    manager: ServiceManager,
) -> Result<Result<(Reloaded, Credentials), String>, Result<&'static str, String>> {
    manager.reloading();
    let reloaded = match args.load() {
        Ok(new) => {
            // Some download models first.
            tokio::select! {
                () = app::prepare_engines(&new) => {}
                signal = signals.next() => return Err(Ok(signal)),
                reason = service.ended() => return Err(Err(reason)),
            }
            service.reload(new).await
        }
        Err(wrong) => Err(wrong.to_string()),
    };
    reloads.record(reloaded.is_ok());
    manager.reloaded(reloaded.as_ref().err().map(String::as_str));
    match &reloaded {
        Ok(_) => drop(configured.send_replace(service.configured().clone())),
        Err(reason) => {
            warn!(reason = reason.as_str(); "settings reload failed");
        }
    }
    Ok(reloaded)
}

/// Lets alerts follow new settings. What was sent is on record, so nothing is sent twice because of it.
async fn follow_settings(alerts: &mut Option<Alerts>, observer: &Observer, service: &Service) {
    let new = &service.settings().alerts;
    if alerts.as_ref().is_some_and(|alerts| alerts.are_of(new)) {
        return;
    }
    if let Some(before) = alerts.take() {
        before.stop().await;
    }
    *alerts = Alerts::start(new, observer, service.ledger());
}

/// Stores measurements beside the ledger, as often as they are logged, and once more when `end` is dropped.
fn keep_history(
    settings: Settings,
    service: &Service,
    overview: Overview,
    mut end: oneshot::Receiver<Infallible>,
) -> impl Future<Output = ()> + use<> {
    let actors = service.pipeline.actors.clone();
    async move {
        let mut history = History::open(&settings.data_dir);
        let mut healthy = true;
        let mut running = true;
        while running {
            tokio::select! {
                () = actix_rt::time::sleep(settings.stats.interval) => {}
                _ = &mut end => running = false,
            }
            let Ok(report) = actors.stats.ask(Report).await else { continue };
            let Ok(stats) = measure::stats(&report, &overview).await else { continue };
            let stored = history.add(&stats);
            if let (Err(error), true) = (&stored, healthy) {
                warn!(reason:% = error; "metrics save failed");
            }
            healthy = stored.is_ok();
        }
    }
}

/// Binds the admin API's port before anything starts.
fn bind(settings: &Settings) -> Result<Option<TcpListener>, Failure> {
    let error = match settings.admin.listen.map(http::bind).transpose() {
        Ok(bound) => return Ok(bound),
        Err(error) => error,
    };
    // Another Mynah on this data directory also has the port, and is the more useful error.
    Err(match crate::ledger::usable(&settings.place()) {
        Err(in_use) => Failure::Work(in_use.to_string()),
        Ok(()) => Failure::Work(error.to_string()),
    })
}

/// Starts the admin API, once this process holds the ledger's lock.
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
