//! Several people use one service: each may do what their role allows, with a token or logged in on the page, and nobody
//! else may do anything.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "support/instances.rs"]
mod instances;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "support/postgres.rs"]
mod postgres;
mod support;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use instances::Cluster;
use postgres::Server;
use serde_json::{Value, json};
use support::{PATIENCE, Running, Town, numbered, run, run_json};

const ADMIN: &str = "a-token-for-the-test-0123456789";

/// An answer: status, head, and body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The cookie that it sets, as a browser sends it back.
    fn cookie(&self) -> String {
        let set = self.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {}", self.head));
        format!("Cookie: {}", set.split(';').next().unwrap())
    }
}

/// Makes a request with these header lines. Only the beginning of an answer that does not end is read.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let headers = headers.iter().fold(String::new(), |head, line| head + line + "\r\n");
    let length = if method == "POST" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{length}{headers}Connection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    // If a refused body was not read, another answer may follow.
    let length = answer.header("content-length").map_or(body.len(), |length| length.parse().unwrap());
    Answer { body: body[..length.min(body.len())].to_owned(), ..answer }
}

const JSON: &str = "Content-Type: application/json";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn log_in(address: SocketAddr, name: &str, token: &str) -> Answer {
    let body = json!({"name": name, "token": token}).to_string();
    ask(address, "POST", "/api/session", &[JSON], &body)
}

fn get(address: SocketAddr, path: &str, header: &str) -> u16 {
    ask(address, "GET", path, &[header], "").status
}

/// A service that requires a token, and the tokens of a user for each role.
async fn service() -> (Town, Running, SocketAddr, [String; 3]) {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.environment.push(("MYNAH_ADMIN_TOKEN".into(), ADMIN.into()));
    let (running, address) = town.serve().await;
    town.until_published("es", 1).await;
    let tokens = ["look", "review", "steer"].map(|role| add(&town, &format!("{role} er"), role));
    (town, running, address, tokens)
}

/// Adds a user with the command, and returns the token.
fn add(town: &Town, name: &str, role: &str) -> String {
    let added = run_json(town, &["users", "add", name, "--role", role]);
    added["token"].as_str().unwrap().to_owned()
}

/// A request for an operation of the description that changes nothing, whoever makes it.
fn harmless(path: &str) -> (String, String) {
    let path = path
        .replace("/actors/{name}", "/actors/nobody")
        .replace("/users/{name}", "/users/nobody")
        .replace("{what}", "nowhere")
        .replace("{job}", "999999");
    let query = if path == "/events" { "?follow=false" } else { "" };
    let body = match path.as_str() {
        "/api/pool/translator" => json!({"size": 0}),
        "/api/users" => json!({"name": "", "role": "look"}),
        "/api/posts/forget" => json!({"posts": ["no-such-post"]}),
        "/api/session" => json!({"name": "admin", "token": ADMIN}),
        _ if path.starts_with("/api/review/999999/") => json!({"token": 1}),
        _ if path.starts_with("/api/jobs/") => json!({"ids": [999_999]}),
        _ => json!({}),
    };
    (format!("{path}{query}"), body.to_string())
}

