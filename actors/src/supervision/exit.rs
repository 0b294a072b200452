//! How the supervisor learns that an actor has exited. Each actor owns a guard that reports the exit when it is
//! dropped. A panic drops the actor and its guard with it, so no exit goes unnoticed.

use std::{any::Any, fmt};

use tokio::sync::mpsc;

use super::health::{HealthRegistry, Heartbeat};

/// Reports the exit of one incarnation of an actor when it is dropped.
#[derive(Debug)]
pub struct ExitGuard {
    name: String,
    incarnation: u64,
    health: HealthRegistry,
    exits: mpsc::UnboundedSender<Exit>,
    reason: Option<ExitReason>,
}

/// Why an actor exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// It panicked, with this message.
    Panicked(String),
    /// Its work was done, or it was asked to stop.
    Finished,
    /// It was aborted in the middle of its work, for this reason.
    Aborted(String),
    /// Neither the actor nor the service can continue; the reason is for a person.
    Fatal(String),
}

/// The exit of an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The actor's name.
    pub name: String,
    /// The incarnation that exited. An exit of one that was already replaced is ignored.
    pub incarnation: u64,
    /// Why it exited.
    pub reason: ExitReason,
}

impl ExitGuard {
    pub(crate) fn new(
        name: &str,
        incarnation: u64,
        health: HealthRegistry,
        exits: mpsc::UnboundedSender<Exit>,
    ) -> Self {
        health.built(name);
        Self { name: name.to_owned(), incarnation, health, exits, reason: None }
    }

    /// The actor's name, `translator-3`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name that holds this incarnation's leases, `translator-3#2`.
    pub fn holder(&self) -> String {
        holder(&self.name, self.incarnation)
    }

    /// The heartbeat with which the actor reports progress.
    pub fn heartbeat(&self) -> Heartbeat {
        Heartbeat::new(&self.name, self.health.clone())
    }

    /// Reports why the actor exited.
    pub(crate) fn exit(mut self, reason: ExitReason) {
        self.reason = Some(reason);
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        // This runs while unwinding: nothing here may panic. If the supervisor is gone, no report is needed.
        let reason = self.reason.take().unwrap_or_else(|| {
            if std::thread::panicking() {
                ExitReason::Panicked("it panicked; see the message before this line in the log".into())
            } else {
                // An actor that exits in order reports that itself.
                ExitReason::Aborted("its thread ended".into())
            }
        });
        let _ = self.exits.send(Exit {
            name: std::mem::take(&mut self.name),
            incarnation: self.incarnation,
            reason,
        });
    }
}

impl Exit {
    /// The name that holds the incarnation's leases, `translator-3#2`.
    pub fn holder(&self) -> String {
        holder(&self.name, self.incarnation)
    }
}

impl ExitReason {
    /// Whether the actor's job may be to blame: it panicked or hung.
    pub fn is_suspect(&self) -> bool {
        matches!(self, Self::Panicked(_) | Self::Aborted(_))
    }
}

/// The reason, for people.
impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(reason) | Self::Aborted(reason) | Self::Fatal(reason) => f.write_str(reason),
            Self::Finished => f.write_str("it was stopped"),
        }
    }
}

/// The name that an incarnation's leases carry.
fn holder(name: &str, incarnation: u64) -> String {
    format!("{name}#{incarnation}")
}

/// The actor's name within a lease holder's name: `translator-3` of `translator-3#2`.
pub(crate) fn actor_of(holder: &str) -> &str {
    holder.rsplit_once('#').map_or(holder, |(name, _)| name)
}

/// The incarnation in a lease holder's name, counted from 1: 2 of `translator-3#2`.
pub(crate) fn incarnation_of(holder: &str) -> Option<u64> {
    holder.rsplit_once('#')?.1.parse().ok()
}

/// The message of a caught panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked without a message".into())
}
