//! The main job of the built binary: from a post on the followed account to its translations on the target accounts.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use mynah_sandbox::{Endpoint, PostKind, ReplyTo, TimelinePost};
use support::{Town, numbered, numbers};

#[actix_rt::test]
async fn every_post_is_published_once_in_every_language_in_the_sources_order() {
    let town = Town::new(numbered(60), &["es", "ca", "gl"], "apertium").await;
    town.once().assert_success();
    for language in ["es", "ca", "gl"] {
        assert_eq!(numbers(&town.publications(language)), (1..=60).collect::<Vec<_>>(), "{language}");
    }
    let second = town.once();
    second.assert_success();
    assert!(second.out.starts_with("0 new posts, 0 publications"), "{}", second.out);
    let lines: Vec<&str> = second.out.lines().chain(second.err.lines()).collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(lines[1], "Nothing to publish: the source has no new posts, and no job is waiting");
    assert_eq!(town.publications("es").len(), 60);
}

#[actix_rt::test]
async fn links_mentions_and_tags_stay_unchanged() {
    let post =
        "Thank you @harbour & friends! Tickets < 5 euros: https://example.com/t?a=1&b=2 #harbour $TSLA";
    let town = Town::new([post], &["es", "ca", "gl"], "apertium").await;
    town.once().assert_success();
    for language in ["es", "ca", "gl"] {
        let text = town.publications(language)[0].text.clone();
        for thing in ["@harbour", "https://example.com/t?a=1&b=2", "#harbour", "$TSLA", "<"] {
            assert_eq!(text.matches(thing).count(), post.matches(thing).count(), "{thing} in {text}");
        }
        assert_ne!(text, post);
    }
}

#[actix_rt::test]
async fn a_poll_that_finds_350_posts_loses_none_and_keeps_the_order() {
    let town = Town::new(numbered(350), &["es"], "gemini").await;
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), (1..=350).collect::<Vec<_>>());
    assert!(town.sandbox.count(Endpoint::Timeline).requests >= 4, "the posts span several pages");
}

#[actix_rt::test]
async fn one_request_to_gemini_has_several_posts_and_languages() {
    let town = Town::new(numbered(40), &["es", "fr"], "gemini").await;
    town.once().assert_success();
    let gemini = town.sandbox.gemini();
    assert_eq!(gemini.items, 80);
    assert!(gemini.requests <= 12, "{} requests for 80 items", gemini.requests);
    assert_eq!(numbers(&town.publications("fr")), (1..=40).collect::<Vec<_>>());
}

#[actix_rt::test]
async fn new_posts_are_published_while_the_service_runs_and_a_stop_is_clean() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    let running = town.start(&["run"]);
    town.until_published("es", 2).await;
    town.post("Message 3 from the town hall");
    town.until_published("es", 3).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3]);
}

#[actix_rt::test]
async fn a_kill_at_any_moment_loses_nothing_and_publishes_nothing_twice() {
    let town = Town::new(numbered(120), &["es", "fr"], "gemini").await;
    for round in 1..=4 {
        let mut running = town.start(&["once"]);
        town.until_published("es", round * 20).await;
        running.kill();
    }
    town.once().assert_success();
    for language in ["es", "fr"] {
        assert_eq!(numbers(&town.publications(language)), (1..=120).collect::<Vec<_>>(), "{language}");
    }
}

#[actix_rt::test]
async fn after_a_lost_answer_the_post_is_looked_up_and_not_sent_again() {
    let town = Town::new(numbered(5), &["es"], "gemini").await;
    town.order_faults(
        r#"{"rules": [{"endpoint": "x.post", "fault": "drop_after_act", "nth": 2},
                                    {"endpoint": "x.post", "fault": "drop_connection", "nth": 4}]}"#,
    );
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3, 4, 5]);
}

#[actix_rt::test]
async fn a_thread_stays_a_thread_and_a_long_post_becomes_one() {
    let rooms: Vec<_> =
        (1..=8).map(|room| format!("Room {room} of the museum tells the history of our old port.")).collect();
    let long = rooms.join(" ");
    let timeline = vec![
        TimelinePost::new("We planted 350 trees").in_thread("trees"),
        TimelinePost::new("Next year we plant more").in_thread("trees"),
        TimelinePost::new(long),
    ];
    // Apertium translates at full length; a model would be asked for a shorter translation first.
    let town = Town::with_timeline(timeline, &["es"], "apertium").await;
    town.once().assert_success();
    let published = town.publications("es");
    assert!(published.len() > 3, "the long one has several parts: {published:#?}");
    assert_eq!(published[1].reply_to, Some(published[0].id));
    assert_eq!(published[2].reply_to, None);
    for pair in published[2..].windows(2) {
        assert_eq!(pair[1].reply_to, Some(pair[0].id));
    }
}

#[actix_rt::test]
async fn a_model_is_asked_for_a_shorter_translation_before_a_split() {
    let long = "The museum has a new room about the history of our port. ".repeat(5);
    let town = Town::new([long.trim()], &["es"], "gemini").await;
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 1);
    assert_eq!(town.sandbox.gemini().requests, 2);
}

