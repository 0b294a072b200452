//! A Redis server for a test, stopped when the test ends, however it ends.

#[path = "server.rs"]
#[allow(dead_code, reason = "each server uses a part of it")]
mod server;

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use server::{Watchdog, skip};

/// A server on a port of its own, which stores nothing on disk.
pub(crate) struct Server {
    port: u16,
    settings: Vec<String>,
    folder: tempfile::TempDir,
    process: Option<Child>,
    /// Ends with this process; then the server is stopped.
    watchdog: Option<Watchdog>,
}

impl Server {
    /// Starts a server with these settings; `None`, with one line about it, if Redis is not installed.
    pub(crate) fn start(settings: &[&str]) -> Option<Self> {
        let Some(program) = program() else {
            skip("MYNAH_TEST_REDIS", "Redis is not installed; run: apt-get install redis-server");
            return None;
        };
        // Somebody else may take the port before the server does.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
            let folder = tempfile::tempdir().unwrap();
            let mut server = Self { port, settings, folder, process: None, watchdog: None };
            if server.try_run(program) {
                return Some(server);
            }
        }
        panic!("Redis does not start");
    }

    /// Starts the server again, empty, on the same port.
    pub(crate) fn run(&mut self) {
        assert!(self.try_run(program().unwrap()), "Redis does not start again");
    }

    #[allow(clippy::disallowed_methods, reason = "the server says in no other way that it is ready")]
    fn try_run(&mut self, program: &str) -> bool {
        let mut redis = Command::new(program);
        redis.args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        // What the tests pause it with.
        redis.args(["--enable-debug-command", "yes"]);
        redis.args(&self.settings).current_dir(self.folder.path());
        redis.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = redis.spawn().unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if process.try_wait().unwrap().is_some() || begun.elapsed() > Duration::from_secs(30) {
                let _ = process.kill();
                let _ = process.wait();
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.watchdog = Some(Watchdog::start("kill -KILL $0 2>/dev/null", &[&process.id().to_string()]));
        self.process = Some(process);
        true
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The process of the server.
    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
    }

    /// Sends a command with Redis's own client. Returns what it prints.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        let done = client.args(["-p", &self.port.to_string()]).args(command).output().unwrap();
        assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }

    /// The keys of the translations.
    pub(crate) fn keys(&self) -> Vec<String> {
        let keys = self.ask(&["--raw", "KEYS", "mynah:*"]);
        keys.lines().filter(|key| !key.is_empty() && !key.ends_with(":claim")).map(str::to_owned).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> Option<&'static str> {
    let runs = |program: &&str| {
        let mut version = Command::new(program);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    };
    // Debian's redis-server, or a Valkey that has the same settings.
    ["redis-server", "valkey-server"].into_iter().find(runs)
}
