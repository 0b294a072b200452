//! `/ready` reports that the service can work exactly when it can, and the admin API limits its callers.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::time::{Duration, Instant};

use support::{PATIENCE, Town, message, numbered};

async fn service(town: &Town) -> (support::Running, String) {
    let (running, address) = town.serve().await;
    (running, format!("http://{address}"))
}

/// Status and body.
async fn get(url: &str, token: Option<&str>) -> (u16, String) {
    let mut request = awc::Client::default().get(url);
    if let Some(token) = token {
        request = request.insert_header(("Authorization", format!("Bearer {token}")));
    }
    let mut answer = request.send().await.unwrap();
    let body = answer.body().await.unwrap().to_vec();
    (answer.status().as_u16(), String::from_utf8(body).unwrap())
}

async fn until_ready_answers(url: &str, status: u16, words: &str) {
    let begun = Instant::now();
    loop {
        let (answered, body) = get(&format!("{url}/ready"), None).await;
        if answered == status && body.contains(words) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "not {status} with {words:?}, but {answered}: {body}");
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    }
}

#[actix_rt::test]
async fn the_service_is_not_ready_while_the_source_or_all_engines_fail_and_recovers_afterwards() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.settings.push("source.poll_interval=100ms".into());
    let (running, url) = service(&town).await;
    until_ready_answers(&url, 200, "true").await;
    town.until_published("es", 1).await;

    town.order_faults(r#"{"rules": [{"endpoint": "x.timeline", "fault": {"status": 503}}]}"#);
    until_ready_answers(&url, 503, "poller: ").await;
    assert_eq!(get(&format!("{url}/health"), None).await.0, 200, "the service is still alive");
    town.order_faults(r#"{"rules": []}"#);
    until_ready_answers(&url, 200, "true").await;

    town.order_faults(r#"{"rules": [{"endpoint": "gemini.generate", "fault": {"status": 503}}]}"#);
    for number in 2..8 {
        town.post(&message(number));
    }
    until_ready_answers(&url, 503, "no engine answers: gemini").await;
    town.order_faults(r#"{"rules": []}"#);
    until_ready_answers(&url, 200, "true").await;
    town.until_published("es", 7).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn clients_that_guess_tokens_must_wait_and_floods_are_limited() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.environment.push(("MYNAH_ADMIN_TOKEN".into(), "a-token-of-at-least-16".into()));
    let (running, url) = service(&town).await;
    let pauses = format!("{url}/api/pauses");
    for _ in 0..10 {
        assert_eq!(get(&pauses, Some("a-guess")).await.0, 401);
    }
    assert_eq!(get(&pauses, Some("a-guess")).await.0, 429);
    assert_eq!(get(&pauses, Some("a-token-of-at-least-16")).await.0, 429, "the right token must wait too");
    assert_eq!(get(&format!("{url}/ready"), None).await.0, 200, "monitors are not limited");
    let flood = futures_util::future::join_all((0..900).map(|_| get(&pauses, None))).await;
    let limited = flood.iter().filter(|(status, _)| *status == 429).count();
    assert!((50..900).contains(&limited), "{limited} of 900");
    assert_eq!(get(&format!("{url}/health"), None).await.0, 200);
    assert_eq!(running.terminate(), Some(0));
}
