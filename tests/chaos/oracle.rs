//! Checks what must hold however the service crashed and whatever the network answered: every post that the source
//! showed is on every account exactly once, in the source's order, and threads are whole. Versions of an edited post
//! count as one post. Unreadable posts are held for a person, posts that X withholds are not published, and new posts
//! still flow.

use std::collections::{BTreeMap, BTreeSet};

use mynah_sandbox::{
    Edited, Fate, FaultPlan, MediaKind, PostId, Readability, StoredPost, TimelineMedia, TimelinePost,
};
use serde_json::Value;

use crate::{
    postgres::Server,
    stalls::Watch,
    support::{Town, account, message, numbers},
};

pub(crate) const LANGUAGES: [&str; 3] = ["es", "ca", "fr"];

/// The photo that the profile `odd` links posts to.
const OTHERS_PHOTO: &str = "https://x.com/somebody_else/status/1/photo/1";

/// The longest allowed line of the log, far shorter than an error answer of the profile `echo`.
const MAX_LINE: usize = 16 * 1024;
/// The most runs until everything is published.
const MAX_RUNS: usize = 50;

/// A town with `posts` posts, on a network that fails according to `plan`.
pub(crate) async fn town(posts: usize, plan: &FaultPlan) -> Town {
    let mut town = Town::with_timeline((1..=posts).map(post).collect(), &LANGUAGES, "gemini").await;
    // Detect hung calls soon. The sandbox shows a publication within 600 ms, so a longer `settle` would only waste
    // time.
    town.settings.extend(["x.timeout=500ms", "publisher.settle=700ms"].map(String::from));
    town.sandbox.set_faults(plan.clone());
    town
}

/// Every tenth post begins a thread of three. Some others are very short, or have a link or a picture.
pub(crate) fn post(number: usize) -> TimelinePost {
    match number % 10 {
        0..=2 => TimelinePost::new(message(number)).in_thread(format!("thread-{}", number / 10)),
        4 => TimelinePost::new(format!("Live now {number}")),
        6 => TimelinePost::new(format!("{} https://example.com/{number}", message(number))),
        8 if number % 20 == 8 => TimelinePost {
            media: vec![TimelineMedia { kind: MediaKind::Photo, alt: Some(message(number)), url: None }],
            ..TimelinePost::new(message(number))
        },
        _ => TimelinePost::new(message(number)),
    }
}

/// The number of the post that this one replies to.
pub(crate) fn parent(number: usize) -> Option<usize> {
    ((1..=2).contains(&(number % 10)) && number > 1).then(|| number - 1)
}

/// The same with its ledger in a database.
pub(crate) async fn town_on(server: &Server, posts: usize, plan: &FaultPlan) -> Town {
    let mut town = town(posts, plan).await;
    // The leases of a killed run must not keep the next one waiting for long.
    town.settings.extend([format!("ledger.url={}", server.database()), "cluster.lease=3s".into()]);
    town
}

/// The same plan with fewer profiles, for a second ledger: they concern the networks, not the ledger.
pub(crate) fn short_plan(seed: u64) -> FaultPlan {
    plan_with(seed, "late")
}

/// 5 % of posts stored but unanswered, 10 % each of 429, 503 and hung calls, and all profiles, or those that
/// `CHAOS_PROFILES` names.
pub(crate) fn plan(seed: u64) -> FaultPlan {
    let profiles =
        std::env::var("CHAOS_PROFILES").unwrap_or_else(|_| "nulls,odd,edited,late,echo,hostile".to_owned());
    plan_with(seed, &profiles)
}

