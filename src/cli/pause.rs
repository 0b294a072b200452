//! `mynah pause` and `mynah resume` pause and resume polling, of all sources or of one, or publishing on a target. Without an argument, both show
//! what is paused.

use clap::Args;
use mynah_actors::pauses;
use mynah_domain::ports::Ledger;
use serde_json::json;

use super::{
    Failure, print_json, print_line,
    reach::{self, Reach},
    table, users,
};
use crate::{
    control::{
        names::Names,
        wire::{Pause, Pauses, Tried},
    },
    settings::Settings,
    telemetry::logging::{self, printable},
};

#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    /// `poller` (all sources), a source (its name or account), a target (`x:example_es` or its account), or `all`; without
    /// it, show what is paused
    what: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Pause,
    Resume,
}

pub(super) async fn pause(
    args: &PauseArgs,
    action: Action,
    json: bool,
    settings: &Settings,
) -> Result<(), Failure> {
    logging::init_for_command();
    let (pauses, is_running) = match (reach::reach(settings).await?, &args.what) {
        (Reach::Service(service), None) => (service.get(service.url(&["api", "pauses"])).await?, true),
        (Reach::Service(service), Some(what)) => {
            let path: &[&str] = match action {
                Action::Pause => &["api", "pauses", what],
                Action::Resume => &["api", "pauses", what, "resume"],
            };
            (service.post(service.url(path), &json!({})).await?, true)
        }
        (Reach::Ledger(ledger), what) => {
            (on_ledger(&*ledger, what.as_deref(), action, settings).await?, false)
        }
    };
    if json {
        print_json(&json!(pauses));
        return refused(&pauses.tried);
    }
    for Tried { what, found, .. } in &pauses.tried {
        print_line(format_args!("{what}: {}", printable(found)));
    }
    let refused = refused(&pauses.tried);
    let rows = pauses.pauses.into_iter().map(|pause| {
        let state = match (pause.paused, &pause.blocked) {
            (_, Some(_)) => "blocked",
            (true, None) => "paused",
            (false, None) if is_running => "running",
            (false, None) => "runs from the next start",
        };
        [pause.what, state.to_owned(), pause.blocked.unwrap_or_default()]
    });
    table::print(["WHAT", "STATE", "REASON"], rows);
    refused
}

/// An account whose credentials are refused stays blocked, which is a failure of the resume.
fn refused(tried: &[Tried]) -> Result<(), Failure> {
    let refused = tried.iter().filter(|tried| tried.works == Some(false));
    let refused: Vec<&str> = refused.map(|tried| tried.what.as_str()).collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::Work(format!("blocked: {}; fix the reason, then run this again", refused.join(", "))))
}

async fn on_ledger(
    ledger: &dyn Ledger,
    what: Option<&str>,
    action: Action,
    settings: &Settings,
) -> Result<Pauses, Failure> {
    let names = Names::of(settings);
    let failed = |error: &dyn std::fmt::Display| Failure::Work(error.to_string());
    if let Some(what) = what {
        let author = users::author();
        for what in names.to_pause(what).map_err(|error| failed(&error))? {
            pauses::note(ledger, &what, action == Action::Pause, &author)
                .await
                .map_err(|error| failed(&error))?;
        }
    }
    let all = names.pausable();
    let paused = pauses::recall(ledger, all.clone()).await.map_err(|error| failed(&error))?;
    let listed = all.into_iter().map(|what| Pause {
        paused: paused.contains(&what),
        what: what.to_string(),
        blocked: None,
    });
    Ok(Pauses { pauses: listed.collect(), tried: Vec::new() })
}
