//! `mynah instances` shows which instances share the ledger, and what each of them works for.

use jiff::Timestamp;
use serde_json::json;

use super::{Failure, print_json, print_line, reach, table};
use crate::{
    control::wire::{Instance, Instances},
    settings::Settings,
    telemetry::logging::{self, printable},
};

pub(super) async fn instances(json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let service = reach::running(settings)?;
    let seen: Instances = service.get(service.url(&["api", "instances"])).await?;
    if json {
        print_json(&json!(seen));
    } else {
        show(&seen);
    }
    Ok(())
}

fn show(Instances { instances, unowned, trouble }: &Instances) {
    if let Some(why) = trouble {
        print_line(format_args!("as of the last answer: {}", printable(why)));
    }
    let rows = instances.iter().map(|instance| {
        let Instance { id, host, admin, version, started, asked, sources, accounts } = instance;
        let minutes = Timestamp::now().duration_since(*started).as_mins().max(0);
        [
            if *asked { format!("{id} (this one)") } else { id.clone() },
            host.clone(),
            version.clone(),
            format!("{minutes} min"),
            admin.clone().unwrap_or_else(|| "off".into()),
            list(sources),
            list(accounts),
        ]
    });
    table::print(["INSTANCE", "HOST", "VERSION", "UP", "ADMIN", "SOURCES", "ACCOUNTS"], rows);
    if !unowned.is_empty() {
        print_line(format_args!("without an owner: {}", unowned.join(", ")));
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
