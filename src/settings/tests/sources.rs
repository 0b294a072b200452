//! Several sources in one file.

use std::fmt::Write as _;

use super::*;

/// Two sources, each with a target.
const TWO: &str = "\
[[sources]]
name = \"town\"
account = \"example\"

[[sources]]
name = \"Port\"
account = \"example_port\"
language = \"fr\"
poll_interval = \"5m\"

[[targets]]
source = \"town\"
language = \"es\"
account = \"example_es\"

[[targets]]
source = \"port\"
language = \"es\"
account = \"port_es\"
";

fn bench(text: &str) -> Bench {
    Bench::new(text).env("X_PORT_ES_OAUTH2_TOKEN", "hush").env("X_BEARER_TOKEN", "hush-app")
}

fn ids(settings: &Settings) -> Vec<String> {
    settings.targets.iter().map(|target| format!("{} of {}", target.id(), target.source.label())).collect()
}

#[test]
fn each_target_names_its_source() {
    let settings = bench(TWO).good();
    let sources: Vec<_> = settings.sources.iter().map(|source| (source.label(), source.id())).collect();
    let expected = [("town", "x:example"), ("port", "x:example_port")];
    assert_eq!(sources, expected.map(|(name, id)| (name.to_owned(), id.to_owned())));
    assert_eq!(ids(&settings), ["x:example_es of town", "x:port_es of port"]);
    let port = &settings.targets[1].source;
    assert_eq!((port.language.code(), port.poll_interval), ("fr", Duration::from_mins(5)));
    assert_eq!(settings.targets_of(port).count(), 1);
}

#[test]
fn a_single_source_in_a_list_needs_no_mention() {
    let text = LEAST.replace("[source]", "[[sources]]\nname = \"town\"");
    let settings = Bench::new(&text).good();
    assert_eq!(ids(&settings), ["x:example_es of town"]);
}

#[test]
fn targets_of_different_sources_may_share_an_account_if_a_name_tells_them_apart() {
    let shared = TWO.replace("port_es", "Example_ES");
    bench(&shared).reports(
        "config.toml:19",
        "targets[1].account",
        "a target of another source publishes on this account, too (",
        "such as name = \"port\"",
    );
    let named = format!("{shared}name = \"port\"\n");
    let settings = bench(&named).good();
    assert_eq!(ids(&settings), ["x:example_es of town", "x:example_es~port of port"]);
    let accounts: Vec<_> = settings.targets.iter().map(TargetSettings::account_id).collect();
    assert_eq!(accounts[0], accounts[1]);
    let shared = |index: usize| Arc::as_ptr(&settings.targets[index].connection).cast::<()>();
    assert_eq!(shared(0), shared(1), "the account has one connection");
    bench(&format!("{named}daily_cap = 7\n")).reports(
        "config.toml:21",
        "targets[1].daily_cap",
        "has another cap",
        "the same cap",
    );
}

#[test]
fn every_mistake_between_sources_and_targets_is_reported() {
    let bench = bench(
        "\
[source]
poll_interval = \"30s\"

[[sources]]
name = \"town\"
account = \"example\"

[[sources]]
name = \"TOWN\"
account = \"harbor\"

[[sources]]
name = \"twin\"
account = \"Example\"

[[sources]]
name = \"poller\"
account = \"fourth\"

[[sources]]
name = \"a b\"
account = \"fifth\"

[[sources]]
account = \"sixth\"

[[targets]]
source = \"tow\"
language = \"es\"
account = \"example_es\"

[[targets]]
language = \"fr\"
account = \"port_es\"

[[targets]]
source = \"town\"
language = \"en\"
account = \"harbor\"
",
    )
    .env("MYNAH__SOURCE__ACCOUNT", "seventh")
    .env("MYNAH__SOURCES__0__ACCOUNT", "eighth")
    .env("X_HARBOR_OAUTH2_TOKEN", "hush")
    .set("sources[0].account=ninth");
    insta::assert_snapshot!(bench.message());
}

#[test]
fn a_source_that_no_target_republishes_is_a_problem() {
    bench(&TWO.replace("source = \"port\"", "source = \"town\"")).reports(
        "config.toml:6",
        "sources[1].name",
        "no target republishes this source",
        "add a target with source = \"port\"",
    );
}

#[test]
fn an_only_source_has_no_name_for_targets_to_use() {
    with("source = \"town\"\n").reports(
        "config.toml:8",
        "targets[0].source",
        "has no name",
        "write [[sources]]",
    );
    with("name = \"local\"\n").good();
    with("[source.name]\n").problems();
}

