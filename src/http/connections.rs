//! A client can hold a connection without a request on it: it sends nothing, half a head, or a body that never ends, or it
//! never reads its answer. Enough of them would lock everybody else out. So every connection has a deadline while no
//! handler works on it, and where there are many of those, the oldest have less time.

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

/// How long a request may take to arrive, with its body.
const ARRIVAL: Duration = Duration::from_secs(10);

/// How long a client may take to read an answer.
const READING: Duration = Duration::from_secs(10);

/// How long a client may take to read the next lines of a stream. There is one every 15 seconds at the latest.
const STREAMING: Duration = Duration::from_secs(30);

/// The most connections without a handler at work that may use all of their time.
const MOST_IDLE: usize = 128;

/// The least time for a client to send its request, or to read its answer. Honest ones need a fraction of it.
const LEAST: Duration = Duration::from_secs(3);

/// The most requests that handlers work on at once.
const MOST_AT_WORK: usize = 32;

/// The most that are worked on at once where monitors ask: others cannot use up what `/ready` needs.
const MOST_AT_WORK_FOR_MONITORS: usize = 2 * MOST_AT_WORK;

/// The most clients that follow the log.
pub(super) const MOST_STREAMS: usize = 16;

/// The most connections in all.
const MOST: usize = 640;

/// How often connections past their time are closed.
const SWEEP: Duration = Duration::from_millis(100);

/// How often connections without a request are reported.
const REPORT: Duration = Duration::from_mins(1);

/// The most connections that the server may accept: they may take half of the process's file descriptors, two each.
pub(super) fn most() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    // The soft limit is often a small part of what is allowed. Where it cannot be raised, fewer connections are open.
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let descriptors = getrlimit(Resource::Nofile).current.and_then(|most| usize::try_from(most).ok());
    descriptors.map_or(MOST, |descriptors| (descriptors / 4).min(MOST))
}

/// All connections of the admin port.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    last_number: u64,
    /// By number, so the oldest comes first.
    connections: BTreeMap<u64, Entry>,
    /// Connections that ended without a request since the last report, and where the last came from.
    unused: u64,
    last_unused: Option<IpAddr>,
    reported: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    /// A second handle of the socket, to close it with.
    socket: TcpStream,
    from: Option<IpAddr>,
    had_request: bool,
    opened: Instant,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The request has not arrived as a whole.
    Arriving(Instant),
    /// A handler works on the request. It has time limits of its own.
    AtWork,
    /// The client reads the answer.
    Reading(Instant),
    /// The client follows the log.
    Streaming(Instant),
    Closed,
}

/// One connection, for whoever handles its requests. The last copy is dropped when the connection has ended.
#[derive(Debug, Clone)]
pub(super) struct Connection(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    number: u64,
    all: Arc<Connections>,
}

impl Connections {
    /// Takes up a new connection; for the server's `on_connect`.
    pub(super) fn accept(self: &Arc<Self>, io: &dyn Any, data: &mut Extensions) {
        let socket = io.downcast_ref::<tokio::net::TcpStream>().map(|io| io.as_fd().try_clone_to_owned());
        // The guard refuses requests on a connection that could not be taken up.
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

    /// Closes connections past their deadline, and reports those without a request, until it is dropped.
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
                log::warn!(count = count, from:? = from; "connections to the admin port brought no request");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the oldest of the idle connections beyond [`MOST_IDLE`].
    fn make_room(&mut self, now: Instant) {
        let excess = self.count(Phase::is_idle).saturating_sub(MOST_IDLE);
        let idle = self.connections.values_mut().filter(|entry| entry.phase.is_idle());
        idle.take(excess).filter(|entry| now - entry.opened >= LEAST).for_each(Entry::close);
    }

    fn close_late(&mut self, now: Instant) {
        for entry in self.connections.values_mut() {
            if entry.phase.deadline().is_some_and(|deadline| deadline <= now) {
                entry.close();
            }
        }
    }

    /// How many connections brought no request, and where the last came from. Not more often than [`REPORT`], however
    /// many there are.
    fn report(&mut self, now: Instant) -> Option<(u64, Option<IpAddr>)> {
        if self.unused == 0 || self.reported.is_some_and(|reported| now - reported < REPORT) {
            return None;
        }
        self.reported = Some(now);
        Some((std::mem::take(&mut self.unused), self.last_unused))
    }

    fn count(&self, is_so: impl Fn(Phase) -> bool) -> usize {
        self.connections.values().filter(|entry| is_so(entry.phase)).count()
    }
}

impl Entry {
    fn close(&mut self) {
        // The server reads the end of the connection and lets go of it. A client that has gone already is no error.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.phase = Phase::Closed;
    }
}

impl Phase {
    /// Whether it may be closed for another connection.
    fn is_idle(self) -> bool {
        matches!(self, Self::Arriving(_) | Self::Reading(_))
    }

    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Arriving(deadline) | Self::Reading(deadline) | Self::Streaming(deadline) => Some(deadline),
            Self::AtWork | Self::Closed => None,
        }
    }
}

impl Connection {
    /// The head of a request has arrived.
    pub(super) fn has_request(&self) {
        self.change(|entry, _| entry.had_request = true);
    }

    /// The request has arrived as a whole, and a handler takes it over.
    pub(super) fn work(&self, for_monitors: bool) -> Result<(), Refusal> {
        let most = if for_monitors { MOST_AT_WORK_FOR_MONITORS } else { MOST_AT_WORK };
        if self.0.all.lock().count(|phase| phase == Phase::AtWork) >= most {
            return Err(Refusal::TooMany);
        }
        self.change(|entry, _| entry.phase = Phase::AtWork);
        Ok(())
    }

