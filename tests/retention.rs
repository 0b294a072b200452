//! Removes texts, by age and on request: afterwards they are nowhere in the data folder, and nothing is published twice.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use mynah_sandbox::{MediaKind, TimelineMedia, TimelinePost};
use rusqlite::Connection;
use serde_json::{Value, json};
use support::{Town, message, numbered, numbers, run, run_json, until};

/// The files of the data folder that have one of these texts, in whatever form.
fn files_with(town: &Town, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(town.folder.path().join("data")).unwrap() {
        let file = file.unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        for text in texts {
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(format!("{text:?} in {}", file.file_name().display()));
            }
        }
    }
    found
}

/// A post whose words are in no other: in its text, its alt text, and their translations.
const SECRETS: [&str; 2] = ["Streetxyzzy", "Gatexyzzy"];

fn secret_post() -> TimelinePost {
    TimelinePost {
        media: vec![TimelineMedia {
            kind: MediaKind::Photo,
            alt: Some("A photo of the Gatexyzzy at night".into()),
            url: None,
        }],
        ..TimelinePost::new("Message 999 from the town hall about Streetxyzzy")
    }
}

/// All jobs, in every state.
fn jobs(town: &Town) -> Vec<Value> {
    let all =
        run_json(town, &["jobs", "--state", "published,skipped,held,failed,queued,ready", "--limit", "500"]);
    all["jobs"].as_array().unwrap().clone()
}

fn id_of(town: &Town, words: &str) -> String {
    let job = jobs(town).into_iter().find(|job| job["text"].as_str().unwrap().contains(words)).unwrap();
    job["post"].as_str().unwrap().to_owned()
}

/// Forgets the watermark, so that the next poll shows every post again.
fn read_everything_again(town: &Town) {
    let db = Connection::open(town.ledger()).unwrap();
    db.execute("UPDATE checkpoints SET body = json_remove(body, '$.watermark')", []).unwrap();
}

#[actix_rt::test]
async fn a_forgotten_post_is_nowhere_and_is_not_published_again() {
    let mut timeline: Vec<TimelinePost> = numbered(30).map(TimelinePost::new).collect();
    timeline.insert(15, secret_post());
    let mut town = Town::with_timeline(timeline, &["es", "fr"], "gemini").await;
    town.settings.extend(["stats.interval=200ms", "cache.snapshot_interval=1s"].map(String::from));
    let running = town.serve().await.0;
    for language in ["es", "fr"] {
        town.until_published(language, 31).await;
    }
    until("all jobs are settled", || run_json(&town, &["jobs"])["jobs"] == json!([])).await;
    let post = id_of(&town, "Streetxyzzy");
    until("the cache is on the disk", || town.folder.path().join("data/cache.jsonl").exists()).await;
    assert!(!files_with(&town, &SECRETS).is_empty(), "the test looks at the right files");

    let forgotten = run_json(&town, &["forget", &post, "--yes"]);
    assert_eq!(forgotten, json!({"forgotten": [{"post": post, "jobs": 2}], "refused": []}));
    assert_eq!(files_with(&town, &SECRETS), [""; 0], "while the service runs");
    let events = run(&town, &["logs", "--json"]).out;
    assert!(!events.contains(&format!("\"post\":\"{post}\"")), "{events}");
    let listed = run(&town, &["jobs", "--post", &post]);
    assert_eq!(listed.out.matches("(text removed)").count(), 2, "{}", listed.out);
    let job = run_json(&town, &["jobs", "--post", &post])["jobs"][0].clone();
    assert_eq!(
        (&job["text"], &job["text_removed"], &job["translation"]),
        (&json!(""), &json!(true), &Value::Null)
    );
    assert!(job["messages"][0]["url"].as_str().is_some(), "what is published is still linked");

    assert_eq!(running.terminate(), Some(0));
    assert_eq!(files_with(&town, &SECRETS), [""; 0], "after a stop");
    read_everything_again(&town);
    let running = town.serve().await.0;
    town.post(&message(31));
    for language in ["es", "fr"] {
        town.until_published(language, 32).await;
    }
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(files_with(&town, &SECRETS), [""; 0], "although the source showed it again");
    for language in ["es", "fr"] {
        let mut published = numbers(&town.publications(language));
        published.sort_unstable();
        assert_eq!(published, (1..=31).chain([999]).collect::<Vec<_>>(), "{language}");
    }
}

