//! `mynah reload`: the running service reads its settings, keys and glossaries anew, from where it read them when it was
//! started. With a mistake in them nothing changes, and the mistake is told.

use clap::Args;
use serde_json::json;

use super::{Failure, SettingsArgs, reach, say, say_json};
use crate::{
    control::wire::{Reloaded, SettingChange},
    settings::Settings,
    telemetry::logging::{self, printable},
};

#[derive(Debug, Args)]
pub(super) struct ReloadArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

pub(super) async fn reload(args: &ReloadArgs, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let service = reach::running(settings)?;
    let reloaded: Reloaded = service.post(service.url(&["api", "reload"]), &json!({})).await?;
    if args.json {
        say_json(&json!(reloaded));
        return Ok(());
    }
    if reloaded.changed.is_empty() && reloaded.after_restart.is_empty() {
        say("no setting differs; keys and glossaries are read anew");
    }
    tell("in force now:", &reloaded.changed);
    tell("in force with the next start only:", &reloaded.after_restart);
    Ok(())
}

fn tell(when: &str, changes: &[SettingChange]) {
    if !changes.is_empty() {
        say(when);
    }
    for SettingChange { key, before, after } in changes {
        say(format_args!("  {key}: {} → {}", printable(before), printable(after)));
    }
}
