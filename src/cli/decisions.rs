//! `mynah decisions` shows who decided what. It uses the running service, or its ledger if no service is running.

use clap::Args;
use serde_json::json;

use super::{Failure, jobs, print_json, print_line, reach::Reach, table};
use crate::{
    control::{
        PAGE, people,
        wire::{Decision, Decisions, DecisionsQuery},
    },
    settings::Settings,
    telemetry::logging,
};

#[derive(Debug, Args)]
pub(super) struct DecisionsArgs {
    /// The maximum number of decisions to show
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
    /// Only decisions before this one, to continue the previous list
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
}

pub(super) async fn decisions(args: &DecisionsArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let reach = jobs::reach(settings).await?;
    let mut all = Decisions { decisions: Vec::new(), next: args.before };
    while all.decisions.len() < args.limit {
        let limit = (args.limit - all.decisions.len()).min(PAGE);
        let page = page(&reach, DecisionsQuery { limit: Some(limit), before: all.next }).await?;
        all.decisions.extend(page.decisions);
        all.next = page.next;
        if all.next.is_none() {
            break;
        }
    }
    if json {
        print_json(&json!(all));
        return Ok(());
    }
    if all.decisions.is_empty() {
        print_line("nobody has decided anything yet");
        return Ok(());
    }
    table::print(["NUMBER", "WHEN", "WHO", "WHAT", "JOB", "ABOUT"], all.decisions.into_iter().map(row));
    if let Some(next) = all.next {
        print_line(format_args!("There are more: use --before {next} to continue, or a larger --limit."));
    }
    Ok(())
}

async fn page(reach: &Reach, query: DecisionsQuery) -> Result<Decisions, Failure> {
    match reach {
        Reach::Service(service) => {
            let mut url = service.url(&["api", "decisions"]);
            for (name, value) in [
                ("limit", query.limit.map(|limit| limit.to_string())),
                ("before", query.before.map(|at| at.to_string())),
            ] {
                if let Some(value) = value {
                    url.query_pairs_mut().append_pair(name, &value);
                }
            }
            service.get(url).await
        }
        Reach::Ledger(ledger) => {
            people::decisions(&**ledger, &query).await.map_err(|error| Failure::Work(error.to_string()))
        }
    }
}

fn row(Decision { number, at, who, action, job, subject, detail }: Decision) -> [String; 6] {
    let about = if detail.is_empty() { subject } else { format!("{subject}: {detail}") };
    [
        number.to_string(),
        format!("{at:.0}"),
        who.unwrap_or_else(|| "unknown".into()),
        action,
        job.map(|job| job.to_string()).unwrap_or_default(),
        about,
    ]
}
