//! How fast the service is on this machine: the whole of it, with its ledger and over real HTTP, against a sandbox in a
//! process of its own. Only the publisher's limits are lifted, as they are there to be slow.
//!
//! - [`texts`]: what the posts say.
//! - [`town`]: the sandbox and the settings for it.
//! - [`round`]: one run, and what it cost.
//! - [`history`]: what is on record before it begins.
//! - [`bare`]: what the same calls cost with nothing around them.

pub mod bare;
pub mod history;
pub mod round;
pub mod texts;
pub mod town;

use std::time::Duration;

use mynah_domain::Language;

/// X shows the newest 3,200 posts of a timeline and none before them; more are said when these are on record.
const SHOWN: usize = 3000;

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many posts.
    pub posts: usize,
    /// The languages that each is said in.
    pub languages: Vec<Language>,
    /// How long the engine takes to answer.
    pub latency: Duration,
    /// What the posts are like.
    pub stream: Stream,
    /// One post at a time, the next when the one before is said everywhere: how long one takes where nothing else is to do.
    pub singly: bool,
    /// How many posts were said before.
    pub history: usize,
    /// Further settings, `section.key=value`.
    pub settings: Vec<String>,
}

/// What posts are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stream {
    /// Words as they come; this share of them says again what another said, but for a link; 0 to 1.
    Words(f64),
    /// The same words again and again, with other numbers, names and links; each number is another day.
    Templated(u64),
}

/// What posts say, one after another.
type Texts = Box<dyn Iterator<Item = String>>;

impl Plan {
    /// How many posts are said at once.
    fn at_once(&self) -> usize {
        if self.singly { 1 } else { SHOWN }
    }

    /// What the posts say. Made when they are said: kept, they would count as memory of what is measured.
    fn texts(&self) -> Texts {
        match self.stream {
            Stream::Words(repeat) => Box::new(texts::texts(self.posts, repeat)),
            Stream::Templated(stream) => Box::new(texts::templated(self.posts, stream)),
        }
    }

    /// How many jobs the posts make.
    pub fn jobs(&self) -> usize {
        self.posts * self.languages.len()
    }
}

/// The benchmark could not be done: why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unmeasured(pub String);
