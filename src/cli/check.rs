//! `mynah check` checks settings, keys and services, and reports all problems at once. The verdict comes last.

use std::{collections::HashSet, sync::Arc};

use clap::Args;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use mynah_actors::cache::shared::PATIENCE;
use mynah_domain::ports::Ledger;
use serde_json::{Value, json};

use super::{Failure, SettingsArgs, print_json, print_line, scratch::Scratch};
use crate::{
    app, cache,
    credentials::StoredLogin,
    ledger::Place,
    permissions,
    settings::{self, Former, InForce, Needed, Problem, Settings, SettingsError, TargetSettings},
    telemetry::{
        logging,
        outside::{bounded, printable},
    },
};

/// How many accounts are listed one by one.
const LISTED: usize = 12;

/// The verdict on a login whose tokens a running service has.
const IN_USE: &str = "not tried: the running service has its tokens; `mynah status` shows how the account is";

/// How many accounts are checked at once.
const AT_ONCE: usize = 4;

#[derive(Debug, Clone, Args)]
pub(super) struct CheckArgs {
    /// Check only the settings: needs no key, calls no service and changes no file
    #[arg(long)]
    offline: bool,
    /// Also show every setting in force, with its origin
    #[arg(long)]
    all: bool,
}

pub(super) async fn check(args: &CheckArgs, sources: &SettingsArgs, json: bool) -> Result<(), Failure> {
    logging::init_for_command();
    let needed = if args.offline { Needed::NoSecret } else { Needed::All };
    let load = |needed: Needed| Ok::<_, Failure>(settings::load(&sources.sources(needed)?));
    let settings = load(needed)?.inspect_err(|error| {
        if json {
            print_json(&problems(error));
        }
    })?;
    let mut findings = Findings::new(json);
    if args.all {
        findings.settings(&settings);
    }
    findings.add("settings", Ok("all keys are valid".into()));
    let secrets = sources.env_file.iter().chain(settings.secret_files());
    for exposed in secrets.filter_map(|file| permissions::exposed_secrets(file)) {
        findings.warn(&exposed.to_string());
    }
    for login in settings.logins().iter() {
        findings.add(&format!("login {} {}", login.network, login.account), check_login(login));
    }
    check_engines(&settings, args.offline, &mut findings).await;
    let receivers = settings.alerts.receivers();
    if !receivers.is_empty() {
        let notified =
            format!("{} are notified; `mynah alerts test` sends each a message", receivers.join(", "));
        findings.add("alerts", Ok(notified));
    }
    if !args.offline {
        check_ledger(&settings, &mut findings).await;
        check_cache(&settings, &mut findings).await;
        check_accounts(&settings, &mut findings).await?;
    }
    for Former { was, is } in settings.former() {
        findings.note(&format!("{was} sets {is}"));
    }
    if args.offline
        && let Err(error) = load(Needed::All)?
    {
        // The settings are valid, so these are the secrets that are missing here.
        findings.missing = error.problems.into_iter().map(|problem| problem.key).collect();
        findings.note(&format!("not set here, but needed to run: {}", findings.missing.join(", ")));
    }
    findings.finish(args.offline)
}

/// What a stored login allows, and until when.
fn check_login(login: &StoredLogin) -> Result<String, String> {
    let StoredLogin { network, account, scopes, expires, .. } = login;
    let allows = if scopes.is_empty() { String::new() } else { format!("allows {}; ", scopes.join(" ")) };
    match expires {
        None => Ok(format!("{allows}lasts until it is revoked")),
        Some(end) if *end > Timestamp::now() => Ok(format!("{allows}ends at {end}")),
        Some(end) => Err(format!("it ended at {end}; run `mynah login {network} {account}`")),
    }
}

async fn check_engines(settings: &Settings, offline: bool, findings: &mut Findings) {
    match app::engines(settings) {
        // What is installed here says nothing about the machine where Mynah will run.
        Err(why) if offline => findings.warn(&format!("engines: on this machine, {why}")),
        Err(why) => findings.add("engines", Err(why)),
        Ok(engines) => {
            for (configured, engine) in settings.engine.order.iter().zip(engines()) {
                let pairs = app::language_pairs_of(settings, engine.name());
                let outcome =
                    if offline { Ok("not called".into()) } else { configured.check(&*engine, &pairs).await };
                findings.add(engine.name(), outcome);
            }
        }
    }
}

