//! `mynah health` reports whether the service on this data directory is healthy, for a container's health check. It
//! only reads the service's last health report, because a process that hangs could not answer. A degraded service
//! (`mynah status`) counts as healthy: a restart would not help.

use super::{Failure, print_line};
use crate::{
    control::vitals::{self, HealthReport},
    settings::Settings,
    telemetry::outside::printable,
};

pub(super) fn health(settings: &Settings) -> Result<(), Failure> {
    match vitals::last(&settings.data_dir) {
        Ok(HealthReport { age, trouble: None, degraded }) if age <= vitals::STALE => {
            let state = if degraded.is_empty() { "healthy" } else { "degraded" };
            print_line(format_args!("{state}, checked {} s ago", age.as_secs()));
            for why in degraded {
                print_line(format_args!("  {}", printable(&why)));
            }
            Ok(())
        }
        Ok(HealthReport { age, trouble: Some(trouble), .. }) if age <= vitals::STALE => {
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
