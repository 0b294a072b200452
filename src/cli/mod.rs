//! The command line, one file per command. Exit codes: 0 done, 1 failed while working, 2 wrong usage or settings.
//!
//! - [`arguments`]: the options that all commands share.
//! - [`output`]: everything that commands print.

mod actors;
mod ahead;
mod alerts;
mod arguments;
mod backup;
mod benchmark;
mod check;
mod compare;
mod confirm;
mod costs;
mod decisions;
mod demo;
mod forget;
mod health;
mod instances;
mod jobs;
mod ledger;
mod login;
mod logs;
mod manual;
mod models;
mod once;
mod output;
mod pause;
mod performance;
mod person;
mod preview;
mod reach;
mod reload;
mod review;
mod run;
mod sandbox;
mod scratch;
mod signals;
mod status;
mod summary;
mod table;
mod tally;
mod trial;
mod users;

use std::{ffi::OsString, fmt, process::ExitCode};

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use arguments::{CommonArgs, SettingsArgs, Uses, sets_last};
use output::{print_json, print_line};
use pause::Action;

use crate::{
    permissions,
    settings::{Needed, SettingsError},
};

const FIRST_EXAMPLES: &str = "\
Examples:
  mynah demo                                        watch Mynah work, all on this machine
  echo 'Good morning!' | mynah preview --to es,fr   show translations, their length and price
  mynah check                                       check settings, keys and services

`mynah --help` has more.";

const EXAMPLES: &str = "\
Examples:
  mynah demo                                  watch Mynah work, with everything on this machine
  mynah login x @example_es                   log in to an account that publishes
  mynah check                                 check settings, keys and services
  echo 'Good morning!' | mynah preview        show its translations, their length and price
  mynah compare --to es < posts.txt           translate posts with each engine, to choose one
  mynah once                                  publish everything that is waiting, then exit
  mynah run                                   follow the source until stopped
  mynah status                                show whether everything works, and what to do if not
  mynah alerts test                           send a message to those who are notified of what is wrong
  mynah ahead                                 show what waits to be published, and until when
  mynah costs                                 show what was spent, and what is left of the budgets
  mynah pause example_es                      pause an account; `mynah resume` resumes it
  mynah actors resize translator 8            run 8 translators
  mynah logs --follow                         show the log of the running service
  mynah reload                                apply changed settings without a stop
  mynah jobs --state held,failed              list the jobs that need your attention
  mynah review                                list the translations that wait for your approval
  mynah users add ana --role review           let Ana decide about jobs, with a token of her own
  mynah models pull es de                     download models that translate on this machine
  mynah backup backup.sqlite                  copy the ledger, while the service runs
  mynah completions bash                      print completions for a shell
  mynah sandbox --timeline posts.txt --write sandbox
  mynah once --config sandbox/config.toml --env-file sandbox/secrets.env

Exit codes: 0 done, 1 failed while working, 2 wrong usage or settings.";

