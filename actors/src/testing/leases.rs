//! Leases in memory, by the runtime's clock. They follow the port's rules, and can be cut off from an instance.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use mynah_domain::ports::{
    LedgerError,
    leases::{Fence, Instance, InstanceId, Lease, LeaseName, Leases, Survey},
};
use tokio::time::Instant;

/// The leases.
#[derive(Default)]
pub(crate) struct MemoryLeases(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    rows: BTreeMap<LeaseName, Row>,
    instances: BTreeMap<InstanceId, (Instance, Instant)>,
    /// Instances that get no answer.
    cut_off: BTreeSet<InstanceId>,
    is_down: bool,
}

struct Row {
    /// `None` if it was given back.
    owner: Option<InstanceId>,
    fence: Fence,
    until: Instant,
}

impl Contents {
    fn holder(&self, name: &LeaseName) -> Option<(&InstanceId, Fence)> {
        let row = self.rows.get(name).filter(|row| row.until > Instant::now())?;
        Some((row.owner.as_ref()?, row.fence))
    }

    /// The row of a lease that the instance acquired and nobody acquired since.
    fn own(&mut self, lease: &Lease, instance: &InstanceId) -> Option<&mut Row> {
        let row = self.rows.get_mut(&lease.name)?;
        (row.owner.as_ref() == Some(instance) && row.fence == lease.fence).then_some(row)
    }
}

impl MemoryLeases {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap()
    }

    /// Lets no call of an instance be answered any more, or again.
    pub(crate) fn cut_off(&self, instance: &InstanceId, is_cut_off: bool) {
        let mut contents = self.contents();
        if is_cut_off {
            contents.cut_off.insert(instance.clone());
        } else {
            contents.cut_off.remove(instance);
        }
    }

    /// Lets every call fail, or none.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.contents().is_down = is_down;
    }

    /// Who holds what.
    pub(crate) fn holders(&self) -> BTreeMap<LeaseName, InstanceId> {
        let contents = self.contents();
        let held = |name: &LeaseName| Some((name.clone(), contents.holder(name)?.0.clone()));
        contents.rows.keys().filter_map(held).collect()
    }

    /// What an instance sees. A survey does not name who asks, so a test that cuts an instance off gives it this.
    pub(crate) fn seen_by(self: &std::sync::Arc<Self>, instance: &InstanceId) -> SeenBy {
        SeenBy { leases: self.clone(), instance: instance.clone() }
    }
}

/// The leases as one instance reaches them.
pub(crate) struct SeenBy {
    leases: std::sync::Arc<MemoryLeases>,
    instance: InstanceId,
}

impl SeenBy {
    async fn reach(&self) -> Result<MutexGuard<'_, Contents>, LedgerError> {
        if self.leases.contents().cut_off.contains(&self.instance) {
            std::future::pending::<()>().await;
        }
        if self.leases.contents().is_down {
            return Err(LedgerError::Retryable("the ledger was shut down".into()));
        }
        Ok(self.leases.contents())
    }
}

#[async_trait(?Send)]
impl Leases for SeenBy {
    async fn acquire(
        &self,
        name: &LeaseName,
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<Option<Fence>, LedgerError> {
        let mut contents = self.reach().await?;
        if contents.holder(name).is_some_and(|(holder, _)| holder != instance) {
            return Ok(None);
        }
        let fence = contents.rows.get(name).map_or(Fence(1), |row| Fence(row.fence.0 + 1));
        let row = Row { owner: Some(instance.clone()), fence, until: Instant::now() + ttl };
        contents.rows.insert(name.clone(), row);
        Ok(Some(fence))
    }

    async fn renew(
        &self,
        leases: &[Lease],
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<Vec<LeaseName>, LedgerError> {
        let mut contents = self.reach().await?;
        let mut lost = Vec::new();
        for lease in leases {
            match contents.own(lease, instance) {
                Some(row) => row.until = Instant::now() + ttl,
                None => lost.push(lease.name.clone()),
            }
        }
        Ok(lost)
    }

    async fn release(&self, leases: &[Lease], instance: &InstanceId) -> Result<(), LedgerError> {
        let mut contents = self.reach().await?;
        for lease in leases {
            if let Some(row) = contents.own(lease, instance) {
                row.owner = None;
            }
        }
        Ok(())
    }

    async fn report(&self, instance: &Instance, ttl: Duration) -> Result<(), LedgerError> {
        let mut contents = self.reach().await?;
        contents.instances.insert(instance.id.clone(), (instance.clone(), Instant::now() + ttl));
        Ok(())
    }

    async fn survey(&self) -> Result<Survey, LedgerError> {
        let contents = self.reach().await?;
        let alive = contents.instances.values().filter(|(_, until)| *until > Instant::now());
        let held = |name: &LeaseName| {
            let (owner, fence) = contents.holder(name)?;
            Some((name.clone(), owner.clone(), fence))
        };
        Ok(Survey {
            instances: alive.map(|(instance, _)| instance.clone()).collect(),
            leases: contents.rows.keys().filter_map(held).collect(),
        })
    }

    async fn leave(&self, instance: &InstanceId) -> Result<(), LedgerError> {
        self.reach().await?.instances.remove(instance);
        Ok(())
    }
}
