//! A post as the sandbox stores it, with its media. The text is the logical one that a person reads.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::{
    snowflake,
    timeline::{MediaKind, PostKind},
};

/// The id of a post. Like X, this serializes it as a string, for readers whose numbers end at 2⁵³.
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

/// A post that the sandbox stores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredPost {
    /// Its id, which contains its time.
    pub id: PostId,
    /// Its author's handle.
    pub author: String,
    /// Its author's id.
    #[serde(serialize_with = "as_string")]
    pub author_id: u64,
    /// Its text, without escaping and with unwrapped links.
    pub text: String,
    /// Its kind.
    pub kind: PostKind,
    /// The language that X assigns to it.
    pub lang: String,
    /// The post that it replies to.
    pub reply_to: Option<PostId>,
    /// The author of the post that it replies to.
    #[serde(serialize_with = "as_optional_string")]
    pub in_reply_to_user_id: Option<u64>,
    /// The first post of its conversation, possibly itself.
    pub conversation_id: PostId,
    /// The post that it quotes.
    pub quoted: Option<PostId>,
    /// The post that it reposts.
    pub reposted: Option<PostId>,
    /// Its media.
    pub media: Vec<StoredMedia>,
    /// Whether to send it as a long post regardless of its weight.
    #[serde(skip)]
    pub long: Option<bool>,
    /// Its poll.
    pub poll: Option<StoredPoll>,
    /// How it was authenticated; none for posts of the timeline.
    pub auth: Option<AuthKind>,
    /// Its place among its account's posts, counted from 1. All versions of an edited post share it.
    #[serde(skip)]
    pub number: u64,
}

impl StoredPost {
    /// When it was created.
    pub fn created_at(&self) -> Timestamp {
        snowflake::time_of(self.id.0)
    }
}

/// A poll on a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredPoll {
    /// Its id.
    pub id: PostId,
    /// The labels of its options.
    pub options: Vec<String>,
}

/// A medium on a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredMedia {
    /// X's key, such as `3_123`.
    pub key: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: MediaKind,
    /// Its URL.
    pub url: String,
    /// Its alt text.
    pub alt: Option<String>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// A medium that is being uploaded.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) owner: usize,
    pub(crate) kind: MediaKind,
    pub(crate) media_type: String,
    /// Bytes received so far.
    pub(crate) size: u64,
    /// Bytes announced by the client.
    pub(crate) announced: Option<u64>,
    pub(crate) segments: Vec<u16>,
    pub(crate) state: UploadState,
    pub(crate) alt: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadState {
    Receiving,
    /// A video that X still processes. The first status request finds it ready.
    Processing,
    Ready,
}

impl Upload {
    /// The medium as attached to a post; none while it is not ready.
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
fn as_string<S: Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

#[expect(clippy::ref_option, reason = "serde requires this signature")]
fn as_optional_string<S: Serializer>(id: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}
