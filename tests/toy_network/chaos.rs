//! Kills and crashes the service between two folders of files. The service runs in a process of its own, which is this
//! test binary with [`FOLDER`] in its environment, because only a test binary has the toy network in its registry.

use std::{
    env, fs,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use log::LevelFilter;
use mynah::telemetry::logging::{self, LogFormat, Stream};
use mynah_actors::events::Event;
use mynah_sandbox::Sandbox;

use crate::{
    PATIENCE, PNG, Town,
    dice::{seed, size},
    engine, load_settings, start,
    toy::{Message, id_now},
};

/// The variable that names the town's folder to the process that runs the service.
const FOLDER: &str = "TOY_CHAOS_FOLDER";

/// The file that this process writes when the service has started.
const STARTED: &str = "started";

const TARGETS: [&str; 2] = ["town_es", "town_fr"];

/// Not a test of its own: the other tests run it in another process. It ends when its standard input ends.
#[actix_rt::test]
async fn the_service_of_the_other_tests() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    logging::init(LevelFilter::Info, &[], Stream::Stderr, LogFormat::default());
    let (service, mut events) = start(&load_settings(&folder)).await;
    fs::write(folder.join(STARTED), "").unwrap();
    let mut end_of_input =
        actix_rt::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()).unwrap());
    loop {
        tokio::select! {
            _ = &mut end_of_input => return service.stop().await,
            event = events.recv() => match event {
                Some(Event::Recorded(..) | Event::Published(..)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A process that runs the service. It is killed on drop.
struct Running(Child);

impl Running {
    /// Starts it, with crashes ordered as `FAILPOINTS` says.
    fn start(folder: &Path, failpoints: &str) -> Self {
        let _ = fs::remove_file(folder.join(STARTED));
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "chaos::the_service_of_the_other_tests", "--nocapture"])
            .env(FOLDER, folder)
            .env("FAILPOINTS", failpoints)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Ends its standard input, at which it stops in order.
    fn stop(mut self) -> ExitStatus {
        drop(self.0.stdin.take());
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Killing an exited process fails, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A town whose posts are numbered, and what the accounts must show of them.
struct Chaos {
    town: Town,
    /// Translates, and outlasts the service.
    _engine: Sandbox,
    /// The id of each post.
    posts: Vec<String>,
    /// The settings that repeat the test.
    rerun: String,
}

impl Chaos {
    async fn new(rerun: String) -> Self {
        let (town, engine) = (Town::new(), engine().await);
        town.settings("town", &engine.url());
        fs::write(town.account("town").folder.join("picture"), PNG).unwrap();
        Self { town, _engine: engine, posts: Vec::new(), rerun }
    }

    fn folder(&self) -> &Path {
        self.town.folder.path()
    }

    /// Posts the next ones.
    fn post(&mut self, count: usize) {
        for number in self.posts.len() + 1..=self.posts.len() + count {
            let id = id_now("post");
            let message = Message {
                text: text(number),
                reply_to: continues(number).then(|| self.posts[number - 2].clone()),
                pictures: if has_picture(number) {
                    vec![("picture".into(), sentence(number))]
                } else {
                    Vec::new()
                },
            };
            self.town.account("town").write(&id, &message).unwrap();
            self.posts.push(id);
        }
    }

    /// How many messages both accounts show.
    fn shown(&self) -> usize {
        TARGETS.iter().map(|target| self.town.messages(target).len()).sum()
    }

    /// How many they will show.
    fn all(&self) -> usize {
        (1..=self.posts.len()).map(parts).sum::<usize>() * TARGETS.len()
    }

    /// Waits until something is true, and fails if it takes too long.
    async fn until(&self, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "{} of {} messages: {self}", self.shown(), self.all());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets the service finish, then checks the accounts.
    async fn finish(&mut self) {
        // Each account publishes in order, so whatever comes before this post is settled when it shows.
        self.post(1);
        let mut running = Running::start(self.folder(), "");
        self.until(|| self.shown() >= self.all() || running.has_ended()).await;
        assert!(running.stop().success(), "the service failed: {self}");
        for target in TARGETS {
            self.check(target);
        }
    }

    /// Checks that an account shows every post once, in order, with its thread and its picture.
    fn check(&self, target: &str) {
        let account = self.town.account(target);
        let shown = self.town.messages(target);
        let expected: Vec<usize> =
            (1..=self.posts.len()).flat_map(|number| vec![number; parts(number)]).collect();
        let numbers = crate::numbers(&shown);
        assert_eq!(numbers, expected, "@{target}: {self}");
        for (index, message) in shown.iter().enumerate() {
            let number = numbers[index];
            let is_first = index == 0 || numbers[index - 1] != number;
            let parent = (!is_first || continues(number)).then(|| shown[index - 1].id.clone());
            assert_eq!(message.reply_to, parent, "{number} on @{target}: {self}");
            let pictures = account.read(&message.id.0).unwrap().pictures;
            assert_eq!(pictures.len(), usize::from(has_picture(number)), "{number} on @{target}: {self}");
            for (file, alt) in pictures {
                assert!(!alt.is_empty(), "{number} on @{target}: {self}");
                assert_eq!(fs::read(account.folder.join(file)).unwrap(), PNG, "{self}");
            }
        }
    }
}

/// How to repeat the test, and the end of the log.
impl std::fmt::Display for Chaos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let log = fs::read_to_string(self.folder().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        write!(f, "{}\n{}", self.rerun, lines[lines.len().saturating_sub(40)..].join("\n"))
    }
}

/// Each has a word of its own: the cache treats texts that differ only in a number as the same.
fn sentence(number: usize) -> String {
    let word: String = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
    format!(
        "Message {number} from the town hall is about the repairs of the old bridge at the end of Street{word}."
    )
}

/// A link cannot be shortened, so a sentence with a long one does not fit into one message.
fn text(number: usize) -> String {
    match parts(number) {
        1 => sentence(number),
        _ => format!("{} https://example.com/{number}/{}", sentence(number), "minutes-".repeat(25)),
    }
}

/// Every tenth post is too long for one message, and becomes a thread of two.
fn parts(number: usize) -> usize {
    if number.is_multiple_of(10) { 2 } else { 1 }
}

/// The first three of every five posts are a thread.
fn continues(number: usize) -> bool {
    matches!(number % 5, 2 | 3)
}

fn has_picture(number: usize) -> bool {
    matches!(number % 5, 1 | 4)
}

#[actix_rt::test]
async fn a_service_that_is_killed_at_random_moments_publishes_every_post_once_and_in_order() {
    let (posts, kills, seed) = (size("CHAOS_POSTS", 40), size("CHAOS_KILLS", 12), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut chaos = Chaos::new(format!("CHAOS_POSTS={posts} CHAOS_KILLS={kills} CHAOS_SEED={seed}")).await;
    let mut killed_at = Vec::new();
    for kill in 0..kills {
        // Each run needs something to do.
        chaos.post(posts * (kill + 1) / kills - posts * kill / kills);
        let mut running = Running::start(chaos.folder(), "");
        // Every fourth is killed while it starts, the others after some more messages.
        let wait = if random.usize(0..4) == 0 {
            random.u64(0..100)
        } else {
            let started = chaos.folder().join(STARTED);
            chaos.until(|| started.exists() || running.has_ended()).await;
            let goal = random.usize(chaos.shown()..=chaos.all());
            chaos.until(|| chaos.shown() >= goal || running.has_ended()).await;
            random.u64(0..5)
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        assert!(!running.has_ended(), "the service ended by itself: {chaos}");
        running.kill();
        killed_at.push(chaos.shown());
    }
    chaos.finish().await;
    println!(
        "toy kills: {posts} posts, killed at {killed_at:?} of {} messages; {}",
        chaos.all(),
        chaos.rerun
    );
}

/// Before and after each commit of the ledger and each call.
#[cfg(feature = "failpoints")]
#[actix_rt::test]
async fn a_service_that_crashes_before_or_after_any_commit_or_call_publishes_every_post_once_and_in_order() {
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
            let mut running = Running::start(chaos.folder(), &action);
            chaos.until(|| running.has_ended() || chaos.shown() >= chaos.all()).await;
            // No exit code means that a signal ended the process.
            crashes += usize::from(running.stop().code().is_none());
        }
    }
    chaos.finish().await;
    assert!(crashes >= rounds * FAILPOINTS.len() / 2, "only {crashes} crashes: {chaos}");
    println!("toy crashes: {} messages, {crashes} crashes; {}", chaos.all(), chaos.rerun);
}
