//! What people pay: what is on record is what was billed, and nothing is spent beyond a budget.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use mynah_sandbox::Endpoint;
use serde_json::Value;
use support::{Town, message, numbered, numbers, run, run_json};

/// An amount of dollars in millionths.
fn micros(amount: &Value) -> u64 {
    let text = amount.as_str().unwrap();
    let (dollars, fraction) = text.split_once('.').unwrap();
    let fraction = format!("{fraction:0<6}");
    dollars.parse::<u64>().unwrap() * 1_000_000 + fraction.parse::<u64>().unwrap()
}

/// What `mynah costs` has for a service and a purpose.
fn spent(costs: &Value, service: &str, purpose: &str) -> u64 {
    let lines = costs["charges"].as_array().unwrap().iter();
    let lines = lines.filter(|line| line["service"] == service && line["purpose"] == purpose);
    lines.map(|line| micros(&line["cost"])).sum()
}

/// The jobs in these states, with their kinds and reasons.
fn jobs(town: &Town, states: &str) -> Vec<(String, String)> {
    let jobs = run_json(town, &["jobs", "--state", states]);
    let text = |job: &Value, key: &str| job[key].as_str().unwrap_or_default().to_owned();
    jobs["jobs"].as_array().unwrap().iter().map(|job| (text(job, "kind"), text(job, "reason"))).collect()
}

/// A town whose engines are Gemini and then Apertium.
async fn two_engines(texts: usize) -> Town {
    let mut town = Town::new(numbered(texts), &["es"], "gemini").await;
    town.settings.push("engine.order=gemini, apertium".into());
    town
}

#[actix_rt::test]
async fn what_is_on_record_is_what_was_billed() {
    let town = Town::new(numbered(4), &["es", "fr"], "gemini").await;
    town.post("Look at https://example.com/x, neighbors");
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 5);
    let (costs, bill) = (run_json(&town, &["costs"]), town.sandbox.bill());
    assert_eq!(spent(&costs, "x", "read"), bill.post_reads * 5_000 + bill.user_reads * 10_000);
    assert_eq!(spent(&costs, "x", "publish"), bill.posts * 15_000 + bill.posts_with_link * 200_000);
    let translating = spent(&costs, "gemini", "translate");
    assert!(translating > 0);
    assert_eq!(micros(&costs["this_month"]), costs_of(&costs));
    let es: u64 = lines_of(&costs, "x:town_es").map(|line| micros(&line["cost"])).sum();
    let fr: u64 = lines_of(&costs, "x:town_fr").map(|line| micros(&line["cost"])).sum();
    assert!(es > 0 && fr > 0, "{costs}");

    let shown = run(&town, &["costs", "--by", "target"]);
    shown.assert_success();
    assert!(shown.out.contains("all of x:town") && shown.out.contains("this month $"), "{}", shown.out);
    let csv = run(&town, &["costs", "--csv"]);
    assert!(csv.out.starts_with("day,source,target,service,purpose,number,usd\n"), "{}", csv.out);
    assert_eq!(csv.out.lines().count(), 1 + costs["charges"].as_array().unwrap().len());
    assert!(run(&town, &["status"]).out.contains("spent today $"));
}

fn costs_of(costs: &Value) -> u64 {
    costs["charges"].as_array().unwrap().iter().map(|line| micros(&line["cost"])).sum()
}

fn lines_of<'a>(costs: &'a Value, target: &'a str) -> impl Iterator<Item = &'a Value> {
    costs["charges"].as_array().unwrap().iter().filter(move |line| line["target"] == target)
}

#[actix_rt::test]
async fn an_engine_whose_budget_is_used_up_is_not_called_and_the_next_one_translates() {
    let mut town = two_engines(3).await;
    town.settings.push("engine.gemini.daily_budget=0.0001".into());
    let once = town.once();
    once.assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3]);
    assert_eq!(town.sandbox.count(Endpoint::Generate).requests, 0);
    let published = run_json(&town, &["jobs", "--state", "published"]);
    for job in published["jobs"].as_array().unwrap() {
        assert_eq!(job["engine"], "apertium", "{job}");
    }
    assert_eq!(once.err.matches("budget used up").count(), 1, "{}", once.err);
    assert!(once.err.contains("budget=engine.gemini.daily_budget"), "{}", once.err);
}

