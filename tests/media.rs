//! Pictures and videos are copied with the translated post, and their alt texts are translated. Media never block the
//! text.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::time::Duration;

use mynah_sandbox::{Endpoint, MediaKind, Sandbox, StoredPost, TimelineMedia, TimelinePost};
use serde_json::Value;
use support::{Output, PATIENCE, Town};

fn medium(kind: MediaKind, alt: Option<&str>, url: Option<&str>) -> TimelineMedia {
    TimelineMedia { kind, alt: alt.map(Into::into), url: url.map(Into::into) }
}

fn photo(alt: &str) -> TimelineMedia {
    medium(MediaKind::Photo, Some(alt), None)
}

fn with(text: &str, media: Vec<TimelineMedia>) -> TimelinePost {
    TimelinePost { media, ..TimelinePost::new(text) }
}

fn alts(post: &StoredPost) -> Vec<&str> {
    post.media.iter().map(|medium| medium.alt.as_deref().unwrap_or_default()).collect()
}

/// A town whose target has these settings as well.
async fn town(timeline: Vec<TimelinePost>, keys: &str) -> Town {
    let town = Town::with_timeline(timeline, &["es"], "apertium").await;
    let config = std::fs::read_to_string(town.config()).unwrap();
    let account = "account = \"town_es\"";
    std::fs::write(town.config(), config.replace(account, &format!("{account}\n{keys}"))).unwrap();
    town
}

#[actix_rt::test]
async fn a_thread_with_pictures_keeps_its_order_and_its_alt_texts_are_translated() {
    let timeline = vec![
        with("We planted trees", vec![photo("A white dog under a tree"), photo("The old bridge")])
            .in_thread("trees"),
        with("Next year we plant more", vec![photo("A red house")]).in_thread("trees"),
    ];
    let town = town(timeline, "").await;
    town.once().assert_success();
    let published = town.publications("es");
    assert_eq!(published.len(), 2);
    assert_eq!(published[1].reply_to, Some(published[0].id));
    assert_eq!(alts(&published[0]), ["Un perro blanco bajo un árbol", "El puente viejo"]);
    assert_eq!(alts(&published[1]), ["Una casa roja"]);
    let mut page = awc::Client::default().get(format!("{}/", town.sandbox.url())).send().await.unwrap();
    let page = String::from_utf8(page.body().await.unwrap().to_vec()).unwrap();
    assert!(page.contains("photo · Un perro blanco bajo un árbol"), "{page}");
}

#[actix_rt::test]
async fn videos_and_gifs_are_copied_in_chunks() {
    for kind in [MediaKind::Video, MediaKind::AnimatedGif] {
        let town =
            town(vec![with("The goal of the match", vec![medium(kind, Some("A goal"), None)])], "").await;
        town.once().assert_success();
        let published = town.publications("es");
        assert_eq!((published[0].media.len(), published[0].media[0].kind), (1, MediaKind::Video));
        // Initialize, two chunks, finalize.
        assert_eq!(town.sandbox.count(Endpoint::MediaChunk).requests, 4);
    }
}

#[actix_rt::test]
async fn media_that_cannot_be_copied_are_left_out_and_reported() {
    for (url, why) in [
        ("/media/gone.png", "404"),
        ("/media/large.png", "the maximum on X"),
        ("/healthz", "no picture"),
        ("https://evil.example/a.png", "x.media_hosts"),
        ("http://169.254.169.254/latest/meta-data", "x.media_hosts"),
    ] {
        let media = vec![medium(MediaKind::Photo, None, Some(url)), photo("The old bridge")];
        let town = town(vec![with("The bridge is closed", media)], "").await;
        let run = town.once();
        run.assert_success();
        let output = format!("{}{}", run.out, run.err);
        assert!(output.contains("published without media") && output.contains(why), "{url}: {output}");
        assert_eq!(alts(&town.publications("es")[0]), ["El puente viejo"], "{url}");
    }
}

#[actix_rt::test]
async fn a_target_can_hold_posts_with_missing_media_or_publish_without_media() {
    let timeline =
        || vec![with("The bridge is closed", vec![medium(MediaKind::Photo, None, Some("/media/gone.png"))])];
    let held = town(timeline(), "media_missing = \"hold\"").await;
    held.once();
    assert!(held.publications("es").is_empty());
    let jobs = Output::from(held.command(&["jobs", "--json"]).output().unwrap());
    let jobs: Value = serde_json::from_str(&jobs.out).unwrap();
    assert_eq!(jobs["jobs"][0]["kind"], "media");

    let without_media = town(timeline(), "media = \"none\"").await;
    without_media.once().assert_success();
    assert!(without_media.publications("es")[0].media.is_empty());
    assert_eq!(without_media.sandbox.count(Endpoint::MediaUpload).requests, 0);
}

#[actix_rt::test]
async fn a_failed_upload_is_retried_and_never_blocks_the_text() {
    for (count, media) in [(1, 1), (20, 0)] {
        let town = town(vec![with("The bridge is closed", vec![photo("The old bridge")])], "").await;
        town.order_faults(&format!(
            r#"{{"rules": [{{"endpoint": "x.media_upload", "fault": {{"status": 503}}, "count": {count}}}]}}"#
        ));
        let running = town.start(&["run"]);
        town.until_published("es", 1).await;
        assert_eq!(town.publications("es")[0].media.len(), media);
        assert_eq!(running.terminate(), Some(0));
    }
}

#[actix_rt::test]
async fn a_stop_does_not_wait_for_a_video_which_is_published_after_the_next_start() {
    let video = vec![with("The goal of the match", vec![medium(MediaKind::Video, None, None)])];
    let mut town = town(video, "").await;
    town.settings = vec!["x.timeout=2m".into(), "shutdown.grace=4m".into()];
    town.order_faults(r#"{"rules": [{"endpoint": "x.media_chunk", "fault": "hang", "nth": 2}]}"#);
    let mut running = town.start(&["run"]);
    let begun = |sandbox: &Sandbox| sandbox.count(Endpoint::MediaChunk).requests >= 2;
    assert!(town.sandbox.until(PATIENCE, begun).await, "{}", town.log());
    running.send_term();
    assert!(running.ends_within(Duration::from_secs(20)), "{}", town.log());
    assert_eq!(running.wait(), Some(0));
    assert!(town.publications("es").is_empty());
    town.order_faults(r#"{"rules": []}"#);
    town.once().assert_success();
    assert_eq!(town.publications("es")[0].media.len(), 1);
}
