//! A post on Bluesky or Mastodon as people see it, whatever form its network stores it in: for tests, for the state that
//! `/_sandbox` reports, and for the page.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    network::Network,
    timeline::{MediaKind, PostKind},
    world::UserState,
};

/// A post on Bluesky or Mastodon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// Its id: a record key on Bluesky, a number on Mastodon.
    pub id: String,
    /// Its text, as its author wrote it.
    pub text: String,
    /// Its content warning.
    pub warning: Option<String>,
    /// Its language, according to its author.
    pub lang: Option<String>,
    /// Its kind.
    pub kind: PostKind,
    /// The id of the post of the same account that it replies to.
    pub reply_to: Option<String>,
    /// Its media.
    pub media: Vec<MessageMedium>,
    /// What the author made clickable: the words and the address behind them.
    pub links: Vec<MessageLink>,
    /// When its network received it.
    pub created_at: Timestamp,
    /// Increases from one message of an account to the next.
    #[serde(skip)]
    pub(crate) number: u64,
    /// The number of the message that it replies to.
    #[serde(skip)]
    pub(crate) parent: Option<u64>,
}

/// A medium of a [`Message`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageMedium {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: MediaKind,
    /// Its alt text.
    pub alt: Option<String>,
}

/// Words of a [`Message`] that can be followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageLink {
    /// The words, as they stand in the text.
    pub words: String,
    /// An address, a DID for a mention, or a tag.
    pub to: String,
}

/// An account on Bluesky or Mastodon and what it published.
#[derive(Debug, Clone, Serialize)]
pub struct MessagesOf {
    /// Its handle.
    pub handle: String,
    /// Its network.
    pub network: Network,
    /// A target's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How its network treats it.
    pub state: UserState,
    /// Whether its token or app password was revoked.
    pub revoked: bool,
    /// How many messages it has.
    pub message_count: usize,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
}
