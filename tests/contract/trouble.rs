//! The failures of a network that a contract suite can inject.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// What happens to the next calls of a network, until another failure is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// It performs the call, but its answer is lost.
    AnswerLost,
    /// It cannot be reached.
    Unreachable,
    /// It answers with a server error.
    Down,
    /// Its answer cannot be parsed.
    Garbage,
    /// It refuses the credentials.
    CredentialsRefused,
    /// It limits the rate of calls.
    RateLimited,
    /// It locked the account.
    Locked,
}

/// Keeps the port of a server that was stopped closed for as long as this lives. Otherwise another test's server may get
/// it at once, and answer.
pub(crate) fn closed_port(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    // Bound and not listening: whoever connects is refused.
    socket.bind(address).unwrap();
    socket
}
