//! A service manager such as systemd can start what depends on Mynah as soon as Mynah works, wait for a reload to end,
//! show its state, and restart a process that hangs; but only if the process reports all this. This module speaks
//! systemd's protocol (`sd_notify`), which several others understand. Without a service manager, it does nothing.

use std::{sync::Once, time::Duration};

use log::warn;
use sd_notify::NotifyState;

use crate::telemetry::outside::brief;

/// A shorter watchdog time than three of these cannot be met.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// The service manager that started this process, if one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceManager {
    /// Restarts this process if it does not report for that long that it works.
    watchdog: Option<Duration>,
}

/// What a service manager needs to know of a health check.
#[derive(Debug, Clone, Copy)]
pub struct Checkup<'a> {
    /// Whether the service hangs, so that a restart would help.
    pub hangs: bool,
    /// Why the service cannot work, if it cannot.
    pub trouble: Option<&'a str>,
    /// Why it works otherwise than configured.
    pub degraded: &'a [String],
}

impl ServiceManager {
    /// The service manager that the environment names.
    pub fn from_environment() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled().filter(|time| !time.is_zero()) }
    }

    /// How often to check the service, at least as often as `usual`: two checks in a row may fail or be late before the
    /// watchdog acts.
    pub fn check_interval(self, usual: Duration) -> Duration {
        self.watchdog.map_or(usual, |time| usual.min((time / 3).max(SHORTEST_INTERVAL)))
    }

    /// The service works from now on.
    pub fn started(self) {
        send(&[NotifyState::Ready, NotifyState::Status("started")]);
    }

    /// A reload begins; every call needs one of [`Self::reloaded`].
    pub fn reloading(self) {
        // Its time tells the manager that this is not the end of an earlier reload.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => send(&[NotifyState::Reloading, now, NotifyState::Status("reloading")]),
            Err(error) => report(&error),
        }
    }

    /// The reload has ended: with the new settings in force, or with the old ones and a reason.
    pub fn reloaded(self, failure: Option<&str>) {
        let status = failure.map_or("settings reloaded".to_owned(), |why| format!("reload failed: {why}"));
        send(&[NotifyState::Ready, NotifyState::Status(&brief(&status))]);
    }

    /// The service was checked. Only a service that does not hang keeps the watchdog quiet: a restart does not help
    /// against a full disk or a wrong key.
    pub fn checked(self, checkup: Checkup<'_>) {
        let status = status(checkup);
        let status = NotifyState::Status(&status);
        if checkup.hangs {
            send(&[status]);
        } else {
            send(&[NotifyState::Watchdog, status]);
        }
    }

    /// The service stops; what is in progress may take a while.
    pub fn stopping(self) {
        send(&[NotifyState::Stopping, NotifyState::Status("finishing work in progress")]);
    }
}

/// The state of the service on one line, in the words of `mynah status`.
fn status(Checkup { trouble, degraded, .. }: Checkup<'_>) -> String {
    let status = match (trouble, degraded) {
        (Some(why), _) => format!("not ready: {why}"),
        (None, []) => "ready".to_owned(),
        (None, reasons) => format!("degraded: {}", reasons.join("; ")),
    };
    // The reasons may repeat an upstream's answer, and each line of a message is an order to the manager.
    brief(&status)
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        report(&error);
    }
}

/// Logged once, because every check would fail in the same way.
fn report(error: &std::io::Error) {
    static REPORTED: Once = Once::new();
    REPORTED.call_once(|| warn!(reason:% = error; "service manager unreachable"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_checked_several_times_within_the_watchdogs_time() {
        let usual = Duration::from_secs(10);
        let interval = |watchdog| ServiceManager { watchdog: Some(watchdog) }.check_interval(usual);
        assert_eq!(ServiceManager { watchdog: None }.check_interval(usual), usual);
        assert_eq!(interval(Duration::from_mins(1)), usual);
        assert_eq!(interval(Duration::from_secs(15)), Duration::from_secs(5));
        assert_eq!(interval(Duration::from_micros(1)), SHORTEST_INTERVAL);
    }

    #[test]
    fn no_reason_can_give_the_service_manager_an_order() {
        let forged = ["gemini: no\nMAINPID=1\r\nFDSTORE=1".to_owned()];
        let status = |trouble, degraded| status(Checkup { hangs: false, trouble, degraded });
        assert!(!status(None, &forged).contains(['\n', '\r']));
        assert!(!status(Some(forged[0].as_str()), &[]).contains(['\n', '\r']));
        assert_eq!(status(None, &[]), "ready");
        assert!(status(Some(&"long ".repeat(1000)), &[]).len() < 400);
    }
}
