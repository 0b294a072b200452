//! How fast the service is on this machine: the whole of it, with its ledger and over real HTTP, against a sandbox in a
//! process of its own. Only the publisher's limits are lifted, as they are there to be slow.
//!
//! - [`texts`]: what the posts say.
//! - [`town`]: the sandbox and the settings for it.
//! - [`round`]: one run, and what it cost.
//! - [`bare`]: what the same calls cost with nothing around them.

pub mod bare;
pub mod round;
pub mod texts;
pub mod town;

use std::time::Duration;

use mynah_domain::Language;

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
    pub like: Posts,
    /// Further settings, `section.key=value`.
    pub settings: Vec<String>,
}

/// What posts are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Posts {
    /// Words as they come; this share of them says again what another said, but for a link; 0 to 1.
    Words(f64),
    /// The same words again and again, with other numbers, names and links; each number is another day.
    Templated(u64),
}

impl Plan {
    /// What the posts say.
    pub fn texts(&self) -> Vec<String> {
        match self.like {
            Posts::Words(repeat) => texts::texts(self.posts, repeat),
            Posts::Templated(stream) => texts::templated(self.posts, stream),
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
