//! Changing who works while the pipeline runs: more or fewer translators, or all of them built anew from other settings.
//! Nobody is cut off: whoever goes finishes what is in hand, and what it never took up is still the router's.

use std::sync::Arc;

use actix::Addr;
use log::info;
use tokio::sync::Mutex;

use super::{Parts, Threads, translator_name};
use crate::{
    publisher::PublisherParts,
    supervision::{Supervisor, supervisor::ChangeChildren},
};

/// Who works. Clones share it, on any thread.
#[derive(Clone)]
pub struct PipelineHandle {
    supervisor: Addr<Supervisor>,
    threads: Threads,
    /// What everybody is built from now. Whoever changes it holds it until the supervisor knows, so that no two changes mix.
    parts: Arc<Mutex<Parts>>,
}

/// There is no supervisor any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service stops")]
pub struct Stopping;

impl PipelineHandle {
    pub(super) fn new(supervisor: Addr<Supervisor>, threads: Threads, parts: Parts) -> Self {
        Self { supervisor, threads, parts: Arc::new(Mutex::new(parts)) }
    }

    /// How many translators there are.
    pub async fn pool_size(&self) -> usize {
        self.parts.lock().await.pool_size
    }

    /// Has so many translators work, at least one, and answers how many there were. It holds until the process ends.
    ///
    /// # Errors
    /// Where the service stops.
    pub async fn resize(&self, size: usize) -> Result<usize, Stopping> {
        let mut parts = self.parts.lock().await;
        let (before, size) = (parts.pool_size, size.max(1));
        let hire = (before + 1..=size).map(|number| parts.translator(number, &self.threads)).collect();
        let retire = (size + 1..=before).map(translator_name).collect();
        self.supervisor.send(ChangeChildren { hire, retire }).await.map_err(|_| Stopping)?;
        parts.pool_size = size;
        parts.limit_calls();
        info!(before = before, size = size; "translators resized");
        Ok(before)
    }

    /// Builds everybody anew from these parts, but for those whose memory is worth keeping: the stats actor, and the cache
    /// where its settings are the same. The threads stay as they are, and so does what the supervisor was told itself.
    ///
    /// # Errors
    /// Where the service stops.
    pub async fn exchange(&self, parts: Parts) -> Result<(), Stopping> {
        let mut now = self.parts.lock().await;
        let mut hire = parts.specs(&self.threads);
        hire.retain(|spec| match spec.name.as_str() {
            "stats" => false,
            "cache" => parts.cache != now.cache,
            _ => true,
        });
        let names = |parts: &Parts| -> Vec<String> {
            let publishers = parts.publishers.iter().map(|(publisher, ..)| PublisherParts::name(publisher));
            publishers.chain((1..=parts.pool_size.max(1)).map(translator_name)).collect()
        };
        let stay = names(&parts);
        let retire = names(&now).into_iter().filter(|name| !stay.contains(name)).collect();
        self.supervisor.send(ChangeChildren { hire, retire }).await.map_err(|_| Stopping)?;
        *now = parts;
        now.limit_calls();
        Ok(())
    }
}
