//! Controls a running service, and the ledger without one: with the commands that a person types, and with the admin
//! API below them.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use mynah_sandbox::{Endpoint, RateLimits, SandboxConfig, TimelinePost};
use serde_json::{Value, json};
use support::{Output, PATIENCE, Town, message, numbered, numbers, run, run_json, until};

/// The jobs that `mynah jobs` lists, as (id, state).
fn jobs(town: &Town, args: &[&str]) -> Vec<(i64, String)> {
    let list = run_json(town, &[&["jobs"], args].concat());
    let jobs = list["jobs"].as_array().unwrap().iter();
    jobs.map(|job| (job["id"].as_i64().unwrap(), job["state"].as_str().unwrap().to_owned())).collect()
}

fn ids(jobs: &[(i64, String)]) -> Vec<i64> {
    jobs.iter().map(|(id, _)| *id).collect()
}

/// Makes X refuse the next `count` posts because of their content.
fn refuse(town: &Town, count: usize) {
    town.order_faults(&format!(
        r#"{{"rules": [{{"endpoint": "x.post", "fault": {{"x": "not_permitted"}}, "count": {count}}}]}}"#
    ));
}

#[actix_rt::test]
async fn actors_restart_under_load_and_nothing_is_lost_or_published_twice() {
    let config = SandboxConfig {
        account: support::SOURCE.into(),
        timeline: numbered(300).map(TimelinePost::new).collect(),
        rate_limits: RateLimits::unlimited(),
        x_latency: Duration::from_millis(5),
        gemini_latency: Duration::from_millis(30),
        ..SandboxConfig::default()
    };
    let config = config.target("town_es", "es").target("town_fr", "fr");
    let town = Town::on(mynah_sandbox::start(config).await.unwrap(), &["es", "fr"], "gemini");
    let running = town.serve().await.0;
    let names = ["translator-1", "poller", "publisher-town_es", "router", "cache"];
    for (round, name) in names.iter().enumerate() {
        town.until_published("es", 20 + round * 30).await;
        let output = run(&town, &["actors", "restart", name]);
        output.assert_success();
        assert!(output.out.contains(name), "{}", output.out);
    }
    let unknown = run(&town, &["actors", "restart", "nobody"]);
    assert_eq!(unknown.code, Some(1));
    for name in names {
        assert!(unknown.err.contains(name), "{}", unknown.err);
    }
    for language in ["es", "fr"] {
        town.until_published(language, 300).await;
    }
    let actors = run_json(&town, &["actors"]);
    for name in names {
        let actor = actors["actors"].as_array().unwrap().iter().find(|actor| actor["name"] == name).unwrap();
        assert_eq!((&actor["state"], &actor["restarts"]), (&json!("running"), &json!(1)), "{name}");
    }
    let table = run(&town, &["actors"]);
    table.assert_success();
    assert!(table.out.starts_with("ACTOR") && table.out.contains("publisher-town_fr"), "{}", table.out);
    assert_eq!(running.terminate(), Some(0));
    for language in ["es", "fr"] {
        assert_eq!(numbers(&town.publications(language)), (1..=300).collect::<Vec<_>>(), "{language}");
    }
}

#[actix_rt::test]
async fn a_paused_account_publishes_nothing_even_after_a_restart_and_then_everything_in_order() {
    let town = Town::new(numbered(3), &["es", "fr"], "gemini").await;
    let running = town.serve().await.0;
    town.until_published("es", 3).await;
    // Its publisher is waiting for work now, and must not take new jobs.
    let paused = run_json(&town, &["pause", "town_es"]);
    assert_eq!(paused["pauses"][1], json!({"what": "x:town_es", "paused": true, "blocked": null}));
    town.post("Message 4 from the town hall");
    town.post("Message 5 from the town hall");
    town.until_published("fr", 5).await;
    assert_eq!(town.publications("es").len(), 3);
    assert_eq!(running.terminate(), Some(0));

    let running = town.serve().await.0;
    town.post("Message 6 from the town hall");
    town.until_published("fr", 6).await;
    assert_eq!(town.publications("es").len(), 3, "a pause outlives the process");
    assert!(run(&town, &["pause"]).out.contains("x:town_es  paused"));
    run(&town, &["resume", "x:town_es"]).assert_success();
    town.until_published("es", 6).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3, 4, 5, 6]);
}

