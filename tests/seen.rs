//! The log stream, `mynah performance`, the admin API and `/metrics` report the same numbers as the sandbox counted.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use mynah_sandbox::Endpoint;
use serde_json::Value;
use support::{Output, Town, numbered, until};

const POSTS: usize = 15;

fn performance(town: &Town, args: &[&str]) -> Output {
    Output::from(town.command(&[&["performance"], args].concat()).output().unwrap())
}

fn measured(town: &Town) -> Value {
    let output = performance(town, &["--json"]);
    output.assert_success();
    serde_json::from_str(&output.out).unwrap()
}

/// The stats events of the log stream, which is JSON.
fn stats_lines(town: &Town) -> Vec<Value> {
    let lines: Vec<Value> = town.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.into_iter().filter(|line| line["message"] == "stats").collect()
}

#[actix_rt::test]
async fn all_reported_numbers_agree_with_the_networks_count() {
    let mut town = Town::new(numbered(POSTS), &["es", "ca"], "gemini").await;
    town.settings.extend(["log.format=json", "stats.interval=200ms"].map(Into::into));
    let running = town.start(&["run"]);
    town.until_published("es", POSTS).await;
    town.until_published("ca", POSTS).await;
    let all = u64::try_from(2 * POSTS).unwrap();
    until("everything is counted", || measured(&town)["counts"]["jobs.published"] == all).await;

    let stats = measured(&town);
    assert_eq!(stats["operations"]["x.post"]["calls"], town.sandbox.count(Endpoint::Post).requests);
    assert_eq!(stats["operations"]["gemini.translate"]["calls"], town.sandbox.gemini().requests);
    assert_eq!(stats["jobs"]["x:town_es"]["published"], POSTS);

    let address = std::fs::read_to_string(town.config().parent().unwrap().join("data/admin")).unwrap();
    let url = format!("http://{}/metrics", address.trim());
    let mut metrics = awc::Client::default().get(url).send().await.unwrap();
    let metrics = String::from_utf8(metrics.body().await.unwrap().to_vec()).unwrap();
    for line in [
        format!("mynah_events_total{{event=\"jobs.published\"}} {all}"),
        format!("mynah_call_duration_seconds_count{{operation=\"x.post\"}} {all}"),
        format!("mynah_jobs{{target=\"x:town_ca\",state=\"published\"}} {POSTS}"),
    ] {
        assert!(metrics.lines().any(|metric| metric == line), "{line}\n{metrics}");
    }

    until("a stats event reports it", || {
        stats_lines(&town).iter().any(|line| line["jobs.published"] == all && line["x.post.calls"] == all)
    })
    .await;
    let shown = performance(&town, &[]);
    assert!(shown.out.contains("OVERALL, now") && shown.out.contains("x.post"), "{}", shown.out);
    assert_eq!(running.terminate(), Some(0));

    let stored = measured(&town);
    assert_eq!(stored["counts"]["jobs.published"], all);
    assert!(performance(&town, &[]).out.contains("last measured"));
}

#[actix_rt::test]
async fn performance_reports_that_nothing_was_measured_yet() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let output = performance(&town, &[]);
    assert_eq!(output.code, Some(1));
    assert!(output.err.contains("`mynah run` starts one"), "{}", output.err);
}

#[actix_rt::test]
async fn the_dashboard_loads_nothing_from_elsewhere_and_its_data_requires_the_token() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.environment.push(("MYNAH_ADMIN_TOKEN".into(), "a-token-of-at-least-16".into()));
    let running = town.start(&["run"]);
    town.until_published("es", 1).await;
    let address = std::fs::read_to_string(town.config().parent().unwrap().join("data/admin")).unwrap();
    let get = async |path: &str, token: Option<&str>| {
        let mut request = awc::Client::default().get(format!("http://{}{path}", address.trim()));
        if let Some(token) = token {
            request = request.insert_header(("Authorization", format!("Bearer {token}")));
        }
        request.send().await.unwrap()
    };
    let mut page = get("/", None).await;
    let policy = page.headers().get("content-security-policy").unwrap().to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let page = String::from_utf8(page.body().await.unwrap().to_vec()).unwrap();
    // The page has nothing that its policy would block.
    assert!(!page.contains("http") && !page.contains("style=") && !page.contains("onclick"), "{page}");
    for path in ["/api/stats", "/api/jobs", "/metrics"] {
        assert_eq!(get(path, None).await.status(), 401, "{path}");
        assert_eq!(get(path, Some("a-token-of-at-least-17")).await.status(), 401, "{path}");
        assert_eq!(get(path, Some("a-token-of-at-least-16")).await.status(), 200, "{path}");
    }
    assert_eq!(running.terminate(), Some(0));
}
