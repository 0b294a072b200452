//! Only a try shows whether the service can work: every few seconds it asks the router and writes to the ledger. It
//! keeps the result for `/ready`, and writes it to a file for `mynah health`, which must not wait for a process that
//! may hang. A stalled pipeline is unhealthy, too.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use actix_rt::time::timeout;
use jiff::Timestamp;
use log::{info, warn};
use mynah_actors::{
    router::{Depth, Router},
    supervision::{ActorRef, HealthRegistry},
};
use mynah_domain::ports::Ledger;

/// How often to check.
const INTERVAL: Duration = Duration::from_secs(10);

/// An actor that takes longer to answer is unhealthy.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A report older than this means that the service has hung or ended.
pub const STALE: Duration = INTERVAL.saturating_mul(3);

/// The fact that the check writes to the ledger.
const FACT: &str = "alive";

/// The result of the last check. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Vitals(Arc<Mutex<Option<String>>>);

impl Vitals {
    /// Why the service cannot work, if it cannot.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, trouble: Option<String>) {
        let before =
            std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), trouble.clone());
        match (before, trouble) {
            (None, Some(reason)) => warn!(reason = reason.as_str(); "service unhealthy"),
            (Some(_), None) => info!("service recovered"),
            _ => {}
        }
    }

    /// Checks at every interval, for as long as it is polled.
    pub async fn watch(
        self,
        data_dir: PathBuf,
        router: ActorRef<Router>,
        ledger: Arc<dyn Ledger>,
        health: HealthRegistry,
    ) {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            let trouble = match check(&router, &*ledger).await {
                Some(trouble) => Some(trouble),
                None => health.stall(),
            };
            self.record(write_report(&data_dir, trouble));
        }
    }
}

/// Writes the report. Returns the trouble that it was given, or the error if it cannot write.
fn write_report(data_dir: &Path, trouble: Option<String>) -> Option<String> {
    let file = file(data_dir);
    let written = fs::write(&file, trouble.as_deref().unwrap_or_default());
    trouble.or_else(|| {
        let error = written.err()?;
        Some(format!("{}: {error}; give this user write access to data_dir", file.display()))
    })
}

/// Checks the router and the ledger once.
async fn check(router: &ActorRef<Router>, ledger: &dyn Ledger) -> Option<String> {
    if !matches!(timeout(TIMEOUT, router.ask(Depth)).await, Ok(Ok(_))) {
        return Some("the router does not answer".into());
    }
    match timeout(TIMEOUT, ledger.remember(FACT, &Timestamp::now().to_string())).await {
        Err(_) => Some("the ledger does not answer".into()),
        Ok(Err(error)) => Some(error.to_string()),
        Ok(Ok(())) => None,
    }
}

/// The last health report of the service on a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// How long ago the service wrote it.
    pub age: Duration,
    /// The problem at that time, if there was one.
    pub trouble: Option<String>,
}

/// Reads the last health report of the service on that folder.
///
/// # Errors
/// There is no report.
pub fn last(data_dir: &Path) -> std::io::Result<HealthReport> {
    let file = file(data_dir);
    let at = fs::metadata(&file)?.modified()?;
    let trouble = fs::read_to_string(&file)?;
    Ok(HealthReport {
        age: SystemTime::now().duration_since(at).unwrap_or_default(),
        trouble: (!trouble.is_empty()).then_some(trouble),
    })
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("pulse")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_the_trouble_and_is_empty_when_healthy() {
        let directory = tempfile::tempdir().unwrap();
        assert!(last(directory.path()).is_err());
        let stalled = Some("the pipeline is stalled".to_owned());
        assert_eq!(write_report(directory.path(), stalled.clone()), stalled);
        assert_eq!(last(directory.path()).unwrap().trouble, stalled);
        assert_eq!(write_report(directory.path(), None), None);
        assert_eq!(last(directory.path()).unwrap().trouble, None);
        let nowhere = directory.path().join("nowhere");
        assert!(write_report(&nowhere, None).unwrap().contains("give this user write access to data_dir"));
        assert_eq!(write_report(&nowhere, stalled.clone()), stalled);
    }
}
