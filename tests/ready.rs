//! Whether a service says of itself that it can work, exactly when it can; and how much it lets itself be asked.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod support;

use std::time::{Duration, Instant};

use support::{PATIENCE, Town, message, numbered, until};

async fn service(town: &Town) -> (support::Running, String) {
    let running = town.start(&["run"]);
    let file = town.folder.path().join("data/admin");
    until("the admin API listens", || file.exists()).await;
    (running, format!("http://{}", std::fs::read_to_string(file).unwrap().trim()))
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

async fn until_ready_says(url: &str, status: u16, words: &str) {
    let begun = Instant::now();
    loop {
        let (is, body) = get(&format!("{url}/ready"), None).await;
        if is == status && body.contains(words) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "not {status} with {words:?}, but {is}: {body}");
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    }
}

#[actix_rt::test]
async fn it_is_not_ready_while_the_source_or_every_engine_is_silent_and_is_so_again_after() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.settings.push("source.poll_interval=100ms".into());
    let (running, url) = service(&town).await;
    until_ready_says(&url, 200, "true").await;
    town.until_published("es", 1).await;

    town.order_faults(r#"{"rules": [{"endpoint": "x.timeline", "fault": {"status": 503}}]}"#);
    until_ready_says(&url, 503, "poller: ").await;
    assert_eq!(get(&format!("{url}/health"), None).await.0, 200, "it lives all the same");
    town.order_faults(r#"{"rules": []}"#);
    until_ready_says(&url, 200, "true").await;

    town.order_faults(r#"{"rules": [{"endpoint": "gemini.generate", "fault": {"status": 503}}]}"#);
    for number in 2..8 {
        town.say(&message(number));
    }
    until_ready_says(&url, 503, "no engine answers: gemini").await;
    town.order_faults(r#"{"rules": []}"#);
    until_ready_says(&url, 200, "true").await;
    town.until_published("es", 7).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn who_guesses_tokens_is_made_to_wait_and_a_flood_is_held_off() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.environment.push(("MYNAH_ADMIN_TOKEN".into(), "a-token-of-at-least-16".into()));
    let (running, url) = service(&town).await;
    let asked = format!("{url}/api/pauses");
    for _ in 0..10 {
        assert_eq!(get(&asked, Some("a-guess")).await.0, 401);
    }
    assert_eq!(get(&asked, Some("a-guess")).await.0, 429);
    assert_eq!(get(&asked, Some("a-token-of-at-least-16")).await.0, 429, "the right one is not told apart");
    assert_eq!(get(&format!("{url}/ready"), None).await.0, 200, "monitors go on");
    let flood = futures_util::future::join_all((0..900).map(|_| get(&asked, None))).await;
    let held_off = flood.iter().filter(|(status, _)| *status == 429).count();
    assert!((50..900).contains(&held_off), "{held_off} of 900");
    assert_eq!(get(&format!("{url}/health"), None).await.0, 200);
    assert_eq!(running.terminate(), Some(0));
}
