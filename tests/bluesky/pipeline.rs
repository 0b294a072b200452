//! The built binary between X, which the sandbox plays, and Bluesky's real server: one process follows an account on each
//! and publishes on the other. It is killed at random moments while both networks lose answers; each post must be on the
//! other account once, in order, with its thread, its link and its picture.

use std::fmt::Write as _;

use mynah_sandbox::{
    Endpoint, Fault as XFault, FaultPlan, FaultRule, MediaKind, RateLimits, SandboxConfig, TimelineMedia,
    TimelinePost,
};
use serde_json::{Value, json};

use crate::{
    PNG, Town,
    proxy::Fault,
    server::Parser,
    support::{self, message, numbers, until},
};

#[path = "../chaos/dice.rs"]
pub(crate) mod dice;

use dice::{seed, size};

/// The share of answers of Bluesky's server, and of publications on X, that are lost.
const LOST: f64 = 0.15;

/// Two networks, and settings for one process between them.
pub(crate) struct Between {
    pub(crate) bluesky: Town,
    pub(crate) x: support::Town,
    /// The last post on Bluesky, and the first of its thread.
    thread: Option<(Value, Value)>,
}

/// The first three of every five posts are a thread.
fn continues(number: usize) -> bool {
    matches!(number % 5, 2 | 3)
}

fn has_picture(number: usize) -> bool {
    number % 5 == 4
}

fn text(number: usize) -> String {
    if number.is_multiple_of(3) {
        format!("{} https://town.example/{number}?a=b", message(number))
    } else {
        message(number)
    }
}

fn alt(number: usize) -> String {
    format!("A white dog under tree {}", support::message(number))
}

impl Between {
    pub(crate) async fn new() -> Option<Self> {
        let bluesky = Town::new().await?;
        let config = SandboxConfig {
            account: "town".into(),
            rate_limits: RateLimits { window: std::time::Duration::from_secs(1), ..RateLimits::unlimited() },
            ..SandboxConfig::default()
        };
        let sandbox = mynah_sandbox::start(config.target("town_es", "es")).await.unwrap();
        let mut x = support::Town::on(sandbox, &["es"], "gemini");
        x.environment.push((bluesky.target.variable(), bluesky.target.app_password.clone()));
        let between = Self { bluesky, x, thread: None };
        between.write_settings();
        Some(between)
    }

    pub(crate) fn write_settings(&self) {
        let (x, bluesky) = (self.x.sandbox.url(), self.bluesky.proxy.url());
        let mut text = format!(
            "data_dir = \"{}\"\n[defaults.sources]\nstart = \"beginning\"\npoll_interval = \"200ms\"\n\
             [engine]\norder = [\"gemini\"]\n[engine.gemini]\nbase_url = \"{x}\"\n\
             [x]\nbase_url = \"{x}\"\nmedia_hosts = [\"127.0.0.1\"]\ntimeout = \"5s\"\n\
             [bluesky]\nbase_url = \"{bluesky}\"\nplc_url = \"{bluesky}\"\nstream = \"server\"\ntimeout = \"5s\"\n\
             [publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\nsettle = \"200ms\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n",
            self.x.folder.path().join("data").display()
        );
        let (source, target) = (&self.bluesky.source.handle, &self.bluesky.target.handle);
        write!(
            text,
            "[[sources]]\nname = \"town\"\naccount = \"town\"\n\
             [[sources]]\nname = \"harbor\"\nnetwork = \"bluesky\"\naccount = \"{source}\"\n\
             [[targets]]\nsource = \"town\"\nnetwork = \"bluesky\"\nlanguage = \"es\"\naccount = \"{target}\"\n\
             [[targets]]\nsource = \"harbor\"\nlanguage = \"es\"\naccount = \"town_es\"\n"
        )
        .unwrap();
        std::fs::write(self.x.config(), text).unwrap();
    }

    /// Posts a number on both followed accounts.
    pub(crate) async fn post(&mut self, number: usize) {
        let photo = |alt| TimelineMedia { kind: MediaKind::Photo, alt: Some(alt), url: None };
        let media = if has_picture(number) { vec![photo(alt(number))] } else { vec![] };
        let thread = (matches!(number % 5, 1..=3)).then(|| format!("thread {}", number / 5));
        self.x.sandbox.add_post(TimelinePost { media, thread, ..TimelinePost::new(text(number)) });

        let source = &self.bluesky.source;
        let mut more = json!({"langs": ["en"]});
        if let Some((last, first)) = self.thread.as_ref().filter(|_| continues(number)) {
            more["reply"] = json!({"root": first, "parent": last});
        }
        if has_picture(number) {
            let image = source.upload("image/png", PNG.to_vec()).await;
            more["embed"] =
                json!({"$type": "app.bsky.embed.images", "images": [{"image": image, "alt": alt(number)}]});
        }
        let (_, post) = source.write(&text(number), more).await;
        self.thread = match self.thread.take() {
            Some((_, first)) if continues(number) => Some((post, first)),
            _ => Some((post.clone(), post)),
        };
    }

    /// How many messages were published on both accounts, or will turn out to have been.
    fn published(&self) -> usize {
        self.x.sandbox.publications("town_es").len() + self.bluesky.proxy.calls("repo.putRecord")
    }

    fn lose_answers(&self, seed: u64) {
        self.bluesky.proxy.seed(seed);
        self.bluesky.proxy.set(Fault::LoseSome(LOST));
        let rule = |endpoint| FaultRule::new(endpoint, XFault::DropAfterAct).probability(LOST);
        let rules = [Endpoint::Post, Endpoint::Timeline].map(rule).into();
        self.x.sandbox.set_faults(FaultPlan { seed, rules, ..FaultPlan::default() });
    }

