//! What must hold afterwards, however the service died and whatever the network answered: every post that the source
//! showed is on every account exactly once, in the source's order, and threads are whole. Versions of an edited post count
//! as one post. What nobody can read is held for a person, and what X withholds is published nowhere. And fresh posts flow.

use std::collections::{BTreeMap, BTreeSet};

use mynah_sandbox::{
    Edited, Fate, FaultPlan, MediaKind, PostId, Readability, StoredPost, TimelineMedia, TimelinePost,
};
use serde_json::Value;

use crate::{
    stillness::Watch,
    support::{Town, account, message, numbers},
};

pub(crate) const LANGUAGES: [&str; 3] = ["es", "ca", "fr"];

/// The photo that posts of the profile `odd` link to.
const OTHERS_PHOTO: &str = "https://x.com/somebody_else/status/1/photo/1";

/// The longest line that the log may have: far below what an error answer of the profile `echo` holds.
const LINE_MOST: usize = 16 * 1024;
/// How many runs it may take until everything is published.
const RUNS_MOST: usize = 50;

/// A town that has published so many posts, on a network that fails as `plan` has it.
pub(crate) async fn town(posts: usize, plan: &FaultPlan) -> Town {
    let mut town = Town::with_timeline((1..=posts).map(post).collect(), &LANGUAGES, "gemini").await;
    // A hung call is noticed soon. A message shows within 600 ms in the sandbox, or the test would only wait.
    town.settings.extend(["x.timeout=500ms", "publisher.settle=700ms"].map(String::from));
    town.sandbox.set_faults(plan.clone());
    town
}

/// Every tenth post begins a thread of three. Others are very short, have a link or a picture.
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

/// The post that this one answers.
fn parent(number: usize) -> Option<usize> {
    ((1..=2).contains(&(number % 10)) && number > 1).then(|| number - 1)
}

