//! `mynah sandbox` serves stand-ins for X and Gemini on this machine, with matching settings and keys, so that users
//! can try everything without an account and without a bill.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use log::LevelFilter;
use mynah_domain::Language;
use mynah_sandbox::{FaultPlan, Profile, RateLimits, Sandbox, SandboxConfig, TargetAccount};

use super::{Failure, print_line, signals::Signals};
use crate::telemetry::logging::{self, LogFormat, Stream};

#[derive(Debug, Args)]
pub(super) struct SandboxArgs {
    /// The address to listen on; loopback only
    #[arg(long, default_value = "127.0.0.1:7979", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The followed account's posts: a text file with one per line, or .jsonl; lines added to it become new posts
    #[arg(long, value_name = "FILE")]
    timeline: Option<PathBuf>,
    /// The followed account, or several; only the first has the timeline
    #[arg(long, value_delimiter = ',', default_value = "mynah_source", value_name = "HANDLES")]
    account: Vec<String>,
    /// The target languages, each on its own account
    #[arg(long, value_delimiter = ',', default_value = "es,ca,gl", value_name = "CODES")]
    targets: Vec<Language>,
    /// Write config.toml and secrets.env for this sandbox to a folder
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// The engines for config.toml, in order
    #[arg(long, value_delimiter = ',', default_value = "apertium", value_name = "NAMES")]
    engines: Vec<String>,
    /// Gemini's response time
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration, value_name = "TIME")]
    gemini_latency: Duration,
    /// X's response time
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration, value_name = "TIME")]
    x_latency: Duration,
    /// Apply X's own rate limits (100 posts in 15 minutes per account, and so on)
    #[arg(long)]
    rate_limits: bool,
    /// Give the target accounts X Premium, so that they may publish long posts
    #[arg(long)]
    premium: bool,
    /// Faults to inject: a JSON file, or comma-separated profiles of misbehavior: nulls (null instead of absent), odd
    /// (unexpected forms, strict writes), edited (posts change their id), late (reads miss recent writes), echo (errors
    /// repeat the request's headers), hostile (absurd rate limits, temporary refusals, wrong model output). See
    /// docs/sandbox.md
    #[arg(long, value_name = "PROFILES|FILE")]
    faults: Option<String>,
}

pub(super) async fn sandbox(args: SandboxArgs) -> Result<(), Failure> {
    logging::init(LevelFilter::Info, &[], Stream::Stderr, LogFormat::default());
    let faults = args.faults.as_deref().map_or_else(|| Ok(FaultPlan::default()), fault_plan)?;
    let timeline = match &args.timeline {
        None => Vec::new(),
        Some(file) => {
            mynah_sandbox::load_timeline(file).map_err(|error| Failure::Usage(error.to_string()))?
        }
    };
    let config = SandboxConfig {
        listen: args.listen,
        timeline,
        timeline_file: args.timeline.clone(),
        faults,
        gemini_latency: args.gemini_latency,
        x_latency: args.x_latency,
        rate_limits: if args.rate_limits { RateLimits::default() } else { RateLimits::unlimited() },
        ..with_accounts(&args.account, &args.targets)
    };
    let config = if args.premium { config.with_premium() } else { config };
    let asks_gemini = args.engines.iter().any(|engine| engine == "gemini");
    let plan =
        Plan { accounts: args.account, languages: args.targets, engines: args.engines, start: "beginning" };
    let sandbox = mynah_sandbox::start(config).await.map_err(|error| Failure::Work(error.to_string()))?;
    print_line(format_args!("X and Gemini are at {}, with a page for your browser.", sandbox.url()));
    if asks_gemini {
        print_line(
            "The sandbox's Gemini does not translate: it answers with random words of the target language.",
        );
    }
    if let Some(folder) = &args.write {
        plan.write(folder, &sandbox.url())?;
        let (config, secrets) = (folder.join("config.toml"), folder.join("secrets.env"));
        print_line(format_args!(
            "Run in another terminal:\n  mynah once --config {} --env-file {}",
            config.display(),
            secrets.display()
        ));
    }
    print_line("Press Ctrl-C to stop.");
    Signals::new()?.next().await;
    sandbox.stop().await;
    Ok(())
}

