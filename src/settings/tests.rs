mod budgets;
mod engines;
mod sources;

use std::{collections::BTreeSet, fs, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use mynah_actors::pipeline::Factory;
use mynah_domain::{
    Post, PostId, Tone, TooLong, Wordless,
    caps::{Cap, CapSetting},
    network::{NetworkRules, PlainText},
    ports::{Destination, Ledger, MediaFetcher, Source, ledger::Mark},
};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

use super::*;
use crate::{
    engines::{ConfiguredEngine, EngineFactory, EngineKind, EngineSection, gemini::GeminiSettings},
    http_client::Transport,
    networks::{Accounts, Connections, Followed, Network, Published, Wanted},
};

/// The smallest valid settings.
const LEAST: &str = "\
[source]
account = \"example\"
language = \"en\"

[[targets]]
language = \"es\"
account = \"example_es\"
";

const SECRETS: [(&str, &str); 5] = [
    ("X_CONSUMER_KEY", "hush-consumer-key"),
    ("X_CONSUMER_SECRET", "hush-consumer-secret"),
    ("X_EXAMPLE_ES_ACCESS_TOKEN", "hush-token"),
    ("X_EXAMPLE_ES_ACCESS_TOKEN_SECRET", "hush-token-secret"),
    ("GEMINI_API_KEY", "hush-gemini"),
];

/// The names of the engines, in order.
fn names(settings: &Settings) -> Vec<String> {
    settings.engine.names().iter().map(ToString::to_string).collect()
}

/// A settings file in its own folder, with an environment and flags.
struct Bench {
    folder: TempDir,
    sources: SettingsSources,
}

impl Bench {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, text).unwrap();
        let env = SECRETS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { folder, sources: SettingsSources { file: Some(file), env, ..SettingsSources::default() } }
    }

    fn least() -> Self {
        Self::new(LEAST)
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.insert(name.into(), value.into());
        self
    }

    fn without(mut self, names: &[&str]) -> Self {
        self.sources.env.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    fn set(mut self, flag: &str) -> Self {
        self.sources.overrides.push(flag.into());
        self
    }

    /// Sets a variable that names a file with this text.
    fn secret_file(self, name: &str, text: &[u8]) -> Self {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        self.env(&format!("{name}_FILE"), &path)
    }

    #[track_caller]
    fn good(&self) -> Settings {
        load(&self.sources).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The problems, without the folder's path.
    fn problems(&self) -> Vec<Problem> {
        let error = load(&self.sources).expect_err("the settings should have problems");
        assert!(!error.to_string().contains("hush"), "a secret is shown: {error}");
        error.problems
    }

    fn message(&self) -> String {
        let error = load(&self.sources).expect_err("the settings should have problems").to_string();
        error.replace(&format!("{}/", self.folder.path().display()), "")
    }

    /// Asserts that there is exactly one problem, with these words.
    #[track_caller]
    fn reports(&self, origin: &str, key: &str, what: &str, fix: &str) {
        let problems = self.problems();
        let [problem] = &problems[..] else { panic!("not one problem:\n{}", self.message()) };
        let folder = format!("{}/", self.folder.path().display());
        assert_eq!(problem.origin.to_string().replace(&folder, ""), origin, "{problem}");
        assert_eq!(problem.key, key, "{problem}");
        assert!(problem.what.contains(what), "{problem}");
        assert!(problem.fix.contains(fix), "{problem}");
    }
}

/// The first engine, which is Gemini.
fn gemini(settings: &Settings) -> &GeminiSettings {
    settings.engine.order[0].as_any().downcast_ref().unwrap()
}

/// [`LEAST`] with more lines from line 8 on.
fn with(more: &str) -> Bench {
    Bench::new(&format!("{LEAST}{more}"))
}

#[test]
fn the_smallest_settings_load_and_the_rest_has_defaults() {
    let settings = Bench::least().good();
    assert_eq!(settings.preset, Preset::Balanced);
    assert_eq!(settings.data_dir, PathBuf::from("data"));
    assert_eq!(
        (settings.sources[0].account.as_str(), settings.sources[0].language.code()),
        ("example", "en")
    );
    assert_eq!(settings.sources[0].poll_interval, Duration::from_mins(1));
    assert_eq!((settings.sources[0].start.clone(), settings.sources[0].page_size), (Start::Now, 100));
    let [target] = &settings.targets[..] else { panic!() };
    assert_eq!(target.id().as_str(), "x:example_es");
    assert_eq!((target.tone, target.too_long), (Tone::Neutral, TooLong::Thread));
    assert_eq!((target.wordless, target.long_posts), (Wordless::Copy, false));
    assert_eq!((settings.sources[0].polls, target.rules().limits().text), (true, 280));
    let caps = [target.caps.daily, target.caps.monthly];
    assert_eq!(caps, [50, 1000].map(|most| Some(Cap { most, setting: CapSetting::AllTargets })));
    assert_eq!(names(&settings), ["gemini", "apertium"]);
    let gemini = gemini(&settings);
    assert_eq!((gemini.max_batch, gemini.model.as_str()), (20, "gemini-3.5-flash-lite"));
    assert_eq!(gemini.key.expose_secret(), "hush-gemini");
    assert_eq!(settings.value_of("x.base_url"), Some("https://api.x.com"));
    assert_eq!(
        (settings.router.queue, settings.translator.pool_size, settings.cache.max_entries),
        (1000, 4, 10_000)
    );
    assert_eq!(settings.supervisor.policy.backoff.base, Duration::from_millis(500));
    assert_eq!(settings.log.level, log::LevelFilter::Info);
}

#[test]
fn flags_override_the_environment_the_file_and_defaults() {
    let file = || with("[translator]\npool_size = 5\n[log]\nlevel = \"warn\"\n[stats]\ninterval = \"1m\"\n");
    let settings = file()
        .env("MYNAH__TRANSLATOR__POOL_SIZE", "6")
        .env("MYNAH__LOG__LEVEL", "debug")
        .set("translator.pool_size=7")
        .set("translator.pool_size = 8")
        .good();
    assert_eq!(settings.translator.pool_size, 8);
    assert_eq!(settings.log.level, log::LevelFilter::Debug);
    assert_eq!(settings.stats.interval, Duration::from_mins(1));
    assert_eq!(settings.shutdown.grace, Duration::from_secs(20));

    let origin = |key: &str| {
        let found = settings.in_force().iter().find(|one| one.key == key);
        found.map(|one| (one.value.clone(), one.origin.to_string()))
    };
    let expected = |value: &str, origin: &str| Some((value.to_owned(), origin.to_owned()));
    assert_eq!(origin("translator.pool_size"), expected("8", "--set translator.pool_size"));
    assert_eq!(origin("log.level"), expected("debug", "environment variable MYNAH__LOG__LEVEL"));
    assert_eq!(origin("router.queue"), expected("1000", "preset balanced"));
    assert_eq!(origin("shutdown.grace"), expected("20s", "default"));
    assert_eq!(origin("GEMINI_API_KEY"), expected("(secret)", "environment variable GEMINI_API_KEY"));
    assert!(origin("stats.interval").unwrap().1.ends_with("config.toml:13"));
    assert!(origin("targets[0].account").unwrap().1.ends_with("config.toml:7"));
}

#[test]
fn changed_secrets_are_named_and_that_of_the_process_itself_waits_for_the_next_start() {
    let before = Bench::least().env("MYNAH_ADMIN_TOKEN", "hush-the-first-token").good();
    let after = || {
        Bench::least()
            .env("GEMINI_API_KEY", "hush-another")
            .env("X_BEARER_TOKEN", "hush-new")
            .env("MYNAH_ADMIN_TOKEN", "hush-the-second-token")
            .good()
    };
    assert_eq!(before.changed_secrets(&before), []);
    let change = |name: &str, is_live| SecretChange { name: name.into(), is_live };
    let admin = change("MYNAH_ADMIN_TOKEN", false);
    let changed = before.changed_secrets(&after());
    assert_eq!(changed, [change("GEMINI_API_KEY", true), admin.clone(), change("X_BEARER_TOKEN", true)]);
    let (in_force, listed) = before.updated_with(after());
    assert_eq!(listed, [], "secrets are listed apart");
    assert_eq!(in_force.changed_secrets(&after()), [admin], "it is reported until a start puts it in force");
    assert!(!format!("{in_force:?}").contains("hush"));
}

#[test]
fn a_running_service_stays_with_its_ledger_and_its_shared_cache() {
    let before = Bench::least().good();
    let after = Bench::least()
        .set("ledger.url=postgres://mynah@db.example/mynah")
        .set("ledger.retention=30d")
        .set("cache.url=redis://cache.example")
        .set("cache.max_entries=77")
        .good();
    let (in_force, changes) = before.updated_with(after);
    assert!(matches!(in_force.place(), crate::ledger::Place::File(_)), "{}", in_force.place());
    assert!(in_force.cache.server.is_none());
    assert_eq!(in_force.ledger.retention, Some(Duration::from_hours(24 * 30)));
    assert_eq!(in_force.cache.max_entries, 77);
    let waiting: Vec<_> =
        changes.iter().filter(|change| !change.is_live()).map(|change| change.key.as_str()).collect();
    assert_eq!(waiting, ["cache.url", "ledger.url"]);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let bench = with("[log]\nlevel = \"warn\"\n").env("MYNAH__LOG__LEVEL", "").env("X_BEARER_TOKEN", "");
    assert_eq!(bench.good().log.level, log::LevelFilter::Warn);
}

#[test]
fn a_preset_changes_defaults_but_nothing_that_is_written() {
    let of = |preset: &str| {
        let settings = with("[router]\nqueue = 77\n").set(&format!("preset={preset}")).good();
        assert_eq!(settings.router.queue, 77);
        (
            settings.translator.pool_size,
            settings.translator.arbiters,
            settings.cache.max_entries,
            settings.value_of("x.connections").map(str::to_owned).unwrap(),
        )
    };
    assert_eq!(of("balanced"), (4, 2, 10_000, "4".into()));
    assert_eq!(of("speed"), (64, 2, 50_000, "16".into()));
    assert_eq!(of("memory"), (2, 1, 1000, "2".into()));
    with("").set("preset=fast").reports("--set preset", "preset", "\"fast\" is not", "\"speed\"");
    with("").set("preset=balancd").reports(
        "--set preset",
        "preset",
        "\"balancd\" is not",
        "did you mean \"balanced\"",
    );
}

#[test]
fn many_mistakes_are_reported_together() {
    let bench = Bench::new(
        "\
preset = \"sped\"

[source]
account = \"@example\"
languag = \"en\"
poll_interval = 60
page_size = 500

[[targets]]
language = \"spansh\"
account = \"example_es\"
tone = \"casual\"

[[targets]]
language = \"gl\"
account = \"EXAMPLE_es\"
access_token = \"hush\"

[[targets]]
account = \"example\"

[engine]
order = [\"gemni\", \"apertium\"]

[x]
base_url = \"http://api.x.com\"

[tranlator]
pool_size = 4

[publisher]
daily_cap = 0
",
    )
    .without(&["X_CONSUMER_SECRET", "X_EXAMPLE_ES_ACCESS_TOKEN_SECRET"])
    .env("MYNAH__LOG__LEVEL", "loud")
    .env("MYNAH_SOURCE_ACCOUNT", "example")
    .env("MYNAH__CACHE__TTLL", "1d")
    .set("translator.pool_size=1000")
    .set("stats.interval");
    insta::assert_snapshot!(bench.message());
}

#[test]
fn origins_are_sorted_by_line_and_not_by_letter() {
    let lines: Vec<Option<usize>> = with("a = 1\n[log]\nb = 1\n[x]\nc = 1\n[stats]\nd = 1\n")
        .problems()
        .into_iter()
        .map(|problem| match problem.origin {
            Origin::File { line, .. } => line,
            _ => None,
        })
        .collect();
    assert_eq!(lines, [Some(8), Some(10), Some(12), Some(14)]);
}

#[test]
fn a_missing_file_is_reported_with_where_to_get_one() {
    let reports = |sources: &SettingsSources, what: &str, fix: &str| {
        let error = load(sources).unwrap_err();
        let [problem] = &error.problems[..] else { panic!("{error}") };
        assert!(problem.what.contains(what) && problem.fix.contains(fix), "{error}");
    };
    let missing = SettingsSources { file: Some("/nowhere/mynah.toml".into()), ..SettingsSources::default() };
    reports(&missing, "file not found", "--config");
    let mut by_variable = SettingsSources::default();
    by_variable.env.insert("MYNAH_CONFIG".into(), "/nowhere/mynah.toml".into());
    reports(&by_variable, "file not found", "MYNAH_CONFIG");
    assert!(load(&by_variable).unwrap_err().to_string().contains("/nowhere/mynah.toml"));
    let folder = SettingsSources { file: Some("/".into()), ..SettingsSources::default() };
    reports(&folder, "cannot read the file", "TOML file");
    let default = super::layers::Layers::read(&SettingsSources { file: None, ..missing }, &mut vec![]);
    // The tests run where the repository's own config.toml is.
    assert!(default.is_ok());
}

#[test]
fn a_flag_for_the_file_overrides_its_variable() {
    let bench = Bench::least().env("MYNAH_CONFIG", "/nowhere/mynah.toml");
    assert_eq!(bench.good().sources[0].account, "example");
}

#[test]
fn a_syntax_error_is_one_problem_with_line_and_column() {
    Bench::new("[source]\naccount = \"a\nlanguage = 3\n").reports(
        "config.toml:2:13",
        "",
        "not valid TOML",
        "fix the line",
    );
    let twice = Bench::new("[source]\naccount = \"a\"\naccount = \"b\"\n");
    twice.reports("config.toml:3:1", "", "duplicate key", "fix the line");
    let number = Bench::new("preset = 99999999999999999999\n");
    assert_eq!(number.problems().len(), 1, "{}", number.message());
    // The line itself may hold a secret.
    Bench::new("X_BEARER_TOKEN = hush-unquoted\n").problems();
}

#[test]
fn unknown_keys_are_reported_with_the_nearest() {
    with("[source2]\na = 1\nb = 2\n").reports(
        "config.toml:8",
        "source2",
        "unknown setting",
        "did you mean [source]",
    );
    with("[log]\nlvel = \"info\"\n").reports(
        "config.toml:9",
        "log.lvel",
        "unknown setting",
        "did you mean log.level?",
    );
    with("tonne = \"formal\"\n").reports(
        "config.toml:8",
        "targets[0].tonne",
        "unknown setting",
        "did you mean targets.tone?",
    );
    with("[source.blue]\n").reports("config.toml:8", "source.blue", "unknown setting", "[source] has ");
    with("[colours]\nred = 1\n").reports(
        "config.toml:8",
        "colours",
        "unknown setting",
        "docs/configuration.md",
    );
    with("[metrics]\nlisten = \"127.0.0.1:7878\"\n").reports(
        "config.toml:8",
        "metrics",
        "unknown setting",
        "remove it",
    );
    with("[router]\npool_size = 3\n").reports(
        "config.toml:9",
        "router.pool_size",
        "unknown setting",
        "translator.pool_size",
    );
    with("").env("MYNAH__SOURCE__ACOUNT", "a").reports(
        "environment variable MYNAH__SOURCE__ACOUNT",
        "source.acount",
        "unknown setting",
        "did you mean MYNAH__SOURCE__ACCOUNT?",
    );
    with("").set("source.acount=a").reports(
        "--set source.acount",
        "source.acount",
        "unknown setting",
        "source.account?",
    );
    with("").set("so[urce=a").reports("--set so[urce", "so[urce", "unknown setting", "");
    with("").set("=a").reports("--set ", "", "unknown setting", "");
    with("").set("loud").reports("--set loud", "", "has no =", "section.key=value");
}

#[test]
fn one_underscore_instead_of_two_is_reported() {
    with("").env("MYNAH_TRANSLATOR_POOL_SIZE", "3").reports(
        "environment variable MYNAH_TRANSLATOR_POOL_SIZE",
        "",
        "two underscores",
        "MYNAH__TRANSLATOR__POOL_SIZE",
    );
    // Other programs may have variables of such names.
    with("").env("MYNAH_COLOUR", "red").good();
}

#[test]
fn sections_and_values_are_not_interchangeable() {
    with("").env("MYNAH__SOURCE", "example").env("MYNAH__SOURCE__START", "now").reports(
        "environment variable MYNAH__SOURCE",
        "source",
        "is a section",
        "MYNAH__SOURCE__",
    );
    Bench::new(&format!("log = \"info\"\n{LEAST}")).reports(
        "config.toml:1",
        "log",
        "is a section",
        "log.level",
    );
    let nested = with("[log.level]\nmynah = \"info\"\n");
    assert!(
        nested.message().contains("this is a section, but should be a single value"),
        "{}",
        nested.message()
    );
}

#[test]
fn values_of_a_wrong_type_are_reported() {
    with("[stats]\ninterval = 30\n").reports("config.toml:9", "stats.interval", "no unit", "\"30s\"");
    with("[router]\nqueue = \"long\"\n").reports(
        "config.toml:9",
        "router.queue",
        "not a whole number",
        "1 to 1000000",
    );
    with("[cache]\nttl = \"1s\"\n").reports(
        "config.toml:9",
        "cache.ttl",
        "out of range (1m to 365d)",
        "1m to 365d",
    );
    with("[log]\nformat = \"xml\"\n").reports("config.toml:9", "log.format", "\"xml\" is not", "\"json\"");
    with("[x]\nbase_url = \"api.x.com\"\n").reports("config.toml:9", "x.base_url", "not a URL", "https://");
    with("[publisher]\nmonthly_cap = 0\n").reports(
        "config.toml:9",
        "publisher.monthly_cap",
        "0 would",
        "\"none\"",
    );
    with("daily_cap = 0\n").reports("config.toml:8", "targets[0].daily_cap", "0 would", "\"none\"");
    with("network = \"friendster\"\n").reports(
        "config.toml:8",
        "targets[0].network",
        "\"friendster\" is not",
        "\"x\"",
    );
    with("too_long = \"cut\"\n").reports(
        "config.toml:8",
        "targets[0].too_long",
        "\"cut\" is not",
        "\"hold\"",
    );
    with("long_posts = 25000\n").reports("config.toml:8", "targets[0].long_posts", "25000", "true");
    with("wordless = \"drop\"\n").reports(
        "config.toml:8",
        "targets[0].wordless",
        "\"drop\" is not",
        "\"skip\"",
    );
    with("").set("source.polls=copy").reports(
        "--set source.polls",
        "source.polls",
        "\"copy\" is not",
        "\"text\"",
    );
    with("").set("source.start=someday").reports(
        "--set source.start",
        "source.start",
        "not a valid start",
        "\"now\"",
    );
    with("[supervisor]\nbackoff = \"1m\"\n").reports(
        "config.toml:9",
        "supervisor.backoff",
        "longer",
        "raise",
    );
    with("[supervisor]\nbackoff_max = \"1ms\"\n").reports(
        "config.toml:9",
        "supervisor.backoff_max",
        "longer",
        "raise",
    );
}

#[test]
fn engines_must_be_listed_and_known() {
    with("[engine]\norder = []\n").reports(
        "config.toml:9",
        "engine.order",
        "no engine is listed",
        "\"gemini\"",
    );
    with("[engine]\norder = [\"apertum\"]\n").reports(
        "config.toml:9",
        "engine.order",
        "\"apertum\"",
        "did you mean \"apertium\"",
    );
}

/// An engine that only this test knows.
#[derive(Debug)]
struct Parrot;

#[derive(Debug)]
struct ConfiguredParrot {
    volume: u64,
    key: SecretString,
}

impl EngineKind for Parrot {
    fn name(&self) -> &'static str {
        "parrot"
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["PARROT_KEY"]
    }

    fn read(
        &self,
        section: &EngineSection<'_>,
        reader: &mut Reader<'_>,
        vault: &mut Vault<'_>,
    ) -> Option<Arc<dyn ConfiguredEngine>> {
        let volume = reader.or(&section.key("volume"), "3", kinds::count(1..=11));
        let key = section.secret(vault, self.secrets(), "find one");
        Some(Arc::new(ConfiguredParrot { volume: volume?, key: key? }))
    }
}

impl ConfiguredEngine for ConfiguredParrot {
    fn name(&self) -> &'static str {
        "parrot"
    }

    fn longest_call(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn factory(&self, _: crate::http_client::Transport) -> Result<EngineFactory, String> {
        Err("it only repeats".into())
    }
}

#[test]
fn a_registered_engine_has_a_section_and_a_key_like_any_other() {
    let parrot = |more: &str| {
        let mut bench = with(more).without(&["GEMINI_API_KEY"]).env("PARROT_KEY", "hush-parrot");
        bench.sources.engines = Engines::default().with(&Parrot);
        bench
    };
    let settings =
        parrot("[engine]\norder = [\"parrot\", \"apertium\"]\n[engine.parrot]\nvolume = 11\n").good();
    assert_eq!(names(&settings), ["parrot", "apertium"]);
    let first: &ConfiguredParrot = settings.engine.order[0].as_any().downcast_ref().unwrap();
    assert_eq!((first.volume, first.key.expose_secret()), (11, "hush-parrot"));
    let unused: Vec<&str> = settings.engine.unused.iter().map(|kind| kind.name()).collect();
    assert_eq!(unused, ["gemini", "openai", "anthropic", "deepl", "libretranslate", "firefox"]);

    let order = "[engine]\norder = [\"parrot\"]\n";
    parrot("[engine]\norder = [\"parot\"]\n").reports(
        "config.toml:9",
        "engine.order",
        "unknown engine: \"parot\"",
        "did you mean \"parrot\"? Valid values: \"gemini\", \"openai\", \"anthropic\", \"deepl\", \"libretranslate\", \"firefox\", \"apertium\", \"parrot\"",
    );
    parrot(&format!("{order}[engine.parrot]\nvolume = 12\n")).reports(
        "config.toml:11",
        "engine.parrot.volume",
        "out of range (1 to 11)",
        "1 to 11",
    );
    parrot(&format!("{order}[engine.parrot]\nvolum = 1\n")).reports(
        "config.toml:11",
        "engine.parrot.volum",
        "unknown setting",
        "did you mean engine.parrot.volume?",
    );
    parrot(&format!("{order}[engine.parrot]\napi_key = \"hush\"\n")).reports(
        "config.toml:11",
        "engine.parrot.api_key",
        "secrets do not belong",
        "variable PARROT_KEY, or set PARROT_KEY_FILE",
    );
    parrot(order).without(&["PARROT_KEY"]).reports(
        "environment variable PARROT_KEY",
        "PARROT_KEY",
        "no key",
        "find one",
    );
    with("[engine.parrot]\nvolume = 3\n").reports(
        "config.toml:8",
        "engine.parrot",
        "unknown setting",
        "[engine",
    );
}

#[test]
fn the_file_may_use_any_toml_syntax() {
    let settings = Bench::new(
        "source = { account = \"example\", language = \"en\", start = 2026-10-01T00:00:00Z }\n\
         targets = [{ language = \"es\", account = \"@Example_ES\", tone = \"informal\", daily_cap = \"none\" }]\n\
         engine.order = [\"apertium\"]\nengine.apertium.timeout = \"3s\"\n",
    )
    .without(&["GEMINI_API_KEY"])
    .good();
    assert_eq!(settings.sources[0].start, Start::From("2026-10-01T00:00:00Z".parse().unwrap()));
    let target = &settings.targets[0];
    assert_eq!((target.account.as_str(), target.tone), ("Example_ES", Tone::Informal));
    let monthly = Some(Cap { most: 1000, setting: CapSetting::AllTargets });
    assert_eq!((target.caps.daily, target.caps.monthly), (None, monthly));
    assert_eq!(names(&settings), ["apertium"]);
    assert_eq!(settings.engine.longest_call(), Duration::from_secs(3));
}

#[test]
fn targets_are_a_list_in_the_file() {
    let source = "[source]\naccount = \"example\"\nlanguage = \"en\"\n";
    Bench::new(source).reports("config.toml", "targets", "no targets", "[[targets]]");
    Bench::new(&format!("targets = []\n{source}")).reports(
        "config.toml:1",
        "targets",
        "no targets",
        "[[targets]]",
    );
    Bench::new(&format!("targets = [\"es\"]\n{source}")).reports(
        "config.toml:1",
        "targets",
        "not sections",
        "[[targets]]",
    );
    let single = format!("{source}[targets]\naccount = \"example_es\"\nlanguage = \"es\"\n");
    Bench::new(&single).reports("config.toml:4", "targets", "a single section", "[[targets]]");
    with("").set("targets.tone=formal").reports(
        "--set targets.tone",
        "targets",
        "in the file only",
        "[[targets]]",
    );
    let variable = "MYNAH__TARGETS";
    let origin = "environment variable MYNAH__TARGETS";
    with("").env(variable, "es").reports(origin, "targets", "in the file only", "[[targets]]");
}

#[test]
fn a_missing_key_is_reported_where_it_is_missing() {
    Bench::new("[[targets]]\nlanguage = \"es\"\naccount = \"example_es\"\n[source]\nlanguage = \"en\"\n")
        .reports("config.toml:4", "source.account", "missing", "handle");
    with("[[targets]]\naccount = \"b\"\n").env("X_B_OAUTH2_TOKEN", "hush").reports(
        "config.toml:8",
        "targets[1].language",
        "missing",
        "\"es\"",
    );
}

#[test]
fn each_target_has_its_own_account_and_not_the_sources_language() {
    let second = |account: &str, language: &str| {
        with(&format!("[[targets]]\nlanguage = \"{language}\"\naccount = \"{account}\"\n"))
            .env("X_EXAMPLE_OAUTH2_TOKEN", "hush")
            .env("X_OTHER_OAUTH2_TOKEN", "hush")
    };
    second("@Example_es", "fr").reports(
        "config.toml:10",
        "targets[1].account",
        "another target already uses",
        "its own account",
    );
    second("EXAMPLE", "fr").reports(
        "config.toml:10",
        "targets[1].account",
        "followed account",
        "the translations",
    );
    second("other", "en").reports("config.toml:9", "targets[1].language", "own language", "another language");
    assert_eq!(second("other", "es").good().targets.len(), 2);
}

#[test]
fn a_rule_is_checked_even_if_other_keys_of_its_section_are_wrong() {
    let text = LEAST
        .replace("example_es", "example")
        .replace("language = \"en\"", "language = \"en\"\nstart = \"x\"");
    let message = Bench::new(&text).env("X_EXAMPLE_OAUTH2_TOKEN", "hush").message();
    assert!(message.contains("followed account") && message.contains("not a valid start"), "{message}");
}

#[test]
fn secrets_in_the_settings_are_reported_with_their_variable() {
    let reports = |bench: Bench, origin: &str, key: &str, variable: &str| {
        bench.reports(
            origin,
            key,
            "secrets do not belong",
            &format!("variable {variable}, or set {variable}_FILE"),
        );
    };
    reports(
        with("access_token = \"hush\"\n"),
        "config.toml:8",
        "targets[0].access_token",
        "X_EXAMPLE_ES_ACCESS_TOKEN",
    );
    let key = "targets[0].access_token_secret";
    reports(
        with("access_token_secret = \"hush\"\n"),
        "config.toml:8",
        key,
        "X_EXAMPLE_ES_ACCESS_TOKEN_SECRET",
    );
    reports(
        with("oauth2_token = \"hush\"\n"),
        "config.toml:8",
        "targets[0].oauth2_token",
        "X_EXAMPLE_ES_OAUTH2_TOKEN",
    );
    reports(with("[x]\nbearer_token = \"hush\"\n"), "config.toml:9", "x.bearer_token", "X_BEARER_TOKEN");
    reports(with("[x]\nconsumer_key = \"hush\"\n"), "config.toml:9", "x.consumer_key", "X_CONSUMER_KEY");
    reports(
        with("[x]\nconsumer_secret = \"hush\"\n"),
        "config.toml:9",
        "x.consumer_secret",
        "X_CONSUMER_SECRET",
    );
    reports(
        with("[engine.gemini]\napi_key = \"hush\"\n"),
        "config.toml:9",
        "engine.gemini.api_key",
        "GEMINI_API_KEY",
    );
    reports(
        Bench::new(&format!("GEMINI_API_KEY = \"hush\"\n{LEAST}")),
        "config.toml:1",
        "GEMINI_API_KEY",
        "GEMINI_API_KEY",
    );
    reports(with("").set("x.bearer_token=hush"), "--set x.bearer_token", "x.bearer_token", "X_BEARER_TOKEN");
    let origin = "environment variable MYNAH__X__BEARER_TOKEN";
    reports(with("").env("MYNAH__X__BEARER_TOKEN", "hush"), origin, "x.bearer_token", "X_BEARER_TOKEN");
}

#[test]
fn missing_secrets_are_reported_by_variable() {
    let least = |without: &str| Bench::least().without(&[without]);
    let reports = |without: &str, what: &str, fix: &str| {
        least(without).reports(&format!("environment variable {without}"), without, what, fix);
    };
    reports("GEMINI_API_KEY", "gemini is in engine.order", "GEMINI_API_KEY_FILE");
    reports("X_CONSUMER_KEY", "missing", "X_CONSUMER_KEY_FILE");
    reports("X_CONSUMER_SECRET", "missing", "X_CONSUMER_SECRET_FILE");
    reports("X_EXAMPLE_ES_ACCESS_TOKEN", "missing", "set X_EXAMPLE_ES_ACCESS_TOKEN,");
    reports("X_EXAMPLE_ES_ACCESS_TOKEN_SECRET", "missing", "set X_EXAMPLE_ES_ACCESS_TOKEN_SECRET,");
    let neither = Bench::least().without(&["X_EXAMPLE_ES_ACCESS_TOKEN", "X_EXAMPLE_ES_ACCESS_TOKEN_SECRET"]);
    let name = "X_EXAMPLE_ES_ACCESS_TOKEN";
    neither.reports(
        &format!("environment variable {name}"),
        name,
        "no keys for",
        "X_EXAMPLE_ES_OAUTH2_TOKEN",
    );
    let all =
        Bench { sources: SettingsSources { env: HashMap::new(), ..neither.sources.clone() }, ..neither };
    let names: BTreeSet<String> = all.problems().into_iter().map(|problem| problem.key).collect();
    assert_eq!(
        names.iter().collect::<Vec<_>>(),
        ["GEMINI_API_KEY", "X_CONSUMER_KEY", "X_CONSUMER_SECRET", name]
    );
    Bench::least().env("X_EXAMPLE_ES_OAUTH2_TOKEN", "hush").reports(
        "environment variable X_EXAMPLE_ES_OAUTH2_TOKEN",
        "X_EXAMPLE_ES_OAUTH2_TOKEN",
        "two kinds",
        "unset",
    );
}

#[test]
fn only_used_secrets_are_required() {
    let settings = with("[engine]\norder = [\"apertium\"]\n")
        .without(&SECRETS.map(|(name, _)| name))
        .env("X_EXAMPLE_ES_OAUTH2_TOKEN", "hush-user")
        .good();
    for shown in
        [format!("{:?}", settings.sources[0].connection), format!("{:?}", settings.targets[0].connection)]
    {
        assert!(shown.contains("XAuth::User2"), "{shown}");
    }
}

#[test]
fn an_admin_api_that_other_machines_reach_needs_a_token() {
    let listening = |listen: &str| with(&format!("[admin]\nlisten = \"{listen}\"\n"));
    let default = Bench::least().good().admin;
    assert_eq!(default.listen.unwrap().to_string(), "127.0.0.1:7878");
    assert!(default.token.is_none());
    assert!(listening("off").good().admin.listen.is_none());
    assert!(listening("[::1]:0").good().admin.listen.is_some());
    for open in ["0.0.0.0:7878", "[::]:7878", "10.0.0.7:7878"] {
        for fix in ["127.0.0.1:7878", "MYNAH_ADMIN_TOKEN,", "MYNAH_ADMIN_TOKEN_FILE"] {
            listening(open).reports("config.toml:9", "admin.listen", "no token", fix);
        }
        let settings = listening(open).env("MYNAH_ADMIN_TOKEN", "hush-admin-token").good();
        assert_eq!(settings.admin.token.unwrap().expose_secret(), "hush-admin-token");
    }
    let filed = listening("0.0.0.0:1").secret_file("MYNAH_ADMIN_TOKEN", b"hush-file-of-16c\n").good();
    assert_eq!(filed.admin.token.unwrap().expose_secret(), "hush-file-of-16c");
    listening("localhost").reports("config.toml:9", "admin.listen", "not an address", "\"off\"");
    with("[admin]\ntoken = \"hush\"\n").reports(
        "config.toml:9",
        "admin.token",
        "secrets do not belong",
        "variable MYNAH_ADMIN_TOKEN, or set MYNAH_ADMIN_TOKEN_FILE",
    );
    let origin = "environment variable MYNAH_ADMIN_TOKEN";
    Bench::least().env("MYNAH_ADMIN_TOKEN", "hush hush").reports(
        origin,
        "MYNAH_ADMIN_TOKEN",
        "a space",
        "again",
    );
}

#[test]
fn an_admin_api_that_other_machines_reach_needs_a_long_token() {
    let listening = |listen: &str| with(&format!("[admin]\nlisten = \"{listen}\"\n"));
    for open in ["0.0.0.0:7878", "[::]:7878", "10.0.0.7:7878", "0.0.0.0:0"] {
        for token in ["x", "hush", "hush-fifteen-ch"] {
            let bench = || listening(open).env("MYNAH_ADMIN_TOKEN", token);
            bench().reports("config.toml:9", "admin.listen", "fewer than 16 characters", "MYNAH_ADMIN_TOKEN");
            bench().reports("config.toml:9", "admin.listen", "could guess", "openssl rand -hex 32");
        }
        let filed = listening(open).secret_file("MYNAH_ADMIN_TOKEN", b"hush-fifteen-ch\n");
        filed.reports("config.toml:9", "admin.listen", "fewer than 16 characters", "127.0.0.1:");
        listening(open).env("MYNAH_ADMIN_TOKEN", "hush-sixteen-chs").good();
    }
    for own in ["127.0.0.1:7878", "[::1]:0", "off"] {
        listening(own).env("MYNAH_ADMIN_TOKEN", "x").good();
    }
}

#[test]
fn googles_own_name_for_the_key_is_accepted() {
    let bench = Bench::least().without(&["GEMINI_API_KEY"]).env("GOOGLE_API_KEY", "hush-google");
    assert_eq!(gemini(&bench.good()).key.expose_secret(), "hush-google");
}

#[test]
fn a_secret_may_be_in_a_file() {
    let bench = Bench::least().without(&["GEMINI_API_KEY"]).secret_file("GEMINI_API_KEY", b"hush-file\r\n");
    let settings = bench.good();
    assert_eq!(gemini(&settings).key.expose_secret(), "hush-file");
    let origin =
        settings.in_force().iter().find(|one| one.key == "GEMINI_API_KEY").map(|one| one.origin.to_string());
    assert_eq!(origin.unwrap(), "environment variable GEMINI_API_KEY_FILE");
}

#[test]
fn an_unusable_secret_is_reported_but_not_shown() {
    let bare = || Bench::least().without(&["GEMINI_API_KEY"]);
    let file = "GEMINI_API_KEY_FILE";
    let origin = "environment variable GEMINI_API_KEY_FILE";
    bare().secret_file("GEMINI_API_KEY", b"\n").reports(origin, file, "empty", "on one line");
    bare().secret_file("GEMINI_API_KEY", b"\xff\xfe").reports(origin, file, "cannot read", "text file");
    bare().secret_file("GEMINI_API_KEY", b"hush\nhush\n").reports(origin, file, "line break", "on one line");
    bare().env(file, "/nowhere/key").reports(origin, file, "\"/nowhere/key\": No such file", "readable");
    let blank = bare().env("GEMINI_API_KEY", "hush hush");
    blank.reports("environment variable GEMINI_API_KEY", "GEMINI_API_KEY", "a space", "without quotes");
    let both = Bench::least().secret_file("GEMINI_API_KEY", b"hush");
    both.reports("environment variable GEMINI_API_KEY", "GEMINI_API_KEY", "both set", "unset one");
    let bearer = Bench::least().env("X_BEARER_TOKEN_FILE", "/nowhere");
    bearer.reports(
        "environment variable X_BEARER_TOKEN_FILE",
        "X_BEARER_TOKEN_FILE",
        "cannot read",
        "readable",
    );
}

#[test]
fn no_secret_is_ever_shown() {
    let bench = Bench::least().env("X_BEARER_TOKEN", "hush-app").env("MYNAH_ADMIN_TOKEN", "hush-admin");
    let settings = bench.good();
    let shown = format!("{settings:?} {settings:#?} {:?} {:?}", bench.sources, settings.in_force());
    assert!(!shown.contains("hush"), "{shown}");
    assert!(shown.contains("example_es"));
}

/// The repository's own file.
fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config.toml")
}

