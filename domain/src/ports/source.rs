//! Where posts come from. A source returns its newest posts first, in pages, so a poll reads back from the newest post
//! to the watermark.

use std::rc::Rc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Live, ledger::Mark};
use crate::{Post, PostId};

/// An account to follow.
#[async_trait(?Send)]
pub trait Source {
    /// One page of posts, newest first.
    ///
    /// # Errors
    /// See [`SourceError`]: it tells whether a retry can help.
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError>;

    /// Looks up one post by its id, after a page contained it in a form that could not be read.
    ///
    /// # Errors
    /// The same as for a page. That there is no such post is not an error: [`Lookup::Gone`].
    async fn by_id(&self, id: &PostId) -> Result<Lookup, SourceError>;

    /// The position of a post in the source's order, if its id alone determines it.
    fn position(&self, id: &PostId) -> Option<u64>;

    /// The most posts that the network bills for a page that is limited to this many.
    fn most_billed(&self, limit: usize) -> u64 {
        limit as u64
    }

    /// The network's name in settings and logs, and of its circuit breaker.
    fn network(&self) -> &'static str;

    /// How to hear of new posts at once; `None` if the account can only be polled.
    fn live(&self) -> Option<Rc<dyn Live>> {
        None
    }
}

/// What a source answers about one post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The post.
    Post(Box<Post>),
    /// It exists, but still cannot be read.
    Unreadable(Unreadable),
    /// It was deleted or is not visible any more; contains the source's answer.
    Gone(String),
}

/// Which posts to request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Only posts after this one.
    pub after: Option<PostId>,
    /// Only posts before this one.
    pub before: Option<PostId>,
    /// Only posts published from this time on.
    pub from: Option<Timestamp>,
    /// Continues after an earlier page.
    pub continuation: Option<String>,
    /// At most this many; the source may have its own minimum and maximum.
    pub limit: usize,
}

/// A page of a source's timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The posts, newest first; may be empty though more follow.
    pub posts: Vec<Post>,
    /// The token of the next page; `None` on the last.
    pub continuation: Option<String>,
    /// Parts of the answer that could not be used, for the log, such as a post that could not be read.
    pub oddities: Vec<String>,
    /// Posts in a form that could not be read, newest first. They are not lost: see [`Unreadable`].
    pub unreadable: Vec<Unreadable>,
    /// How many posts the network bills for it, on a network that charges for reading.
    pub billed: u64,
    /// How many accounts it bills for finding the followed one; mostly none, because that is done once.
    pub billed_accounts: u64,
}

impl Page {
    /// The marks of all posts on the page, readable or not, as far as they are known.
    pub fn marks(&self) -> Vec<Mark> {
        let unreadable = self.unreadable.iter().filter_map(|post| post.mark.clone());
        let unreadable = unreadable.map(|(id, position)| Mark { id, position });
        self.posts.iter().map(Mark::of).chain(unreadable).collect()
    }
}

/// A post on a page that could not be read. The poller looks it up by its id. If it still cannot be read, the poller
/// records it as a held job with its raw form, so that a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id and position, if at least these could be read.
    pub mark: Option<(PostId, u64)>,
    /// What is wrong with it.
    pub reason: String,
    /// The post in its raw form.
    pub raw: String,
}

/// Why a page could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The account cannot be followed: unknown, suspended, protected. A retry does not help.
    #[error("{0}")]
    Account(String),
    /// The credentials are wrong or were revoked. A retry does not help.
    #[error("{0}")]
    Unauthorized(String),
    /// Too many calls or no quota left.
    #[error("{reason}")]
    RateLimited {
        /// What the service answered.
        reason: String,
        /// When to try again, if the service names a time.
        until: Option<Timestamp>,
    },
    /// The service could not be reached or did not answer as it should. A retry may help.
    #[error("{0}")]
    Unavailable(String),
    /// The request itself was refused as wrong.
    #[error("{0}")]
    Refused(String),
}

impl SourceError {
    /// Whether a retry may succeed although nothing was changed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_and_outages_pass() {
        assert!(SourceError::RateLimited { reason: "slow down".into(), until: None }.is_passing());
        assert!(SourceError::Unavailable("no answer".into()).is_passing());
        assert!(!SourceError::Account("it is suspended".into()).is_passing());
        assert!(!SourceError::Unauthorized("the key was revoked".into()).is_passing());
        assert!(!SourceError::Refused("no such field".into()).is_passing());
    }
}
