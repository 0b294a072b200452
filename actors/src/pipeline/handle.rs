//! Changes to a running pipeline: more or fewer translators, or every actor rebuilt with other settings. No work is
//! interrupted: an actor that is replaced finishes its work in progress first. The router and the cache are replaced
//! last, when no worker depends on them any more; the new workers begin after that.

use std::{collections::BTreeSet, sync::Arc};

use actix::Addr;
use log::info;
use mynah_domain::ports::leases::LeaseName;
use tokio::sync::Mutex;

use super::{Parts, Threads, names};
use crate::supervision::{
    RestartReason, Supervisor,
    shell::StopAsked,
    supervisor::{ChangeChildren, Ping, RemoveChildren},
};

/// Changes the actors of a running pipeline. Clones share the pipeline, on any thread.
#[derive(Clone)]
pub struct PipelineHandle {
    supervisor: Addr<Supervisor>,
    threads: Threads,
    /// What new actors are built from. It stays locked until the supervisor has received a change, so that no two
    /// changes mix.
    parts: Arc<Mutex<Parts>>,
}

/// The supervisor has exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service is stopping")]
pub struct Stopping;

impl PipelineHandle {
    pub(super) fn new(supervisor: Addr<Supervisor>, threads: Threads, parts: Parts) -> Self {
        Self { supervisor, threads, parts: Arc::new(Mutex::new(parts)) }
    }

    /// How many translators there are.
    pub async fn pool_size(&self) -> usize {
        self.parts.lock().await.pool_size
    }

    /// Changes the number of translators, at least one, and returns the number before. The change lasts until the
    /// process exits.
    ///
    /// # Errors
    /// If the service is stopping.
    pub async fn resize(&self, size: usize) -> Result<usize, Stopping> {
        let mut parts = self.parts.lock().await;
        let (before, size) = (parts.pool_size, size.max(1));
        let start = (before + 1..=size).map(|number| parts.translator(number, &self.threads)).collect();
        let retire = (size + 1..=before).map(names::translator).collect();
        self.change(ChangeChildren { start, retire, why: RestartReason::Resize }).await?;
        parts.pool_size = size;
        parts.limit_calls();
        info!(before = before, size = size; "translators resized");
        Ok(before)
    }

    /// Replaces every actor with one built from these parts, except those whose memory is worth keeping: the stats
    /// actor, and the cache if its settings are the same. The threads and the supervisor's own settings stay the same.
    ///
    /// # Errors
    /// If the service is stopping.
    pub async fn reconfigure(&self, mut parts: Parts) -> Result<(), Stopping> {
        let mut current = self.parts.lock().await;
        parts.pollers.continue_from(&current.pollers);
        parts.publishers.continue_from(&current.publishers);
        let mut start = parts.specs(&self.threads);
        start.retain(|spec| match spec.name.as_str() {
            names::STATS => false,
            names::CACHE => parts.cache != current.cache,
            _ => true,
        });
        let stay = parts.worker_names();
        let retire = current.worker_names().into_iter().filter(|name| !stay.contains(name)).collect();
        self.change(ChangeChildren { start, retire, why: RestartReason::Reload }).await?;
        *current = parts;
        current.limit_calls();
        Ok(())
    }

    /// Starts what runs under a lease, if it does not run.
    pub(super) async fn start(&self, lease: &LeaseName) -> Result<(), Stopping> {
        let mut parts = self.parts.lock().await;
        let Some(spec) = parts.start(lease, &self.threads) else { return Ok(()) };
        self.change(ChangeChildren { start: vec![spec], retire: Vec::new(), why: RestartReason::Reload })
            .await
    }

    /// Stops what runs under a lease, and waits until it has stopped.
    pub(super) async fn stop(&self, lease: &LeaseName, how: StopAsked) -> Result<(), Stopping> {
        let actor = self.parts.lock().await.stop(lease);
        let Some(actor) = actor else { return Ok(()) };
        self.supervisor.send(RemoveChildren { names: vec![actor], how }).await.map_err(|_| Stopping)
    }

    /// The names of all actors that the settings name, whether they run here or not.
    pub async fn actor_names(&self) -> Vec<String> {
        self.parts.lock().await.actor_names()
    }

    /// The leases for everything that the settings name.
    pub(super) async fn lease_names(&self) -> BTreeSet<LeaseName> {
        let parts = self.parts.lock().await;
        parts.pollers.leases().chain(parts.publishers.leases()).cloned().collect()
    }

    /// Whether the supervisor answers, so that whatever dies or hangs will be restarted.
    pub async fn is_supervised(&self) -> bool {
        self.supervisor.send(Ping).await.is_ok()
    }

    /// Whether the whole service is stopping, or has stopped.
    pub(super) async fn is_closing(&self) -> bool {
        self.supervisor.send(Ping).await.unwrap_or(true)
    }

    async fn change(&self, change: ChangeChildren) -> Result<(), Stopping> {
        self.supervisor.send(change).await.map_err(|_| Stopping)
    }
}
