//! `mynah ledger copy`, both ways, killed in the middle.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod postgres;

use std::{
    path::Path,
    process::{Command, Output},
};

use postgres::Server;
use rusqlite::Connection;

fn mynah(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
    command.args(arguments).env_remove("FAILPOINTS");
    command
}

fn done(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// A ledger with so many jobs, and every kind of text in it.
fn ledger(path: &Path, jobs: u32) {
    drop(mynah::ledger::open(path, std::sync::Arc::new(mynah_domain::ports::SystemClock)).unwrap());
    // Its thread may still be closing the file.
    while mynah::ledger::is_in_use(path).unwrap() {
        std::thread::yield_now();
    }
    let db = Connection::open(path).unwrap();
    let body = r#"'{"id":"' || n || '","position":' || n || ',"text":"Hello 👋 \u0000 ' || n ||
                  '","kind":{"kind":"original"},"created_at":"2026-11-26T12:00:00Z"}'"#;
    db.execute_batch(&format!(
        "BEGIN;
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {jobs})
         INSERT INTO posts (source, id, position, body, recorded_at) SELECT 'x:town', n, n, {body}, n FROM numbers;
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {jobs})
         INSERT INTO jobs (source, post, target, position, state, stand, token, reason, translation, engine, created_at, updated_at)
         SELECT 'x:town', n, 'x:es', n, 'published', 0, n * 7, iif(n % 9 = 0, 'a' || char(0) || 'b', NULL),
                '{{\"parts\":[\"Hola ' || n || '\"],\"engine\":\"test\"}}', 'test', n, n FROM numbers;
         INSERT INTO publications (job, part, account, text, intent_at, remote_id, sent_at, cost, cost_day, cost_service)
         SELECT id, 0, 'x:es', 'Hola ' || id, id, 900000 + id, id, iif(id % 2 = 0, 15000, NULL),
                iif(id % 2 = 0, '2026-11-27', NULL), iif(id % 2 = 0, 'x', NULL) FROM jobs;
         INSERT INTO spending VALUES ('2026-11-27', 'x:town', 'x:es', 'x', 'publish', {jobs} / 2 * 15000, {jobs} / 2),
                                     ('2026-11-27', 'x:town', '', 'x', 'read', 5000, 1);
         INSERT INTO reservations VALUES (-7, '2026-11-27', 'x:town', 'x:es', 'gemini', 'translate', 300, 1);
         UPDATE jobs SET draft = '{{\"translation\":{{\"parts\":[\"Hola\"],\"engine\":\"test\"}}}}', guidance = '{{}}' WHERE id = 1;
         INSERT INTO draft_decisions VALUES (1, 6, 5, 'ana', 'approve', 'a' || char(0) || 'b'), (1, 7, 6, NULL, 'edit', NULL);
         INSERT INTO settled VALUES ('x:es', 'published', {jobs});
         INSERT INTO versions VALUES ('x:town', '1', '1'), ('x:town', 'edited', '1');
         INSERT INTO checkpoints VALUES ('x:town', '{{\"watermark\":{{\"id\":\"{jobs}\",\"position\":{jobs}}}}}');
         INSERT INTO facts VALUES ('paused:x:es', 'yes');
         INSERT INTO users VALUES ('ana', 'Ana', 'review', 'hash', 1);
         INSERT INTO decisions (at, who, action, job, subject, detail) VALUES (1, 'Ana', 'skip', 1, 'x:es', ''),
                                                                              (2, NULL, 'pause', NULL, 'poller', '');
         COMMIT;"
    ))
    .unwrap();
}

