//! Whether the service could do its work right now, which only trying shows: its router answers and its ledger takes a
//! write. It is tried every few seconds; what came of it is at hand for `/ready`, and as a file for `mynah health`, which
//! asks nobody who may hang.

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
    supervision::Link,
};
use mynah_domain::ports::Ledger;

/// How often it is tried.
const EVERY: Duration = Duration::from_secs(10);

/// Who has not answered by then works for nobody.
const ANSWER: Duration = Duration::from_secs(5);

/// A sign of life older than this is none.
pub const STALE: Duration = EVERY.saturating_mul(3);

/// The fact in the ledger that is written to see that one can be.
const FACT: &str = "alive";

/// What was wrong when it was last tried. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Vitals(Arc<Mutex<Option<String>>>);

impl Vitals {
    /// Why the service cannot do its work, if so.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, trouble: Option<String>) {
        let before =
            std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), trouble.clone());
        match (before, trouble) {
            (None, Some(reason)) => warn!(reason = reason.as_str(); "the service is not well"),
            (Some(_), None) => info!("the service is well again"),
            _ => {}
        }
    }

    /// Tries it again and again, for as long as it is polled.
    pub async fn watch(self, data_dir: PathBuf, router: Link<Router>, ledger: Arc<dyn Ledger>) {
        let mut interval = tokio::time::interval(EVERY);
        loop {
            interval.tick().await;
            self.note(trouble(&data_dir, &router, &*ledger).await);
        }
    }
}

/// Tries everything once, and writes the sign of life where all of it went well.
async fn trouble(data_dir: &Path, router: &Link<Router>, ledger: &dyn Ledger) -> Option<String> {
    if !matches!(timeout(ANSWER, router.ask(Depth)).await, Ok(Ok(_))) {
        return Some("the router does not answer".into());
    }
    match timeout(ANSWER, ledger.remember(FACT, &Timestamp::now().to_string())).await {
        Err(_) => return Some("the ledger does not answer".into()),
        Ok(Err(error)) => return Some(error.to_string()),
        Ok(Ok(())) => {}
    }
    let file = file(data_dir);
    let error = fs::write(&file, []).err()?;
    Some(format!("{}: {error}; let this user write in data_dir", file.display()))
}

/// How long ago the service on that folder last gave a sign of life.
///
/// # Errors
/// Where there is none.
pub fn age(data_dir: &Path) -> std::io::Result<Duration> {
    let at = fs::metadata(file(data_dir))?.modified()?;
    Ok(SystemTime::now().duration_since(at).unwrap_or_default())
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("pulse")
}
