//! `mynah health` reports whether the service on this data directory is healthy, for a container's health check. It
//! only reads the service's last health report, because a process that hangs could not answer.

use serde_json::json;

use super::{Failure, print_json, print_line};
use crate::{
    control::vitals::{self, HealthReport},
    settings::Settings,
};

pub(super) fn health(json: bool, settings: &Settings) -> Result<(), Failure> {
    let health = last_report(settings);
    if json {
        let trouble = health.as_ref().err().map(ToString::to_string);
        print_json(&json!({"healthy": health.is_ok(), "trouble": trouble}));
    } else if let Ok(age) = health {
        print_line(format_args!("healthy, checked {age} s ago"));
    }
    health.map(drop)
}

/// How many seconds ago the service last reported that it is healthy.
fn last_report(settings: &Settings) -> Result<u64, Failure> {
    match vitals::last(&settings.data_dir) {
        Ok(HealthReport { age, trouble: None }) if age <= vitals::STALE => Ok(age.as_secs()),
        Ok(HealthReport { age, trouble: Some(trouble) }) if age <= vitals::STALE => {
            Err(Failure::Work(format!("the service is unhealthy: {trouble}; see its log, or restart it")))
        }
        Ok(HealthReport { age, .. }) => Err(Failure::Work(format!(
            "the service last reported its health {} s ago; see its log, or restart it",
            age.as_secs()
        ))),
        Err(error) => Err(Failure::Work(format!(
            "no service is running on this data directory: {}: {error}",
            settings.data_dir.display()
        ))),
    }
}
