//! Which instance works for which account. Several processes may share one ledger; each source is polled, and each
//! account is published to, by one of them at a time. A *lease* says which, until when, and under which *fence*.
//!
//! A process cannot know that its lease is still valid at the moment it writes: it may have been stopped for an hour
//! since it looked. So its clock only tells it when to stop by itself, and the fence decides. The fence of a name grows
//! with every acquisition, and the ledger refuses what is written under an older one. A call to a network that is
//! under way cannot be refused; whoever takes over finds its intent in the ledger and looks it up first.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;

use super::LedgerError;
use crate::AccountId;

/// Grants leases, by the clock of whatever keeps them and not by that of an instance.
///
/// Every method may be called again if its answer was lost, see [`LedgerError::Retryable`]: an instance that acquires
/// what it holds gets a new fence, and what was released or lost is not released again.
#[async_trait(?Send)]
pub trait Leases: Send + Sync {
    /// Acquires a lease for `ttl` if it is free, has run out, or is held by the same instance. Every acquisition has a
    /// larger fence than the one before. `None` if another instance holds it.
    async fn acquire(
        &self,
        name: &LeaseName,
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<Option<Fence>, LedgerError>;

    /// Extends these leases to `ttl` from now, even one that has run out, as long as nobody else acquired it. Answers
    /// those that are lost.
    async fn renew(
        &self,
        leases: &[Lease],
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<Vec<LeaseName>, LedgerError>;

    /// Gives leases back, so that another instance need not wait until they run out. Lost ones stay as they are.
    async fn release(&self, leases: &[Lease], instance: &InstanceId) -> Result<(), LedgerError>;

    /// Reports that an instance is alive for `ttl` from now. Instances share the work among those that are.
    async fn report(&self, instance: &Instance, ttl: Duration) -> Result<(), LedgerError>;

    /// All instances that are alive, in the order of their ids, and all leases that have not run out.
    async fn survey(&self) -> Result<Survey, LedgerError>;

    /// Removes an instance that ends.
    async fn leave(&self, instance: &InstanceId) -> Result<(), LedgerError>;
}

/// What a lease is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeaseName {
    /// Polling a source, by its name in the ledger.
    Source(Arc<str>),
    /// Publishing on an account.
    Account(AccountId),
}

impl LeaseName {
    /// The name that [`fmt::Display`] writes, read back.
    pub fn parse(name: &str) -> Option<Self> {
        match name.split_once(' ')? {
            ("source", source) => Some(Self::Source(source.into())),
            ("account", account) => Some(Self::Account(AccountId::from(account))),
            _ => None,
        }
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(source) => write!(f, "source {source}"),
            Self::Account(account) => write!(f, "account {account}"),
        }
    }
}

/// The number of an acquisition. It grows with each acquisition of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fence(pub i64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lease as it was acquired.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// What it is for.
    pub name: LeaseName,
    /// The acquisition.
    pub fence: Fence,
}

/// The id of a process. It is new at every start: a process that comes back after it was presumed dead must not be
/// taken for its successor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for InstanceId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A process that shares the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its machine or container, for people.
    pub host: String,
    /// Where its admin API listens, for the others; `None` if it is off.
    pub admin: Option<String>,
    /// Its version of Mynah.
    pub version: String,
    /// When it started, by its own clock.
    pub started: Timestamp,
}

/// Who is alive, and who holds what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// All instances that are alive, in the order of their ids.
    pub instances: Vec<Instance>,
    /// All leases that have not run out, in the order of their names.
    pub leases: Vec<(LeaseName, InstanceId, Fence)>,
}

impl Survey {
    /// What an instance holds.
    pub fn held_by<'a>(&'a self, id: &'a InstanceId) -> impl Iterator<Item = &'a LeaseName> {
        self.leases.iter().filter(move |(_, owner, _)| owner == id).map(|(name, ..)| name)
    }
}

/// The leases of this process. The one that acquires and loses them writes; the ledger reads, and records nothing for a
/// source or an account without one. Clones share the same set.
#[derive(Debug, Clone, Default)]
pub struct HeldLeases(Arc<Mutex<HashMap<LeaseName, Fence>>>);

impl HeldLeases {
    /// The fence of a lease; `None` if it is not held.
    pub fn fence(&self, name: &LeaseName) -> Option<Fence> {
        self.lock().get(name).copied()
    }

    /// A lease was acquired.
    pub fn insert(&self, lease: Lease) {
        self.lock().insert(lease.name, lease.fence);
    }

    /// A lease was lost or given back.
    pub fn remove(&self, name: &LeaseName) {
        self.lock().remove(name);
    }

    /// All of them.
    pub fn all(&self) -> Vec<Lease> {
        self.lock().iter().map(|(name, fence)| Lease { name: name.clone(), fence: *fence }).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LeaseName, Fence>> {
        // A panic cannot leave inconsistent state: each call is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_name_parses_back() {
        for name in [LeaseName::Source("net:town".into()), LeaseName::Account(AccountId::from("net:town_es"))]
        {
            assert_eq!(LeaseName::parse(&name.to_string()), Some(name));
        }
        assert_eq!(LeaseName::parse("net:town"), None);
        assert_eq!(LeaseName::parse("other net:town"), None);
    }

    #[test]
    fn an_instance_is_named_by_its_id() {
        let id = InstanceId::from("7f3a");
        assert_eq!((id.as_str(), id.to_string().as_str()), ("7f3a", "7f3a"));
        assert_eq!(Fence(3).to_string(), "3");
    }

    #[test]
    fn held_leases_are_shared_by_clones() {
        let held = HeldLeases::default();
        let name = LeaseName::Source("net:town".into());
        held.clone().insert(Lease { name: name.clone(), fence: Fence(3) });
        assert_eq!(held.fence(&name), Some(Fence(3)));
        held.remove(&name);
        assert_eq!((held.fence(&name), held.all()), (None, vec![]));
    }
}
