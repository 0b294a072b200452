//! Kills the service with `kill -9` at random moments.

use std::time::{Duration, Instant};

use mynah_sandbox::FaultPlan;

use crate::{
    oracle::{LANGUAGES, Oracle, finish, plan, published, short_plan, town, town_on},
    postgres::Server,
    seed, size,
    stalls::Watch,
    support::Town,
};

#[actix_rt::test]
async fn nothing_is_lost_nothing_is_published_twice_and_order_and_threads_hold() {
    let (posts, kills, seed) = (size("CHAOS_POSTS", 40), size("CHAOS_KILLS", 8), seed());
    let plan = plan(seed);
    let town = town(posts, &plan).await;
    kill_at_random_moments(town, plan, posts, kills, seed).await;
}

#[actix_rt::test]
async fn the_same_holds_with_the_ledger_on_postgresql() {
    let Some(server) = Server::shared() else { return };
    // At its short size: only the ledger is another one.
    let (posts, kills, seed) = (40, 8, seed());
    let plan = short_plan(seed);
    let town = town_on(server, posts, &plan).await;
    kill_at_random_moments(town, plan, posts, kills, seed).await;
}

#[expect(clippy::print_stdout, reason = "the result, for whoever runs it")]
async fn kill_at_random_moments(town: Town, plan: FaultPlan, posts: usize, kills: usize, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let rerun = format!("CHAOS_POSTS={posts} CHAOS_KILLS={kills} CHAOS_SEED={seed}");
    let mut oracle = Oracle::new(plan.clone(), rerun.clone());
    let begun = Instant::now();
    let all = oracle.min_publications(posts);
    let mut killed = 0;
    let mut watch = Watch::new(&town);
    while killed < kills && published(&town) < all {
        // Kill at a random moment: after some more publications or after some time, whichever comes first.
        let mut running = town.start(&["once"]);
        let goal = published(&town) + random.usize(0..=all / kills.max(1));
        let moment = Duration::from_millis(random.u64(20..4000));
        town.sandbox.until(moment, |_| published(&town) >= goal).await;
        running.kill();
        killed += 1;
        watch.check(&town, &rerun);
    }
    let runs = finish(&town, &rerun);
    oracle.check(&town, posts);
    oracle.fresh_posts_flow(&town, posts);
    println!(
        "kills: {posts} posts x {} targets, {killed} kills, {runs} more runs: 0 lost, 0 twice, {:.0} s; {rerun}",
        LANGUAGES.len(),
        begun.elapsed().as_secs_f64()
    );
}
