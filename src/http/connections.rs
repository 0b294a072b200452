//! A client can hold a connection without using it: it sends nothing, half a head, or an endless body, or it never
//! reads its answer. Enough such clients would lock out everybody else. So every connection has a deadline while no
//! handler works on it, and if there are many of those, the oldest get less time.

use std::{
    any::Any,
    collections::BTreeMap,
    net::{IpAddr, Shutdown, TcpStream},
    os::fd::AsFd as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::dev::Extensions;
use rustix::process::{Resource, getrlimit, setrlimit};

use super::refusal::Refusal;

/// How long a request may take to arrive, body included.
const ARRIVAL: Duration = Duration::from_secs(10);

/// How long a client may take to read an answer.
const READING: Duration = Duration::from_secs(10);

/// How long a client may take to read the next lines of a stream, which sends one at least every 15 seconds.
const STREAMING: Duration = Duration::from_secs(30);

/// The most connections without a working handler that get their full time.
const MAX_IDLE: usize = 128;

/// The minimum time to send a request or read an answer. Honest clients need a fraction of it.
const MIN_TIME: Duration = Duration::from_secs(3);

/// The most requests to handle at once.
const MAX_HANDLING: usize = 32;

/// The limit for monitors, so that other requests cannot block `/ready`.
const MAX_HANDLING_MONITORS: usize = 2 * MAX_HANDLING;

/// The most clients that may follow the log.
pub(super) const MAX_STREAMS: usize = 16;

/// The most connections in total.
const MAX_CONNECTIONS: usize = 640;

/// How often to close connections past their deadline.
const SWEEP: Duration = Duration::from_millis(100);

/// How often to report connections without a request.
const REPORT: Duration = Duration::from_mins(1);

/// The most connections that the server may accept: they may use half of the process's file descriptors, two each.
pub(super) fn max_connections() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    // The soft limit is often much lower than the hard one. If it cannot be raised, fewer connections are allowed.
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let descriptors = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    descriptors.map_or(MAX_CONNECTIONS, |descriptors| (descriptors / 4).min(MAX_CONNECTIONS))
}

/// All connections of the admin port.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    last_number: u64,
    /// By number, so that the oldest come first.
    connections: BTreeMap<u64, Entry>,
    /// The number of connections without a request since the last report, and the address of the latest.
    unused: u64,
    last_unused: Option<IpAddr>,
    reported: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    /// A second handle of the socket, to close it.
    socket: TcpStream,
    from: Option<IpAddr>,
    had_request: bool,
    opened: Instant,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The request has not arrived completely.
    Arriving(Instant),
    /// A handler works on the request. It has its own timeouts.
    Handling,
    /// The client reads the answer.
    Reading(Instant),
    /// The client follows the log.
    Streaming(Instant),
    Closed,
}

/// One connection, for the handler of its requests. The last clone is dropped when the connection ends.
#[derive(Debug, Clone)]
pub(super) struct Connection(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    number: u64,
    all: Arc<Connections>,
}

impl Connections {
    /// Registers a new connection; for the server's `on_connect`.
    pub(super) fn accept(self: &Arc<Self>, io: &dyn Any, data: &mut Extensions) {
        let socket = io.downcast_ref::<tokio::net::TcpStream>().map(|io| io.as_fd().try_clone_to_owned());
        // The guard refuses requests on a connection that could not be registered.
        if let Some(Ok(socket)) = socket {
            data.insert(self.open(socket.into(), Instant::now()));
        }
    }

    fn open(self: &Arc<Self>, socket: TcpStream, now: Instant) -> Connection {
        let from = socket.peer_addr().ok().map(|from| from.ip());
        let phase = Phase::Arriving(now + ARRIVAL);
        let mut open = self.lock();
        open.last_number += 1;
        let number = open.last_number;
        open.connections.insert(number, Entry { socket, from, had_request: false, opened: now, phase });
        Connection(Arc::new(Handle { number, all: Arc::clone(self) }))
    }

