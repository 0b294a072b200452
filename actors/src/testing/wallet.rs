//! What the ledger in memory knows about money: parts that were paid for, reservations, and other charges.

use std::collections::BTreeMap;

use mynah_domain::{
    Job, JobEvent, JobId, Money,
    budget::{Charge, Limit, OverBudget},
    ports::ledger::{Reservation, ReservationKey},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Wallet {
    parts: BTreeMap<(JobId, u32), Charge>,
    reserved: BTreeMap<ReservationKey, Vec<Charge>>,
    others: Vec<Charge>,
}

impl Wallet {
    pub(super) fn charges(&self) -> impl Iterator<Item = &Charge> {
        self.parts.values().chain(self.reserved.values().flatten()).chain(&self.others)
    }

    fn allow(&self, limits: &[Limit], wanted: &[Charge]) -> Result<(), OverBudget> {
        let sum = |limit: &Limit, charges: &mut dyn Iterator<Item = &Charge>| -> Money {
            let included =
                charges.filter(|charge| charge.day >= limit.since && limit.scope.includes(&charge.payer));
            included.map(|charge| charge.amount).sum()
        };
        limits.iter().try_for_each(|limit| {
            limit.allow(sum(limit, &mut self.charges()), sum(limit, &mut wanted.iter()))
        })
    }

    /// Applies an event of a job.
    pub(super) fn apply(&mut self, job: &Job, event: &JobEvent) -> Result<(), OverBudget> {
        match event {
            JobEvent::PartBegun { part, cost: Some(cost), .. } => {
                let charge = cost.charge(job.source.clone(), job.target.clone());
                let rest = cost.reserved(&charge);
                let own = self.reserved.remove(&ReservationKey::of_job(job.id));
                if own.is_none() {
                    let wanted: Vec<Charge> = rest.iter().chain([&charge]).cloned().collect();
                    self.allow(&cost.limits, &wanted)?;
                }
                self.reserved.extend(rest.map(|rest| (ReservationKey::of_job(job.id), vec![rest])));
                self.parts.insert((job.id, *part), charge);
            }
            JobEvent::PartAbsent { part } => drop(self.parts.remove(&(job.id, *part))),
            JobEvent::Published | JobEvent::Held(_) | JobEvent::Failed { .. } => {
                self.reserved.remove(&ReservationKey::of_job(job.id));
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn reserve(&mut self, reservation: Reservation) -> Result<(), OverBudget> {
        let Reservation { key, charges, limits } = reservation;
        if !self.reserved.contains_key(&key) {
            self.allow(&limits, &charges)?;
            self.reserved.insert(key, charges);
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, key: ReservationKey, charges: Vec<Charge>) {
        if self.reserved.remove(&key).is_some() {
            self.others.extend(charges);
        }
    }

    pub(super) fn charge(&mut self, charges: Vec<Charge>) {
        self.others.extend(charges);
    }
}