/// Reads `--faults`: names of profiles, or a file.
fn fault_plan(order: &str) -> Result<FaultPlan, Failure> {
    let profiles: Result<Vec<Profile>, _> = order.split(',').map(|name| name.trim().parse()).collect();
    let unknown = match profiles {
        Ok(profiles) => return Ok(FaultPlan::of_profiles(0, profiles)),
        Err(unknown) => unknown,
    };
    let bad =
        |error: String| Failure::Usage(format!("--faults {order}: {error}; docs/sandbox.md has examples"));
    match fs::read_to_string(order) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| bad(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(bad(format!("there is no such file, and {unknown}")))
        }
        Err(error) => Err(bad(error.to_string())),
    }
}

/// A sandbox with these followed accounts, of which the first has the timeline, and an account for each language of each.
fn with_accounts(followed: &[String], languages: &[Language]) -> SandboxConfig {
    let mut names = followed.iter().cloned();
    let account = names.next().unwrap_or_default();
    let targets = followed.iter().flat_map(|account| accounts(account, languages)).collect();
    SandboxConfig { account, also_followed: names.collect(), targets, ..SandboxConfig::default() }
}

/// The account of each language: `mynah_source_es`.
fn accounts(account: &str, languages: &[Language]) -> Vec<TargetAccount> {
    languages
        .iter()
        .map(|language| TargetAccount {
            handle: target_handle(account, *language),
            language: language.code().to_owned(),
            premium: false,
        })
        .collect()
}

/// X limits handles to 15 characters.
fn target_handle(account: &str, language: Language) -> String {
    let suffix = format!("_{}", language.code().replace('-', "_").to_lowercase());
    let head: String = account.chars().take(15_usize.saturating_sub(suffix.len())).collect();
    format!("{head}{suffix}")
}

/// Settings and keys for a sandbox.
pub(super) struct Plan {
    pub(super) accounts: Vec<String>,
    pub(super) languages: Vec<Language>,
    pub(super) engines: Vec<String>,
    pub(super) start: &'static str,
}

impl Plan {
    /// The text of config.toml.
    pub(super) fn config(&self, url: &str, data_dir: &Path) -> String {
        use std::fmt::Write as _;
        let engines: Vec<String> = self.engines.iter().map(|name| format!("{name:?}")).collect();
        let mut text = format!(
            "# Written by `mynah sandbox`: everything stays on this machine.\ndata_dir = \"{}\"\n\n",
            data_dir.display(),
        );
        let common =
            format!("language = \"en\"\nstart = {:?}\npoll_interval = \"2s\"\nreposts = true\n", self.start);
        // Writing to a string cannot fail, here and below.
        let _ = match self.accounts.as_slice() {
            [account] => write!(text, "[source]\naccount = {account:?}\n{common}"),
            _ => write!(text, "[defaults.sources]\n{common}"),
        };
        for account in &self.accounts {
            let mut source = String::new();
            if self.accounts.len() > 1 {
                let _ = write!(text, "\n[[sources]]\nname = {account:?}\naccount = {account:?}\n");
                source = format!("source = {account:?}\n");
            }
            for language in &self.languages {
                let handle = target_handle(account, *language);
                let _ =
                    write!(text, "\n[[targets]]\n{source}language = \"{language}\"\naccount = {handle:?}\n");
            }
        }
        let _ = write!(
            text,
            "\n[engine]\norder = [{}]\n[engine.gemini]\nbase_url = {url:?}\n\n[x]\nbase_url = {url:?}\nmedia_hosts = [\"127.0.0.1\"]\n\n\
             # The sandbox costs nothing.\n[publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\n",
            engines.join(", ")
        );
        text
    }

