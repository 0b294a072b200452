//! Where translations go. What matters most about a call that failed is whether something may have been published
//! all the same.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Media, PostId};

/// An account that is published on.
#[async_trait(?Send)]
pub trait Destination {
    /// Checks that the credentials belong to the account that the settings name. Called before anything is published with
    /// them; an adapter that is billed for it remembers the result in the ledger for as long as the credentials stay the same.
    ///
    /// # Errors
    /// [`Denied::Blocked`] where they belong to another account; otherwise it is not known whose they are. Nothing is ever
    /// published by it.
    async fn verify(&self) -> Result<(), PublishError>;

    /// Publishes one message and answers its id.
    ///
    /// # Errors
    /// See [`PublishError`]: each says whether something may be on the account.
    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError>;

    /// Copies a medium to the network, with words on what it shows, and answers the name by which a draft can hold it.
    /// Nothing is published by it, and it may be dropped at any point.
    ///
    /// # Errors
    /// See [`CopyError`].
    async fn copy(&self, medium: &Media, alt: &str) -> Result<Copied, CopyError>;

    /// The most media that one message may hold.
    fn max_media(&self) -> usize;

    /// The network's name in settings and logs.
    fn network(&self) -> &'static str;

    /// The account's own messages from some place on, newest first: to find out what became of one whose answer never
    /// came.
    ///
    /// # Errors
    /// As for publishing, but nothing is ever published by it.
    async fn recent(&self, since: &Since) -> Result<Shown, PublishError>;

    /// Whether a message that the account shows is what `draft` would have become.
    fn is_same(&self, draft: &Draft, shown: &Recent) -> bool;
}

/// A medium that was copied to the network and is not shown yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaId(pub String);

/// A medium that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub id: MediaId,
    /// Why it has no alt text although it should have one.
    pub undescribed: Option<String>,
}

/// A medium was not copied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// It cannot be, now or later: it is gone, too large, of a kind or from a place that is not taken, or was refused.
    #[error("{0}")]
    Missing(String),
    /// Somebody did not answer; it may be tried again.
    #[error("{0}")]
    Unavailable(String),
    /// The account may not do it now, whatever the medium is.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// What is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The text.
    pub text: String,
    /// The message it goes on from, on the same network.
    pub reply_to: Option<PostId>,
    /// What hangs on it, copied before.
    pub media: Vec<MediaId>,
}

/// From where on an account's messages are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// After this message of the account: needs nobody's clock.
    Message(PostId),
    /// From this moment on, by the network's clock.
    Moment(Timestamp),
}

/// The messages that the account shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// Those that could be read, newest first. Each is on the account.
    pub messages: Vec<Recent>,
    /// Why there may be more. A message that is not in the list is known to be absent only where this is `None`.
    pub gap: Option<String>,
}

/// A message that the account shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// Its id.
    pub id: PostId,
    /// Its text as the author meant it, unescaped and with links expanded.
    pub text: String,
    /// When it was published.
    pub created_at: Timestamp,
}

/// A message was not published, or it is not known whether it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No answer came: something may be on the account.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The network says that the account said just this before: something may be on the account.
    #[error("{0}")]
    Duplicate(String),
    /// The account may not do it now, whatever the message is. Nothing was published.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It could not be reached. Nothing was published.
    #[error("{0}")]
    Unavailable(String),
    /// It may not answer the message that it was to answer. Nothing was published.
    #[error("{0}")]
    ReplyRefused(String),
    /// The message itself was refused. Nothing was published.
    #[error("{0}")]
    Refused(String),
}

/// The network does not let the account act, whatever it wants to do. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The credentials were refused. Networks refuse good ones now and then, so one refusal proves nothing.
    #[error("{0}")]
    Unauthorized(String),
    /// The account is locked or suspended, or the credentials belong to another one: only a person can change that.
    #[error("{0}")]
    Blocked(String),
    /// Too many calls or no quota left.
    #[error("{reason}")]
    RateLimited {
        /// What the service said.
        reason: String,
        /// When to ask again, if it said so.
        until: Option<Timestamp>,
    },
}
