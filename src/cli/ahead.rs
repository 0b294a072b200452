//! `mynah ahead` lists what waits to be published in the coming week, in the order in which it may go on, and what each job
//! waits for. It uses the running service, or its ledger if no service is running.

use clap::Args;
use jiff::Timestamp;
use mynah_actors::pauses::{self, Paused};
use serde_json::json;

use super::{Failure, jobs, print_json, print_line, reach::Reach, table};
use crate::{
    control::{
        ahead::{Stopped, ahead},
        configured::{Configured, ConfiguredTarget},
        wire::{Ahead, AheadJob},
    },
    settings::Settings,
    telemetry::logging,
};

#[derive(Debug, Args)]
pub(super) struct AheadArgs {
    /// Only jobs of this target: its id, such as `x:example_es`, or its account
    #[arg(long)]
    target: Option<String>,
    /// Only jobs of this source: its name, its id, such as `x:example`, or its account
    #[arg(long)]
    source: Option<String>,
}

pub(super) async fn show(args: &AheadArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let ahead = read(args, settings).await?;
    if json {
        print_json(&json!(ahead));
        return Ok(());
    }
    if ahead.jobs.is_empty() {
        print_line("nothing waits");
    } else {
        table::print(["AT", "WAITS FOR", "TARGET", "JOB", "STATE", "POST"], ahead.jobs.iter().map(row));
    }
    if ahead.later > 0 {
        print_line(format_args!("{} more wait longer than a week.", ahead.later));
    }
    if ahead.more {
        print_line("A line has more jobs than are listed; `mynah jobs` lists all of them.");
    }
    Ok(())
}

async fn read(AheadArgs { target, source }: &AheadArgs, settings: &Settings) -> Result<Ahead, Failure> {
    match jobs::reach(settings).await? {
        Reach::Service(service) => {
            let mut url = service.url(&["api", "ahead"]);
            let chosen = [("target", target), ("source", source)];
            let chosen = chosen.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
            url.query_pairs_mut().extend_pairs(chosen);
            service.get(url).await
        }
        Reach::Ledger(ledger) => {
            let failed = |error: &dyn std::fmt::Display| Failure::Work(error.to_string());
            let Configured { mut targets, names, .. } = Configured::of(settings, &[]);
            let chosen =
                names.chosen(target.as_deref(), source.as_deref()).map_err(|error| failed(&error))?;
            targets.retain(|target| chosen.is_empty() || chosen.contains(&target.id));
            let paused = pauses::recall(&*ledger, names.pausable()).await.map_err(|error| failed(&error))?;
            let stopped = |target: &ConfiguredTarget| {
                paused.contains(&Paused::Target(target.id.clone())).then_some(Stopped::Paused)
            };
            let ahead = ahead(&*ledger, &targets, stopped, Timestamp::now()).await;
            ahead.map_err(|error| failed(&error))
        }
    }
}

fn row(job: &AheadJob) -> [String; 6] {
    let at = match (job.at, &job.waits_for) {
        (Some(_), None) => "now".to_owned(),
        (Some(at), Some(_)) => format!("{at:.0}"),
        (None, _) => "-".to_owned(),
    };
    let waits_for = job.waits_for.clone().unwrap_or_default();
    [at, waits_for, job.target.clone(), job.id.to_string(), job.state.to_string(), jobs::excerpt(&job.text)]
}
