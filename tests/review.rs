//! Review by people, with the built binary: what waits, what is decided, and what reaches the account.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};
use support::{Output, PATIENCE, Town, message, numbered, numbers, run, run_json, run_with_input, until};

/// A town whose translations into Spanish are reviewed.
async fn town<T: Into<String>>(texts: impl IntoIterator<Item = T>, review: &str) -> Town {
    let town = Town::new(texts, &["es"], "gemini").await;
    let config = std::fs::read_to_string(town.config()).unwrap();
    let account = "account = \"town_es\"";
    let config = config.replace(account, &format!("{account}\nreview = \"{review}\""));
    std::fs::write(town.config(), config).unwrap();
    town
}

/// The drafts that `mynah review` lists, in the source's order.
fn drafts(town: &Town) -> Vec<Value> {
    let list = run_json(town, &["review"]);
    let mut drafts = list["drafts"].as_array().unwrap().clone();
    drafts.sort_by_key(|draft| draft["post"].as_str().unwrap().parse::<u64>().unwrap());
    drafts
}

async fn until_drafted(town: &Town, count: usize) -> Vec<Value> {
    until("the translations wait for review", || drafts(town).len() == count).await;
    drafts(town)
}

fn number(draft: &Value) -> String {
    draft["job"].to_string()
}

/// A job and the token that the person looked at.
fn looked(draft: &Value) -> String {
    format!("{}@{}", draft["job"], draft["token"])
}

fn edit(town: &Town, args: &[&str], text: &str) -> Output {
    run_with_input(town.command(&[&["review", "edit"], args].concat()), text)
}

/// The jobs in a state.
fn jobs(town: &Town, state: &str) -> usize {
    run_json(town, &["jobs", "--state", state])["jobs"].as_array().unwrap().len()
}

