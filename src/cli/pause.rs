//! `mynah pause` and `mynah resume`: polling, or publishing on a target. Without a word of what, both show what is paused.

use clap::Args;
use mynah_actors::pauses;
use mynah_domain::ports::Facts;
use serde_json::json;

use super::{
    Failure, SettingsArgs,
    reach::{self, Reach},
    say_json, table,
};
use crate::{
    app,
    control::{
        names,
        wire::{Pause, Pauses},
    },
    settings::Settings,
    telemetry::logging::{self},
};

#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    /// `poller`, a target (`x:example_es` or its account), or `all`; without it, what is paused is shown
    what: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Pause,
    Resume,
}

pub(super) async fn pause(args: &PauseArgs, wish: Wish, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let (standing, runs) = match (reach::reach(settings)?, &args.what) {
        (Reach::Service(service), None) => (service.get(service.url(&["api", "pauses"])).await?, true),
        (Reach::Service(service), Some(what)) => {
            let path: &[&str] = match wish {
                Wish::Pause => &["api", "pauses", what],
                Wish::Resume => &["api", "pauses", what, "resume"],
            };
            (service.post(service.url(path), &json!({})).await?, true)
        }
        (Reach::Ledger(ledger), what) => (on_ledger(&*ledger, what.as_deref(), wish, settings).await?, false),
    };
    if args.json {
        say_json(&json!(standing));
        return Ok(());
    }
    let rows = standing.pauses.into_iter().map(|pause| {
        let state = match (pause.paused, &pause.blocked) {
            (true, _) => "paused",
            (false, Some(_)) => "blocked",
            (false, None) if runs => "goes on",
            (false, None) => "goes on with the next start",
        };
        [pause.what, state.to_owned(), pause.blocked.unwrap_or_default()]
    });
    table::print(["WHAT", "STATE", "REASON"], rows);
    Ok(())
}

async fn on_ledger(
    ledger: &dyn Facts,
    what: Option<&str>,
    wish: Wish,
    settings: &Settings,
) -> Result<Pauses, Failure> {
    let targets = reach::targets(settings);
    let told = |error: &dyn std::fmt::Display| Failure::Work(error.to_string());
    if let Some(what) = what {
        for what in names::pausable(what, &targets).map_err(|error| told(&error))? {
            pauses::note(ledger, &what, wish == Wish::Pause).await.map_err(|error| told(&error))?;
        }
    }
    let all = app::pausable(&targets);
    let paused = pauses::recall(ledger, all.clone()).await.map_err(|error| told(&error))?;
    let standing = all.into_iter().map(|what| Pause {
        paused: paused.contains(&what),
        what: what.to_string(),
        blocked: None,
    });
    Ok(Pauses { pauses: standing.collect() })
}
