//! When posts are published: quiet hours, a delay, and what becomes of the posts of a break.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mynah_sandbox::TimelinePost;
use serde_json::Value;
use support::{Town, numbered, numbers, run, run_json, until};

/// A range of hours, in UTC, that began two hours ago and ends in twenty.
fn quiet_now() -> String {
    let hour = |hours: i64| {
        let moment = Timestamp::now() + SignedDuration::from_hours(hours);
        TimeZone::UTC.to_datetime(moment).strftime("%H:%M").to_string()
    };
    format!("{}-{}", hour(-2), hour(20))
}

/// Adds a line to the section of the only target.
fn add_to_target(town: &Town, line: &str) {
    let config = std::fs::read_to_string(town.config()).unwrap();
    let config = config.replace("account = \"town_es\"\n", &format!("account = \"town_es\"\n{line}\n"));
    std::fs::write(town.config(), config).unwrap();
}

fn remove_from_target(town: &Town, line: &str) {
    let config = std::fs::read_to_string(town.config()).unwrap();
    std::fs::write(town.config(), config.replace(&format!("{line}\n"), "")).unwrap();
}

/// The jobs in this state, as `mynah jobs` lists them.
fn jobs_in(town: &Town, state: &str) -> Vec<Value> {
    run_json(town, &["jobs", "--state", state])["jobs"].as_array().unwrap().clone()
}

#[actix_rt::test]
async fn in_quiet_hours_everything_is_translated_and_nothing_published_until_a_reload_removes_them() {
    let town = Town::new(numbered(3), &["es"], "gemini").await;
    let line = format!("quiet_hours = [{:?}]", quiet_now());
    add_to_target(&town, &line);
    let (running, address) = town.serve().await;
    until("all jobs are translated", || jobs_in(&town, "ready").len() == 3).await;
    assert!(town.publications("es").is_empty());

    let status = run_json(&town, &["status"]);
    assert_eq!(
        (&status["state"], &status["accounts"][0]["state"]),
        (&"ready".into(), &"quiet".into()),
        "{status}"
    );
    let why = status["accounts"][0]["reason"].as_str().unwrap();
    assert!(why.starts_with("quiet until ") && why.ends_with(" (UTC)"), "{why}");
    let ready = json_at(&format!("http://{address}/ready")).await;
    assert!(ready["ready"] == true && ready["quiet"][0].as_str().unwrap().ends_with(why), "{ready}");
    let jobs = jobs_in(&town, "ready");
    assert!(
        jobs.iter().all(|job| job["waits_for"] == "quiet hours" && job["attempt"] == jobs[0]["attempt"]),
        "{jobs:?}"
    );
    let ahead = run_json(&town, &["ahead", "--target", "town_es"]);
    let ahead = ahead["jobs"].as_array().unwrap();
    assert_eq!(ahead.len(), 3);
    assert!(
        ahead.iter().all(|job| job["waits_for"] == "quiet hours" && job["at"] == jobs[0]["next_at"]),
        "{ahead:?}"
    );
    let listed = run(&town, &["ahead"]);
    listed.assert_success();
    assert_eq!(listed.out.matches("quiet hours").count(), 3, "{}", listed.out);

    remove_from_target(&town, &line);
    run(&town, &["reload"]).assert_success();
    town.until_published("es", 3).await;
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3]);
    assert_eq!(run(&town, &["ahead"]).out.trim(), "nothing waits");
    assert_eq!(running.terminate(), Some(0));
}

/// The JSON at an address, whatever the status.
async fn json_at(url: &str) -> Value {
    let mut answer = awc::Client::default().get(url).send().await.unwrap();
    serde_json::from_slice(&answer.body().await.unwrap()).unwrap()
}

#[actix_rt::test]
async fn a_delayed_post_waits_and_a_single_run_does_not_wait_for_it() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    add_to_target(&town, "delay = \"1h\"");
    let once = town.once();
    assert!(
        once.out.contains("delayed until") || once.err.contains("delayed until"),
        "{}{}",
        once.out,
        once.err
    );
    assert!(town.publications("es").is_empty());
    let jobs = jobs_in(&town, "ready");
    assert!(jobs.len() == 2 && jobs.iter().all(|job| job["waits_for"] == "delay"), "{jobs:?}");
    let stopped = run_json(&town, &["ahead"]);
    assert_eq!(stopped["jobs"].as_array().unwrap().len(), 2);
    remove_from_target(&town, "delay = \"1h\"");
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2]);
}

#[actix_rt::test]
async fn after_a_break_the_newest_posts_are_published_and_the_others_on_request() {
    let week_ago = Timestamp::now() - SignedDuration::from_hours(7 * 24);
    let old = numbered(2).map(|text| TimelinePost { created_at: Some(week_ago), ..TimelinePost::new(text) });
    let mut town = Town::with_timeline(old.collect(), &["es"], "gemini").await;
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2]);
    for number in 3..=7 {
        town.post(&support::message(number));
    }
    town.settings.push("source.catch_up=latest 2".into());
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 6, 7]);
    let skipped = jobs_in(&town, "skipped");
    assert!(skipped.len() == 3 && skipped.iter().all(|job| job["kind"] == "catch_up"), "{skipped:?}");
    town.post(&support::message(8));
    town.post(&support::message(9));
    town.post(&support::message(10));
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 6, 7, 8, 9, 10], "there was no break before them");
    run(&town, &["jobs", "retry", "--kind", "catch_up"]).assert_success();
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 6, 7, 8, 9, 10, 3, 4, 5]);
}

#[actix_rt::test]
async fn every_mistake_about_schedules_is_reported_at_once_with_its_line() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    add_to_target(
        &town,
        "quiet_hours = [\"22:00-07:00\", \"sunday 20:00-10:00\", \"25:00-07:00\"]\ntime_zone = \"Europe/Madird\"\ndelay = \"-10m\"",
    );
    let config = std::fs::read_to_string(town.config()).unwrap();
    let config = config.replace("[source]\n", "[source]\ncatch_up = \"newest\"\ncatch_up_after = \"1m\"\n");
    std::fs::write(town.config(), &config).unwrap();
    let check = run(&town, &["check"]);
    let report = format!("{}{}", check.out, check.err);
    let line_of = |key: &str| config.lines().position(|line| line.starts_with(key)).unwrap() + 1;
    for (key, what) in [
        ("quiet_hours", "\"sunday\" is not a day of the week; \"25:00\" is not a time of day"),
        ("time_zone", "did you mean \"Europe/Madrid\"?"),
        ("delay", "\"-10m\" is not a duration"),
        ("catch_up ", "neither all"),
        ("catch_up_after", "out of range (1h to 30d)"),
    ] {
        assert!(report.contains(what), "{key}: {report}");
        assert!(
            report.contains(&format!("line {}", line_of(key)))
                || report.contains(&format!(":{}", line_of(key))),
            "{key}: {report}"
        );
    }
    let all = "quiet_hours = [\"00:00-12:00\", \"12:00-24:00\"]";
    let config = config.lines().map(|line| if line.starts_with("quiet_hours") { all } else { line });
    std::fs::write(town.config(), config.collect::<Vec<_>>().join("\n")).unwrap();
    let check = run(&town, &["check"]);
    assert!(
        format!("{}{}", check.out, check.err).contains("every hour of the week is quiet"),
        "{}{}",
        check.out,
        check.err
    );
}