#[test]
fn the_shipped_file_loads_and_shows_the_defaults() {
    let mut bench = Bench::least();
    bench.sources.file = Some(shipped());
    let settings = bench.good();
    let defaults = known_keys(Preset::Balanced);
    for one in settings.in_force().iter().filter(|one| matches!(one.origin, Origin::File { .. })) {
        let known = defaults.iter().find(|known| known.key == unknown::general(&one.key)).unwrap();
        if let Some(default) = known.default {
            assert_eq!(one.value, default, "{}", one.key);
        }
    }
}

#[test]
fn every_key_is_in_the_shipped_file_and_in_the_documentation() {
    let file = fs::read_to_string(shipped()).unwrap();
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(page).unwrap();
    let presets = Preset::ALL.map(known_keys);
    assert!(presets[0].len() > 30);
    for (index, known) in presets[0].iter().enumerate() {
        // A source in a list has the keys of the only source, and a name.
        let of_only = known.key.strip_prefix("sources[].").map(|name| format!("source.{name}"));
        if of_only.is_some_and(|of_only| presets[0].iter().any(|known| known.key == of_only)) {
            continue;
        }
        let key = known.key.replace("[]", "").replace("<actor>", "translator").replace("<name>", "groq");
        let (section, name) = key.rsplit_once('.').unwrap_or(("", &key));
        let header = match section {
            "targets" => "\n[[targets]]".into(),
            "sources" => "\n# [[sources]]".into(),
            "engine.groq" => "\n# [engine.groq]".into(),
            section => format!("\n[{section}]"),
        };
        let begin = if section.is_empty() {
            0
        } else {
            file.find(&header).unwrap_or_else(|| panic!("no {header}")) + 3
        };
        let part = &file[begin..];
        let part = part.find("\n[").map_or(part, |end| &part[..end]);
        let line = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{name} = "));
        assert!(part.lines().any(line), "config.toml has no {key}");

        let row = page.lines().find(|row| row.starts_with(&format!("| `{}` |", known.key.replace("[]", ""))));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md has no {key}"));
        for preset in &presets {
            if let Some(default) = preset[index].default {
                assert!(row.contains(&format!("`{default}`")), "{key} should show `{default}`: {row}");
            }
        }
    }
}

