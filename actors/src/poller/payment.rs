//! Pays for reading, on a network that charges for it. The most that a page can cost is reserved before it is requested, and
//! what it did cost is recorded with the page. If a budget does not allow a whole page, fewer posts are requested.

use mynah_domain::{
    Money, PostId,
    budget::{OverBudget, Payer, Purpose},
    ports::{Lookup, Page, PageRequest, SourceError, ledger::ReservationKey},
};

use super::{Poller, Trouble};
use crate::{
    spending::{Purse, Reserved},
    supervision::shell::Stop,
};

/// A page that was read, and what it cost.
pub(super) struct PaidPage {
    pub(super) page: Page,
    pub(super) cost: PageCost,
}

/// What a page cost, to be recorded with it.
#[must_use = "what a page did cost must be recorded"]
pub(super) struct PageCost(Option<(Reserved, Money, u64)>);

impl PageCost {
    /// For a change of the checkpoint without a page.
    pub(super) fn nothing() -> Self {
        Self(None)
    }

    /// What replaces the reservation, in the transaction that records the page.
    pub(super) fn into_settlement(self) -> Option<(ReservationKey, Vec<mynah_domain::budget::Charge>)> {
        let (reserved, amount, posts) = self.0?;
        reserved.into_settlement(amount, posts)
    }
}

impl Poller {
    /// Who pays for reading: the source, for all of its targets.
    fn payer(&self) -> Payer {
        Payer {
            source: self.parts.source.as_str().into(),
            target: None,
            service: self.source.network().into(),
        }
    }

    /// The purse, if reading costs anything.
    fn purse(&self) -> Option<&Purse> {
        self.parts.purse.as_ref().filter(|_| !self.parts.prices.read.is_zero())
    }

    /// Reads a page, within the budgets.
    pub(super) async fn paid_page(&self, request: &PageRequest, stop: &Stop) -> Result<PaidPage, Trouble> {
        let Some(purse) = self.purse() else {
            return Ok(PaidPage { page: self.page(request, stop).await?, cost: PageCost::nothing() });
        };
        let (reserved, limit) = self.reserve_page(purse, request.limit).await?;
        match self.page(&PageRequest { limit, ..request.clone() }, stop).await {
            Ok(page) => {
                let prices = self.parts.prices;
                let accounts = prices.account.times(page.billed_accounts);
                let amount = prices.read.times(page.billed) + accounts;
                let cost = PageCost(Some((reserved, amount, page.billed + page.billed_accounts)));
                Ok(PaidPage { page, cost })
            }
            Err(trouble) => {
                // A refused request is free, and a stop came before the call. What a lost answer had may be billed; the poll that
                // succeeds asks for the same posts and records them, because a network bills a post once a day.
                purse.settle(reserved, Money::ZERO, 0).await;
                Err(trouble)
            }
        }
    }

    /// Reserves a page of this many posts, or of as many as the budgets allow.
    async fn reserve_page(&self, purse: &Purse, limit: usize) -> Result<(Reserved, usize), Trouble> {
        let price = self.parts.prices.read;
        let most = |limit| price.times(self.source.most_billed(limit));
        let reserve = async |limit| {
            let billed = self.source.most_billed(limit);
            purse.reserve_with_key(self.payer(), Purpose::Read, price.times(billed), billed).await
        };
        let mut limit = limit;
        loop {
            let over = match reserve(limit).await? {
                Ok(reserved) => return Ok((reserved, limit)),
                Err(over) => over,
            };
            // Another budget may have even less left.
            match (1..limit).rev().find(|fewer| most(*fewer) <= over.left) {
                Some(fewer) => limit = fewer,
                // One post would be enough to go on.
                None => return Err(over_budget(purse, OverBudget { wanted: most(1), ..over })),
            }
        }
    }

    /// Records that no budget prevents reading.
    pub(super) fn waits_for_no_budget(&self) {
        if let Some(purse) = &self.parts.purse {
            purse.shortages().source_reads(&self.parts.source);
        }
    }

    /// Records what a page cost that will not be recorded itself.
    pub(super) async fn settle_page(&self, cost: PageCost) {
        if let (Some(purse), Some((reserved, amount, posts))) = (self.purse(), cost.0) {
            purse.settle(reserved, amount, posts).await;
        }
    }

    /// Looks a post up by its id, within the budgets.
    pub(super) async fn paid_lookup(
        &self,
        id: &PostId,
        stop: &Stop,
    ) -> Result<Result<Lookup, SourceError>, Trouble> {
        let Some(purse) = self.purse() else { return self.by_id(id, stop).await };
        let price = self.parts.prices.read_alone;
        let reserved = purse.reserve(self.payer(), Purpose::Read, price, 1).await?;
        let reserved = reserved.map_err(|over| over_budget(purse, over))?;
        let answer = self.by_id(id, stop).await;
        let (amount, posts) = match &answer {
            Ok(Ok(Lookup::Post(_) | Lookup::Unreadable(_))) => (price, 1),
            Ok(Ok(Lookup::Gone(_)) | Err(_)) | Err(_) => (Money::ZERO, 0),
        };
        purse.settle(reserved, amount, posts).await;
        answer
    }
}

/// A call that a budget does not allow.
fn over_budget(purse: &Purse, over: OverBudget) -> Trouble {
    purse.report(&over);
    Trouble::OverBudget(over)
}

/// A poll that a budget does not allow, as an error of the source, for whoever waits for the poll.
pub(super) fn as_error(over: &OverBudget) -> SourceError {
    SourceError::RateLimited { reason: over.to_string(), until: Some(over.until) }
}