#[actix_rt::test]
async fn replies_to_others_and_posts_in_other_languages_are_recorded_as_skipped() {
    let mut reply = TimelinePost::new("@somebody You are right");
    reply.kind = Some(PostKind::Reply);
    reply.reply_to = Some(ReplyTo::Id("1500000000000000001".into()));
    let mut spanish = TimelinePost::new("Hola a todos");
    spanish.lang = Some("es".into());
    let town =
        Town::with_timeline(vec![reply, spanish, TimelinePost::new("Good morning")], &["es"], "apertium")
            .await;
    let output = town.once();
    output.assert_success();
    assert_eq!(town.publications("es").len(), 1);
    assert!(output.out.contains("1 published, 2 skipped"), "{}", output.out);
}

#[actix_rt::test]
async fn a_short_post_is_published_whatever_language_x_reports() {
    let mislabeled =
        |text: &str, lang: &str| TimelinePost { lang: Some(lang.into()), ..TimelinePost::new(text) };
    let posts = vec![
        mislabeled("Live now!", "es"),
        mislabeled("No comment", "fr"),
        mislabeled("Good luck tomorrow", "in"),
        mislabeled("Half time", "de"),
        mislabeled("We won!", "ca"),
        mislabeled("Big news soon", "nl"),
    ];
    let mut town = Town::with_timeline(posts, &["es"], "apertium").await;
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 6);
    town.settings.push("source.trust_language=false".into());
    town.sandbox.add_post(mislabeled("Live again", "es"));
    let output = town.once();
    output.assert_success();
    assert!(output.out.contains("1 skipped"), "{}", output.out);
}

#[actix_rt::test]
async fn a_job_skipped_for_its_language_is_published_after_a_retry() {
    let mut post =
        TimelinePost::new("The town hall opens tomorrow and everybody is welcome to come and see it");
    post.lang = Some("de".into());
    let town = Town::with_timeline(vec![post], &["es"], "apertium").await;
    town.once().assert_success();
    assert!(town.publications("es").is_empty());
    let retried =
        support::Output::from(town.command(&["jobs", "retry", "--kind", "other_language"]).output().unwrap());
    retried.assert_success();
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 1);
}

#[actix_rt::test]
async fn a_new_ledger_with_start_now_publishes_only_later_posts() {
    let mut town = Town::new(numbered(3), &["es"], "gemini").await;
    town.settings.push("source.start=now".into());
    let first = town.once();
    first.assert_success();
    assert!(first.out.contains("followed from now on"), "{}", first.out);
    town.post("Message 4 from the town hall");
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [4]);
}

#[actix_rt::test]
async fn over_the_cap_a_job_is_held_and_nothing_is_dropped() {
    let mut town = Town::new(numbered(5), &["es"], "gemini").await;
    town.settings.push("publisher.daily_cap=3".into());
    let output = town.once();
    output.assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3]);
    assert!(output.out.contains("daily cap of 3"), "{}", output.out);
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 3, "the cap holds over a restart");
    town.settings.clear();
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3, 4, 5], "the cap was raised");
}

#[actix_rt::test]
async fn if_an_engine_fails_the_next_one_translates() {
    let mut town = Town::new(["Good morning to all of you"], &["es"], "gemini").await;
    town.settings.push("engine.order=gemini,apertium".into());
    town.order_faults(r#"{"rules": [{"endpoint": "gemini.generate", "fault": {"gemini": "overloaded"}}]}"#);
    town.once().assert_success();
    assert!(town.publications("es")[0].text.starts_with("Buen"), "{}", town.publications("es")[0].text);
}

#[actix_rt::test]
async fn the_same_words_are_translated_once_even_across_runs() {
    let town = Town::new(
        (1..=10).map(|number| format!("We are live now: https://example.com/{number}")),
        &["es"],
        "gemini",
    )
    .await;
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 10);
    assert_eq!(town.sandbox.gemini().items, 1);
    town.post("We are live now: https://example.com/11");
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 11);
    assert_eq!(town.sandbox.gemini().items, 1, "the cache outlived the process");
}

#[actix_rt::test]
async fn a_post_that_x_calls_a_duplicate_is_held_and_the_rest_is_published() {
    let town =
        Town::new(["We are live now", "We are live now", "Message 3 from the town hall"], &["es"], "gemini")
            .await;
    let output = town.once();
    output.assert_success();
    let texts: Vec<String> = town.publications("es").into_iter().map(|post| post.text).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[1].contains(" 3 "), "{texts:?}");
    assert!(
        output.out.contains("1 held") && output.err.contains("duplicate content"),
        "{}\n{}",
        output.out,
        output.err
    );
}

#[actix_rt::test]
async fn check_works_while_the_service_runs() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let running = town.start(&["run"]);
    town.until_published("es", 1).await;
    let output = support::Output::from(town.command(&["check"]).output().unwrap());
    output.assert_success();
    assert!(output.out.contains("in use by the running service"), "{}", output.out);
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn hashtags_are_translated_if_the_target_asks_for_it() {
    let town = Town::new(["The new park opens #RedHouse #museum"], &["es"], "apertium").await;
    let config = std::fs::read_to_string(town.config()).unwrap();
    let account = "account = \"town_es\"";
    let config = config.replace(account, &format!("{account}\nhashtags = \"translate\""));
    std::fs::write(town.config(), config).unwrap();
    town.once().assert_success();
    let text = &town.publications("es")[0].text;
    assert!(text.ends_with("#CasaRoja #museo"), "{text}");
}