#[test]
fn the_former_bots_names_are_accepted_and_reported() {
    let bench = Bench::least()
        .env("OPTIMIZATION_MODE", "low_resource")
        .env("MAX_CONCURRENT_TRANSLATIONS", "7")
        .env("CONNECTION_POOL_SIZE", "20")
        .env("POLL_INTERVAL_SECONDS", "300")
        .env("ENABLE_PERFORMANCE_MONITORING", "true")
        .env("GEMINI_MODEL", "gemini-x");
    let settings = bench.good();
    assert_eq!(
        (settings.preset, settings.translator.pool_size, settings.value_of("x.connections")),
        (Preset::Memory, 7, Some("20"))
    );
    assert_eq!(settings.sources[0].poll_interval.as_secs(), 300);
    let gemini = gemini(&settings);
    assert_eq!((gemini.model.as_str(), gemini.connections), ("gemini-x", 20));
    let notes: Vec<String> =
        settings.former().iter().map(|former| format!("{} → {}", former.was, former.is)).collect();
    assert_eq!(notes.len(), 7, "{notes:?}");
    assert!(
        notes.contains(&"POLL_INTERVAL_SECONDS=300 → source.poll_interval = \"300s\"".into()),
        "{notes:?}"
    );
    assert!(notes.contains(&"OPTIMIZATION_MODE=low_resource → preset = \"memory\"".into()), "{notes:?}");
    let origin = settings.in_force().iter().find(|one| one.key == "source.poll_interval").unwrap();
    assert!(origin.origin.to_string().contains("POLL_INTERVAL_SECONDS"), "{}", origin.origin);

    let ours =
        Bench::least().env("POLL_INTERVAL_SECONDS", "300").env("MYNAH__SOURCE__POLL_INTERVAL", "9s").good();
    assert_eq!(
        (ours.sources[0].poll_interval.as_secs(), ours.former().len()),
        (9, 0),
        "our own names take precedence"
    );
    let named = Bench::least().set("preset=production").good();
    assert_eq!((named.preset, named.former()[0].is.as_str()), (Preset::Speed, "preset = \"speed\""));
    Bench::least().env("POLL_INTERVAL_SECONDS", "often").reports(
        "environment variable POLL_INTERVAL_SECONDS",
        "source.poll_interval",
        "often",
        "\"60s\"",
    );
}

