//! What becomes of posts that are more or less than a text: posts without words, pictures, polls, long posts.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use mynah_sandbox::{Endpoint, MediaKind, PostKind, ReplyTo, SandboxConfig, TimelineMedia, TimelinePost};
use serde_json::Value;
use support::{Output, SOURCE, Town};

/// All jobs of a town, oldest first, with the fields of `mynah jobs --json`.
fn jobs(town: &Town) -> Vec<Value> {
    let output = Output::from(town.command(&["jobs", "--json"]).output().unwrap());
    output.assert_success();
    let jobs: Value = serde_json::from_str(&output.out).unwrap();
    jobs["jobs"].as_array().unwrap().clone()
}

fn jobs_that_are(town: &Town, state: &str) -> Vec<Value> {
    let output = Output::from(town.command(&["jobs", "--state", state, "--json"]).output().unwrap());
    output.assert_success();
    let jobs: Value = serde_json::from_str(&output.out).unwrap();
    jobs["jobs"].as_array().unwrap().clone()
}

fn texts(town: &Town) -> Vec<String> {
    town.publications("es").into_iter().map(|post| post.text).collect()
}

/// A town whose only target has these settings as well.
async fn town(timeline: Vec<TimelinePost>, keys: &str, engine: &str) -> Town {
    with_keys(Town::with_timeline(timeline, &["es"], engine).await, keys)
}

fn with_keys(town: Town, keys: &str) -> Town {
    let config = std::fs::read_to_string(town.config()).unwrap();
    let account = "account = \"town_es\"";
    std::fs::write(town.config(), config.replace(account, &format!("{account}\n{keys}"))).unwrap();
    town
}

fn plain(texts: &[&str]) -> Vec<TimelinePost> {
    texts.iter().map(|text| TimelinePost::new(*text)).collect()
}

/// Posts of every kind without words.
const WORDLESS: [&str; 8] = [
    "https://example.com/live",
    "#WorldCup",
    "🎉🎉",
    "1/3",
    "2026",
    "@somebody",
    "$TSLA 📈",
    "#a #b https://example.com",
];

#[actix_rt::test]
async fn a_post_without_words_is_published_as_it_is_and_no_engine_is_asked() {
    let town = town(plain(&WORDLESS), "", "gemini").await;
    town.once().assert_success();
    assert_eq!(texts(&town), WORDLESS);
    assert_eq!(town.sandbox.count(Endpoint::Generate).requests, 0);
    let published = jobs_that_are(&town, "published");
    assert!(published.iter().all(|job| job["engine"] == "copy"), "{published:?}");
}

#[actix_rt::test]
async fn the_link_in_the_middle_of_a_thread_stays_in_it() {
    let timeline = vec![
        TimelinePost::new("The bridge opens at noon").in_thread("bridge"),
        TimelinePost::new("https://example.com/bridge").in_thread("bridge"),
        TimelinePost::new("Everybody is welcome").in_thread("bridge"),
    ];
    let town = town(timeline, "", "apertium").await;
    town.once().assert_success();
    let published = town.publications("es");
    assert_eq!(published.len(), 3, "{published:?}");
    assert_eq!(published[1].text, "https://example.com/bridge");
    assert_eq!(published[1].reply_to, Some(published[0].id));
    assert_eq!(published[2].reply_to, Some(published[1].id));
}

#[actix_rt::test]
async fn a_repeat_that_the_network_refuses_is_skipped_and_its_thread_goes_on() {
    let timeline = vec![
        TimelinePost::new("🔥🔥🔥"),
        TimelinePost::new("The market opens at noon").in_thread("market"),
        TimelinePost::new("🔥🔥🔥").in_thread("market"),
        TimelinePost::new("Everybody is welcome").in_thread("market"),
    ];
    let mut town = town(timeline, "", "apertium").await;
    town.settings.push("publisher.settle=0s".into());
    let running = town.start(&["run"]);
    town.until_published("es", 3).await;
    assert_eq!(running.terminate(), Some(0));
    let published = town.publications("es");
    assert_eq!(published[0].text, "🔥🔥🔥");
    assert_eq!(published[2].reply_to, Some(published[1].id));
    let skipped = jobs_that_are(&town, "skipped");
    assert_eq!((skipped.len(), skipped[0]["kind"].as_str()), (1, Some("repeated")), "{skipped:?}");
    assert!(jobs(&town).iter().all(|job| job["state"] != "held"));
}

#[actix_rt::test]
async fn a_picture_without_words_is_published_with_its_alt_text_translated() {
    let photo =
        |alt: Option<&str>| TimelineMedia { kind: MediaKind::Photo, alt: alt.map(Into::into), url: None };
    let timeline = vec![
        TimelinePost { media: vec![photo(Some("The old bridge"))], ..TimelinePost::new("") },
        TimelinePost { media: vec![photo(None)], ..TimelinePost::new("") },
        TimelinePost { media: vec![photo(Some("A red house"))], ..TimelinePost::new("🏠") },
    ];
    let alts = |town: &Town| -> Vec<_> {
        let posts = town.publications("es").into_iter();
        posts.map(|post| (post.text, post.media[0].alt.clone().unwrap_or_default())).collect()
    };
    let all = [("", "El puente viejo"), ("", ""), ("🏠", "Una casa roja")];
    let all = all.map(|(text, alt)| (text.to_owned(), alt.to_owned()));
    let copied = town(timeline.clone(), "", "apertium").await;
    copied.once().assert_success();
    assert_eq!(alts(&copied), all);
    // An alt text has words.
    let skipped = town(timeline, "wordless = \"skip\"", "apertium").await;
    skipped.once().assert_success();
    assert_eq!(alts(&skipped), [all[0].clone(), all[2].clone()]);
}

