//! Removes the texts of old posts, and old decisions of people, while the service runs: a few at a time, with room for other work in between. Only when the
//! ledger's file is rewritten afterwards does publishing wait.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use log::{info, warn};
use mynah_domain::ports::{Clock, Ledger, LedgerError};
use tokio::task::JoinHandle;

/// How often to look for old texts.
const INTERVAL: Duration = Duration::from_hours(24);

/// How many posts to forget in one transaction, which takes some milliseconds.
const BATCH: usize = 50;

/// Up to this size, the ledger's file is rewritten at once, which takes a few seconds. Publishing waits meanwhile, so a
/// larger file is rewritten by the next start.
const AT_ONCE: u64 = 256 * 1024 * 1024;

/// Removes texts from a ledger.
pub(super) struct Retention {
    /// The ledger.
    pub(super) ledger: Arc<dyn Ledger>,
    /// Its file, if it is one. A server makes room for new rows by itself.
    pub(super) file: Option<PathBuf>,
    /// The clock.
    pub(super) clock: Arc<dyn Clock>,
    /// How long texts stay.
    pub(super) keep: Duration,
}

impl Retention {
    /// Starts to remove texts, now and every day.
    pub(super) fn start(self) -> JoinHandle<()> {
        actix_rt::spawn(async move {
            loop {
                match self.sweep().await {
                    Ok(0) => {}
                    Ok(posts) => info!(posts = posts; "old texts removed"),
                    Err(error) => warn!(reason:% = error; "text removal failed"),
                }
                match self.forget_decisions().await {
                    Ok(0) => {}
                    Ok(decisions) => info!(decisions = decisions; "old decisions removed"),
                    Err(error) => warn!(reason:% = error; "decision removal failed"),
                }
                actix_rt::time::sleep(INTERVAL).await;
            }
        })
    }

    /// Removes all decisions that are too old. Returns how many.
    async fn forget_decisions(&self) -> Result<u64, LedgerError> {
        let Ok(before) = self.clock.now().checked_sub(self.keep) else { return Ok(0) };
        self.ledger.forget_decisions(before).await
    }

    /// Removes all texts that are too old. Returns of how many posts.
    async fn sweep(&self) -> Result<u64, LedgerError> {
        let Ok(before) = self.clock.now().checked_sub(self.keep) else { return Ok(0) };
        let mut posts = 0;
        loop {
            let began = Instant::now();
            let forgotten = self.ledger.forget_before(before, BATCH).await?;
            posts += forgotten;
            if forgotten < BATCH as u64 {
                break;
            }
            // Leave half of the time to others.
            actix_rt::time::sleep(began.elapsed()).await;
        }
        if posts == 0 {
            return Ok(0);
        }
        let Some(file) = &self.file else { return Ok(posts) };
        if std::fs::metadata(file).is_ok_and(|file| file.len() <= AT_ONCE) {
            self.ledger.compact().await?;
        }
        Ok(posts)
    }
}
