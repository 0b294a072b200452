//! Why a sandbox will not start, and what to do about it.

use std::{io, net::SocketAddr};

use crate::timeline::TimelineError;

/// Why a sandbox will not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Somebody else listens there.
    #[error(
        "{0} is taken: another sandbox may still be running; stop it, or choose another port (0 takes any)"
    )]
    PortTaken(SocketAddr),
    /// The address is not of this machine alone.
    #[error(
        "the sandbox takes anybody's word for who they are, so it listens on loopback only, not on {0}; use \
        127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// The system will not listen there.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The server did not come up.
    #[error("the sandbox's server did not start: {0}")]
    Start(String),
    /// The timeline cannot be used.
    #[error(transparent)]
    Timeline(#[from] TimelineError),
}
