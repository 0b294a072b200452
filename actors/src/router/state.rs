//! What the router's futures share, and how they wait for each other. No borrow of the window lives across an await.

use std::{
    cell::{Cell, RefCell},
    time::Instant,
};

use mynah_domain::TargetId;
use tokio::sync::Notify;

use super::{
    completed::Completed,
    messages::Drained,
    parts::RouterParts,
    pending::PendingPublishers,
    window::{Now, Window},
};
use crate::{pauses::Paused, supervision::Heartbeat};

/// What the router's futures share.
pub(super) struct RouterState {
    pub(super) parts: RouterParts,
    pub(super) heartbeat: Heartbeat,
    pub(super) window: RefCell<Window>,
    pub(super) pending: PendingPublishers,
    /// For the watch over stalls.
    pub(super) completed: RefCell<Completed>,
    /// A job was given up as one that kills, and none went well since.
    pub(super) killer_found: Cell<bool>,
    /// How many workers wait for a job.
    pub(super) asking: Cell<usize>,
    /// Wakes a translator when there is something to translate.
    pub(super) work: Notify,
    /// Wakes publishers when something may be published.
    pub(super) ready: Notify,
    /// Wakes the timer when the moment that it waits for may have changed.
    pub(super) timer: Notify,
    /// Wakes whoever waits for a run to end when anything changed at all.
    changed: Notify,
    /// Wakes everybody who came before the ledger was opened.
    opened: Notify,
    is_open: Cell<bool>,
}

/// A worker that waits for a job.
pub(super) struct Asking<'a>(&'a Cell<usize>);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl RouterState {
    pub(super) fn new(parts: RouterParts, heartbeat: Heartbeat) -> Self {
        let window = Window::new(&parts.settings.routes);
        Self {
            parts,
            heartbeat,
            window: RefCell::new(window),
            pending: PendingPublishers::default(),
            completed: RefCell::default(),
            killer_found: Cell::new(false),
            asking: Cell::new(0),
            work: Notify::new(),
            ready: Notify::new(),
            timer: Notify::new(),
            changed: Notify::new(),
            opened: Notify::new(),
            is_open: Cell::new(false),
        }
    }

    /// The ledger's jobs are in memory: work may begin.
    pub(super) fn set_open(&self) {
        self.is_open.set(true);
        self.opened.notify_waiters();
        self.wake_all();
    }

    /// Waits until work may begin.
    pub(super) async fn opened(&self) {
        while !self.is_open.get() {
            self.opened.notified().await;
        }
    }

    /// Counts a worker that waits for a job, for as long as what this answers lives.
    pub(super) fn asking(&self) -> Asking<'_> {
        self.asking.set(self.asking.get() + 1);
        Asking(&self.asking)
    }

    /// Wakes everybody who waits for something.
    pub(super) fn wake_all(&self) {
        self.wake_translator();
        self.ready.notify_waiters();
        self.changed.notify_waiters();
        self.timer.notify_waiters();
    }

    /// Wakes one translator, where there is something to translate: that one wakes the next. To wake all of them for each
    /// report would have most of them look in vain.
    pub(super) fn wake_translator(&self) {
        if self.window.borrow().has_work() {
            self.work.notify_one();
        }
    }

    /// Lets everybody look again when something is paused or resumed, for as long as the actor lives.
    pub(super) async fn watch_pauses(&self) {
        let mut changes = self.parts.pauses.changes();
        while changes.changed().await.is_ok() {
            self.wake_all();
        }
    }

    pub(super) fn is_paused(&self, target: &TargetId) -> bool {
        self.parts.pauses.is_paused(&Paused::Target(target.clone()))
    }

    pub(super) fn now(&self) -> Now {
        Now { wall: self.parts.clock.now(), steady: Instant::now() }
    }

    /// Waits until nothing more can be done without a person, a quota or time.
    pub(super) async fn drained(&self) -> Drained {
        self.opened().await;
        loop {
            let changed = self.changed.notified();
            let is_paused = |target: &TargetId| self.is_paused(target);
            if let Some(drained) = self.window.borrow().drained(self.parts.settings.patience, is_paused) {
                return drained;
            }
            changed.await;
        }
    }
}
