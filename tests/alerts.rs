//! What only a person can fix is reported wherever people are: once when it begins and once when it is over, also by a
//! receiver that fails half of the time, and over a restart.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{
    fmt::Write as _,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    web::{Bytes, Data, post},
};
use serde_json::{Value, json};
use support::{PATIENCE, Signal, Town, message, numbered, run, run_json, until};

const KEY: &str = "hush-key-of-the-webhook-0123456789";

/// What came to a receiver.
#[derive(Default)]
struct Inbox {
    requests: AtomicUsize,
    hanging: AtomicUsize,
    taken: Mutex<Vec<Value>>,
}

/// A receiver of signed JSON that fails every other request. It also has an address that never answers, one that redirects,
/// and one that takes everything.
struct Receiver {
    inbox: Arc<Inbox>,
    url: String,
}

impl Receiver {
    fn start() -> Self {
        let inbox = Arc::new(Inbox::default());
        let data = Data::from(inbox.clone());
        let app = move || {
            App::new()
                .app_data(data.clone())
                .route("/half", post().to(half))
                .route("/all", post().to(|| async { HttpResponse::Ok().body("ok") }))
                .route("/hang", post().to(hang))
                .route(
                    "/redirect",
                    post().to(|| async {
                        HttpResponse::TemporaryRedirect().append_header(("Location", "/all")).finish()
                    }),
                )
        };
        // On a thread of its own: the commands that these tests run would block it.
        let (sender, bound) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
                sender.send(server.addrs()[0]).unwrap();
                server.run().await.unwrap();
            });
        });
        let url = format!("http://{}", bound.recv().unwrap());
        Self { inbox, url }
    }

    /// Lets a town send its alerts here, and look often.
    fn receives_from(&self, town: &mut Town) {
        let interval = ["alerts.interval=100ms", "alerts.settle=300ms"].map(str::to_owned);
        town.settings.extend(interval);
        let secrets = [
            ("MYNAH_ALERTS_WEBHOOK_URL", format!("{}/half", self.url)),
            ("MYNAH_ALERTS_WEBHOOK_KEY", KEY.into()),
        ];
        town.environment.extend(secrets.map(|(name, value)| (name.to_owned(), value)));
    }

    /// The states of the messages about a cause, in order.
    fn states(&self, cause: &str) -> Vec<String> {
        let taken = self.inbox.taken.lock().unwrap();
        let about = taken.iter().filter(|message| message["cause"] == cause);
        about.map(|message| message["state"].as_str().unwrap().to_owned()).collect()
    }

    /// The first message about a cause.
    fn first(&self, cause: &str) -> Value {
        let taken = self.inbox.taken.lock().unwrap();
        taken.iter().find(|message| message["cause"] == cause).cloned().unwrap_or_default()
    }

    async fn until_begun(&self, cause: &str) {
        until(&format!("{cause} is reported"), || !self.states(cause).is_empty()).await;
    }

    async fn until_over(&self, cause: &str) {
        until(&format!("{cause} is over"), || self.states(cause).last().is_some_and(|state| state == "over"))
            .await;
    }

    /// Everything that was taken, for a test that failed.
    fn all(&self) -> String {
        format!("{:#?}", self.inbox.taken.lock().unwrap())
    }

    #[track_caller]
    fn assert_once_and_over(&self, causes: &[&str]) {
        for cause in causes {
            assert_eq!(self.states(cause), ["began", "over"], "{cause}: {}", self.all());
        }
    }
}

async fn hang(inbox: Data<Inbox>) -> HttpResponse {
    inbox.hanging.fetch_add(1, Ordering::Relaxed);
    std::future::pending().await
}

async fn half(request: HttpRequest, body: Bytes, inbox: Data<Inbox>) -> HttpResponse {
    if inbox.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
        return HttpResponse::InternalServerError().finish();
    }
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    let signed = [header("X-Mynah-Timestamp").as_bytes(), b".", &body].concat();
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY.as_bytes()), &signed);
    let mut signature = "sha256=".to_owned();
    for byte in tag.as_ref() {
        write!(signature, "{byte:02x}").unwrap();
    }
    if header("X-Mynah-Signature") != signature {
        return HttpResponse::Forbidden().finish();
    }
    inbox.taken.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    HttpResponse::Ok().finish()
}

