//! Only a try shows whether the service can work: every few seconds it asks the supervisor and the router, and writes to
//! the ledger. It keeps the result for `/ready`, writes it to a file for `mynah health`, which must not wait for a process
//! that may hang, and reports it to the service manager. A stalled pipeline is unhealthy, too. A service that is only
//! degraded is healthy: a restart would not help.

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
    pipeline::PipelineHandle,
    router::{Depth, Router},
    supervision::ActorRef,
};
use mynah_domain::ports::Ledger;
use serde::{Deserialize, Serialize};

use super::overview::Overview;
use crate::service_manager::{Checkup, ServiceManager};

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
        pipeline: PipelineHandle,
        router: ActorRef<Router>,
        overview: Overview,
        manager: ServiceManager,
    ) {
        let mut interval = tokio::time::interval(manager.check_interval(INTERVAL));
        loop {
            interval.tick().await;
            let trouble = match check(&pipeline, &router, &*overview.ledger).await {
                // Everything waits for the ledger, and goes on by itself.
                Err(trouble) => Some(overview.outage().map_or(trouble, Trouble::Refusal)),
                Ok(()) => overview.health.stall().map(Trouble::Hang),
            };
            let hangs = matches!(trouble, Some(Trouble::Hang(_)));
            let degraded = overview.degraded();
            let trouble = write_report(&data_dir, trouble.map(Trouble::into_reason), &degraded);
            manager.checked(Checkup { hangs, trouble: trouble.as_deref(), degraded: &degraded });
            self.record(trouble);
        }
    }
}

/// Why the service cannot work.
enum Trouble {
    /// A part of it does not answer or makes no progress. A restart helps.
    Hang(String),
    /// The ledger answers, but refuses to write. A restart would not help.
    Refusal(String),
}

impl Trouble {
    fn into_reason(self) -> String {
        match self {
            Self::Hang(reason) | Self::Refusal(reason) => reason,
        }
    }
}

/// What the file contains. It is empty if all is well.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Report {
    trouble: Option<String>,
    degraded: Vec<String>,
}

/// Writes the report. Returns the trouble that it was given, or the error if it cannot write.
fn write_report(data_dir: &Path, trouble: Option<String>, degraded: &[String]) -> Option<String> {
    let file = file(data_dir);
    let report = match (&trouble, degraded) {
        (None, []) => String::new(),
        // A struct of texts always serializes.
        _ => serde_json::to_string(&Report { trouble: trouble.clone(), degraded: degraded.to_vec() })
            .unwrap_or_default(),
    };
    let written = fs::write(&file, report);
    trouble.or_else(|| {
        let error = written.err()?;
        Some(format!("{}: {error}; give this user write access to data_dir", file.display()))
    })
}

/// Checks the supervisor, the router and the ledger once.
async fn check(
    pipeline: &PipelineHandle,
    router: &ActorRef<Router>,
    ledger: &dyn Ledger,
) -> Result<(), Trouble> {
    if !matches!(timeout(TIMEOUT, pipeline.is_supervised()).await, Ok(true)) {
        return Err(Trouble::Hang("the supervisor does not answer".into()));
    }
    if !matches!(timeout(TIMEOUT, router.ask(Depth)).await, Ok(Ok(_))) {
        return Err(Trouble::Hang("the router does not answer".into()));
    }
    match timeout(TIMEOUT, ledger.remember(FACT, &Timestamp::now().to_string())).await {
        Err(_) => Err(Trouble::Hang("the ledger does not answer".into())),
        Ok(Err(error)) => Err(Trouble::Refusal(error.to_string())),
        Ok(Ok(())) => Ok(()),
    }
}

/// The last health report of the service on a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// How long ago the service wrote it.
    pub age: Duration,
    /// Why the service could not work at that time, if so.
    pub trouble: Option<String>,
    /// Why it was degraded.
    pub degraded: Vec<String>,
}

/// Reads the last health report of the service on that folder.
///
/// # Errors
/// There is no report.
pub fn last(data_dir: &Path) -> std::io::Result<HealthReport> {
    let file = file(data_dir);
    let at = fs::metadata(&file)?.modified()?;
    let report = fs::read_to_string(&file)?;
    let report = match report.as_str() {
        "" => Report::default(),
        // An older service wrote only what was wrong.
        text => serde_json::from_str(text)
            .unwrap_or_else(|_| Report { trouble: Some(text.to_owned()), ..Report::default() }),
    };
    let age = SystemTime::now().duration_since(at).unwrap_or_default();
    Ok(HealthReport { age, trouble: report.trouble, degraded: report.degraded })
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("pulse")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_what_is_wrong_and_is_empty_when_healthy() {
        let directory = tempfile::tempdir().unwrap();
        assert!(last(directory.path()).is_err());
        let stalled = Some("the pipeline is stalled".to_owned());
        let refused = ["gemini: wrong key".to_owned()];
        assert_eq!(write_report(directory.path(), stalled.clone(), &refused), stalled);
        let report = last(directory.path()).unwrap();
        assert_eq!((report.trouble, report.degraded), (stalled.clone(), refused.to_vec()));
        assert_eq!(write_report(directory.path(), None, &refused), None, "degraded is not unhealthy");
        let report = last(directory.path()).unwrap();
        assert_eq!((report.trouble, report.degraded), (None, refused.to_vec()));
        assert_eq!(write_report(directory.path(), None, &[]), None);
        let report = last(directory.path()).unwrap();
        assert_eq!((report.trouble, report.degraded), (None, vec![]));
        assert!(fs::read(file(directory.path())).unwrap().is_empty());
        let nowhere = directory.path().join("nowhere");
        let unwritable = write_report(&nowhere, None, &[]).unwrap();
        assert!(unwritable.contains("give this user write access to data_dir"));
        assert_eq!(write_report(&nowhere, stalled.clone(), &[]), stalled);
    }
}
