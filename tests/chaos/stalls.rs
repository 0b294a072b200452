//! Detects stalls. Work may wait for a limit, a pause or an upstream if the service reports that; work that waits
//! without a reported reason is stalled, however healthy the service looks.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    oracle::published,
    support::{PATIENCE, Town},
};

/// The longest time without progress and without a reported reason.
const MAX_UNEXPLAINED: Duration = Duration::from_mins(1);
/// How often to check the ledger while the accounts show nothing new.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// The longest time without progress for any reason. No limit of the sandbox lasts this long.
const MAX_EXPLAINED: Duration = Duration::from_mins(10);
/// A reason logged at most this long before the last progress still explains the time after it.
const REASON_BEFORE: SignedDuration = SignedDuration::from_secs(60);

/// Events that explain why there is no progress.
const REASONS: [&str; 12] = [
    "poll failed",
    "poll refused",
    "lookup failed",
    "retry scheduled",
    "circuit breaker opened",
    "concurrency limit reduced",
    "publishing blocked",
    "publishing waits",
    "paused",
    "service unhealthy",
    "stalled",
    "backfill cut short",
];

/// Watches a town for progress.
pub(crate) struct Watch {
    published: usize,
    ledger: String,
    progress: Instant,
    progress_at: Timestamp,
    checked: Instant,
}

impl Watch {
    pub(crate) fn new(town: &Town) -> Self {
        let now = Instant::now();
        Self {
            published: published(town),
            ledger: String::new(),
            progress: now,
            progress_at: Timestamp::now(),
            checked: now,
        }
    }

    /// Fails if nothing has progressed for too long without a reported reason.
    pub(crate) fn check(&mut self, town: &Town, rerun: &str) {
        let published = published(town);
        if published > self.published {
            self.published = published;
            return self.record_progress();
        }
        if self.checked.elapsed() < CHECK_EVERY {
            return;
        }
        self.checked = Instant::now();
        let ledger = states(town);
        if ledger != self.ledger {
            self.ledger = ledger;
            return self.record_progress();
        }
        let idle = self.progress.elapsed();
        if idle < MAX_UNEXPLAINED {
            return;
        }
        let reason = self.reason(town);
        let state = format!("{} for {idle:.0?}: {rerun}\n{}", self.ledger, town.log_tail());
        assert!(reason.is_some(), "no progress and no reported reason, {state}");
        assert!(idle < MAX_EXPLAINED, "no progress, because of {reason:?}, {state}");
    }

    fn record_progress(&mut self) {
        self.progress = Instant::now();
        self.progress_at = Timestamp::now();
    }

    /// Why there is no progress, according to the service.
    fn reason(&self, town: &Town) -> Option<String> {
        let log = town.log();
        explanation(&log, self.progress_at - REASON_BEFORE).map(str::to_owned).or_else(|| unhealthy(&log))
    }
}

/// The last line of the log since `since` that explains why there is no progress.
fn explanation(log: &str, since: Timestamp) -> Option<&str> {
    let moment = |line: &str| line.split_whitespace().next().and_then(|word| word.parse::<Timestamp>().ok());
    log.lines()
        .rev()
        .take_while(|line| moment(line).is_none_or(|moment| moment >= since))
        .find(|line| REASONS.iter().any(|reason| line.contains(reason)))
}

/// How many jobs are in each state.
fn states(town: &Town) -> String {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    let states = "queued,translating,ready,publishing,unknown,published,skipped,held,failed";
    let listed = town.command(&["jobs", "--json", "--limit", "1000000", "--state", states]).output().unwrap();
    // The ledger may be locked at this moment, which counts as no progress.
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
    for job in listed["jobs"].as_array().into_iter().flatten() {
        *counts.entry(job["state"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    format!("{counts:?}")
}

/// The answer of `/health`, unless it is 200.
fn unhealthy(log: &str) -> Option<String> {
    let address = log.lines().rev().find_map(|line| {
        let rest = line.split_once("admin API listening")?.1;
        rest.split_once("address=")?.1.split_whitespace().next()?.trim_start_matches("http://").parse().ok()
    });
    let mut stream = TcpStream::connect_timeout(&address.filter(SocketAddr::is_ipv4)?, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.starts_with("HTTP/1.1 200")).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recent_reason_explains_a_stall() {
        let since = "2026-11-26T12:00:00Z".parse().unwrap();
        for (log, explained) in [
            ("2026-11-26T12:00:01Z WARN  publisher retry scheduled post=1 reason=503", true),
            ("2026-11-26T12:00:01Z WARN  poller poll failed wait=30s", true),
            ("2026-11-26T12:00:01Z WARN  upstreams circuit breaker opened", true),
            ("2026-11-26T12:00:01Z ERROR publisher publishing blocked", true),
            (
                "2026-11-26T12:00:01Z WARN  a\n2026-11-26T12:00:02Z INFO  pauses paused by operator what=x",
                true,
            ),
            ("2026-11-26T12:00:01Z WARN  poller poll failed\nmynah: a verdict", true),
            ("2026-11-26T11:59:59Z WARN  publisher retry scheduled post=1 reason=503", false),
            ("2026-11-26T12:00:01Z INFO  router::report job published post=1", false),
            ("2026-11-26T12:00:01Z INFO  stats stats jobs=3", false),
            ("", false),
        ] {
            assert_eq!(explanation(log, since).is_some(), explained, "{log}");
        }
    }
}
