//! After a failed call to another server, Mynah must know whether it may repeat the call: either the request never
//! reached the server, or the server may have acted on it.
//!
//! awc's own errors do not distinguish the two (a server that hangs up after it read a request is a *connect* error to
//! awc), and they are not `Send`. This module turns each into one of three errors, [`HttpError::NoAnswer`] if in doubt.
//! It reads every body to the end, errors too, because an unread body costs the connection, but only up to a size.
//!
//! Every answer passes through a [`Redactor`] before an adapter sees it, so no secret that an upstream repeats can
//! reach a log, the ledger or a publication. No other module may create an awc client (`clippy.toml`).
//!
//! Redirects are not followed: a redirect leads to another server, which must not receive our keys.

#![expect(clippy::disallowed_types, reason = "only this module creates clients")]

mod dns;
mod gzip;
mod websocket;

use std::{cell::RefCell, collections::HashMap, mem, pin::Pin, time::Duration};

use actix_tls::connect::Resolver;
use actix_web::web::Bytes;
use awc::{
    Client, Connector,
    error::{ConnectError, PayloadError, SendRequestError},
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
};
use dns::CachingResolver;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;

pub use websocket::WebSocket;

use crate::redaction::{MARK, Purpose, Redactor};

const USER_AGENT: &str = concat!("mynah/", env!("CARGO_PKG_VERSION"));

/// How much time, memory and how many connections of this thread one upstream may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The most concurrent connections. awc counts them per client, not per host, so each upstream has its own client.
    pub connections: usize,
    /// How to open and reuse connections.
    pub transport: Transport,
    /// The timeout of the whole call, from waiting for a free connection to the end of the body.
    pub timeout: Duration,
    /// The longest body to read, in bytes.
    pub max_body: usize,
}

/// How to open and reuse connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transport {
    /// The timeout of connecting, with TLS. Shorter than a call's, to distinguish a dead host from a slow one.
    pub connect_timeout: Duration,
    /// How long to keep an idle connection open.
    pub keep_alive: Duration,
    /// How long to cache the addresses of a host.
    pub dns_ttl: Duration,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(15),
            dns_ttl: Duration::from_mins(1),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16,
            transport: Transport::default(),
            timeout: Duration::from_secs(30),
            max_body: 4 * 1024 * 1024,
        }
    }
}

/// A call without a complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The connection failed: nothing reached the server, and the call may be repeated.
    #[error("cannot reach the server: {0}")]
    Unreachable(String),
    /// The request may have reached the server, and the server may have acted on it.
    #[error("no complete answer from the server, which may have acted anyway: {0}")]
    NoAnswer(String),
    /// The body of the answer is too long.
    #[error("the server answered {status} with a body longer than {limit} bytes")]
    TooLarge {
        /// The status of the answer.
        status: u16,
        /// The limit that its body exceeded.
        limit: usize,
    },
}

impl HttpError {
    fn redacted(self, redactor: &Redactor) -> Self {
        match self {
            Self::Unreachable(why) => Self::Unreachable(redactor.explanation(&why).into_owned()),
            Self::NoAnswer(why) => Self::NoAnswer(redactor.explanation(&why).into_owned()),
            Self::TooLarge { .. } => self,
        }
    }
}

/// An outgoing request. It has no `Debug`: its headers carry keys.
#[derive(Clone)]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    /// Whether the answer may be packed.
    accepts_gzip: bool,
}

