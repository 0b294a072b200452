//! Instances that share translations on a Redis server, and what becomes of them when it is killed, hangs, is full or has
//! garbage: everything is published, once and in order, and only hits are lost. Skipped where Redis is not installed.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[path = "contract/shared_cache.rs"]
mod contract;
#[path = "support/redis.rs"]
mod redis;
mod support;

use std::time::{Duration, Instant};

use mynah::cache::{Address, RedisCache};
use mynah_domain::{
    fixtures::shared_cache::MemorySharedCache,
    ports::{
        SharedCache as _,
        shared_cache::{SharedCacheError, SharedEntry, SharedKey},
    },
};
use mynah_sandbox::Endpoint;
use redis::Server;
use support::{Running, Signal, Town, message, numbered, numbers, run, run_json, signal, until};

const LANGUAGES: [&str; 2] = ["es", "fr"];

/// A town of its own that has posted `posts` messages and shares translations on a server.
async fn town(server: &Server, posts: usize) -> Town {
    let mut town = Town::new(numbered(posts), &LANGUAGES, "gemini").await;
    town.settings.push(format!("cache.url={}", server.url()));
    town
}

fn calls(town: &Town) -> u64 {
    town.sandbox.count(Endpoint::Generate).requests
}

async fn assert_published_in_order(town: &Town, posts: usize) {
    for code in LANGUAGES {
        town.until_published(code, posts).await;
        assert_eq!(numbers(&town.publications(code)), (1..=posts).collect::<Vec<_>>(), "{code}");
    }
}

fn degraded(town: &Town) -> String {
    run_json(town, &["status"])["degraded"].to_string()
}

/// Starts a service, and posts and publishes so many messages.
async fn serve(town: &Town, posts: usize) -> Running {
    let (running, _) = town.serve().await;
    assert_published_in_order(town, posts).await;
    running
}

fn cache(server: &Server) -> RedisCache {
    RedisCache::new(Address::parse(&server.url()).unwrap()).unwrap()
}

#[actix_rt::test]
async fn redis_keeps_the_contract() {
    contract::assert_contract(&MemorySharedCache::default()).await;
    let Some(server) = Server::start(&[]) else { return };
    contract::assert_contract(&cache(&server)).await;
}

#[actix_rt::test]
async fn a_user_who_may_do_no_more_than_the_docs_say_may_do_all_that_is_needed() {
    let Some(server) = Server::start(&[]) else { return };
    let docs = std::fs::read_to_string("docs/cluster.md").unwrap();
    let rule = docs.lines().find_map(|line| line.trim().strip_prefix("ACL SETUSER mynah ")).unwrap();
    let rule = rule.replace("PASSWORD", "hunter2");
    server.ask(&["ACL", "SETUSER", "mynah"].into_iter().chain(rule.split(' ')).collect::<Vec<_>>());
    let url = server.url().replace("redis://", "redis://mynah@") + "/3";
    let address = Address::parse(&url).unwrap().with_password(&"hunter2".into());
    contract::assert_contract(&RedisCache::new(address.clone()).unwrap()).await;
    let report = mynah::cache::report(&address, Duration::from_secs(5)).await.unwrap();
    assert!(report.contains(": Redis ") && report.contains("can be used"), "{report}");
    for command in ["ping", "mget", "get", "set", "del", "eval", "select"] {
        server.ask(&["ACL", "SETUSER", "mynah", &format!("-{command}")]);
        let refused = mynah::cache::report(&address, Duration::from_secs(5)).await;
        let fix = "allow this user what docs/cluster.md lists";
        assert!(refused.as_ref().is_err_and(|why| why.contains(fix)), "{command}: {refused:?}");
        server.ask(&["ACL", "SETUSER", "mynah", &format!("+{command}")]);
    }
}

