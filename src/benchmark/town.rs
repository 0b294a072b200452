//! The other side of a benchmark: a sandbox, and settings that point to it. The sandbox runs in a separate process, so
//! that its cost does not count as the service's.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::json;
use url::Url;

use super::{BenchmarkError, Plan, Texts};
use crate::{
    http_client::{HttpClient, Limits, Request},
    settings::{self, Settings, SettingsSources},
};

/// The last line that a sandbox prints before it waits.
const READY: &str = "Press Ctrl-C to stop.";

/// Posts per call. The longest body that the sandbox reads has room for about a thousand.
const CHUNK: usize = 500;

/// A sandbox that serves a plan's posts. Dropping this stops it.
pub struct Town {
    sandbox: Child,
    folder: PathBuf,
    /// Posts to post when the previous ones are on record.
    remaining: RefCell<Texts>,
    posted: Cell<usize>,
}

impl Town {
    /// Starts the sandbox; `folder` is for its files and the ledger.
    ///
    /// # Errors
    /// The sandbox does not start.
    pub fn start(plan: &Plan, folder: &Path) -> Result<Self, BenchmarkError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| BenchmarkError(format!("{what}: {error}"));
        let timeline = folder.join("timeline.txt");
        let mut texts = plan.texts();
        let first: Vec<String> = texts.by_ref().take(plan.at_once()).collect();
        fs::write(&timeline, first.join("\n")).map_err(|error| failed("cannot write the posts", &error))?;
        let languages: Vec<&str> = plan.languages.iter().map(|language| language.code()).collect();
        let program = env::current_exe().map_err(|error| failed("cannot find this program", &error))?;
        let mut sandbox = Command::new(program)
            .args(["sandbox", "--listen", "127.0.0.1:0", "--engines", "gemini"])
            .args(["--targets", &languages.join(",")])
            .args([
                "--gemini-latency",
                &humantime::format_duration(plan.latency).to_string().replace(' ', ""),
            ])
            .arg("--timeline")
            .arg(&timeline)
            .arg("--write")
            .arg(folder)
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed("cannot start the sandbox", &error))?;
        let output = sandbox.stdout.take().map(BufReader::new);
        let (folder, remaining, posted) = (folder.to_owned(), RefCell::new(texts), Cell::new(first.len()));
        let town = Self { sandbox, folder, remaining, posted };
        let ready = output
            .into_iter()
            .flat_map(|output| output.lines().map_while(Result::ok))
            .any(|line| line == READY);
        if ready {
            Ok(town)
        } else {
            Err(BenchmarkError("the sandbox ended at once; see its output above".into()))
        }
    }

    /// How many of the plan's posts were posted.
    pub fn posted(&self) -> usize {
        self.posted.get()
    }

    /// Posts as many of the remaining posts as a network shows at once.
    ///
    /// # Errors
    /// The sandbox does not take them.
    pub async fn post_more(&self, plan: &Plan, settings: &Settings) -> Result<(), BenchmarkError> {
        let more: Vec<String> = self.remaining.borrow_mut().by_ref().take(plan.at_once()).collect();
        self.posted.set(self.posted.get() + more.len());
        let base = settings.value_of("x.base_url").unwrap_or_default();
        let url = Url::parse(base).and_then(|base| base.join("_sandbox/posts"));
        let url = url.map_err(|error| BenchmarkError(error.to_string()))?;
        let http = HttpClient::new(Limits::default());
        for texts in more.chunks(CHUNK) {
            let posts: Vec<_> = texts.iter().map(|text| json!({"text": text})).collect();
            let request = Request::post(url.as_str())
                .json(&posts)
                .map_err(|error| BenchmarkError(error.to_string()))?;
            let answer = http.send(request).await.map_err(|error| BenchmarkError(error.to_string()))?;
            if !answer.is_success() {
                return Err(BenchmarkError(format!("the sandbox refuses more posts: {}", answer.text())));
            }
        }
        Ok(())
    }

    /// The settings for a service in this town, with a fresh ledger in `data`.
    ///
    /// # Errors
    /// The plan's own settings are wrong.
    pub fn settings(&self, plan: &Plan, data: &Path) -> Result<Settings, BenchmarkError> {
        let secrets = fs::read_to_string(self.folder.join("secrets.env"))
            .map_err(|error| BenchmarkError(format!("cannot read the sandbox's keys: {error}")))?;
        let env: HashMap<String, String> = secrets
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut overrides = vec![format!("data_dir={}", data.display()), "admin.listen=off".to_owned()];
        overrides.push("source.poll_interval=100ms".into());
        overrides.extend(plan.settings.iter().cloned());
        let file = Some(self.folder.join("config.toml"));
        settings::load(&SettingsSources { file, env, overrides, ..SettingsSources::default() })
            .map_err(|error| BenchmarkError(error.to_string()))
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        // It stores nothing, so it needs no clean stop.
        let _ = self.sandbox.kill();
        let _ = self.sandbox.wait();
    }
}
