//! What this instance works for. Actors ask here and know nothing of leases: without any, an instance works for
//! everything.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mynah_domain::{
    AccountId,
    lease_term::{LeaseTerm, Moment},
    ports::leases::{HeldLeases, Lease, LeaseName},
};

/// What this instance works for. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub enum Holdings {
    /// Everything: no other instance uses the ledger.
    #[default]
    Everything,
    /// What it has leases for.
    Leased(LeasedHoldings),
}

/// The leases that are held, and when each was renewed.
#[derive(Debug, Clone)]
pub struct LeasedHoldings {
    term: LeaseTerm,
    held: HeldLeases,
    renewed: Arc<Mutex<HashMap<LeaseName, Moment>>>,
    /// Names of which the ledger said that another instance has them.
    doubted: Arc<Mutex<BTreeSet<LeaseName>>>,
}

impl Holdings {
    /// Whether this instance works for an account.
    pub fn has_account(&self, account: &AccountId) -> bool {
        self.has(|| LeaseName::Account(account.clone()))
    }

    /// Whether this instance works for a source.
    pub fn has_source(&self, source: &str) -> bool {
        self.has(|| LeaseName::Source(source.into()))
    }

    fn has(&self, name: impl FnOnce() -> LeaseName) -> bool {
        match self {
            Self::Everything => true,
            Self::Leased(leased) => leased.held.fence(&name()).is_some(),
        }
    }

    /// Whether the lease of an account may still be relied on by this instance's own clock. It is asked directly before
    /// something is done that nobody can refuse: this process may have been suspended since it last looked.
    pub fn may_act(&self, account: &AccountId, now: impl FnOnce() -> Moment) -> bool {
        match self {
            Self::Everything => true,
            Self::Leased(leased) => leased.is_current(&LeaseName::Account(account.clone()), now()),
        }
    }

    /// The ledger refused something for an account, so another instance may have the lease. The keeper finds out.
    pub(crate) fn doubt(&self, account: &AccountId) {
        if let Self::Leased(leased) = self {
            leased.doubted().insert(LeaseName::Account(account.clone()));
        }
    }

    /// Whether other instances may work on the same ledger.
    pub fn are_shared(&self) -> bool {
        matches!(self, Self::Leased(_))
    }
}

impl LeasedHoldings {
    /// Creates holdings that share `held` with the ledger.
    pub fn new(held: HeldLeases, term: LeaseTerm) -> Self {
        Self { term, held, renewed: Arc::default(), doubted: Arc::default() }
    }

    /// How long leases last.
    pub fn term(&self) -> LeaseTerm {
        self.term
    }

    fn is_current(&self, name: &LeaseName, now: Moment) -> bool {
        let renewed = self.renewed().get(name).copied();
        self.held.fence(name).is_some() && renewed.is_some_and(|renewed| self.term.is_current(renewed, now))
    }

    /// All leases, and when each was renewed.
    pub(super) fn all(&self) -> Vec<(Lease, Moment)> {
        let renewed = self.renewed();
        let all = self.held.all().into_iter();
        all.filter_map(|lease| Some((lease.clone(), renewed.get(&lease.name).copied()?))).collect()
    }

    /// A lease is held from now on.
    pub(crate) fn insert(&self, lease: Lease, renewed: Moment) {
        self.renewed().insert(lease.name.clone(), renewed);
        self.held.insert(lease);
    }

    /// A lease that is held was renewed.
    pub(super) fn renew(&self, name: &LeaseName, renewed: Moment) {
        self.renewed().insert(name.clone(), renewed);
    }

    /// A lease is no longer held.
    pub(super) fn remove(&self, name: &LeaseName) {
        self.held.remove(name);
        self.renewed().remove(name);
    }

    /// The leases that are in doubt since the last time.
    pub(crate) fn take_doubted(&self) -> BTreeSet<LeaseName> {
        std::mem::take(&mut self.doubted())
    }

    fn doubted(&self) -> MutexGuard<'_, BTreeSet<LeaseName>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renewed(&self) -> MutexGuard<'_, HashMap<LeaseName, Moment>> {
        // A panic cannot leave inconsistent state: each call is one step.
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use jiff::Timestamp;
    use mynah_domain::ports::leases::Fence;

    use super::*;

    #[test]
    fn without_leases_an_instance_works_for_everything() {
        let holdings = Holdings::default();
        let never = || unreachable!("no clock is read");
        assert!(holdings.has_source("net:town") && holdings.may_act(&AccountId::from("net:es"), never));
        assert!(!holdings.are_shared());
    }

    #[test]
    fn an_account_is_acted_for_only_while_its_lease_is_current() {
        let leased = LeasedHoldings::new(HeldLeases::default(), LeaseTerm::new(Duration::from_secs(9)));
        let (holdings, account) = (Holdings::Leased(leased.clone()), AccountId::from("net:es"));
        let now = Moment { steady: Instant::now(), wall: Timestamp::UNIX_EPOCH };
        let later = |seconds| Moment { steady: now.steady + Duration::from_secs(seconds), ..now };
        assert!(!holdings.has_account(&account) && !holdings.may_act(&account, || now));
        let name = LeaseName::Account(account.clone());
        leased.insert(Lease { name: name.clone(), fence: Fence(1) }, now);
        assert!(holdings.has_account(&account) && !holdings.has_source("net:es"));
        assert!(holdings.may_act(&account, || later(5)) && !holdings.may_act(&account, || later(6)));
        leased.renew(&name, later(3));
        assert!(holdings.may_act(&account, || later(6)));
        leased.remove(&name);
        assert!(!holdings.has_account(&account) && !holdings.may_act(&account, || now));
    }
}