#[test]
fn no_translation_may_be_republished_as_a_post_of_another_source() {
    bench(&TWO.replace("example_port", "example_es")).reports(
        "config.toml:14",
        "targets[0].account",
        "the source \"port\" follows this account",
        "the account to publish the translations on",
    );
}

#[test]
fn defaults_apply_to_all_sources_and_targets_that_do_not_say_otherwise() {
    let defaults = "\
[defaults.sources]
poll_interval = \"2m\"
replies = true

[defaults.targets]
tone = \"formal\"
daily_cap = 9
";
    let settings = bench(&format!("{TWO}tone = \"informal\"\n{defaults}")).good();
    let intervals: Vec<_> = settings.sources.iter().map(|source| source.poll_interval.as_secs()).collect();
    assert_eq!(intervals, [120, 300]);
    assert!(settings.sources.iter().all(|source| source.replies));
    let tones: Vec<_> = settings.targets.iter().map(|target| target.tone).collect();
    assert_eq!(tones, [Tone::Formal, Tone::Informal]);
    assert!(settings.targets.iter().all(|target| target.caps.daily.unwrap().most == 9));
    let tone = settings.in_force().iter().find(|one| one.key == "targets[0].tone").unwrap();
    assert!(tone.origin.to_string().ends_with("config.toml:26"), "{}", tone.origin);

    let least = Bench::new(&format!("{LEAST}{defaults}")).good();
    assert_eq!(least.sources[0].poll_interval.as_secs(), 120, "the only source has them, too");
    let bench =
        bench(TWO).env("MYNAH__DEFAULTS__SOURCES__QUOTES", "false").set("defaults.targets.tone=formal");
    let settings = bench.good();
    assert!(settings.sources.iter().all(|source| !source.quotes));
    assert!(settings.targets.iter().all(|target| target.tone == Tone::Formal));
}

#[test]
fn a_mistake_in_the_defaults_is_reported_once_and_where_it_was_written() {
    let wrong = |line: &str| bench(&format!("{TWO}[defaults.targets]\n{line}\n"));
    wrong("tone = \"casual\"").reports("config.toml:21", "defaults.targets.tone", "\"casual\"", "formal");
    wrong("tome = \"formal\"").reports(
        "config.toml:21",
        "defaults.targets.tome",
        "unknown setting",
        "did you mean defaults.targets.tone?",
    );
    for own in ["account", "name"] {
        let key = format!("defaults.targets.{own}");
        wrong(&format!("{own} = \"example\"")).reports("config.toml:21", &key, "unknown setting", "");
    }
    bench(&format!("defaults = 1\n{TWO}")).problems();
    bench(&format!("{TWO}[defaults.engine]\ntimeout = \"1s\"\n")).problems();
}

#[test]
fn the_example_in_the_documentation_loads() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(page).unwrap();
    let example = page.split("```toml").find(|block| block.contains("\n[defaults.targets]\n")).unwrap();
    let example = example.split("```").next().unwrap();
    let names = ["POLICE_ES", "EXAMPLE_FR"].map(|account| format!("X_{account}_OAUTH2_TOKEN"));
    let settings = names.iter().fold(bench(example), |bench, name| bench.env(name, "hush")).good();
    assert_eq!(
        ids(&settings),
        [
            "x:example_es of town",
            "x:example_fr of town",
            "x:police_es of police",
            "x:example_fr~police of police"
        ]
    );
}

#[test]
fn the_former_bots_interval_applies_to_all_sources() {
    let settings =
        bench(&TWO.replace("poll_interval = \"5m\"\n", "")).env("POLL_INTERVAL_SECONDS", "300").good();
    assert!(settings.sources.iter().all(|source| source.poll_interval.as_secs() == 300));
    assert_eq!(settings.former()[0].is, "defaults.sources.poll_interval = \"300s\"");
}

#[test]
fn a_hundred_sources_with_four_targets_each_load() {
    let mut text = String::from("[defaults.sources]\npoll_interval = \"2m\"\n");
    let mut bench_env = Vec::new();
    for number in 0..100 {
        writeln!(text, "[[sources]]\nname = \"s{number}\"\naccount = \"s{number}\"").unwrap();
        for language in ["es", "fr", "de", "it"] {
            let account = format!("s{number}_{language}");
            writeln!(
                text,
                "[[targets]]\nsource = \"s{number}\"\nlanguage = \"{language}\"\naccount = \"{account}\""
            )
            .unwrap();
            bench_env.push(format!("X_{}_OAUTH2_TOKEN", account.to_uppercase()));
        }
    }
    let all = bench_env.iter().fold(bench(&text), |bench, name| bench.env(name, "hush"));
    let settings = all.good();
    assert_eq!((settings.sources.len(), settings.targets.len()), (100, 400));
}
