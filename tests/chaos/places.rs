//! The process ends on the spot, as by `kill -9`, exactly before and exactly after every commit of the ledger and every
//! call to the world.

use crate::{
    oracle::{LANGUAGES, Oracle, finish, plan, post, town},
    seed, size,
};

const PLACES: [&str; 10] = [
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
async fn a_crash_before_or_after_any_commit_or_call_loses_nothing_and_says_nothing_twice() {
    let (posts, rounds, seed) = (size("CHAOS_POSTS", 20), size("CHAOS_CRASHES", 2), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let plan = plan(seed);
    let mut town = town(posts, &plan).await;
    let how = format!("CHAOS_POSTS={posts} CHAOS_CRASHES={rounds} CHAOS_SEED={seed}");
    let mut oracle = Oracle::new(plan, how.clone());
    let mut crashes = 0;
    let mut posts = posts;
    for _ in 0..rounds {
        for place in PLACES {
            // There is something to do in each run.
            for _ in 0..2 {
                posts += 1;
                town.sandbox.add_post(post(posts));
            }
            // The first pass, or one soon after.
            let passes = random.usize(0..3);
            let order = format!("{place}={passes}*off->1*return");
            town.environment = vec![("FAILPOINTS".to_owned(), order)];
            // No exit code: a signal ended it.
            crashes += usize::from(town.start(&["once"]).wait().is_none());
        }
    }
    town.environment.clear();
    finish(&town, &how);
    oracle.check(&town, posts);
    oracle.fresh_posts_flow(&town, posts);
    assert!(crashes >= rounds * PLACES.len() / 2, "only {crashes} crashes: the work ran out; {how}");
    println!(
        "places: {posts} posts x {} targets, {crashes} crashes: 0 lost, 0 twice; {how}",
        LANGUAGES.len()
    );
}