#[actix_rt::test]
async fn entries_and_claims_expire_on_the_server() {
    let Some(server) = Server::start(&[]) else { return };
    let cache = cache(&server);
    let (key, ttl) = (SharedKey([7; 16]), Duration::from_secs(100));
    cache.put(&[SharedEntry { key, value: b"Hola".to_vec(), ttl }]).await.unwrap();
    cache.claim(&[key], "mine", ttl).await.unwrap();
    let hex = "07".repeat(16);
    for name in [format!("mynah:1:{hex}"), format!("mynah:1:{hex}:claim")] {
        let left: u64 = server.ask(&["PTTL", &name]).parse().unwrap();
        assert!((90_000..=100_000).contains(&left), "{name}: {left}");
    }
    // Foreign data is a miss.
    server.ask(&["DEL", &format!("mynah:1:{hex}")]);
    server.ask(&["LPUSH", &format!("mynah:1:{hex}"), "x"]);
    assert_eq!(cache.get(&[key]).await, Ok(vec![None]));
}

#[actix_rt::test]
async fn a_server_that_is_gone_full_or_locked_says_so_and_is_used_again_when_it_is_back() {
    let Some(mut server) = Server::start(&["--maxmemory-policy", "noeviction"]) else { return };
    let cache = cache(&server);
    let entry = SharedEntry { key: SharedKey([7; 16]), value: b"Hola".to_vec(), ttl: Duration::from_secs(9) };
    cache.put(std::slice::from_ref(&entry)).await.unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = cache.put(std::slice::from_ref(&entry)).await;
    assert!(matches!(&refused, Err(SharedCacheError::Refused(why)) if why.contains("OOM")), "{refused:?}");
    assert_eq!(cache.get(&[entry.key]).await, Ok(vec![Some(b"Hola".to_vec())]), "it can be read");
    assert_eq!(cache.remove(&[entry.key]).await, Ok(()));
    server.kill();
    let gone = cache.put(std::slice::from_ref(&entry)).await;
    assert!(matches!(gone, Err(SharedCacheError::Unavailable(_))), "{gone:?}");
    server.run();
    cache.ping().await.unwrap();
    server.ask(&["CONFIG", "SET", "requirepass", "hunter2"]);
    let locked = RedisCache::new(Address::parse(&server.url()).unwrap()).unwrap();
    assert!(locked.ping().await.is_err());
    let address = Address::parse(&server.url()).unwrap().with_password(&"hunter2".into());
    RedisCache::new(address).unwrap().ping().await.unwrap();
}

