//! The built binary from X to Mastodon and back: killed at random moments, on a network that loses answers. Each post
//! is on the account once, in order, with its thread and its picture.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use mynah_sandbox::{
    EndpointPattern, Fault, FaultPlan, FaultRule, MediaKind, RateLimits, Sandbox, SandboxConfig,
    TimelineMedia, TimelinePost,
};

use super::{
    dice::{seed, size},
    proxy::Fault as Loss,
    support::{Running, message},
    *,
};

/// The share of answers that are lost.
const LOST: f64 = 0.1;

/// Longer than a server takes for any call, even if the machine has much else to do. A call that a server still has in
/// hand when its outcome is looked up would be performed afterwards.
const SETTLE: Duration = Duration::from_secs(4);

/// The most runs until everything is published.
const MOST_RUNS: usize = 40;

/// A folder with settings, in which the binary runs.
struct Journey {
    sandbox: Sandbox,
    proxy: Proxy,
    /// On Mastodon: the followed account, or the one that publishes.
    account: Account,
    folder: tempfile::TempDir,
    rerun: String,
    _server: Arc<Server>,
}

/// What an account shows of a post.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    number: usize,
    /// The number of the post that it replies to.
    parent: Option<usize>,
    has_picture: bool,
}

/// The first three of every five posts are a thread; some others have a picture.
fn expected(number: usize) -> Shown {
    let parent = matches!(number % 5, 2 | 3).then(|| number - 1);
    Shown { number, parent, has_picture: number.is_multiple_of(5) }
}

impl Journey {
    /// `settings` name the source and the target, which is `@town_es` if it is on X.
    async fn new(
        program: Program,
        timeline: Vec<TimelinePost>,
        settings: impl Fn(&Account) -> String,
    ) -> Self {
        let seed = seed();
        let config = SandboxConfig {
            account: "town".into(),
            timeline,
            rate_limits: RateLimits::unlimited(),
            ..SandboxConfig::default()
        };
        let sandbox = mynah_sandbox::start(config.target("town_es", "es")).await.unwrap();
        let server = Server::get(program);
        let account = server.account("town_m").await;
        let proxy = Proxy::to(&server.url);
        proxy.seed(seed);
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "data_dir = \"{}\"\n{}[engine]\norder = [\"gemini\"]\n[engine.gemini]\nbase_url = \"{url}\"\n\
             [x]\nbase_url = \"{url}\"\nmedia_hosts = [\"127.0.0.1\"]\ntimeout = \"2s\"\n\
             [mastodon]\nbase_url = \"{}\"\ntimeout = \"5s\"\n\
             [publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\nsettle = \"{}s\"\n\
             [admin]\nlisten = \"off\"\n",
            folder.path().join("data").display(),
            settings(&account),
            proxy.url(),
            SETTLE.as_secs(),
            url = sandbox.url(),
        );
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        let rerun = format!("CHAOS_SEED={seed}");
        Self { sandbox, proxy, account, folder, rerun, _server: server }
    }

    fn start(&self) -> Running {
        let keys = mynah_sandbox::credentials("town_es");
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
        command.env_clear().current_dir(self.folder.path()).args(["once", "--config", "config.toml"]);
        command
            .env("X_BEARER_TOKEN", keys.app_bearer_token)
            .env("X_TOWN_ES_OAUTH2_TOKEN", keys.user_bearer_token);
        command.env("GEMINI_API_KEY", keys.gemini_api_key).env(self.account.variable(), &self.account.token);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Running::new(command.spawn().unwrap())
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let longest = self.proxy.longest();
        format!(
            "{}, longest call {longest:?}\n{}",
            self.rerun,
            lines[lines.len().saturating_sub(40)..].join("\n")
        )
    }

    /// Kills the service at random moments, then lets it finish.
    async fn kill_and_finish(&self, kills: usize) {
        let mut random = fastrand::Rng::with_seed(seed());
        for _ in 0..kills {
            let mut running = self.start();
            actix_rt::time::sleep(Duration::from_millis(random.u64(300..3_000))).await;
            running.kill();
        }
        self.proxy.set(Loss::LoseSome(LOST / 2.0));
        self.sandbox.set_faults(FaultPlan::default());
        for _ in 0..MOST_RUNS {
            let mut running = self.start();
            while !running.ends_within(Duration::from_millis(200)) {
                actix_rt::time::sleep(Duration::from_millis(20)).await;
            }
            if running.wait() == Some(0) {
                return;
            }
        }
        panic!("everything is still not published after {MOST_RUNS} runs: {}", self.log());
    }
}

/// The number in a text.
fn number(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit())
        .find_map(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("{text}"))
}

/// The posts of an account, given the id, the text, the parent and the number of media of each, in order.
fn shown(messages: &[(String, String, Option<String>, usize)]) -> impl Iterator<Item = Shown> + '_ {
    messages.iter().map(|(_, text, parent, media)| Shown {
        number: number(text),
        parent: parent.as_ref().map(|parent| {
            let parent = messages.iter().find(|(id, ..)| id == parent);
            number(&parent.unwrap_or_else(|| panic!("no parent of {text}")).1)
        }),
        has_picture: *media > 0,
    })
}

