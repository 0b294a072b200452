//! A proxy in front of the real server and its directory, which loses answers and makes up failures as a test orders. It
//! changes the documents of accounts, so that they lead to the proxy.

use std::{
    collections::HashSet,
    io::Write as _,
    io::{BufRead as _, BufReader, Read as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

/// What the proxy does to calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Forwards a call, and hangs up in the middle of the answer.
    LoseAnswers,
    /// The same with this share of the calls, except those for media: Mynah gives up a medium after three failures.
    LoseSome(f64),
    /// Answers with this status, these headers and this body.
    Answer(u16, String, String),
    /// Accepts no call any more.
    Stopped,
}

#[derive(Default)]
struct State {
    fault: Fault,
    random: fastrand::Rng,
    /// Method and path of each call.
    calls: Vec<String>,
    lost: usize,
    /// The credentials of calls so far, and those that are refused as expired.
    seen: HashSet<String>,
    expired: HashSet<String>,
    /// Loses the next answer to a call whose path contains this.
    lose_next: Option<String>,
    /// The connections that stay open.
    streams: Vec<TcpStream>,
}

/// A proxy. It stops on drop.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct Servers {
    pds: String,
    plc: String,
    own: String,
}

/// A request as it is forwarded: everything but its target stays.
struct Request {
    method: String,
    path: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Proxy {
    pub(crate) fn to(pds: &str, plc: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = format!("http://{address}");
        let proxy = Self { address, state: Arc::default() };
        let state = proxy.state.clone();
        let servers = Arc::new(Servers { pds: pds.to_owned(), plc: plc.to_owned(), own });
        thread::spawn(move || {
            for client in listener.incoming() {
                if state.lock().unwrap().fault == Fault::Stopped {
                    return;
                }
                let (state, servers) = (state.clone(), servers.clone());
                // A client that hangs up is none of the test's business.
                thread::spawn(move || client.map(|client| serve(client, &state, &servers)));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set(&self, fault: Fault) {
        let is_stopped = fault == Fault::Stopped;
        self.state().fault = fault;
        if is_stopped {
            // Wakes the listener, which then closes.
            while TcpStream::connect(self.address).is_ok() {
                thread::yield_now();
            }
        }
    }

    /// Refuses the tokens that were used so far, as a server does two hours later. They still refresh a session.
    pub(crate) fn expire_tokens(&self) {
        let mut state = self.state();
        let seen = std::mem::take(&mut state.seen);
        state.expired.extend(seen);
    }

    /// Loses the next answer to this call.
    pub(crate) fn lose_next(&self, call: &str) {
        self.state().lose_next = Some(call.to_owned());
    }

    /// Ends the connections that stay open. Returns how many there were.
    pub(crate) fn cut_streams(&self) -> usize {
        let streams = std::mem::take(&mut self.state().streams);
        streams.iter().filter(|stream| stream.shutdown(Shutdown::Both).is_ok()).count()
    }

    /// How many connections stay open.
    pub(crate) fn streams(&self) -> usize {
        self.state().streams.len()
    }

    /// Makes the losses repeatable.
    pub(crate) fn seed(&self, seed: u64) {
        self.state().random = fastrand::Rng::with_seed(seed);
    }

    /// How many answers were lost.
    pub(crate) fn lost(&self) -> usize {
        self.state().lost
    }

    /// The calls so far whose method and path contain this.
    pub(crate) fn calls(&self, part: &str) -> usize {
        self.state().calls.iter().filter(|call| call.contains(part)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Fault::Stopped);
    }
}

/// Serves one call: the answer closes the connection.
fn serve(client: TcpStream, state: &Mutex<State>, servers: &Servers) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let request = read(&mut reader)?;
    if request.path.contains("subscribeRepos") {
        return tunnel(client, &request, state, servers);
    }
    let is_call = request.path.starts_with("/xrpc/");
    let is_medium = request.path.contains("Blob");
    let is_header = |header: &&String| header.to_lowercase().starts_with("authorization");
    let credentials = request.headers.iter().find(is_header).cloned();
    let (is_lost, made_up_answer) = {
        let mut state = state.lock().unwrap();
        state.calls.push(format!("{} {}", request.method, request.path));
        if let Some(credentials) = credentials.filter(|_| !request.path.contains("refreshSession")) {
            if state.expired.contains(&credentials) {
                let body = r#"{"error":"ExpiredToken","message":"Token has expired"}"#;
                drop(state);
                return made_up(client, 400, "", body);
            }
            state.seen.insert(credentials);
        }
        if state.lose_next.as_ref().is_some_and(|call| request.path.contains(call)) {
            state.lose_next = None;
            (true, None)
        } else {
            match state.fault.clone() {
                Fault::LoseAnswers => (is_call, None),
                Fault::LoseSome(share) => (is_call && !is_medium && state.random.f64() < share, None),
                Fault::Answer(status, headers, body) if is_call => (false, Some((status, headers, body))),
                Fault::None | Fault::Answer(..) => (false, None),
                Fault::Stopped => return None,
            }
        }
    };
    if is_lost {
        state.lock().unwrap().lost += 1;
    }
    let mut client = client;
    if let Some((status, headers, body)) = made_up_answer {
        return made_up(client, status, &headers, &body);
    }
    let answer = forward(&request, servers)?;
    let answer = if is_lost { &answer[..answer.len() / 2] } else { &answer[..] };
    client.write_all(answer).ok()
}

/// Connects a client to the server until one of them, or the test, ends the connection.
fn tunnel(client: TcpStream, request: &Request, state: &Mutex<State>, servers: &Servers) -> Option<()> {
    let host = servers.pds.trim_start_matches("http://");
    let mut server = TcpStream::connect(host).ok()?;
    let Request { method, path, headers, .. } = request;
    write!(
        server,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\n{}\r\n\r\n",
        headers.join("\r\n")
    )
    .ok()?;
    state.lock().unwrap().streams.push(client.try_clone().ok()?);
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut client = client;
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    Some(())
}

/// Sends an answer that no server gave.
fn made_up(mut client: TcpStream, status: u16, headers: &str, body: &str) -> Option<()> {
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 {status} Fault\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .ok()
}

/// The head and the body of a request or answer with a `Content-Length`, or to the end.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let header = line.trim_end().to_owned();
        if header.is_empty() {
            break;
        }
        let name = header.split(':').next()?.to_lowercase();
        if name == "content-length" {
            length = header.split(':').nth(1)?.trim().parse().ok()?;
        }
        if !matches!(name.as_str(), "host" | "connection" | "accept-encoding") {
            headers.push(header);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

/// Sends a request on, and returns the whole answer.
fn forward(request: &Request, servers: &Servers) -> Option<Vec<u8>> {
    let Request { method, path, headers, body } = request;
    let is_document = path.starts_with("/did:");
    let server = if is_document { &servers.plc } else { &servers.pds };
    let mut stream = TcpStream::connect(server.trim_start_matches("http://")).ok()?;
    stream.set_read_timeout(Some(Duration::from_mins(1))).ok()?;
    let host = server.trim_start_matches("http://");
    write!(stream, "{method} {path} HTTP/1.0\r\nhost: {host}\r\nconnection: close\r\n").ok()?;
    for header in headers {
        write!(stream, "{header}\r\n").ok()?;
    }
    write!(stream, "\r\n").ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    if !is_document {
        return Some(answer);
    }
    let text = String::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let body = body.replace(&servers.pds, &servers.own);
    let kept = head.lines().filter(|line| {
        let line = line.to_lowercase();
        !line.starts_with("content-length") && !line.starts_with("etag")
    });
    let head = kept.collect::<Vec<_>>().join("\r\n");
    Some(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}
