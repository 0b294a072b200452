//! Review by people: drafts, and decisions about them.

use jiff::Timestamp;
use mynah_domain::{CardWords, JobState, review::ReviewAction};
use serde::{Deserialize, Serialize};

/// The query of `GET /api/review`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftQuery {
    /// A target, by id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// A source, by name, id or account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The most drafts to return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `next` of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

/// `GET /api/review`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drafts {
    /// A page of drafts, ordered by the numbers of their jobs.
    pub drafts: Vec<DraftLine>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<i64>,
}

/// A draft in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftLine {
    /// The job's number.
    pub job: i64,
    /// The job's token, which a decision about the draft must name.
    pub token: i64,
    /// The post's id.
    pub post: String,
    /// The target's id.
    pub target: String,
    /// Since when it waits, or when it was edited.
    pub since: Timestamp,
    /// Whether it gave its place in the line up, because others waited for too long.
    pub set_aside: bool,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// The first words of the post.
    pub text: String,
    /// The first words of the translation.
    pub translation: String,
}

/// Something that is wrong with a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The text that it is about: `text`, `warning`, `card title`, `card description`, `alt text 1`.
    pub about: String,
    /// The rule's code, as in docs/gate.md, or `engine` if no engine translated the text.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// Whether nobody can override it, because the network would refuse the message.
    #[serde(rename = "final", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// The passages that it quotes, where they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passages: Vec<Passage>,
}

/// A passage of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// The part of the translation, counted from 0; `None` if the passage is in the post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<usize>,
    /// Where it starts, in characters (Unicode scalar values).
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its words.
    pub text: String,
}

/// `GET /api/review/{job}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The job's number.
    pub job: i64,
    /// The job's token, which a decision about the draft must name.
    pub token: i64,
    /// The job's state: decisions are possible in `review`.
    pub state: JobState,
    /// The post's id.
    pub post: String,
    /// The target's id.
    pub target: String,
    /// When the job last changed.
    pub since: Timestamp,
    /// Whether it gave its place in the line up, because others waited for too long.
    pub set_aside: bool,
    /// The text of the post.
    pub text: String,
    /// The warning of the post.
    pub warning: Option<String>,
    /// The engine that made the translation; `person` for the words of a person.
    pub engine: Option<String>,
    /// The messages of the translation.
    pub parts: Vec<Part>,
    /// The translation of the warning.
    pub translated_warning: Option<String>,
    /// The translated words of the card.
    pub card: Option<CardWords>,
    /// The media of the post, with their alt texts.
    pub media: Vec<MediumText>,
    /// What is wrong with the translation.
    pub findings: Vec<Finding>,
    /// Why a person accepts that.
    pub accepted: Option<String>,
    /// What was decided so far.
    pub decisions: Vec<DraftDecision>,
}

/// A message of a translation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its text.
    pub text: String,
    /// Its length, as the network counts.
    pub length: usize,
    /// The most that the network allows, counted in the same way.
    pub limit: usize,
}

/// A medium of a post, and its alt texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediumText {
    /// `photo`, `video`, `animated_gif`.
    pub kind: String,
    /// Where it is, if the source says so.
    pub url: Option<String>,
    /// The author's alt text.
    pub alt: Option<String>,
    /// The translated alt text.
    pub translation: Option<String>,
}

/// A decision on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftDecision {
    /// When it was made.
    pub at: Timestamp,
    /// The person, if known.
    pub who: Option<String>,
    /// What was decided.
    pub action: ReviewAction,
    /// The reason, or the hint for the next translation.
    pub note: Option<String>,
}

/// The body of `POST /api/review/{job}/approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// The token that the job had when the person looked at it.
    pub token: i64,
    /// Why, although something is wrong with it.
    #[serde(rename = "override", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of `POST /api/review/{job}/edit`. What it does not name stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The token that the job had when the person looked at it.
    pub token: i64,
    /// The whole text, which is split if it is too long for one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// In place of `text`: each message by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<String>>,
    /// The alt texts of all media, in order; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alts: Option<Vec<String>>,
    /// The warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The words of the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardWords>,
    /// Why the words are right, although the gate finds something wrong with them.
    #[serde(rename = "override", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether they are approved at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approve: bool,
}

/// The body of `POST /api/review/{job}/again`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// The token that the job had when the person looked at it.
    pub token: i64,
    /// What to do better, for a language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The only engine to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// The body of `POST /api/review/{job}/skip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The token that the job had when the person looked at it.
    pub token: i64,
}

/// The answer to every decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The job's number.
    pub job: i64,
    /// The job's state now.
    pub state: JobState,
    /// The job's token now.
    pub token: i64,
}
