//! The other side of a benchmark: a sandbox in a process of its own, so that what it costs is not counted as ours, and
//! settings that lead to it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::json;

use super::{Plan, Texts, Unmeasured};
use crate::{
    http_client::{HttpClient, Limits, Request},
    settings::{self, Needed, Settings, SettingsSources},
};

/// The last line that a sandbox says before it waits.
const READY: &str = "Ctrl-C ends it.";

/// The longest body that the sandbox reads holds some thousand posts.
const IN_A_CALL: usize = 500;

/// A sandbox that serves a plan's posts; it ends with this.
pub struct Town {
    sandbox: Child,
    folder: PathBuf,
    /// What is said when what was said before is on record.
    unsaid: RefCell<Texts>,
    said: Cell<usize>,
}

impl Town {
    /// Starts the sandbox; `folder` is for its files and the ledger.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(plan: &Plan, folder: &Path) -> Result<Self, Unmeasured> {
        let told = |what: &str, error: &dyn std::fmt::Display| Unmeasured(format!("{what}: {error}"));
        let timeline = folder.join("timeline.txt");
        let mut texts = plan.texts();
        let first: Vec<String> = texts.by_ref().take(plan.at_once()).collect();
        fs::write(&timeline, first.join("\n"))
            .map_err(|error| told("the posts cannot be written", &error))?;
        let languages: Vec<&str> = plan.languages.iter().map(|language| language.code()).collect();
        let program = env::current_exe().map_err(|error| told("this program cannot be found", &error))?;
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
            .map_err(|error| told("the sandbox does not start", &error))?;
        let said = sandbox.stdout.take().map(BufReader::new);
        let (folder, unsaid, count) = (folder.to_owned(), RefCell::new(texts), Cell::new(first.len()));
        let town = Self { sandbox, folder, unsaid, said: count };
        let ready =
            said.into_iter().flat_map(|said| said.lines().map_while(Result::ok)).any(|line| line == READY);
        if ready {
            Ok(town)
        } else {
            Err(Unmeasured("the sandbox ended at once; its words stand above".into()))
        }
    }

    /// How many of the plan's posts were said.
    pub fn said(&self) -> usize {
        self.said.get()
    }

    /// Says as many of the posts that are left as a network shows at once.
    ///
    /// # Errors
    /// Where the sandbox does not take them.
    pub async fn say_more(&self, plan: &Plan, settings: &Settings) -> Result<(), Unmeasured> {
        let more: Vec<String> = self.unsaid.borrow_mut().by_ref().take(plan.at_once()).collect();
        self.said.set(self.said.get() + more.len());
        let url =
            settings.x.base_url.join("_sandbox/posts").map_err(|error| Unmeasured(error.to_string()))?;
        let http = HttpClient::new(Limits::default());
        for texts in more.chunks(IN_A_CALL) {
            let posts: Vec<_> = texts.iter().map(|text| json!({"text": text})).collect();
            let request =
                Request::post(url.as_str()).json(&posts).map_err(|error| Unmeasured(error.to_string()))?;
            let answer = http.send(request).await.map_err(|error| Unmeasured(error.to_string()))?;
            if !answer.is_success() {
                return Err(Unmeasured(format!("the sandbox takes no more posts: {}", answer.text())));
            }
        }
        Ok(())
    }

    /// The settings for a service in this town, with a fresh ledger in `data`.
    ///
    /// # Errors
    /// Where the plan's own settings are wrong.
    pub fn settings(&self, plan: &Plan, data: &Path) -> Result<Settings, Unmeasured> {
        let secrets = fs::read_to_string(self.folder.join("secrets.env"))
            .map_err(|error| Unmeasured(format!("the sandbox's keys cannot be read: {error}")))?;
        let env: HashMap<String, String> = secrets
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut overrides = vec![format!("data_dir={}", data.display()), "admin.listen=off".to_owned()];
        overrides.push("source.poll_interval=100ms".into());
        overrides.extend(plan.settings.iter().cloned());
        let file = Some(self.folder.join("config.toml"));
        settings::load(&SettingsSources {
            file,
            env,
            overrides,
            needed: Needed::All,
            ..SettingsSources::default()
        })
        .map_err(|error| Unmeasured(error.to_string()))
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        // It keeps nothing that is worth an end in order.
        let _ = self.sandbox.kill();
        let _ = self.sandbox.wait();
    }
}
