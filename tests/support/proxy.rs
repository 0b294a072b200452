//! A way to a PostgreSQL server that a test can cut: what is on its way then stays where it is, as in a network that lost
//! its connection, and nobody is told.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// The way.
pub(crate) struct Proxy {
    folder: tempfile::TempDir,
    cut: Arc<AtomicBool>,
}

/// The name of a server's socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

impl Proxy {
    /// A way to the server whose socket is in this folder.
    pub(crate) fn to(server: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let cut = Arc::new(AtomicBool::new(false));
        let is_cut = cut.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, is_cut) = (server.join(SOCKET), is_cut.clone());
                thread::spawn(move || connect(client, &server, &is_cut));
            }
        });
        Self { folder, cut }
    }

    pub(crate) fn cut(&self, is_cut: bool) {
        self.cut.store(is_cut, Ordering::Relaxed);
    }

    /// The URL of a database behind it, given that of the same one without it.
    pub(crate) fn url(&self, url: &str) -> String {
        let folder = self.folder.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://mynah@{folder}/{}", url.rsplit('/').next().unwrap())
    }

    /// The folder of the socket in a server's URL.
    pub(crate) fn folder_in(url: &str) -> PathBuf {
        let host = url.rsplit('@').next().unwrap().split('/').next().unwrap();
        fs::canonicalize(host.replace("%2F", "/")).unwrap()
    }
}

fn connect(client: UnixStream, server: &std::path::Path, cut: &Arc<AtomicBool>) {
    wait(cut);
    let Ok(server) = UnixStream::connect(server) else { return };
    let back = (server.try_clone().unwrap(), client.try_clone().unwrap(), cut.clone());
    thread::spawn(move || copy(back.0, back.1, &back.2));
    copy(client, server, cut);
}

fn copy(mut from: UnixStream, mut to: UnixStream, cut: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        wait(cut);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    wait(cut);
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

#[allow(clippy::disallowed_methods, reason = "a thread of its own")]
fn wait(cut: &AtomicBool) {
    while cut.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(10));
    }
}
