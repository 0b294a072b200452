//! How the supervisor learns that an actor has ended: each actor owns a guard, and dropping it reports the exit. A panic
//! drops the actor and its guard with it, so no exit goes unnoticed.

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

/// How an actor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// It panicked, with this message.
    Panicked(String),
    /// It did what it was for, or was asked to stop.
    Finished,
    /// It was ended in the middle of what it did: why.
    Aborted(String),
    /// It cannot continue, and neither can the service: the reason, for a person.
    Fatal(String),
}

/// The exit of an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Whose.
    pub name: String,
    /// Which incarnation's: the exit of one that was replaced already means nothing.
    pub incarnation: u64,
    /// How.
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

    /// What this incarnation's leases are held by, `translator-3#2`.
    pub fn holder(&self) -> String {
        holder(&self.name, self.incarnation)
    }

    /// What the actor shows its progress by.
    pub fn heartbeat(&self) -> Heartbeat {
        Heartbeat::new(&self.name, self.health.clone())
    }

    /// Reports the exit, and how the actor ended.
    pub(crate) fn exit(mut self, reason: ExitReason) {
        self.reason = Some(reason);
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        // Runs while unwinding: nothing here may panic. A supervisor that is gone needs no report.
        let reason = self.reason.take().unwrap_or_else(|| {
            if std::thread::panicking() {
                ExitReason::Panicked("it panicked; the message stands before this in the log".into())
            } else {
                // One that ends in order reports that itself.
                ExitReason::Aborted("its thread came to an end".into())
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
    /// What the leases of the incarnation are held by, `translator-3#2`.
    pub fn holder(&self) -> String {
        holder(&self.name, self.incarnation)
    }
}

impl ExitReason {
    /// Whether what the actor had in hand may be to blame: it panicked, or hung.
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

/// The actor in the name that a lease carries: `translator-3` of `translator-3#2`.
pub(crate) fn actor_of(holder: &str) -> &str {
    holder.rsplit_once('#').map_or(holder, |(name, _)| name)
}

/// The message of a caught panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked without a message".into())
}
