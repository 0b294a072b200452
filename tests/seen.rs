//! The log stream, `mynah performance`, the admin API and `/metrics` tell the same, and what the network itself counted.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod support;

use mynah_sandbox::Endpoint;
use serde_json::Value;
use support::{Said, Town, numbered, until};

const POSTS: usize = 15;

fn performance(town: &Town, args: &[&str]) -> Said {
    Said::from(town.command(&[&["performance"], args].concat()).output().unwrap())
}

fn measured(town: &Town) -> Value {
    let said = performance(town, &["--json"]);
    said.is_done();
    serde_json::from_str(&said.out).unwrap()
}

/// The stats lines of the log stream, which is JSON.
fn stats_lines(town: &Town) -> Vec<Value> {
    let lines: Vec<Value> = town.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.into_iter().filter(|line| line["message"] == "stats").collect()
}

#[actix_rt::test]
async fn everything_that_is_told_agrees_with_what_the_network_counted() {
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
        assert!(metrics.lines().any(|said| said == line), "{line}\n{metrics}");
    }

    until("a stats line tells it", || {
        stats_lines(&town).iter().any(|line| line["jobs.published"] == all && line["x.post.calls"] == all)
    })
    .await;
    let shown = performance(&town, &[]);
    assert!(shown.out.contains("OVERALL, now") && shown.out.contains("x.post"), "{}", shown.out);
    assert_eq!(running.terminate(), Some(0));

    let kept = measured(&town);
    assert_eq!(kept["counts"]["jobs.published"], all);
    assert!(performance(&town, &[]).out.contains("last measured"));
}

#[actix_rt::test]
async fn where_nothing_was_measured_yet_that_is_said() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let said = performance(&town, &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("`mynah run` starts one"), "{}", said.err);
}

#[actix_rt::test]
async fn the_dashboard_holds_nothing_of_others_and_the_data_behind_it_needs_the_token() {
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
    // What the policy would not let happen stands nowhere.
    assert!(!page.contains("http") && !page.contains("style=") && !page.contains("onclick"), "{page}");
    for path in ["/api/stats", "/api/jobs", "/metrics"] {
        assert_eq!(get(path, None).await.status(), 401, "{path}");
        assert_eq!(get(path, Some("a-token-of-at-least-17")).await.status(), 401, "{path}");
        assert_eq!(get(path, Some("a-token-of-at-least-16")).await.status(), 200, "{path}");
    }
    assert_eq!(running.terminate(), Some(0));
}
