//! Cuts a live connection at random moments while its account writes posts. The source is polled once an hour, so whatever
//! is published in time was heard of, or was found after the connection was made again.

use std::time::{Duration, Instant};

use super::{Running, Town, numbers, until};

/// A connection that a test can cut.
pub(crate) trait Cuttable {
    /// Whether it is open.
    fn is_open(&self) -> bool;
    fn cut(&self);
}

/// How often and with which random numbers to cut.
pub(crate) struct Cuts {
    pub(crate) count: usize,
    pub(crate) seed: u64,
}

/// Writes a post for each cut, and checks that each is published in Spanish once and in order. Two of three posts are
/// followed or preceded by a cut: a connection that never brings anything is made again ever later.
#[expect(clippy::print_stdout, reason = "the result, for whoever runs it")]
pub(crate) async fn lose_nothing(
    name: &str,
    Cuts { count: cuts, seed }: Cuts,
    town: &Town,
    running: &mut Running,
    connection: &impl Cuttable,
    post: impl AsyncFn(usize),
) {
    let rerun = format!("LIVE_CUTS={cuts} CHAOS_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut times = Vec::new();
    let mut done = 0;
    for number in 1.. {
        if done == cuts {
            break;
        }
        until("the stream is open", || connection.is_open()).await;
        let is_cut = number % 3 != 0;
        let is_cut_before = is_cut && random.bool();
        done += usize::from(is_cut);
        if is_cut_before {
            connection.cut();
        }
        post(number).await;
        let begun = Instant::now();
        if is_cut && !is_cut_before {
            actix_rt::time::sleep(Duration::from_millis(random.u64(0..300))).await;
            connection.cut();
        }
        town.until_published("es", number).await;
        times.push(begun.elapsed().as_millis());
        assert!(!running.has_ended(), "{rerun}\n{}", town.log_tail());
    }
    let posts = times.len();
    assert_eq!(numbers(&town.publications("es")), (1..=posts).collect::<Vec<_>>(), "{rerun}");
    times.sort_unstable();
    println!(
        "{name}: {posts} posts, {cuts} cuts: 0 lost, 0 twice; half within {} ms, all within {} ms; {rerun}",
        times[posts / 2],
        times[posts - 1]
    );
}
