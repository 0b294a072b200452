//! An unreadable post waits for a person, who sees its raw form and can retry it.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::sync::Arc;

use jiff::Timestamp;
use mynah::{app, ledger};
use mynah_domain::{
    Post, PostId, PostKind, TargetId,
    ports::ledger::{Checkpoint, Mark, Raw, RecordPage, RecordPost},
};
use serde_json::Value;
use support::{Output, Town, until};

/// Records a post as a poll that could not read it would.
async fn record_raw(town: &Town, id: u64) {
    let data = town.folder.path().join("data");
    let mark = Mark { id: PostId(id.to_string()), position: id };
    let post = Post {
        id: mark.id.clone(),
        position: id,
        text: String::new(),
        entities: None,
        language: None,
        kind: PostKind::Original,
        created_at: Timestamp::UNIX_EPOCH,
        media: vec![],
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: vec![],
    };
    let raw = Raw { json: format!("{{\"id\":\"{id}\",\"text\":null}}"), reason: "text is null".into() };
    let record = RecordPost {
        post: Arc::new(post),
        jobs: vec![(TargetId::new("x", "town_es"), None)],
        unreadable: Some(raw),
    };
    let checkpoint = Checkpoint { watermark: Some(mark), ..Checkpoint::default() };
    let ledger = app::open_ledger_in(&data).unwrap();
    ledger
        .record(RecordPage { source: "x:town".into(), posts: vec![record], checkpoint, settles: None })
        .await
        .unwrap();
    drop(ledger);
    until("the ledger is closed", || !ledger::is_in_use(&data.join("ledger.sqlite")).unwrap()).await;
}

fn run(town: &Town, args: &[&str]) -> Output {
    let output = Output::from(town.command(args).output().unwrap());
    output.assert_success();
    output
}

#[actix_rt::test]
async fn an_unreadable_post_is_shown_raw_and_read_again_on_a_retry() {
    let town = Town::new(Vec::<String>::new(), &["es"], "gemini").await;
    let odd = town.post("The bridge is closed");
    record_raw(&town, odd.0).await;
    town.post("The ferry runs");
    town.once().assert_success();
    let published = town.publications("es");
    assert_eq!(published.len(), 1, "the next post does not wait: {published:?}");

    let held = run(&town, &["jobs", "--state", "held", "--json"]).out;
    let held: Value = serde_json::from_str(&held).unwrap();
    let [job] = &held["jobs"].as_array().unwrap()[..] else { panic!("{held}") };
    assert_eq!((job["kind"].as_str(), job["reason"].as_str()), (Some("unreadable"), Some("text is null")));
    assert!(job["raw"].as_str().unwrap().contains("\"text\":null"), "{job}");

    run(&town, &["jobs", "retry", "--kind", "unreadable"]);
    town.once().assert_success();
    let published: Vec<_> = town.publications("es").into_iter().map(|post| post.text).collect();
    assert_eq!(published.len(), 2, "{published:?}");
    assert!(!published.iter().any(|text| text.contains("null")), "{published:?}");
}

#[actix_rt::test]
async fn a_post_that_still_cannot_be_read_is_held_again() {
    let town = Town::new(["The ferry runs"], &["es"], "gemini").await;
    // X has no post with this id.
    record_raw(&town, 1_500_000_000_000_000_001).await;
    run(&town, &["jobs", "retry", "--kind", "unreadable"]);
    town.once().assert_success();
    let held = run(&town, &["jobs", "--state", "held"]).out;
    assert!(held.contains("unreadable") && held.contains("1500000000000000001"), "{held}");
    assert_eq!(town.publications("es").len(), 1);
    run(&town, &["jobs", "skip", "--yes", "--kind", "unreadable"]);
    assert!(run(&town, &["jobs"]).out.contains("no matching jobs"));
}
