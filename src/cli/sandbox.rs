//! `mynah sandbox` serves stand-ins for the networks and for engines on this machine, with matching settings and keys, so that users
//! can try everything without an account and without a bill.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use log::LevelFilter;
use mynah_domain::Language;
use mynah_sandbox::{FaultPlan, Network, Profile, RateLimits, Sandbox, SandboxConfig, TargetAccount};

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
    /// The networks of the target accounts, in turn: x, bluesky, mastodon. The followed accounts are on X
    #[arg(long, value_delimiter = ',', default_value = "x", value_name = "NETWORKS")]
    networks: Vec<Network>,
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
    /// Apply the networks' own rate limits (on X, 100 posts in 15 minutes per account, and so on)
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
    let targets = PlannedTarget::in_turn(&args.targets, &args.networks);
    let config = SandboxConfig {
        listen: args.listen,
        timeline,
        timeline_file: args.timeline.clone(),
        faults,
        gemini_latency: args.gemini_latency,
        x_latency: args.x_latency,
        rate_limits: if args.rate_limits { RateLimits::default() } else { RateLimits::unlimited() },
        ..with_accounts(&args.account, &targets)
    };
    let config = if args.premium { config.with_premium() } else { config };
    let asks_model = args.engines.iter().any(|engine| ["gemini", "openai"].contains(&engine.as_str()));
    let plan = Plan {
        accounts: args.account,
        targets,
        engines: args.engines,
        engines_of: HashMap::new(),
        start: "beginning",
    };
    let sandbox = mynah_sandbox::start(config).await.map_err(|error| Failure::Work(error.to_string()))?;
    let elsewhere =
        if plan.uses(Network::Bluesky) || plan.uses(Network::Mastodon) { ", Bluesky, Mastodon" } else { "" };
    print_line(format_args!(
        "X{elsewhere} and Gemini are at {}, with a page for your browser.",
        sandbox.url()
    ));
    if asks_model {
        print_line(
            "The sandbox's models do not translate: they answer with random words of the target language.",
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
fn with_accounts(followed: &[String], targets: &[PlannedTarget]) -> SandboxConfig {
    let mut names = followed.iter().cloned();
    let account = names.next().unwrap_or_default();
    let targets = followed.iter().flat_map(|account| accounts(account, targets)).collect();
    SandboxConfig { account, also_followed: names.collect(), targets, ..SandboxConfig::default() }
}

/// The account of each language: `mynah_source_es`.
fn accounts(account: &str, targets: &[PlannedTarget]) -> Vec<TargetAccount> {
    targets
        .iter()
        .map(|target| TargetAccount {
            handle: target.handle(account),
            language: target.language.code().to_owned(),
            premium: false,
        })
        .collect()
}

/// A language to publish in, and the network of its accounts.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedTarget {
    pub(super) language: Language,
    pub(super) network: Network,
}

impl PlannedTarget {
    /// Each language on one of the networks, in turn.
    pub(super) fn in_turn(languages: &[Language], networks: &[Network]) -> Vec<Self> {
        let networks = networks.iter().cycle();
        languages
            .iter()
            .zip(networks)
            .map(|(language, network)| Self { language: *language, network: *network })
            .collect()
    }

    /// The handle of the account that translates `account`.
    fn handle(self, account: &str) -> String {
        let language = self.language.code().to_lowercase();
        match self.network {
            Network::X => {
                let suffix = format!("_{}", language.replace('-', "_"));
                // X limits handles to 15 characters.
                let head: String = account.chars().take(15_usize.saturating_sub(suffix.len())).collect();
                format!("{head}{suffix}")
            }
            // A domain has hyphens, and none at its ends.
            Network::Bluesky => {
                let name = account.replace('_', "-").to_lowercase();
                format!("{}-{language}.example", name.trim_matches('-'))
            }
            Network::Mastodon => format!("{account}_{}@mastodon.example", language.replace('-', "_")),
        }
    }

    /// The environment variables with the account's keys, and their values.
    fn secrets(self, account: &str) -> Vec<(String, String)> {
        let handle = self.handle(account);
        let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let name: String = handle.chars().map(word).collect();
        match self.network {
            Network::X => {
                let keys = mynah_sandbox::credentials(&handle);
                vec![
                    (format!("X_{name}_ACCESS_TOKEN"), keys.access_token),
                    (format!("X_{name}_ACCESS_TOKEN_SECRET"), keys.access_token_secret),
                ]
            }
            Network::Bluesky => {
                vec![(format!("BLUESKY_{name}_APP_PASSWORD"), mynah_sandbox::app_password(&handle))]
            }
            Network::Mastodon => {
                vec![(format!("MASTODON_{name}_TOKEN"), mynah_sandbox::mastodon_token(&handle))]
            }
        }
    }
}

/// Settings and keys for a sandbox.
pub(super) struct Plan {
    pub(super) accounts: Vec<String>,
    pub(super) targets: Vec<PlannedTarget>,
    pub(super) engines: Vec<String>,
    /// The engines of the targets in some languages, in place of those.
    pub(super) engines_of: HashMap<Language, Vec<String>>,
    pub(super) start: &'static str,
}

impl Plan {
    /// Whether this engine is used.
    fn asks(&self, engine: &str) -> bool {
        self.engines.iter().any(|one| one == engine)
    }

    /// Whether any target is on this network.
    fn uses(&self, network: Network) -> bool {
        self.targets.iter().any(|target| target.network == network)
    }

    /// The text of config.toml.
    pub(super) fn config(&self, url: &str, data_dir: &Path) -> String {
        use std::fmt::Write as _;
        let list = |engines: &[String]| {
            engines.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
        };
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
            for target in &self.targets {
                let network = match target.network {
                    Network::X => String::new(),
                    other => format!("network = {:?}\n", other.name()),
                };
                let (language, handle) = (target.language, target.handle(account));
                let _ = write!(
                    text,
                    "\n[[targets]]\n{source}{network}language = \"{language}\"\naccount = {handle:?}\n"
                );
                if let Some(engines) = self.engines_of.get(&language) {
                    let _ = writeln!(text, "engines = [{}]", list(engines));
                }
            }
        }
        let openai = if self.asks("openai") {
            format!("[engine.openai]\nbase_url = \"{url}/v1\"\n")
        } else {
            String::new()
        };
        let _ = write!(
            text,
            "\n[engine]\norder = [{}]\n[engine.gemini]\nbase_url = {url:?}\n{openai}\n[x]\nbase_url = {url:?}\nmedia_hosts = [\"127.0.0.1\"]\n\n",
            list(&self.engines)
        );
        if self.uses(Network::Bluesky) {
            let _ = write!(text, "[bluesky]\nbase_url = {url:?}\nplc_url = {url:?}\nstream = \"server\"\n\n");
        }
        if self.uses(Network::Mastodon) {
            let _ = write!(text, "[mastodon]\nbase_url = {url:?}\n\n");
        }
        text.push_str(
            "# The sandbox costs nothing.\n[publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\n",
        );
        text
    }

    /// The matching environment: keys that work only in a sandbox.
    pub(super) fn secrets(&self) -> Vec<(String, String)> {
        // The same for all accounts.
        let keys = mynah_sandbox::credentials("");
        let mut secrets = vec![
            ("X_CONSUMER_KEY".to_owned(), keys.consumer_key),
            ("X_CONSUMER_SECRET".to_owned(), keys.consumer_secret),
            ("X_BEARER_TOKEN".to_owned(), keys.app_bearer_token),
        ];
        if self.asks("gemini") {
            secrets.push(("GEMINI_API_KEY".to_owned(), keys.gemini_api_key));
        }
        if self.asks("openai") {
            secrets.push(("OPENAI_API_KEY".to_owned(), keys.openai_api_key));
        }
        for account in &self.accounts {
            secrets.extend(self.targets.iter().flat_map(|target| target.secrets(account)));
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

/// Starts a sandbox for a plan, on any free port, with a note on its page.
pub(super) async fn start(
    plan: &Plan,
    timeline: Vec<mynah_sandbox::TimelinePost>,
    note: String,
) -> Result<Sandbox, Failure> {
    let config = SandboxConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        timeline,
        rate_limits: RateLimits::unlimited(),
        note: Some(note),
        ..with_accounts(&plan.accounts, &plan.targets)
    };
    mynah_sandbox::start(config).await.map_err(|error| Failure::Work(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_take_turns_on_the_networks() {
        let languages = ["es", "ca", "gl", "pt-BR"].map(|code| code.parse().unwrap());
        let handles = |networks: &[Network], account: &str| -> Vec<String> {
            let targets = PlannedTarget::in_turn(&languages, networks);
            targets.into_iter().map(|target| target.handle(account)).collect()
        };
        assert_eq!(
            handles(&Network::ALL, "harbour_city"),
            [
                "harbour_city_es",
                "harbour-city-ca.example",
                "harbour_city_gl@mastodon.example",
                "harbour_c_pt_br"
            ]
        );
        assert_eq!(handles(&[Network::Bluesky], "_Town_")[0], "town-es.example");
    }

    #[test]
    fn each_account_gets_the_keys_of_its_network() {
        let languages = ["es", "ca", "gl"].map(|code| code.parse().unwrap());
        let plan = Plan {
            accounts: vec!["town".into()],
            targets: PlannedTarget::in_turn(&languages, &Network::ALL),
            engines: vec!["apertium".into()],
            engines_of: HashMap::new(),
            start: "beginning",
        };
        let names: Vec<String> = plan.secrets().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names[3..],
            [
                "X_TOWN_ES_ACCESS_TOKEN",
                "X_TOWN_ES_ACCESS_TOKEN_SECRET",
                "BLUESKY_TOWN_CA_EXAMPLE_APP_PASSWORD",
                "MASTODON_TOWN_GL_MASTODON_EXAMPLE_TOKEN",
            ]
        );
        let config = plan.config("http://127.0.0.1:1", Path::new("data"));
        assert!(
            config.contains("network = \"bluesky\"\nlanguage = \"ca\"\naccount = \"town-ca.example\""),
            "{config}"
        );
        assert!(config.contains("[mastodon]\nbase_url = \"http://127.0.0.1:1\""), "{config}");
    }

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
