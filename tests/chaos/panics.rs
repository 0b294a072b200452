//! Panics in every actor and in every kind of future: message handlers, `started`, spawned futures, intervals, timers,
//! factories, steps, and around calls. The service must survive them. If one actor keeps dying, it must report that
//! and exit.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use mynah_sandbox::{Endpoint, Fault, FaultPlan, FaultRule};

use crate::{
    oracle::{LANGUAGES, Oracle, finish, post, published, town},
    seed, size,
    support::{PATIENCE, Town, numbered},
};

/// Failpoints that panic: name, share of all panics, and the most passes between two panics. Where a job is in
/// progress, panics are far apart, because a job that was in progress during three deaths counts as their cause.
const FAILPOINTS: [(&str, usize, usize); 26] = [
    ("router.handler", 15, 60),
    ("router.spawned", 15, 60),
    ("router.started", 4, 3),
    ("router.interval", 5, 20),
    ("cache.handler", 6, 4),
    ("cache.started", 2, 2),
    ("cache.interval", 2, 4),
    ("cache.spawned", 1, 2),
    ("stats.handler", 15, 30),
    ("stats.started", 3, 2),
    ("stats.interval", 1, 1),
    ("supervisor.handler", 10, 4),
    ("supervisor.timer", 6, 6),
    ("supervisor.interval", 4, 6),
    ("poller.step", 6, 4),
    ("poller.build", 2, 2),
    ("translator.step", 3, 30),
    ("translator.build", 3, 2),
    ("publisher.step", 4, 40),
    ("publisher.build", 2, 2),
    ("engine.translate.before", 1, 30),
    ("engine.translate.after", 1, 30),
    ("destination.publish.before", 2, 80),
    ("destination.publish.after", 2, 80),
    ("destination.lookup.after", 1, 20),
    ("source.read.after", 2, 6),
];

/// `3*off->1*panic->7*off->1*panic`, drawn from the seed.
fn actions(panics: usize, random: &mut fastrand::Rng) -> String {
    let shares: usize = FAILPOINTS.iter().map(|(_, share, _)| share).sum();
    let action = |(failpoint, share, gap): (&str, usize, usize)| {
        let times = (panics * share).div_ceil(shares);
        // The first pass never panics, so that the service can start.
        let steps: Vec<String> =
            (0..times).map(|_| format!("{}*off->1*panic", random.usize(1..=gap))).collect();
        format!("{failpoint}={}", steps.join("->"))
    };
    FAILPOINTS.map(action).join(";")
}

/// How long to wait for publications before jobs that were given up are retried.
const SHORT: Duration = Duration::from_secs(5);

fn shorten_intervals(town: &mut Town) {
    let settings = [
        "source.poll_interval=100ms",
        "stats.interval=100ms",
        "cache.snapshot_interval=1s",
        "supervisor.backoff=1ms",
        "supervisor.backoff_max=5ms",
        "supervisor.max_restarts=20",
    ];
    town.settings.extend(settings.map(String::from));
}