#[actix_rt::test]
async fn a_paused_poller_reads_nothing_until_it_is_resumed() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.settings.push("source.poll_interval=100ms".into());
    let running = town.serve().await.0;
    town.until_published("es", 1).await;
    run(&town, &["pause", "poller"]).assert_success();
    let polls = || town.sandbox.count(Endpoint::Timeline).requests;
    // One poll may be in progress.
    let after = polls() + 1;
    town.post("Message 2 from the town hall");
    let polled = town.sandbox.until(Duration::from_secs(1), |_| polls() > after).await;
    assert!(!polled, "the paused poller polls");
    run(&town, &["resume", "poller"]).assert_success();
    town.until_published("es", 2).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn once_exits_and_reports_what_is_paused() {
    let town = Town::new(numbered(2), &["es", "fr"], "gemini").await;
    run(&town, &["pause", "town_es"]).assert_success();
    let first = town.once();
    assert_eq!(first.code, Some(1));
    assert!(
        first.final_message().contains("x:town_es: paused; `mynah resume x:town_es`"),
        "{}",
        first.final_message()
    );
    assert_eq!((town.publications("es").len(), town.publications("fr").len()), (0, 2));

    run(&town, &["pause", "all"]).assert_success();
    run(&town, &["resume", "town_es"]).assert_success();
    town.post("Message 3 from the town hall");
    let second = town.once();
    assert_eq!(second.code, Some(1));
    assert!(second.final_message().contains("poller: paused"), "{}", second.final_message());
    assert_eq!(numbers(&town.publications("es")), [1, 2], "recorded posts are published");

    let unknown = run(&town, &["pause", "town_de"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("poller, x:town_es, x:town_fr, all"), "{}", unknown.err);
    run(&town, &["resume", "all"]).assert_success();
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("fr")), [1, 2, 3]);
}

#[actix_rt::test]
async fn a_blocked_target_is_shown_and_continues_after_its_account_is_fixed() {
    let town = Town::new(numbered(3), &["es"], "gemini").await;
    town.sandbox.revoke_token("town_es");
    let running = town.serve().await.0;
    let blocked = || run_json(&town, &["pause"])["pauses"][1]["blocked"].as_str().map(str::to_owned);
    until("the target is blocked", || blocked().is_some()).await;
    let reason = blocked().unwrap();
    assert!(reason.contains("X_TOWN_ES_ACCESS_TOKEN"), "{reason}");
    town.sandbox.restore_token("town_es");
    run(&town, &["resume", "town_es"]).assert_success();
    town.until_published("es", 3).await;
    assert_eq!(blocked(), None);
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3]);
}

#[actix_rt::test]
async fn held_jobs_can_be_listed_retried_and_skipped_one_by_one_and_in_bulk() {
    let town = Town::new(numbered(40), &["es"], "gemini").await;
    refuse(&town, 40);
    let running = town.serve().await.0;
    until("all jobs are held", || jobs(&town, &["--state", "held"]).len() == 40).await;

    let table = run(&town, &["jobs", "--limit", "3"]);
    table.assert_success();
    assert!(table.out.starts_with("JOB") && table.out.contains("held (refused)"), "{}", table.out);
    assert!(table.out.contains("not permitted") && table.out.contains("There are more"), "{}", table.out);
    let all = run_json(&town, &["jobs"]);
    let first = all["jobs"].as_array().unwrap().iter().find(|job| job["text"] == message(1).as_str());
    let first = first.unwrap().clone();
    assert!(first["translation"][0].as_str().unwrap().contains(" 1 "), "{first}");
    assert_eq!((&first["kind"], &first["target"]), (&json!("refused"), &json!("x:town_es")));
    let of_post = jobs(&town, &["--post", first["post"].as_str().unwrap()]);
    let first = first["id"].as_i64().unwrap();
    assert_eq!(of_post, [(first, "held".to_owned())]);
    assert!(jobs(&town, &["--state", "failed,ready"]).is_empty());
    assert_eq!(ids(&jobs(&town, &["--words", &message(1)]))[0], first);
    assert!(jobs(&town, &["--words", "nobody wrote this"]).is_empty());
    let newest = ids(&jobs(&town, &["--newest"]));
    assert!(newest.len() > 1 && newest.is_sorted_by(|newer, older| newer > older), "{newest:?}");

    run(&town, &["jobs", "retry", &first.to_string()]).assert_success();
    town.until_published("es", 1).await;
    until("the job is published", || {
        jobs(&town, &["--state", "published"]) == [(first, "published".to_owned())]
    })
    .await;
    for action in ["retry", "skip"] {
        let yes: &[&str] = if action == "skip" { &["--yes"] } else { &[] };
        let refused = run(&town, &[&["jobs", action, &first.to_string(), "9999"], yes].concat());
        assert_eq!(refused.code, Some(1));
        assert!(refused.err.contains(&format!("{first}: it is published")), "{}", refused.err);
        assert!(refused.err.contains("9999: there is no such job"), "{}", refused.err);
    }

    let held = ids(&jobs(&town, &["--state", "held"]));
    assert_eq!(held.len(), 39);
    run(&town, &["jobs", "skip", "--yes", &held[0].to_string(), &held[1].to_string()]).assert_success();
    assert_eq!(ids(&jobs(&town, &["--state", "skipped"])), held[..2]);
    let retried = run(&town, &["jobs", "retry", "--kind", "refused", "--target", "town_es"]);
    retried.assert_success();
    assert!(retried.out.contains("37 jobs will be retried"), "{}", retried.out);
    town.until_published("es", 38).await;
    assert_eq!(running.terminate(), Some(0));
    let shown = numbers(&town.publications("es"));
    assert!(shown.is_sorted() && shown.len() == 38, "{shown:?}");
}

