//! `kill -9` at random moments.

use std::time::{Duration, Instant};

use crate::{
    oracle::{LANGUAGES, check, finish, fresh_posts_flow, said, town},
    seed, size,
};

#[actix_rt::test]
async fn nothing_is_lost_nothing_is_said_twice_and_order_and_threads_hold() {
    let (posts, kills, seed) = (size("CHAOS_POSTS", 20), size("CHAOS_KILLS", 5), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let town = town(posts, seed).await;
    let how = format!("CHAOS_POSTS={posts} CHAOS_KILLS={kills} CHAOS_SEED={seed}");

    let begun = Instant::now();
    let all = posts * LANGUAGES.len();
    let mut killed = 0;
    while killed < kills && said(&town) < all {
        // At a random moment of the work: after some more publications, or after some time, whichever comes first.
        let mut running = town.start(&["once"]);
        let goal = said(&town) + random.usize(0..=all / kills.max(1));
        let moment = Duration::from_millis(random.u64(20..4000));
        town.sandbox.until(moment, |_| said(&town) >= goal).await;
        running.kill();
        killed += 1;
    }
    let runs = finish(&town);
    check(&town, posts, &how);
    fresh_posts_flow(&town, posts, &how);
    println!(
        "kills: {posts} posts x {} targets, {killed} kills, {runs} runs after: 0 lost, 0 twice, {:.0} s; {how}",
        LANGUAGES.len(),
        begun.elapsed().as_secs_f64()
    );
}