/// The state of an account in `mynah status`.
fn account_state(town: &Town) -> String {
    run_json(town, &["status"])["accounts"][0]["state"].as_str().unwrap_or_default().to_owned()
}

#[actix_rt::test]
async fn a_blocked_account_is_reported_once_and_over_once_although_another_receiver_hangs() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(2), &["es"], "gemini").await;
    receiver.receives_from(&mut town);
    town.environment.push(("MYNAH_ALERTS_SLACK_URL".into(), format!("{}/hang", receiver.url)));
    town.sandbox.revoke_token("town_es");
    let (running, address) = town.serve().await;
    receiver.until_begun("account_blocked").await;
    let message = receiver.first("account_blocked");
    assert_eq!((&message["about"], &message["severity"]), (&json!("x:town_es"), &json!("page")));
    let details = message["details"].as_str().unwrap();
    assert!(
        details.contains("X_TOWN_ES_ACCESS_TOKEN") && details.contains("mynah resume x:town_es"),
        "{details}"
    );

    let listed = run_json(&town, &["alerts"]);
    assert_eq!(listed["alerts"][0]["cause"], "account_blocked", "{listed}");
    until("what was sent is on record", || {
        run_json(&town, &["alerts"])["alerts"][0]["sent"]["webhook"].is_string()
    })
    .await;
    let shown = run(&town, &["alerts"]);
    assert!(shown.out.contains("account_blocked  x:town_es  page"), "{}", shown.out);
    let url = format!("http://{address}/metrics");
    let metrics = awc::Client::default().get(url).send().await.unwrap().body().await.unwrap();
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    assert!(metrics.contains("mynah_alert{cause=\"account_blocked\",about=\"x:town_es\"} 1"), "{metrics}");

    town.sandbox.restore_token("town_es");
    run(&town, &["resume", "town_es"]).assert_success();
    receiver.until_over("account_blocked").await;
    town.until_published("es", 2).await;
    assert_eq!(running.terminate(), Some(0));
    receiver.assert_once_and_over(&["account_blocked"]);
    let (log, messages) = (town.log(), receiver.all());
    assert!(log.contains("alert not sent; retry scheduled receiver=webhook"), "{log}");
    for secret in [KEY, &receiver.url, &mynah_sandbox::credentials("town_es").access_token_secret] {
        assert!(!log.contains(&format!("{secret}/h")) && !messages.contains(secret), "{secret}");
    }
    assert!(!log.contains(KEY));
}

#[actix_rt::test]
async fn a_restart_neither_repeats_nor_forgets() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    receiver.receives_from(&mut town);
    town.sandbox.revoke_token("town_es");
    let (mut running, _) = town.serve().await;
    receiver.until_begun("account_blocked").await;
    until("what was sent is on record", || {
        run_json(&town, &["alerts"])["alerts"][0]["sent"]["webhook"].is_string()
    })
    .await;
    running.kill();
    // Without a service, the record shows it.
    let listed = run_json(&town, &["alerts"]);
    assert_eq!(listed["alerts"][0]["about"], "x:town_es", "{listed}");
    assert_eq!(listed["receivers"][0]["name"], "webhook");
    let (running, _) = town.serve().await;
    until("the account is blocked again", || account_state(&town) == "blocked").await;
    town.sandbox.restore_token("town_es");
    run(&town, &["resume", "town_es"]).assert_success();
    receiver.until_over("account_blocked").await;
    assert_eq!(running.terminate(), Some(0));
    receiver.assert_once_and_over(&["account_blocked"]);
}

/// A login of X as `mynah login` stores it, which ends at this moment.
fn store_login(town: &Town, ends: &str) {
    let keys = mynah_sandbox::credentials("town_es");
    let login = json!({"version": 1, "logins": [{
        "network": "x", "account": "town_es", "at": "2026-01-01T00:00:00Z", "expires": ends,
        "secrets": {
            "X_TOWN_ES_ACCESS_TOKEN": keys.access_token, "X_TOWN_ES_ACCESS_TOKEN_SECRET": keys.access_token_secret,
        },
    }]});
    let data = town.folder.path().join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("credentials"), login.to_string()).unwrap();
}

