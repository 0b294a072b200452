//! `mynah alerts` shows what is wrong and what was sent about it; `mynah alerts test` shows whether the receivers work.

use clap::{Args, Subcommand};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::json;

use super::{
    Failure, print_json, print_line,
    reach::{self, Reach},
    table,
};
use crate::{
    alerts::{
        AlertsSettings,
        message::Message,
        receivers::{self, NotDelivered},
        report_of_ledger,
        settings::Shape,
    },
    control::wire::{Alert, AlertReceiver, Alerts},
    settings::Settings,
    telemetry::logging::{self, printable},
};

#[derive(Debug, Args)]
pub(super) struct AlertsArgs {
    #[command(subcommand)]
    command: Option<AlertsCommand>,
}

#[derive(Debug, Subcommand)]
enum AlertsCommand {
    /// Send a message to each receiver, and show what each answered
    Test,
}

pub(super) async fn alerts(args: &AlertsArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    match args.command {
        None => list(json, settings).await,
        Some(AlertsCommand::Test) => test(json, &settings.alerts).await,
    }
}

async fn list(json: bool, settings: &Settings) -> Result<(), Failure> {
    let (seen, is_running): (Alerts, bool) = if settings.place().may_exist() {
        match reach::reach(settings).await? {
            Reach::Service(service) => (service.get(service.url(&["api", "alerts"])).await?, true),
            Reach::Ledger(ledger) => {
                let seen = report_of_ledger(&settings.alerts, &*ledger).await;
                (seen.map_err(|error| Failure::Work(error.to_string()))?, false)
            }
        }
    } else {
        // Before the first start there is no ledger, and looking must not create one.
        (Alerts { alerts: Vec::new(), receivers: names(&settings.alerts) }, false)
    };
    if json {
        print_json(&json!(seen));
    } else {
        show(&seen, is_running);
    }
    Ok(())
}

fn names(settings: &AlertsSettings) -> Vec<AlertReceiver> {
    let names = settings.receivers().into_iter();
    names.map(|name| AlertReceiver { name: name.to_owned(), trouble: None }).collect()
}

fn show(Alerts { alerts, receivers }: &Alerts, is_running: bool) {
    if alerts.is_empty() {
        let nothing = "nothing is on record; no service is running";
        print_line(if is_running { "nothing is wrong" } else { nothing });
    } else {
        table::print(["CAUSE", "ABOUT", "SEVERITY", "SINCE", "SENT TO", "WHAT"], alerts.iter().map(row));
    }
    print_line("");
    if receivers.is_empty() {
        print_line(format_args!("nobody is notified: {}", how_to_set_up()));
    }
    for AlertReceiver { name, trouble } in receivers {
        match trouble {
            None => print_line(format_args!("receiver {name}")),
            Some(why) => print_line(format_args!("receiver {name}: not reached: {}", printable(why))),
        }
    }
}

fn row(alert: &Alert) -> [String; 6] {
    let Alert { cause, about, severity, summary, since, over, sent, .. } = alert;
    let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
    let sent: Vec<&str> = sent.keys().map(String::as_str).collect();
    [
        cause.clone(),
        about.clone(),
        severity.as_str().to_owned(),
        since.map_or_else(|| "now".into(), minute),
        if sent.is_empty() { "nobody yet".into() } else { sent.join(", ") },
        if over.is_some() { format!("over: {summary}") } else { summary.clone() },
    ]
}

/// Which settings name receivers.
fn how_to_set_up() -> String {
    let variables: Vec<&str> = Shape::ALL.iter().map(|shape| shape.address_variable()).collect();
    format!("set {} or alerts.mail.server (docs/alerts.md)", variables.join(", "))
}

async fn test(json: bool, settings: &AlertsSettings) -> Result<(), Failure> {
    let receivers = receivers::all(settings);
    if receivers.is_empty() {
        return Err(Failure::Usage(format!("nobody is notified of what is wrong: {}", how_to_set_up())));
    }
    let message = Message::test(Timestamp::now());
    let outcomes = join_all(receivers.iter().map(|one| receivers::deliver(&**one, &message))).await;
    let tested: Vec<_> = receivers.iter().map(|one| one.name()).zip(outcomes).collect();
    if json {
        let receiver = |(name, outcome): &(&str, Result<String, NotDelivered>)| {
            let (ok, answer) = match outcome {
                Ok(answer) => (true, answer),
                Err(error) => (false, &error.reason),
            };
            json!({"name": name, "ok": ok, "answer": answer})
        };
        print_json(&json!({"receivers": tested.iter().map(receiver).collect::<Vec<_>>()}));
    } else {
        for (name, outcome) in &tested {
            match outcome {
                Ok(answer) => print_line(format_args!("ok    {name}: {}", printable(answer))),
                Err(error) => print_line(format_args!("FAIL  {name}: {}", printable(&error.reason))),
            }
        }
    }
    let failed: Vec<&str> =
        tested.iter().filter(|(_, outcome)| outcome.is_err()).map(|(name, _)| *name).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Work(format!("not reached: {}", failed.join(", "))))
}