#[actix_rt::test]
async fn a_ready_job_of_a_paused_account_can_be_skipped() {
    let town = Town::new(numbered(3), &["es"], "gemini").await;
    run(&town, &["pause", "town_es"]).assert_success();
    let running = town.serve().await.0;
    until("all jobs are ready", || jobs(&town, &["--state", "ready"]).len() == 3).await;
    let all = run_json(&town, &["jobs"]);
    let second = all["jobs"].as_array().unwrap().iter().find(|job| job["text"] == message(2).as_str());
    run(&town, &["jobs", "skip", "--yes", &second.unwrap()["id"].to_string()]).assert_success();
    run(&town, &["resume", "town_es"]).assert_success();
    town.until_published("es", 2).await;
    until("no job is left", || jobs(&town, &[]).is_empty()).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(numbers(&town.publications("es")), [1, 3]);
}

#[actix_rt::test]
async fn a_job_that_did_not_pass_the_gate_is_translated_again() {
    let town = Town::new(["See https://example.com/fair today"], &["es"], "gemini").await;
    town.order_faults(
        r#"{"rules": [{"endpoint": "gemini.generate", "fault": {"gemini": "missing_placeholder"}}]}"#,
    );
    let running = town.serve().await.0;
    until("the job is held", || !jobs(&town, &["--state", "held"]).is_empty()).await;
    let held = run_json(&town, &["jobs"])["jobs"][0].clone();
    assert_eq!((&held["kind"], &held["translation"]), (&json!("gate"), &Value::Null));
    town.order_faults(r#"{"rules": []}"#);
    run(&town, &["jobs", "retry", "--state", "held"]).assert_success();
    town.until_published("es", 1).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn jobs_can_be_retried_and_skipped_while_no_service_runs() {
    let town = Town::new(numbered(4), &["es"], "gemini").await;
    let nothing = run(&town, &["jobs"]);
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.err.contains("nothing is on record"), "{}", nothing.err);
    refuse(&town, 3);
    town.once().assert_success();
    let held = ids(&jobs(&town, &[]));
    assert_eq!(held.len(), 3);
    let skipped = run(&town, &["jobs", "skip", "--yes", &held[0].to_string(), "77"]);
    assert_eq!(skipped.code, Some(1), "one of the jobs does not exist");
    assert!(skipped.out.contains("1 job skipped"), "{}", skipped.out);
    run(&town, &["jobs", "retry", "--state", "held"]).assert_success();
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 3);
    assert_eq!(jobs(&town, &[]), []);

    let none = run(&town, &["actors"]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("no service uses"), "{}", none.err);
}

#[actix_rt::test]
async fn a_mistake_on_the_command_line_is_wrong_usage() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    for args in [
        &["jobs", "retry"] as &[&str],
        &["jobs", "skip", "1", "--state", "held"],
        &["jobs", "retry", "--state", "queued"],
        &["jobs", "retry", "--state", "hold"],
        &["jobs", "retry", "--kind", "gte"],
        &["jobs", "skip", "one"],
        &["jobs", "skip", "1"],
        &["jobs", "unskip"],
        &["jobs", "unskip", "--kind", "gate"],
        &["jobs", "--target", "town_es", "retry", "--state", "held"],
        &["jobs", "--state", "hold"],
        &["actors", "restart"],
    ] {
        let output = run(&town, args);
        assert_eq!(output.code, Some(2), "{args:?}: {}", output.err);
    }
}

