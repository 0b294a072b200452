//! The other side of a benchmark: a sandbox in a process of its own, so that what it costs is not counted as ours, and
//! settings that lead to it.

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{Plan, Unmeasured, texts::texts};
use crate::settings::{self, Needed, Settings, SettingsSources};

/// The last line that a sandbox says before it waits.
const READY: &str = "Ctrl-C ends it.";

/// A sandbox that serves a plan's posts; it ends with this.
pub struct Town {
    sandbox: Child,
    folder: PathBuf,
}

impl Town {
    /// Starts the sandbox; `folder` is for its files and the ledger.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(plan: &Plan, folder: &Path) -> Result<Self, Unmeasured> {
        let told = |what: &str, error: &dyn std::fmt::Display| Unmeasured(format!("{what}: {error}"));
        let timeline = folder.join("timeline.txt");
        fs::write(&timeline, texts(plan.posts, plan.repeat).join("\n"))
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
        let town = Self { sandbox, folder: folder.to_owned() };
        let ready =
            said.into_iter().flat_map(|said| said.lines().map_while(Result::ok)).any(|line| line == READY);
        if ready {
            Ok(town)
        } else {
            Err(Unmeasured("the sandbox ended at once; its words stand above".into()))
        }
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
        settings::load(&SettingsSources { file, env, overrides, needed: Needed::All })
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
