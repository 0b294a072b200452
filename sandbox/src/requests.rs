//! What was asked of the sandbox: counters that never forget, and a log of the latest requests. Neither holds
//! a header or a key, so both may be shown to anybody.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::{endpoint::Endpoint, faults::Fault};

/// How many requests the log keeps.
const KEPT: usize = 10_000;

/// One request and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestRecord {
    /// Counted from 1.
    pub number: u64,
    /// When it arrived, in Unix milliseconds.
    pub at_ms: i64,
    /// What it called.
    pub endpoint: Endpoint,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, a `key` in it blotted out.
    pub query: String,
    /// The status of the answer; none if the connection was closed without one.
    pub status: Option<u16>,
    /// `app`, `oauth1`, `oauth2` or `key`; none if the caller was not known.
    pub auth: Option<&'static str>,
    /// The account that called, if one did.
    pub account: Option<String>,
    /// The fault that befell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// How long the answer took.
    pub took_ms: u64,
}

/// How often one endpoint was called and what it answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EndpointCount {
    /// Requests that arrived.
    pub requests: u64,
    /// Answers by status; `0` is none.
    pub statuses: BTreeMap<u16, u64>,
}

/// What the sandbox's Gemini was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GeminiCounters {
    /// Requests understood.
    pub requests: u64,
    /// Items in them.
    pub items: u64,
    /// How many requests had how many items.
    pub items_per_request: BTreeMap<usize, u64>,
    /// The most requests that were in work at one time.
    pub max_concurrent: u64,
}

/// Counters and log.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    pub(crate) counts: BTreeMap<Endpoint, EndpointCount>,
    pub(crate) gemini: GeminiCounters,
    /// Gemini requests in work now.
    pub(crate) generating: u64,
    log: VecDeque<RequestRecord>,
    last: u64,
}

impl Requests {
    pub(crate) fn record(&mut self, mut record: RequestRecord) {
        self.last += 1;
        record.number = self.last;
        let count = self.counts.entry(record.endpoint).or_default();
        count.requests += 1;
        *count.statuses.entry(record.status.unwrap_or(0)).or_default() += 1;
        if self.log.len() == KEPT {
            self.log.pop_front();
        }
        self.log.push_back(record);
    }

    pub(crate) fn log(&self) -> impl Iterator<Item = &RequestRecord> {
        self.log.iter()
    }
}

/// A query without the keys in it.
pub(crate) fn without_keys(query: &str) -> String {
    query
        .split('&')
        .map(|pair| if pair.starts_with("key=") { "key=…" } else { pair })
        .collect::<Vec<_>>()
        .join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_reaches_the_log() {
        assert_eq!(without_keys("alt=json&key=secret"), "alt=json&key=…");
        assert_eq!(without_keys(""), "");
    }
}
