//! What only a person can fix must be loud: a refused engine, a blocked account, a secret that does not work, a reload
//! that failed. And what is no crash must not look like one.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use support::{Running, Signal, Town, message, numbered, numbers, run, until};

#[track_caller]
fn run_json(town: &Town, args: &[&str]) -> Value {
    let output = run(town, &[args, &["--json"]].concat());
    serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{error}: {}{}", output.out, output.err))
}

/// Starts the service, and returns the address of its admin API.
async fn service(town: &Town) -> (Running, String) {
    let (running, address) = town.serve().await;
    (running, format!("http://{address}"))
}

/// Status and body.
async fn get(url: &str) -> (u16, String) {
    let mut answer = awc::Client::default().get(url).send().await.unwrap();
    let body = answer.body().await.unwrap().to_vec();
    (answer.status().as_u16(), String::from_utf8(body).unwrap())
}

/// The value of a sample in `/metrics`.
async fn metric(url: &str, sample: &str) -> Option<f64> {
    let (_, text) = get(&format!("{url}/metrics")).await;
    text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
}

/// The state and reason of an account in `mynah status`.
fn account(town: &Town, account: &str) -> (String, String) {
    let status = run_json(town, &["status"]);
    let accounts = status["accounts"].as_array().unwrap();
    let found = accounts.iter().find(|one| one["account"] == account).unwrap();
    (found["state"].as_str().unwrap().to_owned(), found["reason"].as_str().unwrap_or_default().to_owned())
}

/// Puts a secret into a file, and returns the file.
fn secret_in_file(town: &mut Town, name: &str, value: &str) -> PathBuf {
    let file = town.folder.path().join(name);
    fs::write(&file, value).unwrap();
    town.environment.push((name.into(), String::new()));
    town.environment.push((format!("{name}_FILE"), file.display().to_string()));
    file
}

/// Makes every request to Gemini fail in this way.
fn gemini_fails(town: &Town, fault: &str) {
    town.order_faults(&format!(r#"{{"rules": [{{"endpoint": "gemini.generate", "fault": {fault}}}]}}"#));
}

/// A town whose engines are Gemini and then Apertium.
async fn two_engines(texts: usize) -> Town {
    let mut town = Town::new(numbered(texts), &["es"], "gemini").await;
    town.settings.push("engine.order=gemini, apertium".into());
    town.settings.push("source.poll_interval=100ms".into());
    town
}

const WRONG_KEY: &str = "wrong-key-0123456789";

#[actix_rt::test]
async fn a_rejected_engine_key_is_an_error_in_the_log_and_a_degraded_service() {
    let mut town = two_engines(1).await;
    let key = secret_in_file(&mut town, "GEMINI_API_KEY", WRONG_KEY);
    let (running, url) = service(&town).await;
    town.until_published("es", 1).await;
    for number in 2..5 {
        town.post(&message(number));
    }
    town.until_published("es", 4).await;

    let log = town.log();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("engine refused")).collect();
    assert_eq!(errors.len(), 1, "once, not for every call: {errors:?}");
    assert!(errors[0].contains("ERROR") && errors[0].contains("GEMINI_API_KEY"), "{}", errors[0]);
    let (status, body) = get(&format!("{url}/ready")).await;
    let ready: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &ready["ready"]), (200, &json!(true)));
    assert!(ready["degraded"][0].as_str().unwrap().contains("gemini: "), "{body}");
    assert_eq!(metric(&url, "mynah_engine_refused{engine=\"gemini\"}").await, Some(1.0));
    assert_eq!(metric(&url, "mynah_engine_refused{engine=\"apertium\"}").await, Some(0.0));
    assert_eq!(metric(&url, "mynah_degraded").await, Some(1.0));
    let performance = run(&town, &["performance"]);
    assert!(performance.out.contains("degraded    gemini: "), "{}", performance.out);
    let status = run(&town, &["status"]);
    status.assert_success();
    assert!(status.out.starts_with("degraded") && status.out.contains("GEMINI_API_KEY"), "{}", status.out);
    assert_eq!(
        account(&town, "x:town_es"),
        ("degraded".into(), "gemini refuses to translate, so apertium translates instead".into())
    );
    until("`mynah health` shows it", || {
        let health = run(&town, &["health"]);
        assert!(!health.out.contains(WRONG_KEY));
        health.code == Some(0) && health.out.starts_with("degraded") && health.out.contains("gemini: ")
    })
    .await;

    fs::write(key, mynah_sandbox::credentials("town_es").gemini_api_key).unwrap();
    let reloaded = run(&town, &["reload"]);
    reloaded.assert_success();
    assert!(reloaded.out.contains("GEMINI_API_KEY changed; gemini: verified"), "{}", reloaded.out);
    assert_eq!(get(&format!("{url}/ready")).await.1, r#"{"ready":true,"reasons":[]}"#);
    assert_eq!(account(&town, "x:town_es").0, "running");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn with_fallback_hold_posts_wait_for_a_refused_engine_and_continue_in_order_by_themselves() {
    let mut town = two_engines(3).await;
    town.settings.push("engine.fallback=hold".into());
    let key = secret_in_file(&mut town, "GEMINI_API_KEY", WRONG_KEY);
    let (running, url) = service(&town).await;
    until("all jobs are held", || {
        let held = run_json(&town, &["jobs", "--state", "held"]);
        let held = held["jobs"].as_array().unwrap();
        held.len() == 3 && held.iter().all(|job| job["kind"] == "engine")
    })
    .await;
    let job = run_json(&town, &["jobs", "--state", "held"])["jobs"][0].clone();
    let reason = job["reason"].as_str().unwrap();
    assert!(reason.contains("GEMINI_API_KEY") && reason.contains("engine.fallback"), "{reason}");
    assert!(town.publications("es").is_empty());
    assert_eq!(get(&format!("{url}/ready")).await.0, 200);
    let (state, reason) = account(&town, "x:town_es");
    assert!(state == "degraded" && reason.contains("its posts wait"), "{state}: {reason}");

    fs::write(key, mynah_sandbox::credentials("town_es").gemini_api_key).unwrap();
    run(&town, &["reload"]).assert_success();
    town.until_published("es", 3).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3]);
    let published = run_json(&town, &["jobs", "--state", "published"]);
    for job in published["jobs"].as_array().unwrap() {
        assert!(job["engine"].as_str().unwrap().contains("gemini"), "{job}");
    }
}

