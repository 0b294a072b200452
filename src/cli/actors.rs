//! `mynah actors`: where every actor of the running service stands; `mynah actors restart NAME` has one built anew, after
//! it has finished what it has in hand, and `mynah actors resize translator N` has more or fewer of them work.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Failure, SettingsArgs, reach, say, say_json, table};
use crate::{
    control::wire::{Actors, PoolSize, Resized},
    settings::Settings,
    telemetry::logging::{self},
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
    /// Have more or fewer translators work; whoever goes finishes what it has in hand
    Resize {
        /// Which pool
        #[arg(value_enum)]
        pool: Pool,
        /// How many of them, 1 to 256
        #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
        size: u16,
    },
}

/// The pools there are.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Pool {
    Translator,
}

pub(super) async fn actors(args: &ActorsArgs, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let service = reach::running(settings)?;
    match &args.action {
        None => {}
        Some(Action::Restart { name }) => {
            let _: Value = service.post(service.url(&["api", "actors", name, "restart"]), &json!({})).await?;
            say(format_args!("{name} is restarted, after it has finished what it has in hand"));
            return Ok(());
        }
        Some(Action::Resize { pool: Pool::Translator, size }) => {
            let url = service.url(&["api", "pool", "translator"]);
            let resized: Resized = service.post(url, &PoolSize { size: *size }).await?;
            say(format_args!(
                "{} translators, where there were {}; until the next start: keep it with translator.pool_size",
                resized.size, resized.before
            ));
            return Ok(());
        }
    }
    let standing: Actors = service.get(service.url(&["api", "actors"])).await?;
    if args.json {
        say_json(&json!(standing));
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