    /// Closes connections past their deadline, and reports those without a request, for as long as it is polled.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            actix_rt::time::sleep(SWEEP).await;
            let now = Instant::now();
            let report = {
                let mut open = self.lock();
                open.close_late(now);
                open.make_room(now);
                open.report(now)
            };
            if let Some((count, from)) = report {
                log::warn!(count = count, from:? = from; "admin connections without request");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the oldest idle connections beyond [`MAX_IDLE`].
    fn make_room(&mut self, now: Instant) {
        let excess = self.count(Phase::is_idle).saturating_sub(MAX_IDLE);
        let idle = self.connections.values_mut().filter(|entry| entry.phase.is_idle());
        idle.take(excess).filter(|entry| now - entry.opened >= MIN_TIME).for_each(Entry::close);
    }

    fn close_late(&mut self, now: Instant) {
        for entry in self.connections.values_mut() {
            if entry.phase.deadline().is_some_and(|deadline| deadline <= now) {
                entry.close();
            }
        }
    }

    /// The number of connections without a request, and the address of the latest. At most once per [`REPORT`], however
    /// many there are.
    fn report(&mut self, now: Instant) -> Option<(u64, Option<IpAddr>)> {
        if self.unused == 0 || self.reported.is_some_and(|reported| now - reported < REPORT) {
            return None;
        }
        self.reported = Some(now);
        Some((std::mem::take(&mut self.unused), self.last_unused))
    }

    fn count(&self, matches: impl Fn(Phase) -> bool) -> usize {
        self.connections.values().filter(|entry| matches(entry.phase)).count()
    }
}

impl Entry {
    fn close(&mut self) {
        // The server reads the end of the connection and drops it. An error means that the client has already left.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.phase = Phase::Closed;
    }
}

impl Phase {
    /// Whether it may be closed to make room for another connection.
    fn is_idle(self) -> bool {
        matches!(self, Self::Arriving(_) | Self::Reading(_))
    }

    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Arriving(deadline) | Self::Reading(deadline) | Self::Streaming(deadline) => Some(deadline),
            Self::Handling | Self::Closed => None,
        }
    }
}

impl Connection {
    /// The head of a request has arrived.
    pub(super) fn has_request(&self) {
        self.change(|entry, _| entry.had_request = true);
    }

    /// The request has arrived completely, and a handler takes over.
    pub(super) fn start_handling(&self, for_monitors: bool) -> Result<(), Refusal> {
        let limit = if for_monitors { MAX_HANDLING_MONITORS } else { MAX_HANDLING };
        if self.0.all.lock().count(|phase| phase == Phase::Handling) >= limit {
            return Err(Refusal::TooMany);
        }
        self.change(|entry, _| entry.phase = Phase::Handling);
        Ok(())
    }

    /// The handler is done, and the client must read the answer.
    pub(super) fn start_reading(&self) {
        self.change(|entry, now| {
            if !matches!(entry.phase, Phase::Streaming(_)) {
                entry.phase = Phase::Reading(now + READING);
            }
        });
    }

    /// The answer is a stream of the log.
    pub(super) fn start_streaming(&self) -> Result<(), Refusal> {
        if self.0.all.lock().count(|phase| matches!(phase, Phase::Streaming(_))) >= MAX_STREAMS {
            return Err(Refusal::TooManyStreams);
        }
        self.keep_streaming();
        Ok(())
    }

    /// The client has read its stream so far, and gets a new deadline.
    pub(super) fn keep_streaming(&self) {
        self.change(|entry, now| entry.phase = Phase::Streaming(now + STREAMING));
    }

