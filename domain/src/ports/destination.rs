//! Where translations are published. The most important fact about a failed call is whether something may have been
//! published anyway.

use async_trait::async_trait;
use jiff::Timestamp;

use super::media::{FetchError, FetchedMedium, MediaLimits};
use crate::{CardWords, Language, PostId, PublicationKey, Reply};

/// An account that publishes.
#[async_trait(?Send)]
pub trait Destination {
    /// Checks that the credentials belong to the account that the settings name. Called before anything is published
    /// with them. An adapter that pays for this call stores the result in the ledger for as long as the credentials
    /// stay the same.
    ///
    /// # Errors
    /// [`Denied::Blocked`] if they belong to another account; after any other error, their account is unknown. This
    /// call never publishes anything.
    async fn verify(&self) -> Result<(), PublishError>;

    /// Publishes one message and returns its id.
    ///
    /// # Errors
    /// See [`PublishError`]: each variant tells whether something may be on the account.
    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError>;

    /// Uploads a medium with its alt text, and returns the id with which a draft can attach it. Publishes nothing, and
    /// may be dropped at any point.
    ///
    /// # Errors
    /// See [`UploadError`].
    async fn upload(&self, medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError>;

    /// Which media the network accepts.
    fn media_limits(&self) -> MediaLimits;

    /// The network's name in settings and logs.
    fn network(&self) -> &'static str;

    /// The account's own messages since some point, newest first, to find out what happened to a message whose answer
    /// was lost.
    ///
    /// # Errors
    /// The same as for publishing, but this call never publishes anything.
    async fn recent(&self, since: &Since) -> Result<Shown, PublishError>;

    /// Whether a message on the account is what publishing `draft` would have produced.
    fn is_same(&self, draft: &Draft, shown: &Recent) -> bool;
}

/// A medium that was uploaded to the network and is not attached to a message yet.
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

/// Why a medium was not uploaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// It never will be: the network does not accept it, or the rest of it is gone.
    #[error("{0}")]
    Refused(String),
    /// The network, or the medium's own host, did not answer; a retry may help.
    #[error("{0}")]
    Unavailable(String),
    /// The account may not upload now, whatever the medium is.
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

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The key of its publication. A draft that is published again after its outcome was lost has the same key.
    pub key: PublicationKey,
    /// The text.
    pub text: String,
    /// The language of the text; `None` if its target is no longer in the settings.
    pub language: Option<Language>,
    /// The warning that hides the message until a reader asks for it; only on a network that has warnings.
    pub warning: Option<String>,
    /// Whether the media are hidden until a reader asks for them, if the network can do that.
    pub is_sensitive: bool,
    /// The message that it replies to, on the same network.
    pub reply: Option<Reply>,
    /// The attached media, which were uploaded before.
    pub media: Vec<MediaId>,
    /// The card of a link, if the message has no media.
    pub card: Option<DraftCard>,
    /// The message of the account that it quotes, if the network can do that. A message that is not there any more is no
    /// reason to refuse the draft: it is then published without the quote.
    pub quote: Option<PostId>,
}

/// The card of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftCard {
    /// The address that it leads to.
    pub url: String,
    /// Its words.
    pub words: CardWords,
    /// Its picture, which was uploaded before.
    pub picture: Option<MediaId>,
}

impl Draft {
    /// Creates a message that is nothing but text.
    pub fn new(key: PublicationKey, text: impl Into<String>) -> Self {
        Self {
            key,
            text: text.into(),
            language: None,
            warning: None,
            is_sensitive: false,
            reply: None,
            media: Vec::new(),
            card: None,
            quote: None,
        }
    }
}

/// The point since which an account's messages are requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// After this message of the account, which depends on no clock.
    Message(PostId),
    /// From this time on, by the network's clock.
    Moment(Timestamp),
}

/// The account's messages, as the network lists them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// The messages that could be read, newest first. Each is on the account.
    pub messages: Vec<Recent>,
    /// Why the list may be incomplete. Only if this is `None` is a message that is not in the list certainly absent.
    pub gap: Option<String>,
    /// How many messages the network bills for the list, on a network that charges for reading.
    pub billed: u64,
}

/// A message on the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// Its id.
    pub id: PostId,
    /// Its text as the author meant it, unescaped and with links expanded.
    pub text: String,
    /// When it was published.
    pub created_at: Timestamp,
}

/// Why a message was not published, or why its outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No answer came: something may be on the account.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The network reports that the account just published the same message: something may be on the account.
    #[error("{0}")]
    Duplicate(String),
    /// The account may not publish now, whatever the message is. Nothing was published.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The network could not be reached. Nothing was published.
    #[error("{0}")]
    Unavailable(String),
    /// The message may not reply to the intended message. Nothing was published.
    #[error("{0}")]
    ReplyRefused(String),
    /// The message itself was refused. Nothing was published.
    #[error("{0}")]
    Refused(String),
}

/// The network does not let the account act, whatever it wants to do. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The credentials were refused. Networks sometimes refuse valid ones, so one refusal proves nothing.
    #[error("{0}")]
    Unauthorized(String),
    /// The account is locked or suspended, or the credentials belong to another account: only a person can fix that.
    #[error("{0}")]
    Blocked(String),
    /// Too many calls or no quota left.
    #[error("{reason}")]
    RateLimited {
        /// What the service answered.
        reason: String,
        /// When to try again, if the service names a time.
        until: Option<Timestamp>,
    },
}
