//! Kills and crashes the service between a JSONL file and two accounts of files: each message is there once and in order,
//! and no line is torn.

use std::{
    fmt, fs,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    PNG,
    dice::{seed, size},
    support::{PATIENCE, Town, message},
    town::{append, base, media_folder, messages_of, numbers, town},
};

const TARGETS: [&str; 2] = ["town_es.jsonl", "town_fr"];

/// A town whose posts are numbered, and what the accounts must have of them.
struct Chaos {
    town: Town,
    posts: usize,
    /// The settings that repeat the test.
    rerun: String,
}

impl Chaos {
    async fn new(rerun: String) -> Self {
        let targets = [("file", TARGETS[0], "es"), ("file", TARGETS[1], "fr")];
        let town = town(("file", "town.jsonl"), &targets).await;
        fs::write(base(&town).join("dog.png"), PNG).unwrap();
        Self { town, posts: 0, rerun }
    }

    fn post(&mut self, count: usize) {
        for number in self.posts + 1..=self.posts + count {
            let mut line = json!({ "id": format!("p{number}"), "text": message(number) });
            if continues(number) {
                line["reply_to"] = json!(format!("p{}", number - 1));
            }
            if has_picture(number) {
                line["media"] = json!([{ "file": "dog.png", "alt": message(number) }]);
            }
            append(&base(&self.town).join("town.jsonl"), &format!("{line}\n"));
        }
        self.posts += count;
    }

    /// How many messages both accounts have.
    fn shown(&self) -> usize {
        TARGETS.iter().map(|target| messages_of(&self.town, target).len()).sum()
    }

    fn all(&self) -> usize {
        self.posts * TARGETS.len()
    }

    /// Waits until something is true, and fails if it takes too long.
    async fn until(&self, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "{} of {} messages: {self}", self.shown(), self.all());
            actix_rt::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets the service finish, then checks the accounts.
    fn finish(&mut self) {
        self.post(1);
        let output = self.town.once();
        assert_eq!(output.code, Some(0), "{}\n{self}", output.err);
        for target in TARGETS {
            let shown = messages_of(&self.town, target);
            assert_eq!(numbers(&shown), (1..=self.posts).collect::<Vec<_>>(), "{target}: {self}");
            for (index, message) in shown.iter().enumerate() {
                let number = index + 1;
                let parent = continues(number).then(|| shown[index - 1].id.clone());
                assert_eq!(message.reply_to, parent, "{number} in {target}: {self}");
                assert_eq!(message.media.len(), usize::from(has_picture(number)), "{number}: {self}");
                for (file, alt) in &message.media {
                    assert!(!alt.is_empty(), "{number} in {target}: {self}");
                    assert_eq!(fs::read(media_folder(&self.town, target).join(file)).unwrap(), PNG, "{self}");
                }
            }
        }
        let partial = fs::read_dir(base(&self.town).join(TARGETS[1])).unwrap().flatten();
        let partial: Vec<_> = partial
            .map(|file| file.file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".json.part"))
            .collect();
        assert!(partial.is_empty(), "{partial:?}");
    }
}

/// How to repeat the test, and the end of the log.
impl fmt::Display for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.rerun, self.town.log_tail())
    }
}

/// The first three of every five posts are a thread.
fn continues(number: usize) -> bool {
    matches!(number % 5, 2 | 3)
}

fn has_picture(number: usize) -> bool {
    matches!(number % 5, 1 | 4)
}

#[actix_rt::test]
async fn a_service_that_is_killed_at_random_moments_writes_every_message_once_and_in_order() {
    let (posts, kills, seed) = (size("CHAOS_POSTS", 40), size("CHAOS_KILLS", 12), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut chaos = Chaos::new(format!("CHAOS_POSTS={posts} CHAOS_KILLS={kills} CHAOS_SEED={seed}")).await;
    let mut killed_at = Vec::new();
    for kill in 0..kills {
        // Each run needs something to do.
        chaos.post(posts * (kill + 1) / kills - posts * kill / kills);
        let mut running = chaos.town.start(&["run"]);
        // Every fourth is killed while it starts, the others after some more messages.
        let wait = if random.usize(0..4) == 0 {
            random.u64(0..100)
        } else {
            let goal = random.usize(chaos.shown()..=chaos.all());
            chaos.until(|| chaos.shown() >= goal || running.has_ended()).await;
            random.u64(0..5)
        };
        actix_rt::time::sleep(Duration::from_millis(wait)).await;
        assert!(!running.has_ended(), "the service ended by itself: {chaos}");
        running.kill();
        killed_at.push(chaos.shown());
        // What a kill in the middle of a write leaves, which is too short to be hit by chance.
        let is_whole = fs::read(base(&chaos.town).join(TARGETS[0])).is_ok_and(|bytes| bytes.ends_with(b"\n"));
        if is_whole && random.bool() {
            let line = r#"{"id":"0123456789abcdef0123456789abcdef","text":"Hola"#;
            append(&base(&chaos.town).join(TARGETS[0]), &line[..random.usize(1..line.len())]);
            fs::create_dir_all(base(&chaos.town).join(TARGETS[1])).unwrap();
            append(&base(&chaos.town).join(TARGETS[1]).join(format!(".{kill}.json.part")), "{\"te");
        }
    }
    chaos.finish();
    println!(
        "file kills: {posts} posts, killed at {killed_at:?} of {} messages; {}",
        chaos.all(),
        chaos.rerun
    );
}

/// Before and after each commit of the ledger and each call.
#[cfg(feature = "failpoints")]
#[actix_rt::test]
async fn a_service_that_crashes_before_or_after_any_commit_or_call_writes_every_message_once_and_in_order() {
    // A network that knows a repeat by its key is never looked at for what became of a message.
    const FAILPOINTS: [&str; 8] = [
        "ledger.commit.before",
        "ledger.commit.after",
        "source.read.before",
        "source.read.after",
        "engine.translate.before",
        "engine.translate.after",
        "destination.publish.before",
        "destination.publish.after",
    ];
    let (rounds, seed) = (size("CHAOS_CRASHES", 2), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut chaos = Chaos::new(format!("CHAOS_CRASHES={rounds} CHAOS_SEED={seed}")).await;
    let mut crashes = 0;
    for _ in 0..rounds {
        for failpoint in FAILPOINTS {
            // Each run needs something to do. One call or commit may carry both posts, and then the second is never made.
            chaos.post(2);
            let action = format!("{failpoint}={}*off->1*return", random.usize(0..2));
            chaos.town.environment.push(("FAILPOINTS".into(), action));
            // No exit code means that a signal ended the process.
            crashes += usize::from(chaos.town.start(&["once"]).wait().is_none());
            chaos.town.environment.pop();
        }
    }
    chaos.finish();
    assert!(crashes >= rounds * FAILPOINTS.len() / 2, "only {crashes} crashes: {chaos}");
    println!("file crashes: {} messages, {crashes} crashes; {}", chaos.all(), chaos.rerun);
}
