//! `mynah health`: whether the service that runs on this data directory is well, for a container's health check. It
//! looks at the last sign of life, and asks nobody: a process that hangs could not answer.

use super::{Failure, say};
use crate::{
    control::vitals::{self, HealthReport},
    settings::Settings,
};

pub(super) fn health(settings: &Settings) -> Result<(), Failure> {
    match vitals::last(&settings.data_dir) {
        Ok(HealthReport { age, trouble: None }) if age <= vitals::STALE => {
            say(format_args!("well, {} s ago", age.as_secs()));
            Ok(())
        }
        Ok(HealthReport { age, trouble: Some(trouble) }) if age <= vitals::STALE => {
            Err(Failure::Work(format!("the service is not well: {trouble}; see its log, or restart it")))
        }
        Ok(HealthReport { age, .. }) => Err(Failure::Work(format!(
            "the service last showed that it is well {} s ago; see its log, or restart it",
            age.as_secs()
        ))),
        Err(error) => Err(Failure::Work(format!(
            "no service runs on this data directory: {}: {error}",
            settings.data_dir.display()
        ))),
    }
}
