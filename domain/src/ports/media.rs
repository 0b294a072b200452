//! How a post's pictures and videos get from the source's network to a target's. The source knows where they are and who
//! may be asked for them; the target knows what it accepts and how it is uploaded. Between the two stands a
//! [`FetchedMedium`], which never has more than a piece of a long video in memory.

use std::fmt;

use async_trait::async_trait;

use crate::Media;

/// The source's side: fetches media of its posts.
#[async_trait(?Send)]
pub trait MediaFetcher {
    /// Fetches a medium, in the best form that `limits` accept. A medium's address is named by somebody else's answer, so an
    /// adapter only asks hosts that its settings allow. It may be dropped at any point.
    ///
    /// # Errors
    /// See [`FetchError`]: it says whether trying again can help.
    async fn fetch(&self, medium: &Media, limits: &MediaLimits) -> Result<FetchedMedium, FetchError>;
}

/// What a target's network accepts. How many media a message may hold, its [rules](crate::network::Limits) say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaLimits {
    /// The network, as people write it in a reason: `X`.
    pub network: &'static str,
    /// The largest picture, in bytes.
    pub picture: u64,
    /// The largest video, in bytes.
    pub video: u64,
}

/// A medium that was fetched, or whose first piece was.
#[derive(Debug)]
pub struct FetchedMedium {
    /// What it is by its bytes, whatever its host calls it: `image/png`, `video/mp4`.
    pub mime: &'static str,
    /// How many bytes it has.
    pub size: u64,
    /// The bytes.
    pub content: Content,
}

impl FetchedMedium {
    /// Whether it is a video, and no picture.
    pub fn is_video(&self) -> bool {
        self.mime.starts_with("video/")
    }
}

/// The bytes of a medium.
pub enum Content {
    /// All of them: it is small.
    Whole(Vec<u8>),
    /// Piece by piece, however long it is.
    Pieces(Box<dyn Pieces>),
}

impl Content {
    /// The next bytes, in order; `None` at the end. What was handed out is no longer in memory here.
    ///
    /// # Errors
    /// Where the rest cannot be fetched, or is no longer the same medium.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        match self {
            Self::Whole(bytes) => Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())),
            Self::Pieces(pieces) => pieces.next().await,
        }
    }

    /// All of the bytes, of a medium that is small enough to be in memory at once.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub async fn whole(mut self) -> Result<Vec<u8>, FetchError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next().await? {
            bytes.extend(piece);
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Pieces(_) => f.write_str("Pieces"),
        }
    }
}

/// A medium that is fetched while it is uploaded.
#[async_trait(?Send)]
pub trait Pieces {
    /// The next bytes, never none of them; `None` at the end.
    ///
    /// # Errors
    /// Where the rest cannot be fetched, or is no longer the same medium.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError>;
}

/// A medium was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It cannot be, now or later: it is gone, too large, of a kind or from a place that is not accepted.
    #[error("{0}")]
    Missing(String),
    /// Its host did not answer; it may be tried again.
    #[error("{0}")]
    Unavailable(String),
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    /// The outcome of something that waits for nothing.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("it waits"),
        }
    }

    struct Countdown(u8);

    #[async_trait(?Send)]
    impl Pieces for Countdown {
        async fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
            self.0 = self.0.saturating_sub(1);
            Ok((self.0 > 0).then(|| vec![self.0]))
        }
    }

    #[test]
    fn pieces_make_the_whole_in_their_order() {
        assert_eq!(now(Content::Pieces(Box::new(Countdown(4))).whole()).unwrap(), [3, 2, 1]);
        assert_eq!(now(Content::Whole(vec![1, 2]).whole()).unwrap(), [1, 2]);
    }

    #[test]
    fn bytes_are_handed_out_once_whole_or_piece_by_piece() {
        for (mut content, expected) in [
            (Content::Whole(vec![1, 2, 3]), vec![vec![1, 2, 3]]),
            (Content::Whole(vec![]), vec![]),
            (Content::Pieces(Box::new(Countdown(3))), vec![vec![2], vec![1]]),
        ] {
            let mut found = Vec::new();
            while let Some(piece) = now(content.next()).unwrap() {
                found.push(piece);
            }
            assert_eq!(found, expected, "{content:?}");
        }
    }
}
