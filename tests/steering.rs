//! Changing a service while it works: its number of translators, and its settings.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod support;

use std::time::Duration;

use mynah_sandbox::{RateLimits, SandboxConfig, TimelinePost};
use serde_json::{Value, json};
use support::{Said, Signal, Town, numbered, numbers, until};

fn said(town: &Town, args: &[&str]) -> Said {
    Said::from(town.command(args).output().unwrap())
}

fn shown(town: &Town, args: &[&str]) -> Value {
    let said = said(town, &[args, &["--json"]].concat());
    said.is_done();
    serde_json::from_str(&said.out).unwrap()
}

async fn listens(town: &Town) {
    until("the admin API listens", || town.folder.path().join("data/admin").exists()).await;
}

/// How many translators there are, those on their way out among them.
fn translators(town: &Town) -> usize {
    let actors = shown(town, &["actors"]);
    let names = actors["actors"].as_array().unwrap().iter().map(|actor| actor["name"].as_str().unwrap());
    names.filter(|name| name.starts_with("translator")).count()
}

/// Changes the settings file.
fn edit(town: &Town, from: &str, to: &str) {
    let settings = std::fs::read_to_string(town.config()).unwrap();
    assert!(settings.contains(from), "{settings}");
    std::fs::write(town.config(), settings.replace(from, to)).unwrap();
}

#[actix_rt::test]
async fn translators_come_and_go_under_load_and_nothing_is_lost_or_said_twice() {
    let config = SandboxConfig {
        account: support::SOURCE.into(),
        timeline: numbered(400).map(TimelinePost::new).collect(),
        rate_limits: RateLimits::unlimited(),
        x_latency: Duration::from_millis(5),
        gemini_latency: Duration::from_millis(40),
        ..SandboxConfig::default()
    };
    let config = config.target("town_es", "es").target("town_fr", "fr");
    let town = Town::on(mynah_sandbox::start(config).await.unwrap(), &["es", "fr"], "gemini");
    let running = town.start(&["run"]);
    listens(&town).await;
    for (round, size) in [12, 2, 7].into_iter().enumerate() {
        town.until_published("es", 40 + round * 80).await;
        let resized = said(&town, &["actors", "resize", "translator", &size.to_string()]);
        resized.is_done();
        assert!(resized.out.starts_with(&format!("{size} translators")), "{}", resized.out);
        until("so many translators work", || translators(&town) == size).await;
    }
    // Back and forth, so that some end just when they are given work.
    for size in [16, 1].into_iter().cycle().take(24) {
        said(&town, &["actors", "resize", "translator", &size.to_string()]).is_done();
    }
    said(&town, &["actors", "resize", "translator", "7"]).is_done();
    assert_eq!(said(&town, &["actors", "resize", "translator", "0"]).code, Some(2));
    for language in ["es", "fr"] {
        town.until_published(language, 400).await;
    }
    assert_eq!(running.terminate(), Some(0));
    for language in ["es", "fr"] {
        assert_eq!(numbers(&town.publications(language)), (1..=400).collect::<Vec<_>>(), "{language}");
    }
    assert!(town.log().contains("translators resized before=12 size=2"), "{}", town.log());
}

#[actix_rt::test]
async fn changed_settings_are_taken_up_without_a_stop_and_what_must_wait_is_named() {
    let mut town = Town::new(numbered(2), &["es", "fr"], "gemini").await;
    town.settings.push("translator.pool_size=3".into());
    // The second account is to come while it runs; its keys are there.
    let second = "[[targets]]\nlanguage = \"fr\"\naccount = \"town_fr\"\n\n";
    edit(&town, second, "");
    let running = town.start(&["run"]);
    listens(&town).await;
    town.until_published("es", 2).await;
    edit(&town, "[engine]\n", &format!("{second}[stats]\ninterval = \"7s\"\n[engine]\n"));
    edit(&town, "account = \"town_es\"\n", "account = \"town_es\"\nexclude = [\"secret\"]\n");
    let reloaded = shown(&town, &["reload"]);
    let keys = |which: &str| -> Vec<String> {
        let changes = reloaded[which].as_array().unwrap().iter();
        changes.map(|change| change["key"].as_str().unwrap().to_owned()).collect()
    };
    assert!(keys("changed").contains(&"targets[1].account".into()), "{reloaded}");
    assert!(keys("changed").contains(&"targets[0].exclude".into()), "{reloaded}");
    assert_eq!(keys("after_restart"), ["stats.interval"]);
    assert_eq!(
        reloaded["after_restart"][0],
        json!({"key": "stats.interval", "before": "30s", "after": "7s"})
    );
    assert_eq!(translators(&town), 3);
    town.say("Message 3 from the town hall");
    town.say("Message 4 is secret");
    town.say("Message 5 from the town hall");
    town.until_published("fr", 3).await;
    town.until_published("es", 4).await;
    assert_eq!(numbers(&town.publications("fr")), [3, 4, 5], "it begins when it is there");
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3, 5]);
    assert!(said(&town, &["pause"]).out.contains("x:town_fr"));

    // And goes again, at a signal.
    edit(&town, second, "");
    running.signal(Signal::HUP);
    until("its publisher is gone", || !said(&town, &["actors"]).out.contains("publisher-town_fr")).await;
    town.say("Message 6 from the town hall");
    town.until_published("es", 5).await;
    assert_eq!(town.publications("fr").len(), 3);
    assert_eq!(running.terminate(), Some(0));
    let log = town.log();
    assert!(log.contains("setting changes with the next start only key=stats.interval"), "{log}");
    assert!(log.contains("settings and glossaries reloaded"), "{log}");
}

#[actix_rt::test]
async fn settings_with_a_mistake_change_nothing_and_the_mistake_is_told() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let running = town.start(&["run"]);
    listens(&town).await;
    town.until_published("es", 1).await;
    edit(&town, "min_interval = \"0s\"", "min_interval = \"5 sheep\"");
    // The command reads the same file, and finds the mistake first; the service is asked by its signal.
    assert_eq!(said(&town, &["reload"]).code, Some(2));
    running.signal(Signal::HUP);
    until("it is told", || town.log().contains("settings not reloaded")).await;
    assert!(town.log().contains("publisher.min_interval"), "{}", town.log());
    town.say("Message 2 from the town hall");
    town.until_published("es", 2).await;
    assert_eq!(running.terminate(), Some(0));
}