async fn check_ledger(settings: &Settings, findings: &mut Findings) {
    // Before the ledger is opened, which restricts the data folder's permissions without a message.
    for exposed in permissions::close(&settings.data_dir) {
        findings.warn(&exposed.to_string());
    }
    let outcome = match app::open_ledger(settings).await {
        Ok(_) => match settings.place() {
            Place::File(_) => Ok(format!("{} can be written", settings.data_dir.display())),
            place @ Place::Server { .. } => Ok(format!("{place} can be used")),
        },
        Err(error) if error.is_in_use() => Ok("in use by the running service".into()),
        Err(error) => Err(error.to_string()),
    };
    findings.add("ledger", outcome);
}

/// Checks the shared cache, if there is one. A service works without it, and says so.
async fn check_cache(settings: &Settings, findings: &mut Findings) {
    let Some(address) = &settings.cache.server else { return };
    findings.add("shared cache", cache::report(address, PATIENCE).await);
}

/// Checks the accounts with an empty ledger: the networks' adapters store facts in it, and a check must not answer from
/// memory what it should find out.
async fn check_accounts(settings: &Settings, findings: &mut Findings) -> Result<(), Failure> {
    let scratch = Scratch::new("check")?;
    let ledger: Arc<dyn Ledger> =
        app::open_ledger_in(scratch.path()).map_err(|error| Failure::Work(error.to_string()))?;
    // Tokens that are replaced are the service's, and in its ledger.
    let renews = settings.sources.iter().any(|source| source.connection.renews_tokens())
        || settings.targets.iter().any(|target| target.connection.renews_tokens());
    let own = if renews { service_ledger(settings).await } else { Ok(ledger.clone()) };
    let ledger_for = |renews: bool| if renews { own.clone() } else { Ok(ledger.clone()) };
    let calls = settings.sources.iter().map(|source| {
        let ledger = ledger_for(source.connection.renews_tokens());
        async move {
            match ledger {
                Ok(ledger) => source.connection.check(ledger).await,
                Err(verdict) => verdict,
            }
        }
    });
    let outcomes = at_most(AT_ONCE, calls).await;
    let checked = settings.sources.iter().zip(outcomes);
    let checked = checked.map(|(source, outcome)| {
        (format!("source {}", source.network.account_named(&source.account)), outcome)
    });
    findings.add_all("sources", checked.collect());
    let mut seen = HashSet::new();
    let targets: Vec<&TargetSettings> =
        settings.targets.iter().filter(|target| seen.insert(target.account_id())).collect();
    let calls = targets.iter().map(|target| {
        let ledger = ledger_for(target.connection.renews_tokens());
        async move {
            match ledger {
                Ok(ledger) => target.connection.check(ledger).await,
                Err(verdict) => verdict,
            }
        }
    });
    let outcomes = at_most(AT_ONCE, calls).await;
    let checked = targets.iter().zip(outcomes).map(|(target, outcome)| {
        let limit = target.rules().limits().text;
        let outcome = outcome.map(|fine| format!("{fine}; a post may weigh up to {limit}"));
        (format!("target @{}", target.account), outcome)
    });
    findings.add_all("targets", checked.collect());
    Ok(())
}

/// The ledger of the service, or the verdict on a login that cannot be tried without it.
async fn service_ledger(settings: &Settings) -> Result<Arc<dyn Ledger>, Result<String, String>> {
    app::open_ledger(settings).await.map_err(|error| {
        if error.is_in_use() {
            Ok(IN_USE.to_owned())
        } else {
            Err("not tried: its tokens are in the ledger, which cannot be opened".to_owned())
        }
    })
}

/// The results of these calls, in their order, of which only so many run at once.
async fn at_most<T>(most: usize, calls: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(calls).buffered(most).collect().await
}