    /// Checks that each post is on the other network once, in order, and complete.
    async fn check(&self, posts: usize, rerun: &str) {
        let expected: Vec<usize> = (1..=posts).collect();
        let on_x = self.x.sandbox.publications("town_es");
        assert_eq!(numbers(&on_x), expected, "{rerun}\n{}", self.x.log_tail());
        let on_bluesky = self.bluesky.target.posts().await;
        let number = |record: &Value| -> usize {
            record["text"].as_str().unwrap().split_whitespace().find_map(|word| word.parse().ok()).unwrap()
        };
        let found: Vec<usize> = on_bluesky.iter().map(|(_, record)| number(record)).collect();
        assert_eq!(found, expected, "{rerun}\n{}", self.x.log_tail());
        let records: Vec<Value> = on_bluesky.iter().map(|(_, record)| record.clone()).collect();
        let read = Parser::start().read(&records);
        for (index, number) in expected.iter().copied().enumerate() {
            let record = &records[index];
            let parent = record["reply"]["parent"]["uri"].as_str();
            let parent = parent.map(|uri| uri.rsplit('/').next().unwrap());
            let expected = continues(number).then(|| on_bluesky[index - 1].0.as_str());
            assert_eq!(parent, expected, "{number}: {rerun}");
            assert_eq!(
                on_x[index].reply_to,
                continues(number).then(|| on_x[index - 1].id),
                "{number}: {rerun}"
            );
            let images = record["embed"]["images"].as_array().map(Vec::as_slice).unwrap_or_default();
            for alts in [
                images.iter().map(|image| image["alt"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
                on_x[index].media.iter().map(|medium| medium.alt.clone().unwrap_or_default()).collect(),
            ] {
                assert_eq!(
                    alts.len(),
                    usize::from(has_picture(number)),
                    "{number}: {rerun}\n{}",
                    self.x.log_tail()
                );
                assert!(alts.iter().all(|alt| !alt.is_empty()), "{number}: {rerun}");
            }
            assert_eq!(
                (&read[index]["valid"], &record["langs"]),
                (&json!(true), &json!(["es"])),
                "{number}: {rerun}"
            );
            let links: Vec<_> =
                read[index]["segments"].as_array().unwrap().iter().filter_map(|s| s["is"].as_str()).collect();
            let link = format!("https://town.example/{number}?a=b");
            let expected = if number.is_multiple_of(3) { vec![&*link] } else { vec![] };
            assert_eq!(links, expected, "{number}: {rerun}");
        }
        // On Bluesky, a message is sent again, and never looked up.
        let target = &self.bluesky.target.did;
        assert_eq!(self.bluesky.proxy.calls(&format!("listRecords?repo={target}")), 0, "{rerun}");
    }
}

#[actix_rt::test]
async fn a_service_that_is_killed_while_answers_are_lost_publishes_every_post_once_and_in_order() {
    let (posts, kills, seed) = (size("CHAOS_POSTS", 20), size("CHAOS_KILLS", 8), seed());
    let Some(mut between) = Between::new().await else { return };
    let rerun = format!("CHAOS_POSTS={posts} CHAOS_KILLS={kills} CHAOS_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    between.lose_answers(seed);
    let mut posted = 0;
    for kill in 0..kills {
        // Each run needs something to do.
        let goal = posts * (kill + 1) / kills;
        for number in posted + 1..=goal {
            between.post(number).await;
        }
        posted = goal;
        let mut running = between.x.start(&["run"]);
        // Every fourth is killed while it starts, the others after some more messages.
        let before = between.published();
        let more = if random.usize(0..4) == 0 { 0 } else { random.usize(1..=posts / kills + 2) };
        let begun = std::time::Instant::now();
        let most = std::time::Duration::from_millis(random.u64(100..6_000));
        until("a moment to kill", || {
            assert!(!running.has_ended(), "the service ended by itself: {rerun}\n{}", between.x.log_tail());
            between.published() >= before + more && more > 0 || begun.elapsed() >= most
        })
        .await;
        running.kill();
    }
    // The runs that were killed may have published everything, and a signal to a process that only just starts kills it.
    let (mut running, _) = between.x.serve().await;
    let target = between.bluesky.target.clone();
    let begun = std::time::Instant::now();
    while between.x.sandbox.publications("town_es").len() < posts || target.posts().await.len() < posts {
        assert!(!running.has_ended(), "the service ended by itself: {rerun}\n{}", between.x.log_tail());
        assert!(begun.elapsed() < support::PATIENCE, "it does not finish: {rerun}\n{}", between.x.log_tail());
        actix_rt::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(running.terminate(), Some(0), "{rerun}\n{}", between.x.log_tail());
    between.check(posts, &rerun).await;
    println!(
        "bluesky kills: {posts} posts each way, {kills} kills, {} answers lost on Bluesky: 0 lost, 0 twice, no look-up; {rerun}",
        between.bluesky.proxy.lost()
    );
}

#[actix_rt::test]
async fn check_names_the_accounts_and_once_publishes_what_there_is() {
    let Some(mut between) = Between::new().await else { return };
    for number in 1..=3 {
        between.post(number).await;
    }
    let check = support::run(&between.x, &["check"]);
    check.assert_success();
    assert!(check.out.contains(&between.bluesky.target.did), "{}", check.out);
    let once = between.x.once();
    once.assert_success();
    between.check(3, "").await;
    // A second run finds the session in the ledger.
    let logins = between.bluesky.proxy.calls("createSession");
    between.x.once().assert_success();
    assert_eq!(between.bluesky.proxy.calls("createSession"), logins);
}