/// Follows an account and republishes its posts in other languages, each on its own account.
#[derive(Debug, Parser)]
#[command(
    name = "mynah",
    version,
    about,
    after_help = FIRST_EXAMPLES,
    after_long_help = EXAMPLES,
    propagate_version = true,
    subcommand_required = false,
    arg_required_else_help = false
)]
struct Cli {
    #[command(flatten)]
    common: CommonArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the source until stopped
    Run,
    /// Publish everything that is waiting, then exit
    Once,
    /// Check settings, keys and services, and report all problems at once
    Check(check::CheckArgs),
    /// Log in to an account in a browser, and store what publishing there needs
    Login(login::LoginArgs),
    /// Remove the stored login of an account, and revoke it where its network can
    Logout(login::LogoutArgs),
    /// Show what a text or a post would become: translations, length, price, problems
    Preview(preview::PreviewArgs),
    /// Translate posts with several engines, and show the translations side by side
    Compare(compare::CompareArgs),
    /// Show how the service, its accounts and its engines are: what to look at first
    Status,
    /// Show what is wrong and what was sent about it, or test who is notified
    Alerts(alerts::AlertsArgs),
    /// Show what was spent, on what, and what is left of the budgets
    Costs(costs::CostsArgs),
    /// List what waits to be published in the coming week, in the order in which it may go on, and what it waits for
    Ahead(ahead::AheadArgs),
    /// Show throughput, latencies and errors
    Performance(performance::PerformanceArgs),
    /// Show the latest log events of the running service, and new ones with --follow
    Logs(logs::LogsArgs),
    /// Republish a small timeline in three languages, with everything on this machine
    Demo(demo::DemoArgs),
    /// Measure how fast this machine republishes posts, and at what cost
    Benchmark(benchmark::BenchmarkArgs),
    /// Serve stand-ins for X, Bluesky, Mastodon and Gemini on this machine
    Sandbox(sandbox::SandboxArgs),
    /// Show the running service's actors, restart one, or resize the translators
    Actors(actors::ActorsArgs),
    /// Show which instances share the ledger, and what each works for
    Instances,
    /// Make the running service read its settings, keys and glossaries again
    Reload,
    /// Pause the poller or an account; without an argument, show what is paused
    Pause(pause::PauseArgs),
    /// Resume a paused or blocked account, or the poller
    Resume(pause::PauseArgs),
    /// List jobs that are waiting, held or failed; retry, skip or restore them
    Jobs(jobs::JobsArgs),
    /// Show the translations that wait for your approval; approve, edit or skip them, or have them translated again
    Review(review::ReviewArgs),
    /// Add, list, renew and remove the people who may use this service
    Users(users::UsersArgs),
    /// Show who decided what: retries, skips, pauses, users
    Decisions(decisions::DecisionsArgs),
    /// Remove all texts of posts from the record, for good; nothing is published twice because of it
    Forget(forget::ForgetArgs),
    /// List, download and remove the models of the engine `firefox`
    Models(models::ModelsArgs),
    /// Copy the ledger into one file, while the service runs or not
    Backup(backup::BackupArgs),
    /// Put a backup in place of a ledger that is gone
    Restore(backup::RestoreArgs),
    /// Copy a ledger to another place: from a file to a server, or back
    Ledger(ledger::LedgerArgs),
    /// Report whether the running service is healthy: exit code 0 if it is (for containers)
    Health,
    /// Print completions for a shell
    Completions(manual::CompletionsArgs),
    /// Print the manual page, or write the pages of all commands to a folder
    Man(manual::ManArgs),
}

impl Command {
    /// Which of the common options it can use.
    fn uses(&self) -> Uses {
        match self {
            Self::Demo(_) | Self::Sandbox(_) | Self::Completions(_) | Self::Man(_) => Uses::Nothing,
            Self::Benchmark(_) => Uses::OverridesAndJson,
            _ => Uses::All,
        }
    }
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

impl Failure {
    fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Work(_) => ExitCode::from(1),
        }
    }
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let Cli { common, command } = parse();
    let Some(command) = command else {
        output::print_note(Cli::command().render_help());
        return ExitCode::from(2);
    };
    permissions::make_files_private();
    // For the chaos suite: enables the failpoints in `FAILPOINTS` until it is dropped.
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    crate::http_client::install_crypto_provider();
    let system = actix_rt::System::new();
    let ended = system.block_on(execute(command, &common));
    // The command's own failure explains more.
    match ended.and_then(|()| output::finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::print_error(&failure);
            failure.code()
        }
    }
}

/// Parses the command line. If that fails, prints the error, or the help that was asked for, and exits.
fn parse() -> Cli {
    let arguments = sets_last(std::env::args_os());
    let mut command = Cli::command();
    if is_without_colors(&arguments) {
        command = command.color(ColorChoice::Never);
        output::disable_colors();
    }
    let parsed =
        command.try_get_matches_from_mut(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| error.format(&mut command).exit())
}

