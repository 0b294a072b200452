//! Runs the built binary against a sandbox, as a person would.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it; a test that cannot continue fails"
)]

pub(crate) mod cuts;

use std::{
    io::Write as _,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use mynah_sandbox::{FaultPlan, PostId, RateLimits, Sandbox, SandboxConfig, StoredPost, TimelinePost};
pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

pub(crate) const SOURCE: &str = "town";

/// The longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The account that publishes in this language.
pub(crate) fn account(language: &str) -> String {
    format!("town_{language}")
}

/// A sandbox, and a folder with settings for it.
pub(crate) struct Town {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: tempfile::TempDir,
    languages: Vec<String>,
    /// Settings added to every command line.
    pub(crate) settings: Vec<String>,
    /// Variables added to the environment of every command.
    pub(crate) environment: Vec<(String, String)>,
}

impl Town {
    /// A town that has posted `texts`, which `engine` translates into `languages`.
    pub(crate) async fn new<T: Into<String>>(
        texts: impl IntoIterator<Item = T>,
        languages: &[&str],
        engine: &str,
    ) -> Self {
        let timeline = texts.into_iter().map(TimelinePost::new).collect();
        Self::with_timeline(timeline, languages, engine).await
    }

    pub(crate) async fn with_timeline(timeline: Vec<TimelinePost>, languages: &[&str], engine: &str) -> Self {
        let config = SandboxConfig {
            account: SOURCE.into(),
            timeline,
            // A call refused by a fault is allowed again after one second.
            rate_limits: RateLimits { window: Duration::from_secs(1), ..RateLimits::unlimited() },
            ..SandboxConfig::default()
        };
        let config =
            languages.iter().fold(config, |config, code| config.target(format!("town_{code}"), *code));
        Self::on(mynah_sandbox::start(config).await.unwrap(), languages, engine)
    }

    pub(crate) fn on(sandbox: Sandbox, languages: &[&str], engine: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = sandbox.url();
        let targets: Vec<String> = languages
            .iter()
            .map(|code| format!("[[targets]]\nlanguage = \"{code}\"\naccount = \"town_{code}\"\n\n"))
            .collect();
        let targets = targets.concat();
        let config = format!(
            "data_dir = \"{}\"\n[source]\naccount = \"{SOURCE}\"\nstart = \"beginning\"\npoll_interval = \"1s\"\n\n\
             {targets}[engine]\norder = [\"{engine}\"]\n[engine.gemini]\nbase_url = \"{url}\"\n[x]\nbase_url = \"{url}\"\nmedia_hosts = [\"127.0.0.1\"]\n\
             [publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n",
            folder.path().join("data").display()
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        let languages = languages.iter().map(|code| (*code).to_owned()).collect();
        Self { sandbox, folder, languages, settings: Vec::new(), environment: Vec::new() }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// A command with the sandbox's keys and nothing else in its environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(self.folder.path()).args(args).arg("--config").arg(self.config());
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        for code in &self.languages {
            let keys = mynah_sandbox::credentials(&account(code));
            let name = account(code).to_uppercase();
            command
                .env("X_CONSUMER_KEY", keys.consumer_key)
                .env("X_CONSUMER_SECRET", keys.consumer_secret)
                .env("X_BEARER_TOKEN", keys.app_bearer_token)
                .env("GEMINI_API_KEY", keys.gemini_api_key)
                .env(format!("X_{name}_ACCESS_TOKEN"), keys.access_token)
                .env(format!("X_{name}_ACCESS_TOKEN_SECRET"), keys.access_token_secret);
        }
        command.envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `mynah once` to completion.
    pub(crate) fn once(&self) -> Output {
        Output::from(self.command(&["once"]).output().unwrap())
    }

    /// Runs `mynah preview` with `text` on its standard input.
    pub(crate) fn preview(&self, args: &[&str], text: &str) -> Output {
        run_with_input(self.command(&[&["preview"], args].concat()), text)
    }

    /// Starts a command and does not wait for it.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        // Log to a file: a full pipe that nobody reads would block the command.
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Running(command.spawn().unwrap())
    }

    /// Starts the service and waits until its admin API listens.
    pub(crate) async fn serve(&self) -> (Running, SocketAddr) {
        // A service that was killed has left its own.
        let _ = std::fs::remove_file(self.admin_file());
        let running = self.start(&["run"]);
        until("the admin API listens", || self.admin().is_some()).await;
        (running, self.admin().unwrap())
    }

    /// Where the admin API listens, once it does.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        std::fs::read_to_string(self.admin_file()).ok()?.trim().parse().ok()
    }

    fn admin_file(&self) -> PathBuf {
        self.folder.path().join("data/admin")
    }

    /// The ledger's file.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("data/ledger.sqlite")
    }

    /// What the started commands have written so far.
    pub(crate) fn log(&self) -> String {
        // Each of several instances has a log in its own folder.
        let folders = std::fs::read_dir(self.folder.path()).unwrap().flatten().map(|entry| entry.path());
        let files =
            std::iter::once(self.folder.path().to_owned()).chain(folders).map(|folder| folder.join("log"));
        let logs = files.filter_map(|file| std::fs::read(file).ok());
        logs.map(|log| String::from_utf8_lossy(&log).into_owned()).collect::<Vec<_>>().join("\n---\n")
    }

    /// The last lines of the log, without stats.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| !line.contains(" stats stats ")).collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    pub(crate) fn publications(&self, language: &str) -> Vec<StoredPost> {
        self.sandbox.publications(&account(language))
    }

    /// Posts a text on the followed account.
    pub(crate) fn post(&self, text: &str) -> PostId {
        self.sandbox.add_post(TimelinePost::new(text))
    }

    pub(crate) fn order_faults(&self, json: &str) {
        self.sandbox.set_faults(serde_json::from_str::<FaultPlan>(json).unwrap());
    }

    /// Waits until an account shows at least `count` publications.
    pub(crate) async fn until_published(&self, language: &str, count: usize) {
        let account = account(language);
        let reached =
            self.sandbox.until(PATIENCE, |sandbox| sandbox.publications(&account).len() >= count).await;
        assert!(reached, "{} of {count} on @{account}:\n{}", self.publications(language).len(), self.log());
    }
}

