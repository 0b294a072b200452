//! Mynah adapts the number of concurrent calls to an engine: more while the engine keeps up, fewer when it refuses
//! calls. The stats show the limit.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::time::Duration;

use mynah_sandbox::{RateLimits, SandboxConfig};
use serde_json::Value;
use support::{Output, Running, SOURCE, Town, numbered, numbers, until};

const POOL: u64 = 32;

/// A service with many translators, two texts per call, that follows a town without posts.
async fn service() -> (Town, Running) {
    let config = SandboxConfig {
        account: SOURCE.into(),
        rate_limits: RateLimits::unlimited(),
        gemini_latency: Duration::from_millis(300),
        ..SandboxConfig::default()
    };
    let config = config.target("town_es", "es").target("town_fr", "fr");
    let mut town = Town::on(mynah_sandbox::start(config).await.unwrap(), &["es", "fr"], "gemini");
    let settings = ["translator.pool_size=32", "engine.gemini.batch=2", "engine.gemini.connections=32"];
    town.settings.extend(settings.map(Into::into));
    town.settings.extend(["source.poll_interval=200ms", "log.format=json"].map(Into::into));
    let running = town.start(&["run"]);
    (town, running)
}

fn post(town: &Town, from: usize, to: usize) {
    for text in numbered(to).skip(from) {
        town.post(&text);
    }
}

/// The engine's stats, or none if it was not called yet.
fn pace(town: &Town) -> Option<Value> {
    let output = Output::from(town.command(&["performance", "--json"]).output().unwrap());
    let stats: Value = serde_json::from_str(&output.out).ok()?;
    stats["upstreams"].get("gemini").cloned()
}

fn limit(town: &Town) -> Option<u64> {
    pace(town)?["limit"].as_u64()
}

async fn assert_limit_shrinks_and_recovers(fault: &str, to: u64) {
    let (town, running) = service().await;
    post(&town, 0, 300);
    until("the limit reaches the pool size", || limit(&town) == Some(POOL)).await;

    town.order_faults(&format!(r#"{{"rules": [{{"endpoint": "gemini.generate", "fault": {fault}}}]}}"#));
    post(&town, 300, 600);
    until("the limit shrinks", || limit(&town).is_some_and(|limit| limit <= to)).await;
    let cut = r#""message":"concurrency limit reduced""#;
    assert!(town.log().lines().any(|line| line.contains(cut)), "{}", town.log());

    town.order_faults(r#"{"rules": []}"#);
    post(&town, 600, 1200);
    until("the limit recovers", || limit(&town) == Some(POOL)).await;
    for language in ["es", "fr"] {
        town.until_published(language, 1200).await;
        assert_eq!(numbers(&town.publications(language)), (1..=1200).collect::<Vec<_>>());
    }

    let seen = pace(&town).unwrap();
    assert_eq!((&seen["limit_most"], &seen["batch_most"]), (&POOL.into(), &2.into()));
    until("no call is in progress", || pace(&town).is_some_and(|pace| pace["under_way"] == 0)).await;
    let address = std::fs::read_to_string(town.folder.path().join("data/admin")).unwrap();
    let metrics = format!("http://{}/metrics", address.trim());
    let mut metrics = awc::Client::default().get(metrics).send().await.unwrap();
    let metrics = String::from_utf8(metrics.body().await.unwrap().to_vec()).unwrap();
    let line = format!("mynah_upstream_concurrency_limit_max{{upstream=\"gemini\"}} {POOL}");
    assert!(metrics.lines().any(|metric| metric == line), "{metrics}");
    let shown = Output::from(town.command(&["performance"]).output().unwrap());
    assert!(shown.out.contains("CONCURRENCY") && shown.out.contains(" of 32"), "{}", shown.out);
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn quota_errors_lower_the_limit_and_answers_raise_it_again() {
    assert_limit_shrinks_and_recovers(r#"{"status": 429}"#, 4).await;
}

#[actix_rt::test]
async fn an_overloaded_engine_gets_fewer_calls_until_it_answers_again() {
    // After the first error the circuit breaker opens, and a trial call halves the limit once more.
    assert_limit_shrinks_and_recovers(r#"{"status": 503}"#, POOL / 2).await;
}

#[actix_rt::test]
async fn truncated_answers_make_batches_smaller() {
    let town = Town::new(numbered(40), &["es", "fr"], "gemini").await;
    town.order_faults(
        r#"{"rules": [{"endpoint": "gemini.generate", "fault": {"gemini": "max_tokens"}, "count": 1}]}"#,
    );
    let running = town.start(&["run"]);
    for language in ["es", "fr"] {
        town.until_published(language, 40).await;
    }
    let seen = pace(&town).unwrap();
    let (batch, most) = (seen["batch"].as_u64().unwrap(), seen["batch_most"].as_u64().unwrap());
    assert!(batch < most && most == 20, "{seen}");
    assert_eq!(running.terminate(), Some(0));
}
