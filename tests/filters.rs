//! Filters decide which posts are republished. The ledger holds a reason for each post that is not.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::collections::BTreeMap;

use mynah_sandbox::{PostKind, ReplyTo, TimelinePost};
use serde_json::Value;
use support::{Output, Town};

/// Why posts were skipped, by post text.
fn skipped(town: &Town) -> BTreeMap<String, String> {
    let output = Output::from(town.command(&["jobs", "--state", "skipped", "--json"]).output().unwrap());
    output.assert_success();
    let jobs: Value = serde_json::from_str(&output.out).unwrap();
    let text = |job: &Value, key: &str| job[key].as_str().unwrap_or_default().to_owned();
    jobs["jobs"].as_array().unwrap().iter().map(|job| (text(job, "text"), text(job, "kind"))).collect()
}

#[actix_rt::test]
async fn each_skipped_post_has_its_reason_in_the_ledger() {
    let reply = {
        let mut post = TimelinePost::new("@somebody You are right");
        post.kind = Some(PostKind::Reply);
        post.reply_to = Some(ReplyTo::Id("1500000000000000001".into()));
        post
    };
    let timeline = vec![
        reply,
        TimelinePost::new("The #match begins at noon"),
        TimelinePost::new("The #match for our friends only #NoTranslate"),
        TimelinePost::new("A giveaway at the #match"),
        TimelinePost::new("The bridge is closed"),
        TimelinePost::new("#match 🎉"),
    ];
    let mut town = Town::with_timeline(timeline, &["es"], "apertium").await;
    town.settings.extend(["source.include=#match", "source.exclude=giveaway"].map(Into::into));
    let config = std::fs::read_to_string(town.config()).unwrap();
    let account = "account = \"town_es\"";
    std::fs::write(town.config(), config.replace(account, &format!("{account}\nwordless = \"skip\"")))
        .unwrap();
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 1);
    let reasons = skipped(&town);
    for (text, reason) in [
        ("@somebody You are right", "reply"),
        ("The #match for our friends only #NoTranslate", "opted_out"),
        ("A giveaway at the #match", "excluded"),
        ("The bridge is closed", "not_included"),
        ("#match 🎉", "wordless"),
    ] {
        assert_eq!(reasons.get(text).map(String::as_str), Some(reason), "{text}: {reasons:?}");
    }
}

#[actix_rt::test]
async fn a_thread_continues_after_a_skipped_part() {
    let timeline = vec![
        TimelinePost::new("The first part of the story").in_thread("story"),
        TimelinePost::new("An aside #notranslate").in_thread("story"),
        TimelinePost::new("The last part of the story").in_thread("story"),
    ];
    let town = Town::with_timeline(timeline, &["es"], "apertium").await;
    town.once().assert_success();
    let published = town.publications("es");
    assert_eq!(published.len(), 2);
    assert_eq!(published[1].reply_to, Some(published[0].id));
}
