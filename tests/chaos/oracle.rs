//! What must hold afterwards, however the service died: every post that the source showed is on every account exactly
//! once, in the source's order, and threads are whole. And fresh posts flow.

use std::collections::BTreeSet;

use mynah_sandbox::TimelinePost;

use crate::support::{Town, account, message, numbers};

pub(crate) const LANGUAGES: [&str; 3] = ["es", "ca", "fr"];

/// A town that has said so many posts, on a network that fails as `seed` has it.
pub(crate) async fn town(posts: usize, seed: u64) -> Town {
    let mut town = Town::with_timeline((1..=posts).map(post).collect(), &LANGUAGES, "gemini").await;
    // A hung call is noticed soon, and a message shows at once in the sandbox, or the test would only wait.
    town.settings.extend(["x.timeout=500ms", "publisher.settle=200ms"].map(String::from));
    town.order_faults(&faults(seed));
    town
}

/// Every tenth post begins a thread of three.
pub(crate) fn post(number: usize) -> TimelinePost {
    let post = TimelinePost::new(message(number));
    if number % 10 <= 2 { post.in_thread(format!("thread-{}", number / 10)) } else { post }
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

/// How many publications there are on all accounts together.
pub(crate) fn said(town: &Town) -> usize {
    LANGUAGES.iter().map(|language| town.publications(language).len()).sum()
}

/// Runs `mynah once` until everything is said.
pub(crate) fn finish(town: &Town) -> usize {
    (1..=50).find(|_| town.start(&["once"]).wait() == Some(0)).expect("it comes to an end")
}

/// Looks at all accounts; `how` says how to run it again.
pub(crate) fn check(town: &Town, posts: usize, how: &str) {
    check_but(town, posts, &BTreeSet::new(), how);
}

/// Looks at all accounts. What is in `late`, by account and number, a person had tried again: it may stand anywhere.
pub(crate) fn check_but(town: &Town, posts: usize, late: &BTreeSet<(String, usize)>, how: &str) {
    let originals = town.sandbox.posts();
    for language in LANGUAGES {
        let account = account(language);
        let mut shown = town.publications(language);
        let in_time: Vec<usize> = numbers(&shown)
            .into_iter()
            .filter(|number| !late.contains(&(account.clone(), *number)))
            .collect();
        assert!(in_time.is_sorted(), "the order on @{account}, {in_time:?}: {how}");
        shown.sort_by_key(|post| numbers(std::slice::from_ref(post)));
        assert_eq!(numbers(&shown), (1..=posts).collect::<Vec<_>>(), "@{account}: {how}");
        for (post, original) in shown.iter().zip(&originals) {
            let parent = original.reply_to.and_then(|parent| {
                let at = originals.iter().position(|post| post.id == parent)?;
                Some(shown[at].id)
            });
            assert_eq!(post.reply_to, parent, "“{}”: {how}", post.text);
        }
    }
}

/// After the faults are over, what is said next is said everywhere.
pub(crate) fn fresh_posts_flow(town: &Town, posts: usize, how: &str) {
    town.order_faults(r#"{"rules": []}"#);
    town.sandbox.add_post(post(posts + 1));
    finish(town);
    check(town, posts + 1, how);
}