#[actix_rt::test]
async fn an_engine_a_login_a_disk_a_hold_and_a_reload_are_each_reported_once_and_over_once() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(3), &["es"], "gemini").await;
    receiver.receives_from(&mut town);
    for token in ["X_TOWN_ES_ACCESS_TOKEN", "X_TOWN_ES_ACCESS_TOKEN_SECRET"] {
        town.environment.push((token.into(), String::new()));
    }
    store_login(&town, &(jiff::Timestamp::now() + jiff::SignedDuration::from_hours(72)).to_string());
    let key = town.folder.path().join("key");
    fs::write(&key, "wrong-key-0123456789").unwrap();
    let key_in_file = [("GEMINI_API_KEY", String::new()), ("GEMINI_API_KEY_FILE", key.display().to_string())];
    town.environment.extend(key_in_file.map(|(name, value)| (name.to_owned(), value)));
    town.settings.push("engine.fallback=hold".into());
    let settings = fs::read_to_string(town.config()).unwrap();
    let short = format!("{settings}[alerts]\nholds_wait = \"1s\"\ndisk_free = \"1000000TB\"\n");
    fs::write(town.config(), &short).unwrap();

    let causes = ["engine_refused", "login_ending", "disk_nearly_full", "holds_waiting", "reload_failed"];
    let (running, _) = town.serve().await;
    for cause in &causes[..4] {
        receiver.until_begun(cause).await;
    }
    let details = |cause: &str| receiver.first(cause)["details"].as_str().unwrap().to_owned();
    assert!(details("engine_refused").contains("GEMINI_API_KEY"), "{}", receiver.all());
    assert!(details("login_ending").contains("mynah login x town_es"), "{}", receiver.all());
    assert!(details("holds_waiting").contains("mynah jobs"), "{}", receiver.all());
    fs::write(town.config(), format!("{short}nonsense = 1\n")).unwrap();
    running.signal(Signal::HUP);
    receiver.until_begun("reload_failed").await;

    fs::write(&key, mynah_sandbox::credentials("town_es").gemini_api_key).unwrap();
    store_login(&town, "2099-01-01T00:00:00Z");
    fs::write(town.config(), short.replace("1000000TB", "1MB")).unwrap();
    run(&town, &["reload"]).assert_success();
    town.until_published("es", 3).await;
    for cause in causes {
        receiver.until_over(cause).await;
    }
    until("nothing is on record any more", || {
        run_json(&town, &["alerts"])["alerts"].as_array().unwrap().is_empty()
    })
    .await;
    assert_eq!(running.terminate(), Some(0));
    receiver.assert_once_and_over(&causes);
}

#[actix_rt::test]
async fn a_job_that_fails_for_good_is_reported_until_a_person_decides() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    receiver.receives_from(&mut town);
    let settings = ["supervisor.max_restarts=20", "supervisor.backoff=10ms", "supervisor.backoff_max=10ms"];
    town.settings.extend(settings.map(str::to_owned));
    town.environment.push(("FAILPOINTS".into(), "engine.translate.before=3*panic".into()));
    let (running, _) = town.serve().await;
    receiver.until_begun("jobs_failed").await;
    assert_eq!(receiver.first("jobs_failed")["summary"], "1 job of x:town_es failed for good");
    run(&town, &["jobs", "retry", "1"]).assert_success();
    receiver.until_over("jobs_failed").await;
    town.until_published("es", 1).await;
    assert_eq!(running.terminate(), Some(0));
    receiver.assert_once_and_over(&["jobs_failed"]);
}

