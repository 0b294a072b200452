//! A connection pooler in front of a PostgreSQL server.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::postgres::{
    Server, free_port, give_to_server, run_as_server,
    server::{Watchdog, skip},
};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// For how long a client has a connection to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolMode {
    Session,
    Transaction,
}

/// PgBouncer, stopped when the test program ends, however it ends.
pub(crate) struct PgBouncer {
    port: u16,
    _process: Child,
    _folder: tempfile::TempDir,
    _watchdog: Watchdog,
}

impl PgBouncer {
    /// `None`, with one line about it, if PgBouncer is not installed.
    pub(crate) fn start(server: &Server, mode: PoolMode) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            skip("MYNAH_TEST_POSTGRES", "PgBouncer is not installed; run: make setup-postgresql");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        give_to_server(folder.path());
        let file = folder.path().join("pgbouncer.ini");
        let (port, socket) = (free_port(), server.folder().display());
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        let settings = format!(
            "[databases]\n* = host={socket} user=mynah\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\n"
        );
        fs::write(&file, settings).unwrap();
        give_to_server(&file);
        let mut pgbouncer = Command::new(PROGRAM);
        pgbouncer.arg("-q").arg(&file);
        pgbouncer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = run_as_server(&mut pgbouncer).spawn().unwrap();
        let watchdog = Watchdog::start("kill -KILL $0 2>/dev/null", &[&process.id().to_string()]);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert_eq!(process.try_wait().unwrap(), None, "PgBouncer does not start");
            assert!(begun.elapsed() < Duration::from_mins(1), "PgBouncer does not start");
            std::thread::yield_now();
        }
        Some(Self { port, _process: process, _folder: folder, _watchdog: watchdog })
    }

    /// The URL of a database of the server, through the pooler.
    pub(crate) fn url(&self, database: &str) -> String {
        let name = database.rsplit('/').next().unwrap();
        format!("postgres://mynah@127.0.0.1:{}/{name}", self.port)
    }
}
