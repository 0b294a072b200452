//! The place an actor sits in. Dropping it is how its end is noticed, so an end cannot go unnoticed: a panic drops the
//! actor, and its seat with it.

use std::any::Any;

use tokio::sync::mpsc;

use super::board::{Board, Pulse};

/// An actor's place: its name, which incarnation it is, and the way to the supervisor.
#[derive(Debug)]
pub struct Seat {
    name: String,
    incarnation: u64,
    board: Board,
    deaths: mpsc::UnboundedSender<Death>,
    end: Option<End>,
}

/// How an actor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It panicked, with this message.
    Panicked(String),
    /// It did what it was for, or was told to stop.
    Finished,
    /// It was ended in the middle of what it did: why.
    CutOff(String),
    /// It cannot go on, and neither can the service: the reason, for a person.
    Fatal(String),
}

/// The news of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Whose.
    pub name: String,
    /// Which incarnation's: news of one that was replaced already is no news.
    pub incarnation: u64,
    /// How.
    pub end: End,
}

impl Seat {
    pub(crate) fn new(
        name: &str,
        incarnation: u64,
        board: Board,
        deaths: mpsc::UnboundedSender<Death>,
    ) -> Self {
        board.built(name);
        Self { name: name.to_owned(), incarnation, board, deaths, end: None }
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
    pub fn pulse(&self) -> Pulse {
        Pulse::new(&self.name, self.board.clone())
    }

    /// Gives the seat up and says how the actor ended.
    pub(crate) fn leave(mut self, end: End) {
        self.end = Some(end);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Runs while unwinding: nothing here may panic. A supervisor that is gone needs no news.
        let end = self.end.take().unwrap_or_else(|| {
            if std::thread::panicking() {
                End::Panicked("it panicked; the message stands before this in the log".into())
            } else {
                // Whoever ends in order says so.
                End::CutOff("its thread came to an end".into())
            }
        });
        let _ = self.deaths.send(Death {
            name: std::mem::take(&mut self.name),
            incarnation: self.incarnation,
            end,
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
