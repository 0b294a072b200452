//! `mynah actors`: where every actor of the running service stands; `mynah actors restart NAME` has one built anew, after
//! it has finished what it has in hand.

use clap::{Args, Subcommand};
use log::LevelFilter;
use serde_json::{Value, json};

use super::{Failure, SettingsArgs, reach, say, table};
use crate::{
    control::wire::Actors,
    settings::Settings,
    telemetry::logging::{self, LogFormat, Stream},
};

#[derive(Debug, Args)]
pub(super) struct ActorsArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Have an actor built anew, after it has finished what it has in hand
    Restart {
        /// Its name, as `mynah actors` shows it
        name: String,
    },
}

pub(super) async fn actors(args: &ActorsArgs, settings: &Settings) -> Result<(), Failure> {
    logging::init(LevelFilter::Error, Stream::Stderr, LogFormat::default());
    let Some(service) = reach::service(settings)? else {
        return Err(Failure::Work(format!(
            "no service runs on {}; `mynah run` starts one",
            settings.data_dir.display()
        )));
    };
    if let Some(Action::Restart { name }) = &args.action {
        let _: Value = service.post(service.url(&["api", "actors", name, "restart"]), &json!({})).await?;
        say(format_args!("{name} is restarted, after it has finished what it has in hand"));
        return Ok(());
    }
    let standing: Actors = service.get(service.url(&["api", "actors"])).await?;
    if args.json {
        say(json!(standing));
        return Ok(());
    }
    let rows = standing.actors.into_iter().map(|actor| {
        let in_hand = actor.in_hand.map_or_else(|| "?".into(), |jobs| jobs.to_string());
        let progress = format!("{} s ago", actor.last_progress_seconds_ago);
        [actor.name, actor.state, actor.restarts.to_string(), actor.mailbox.to_string(), in_hand, progress]
    });
    table::print(["ACTOR", "STATE", "RESTARTS", "MAILBOX", "IN HAND", "LAST PROGRESS"], rows);
    Ok(())
}
