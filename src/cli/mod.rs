//! The command line, one file per command. Exit codes: 0 done, 1 failed while working, 2 wrong usage or settings.

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
mod status;
mod summary;
mod table;

use std::{fmt, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use pause::Action;

use crate::{
    permissions,
    settings::{self, Needed, Settings, SettingsError, SettingsSources},
    telemetry::outside::{self, printable_lines},
};

const EXAMPLES: &str = "\
Examples:
  mynah demo                                  watch Mynah work, with everything on this machine
  mynah check                                 check settings, keys and services
  echo 'Good morning!' | mynah preview        show its translations, their length and price
  mynah once                                  publish everything that is waiting, then exit
  mynah run                                   follow the source until stopped
  mynah status                                show whether everything works, and what to do if not
  mynah pause example_es                      pause an account; `mynah resume` resumes it
  mynah actors resize translator 8            run 8 translators
  mynah logs --follow                         show the log of the running service
  mynah reload                                apply changed settings without a stop
  mynah jobs --state held,failed              list the jobs that need your attention
  mynah sandbox --timeline posts.txt --write sandbox
  mynah once --config sandbox/config.toml --env-file sandbox/secrets.env

Exit codes: 0 done, 1 failed while working, 2 wrong usage or settings.";

/// Follows an account and republishes its posts in other languages, each on its own account.
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
    /// Publish everything that is waiting, then exit
    Once(SettingsArgs),
    /// Check settings, keys and services, and report all problems at once
    Check(CheckArgs),
    /// Show what a text or a post would become: translations, length, price, problems
    Preview(preview::PreviewArgs),
    /// Show how the service, its accounts and its engines are: what to look at first
    Status(status::StatusArgs),
    /// Show throughput, latencies and errors
    Performance(performance::PerformanceArgs),
    /// Show the latest log events of the running service, and new ones with --follow
    Logs(logs::LogsArgs),
    /// Republish a small timeline in three languages, with everything on this machine
    Demo(demo::DemoArgs),
    /// Measure how fast this machine republishes posts, and at what cost
    Benchmark(benchmark::BenchmarkArgs),
    /// Serve stand-ins for X and Gemini on this machine
    Sandbox(sandbox::SandboxArgs),
    /// Show the running service's actors, restart one, or resize the translators
    Actors(actors::ActorsArgs),
    /// Make the running service read its settings, keys and glossaries again
    Reload(reload::ReloadArgs),
    /// Pause the poller or an account; without an argument, show what is paused
    Pause(pause::PauseArgs),
    /// Resume a paused or blocked account, or the poller
    Resume(pause::PauseArgs),
    /// List jobs that are waiting, held or failed; retry or skip them
    Jobs(jobs::JobsArgs),
    /// Report whether the running service is healthy: exit code 0 if it is (for containers)
    Health(SettingsArgs),
}

/// The sources of the settings.
#[derive(Debug, Clone, Args)]
struct SettingsArgs {
    /// The settings file
    #[arg(long, short, global = true, env = "MYNAH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key, overriding file and environment; can be repeated
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
    /// Read environment variables from a file of NAME=VALUE lines; the real environment overrides it
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
struct CheckArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Check only the settings; call no service
    #[arg(long)]
    offline: bool,
}

/// Why a command failed.
#[derive(Debug)]
enum Failure {
    /// Wrong settings or usage: exit code 2.
    Usage(String),
    /// Failed while working: exit code 1.
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
    // For the chaos suite: enables the failpoints in `FAILPOINTS` until it is dropped.
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
            Command::Status(args) => status::status(&args, &args.settings.load_for(Needed::Nothing)?).await,
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
                pause::pause(&args, Action::Pause, &args.settings.load_for(Needed::Nothing)?).await
            }
            Command::Resume(args) => {
                pause::pause(&args, Action::Resume, &args.settings.load_for(Needed::Nothing)?).await
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
            print_error(&failure);
            ExitCode::from(match failure {
                Failure::Usage(_) => 2,
                Failure::Work(_) => 1,
            })
        }
    }
}

#[expect(clippy::print_stderr, reason = "the user must see a command's error, whatever the log level")]
fn print_error(failure: &Failure) {
    // It may repeat text from others.
    eprintln!("mynah: {}", printable_lines(&failure.to_string()));
}

/// Prints a line for the user. A closed pipe is not an error.
fn print_line(line: impl fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints JSON for the user, with control characters escaped for terminals.
fn print_json(value: &serde_json::Value) {
    print_line(outside::json(value));
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
                    "{place}:{number}: this is not a NAME=VALUE line; fix it, or put `#` in front of it"
                ))
            })?;
            let value = value.trim();
            let bare =
                ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
            Ok((name.trim().to_owned(), bare.to_owned()))
        })
        .collect()
}
