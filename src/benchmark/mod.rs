//! Measures how fast the complete service is on this machine: with its ledger and over real HTTP, against a sandbox in
//! a separate process. Only the publisher's limits are off, because they exist to slow it down.
//!
//! - [`texts`]: the texts of the posts.
//! - [`town`]: the sandbox and the settings for it.
//! - [`round`]: one run, and its measurements.
//! - [`history`]: posts that are on record before a run.
//! - [`bare`]: the same calls without the service.

pub mod bare;
pub mod history;
pub mod round;
pub mod texts;
pub mod town;

use std::time::Duration;

use mynah_domain::Language;

/// X shows only the newest 3,200 posts of a timeline, so the benchmark posts more once these are on record.
const PAGE: usize = 3000;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The number of posts.
    pub posts: usize,
    /// The languages to publish each post in.
    pub languages: Vec<Language>,
    /// How long the engine takes to answer.
    pub latency: Duration,
    /// The kind of posts.
    pub stream: Stream,
    /// Whether to wait for each post's publications before the next post: measures the latency of an idle service.
    pub singly: bool,
    /// How many posts are on record as published before the run.
    pub history: usize,
    /// More settings, `section.key=value`.
    pub settings: Vec<String>,
}

/// Kinds of posts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stream {
    /// Random words; this share of the posts, 0 to 1, repeats another post except for a link.
    Words(f64),
    /// A few templates with different numbers, names and links; each number is a different day.
    Templated(u64),
}

/// The texts of the posts, in order.
type Texts = Box<dyn Iterator<Item = String>>;

impl Plan {
    /// How many posts to post at once.
    fn at_once(&self) -> usize {
        if self.singly { 1 } else { PAGE }
    }

    /// The texts of the posts. Generated on demand, because stored ones would count as the service's memory.
    fn texts(&self) -> Texts {
        match self.stream {
            Stream::Words(repeat) => Box::new(texts::texts(self.posts, repeat)),
            Stream::Templated(stream) => Box::new(texts::templated(self.posts, stream)),
        }
    }

    /// The number of jobs.
    pub fn jobs(&self) -> usize {
        self.posts * self.languages.len()
    }
}

/// Why the benchmark failed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BenchmarkError(pub String);
