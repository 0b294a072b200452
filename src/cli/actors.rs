//! `mynah actors` shows the state of every actor of the running service. `mynah actors restart NAME` restarts one after
//! it finishes its work in progress, and `mynah actors resize translator N` changes the number of translators.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Failure, print_json, print_line, reach, table};
use crate::{
    control::wire::{Actors, PoolSize, Resized},
    settings::Settings,
    telemetry::logging::{self},
};

#[derive(Debug, Args)]
pub(super) struct ActorsArgs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Restart an actor after it finishes its work in progress
    Restart {
        /// Its name, as `mynah actors` shows it
        name: String,
    },
    /// Change the number of translators; those that stop finish their work first
    Resize {
        /// The pool
        #[arg(value_enum)]
        pool: Pool,
        /// The new number of translators, 1 to 256
        #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
        size: u16,
    },
}

/// The pools that can be resized.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Pool {
    Translator,
}

pub(super) async fn actors(args: &ActorsArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let service = reach::running(settings)?;
    match &args.action {
        None => {}
        Some(Action::Restart { name }) => {
            let answer: Value =
                service.post(service.url(&["api", "actors", name, "restart"]), &json!({})).await?;
            if json {
                print_json(&answer);
            } else {
                print_line(format_args!("{name} restarts after it finishes its work in progress"));
            }
            return Ok(());
        }
        Some(Action::Resize { pool: Pool::Translator, size }) => {
            let url = service.url(&["api", "pool", "translator"]);
            let resized: Resized = service.post(url, &PoolSize { size: *size }).await?;
            if json {
                print_json(&json!(resized));
                return Ok(());
            }
            print_line(format_args!(
                "{} translators, previously {}; set translator.pool_size to keep this after a restart",
                resized.size, resized.before
            ));
            return Ok(());
        }
    }
    let actors: Actors = service.get(service.url(&["api", "actors"])).await?;
    if json {
        print_json(&json!(actors));
        return Ok(());
    }
    let rows = actors.actors.into_iter().map(|actor| {
        let in_progress = actor.in_hand.map_or_else(|| "?".into(), |jobs| jobs.to_string());
        let progress = format!("{} s ago", actor.last_progress_seconds_ago);
        [
            actor.name,
            actor.state,
            actor.restarts.to_string(),
            actor.mailbox.to_string(),
            in_progress,
            progress,
        ]
    });
    table::print(["ACTOR", "STATE", "RESTARTS", "MAILBOX", "IN PROGRESS", "LAST PROGRESS"], rows);
    Ok(())
}
