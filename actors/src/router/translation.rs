//! Leases jobs to translators.

use mynah_domain::{Job, ports::LedgerError};

use super::state::RouterState;
use crate::supervision::shell::WorkerRef;

impl RouterState {
    /// Leases up to `max` jobs to a translator as soon as there are any; none if the translator has exited. The lease
    /// is recorded together with its outcome: until then, nothing has happened that a crash could lose.
    pub(super) async fn lease_for_translation(
        &self,
        worker: &WorkerRef,
        max: usize,
    ) -> Result<Vec<Job>, LedgerError> {
        let _asking = self.asking();
        self.opened().await;
        let mut leased = Vec::new();
        while worker.is_valid() {
            // Register before looking, so that no wake-up in between is missed.
            let work = self.work.notified();
            leased = self.window.borrow_mut().pick_for_translation(&worker.holder, max);
            if !leased.is_empty() {
                break;
            }
            work.await;
        }
        self.wake_translator();
        Ok(leased)
    }
}