#[actix_rt::test]
async fn a_source_that_cannot_be_read_is_reported() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    receiver.receives_from(&mut town);
    town.settings.push("source.poll_interval=100ms".into());
    let (running, _) = town.serve().await;
    town.until_published("es", 1).await;
    town.order_faults(r#"{"rules": [{"endpoint": "x.timeline", "fault": {"status": 503}}]}"#);
    receiver.until_begun("source_failing").await;
    town.order_faults(r#"{"rules": []}"#);
    receiver.until_over("source_failing").await;
    town.post(&message(2));
    town.until_published("es", 2).await;
    assert_eq!(running.terminate(), Some(0));
    receiver.assert_once_and_over(&["source_failing"]);
}

#[actix_rt::test]
async fn a_source_that_waits_for_a_budget_is_reported_as_a_budget_and_not_as_a_failure() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(3), &["es"], "gemini").await;
    receiver.receives_from(&mut town);
    // Less than a post costs.
    town.settings.push("source.daily_budget=0.004".into());
    let (running, _) = town.serve().await;
    receiver.until_begun("budget_used_up").await;
    let message = receiver.first("budget_used_up");
    assert_eq!((&message["about"], &message["severity"]), (&json!("source.daily_budget"), &json!("ticket")));
    assert!(message["summary"].as_str().unwrap().contains("too small"), "{message}");
    let status = run_json(&town, &["status"]);
    assert_eq!(
        (&status["state"], &status["sources"][0]["state"]),
        (&json!("ready"), &json!("waiting")),
        "{status}"
    );
    assert_eq!(status["sources"][0]["budget"]["setting"], "source.daily_budget", "{status}");
    let shown = run(&town, &["status"]);
    assert!(shown.out.contains("waiting for source.daily_budget until 2"), "{}", shown.out);
    town.settings.retain(|setting| !setting.starts_with("source.daily_budget"));
    town.settings.push("source.daily_budget=1".into());
    assert_eq!(running.terminate(), Some(0));
    let (running, _) = town.serve().await;
    receiver.until_over("budget_used_up").await;
    town.until_published("es", 3).await;
    assert_eq!(running.terminate(), Some(0));
    receiver.assert_once_and_over(&["budget_used_up"]);
    assert!(receiver.states("source_failing").is_empty(), "{}", receiver.all());
}

#[actix_rt::test]
async fn a_job_that_costs_more_than_a_whole_budget_is_reported() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    receiver.receives_from(&mut town);
    let config = fs::read_to_string(town.config()).unwrap();
    let poor = config.replace("account = \"town_es\"\n", "account = \"town_es\"\ndaily_budget = \"0.01\"\n");
    fs::write(town.config(), poor).unwrap();
    let (running, _) = town.serve().await;
    receiver.until_begun("budget_used_up").await;
    assert_eq!(receiver.first("budget_used_up")["about"], "x:town_es", "{}", receiver.all());
    run(&town, &["jobs", "skip", "1", "--yes"]).assert_success();
    receiver.until_over("budget_used_up").await;
    assert_eq!(running.terminate(), Some(0));
    receiver.assert_once_and_over(&["budget_used_up"]);
}

#[actix_rt::test]
async fn a_service_that_cannot_go_on_says_so_before_it_ends_and_the_next_one_says_that_it_is_over() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    receiver.receives_from(&mut town);
    let settings = ["supervisor.max_restarts=2", "supervisor.backoff=10ms", "supervisor.backoff_max=10ms"];
    town.settings.extend(settings.map(str::to_owned));
    town.environment.push(("FAILPOINTS".into(), "router.started=panic".into()));
    let mut running = town.start(&["run"]);
    assert!(running.ends_within(PATIENCE), "{}", town.log_tail());
    assert_eq!(running.wait(), Some(1));
    assert_eq!(receiver.states("actor_escalated"), ["began"], "{}\n{}", receiver.all(), town.log_tail());
    let details = receiver.first("actor_escalated")["details"].as_str().unwrap().to_owned();
    assert!(details.contains("router"), "{details}");

    town.environment.retain(|(name, _)| name != "FAILPOINTS");
    let (running, _) = town.serve().await;
    receiver.until_over("actor_escalated").await;
    assert_eq!(running.terminate(), Some(0));
    receiver.assert_once_and_over(&["actor_escalated"]);
}

#[actix_rt::test]
async fn a_receiver_that_does_not_answer_uses_up_none_of_the_time_in_which_actors_stop() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    receiver.receives_from(&mut town);
    town.environment.push(("MYNAH_ALERTS_SLACK_URL".into(), format!("{}/hang", receiver.url)));
    // Less than the wait for what was sent.
    town.settings.push("shutdown.grace=2s".into());
    town.sandbox.revoke_token("town_es");
    let (running, _) = town.serve().await;
    until("the receiver hangs", || receiver.inbox.hanging.load(Ordering::Relaxed) > 0).await;
    assert_eq!(running.terminate(), Some(0));
    let log = town.log();
    assert!(log.contains("shutdown started") && log.contains("actor stopped actor=router"), "{log}");
}

