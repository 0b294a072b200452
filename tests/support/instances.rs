//! Several instances of the built binary on one ledger in PostgreSQL, as a person would run them on several machines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::Stdio,
    time::Instant,
};

use serde_json::Value;

use super::support::{Running, Signal, Town, until};

/// Instances that share a ledger.
pub(crate) struct Cluster {
    pub(crate) town: Town,
    /// The URL of the ledger.
    pub(crate) url: String,
    /// Settings for all instances.
    pub(crate) settings: Vec<String>,
}

/// What is different for an instance.
pub(crate) struct Surroundings<'a> {
    pub(crate) name: &'a str,
    /// How it reaches the ledger.
    pub(crate) url: &'a str,
    pub(crate) settings: &'a [String],
    pub(crate) environment: &'a [(String, String)],
}

/// An instance.
pub(crate) struct Instance {
    pub(crate) running: Running,
    folder: PathBuf,
}

impl Cluster {
    pub(crate) fn new(town: Town, url: String) -> Self {
        Self { town, url, settings: vec!["stats.interval=1h".into()] }
    }

    /// Starts an instance, each name with a data directory of its own, and waits until its admin API listens.
    pub(crate) async fn start(&self, name: &str) -> Instance {
        let instance = self.launch(name);
        until("the admin API listens", || instance.admin().is_some()).await;
        instance
    }

    /// The same without waiting.
    pub(crate) fn launch(&self, name: &str) -> Instance {
        self.launch_in(&Surroundings { name, url: &self.url, settings: &[], environment: &[] })
    }

    /// The same for an instance that differs from the others.
    pub(crate) fn launch_in(&self, surroundings: &Surroundings<'_>) -> Instance {
        let Surroundings { name, url, settings, environment } = surroundings;
        let folder = self.town.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        // Of an instance that was killed.
        let _ = fs::remove_file(folder.join("admin"));
        let mut command = self.town.command(&["run"]);
        command.arg("--set").arg(format!("data_dir={}", folder.display()));
        command.arg("--set").arg(format!("ledger.url={url}"));
        for setting in self.settings.iter().chain(*settings) {
            command.arg("--set").arg(setting);
        }
        command.envs(environment.iter().cloned());
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Instance { running: Running::new(command.spawn().unwrap()), folder }
    }
}

impl Instance {
    /// Where its admin API listens.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        fs::read_to_string(self.folder.join("admin")).ok()?.trim().parse().ok()
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// The answer of its admin API, if it answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, Value)> {
        self.ask("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, Value) {
        self.ask("POST", path, body).unwrap()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(self.admin()?).ok()?;
        stream.set_read_timeout(Some(super::support::PATIENCE)).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let body = answer.split_once("\r\n\r\n")?.1;
        Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    /// What each instance holds, as this one sees it: its admin address, and its sources and accounts.
    pub(crate) fn sees(&self) -> BTreeMap<SocketAddr, BTreeSet<String>> {
        let Some((_, seen)) = self.get("/api/instances") else { return BTreeMap::new() };
        let instances = seen["instances"].as_array().cloned().unwrap_or_default();
        let names = |of: &Value| -> Vec<String> {
            of.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
        };
        instances
            .iter()
            .filter_map(|instance| {
                let admin = instance["admin"].as_str()?.parse().ok()?;
                let held = names(&instance["accounts"]).into_iter().chain(names(&instance["sources"]));
                Some((admin, held.collect()))
            })
            .collect()
    }

    /// What this instance holds, as `other` sees it.
    pub(crate) fn holds(&self, other: &Self) -> BTreeSet<String> {
        self.admin().and_then(|admin| other.sees().remove(&admin)).unwrap_or_default()
    }

    /// Waits until `count` sources and accounts have owners, and none of these instances has more than its share of
    /// accounts.
    pub(crate) async fn until_shared(&self, instances: &[&Self], accounts: usize, sources: usize) {
        let begun = Instant::now();
        until("all leases are held and shared", || {
            let seen = self.sees();
            if begun.elapsed() > super::support::PATIENCE / 2 {
                let logs: Vec<String> = instances.iter().map(|instance| instance.log()).collect();
                panic!("{:?}\n{seen:?}\n{}", self.get("/api/instances"), logs.join("\n---\n"));
            }
            let admins: Vec<SocketAddr> = instances.iter().filter_map(|instance| instance.admin()).collect();
            let held: usize = seen.values().map(BTreeSet::len).sum();
            let most = accounts.div_ceil(instances.len()) + sources.div_ceil(instances.len());
            seen.keys().copied().collect::<BTreeSet<_>>() == admins.iter().copied().collect()
                && held == accounts + sources
                && seen.values().all(|held| held.len() <= most)
        })
        .await;
    }

    pub(crate) fn signal(&self, which: Signal) {
        self.running.signal(which);
    }
}
