//! The JSON about what waits, and until when.

use jiff::Timestamp;
use mynah_domain::JobState;
use serde::{Deserialize, Serialize};

/// The query of `GET /api/ahead`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AheadQuery {
    /// A target, by id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// A source, by name, id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// `GET /api/ahead`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ahead {
    /// What waits, in the order in which it may go on.
    pub jobs: Vec<AheadJob>,
    /// How many more jobs wait longer than a week.
    pub later: u64,
    /// Whether a line has more jobs than are listed.
    pub more: bool,
}

/// A job that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AheadJob {
    /// When it may go on at the earliest; `null` if a person must act first.
    pub at: Option<Timestamp>,
    /// What it waits for: `delay`, `quiet hours`, `retry`, a kind of hold, `cap`, `paused`, `blocked`, or `null` if it is its turn.
    pub waits_for: Option<String>,
    /// Its number.
    pub id: i64,
    /// The post's id.
    pub post: String,
    /// The target's id.
    pub target: String,
    /// Its state.
    pub state: JobState,
    /// The text of the post.
    pub text: String,
}
