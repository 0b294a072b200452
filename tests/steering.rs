//! Changes the number of translators and the settings of a running service.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::time::Duration;

use mynah_sandbox::{RateLimits, SandboxConfig, TimelinePost};
use serde_json::json;
use support::{Signal, Town, numbered, numbers, run, run_json, until};

async fn until_admin_listens(town: &Town) {
    until("the admin API listens", || town.folder.path().join("data/admin").exists()).await;
}

/// The number of translators, including those that are stopping.
fn translators(town: &Town) -> usize {
    let actors = run_json(town, &["actors"]);
    let names = actors["actors"].as_array().unwrap().iter().map(|actor| actor["name"].as_str().unwrap());
    names.filter(|name| name.starts_with("translator")).count()
}

/// Replaces a text in the settings file.
fn edit(town: &Town, from: &str, to: &str) {
    let settings = std::fs::read_to_string(town.config()).unwrap();
    assert!(settings.contains(from), "{settings}");
    std::fs::write(town.config(), settings.replace(from, to)).unwrap();
}

#[actix_rt::test]
async fn the_pool_resizes_under_load_and_nothing_is_lost_or_published_twice() {
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
    until_admin_listens(&town).await;
    for (round, size) in [12, 2, 7].into_iter().enumerate() {
        town.until_published("es", 40 + round * 80).await;
        let resized = run(&town, &["actors", "resize", "translator", &size.to_string()]);
        resized.assert_success();
        assert!(resized.out.starts_with(&format!("{size} translators")), "{}", resized.out);
        until("the pool has its new size", || translators(&town) == size).await;
    }
    // Back and forth, so that some translators stop just when they receive work.
    for size in [16, 1].into_iter().cycle().take(24) {
        run(&town, &["actors", "resize", "translator", &size.to_string()]).assert_success();
    }
    run(&town, &["actors", "resize", "translator", "7"]).assert_success();
    assert_eq!(run(&town, &["actors", "resize", "translator", "0"]).code, Some(2));
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
async fn a_reload_applies_changed_settings_and_names_those_that_need_a_restart() {
    let mut town = Town::new(numbered(2), &["es", "fr"], "gemini").await;
    town.settings.push("translator.pool_size=3".into());
    // The second target is added while the service runs. Its keys are set already.
    let second = "[[targets]]\nlanguage = \"fr\"\naccount = \"town_fr\"\n\n";
    edit(&town, second, "");
    let running = town.start(&["run"]);
    until_admin_listens(&town).await;
    town.until_published("es", 2).await;
    edit(&town, "[engine]\n", &format!("{second}[stats]\ninterval = \"7s\"\n[engine]\n"));
    edit(&town, "account = \"town_es\"\n", "account = \"town_es\"\nexclude = [\"secret\"]\n");
    let reloaded = run_json(&town, &["reload"]);
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
    town.post("Message 3 from the town hall");
    town.post("Message 4 is secret");
    town.post("Message 5 from the town hall");
    town.until_published("fr", 3).await;
    town.until_published("es", 4).await;
    assert_eq!(
        numbers(&town.publications("fr")),
        [3, 4, 5],
        "the new target starts with the posts after its addition"
    );
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3, 5]);
    assert!(run(&town, &["pause"]).out.contains("x:town_fr"));

    // SIGHUP removes it again.
    edit(&town, second, "");
    running.signal(Signal::HUP);
    until("its publisher is removed", || !run(&town, &["actors"]).out.contains("publisher-town_fr")).await;
    town.post("Message 6 from the town hall");
    town.until_published("es", 5).await;
    assert_eq!(town.publications("fr").len(), 3);
    assert_eq!(running.terminate(), Some(0));
    let log = town.log();
    assert!(log.contains("setting change deferred to restart key=stats.interval"), "{log}");
    assert!(log.contains("settings reloaded"), "{log}");
}

#[actix_rt::test]
async fn settings_with_a_mistake_change_nothing_and_the_mistake_is_reported() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let running = town.start(&["run"]);
    until_admin_listens(&town).await;
    town.until_published("es", 1).await;
    edit(&town, "min_interval = \"0s\"", "min_interval = \"5 sheep\"");
    // The command would find the mistake first, so a signal asks the service to reload.
    assert_eq!(run(&town, &["reload"]).code, Some(2));
    running.signal(Signal::HUP);
    until("the mistake is reported", || town.log().contains("settings reload failed")).await;
    assert!(town.log().contains("publisher.min_interval"), "{}", town.log());
    town.post("Message 2 from the town hall");
    town.until_published("es", 2).await;
    assert_eq!(running.terminate(), Some(0));
}