/// A network with its own section, a secret for each account, and handles with a dot.
#[derive(Debug)]
struct Toy;

#[derive(Debug)]
struct ToyAccount {
    speed: usize,
    key: secrecy::SecretString,
}

impl Network for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn title(&self) -> &'static str {
        "Toy"
    }

    fn rules(&self) -> Arc<dyn NetworkRules> {
        Arc::new(PlainText { name: "toy", ..PlainText::default() })
    }

    fn handle(&self, value: &config::ValueKind) -> kinds::Read<String> {
        match kinds::text_of(value)? {
            text if text.contains('.') => Ok(text.into()),
            _ => kinds::refuse(format!("{} is not a toy account", kinds::quoted(value)), "write name.place"),
        }
    }

    fn mark(&self, id: &str) -> Option<Mark> {
        let position = id.strip_prefix("toy-")?.parse().ok()?;
        Some(Mark { id: PostId(id.into()), position })
    }

    fn example_id(&self) -> &'static str {
        "toy-7"
    }

    fn post_named(&self, which: &str) -> kinds::Read<PostId> {
        Ok(PostId(which.into()))
    }

    fn variable_of(&self, _: &str, account: Option<&str>) -> String {
        key_of(account.unwrap_or("<ACCOUNT>"))
    }

    fn read(
        &self,
        reader: &mut Reader<'_>,
        vault: &mut Vault<'_>,
        accounts: &Accounts<'_>,
        _: Option<Transport>,
    ) -> Option<Connections> {
        let speed = reader.or("toy.speed", "60", kinds::count(1..=100_usize));
        let mut toy = |handle: Option<&str>| {
            let name = key_of(handle?);
            let found = vault.find(&name);
            let missing = || ("there is no key".to_owned(), format!("set {name}"));
            let key = vault.need(Needed::All, &name, found, missing)?;
            Some(Arc::new(ToyAccount { speed: speed?, key }))
        };
        let followed = accounts.followed.iter().copied().map(&mut toy).collect::<Option<Vec<_>>>();
        let published = accounts.published.iter().copied().map(toy).collect::<Option<Vec<_>>>();
        speed?;
        Some(Connections {
            followed: followed?.into_iter().map(|toy| toy as Arc<dyn Followed>).collect(),
            published: published?.into_iter().map(|toy| toy as Arc<dyn Published>).collect(),
            longest_call: Duration::from_secs(50),
        })
    }
}

