//! `mynah ledger copy` copies a whole ledger: from the file of one service to a server that several share, or back.
//! `mynah ledger restored` is for a database that was put back by its own tools.

use std::{
    io::IsTerminal as _,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use mynah_domain::ports::SystemClock;
use serde_json::json;

use super::{Failure, SettingsArgs, output::print_note, print_json, print_line};
use crate::{
    ledger::{
        self, Place,
        copy::{self, Copied, CopyError, Progress},
        postgres::Address,
    },
    settings::{self, Needed, Settings},
    telemetry::logging,
};

/// How often to print a line where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Copy a ledger to another place; goes on where it was interrupted
    ///
    /// No service may use either of them. The target must be empty. The password of a server is
    /// `MYNAH_LEDGER_PASSWORD`, or in the file that `MYNAH_LEDGER_PASSWORD_FILE` names.
    Copy(CopyArgs),
    /// Hold what may have been published since the backup that the ledger's database was restored from
    ///
    /// Run it after restoring the database that ledger.url names, or after a failover that lost the last commits, and
    /// before the next start.
    Restored,
}

#[derive(Debug, Args)]
struct CopyArgs {
    /// `sqlite:PATH` or `postgres://user@host/database`
    #[arg(value_name = "FROM")]
    from: String,
    /// `sqlite:PATH` or `postgres://user@host/database`
    #[arg(value_name = "TO")]
    to: String,
}

pub(super) async fn ledger(args: LedgerArgs, sources: &SettingsArgs, json: bool) -> Result<(), Failure> {
    logging::init_for_command();
    let CopyArgs { from, to } = match args.command {
        LedgerCommand::Copy(copy) => copy,
        LedgerCommand::Restored => return restored(&sources.load_for(Needed::Nothing)?, json).await,
    };
    let (from, to) = (place(&from, sources)?, place(&to, sources)?);
    let mut shown = Shown::default();
    let copied = copy::copy(&from, &to, |progress| shown.update(progress)).await?;
    shown.finish();
    report(&copied, &to, json);
    Ok(())
}

async fn restored(settings: &Settings, json: bool) -> Result<(), Failure> {
    let Some(server) = &settings.ledger.server else {
        return Err(Failure::Usage(
            "the ledger is a file: use `mynah restore`, which puts it back and marks it".into(),
        ));
    };
    let held = ledger::mark_restored(server, Arc::new(SystemClock)).await.map_err(Failure::Work)?;
    if json {
        print_json(&json!({"ledger": server.to_string(), "held": held}));
        return Ok(());
    }
    let jobs = if held == 1 { "1 job is held".to_owned() } else { format!("{held} jobs are held") };
    print_line(format_args!(
        "{server}: {jobs}, and so will be every post from before now that is not on record: they may have been published \
        since. After the next start, look at `mynah jobs --state held` and at the accounts, then `mynah jobs skip` what is \
        published and `mynah jobs retry` the rest."
    ));
    Ok(())
}

/// A place on the command line.
fn place(text: &str, sources: &SettingsArgs) -> Result<Place, Failure> {
    if let Some(path) = text.strip_prefix("sqlite:") {
        let path = PathBuf::from(path);
        return Ok(Place::File(if path.is_dir() { path.join("ledger.sqlite") } else { path }));
    }
    let usage =
        |why: &str| Failure::Usage(format!("a place is sqlite:PATH or postgres://user@host/database: {why}"));
    let address = Address::parse(text).map_err(|error| usage(&error.to_string()))?;
    if address.has_password() {
        return Err(usage("others can read a password on the command line; set MYNAH_LEDGER_PASSWORD"));
    }
    let env = sources.sources(Needed::Nothing)?.env;
    let address = match &settings::ledger_password(&env)? {
        Some(password) => address.with_password(password),
        None => address,
    };
    Ok(Place::Server { address: Box::new(address), data_dir: PathBuf::new() })
}

/// The progress, as a bar on a terminal and as lines elsewhere.
#[derive(Default)]
struct Shown {
    bar: Option<ProgressBar>,
    table: Option<(&'static str, bool)>,
    printed: Option<Instant>,
}

impl Shown {
    fn update(&mut self, progress: Progress) {
        let Progress { table, done, rows, compares } = progress;
        let verb = if compares { "comparing" } else { "copying" };
        let is_new = self.table != Some((table, compares));
        self.table = Some((table, compares));
        if std::io::stderr().is_terminal() {
            let bar = self.bar.get_or_insert_with(|| {
                let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos} of {len}");
                ProgressBar::new(rows).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            });
            bar.set_message(format!("{verb} {table}"));
            bar.set_length(rows);
            bar.set_position(done);
        } else if is_new || self.printed.is_none_or(|printed| printed.elapsed() >= EVERY) {
            self.printed = Some(Instant::now());
            print_note(format_args!("{verb} {table}: {done} of {rows}"));
        }
    }

    fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn report(copied: &[Copied], to: &Place, json: bool) {
    if json {
        print_json(&json!({"to": to.to_string(), "tables": copied}));
        return;
    }
    for Copied { table, rows, sha256 } in copied {
        print_line(format_args!("{table:<13} {rows:>9} rows  sha256 {}", &sha256[..16]));
    }
    print_line(format_args!("{to} has the same content now."));
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        Self::Work(error.to_string())
    }
}
