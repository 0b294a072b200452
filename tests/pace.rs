//! How much an engine is asked at once is found out by trying: it grows while the engine holds its pace and shrinks when it
//! refuses, and a person sees it.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod support;

use std::time::Duration;

use mynah_sandbox::{RateLimits, SandboxConfig};
use serde_json::Value;
use support::{Running, SOURCE, Said, Town, numbered, numbers, until};

const POOL: u64 = 32;

/// A service with many translators that are asked two texts at a time, on a town that has said nothing.
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

fn say(town: &Town, from: usize, to: usize) {
    for text in numbered(to).skip(from) {
        town.say(&text);
    }
}

/// What is seen of the engine's pace; nothing where it was not asked yet.
fn pace(town: &Town) -> Option<Value> {
    let said = Said::from(town.command(&["performance", "--json"]).output().unwrap());
    let stats: Value = serde_json::from_str(&said.out).ok()?;
    stats["upstreams"].get("gemini").cloned()
}

fn limit(town: &Town) -> Option<u64> {
    pace(town)?["limit"].as_u64()
}

async fn shrinks_and_grows_again(fault: &str, to: u64) {
    let (town, running) = service().await;
    say(&town, 0, 300);
    until("it gets all calls there may be", || limit(&town) == Some(POOL)).await;

    town.order_faults(&format!(r#"{{"rules": [{{"endpoint": "gemini.generate", "fault": {fault}}}]}}"#));
    say(&town, 300, 600);
    until("it gets fewer", || limit(&town).is_some_and(|limit| limit <= to)).await;
    let cut = r#""message":"upstream refuses calls; fewer are made at once""#;
    assert!(town.log().lines().any(|line| line.contains(cut)), "{}", town.log());

    town.order_faults(r#"{"rules": []}"#);
    say(&town, 600, 1200);
    until("it gets all again", || limit(&town) == Some(POOL)).await;
    for language in ["es", "fr"] {
        town.until_published(language, 1200).await;
        assert_eq!(numbers(&town.publications(language)), (1..=1200).collect::<Vec<_>>());
    }

    let seen = pace(&town).unwrap();
    assert_eq!((&seen["limit_most"], &seen["batch_most"]), (&POOL.into(), &2.into()));
    until("nothing is under way", || pace(&town).is_some_and(|pace| pace["under_way"] == 0)).await;
    let address = std::fs::read_to_string(town.folder.path().join("data/admin")).unwrap();
    let metrics = format!("http://{}/metrics", address.trim());
    let mut metrics = awc::Client::default().get(metrics).send().await.unwrap();
    let metrics = String::from_utf8(metrics.body().await.unwrap().to_vec()).unwrap();
    let line = format!("mynah_upstream_concurrency_limit_max{{upstream=\"gemini\"}} {POOL}");
    assert!(metrics.lines().any(|said| said == line), "{metrics}");
    let shown = Said::from(town.command(&["performance"]).output().unwrap());
    assert!(shown.out.contains("CONCURRENCY") && shown.out.contains(" of 32"), "{}", shown.out);
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn refusals_for_a_quota_make_calls_fewer_and_answers_make_them_more_again() {
    shrinks_and_grows_again(r#"{"status": 429}"#, 4).await;
}

#[actix_rt::test]
async fn an_overloaded_engine_gets_fewer_calls_and_more_again_when_it_answers() {
    // After the first of them it is left in peace, and a trial halves them once more.
    shrinks_and_grows_again(r#"{"status": 503}"#, POOL / 2).await;
}

#[actix_rt::test]
async fn answers_that_are_cut_off_make_calls_smaller() {
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