#[actix_rt::test]
async fn with_fallback_hold_an_engine_that_is_only_slow_or_down_is_replaced_as_before() {
    let mut town = two_engines(1).await;
    town.settings.push("engine.fallback=hold".into());
    gemini_fails(&town, r#"{"status": 503}"#);
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 1);
}

#[actix_rt::test]
async fn a_model_that_does_not_exist_and_a_quota_that_is_used_up_are_refusals_too() {
    for (fault, words) in [
        (r#"{"status": 404}"#, "engine.gemini.model"),
        (r#"{"status": 403}"#, "GEMINI_API_KEY"),
        (r#"{"gemini": "quota_per_day"}"#, "quota is used up"),
    ] {
        let town = two_engines(1).await;
        gemini_fails(&town, fault);
        let (running, url) = service(&town).await;
        town.until_published("es", 1).await;
        let (status, body) = get(&format!("{url}/ready")).await;
        assert!(status == 200 && body.contains("degraded") && body.contains(words), "{fault}: {body}");
        assert!(town.log().contains("engine refused upstream=gemini"), "{fault}: {}", town.log());
        town.order_faults(r#"{"rules": []}"#);
        assert_eq!(running.terminate(), Some(0));
    }
}

#[actix_rt::test]
async fn an_engine_that_translates_for_no_target_is_reported_at_the_start() {
    let mut town = two_engines(1).await;
    let modes = town.folder.path().join("modes");
    fs::create_dir(&modes).unwrap();
    town.settings.push(format!("engine.apertium.modes_dir={}", modes.display()));
    let (running, url) = service(&town).await;
    let (status, body) = get(&format!("{url}/ready")).await;
    assert!(status == 200 && body.contains("apertium: it supports no target's language"), "{body}");
    assert!(town.log().contains("engine refused upstream=apertium"), "{}", town.log());
    town.until_published("es", 1).await;
    assert_eq!(account(&town, "x:town_es").0, "running", "the account gets its first engine");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn an_apertium_whose_programs_are_gone_is_reported_at_the_start_and_the_next_engine_translates() {
    let mut town = two_engines(1).await;
    town.settings.push("engine.order=apertium, gemini".into());
    let modes = town.folder.path().join("modes");
    fs::create_dir(&modes).unwrap();
    fs::write(modes.join("eng-spa.mode"), "/nowhere/lt-proc /nowhere/eng-spa.automorf.bin\n").unwrap();
    town.settings.push(format!("engine.apertium.modes_dir={}", modes.display()));
    let (running, url) = service(&town).await;
    town.until_published("es", 1).await;
    let (_, body) = get(&format!("{url}/ready")).await;
    assert!(body.contains("apertium: /nowhere/lt-proc is missing"), "{body}");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_blocked_account_is_the_first_thing_that_everybody_sees_and_resume_tries_its_keys() {
    let town = Town::new(numbered(2), &["es", "fr"], "gemini").await;
    town.sandbox.revoke_token("town_es");
    let (running, url) = service(&town).await;
    until("the account is blocked", || account(&town, "x:town_es").0 == "blocked").await;
    let (_, reason) = account(&town, "x:town_es");
    assert!(reason.contains("X_TOWN_ES_ACCESS_TOKEN"), "{reason}");
    town.until_published("fr", 2).await;
    assert_eq!(account(&town, "x:town_fr").0, "running");
    let (status, body) = get(&format!("{url}/ready")).await;
    assert!(status == 200 && body.contains("x:town_es is blocked"), "{body}");
    let blocked = "mynah_account_state{account=\"x:town_es\",state=\"blocked\"}";
    assert_eq!(metric(&url, blocked).await, Some(1.0));
    assert_eq!(metric(&url, &blocked.replace("_es", "_fr")).await, Some(0.0));
    until("`mynah health` shows it", || {
        let health = run(&town, &["health"]);
        health.code == Some(0) && health.out.contains("x:town_es is blocked")
    })
    .await;
    let health = run_json(&town, &["health"]);
    assert_eq!((&health["healthy"], &health["trouble"]), (&json!(true), &Value::Null));
    assert!(health["degraded"][0].as_str().unwrap().contains("x:town_es is blocked"), "{health}");
    let shown = run(&town, &["status"]);
    assert!(shown.out.starts_with("degraded") && shown.out.contains("x:town_es  blocked"), "{}", shown.out);

    // The keys are still refused, so nothing is resumed, and the answer says why.
    let resumed = run(&town, &["resume", "town_es"]);
    assert_eq!(resumed.code, Some(1), "{}", resumed.out);
    assert!(resumed.out.contains("x:town_es: still blocked: X does not accept"), "{}", resumed.out);
    assert_eq!(account(&town, "x:town_es").0, "blocked");

    town.sandbox.restore_token("town_es");
    let resumed = run(&town, &["resume", "town_es"]);
    resumed.assert_success();
    assert!(resumed.out.contains("x:town_es: verified as @town_es"), "{}", resumed.out);
    town.until_published("es", 2).await;
    assert_eq!(account(&town, "x:town_es").0, "running");
    assert_eq!(get(&format!("{url}/ready")).await.1, r#"{"ready":true,"reasons":[]}"#);
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_block_outlives_the_router() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    town.sandbox.revoke_token("town_es");
    let (running, _) = service(&town).await;
    until("the account is blocked", || account(&town, "x:town_es").0 == "blocked").await;
    run(&town, &["actors", "restart", "router"]).assert_success();
    until("the router is new", || {
        let actors = run_json(&town, &["actors"]);
        let actors = actors["actors"].as_array().unwrap();
        actors.iter().any(|actor| actor["name"] == "router" && actor["incarnation"] == 2)
    })
    .await;
    assert_eq!(account(&town, "x:town_es").0, "blocked");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn an_account_has_one_health_with_and_without_a_service() {
    let mut town = Town::new(numbered(4), &["es", "fr"], "gemini").await;
    let status = run(&town, &["status"]);
    status.assert_success();
    assert!(status.out.starts_with("stopped: no service uses"), "{}", status.out);
    assert!(!town.folder.path().join("data/ledger.sqlite").exists(), "looking creates nothing");
    assert_eq!(account(&town, "x:town_es").0, "stopped");

    town.settings.push("publisher.daily_cap=5".into());
    run(&town, &["pause", "town_fr"]).assert_success();
    let (running, url) = service(&town).await;
    town.until_published("es", 4).await;
    until("the account is near its cap", || account(&town, "x:town_es").0 == "near_cap").await;
    assert_eq!(account(&town, "x:town_es").1, "4 of 5 publications today");
    assert!(account(&town, "x:town_fr").1.contains("mynah resume x:town_fr"));
    assert_eq!(account(&town, "x:town_fr").0, "paused");
    assert_eq!(get(&format!("{url}/ready")).await.1, r#"{"ready":true,"reasons":[]}"#, "a pause is no fault");
    town.post(&message(5));
    town.until_published("es", 5).await;
    until("the cap is used up", || account(&town, "x:town_es").0 == "at_cap").await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(account(&town, "x:town_es").0, "at_cap");
    assert_eq!(account(&town, "x:town_fr").0, "paused");
    let shown = run(&town, &["status"]);
    assert!(shown.out.contains("x:town_es  at its cap  5 of 5"), "{}", shown.out);
}

#[actix_rt::test]
async fn a_reload_names_the_secrets_that_changed_and_whether_they_work() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    let good = mynah_sandbox::credentials("town_es").access_token_secret;
    let file = secret_in_file(&mut town, "X_TOWN_ES_ACCESS_TOKEN_SECRET", &good);
    let (running, url) = service(&town).await;
    town.until_published("es", 1).await;
    let unchanged = run(&town, &["reload"]);
    assert!(unchanged.out.starts_with("no setting and no key changed"), "{}", unchanged.out);

    fs::write(&file, "hush-wrong-secret").unwrap();
    let wrong = run(&town, &["reload"]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.out);
    let line = "X_TOWN_ES_ACCESS_TOKEN_SECRET changed; @town_es: refused: X does not accept the keys";
    assert!(wrong.out.contains(line), "{}", wrong.out);
    assert!(wrong.err.contains("X_TOWN_ES_ACCESS_TOKEN_SECRET does not work"), "{}", wrong.err);
    assert_eq!(account(&town, "x:town_es").0, "blocked", "before anything is published");

    // Correct again, by a signal, which has only the log to answer with.
    fs::write(&file, &good).unwrap();
    running.signal(Signal::HUP);
    until("the account is resumed", || account(&town, "x:town_es").0 == "running").await;
    let log = town.log();
    assert!(log.contains("secret changed name=X_TOWN_ES_ACCESS_TOKEN_SECRET"), "{log}");
    assert!(log.contains("credentials verified user=@town_es"), "{log}");
    assert!(!log.contains("hush") && !wrong.out.contains("hush") && !log.contains(&good));
    town.post(&message(2));
    town.until_published("es", 2).await;

    let same = town.folder.path().join("X_TOWN_ES_ACCESS_TOKEN_SECRET");
    fs::write(&same, format!("{good}\n")).unwrap();
    assert!(run(&town, &["reload"]).out.starts_with("no setting and no key changed"));
    assert_eq!(metric(&url, "mynah_config_last_reload_successful").await, Some(1.0));
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_reload_that_fails_shows_in_the_metrics() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let (running, url) = service(&town).await;
    let success = "mynah_config_last_reload_success_timestamp_seconds";
    let at_start = metric(&url, success).await.unwrap();
    assert_eq!(metric(&url, "mynah_config_last_reload_successful").await, Some(1.0));
    let settings = fs::read_to_string(town.config()).unwrap();
    fs::write(town.config(), settings.replace("min_interval = \"0s\"", "min_interval = \"5 sheep\""))
        .unwrap();
    running.signal(Signal::HUP);
    until("the mistake is reported", || town.log().contains("settings reload failed")).await;
    assert_eq!(metric(&url, "mynah_config_last_reload_successful").await, Some(0.0));
    assert_eq!(metric(&url, success).await, Some(at_start));
    fs::write(town.config(), settings).unwrap();
    run(&town, &["reload"]).assert_success();
    assert_eq!(metric(&url, "mynah_config_last_reload_successful").await, Some(1.0));
    assert!(metric(&url, success).await >= Some(at_start));
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn restarts_are_counted_by_reason_and_only_crashes_are_crashes() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.settings.push("translator.pool_size=1".into());
    let (running, url) = service(&town).await;
    town.until_published("es", 1).await;
    let restarts = async |actor: &str, reason: &str| {
        let sample = format!("mynah_actor_restarts_total{{actor=\"{actor}\",reason=\"{reason}\"}}");
        metric(&url, &sample).await.unwrap_or(-1.0)
    };
    run(&town, &["reload"]).assert_success();
    let until_restarted = async |actor: &str, reason: &str| {
        let begun = std::time::Instant::now();
        while restarts(actor, reason).await < 1.0 {
            assert!(begun.elapsed() < support::PATIENCE, "{actor} was not restarted by {reason}");
            actix_rt::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    until_restarted("translator-1", "reload").await;
    until_restarted("router", "reload").await;
    run(&town, &["actors", "restart", "cache"]).assert_success();
    until_restarted("cache", "operator").await;
    run(&town, &["actors", "resize", "translator", "3"]).assert_success();
    for actor in ["translator-1", "router", "cache", "publisher-town_es"] {
        for reason in ["crash", "hang"] {
            let none = restarts(actor, reason).await;
            assert!(none.abs() < f64::EPSILON, "{actor} {reason}: {none}");
        }
    }
    let actors = run_json(&town, &["actors"]);
    let cache = actors["actors"].as_array().unwrap().iter().find(|actor| actor["name"] == "cache").unwrap();
    assert_eq!(cache["restarts_by_reason"], json!({"operator": 1}));
    let performance = run(&town, &["performance"]);
    assert!(
        performance.out.contains(" reload") && performance.out.contains("1 operator"),
        "{}",
        performance.out
    );
    assert_eq!(running.terminate(), Some(0));
}
