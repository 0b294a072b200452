//! Loads jobs from the ledger into memory: interrupted jobs of an earlier run, new pages, and the next stretch of every
//! line.

use std::time::Instant;

use log::warn;
use mynah_domain::{
    AccountId, Hold, Skip, TargetId,
    job::HoldKind,
    ports::{
        LedgerError,
        ledger::{RecordPost, Recorded},
    },
};

use super::{Route, messages::Record, state::RouterState};
use crate::events::Event;

impl RouterState {
    /// Puts back the jobs that an earlier process or router left in progress, and loads the lines.
    pub(super) async fn open(&self) -> Result<(), LedgerError> {
        self.recover(|_| true).await?;
        self.refill(&self.targets()).await?;
        self.set_open();
        Ok(())
    }

    /// Takes up the lines of `accounts` that this instance works for: puts back the jobs that an earlier process, router
    /// or instance left in progress, whose workers can change nothing from then on.
    pub(super) async fn recover(&self, accounts: impl Fn(&AccountId) -> bool) -> Result<(), LedgerError> {
        let is_held = |route: &Route| self.parts.holdings.has_account(&route.account);
        let routes = self.parts.settings.routes.iter();
        let routes: Vec<&Route> = routes.filter(|route| is_held(route) && accounts(&route.account)).collect();
        let targets: Vec<TargetId> = routes.iter().map(|route| route.target.clone()).collect();
        let recovered = self.parts.ledger.recover(&targets).await?;
        if recovered > 0 {
            warn!(jobs = recovered; "interrupted jobs recovered");
        }
        // Some may be another instance's by now.
        let still_held = routes.into_iter().filter(|route| is_held(route));
        let still_held: Vec<TargetId> = still_held.map(|route| route.target.clone()).collect();
        self.window.borrow_mut().take_up(&still_held);
        Ok(())
    }

    /// Fills the lines of these targets that have room from the ledger. Returns whether any job was loaded.
    pub(super) async fn refill(&self, targets: &[TargetId]) -> Result<bool, LedgerError> {
        let mut has_more = false;
        for target in targets {
            loop {
                let wanted = self.window.borrow_mut().wants(target, self.parts.settings.queue);
                let Some((after, room)) = wanted else { break };
                let loaded = self.parts.ledger.open_jobs(target, after, room).await;
                let mut window = self.window.borrow_mut();
                match loaded {
                    Ok(jobs) => {
                        has_more |= !jobs.is_empty();
                        window.load(target, jobs, room, self.now());
                    }
                    Err(error) => {
                        window.stop_loading(target);
                        return Err(error);
                    }
                }
            }
        }
        Ok(has_more)
    }

    /// Fills the lines of these targets that have room, and wakes the workers that may have to do with them.
    pub(super) async fn refill_and_wake(&self, targets: &[TargetId]) -> Result<(), LedgerError> {
        let filled = self.refill(targets).await;
        self.wake(targets);
        filled.map(drop)
    }

    /// Fills every line that has room, and wakes all waiting workers.
    pub(super) async fn refill_and_wake_all(&self) -> Result<(), LedgerError> {
        let filled = self.refill(&self.targets()).await;
        self.wake_all();
        filled.map(drop)
    }

    pub(super) fn targets(&self) -> Vec<TargetId> {
        self.parts.settings.routes.iter().map(|route| route.target.clone()).collect()
    }

    /// Records a page and loads its jobs.
    pub(super) async fn record(&self, Record { page, arrived }: Record) -> Result<Recorded, LedgerError> {
        self.opened().await;
        let work = self.heartbeat.at_work();
        let posts = page.posts.clone();
        // Other lines have nothing to do with the page, and there may be hundreds.
        let routes = self.parts.settings.routes.iter().filter(|route| route.source == page.source);
        let targets: Vec<TargetId> = routes.map(|route| route.target.clone()).collect();
        let recorded = self.parts.ledger.record(page).await?;
        self.parts.meter.count("posts.recorded", recorded.posts);
        self.parts.meter.count("jobs.skipped", recorded.skipped);
        for _ in 0..recorded.held {
            self.parts.meter.count_kind("jobs.held", HoldKind::Unreadable.as_str());
        }
        if !recorded.held_back.is_empty() {
            warn!(posts = recorded.held_back.len(); "posts held after restore");
        }
        // Oldest first: the order in which they will be published.
        for record in posts.into_iter().rev() {
            self.announce(record, &recorded, arrived);
        }
        for target in &targets {
            self.window.borrow_mut().expect_more(target);
            if recorded.reread > 0 {
                // Their positions may come before the jobs that are loaded.
                self.window.borrow_mut().reload(target);
            }
        }
        let has_more = self.refill(&targets).await;
        // Most polls find nothing, and then nobody needs to look for work.
        if !matches!(has_more, Ok(false)) || recorded.reread > 0 {
            self.wake(&targets);
        }
        self.changed.notify_waiters();
        has_more?;
        work.done();
        Ok(recorded)
    }

    /// Reports a recorded post to watchers.
    fn announce(&self, record: RecordPost, recorded: &Recorded, arrived: Instant) {
        let RecordPost { post, mut jobs, unreadable } = record;
        if recorded.edited.contains(&post.id) {
            for (_, skip) in &mut jobs {
                *skip = Some(Skip::Edited);
            }
        }
        self.parts.feed.send(|| Event::Recorded(post.clone(), jobs.clone(), arrived));
        let hold = |kind, reason| Hold { kind, reason, until: None };
        let hold = match unreadable {
            Some(raw) => hold(HoldKind::Unreadable, raw.reason),
            None if recorded.held_back.contains(&post.id) => {
                hold(HoldKind::Restored, "the ledger was restored from a backup".into())
            }
            None => return,
        };
        for (target, _) in jobs.into_iter().filter(|(_, skip)| skip.is_none()) {
            if hold.kind == HoldKind::Restored {
                self.parts.meter.count_kind("jobs.held", hold.kind.as_str());
            }
            self.parts.feed.send(|| Event::Held(post.clone(), target, hold.clone()));
        }
    }
}
