//! What the cache knows before it is asked, by the built binary: engines are asked for nothing that is known.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod support;

use support::{Town, until};

#[actix_rt::test]
async fn a_cache_that_was_lost_is_filled_from_what_was_published() {
    let said = ["We are live: https://example.com/1", "Full time: 6-4 #town", "Doors open at 9:30, @bob"];
    let town = Town::new(said, &["es", "fr"], "gemini").await;
    town.once().is_done();
    assert_eq!(town.sandbox.gemini().items, 6);
    std::fs::remove_file(town.folder.path().join("data/cache.jsonl")).unwrap();
    let running = town.start(&["run"]);
    until("the cache is filled", || town.log().contains("the cache was filled from the ledger")).await;
    town.say("We are live: https://example.com/2");
    town.say("Full time: 5-4 #village");
    town.say("Doors open at 7:45, @eve");
    town.until_published("es", 6).await;
    town.until_published("fr", 6).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(town.sandbox.gemini().items, 6, "nothing was asked for again");
    for (language, thing) in [("es", "https://example.com/2"), ("fr", "5-4"), ("es", "7:45, @eve")] {
        let publications = town.publications(language);
        assert!(publications.iter().any(|said| said.text.contains(thing)), "{thing}: {publications:#?}");
    }
}

#[actix_rt::test]
async fn of_a_long_history_no_more_is_read_than_the_cache_can_hold() {
    let said = ["We are live", "Full time", "Doors are open", "See you tomorrow"];
    let mut town = Town::new(said, &["es"], "gemini").await;
    town.once().is_done();
    std::fs::remove_file(town.folder.path().join("data/cache.jsonl")).unwrap();
    town.settings.push("cache.max_entries=3".into());
    let running = town.start(&["run"]);
    until("the cache is filled", || town.log().contains("the cache was filled from the ledger")).await;
    assert_eq!(running.terminate(), Some(0));
    assert!(town.log().contains("filled=3 read=3"), "{}", town.log());
}

#[actix_rt::test]
async fn an_account_that_is_to_sound_otherwise_is_not_filled_with_what_it_said_before() {
    let town = Town::new(["We are live: https://example.com/1"], &["es", "fr"], "gemini").await;
    town.once().is_done();
    std::fs::remove_file(town.folder.path().join("data/cache.jsonl")).unwrap();
    let config = std::fs::read_to_string(town.config()).unwrap();
    let formal = config.replace("account = \"town_fr\"\n", "account = \"town_fr\"\ntone = \"formal\"\n");
    std::fs::write(town.config(), formal).unwrap();
    let running = town.start(&["run"]);
    until("the cache is filled", || town.log().contains("the cache was filled from the ledger")).await;
    town.say("We are live: https://example.com/2");
    town.until_published("es", 2).await;
    town.until_published("fr", 2).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(town.sandbox.gemini().items, 3, "only the formal one was asked for");
}

#[actix_rt::test]
async fn phrases_are_known_before_they_are_said_and_asked_for_once() {
    let mut town = Town::new(["Good morning, town"], &["es", "fr"], "gemini").await;
    let file = town.folder.path().join("phrases.txt");
    std::fs::write(&file, "We are live: https://example.com\n\nFull time: 6-4\n").unwrap();
    town.settings.push(format!("cache.warm_up={}", file.display()));
    let known = || town.log().matches("the cache knows the phrases of cache.warm_up").count();
    let running = town.start(&["run"]);
    until("the phrases are known", || known() == 1).await;
    town.until_published("fr", 1).await;
    town.say("We are live: https://example.com/7");
    town.say("Full time: 9-5");
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
async fn a_file_of_phrases_that_is_not_there_is_told_at_once() {
    let mut town = Town::new(["Good morning, town"], &["es"], "gemini").await;
    town.settings.push("cache.warm_up=nowhere.txt".into());
    let said = town.once();
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("nowhere.txt") && said.err.contains("a phrase a line"), "{}", said.err);
}
