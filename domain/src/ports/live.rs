//! News that an account may have new posts, from networks that send it. Posts are read by polling alone, so that there is
//! one way to read them and one watermark: such news only says when to poll. If it is lost, repeated or wrong, a post comes
//! later, and none is lost.

use async_trait::async_trait;

use super::SourceError;

/// An account whose network sends news of it.
#[async_trait(?Send)]
pub trait Live {
    /// Connects. Whatever is posted after this returns is news, unless the connection is lost.
    ///
    /// # Errors
    /// See [`SourceError`].
    async fn connect(&self) -> Result<Box<dyn News>, SourceError>;
}

/// A connection that news comes through.
#[async_trait(?Send)]
pub trait News {
    /// Waits until the account may have a new post. May be dropped at any point.
    ///
    /// # Errors
    /// The connection is lost, or was silent for so long that it may be. It must not be used again.
    async fn next(&mut self) -> Result<(), SourceError>;
}
