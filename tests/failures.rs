//! What hangs, refuses or is told to stop, and what goes on meanwhile. What dies is in `chaos/`.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod support;

use std::time::{Duration, Instant};

use mynah_sandbox::{Endpoint, RateLimits, Sandbox, SandboxConfig, TimelinePost};
use support::{PATIENCE, Running, SOURCE, Signal, Town, message, numbered, numbers, signal, until};

/// A service on a town that has said so much, with polls close together.
async fn service(texts: usize, languages: &[&str], engines: &str, settings: &[&str]) -> (Town, Running) {
    let mut town = Town::new(numbered(texts), languages, "gemini").await;
    town.settings = vec![format!("engine.order={engines}"), "source.poll_interval=200ms".into()];
    town.settings.extend(settings.iter().map(|setting| (*setting).to_owned()));
    let running = town.start(&["run"]);
    (town, running)
}

fn all_said(town: &Town, language: &str, count: usize) {
    let said = numbers(&town.publications(language));
    assert_eq!(said, (1..=count).collect::<Vec<_>>(), "{language}");
}

fn say_more(town: &Town, from: usize, to: usize) {
    numbered(to).skip(from).for_each(|text| {
        town.say(&text);
    });
}

/// Everything fails so at one endpoint.
fn always(endpoint: &str, fault: &str) -> String {
    format!(r#"{{"rules": [{{"endpoint": "{endpoint}", "fault": {fault}}}]}}"#)
}

#[actix_rt::test]
async fn a_stopped_apertium_is_ended_and_replaced() {
    let (town, running) = service(10, &["es"], "apertium", &["engine.apertium.timeout=1s"]).await;
    town.until_published("es", 10).await;
    let programs = running.descendants();
    assert!(!programs.is_empty());
    for program in &programs {
        signal(*program, Signal::STOP);
    }
    // Each in other words: what differs in its number alone is known to the cache.
    for number in 11..=40 {
        town.say(&format!("Message {number} from the {}town hall", "old ".repeat(number - 10)));
    }
    town.until_published("es", 40).await;
    let log = town.log();
    assert_eq!(log.matches("Apertium pipeline restarted").count(), 1, "{log}");
    let now = running.descendants();
    assert!(
        programs.iter().all(|program| !now.contains(program)),
        "what hung is ended: {programs:?} {now:?}"
    );
    assert_eq!(running.terminate(), Some(0));
    all_said(&town, "es", 40);
}

#[actix_rt::test]
async fn where_gemini_hangs_the_next_engine_translates_and_gemini_is_asked_less_and_less() {
    let (town, running) =
        service(0, &["es", "ca"], "gemini,apertium", &["engine.timeout=300ms", "engine.gemini.batch=1"])
            .await;
    town.order_faults(&always("gemini.generate", r#""hang""#));
    say_more(&town, 0, 40);
    for language in ["es", "ca"] {
        town.until_published(language, 40).await;
    }
    let asked = town.sandbox.count(Endpoint::Generate).requests;
    assert!((1..40).contains(&asked), "80 texts, and {asked} waits in vain");
    assert_eq!(running.terminate(), Some(0));
    all_said(&town, "es", 40);
    all_said(&town, "ca", 40);
}

#[actix_rt::test]
async fn posts_that_share_a_text_are_all_published_after_the_first_engine_call_failed() {
    let faults = [
        r#"{"status": 503}"#,
        r#"{"status": 429}"#,
        r#"{"status": 400}"#,
        r#"{"gemini": "garbage_json"}"#,
        r#"{"gemini": "missing_placeholder"}"#,
        r#"{"gemini": "empty_text"}"#,
        r#"{"gemini": "overloaded"}"#,
        r#""garbage""#,
        r#""drop_connection""#,
        r#""hang""#,
    ];
    for fault in faults {
        // One text but for its link: masked, they are the same.
        let posts =
            (1..=7).map(|number| format!("The harbor opens again today https://example.com/{number}"));
        let mut town = Town::new(posts, &["es"], "gemini").await;
        town.settings.extend(["engine.timeout=500ms", "translator.pool_size=1"].map(str::to_owned));
        town.order_faults(&format!(
            r#"{{"rules": [{{"endpoint": "gemini.generate", "fault": {fault}, "nth": 1}}]}}"#
        ));
        let mut running = town.start(&["run"]);
        town.until_published("es", 7).await;
        assert!(!running.has_ended(), "{fault}: {}", town.log());
        assert_eq!(running.terminate(), Some(0), "{fault}");
    }
}

#[actix_rt::test]
async fn where_no_engine_answers_the_posts_wait_and_are_said_later() {
    let (town, running) = service(0, &["es"], "gemini", &["engine.timeout=300ms"]).await;
    town.order_faults(&always("gemini.generate", r#""hang""#));
    say_more(&town, 0, 30);
    assert!(town.sandbox.until(PATIENCE, |sandbox| sandbox.count(Endpoint::Generate).requests >= 4).await);
    assert!(town.publications("es").is_empty());
    town.order_faults(r#"{"rules": []}"#);
    town.until_published("es", 30).await;
    assert_eq!(running.terminate(), Some(0));
    all_said(&town, "es", 30);
}

#[actix_rt::test]
async fn where_x_hangs_translating_goes_on_and_all_is_said_later_and_once() {
    let settings = ["x.timeout=300ms", "publisher.settle=200ms", "router.queue=100"];
    let (town, running) = service(0, &["es", "fr"], "gemini", &settings).await;
    town.order_faults(&always("x.post", r#""hang_after_act""#));
    say_more(&town, 0, 60);
    assert!(town.sandbox.until(PATIENCE, |sandbox| sandbox.gemini().items >= 120).await, "all is translated");
    assert!(town.sandbox.until(PATIENCE, |sandbox| sandbox.count(Endpoint::Post).requests >= 4).await);
    town.order_faults(r#"{"rules": []}"#);
    for language in ["es", "fr"] {
        town.until_published(language, 60).await;
    }
    assert_eq!(running.terminate(), Some(0));
    all_said(&town, "es", 60);
    all_said(&town, "fr", 60);
}

#[actix_rt::test]
async fn where_reading_hangs_what_was_read_is_said_and_reading_goes_on_later() {
    let (town, running) =
        service(20, &["es"], "gemini", &["x.timeout=300ms", "publisher.min_interval=20ms"]).await;
    town.until_published("es", 1).await;
    let read = town.sandbox.count(Endpoint::Timeline).requests;
    town.order_faults(&always("x.timeline", r#""hang""#));
    say_more(&town, 20, 30);
    town.until_published("es", 20).await;
    assert!(
        town.sandbox.until(PATIENCE, |sandbox| sandbox.count(Endpoint::Timeline).requests >= read + 2).await
    );
    town.order_faults(r#"{"rules": []}"#);
    town.until_published("es", 30).await;
    assert_eq!(running.terminate(), Some(0));
    all_said(&town, "es", 30);
}

#[actix_rt::test]
async fn a_dead_token_stops_its_own_target_alone_and_a_passing_refusal_stops_none() {
    let (town, running) = service(5, &["es", "fr"], "gemini", &[]).await;
    for language in ["es", "fr"] {
        town.until_published(language, 5).await;
    }
    let passing = |fault: &str| format!(r#"{{"endpoint": "x.post", "fault": {fault}, "count": 1}}"#);
    let rules = [r#"{"status": 401}"#, r#""html_page""#, r#"{"status": 503}"#].map(passing).join(",");
    town.order_faults(&format!(r#"{{"rules": [{rules}]}}"#));
    say_more(&town, 5, 20);
    for language in ["es", "fr"] {
        town.until_published(language, 20).await;
    }
    town.sandbox.revoke_token("town_es");
    say_more(&town, 20, 30);
    town.until_published("fr", 30).await;
    assert_eq!(running.terminate(), Some(0));
    all_said(&town, "es", 20);
    all_said(&town, "fr", 30);
    // Whoever mends the keys starts it again.
    town.sandbox.restore_token("town_es");
    town.once().is_done();
    all_said(&town, "es", 30);
}

#[actix_rt::test]
async fn one_that_does_not_go_on_is_set_aside_and_the_rest_of_its_account_is_said() {
    // Its answer is lost, and looking whether it is there fails, too: nobody can know.
    let settings = ["x.timeout=300ms", "publisher.settle=1s", "publisher.order_patience=1s"];
    let (town, running) = service(0, &["es"], "gemini", &settings).await;
    let lost = r#"{"endpoint": "x.post", "fault": "hang_after_act", "nth": 1}"#;
    let blind = r#"{"endpoint": "x.timeline", "fault": {"status": 503}, "after": 1}"#;
    say_more(&town, 0, 5);
    town.order_faults(&format!(r#"{{"rules": [{lost}, {blind}]}}"#));
    town.until_published("es", 5).await;
    let held = town.command(&["jobs", "--state", "held"]).output().unwrap();
    let held = String::from_utf8(held.stdout).unwrap();
    assert!(held.contains("held (stalled)"), "{held}");
    town.order_faults(r#"{"rules": []}"#);
    let retried = town.command(&["jobs", "retry", "--kind", "stalled"]).output().unwrap();
    assert!(retried.status.success(), "{}", String::from_utf8_lossy(&retried.stderr));
    until("it is found", || town.log().contains("found on the account")).await;
    assert_eq!(running.terminate(), Some(0));
    town.once().is_done();
    all_said(&town, "es", 5);
}

/// Two threads of three; X refuses the second answer.
async fn refused_answer(threads: &str) -> Town {
    let post = |number: usize, thread: &str| TimelinePost::new(message(number)).in_thread(thread);
    let timeline = vec![post(1, "a"), post(2, "a"), post(3, "a"), post(4, "b"), post(5, "b")];
    let mut town = Town::with_timeline(timeline, &["es"], "gemini").await;
    town.settings.push(format!("publisher.threads={threads}"));
    town.order_faults(
        r#"{"rules": [{"endpoint": "x.post", "fault": {"x": "reply_not_allowed"}, "after": 1, "count": 1}]}"#,
    );
    town
}

#[actix_rt::test]
async fn in_a_chain_a_part_whose_answer_is_refused_is_held_and_so_is_what_answers_it() {
    let town = refused_answer("chain").await;
    let once = town.once();
    once.is_done();
    assert!(once.out.contains("held"), "{}", once.out);
    assert_eq!(numbers(&town.publications("es")), [1, 4, 5]);
    // A person tries again.
    let retried = town.command(&["jobs", "retry", "--kind", "thread"]).output().unwrap();
    assert!(retried.status.success(), "{}", String::from_utf8_lossy(&retried.stderr));
    town.once().is_done();
    let said = town.publications("es");
    assert_eq!(numbers(&said), [1, 4, 5, 2, 3]);
    assert_eq!(said[3].reply_to, Some(said[0].id));
    assert_eq!(said[4].reply_to, Some(said[3].id));
}

#[actix_rt::test]
async fn standing_alone_a_part_whose_answer_is_refused_is_said_on_its_own() {
    let town = refused_answer("standalone").await;
    town.once().is_done();
    let said = town.publications("es");
    assert_eq!(numbers(&said), [1, 2, 3, 4, 5]);
    let parents: Vec<_> = said.iter().map(|post| post.reply_to).collect();
    assert_eq!(parents, [None, None, Some(said[1].id), None, Some(said[3].id)]);
}

/// A service that is in the middle of much work.
async fn busy(grace: &str) -> (Town, Running) {
    let config = SandboxConfig {
        account: SOURCE.into(),
        timeline: numbered(300).map(TimelinePost::new).collect(),
        rate_limits: RateLimits::unlimited(),
        x_latency: Duration::from_millis(20),
        gemini_latency: Duration::from_millis(100),
        ..SandboxConfig::default()
    };
    let config = config.target("town_es", "es").target("town_fr", "fr");
    let mut town = Town::on(mynah_sandbox::start(config).await.unwrap(), &["es", "fr"], "gemini");
    town.settings.push(format!("shutdown.grace={grace}"));
    let running = town.start(&["run"]);
    town.until_published("es", 30).await;
    (town, running)
}

fn goes_on(town: &Town) {
    let said = town.publications("es").len();
    assert!(said < 300, "it was to be stopped in the middle");
    town.once().is_done();
    all_said(town, "es", 300);
    all_said(town, "fr", 300);
}

#[actix_rt::test]
async fn a_stop_under_load_ends_well_within_its_grace_and_the_next_start_goes_on() {
    let (town, running) = busy("10s").await;
    let asked = Instant::now();
    assert_eq!(running.terminate(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(town.log().contains("mynah has stopped"), "{}", town.log());
    goes_on(&town);
}

#[actix_rt::test]
async fn what_hangs_is_left_behind_when_the_grace_is_over_and_is_not_lost() {
    let (town, running) = busy("1s").await;
    town.order_faults(&always("x.post", r#""hang_after_act""#));
    let hung = |sandbox: &Sandbox| sandbox.requests().iter().any(|request| request.fault.is_some());
    assert!(town.sandbox.until(PATIENCE, hung).await);
    assert_eq!(running.terminate(), Some(0));
    assert!(town.log().contains("taken up again by the next start"), "{}", town.log());
    town.order_faults(r#"{"rules": []}"#);
    goes_on(&town);
}

#[actix_rt::test]
async fn a_second_signal_ends_it_at_once_and_nothing_is_lost() {
    let (town, mut running) = busy("5m").await;
    town.order_faults(&always("x.post", r#""hang_after_act""#));
    let hung = |sandbox: &Sandbox| sandbox.requests().iter().any(|request| request.fault.is_some());
    assert!(town.sandbox.until(PATIENCE, hung).await);
    running.send_term();
    until("it is stopping", || town.log().contains("stopping: ")).await;
    running.send_term();
    assert!(running.ends_within(Duration::from_secs(10)), "{}", town.log());
    assert_eq!(running.wait(), Some(0));
    town.order_faults(r#"{"rules": []}"#);
    goes_on(&town);
}
