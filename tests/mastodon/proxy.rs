//! A proxy in front of a real server, which loses answers and makes up failures as a test orders.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::net::TcpSocket;

use crate::contract::trouble::closed_port;

/// What the proxy does to calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Forwards a call, and hangs up in the middle of the answer.
    LoseAnswers,
    /// The same with this share of the calls.
    LoseSome(f64),
    /// Forwards a call, and answers with something else.
    Garbage,
    /// Answers with this status, these headers and this body.
    Answer(u16, &'static str, String),
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
    /// How long the longest call took the server.
    longest: Duration,
    /// The status whose content is broken in every answer.
    broken: Option<String>,
    /// The connections that stay open.
    streams: Vec<TcpStream>,
    /// Keeps the port of a proxy that was stopped.
    closed: Option<TcpSocket>,
}

/// A proxy. It stops on drop.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let (state, server) = (proxy.state.clone(), server.trim_start_matches("http://").to_owned());
        thread::spawn(move || {
            for client in listener.incoming() {
                if state.lock().unwrap().fault == Fault::Stopped {
                    return;
                }
                let (state, server) = (state.clone(), server.clone());
                // A client that hangs up is none of the test's business.
                thread::spawn(move || client.map(|client| serve(client, &state, &server)));
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
            self.state().closed = Some(closed_port(self.address));
        }
    }

    /// Breaks the content of a status in every answer.
    pub(crate) fn break_status(&self, id: &str) {
        self.state().broken = Some(id.to_owned());
    }

    /// Ends the connections that stay open.
    pub(crate) fn cut_streams(&self) {
        for stream in std::mem::take(&mut self.state().streams) {
            // One that has ended cannot be shut down.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// How many connections stay open, counted at both ends.
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

    /// How long the longest call took the server.
    pub(crate) fn longest(&self) -> Duration {
        self.state().longest
    }

    /// The calls so far whose method and path contain this.
    pub(crate) fn calls(&self, part: &str) -> usize {
        self.state().calls.iter().filter(|call| call.contains(part)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.state().closed.is_none() {
            self.set(Fault::Stopped);
        }
    }
}

/// What happens to one call.
enum Fate {
    Answered,
    Lost,
    Garbled,
}

/// Serves one call: the answer closes the connection.
fn serve(mut client: TcpStream, state: &Mutex<State>, server: &str) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (request, line) = read(&mut reader)?;
    let is_stream = line.contains("/api/v1/streaming/");
    let (fate, broken) = {
        let mut state = state.lock().unwrap();
        state.calls.push(line);
        let fate = match state.fault.clone() {
            Fault::LoseAnswers => Fate::Lost,
            Fault::LoseSome(share) if state.random.f64() < share => Fate::Lost,
            Fault::None | Fault::LoseSome(_) => Fate::Answered,
            Fault::Garbage => Fate::Garbled,
            Fault::Answer(status, headers, body) => {
                drop(state);
                return made_up(client, status, headers, &body);
            }
            Fault::Stopped => return None,
        };
        if matches!(fate, Fate::Lost) {
            state.lost += 1;
        }
        (fate, state.broken.clone())
    };
    if is_stream {
        let mut stream = TcpStream::connect(server).ok()?;
        stream.write_all(&request).ok()?;
        state.lock().unwrap().streams.extend([client.try_clone().ok()?, stream.try_clone().ok()?]);
        return std::io::copy(&mut stream, &mut client).ok().map(drop);
    }
    let begun = Instant::now();
    let answer = forward(&request, server)?;
    {
        let mut state = state.lock().unwrap();
        state.longest = state.longest.max(begun.elapsed());
    }
    match fate {
        Fate::Answered => match broken.and_then(|id| without_content(&answer, &id)) {
            Some(body) => made_up(client, 200, "content-type: application/json\r\n", &body),
            None => client.write_all(&answer).ok(),
        },
        Fate::Lost => client.write_all(&answer[..answer.len() / 2]).ok(),
        Fate::Garbled => made_up(client, 200, "content-type: text/html\r\n", "<html><p>Welcome!"),
    }
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

/// A request as it is forwarded, and its method and path.
fn read(reader: &mut BufReader<TcpStream>) -> Option<(Vec<u8>, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    // So that the server closes the connection.
    let (mut head, mut length) = (format!("{method} {path} HTTP/1.0\r\n"), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        let name = header.split(':').next()?.to_lowercase();
        if name == "content-length" {
            length = header.split(':').nth(1)?.trim().parse().ok()?;
        }
        if !matches!(name.as_str(), "connection" | "accept-encoding") {
            head = head + header + "\r\n";
        }
    }
    let mut request = format!("{head}connection: close\r\n\r\n").into_bytes();
    let start = request.len();
    request.resize(start + length, 0);
    reader.read_exact(&mut request[start..]).ok()?;
    Some((request, format!("{method} {path}")))
}

/// Sends a request on, and returns the whole answer.
fn forward(request: &[u8], server: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(Duration::from_mins(1))).ok()?;
    stream.write_all(request).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    // The client must not use a connection that is closed.
    let end = answer.windows(2).position(|two| two == b"\r\n")?;
    answer.splice(end..end, b"\r\nconnection: close".iter().copied());
    Some(answer)
}

/// The body of an answer with that status broken; `None` if it does not have the status.
fn without_content(answer: &[u8], id: &str) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let mut body: Value = serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()?;
    let mut has_broken = false;
    let statuses = match &mut body {
        Value::Array(statuses) => statuses.iter_mut().collect::<Vec<_>>(),
        status => vec![status],
    };
    for status in statuses.into_iter().filter(|status| status["id"] == id && status["content"].is_string()) {
        status["content"] = Value::from(5);
        has_broken = true;
    }
    has_broken.then(|| body.to_string())
}
