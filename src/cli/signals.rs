//! The signals that stop a command. The first asks for a clean stop; each command decides what a second one does.

use actix_rt::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::Work(format!("cannot listen for signals: {error}")))
}

/// The signals that stop a process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// SIGHUP, which asks the service to reload its settings.
    pub(super) fn hangups() -> Result<Signal, Failure> {
        listen(SignalKind::hangup())
    }

    /// Waits for a signal and returns its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            Some(()) = self.terminate.recv() => "SIGTERM",
            Some(()) = self.interrupt.recv() => "SIGINT",
            else => std::future::pending().await,
        }
    }
}