fn key_of(handle: &str) -> String {
    format!("TOY_{}_KEY", handle.replace('.', "_").to_uppercase())
}

#[async_trait(?Send)]
impl Followed for ToyAccount {
    fn source(&self, _: Wanted, _: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>> {
        unreachable!("these tests read settings and start nothing")
    }

    fn media(&self) -> Factory<Rc<dyn MediaFetcher>> {
        unreachable!("these tests read settings and start nothing")
    }

    async fn check(&self, _: Arc<dyn Ledger>) -> Result<String, String> {
        Ok(format!("{} {}", self.speed, self.key.expose_secret()))
    }

    async fn post(&self, _: &PostId, _: Arc<dyn Ledger>) -> Result<Post, String> {
        Err("there is none".into())
    }
}

#[async_trait(?Send)]
impl Published for ToyAccount {
    fn destination(&self, _: Arc<dyn Ledger>) -> Factory<Rc<dyn Destination>> {
        unreachable!("these tests read settings and start nothing")
    }

    async fn check(&self, _: Arc<dyn Ledger>) -> Result<String, String> {
        Ok(format!("{} {}", self.speed, self.key.expose_secret()))
    }
}

/// [`LEAST`] with a second target, on the other network.
fn with_toy(more: &str) -> Bench {
    let mut bench =
        with(&format!("[[targets]]\nnetwork = \"toy\"\nlanguage = \"fr\"\naccount = \"Tower.fr\"\n{more}"))
            .env("TOY_TOWER_FR_KEY", "hush-toy");
    bench.sources.networks = Networks::default().with(&Toy);
    bench
}

#[test]
fn targets_can_use_a_registered_network_with_its_section_and_secrets() {
    let settings = with_toy("[toy]\nspeed = 80\n").good();
    let [es, fr] = &settings.targets[..] else { panic!() };
    assert_eq!((es.id().as_str(), fr.id().as_str()), ("x:example_es", "toy:tower.fr"));
    assert_eq!((fr.network.name(), fr.account.as_str()), ("toy", "Tower.fr"));
    assert!(format!("{:?}", fr.connection).starts_with("ToyAccount { speed: 80"), "{:?}", fr.connection);
    let shown = |key: &str| {
        let one = settings.in_force().iter().find(|one| one.key == key).unwrap();
        (one.value.as_str(), one.origin.to_string())
    };
    assert_eq!(shown("TOY_TOWER_FR_KEY").0, "(secret)");
    assert!(shown("toy.speed").1.ends_with("config.toml:13"));

    let reports =
        |bench: Bench, origin: &str, key: &str, what: &str, fix: &str| bench.reports(origin, key, what, fix);
    let variable = "TOY_TOWER_FR_KEY";
    let origin = "environment variable TOY_TOWER_FR_KEY";
    reports(with_toy("").without(&[variable]), origin, variable, "no key", "set TOY_TOWER_FR_KEY");
    reports(
        with_toy("[toy]\nsped = 80\n"),
        "config.toml:13",
        "toy.sped",
        "unknown setting",
        "did you mean toy.speed?",
    );
    reports(
        with_toy("key_token = \"hush\"\n"),
        "config.toml:12",
        "targets[1].key_token",
        "secrets do not belong",
        "variable TOY_TOWER_FR_KEY",
    );
    reports(
        with_toy("[supervisor]\npatience = \"50s\"\n"),
        "config.toml:13",
        "supervisor.patience",
        "not longer than",
        "the timeouts of engine, x, bluesky, mastodon, feed and toy",
    );
    let mut wrong = with_toy("").set("source.network=toi");
    reports(
        wrong,
        "--set source.network",
        "source.network",
        "\"toi\" is not",
        "did you mean \"toy\"? Valid values: \"x\", \"bluesky\", \"mastodon\", \"feed\", \"file\", \"toy\"",
    );
    // Without registration, it is unknown.
    wrong = with_toy("");
    wrong.sources.networks = Networks::default();
    assert!(wrong.message().contains("\"toy\" is not a valid value"), "{}", wrong.message());
}

#[test]
fn a_source_on_another_network_needs_no_key_for_reading_x() {
    let mut bench =
        with("").set("source.network=toy").set("source.account=Tower.en").set("source.start=toy-7");
    bench = bench.env("TOY_TOWER_EN_KEY", "hush-toy");
    bench.sources.networks = Networks::default().with(&Toy);
    let settings = bench.good();
    assert_eq!(settings.sources[0].id(), "toy:tower.en");
    assert_eq!(settings.sources[0].start, Start::After(Mark { id: PostId("toy-7".into()), position: 7 }));
    let toy = |account: &str| format!("source.account={account}");
    bench.set(&toy("tower")).reports(
        "--set source.account",
        "source.account",
        "\"tower\" is not a toy account",
        "name.place",
    );

    // The other way around, X has no target's keys to read with.
    let text = LEAST.replace("account = \"example_es\"", "network = \"toy\"\naccount = \"Tower.es\"");
    let mut bench = Bench::new(&text).env("TOY_TOWER_ES_KEY", "hush-toy");
    bench.sources.networks = Networks::default().with(&Toy);
    bench.reports("environment variable X_BEARER_TOKEN", "X_BEARER_TOKEN", "missing", "set X_BEARER_TOKEN");
    bench.env("X_BEARER_TOKEN", "hush-app").good();
}

#[test]
fn an_account_that_would_republish_itself_is_refused_on_every_network() {
    let bench = with_toy("");
    let file = bench.sources.file.clone().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let source = "network = \"toy\"\naccount = \"tower.FR\"";
    fs::write(file, text.replace("account = \"example\"", source)).unwrap();
    assert!(bench.message().contains("which would then republish its own posts"), "{}", bench.message());
}

#[test]
fn only_a_network_with_a_stream_can_be_followed_by_one() {
    let following = |source: &str| {
        Bench::new(&format!("[source]\n{source}\n[[targets]]\nlanguage = \"es\"\naccount = \"example_es\"\n"))
    };
    let streams = |mode: &str| following(&format!("account = \"example\"\n{mode}")).good().sources[0].stream;
    assert!(!streams(""), "not every app may use X's stream");
    assert!(streams("mode = \"stream\""));
    assert!(!streams("mode = \"poll\""));
    let feed = "network = \"feed\"\naccount = \"https://paper.example/feed.xml\"\nmode = \"stream\"";
    following(feed).reports("config.toml:4", "source.mode", "can only be polled", "\"poll\"");
}