#[actix_rt::test]
async fn every_operation_answers_each_role_as_described() {
    let (_town, running, address, tokens) = service().await;
    let admin = ask(address, "GET", "/api/openapi.json", &[&bearer(ADMIN)], "");
    assert_eq!(admin.header("content-type"), Some("application/json"));
    let document = admin.json();
    assert_eq!(document["openapi"], "3.1.0");
    let roles = ["none", "look", "review", "steer"];
    let mut requests = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let (method, (sent, body)) = (method.to_uppercase(), harmless(path));
            let needs = roles.iter().position(|role| operation["x-role"] == *role).unwrap();
            let callers = tokens.iter().map(|token| (bearer(token), None));
            // Everything is decided by who calls.
            let mut callers: Vec<(String, Option<u16>)> = callers.collect();
            callers.push((bearer(ADMIN), None));
            callers.push(("X-Nobody: calls".into(), Some(401)));
            for (caller, (header, refused)) in callers.into_iter().enumerate() {
                let role = caller + 1;
                let expected = match refused {
                    Some(status) if needs > 0 => Some(status),
                    None if needs > role => Some(403),
                    _ => None,
                };
                let answer = ask(address, &method, &sent, &[JSON, &header], &body);
                let what = format!("{method} {path} as caller {caller}: {} {}", answer.status, answer.body);
                match expected {
                    Some(status) => assert_eq!(answer.status, status, "{what}"),
                    None => assert!(![401, 403].contains(&answer.status), "{what}"),
                }
                assert!(
                    operation["responses"].get(answer.status.to_string()).is_some(),
                    "not described: {what}"
                );
                if answer.status >= 400 {
                    assert!(answer.json()["error"].as_str().is_some_and(|error| error.len() > 10), "{what}");
                }
                requests += 1;
            }
        }
    }
    assert!(requests >= 39 * 5, "{requests}");
    let wrong = ask(address, "GET", "/api/jobs", &[&bearer("mynah_wrong")], "");
    assert_eq!(wrong.status, 401);
    assert!(wrong.json()["error"].as_str().unwrap().contains("mynah users add"), "{}", wrong.body);
    let looks = ask(address, "POST", "/api/jobs/skip", &[JSON, &bearer(&tokens[0])], r#"{"ids": [1]}"#);
    assert!(looks.json()["error"].as_str().unwrap().contains("the role review, and yours is look"));
    // However a path is spelled.
    for path in ["/api/%6Aobs/skip", "/api/jobs/%73kip", "//api/jobs/skip", "/api/jobs//skip"] {
        let spelled = ask(address, "POST", path, &[JSON, &bearer(&tokens[0])], r#"{"ids": [1]}"#);
        assert!([403, 404].contains(&spelled.status), "{path}: {}", spelled.status);
    }
    let deleted = ask(address, "DELETE", "/api/users", &[&bearer(ADMIN)], "");
    assert_eq!((deleted.status, deleted.header("allow")), (405, Some("GET, POST")));
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_session_lasts_until_log_out_or_until_its_user_is_removed() {
    let (town, running, address, [look, review, _]) = service().await;
    let answer = log_in(address, "LOOK er", &look);
    assert_eq!(answer.json(), json!({"name": "look er", "role": "look", "logged_in": true}));
    let set = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains(&look) && !set.contains("Secure"), "{set}");
    let cookie = answer.cookie();
    assert_eq!(get(address, "/api/jobs", &cookie), 200);
    assert_eq!(get(address, "/api/users", &cookie), 403);
    let own = format!("Origin: http://{address}");
    let end = |headers: &[&str]| ask(address, "POST", "/api/session/end", headers, "{}");
    // A page of another origin can do nothing with the cookie.
    for foreign in ["Origin: https://evil.example", "Origin: http://127.0.0.1:1", "Sec-Fetch-Site: same-site"]
    {
        assert_eq!(end(&[JSON, &cookie, foreign]).status, 403, "{foreign}");
    }
    assert_eq!(end(&["Content-Type: text/plain", &cookie]).status, 415);
    assert_eq!(get(address, "/api/jobs", &cookie), 200, "still logged in");
    let ended = end(&[JSON, &cookie, &own, "Sec-Fetch-Site: same-origin"]);
    assert_eq!((ended.status, ended.json()), (200, json!({"logged_out": true})));
    assert!(ended.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(get(address, "/api/jobs", &cookie), 401, "logged out");

    let cookie = log_in(address, "review er", &review).cookie();
    assert_eq!(get(address, "/api/jobs", &cookie), 200);
    let mut log = TcpStream::connect(address).unwrap();
    log.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(log, "GET /events HTTP/1.1\r\nHost: {address}\r\n{cookie}\r\n\r\n").unwrap();
    let mut status = [0; 12];
    log.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    run(&town, &["users", "remove", "Review ER", "--yes"]).assert_success();
    assert_eq!(get(address, "/api/jobs", &cookie), 401, "removed while logged in");
    assert_eq!(get(address, "/api/jobs", &bearer(&review)), 401);
    // The log ends for whoever is removed.
    log.read_to_end(&mut Vec::new()).unwrap();
    let cookie = log_in(address, "look er", &look).cookie();
    let renewed = run_json(&town, &["users", "renew", "look er"]);
    assert_eq!(get(address, "/api/jobs", &cookie), 401, "renewed while logged in");
    assert_eq!(get(address, "/api/jobs", &bearer(&look)), 401);
    let renewed = renewed["token"].as_str().unwrap();
    assert_eq!(get(address, "/api/jobs", &bearer(renewed)), 200);

    // A session outlives the process.
    let cookie = log_in(address, "admin", ADMIN).cookie();
    assert_eq!(running.terminate(), Some(0));
    let mut town = town;
    town.settings.push(format!("admin.listen={address}"));
    let (running, again) = town.serve().await;
    assert_eq!(get(again, "/api/users", &cookie), 200);
    assert_eq!(running.terminate(), Some(0));
    let log = town.log();
    for secret in [&look, &review, renewed, ADMIN, cookie.split_once('=').unwrap().1] {
        assert!(!log.contains(secret), "{log}");
    }
    assert!(log.contains("logged in user=\"look er\"") && log.contains("user removed"), "{log}");
}

#[actix_rt::test]
async fn whoever_guesses_must_wait() {
    let (town, running, address, [look, ..]) = service().await;
    for _ in 0..10 {
        assert_eq!(log_in(address, "look er", "wrong").status, 401);
    }
    let refused = log_in(address, "look er", &look);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")));
    // Those who have logged in or need no token are not affected.
    assert_eq!(get(address, "/ready", "X-Nobody: calls"), 200);
    assert_eq!(running.terminate(), Some(0));
    let log = town.log();
    assert_eq!(log.matches("log-in refused").count(), 10, "{log}");
}

#[actix_rt::test]
async fn users_are_added_with_and_without_a_service_and_decisions_name_them() {
    let mut town = Town::new(numbered(2), &["es"], "gemini").await;
    assert!(run(&town, &["users", "list"]).out.contains("no users"));
    let ana = add(&town, "Ana", "review");
    let listed = run_json(&town, &["users", "list"]);
    assert_eq!(listed["users"][0]["role"], "review");
    let taken = run(&town, &["users", "add", "ANA", "--role", "look"]);
    assert_eq!(taken.code, Some(1));
    assert!(taken.err.contains("there is a user ANA already"), "{}", taken.err);
    assert_eq!(run(&town, &["users", "add", "Ben", "--role", "king"]).code, Some(2));

    town.order_faults(r#"{"rules": [{"endpoint": "x.post", "fault": {"x": "not_permitted"}, "count": 1}]}"#);
    // Without an admin token, whoever names nobody may do everything.
    let (running, address) = town.serve().await;
    town.until_published("es", 1).await;
    assert_eq!(get(address, "/api/users", "X-Nobody: calls"), 200);
    assert_eq!(get(address, "/api/users", &bearer(&ana)), 403);
    let held = run_json(&town, &["jobs", "--state", "held"])["jobs"][0]["id"].as_i64().unwrap();
    let choice = json!({"ids": [held]}).to_string();
    let skipped = ask(address, "POST", "/api/jobs/skip", &[JSON, &bearer(&ana)], &choice);
    assert_eq!(skipped.json()["changed"], 1);
    run(&town, &["pause", "poller"]).assert_success();
    run(&town, &["actors", "restart", "cache"]).assert_success();
    run(&town, &["users", "remove", "ana", "--yes"]).assert_success();
    assert_eq!(running.terminate(), Some(0));

    run(&town, &["resume", "poller"]).assert_success();
    let decisions = run_json(&town, &["decisions"])["decisions"].as_array().unwrap().clone();
    let decided: Vec<_> = decisions
        .iter()
        .rev()
        .map(|one| json!([one["who"], one["action"], one["job"], one["subject"], one["detail"]]))
        .collect();
    assert_eq!(
        decided,
        [
            json!([null, "add_user", null, "Ana", "review"]),
            json!(["Ana", "skip", held, "x:town_es", ""]),
            json!([null, "pause", null, "poller", ""]),
            json!([null, "restart_actor", null, "cache", ""]),
            json!([null, "remove_user", null, "ana", ""]),
            json!([null, "resume", null, "poller", ""]),
        ]
    );
    let page = run_json(&town, &["decisions", "--limit", "2"]);
    assert_eq!(page["next"], decisions[1]["number"]);
    let table = run(&town, &["decisions"]);
    assert!(table.out.starts_with("NUMBER") && table.out.contains("Ana      skip"), "{}", table.out);
    town.environment.push(("MYNAH_ADMIN_TOKEN".into(), ADMIN.into()));
    let running = town.serve().await.0;
    run(&town, &["pause", "all"]).assert_success();
    let decisions = run_json(&town, &["decisions"]);
    assert_eq!(decisions["decisions"][0]["who"], "admin");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn whoever_one_instance_removes_is_refused_by_all_at_once() {
    let Some(server) = Server::shared() else { return };
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.environment.push(("MYNAH_ADMIN_TOKEN".into(), ADMIN.into()));
    let cluster = Cluster::new(town, server.database());
    let (one, two) = (cluster.start("one").await, cluster.start("two").await);
    let [first, second] = [&one, &two].map(|instance| instance.admin().unwrap());
    let ana = json!({"name": "Ana", "role": "look"}).to_string();
    let added = ask(first, "POST", "/api/users", &[JSON, &bearer(ADMIN)], &ana).json();
    let token = added["token"].as_str().unwrap();
    let cookie = log_in(second, "ana", token).cookie();
    assert_eq!(get(second, "/api/jobs", &cookie), 200);
    assert_eq!(get(second, "/api/jobs", &bearer(token)), 200);
    let removed = ask(first, "POST", "/api/users/ANA/remove", &[JSON, &bearer(ADMIN)], "{}");
    assert_eq!(removed.status, 200, "{}", removed.body);
    assert_eq!(get(second, "/api/jobs", &cookie), 401);
    assert_eq!(get(second, "/api/jobs", &bearer(token)), 401);
    let decisions = ask(second, "GET", "/api/decisions", &[&bearer(ADMIN)], "").json();
    let last = &decisions["decisions"][0];
    assert_eq!((&last["who"], &last["action"]), (&json!("admin"), &json!("remove_user")));
    for instance in [one, two] {
        assert_eq!(instance.running.terminate(), Some(0));
    }
}
