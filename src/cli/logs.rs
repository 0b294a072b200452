//! `mynah logs`: the last events of the running service, and with `--follow` those that come, wherever its standard output
//! goes.

use clap::Args;
use futures_util::StreamExt as _;

use super::{Failure, SettingsArgs, reach, say, say_json};
use crate::{
    settings::Settings,
    telemetry::logging::{self, event_of, json_line, text_line},
};

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Go on with what comes, until the service ends or Ctrl-C is pressed
    #[arg(long, short)]
    follow: bool,
    /// How many of the last events to begin with; 256 are kept
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 256)]
    last: usize,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

pub(super) async fn logs(args: &LogsArgs, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let service = reach::running(settings)?;
    let mut url = service.url(&["events"]);
    url.query_pairs_mut()
        .append_pair("follow", &args.follow.to_string())
        .append_pair("last", &args.last.to_string());
    let mut chunks = service.stream(url).await?;
    let mut rest = Vec::new();
    while let Some(chunk) = chunks.next().await {
        // The service has ended, and the stream with it.
        let Ok(chunk) = chunk else { break };
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(data) = line.trim_end().strip_prefix("data: ") {
                tell(data, args.json);
            }
        }
    }
    Ok(())
}

fn tell(data: &str, json: bool) {
    match event_of(data) {
        Some(event) if json => say_json(&json_line(&event)),
        Some(event) => say(text_line(&event)),
        // A number: so many came while this one was slow.
        None => say(format_args!("… {} events were passed over", data.chars().take(20).collect::<String>())),
    }
}
