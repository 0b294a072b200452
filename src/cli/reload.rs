//! `mynah reload` makes the running service read its settings, keys and glossaries again, from where it read them at
//! the start. If they have a mistake, the command reports it and nothing changes.

use serde_json::json;

use super::{Failure, print_json, print_line, reach};
use crate::{
    control::wire::{Reloaded, SettingChange},
    settings::Settings,
    telemetry::logging::{self, printable},
};

pub(super) async fn reload(json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let service = reach::running(settings)?;
    let reloaded: Reloaded = service.post(service.url(&["api", "reload"]), &json!({})).await?;
    if json {
        print_json(&json!(reloaded));
        return Ok(());
    }
    if reloaded.changed.is_empty() && reloaded.after_restart.is_empty() {
        print_line("no setting changed; keys and glossaries were reloaded");
    }
    print_changes("in force now:", &reloaded.changed);
    print_changes("in force from the next start:", &reloaded.after_restart);
    Ok(())
}

fn print_changes(when: &str, changes: &[SettingChange]) {
    if !changes.is_empty() {
        print_line(when);
    }
    for SettingChange { key, before, after } in changes {
        print_line(format_args!("  {key}: {} → {}", printable(before), printable(after)));
    }
}