#[actix_rt::test]
async fn with_fallback_hold_jobs_wait_for_the_next_period_of_an_engines_budget() {
    let mut town = two_engines(2).await;
    town.settings.push("engine.gemini.daily_budget=0.0001".into());
    town.settings.push("engine.fallback=hold".into());
    town.once();
    assert!(town.publications("es").is_empty());
    let held = jobs(&town, "held");
    assert_eq!(held.len(), 2);
    for (kind, reason) in held {
        assert_eq!(kind, "budget");
        assert!(reason.contains("raise engine.gemini.daily_budget"), "{reason}");
    }
    // A raised budget is in force at once.
    town.settings.push("engine.gemini.daily_budget=1.00".into());
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2]);
}

#[actix_rt::test]
async fn a_source_whose_reading_no_budget_pays_for_is_not_read() {
    let mut town = Town::new(numbered(3), &["es"], "gemini").await;
    town.settings.push("source.daily_budget=0.02".into());
    let once = town.once();
    assert_eq!(once.code, Some(1), "{}", once.err);
    assert!(once.final_message().contains("raise source.daily_budget"), "{}", once.err);
    assert_eq!(town.sandbox.bill().post_reads, 0);
}

#[actix_rt::test]
async fn a_small_budget_reads_a_few_posts_at_once() {
    let mut town = Town::new(numbered(12), &["es"], "apertium").await;
    town.settings.push("source.page_size=100".into());
    town.settings.push("x.daily_budget=0.40".into());
    town.once();
    let costs = run_json(&town, &["costs"]);
    let budget = &costs["budgets"][0];
    assert!(micros(&budget["spent"]) <= 400_000, "{budget}");
    assert_eq!(town.sandbox.bill().post_reads, 12, "a page of 100 would be reserved with $0.50");
}

#[actix_rt::test]
async fn a_budget_that_is_used_up_holds_what_costs_money_and_the_rest_of_the_line_waits_behind_it() {
    let town = Town::new(numbered(6), &["es"], "apertium").await;
    let config = std::fs::read_to_string(town.config()).unwrap();
    let config =
        config.replace("account = \"town_es\"\n", "account = \"town_es\"\ndaily_budget = \"0.05\"\n");
    std::fs::write(town.config(), config).unwrap();
    town.once();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3]);
    let held = jobs(&town, "held");
    assert!(held.iter().any(|(kind, _)| kind == "budget"), "{held:?}");
    let costs = run_json(&town, &["costs"]);
    let budget = &costs["budgets"][0];
    assert_eq!((micros(&budget["spent"]), micros(&budget["left"])), (45_000, 5_000), "{budget}");
    assert_eq!(town.sandbox.bill().posts, 3);
}

#[actix_rt::test]
async fn a_quota_of_the_day_that_ends_in_the_middle_of_a_run_is_not_tried_again() {
    let town = two_engines(2).await;
    town.once().assert_success();
    assert!(town.sandbox.count(Endpoint::Generate).requests > 0);
    let fault = r#"{"rules": [{"endpoint": "gemini.generate", "fault": {"gemini": "quota_per_day"}}]}"#;
    town.order_faults(fault);
    let (running, _) = town.serve().await;
    let before = town.sandbox.count(Endpoint::Generate).requests;
    for number in 3..9 {
        town.post(&message(number));
        town.until_published("es", number).await;
    }
    let calls = town.sandbox.count(Endpoint::Generate).requests - before;
    assert_eq!(calls, 1, "one call learns that the quota is used up");
    // It is there again, and a person says so.
    town.order_faults(r#"{"rules": []}"#);
    run(&town, &["reload"]).assert_success();
    town.post(&message(9));
    town.until_published("es", 9).await;
    let published = run_json(&town, &["jobs", "--state", "published"]);
    let last = published["jobs"].as_array().unwrap().last().unwrap();
    assert!(last["engine"].as_str().unwrap().contains("gemini"), "{last}");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_preview_shows_what_a_post_costs_on_all_targets() {
    let town = Town::new(numbered(1), &["es", "fr"], "gemini").await;
    let shown = town.preview(&["--json"], "Good morning, neighbors");
    shown.assert_success();
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    let cost = |key: &str| shown["cost"][key].as_f64().unwrap();
    assert!((cost("publishing") - 0.03).abs() < 1e-9, "{shown}");
    assert!(cost("translating") > 0.0 && cost("total") > cost("publishing"), "{shown}");
    assert!(town.publications("es").is_empty());
}
