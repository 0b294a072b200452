//! Looking into the log stream of a running service from beside it.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod support;

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use support::{Said, Town, until};

#[actix_rt::test]
async fn what_was_said_is_shown_and_what_comes_is_followed_until_the_service_ends() {
    let mut town = Town::new(["Good morning town"], &["es"], "gemini").await;
    town.settings.push("log.modules=router=debug".into());
    let running = town.start(&["run"]);
    until("the admin API listens", || town.folder.path().join("data/admin").exists()).await;
    town.until_published("es", 1).await;
    until("it is logged", || town.log().contains(" router published ")).await;

    let said = Said::from(town.command(&["logs"]).output().unwrap());
    said.is_done();
    assert!(said.out.contains(" INFO  cli::run mynah starts version="), "{}", said.out);
    assert!(said.out.contains(" DEBUG router translated "), "{}", said.out);
    assert!(!said.out.contains('\u{1b}'), "{}", said.out);
    let said = Said::from(town.command(&["logs", "--json", "-n", "1"]).output().unwrap());
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
    let event: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert!(event["message"].is_string() && event["time"].is_string(), "{event}");

    let mut follower = town.command(&["logs", "--follow", "-n", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    // Whoever pauses twice is heard by then, wherever the follower stood the first time.
    let reader = std::thread::spawn(move || {
        let found = lines.by_ref().map_while(Result::ok).find(|line| line.contains("paused what=x:town_es"));
        (found, lines.map_while(Result::ok).count())
    });
    until("the follower heard of it", || {
        for what in ["pause", "resume"] {
            Said::from(town.command(&[what, "town_es"]).output().unwrap()).is_done();
        }
        reader.is_finished() || town.log().matches(" paused ").count() > 3
    })
    .await;
    assert_eq!(running.terminate(), Some(0));
    let (found, _) = reader.join().unwrap();
    assert!(found.is_some());
    assert!(follower.wait().unwrap().success(), "it ends with the service");
}