    fn change(&self, change: impl FnOnce(&mut Entry, Instant)) {
        if let Some(entry) = self.0.all.lock().connections.get_mut(&self.0.number)
            && entry.phase != Phase::Closed
        {
            change(entry, Instant::now());
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        if let Some(entry) = open.connections.remove(&self.number)
            && !entry.had_request
        {
            open.unused += 1;
            open.last_unused = entry.from;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpListener};

    use super::*;

    /// A listener on loopback, and its connections.
    struct Port {
        listener: TcpListener,
        all: Arc<Connections>,
        now: Instant,
    }

    impl Port {
        fn new() -> Self {
            Self {
                listener: TcpListener::bind("127.0.0.1:0").unwrap(),
                all: Arc::default(),
                now: Instant::now(),
            }
        }

        /// A client, and the server's side of its connection.
        fn connect(&self) -> (TcpStream, Connection) {
            let client = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            (client, self.all.open(self.listener.accept().unwrap().0, self.now))
        }
    }

    fn is_closed(client: &mut TcpStream) -> bool {
        client.set_nonblocking(true).unwrap();
        matches!(client.read(&mut [0]), Ok(0))
    }

    #[test]
    fn the_oldest_idle_connections_make_room_for_new_ones() {
        let port = Port::new();
        let (mut working, handled) = port.connect();
        handled.start_handling(false).unwrap();
        let (mut following, streamed) = port.connect();
        streamed.start_streaming().unwrap();
        let mut waiting: Vec<_> = (0..MAX_IDLE).map(|_| port.connect()).collect();
        waiting[1].1.start_handling(false).unwrap();
        waiting[1].1.start_reading();
        let closed = |waiting: &mut Vec<(TcpStream, Connection)>| -> Vec<usize> {
            (0..waiting.len()).filter(|at| is_closed(&mut waiting[*at].0)).collect()
        };
        port.all.lock().make_room(port.now + MIN_TIME);
        assert_eq!(closed(&mut waiting), [] as [usize; 0]);
        waiting.extend((0..3).map(|_| port.connect()));
        port.all.lock().make_room(port.now + MIN_TIME / 2);
        assert_eq!(closed(&mut waiting), [] as [usize; 0], "each has the minimum time");
        port.all.lock().make_room(port.now + MIN_TIME);
        assert_eq!(closed(&mut waiting), [0, 1, 2], "a client that does not read its answer is idle, too");
        assert!(!is_closed(&mut working) && !is_closed(&mut following));
        drop(waiting);
        assert_eq!(port.all.lock().connections.len(), 2);
    }

    #[test]
    fn a_connection_without_progress_is_closed_at_its_deadline() {
        let port = Port::new();
        let mut clients: Vec<_> = (0..4).map(|_| port.connect()).collect();
        clients[1].1.start_handling(false).unwrap();
        clients[2].1.start_handling(false).unwrap();
        clients[2].1.start_reading();
        clients[3].1.start_streaming().unwrap();
        clients[3].1.start_reading();
        let mut open_after = |time: Duration| -> Vec<usize> {
            port.all.lock().close_late(Instant::now() + time);
            (0..4).filter(|at| !is_closed(&mut clients[*at].0)).collect()
        };
        assert_eq!(open_after(Duration::ZERO), [0, 1, 2, 3]);
        assert_eq!(open_after(ARRIVAL.max(READING)), [1, 3]);
        assert_eq!(open_after(STREAMING), [1], "a working handler has its own timeouts");
        clients[3].1.keep_streaming();
        assert_eq!(
            port.all.lock().count(|phase| phase == Phase::Closed),
            3,
            "a closed connection stays closed"
        );
    }

    #[test]
    fn monitors_are_served_beyond_the_limit_for_others() {
        let port = Port::new();
        let clients: Vec<_> = (0..=MAX_HANDLING_MONITORS).map(|_| port.connect()).collect();
        for (_, connection) in &clients[..MAX_HANDLING] {
            assert_eq!(connection.start_handling(false), Ok(()));
        }
        assert_eq!(clients[MAX_HANDLING].1.start_handling(false), Err(Refusal::TooMany));
        for (_, connection) in &clients[MAX_HANDLING..MAX_HANDLING_MONITORS] {
            assert_eq!(connection.start_handling(true), Ok(()));
        }
        assert_eq!(clients[MAX_HANDLING_MONITORS].1.start_handling(true), Err(Refusal::TooMany));
        clients[0].1.start_reading();
        assert_eq!(clients[MAX_HANDLING_MONITORS].1.start_handling(true), Ok(()));
    }

    #[test]
    fn the_number_of_clients_that_follow_the_log_is_limited() {
        let port = Port::new();
        let mut clients: Vec<_> = (0..=MAX_STREAMS).map(|_| port.connect()).collect();
        for (_, connection) in &clients[..MAX_STREAMS] {
            assert_eq!(connection.start_streaming(), Ok(()));
        }
        let late = clients.pop().unwrap();
        assert_eq!(late.1.start_streaming(), Err(Refusal::TooManyStreams));
        clients.pop();
        assert_eq!(late.1.start_streaming(), Ok(()));
    }

    #[test]
    fn connections_without_a_request_are_counted_and_reported_once_a_minute() {
        let port = Port::new();
        assert_eq!(port.all.lock().report(port.now), None);
        let (_client, used) = port.connect();
        used.has_request();
        drop(used);
        assert_eq!(port.all.lock().report(port.now), None);
        (0..1000).for_each(|_| drop(port.connect()));
        let report = port.all.lock().report(port.now);
        assert_eq!(report, Some((1000, Some([127, 0, 0, 1].into()))));
        drop(port.connect());
        assert_eq!(port.all.lock().report(port.now + REPORT / 2), None);
        assert_eq!(port.all.lock().report(port.now + REPORT).map(|(count, _)| count), Some(1));
    }
}