/// Whether the user asked for no colors. Looked up before the command line is parsed, because its errors have colors.
fn is_without_colors(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--no-color")
}

async fn execute(command: Command, common: &CommonArgs) -> Result<(), Failure> {
    common.check(command.uses())?;
    let CommonArgs { settings: args, json, .. } = common;
    let json = *json;
    // Most commands call no network and no engine themselves.
    let local = || args.load_for(Needed::Nothing);
    match command {
        Command::Run => Box::pin(run::run(&run::arguments(args, json))).await,
        Command::Once => once::once(&args.load()?, json).await,
        Command::Check(check) => check::check(&check, args, json).await,
        Command::Login(login) => login::log_in(&login, args, json).await,
        Command::Logout(logout) => login::log_out(&logout, args, json).await,
        Command::Preview(preview) => preview::preview(&preview, args, json).await,
        Command::Compare(compare) => compare::compare(&compare, args, json).await,
        Command::Status => status::status(json, &local()?).await,
        Command::Alerts(alerts) => alerts::alerts(&alerts, json, &local()?).await,
        Command::Costs(costs) => costs::costs(&costs, json, &local()?).await,
        Command::Ahead(args) => ahead::show(&args, json, &local()?).await,
        Command::Performance(performance) => performance::performance(&performance, json, &local()?).await,
        Command::Logs(logs) => logs::logs(&logs, json, &local()?).await,
        Command::Demo(demo) => demo::demo(demo).await,
        Command::Benchmark(benchmark) => benchmark::benchmark(benchmark, &args.overrides, json).await,
        Command::Sandbox(sandbox) => sandbox::sandbox(sandbox).await,
        Command::Actors(actors) => actors::actors(&actors, json, &local()?).await,
        Command::Instances => instances::instances(json, &local()?).await,
        Command::Reload => reload::reload(json, &local()?).await,
        Command::Pause(pause) => pause::pause(&pause, Action::Pause, json, &local()?).await,
        Command::Resume(pause) => pause::pause(&pause, Action::Resume, json, &local()?).await,
        Command::Jobs(jobs) => jobs::jobs(jobs, json, &local()?).await,
        Command::Review(args) => review::review(args, json, &local()?).await,
        Command::Users(users) => users::users(users, json, &local()?).await,
        Command::Decisions(decisions) => decisions::decisions(&decisions, json, &local()?).await,
        Command::Forget(forget) => forget::forget(forget, json, &local()?).await,
        Command::Models(command) => models::models(command, args, json).await,
        Command::Backup(backup) => backup::back_up(&backup, json, &local()?),
        Command::Restore(restore) => backup::restore(&restore, json, &local()?),
        Command::Ledger(ledger) => ledger::ledger(ledger, args, json).await,
        Command::Health => health::health(json, &local()?),
        Command::Completions(completions) => {
            manual::completions(&completions, Cli::command());
            Ok(())
        }
        Command::Man(man) => manual::man(&man, Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_defined_without_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn common_options_are_read_before_and_after_the_command() {
        for line in [
            "mynah --config a.toml --env-file b --set c=1 --json --no-color jobs retry 1",
            "mynah jobs --config a.toml --env-file b --set c=1 --json --no-color retry 1",
            "mynah jobs retry 1 --config a.toml --env-file b --set c=1 --json --no-color",
            "mynah -c a.toml jobs --json retry --env-file b 1 --set c=1 --no-color",
        ] {
            let arguments = sets_last(line.split(' ').map(OsString::from));
            let common = Cli::try_parse_from(arguments).unwrap().common;
            let CommonArgs { settings, json, no_color } = common;
            assert_eq!(settings.config.as_deref(), Some("a.toml".as_ref()), "{line}");
            assert_eq!(settings.env_file.as_deref(), Some("b".as_ref()), "{line}");
            assert_eq!(settings.overrides, ["c=1"], "{line}");
            assert!(json && no_color, "{line}");
        }
    }
}
