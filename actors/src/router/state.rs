//! The state that the router's futures share, and how they wake each other. No borrow of the window lives across an
//! await.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    time::Instant,
};

use mynah_domain::{AccountId, TargetId};
use tokio::sync::{Mutex, Notify, futures::Notified};

use super::{
    completed::Completed,
    messages::Drained,
    parts::{Route, RouterParts},
    pending::PendingPublishers,
    window::{Now, Window},
};
use crate::{pauses::Paused, supervision::Heartbeat};

/// The state that the router's futures share.
pub(super) struct RouterState {
    pub(super) parts: RouterParts,
    pub(super) heartbeat: Heartbeat,
    pub(super) window: RefCell<Window>,
    pub(super) pending: PendingPublishers,
    /// For stall detection.
    pub(super) completed: RefCell<Completed>,
    /// A job failed because it kills its workers, and none has succeeded since.
    pub(super) killer_job_found: Cell<bool>,
    /// Held while an account is taken up.
    pub(super) taking_up: Mutex<()>,
    /// How many workers wait for a job.
    pub(super) asking: Cell<usize>,
    /// Wakes a translator when a job becomes available.
    pub(super) work: Notify,
    /// Wakes publishers when a job may be publishable.
    pub(super) ready: Ready,
    /// Wakes the timer when its deadline may have changed.
    pub(super) timer: Notify,
    /// Wakes callers that wait for the run to end, on any change.
    pub(super) changed: Notify,
    /// Wakes callers that came before the ledger was opened.
    opened: Notify,
    is_open: Cell<bool>,
}

/// Wakes publishers, each by its account: with hundreds of accounts, most would find nothing if all were woken.
pub(super) struct Ready {
    accounts: HashMap<AccountId, Notify>,
    /// For a publisher whose account no route leads to.
    others: Notify,
}

impl Ready {
    fn new(routes: &[Route]) -> Self {
        let accounts = routes.iter().map(|route| (route.account.clone(), Notify::new()));
        Self { accounts: accounts.collect(), others: Notify::new() }
    }

    /// Completes when a job of this account may be publishable.
    pub(super) fn notified(&self, account: &AccountId) -> Notified<'_> {
        self.accounts.get(account).unwrap_or(&self.others).notified()
    }

    pub(super) fn wake(&self, account: &AccountId) {
        self.accounts.get(account).unwrap_or(&self.others).notify_waiters();
    }

    pub(super) fn wake_all(&self) {
        self.accounts.values().chain([&self.others]).for_each(Notify::notify_waiters);
    }
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
        let window = Window::new(&parts.settings.routes, parts.blocks.clone());
        Self {
            ready: Ready::new(&parts.settings.routes),
            parts,
            heartbeat,
            window: RefCell::new(window),
            pending: PendingPublishers::default(),
            completed: RefCell::default(),
            killer_job_found: Cell::new(false),
            taking_up: Mutex::default(),
            asking: Cell::new(0),
            work: Notify::new(),
            timer: Notify::new(),
            changed: Notify::new(),
            opened: Notify::new(),
            is_open: Cell::new(false),
        }
    }

    /// Marks the ledger's jobs as loaded, so that work may begin.
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

    /// Counts a worker as waiting for a job, for as long as the returned guard lives.
    pub(super) fn asking(&self) -> Asking<'_> {
        self.asking.set(self.asking.get() + 1);
        Asking(&self.asking)
    }

    /// Wakes all waiting workers.
    pub(super) fn wake_all(&self) {
        self.wake_translator();
        self.ready.wake_all();
        self.changed.notify_waiters();
        self.timer.notify_waiters();
    }

    /// Wakes the workers that may have to do with the lines of these targets.
    pub(super) fn wake(&self, targets: &[TargetId]) {
        self.wake_translator();
        let window = self.window.borrow();
        for account in targets.iter().filter_map(|target| window.account_of(target)) {
            self.ready.wake(account);
        }
        self.changed.notify_waiters();
        self.timer.notify_waiters();
    }

    /// Wakes one translator if there is something to translate; that one wakes the next. If each report woke all of
    /// them, most would find nothing.
    pub(super) fn wake_translator(&self) {
        if self.window.borrow().has_work() {
            self.work.notify_one();
        }
    }

    /// Wakes all waiting workers when something is paused or resumed, for as long as the actor lives.
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

    /// Whether a line of an account that this instance works for is not loaded yet.
    fn takes_up_lines(&self) -> bool {
        let (window, holdings) = (self.window.borrow(), &self.parts.holdings);
        let mut routes = self.parts.settings.routes.iter();
        routes.any(|route| !window.is_taken_up(&route.target) && holdings.has_account(&route.account))
    }

    /// Waits until the run can do nothing more without a person, a quota or time.
    pub(super) async fn drained(&self) -> Drained {
        self.opened().await;
        loop {
            let changed = self.changed.notified();
            let is_paused = |target: &TargetId| self.is_paused(target);
            if !self.takes_up_lines()
                && let Some(drained) =
                    self.window.borrow().drained(self.parts.settings.patience, self.now(), is_paused)
            {
                return drained;
            }
            changed.await;
        }
    }
}
