//! Several sources in one process, each followed as if it were alone.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[path = "chaos/dice.rs"]
mod dice;
mod support;

use std::{cell::Cell, fmt::Write as _, time::Duration};

use dice::{seed, size};
use mynah_sandbox::{Endpoint, RateLimits, Sandbox, SandboxConfig, TimelinePost, UserState};
use serde_json::{Value, json};
use support::{
    PATIENCE, Town,
    cuts::{Cuts, Cuttable, lose_nothing},
    message, numbers, run, run_json, until,
};

/// What a target publishes: its source, its language, its account and its name.
type Publishes<'a> = (&'a str, &'a str, &'a str, Option<&'a str>);

/// A sandbox with these sources, the settings to follow them, and the keys of their targets.
struct Region {
    town: Town,
}

impl Region {
    async fn new(sources: &[&str], targets: &[Publishes<'_>]) -> Self {
        let config = SandboxConfig {
            account: sources[0].into(),
            also_followed: sources[1..].iter().map(|name| (*name).to_owned()).collect(),
            rate_limits: RateLimits { window: Duration::from_secs(1), ..RateLimits::unlimited() },
            ..SandboxConfig::default()
        };
        let config = targets.iter().fold(config, |config, (_, language, account, _)| {
            if config.targets.iter().any(|target| target.handle == *account) {
                return config;
            }
            config.target(*account, *language)
        });
        let sandbox = mynah_sandbox::start(config).await.unwrap();
        let mut town = Town::on(sandbox, &[], "gemini");
        let keys = mynah_sandbox::credentials(sources[0]);
        town.environment.push(("GEMINI_API_KEY".into(), keys.gemini_api_key));
        town.environment.push(("X_BEARER_TOKEN".into(), keys.app_bearer_token));
        for (_, _, account, _) in targets {
            let token = mynah_sandbox::credentials(account).user_bearer_token;
            town.environment.push((format!("X_{}_OAUTH2_TOKEN", account.to_uppercase()), token));
        }
        let region = Self { town };
        region.write(sources, targets);
        region
    }

    /// Writes the settings to follow these sources.
    fn write(&self, sources: &[&str], targets: &[Publishes<'_>]) {
        let url = self.town.sandbox.url();
        let mut text = format!(
            "data_dir = \"{}\"\n[defaults.sources]\nstart = \"beginning\"\npoll_interval = \"200ms\"\n\
             [engine]\norder = [\"gemini\"]\n[engine.gemini]\nbase_url = \"{url}\"\n[x]\nbase_url = \"{url}\"\ntimeout = \"3s\"\n\
             [publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n",
            self.town.folder.path().join("data").display()
        );
        for source in sources {
            writeln!(text, "[[sources]]\nname = \"{source}\"\naccount = \"{source}\"").unwrap();
        }
        for (source, language, account, name) in targets {
            writeln!(
                text,
                "[[targets]]\nsource = \"{source}\"\nlanguage = \"{language}\"\naccount = \"{account}\""
            )
            .unwrap();
            if let Some(name) = name {
                writeln!(text, "name = \"{name}\"").unwrap();
            }
        }
        std::fs::write(self.town.config(), text).unwrap();
    }

    fn post(&self, source: &str, number: usize) {
        self.town.sandbox.add_post_on(source, TimelinePost::new(message(number)));
    }

    async fn until_published(&self, account: &str, count: usize) {
        let reached =
            self.town.sandbox.until(PATIENCE, |sandbox| sandbox.publications(account).len() >= count).await;
        assert!(reached, "{count} on @{account}:\n{}", self.town.log());
    }

    fn numbers(&self, account: &str) -> Vec<usize> {
        numbers(&self.town.sandbox.publications(account))
    }

    fn sources(&self) -> Vec<(String, String)> {
        let status = run_json(&self.town, &["status"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let sources = status["sources"].as_array().unwrap().iter();
        sources.map(|source| (text(&source["name"]), text(&source["state"]))).collect()
    }
}

const THREE: [&str; 3] = ["town", "port", "park"];

fn three_targets() -> [Publishes<'static>; 3] {
    [("town", "es", "town_es", None), ("port", "es", "port_es", None), ("park", "fr", "park_fr", None)]
}

#[actix_rt::test]
async fn each_source_is_republished_on_its_own_targets_in_order() {
    let region = Region::new(&THREE, &three_targets()).await;
    for number in 1..=3 {
        region.post("town", number);
        region.post("port", 10 + number);
    }
    region.post("park", 20);
    let once = region.town.once();
    once.assert_success();
    assert_eq!(region.numbers("town_es"), [1, 2, 3]);
    assert_eq!(region.numbers("port_es"), [11, 12, 13]);
    assert_eq!(region.numbers("park_fr"), [20]);

    let running = region.town.serve().await.0;
    region.post("park", 21);
    region.post("town", 4);
    region.until_published("park_fr", 2).await;
    region.until_published("town_es", 4).await;
    let actors = run_json(&region.town, &["actors"]);
    let actors = actors["actors"].as_array().unwrap();
    for name in ["poller-town", "poller-port", "poller-park", "publisher-port_es"] {
        assert!(actors.iter().any(|actor| actor["name"] == name), "{name}: {actors:?}");
    }
    assert_eq!(region.sources(), THREE.map(|name| (name.to_owned(), "running".to_owned())));
    let status = run(&region.town, &["status"]);
    assert!(status.out.contains("source park (x:park)  running"), "{}", status.out);
    let jobs = run_json(&region.town, &["jobs", "--source", "port", "--state", "published"]);
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 3);
    let unknown = run(&region.town, &["jobs", "--source", "lake"]);
    assert!(
        unknown.err.contains("unknown source \"lake\"; valid sources: town, port, park"),
        "{}",
        unknown.err
    );
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(region.numbers("town_es"), [1, 2, 3, 4], "nothing is published twice");
}

#[actix_rt::test]
async fn targets_of_two_sources_share_an_account_and_each_line_stays_in_order() {
    let targets = [
        ("town", "es", "news_es", None),
        ("port", "es", "news_es", Some("port")),
        ("park", "fr", "park_fr", None),
    ];
    let region = Region::new(&THREE, &targets).await;
    let running = region.town.serve().await.0;
    for number in 1..=20 {
        region.post("town", number);
        region.post("port", 100 + number);
    }
    region.until_published("news_es", 40).await;
    let published = region.numbers("news_es");
    let (port, town): (Vec<usize>, Vec<usize>) = published.iter().partition(|number| **number > 100);
    assert_eq!(town, (1..=20).collect::<Vec<_>>());
    assert_eq!(port, (101..=120).collect::<Vec<_>>());
    // A pause of one of them is not a pause of the account.
    run(&region.town, &["pause", "news_es~port"]).assert_success();
    region.post("port", 121);
    region.post("town", 21);
    region.until_published("news_es", 41).await;
    assert_eq!(region.numbers("news_es").last(), Some(&21));
    run(&region.town, &["resume", "news_es"]).assert_success();
    region.until_published("news_es", 42).await;
    let status = run_json(&region.town, &["status"]);
    let accounts = status["accounts"].as_array().unwrap();
    let shared: Vec<_> = accounts.iter().filter(|one| one["published_today"] == 42).collect();
    assert_eq!(shared.len(), 2, "both count what the account published: {accounts:?}");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_shared_account_has_one_cap() {
    let targets = [("town", "es", "news_es", None), ("port", "es", "news_es", Some("port"))];
    let mut region = Region::new(&["town", "port"], &targets).await;
    region.town.settings.push("publisher.daily_cap=3".into());
    for number in 1..=3 {
        region.post("town", number);
        region.post("port", 100 + number);
    }
    let once = region.town.once();
    assert_eq!(region.numbers("news_es").len(), 3, "{once:?}");
}

/// Sources that fail in different ways, while the third is read as if it were alone.
async fn one_in_trouble(fault: &str) {
    let region = Region::new(&THREE, &three_targets()).await;
    region
        .town
        .order_faults(&format!(r#"{{"rules": [{{"endpoint": "*", "account": "town", "fault": {fault}}}]}}"#));
    let running = region.town.serve().await.0;
    for number in 1..=15 {
        region.post("port", number);
        region.post("park", 100 + number);
        region.until_published("port_es", number).await;
        region.until_published("park_fr", number).await;
    }
    until("the source is reported", || region.sources()[0] == ("town".to_owned(), "failing".to_owned()))
        .await;
    let status = run_json(&region.town, &["status"]);
    assert_eq!(status["state"], "degraded", "{status}");
    assert!(status["degraded"][0].as_str().unwrap().starts_with("source town: "), "{status}");
    region.town.order_faults(r#"{"rules": []}"#);
    region.post("town", 1);
    region.until_published("town_es", 1).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_source_that_hangs_delays_no_other() {
    one_in_trouble(r#""hang""#).await;
}

#[actix_rt::test]
async fn a_source_that_answers_garbage_delays_no_other() {
    one_in_trouble(r#""garbage""#).await;
}

#[actix_rt::test]
async fn a_source_that_is_refused_from_the_start_does_not_end_the_service() {
    let region = Region::new(&THREE, &three_targets()).await;
    region.town.sandbox.set_user_state("town", UserState::Suspended);
    region.post("port", 1);
    let once = region.town.once();
    assert_eq!(once.code, Some(1));
    assert!(once.err.contains("x:town: not read: "), "{}", once.err);
    assert_eq!(region.numbers("port_es"), [1], "the others are published");

    let running = region.town.serve().await.0;
    until("the source is reported", || region.sources()[0] == ("town".to_owned(), "failing".to_owned()))
        .await;
    region.post("park", 2);
    region.until_published("park_fr", 1).await;
    region.town.sandbox.set_user_state("town", UserState::Active);
    region.post("town", 3);
    region.until_published("town_es", 1).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn one_source_can_be_paused_or_all_of_them() {
    let region = Region::new(&THREE, &three_targets()).await;
    let running = region.town.serve().await.0;
    region.post("town", 1);
    region.until_published("town_es", 1).await;
    let pauses = run_json(&region.town, &["pause", "town"]);
    let paused: Vec<_> =
        pauses["pauses"].as_array().unwrap().iter().filter(|one| one["paused"] == true).collect();
    assert_eq!(paused, [&json!({"what": "x:town", "paused": true, "blocked": null})]);
    region.post("town", 2);
    for number in 1..=5 {
        region.post("port", number);
        region.until_published("port_es", number).await;
    }
    assert_eq!(region.numbers("town_es"), [1]);
    assert_eq!(region.sources()[0].1, "paused");
    assert_eq!(running.terminate(), Some(0));

    let running = region.town.serve().await.0;
    region.post("port", 6);
    region.until_published("port_es", 6).await;
    assert_eq!(region.numbers("town_es"), [1], "the pause outlives the process");
    run(&region.town, &["pause", "poller"]).assert_success();
    run(&region.town, &["resume", "poller-town"]).assert_success();
    assert!(region.sources().iter().all(|(_, state)| state == "paused"), "{:?}", region.sources());
    run(&region.town, &["resume", "poller"]).assert_success();
    region.until_published("town_es", 2).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_reload_adds_and_removes_sources() {
    let region = Region::new(&THREE, &three_targets()).await;
    region.write(&THREE[..2], &three_targets()[..2]);
    let running = region.town.serve().await.0;
    region.post("town", 1);
    region.post("park", 10);
    region.until_published("town_es", 1).await;
    assert!(region.numbers("park_fr").is_empty());

    region.write(&THREE[1..], &three_targets()[1..]);
    run(&region.town, &["reload"]).assert_success();
    region.until_published("park_fr", 1).await;
    region.post("town", 2);
    region.post("port", 3);
    region.until_published("port_es", 1).await;
    assert_eq!(region.numbers("town_es"), [1], "it is not followed any more");

    region.write(&THREE, &three_targets());
    run(&region.town, &["reload"]).assert_success();
    region.until_published("town_es", 2).await;
    assert_eq!(region.numbers("town_es"), [1, 2], "it continues where it was");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn an_installation_with_one_source_can_get_more() {
    let region = Region::new(&THREE, &three_targets()).await;
    let several = std::fs::read_to_string(region.town.config()).unwrap();
    let (common, _) = several.split_once("[[sources]]").unwrap();
    let single = format!(
        "{common}[source]\naccount = \"town\"\n[[targets]]\nlanguage = \"es\"\naccount = \"town_es\"\n"
    );
    std::fs::write(region.town.config(), single).unwrap();
    region.post("town", 1);
    region.town.once().assert_success();
    run(&region.town, &["pause", "town_es"]).assert_success();
    region.post("town", 2);
    region.town.once();
    assert_eq!(region.numbers("town_es"), [1]);

    std::fs::write(region.town.config(), several).unwrap();
    run(&region.town, &["resume", "town_es"]).assert_success();
    region.post("port", 5);
    region.post("town", 3);
    region.town.once().assert_success();
    assert_eq!(region.numbers("town_es"), [1, 2, 3], "the line goes on, and nothing is repeated");
    assert_eq!(region.numbers("port_es"), [5]);
}

#[actix_rt::test]
async fn a_preview_needs_the_name_of_the_source() {
    let region = Region::new(&THREE, &three_targets()).await;
    let unclear = region.town.preview(&[], "Good morning");
    assert_eq!(unclear.code, Some(2));
    assert!(unclear.err.contains("name one with --source: town, port, park"), "{}", unclear.err);
    let shown = region.town.preview(&["--source", "park", "--json"], "Good morning");
    shown.assert_success();
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["targets"].as_array().unwrap().len(), 1);
    assert_eq!(shown["targets"][0]["account"], "park_fr");
}

#[actix_rt::test]
async fn check_looks_at_every_source_once() {
    let region = Region::new(&THREE, &three_targets()).await;
    let before = region.town.sandbox.count(Endpoint::User).requests;
    let check = run(&region.town, &["check"]);
    check.assert_success();
    for account in THREE {
        assert!(check.out.contains(&format!("source @{account}: found on X")), "{}", check.out);
    }
    assert_eq!(region.town.sandbox.count(Endpoint::User).requests - before, 3);
}

#[actix_rt::test]
async fn posts_on_the_stream_are_published_at_once_however_often_it_is_cut() {
    let sources = ["town", "port"];
    let targets = [("town", "es", "town_es", None), ("port", "ca", "port_ca", None)];
    let mut region = Region::new(&sources, &targets).await;
    region
        .town
        .settings
        .extend(["defaults.sources.mode=stream", "defaults.sources.poll_interval=1h"].map(String::from));
    let (_service, _) = region.town.serve().await;
    until("the stream is open", || region.town.sandbox.count(Endpoint::Stream).requests > 0).await;
    for number in 1..=20 {
        region.post("town", number);
        region.post("port", number);
        region.until_published("town_es", number).await;
        region.until_published("port_ca", number).await;
        if number % 4 == 0 {
            region.town.sandbox.cut_stream();
        }
    }
    for account in ["town_es", "port_ca"] {
        assert_eq!(numbers(&region.town.sandbox.publications(account)), (1..=20).collect::<Vec<_>>());
    }
}

/// X's stream, as the sandbox plays it.
struct XStream<'a> {
    sandbox: &'a Sandbox,
    /// How many connections were cut.
    cuts: Cell<u64>,
}

impl Cuttable for XStream<'_> {
    fn is_open(&self) -> bool {
        self.sandbox.count(Endpoint::Stream).requests > self.cuts.get()
    }

    fn cut(&self) {
        self.cuts.set(self.sandbox.count(Endpoint::Stream).requests);
        self.sandbox.cut_stream();
    }
}

#[actix_rt::test]
async fn a_stream_that_is_cut_at_random_loses_nothing() {
    let mut region = Region::new(&["town"], &[("town", "es", "town_es", None)]).await;
    let settings = ["defaults.sources.mode=stream", "defaults.sources.poll_interval=1h"];
    region.town.settings.extend(settings.map(String::from));
    let (mut running, _) = region.town.serve().await;
    let stream = XStream { sandbox: &region.town.sandbox, cuts: Cell::new(0) };
    let cuts = Cuts { count: size("LIVE_CUTS", 10), seed: seed() };
    lose_nothing("x live", cuts, &region.town, &mut running, &stream, async |number| {
        region.post("town", number);
    })
    .await;
}
