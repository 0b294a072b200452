//! Reads the log stream of a running service with `mynah logs`.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use support::{Output, Town, until};

#[actix_rt::test]
async fn logs_shows_past_events_and_follows_new_ones_until_the_service_ends() {
    let mut town = Town::new(["Good morning town"], &["es"], "gemini").await;
    town.settings.push("log.modules=router=debug".into());
    let running = town.start(&["run"]);
    until("the admin API listens", || town.folder.path().join("data/admin").exists()).await;
    town.until_published("es", 1).await;
    until("the publication is logged", || town.log().contains(" job published ")).await;

    let output = Output::from(town.command(&["logs"]).output().unwrap());
    output.assert_success();
    assert!(output.out.contains(" INFO  cli::run mynah starting version="), "{}", output.out);
    assert!(output.out.contains(" DEBUG router::report job translated "), "{}", output.out);
    assert!(!output.out.contains('\u{1b}'), "{}", output.out);
    let output = Output::from(town.command(&["logs", "--json", "-n", "1"]).output().unwrap());
    assert_eq!(output.out.lines().count(), 1, "{}", output.out);
    let event: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert!(event["message"].is_string() && event["time"].is_string(), "{event}");

    let mut follower = town.command(&["logs", "--follow", "-n", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    // The first pause may come before the follower listens; it cannot miss the second.
    let reader = std::thread::spawn(move || {
        let found = lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains("paused by operator what=x:town_es"));
        (found, lines.map_while(Result::ok).count())
    });
    until("the follower has seen a pause", || {
        for what in ["pause", "resume"] {
            Output::from(town.command(&[what, "town_es"]).output().unwrap()).assert_success();
        }
        reader.is_finished() || town.log().matches(" paused by operator ").count() > 3
    })
    .await;
    assert_eq!(running.terminate(), Some(0));
    let (found, _) = reader.join().unwrap();
    assert!(found.is_some());
    assert!(follower.wait().unwrap().success(), "the follower ends with the service");
}

#[actix_rt::test]
async fn measurements_are_shown_on_request_only_and_drown_no_event() {
    let mut town = Town::new(["Good morning town"], &["es"], "gemini").await;
    town.settings.push("stats.interval=100ms".into());
    let running = town.start(&["run"]);
    until("the admin API listens", || town.folder.path().join("data/admin").exists()).await;
    // More than all events that the service keeps for followers.
    until("measurements are logged", || town.log().matches(" stats stats ").count() > 40).await;

    let without = support::run(&town, &["logs"]);
    without.assert_success();
    assert!(without.out.contains(" mynah starting "), "{}", without.out);
    assert!(!without.out.contains(" stats stats "), "{}", without.out);
    let last = support::run(&town, &["logs", "-n", "1", "--json"]);
    let last: serde_json::Value = serde_json::from_str(&last.out).unwrap();
    assert_ne!(last["message"], "stats");
    let with = support::run(&town, &["logs", "--stats"]);
    // Only a terminal shows a short line: a file or a pipe gets every field.
    let line = with.out.lines().rfind(|line| line.contains(" stats stats ")).unwrap();
    for field in [" uptime_s=", " jobs.published=1", " x.read.p99_ms=", " cpu_mean_percent=", " rss_max_mb="]
    {
        assert!(line.contains(field), "{field}: {line}");
    }
    let json = support::run(&town, &["logs", "--stats", "--json", "-n", "30"]);
    let stats = json.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let stats = stats.rev().find(|event| event["message"] == "stats").unwrap();
    assert!(stats["x.read.p99_ms"].is_number() && stats["cpu_percent"].is_number(), "{stats}");
    assert_eq!(running.terminate(), Some(0));
}
