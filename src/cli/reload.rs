//! `mynah reload` makes the running service read its settings, keys and glossaries again, from where it read them at
//! the start. If they have a mistake, the command reports it and nothing changes.

use serde_json::json;

use super::{Failure, print_json, print_line, reach};
use crate::{
    control::wire::{Reloaded, SecretChange, SettingChange},
    settings::Settings,
    telemetry::logging::{self, printable},
};

pub(super) async fn reload(json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let service = reach::running(settings)?;
    let reloaded: Reloaded = service.post(service.url(&["api", "reload"]), &json!({})).await?;
    if json {
        print_json(&json!(reloaded));
        return refused(&reloaded.secrets);
    }
    if reloaded.changed.is_empty() && reloaded.after_restart.is_empty() && reloaded.secrets.is_empty() {
        print_line("no setting and no key changed; glossaries were reloaded");
    }
    print_changes("in force now:", &reloaded.changed);
    print_changes("in force from the next start:", &reloaded.after_restart);
    for SecretChange { name, in_force, found, .. } in &reloaded.secrets {
        let found = match found.as_slice() {
            _ if !in_force => "in force from the next start".to_owned(),
            [] => "nobody uses it".to_owned(),
            found => found.join("; "),
        };
        print_line(format_args!("{name} changed; {}", printable(&found)));
    }
    refused(&reloaded.secrets)
}

fn print_changes(when: &str, changes: &[SettingChange]) {
    if !changes.is_empty() {
        print_line(when);
    }
    for SettingChange { key, before, after } in changes {
        print_line(format_args!("  {key}: {} → {}", printable(before), printable(after)));
    }
}

/// The new settings are in force, but a script must notice that a key does not work.
fn refused(secrets: &[SecretChange]) -> Result<(), Failure> {
    let refused = secrets.iter().filter(|secret| secret.works == Some(false));
    let refused: Vec<&str> = refused.map(|secret| secret.name.as_str()).collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::Work(format!(
        "the new settings are in force, but {} does not work; correct it and reload again",
        refused.join(", ")
    )))
}
