//! `mynah logs` shows the latest log events of the running service, and new ones with `--follow`, wherever its standard
//! output goes.

use std::io::IsTerminal as _;

use clap::Args;
use futures_util::StreamExt as _;

use super::{Failure, output, print_json, print_line, reach};
use crate::{
    settings::Settings,
    telemetry::{
        digest::StatsDigest,
        events::Event,
        logging::{self, event_of, json_line, text_line},
    },
};

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Keep showing new events until the service ends or you press Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// How many of the latest events to show first, at most 256
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 256)]
    last: usize,
    /// Also show the measurements that the service logs every `stats.interval`
    #[arg(long)]
    stats: bool,
}

pub(super) async fn logs(args: &LogsArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let service = reach::running(settings)?;
    let mut url = service.url(&["events"]);
    url.query_pairs_mut()
        .append_pair("follow", &args.follow.to_string())
        .append_pair("last", &args.last.to_string())
        .append_pair("stats", &args.stats.to_string());
    let mut chunks = service.stream(url).await?;
    let mut digest = StatsDigest::default();
    let is_short = !json && std::io::stdout().is_terminal();
    let mut print = |data: &str| {
        let event = event_of(data).map(|event| if is_short { digest.shorten(event) } else { event });
        print_event(data, event, json);
    };
    let mut rest = Vec::new();
    while !output::is_closed()
        && let Some(chunk) = chunks.next().await
    {
        // The service has ended.
        let Ok(chunk) = chunk else { break };
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(data) = line.trim_end().strip_prefix("data: ") {
                print(data);
            }
        }
    }
    Ok(())
}

fn print_event(data: &str, event: Option<Event>, json: bool) {
    match event {
        Some(event) if json => print_json(&json_line(&event)),
        Some(event) => print_line(text_line(&event)),
        // The number of events that were missed because this client was slow.
        None if json => print_json(&serde_json::json!({"missed": data.parse::<u64>().ok()})),
        None => print_line(format_args!("… {} events missed", data.chars().take(20).collect::<String>())),
    }
}
