//! Where translations go. What matters most about a call that failed is whether something may have been published
//! all the same.

use async_trait::async_trait;
use jiff::Timestamp;

use super::media::{FetchError, FetchedMedium, MediaLimits};
use crate::{PostId, PublicationKey, Reply};

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

    /// Uploads a medium with its alt text, and answers the id by which a draft can hold it. Nothing is published by it, and it
    /// may be dropped at any point.
    ///
    /// # Errors
    /// See [`UploadError`].
    async fn upload(&self, medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError>;

    /// What media the network accepts.
    fn media_limits(&self) -> MediaLimits;

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

/// A medium that was uploaded to the network and is not shown yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaId(pub String);

/// A medium that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Its id.
    pub id: MediaId,
    /// Why it has no alt text although it should have one.
    pub undescribed: Option<String>,
}

/// A medium was not uploaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// It never will be: the network does not accept it, or the rest of it is gone.
    #[error("{0}")]
    Refused(String),
    /// The network, or the medium's own host, did not answer; it may be tried again.
    #[error("{0}")]
    Unavailable(String),
    /// The account may not do it now, whatever the medium is.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// A long medium is fetched while it is uploaded.
impl From<FetchError> for UploadError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Missing(why) => Self::Refused(why),
            FetchError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

/// What is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The key of its publication. A draft that is published again after its outcome was lost has the same.
    pub key: PublicationKey,
    /// The text.
    pub text: String,
    /// What it answers, on the same network.
    pub reply: Option<Reply>,
    /// What is attached to it, uploaded before.
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