#[actix_rt::test]
async fn receivers_are_named_and_tested() {
    let receiver = Receiver::start();
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    let nobody = run(&town, &["alerts", "test"]);
    assert_eq!(nobody.code, Some(2), "{}", nobody.out);
    assert!(nobody.err.contains("MYNAH_ALERTS_SLACK_URL") && nobody.err.contains("alerts.mail.server"));
    let shown = run(&town, &["alerts"]);
    shown.assert_success();
    assert!(shown.out.starts_with("nothing is on record; no service is running\n"), "{}", shown.out);
    assert!(shown.out.contains("MYNAH_ALERTS_SLACK_URL"), "{}", shown.out);
    assert!(!town.ledger().exists(), "looking creates nothing");

    for (variable, path) in [("SLACK_URL", "all"), ("DISCORD_URL", "redirect"), ("NTFY_URL", "topic")] {
        let url = format!("{}/{path}", receiver.url);
        town.environment.push((format!("MYNAH_ALERTS_{variable}"), url));
    }
    town.settings.push("alerts.mail.server=127.0.0.1".into());
    town.settings.push("alerts.mail.port=1".into());
    town.settings.push("alerts.mail.encryption=none".into());
    town.settings.push("alerts.mail.from=mynah@town.example".into());
    town.settings.push("alerts.mail.to=ops@town.example, second@town.example".into());
    let tested = run(&town, &["alerts", "test"]);
    assert_eq!(tested.code, Some(1), "{}", tested.out);
    let lines: Vec<&str> = tested.out.lines().collect();
    assert!(lines[0] == "ok    slack: answered 200", "{lines:?}");
    assert!(lines[1].starts_with("FAIL  discord: answered 307, a redirect"), "{lines:?}");
    assert!(lines[2].starts_with("FAIL  ntfy: answered 404"), "{lines:?}");
    assert!(lines[3].starts_with("FAIL  mail: "), "{lines:?}");
    assert!(tested.err.contains("not reached: discord, ntfy, mail"), "{}", tested.err);
    let tested = run(&town, &["alerts", "test", "--json"]);
    let receivers: Value = serde_json::from_str(&tested.out).unwrap();
    assert_eq!(receivers["receivers"][0], json!({"name": "slack", "ok": true, "answer": "answered 200"}));
    let checked = run(&town, &["check", "--offline"]);
    assert!(checked.out.contains("alerts: slack, discord, ntfy, mail are notified"), "{}", checked.out);
}

#[actix_rt::test]
async fn mistakes_in_the_settings_of_alerts_are_reported_and_show_no_secret() {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    let secrets = [
        ("MYNAH_ALERTS_SLACK_URL", "http://hooks.example.com/hush-slack"),
        ("MYNAH_ALERTS_DISCORD_URL", "hush-discord"),
        ("MYNAH_ALERTS_NTFY_TOKEN", "hush-token"),
        ("MYNAH_ALERTS_WEBHOOK_URL", "https://ops.example.com/hush-hook"),
        ("MYNAH_ALERTS_WEBHOOK_KEY", "hush-short"),
        ("MYNAH_ALERTS_MAIL_PASSWORD", "hush-password"),
    ];
    town.environment.extend(secrets.map(|(name, value)| (name.to_owned(), value.to_owned())));
    town.settings.extend(
        [
            "alerts.mail.server=smtp.example.com",
            "alerts.mail.encryption=none",
            "alerts.disk_free=7",
            "alerts.silence=never",
        ]
        .map(str::to_owned),
    );
    let checked = run(&town, &["check", "--offline"]);
    assert_eq!(checked.code, Some(2), "{}", checked.out);
    for problem in [
        "MYNAH_ALERTS_SLACK_URL",
        "clear text",
        "MYNAH_ALERTS_DISCORD_URL",
        "this is not an address",
        "it has no effect without MYNAH_ALERTS_NTFY_URL",
        "shorter than 16 characters",
        "alerts.mail.encryption",
        "\"7\" is not a size",
        "\"never\" is not a duration",
    ] {
        assert!(checked.err.contains(problem), "{problem}: {}", checked.err);
    }
    assert!(!checked.err.contains("hush") && !checked.out.contains("hush"), "{}", checked.err);
}