impl Request {
    /// A request without a body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Bytes::new(), accepts_gzip: false }
    }

    /// A `GET` request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    /// A `POST` request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::POST, url)
    }

    /// Adds a header. An invalid one makes the call fail before anything is sent.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Lets the server pack the answer, which is then unpacked up to the same limit. Only for [`HttpClient::send`].
    #[must_use]
    pub fn accept_gzip(mut self) -> Self {
        self.accepts_gzip = true;
        self.header(header::ACCEPT_ENCODING.as_str(), "gzip")
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(header::CONTENT_TYPE.as_str(), content_type)
    }

    /// Sets the body, whose type is among the headers already.
    #[must_use]
    pub fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    fn redactor(&self) -> Redactor {
        Redactor::for_request(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Sets `value` as the JSON body.
    ///
    /// # Errors
    /// serde cannot write `value`.
    pub fn json(self, value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(self.body("application/json", serde_json::to_vec(value)?))
    }
}

/// A complete answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

#[cfg(test)]
impl Answer {
    /// An answer for a test.
    pub(crate) fn made_up(status: u16, header: (&'static str, &str), body: &str) -> Self {
        Self::with_headers(status, &[(header.0, header.1.to_owned())], body)
    }

    /// The same, with any number of headers.
    pub(crate) fn with_headers(status: u16, headers: &[(&'static str, String)], body: &str) -> Self {
        let named = |(name, value): &(&'static str, String)| {
            (awc::http::header::HeaderName::from_static(name), value.parse().unwrap())
        };
        let headers = headers.iter().map(named).collect::<HeaderMap>();
        Self { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }
}

impl Answer {
    /// A header by name, whatever its case; the first if there are several. `None` if it is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the status is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Removes the secrets that the server repeated. This changes the body's length, so check `is_cut_off` first.
    fn redacted(mut self, redactor: &Redactor) -> Self {
        // A post may contain a short secret by chance; an error is only for people.
        let purpose = if self.is_success() { Purpose::Content } else { Purpose::Explanation };
        if let Some(body) = redactor.redact(&self.body, purpose) {
            self.body = body.into();
        }
        let redacted = |value: &HeaderValue| {
            let text = redactor.redact(value.as_bytes(), purpose)?;
            // A value with the mark in it is valid, so this does not fail.
            Some(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(MARK)))
        };
        if self.headers.iter().any(|(_, value)| redacted(value).is_some()) {
            let headers = self.headers.iter();
            self.headers = headers
                .map(|(name, value)| (name.clone(), redacted(value).unwrap_or_else(|| value.clone())))
                .collect();
        }
        self
    }

    fn is_shorter_than_announced(&self) -> bool {
        let announced = self.header("content-length").and_then(|length| length.parse::<usize>().ok());
        announced.is_some_and(|length| length > self.body.len())
    }

    /// If the server hangs up in the middle of a body, awc reports no error. A body of known length can be measured;
    /// a chunked body can be checked only if it is JSON.
    fn is_cut_off(&self) -> bool {
        if self.header("content-length").is_some() {
            return self.is_shorter_than_announced();
        }
        let is_json =
            self.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
        let has_body = !matches!(self.status, 204 | 304);
        has_body && is_json && serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).is_err()
    }

    /// Whether the body is packed with gzip.
    fn is_packed(&self) -> bool {
        let coding = self.header("content-encoding").unwrap_or_default();
        coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip")
    }

    /// The answer with its body unpacked, if it is at most `limit` bytes long.
    async fn unpacked(mut self, limit: usize) -> Result<Self, HttpError> {
        let status = self.status;
        self.body = gzip::unpacked(self.body, limit).await.map_err(|why| match why {
            gzip::Unpacking::TooLarge => HttpError::TooLarge { status, limit },
            gzip::Unpacking::Broken(why) => {
                HttpError::NoAnswer(format!("answered {status}, and the answer cannot be unpacked: {why}"))
            }
        })?;
        self.headers.remove(header::CONTENT_ENCODING);
        self.headers.remove(header::CONTENT_LENGTH);
        Ok(self)
    }

    /// The body as text, for error messages; invalid UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The lines of an answer without an end, as they arrive: each item is one or more whole lines.
pub type Lines = Pin<Box<dyn Stream<Item = Result<Bytes, HttpError>>>>;

/// The answer to a streaming call.
pub enum Streamed {
    /// The body as it arrives.
    Stream(Lines),
    /// An answer with an error status.
    Refused(Answer),
}

/// The head of an answer; its body is still to be read.
type Response = awc::ClientResponse;

/// A client for one upstream on one arbiter. Cheap to clone, and not `Send`.
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
    limits: Limits,
}

thread_local! {
    /// Clients of this thread, so that actors on one arbiter share the connections and the limit of an upstream, even
    /// after a restart.
    static CLIENTS: RefCell<HashMap<(String, Limits), HttpClient>> = RefCell::default();
}

impl HttpClient {
    /// The client of this thread for `upstream`, created on first use.
    pub fn shared(upstream: &str, limits: Limits) -> Self {
        CLIENTS.with_borrow_mut(|clients| {
            clients.entry((upstream.to_owned(), limits)).or_insert_with(|| Self::new(limits)).clone()
        })
    }

    /// A client that is not shared.
    pub fn new(limits: Limits) -> Self {
        // The connector panics without a provider.
        install_crypto_provider();
        // HTTP/2 would put all calls on one connection, where one error fails them all.
        let Transport { connect_timeout, keep_alive, dns_ttl } = limits.transport;
        let connect_timeout = connect_timeout.min(limits.timeout);
        let resolver = Resolver::custom(CachingResolver::new(dns_ttl));
        let connector = Connector::new()
            .connector(actix_tls::connect::Connector::new(resolver).service())
            .max_http_version(awc::http::Version::HTTP_11)
            .limit(limits.connections.max(1))
            .timeout(connect_timeout)
            .handshake_timeout(connect_timeout)
            .conn_keep_alive(keep_alive);
        Self {
            client: Client::builder()
                .connector(connector)
                // awc's own timeout covers only the head of the answer, so a body might never end.
                .disable_timeout()
                .add_default_header((header::USER_AGENT, USER_AGENT))
                .disable_redirects()
                .finish(),
            limits,
        }
    }

    /// Sends `request` and reads the complete answer.
    ///
    /// # Errors
    /// See [`HttpError`]. An answer with an error status is an [`Answer`].
    pub async fn send(&self, request: Request) -> Result<Answer, HttpError> {
        actix_rt::time::timeout(self.limits.timeout, self.send_and_read(request))
            .await
            .unwrap_or_else(|_| Err(HttpError::NoAnswer("timed out".into())))
    }

    /// Sends `request` and streams the answer line by line, for an answer without an end. The timeout covers only its
    /// head.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn stream(&self, request: Request) -> Result<Streamed, HttpError> {
        let redactor = request.redactor();
        let head = actix_rt::time::timeout(self.limits.timeout, self.send_off(request, &redactor));
        let response = head.await.unwrap_or_else(|_| Err(HttpError::NoAnswer("timed out".into())))?;
        if !response.status().is_success() {
            let answer = self.read(response, &redactor).await?;
            return Ok(Streamed::Refused(whole(answer, &redactor)?));
        }
        Ok(Streamed::Stream(Box::pin(lines(response, redactor, self.limits.max_body))))
    }

    async fn send_and_read(&self, request: Request) -> Result<Answer, HttpError> {
        let (redactor, accepts_gzip) = (request.redactor(), request.accepts_gzip);
        let response = self.send_off(request, &redactor).await?;
        let answer = self.read(response, &redactor).await?;
        let answer = if accepts_gzip && answer.is_packed() {
            answer.unpacked(self.limits.max_body).await?
        } else {
            answer
        };
        whole(answer, &redactor)
    }

    async fn send_off(&self, request: Request, redactor: &Redactor) -> Result<Response, HttpError> {
        let mut outgoing = self.client.request(request.method, request.url);
        for (name, value) in request.headers {
            outgoing = outgoing.insert_header((name, value));
        }
        outgoing.send_body(request.body).await.map_err(|error| from_sending(&error).redacted(redactor))
    }

    /// Reads an answer as it is on the wire.
    async fn read(&self, mut response: Response, redactor: &Redactor) -> Result<Answer, HttpError> {
        let status = response.status().as_u16();
        let limit = self.limits.max_body;
        let body = response.body().limit(limit).await;
        let body = body.map_err(|error| from_reading(&error, status, limit).redacted(redactor))?;
        let answer = Answer { status, headers: response.headers().clone(), body };
        if answer.is_shorter_than_announced() { Err(cut_off()) } else { Ok(answer) }
    }
}

fn cut_off() -> HttpError {
    HttpError::NoAnswer("the connection ended in the middle of the answer".into())
}

/// An answer that is complete, without secrets.
fn whole(answer: Answer, redactor: &Redactor) -> Result<Answer, HttpError> {
    if answer.is_cut_off() { Err(cut_off()) } else { Ok(answer.redacted(redactor)) }
}

/// Complete lines without secrets, as they arrive. A chunk may end in the middle of a secret; a line does not.
fn lines(
    response: Response,
    redactor: Redactor,
    limit: usize,
) -> impl Stream<Item = Result<Bytes, HttpError>> {
    let status = response.status().as_u16();
    let redacted = move |lines: Vec<u8>| redactor.redact(&lines, Purpose::Content).unwrap_or(lines).into();
    let begun = (Some(response), Vec::new(), redacted);
    stream::unfold(begun, move |(response, mut rest, redacted)| async move {
        let mut response = response?;
        loop {
            match response.next().await {
                Some(Ok(chunk)) => rest.extend_from_slice(&chunk),
                Some(Err(error)) => {
                    return Some((Err(from_reading(&error, status, limit)), (None, rest, redacted)));
                }
                None if rest.is_empty() => return None,
                None => {
                    let last = redacted(mem::take(&mut rest));
                    return Some((Ok(last), (None, rest, redacted)));
                }
            }
            if let Some(end) = memchr::memrchr(b'\n', &rest) {
                let remaining = rest.split_off(end + 1);
                let lines = redacted(rest);
                return Some((Ok(lines), (Some(response), remaining, redacted)));
            }
            if rest.len() > limit {
                return Some((Err(HttpError::TooLarge { status, limit }), (None, rest, redacted)));
            }
        }
    })
}

/// Installs the cryptography for rustls, once per process; further calls do nothing.
pub fn install_crypto_provider() {
    // An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Only a failure before the connection is open proves that nothing reached the server.
fn from_sending(error: &SendRequestError) -> HttpError {
    match error {
        SendRequestError::Url(_) | SendRequestError::Http(_) => HttpError::Unreachable(error.to_string()),
        SendRequestError::Connect(connect) => match connect {
            ConnectError::SslIsNotSupported
            | ConnectError::Resolver(_)
            | ConnectError::NoRecords
            | ConnectError::Timeout
            | ConnectError::Unresolved
            | ConnectError::Io(_) => HttpError::Unreachable(connect.to_string()),
            // awc returns `Disconnected` if the server hangs up after the request was sent.
            _ => HttpError::NoAnswer("the server closed the connection without an answer".into()),
        },
        SendRequestError::Timeout => HttpError::NoAnswer("timed out".into()),
        SendRequestError::Send(io) => HttpError::NoAnswer(io.to_string()),
        SendRequestError::Response(parse) => HttpError::NoAnswer(format!("not HTTP: {parse}")),
        // Their texts may quote the request.
        _ => HttpError::NoAnswer("the call was interrupted".into()),
    }
}

fn from_reading(error: &PayloadError, status: u16, limit: usize) -> HttpError {
    match error {
        PayloadError::Overflow => HttpError::TooLarge { status, limit },
        error => HttpError::NoAnswer(format!("answered {status}, then: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{SocketAddr, TcpListener, TcpStream},
        sync::mpsc,
        thread,
    };

    use super::*;

    /// Serves connections on loopback one at a time with `serve`, which holds the connection until it returns.
    fn server(mut serve: impl FnMut(&mut TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&mut stream.unwrap());
            }
        });
        address
    }

    fn read_request(stream: &mut TcpStream) -> String {
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            let read = stream.read(&mut chunk).unwrap();
            if read == 0 {
                break;
            }
            request.extend_from_slice(&chunk[..read]);
        }
        String::from_utf8(request).unwrap()
    }

    /// Answers every request with `answer`, then hangs up.
    fn answering(answer: impl Into<Vec<u8>>) -> SocketAddr {
        let answer = answer.into();
        server(move |stream| {
            read_request(stream);
            // The client may hang up first, once it has read enough.
            let _ = stream.write_all(&answer);
        })
    }

    async fn get(address: SocketAddr) -> Result<Answer, HttpError> {
        client().send(Request::get(format!("http://{address}/"))).await
    }

    fn client() -> HttpClient {
        HttpClient::new(Limits { timeout: Duration::from_millis(300), max_body: 1000, ..Limits::default() })
    }

    #[actix_rt::test]
    async fn the_complete_answer_is_read_whatever_its_status() {
        let address =
            answering("HTTP/1.1 503 Busy\r\nContent-Length: 5\r\nX-Rate-Limit-Reset: 17\r\n\r\nlater");
        let answer = get(address).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (503, "later"));
        assert_eq!(answer.header("x-rate-limit-reset"), Some("17"));
        assert!(!answer.is_success());
    }

    #[actix_rt::test]
    async fn the_request_has_a_user_agent_and_all_headers() {
        let (seen, requests) = mpsc::channel();
        let address = server(move |stream| {
            seen.send(read_request(stream)).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        });
        let request =
            Request::post(format!("http://{address}/a?b=c")).header("x-key", "k").json(&["hi"]).unwrap();
        assert_eq!(client().send(request).await.unwrap().status, 204);
        let request = requests.recv().unwrap();
        assert!(request.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{request}");
        for line in [
            format!("user-agent: {USER_AGENT}"),
            "x-key: k".into(),
            "content-type: application/json".into(),
            "content-length: 6".into(),
        ] {
            assert!(request.contains(&line), "no {line} in {request}");
        }
    }

    #[actix_rt::test]
    async fn a_refused_connection_is_unreachable() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(get(address).await, Err(HttpError::Unreachable(_))));
    }

    #[actix_rt::test]
    async fn a_host_without_an_address_a_bad_url_and_a_bad_header_are_unreachable() {
        for request in [
            Request::get("http://nowhere.invalid/"),
            Request::get("nonsense"),
            Request::get("http://127.0.0.1:9/").header("x", "a\nb"),
        ] {
            let answer = HttpClient::new(Limits::default()).send(request).await;
            assert!(matches!(answer, Err(HttpError::Unreachable(_))), "{answer:?}");
        }
    }

    #[actix_rt::test]
    async fn a_server_without_tls_is_unreachable() {
        let address = answering("HTTP/1.1 400 Bad Request\r\n\r\n");
        let answer = HttpClient::new(Limits {
            transport: Transport { connect_timeout: Duration::from_millis(200), ..Transport::default() },
            ..Limits::default()
        })
        .send(Request::get(format!("https://{address}/")))
        .await;
        assert!(matches!(answer, Err(HttpError::Unreachable(_))), "{answer:?}");
    }

    #[actix_rt::test]
    async fn hanging_up_after_the_request_is_no_answer() {
        let address = server(|stream| {
            read_request(stream);
        });
        assert!(matches!(get(address).await, Err(HttpError::NoAnswer(_))));
    }

    #[actix_rt::test]
    async fn hanging_up_at_once_is_no_answer_because_the_server_may_have_read_the_request() {
        let address = server(|_| {});
        assert!(matches!(get(address).await, Err(HttpError::NoAnswer(_))));
    }

    #[actix_rt::test]
    async fn half_a_body_is_no_answer() {
        for half in [
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n\
             Transfer-Encoding: chunked\r\n\r\n4\r\n[1,2\r\n",
            "HTTP/1.1 200 OK\r\nContent-Le",
        ] {
            let answer = get(answering(half)).await;
            assert!(matches!(answer, Err(HttpError::NoAnswer(_))), "{half}: {answer:?}");
        }
    }

    #[actix_rt::test]
    async fn a_server_that_hangs_is_no_answer() {
        let before_the_head = server(|stream| {
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let in_the_body = server(|stream| {
            read_request(stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        for address in [before_the_head, in_the_body] {
            assert!(matches!(get(address).await, Err(HttpError::NoAnswer(_))));
        }
    }

    #[actix_rt::test]
    async fn a_response_that_is_not_http_is_no_answer() {
        assert!(matches!(get(answering("SSH-2.0-OpenSSH_9.2\r\n")).await, Err(HttpError::NoAnswer(_))));
    }

    #[actix_rt::test]
    async fn a_body_past_the_limit_is_too_large_with_or_without_a_content_length() {
        let body = "x".repeat(1001);
        for answer in [
            format!("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n{body}"),
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{body}\r\n0\r\n\r\n"),
        ] {
            assert_eq!(
                get(answering(answer)).await.unwrap_err(),
                HttpError::TooLarge { status: 200, limit: 1000 }
            );
        }
    }

    #[actix_rt::test]
    async fn a_redirect_is_an_answer_like_any_other() {
        let address =
            answering("HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(get(address).await.unwrap().status, 307);
    }

    #[actix_rt::test]
    async fn a_pooled_connection_that_the_server_closed_is_no_answer_or_replaced() {
        // Closes each connection after one request, although HTTP/1.1 keeps it open.
        let address = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let client = client();
        for _ in 0..20 {
            let answer = client.send(Request::get(format!("http://{address}/"))).await;
            assert!(matches!(answer, Ok(_) | Err(HttpError::NoAnswer(_))), "{answer:?}");
        }
    }

    #[actix_rt::test]
    async fn an_upstream_has_one_client_per_thread() {
        // Each client is limited to one connection: two clients would send both requests at once.
        let (started, starts) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            for _ in 0..2 {
                read_request(&mut stream);
                started.send(()).unwrap();
                wait.recv().unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        let limits = Limits { connections: 1, ..Limits::default() };
        let send = || {
            let client = HttpClient::shared("test", limits);
            async move { client.send(Request::get(format!("http://{address}/"))).await }
        };
        go.send(()).unwrap();
        go.send(()).unwrap();
        let (first, second) = futures_util::future::join(send(), send()).await;
        assert_eq!((first.unwrap().status, second.unwrap().status), (200, 200));
        assert_eq!(starts.try_iter().count(), 2);
    }

    /// Answers every request with `answer`, where the request's own credentials replace `ECHO`.
    fn echoing(answer: &'static str) -> SocketAddr {
        server(move |stream| {
            let request = read_request(stream);
            let sent = request.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap();
            let answer = answer.replace("ECHO", sent);
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes());
        })
    }

    #[actix_rt::test]
    async fn adapters_never_see_secrets_that_the_server_repeated() {
        const SECRET: &str = "http-client-test-secret";
        crate::redaction::register(&SECRET.into());
        for answer in [
            "HTTP/1.1 401 Unauthorized\r\n\r\nYou sent ECHO",
            "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n{\"detail\": \"ECHO\"}",
            "HTTP/1.1 503 Busy\r\nX-Debug: ECHO\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"errors\": [{\"detail\": \"ECHO\"}]}",
            "HTTP/1.1 200 OK\r\n\r\nnot JSON: ECHO",
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/?auth=ECHO\r\n\r\n",
        ] {
            let request = Request::get(format!("http://{}/", echoing(answer)))
                .header("authorization", format!("Bearer {SECRET}"));
            let shown = format!("{:?}", client().send(request).await.unwrap());
            assert!(shown.contains(MARK) && !shown.contains(SECRET), "{shown}");
        }
    }

    #[actix_rt::test]
    async fn an_error_repeats_no_unregistered_credentials_of_its_request() {
        let address = echoing("HTTP/1.1 400 Bad Request\r\n\r\nYou sent ECHO");
        let request = Request::get(format!("http://{address}/")).header(
            "authorization",
            "OAuth oauth_signature=\"c2lnbmF0dXJlLW9m%3D\", oauth_token=\"tok-en-of-this\"",
        );
        let text = client().send(request).await.unwrap().text();
        assert_eq!(text, format!("You sent OAuth oauth_signature=\"{MARK}\", oauth_token=\"{MARK}\""));
    }

    #[actix_rt::test]
    async fn a_stream_has_complete_lines_and_no_secret_even_if_split_over_two_chunks() {
        const SECRET: &str = "streamed-test-secret";
        crate::redaction::register(&SECRET.into());
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let (head, tail) = SECRET.split_at(9);
        let chunks =
            [format!("data: 1\ndata: {head}"), format!("{tail}\ndata: 3"), "\n".into(), "end".into()];
        let chunks: String = chunks.iter().map(|text| chunk(text)).collect();
        let address =
            answering(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"));
        let stream = client().stream(Request::get(format!("http://{address}/"))).await.unwrap();
        let Streamed::Stream(stream) = stream else { panic!("refused") };
        let chunks: Vec<Bytes> = stream.map(Result::unwrap).collect().await;
        assert_eq!(chunks.concat(), format!("data: 1\ndata: {MARK}\ndata: 3\nend").as_bytes());
    }

    #[actix_rt::test]
    async fn a_stream_without_line_ends_becomes_too_large() {
        let body = "x".repeat(1001);
        let address = answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{body}"));
        let stream = client().stream(Request::get(format!("http://{address}/"))).await.unwrap();
        let Streamed::Stream(mut stream) = stream else { panic!("refused") };
        assert_eq!(stream.next().await, Some(Err(HttpError::TooLarge { status: 200, limit: 1000 })));
        assert_eq!(stream.next().await, None);
    }
}