/// Polls a condition that the sandbox cannot signal, until it holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "timed out waiting for: {what}");
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The exit code and output of a finished command.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Output {
    #[track_caller]
    pub(crate) fn assert_success(&self) {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
    }

    /// The command's final message, without the log before it.
    pub(crate) fn final_message(&self) -> String {
        let at = self.err.rfind("mynah: ").unwrap_or_else(|| panic!("no final message: {}", self.err));
        self.err[at..].to_owned()
    }
}

/// Sends a signal to a process that a test started.
pub(crate) fn signal(process: u32, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    // The process may have exited already.
    let _ = kill_process(process, signal);
}

/// A running command. It is killed on drop.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Sends `kill -TERM` and returns the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.send_term();
        self.wait()
    }

    /// `kill -TERM`.
    pub(crate) fn send_term(&self) {
        self.signal(Signal::TERM);
    }

    /// Any other signal.
    pub(crate) fn signal(&self, which: Signal) {
        signal(self.0.id(), which);
    }

    /// The process's children, their children, and so on.
    pub(crate) fn descendants(&self) -> Vec<u32> {
        let mut all = vec![self.0.id()];
        let mut next = 0;
        while let Some(parent) = all.get(next) {
            // A process that has exited meanwhile has none.
            let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
            let children =
                threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
            let children: Vec<u32> = children
                .flat_map(|all| all.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
                .collect();
            all.extend(children);
            next += 1;
        }
        all.split_off(1)
    }

    /// Whether the process exits by itself within `time`.
    #[allow(clippy::disallowed_methods, reason = "the system reports an exit only to a blocking wait")]
    pub(crate) fn ends_within(&mut self, time: Duration) -> bool {
        let begun = std::time::Instant::now();
        while begun.elapsed() < time {
            if self.has_ended() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Whether the process has exited by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Killing an exited process fails, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Distinct texts, each with a number that identifies it.
pub(crate) fn numbered(count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(message)
}

/// One of these texts. Each has a unique word: the cache treats texts that differ only in a number as the same.
pub(crate) fn message(number: usize) -> String {
    format!("Message {number} from the town hall about {}", in_letters(number))
}

/// A unique word for each number.
fn in_letters(mut number: usize) -> String {
    let mut word = String::new();
    while number > 0 {
        word.insert(0, char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
    }
    format!("Street{word}")
}

/// The numbers of an account's publications, in the account's order.
pub(crate) fn numbers(publications: &[StoredPost]) -> Vec<usize> {
    let number = |post: &StoredPost| {
        post.text
            .split_whitespace()
            .find_map(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("{}", post.text))
    };
    publications.iter().map(number).collect()
}

/// Runs a command to completion.
pub(crate) fn run(town: &Town, args: &[&str]) -> Output {
    Output::from(town.command(args).output().unwrap())
}

/// Runs a command to completion, with `text` on its standard input.
pub(crate) fn run_with_input(mut command: Command, text: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    // A command that reads no text may have exited already.
    let _ = running.stdin.take().unwrap().write_all(text.as_bytes());
    Output::from(running.wait_with_output().unwrap())
}

/// The JSON that a command prints.
#[track_caller]
pub(crate) fn run_json(town: &Town, args: &[&str]) -> serde_json::Value {
    let output = run(town, &[args, &["--json"]].concat());
    output.assert_success();
    serde_json::from_str(&output.out).unwrap()
}
