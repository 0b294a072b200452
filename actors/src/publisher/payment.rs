//! Pays for what a publication needs besides its messages, on a network that charges for it: looking up a message whose
//! outcome is unknown, and alt texts. Messages are paid with the change that begins them.

use mynah_domain::{
    Job, JobEvent, Money,
    budget::{Cost, OverBudget, Payer, Purpose},
};

use super::{
    Publisher,
    failure::{Halt, outcome_lost},
};
use crate::{
    router::held_by,
    spending::{Purse, Reserved},
};

/// How many messages a lookup shows at most, as a rule: those of the account since the last one that it published before.
/// If there are more, what they cost is recorded, but was not reserved.
const SHOWN_MOST: u64 = 10;

impl Publisher {
    /// Who pays for a job on this account's network.
    fn payer(&self, job: &Job) -> Payer {
        Payer {
            source: job.source.clone(),
            target: Some(job.target.clone()),
            service: self.parts.account.network().into(),
        }
    }

    /// The purse, if this costs anything.
    fn purse_for(&self, price: Money) -> Option<&Purse> {
        self.parts.purse.as_ref().filter(|_| !price.is_zero())
    }

    /// Reserves what looking up a job's message may cost. Without the money, the job waits with its outcome unknown.
    pub(super) async fn reserve_lookup(&self, job: &Job) -> Result<Option<Reserved>, Halt> {
        let price = self.parts.prices.own_read;
        let Some(purse) = self.purse_for(price) else { return Ok(None) };
        let most = price.times(SHOWN_MOST);
        match purse.reserve(self.payer(job), Purpose::LookUp, most, SHOWN_MOST).await? {
            Ok(reserved) => Ok(Some(reserved)),
            Err(over) => {
                purse.report(&over);
                let reason = format!("it cannot be looked up on the account: {over}");
                let again_at = over.again_at(self.parts.clock.now());
                Err(Halt::Event(outcome_lost(reason, Some(again_at))))
            }
        }
    }

    /// Records what a lookup cost that the network billed for this many messages.
    pub(super) async fn settle_lookup(&self, reserved: Option<Reserved>, billed: u64) {
        let price = self.parts.prices.own_read;
        if let (Some(purse), Some(reserved)) = (self.purse_for(price), reserved) {
            purse.settle(reserved, price.times(billed), billed).await;
        }
    }

    /// Reserves what an alt text costs. Without the money, the job is held until the next period: its message cannot be paid
    /// either.
    pub(super) async fn reserve_alt_text(&self, job: &Job, alt: &str) -> Result<Option<Reserved>, Halt> {
        let price = self.parts.prices.alt_text;
        let Some(purse) = self.purse_for(price).filter(|_| !alt.trim().is_empty()) else { return Ok(None) };
        match purse.reserve(self.payer(job), Purpose::Media, price, 1).await? {
            Ok(reserved) => Ok(Some(reserved)),
            Err(over) => Err(self.over_budget(&over)),
        }
    }

    /// Whether a message is affordable together with its alt texts, which would be paid for nothing otherwise: they are sent
    /// before the message, and that is paid with the change that begins it.
    pub(super) async fn check_affordable(&self, job: &Job, message: Option<&Cost>) -> Result<(), Halt> {
        let alts = job.translation.iter().flat_map(|translation| &translation.alts);
        let alts = alts.filter(|alt| !alt.trim().is_empty()).count() as u64;
        let price = self.parts.prices.alt_text;
        let (Some(purse), Some(message)) = (self.purse_for(price).filter(|_| alts > 0), message) else {
            return Ok(());
        };
        let most = message.amount + message.rest + price.times(alts);
        match purse.reserve(self.payer(job), Purpose::Publish, most, 1).await? {
            Ok(reserved) => {
                purse.settle(reserved, Money::ZERO, 0).await;
                Ok(())
            }
            Err(over) => Err(self.over_budget(&over)),
        }
    }

    /// The end of an attempt that a budget does not allow.
    fn over_budget(&self, over: &OverBudget) -> Halt {
        if let Some(purse) = &self.parts.purse {
            purse.report(over);
        }
        Halt::Event(JobEvent::Held(held_by(over, self.parts.clock.now())))
    }

    /// Records what an alt text cost.
    pub(super) async fn settle_alt_text(&self, reserved: Option<Reserved>, billing: Billing) {
        let price = self.parts.prices.alt_text;
        if let (Some(purse), Some(reserved)) = (self.purse_for(price), reserved) {
            match billing {
                // What may be billed counts as spent.
                Billing::Billed | Billing::Unknown => purse.settle(reserved, price, 1).await,
                Billing::Free => purse.settle(reserved, Money::ZERO, 0).await,
            }
        }
    }
}

/// Whether the network bills a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Billing {
    /// It succeeded.
    Billed,
    /// It failed, or was not made.
    Free,
    /// It was abandoned.
    Unknown,
}
