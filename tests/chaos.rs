//! Whatever dies and whenever: `kill -9` at random moments, on a network that drops, delays, refuses and answers nothing
//! after having acted. Then the oracle: every post on every account once, in the source's order, threads whole.
//!
//! The short form runs with the other tests; `make chaos` runs the long one. The seed is printed on failure, and
//! `CHAOS_SEED` runs it again.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod support;

use std::time::{Duration, Instant};

use mynah_sandbox::TimelinePost;
use support::{Running, Town, account, numbers};

const LANGUAGES: [&str; 3] = ["es", "ca", "fr"];

/// How much of it.
struct Size {
    posts: usize,
    kills: usize,
    seed: u64,
}

impl Size {
    fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let count = |name: &str, default: u64| usize::try_from(number(name).unwrap_or(default)).unwrap();
        Self {
            posts: count("CHAOS_POSTS", 20),
            kills: count("CHAOS_KILLS", 5),
            seed: number("CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..)),
        }
    }
}

/// 5 % stored but unanswered, 10 % each of 429, 503 and hung calls.
fn faults(seed: u64) -> String {
    let rule = |fault: &str, probability: f64| {
        format!(r#"{{"endpoint": "x.post", "fault": {fault}, "probability": {probability}}}"#)
    };
    let rules = [
        rule(r#""drop_after_act""#, 0.05),
        rule(r#"{"status": 429}"#, 0.1),
        rule(r#"{"status": 503}"#, 0.1),
        rule(r#""hang""#, 0.1),
        r#"{"endpoint": "gemini.generate", "fault": "garbage", "probability": 0.1}"#.to_owned(),
        r#"{"endpoint": "gemini.generate", "fault": "half_body", "probability": 0.1}"#.to_owned(),
        r#"{"endpoint": "x.timeline", "fault": {"status": 503}, "probability": 0.1}"#.to_owned(),
    ];
    format!(r#"{{"seed": {seed}, "rules": [{}]}}"#, rules.join(","))
}

/// Every tenth post begins a thread of three.
fn timeline(posts: usize) -> Vec<TimelinePost> {
    (1..=posts)
        .map(|number| {
            let post = TimelinePost::new(format!("Message {number} from the town hall"));
            if number % 10 <= 2 { post.in_thread(format!("thread-{}", number / 10)) } else { post }
        })
        .collect()
}

#[actix_rt::test]
async fn nothing_is_lost_nothing_is_said_twice_and_order_and_threads_hold() {
    let Size { posts, kills, seed } = Size::from_environment();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut town = Town::with_timeline(timeline(posts), &LANGUAGES, "gemini").await;
    // A hung call is noticed soon, or the test would only wait.
    town.settings.push("x.timeout=500ms".into());
    town.order_faults(&faults(seed));

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
    let mut runs = 0;
    loop {
        runs += 1;
        let mut running: Running = town.start(&["once"]);
        if running.wait() == Some(0) || runs == 50 {
            break;
        }
    }

    for language in LANGUAGES {
        let shown = town.publications(language);
        let expected: Vec<usize> = (1..=posts).collect();
        assert_eq!(numbers(&shown), expected, "@{} with CHAOS_SEED={seed}", account(language));
        for (post, original) in shown.iter().zip(town.sandbox.posts()) {
            let parent = original.reply_to.and_then(|parent| {
                let at = town.sandbox.posts().iter().position(|post| post.id == parent)?;
                Some(shown[at].id)
            });
            assert_eq!(post.reply_to, parent, "“{}” with CHAOS_SEED={seed}", post.text);
        }
    }
    println!(
        "{posts} posts x {} targets, {killed} kills, {runs} runs after: 0 lost, 0 twice, {:.0} s, seed {seed}",
        LANGUAGES.len(),
        begun.elapsed().as_secs_f64()
    );
}

fn said(town: &Town) -> usize {
    LANGUAGES.iter().map(|language| town.publications(language).len()).sum()
}
