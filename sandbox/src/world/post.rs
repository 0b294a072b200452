//! A post as the sandbox keeps it, and the media on it. The text here is the logical one: what a person
//! reads.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::{
    snowflake,
    timeline::{MediaKind, PostKind},
};

/// The id of a post. X writes ids as strings in JSON, for readers whose numbers end at 2⁵³; so does this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PostId(pub u64);

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PostId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for PostId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How a publication was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthKind {
    /// An OAuth 1.0a signature.
    OAuth1,
    /// An OAuth 2.0 user token.
    OAuth2,
}

impl AuthKind {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::OAuth1 => "oauth1",
            Self::OAuth2 => "oauth2",
        }
    }
}

/// A post that the sandbox holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredPost {
    /// Its id; the time is in it.
    pub id: PostId,
    /// Handle of who said it.
    pub author: String,
    /// Their id.
    #[serde(serialize_with = "as_string")]
    pub author_id: u64,
    /// What it says, neither escaped nor with links wrapped.
    pub text: String,
    /// What it is.
    pub kind: PostKind,
    /// X's idea of its language.
    pub lang: String,
    /// What it answers.
    pub reply_to: Option<PostId>,
    /// Who said what it answers.
    #[serde(serialize_with = "as_optional_string")]
    pub in_reply_to_user_id: Option<u64>,
    /// The first post of its conversation; itself, if it began one.
    pub conversation_id: PostId,
    /// What it quotes.
    pub quoted: Option<PostId>,
    /// What it repeats.
    pub reposted: Option<PostId>,
    /// What is attached.
    pub media: Vec<StoredMedia>,
    /// Whether it is to be sent as a long post regardless of its weight.
    #[serde(skip)]
    pub long: Option<bool>,
    /// How it was published; none for what the timeline brought.
    pub auth: Option<AuthKind>,
    /// Its place among its account's posts, counted from 1. The versions of an edited post share it.
    #[serde(skip)]
    pub number: u64,
}

impl StoredPost {
    /// When it was said.
    pub fn created_at(&self) -> Timestamp {
        snowflake::time_of(self.id.0)
    }
}

/// A medium on a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredMedia {
    /// X's key, such as `3_123`.
    pub key: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MediaKind,
    /// Where it would be.
    pub url: String,
    /// Its alt text.
    pub alt: Option<String>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// A medium on its way in.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) owner: usize,
    pub(crate) kind: MediaKind,
    pub(crate) media_type: String,
    /// Bytes so far.
    pub(crate) size: u64,
    /// Bytes that were announced.
    pub(crate) announced: Option<u64>,
    pub(crate) segments: Vec<u16>,
    pub(crate) state: UploadState,
    pub(crate) alt: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadState {
    Receiving,
    /// A video that X still works on; asked for its status, it is done.
    Processing,
    Ready,
}

impl Upload {
    /// The medium as it stands on a post; none while it is not ready.
    pub(super) fn attach(&self) -> Option<StoredMedia> {
        (self.state == UploadState::Ready).then(|| StoredMedia {
            key: self.key.clone(),
            kind: self.kind,
            url: format!("https://pbs.twimg.com/media/{}.jpg", self.key),
            alt: self.alt.clone(),
            width: 1200,
            height: 800,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn as_string<S: Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn as_optional_string<S: Serializer>(id: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}
