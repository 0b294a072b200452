//! Ends the process at once, like `kill -9`, right before or right after each commit of the ledger and each call to an
//! upstream.

use mynah_sandbox::FaultPlan;

use crate::{
    oracle::{LANGUAGES, Oracle, finish, plan, post, short_plan, town, town_on},
    postgres::Server,
    seed, size,
    support::Town,
};

const FAILPOINTS: [&str; 10] = [
    "ledger.commit.before",
    "ledger.commit.after",
    "source.read.before",
    "source.read.after",
    "engine.translate.before",
    "engine.translate.after",
    "destination.publish.before",
    "destination.publish.after",
    "destination.lookup.before",
    "destination.lookup.after",
];

#[actix_rt::test]
async fn a_crash_before_or_after_any_commit_or_call_loses_nothing_and_publishes_nothing_twice() {
    let (posts, rounds, seed) = (size("CHAOS_POSTS", 20), size("CHAOS_CRASHES", 2), seed());
    let plan = plan(seed);
    let town = town(posts, &plan).await;
    crash_everywhere(town, plan, posts, rounds, seed);
}

#[actix_rt::test]
async fn the_same_holds_with_the_ledger_on_postgresql() {
    let Some(server) = Server::shared() else { return };
    let (posts, rounds, seed) = (20, 2, seed());
    let plan = short_plan(seed);
    let town = town_on(server, posts, &plan).await;
    crash_everywhere(town, plan, posts, rounds, seed);
}

#[expect(clippy::print_stdout, reason = "the result, for whoever runs it")]
fn crash_everywhere(mut town: Town, plan: FaultPlan, posts: usize, rounds: usize, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let rerun = format!("CHAOS_POSTS={posts} CHAOS_CRASHES={rounds} CHAOS_SEED={seed}");
    let mut oracle = Oracle::new(plan, rerun.clone());
    let mut crashes = 0;
    let mut posts = posts;
    for _ in 0..rounds {
        for failpoint in FAILPOINTS {
            // Each run needs something to do.
            for _ in 0..2 {
                posts += 1;
                town.sandbox.add_post(post(posts));
            }
            // Crash at the first pass or soon after.
            let passes = random.usize(0..3);
            let action = format!("{failpoint}={passes}*off->1*return");
            town.environment = vec![("FAILPOINTS".to_owned(), action)];
            // No exit code means that a signal ended the process.
            crashes += usize::from(town.start(&["once"]).wait().is_none());
        }
    }
    town.environment.clear();
    finish(&town, &rerun);
    oracle.check(&town, posts);
    oracle.fresh_posts_flow(&town, posts);
    assert!(
        crashes >= rounds * FAILPOINTS.len() / 2,
        "only {crashes} crashes, because the work ran out; {rerun}"
    );
    println!(
        "crashes: {posts} posts x {} targets, {crashes} crashes: 0 lost, 0 twice; {rerun}",
        LANGUAGES.len()
    );
}