#[actix_rt::test]
async fn a_target_may_skip_posts_without_words_and_nothing_is_published_of_which_nothing_is_left() {
    let skipping = town(plain(&WORDLESS), "wordless = \"skip\"", "apertium").await;
    skipping.once().assert_success();
    assert!(texts(&skipping).is_empty());
    let skipped = jobs_that_are(&skipping, "skipped");
    assert!(skipped.iter().all(|job| job["kind"] == "wordless"), "{skipped:?}");
    let dropping = town(plain(&WORDLESS), "mentions = \"drop\"\nhashtags = \"drop\"", "apertium").await;
    dropping.once().assert_success();
    let left = ["https://example.com/live", "🎉🎉", "1/3", "2026", "$TSLA 📈", "https://example.com"];
    assert_eq!(texts(&dropping), left);
}

#[actix_rt::test]
async fn a_poll_is_published_as_lines_of_text_or_skipped() {
    let poll = || TimelinePost {
        poll: vec!["The old bridge".into(), "A red house".into()],
        ..TimelinePost::new("What do we see?")
    };
    let published = town(vec![poll()], "", "apertium").await;
    published.once().assert_success();
    let [text] = &texts(&published)[..] else { panic!("{}", published.log()) };
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), &lines[1..]), (3, &["El puente viejo", "Una casa roja"][..]), "{text}");
    let mut skipping = town(vec![poll()], "", "apertium").await;
    skipping.settings.push("source.polls=skip".into());
    skipping.once().assert_success();
    assert!(texts(&skipping).is_empty());
    assert_eq!(jobs_that_are(&skipping, "skipped")[0]["kind"], "poll");
}

#[actix_rt::test]
async fn an_own_reply_below_a_reply_to_others_is_a_reply_also_in_a_later_poll() {
    let to_other = TimelinePost {
        kind: Some(PostKind::Reply),
        reply_to: Some(ReplyTo::Id("1500000000000000001".into())),
        ..TimelinePost::new("@somebody You are right").in_thread("talk")
    };
    let timeline = vec![to_other, TimelinePost::new("And the bridge is closed").in_thread("talk")];
    let town = town(timeline, "", "apertium").await;
    town.once().assert_success();
    town.sandbox.add_post(TimelinePost::new("And the market is closed").in_thread("talk"));
    town.once().assert_success();
    assert!(texts(&town).is_empty(), "{:?}", texts(&town));
    let skipped = jobs_that_are(&town, "skipped");
    assert!(skipped.len() == 3 && skipped.iter().all(|job| job["kind"] == "reply"), "{skipped:?}");
}

/// A town whose target account may have X Premium.
async fn with_premium(premium: bool, timeline: Vec<TimelinePost>, keys: &str) -> Town {
    let config = SandboxConfig { account: SOURCE.into(), timeline, ..SandboxConfig::default() };
    let config = config.target("town_es", "es");
    let config = if premium { config.with_premium() } else { config };
    with_keys(Town::on(mynah_sandbox::start(config).await.unwrap(), &["es"], "apertium"), keys)
}

/// A text of this many sentences, each of about 27 characters and with a number of its own.
fn long(sentences: usize) -> TimelinePost {
    let sentences: Vec<String> =
        (1..=sentences).map(|number| format!("The bridge {number} is closed.")).collect();
    TimelinePost::new(sentences.join(" "))
}

#[actix_rt::test]
async fn a_long_post_stays_one_post_on_an_account_with_premium() {
    let town = with_premium(true, vec![long(80), long(850)], "long_posts = true").await;
    town.once().assert_success();
    let lengths: Vec<usize> = texts(&town).iter().map(|text| text.chars().count()).collect();
    assert!(lengths.len() == 2 && lengths[0] > 2000 && lengths[1] > 22_000, "{lengths:?}");
    let check = Output::from(town.command(&["check"]).output().unwrap());
    assert!(check.out.contains("a post may weigh up to 25000"), "{}", check.out);
}

#[actix_rt::test]
async fn a_post_that_is_too_long_even_for_premium_becomes_a_thread() {
    let town = with_premium(true, vec![long(1200)], "long_posts = true").await;
    town.once().assert_success();
    let published = town.publications("es");
    assert_eq!(published.len(), 2);
    assert_eq!(published[1].reply_to, Some(published[0].id));
}

#[actix_rt::test]
async fn a_long_post_whose_answer_was_lost_is_found_and_not_published_twice() {
    let town = with_premium(true, vec![long(100)], "long_posts = true").await;
    town.order_faults(r#"{"rules": [{"endpoint": "x.post", "fault": "drop_after_act", "count": 1}]}"#);
    let running = town.start(&["run"]);
    town.until_published("es", 1).await;
    support::until("the job is published", || !jobs_that_are(&town, "published").is_empty()).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(texts(&town).len(), 1);
}

#[actix_rt::test]
async fn x_refuses_a_long_post_of_an_account_without_premium_which_is_held() {
    let town = with_premium(false, vec![long(100)], "long_posts = true").await;
    town.once();
    assert!(texts(&town).is_empty());
    let held = jobs_that_are(&town, "held");
    assert_eq!(held[0]["kind"], "refused", "{held:?}");
    let threads = with_premium(false, vec![long(100)], "").await;
    threads.once().assert_success();
    assert!(threads.publications("es").len() > 1);
}
