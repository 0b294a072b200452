//! Where every actor stands, readable from any thread without asking the actor: health is progress made, not a ping
//! answered, and an actor that hangs cannot answer anyway.

use std::{sync::Arc, time::Instant};

use dashmap::DashMap;

/// What an actor is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Alive.
    Running,
    /// Dead, and to be built anew after a wait.
    Restarting,
    /// At its end: it did what it was for, or was told to stop.
    Stopped,
}

impl State {
    /// The state as logs and people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
        }
    }
}

/// One actor's line on the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it is doing.
    pub state: State,
    /// How often it was built anew.
    pub restarts: u64,
    /// When it last got something done, or was built.
    pub last_progress: Instant,
}

/// The board. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<DashMap<String, Standing>>);

impl Board {
    /// An actor was built.
    pub(crate) fn built(&self, name: &str) {
        let now = Instant::now();
        self.0
            .entry(name.to_owned())
            .and_modify(|standing| {
                standing.state = State::Running;
                standing.restarts += 1;
                standing.last_progress = now;
            })
            .or_insert(Standing { state: State::Running, restarts: 0, last_progress: now });
    }

    pub(crate) fn set_state(&self, name: &str, state: State) {
        if let Some(mut standing) = self.0.get_mut(name) {
            standing.state = state;
        }
    }

    /// The actor got something done.
    pub(crate) fn progress(&self, name: &str) {
        if let Some(mut standing) = self.0.get_mut(name) {
            standing.last_progress = Instant::now();
        }
    }

    /// One actor's line.
    pub fn standing(&self, name: &str) -> Option<Standing> {
        self.0.get(name).map(|standing| standing.clone())
    }

    /// Every actor's line, by name.
    pub fn all(&self) -> Vec<(String, Standing)> {
        let mut all: Vec<_> =
            self.0.iter().map(|entry| (entry.key().clone(), entry.value().clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}