#[test]
fn a_copy_that_was_killed_goes_on_and_both_agree() {
    let Some(server) = Server::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/ledger.sqlite");
    let jobs = std::env::var("COPY_JOBS").ok().and_then(|jobs| jobs.parse().ok()).unwrap_or(20_000);
    ledger(&file, jobs);
    let (from, to) = (format!("sqlite:{}", file.display()), server.database());
    // After some pieces of each table.
    for pieces in [3, 7, 12] {
        let mut killed = mynah(&["ledger", "copy", &from, &to]);
        killed.env("FAILPOINTS", format!("copy.piece={pieces}*off->1*return"));
        let failed = done(&mut killed);
        if cfg!(feature = "failpoints") {
            assert_eq!(failed.0, None, "{failed:?}");
        }
    }
    if cfg!(feature = "failpoints") {
        let refused = mynah::ledger::postgres::Address::parse(&to).unwrap();
        let member = mynah::ledger::postgres::Member {
            instance: "one".into(),
            held: mynah_domain::ports::leases::HeldLeases::default(),
        };
        let clock = std::sync::Arc::new(mynah_domain::ports::SystemClock);
        let opened = actix_rt::System::new().block_on(mynah::ledger::PostgresLedger::open(
            &refused,
            member,
            clock,
            |_| {},
        ));
        assert!(opened.is_err_and(|error| error.to_string().contains("a copy that was not completed")));
        let elsewhere = folder.path().join("other.sqlite");
        ledger(&elsewhere, 3);
        let other = done(&mut mynah(&["ledger", "copy", &format!("sqlite:{}", elsewhere.display()), &to]));
        assert!(other.2.contains("that was not completed; go on with that one"), "{}", other.2);
    }
    let (code, out, err) = done(&mut mynah(&["ledger", "copy", &from, &to]));
    assert_eq!(code, Some(0), "{err}");
    println!("{err}\n{out}");
    assert!(out.contains("has the same content now"), "{out}");
    let (code, _, err) = done(&mut mynah(&["ledger", "copy", &from, &to]));
    assert_eq!(code, Some(1));
    assert!(err.contains("has a ledger already, and is not overwritten"), "{err}");
    // And back.
    let back = folder.path().join("back/ledger.sqlite");
    std::fs::create_dir(folder.path().join("back")).unwrap();
    let to_file = format!("sqlite:{}", back.display());
    let (code, again, err) = done(&mut mynah(&["ledger", "copy", &to, &to_file]));
    assert_eq!(code, Some(0), "{err}");
    let tables =
        |out: &str| out.lines().filter(|line| line.contains("sha256")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(tables(&out), tables(&again));
    assert_eq!(tables(&out).len(), 12);
    // New jobs are numbered behind the old ones.
    let name = to.rsplit('/').next().unwrap();
    let next = server.sql(
        name,
        "INSERT INTO mynah.jobs (source, post, target, position, state, stand, created_at, updated_at)
         VALUES ('x:town', '1', 'x:ca', 1, 'queued', 2, 0, 0) RETURNING id",
    );
    assert_eq!(next, (jobs + 1).to_string());
}

#[test]
fn a_ledger_in_use_is_not_copied() {
    let Some(server) = Server::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/ledger.sqlite");
    ledger(&file, 3);
    let (from, to) = (format!("sqlite:{}", file.display()), server.database());
    let clock = std::sync::Arc::new(mynah_domain::ports::SystemClock);
    let running = mynah::ledger::open(&file, clock);
    let (code, _, err) = done(&mut mynah(&["ledger", "copy", &from, &to]));
    assert_eq!(code, Some(1));
    assert!(err.contains("in use by another mynah"), "{err}");
    drop(running);
    let nowhere = format!("sqlite:{}", folder.path().join("none.sqlite").display());
    let (code, _, err) = done(&mut mynah(&["ledger", "copy", &nowhere, &to]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("there is no ledger at"), "{err}");
    let secret = to.replace("mynah@", "mynah:hunter2@");
    let (code, out, err) = done(&mut mynah(&["ledger", "copy", &from, &secret]));
    assert_eq!(code, Some(2), "{err}");
    assert!(!err.contains("hunter2") && !out.contains("hunter2"), "{err}");
}

#[test]
fn a_password_that_cannot_be_used_is_refused_with_the_reason() {
    let mut copy = mynah(&["ledger", "copy", "sqlite:ledger.sqlite", "postgres://mynah@db.example/mynah"]);
    let (code, _, error) = done(copy.env("MYNAH_LEDGER_PASSWORD", "two words"));
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("MYNAH_LEDGER_PASSWORD") && error.contains("contains a space"), "{error}");
}
