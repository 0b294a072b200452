//! `mynah health`: whether the service that runs on this data directory is well, for a container's health check.
//!
//! The service writes a file every few seconds, but only after its router has answered: a process that hangs, or whose
//! data directory cannot be written any more, stops writing it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use log::warn;
use mynah_actors::{
    router::{Depth, Router},
    supervision::Link,
};

use super::{Failure, say};
use crate::settings::Settings;

/// How often a running service shows that it is well.
const PULSE: Duration = Duration::from_secs(10);

/// A pulse older than this is no pulse.
const STALE: Duration = PULSE.saturating_mul(3);

pub(super) fn health(settings: &Settings) -> Result<(), Failure> {
    let file = file(&settings.data_dir);
    let age = fs::metadata(&file).and_then(|data| data.modified()).map(|at| at.elapsed().unwrap_or_default());
    match age {
        Ok(age) if age <= STALE => {
            say(format_args!("well, {} s ago", age.as_secs()));
            Ok(())
        }
        Ok(age) => Err(Failure::Work(format!(
            "the service last showed that it is well {} s ago; see its log, or restart it",
            age.as_secs()
        ))),
        Err(error) => {
            Err(Failure::Work(format!("no service runs on this data directory: {}: {error}", file.display())))
        }
    }
}

/// Shows that the service is well, for as long as it is.
pub(super) async fn beat(data_dir: PathBuf, router: Link<Router>) {
    let file = file(&data_dir);
    let mut interval = tokio::time::interval(PULSE);
    loop {
        interval.tick().await;
        if router.ask(Depth).await.is_ok()
            && let Err(error) = fs::write(&file, [])
        {
            warn!("{}: {error}; the data directory cannot be written", file.display());
        }
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("pulse")
}
