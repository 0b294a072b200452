//! Why a sandbox cannot start, and what to do about it.

use std::{io, net::SocketAddr};

use crate::timeline::TimelineError;

/// Why a sandbox cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Another process listens on the address.
    #[error(
        "{0} is in use: another sandbox may still be running. Stop it, or choose another port (0 for any free port)"
    )]
    PortTaken(SocketAddr),
    /// The address can be reached from other machines.
    #[error(
        "the sandbox cannot listen on {0}: its keys are public, so it listens on loopback only. Use 127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// The system refuses to listen on the address.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The server did not start.
    #[error("the sandbox's server did not start: {0}")]
    Start(String),
    /// The timeline cannot be used.
    #[error(transparent)]
    Timeline(#[from] TimelineError),
}
