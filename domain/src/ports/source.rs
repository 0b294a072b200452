//! Where posts come from. A source shows its newest posts first, in pages, and so a poll walks back from the newest to
//! the cursor.

use async_trait::async_trait;
use jiff::Timestamp;

use super::ledger::Mark;
use crate::{Post, PostId};

/// An account that is followed.
#[async_trait(?Send)]
pub trait Source {
    /// One page of posts, newest first.
    ///
    /// # Errors
    /// See [`SourceError`]: it says whether trying again can help.
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError>;

    /// One post by its id, for one that a page showed in a form that could not be read.
    ///
    /// # Errors
    /// As for a page. That there is no such post is an answer: [`Lookup::Gone`].
    async fn by_id(&self, id: &PostId) -> Result<Lookup, SourceError>;

    /// The place of a post in the source's order, where its id alone tells it.
    fn position(&self, id: &PostId) -> Option<u64>;

    /// The network's name in settings and logs, which its circuit breaker goes by.
    fn network(&self) -> &'static str;
}

/// What a source answers about one post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The post.
    Post(Box<Post>),
    /// It is there, and still cannot be read.
    Unreadable(Unreadable),
    /// It was deleted or may not be seen any more: what the source answered.
    Gone(String),
}

/// Which posts are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Only posts after this one.
    pub after: Option<PostId>,
    /// Only posts before this one.
    pub before: Option<PostId>,
    /// Only posts from this moment on.
    pub from: Option<Timestamp>,
    /// Goes on where a page before ended.
    pub continuation: Option<String>,
    /// At most this many; the source may have a smallest and a largest of its own.
    pub limit: usize,
}

/// What a source showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The posts, newest first; may be empty though more follow.
    pub posts: Vec<Post>,
    /// How to ask for the next page; `None` on the last.
    pub continuation: Option<String>,
    /// What the source said that could not be used, for the log: a post in a form that could not be read.
    pub oddities: Vec<String>,
    /// Posts in a form that could not be read, newest first. They are not lost: see [`Unreadable`].
    pub unreadable: Vec<Unreadable>,
}

impl Page {
    /// The places of all posts that the source showed, read or not, as far as they are known.
    pub fn marks(&self) -> Vec<Mark> {
        let unreadable = self.unreadable.iter().filter_map(|post| post.mark.clone());
        let unreadable = unreadable.map(|(id, position)| Mark { id, position });
        self.posts.iter().map(Mark::of).chain(unreadable).collect()
    }
}

/// A post that the source showed and that could not be read. The poller asks for it by its id, and records what still
/// cannot be read as a held job with its raw form, so that a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id and place, where at least these could be read.
    pub mark: Option<(PostId, u64)>,
    /// What is wrong with it.
    pub reason: String,
    /// The post as it came.
    pub raw: String,
}

/// A page did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The account cannot be followed: unknown, suspended, protected. Trying again does not help.
    #[error("{0}")]
    Account(String),
    /// The credentials are wrong or were revoked. Trying again does not help.
    #[error("{0}")]
    Unauthorized(String),
    /// Too many calls or no quota left.
    #[error("{reason}")]
    RateLimited {
        /// What the service said.
        reason: String,
        /// When to ask again, if it said so.
        until: Option<Timestamp>,
    },
    /// The service could not be reached or did not answer as it should. Passing.
    #[error("{0}")]
    Unavailable(String),
    /// The request itself was refused as wrong.
    #[error("{0}")]
    Refused(String),
}

impl SourceError {
    /// Whether a later try may go well with nothing changed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_))
    }
}
