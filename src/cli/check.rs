//! `mynah check` checks settings, keys and services. It reports all problems at once, and then the settings in force
//! with their origins.

use std::sync::Arc;

use mynah_domain::ports::Ledger;

use super::{CheckArgs, Failure, print_line, scratch::Scratch};
use crate::{
    app,
    ledger::OpenError,
    permissions,
    settings::{Former, InForce, Settings},
    telemetry::{
        logging,
        outside::{bounded, printable},
    },
};

pub(super) async fn check(args: &CheckArgs, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let offline = args.offline;
    let mut findings = Findings::default();
    findings.add("settings", Ok("all keys are valid".into()));
    // Before the ledger is opened, which restricts the data folder's permissions without a message.
    let secrets = args.settings.env_file.iter().chain(settings.secret_files());
    let secrets = secrets.filter_map(|file| permissions::exposed_secrets(file));
    for exposed in secrets.chain(permissions::close(&settings.data_dir)) {
        print_line(format_args!("warn  {}", printable(&exposed.to_string())));
    }
    match app::engines(settings) {
        Err(why) => findings.add("engines", Err(why)),
        Ok(engines) => {
            let pairs = settings.targets.iter().map(|target| (settings.source.language, target.language));
            let pairs: Vec<_> = pairs.collect();
            for (configured, engine) in settings.engine.order.iter().zip(engines()) {
                let outcome =
                    if offline { Ok("not called".into()) } else { configured.check(&*engine, &pairs).await };
                findings.add(engine.name(), outcome);
            }
        }
    }
    // The networks' adapters store facts in a ledger. While the service uses the real one, a temporary one serves.
    let scratch = Scratch::new("check")?;
    let ledger = match app::open_ledger(settings) {
        Ok(ledger) => {
            findings.add("ledger", Ok(format!("{} can be written", settings.data_dir.display())));
            Ok(ledger)
        }
        Err(OpenError::InUse { .. }) => {
            findings.add("ledger", Ok("in use by the running service".into()));
            app::open_ledger_in(scratch.path())
        }
        Err(error) => Err(error),
    };
    match ledger {
        Err(error) => findings.add("ledger", Err(error.to_string())),
        Ok(_) if offline => {}
        Ok(ledger) => check_accounts(settings, ledger, &mut findings).await,
    }
    for Former { was, is } in settings.former() {
        print_line(format_args!("note  {} sets {}", printable(was), printable(is)));
    }
    print_line("Settings in force:");
    for InForce { key, value, origin } in settings.in_force() {
        print_line(format_args!("  {key:<30} {:<44} {origin}", printable(value)));
    }
    findings.finish()
}

async fn check_accounts(settings: &Settings, ledger: Arc<dyn Ledger>, findings: &mut Findings) {
    let source = &settings.source;
    let outcome = source.connection.check(ledger.clone()).await;
    findings.add(&format!("source @{}", source.account), outcome);
    for target in &settings.targets {
        let outcome = target.connection.check(ledger.clone()).await;
        let limit = target.rules().limits().text;
        let outcome = outcome.map(|fine| format!("{fine}; a post may weigh up to {limit}"));
        findings.add(&format!("target @{}", target.account), outcome);
    }
}

#[derive(Default)]
struct Findings {
    failed: Vec<String>,
}

impl Findings {
    fn add(&mut self, what: &str, outcome: Result<String, String>) {
        match outcome {
            Ok(fine) => print_line(format_args!("ok    {what}: {}", printable(&bounded(&fine)))),
            Err(why) => {
                print_line(format_args!("FAIL  {what}: {}", printable(&bounded(&why))));
                self.failed.push(what.to_owned());
            }
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self.failed.len() {
            0 => Ok(()),
            1 => Err(Failure::Work(format!("1 check failed: {}", self.failed[0]))),
            many => Err(Failure::Work(format!("{many} checks failed: {}", self.failed.join(", ")))),
        }
    }
}