/// Sends a raw request and returns the answer's status and text.
fn ask(address: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // The server does not read all of a body that is too large.
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer to {head}")).parse().unwrap();
    (status, answer)
}

const JSON: &str = "Content-Type: application/json";

#[actix_rt::test]
async fn the_admin_api_refuses_forged_and_malformed_requests() {
    let mut town = Town::new(numbered(2), &["es"], "gemini").await;
    town.settings.push("source.poll_interval=100ms".into());
    let running = town.serve().await.0;
    town.until_published("es", 2).await;
    let address = town.admin().unwrap();
    let status = |head: &str, body: &str| ask(address, head, body).0;

    assert_eq!(status("GET /api/jobs HTTP/1.1\r\nHost: localhost", ""), 200);
    assert_eq!(status("GET /api/jobs HTTP/1.1\r\nHost: evil.example", ""), 403, "DNS rebinding");
    assert_eq!(status("GET /api/jobs HTTP/1.1", ""), 400);
    let pause = format!("POST /api/pauses/poller HTTP/1.1\r\nHost: {address}");
    assert_eq!(status(&format!("{pause}\r\n{JSON}\r\nOrigin: https://evil.example"), "{}"), 403);
    let form = "Content-Type: application/x-www-form-urlencoded";
    assert_eq!(status(&format!("{pause}\r\n{form}"), "a=b"), 415);
    assert_eq!(status(&pause, ""), 415);
    assert_eq!(status(&format!("DELETE /api/pauses/poller HTTP/1.1\r\nHost: {address}\r\n{JSON}"), ""), 405);
    assert_eq!(status(&format!("GET /api/pauses/poller HTTP/1.1\r\nHost: {address}"), ""), 405);
    let retry = format!("POST /api/jobs/retry HTTP/1.1\r\nHost: {address}\r\n{JSON}");
    assert_eq!(status(&retry, &format!("{{\"ids\": [{}1]}}", "1, ".repeat(9000))), 413);
    assert_eq!(status(&retry, "{\"ids\": [1"), 400);
    assert_eq!(status(&retry, "{\"filter\": {}}"), 400);
    assert_eq!(status(&format!("GET /api/jobs?state=hold HTTP/1.1\r\nHost: {address}"), ""), 400);
    assert_eq!(status(&format!("GET /nothing HTTP/1.1\r\nHost: {address}"), ""), 404);
    let paused = run_json(&town, &["pause"]);
    assert_eq!(paused["pauses"][0]["paused"], json!(false), "none of the requests had an effect");

    assert_eq!(status(&format!("{pause}\r\n{JSON}\r\nOrigin: http://{address}"), "{}"), 200);
    let chunked = format!("{retry}\r\nTransfer-Encoding: chunked");
    let mut stream = TcpStream::connect(address).unwrap();
    let body = "1, ".repeat(9000);
    let _ = write!(stream, "{chunked}\r\nConnection: close\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    let (code, answer) = ask(address, &format!("GET /health HTTP/1.1\r\nHost: {address}"), "");
    assert!(code == 200 && answer.ends_with(r#"{"status":"alive"}"#), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("x-content-type-options: nosniff"), "{answer}");
    let (code, answer) = ask(address, &format!("GET /ready HTTP/1.1\r\nHost: {address}"), "");
    assert!(code == 200 && answer.ends_with(r#"{"ready":true,"reasons":[]}"#), "{answer}");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn the_admin_api_requires_its_token_and_other_machines_require_that_one_is_set() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.settings.push("admin.listen=0.0.0.0:0".into());
    run(&town, &["check", "--offline"]).assert_success();
    let open = run(&town, &["run"]);
    assert_eq!(open.code, Some(2));
    assert!(open.err.contains("MYNAH_ADMIN_TOKEN") && open.err.contains("127.0.0.1:0"), "{}", open.err);
    for command in [&["check", "--offline"] as &[&str], &["run"]] {
        let short = Output::from(town.command(command).env("MYNAH_ADMIN_TOKEN", "x").output().unwrap());
        assert_eq!(short.code, Some(2));
        assert!(short.err.contains("fewer than 16 characters"), "{}", short.err);
    }

    town.environment.push(("MYNAH_ADMIN_TOKEN".into(), "hush-admin-token".into()));
    let running = town.serve().await.0;
    town.until_published("es", 1).await;
    let address = SocketAddr::new([127, 0, 0, 1].into(), town.admin().unwrap().port());
    let get = |path: &str, token: &str| {
        ask(address, &format!("GET {path} HTTP/1.1\r\nHost: mynah.example{token}"), "")
    };
    assert_eq!(get("/health", "").0, 200);
    assert_eq!(get("/ready", "").0, 200);
    let (status, answer) = get("/api/actors", "");
    assert!(status == 401 && answer.to_ascii_lowercase().contains("www-authenticate: bearer"), "{answer}");
    assert_eq!(get("/api/actors", "\r\nAuthorization: Bearer hush-admin-tokem").0, 401);
    assert_eq!(get("/api/actors", "\r\nAuthorization: Bearer hush-admin-token").0, 200);
    run(&town, &["actors"]).assert_success();
    let wrong = Output::from(
        town.command(&["actors"]).env("MYNAH_ADMIN_TOKEN", "hush-other-token").output().unwrap(),
    );
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("MYNAH_ADMIN_TOKEN") && !wrong.err.contains("hush"), "{}", wrong.err);
    assert_eq!(running.terminate(), Some(0));
    let log = std::fs::read_to_string(town.folder.path().join("log")).unwrap();
    assert!(log.contains("admin API listening") && !log.contains("hush"), "{log}");
}

#[actix_rt::test]
async fn the_admin_api_answers_while_the_service_stops() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.settings.push("x.timeout=3s".into());
    town.order_faults(r#"{"rules": [{"endpoint": "x.post", "fault": "hang", "count": 1}]}"#);
    let running = town.serve().await.0;
    let address = town.admin().unwrap();
    let begun = |sandbox: &mynah_sandbox::Sandbox| sandbox.count(Endpoint::Post).requests > 0;
    assert!(town.sandbox.until(PATIENCE, begun).await);
    let actors = run_json(&town, &["actors"]);
    let publisher =
        actors["actors"].as_array().unwrap().iter().find(|actor| actor["name"] == "publisher-town_es");
    assert_eq!(publisher.unwrap()["in_hand"], json!(1));
    // The service stops only after the hanging call has timed out.
    let stopped = std::thread::spawn(move || running.terminate());
    let ready = || ask(address, &format!("GET /ready HTTP/1.1\r\nHost: {address}"), "");
    until("the service is not ready anymore", || ready().0 == 503).await;
    let (_, answer) = ready();
    assert!(answer.contains("poller has stopped"), "{answer}");
    assert_eq!(ask(address, &format!("GET /health HTTP/1.1\r\nHost: {address}"), "").0, 200);
    assert_eq!(stopped.join().unwrap(), Some(0));
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1]);
}

#[actix_rt::test]
async fn the_admin_address_is_on_disk_exactly_while_the_service_runs() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    let running = town.serve().await.0;
    let second = run(&town, &["run"]);
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("in use by another mynah"), "{}", second.err);
    assert!(town.admin().is_some(), "it is the address of the first service");
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(town.admin(), None);

    let mut killed = town.serve().await.0;
    killed.kill();
    assert!(town.admin().is_some());
    assert!(run(&town, &["actors"]).err.contains("no service uses"));
    run(&town, &["pause", "poller"]).assert_success();
    run(&town, &["resume", "poller"]).assert_success();

    town.settings.push("admin.listen=off".into());
    let running = town.start(&["run"]);
    until("the address is removed", || town.admin().is_none()).await;
    town.until_published("es", 1).await;
    for args in [&["actors"] as &[&str], &["jobs"], &["pause", "all"]] {
        let output = run(&town, args);
        assert_eq!(output.code, Some(1));
        assert!(output.err.contains("admin.listen = \"off\""), "{}", output.err);
    }
    // An address where nobody listens, in the file of a running service.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::fs::write(town.folder.path().join("data/admin"), format!("{nobody}\n")).unwrap();
    let unanswered = run(&town, &["jobs"]);
    assert_eq!(unanswered.code, Some(1));
    assert!(
        unanswered.err.contains("does not answer at") && unanswered.err.contains("see its log"),
        "{}",
        unanswered.err
    );
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_taken_port_is_reported_with_its_setting() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    town.settings.push(format!("admin.listen={}", taken.local_addr().unwrap()));
    let output = run(&town, &["run"]);
    assert_eq!(output.code, Some(1));
    assert!(output.final_message().contains("admin.listen: 127.0.0.1:"), "{}", output.final_message());
    assert!(output.final_message().contains("port 0"), "{}", output.final_message());
    assert!(town.publications("es").is_empty());
}