    /// The handler is done, and the client has to read the answer.
    pub(super) fn answer(&self) {
        self.change(|entry, now| {
            if !matches!(entry.phase, Phase::Streaming(_)) {
                entry.phase = Phase::Reading(now + READING);
            }
        });
    }

    /// The answer is a stream of the log.
    pub(super) fn stream(&self) -> Result<(), Refusal> {
        if self.0.all.lock().count(|phase| matches!(phase, Phase::Streaming(_))) >= MOST_STREAMS {
            return Err(Refusal::TooManyStreams);
        }
        self.goes_on();
        Ok(())
    }

    /// The client has read what was sent on its stream so far.
    pub(super) fn goes_on(&self) {
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

    /// Connections to a listener on loopback.
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
    fn the_oldest_connections_that_wait_make_room_for_the_newest() {
        let port = Port::new();
        let (mut working, work) = port.connect();
        work.work(false).unwrap();
        let (mut following, stream) = port.connect();
        stream.stream().unwrap();
        let mut waiting: Vec<_> = (0..MOST_IDLE).map(|_| port.connect()).collect();
        waiting[1].1.work(false).unwrap();
        waiting[1].1.answer();
        let closed = |waiting: &mut Vec<(TcpStream, Connection)>| -> Vec<usize> {
            (0..waiting.len()).filter(|at| is_closed(&mut waiting[*at].0)).collect()
        };
        port.all.lock().make_room(port.now + LEAST);
        assert_eq!(closed(&mut waiting), [] as [usize; 0]);
        waiting.extend((0..3).map(|_| port.connect()));
        port.all.lock().make_room(port.now + LEAST / 2);
        assert_eq!(closed(&mut waiting), [] as [usize; 0], "each has the least time");
        port.all.lock().make_room(port.now + LEAST);
        assert_eq!(closed(&mut waiting), [0, 1, 2], "an answer that is not read counts, too");
        assert!(!is_closed(&mut working) && !is_closed(&mut following));
        drop(waiting);
        assert_eq!(port.all.lock().connections.len(), 2);
    }

    #[test]
    fn a_connection_without_progress_is_closed_at_its_deadline() {
        let port = Port::new();
        let mut clients: Vec<_> = (0..4).map(|_| port.connect()).collect();
        clients[1].1.work(false).unwrap();
        clients[2].1.work(false).unwrap();
        clients[2].1.answer();
        clients[3].1.stream().unwrap();
        clients[3].1.answer();
        let mut open_after = |time: Duration| -> Vec<usize> {
            port.all.lock().close_late(Instant::now() + time);
            (0..4).filter(|at| !is_closed(&mut clients[*at].0)).collect()
        };
        assert_eq!(open_after(Duration::ZERO), [0, 1, 2, 3]);
        assert_eq!(open_after(ARRIVAL.max(READING)), [1, 3]);
        assert_eq!(open_after(STREAMING), [1], "a handler at work has limits of its own");
        clients[3].1.goes_on();
        assert_eq!(port.all.lock().count(|phase| phase == Phase::Closed), 3, "closed is closed");
    }

    #[test]
    fn monitors_are_served_beyond_what_others_may_use() {
        let port = Port::new();
        let clients: Vec<_> = (0..=MOST_AT_WORK_FOR_MONITORS).map(|_| port.connect()).collect();
        for (_, connection) in &clients[..MOST_AT_WORK] {
            assert_eq!(connection.work(false), Ok(()));
        }
        assert_eq!(clients[MOST_AT_WORK].1.work(false), Err(Refusal::TooMany));
        for (_, connection) in &clients[MOST_AT_WORK..MOST_AT_WORK_FOR_MONITORS] {
            assert_eq!(connection.work(true), Ok(()));
        }
        assert_eq!(clients[MOST_AT_WORK_FOR_MONITORS].1.work(true), Err(Refusal::TooMany));
        clients[0].1.answer();
        assert_eq!(clients[MOST_AT_WORK_FOR_MONITORS].1.work(true), Ok(()));
    }

    #[test]
    fn only_so_many_clients_follow_the_log() {
        let port = Port::new();
        let mut clients: Vec<_> = (0..=MOST_STREAMS).map(|_| port.connect()).collect();
        for (_, connection) in &clients[..MOST_STREAMS] {
            assert_eq!(connection.stream(), Ok(()));
        }
        let late = clients.pop().unwrap();
        assert_eq!(late.1.stream(), Err(Refusal::TooManyStreams));
        clients.pop();
        assert_eq!(late.1.stream(), Ok(()));
    }

    #[test]
    fn connections_without_a_request_are_reported_once_a_minute_with_their_number() {
        let port = Port::new();
        assert_eq!(port.all.lock().report(port.now), None);
        let (_client, asked) = port.connect();
        asked.has_request();
        drop(asked);
        assert_eq!(port.all.lock().report(port.now), None);
        (0..1000).for_each(|_| drop(port.connect()));
        let report = port.all.lock().report(port.now);
        assert_eq!(report, Some((1000, Some([127, 0, 0, 1].into()))));
        drop(port.connect());
        assert_eq!(port.all.lock().report(port.now + REPORT / 2), None);
        assert_eq!(port.all.lock().report(port.now + REPORT).map(|(count, _)| count), Some(1));
    }
}
