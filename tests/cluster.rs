//! Several instances on one ledger: each account is published to by one of them at a time, whatever happens to the
//! others. Skipped where PostgreSQL is not installed.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[path = "support/instances.rs"]
mod instances;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::time::{Duration, Instant};

use instances::{Cluster, Instance, Surroundings};
use mynah_sandbox::{RateLimits, SandboxConfig, TimelinePost};
use postgres::Server;
use proxy::{LedgerProxy, NetworkProxy};
use support::{Signal, Town, message, numbered, numbers, until};

const LANGUAGES: [&str; 4] = ["es", "ca", "gl", "fr"];

/// A town with four accounts that has posted `posts` messages, and the ledger's URL.
async fn cluster(posts: usize, pace: Duration) -> Option<Cluster> {
    let server = Server::shared()?;
    let config = SandboxConfig {
        account: support::SOURCE.into(),
        timeline: numbered(posts).map(TimelinePost::new).collect(),
        rate_limits: RateLimits::unlimited(),
        x_latency: pace,
        ..SandboxConfig::default()
    };
    let config = LANGUAGES.iter().fold(config, |config, code| config.target(format!("town_{code}"), *code));
    let town = Town::on(mynah_sandbox::start(config).await.unwrap(), &LANGUAGES, "gemini");
    Some(Cluster::new(town, server.database()))
}

impl Cluster {
    async fn start_three(&self) -> [Instance; 3] {
        let three = [self.start("one").await, self.start("two").await, self.start("three").await];
        three[0].until_shared(&[&three[0], &three[1], &three[2]], 4, 1).await;
        three
    }

    /// Waits until all messages are published, and checks that each is there once and in order.
    async fn assert_all_published_once_and_in_order(&self, posts: usize) {
        for code in LANGUAGES {
            self.town.until_published(code, posts).await;
            let published = numbers(&self.town.publications(code));
            assert_eq!(published, (1..=posts).collect::<Vec<_>>(), "{code}");
        }
    }
}

/// The language of an account that an instance publishes on.
fn language(instance: &Instance, seen_by: &Instance) -> &'static str {
    let held = instance.holds(seen_by);
    LANGUAGES.into_iter().find(|code| held.contains(&format!("x:town_{code}"))).unwrap()
}

/// How many actors of this kind an instance has.
fn actors(instance: &Instance, kind: &str) -> usize {
    let actors = instance.get("/api/actors").unwrap().1;
    let names = actors["actors"].as_array().unwrap().iter().map(|actor| actor["name"].as_str().unwrap());
    names.filter(|name| name.starts_with(kind)).count()
}

#[actix_rt::test]
async fn three_instances_share_the_work_and_keep_the_order() {
    let Some(cluster) = cluster(60, Duration::from_millis(2)).await else { return };
    let [one, two, three] = cluster.start_three().await;
    cluster.assert_all_published_once_and_in_order(60).await;
    cluster.town.post(&message(61));
    cluster.assert_all_published_once_and_in_order(61).await;
    for instance in [&one, &two, &three] {
        assert!(instance.log().contains("lease acquired"), "{}", instance.log());
    }
    for instance in [one, two, three] {
        assert_eq!(instance.running.terminate(), Some(0));
    }
}

#[actix_rt::test]
async fn the_accounts_of_a_killed_instance_go_on_within_15_seconds() {
    let Some(cluster) = cluster(20, Duration::from_millis(2)).await else { return };
    let [one, mut two, _three] = cluster.start_three().await;
    cluster.assert_all_published_once_and_in_order(20).await;
    let orphan = language(&two, &one);
    two.running.kill();
    let killed = Instant::now();
    cluster.town.post(&message(21));
    cluster.town.until_published(orphan, 21).await;
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    cluster.assert_all_published_once_and_in_order(21).await;
}

#[actix_rt::test]
async fn the_accounts_of_an_instance_that_stops_move_at_once() {
    let Some(mut cluster) = cluster(20, Duration::from_millis(2)).await else { return };
    // Longer than a test waits: nothing moves because a lease runs out.
    cluster.settings.push("cluster.lease=5m".into());
    let one = cluster.start("one").await;
    cluster.assert_all_published_once_and_in_order(20).await;
    assert_eq!(one.running.terminate(), Some(0));
    cluster.settings.pop();
    let _two = cluster.start("two").await;
    cluster.town.post(&message(21));
    cluster.assert_all_published_once_and_in_order(21).await;
}

#[actix_rt::test]
async fn an_instance_that_was_suspended_publishes_nothing_twice_when_it_comes_back() {
    let Some(mut cluster) = cluster(150, Duration::from_millis(20)).await else { return };
    cluster.settings.push("cluster.lease=3s".into());
    let [one, two, three] = cluster.start_three().await;
    for stopped in [&two, &three, &two] {
        let accounts = stopped.holds(&one);
        stopped.signal(Signal::STOP);
        until("others have taken over", || {
            let seen = one.sees();
            stopped.admin().is_some_and(|admin| !seen.contains_key(&admin))
                && accounts.iter().all(|name| seen.values().any(|held| held.contains(name)))
        })
        .await;
        stopped.signal(Signal::CONT);
        one.until_shared(&[&one, &two, &three], 4, 1).await;
    }
    cluster.assert_all_published_once_and_in_order(150).await;
}

