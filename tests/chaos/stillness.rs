//! Notices a standstill. Work that waits for a limit, a pause or an upstream is no standstill where the service says so;
//! work that waits and says nothing is one, however healthy the service looks.

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

/// The longest that nothing may move without a reason given.
const STILL_MOST: Duration = Duration::from_mins(1);
/// How often the ledger is asked where the accounts show nothing new.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The longest that nothing may move at all. No limit that the sandbox orders lasts so long.
const EXPLAINED_MOST: Duration = Duration::from_mins(10);
/// A reason that was given so long before the last progress still explains what comes after it.
const REASON_BEFORE: SignedDuration = SignedDuration::from_secs(60);

/// Events that explain why nothing moves.
const REASONS: [&str; 12] = [
    "poll failed and will be tried again",
    "poll refused",
    "lookup failed and will be tried again",
    "to be tried again",
    "upstream considered down",
    "upstream refuses calls",
    "publishing stops until",
    "publishing waits",
    "paused",
    "the service is not well",
    "stalled",
    "source offers pages without end",
];

/// Watches a town for progress.
pub(crate) struct Watch {
    published: usize,
    ledger: String,
    moved: Instant,
    moved_at: Timestamp,
    looked: Instant,
}

impl Watch {
    pub(crate) fn new(town: &Town) -> Self {
        let now = Instant::now();
        Self {
            published: published(town),
            ledger: String::new(),
            moved: now,
            moved_at: Timestamp::now(),
            looked: now,
        }
    }

    /// Looks whether anything has moved; fails where nothing moves and nobody says why.
    pub(crate) fn look(&mut self, town: &Town, how: &str) {
        let published = published(town);
        if published > self.published {
            self.published = published;
            return self.moves();
        }
        if self.looked.elapsed() < LOOK_EVERY {
            return;
        }
        self.looked = Instant::now();
        let ledger = states(town);
        if ledger != self.ledger {
            self.ledger = ledger;
            return self.moves();
        }
        let still = self.moved.elapsed();
        if still < STILL_MOST {
            return;
        }
        let reason = self.reason(town);
        let state = format!("{} for {still:.0?}: {how}\n{}", self.ledger, town.log_tail());
        assert!(reason.is_some(), "nothing moves and nothing says why, {state}");
        assert!(still < EXPLAINED_MOST, "nothing moves, because of {reason:?}, {state}");
    }

    fn moves(&mut self) {
        self.moved = Instant::now();
        self.moved_at = Timestamp::now();
    }

    /// Why nothing moves, as the service has it.
    fn reason(&self, town: &Town) -> Option<String> {
        let log = town.log();
        explanation(&log, self.moved_at - REASON_BEFORE).map(str::to_owned).or_else(|| unhealthy(&log))
    }
}

/// The last line of a log from `since` on that explains why nothing moves.
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
    // The ledger may be taken at this moment: then nothing is known to have moved.
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
    for job in listed["jobs"].as_array().into_iter().flatten() {
        *counts.entry(job["state"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    format!("{counts:?}")
}

/// What `/health` says, where it does not say that all is well.
fn unhealthy(log: &str) -> Option<String> {
    let address = log.lines().rev().find_map(|line| {
        let rest = line.split_once("the admin API listens")?.1;
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
    fn only_a_reason_that_was_given_lately_explains_a_standstill() {
        let since = "2026-11-26T12:00:00Z".parse().unwrap();
        for (log, explained) in [
            ("2026-11-26T12:00:01Z WARN  publisher to be tried again post=1 reason=503", true),
            ("2026-11-26T12:00:01Z WARN  poller poll failed and will be tried again wait=30s", true),
            ("2026-11-26T12:00:01Z WARN  upstreams upstream considered down; it will be retried soon", true),
            ("2026-11-26T12:00:01Z ERROR publisher publishing stops until a person mends the account", true),
            ("2026-11-26T12:00:01Z WARN  a\n2026-11-26T12:00:02Z INFO  pauses paused what=x", true),
            ("2026-11-26T12:00:01Z WARN  poller poll failed and will be tried again\nmynah: a verdict", true),
            ("2026-11-26T11:59:59Z WARN  publisher to be tried again post=1 reason=503", false),
            ("2026-11-26T12:00:01Z INFO  router published post=1", false),
            ("2026-11-26T12:00:01Z INFO  stats stats jobs=3", false),
            ("", false),
        ] {
            assert_eq!(explanation(log, since).is_some(), explained, "{log}");
        }
    }
}