    /// The matching environment: keys that work only in a sandbox.
    pub(super) fn secrets(&self) -> Vec<(String, String)> {
        let mut secrets = Vec::new();
        let handles = self
            .accounts
            .iter()
            .flat_map(|account| self.languages.iter().map(move |language| target_handle(account, *language)));
        for handle in handles {
            let keys = mynah_sandbox::credentials(&handle);
            let name = handle.to_uppercase();
            if secrets.is_empty() {
                secrets.push(("X_CONSUMER_KEY".to_owned(), keys.consumer_key));
                secrets.push(("X_CONSUMER_SECRET".to_owned(), keys.consumer_secret));
                secrets.push(("X_BEARER_TOKEN".to_owned(), keys.app_bearer_token));
                if self.engines.iter().any(|engine| engine == "gemini") {
                    secrets.push(("GEMINI_API_KEY".to_owned(), keys.gemini_api_key));
                }
            }
            secrets.push((format!("X_{name}_ACCESS_TOKEN"), keys.access_token));
            secrets.push((format!("X_{name}_ACCESS_TOKEN_SECRET"), keys.access_token_secret));
        }
        secrets
    }

    fn write(&self, folder: &Path, url: &str) -> Result<(), Failure> {
        let bad = |error: std::io::Error| {
            Failure::Work(format!("--write {}: {error}; name a writable folder", folder.display()))
        };
        fs::create_dir_all(folder).map_err(bad)?;
        fs::write(folder.join("config.toml"), self.config(url, &folder.join("data"))).map_err(bad)?;
        let lines: Vec<String> =
            self.secrets().into_iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let secrets = folder.join("secrets.env");
        let mut file = fs::OpenOptions::new();
        file.write(true).create(true).truncate(true).mode(0o600);
        std::io::Write::write_all(&mut file.open(&secrets).map_err(bad)?, lines.concat().as_bytes())
            .map_err(bad)?;
        // An existing file would keep its mode.
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).map_err(bad)
    }
}

/// Starts a sandbox for a plan, on any free port.
pub(super) async fn start(
    plan: &Plan,
    timeline: Vec<mynah_sandbox::TimelinePost>,
) -> Result<Sandbox, Failure> {
    let config = SandboxConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        timeline,
        rate_limits: RateLimits::unlimited(),
        ..with_accounts(&plan.accounts, &plan.languages)
    };
    mynah_sandbox::start(config).await.map_err(|error| Failure::Work(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_profiles_or_a_file() {
        for (order, profiles) in [
            ("nulls", &[Profile::Nulls][..]),
            ("odd,late", &[Profile::Odd, Profile::Late]),
            ("echo, hostile", &[Profile::Echo, Profile::Hostile]),
            ("nulls,odd,edited,late,echo,hostile", &Profile::ALL),
        ] {
            assert_eq!(
                fault_plan(order).unwrap(),
                FaultPlan::of_profiles(0, profiles.iter().copied()),
                "{order}"
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        fs::write(&file, r#"{"seed": 7, "profiles": ["edited"], "rules": []}"#).unwrap();
        let plan = fault_plan(&file.display().to_string()).unwrap();
        assert_eq!(plan, FaultPlan::of_profiles(7, [Profile::Edited]));
    }

    #[test]
    fn an_invalid_fault_plan_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let broken = folder.path().join("broken.json");
        fs::write(&broken, r#"{"profiles": ["rude"]}"#).unwrap();
        for (order, reason) in [
            ("rude", "there is no such file, and there is no profile \"rude\""),
            ("nulls,rude", "there is no profile \"rude\""),
            ("nulls;odd", "there is no profile \"nulls;odd\""),
            ("", "there is no profile \"\""),
            (&*broken.display().to_string(), "unknown variant `rude`"),
        ] {
            let Err(Failure::Usage(sentence)) = fault_plan(order) else { panic!("{order} is accepted") };
            assert!(sentence.contains(reason), "{order}: {sentence}");
        }
    }
}
