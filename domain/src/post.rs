//! A post as Mynah sees it, whatever network it came from: the text as its author meant it, with nothing left of the
//! wire (no escapes, no shortened links).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A post's identity on its own network, opaque to everything but that network's adapter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PostId(pub String);

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing said on the followed account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Its identity on the source's network.
    pub id: PostId,
    /// Its place in the source's order: a later post has the larger number. On X this is the id itself.
    pub position: u64,
    /// The whole text, unescaped, links expanded, the link to its own media dropped.
    pub text: String,
    /// The language as the network tells it, if it does: a BCP 47 code or one of X's own such as `und` or `zxx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What sort of post it is.
    pub kind: PostKind,
    /// When it was said.
    pub created_at: Timestamp,
    /// Pictures and films attached to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// The ids of every version of an edited post, oldest first, its own among them. Empty for a post never edited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<PostId>,
}

/// What sort of post it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PostKind {
    /// Said for its own sake.
    Original,
    /// The author going on from a post of their own.
    Thread {
        /// The author's post that this one continues.
        parent: PostId,
    },
    /// An answer to somebody else.
    Reply {
        /// The post answered.
        to: PostId,
    },
    /// Somebody else's post shown again, with no words added.
    Repost {
        /// The post shown again.
        of: PostId,
    },
    /// Words about a post that is shown below them.
    Quote {
        /// The post quoted.
        of: PostId,
    },
    /// The network withholds the post and shows a notice in its place: the text is not the author's.
    Withheld {
        /// The post that it answers, through which a thread goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<PostId>,
    },
}

impl PostKind {
    /// The author's post that this one continues.
    pub fn continues(&self) -> Option<&PostId> {
        match self {
            Self::Thread { parent } => Some(parent),
            Self::Withheld { parent } => parent.as_ref(),
            Self::Original | Self::Reply { .. } | Self::Repost { .. } | Self::Quote { .. } => None,
        }
    }
}

/// Something to look at that hangs on a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// The network's key for it.
    pub key: String,
    /// `photo`, `video` or `animated_gif`, as the network says.
    pub kind: String,
    /// Where it itself, and no still of it, can be fetched, if the network says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it shows, in the author's words, for who cannot see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
}