/// 5 % stored but unanswered, 10 % each of 429, 503 and hung calls, and all profiles of impoliteness, or those that
/// `CHAOS_PROFILES` names.
pub(crate) fn plan(seed: u64) -> FaultPlan {
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
    let profiles =
        std::env::var("CHAOS_PROFILES").unwrap_or_else(|_| "nulls,odd,edited,late,echo,hostile".to_owned());
    let profiles: Vec<&str> = profiles.split(',').filter(|name| !name.is_empty()).collect();
    let profiles = serde_json::to_string(&profiles).unwrap();
    let rules = rules.join(",");
    serde_json::from_str(&format!(r#"{{"seed": {seed}, "profiles": {profiles}, "rules": [{rules}]}}"#))
        .unwrap()
}

/// How many publications there are on all accounts together.
pub(crate) fn published(town: &Town) -> usize {
    LANGUAGES.iter().map(|language| town.publications(language).len()).sum()
}

/// Runs `mynah once` until everything is published.
pub(crate) fn finish(town: &Town, how: &str) -> usize {
    let mut watch = Watch::new(town);
    let ended = (1..=RUNS_MOST).find(|_| {
        let mut running = town.start(&["once"]);
        while !running.ends_within(std::time::Duration::from_secs(2)) {
            watch.look(town, how);
        }
        running.wait() == Some(0)
    });
    ended.unwrap_or_else(|| panic!("it comes to no end: {how}\n{}", town.log_tail()))
}

/// What becomes of a post on each account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// It is published, once.
    Once,
    /// X shows a notice in its place.
    Never,
    /// It cannot be read: a person decides.
    Held,
    /// It continues a thread that waits for a person, and may wait with it.
    Perhaps,
}

/// Knows what the accounts must show.
pub(crate) struct Oracle {
    plan: FaultPlan,
    /// Posts up to this number were shown as the plan has it, and later ones politely.
    impolite: usize,
    how: String,
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
    /// For posts up to any number that were shown as `plan` has it; `how` tells how to run the test again.
    pub(crate) fn new(plan: FaultPlan, how: String) -> Self {
        Self { plan, impolite: usize::MAX, how }
    }

    fn fate(&self, number: usize) -> Fate {
        // A number of a post fits.
        if number <= self.impolite { self.plan.fate(number as u64) } else { Fate::default() }
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
            // A post that is withheld is passed over, with what it answers taken in its place.
            Some(Expected::Never) => match parent(number - 1).map(|parent| self.expected(parent)) {
                Some(Expected::Held | Expected::Perhaps) => Expected::Perhaps,
                _ => Expected::Once,
            },
            _ => Expected::Once,
        }
    }

    /// How many publications there must be at least.
    pub(crate) fn least(&self, posts: usize) -> usize {
        (1..=posts).filter(|number| self.expected(*number) == Expected::Once).count() * LANGUAGES.len()
    }

    /// Looks at all accounts and the ledger.
    pub(crate) fn check(&self, town: &Town, posts: usize) {
        self.check_but(town, posts, &BTreeSet::new());
    }

    /// Looks at all accounts and the ledger. What is in `late`, by account and number, a person had tried again: it may
    /// stand anywhere.
    pub(crate) fn check_but(&self, town: &Town, posts: usize, late: &BTreeSet<(String, usize)>) {
        let how = &self.how;
        self.check_secrets(town);
        let jobs = self.check_ledger(town);
        for language in LANGUAGES {
            let account = account(language);
            let shown = town.publications(language);
            let target = format!("x:{account}");
            let of_target: BTreeMap<&str, &LedgerJob> =
                jobs.iter().filter(|job| job.target == target).map(|job| (&*job.post, job)).collect();
            self.check_numbers(town, posts, &account, &shown, &of_target);
            // An edited post may come up again as the newest.
            let in_order: Vec<usize> = numbers(&shown)
                .into_iter()
                .filter(|number| !late.contains(&(account.clone(), *number)))
                .filter(|number| self.fate(*number).edited == Edited::Never)
                .collect();
            assert!(in_order.is_sorted(), "the order on @{account}, {in_order:?}: {how}");
            self.check_threads(&account, &shown);
            self.check_texts(&account, &shown);
        }
        self.check_publications(town, &jobs);
    }

    /// Each post is on the account as often as it must be.
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
            // The engine answered wrongly twice in a row, and the gate let nothing of it through.
            let is_rejected =
                versions.iter().any(|job| job.state == "held" && job.reason.starts_with("gemini/"));
            let is_right = match expected {
                Expected::Once => count == 1 || (count == 0 && is_rejected),
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
                    "post {number} is there {count} times, not {expected:?}: {states:?}, {fate:?}"
                ));
            }
        }
        let how = &self.how;
        assert!(wrong.is_empty(), "@{account}: {how}\n{}", wrong.join("\n"));
        assert!(counts.is_empty(), "@{account} shows what nobody wrote, {counts:?}: {how}");
    }

    /// A part of a thread answers what the part before it became.
    fn check_threads(&self, account: &str, shown: &[StoredPost]) {
        let by_number: BTreeMap<usize, &StoredPost> = numbers(shown).into_iter().zip(shown).collect();
        for (number, post) in &by_number {
            let mut before = parent(*number);
            while let Some(skipped) = before.filter(|before| self.expected(*before) == Expected::Never) {
                before = parent(skipped);
            }
            let answered = before.and_then(|before| Some((before, by_number.get(&before)?)));
            let is_right = match answered {
                None => post.reply_to.is_none(),
                // The edited version came up after what answers the first one.
                Some((before, parent)) if parent.id > post.id => {
                    self.fate(before).edited != Edited::Never && post.reply_to.is_none()
                }
                Some((_, parent)) => post.reply_to == Some(parent.id),
            };
            assert!(
                is_right,
                "@{account}, “{}” answers {:?}, not {answered:?}: {}",
                post.text, post.reply_to, self.how
            );
        }
    }

    /// Nothing that an engine or the source did to a text reaches an account, and nothing of the text is lost.
    fn check_texts(&self, account: &str, shown: &[StoredPost]) {
        for (number, post) in numbers(shown).into_iter().zip(shown) {
            let text = &post.text;
            let unwanted = |c: char| {
                (c.is_control() && c != '\n')
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
            };
            assert!(!text.contains(unwanted), "@{account}: {text:?}: {}", self.how);
            if self.fate(number).links_photo && number % 20 != 8 {
                assert!(text.contains(OTHERS_PHOTO), "@{account}: {text:?} has lost its link: {}", self.how);
            }
        }
    }

    /// No token that an error answer repeated is kept, and no line of the log is as long as such an answer.
    fn check_secrets(&self, town: &Town) {
        let how = &self.how;
        let log = town.log();
        let longest = log.lines().map(str::len).max().unwrap_or_default();
        assert!(longest <= LINE_MOST, "a line of the log has {longest} bytes: {how}");
        let read =
            |path: &std::path::Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let kept: Vec<(String, String)> = std::fs::read_dir(town.folder.path().join("data"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.display().to_string(), read(&path)))
            .chain([("the log".to_owned(), log)])
            .collect();
        for secret in LANGUAGES.iter().flat_map(|language| secrets(&account(language))) {
            for (place, content) in &kept {
                assert!(!content.contains(&secret), "{secret} is in {place}: {how}");
            }
        }
    }

    /// The ledger knows nothing that the source did not show.
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
                "the ledger has a post that nobody wrote, {job:?}: {}",
                self.how
            );
        }
        jobs
    }

    /// The ledger knows everything that was published.
    fn check_publications(&self, town: &Town, jobs: &[LedgerJob]) {
        for language in LANGUAGES {
            let target = format!("x:{}", account(language));
            let done = jobs.iter().filter(|job| job.target == target && job.state == "published").count();
            let shown = town.publications(language).len();
            assert!(done >= shown, "{shown} publications, of which the ledger has {done}: {}", self.how);
        }
    }

    /// After the faults are over, what is published next is published everywhere.
    pub(crate) fn fresh_posts_flow(&mut self, town: &Town, posts: usize) {
        town.order_faults(r#"{"rules": []}"#);
        self.impolite = posts;
        town.sandbox.add_post(post(posts + 1));
        finish(town, &self.how);
        self.check(town, posts + 1);
    }
}

/// What may not be kept of an account's credentials.
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
