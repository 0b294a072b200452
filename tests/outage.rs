//! The server of a ledger is killed in the middle of work: commands wait, and nothing is lost or done twice.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod contract;
#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod postgres;

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use contract::ledger::{TestClock, account, begun, line, page, sent, translated};
use futures_util::{StreamExt as _, stream};
use mynah::ledger::{
    Opened, Place, PostgresLedger, open_service,
    postgres::{Address, Member},
};
use mynah_domain::{
    Job, JobEvent, JobState,
    ports::{
        Leases as _, Ledger, Work as _,
        leases::{HeldLeases, InstanceId, Lease, LeaseName},
        ledger::Change,
    },
};
use postgres::{Asker, Server};

const JOBS: u64 = 300;

#[actix_rt::test]
async fn while_the_server_is_killed_commands_wait_and_nothing_is_lost_or_done_twice() {
    // With its default settings: what it confirmed survives.
    let Some(mut server) = Server::start(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = server.database();
    let address = Address::parse(&url).unwrap();
    let place = Place::Server { address: Box::new(address), data_dir: folder.path().to_owned() };
    let (instance, clock) = (InstanceId::from("one"), TestClock::at("2026-11-23T12:00:00Z"));
    let Opened { ledger, leases } = open_service(&place, &instance, clock, |_| {}).await.unwrap();
    let (leases, held) = leases.unwrap();
    let source = LeaseName::Source(contract::ledger::SOURCE.into());
    for name in [source, LeaseName::Account(account("es"))] {
        let fence = leases.acquire(&name, &instance, Duration::from_mins(10)).await.unwrap().unwrap();
        held.insert(Lease { name, fence });
    }
    ledger.record(page(1..=JOBS, &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let done = Cell::new(0);
    let work = stream::iter(jobs).for_each_concurrent(16, async |job| {
        publish(&ledger, &job).await;
        done.set(done.get() + 1);
    });
    let outages = async {
        for kill in 1..=5 {
            while done.get() < kill * JOBS / 6 {
                actix_rt::task::yield_now().await;
            }
            server.kill();
            let before = done.get();
            let begun = Instant::now();
            // Some commands find that their connection is lost, others that there is none.
            while begun.elapsed() < Duration::from_millis(500) {
                actix_rt::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(done.get() <= before + 16, "without a server, only answers that had arrived count");
            server = actix_rt::task::spawn_blocking(move || {
                server.run();
                server
            })
            .await
            .unwrap();
        }
        server
    };
    let (server, ()) = futures_util::join!(outages, work);
    assert_eq!(done.get(), JOBS);
    let counts = ledger.counts().await.unwrap();
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [((contract::ledger::target("es"), JobState::Published), JOBS)]
    );
    let database = url.rsplit('/').next().unwrap();
    let parts = server.sql(database, "SELECT count(*), count(DISTINCT remote_id) FROM mynah.publications");
    assert_eq!(parts, format!("{JOBS}|{JOBS}"));
}

#[actix_rt::test]
async fn a_restored_database_holds_what_may_have_been_published() {
    let Some(server) = Server::shared() else { return };
    let url = server.database();
    let address = Address::parse(&url).unwrap();
    let member = Member { instance: "one".into(), held: HeldLeases::default() };
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = PostgresLedger::open(&address, member, clock.clone(), |_| {}).await.unwrap();
    let name = url.rsplit('/').next().unwrap();
    server.sql(
        name,
        r#"SET search_path TO mynah;
        INSERT INTO posts (source, id, position, body, recorded_at) VALUES ('x:town', '1', 1, '{}', 0);
        INSERT INTO jobs (id, source, post, target, position, state, stand, kind, reason, translation, not_before,
                          created_at, updated_at)
        VALUES (1, 'x:town', '1', 'a', 1, 'published', 0, NULL, NULL, '{"parts":["A"]}', NULL, 0, 0),
               (2, 'x:town', '1', 'b', 1, 'skipped', 0, 'by_hand', NULL, NULL, NULL, 0, 0),
               (3, 'x:town', '1', 'c', 1, 'queued', 2, NULL, 'no answer', NULL, 9, 0, 0),
               (4, 'x:town', '1', 'd', 1, 'held', 2, 'cap', 'the cap', '{"parts":["A"]}', 9, 0, 0),
               (5, 'x:town', '1', 'e', 1, 'failed', 1, NULL, 'why', NULL, NULL, 0, 0),
               (6, 'x:town', '1', 'f', 1, 'publishing', 2, NULL, NULL, '{"parts":["A"]}', NULL, 0, 0),
               (7, 'x:town', '1', 'g', 1, 'unknown', 2, NULL, 'lost', '{"parts":["A", "B"]}', NULL, 0, 0);
        INSERT INTO publications (job, part, account, text, intent_at, remote_id)
        VALUES (1, 0, 'a', 'A', 0, '1'), (6, 0, 'f', 'A', 0, NULL), (7, 0, 'g', 'A', 0, NULL)"#,
    );
    assert_eq!(ledger.mark_restored("2026-11-23T12:00:00Z".parse().unwrap()).await.unwrap(), 4);
    let rows = server.sql(
        name,
        "SELECT state, stand, coalesce(kind, ''), token, (SELECT count(*) FROM mynah.publications WHERE job = jobs.id)
         FROM mynah.jobs ORDER BY id",
    );
    let expected = [
        "published|0||0|1",
        "skipped|0|by_hand|0|0",
        "held|2|restored|1|0",
        "held|2|restored|1|0",
        "held|2|restored|1|0",
        "unknown|2||1|1",
        "held|2|restored|1|0",
    ];
    assert_eq!(rows.lines().collect::<Vec<_>>(), expected);
    let why = server.sql(name, "SELECT reason FROM mynah.jobs WHERE id = 4");
    assert!(why.ends_with("(in the backup: the cap)"), "{why}");
    // A post from before the restore that is recorded after it waits, too.
    let instance = InstanceId::from("one");
    let source = LeaseName::Source(contract::ledger::SOURCE.into());
    let held = HeldLeases::default();
    let member = Member { instance: instance.clone(), held: held.clone() };
    let ledger = PostgresLedger::open(&address, member, clock, |_| {}).await.unwrap();
    let fence = ledger.acquire(&source, &instance, Duration::from_mins(1)).await.unwrap().unwrap();
    held.insert(Lease { name: source, fence });
    let recorded = ledger.record(page([2], &["es"])).await.unwrap();
    assert_eq!(recorded.held_back.len(), 1);
}

/// Takes a job through all of its states, each change as often as the ledger's answer was lost.
async fn publish(ledger: &Arc<dyn Ledger>, job: &Job) {
    let mut token = job.token;
    let steps = [
        vec![JobEvent::LeasedForTranslation],
        vec![translated()],
        vec![JobEvent::LeasedForPublication],
        vec![begun(0)],
        vec![sent(0, &format!("9{}", job.id)), JobEvent::Published],
    ];
    for events in steps {
        let change = Change::new(job.id, token, events);
        let advanced = ledger.advance([change].into()).await.unwrap().pop().unwrap();
        token = advanced.unwrap().token;
    }
}

#[actix_rt::test]
async fn a_database_that_cannot_be_used_is_refused_with_the_fix() {
    let Some(server) = Server::shared() else { return };
    let open = async |url: &str| {
        let member = Member { instance: "one".into(), held: HeldLeases::default() };
        let clock = TestClock::at("2026-11-23T12:00:00Z");
        let opened = PostgresLedger::open(&Address::parse(url).unwrap(), member, clock, |_| {}).await;
        opened.map(drop).unwrap_err().to_string()
    };
    let url = server.database();
    let nowhere = url.replace("ledger_", "no_such_");
    let error = open(&nowhere).await;
    assert!(error.contains("does not exist; create the database, or correct ledger.url"), "{error}");
    let latin = "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    server.sql("postgres", latin);
    let error = open(&server.url("latin")).await;
    assert!(error.contains("stores LATIN1; create it with ENCODING 'UTF8'"), "{error}");
    server.sql("postgres", "CREATE DATABASE theirs");
    server.sql("theirs", "CREATE SCHEMA mynah; CREATE TABLE mynah.jobs (x int)");
    let error = open(&server.url("theirs")).await;
    assert!(error.contains("has a schema mynah that is not a ledger and was not changed"), "{error}");
    let member = Member { instance: "one".into(), held: HeldLeases::default() };
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    drop(PostgresLedger::open(&Address::parse(&url).unwrap(), member, clock, |_| {}).await.unwrap());
    let name = url.rsplit('/').next().unwrap();
    server.sql(name, "INSERT INTO mynah.formats (format, program) VALUES (99, '9.9.9')");
    let error = open(&url).await;
    let newer = "was written by a newer version of mynah (format 99; this version reads up to";
    assert!(error.contains(newer), "{error}");
    server.sql("postgres", "CREATE ROLE reader LOGIN");
    server.sql("postgres", "CREATE DATABASE closed");
    let error = open(&server.url("closed").replace("mynah@", "reader@")).await;
    assert!(error.contains("let this user create the schema mynah, or create it for this user"), "{error}");
    server.sql("closed", "CREATE SCHEMA mynah AUTHORIZATION reader");
    let closed = Address::parse(&server.url("closed").replace("mynah@", "reader@")).unwrap();
    let member = Member { instance: "one".into(), held: HeldLeases::default() };
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    drop(PostgresLedger::open(&closed, member, clock, |_| {}).await.unwrap());
}

#[actix_rt::test]
async fn a_repeated_attempt_to_open_does_not_take_the_server_for_a_pooler() {
    let Some(server) = Server::shared() else { return };
    let url = server.database();
    let address = Address::parse(&url).unwrap();
    let member = Member { instance: "one".into(), held: HeldLeases::default() };
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    // Another process migrates, and the server ends the first attempt, which has used both connections.
    let other = Asker::new(&url);
    other.ask("SELECT pg_advisory_lock(1299803752)");
    let interrupt = async {
        let waiting = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while other.ask(waiting)[0].get::<_, i64>(0) == 0 {
            actix_rt::time::sleep(Duration::from_millis(10)).await;
        }
        other.ask("SELECT pg_advisory_unlock(1299803752)");
    };
    let (opened, ()) = futures_util::join!(PostgresLedger::open(&address, member, clock, |_| {}), interrupt);
    opened.unwrap();
}
