//! The place an actor sits in. Dropping it is how its end is noticed, so an end cannot go unnoticed: a panic drops the
//! actor, and its exit_guard with it.

use std::any::Any;

use tokio::sync::mpsc;

use super::health::{HealthRegistry, Heartbeat};

/// An actor's place: its name, which incarnation it is, and the way to the supervisor.
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
    /// It did what it was for, or was told to stop.
    Finished,
    /// It was ended in the middle of what it did: why.
    Aborted(String),
    /// It cannot go on, and neither can the service: the reason, for a person.
    Fatal(String),
}

/// The news of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Whose.
    pub name: String,
    /// Which incarnation's: news of one that was replaced already is no news.
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

    /// Gives the exit_guard up and says how the actor ended.
    pub(crate) fn exit(mut self, reason: ExitReason) {
        self.reason = Some(reason);
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        // Runs while unwinding: nothing here may panic. A supervisor that is gone needs no news.
        let reason = self.reason.take().unwrap_or_else(|| {
            if std::thread::panicking() {
                ExitReason::Panicked("it panicked; the message stands before this in the log".into())
            } else {
                // Whoever ends in order says so.
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

/// What the leases of an incarnation are held by.
pub(crate) fn holder(name: &str, incarnation: u64) -> String {
    format!("{name}#{incarnation}")
}

/// The message of a caught panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked without a message".into())
}
