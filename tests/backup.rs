//! Copies the ledger of a running service, loses the ledger, and continues from the copy: nothing is published twice.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{fs, path::Path, time::Duration};

use mynah_sandbox::{RateLimits, Sandbox, SandboxConfig, TimelinePost};
use serde_json::json;
use support::{SOURCE, Town, message, numbered, numbers, run, run_json, until};

/// A network that takes a while, so that there is work to interrupt.
async fn slow_network(posts: usize) -> Sandbox {
    let config = SandboxConfig {
        account: SOURCE.into(),
        timeline: numbered(posts).map(TimelinePost::new).collect(),
        rate_limits: RateLimits::unlimited(),
        x_latency: Duration::from_millis(10),
        ..SandboxConfig::default()
    };
    mynah_sandbox::start(config.target("town_es", "es")).await.unwrap()
}

/// The whole ledger is lost, as with its disk.
fn lose_the_ledger(town: &Town) {
    for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let _ = fs::remove_file(town.folder.path().join("data").join(name));
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[actix_rt::test]
async fn a_ledger_restored_from_a_backup_publishes_nothing_twice() {
    let town = Town::on(slow_network(150).await, &["es"], "gemini");
    let backups = town.folder.path().join("backups");
    fs::create_dir(&backups).unwrap();
    let backup = backups.join("ledger.sqlite").display().to_string();
    let running = town.serve().await.0;
    town.until_published("es", 20).await;
    let made = run_json(&town, &["backup", &backup]);
    assert_eq!((&made["file"], made["jobs"].as_u64()), (&json!(backup), Some(150)));
    assert_eq!(names(&backups), ["ledger.sqlite"]);
    let again = run(&town, &["backup", &backup]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("exists, and is not overwritten"), "{}", again.err);
    let in_use = run(&town, &["restore", &backup]);
    assert_eq!(in_use.code, Some(1));
    assert!(in_use.err.contains("in use by another mynah; stop that one first"), "{}", in_use.err);
    // Everything else is published after the backup, and so are posts that it does not know.
    town.until_published("es", 150).await;
    for number in 151..=160 {
        town.post(&message(number));
    }
    town.until_published("es", 160).await;
    assert_eq!(running.terminate(), Some(0));
    let refused = run(&town, &["restore", &backup]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("ledger.sqlite exists"), "{}", refused.err);

    lose_the_ledger(&town);
    let restored = run(&town, &["restore", &backup]);
    restored.assert_success();
    assert!(
        restored.out.contains("held, and so will be") && restored.out.contains("jobs skip"),
        "{}",
        restored.out
    );
    let all = || run_json(&town, &["jobs", "--limit", "500"])["jobs"].as_array().unwrap().clone();
    // Some were on their way at the time of the backup: what became of these is looked up.
    let held = all().iter().filter(|job| job["state"] == "held").count();
    assert!((1..150).contains(&held), "{held}");
    let running = town.serve().await.0;
    until("the posts after the backup are on record", || all().len() == held + 10).await;
    for job in all() {
        assert_eq!((&job["state"], &job["kind"]), (&json!("held"), &json!("restored")), "{job}");
        assert!(job["reason"].as_str().unwrap().contains("restored from a backup"), "{job}");
    }
    let shown = numbers(&town.publications("es"));
    assert_eq!(shown, (1..=160).collect::<Vec<_>>(), "nothing is published twice");
    // A person looks, and finds all of them published. What the author posts from now on is published as before.
    run(&town, &["jobs", "skip", "--kind", "restored", "--yes"]).assert_success();
    let later = mynah_sandbox::TimelinePost {
        created_at: Some(jiff::Timestamp::now() + Duration::from_mins(2)),
        ..TimelinePost::new(message(161))
    };
    town.sandbox.add_post(later);
    town.until_published("es", 161).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(numbers(&town.publications("es")), (1..=161).collect::<Vec<_>>());
}

#[actix_rt::test]
async fn a_killed_backup_leaves_no_backup_and_a_killed_restore_no_ledger() {
    let mut town = Town::new(numbered(40), &["es"], "gemini").await;
    town.once().assert_success();
    let backups = town.folder.path().join("backups");
    fs::create_dir(&backups).unwrap();
    let backup = backups.join("one.sqlite").display().to_string();
    let killed_at = |town: &mut Town, point: &str| {
        town.environment = vec![("FAILPOINTS".into(), format!("{point}=return"))];
    };
    killed_at(&mut town, "backup.step");
    assert_eq!(run(&town, &["backup", &backup]).code, None, "it is killed");
    assert!(!Path::new(&backup).exists(), "{:?}", names(&backups));
    let not_one = run(&town, &["restore", &backup]);
    assert!(not_one.err.contains("exists"), "{}", not_one.err);
    town.environment.clear();
    run(&town, &["backup", &backup]).assert_success();
    assert_eq!(names(&backups), ["one.sqlite"]);

    lose_the_ledger(&town);
    for point in ["restore.copied", "restore.checked"] {
        killed_at(&mut town, point);
        assert_eq!(run(&town, &["restore", &backup]).code, None, "it is killed");
        town.environment.clear();
        // An attempt to open it makes an empty file.
        assert!(fs::metadata(town.ledger()).map_or(0, |file| file.len()) == 0);
        let gone = town.once();
        assert!(gone.err.contains("missing or empty"), "{}", gone.err);
    }
    let restored = run_json(&town, &["restore", &backup]);
    assert_eq!((restored["jobs"].as_u64(), restored["held"].as_u64()), (Some(40), Some(0)));
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), (1..=40).collect::<Vec<_>>());
}

#[actix_rt::test]
async fn a_file_left_behind_by_a_ledger_on_a_server_is_neither_backed_up_nor_replaced() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    town.once().assert_success();
    let backup = town.folder.path().join("backup.sqlite");
    let server = ["--set", "ledger.url=postgres://mynah@db.example/mynah"];
    for command in ["backup", "restore"] {
        let refused = run(&town, &[[command, &backup.display().to_string()], server].concat());
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(refused.err.contains("mynah ledger restored"), "{}", refused.err);
        assert!(!backup.exists());
    }
}