/// What the admin API answers.
fn ask(address: SocketAddr, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = if method == "POST" { body.to_string() } else { String::new() };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json");
    let request = format!("{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    // The server does not read all of a body that is too large.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[actix_rt::test]
async fn a_translation_is_published_after_an_edit_and_an_approval_in_the_source_order() {
    let town = town(numbered(3), "always").await;
    let (running, _) = town.serve().await;
    let drafts = until_drafted(&town, 3).await;
    assert!(town.publications("es").is_empty());
    let list = run(&town, &["review"]);
    list.assert_success();
    assert!(list.out.starts_with("JOB") && list.out.contains("x:town_es"), "{}", list.out);

    let second = run_json(&town, &["review", "show", &number(&drafts[1])]);
    assert_eq!((&second["text"], &second["state"]), (&json!(message(2)), &json!("review")));
    let part = &second["parts"][0];
    assert_eq!((&part["limit"], second["findings"].as_array().unwrap().len()), (&json!(280), 0));
    assert_eq!(part["length"], json!(part["text"].as_str().unwrap().chars().count()));
    let shown = run(&town, &["review", "show", &number(&drafts[1])]);
    assert!(
        shown.out.contains(&format!("job {}", looked(&drafts[1]))) && shown.out.contains("TRANSLATION"),
        "{}",
        shown.out
    );

    let edited = edit(&town, &[&looked(&drafts[1])], "Mensaje 2 del ayuntamiento sobre Streetb\n");
    edited.assert_success();
    let jobs: Vec<String> = drafts.iter().map(number).collect();
    run(&town, &["review", "approve", &jobs[2], &jobs[1]]).assert_success();
    assert!(town.publications("es").is_empty(), "the first still waits");
    run(&town, &["review", "approve", &jobs[0]]).assert_success();
    town.until_published("es", 3).await;
    let published = town.publications("es");
    assert_eq!(numbers(&published), [1, 2, 3]);
    assert_eq!(published[1].text, "Mensaje 2 del ayuntamiento sobre Streetb");
    let decisions = run_json(&town, &["review", "show", &jobs[1]])["decisions"].clone();
    let actions: Vec<&str> =
        decisions.as_array().unwrap().iter().map(|made| made["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["edit", "approve"]);
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn on_doubt_only_what_would_be_held_waits_and_a_person_can_correct_it() {
    let town = town(["See https://example.com/fair today"], "on_doubt").await;
    let fault = r#"{"endpoint": "gemini.generate", "fault": {"gemini": "missing_placeholder"}, "count": 2}"#;
    town.order_faults(&format!("{{\"rules\": [{fault}]}}"));
    let (running, _) = town.serve().await;
    let draft = until_drafted(&town, 1).await.remove(0);
    assert_eq!((jobs(&town, "held"), &draft["findings"][0]["rule"]), (0, &json!("protected")));
    let passage = &draft["findings"][0]["passages"][0];
    assert_eq!((&passage["text"], &passage["start"]), (&json!("https://example.com/fair"), &json!(4)));
    let status = run_json(&town, &["status"]);
    assert_eq!((&status["accounts"][0]["review"], &status["accounts"][0]["held"]), (&json!(1), &json!(0)));
    assert_eq!(status["reasons"], json!([]), "a service whose jobs wait for a person is ready");

    let approved = run(&town, &["review", "approve", &number(&draft), "--override", "it is fine"]);
    assert_eq!(approved.code, Some(1));
    assert!(approved.err.contains("cannot be published"), "{}", approved.err);
    let edited = edit(&town, &[&looked(&draft), "--approve"], "Mira https://example.com/fair hoy");
    edited.assert_success();
    town.until_published("es", 1).await;
    assert_eq!(town.publications("es")[0].text, "Mira https://example.com/fair hoy");
    town.post("Message 5 from the town hall");
    town.until_published("es", 2).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_person_who_looked_at_an_older_draft_is_refused_and_changes_nothing() {
    let town = town(numbered(1), "always").await;
    let (running, address) = town.serve().await;
    let draft = until_drafted(&town, 1).await.remove(0);
    let path = format!("/api/review/{}", draft["job"]);
    let token = &draft["token"];
    let text = json!({"token": token, "text": "Mensaje 1 del ayuntamiento sobre Streeta"});
    let (status, edited) = ask(address, "POST", &format!("{path}/edit"), &text);
    assert_eq!((status, &edited["state"]), (200, &json!("review")), "{edited}");
    for (action, body) in [
        ("approve", json!({"token": token})),
        ("edit", json!({"token": token, "text": "Mensaje 1 de otra persona sobre Streeta"})),
        ("again", json!({"token": token})),
        ("skip", json!({"token": token})),
    ] {
        let (status, answer) = ask(address, "POST", &format!("{path}/{action}"), &body);
        assert_eq!(status, 409, "{action}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains("changed since you looked at it"), "{answer}");
    }
    let stale = run(&town, &["review", "approve", &looked(&draft)]);
    assert_eq!(stale.code, Some(1));
    assert!(stale.err.contains("look at it again"), "{}", stale.err);
    let (status, shown) = ask(address, "GET", &path, &Value::Null);
    assert_eq!((status, &shown["token"]), (200, &edited["token"]));
    assert_eq!(shown["parts"][0]["text"], "Mensaje 1 del ayuntamiento sobre Streeta");
    assert_eq!(ask(address, "GET", "/api/review/999", &Value::Null).0, 404);
    assert_eq!(ask(address, "GET", "/api/review/seven", &Value::Null).0, 400);
    assert_eq!(ask(address, "POST", &format!("{path}/approve"), &json!({"toke": 1})).0, 400);
    let (status, approved) =
        ask(address, "POST", &format!("{path}/approve"), &json!({"token": edited["token"]}));
    assert_eq!((status, &approved["state"]), (200, &json!("ready")));
    town.until_published("es", 1).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn words_that_must_not_be_published_are_refused_with_the_reason_and_nothing_is_lost() {
    let town = town(["Thanks @bob, 350 trees at https://example.com/fair for the town"], "always").await;
    let (running, address) = town.serve().await;
    let draft = until_drafted(&town, 1).await.remove(0);
    let path = format!("/api/review/{}", draft["job"]);
    let before = ask(address, "GET", &path, &Value::Null).1;
    let good = "Gracias @bob, 350 árboles en https://example.com/fair para la ciudad";
    let refused = |body: Value| {
        let mut body = body;
        body["token"] = draft["token"].clone();
        let (status, answer) = ask(address, "POST", &format!("{path}/edit"), &body);
        let rules = answer["findings"].as_array().cloned().unwrap_or_default();
        let rules: Vec<String> = rules.iter().map(|one| one["rule"].as_str().unwrap().to_owned()).collect();
        (status, rules, answer["error"].as_str().unwrap_or_default().to_owned())
    };
    for (text, rule) in [
        (good.replace("@bob", "Bob"), "protected"),
        (good.replace("https://example.com/fair", "la feria"), "protected"),
        (good.replace("350", "530"), "numbers"),
        (good.replace("árboles", "\u{202e}árboles"), "control"),
        (String::new(), "not_empty"),
    ] {
        let (status, rules, why) = refused(json!({"text": text}));
        assert_eq!(status, 422, "{text}: {why}");
        assert!(rules.iter().any(|found| found == rule), "{text}: {rules:?}");
    }
    let long = format!("{good} {}", "y una palabra más ".repeat(20));
    let (status, rules, why) = refused(json!({"parts": [long], "override": "it is important"}));
    assert!(status == 422 && rules.contains(&"fits".to_owned()), "{rules:?}");
    assert!(why.contains("nobody can override this"), "{why}");
    assert_eq!(refused(json!({"text": good, "parts": [good]})).0, 400);
    assert_eq!(refused(json!({"alts": ["Un barco"]})).0, 400);
    assert_eq!(refused(json!({"text": good, "override": " "})).0, 400);
    assert_eq!(refused(json!({"text": "a".repeat(100_000)})).0, 413);
    let endless = edit(&town, &[&number(&draft)], &"a".repeat(100_000));
    assert_eq!(endless.code, Some(1));
    assert!(endless.err.contains("100000 characters"), "{}", endless.err);
    let by_hand = edit(&town, &[&number(&draft)], "Gracias");
    assert!(by_hand.code == Some(1) && by_hand.err.contains("[protected]"), "{}", by_hand.err);
    assert_eq!(ask(address, "GET", &path, &Value::Null).1, before, "nothing changed");

    let text = good.replace("350", "530");
    let body = json!({"token": draft["token"], "text": text, "override": "the author wrote the wrong number", "approve": true});
    let (status, answer) = ask(address, "POST", &format!("{path}/edit"), &body);
    assert_eq!((status, &answer["state"]), (200, &json!("ready")), "{answer}");
    town.until_published("es", 1).await;
    assert_eq!(town.publications("es")[0].text, text);
    let made = ask(address, "GET", &path, &Value::Null).1["decisions"][0].clone();
    assert_eq!(made["note"], "the author wrote the wrong number");
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_run_ends_although_translations_wait_and_people_decide_without_a_service() {
    let town = town(numbered(4), "always").await;
    let first = town.once();
    first.assert_success();
    assert!(first.out.contains("4 jobs wait for review: see `mynah review`"), "{}", first.out);
    let drafts = drafts(&town);
    assert_eq!(drafts.len(), 4);
    let jobs: Vec<String> = drafts.iter().map(number).collect();

    let skipped = run(&town, &["review", "skip", &jobs[0], "999"]);
    assert_eq!(skipped.code, Some(1), "there is no job 999");
    assert!(skipped.out.contains(&format!("job {} skipped", jobs[0])), "{}", skipped.out);
    run(&town, &["jobs", "unskip", &jobs[0]]).assert_success();
    assert_eq!(run_json(&town, &["review"])["drafts"].as_array().unwrap().len(), 4, "the draft is back");
    run(&town, &["review", "skip", &jobs[0]]).assert_success();
    run(&town, &["review", "approve", &jobs[1], &jobs[3]]).assert_success();
    let unknown = run(&town, &["review", "again", &jobs[2], "--engine", "nobody"]);
    assert!(unknown.code == Some(1) && unknown.err.contains("gemini"), "{}", unknown.err);
    let requests = town.sandbox.gemini().requests;
    run(&town, &["review", "again", &jobs[2], "--hint", "say “tú”", "--engine", "gemini"]).assert_success();
    assert_eq!(run(&town, &["review", "again", &jobs[2]]).code, Some(1), "it does not wait any more");

    let second = town.once();
    second.assert_success();
    assert!(second.out.contains("1 job waits for review"), "{}", second.out);
    assert_eq!(town.sandbox.gemini().requests, requests + 1, "the same words are not taken from the cache");
    assert_eq!(numbers(&town.publications("es")), [2], "the fourth waits behind the third");
    let third = run_json(&town, &["review", "show", &jobs[2]]);
    assert_eq!(third["decisions"][0]["note"], "with gemini: say “tú”");
    run(&town, &["review", "approve", &jobs[2]]).assert_success();
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [2, 3, 4]);
}

#[actix_rt::test]
async fn translations_that_block_others_for_too_long_give_their_places_up_and_can_still_be_approved() {
    let mut town = town(numbered(3), "always").await;
    town.settings.push("publisher.order_patience=1s".into());
    let (running, _) = town.serve().await;
    let jobs: Vec<String> = until_drafted(&town, 3).await.iter().map(number).collect();
    run(&town, &["review", "approve", &jobs[2]]).assert_success();
    town.until_published("es", 1).await;
    let left = drafts(&town);
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|draft| draft["set_aside"] == json!(true)), "{left:?}");
    run(&town, &["review", "approve", &jobs[0]]).assert_success();
    run(&town, &["review", "skip", &jobs[1]]).assert_success();
    town.until_published("es", 2).await;
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(numbers(&town.publications("es")), [3, 1]);
}

/// Decides about whatever waits, in random ways, as if nothing could go wrong.
fn decide_at_random(town: &Town, random: &mut fastrand::Rng) {
    let list = run(town, &["review", "--json"]);
    // The service may be starting.
    let Ok(list) = serde_json::from_str::<Value>(&list.out) else { return };
    for draft in list["drafts"].as_array().into_iter().flatten() {
        let job = looked(draft);
        match random.u8(0..8) {
            0..=2 => drop(run(town, &["review", "approve", &job])),
            3 => drop(run(town, &["review", "again", &job, "--hint", "shorter"])),
            4 => drop(run(town, &["review", "skip", &job])),
            5 => {
                let words = draft["translation"].as_str().unwrap();
                drop(edit(town, &[&job, "--override", "as agreed", "--approve"], &format!("{words} hoy")));
            }
            _ => {}
        }
    }
}

#[actix_rt::test]
async fn kills_in_the_middle_of_decisions_lose_none_and_publish_nothing_twice_or_out_of_order() {
    let seed = std::env::var("CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let town = town(numbered(10), "always").await;
    for _ in 0..5 {
        let (mut running, _) = town.serve().await;
        // A command may have sent its request, and gets no answer.
        let moment = Duration::from_millis(random.u64(50..1200));
        let (killed, ended) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            // Nobody waits for this moment: the test goes on deciding meanwhile.
            let _ = ended.recv_timeout(moment);
            running.kill();
        });
        decide_at_random(&town, &mut random);
        drop(killed);
        until("the killed service is gone", || !mynah::ledger::is_in_use(&town.ledger()).unwrap_or(true))
            .await;
    }
    let (running, _) = town.serve().await;
    until("everything is published or skipped", || {
        for draft in drafts(&town) {
            run(&town, &["review", "approve", &looked(&draft)]);
        }
        jobs(&town, "published") + jobs(&town, "skipped") == 10
    })
    .await;
    assert_eq!(running.terminate(), Some(0));
    let list = run_json(&town, &["jobs", "--state", "published,skipped"]);
    let texts = |state: &str| -> BTreeSet<usize> {
        let jobs = list["jobs"].as_array().unwrap().iter().filter(|job| job["state"] == state);
        jobs.map(|job| job["text"].as_str().unwrap().split(' ').nth(1).unwrap().parse().unwrap()).collect()
    };
    let published = numbers(&town.publications("es"));
    assert!(published.is_sorted_by(|one, next| one < next), "seed {seed}: {published:?}");
    assert_eq!(published.iter().copied().collect::<BTreeSet<_>>(), texts("published"), "seed {seed}");
    let all: BTreeSet<usize> = texts("published").union(&texts("skipped")).copied().collect();
    assert_eq!(all, (1..=10).collect(), "seed {seed}");
}
