//! How a post's pictures and videos get from the source's network to a target's. The source knows their addresses and
//! which hosts may be called; the target knows what it accepts and how to upload it. A [`FetchedMedium`] connects the
//! two, and holds only a piece of a long video in memory.

use std::fmt;

use async_trait::async_trait;

use crate::Media;

/// The source's side: fetches media of its posts.
#[async_trait(?Send)]
pub trait MediaFetcher {
    /// Fetches a medium, in the best form that `limits` accept. The address comes from a service's answer, so an
    /// adapter calls only hosts that its settings allow. The call may be dropped at any point.
    ///
    /// # Errors
    /// See [`FetchError`]: it tells whether a retry can help.
    async fn fetch(&self, medium: &Media, limits: &MediaLimits) -> Result<FetchedMedium, FetchError>;
}

/// Which media a target's network accepts. Its [rules](crate::network::Limits) limit the number per message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaLimits {
    /// The network's name for people, as in a reason.
    pub network: &'static str,
    /// The largest picture, in bytes.
    pub picture: u64,
    /// The largest video, in bytes.
    pub video: u64,
}

/// A medium that was fetched, or whose first piece was.
#[derive(Debug)]
pub struct FetchedMedium {
    /// Its type by its bytes, whatever its host calls it: `image/png`, `video/mp4`.
    pub mime: &'static str,
    /// Its size in bytes.
    pub size: u64,
    /// The bytes.
    pub content: Content,
}

impl FetchedMedium {
    /// Whether it is a video; otherwise, it is a picture.
    pub fn is_video(&self) -> bool {
        self.mime.starts_with("video/")
    }
}

/// The bytes of a medium.
pub enum Content {
    /// All of them, for a small medium.
    Whole(Vec<u8>),
    /// One piece after the other, however long it is.
    Pieces(Box<dyn Pieces>),
}

impl Content {
    /// The next bytes, in order; `None` at the end. Bytes that were returned are no longer in memory here.
    ///
    /// # Errors
    /// If the rest cannot be fetched, or belongs to another medium by now.
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
    /// The next bytes, never empty; `None` at the end.
    ///
    /// # Errors
    /// If the rest cannot be fetched, or belongs to another medium by now.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError>;
}

/// Why a medium was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It cannot be fetched, now or later: it is gone, too large, or its type or host is not accepted.
    #[error("{0}")]
    Missing(String),
    /// Its host did not answer; a retry may help.
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

    /// The output of a future that never waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("the future waits"),
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
