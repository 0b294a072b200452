//! A PostgreSQL server for tests: started once for a test program, with an empty database for each test, and stopped when
//! the program ends, however it ends.

#[path = "server.rs"]
pub(crate) mod server;

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use server::{Watchdog, skip};

/// Whether a server may forget what it confirmed when the machine loses power. No test takes its power.
const FAST: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/// A folder in memory: no test takes the machine's power.
const MEMORY: &str = "/dev/shm";

/// Whether the databases of a test program fit in a folder. A container usually has 64 MB there.
fn has_room(folder: &str) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|free| free.f_bavail * free.f_frsize >= 2 << 30)
}

/// A server in a folder of its own, reached by a socket in it.
pub(crate) struct Server {
    folder: PathBuf,
    /// The port that it listens on, and that names its socket.
    port: u16,
    settings: Vec<String>,
    process: Option<Child>,
    /// Ends with this process; then the server is stopped and its folder removed.
    watchdog: Option<Watchdog>,
}

impl Server {
    /// The server of this test program; `None`, with one line about it, if PostgreSQL is not installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&FAST)).as_ref()
    }

    /// Another one, with these settings; `None` if PostgreSQL is not installed.
    pub(crate) fn start(settings: &[&str]) -> Option<Self> {
        Self::start_on(5432, settings)
    }

    /// Another one on this port, with these settings, which decide whether it listens beyond its socket.
    pub(crate) fn start_on(port: u16, settings: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            skip("MYNAH_TEST_POSTGRES", "PostgreSQL is not installed; run: apt-get install postgresql");
            return None;
        };
        let place = if has_room(MEMORY) { MEMORY.into() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("mynah-pg").tempdir_in(place).unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let user = user();
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let mut initdb = Command::new(programs.join("initdb"));
        initdb.args([
            "--auth=trust",
            "--username=mynah",
            "--encoding=UTF8",
            "--no-sync",
            "--no-instructions",
        ]);
        initdb.arg("-D").arg(folder.join("data"));
        let made = as_user(&mut initdb, user).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { folder, port, settings, process: None, watchdog: None };
        server.run();
        Some(server)
    }

    /// Starts the server, or starts it again.
    pub(crate) fn run(&mut self) {
        let mut postgres = Command::new(programs().unwrap().join("postgres"));
        postgres.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        postgres.args(["-c", "listen_addresses=", "-c", "max_connections=200", "-c", "max_wal_size=4GB"]);
        postgres.arg("-c").arg(format!("port={}", self.port));
        for setting in &self.settings {
            postgres.args(["-c", setting]);
        }
        let log = fs::File::create(self.folder.join("log")).unwrap();
        postgres.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = as_user(&mut postgres, user()).spawn().unwrap();
        let id = process.id().to_string();
        self.process = Some(process);
        let stop = "kill -INT $0 2>/dev/null; while kill -0 $0 2>/dev/null; do sleep 0.1; done; [ -z \"$1\" ] || rm -rf \"$1\"";
        self.watchdog = Some(Watchdog::start(stop, &[&id, self.folder.to_str().unwrap()]));
        let begun = Instant::now();
        while !self.answers() {
            // The children of a server that was killed may still be there, and then it refuses to start.
            if self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_some()) {
                self.watchdog.take().unwrap().dismiss();
                return self.run();
            }
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_mins(1), "PostgreSQL does not start:\n{}", log());
            // Asking takes a moment, in which the server gets on.
            std::thread::yield_now();
        }
    }

    fn answers(&self) -> bool {
        let mut ask = Command::new(programs().unwrap().join("pg_isready"));
        ask.arg("-q").arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
        ask.status().unwrap().success()
    }

    /// Kills the server's first process. The others end when they notice, and nothing is written in order.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        // Its children notice that it is gone, and only then another one may start.
        let pid = self.folder.join("data/postmaster.pid");
        let _ = fs::remove_file(pid);
        self.watchdog.take().unwrap().dismiss();
    }

    /// The folder with its socket.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let folder = self.folder.to_str().unwrap().replace('/', "%2F");
        format!("postgres://mynah@{folder}:{}/{database}", self.port)
    }

    /// Runs SQL in a database. Returns the first column of the rows, in lines.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(programs().unwrap().join("psql"));
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "mynah",
            "-d",
            database,
            "-c",
            sql,
        ]);
        psql.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
        let done = psql.output().unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }

    /// The URL of a new, empty database.
    pub(crate) fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("ledger_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(watchdog) = self.watchdog.take() {
            let mut acting = watchdog.act();
            let _ = self.process.take().map(|mut process| process.wait());
            let _ = acting.wait();
        }
    }
}

/// The folder of PostgreSQL's programs, of the newest version.
fn programs() -> Option<&'static Path> {
    static PROGRAMS: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut versions: Vec<u32> =
            versions.filter_map(|version| version.ok()?.file_name().to_str()?.parse().ok()).collect();
        versions.sort_unstable();
        let folders =
            versions.iter().rev().map(|version| format!("/usr/lib/postgresql/{version}/bin").into());
        folders.into_iter().find(|folder: &PathBuf| folder.join("initdb").exists())
    };
    PROGRAMS.get_or_init(find).as_deref()
}

/// The user and group to run as: PostgreSQL refuses to run as root.
fn user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let fields = users.lines().find_map(|line| line.strip_prefix("postgres:"));
    let mut fields = fields.expect("a user postgres").split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// A port that nobody uses at the moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Gives a file or folder to the user that the server runs as, and to nobody else.
pub(crate) fn give_to_server(path: &Path) {
    let mode = if path.is_dir() { 0o755 } else { 0o600 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if let Some((uid, gid)) = user() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

/// Makes a command run as the server does.
pub(crate) fn run_as_server(command: &mut Command) -> &mut Command {
    as_user(command, user())
}

fn as_user(command: &mut Command, user: Option<(u32, u32)>) -> &mut Command {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid).current_dir("/");
    }
    command
}

/// A connection for tests that are not asynchronous.
pub(crate) struct Asker(mpsc::Sender<(String, mpsc::Sender<Vec<tokio_postgres::Row>>)>);

impl Asker {
    pub(crate) fn new(url: &str) -> Self {
        let (questions, asked) = mpsc::channel::<(String, mpsc::Sender<_>)>();
        let config: tokio_postgres::Config = url.parse().unwrap();
        std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
                let driven = actix_rt::spawn(connection);
                while let Ok((sql, answer)) = asked.recv() {
                    let rows = client.query(&sql, &[]).await;
                    // The asker may be gone.
                    let _ = answer.send(rows.unwrap_or_else(|error| panic!("{sql}: {error}")));
                }
                drop(client);
                let _ = driven.await;
            });
        });
        Self(questions)
    }

    pub(crate) fn ask(&self, sql: &str) -> Vec<tokio_postgres::Row> {
        let (answer, rows) = mpsc::channel();
        self.0.send((sql.to_owned(), answer)).unwrap();
        rows.recv().unwrap()
    }
}
