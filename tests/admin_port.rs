//! Clients that hold connections to the admin port without a request must not lock out monitors: `/health` and `/ready`
//! still answer, and the log stays short. Each test bounds its clients and its time, and uses loopback only.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use support::{PATIENCE, Running, Town, numbered, until};

/// A monitor's timeout. It is shorter than the time limit for slow clients, so a server that waits for them fails.
const MONITOR: Duration = Duration::from_secs(4);

async fn service() -> (Town, Running, SocketAddr) {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let (running, address) = town.serve().await;
    until("the service is ready", || ask(address, "/ready").is_ok_and(|answer| is(&answer, 200))).await;
    (town, running, address)
}

fn is(answer: &str, status: u16) -> bool {
    answer.starts_with(&format!("HTTP/1.1 {status} "))
}

/// Sends a request as a monitor does.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, MONITOR)?;
    stream.set_read_timeout(Some(MONITOR))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A client that sends as many of `bytes` as the server accepts, then neither reads nor disconnects.
fn client(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // The server may refuse it before all bytes are sent.
    let _ = stream.write_all(bytes);
    stream
}

/// Everything that the server sent before it closed the connection.
fn read_until_closed(mut stream: TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the server keeps the connection open");
        }
    }
    answer
}

const POST: &str =
    "POST /api/pauses/poller HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n";

fn client_hello() -> Vec<u8> {
    let mut hello = vec![0x16, 0x03, 0x01, 0x00, 0xf8, 0x01, 0x00, 0x00, 0xf4, 0x03, 0x03];
    hello.extend([0x5a; 242]);
    hello
}

/// What clients that hold a connection send.
fn holders() -> Vec<(&'static str, usize, Vec<u8>)> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    vec![
        ("nothing", 500, vec![]),
        ("half a request line", 300, bytes("GET /hea")),
        ("half a head", 300, bytes(&format!("{HEALTH}X-Slow: "))),
        ("an announced body that never comes", 300, bytes(&format!("{POST}Content-Length: 10\r\n\r\n"))),
        ("half a body", 300, bytes(&format!("{POST}Content-Length: 10\r\n\r\n{{\"wh"))),
        (
            "a chunked body without an end",
            300,
            bytes(&format!("{POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n")),
        ),
        ("a body for a GET", 300, bytes(&format!("{HEALTH}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"))),
        ("a huge body", 300, bytes(&format!("{POST}Content-Length: 18446744073709551615\r\n\r\nx"))),
        ("a body length that is not a number", 300, bytes(&format!("{POST}Content-Length: 1e9\r\n\r\nx"))),
        ("a head without an end", 100, bytes(&format!("{HEALTH}X-Bomb: {}", "x".repeat(60_000)))),
        ("too many headers", 100, bytes(&format!("{HEALTH}{}\r\n", "X-Bomb: x\r\n".repeat(500)))),
        ("HTTP/0.9", 300, bytes("GET /health\r\n\r\n")),
        ("a request to switch to HTTP/2", 300, bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
        ("a TLS handshake", 300, client_hello()),
        ("a health request, without disconnecting", 300, bytes(&format!("{HEALTH}\r\n"))),
        ("many requests in a row", 100, bytes(&format!("{HEALTH}\r\n").repeat(50))),
        (
            "a request for a page that the client does not read",
            200,
            bytes("GET /dashboard.js HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ),
        (
            "a request for the log that the client does not read",
            200,
            bytes("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ),
    ]
}

#[actix_rt::test]
async fn health_and_readiness_answer_whatever_clients_hold_the_port() {
    let (town, running, address) = service().await;
    for (what, count, bytes) in holders() {
        let mut clients: Vec<TcpStream> = (0..count).map(|_| client(address, &bytes)).collect();
        for _ in 0..2 {
            for path in ["/health", "/ready"] {
                let answer = ask(address, path);
                assert!(
                    answer.as_ref().is_ok_and(|answer| is(answer, 200)),
                    "{path} while {count} clients send {what}: {answer:?}"
                );
            }
            for client in &mut clients {
                // Sending a byte now and then must not keep a connection open.
                let _ = client.write_all(b"x");
            }
        }
    }
    assert_eq!(running.terminate(), Some(0));
    let log = town.log();
    assert!(!log.contains("ERROR") && log.matches("admin connections without request").count() <= 3, "{log}");
}

#[actix_rt::test]
async fn ten_thousand_unparsable_requests_are_one_line_in_the_log() {
    let (town, running, address) = service().await;
    let hello = client_hello();
    let garbage = [
        &hello as &[u8],
        b"\0\0\0\0\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"{}\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ];
    for round in 0..10_000 {
        drop(client(address, garbage[round % garbage.len()]));
    }
    assert!(is(&ask(address, "/health").unwrap(), 200));
    until("the connections are reported", || town.log().contains("admin connections without request")).await;
    assert_eq!(running.terminate(), Some(0));
    let log = town.log();
    let reports = log.lines().filter(|line| line.contains("admin connections without request")).count();
    assert!(reports <= 3 && !log.contains("ERROR") && log.lines().count() < 100, "{log}");
}

#[actix_rt::test]
async fn the_server_closes_every_connection_without_progress() {
    let (_town, running, address) = service().await;
    let held: Vec<_> = holders()
        .into_iter()
        .filter(|(what, ..)| !what.contains("log"))
        .map(|(what, _, bytes)| (what, client(address, &bytes)))
        .collect();
    for (what, held) in held {
        let answer = read_until_closed(held);
        if what.contains("never comes") {
            assert!(is(&String::from_utf8_lossy(&answer), 408), "{what}");
        }
    }
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn only_sixteen_clients_can_follow_the_log_and_one_that_leaves_makes_room() {
    let (_town, running, address) = service().await;
    let follow = || {
        let mut stream = client(address, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        (stream, String::from_utf8(status.to_vec()).unwrap())
    };
    let mut followers: Vec<_> = (0..16).map(|_| follow()).collect();
    assert!(followers.iter().all(|(_, status)| status == "HTTP/1.1 200"));
    assert_eq!(follow().1, "HTTP/1.1 429");
    followers.pop();
    until("there is room for another", || follow().1 == "HTTP/1.1 200").await;
    assert_eq!(running.terminate(), Some(0));
}