fn on_x(number: usize) -> TimelinePost {
    let post = TimelinePost::new(message(number));
    let post =
        if matches!(number % 5, 1..=3) { post.in_thread(format!("thread-{}", number / 5)) } else { post };
    if !expected(number).has_picture {
        return post;
    }
    TimelinePost {
        media: vec![TimelineMedia { kind: MediaKind::Photo, alt: Some(message(number)), url: None }],
        ..post
    }
}

#[expect(clippy::print_stdout, reason = "the result, for whoever runs it")]
async fn from_x(program: Program) {
    if !Server::is_installed(program) {
        return;
    }
    let (posts, kills) = (size("CHAOS_POSTS", 20), size("CHAOS_KILLS", 6));
    let settings = |account: &Account| {
        format!(
            "[source]\naccount = \"town\"\nstart = \"beginning\"\n\
             [[targets]]\nnetwork = \"mastodon\"\nlanguage = \"es\"\naccount = \"{}\"\n",
            account.handle()
        )
    };
    let journey = Journey::new(program, (1..=posts).map(on_x).collect(), settings).await;
    journey.proxy.set(Loss::LoseSome(LOST));
    journey.kill_and_finish(kills).await;

    let mut messages = Vec::new();
    for status in journey.account.statuses().await {
        let text = |name: &str| status[name].as_str().map(str::to_owned);
        let media = status["media_attachments"].as_array().unwrap();
        assert!(
            media.iter().all(|medium| !medium["description"].as_str().unwrap_or_default().is_empty()),
            "{status}"
        );
        let written = journey.account.text_of(&status).await;
        messages.push((text("id").unwrap(), written, text("in_reply_to_id"), media.len()));
    }
    let found: Vec<Shown> = shown(&messages).collect();
    assert_eq!(found, (1..=posts).map(expected).collect::<Vec<_>>(), "{}", journey.log());
    println!(
        "X → {program:?}: {posts} posts, {kills} kills, {} lost answers, longest call {:?}; {}",
        journey.proxy.lost(),
        journey.proxy.longest(),
        journey.rerun
    );
}

#[expect(clippy::print_stdout, reason = "the result, for whoever runs it")]
async fn to_x(program: Program) {
    if !Server::is_installed(program) {
        return;
    }
    let (posts, kills) = (size("CHAOS_POSTS", 20), size("CHAOS_KILLS", 6));
    let settings = |account: &Account| {
        format!(
            "[source]\nnetwork = \"mastodon\"\naccount = \"{}\"\nstart = \"beginning\"\n\
             [[targets]]\nlanguage = \"es\"\naccount = \"town_es\"\n",
            account.handle()
        )
    };
    let journey = Journey::new(program, Vec::new(), settings).await;
    let mut previous = String::new();
    for number in 1..=posts {
        let Shown { parent, has_picture, .. } = expected(number);
        let mut more = json!({});
        if parent.is_some() {
            more["in_reply_to_id"] = json!(previous);
        }
        if has_picture {
            more["media_ids"] = json!([journey.account.upload(PNG, &message(number)).await]);
        }
        previous = journey.account.publish(&message(number), more).await;
    }
    journey.proxy.set(Loss::LoseSome(LOST));
    let lost = FaultRule { probability: LOST, ..FaultRule::new(EndpointPattern::ALL, Fault::DropAfterAct) };
    journey.sandbox.set_faults(FaultPlan { rules: vec![lost], ..FaultPlan::default() });
    journey.kill_and_finish(kills).await;

    let messages: Vec<_> = journey
        .sandbox
        .publications("town_es")
        .into_iter()
        .map(|post| {
            (post.id.to_string(), post.text.clone(), post.reply_to.map(|id| id.to_string()), post.media.len())
        })
        .collect();
    let found: Vec<Shown> = shown(&messages).collect();
    assert_eq!(found, (1..=posts).map(expected).collect::<Vec<_>>(), "{}", journey.log());
    println!(
        "{program:?} → X: {posts} posts, {kills} kills, {} lost answers, longest call {:?}; {}",
        journey.proxy.lost(),
        journey.proxy.longest(),
        journey.rerun
    );
}

#[actix_rt::test]
async fn posts_go_from_x_to_mastodon_once_and_in_order_whatever_is_killed_and_lost() {
    from_x(Program::Mock).await;
}

#[actix_rt::test]
async fn posts_go_from_x_to_snac_once_and_in_order_whatever_is_killed_and_lost() {
    from_x(Program::Snac).await;
}

#[actix_rt::test]
async fn posts_go_from_mastodon_to_x_once_and_in_order_whatever_is_killed_and_lost() {
    to_x(Program::Mock).await;
}

#[actix_rt::test]
async fn posts_go_from_snac_to_x_once_and_in_order_whatever_is_killed_and_lost() {
    to_x(Program::Snac).await;
}
