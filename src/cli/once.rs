//! `mynah once` publishes everything that is waiting, then exits. For cron, and for a first try.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use log::LevelFilter;
use mynah_actors::{
    events::{Event, Feed},
    poller::Polled,
    router::Drain,
};
use tokio::sync::mpsc;

use super::{
    Failure, print_json, print_line,
    signals::Signals,
    summary::{Polls, Summary},
};
use crate::{
    app::service::{Polling, Service, Watch},
    settings::Settings,
    telemetry::logging::{self, ModuleLevel, Stream},
};

pub(super) async fn once(settings: &Settings, json: bool) -> Result<(), Failure> {
    let bar = bar();
    // Log lines would break the progress bar.
    let level = if bar.is_hidden() { settings.log.level } else { settings.log.level.min(LevelFilter::Warn) };
    logging::init(level, &modules(settings), Stream::Stderr, settings.log.format);
    let started = Instant::now();
    let mut expected = 0;
    let outcome = publish_all(settings, |event, summary| {
        if let Event::Recorded(_, jobs, _) = event {
            expected += jobs.iter().filter(|(_, skip)| skip.is_none()).count() as u64;
            bar.set_length(expected.max(summary.settled()));
        }
        bar.set_position(summary.settled());
    })
    .await;
    bar.finish_and_clear();
    let summary = outcome?;
    if json {
        print_json(&summary.to_json(started.elapsed()));
    } else {
        print_line(summary.report(started.elapsed()));
    }
    summary.trouble().map_or(Ok(()), |trouble| Err(Failure::Work(trouble)))
}

/// Every run starts and stops all actors, which is worth no line in a mail from cron unless a person asks for it.
fn modules(settings: &Settings) -> Vec<ModuleLevel> {
    let routine = (settings.log.level == LevelFilter::Info)
        .then_some(ModuleLevel { module: "supervision", level: LevelFilter::Warn });
    // Of two levels for a module, the later applies.
    routine.into_iter().chain(settings.log.modules.iter().cloned()).collect()
}

/// Runs the pipeline until everything that can be published now is published. `watch` sees every event.
pub(super) async fn publish_all(
    settings: &Settings,
    mut watch: impl FnMut(&Event, &Summary),
) -> Result<Summary, Failure> {
    let (feed, mut events) = Feed::watched();
    let (polls, mut polled) = mpsc::unbounded_channel();
    let mut service = Service::start(settings, Polling::Once, Watch { feed, polls: Some(polls) })
        .await
        .map_err(Failure::Work)?;
    let mut signals = Signals::new()?;
    let mut summary = Summary::default();
    let router = service.pipeline.actors.router.clone();
    let mut see = |event: Event, summary: &mut Summary| {
        summary.count(&event);
        watch(&event, summary);
    };

    let alone = service.until_alone();
    let drained = async {
        alone.await.map_err(Failure::Work)?;
        let mut polls = Polls::default();
        for _ in &settings.sources {
            let Some((source, ended)) = polled.recv().await else {
                return Err(Failure::Work("a poller ended before its first poll".into()));
            };
            match ended {
                // If there is no other source, there is nothing new to publish.
                Polled::Failed(error) if settings.sources.len() == 1 => {
                    return Err(Failure::Work(error.to_string()));
                }
                ended => polls.add(source, ended),
            }
        }
        // Jobs on record are published, whatever became of the polls; the summary reports it.
        Ok((router.ask_until_answered(Drain).await, polls))
    };
    tokio::pin!(drained);
    let result = loop {
        tokio::select! {
            Some(event) = events.recv() => see(event, &mut summary),
            left = &mut drained => break match left {
                Ok((left, polls)) => service.unresolved().await.map(|unresolved| {
                    summary.finish(left, polls, unresolved);
                }).map_err(|error| Failure::Work(error.to_string())),
                Err(failure) => Err(failure),
            },
            reason = service.ended() => break Err(Failure::Work(reason)),
            signal = signals.next() => {
                break Err(Failure::Work(format!("stopped by {signal}; nothing is lost, and the next run continues")));
            }
        }
    };
    // The next start recovers unfinished work from the ledger.
    let ended = tokio::time::timeout(settings.shutdown.grace, service.stop()).await;
    if ended.is_err() {
        log::warn!("shutdown grace exceeded");
    }
    while let Ok(event) = events.try_recv() {
        see(event, &mut summary);
    }
    result.map(|()| summary)
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    // The library accepts this constant template.
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} done, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
