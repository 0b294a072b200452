//! Takes up the lines of accounts that this instance begins to work for, and puts down those of others. While several
//! instances share a ledger, others record posts and change jobs, so the lines are read again every moment.

use std::time::Duration;

use actix::{Handler, Message, ResponseActFuture};
use log::info;
use mynah_domain::{AccountId, TargetId, ports::LedgerError};

use super::{actor::Router, state::RouterState};
use crate::supervision::handles_tracked;

/// How often to look for posts that another instance recorded.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After how many looks to load all lines from their beginnings. Another instance may have recorded a post that could not
/// be read before, and its place is in front of jobs that are loaded.
const RELOAD_EVERY: u32 = 60;

/// Takes up the lines of an account, for which this instance has just acquired the lease. Answered when its jobs are
/// loaded; at once if that was done before.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub(crate) struct TakeUp {
    pub(crate) account: AccountId,
}

/// Puts down the lines of an account, which another instance works for from now on.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct PutDown {
    pub(crate) account: AccountId,
}

/// The ledger refused to begin something on an account, because another instance works for it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Refused {
    pub(crate) account: AccountId,
}

/// Another instance, or a person, changed jobs in the ledger. The lines are loaded again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct ReloadLines;

impl RouterState {
    async fn take_up(&self, account: &AccountId) -> Result<(), LedgerError> {
        self.opened().await;
        // Two at once would revoke each other's tokens.
        let _turn = self.taking_up.lock().await;
        let routes = self.parts.settings.routes.iter().filter(|route| route.account == *account);
        let targets: Vec<TargetId> = routes.map(|route| route.target.clone()).collect();
        if targets.iter().all(|target| self.window.borrow().is_taken_up(target)) {
            return Ok(());
        }
        let work = self.heartbeat.at_work();
        self.recover(|other| other == account).await?;
        self.refill_and_wake(&targets).await?;
        work.done();
        Ok(())
    }

    /// The ledger refused what was to be done for an account, because another instance works for it.
    pub(super) fn put_down_refused(&self, account: &AccountId) {
        info!(account = account.as_str(); "account held by another instance");
        self.parts.holdings.doubt(account);
        self.put_down(account);
    }

    fn put_down(&self, account: &AccountId) {
        self.window.borrow_mut().put_down(account);
        // Whoever waits for the end of the run may have waited for these jobs.
        self.wake_all();
    }

    async fn reload_lines(&self) -> Result<(), LedgerError> {
        self.opened().await;
        for target in self.targets() {
            self.window.borrow_mut().reload(&target);
        }
        self.refill_and_wake_all().await
    }

    /// Looks for jobs that other instances recorded, for as long as the actor lives.
    pub(super) async fn look_again(&self) -> Result<(), LedgerError> {
        if !self.parts.holdings.are_shared() {
            return Ok(());
        }
        self.opened().await;
        for look in 1_u32.. {
            actix_rt::time::sleep(LOOK_EVERY).await;
            if look.is_multiple_of(RELOAD_EVERY) {
                self.reload_lines().await?;
                continue;
            }
            let mut targets = self.targets();
            targets.retain(|target| self.window.borrow().is_taken_up(target));
            for target in &targets {
                self.window.borrow_mut().expect_more(target);
            }
            if self.refill(&targets).await? {
                self.wake(&targets);
            }
        }
        Ok(())
    }
}

handles_tracked!(Router: TakeUp, PutDown, Refused, ReloadLines);

impl Handler<TakeUp> for Router {
    type Result = ResponseActFuture<Self, Result<(), LedgerError>>;

    fn handle(&mut self, TakeUp { account }: TakeUp, _: &mut Self::Context) -> Self::Result {
        self.answer(|state| async move { state.take_up(&account).await })
    }
}

impl Handler<PutDown> for Router {
    type Result = ();

    fn handle(&mut self, PutDown { account }: PutDown, _: &mut Self::Context) {
        self.state.put_down(&account);
    }
}

impl Handler<Refused> for Router {
    type Result = ();

    fn handle(&mut self, Refused { account }: Refused, _: &mut Self::Context) {
        self.state.put_down_refused(&account);
    }
}

impl Handler<ReloadLines> for Router {
    type Result = ResponseActFuture<Self, Result<(), LedgerError>>;

    fn handle(&mut self, _: ReloadLines, _: &mut Self::Context) -> Self::Result {
        self.answer(|state| async move { state.reload_lines().await })
    }
}