fn plan_with(seed: u64, profiles: &str) -> FaultPlan {
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
    let profiles: Vec<&str> = profiles.split(',').filter(|name| !name.is_empty()).collect();
    let profiles = serde_json::to_string(&profiles).unwrap();
    let rules = rules.join(",");
    serde_json::from_str(&format!(r#"{{"seed": {seed}, "profiles": {profiles}, "rules": [{rules}]}}"#))
        .unwrap()
}

/// The number of publications on all accounts together.
pub(crate) fn published(town: &Town) -> usize {
    LANGUAGES.iter().map(|language| town.publications(language).len()).sum()
}

/// Runs `mynah once` until everything is published.
pub(crate) fn finish(town: &Town, rerun: &str) -> usize {
    let mut watch = Watch::new(town);
    let ended = (1..=MAX_RUNS).find(|_| {
        let mut running = town.start(&["once"]);
        while !running.ends_within(std::time::Duration::from_secs(2)) {
            watch.check(town, rerun);
        }
        running.wait() == Some(0)
    });
    ended.unwrap_or_else(|| {
        panic!("everything is still not published after {MAX_RUNS} runs: {rerun}\n{}", town.log_tail())
    })
}

/// What should happen to a post on each account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// It is published once.
    Once,
    /// X shows a notice in its place.
    Never,
    /// It is unreadable and held for a person.
    Held,
    /// It continues a thread that may be held, so it may be held too.
    Perhaps,
}

/// Knows what the accounts must show.
pub(crate) struct Oracle {
    plan: FaultPlan,
    /// The profiles of the plan affected posts up to this number, and no later ones.
    last_affected: usize,
    /// The settings that repeat the test.
    rerun: String,
}

/// A job of the ledger, as `mynah jobs --json` prints it.
#[derive(Debug)]
struct LedgerJob {
    post: String,
    target: String,
    state: String,
    /// Why it is held, failed or skipped.
    reason: String,
}

impl Oracle {
    /// An oracle for posts that `plan` affects. `rerun` names the settings that repeat the test.
    pub(crate) fn new(plan: FaultPlan, rerun: String) -> Self {
        Self { plan, last_affected: usize::MAX, rerun }
    }

    fn fate(&self, number: usize) -> Fate {
        // A post's number fits into 64 bits.
        if number <= self.last_affected { self.plan.fate(number as u64) } else { Fate::default() }
    }

    fn expected(&self, number: usize) -> Expected {
        let fate = self.fate(number);
        if fate.withheld {
            return Expected::Never;
        }
        if fate.readability == Readability::Nowhere {
            return Expected::Held;
        }
        match parent(number).map(|parent| self.expected(parent)) {
            Some(Expected::Held | Expected::Perhaps) => Expected::Perhaps,
            // A thread continues over a withheld post, from that post's own parent.
            Some(Expected::Never) => match parent(number - 1).map(|parent| self.expected(parent)) {
                Some(Expected::Held | Expected::Perhaps) => Expected::Perhaps,
                _ => Expected::Once,
            },
            _ => Expected::Once,
        }
    }

    /// The fewest publications that there must be.
    pub(crate) fn min_publications(&self, posts: usize) -> usize {
        (1..=posts).filter(|number| self.expected(*number) == Expected::Once).count() * LANGUAGES.len()
    }

    /// Checks all accounts and the ledger.
    pub(crate) fn check(&self, town: &Town, posts: usize) {
        self.check_with_retried(town, posts, &BTreeSet::new());
    }

    /// Checks all accounts and the ledger. The posts in `retried`, by account and number, were retried by hand, so
    /// they may be anywhere in the order.
    pub(crate) fn check_with_retried(&self, town: &Town, posts: usize, retried: &BTreeSet<(String, usize)>) {
        let rerun = &self.rerun;
        self.check_secrets(town);
        let jobs = self.check_ledger(town);
        for language in LANGUAGES {
            let account = account(language);
            let shown = town.publications(language);
            let target = format!("x:{account}");
            let of_target: BTreeMap<&str, &LedgerJob> =
                jobs.iter().filter(|job| job.target == target).map(|job| (&*job.post, job)).collect();
            self.check_numbers(town, posts, &account, &shown, &of_target);
            // An edited post may reappear as the newest.
            let in_order: Vec<usize> = numbers(&shown)
                .into_iter()
                .filter(|number| !retried.contains(&(account.clone(), *number)))
                .filter(|number| self.fate(*number).edited == Edited::Never)
                .collect();
            assert!(in_order.is_sorted(), "the order on @{account}, {in_order:?}: {rerun}");
            self.check_threads(&account, &shown);
            self.check_texts(&account, &shown);
        }
        self.check_publications(town, &jobs);
    }

    /// Checks that each post is on the account as often as expected.
    fn check_numbers(
        &self,
        town: &Town,
        posts: usize,
        account: &str,
        shown: &[StoredPost],
        jobs: &BTreeMap<&str, &LedgerJob>,
    ) {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for number in numbers(shown) {
            *counts.entry(number).or_default() += 1;
        }
        let mut wrong = Vec::new();
        for number in 1..=posts {
            let count = counts.remove(&number).unwrap_or_default();
            let expected = self.expected(number);
            let versions: Vec<&LedgerJob> =
                ids_of(town, number).iter().filter_map(|id| jobs.get(&**id).copied()).collect();
            let is_held = versions.iter().any(|job| matches!(&*job.state, "held" | "failed"));
            let is_right = match expected {
                Expected::Once => count == 1 || (count == 0 && self.is_rejected(town, number, jobs)),
                Expected::Never => count == 0,
                Expected::Held => count == 0 && is_held,
                Expected::Perhaps => count == 1 || (count == 0 && is_held),
            };
            if !is_right {
                let fate = self.fate(number);
                let states: Vec<String> = versions
                    .iter()
                    .map(|job| format!("{} {}: {}", job.post, job.state, job.reason))
                    .collect();
                wrong.push(format!(
                    "post {number} is published {count} times, expected {expected:?}: {states:?}, {fate:?}"
                ));
            }
        }
        let rerun = &self.rerun;
        assert!(wrong.is_empty(), "@{account}: {rerun}\n{}", wrong.join("\n"));
        assert!(
            counts.is_empty(),
            "@{account} shows posts that the source never posted, {counts:?}: {rerun}"
        );
    }

    /// Whether a post is held because the engine gave two wrong answers in a row and the gate rejected both, or because it
    /// continues such a post.
    fn is_rejected(&self, town: &Town, number: usize, jobs: &BTreeMap<&str, &LedgerJob>) -> bool {
        let ids = ids_of(town, number);
        let mut held = ids.iter().filter_map(|id| jobs.get(&**id)).filter(|job| job.state == "held");
        held.any(|job| {
            job.reason.starts_with("gemini/")
                || (job.reason.starts_with("it continues post")
                    && self.parent_shown(number).is_some_and(|parent| self.is_rejected(town, parent, jobs)))
        })
    }

    /// The post that this one continues. A thread continues over a withheld post, from that post's own parent.
    fn parent_shown(&self, number: usize) -> Option<usize> {
        let mut before = parent(number);
        while let Some(skipped) = before.filter(|before| self.expected(*before) == Expected::Never) {
            before = parent(skipped);
        }
        before
    }

    /// Checks that each part of a thread replies to the publication of the part before it.
    fn check_threads(&self, account: &str, shown: &[StoredPost]) {
        let by_number: BTreeMap<usize, &StoredPost> = numbers(shown).into_iter().zip(shown).collect();
        for (number, post) in &by_number {
            let expected =
                self.parent_shown(*number).and_then(|before| Some((before, by_number.get(&before)?)));
            let is_right = match expected {
                None => post.reply_to.is_none(),
                // The edited version appeared after the reply to the first version.
                Some((before, parent)) if parent.id > post.id => {
                    self.fate(before).edited != Edited::Never && post.reply_to.is_none()
                }
                Some((_, parent)) => post.reply_to == Some(parent.id),
            };
            assert!(
                is_right,
                "@{account}, “{}” replies to {:?}, not {expected:?}: {}",
                post.text, post.reply_to, self.rerun
            );
        }
    }

    /// Checks that no unwanted character from an engine or the source reaches an account, and that no link is lost.
    fn check_texts(&self, account: &str, shown: &[StoredPost]) {
        for (number, post) in numbers(shown).into_iter().zip(shown) {
            let text = &post.text;
            let unwanted = |c: char| {
                (c.is_control() && c != '\n')
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
            };
            assert!(!text.contains(unwanted), "@{account}: {text:?}: {}", self.rerun);
            if self.fate(number).links_photo && number % 20 != 8 {
                assert!(
                    text.contains(OTHERS_PHOTO),
                    "@{account}: {text:?} has lost its link: {}",
                    self.rerun
                );
            }
        }
    }

    /// Checks that no token that an error answer echoed is stored, and that no such answer fills a line of the log.
    fn check_secrets(&self, town: &Town) {
        let rerun = &self.rerun;
        let log = town.log();
        let longest = log.lines().map(str::len).max().unwrap_or_default();
        assert!(longest <= MAX_LINE, "a line of the log has {longest} bytes: {rerun}");
        let read =
            |path: &std::path::Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let stored: Vec<(String, String)> = std::fs::read_dir(town.folder.path().join("data"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.display().to_string(), read(&path)))
            .chain([("the log".to_owned(), log)])
            .collect();
        for secret in LANGUAGES.iter().flat_map(|language| secrets(&account(language))) {
            for (place, content) in &stored {
                assert!(!content.contains(&secret), "{secret} is in {place}: {rerun}");
            }
        }
    }

    /// Checks that the ledger has no post that the source did not show.
    fn check_ledger(&self, town: &Town) -> Vec<LedgerJob> {
        let jobs = jobs(town);
        let posts = town.sandbox.posts();
        let ids: BTreeSet<String> = posts
            .iter()
            .flat_map(|post| town.sandbox.versions(post.id))
            .map(|PostId(id)| id.to_string())
            .collect();
        for job in &jobs {
            assert!(
                ids.contains(&job.post),
                "the ledger has a post that the source never posted, {job:?}: {}",
                self.rerun
            );
        }
        jobs
    }

    /// Checks that the ledger has every publication.
    fn check_publications(&self, town: &Town, jobs: &[LedgerJob]) {
        for language in LANGUAGES {
            let target = format!("x:{}", account(language));
            let done = jobs.iter().filter(|job| job.target == target && job.state == "published").count();
            let shown = town.publications(language).len();
            assert!(
                done >= shown,
                "{target} shows {shown} publications, but the ledger has only {done}: {}",
                self.rerun
            );
        }
    }

    /// Checks that new posts are published everywhere once the faults are over.
    pub(crate) fn fresh_posts_flow(&mut self, town: &Town, posts: usize) {
        town.order_faults(r#"{"rules": []}"#);
        self.last_affected = posts;
        town.sandbox.add_post(post(posts + 1));
        finish(town, &self.rerun);
        self.check(town, posts + 1);
    }
}

/// The credentials of an account that may not be stored.
fn secrets(account: &str) -> [String; 6] {
    let keys = mynah_sandbox::credentials(account);
    [
        keys.consumer_secret,
        keys.access_token,
        keys.access_token_secret,
        keys.user_bearer_token,
        keys.app_bearer_token,
        keys.gemini_api_key,
    ]
}

/// The ids of all versions of a post.
fn ids_of(town: &Town, number: usize) -> Vec<String> {
    let posts = town.sandbox.posts();
    let one = posts.iter().find(|post| post.number == number as u64);
    let versions = one.map(|post| town.sandbox.versions(post.id)).unwrap_or_default();
    versions.into_iter().map(|PostId(id)| id.to_string()).collect()
}

/// All jobs of the ledger.
fn jobs(town: &Town) -> Vec<LedgerJob> {
    let states = "queued,translating,ready,publishing,unknown,published,skipped,held,failed";
    let listed = town.command(&["jobs", "--json", "--limit", "1000000", "--state", states]).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&listed.stderr)));
    let text = |job: &Value, key: &str| job[key].as_str().unwrap_or_default().to_owned();
    let jobs = listed["jobs"].as_array().unwrap();
    jobs.iter()
        .map(|job| LedgerJob {
            post: text(job, "post"),
            target: text(job, "target"),
            state: text(job, "state"),
            reason: text(job, "reason"),
        })
        .collect()
}
