//! Whether the service could do its work right now, which only trying shows: its router answers and its ledger takes a
//! write. It is tried every few seconds; what came of it is at hand for `/ready`, and as a file for `mynah health`, which
//! asks nobody who may hang. A pipeline that stands still counts as not well, too.

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
    pub async fn watch(
        self,
        data_dir: PathBuf,
        router: ActorRef<Router>,
        ledger: Arc<dyn Ledger>,
        health: HealthRegistry,
    ) {
        let mut interval = tokio::time::interval(EVERY);
        loop {
            interval.tick().await;
            let trouble = match trouble(&router, &*ledger).await {
                Some(trouble) => Some(trouble),
                None => health.stall(),
            };
            self.note(written(&data_dir, trouble));
        }
    }
}

/// Writes the sign of life, with what is wrong in it. Answers that, or that nothing can be written.
fn written(data_dir: &Path, trouble: Option<String>) -> Option<String> {
    let file = file(data_dir);
    let written = fs::write(&file, trouble.as_deref().unwrap_or_default());
    trouble.or_else(|| {
        let error = written.err()?;
        Some(format!("{}: {error}; let this user write in data_dir", file.display()))
    })
}

/// Tries the router and the ledger once.
async fn trouble(router: &ActorRef<Router>, ledger: &dyn Ledger) -> Option<String> {
    if !matches!(timeout(ANSWER, router.ask(Depth)).await, Ok(Ok(_))) {
        return Some("the router does not answer".into());
    }
    match timeout(ANSWER, ledger.remember(FACT, &Timestamp::now().to_string())).await {
        Err(_) => Some("the ledger does not answer".into()),
        Ok(Err(error)) => Some(error.to_string()),
        Ok(Ok(())) => None,
    }
}

/// The last sign of life of the service on a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOfLife {
    /// How long ago it was given.
    pub age: Duration,
    /// What was wrong then, if anything.
    pub trouble: Option<String>,
}

/// Reads the last sign of life of the service on that folder.
///
/// # Errors
/// Where there is none.
pub fn last(data_dir: &Path) -> std::io::Result<SignOfLife> {
    let file = file(data_dir);
    let at = fs::metadata(&file)?.modified()?;
    let trouble = fs::read_to_string(&file)?;
    Ok(SignOfLife {
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
    fn the_sign_of_life_says_what_is_wrong_and_nothing_where_all_is_well() {
        let directory = tempfile::tempdir().unwrap();
        assert!(last(directory.path()).is_err());
        let stalled = Some("the pipeline is stalled".to_owned());
        assert_eq!(written(directory.path(), stalled.clone()), stalled);
        assert_eq!(last(directory.path()).unwrap().trouble, stalled);
        assert_eq!(written(directory.path(), None), None);
        assert_eq!(last(directory.path()).unwrap().trouble, None);
        let nowhere = directory.path().join("nowhere");
        assert!(written(&nowhere, None).unwrap().contains("let this user write in data_dir"));
        assert_eq!(written(&nowhere, stalled.clone()), stalled);
    }
}
