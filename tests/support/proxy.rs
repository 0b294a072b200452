//! Proxies whose connections a test can interrupt: data then stays where it is, as in a network that lost its connection,
//! and neither end is notified.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Interrupts the connections of a proxy, and lets them continue.
#[derive(Clone, Default)]
pub(crate) struct Cut(Arc<AtomicBool>);

impl Cut {
    pub(crate) fn set(&self, is_cut: bool) {
        self.0.store(is_cut, Ordering::Relaxed);
    }

    #[allow(clippy::disallowed_methods, reason = "a thread of its own")]
    fn wait(&self) {
        while self.0.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A proxy for a PostgreSQL server.
pub(crate) struct LedgerProxy {
    folder: tempfile::TempDir,
    pub(crate) cut: Cut,
}

/// The name of a server's socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

impl LedgerProxy {
    /// A proxy for the server whose socket is in this folder.
    pub(crate) fn to(server: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let cut = Cut::default();
        let (is_cut, server) = (cut.clone(), server.join(SOCKET));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = server.clone();
                join(client, move || UnixStream::connect(server), is_cut.clone());
            }
        });
        Self { folder, cut }
    }

    /// The URL of a database behind it, given that of the same one without it.
    pub(crate) fn url(&self, url: &str) -> String {
        let folder = self.folder.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://mynah@{folder}/{}", url.rsplit('/').next().unwrap())
    }

    /// The folder of the socket in a server's URL.
    pub(crate) fn folder_in(url: &str) -> PathBuf {
        let host = url.rsplit('@').next().unwrap().split(['/', ':']).next().unwrap();
        fs::canonicalize(host.replace("%2F", "/")).unwrap()
    }
}

/// A proxy for a network.
pub(crate) struct NetworkProxy {
    address: SocketAddr,
    pub(crate) cut: Cut,
}

impl NetworkProxy {
    /// A proxy for the server with this URL.
    pub(crate) fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Cut::default();
        let is_cut = cut.clone();
        let server: SocketAddr = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                join(client, move || TcpStream::connect(server), is_cut.clone());
            }
        });
        Self { address, cut }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A connection of any kind.
trait Connection: Read + Write + Send + Sized + 'static {
    fn twin(&self) -> Self;
    fn end(&self);
}

impl Connection for UnixStream {
    fn twin(&self) -> Self {
        self.try_clone().unwrap()
    }

    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Connection for TcpStream {
    fn twin(&self) -> Self {
        self.try_clone().unwrap()
    }

    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// Copies both ways until one end closes.
fn join<C: Connection>(client: C, connect: impl FnOnce() -> io::Result<C> + Send + 'static, cut: Cut) {
    thread::spawn(move || {
        cut.wait();
        let Ok(server) = connect() else { return };
        let back = (server.twin(), client.twin(), cut.clone());
        thread::spawn(move || copy(back.0, back.1, &back.2));
        copy(client, server, &cut);
    });
}

fn copy<C: Connection>(mut from: C, mut to: C, cut: &Cut) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        cut.wait();
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    cut.wait();
    to.end();
    from.end();
}