#[actix_rt::test]
async fn what_one_instance_paid_for_is_free_for_another() {
    let Some(server) = Server::start(&[]) else { return };
    let (one, two) = (town(&server, 12).await, town(&server, 12).await);
    one.once().assert_success();
    assert_published_in_order(&one, 12).await;
    let paid = calls(&one);
    until("the translations are shared", || server.keys().len() >= 2).await;
    let shared = server.keys().len();
    two.once().assert_success();
    assert_published_in_order(&two, 12).await;
    assert!(paid > 0);
    assert_eq!(calls(&two), 0, "{shared} keys: {}", two.log());
    for key in server.keys() {
        // No text of a post.
        let hex = key.strip_prefix("mynah:1:").unwrap();
        assert!(hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    }
}

#[actix_rt::test]
async fn garbage_on_the_server_is_translated_again() {
    let Some(server) = Server::start(&[]) else { return };
    let (one, two) = (town(&server, 6).await, town(&server, 6).await);
    one.once().assert_success();
    until("the translations are shared", || server.keys().len() >= 2).await;
    for (number, key) in server.keys().iter().enumerate() {
        match number % 3 {
            0 => server.ask(&["SET", key, "\u{1}garbage"]),
            1 => {
                server.ask(&["DEL", key]);
                server.ask(&["HSET", key, "text", "Hola"])
            }
            _ => server.ask(&["SETRANGE", key, "12", "?????"]),
        };
    }
    two.once().assert_success();
    assert_published_in_order(&two, 6).await;
    assert!(calls(&two) > 0);
}

#[actix_rt::test]
async fn a_server_that_is_killed_in_the_middle_costs_only_hits() {
    let Some(mut server) = Server::start(&[]) else { return };
    let town = town(&server, 10).await;
    let running = serve(&town, 10).await;
    server.kill();
    for number in 11..=20 {
        town.post(&message(number));
    }
    assert_published_in_order(&town, 20).await;
    until("people are told", || degraded(&town).contains("is away")).await;
    assert!(town.log().contains("shared cache away"), "{}", town.log());
    // It is no reason to restart the service.
    run(&town, &["health"]).assert_success();
    server.run();
    until("it is used again", || town.log().contains("shared cache back")).await;
    until("people are told", || degraded(&town) == "[]").await;
    town.post(&message(21));
    assert_published_in_order(&town, 21).await;
    until("its translation is shared", || !server.keys().is_empty()).await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_server_that_hangs_delays_nothing() {
    let Some(server) = Server::start(&[]) else { return };
    let town = town(&server, 10).await;
    let running = serve(&town, 10).await;
    // It accepts connections and commands, and answers none.
    signal(server.id(), Signal::STOP);
    for number in 11..=20 {
        town.post(&message(number));
    }
    assert_published_in_order(&town, 20).await;
    signal(server.id(), Signal::CONT);
    // Slow by five seconds: every answer comes after its caller has gone.
    let begun = Instant::now();
    server.ask(&["CLIENT", "PAUSE", "5000", "ALL"]);
    for number in 21..=30 {
        town.post(&message(number));
    }
    assert_published_in_order(&town, 30).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    until("it is used again", || degraded(&town) == "[]").await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_full_server_stores_nothing_and_people_are_told() {
    let Some(server) = Server::start(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]) else {
        return;
    };
    let town = town(&server, 10).await;
    let running = serve(&town, 10).await;
    until("people are told", || degraded(&town).contains("stores nothing (OOM")).await;
    assert!(server.keys().is_empty());
    let checked = run(&town, &["check"]);
    assert!(checked.out.contains("FAIL  shared cache") && checked.out.contains("OOM"), "{}", checked.out);
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn the_password_is_a_secret_and_a_wrong_one_costs_only_hits() {
    let Some(server) = Server::start(&["--requirepass", "hunter2"]) else { return };
    let mut town = town(&server, 3).await;
    let check = |town: &Town| run(town, &["check"]).out;
    let checked = check(&town);
    assert!(checked.contains("FAIL  shared cache") && checked.contains("MYNAH_CACHE_PASSWORD"), "{checked}");
    town.once().assert_success();
    assert_published_in_order(&town, 3).await;
    town.environment.push(("MYNAH_CACHE_PASSWORD".into(), "hunter2".into()));
    let checked = check(&town);
    assert!(checked.contains(&format!("ok    shared cache: {}: Redis ", server.url())), "{checked}");
    assert!(checked.contains("set maxmemory"), "{checked}");
    let all = run(&town, &["check", "--all"]).out;
    assert!(!all.contains("hunter2") && all.contains("MYNAH_CACHE_PASSWORD"), "{all}");
    town.settings.push(format!("cache.url={}", server.url().replace("redis://", "redis://me:hunter2@")));
    let refused = run(&town, &["check", "--offline"]);
    let said = format!("{}{}", refused.out, refused.err);
    assert!(said.contains("the address contains a password") && !said.contains("hunter2"), "{said}");
}

#[actix_rt::test]
async fn forgetting_a_post_removes_its_translations_from_the_server() {
    let Some(server) = Server::start(&[]) else { return };
    let town = town(&server, 3).await;
    let running = serve(&town, 3).await;
    until("the translations are shared", || server.keys().len() >= 2).await;
    let post = town.sandbox.posts()[0].id.to_string();
    run(&town, &["forget", &post, "--yes"]).assert_success();
    assert_eq!(server.keys(), Vec::<String>::new());
    assert_eq!(running.terminate(), Some(0));
}
