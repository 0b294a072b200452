//! `mynah health` reports whether the service on this data directory is healthy, for a container's health check. It
//! only reads the service's last health report, because a process that hangs could not answer. A degraded service
//! (`mynah status`) counts as healthy: a restart would not help.

use serde_json::json;

use super::{Failure, print_json, print_line};
use crate::{
    control::vitals::{self, HealthReport},
    settings::Settings,
    telemetry::outside::printable,
};

pub(super) fn health(json: bool, settings: &Settings) -> Result<(), Failure> {
    let report = vitals::last(&settings.data_dir).map_err(|error| {
        format!("no service is running on this data directory: {}: {error}", settings.data_dir.display())
    });
    let trouble = report.as_ref().map_or_else(|error| Some(error.clone()), trouble);
    if json {
        let degraded = report.map(|report| report.degraded).unwrap_or_default();
        print_json(&json!({"healthy": trouble.is_none(), "trouble": trouble, "degraded": degraded}));
    } else if let (Ok(report), None) = (report, &trouble) {
        show(&report);
    }
    trouble.map_or(Ok(()), |trouble| Err(Failure::Work(trouble)))
}

/// Why the service is unhealthy, if it is.
fn trouble(report: &HealthReport) -> Option<String> {
    if report.age > vitals::STALE {
        let age = report.age.as_secs();
        return Some(format!("the service last reported its health {age} s ago; see its log, or restart it"));
    }
    let trouble = report.trouble.as_ref()?;
    Some(format!("the service is unhealthy: {trouble}; see its log, or restart it"))
}

fn show(HealthReport { age, degraded, .. }: &HealthReport) {
    let state = if degraded.is_empty() { "healthy" } else { "degraded" };
    print_line(format_args!("{state}, checked {} s ago", age.as_secs()));
    for why in degraded {
        print_line(format_args!("  {}", printable(why)));
    }
}
