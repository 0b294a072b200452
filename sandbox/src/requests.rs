//! Counts all requests and logs the latest ones. Neither the counters nor the log contain a header or a key, so they
//! may be shown to anybody.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::{endpoint::Endpoint, faults::Fault};

/// How many requests the log holds.
const MAX_RECORDS: usize = 10_000;

/// One request and its outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestRecord {
    /// Counted from 1.
    pub number: u64,
    /// When it arrived, in Unix milliseconds.
    pub at_ms: i64,
    /// The endpoint that it called.
    pub endpoint: Endpoint,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, with any `key` redacted.
    pub query: String,
    /// The status of the answer; none if the connection was closed without one.
    pub status: Option<u16>,
    /// `app`, `oauth1`, `oauth2`, `key`, `session` or `token`; none if the caller was not authenticated.
    pub auth: Option<&'static str>,
    /// The account that called, if any.
    pub account: Option<String>,
    /// The fault that it met, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// How long the answer took.
    pub took_ms: u64,
}

/// The caller of a request, for the log. Its handler adds it to the request.
#[derive(Debug, Clone)]
pub(crate) struct LoggedCaller {
    pub(crate) auth: &'static str,
    pub(crate) account: Option<String>,
}

/// How often one endpoint was called, and its answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EndpointCount {
    /// Requests that arrived.
    pub requests: u64,
    /// Answers by status; `0` counts calls without an answer.
    pub statuses: BTreeMap<u16, u64>,
}

/// Counts of the requests to the sandbox's Gemini.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GeminiCounters {
    /// Valid requests.
    pub requests: u64,
    /// Items in them.
    pub items: u64,
    /// The number of requests by their number of items.
    pub items_per_request: BTreeMap<usize, u64>,
    /// The most requests in progress at one time.
    pub max_concurrent: u64,
}

/// Counters and log.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    pub(crate) counts: BTreeMap<Endpoint, EndpointCount>,
    pub(crate) gemini: GeminiCounters,
    /// Gemini requests in progress.
    pub(crate) generating: u64,
    /// Characters that DeepL would bill.
    pub(crate) deepl_characters: u64,
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
        if self.log.len() == MAX_RECORDS {
            self.log.pop_front();
        }
        self.log.push_back(record);
    }

    pub(crate) fn log(&self) -> impl Iterator<Item = &RequestRecord> {
        self.log.iter()
    }
}

/// A query with its keys redacted.
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
    fn keys_are_redacted() {
        assert_eq!(without_keys("alt=json&key=secret"), "alt=json&key=…");
        assert_eq!(without_keys(""), "");
    }
}
