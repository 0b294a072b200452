//! What a person types. One file a command; the exit code is 0 for done, 1 for failed while working, 2 for wrong usage
//! or settings.

mod actors;
mod benchmark;
mod check;
mod demo;
mod health;
mod jobs;
mod logs;
mod once;
mod pause;
mod performance;
mod preview;
mod reach;
mod reload;
mod run;
mod sandbox;
mod scratch;
mod signals;
mod summary;
mod table;

use std::{fmt, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use pause::Wish;

use crate::{
    permissions,
    settings::{self, Needed, Settings, SettingsError, SettingsSources},
    telemetry::outside::{self, printable_lines},
};

const EXAMPLES: &str = "\
Examples:
  mynah demo                                  see it work, with everything on this machine
  mynah check                                 are the settings, keys and services right?
  echo 'Good morning!' | mynah preview        what would be said, at what length and price
  mynah once                                  say what is there now, then exit
  mynah run                                   go on until stopped
  mynah pause example_es                      silence an account; resume lets it go on
  mynah actors resize translator 8            more translators, at once
  mynah logs --follow                         what it says while it works
  mynah reload                                take up changed settings without a stop
  mynah jobs --state held,failed              what waits for you
  mynah sandbox --timeline posts.txt --write sandbox
  mynah once --config sandbox/config.toml --env-file sandbox/secrets.env

Exit codes: 0 done, 1 failed while working, 2 wrong usage or settings.";

/// Follows an account and says its posts again in other languages, each on an account of its own.
#[derive(Debug, Parser)]
#[command(name = "mynah", version, about, after_help = EXAMPLES, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the source until stopped
    Run(SettingsArgs),
    /// Say what is there now, then exit
    Once(SettingsArgs),
    /// Check settings, keys and services, and tell all problems at once
    Check(CheckArgs),
    /// Show what would be said of a text or a post, at what length and price
    Preview(preview::PreviewArgs),
    /// Show how fast and how well the service works
    Performance(performance::PerformanceArgs),
    /// Show the last events of the running service, and with --follow those that come
    Logs(logs::LogsArgs),
    /// Say a small timeline again in three languages, with everything on this machine
    Demo(demo::DemoArgs),
    /// Measure how fast this machine says posts again, and what that costs
    Benchmark(benchmark::BenchmarkArgs),
    /// Serve stand-ins for X and Gemini on this machine
    Sandbox(sandbox::SandboxArgs),
    /// Show the running service's actors, restart one, or resize the translators
    Actors(actors::ActorsArgs),
    /// Have the running service read its settings and glossaries anew
    Reload(reload::ReloadArgs),
    /// Pause polling or a target; without a word, show what is paused
    Pause(pause::PauseArgs),
    /// Let go on what was paused, or what was blocked and is mended
    Resume(pause::PauseArgs),
    /// List jobs, and retry or skip what is held or failed
    Jobs(jobs::JobsArgs),
    /// Ask whether a running service is well: exit code 0 if it is (for containers)
    Health(SettingsArgs),
}

/// Where settings come from.
#[derive(Debug, Clone, Args)]
struct SettingsArgs {
    /// The settings file
    #[arg(long, short, global = true, env = "MYNAH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, over file and environment; may be given often
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
    /// Reads environment variables from a file of NAME=VALUE lines; the real environment goes first
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
struct CheckArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Only look at the settings; call no service
    #[arg(long)]
    offline: bool,
}

/// A command did not do what it was for.
#[derive(Debug)]
enum Failure {
    /// The settings or the usage are wrong: exit code 2.
    Usage(String),
    /// It failed while working: exit code 1.
    Work(String),
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Work(message) => f.write_str(message),
        }
    }
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    permissions::make_files_private();
    // For the chaos suite: what `FAILPOINTS` orders holds for as long as this lives.
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    crate::http_client::install_crypto_provider();
    let system = actix_rt::System::new();
    let result = system.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(&args).await,
            Command::Once(args) => once::once(&args.load()?).await,
            Command::Check(args) => check::check(&args, &args.settings.load()?).await,
            Command::Preview(args) => {
                let settings = args.settings.load_for(args.needed())?;
                preview::preview(&args, &settings).await
            }
            Command::Performance(args) => {
                performance::performance(&args, &args.settings.load_for(Needed::Nothing)?).await
            }
            Command::Logs(args) => logs::logs(&args, &args.settings.load_for(Needed::Nothing)?).await,
            Command::Demo(args) => demo::demo(args).await,
            Command::Benchmark(args) => benchmark::benchmark(args).await,
            Command::Sandbox(args) => sandbox::sandbox(args).await,
            Command::Actors(args) => actors::actors(&args, &args.settings.load_for(Needed::Nothing)?).await,
            Command::Reload(args) => reload::reload(&args, &args.settings.load_for(Needed::Nothing)?).await,
            Command::Pause(args) => {
                pause::pause(&args, Wish::Pause, &args.settings.load_for(Needed::Nothing)?).await
            }
            Command::Resume(args) => {
                pause::pause(&args, Wish::Resume, &args.settings.load_for(Needed::Nothing)?).await
            }
            Command::Jobs(args) => {
                let settings = args.settings.load_for(Needed::Nothing)?;
                jobs::jobs(args, &settings).await
            }
            Command::Health(args) => health::health(&args.load_for(Needed::Nothing)?),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say_error(&failure);
            ExitCode::from(match failure {
                Failure::Usage(_) => 2,
                Failure::Work(_) => 1,
            })
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the last word of a command goes to whoever typed it, whatever the log level"
)]
fn say_error(failure: &Failure) {
    // It may repeat what others answered.
    eprintln!("mynah: {}", printable_lines(&failure.to_string()));
}

/// Writes a line for whoever typed the command. A reader that left is no error.
fn say(line: impl fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes JSON for whoever typed the command; a terminal obeys nothing in it.
fn say_json(value: &serde_json::Value) {
    say(outside::json(value));
}

impl SettingsArgs {
    fn load(&self) -> Result<Settings, Failure> {
        self.load_for(Needed::All)
    }

    fn load_for(&self, needed: Needed) -> Result<Settings, Failure> {
        let mut env = match &self.env_file {
            Some(file) => read_env_file(file)?,
            None => std::collections::HashMap::new(),
        };
        env.extend(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        let sources = SettingsSources {
            file: self.config.clone(),
            env,
            overrides: self.overrides.clone(),
            needed,
            ..SettingsSources::default()
        };
        Ok(settings::load(&sources)?)
    }
}

/// Lines of `NAME=VALUE`, with or without `export`; `#` begins a comment line.
fn read_env_file(file: &std::path::Path) -> Result<std::collections::HashMap<String, String>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::Usage(format!("--env-file {}: {error}; name a file of NAME=VALUE lines", file.display()))
    })?;
    let lines = (1..).zip(text.lines().map(str::trim));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            let line = line.strip_prefix("export ").unwrap_or(line);
            // The value is not shown: it may be a secret.
            let (name, value) = line.split_once('=').ok_or_else(|| {
                let place = file.display();
                Failure::Usage(format!(
                    "{place}:{number}: this is no NAME=VALUE line; write one, or `#` before it"
                ))
            })?;
            let value = value.trim();
            let bare =
                ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
            Ok((name.trim().to_owned(), bare.to_owned()))
        })
        .collect()
}
