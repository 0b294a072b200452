//! The built binary fills the cache before the first post, so engines never translate what is known already.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use support::{Town, until};

#[actix_rt::test]
async fn a_lost_cache_is_filled_from_what_was_published() {
    let posts = ["We are live: https://example.com/1", "Full time: 6-4 #town", "Doors open at 9:30, @bob"];
    let town = Town::new(posts, &["es", "fr"], "gemini").await;
    town.once().assert_success();
    assert_eq!(town.sandbox.gemini().items, 6);
    std::fs::remove_file(town.folder.path().join("data/cache.jsonl")).unwrap();
    let running = town.start(&["run"]);
    until("the cache is filled", || town.log().contains("cache filled from ledger")).await;
    town.post("We are live: https://example.com/2");
    town.post("Full time: 5-4 #village");
    town.post("Doors open at 7:45, @eve");
    town.until_published("es", 6).await;
    town.until_published("fr", 6).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(town.sandbox.gemini().items, 6, "nothing was translated again");
    for (language, thing) in [("es", "https://example.com/2"), ("fr", "5-4"), ("es", "7:45, @eve")] {
        let publications = town.publications(language);
        assert!(publications.iter().any(|post| post.text.contains(thing)), "{thing}: {publications:#?}");
    }
}

#[actix_rt::test]
async fn no_more_history_is_read_than_the_cache_can_hold() {
    let posts = ["We are live", "Full time", "Doors are open", "See you tomorrow"];
    let mut town = Town::new(posts, &["es"], "gemini").await;
    town.once().assert_success();
    std::fs::remove_file(town.folder.path().join("data/cache.jsonl")).unwrap();
    town.settings.push("cache.max_entries=3".into());
    let running = town.start(&["run"]);
    until("the cache is filled", || town.log().contains("cache filled from ledger")).await;
    assert_eq!(running.terminate(), Some(0));
    assert!(town.log().contains("filled=3 read=3"), "{}", town.log());
}

#[actix_rt::test]
async fn translations_for_an_account_whose_tone_changed_are_not_reused() {
    let town = Town::new(["We are live: https://example.com/1"], &["es", "fr"], "gemini").await;
    town.once().assert_success();
    std::fs::remove_file(town.folder.path().join("data/cache.jsonl")).unwrap();
    let config = std::fs::read_to_string(town.config()).unwrap();
    let formal = config.replace("account = \"town_fr\"\n", "account = \"town_fr\"\ntone = \"formal\"\n");
    std::fs::write(town.config(), formal).unwrap();
    let running = town.start(&["run"]);
    until("the cache is filled", || town.log().contains("cache filled from ledger")).await;
    town.post("We are live: https://example.com/2");
    town.until_published("es", 2).await;
    town.until_published("fr", 2).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(town.sandbox.gemini().items, 3, "only the formal translation was requested");
}

#[actix_rt::test]
async fn configured_phrases_are_translated_once_in_advance() {
    let mut town = Town::new(["Good morning, town"], &["es", "fr"], "gemini").await;
    let file = town.folder.path().join("phrases.txt");
    std::fs::write(&file, "We are live: https://example.com\n\nFull time: 6-4\n").unwrap();
    town.settings.push(format!("cache.warm_up={}", file.display()));
    let known = || town.log().matches("cache warm-up completed").count();
    let running = town.start(&["run"]);
    until("the phrases are known", || known() == 1).await;
    town.until_published("fr", 1).await;
    town.post("We are live: https://example.com/7");
    town.post("Full time: 9-5");
    town.until_published("es", 3).await;
    town.until_published("fr", 3).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(town.sandbox.gemini().items, 6, "a post and two phrases in two languages");
    let running = town.start(&["run"]);
    until("the phrases are still known", || known() == 2).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(town.sandbox.gemini().items, 6);
}

#[actix_rt::test]
async fn a_missing_file_of_phrases_is_reported_at_once() {
    let mut town = Town::new(["Good morning, town"], &["es"], "gemini").await;
    town.settings.push("cache.warm_up=nowhere.txt".into());
    let output = town.once();
    assert_eq!(output.code, Some(1), "{}", output.err);
    assert!(
        output.err.contains("nowhere.txt") && output.err.contains("one phrase per line"),
        "{}",
        output.err
    );
}