#[actix_rt::test]
async fn forgetting_without_a_service_removes_a_translation_that_was_not_published() {
    let town =
        Town::with_timeline(vec![secret_post(), TimelinePost::new(message(1))], &["es"], "gemini").await;
    town.order_faults(r#"{"rules": [{"endpoint": "x.post", "fault": {"x": "not_permitted"}, "count": 1}]}"#);
    town.once().assert_success();
    let post = id_of(&town, "Streetxyzzy");
    let job = run_json(&town, &["jobs", "--post", &post])["jobs"][0]["id"].to_string();

    let unconfirmed = run(&town, &["forget", &post]);
    assert_eq!(unconfirmed.code, Some(2));
    assert!(unconfirmed.err.contains("--yes"), "{}", unconfirmed.err);
    let refused = run(&town, &["forget", &post, "nobodys", "--yes"]);
    assert_eq!(refused.code, Some(1));
    for why in
        [format!("job {job} for x:town_es is held; skip"), "post nobodys: it is not on record".to_owned()]
    {
        assert!(refused.err.contains(&why), "{}", refused.err);
    }
    run(&town, &["jobs", "skip", &job, "--yes"]).assert_success();
    let forgotten = run(&town, &["forget", &post, "--yes"]);
    forgotten.assert_success();
    assert_eq!(forgotten.out, format!("post {post}: text removed (1 job)\n"));
    assert_eq!(files_with(&town, &SECRETS), [""; 0]);

    for decision in ["unskip", "retry"] {
        let refused = run(&town, &["jobs", decision, &job]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.err.contains("its text was removed"), "{}", refused.err);
    }
    read_everything_again(&town);
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1]);
    assert_eq!(files_with(&town, &SECRETS), [""; 0]);
    run(&town, &["forget", &post, "--yes"]).assert_success();
}

#[actix_rt::test]
async fn old_texts_are_removed_and_what_is_not_settled_stays() {
    let town = Town::new(numbered(120), &["es", "fr"], "gemini").await;
    let fault = r#"{"rules": [{"endpoint": "x.post", "fault": {"x": "not_permitted"}, "count": 1}]}"#;
    town.order_faults(fault);
    town.once().assert_success();
    let held = run_json(&town, &["jobs"])["jobs"][0]["text"].as_str().unwrap().to_owned();
    let year_ago = "UPDATE posts SET recorded_at = recorded_at - 400 * 86400000;
                    UPDATE jobs SET updated_at = updated_at - 400 * 86400000;";
    Connection::open(town.ledger()).unwrap().execute_batch(year_ago).unwrap();
    read_everything_again(&town);
    // Its translations are not older than its texts.
    std::fs::remove_file(town.folder.path().join("data/cache.jsonl")).unwrap();
    let before = std::fs::metadata(town.ledger()).unwrap().len();
    town.post(&message(121));

    let running = town.serve().await.0;
    until("old texts are removed", || town.log().contains("old texts removed posts=119")).await;
    let published = || ["es", "fr"].iter().map(|code| town.publications(code).len()).sum::<usize>();
    until("the new post is published", || published() == 2 * 121 - 1).await;
    assert_eq!(running.terminate(), Some(0));
    let texts: Vec<String> = numbered(120).filter(|text| *text != held).collect();
    let streets: Vec<&str> = texts.iter().map(|text| text.rsplit_once(' ').unwrap().1).collect();
    // A word that is the beginning of another is no trace.
    let streets: Vec<String> = streets.into_iter().map(|street| format!("{street}\"")).collect();
    assert_eq!(files_with(&town, &streets.iter().map(String::as_str).collect::<Vec<_>>()), [""; 0]);
    assert!(std::fs::metadata(town.ledger()).unwrap().len() < before, "free space is given back");
    assert_eq!(files_with(&town, &[&held]).len(), 1, "a person must decide about it");
    assert_eq!(files_with(&town, &[&message(121)]).len(), 1, "it is new");
    assert_eq!(published(), 2 * 121 - 1, "nothing is published twice");

    let mut town = town;
    town.settings.push("ledger.retention=1h".into());
    let wrong = run(&town, &["check", "--offline"]);
    assert!(wrong.err.contains("ledger.retention") && wrong.err.contains("\"none\""), "{}", wrong.err);
}
