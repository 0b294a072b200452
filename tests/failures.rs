//! An upstream that hangs or refuses, or a signal to stop, must not lose posts or block the rest. Crashes are in
//! `chaos/`.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::time::{Duration, Instant};

use mynah_sandbox::{Endpoint, RateLimits, Sandbox, SandboxConfig, TimelinePost};
use support::{PATIENCE, Running, SOURCE, Signal, Town, message, numbered, numbers, signal, until};

/// A service that follows a town with `texts` posts and polls often.
async fn service(texts: usize, languages: &[&str], engines: &str, settings: &[&str]) -> (Town, Running) {
    let mut town = Town::new(numbered(texts), languages, "gemini").await;
    town.settings = vec![format!("engine.order={engines}"), "source.poll_interval=200ms".into()];
    town.settings.extend(settings.iter().map(|setting| (*setting).to_owned()));
    let running = town.start(&["run"]);
    (town, running)
}

fn assert_all_published(town: &Town, language: &str, count: usize) {
    let published = numbers(&town.publications(language));
    assert_eq!(published, (1..=count).collect::<Vec<_>>(), "{language}");
}

fn post_more(town: &Town, from: usize, to: usize) {
    numbered(to).skip(from).for_each(|text| {
        town.post(&text);
    });
}

/// Makes every call of an endpoint fail with this fault.
fn always(endpoint: &str, fault: &str) -> String {
    format!(r#"{{"rules": [{{"endpoint": "{endpoint}", "fault": {fault}}}]}}"#)
}

#[actix_rt::test]
async fn a_hung_apertium_is_killed_and_replaced() {
    let (town, running) = service(10, &["es"], "apertium", &["engine.apertium.timeout=1s"]).await;
    town.until_published("es", 10).await;
    let programs = running.descendants();
    assert!(!programs.is_empty());
    for program in &programs {
        signal(*program, Signal::STOP);
    }
    // Each with different words: the cache knows texts that differ only in a number.
    for number in 11..=40 {
        town.post(&format!("Message {number} from the {}town hall", "old ".repeat(number - 10)));
    }
    town.until_published("es", 40).await;
    let log = town.log();
    assert_eq!(log.matches("Apertium pipeline restarted").count(), 1, "{log}");
    let now = running.descendants();
    assert!(
        programs.iter().all(|program| !now.contains(program)),
        "the hung programs still run: {programs:?} {now:?}"
    );
    assert_eq!(running.terminate(), Some(0));
    assert_all_published(&town, "es", 40);
}

#[actix_rt::test]
async fn if_gemini_hangs_the_next_engine_translates_and_gemini_is_called_less_and_less() {
    let (town, running) =
        service(0, &["es", "ca"], "gemini,apertium", &["engine.timeout=300ms", "engine.gemini.batch=1"])
            .await;
    town.order_faults(&always("gemini.generate", r#""hang""#));
    post_more(&town, 0, 40);
    for language in ["es", "ca"] {
        town.until_published(language, 40).await;
    }
    let asked = town.sandbox.count(Endpoint::Generate).requests;
    assert!((1..40).contains(&asked), "{asked} hung calls for 80 texts");
    assert_eq!(running.terminate(), Some(0));
    assert_all_published(&town, "es", 40);
    assert_all_published(&town, "ca", 40);
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
        // The texts differ only in their links, so they are the same once masked.
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
async fn if_no_engine_answers_posts_wait_and_are_published_later() {
    let (town, running) = service(0, &["es"], "gemini", &["engine.timeout=300ms"]).await;
    town.order_faults(&always("gemini.generate", r#""hang""#));
    post_more(&town, 0, 30);
    assert!(town.sandbox.until(PATIENCE, |sandbox| sandbox.count(Endpoint::Generate).requests >= 4).await);
    assert!(town.publications("es").is_empty());
    town.order_faults(r#"{"rules": []}"#);
    town.until_published("es", 30).await;
    assert_eq!(running.terminate(), Some(0));
    assert_all_published(&town, "es", 30);
}

#[actix_rt::test]
async fn if_x_hangs_translation_continues_and_everything_is_published_once_later() {
    let settings = ["x.timeout=300ms", "publisher.settle=200ms", "router.queue=100"];
    let (town, running) = service(0, &["es", "fr"], "gemini", &settings).await;
    town.order_faults(&always("x.post", r#""hang_after_act""#));
    post_more(&town, 0, 60);
    assert!(
        town.sandbox.until(PATIENCE, |sandbox| sandbox.gemini().items >= 120).await,
        "everything is translated"
    );
    assert!(town.sandbox.until(PATIENCE, |sandbox| sandbox.count(Endpoint::Post).requests >= 4).await);
    town.order_faults(r#"{"rules": []}"#);
    for language in ["es", "fr"] {
        town.until_published(language, 60).await;
    }
    assert_eq!(running.terminate(), Some(0));
    assert_all_published(&town, "es", 60);
    assert_all_published(&town, "fr", 60);
}

#[actix_rt::test]
async fn if_reading_hangs_known_posts_are_published_and_reading_resumes_later() {
    let (town, running) =
        service(20, &["es"], "gemini", &["x.timeout=300ms", "publisher.min_interval=20ms"]).await;
    town.until_published("es", 1).await;
    let read = town.sandbox.count(Endpoint::Timeline).requests;
    town.order_faults(&always("x.timeline", r#""hang""#));
    post_more(&town, 20, 30);
    town.until_published("es", 20).await;
    assert!(
        town.sandbox.until(PATIENCE, |sandbox| sandbox.count(Endpoint::Timeline).requests >= read + 2).await
    );
    town.order_faults(r#"{"rules": []}"#);
    town.until_published("es", 30).await;
    assert_eq!(running.terminate(), Some(0));
    assert_all_published(&town, "es", 30);
}

#[actix_rt::test]
async fn a_revoked_token_stops_only_its_target_and_a_temporary_refusal_stops_none() {
    let (town, running) = service(5, &["es", "fr"], "gemini", &[]).await;
    for language in ["es", "fr"] {
        town.until_published(language, 5).await;
    }
    let temporary = |fault: &str| format!(r#"{{"endpoint": "x.post", "fault": {fault}, "count": 1}}"#);
    let rules = [r#"{"status": 401}"#, r#""html_page""#, r#"{"status": 503}"#].map(temporary).join(",");
    town.order_faults(&format!(r#"{{"rules": [{rules}]}}"#));
    post_more(&town, 5, 20);
    for language in ["es", "fr"] {
        town.until_published(language, 20).await;
    }
    town.sandbox.revoke_token("town_es");
    post_more(&town, 20, 30);
    town.until_published("fr", 30).await;
    assert_eq!(running.terminate(), Some(0));
    assert_all_published(&town, "es", 20);
    assert_all_published(&town, "fr", 30);
    // After the keys are fixed, the next run publishes the rest.
    town.sandbox.restore_token("town_es");
    town.once().assert_success();
    assert_all_published(&town, "es", 30);
}

#[actix_rt::test]
async fn a_stuck_job_is_set_aside_and_the_rest_of_its_account_is_published() {
    // The answer is lost and the lookup fails too, so nobody can know whether the post is there.
    let settings = ["x.timeout=300ms", "publisher.settle=1s", "publisher.order_patience=1s"];
    let (town, running) = service(0, &["es"], "gemini", &settings).await;
    let lost = r#"{"endpoint": "x.post", "fault": "hang_after_act", "nth": 1}"#;
    let no_lookup = r#"{"endpoint": "x.timeline", "fault": {"status": 503}, "after": 1}"#;
    post_more(&town, 0, 5);
    town.order_faults(&format!(r#"{{"rules": [{lost}, {no_lookup}]}}"#));
    town.until_published("es", 5).await;
    let held = town.command(&["jobs", "--state", "held"]).output().unwrap();
    let held = String::from_utf8(held.stdout).unwrap();
    assert!(held.contains("held (stalled)"), "{held}");
    town.order_faults(r#"{"rules": []}"#);
    let retried = town.command(&["jobs", "retry", "--kind", "stalled"]).output().unwrap();
    assert!(retried.status.success(), "{}", String::from_utf8_lossy(&retried.stderr));
    until("the publication is found", || town.log().contains("existing publication found")).await;
    assert_eq!(running.terminate(), Some(0));
    town.once().assert_success();
    assert_all_published(&town, "es", 5);
}

/// Two threads with five posts in all. X refuses the first reply.
async fn refused_reply(threads: &str) -> Town {
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
async fn with_threads_chain_a_refused_reply_is_held_and_so_are_the_parts_after_it() {
    let town = refused_reply("chain").await;
    let once = town.once();
    once.assert_success();
    assert!(once.out.contains("held"), "{}", once.out);
    assert_eq!(numbers(&town.publications("es")), [1, 4, 5]);
    // A person retries it.
    let retried = town.command(&["jobs", "retry", "--kind", "thread"]).output().unwrap();
    assert!(retried.status.success(), "{}", String::from_utf8_lossy(&retried.stderr));
    town.once().assert_success();
    let published = town.publications("es");
    assert_eq!(numbers(&published), [1, 4, 5, 2, 3]);
    assert_eq!(published[3].reply_to, Some(published[0].id));
    assert_eq!(published[4].reply_to, Some(published[3].id));
}

#[actix_rt::test]
async fn with_threads_standalone_a_refused_reply_is_published_on_its_own() {
    let town = refused_reply("standalone").await;
    town.once().assert_success();
    let published = town.publications("es");
    assert_eq!(numbers(&published), [1, 2, 3, 4, 5]);
    let parents: Vec<_> = published.iter().map(|post| post.reply_to).collect();
    assert_eq!(parents, [None, None, Some(published[1].id), None, Some(published[3].id)]);
}

/// A service under load, with most posts still waiting.
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

fn assert_resumes(town: &Town) {
    let published = town.publications("es").len();
    assert!(published < 300, "the service stopped too late to leave work");
    town.once().assert_success();
    assert_all_published(town, "es", 300);
    assert_all_published(town, "fr", 300);
}

#[actix_rt::test]
async fn a_stop_under_load_ends_within_its_grace_and_the_next_start_resumes() {
    let (town, running) = busy("10s").await;
    let stopping = Instant::now();
    assert_eq!(running.terminate(), Some(0));
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
    assert!(town.log().contains("mynah stopped"), "{}", town.log());
    assert_resumes(&town);
}

#[actix_rt::test]
async fn a_call_that_outlasts_the_grace_is_abandoned_and_its_post_is_not_lost() {
    let (town, running) = busy("1s").await;
    town.order_faults(&always("x.post", r#""hang_after_act""#));
    let hung = |sandbox: &Sandbox| sandbox.requests().iter().any(|request| request.fault.is_some());
    assert!(town.sandbox.until(PATIENCE, hung).await);
    assert_eq!(running.terminate(), Some(0));
    assert!(town.log().contains("shutdown grace exceeded"), "{}", town.log());
    town.order_faults(r#"{"rules": []}"#);
    assert_resumes(&town);
}

#[actix_rt::test]
async fn a_second_signal_ends_the_service_at_once_and_nothing_is_lost() {
    let (town, mut running) = busy("5m").await;
    town.order_faults(&always("x.post", r#""hang_after_act""#));
    let hung = |sandbox: &Sandbox| sandbox.requests().iter().any(|request| request.fault.is_some());
    assert!(town.sandbox.until(PATIENCE, hung).await);
    running.send_term();
    until("the service is stopping", || town.log().contains("shutdown started")).await;
    running.send_term();
    assert!(running.ends_within(Duration::from_secs(10)), "{}", town.log());
    assert_eq!(running.wait(), Some(0));
    town.order_faults(r#"{"rules": []}"#);
    assert_resumes(&town);
}