#[actix_rt::test]
async fn a_request_to_one_instance_is_done_by_all() {
    let Some(cluster) = cluster(5, Duration::from_millis(2)).await else { return };
    let [one, two, three] = cluster.start_three().await;
    cluster.assert_all_published_once_and_in_order(5).await;
    let paused = language(&three, &one);
    assert_eq!(one.post(&format!("/api/pauses/x:town_{paused}"), "{}").0, 200);
    until("the owner has heard of the pause", || {
        let pauses = three.get("/api/pauses").unwrap().1;
        pauses["pauses"]
            .as_array()
            .unwrap()
            .iter()
            .any(|pause| pause["what"] == format!("x:town_{paused}") && pause["paused"] == true)
    })
    .await;
    cluster.town.post(&message(6));
    for code in LANGUAGES.into_iter().filter(|code| *code != paused) {
        cluster.town.until_published(code, 6).await;
    }
    assert_eq!(cluster.town.publications(paused).len(), 5);
    // The job is skipped where it is not in memory.
    let waiting = || {
        let jobs = one.get("/api/jobs?state=ready,queued").unwrap().1;
        jobs["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    until("its translation is done", || waiting().len() == 1).await;
    let skip = format!("{{\"ids\": {:?}}}", waiting());
    assert_eq!(one.post("/api/jobs/skip", &skip).0, 200, "{skip}");
    assert_eq!(two.post(&format!("/api/pauses/x:town_{paused}/resume"), "{}").0, 200);
    cluster.town.post(&message(7));
    cluster.town.until_published(paused, 6).await;
    assert_eq!(numbers(&cluster.town.publications(paused)), [1, 2, 3, 4, 5, 7]);
    // The pool of every instance has its new size.
    assert_eq!(two.post("/api/pool/translator", "{\"size\": 2}").0, 200);
    until("all pools have their new size", || {
        [&one, &two, &three].iter().all(|instance| actors(instance, "translator") == 2)
    })
    .await;
    assert_eq!(three.post(&format!("/api/actors/publisher-town_{paused}/restart"), "{}").0, 202);
    assert_eq!(one.post(&format!("/api/actors/publisher-town_{paused}/restart"), "{}").0, 202);
    assert_eq!(two.post("/api/reload", "{}").0, 200);
    until("all have read their settings", || {
        [&one, &two, &three].iter().all(|instance| instance.log().contains("settings reloaded"))
    })
    .await;
}

#[actix_rt::test]
async fn while_the_ledger_is_down_nothing_is_published_and_then_it_goes_on_by_itself() {
    let Some(mut server) = Server::start(&[]) else { return };
    let Some(mut cluster) = cluster(200, Duration::from_millis(20)).await else { return };
    cluster.url = server.database();
    cluster.settings.push("cluster.lease=3s".into());
    let three = cluster.start_three().await;
    for round in 1..=2 {
        server.kill();
        until("all instances are not ready", || {
            three.iter().all(|instance| instance.get("/ready").is_some_and(|(status, _)| status == 503))
        })
        .await;
        // What was begun on record goes on until the leases lapse.
        until("all leases have lapsed", || {
            let lapsed = |instance: &Instance| instance.log().matches("lease lapsed").count();
            three.iter().map(lapsed).sum::<usize>() >= 5 * round
        })
        .await;
        until("no publisher runs", || three.iter().all(|instance| actors(instance, "publisher") == 0)).await;
        let published = || LANGUAGES.iter().map(|code| cluster.town.publications(code).len()).sum::<usize>();
        let failed = |instance: &Instance| instance.log().matches("ledger call failed").count();
        let failed = || three.iter().map(failed).sum::<usize>();
        let (before, failed_before) = (published(), failed());
        until("they have asked the ledger in vain", || failed() >= failed_before + 10).await;
        assert_eq!(before, published(), "nothing is published without a record");
        server.run();
        until("all instances are ready again", || {
            three.iter().all(|instance| instance.get("/ready").is_some_and(|(status, _)| status == 200))
        })
        .await;
    }
    cluster.assert_all_published_once_and_in_order(200).await;
    for instance in &three {
        assert!(!instance.log().contains("actor restarted"), "{}", instance.log());
    }
}

/// How often something happens, from the environment: `make chaos` sets larger numbers.
fn times(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// What happens to an instance, or to the ledger.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    /// An instance is killed and started again.
    Kill,
    /// It is suspended for twice the lease, and comes back.
    Suspension,
    /// It cannot reach the ledger for twice the lease.
    Partition,
    /// It cannot reach the network for twice the lease.
    Isolation,
    /// The ledger's server is killed and started again.
    Outage,
}

/// The environment of an instance whose clock differs by so many seconds; the real one without the library for that
/// (`apt-get install faketime`).
fn clock(seconds: i64) -> Vec<(String, String)> {
    let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    if seconds == 0 || !std::path::Path::new(library).exists() {
        return Vec::new();
    }
    // Only the time of day: no machine's time since its start differs from any other's.
    let set = [
        ("LD_PRELOAD", library),
        ("FAKETIME", &format!("{seconds:+}s")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// The lease in this test.
const LEASE: Duration = Duration::from_secs(3);

#[actix_rt::test]
async fn whatever_happens_to_instances_and_ledger_nothing_is_lost_or_published_twice() {
    let Some(mut server) = Server::start(&[]) else { return };
    let mut mishaps = Vec::new();
    for (mishap, name, default) in [
        (Mishap::Kill, "CLUSTER_KILLS", 2),
        (Mishap::Suspension, "CLUSTER_SUSPENSIONS", 1),
        (Mishap::Partition, "CLUSTER_PARTITIONS", 1),
        (Mishap::Isolation, "CLUSTER_PARTITIONS", 1),
        (Mishap::Outage, "CLUSTER_OUTAGES", 1),
    ] {
        mishaps.extend(std::iter::repeat_n(mishap, times(name, default)));
    }
    let seed = std::env::var("CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut dice = fastrand::Rng::with_seed(seed);
    dice.shuffle(&mut mishaps);
    let posts = times("CLUSTER_POSTS", 40);
    let Some(mut cluster) = cluster(posts / 2, Duration::from_millis(10)).await else { return };
    cluster.url = server.database();
    // Messages of this sandbox are visible within 600 ms.
    cluster.settings.extend([format!("cluster.lease={}s", LEASE.as_secs()), "publisher.settle=700ms".into()]);
    // 5 % of the messages are published without an answer.
    let lost = r#"{"rules": [{"endpoint": "x.post", "fault": "drop_after_act", "probability": 0.05}]}"#;
    cluster.town.order_faults(lost);
    let names = ["one", "two", "three"];
    let ledger = names.map(|_| LedgerProxy::to(&LedgerProxy::folder_in(&cluster.url)));
    let network = names.map(|_| NetworkProxy::to(&cluster.town.sandbox.url()));
    let clocks = [0, 180, -120].map(clock);
    let launch = |which: usize| {
        cluster.launch_in(&Surroundings {
            name: names[which],
            url: &ledger[which].url(&cluster.url),
            settings: &[format!("x.base_url={}", network[which].url())],
            environment: &clocks[which],
        })
    };
    let mut instances = [launch(0), launch(1), launch(2)];
    let (mut posted, total) = (posts / 2, mishaps.len());
    for (number, mishap) in mishaps.into_iter().enumerate() {
        eprintln!("{mishap:?}, {} of {total}, seed {seed}", number + 1);
        let more = (posts - posts / 2) / total.max(1);
        for _ in 0..more {
            posted += 1;
            cluster.town.post(&message(posted));
        }
        // Somewhere in the middle of work.
        actix_rt::time::sleep(Duration::from_millis(dice.u64(..3000))).await;
        let which = dice.usize(..3);
        match mishap {
            Mishap::Kill => {
                instances[which].running.kill();
                instances[which] = launch(which);
            }
            Mishap::Suspension => {
                instances[which].signal(Signal::STOP);
                actix_rt::time::sleep(LEASE * 2).await;
                instances[which].signal(Signal::CONT);
            }
            Mishap::Partition | Mishap::Isolation => {
                let is_of_ledger = matches!(mishap, Mishap::Partition);
                let cut = if is_of_ledger { &ledger[which].cut } else { &network[which].cut };
                cut.set(true);
                actix_rt::time::sleep(LEASE * 2).await;
                cut.set(false);
            }
            Mishap::Outage => {
                server.kill();
                server.run();
            }
        }
    }
    cluster.assert_all_published_once_and_in_order(posted).await;
    for instance in instances {
        assert_eq!(instance.running.terminate(), Some(0), "seed {seed}");
    }
}

#[actix_rt::test]
async fn a_file_left_behind_does_not_make_retention_rewrite_the_tables_of_the_server() {
    let Some(cluster) = cluster(3, Duration::from_millis(2)).await else { return };
    let mut one = cluster.start("one").await;
    cluster.assert_all_published_once_and_in_order(3).await;
    one.running.kill();
    let database = cluster.url.rsplit('/').next().unwrap();
    let sql = |sql: &str| Server::shared().unwrap().sql(database, sql);
    sql("UPDATE mynah.posts SET recorded_at = 0; UPDATE mynah.jobs SET updated_at = 0");
    let files = "SELECT pg_relation_filenode('mynah.posts')";
    let before = sql(files);
    std::fs::write(cluster.town.folder.path().join("one/ledger.sqlite"), "").unwrap();
    let one = cluster.start("one").await;
    until("old texts are removed", || one.log().contains("old texts removed")).await;
    assert_eq!(sql(files), before);
    assert_eq!(one.running.terminate(), Some(0));
}