fn panics(town: &Town) -> usize {
    town.log().matches(r#"thread panicked reason="failpoint"#).count()
}

#[actix_rt::test]
async fn panics_anywhere_lose_nothing_and_do_not_end_the_service() {
    let (wanted, seed) = (size("CHAOS_PANICS", 100), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut posts = wanted / 2;
    // Network faults have their own suite. The few faults here keep lookups busy.
    let dropped = FaultRule::new(Endpoint::Post, Fault::DropAfterAct).probability(0.05);
    let plan = FaultPlan { rules: vec![dropped], ..FaultPlan::default() };
    let mut town = town(posts, &plan).await;
    shorten_intervals(&mut town);
    // Order more panics than wanted: some failpoints are rarely reached.
    town.environment = vec![("FAILPOINTS".to_owned(), actions(wanted * 5 / 4, &mut random))];
    let rerun = format!("CHAOS_PANICS={wanted} CHAOS_SEED={seed}");
    let oracle = Oracle::new(plan, rerun.clone());
    let begun = Instant::now();
    let mut running = town.start(&["run"]);
    let mut retried = BTreeSet::new();
    loop {
        let all = posts * LANGUAGES.len();
        let waiting = Instant::now();
        while !town.sandbox.until(SHORT, |_| published(&town) >= all || running.has_ended()).await {
            retried.extend(retry_failed_jobs(&town));
            assert!(
                waiting.elapsed() < PATIENCE * 2,
                "{} of {all}: {rerun}\n{}",
                published(&town),
                town.log_tail()
            );
        }
        assert!(!running.has_ended(), "the service exited: {rerun}\n{}", town.log_tail());
        if panics(&town) >= wanted || begun.elapsed() > Duration::from_mins(20) {
            break;
        }
        for _ in 0..20 {
            posts += 1;
            town.sandbox.add_post(post(posts));
        }
    }
    let seen = panics(&town);
    assert_eq!(running.terminate(), Some(0), "{rerun}\n{}", town.log_tail());
    oracle.check_with_retried(&town, posts, &retried);
    let log = town.log();
    let missed: Vec<&str> = FAILPOINTS
        .map(|(failpoint, ..)| failpoint)
        .into_iter()
        .filter(|failpoint| !log.contains(&format!(r#"thread panicked reason="failpoint {failpoint} panic"#)))
        .collect();
    town.environment.clear();
    town.order_faults(r#"{"rules": []}"#);
    town.sandbox.add_post(post(posts + 1));
    finish(&town, &rerun);
    oracle.check_with_retried(&town, posts + 1, &retried);
    println!(
        "panics: {posts} posts x {} targets, {seen} panics, none at {missed:?}, {} jobs given up and retried \
         by hand: 0 lost, 0 twice, {:.0} s; {rerun}",
        LANGUAGES.len(),
        retried.len(),
        begun.elapsed().as_secs_f64()
    );
    assert!(seen >= wanted, "only {seen} panics: {rerun}");
    assert!(retried.len() <= wanted / 100, "too many jobs given up to be chance: {retried:?}; {rerun}");
}

/// Retries jobs that were given up, as a person would. By chance three panics may hit the same job; then it is given
/// up, together with all replies to it.
fn retry_failed_jobs(town: &Town) -> Vec<(String, usize)> {
    let listed = town.command(&["jobs", "--state", "failed,held", "--json"]).output().unwrap();
    // The command may fail because the router is dead at this moment.
    let Ok(listed) = serde_json::from_slice::<serde_json::Value>(&listed.stdout) else { return Vec::new() };
    let jobs = listed["jobs"].as_array().unwrap();
    let ids: Vec<String> = jobs.iter().map(|job| job["id"].to_string()).collect();
    if !ids.is_empty() {
        let ids = ids.iter().map(String::as_str);
        let retry: Vec<&str> = ["jobs", "retry"].into_iter().chain(ids).collect();
        town.command(&retry).output().unwrap();
    }
    let number = |text: &str| text.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    let account = |target: &str| target.trim_start_matches("x:").to_owned();
    jobs.iter()
        .map(|job| (account(job["target"].as_str().unwrap()), number(job["text"].as_str().unwrap())))
        .collect()
}

#[actix_rt::test]
async fn an_actor_that_keeps_dying_ends_the_service_with_its_name() {
    let cases = [
        ("poller.build", "", "poller"),
        ("router.started", "", "router"),
        ("cache.started", "", "cache"),
        ("stats.started", "", "stats"),
        ("translator.step", "", "translator-"),
        ("publisher.step", "", "publisher-town_es"),
        // The supervisor receives no message until an actor dies.
        ("supervisor.handler", ";poller.step=1*panic", "the supervisor"),
    ];
    for (failpoint, others, actor) in cases {
        let mut town = Town::new(numbered(5), &["es"], "gemini").await;
        shorten_intervals(&mut town);
        town.settings.push("supervisor.max_restarts=3".into());
        town.environment = vec![("FAILPOINTS".to_owned(), format!("{failpoint}=panic{others}"))];
        let mut running = town.start(&["run"]);
        assert!(running.ends_within(PATIENCE), "{failpoint}\n{}", town.log_tail());
        assert_eq!(running.wait(), Some(1), "{failpoint}\n{}", town.log_tail());
        let log = town.log();
        let last = log.lines().last().unwrap_or_default();
        assert!(last.starts_with(&format!("mynah: {actor}")), "{failpoint}: {last}\n{}", town.log_tail());
        // What was not published is still in the ledger.
        town.environment.clear();
        town.settings.push("supervisor.max_restarts=5".into());
        town.once().assert_success();
        let (published, failed) = (town.publications("es").len(), town.log().matches(" job failed ").count());
        assert_eq!(published + failed, 5, "{failpoint}");
        assert!(failed <= 1, "{failpoint}: jobs are not the cause of these deaths");
    }
}