/// Mistakes in the settings, for scripts.
fn problems(error: &SettingsError) -> Value {
    let problem = |Problem { origin, key, what, fix }: &Problem| json!({"where": origin.to_string(), "key": key, "what": what, "fix": fix});
    json!({"ok": false, "problems": error.problems.iter().map(problem).collect::<Vec<_>>()})
}

/// What was found. For people, each finding is printed at once, because the next one may take a while.
struct Findings {
    json: bool,
    checks: Vec<Value>,
    warnings: Vec<String>,
    notes: Vec<String>,
    /// Secrets that are needed to run and are not set here.
    missing: Vec<String>,
    settings: Option<Vec<Value>>,
    failed: Vec<String>,
}

impl Findings {
    fn new(json: bool) -> Self {
        Self {
            json,
            checks: vec![],
            warnings: vec![],
            notes: vec![],
            missing: vec![],
            settings: None,
            failed: vec![],
        }
    }

    fn settings(&mut self, settings: &Settings) {
        let in_force = settings.in_force();
        if self.json {
            let setting = |InForce { key, value, origin }: &InForce| json!({"key": key, "value": value, "origin": origin.to_string()});
            self.settings = Some(in_force.iter().map(setting).collect());
            return;
        }
        print_line("Settings in force:");
        for InForce { key, value, origin } in in_force {
            print_line(format_args!("  {key:<30} {:<44} {origin}", printable(value)));
        }
    }

    fn add(&mut self, what: &str, outcome: Result<String, String>) {
        let (verdict, ok, detail) = match outcome {
            Ok(fine) => ("ok  ", true, fine),
            Err(why) => {
                self.failed.push(what.to_owned());
                ("FAIL", false, why)
            }
        };
        let detail = bounded(&detail);
        let detail = printable(&detail);
        if !self.json {
            print_line(format_args!("{verdict}  {what}: {detail}"));
        }
        self.checks.push(json!({"what": what, "ok": ok, "detail": detail}));
    }

    /// Findings of one kind. If there are many, those without a problem are one line.
    fn add_all(&mut self, kind: &str, checked: Vec<(String, Result<String, String>)>) {
        if checked.len() <= LISTED || self.json {
            for (what, outcome) in checked {
                self.add(&what, outcome);
            }
            return;
        }
        let (fine, failed): (Vec<_>, Vec<_>) = checked.into_iter().partition(|(_, outcome)| outcome.is_ok());
        if !fine.is_empty() {
            self.add(kind, Ok(format!("{} are as they should be", fine.len())));
        }
        for (what, outcome) in failed {
            self.add(&what, outcome);
        }
    }

    fn warn(&mut self, warning: &str) {
        let warning = printable(warning);
        if !self.json {
            print_line(format_args!("warn  {warning}"));
        }
        self.warnings.push(warning.into_owned());
    }

    fn note(&mut self, note: &str) {
        let note = printable(note);
        if !self.json {
            print_line(format_args!("note  {note}"));
        }
        self.notes.push(note.into_owned());
    }

    /// The verdict.
    fn finish(self, offline: bool) -> Result<(), Failure> {
        if self.json {
            let mut all = json!({
                "ok": self.failed.is_empty(),
                "offline": offline,
                "checks": self.checks,
                "warnings": self.warnings,
                "notes": self.notes,
                "missing": self.missing,
            });
            if let Some(settings) = self.settings {
                all["settings"] = settings.into();
            }
            print_json(&all);
        }
        match self.failed.as_slice() {
            [] => {
                let warnings = match self.warnings.len() {
                    0 => String::new(),
                    1 => ", with 1 warning".to_owned(),
                    many => format!(", with {many} warnings"),
                };
                let unchecked = if offline { "; keys and services were not checked" } else { "" };
                if !self.json {
                    print_line(format_args!("All {} checks passed{warnings}{unchecked}.", self.checks.len()));
                }
                Ok(())
            }
            [one] => Err(Failure::Work(format!("1 check failed: {one}"))),
            many => Err(Failure::Work(format!("{} checks failed: {}", many.len(), many.join(", ")))),
        }
    }
}
