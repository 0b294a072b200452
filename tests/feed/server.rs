//! A server of one feed on loopback, which answers as a test orders.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread::{self, JoinHandle},
};

use jiff::{SignedDuration, Timestamp};

/// The smallest picture there is, by its first bytes.
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR";

/// An item of the feed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) link: String,
    /// The alt text of its picture, if it has one.
    pub(crate) picture: Option<String>,
    pub(crate) published: Option<Timestamp>,
}

/// What the server answers instead of the feed.
#[derive(Debug, Clone)]
pub(crate) enum Instead {
    /// Nothing: it hangs up.
    Nothing,
    /// This status, with these headers.
    Status(u16, String),
    /// This body.
    Body(Vec<u8>),
    /// This body, packed with gzip or said to be.
    Packed(Vec<u8>),
    /// A body without an end.
    Endless,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Oldest first.
    pub(crate) entries: Vec<Entry>,
    pub(crate) instead: Option<Instead>,
    /// Headers of every answer with the feed.
    pub(crate) headers: String,
    /// Whether it answers 304 where it can.
    pub(crate) has_etag: bool,
    /// The request lines and headers that arrived.
    pub(crate) requests: Vec<String>,
    is_stopped: bool,
}

/// The server. It stops on drop.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<Mutex<State>>::default());
        let shared = state.clone();
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().unwrap().is_stopped {
                    return;
                }
                let state = shared.clone();
                thread::spawn(move || answer(stream.unwrap(), address, &state));
            }
        });
        Self { address, state, accepting: Mutex::new(Some(accepting)) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/feed", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Adds an item.
    pub(crate) fn post(&self, title: &str) -> String {
        let number = self.state().entries.len();
        let id = format!("urn:item:{number}");
        let link = format!("https://paper.example/{number}");
        self.add(Entry { id: id.clone(), title: title.into(), link, ..Entry::default() });
        id
    }

    pub(crate) fn add(&self, entry: Entry) {
        let mut state = self.state();
        let age = SignedDuration::from_secs(state.entries.len().try_into().unwrap())
            - SignedDuration::from_hours(1);
        state.entries.push(Entry { published: Some(Timestamp::now() + age), ..entry });
    }

    /// Closes the port.
    pub(crate) fn stop(&self) {
        self.state().is_stopped = true;
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            accepting.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answer(mut stream: TcpStream, address: SocketAddr, state: &Mutex<State>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).to_lowercase();
    let mut state = state.lock().unwrap();
    state.requests.push(request.clone());
    let instead = state.instead.clone();
    let target = request.split(' ').nth(1).unwrap();
    let (status, headers, body) = match (target.split('?').next().unwrap(), instead) {
        ("/picture.png", _) => (200, String::new(), PNG.to_vec()),
        ("/feed", Some(Instead::Nothing)) => return,
        ("/feed", Some(Instead::Status(status, headers))) => (status, headers, Vec::new()),
        ("/feed", Some(Instead::Body(body))) => (200, String::new(), body),
        ("/feed", Some(Instead::Packed(body))) => (200, "content-encoding: gzip\r\n".into(), body),
        ("/feed", Some(Instead::Endless)) => {
            drop(state);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n<rss>\r\n");
            let chunk = [b"1000\r\n", &[b' '; 0x1000][..], b"\r\n"].concat();
            while stream.write_all(&chunk).is_ok() {}
            return;
        }
        ("/feed" | "/new", _) => {
            let body = document(&state.entries, address);
            let etag = format!("\"{}\"", body.len());
            if state.has_etag && request.contains(&format!("if-none-match: {etag}")) {
                (304, state.headers.clone(), Vec::new())
            } else {
                let etag = if state.has_etag { format!("etag: {etag}\r\n") } else { String::new() };
                (200, state.headers.clone() + &etag, body.into_bytes())
            }
        }
        _ => (404, String::new(), Vec::new()),
    };
    drop(state);
    let head = format!(
        "HTTP/1.1 {status} Ordered\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // The client may hang up at any point.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

pub(crate) fn document(entries: &[Entry], address: SocketAddr) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Paper</title><id>urn:paper</id>",
    );
    for Entry { id, title, link, picture, published } in entries.iter().rev() {
        write!(text, "<entry><id>{}</id>", escaped(id)).unwrap();
        if !title.is_empty() {
            write!(text, "<title type=\"text\">{}</title>", escaped(title)).unwrap();
        }
        if !link.is_empty() {
            write!(text, "<link href=\"{link}\"/>").unwrap();
        }
        if let Some(alt) = picture {
            write!(text, "<link rel=\"enclosure\" type=\"image/png\" title=\"{alt}\" href=\"http://{address}/picture.png\"/>")
                .unwrap();
        }
        write!(text, "<published>{}</published></entry>", published.unwrap()).unwrap();
    }
    text + "</feed>"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
