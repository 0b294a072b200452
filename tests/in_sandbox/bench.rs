//! The contracts' benches on any network that the sandbox plays.

use std::{marker::PhantomData, rc::Rc};

use async_trait::async_trait;
use mynah_domain::{
    PostId,
    network::Repeat,
    ports::{Destination, MediaFetcher, Source},
};
use mynah_sandbox::TimelinePost;

use super::{Names, Town};
use crate::contract::{self, Trouble, destination::Message};

/// A network that the sandbox plays.
pub(super) trait Played {
    fn names() -> &'static Names;
}

/// A town on a network.
pub(super) struct On<N>(Town, PhantomData<N>);

impl<N: Played> On<N> {
    async fn with_posts(texts: &[&str]) -> Self {
        Self(Town::with_posts(N::names(), texts).await, PhantomData)
    }
}

#[async_trait(?Send)]
impl<N: Played> contract::source::Bench for On<N> {
    async fn new(texts: &[&str]) -> Self {
        Self::with_posts(texts).await
    }

    fn source(&self) -> Rc<dyn Source> {
        self.0.source_of(N::names().town)
    }

    fn source_of_missing_account(&self) -> Rc<dyn Source> {
        self.0.source_of(N::names().nobody)
    }

    fn fetcher(&self) -> Rc<dyn MediaFetcher> {
        self.0.fetcher()
    }

    async fn post(&self, text: &str) -> PostId {
        self.0.post(TimelinePost::new(text))
    }

    async fn post_unreadable(&self) -> Option<PostId> {
        Some(self.0.post_unreadable())
    }

    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId> {
        Some(self.0.post_picture(text, alt))
    }

    fn unknown_id(&self) -> PostId {
        PostId(N::names().unknown_id.into())
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.0.inject(trouble).await;
        true
    }
}

#[async_trait(?Send)]
impl<N: Played> contract::destination::Bench for On<N> {
    async fn new() -> Self {
        Self::with_posts(&[]).await
    }

    fn destination(&self) -> Rc<dyn Destination> {
        self.0.destination_of(N::names().targets[0])
    }

    fn destination_with_other_credentials(&self) -> Option<Rc<dyn Destination>> {
        let Names { targets, secret_names_account, .. } = N::names();
        secret_names_account.then(|| self.0.destination_of(targets[1]))
    }

    async fn messages(&self) -> Vec<Message> {
        self.0.messages()
    }

    fn unknown_id(&self) -> PostId {
        PostId(N::names().unknown_id.into())
    }

    fn refused_text(&self) -> String {
        "palabra ".repeat(100)
    }

    fn media_count(&self) -> usize {
        4
    }

    fn repeat(&self) -> Repeat {
        N::names().repeat
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.0.inject(trouble).await;
        true
    }
}
