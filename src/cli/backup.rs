//! `mynah backup` copies the ledger into one file, while the service runs or not. `mynah restore` puts such a file in place
//! of a ledger that is gone.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{Failure, print_json, print_line};
use crate::{
    ledger::{self, Backup, BackupError, Place, Restore},
    settings::Settings,
    telemetry::logging,
};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The new file; an existing one is not overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// A file that `mynah backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn back_up(args: &BackupArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let file = args.file.display();
    let backup = ledger::back_up(&ledger_file(settings)?, &args.file)?;
    if json {
        let Backup { bytes, jobs, last_change } = backup;
        print_json(&json!({"file": args.file, "bytes": bytes, "jobs": jobs, "last_change": last_change}));
    } else {
        print_line(format_args!("{}: {}", file, described(&backup)));
    }
    Ok(())
}

pub(super) fn restore(args: &RestoreArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let ledger = ledger_file(settings)?;
    let Restore { backup, held } = ledger::restore(&args.file, &ledger, Timestamp::now())?;
    if json {
        let Backup { bytes, jobs, last_change } = backup;
        let ledger = ledger.display().to_string();
        print_json(&json!({
            "ledger": ledger, "bytes": bytes, "jobs": jobs, "last_change": last_change, "held": held
        }));
        return Ok(());
    }
    print_line(format_args!("{}: {}", ledger.display(), described(&backup)));
    let jobs = if held == 1 { "1 job is held".to_owned() } else { format!("{held} jobs are held") };
    print_line(format_args!(
        "{jobs}, and so will be every post from before now that is not in the backup: they may have been published since. \
        After the next start, look at `mynah jobs --state held` and at the accounts, then `mynah jobs skip` what is \
        published and `mynah jobs retry` the rest."
    ));
    Ok(())
}

/// The ledger's file. After a move to a server, a file that is left has an old state, and nobody should rely on its backup.
fn ledger_file(settings: &Settings) -> Result<PathBuf, Failure> {
    match settings.place() {
        Place::File(file) => Ok(file),
        Place::Server { address, .. } => Err(Failure::Usage(format!(
            "the ledger is {address}: use the server's own tools, and `mynah ledger restored` after a restore \
            (docs/postgresql.md)"
        ))),
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        Self::Work(error.to_string())
    }
}

fn described(backup: &Backup) -> String {
    let jobs = if backup.jobs == 1 { "1 job".to_owned() } else { format!("{} jobs", backup.jobs) };
    // A ledger is far smaller than what a float counts exactly.
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let size = format!("{:.1} MB", backup.bytes as f64 / 1e6);
    match backup.last_change {
        Some(at) => format!("{size}, {jobs}, last change {at:.0}"),
        None => format!("{size}, {jobs}"),
    }
}
